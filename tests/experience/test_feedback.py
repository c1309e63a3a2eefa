"""Voices: codes, reasons, agreement, ratings and invitations, by hand, by oracle and by chance."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutOfScale, UnknownName
from cxjourney.experience import Feedback
from cxjourney.metrics import Scale

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WHO = {"customer": "who", "timestamp": "at"}


def log_of(customers, *, touchpoints=("call", "web"), until=400, **further):
    """Return a log in which each customer calls on day 0 and visits the web on day 2."""
    rows = [
        (who, BEGIN + 2 * i * DAY, what) for who in customers for i, what in enumerate(touchpoints)
    ]
    who, when, what = zip(*rows, strict=True)
    attributes = {name: [values[one] for one in who] for name, values in further.items()}
    return cx.InteractionLog.from_frame(
        {"who": who, "when": list(when), "what": what, **attributes},
        customer="who",
        timestamp="when",
        touchpoint="what",
        attributes=list(attributes),
        observed_until=BEGIN + until * DAY,
    )


def answers_of(rows, *names):
    """Return the frame of rows of customer, day and further columns."""
    columns = dict(zip(names, zip(*(row[2:] for row in rows), strict=True), strict=True))
    frame = {"who": [row[0] for row in rows], "at": [BEGIN + row[1] * DAY for row in rows]}
    return frame | {name: list(values) for name, values in columns.items()}


def rows_of(found):
    return [tuple(row.values()) for row in found.table]


ROWS = [
    ("a", 1, "slow;rude", "complaint"),
    ("b", 1, "slow", "complaint"),
    ("c", 1, "slow ; slow", "question"),
    ("d", 3, "nice", "question"),
    ("e", 3, "slow;nice", None),
    ("f", 3, None, "question"),
    ("g", 3, "rude", "question"),
]


@pytest.fixture(scope="module")
def voices():
    frame = answers_of(ROWS, "codes", "reason")
    log = log_of("abcdefg")
    return Feedback.from_frame(log, frame, **WHO, codes="codes", reason="reason")


def test_frequencies_by_hand(voices):
    found = voices.frequencies()
    table = found.table
    assert table["code"] == ("slow", "nice", "rude")
    assert table["n"].tolist() == table["customers"].tolist() == [4, 2, 2]
    assert table["answers"].tolist() == [6, 6, 6]
    assert table["share"].tolist() == pytest.approx([4 / 6, 2 / 6, 2 / 6])
    assert table["cumulative"].tolist() == pytest.approx([4 / 8, 6 / 8, 1])
    assert "1 of 7 answers say nothing of this and are left out." in found.caveats
    reasons = voices.frequencies(of="reasons").table
    assert dict(zip(reasons["reason"], reasons["n"].tolist(), strict=True)) == {
        "question": 4,
        "complaint": 2,
    }


def test_frequencies_by_touchpoint_tell_no_share_of_few(voices):
    table = voices.frequencies("touchpoint").table
    assert list(zip(table["group"], table["code"], table["n"].tolist(), strict=True)) == [
        ("call", "slow", 3),
        ("call", "rude", 1),
        ("web", "nice", 2),
        ("web", "rude", 1),
        ("web", "slow", 1),
    ]
    assert np.isnan(table["share"]).all()  # three answers each
    assert table["cumulative"].tolist() == pytest.approx([3 / 4, 1, 2 / 4, 3 / 4, 1])
    by_reason = voices.frequencies("reason").table
    assert set(by_reason["group"]) == {"complaint", "question"}


def test_words_and_people_behind_a_code(voices):
    assert voices.customers("rude") == ["a", "g"]
    assert voices.customers("slow", touchpoint="web") == ["e"]
    assert voices.customers() == list("abcdefg")
    frame = answers_of([("a", 3, "second"), ("a", 1, "first"), ("b", 2, None)], "words")
    read = Feedback.from_frame(log_of("ab"), frame, **WHO, words="words")
    assert read.words() == ("first", "second")
    assert read.words(touchpoint="call") == ("first",)
    for said in (repr(read), str(read)):
        assert "second" not in said
        assert said == "Feedback: 3 answers"
    with pytest.raises(InvalidValue, match="name words="):
        voices.words()
    with pytest.raises(UnknownName, match="did you mean 'rude'"):
        voices.customers("rud")
    with pytest.raises(UnknownName, match="did you mean 'call'"):
        voices.customers(touchpoint="cal")


def test_what_becomes_of_rows():
    rows = [("a", 1, "call"), ("a", 30, "call"), ("zz", 1, "call"), (None, 1, "call")]
    rows += [("a", 1, "shop"), ("a", -1, None), ("b", 3, None), ("b", 3, "call")]
    frame = answers_of(rows, "about")
    found = Feedback.from_frame(log_of("ab"), frame, **WHO, touchpoint="about")
    assert found.outcomes == {
        "bound": 3,
        "without value, customer or time": 1,
        "customer not in the log": 1,
        "touchpoint not in the log": 1,
        "no interaction before": 1,
        "later than max_lag": 1,
    }
    assert len(found) == 6
    assert found.row.tolist() == [0, -1, -1, -1, 3, 2]


# ---------------------------------------------------------------- intervals


def test_shares_of_one_answer_a_customer_have_the_interval_of_wilson():
    customers = [f"c{i:04d}" for i in range(2000)]
    rng = np.random.default_rng(1)
    rows = [
        (who, 1, "slow" if x else "none")
        for who, x in zip(customers, rng.random(2000) < 0.3, strict=True)
    ]
    found = Feedback.from_frame(log_of(customers), answers_of(rows, "c"), **WHO, codes="c")
    row = next(row for row in found.frequencies().table if row["code"] == "slow")
    own = cx.metrics.conversion_rate([True] * row["n"] + [False] * (row["answers"] - row["n"]))
    assert row["high"] - row["low"] == pytest.approx(own.high - own.low, rel=0.3)
    assert row["low"] < row["share"] < row["high"]


def test_intervals_hold_the_truth_where_some_customers_answer_often():
    rng = np.random.default_rng(5)
    customers = [f"c{i}" for i in range(150)]
    log, held = log_of(customers), 0
    for _ in range(120):
        often = rng.geometric(0.3, len(customers))
        taste = rng.beta(1, 3, len(customers))  # mean .25
        who = np.repeat(customers, often).tolist()
        codes = np.where(rng.random(len(who)) < np.repeat(taste, often), "slow", "none").tolist()
        rows = [(one, 1, code) for one, code in zip(who, codes, strict=True)]
        found = Feedback.from_frame(log, answers_of(rows, "c"), **WHO, codes="c").frequencies()
        row = next(row for row in found.table if row["code"] == "slow")
        held += row["low"] <= 0.25 <= row["high"]
    assert 106 <= held <= 120  # 114 expected; .95 ± 3.7 standard errors


def test_a_code_that_is_commoner_at_one_touchpoint_is_found_and_no_other():
    rng = np.random.default_rng(3)
    customers = [f"c{i}" for i in range(1200)]
    rows = []
    for i, who in enumerate(customers):
        day = 1 if i % 2 else 3  # about the call, or about the web
        p = 0.5 if day == 1 else 0.3
        codes = ["slow"] * (rng.random() < p) + ["rude"] * (rng.random() < 0.2)
        rows.append((who, day, ";".join(codes) or "none"))
    found = Feedback.from_frame(log_of(customers), answers_of(rows, "c"), **WHO, codes="c")
    ends = {
        (r["group"], r["code"]): (r["low"], r["high"])
        for r in found.frequencies("touchpoint").table
    }
    assert ends["call", "slow"][0] > ends["web", "slow"][1]
    assert ends["call", "rude"][0] < ends["web", "rude"][1]
    assert ends["web", "rude"][0] < ends["call", "rude"][1]


# ---------------------------------------------------------------- coders


def test_kappa_is_that_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    rng = np.random.default_rng(2)
    customers = [f"c{i}" for i in range(3000)]
    first = rng.choice(list("xyz"), 3000, p=[0.5, 0.3, 0.2])
    second = np.where(rng.random(3000) < 0.7, first, rng.choice(list("xyz"), 3000))
    rows = list(zip(customers, [1] * 3000, first.tolist(), second.tolist(), strict=True))
    frame = answers_of(rows, "one", "two")
    voices = Feedback.from_frame(log_of(customers), frame, **WHO, codes="one", second="two")
    table = voices.agreement().table
    for row in table:
        if row["code"] == "all codes":
            cells = [[int(((first == a) & (second == b)).sum()) for b in "xyz"] for a in "xyz"]
        else:
            a, b = (side == row["code"] for side in (first, second))
            cells = [
                [int((~a & ~b).sum()), int((~a & b).sum())],
                [int((a & ~b).sum()), int((a & b).sum())],
            ]
            assert (row["both"], row["first_only"], row["second_only"]) == (
                cells[1][1],
                cells[1][0],
                cells[0][1],
            )
        told = inter_rater.cohens_kappa(np.array(cells))
        assert row["kappa"] == pytest.approx(told.kappa, abs=1e-12)
        assert row["agreed"] == pytest.approx(np.trace(cells) / 3000)
        assert row["n"] == 3000
        assert row["high"] - row["low"] == pytest.approx(told.kappa_upp - told.kappa_low, rel=0.35)
    assert table["code"][-1] == "all codes"
    assert len(table) == 4


def test_kappa_by_hand_and_where_it_is_not_defined():
    rows = [(f"c{i}", 1, "x", "x") for i in range(8)]
    found = Feedback.from_frame(
        log_of([f"c{i}" for i in range(8)]),
        answers_of(rows, "a", "b"),
        **WHO,
        codes="a",
        second="b",
    ).agreement()
    assert np.isnan(found.table["kappa"]).all()
    assert found.table["agreed"].tolist() == [1.0, 1.0]
    cells = {("x", "x"): 20, ("x", "y"): 5, ("y", "x"): 10, ("y", "y"): 15}  # kappa .4
    pairs = [pair for pair, n in cells.items() for _ in range(n)]
    names = [f"c{i}" for i in range(50)]
    rows = [(name, 1, *pair) for name, pair in zip(names, pairs, strict=True)]
    rows.append((names[0], 1, "x", None))  # one coder only: not compared
    found = Feedback.from_frame(
        log_of(names), answers_of(rows, "a", "b"), **WHO, codes="a", second="b"
    ).agreement()
    assert found.table["kappa"].tolist() == pytest.approx([0.4] * 3)
    assert found.table["n"].tolist() == [50] * 3


def test_coders_who_guess_agree_by_chance_alone():
    rng = np.random.default_rng(8)
    names = [f"c{i}" for i in range(300)]
    log, missed = log_of(names), 0
    for _ in range(60):
        codes = rng.choice(["x", "y"], (300, 2), p=[0.8, 0.2])
        rows = [(name, 1, *pair) for name, pair in zip(names, codes.tolist(), strict=True)]
        voices = Feedback.from_frame(log, answers_of(rows, "a", "b"), **WHO, codes="a", second="b")
        row = voices.agreement().table.row(2)
        missed += not row["low"] <= 0 <= row["high"]
    assert missed <= 8  # 3 expected


# ---------------------------------------------------------------- ratings


def test_profiles_by_hand():
    rows = [("a", 1, 1, 4.0), ("b", 1, 3, 5.0), ("c", 3, 5, None), ("d", 3, None, 3.0)]
    voices = Feedback.from_frame(
        log_of("abcd"),
        answers_of(rows, "easy", "warm"),
        **WHO,
        items={"easy": "rational", "warm": "emotional"},
    )
    table = voices.profile().table
    assert table["item"] == ("easy", "warm")
    assert table["mean"].tolist() == [3.0, 4.0]
    assert table["n"].tolist() == table["customers"].tolist() == [3, 3]
    shares = voices.profile(scale=Scale(1, 5)).table
    assert shares["mean"].tolist() == [0.5, 0.75]
    by = voices.profile("touchpoint", of="dimensions").table
    assert [(r["group"], r["dimension"], r["mean"]) for r in by] == [
        ("call", "rational", 2.0),
        ("call", "emotional", 4.5),
        ("web", "rational", 5.0),
        ("web", "emotional", 3.0),
    ]
    with pytest.raises(OutOfScale):
        voices.profile(scale=Scale(1, 3))
    both = {"easy": "one", "warm": "one"}
    frame = answers_of(rows, "easy", "warm")
    one = Feedback.from_frame(log_of("abcd"), frame, **WHO, items=both).profile(of="dimensions")
    assert one.table["mean"].tolist() == [np.mean([2.5, 4, 5, 3])]


# ---------------------------------------------------------------- reasons


def test_resolution_by_reason_is_that_of_the_metrics():
    rng = np.random.default_rng(4)
    names = [f"c{i}" for i in range(200)]
    rows = []
    for i, name in enumerate(names):
        reason = "complaint" if i % 2 else "question"
        rows.append((name, 1, reason, BEGIN + (1 + rng.exponential(2)) * DAY if i % 5 else None))
        if rng.random() < (0.5 if i % 2 else 0.1):
            rows.append((name, 4, reason, None))
    voices = Feedback.from_frame(
        log_of(names, until=30), answers_of(rows, "why", "end"), **WHO, reason="why", closed="end"
    )
    table = {row["reason"]: row for row in voices.resolution(window="7d").table}
    for reason, row in table.items():
        own = [r for r in rows if r[2] == reason]
        told = cx.metrics.first_contact_resolution(
            [BEGIN + r[1] * DAY for r in own],
            customer=[r[0] for r in own],
            observed_until=BEGIN + 30 * DAY,
        )
        took = cx.metrics.resolution_time(
            [BEGIN + r[1] * DAY for r in own],
            [r[3] for r in own],
            customer=[r[0] for r in own],
            observed_until=BEGIN + 30 * DAY,
        )
        assert row["first_contact"] == told.value
        assert row["repeat"] == pytest.approx(1 - told.value)
        assert (row["low"], row["high"]) == (told.low, told.high)
        assert row["median_s"] == took.median.value
        assert row["n"] == len(own)
    assert table["complaint"]["high"] < table["question"]["low"]


# ---------------------------------------------------------------- invitations


def test_invitations_and_answers_by_hand():
    log = log_of("abc", until=300)
    asked = [("a", 0), ("a", 20), ("a", 40), ("b", 5), ("c", 295), ("zz", 3), ("a", 150)]
    answers = [("a", 2), ("a", 41), ("a", 60), ("b", 30), ("b", 1), ("c", 296)]
    voices = Feedback.from_frame(log, answers_of(answers), **WHO)
    found = voices.cadence(answers_of(asked), **WHO, within="14d")
    table = found.table
    # a on day 0: answered on 2; on 20: not; on 40: on 41; on 150: nothing in the 90 days before
    assert table["earlier"] == ("0", "1", "2")
    assert table["n"].tolist() == [3, 1, 1]
    assert table["answered"].tolist() == pytest.approx([1 / 3, 0, 1])
    assert any("1 invitation that may still be answered" in one for one in found.caveats)
    assert any("1 invitation without a known customer" in one for one in found.caveats)
    months = voices.cadence(answers_of(asked), **WHO, within="14d", by="month").table
    assert list(zip(months["month"], months["n"].tolist(), strict=True)) == [
        ("2026-01", 3),
        ("2026-02", 1),
        ("2026-05", 1),
    ]


@given(
    asked=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), max_size=12),
    said=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 220)), max_size=12),
)
def test_cadence_equals_a_walk_along_the_days(asked, said):
    log, within = log_of("abcd", until=230), 10
    found = Feedback.from_frame(log, answers_of([*said, ("d", 0)]), **WHO).cadence(
        answers_of([*asked, ("d", 225)]), **WHO, within=timedelta(days=within)
    )
    n, hits = [0] * 4, [0] * 4
    for who, own in itertools.groupby(sorted(asked), key=lambda pair: pair[0]):
        days = [day for _, day in own]
        answered = set()
        for day in sorted(d for w, d in said if w == who):
            before = [i for i, asked_on in enumerate(days) if asked_on <= day]
            if before and day - days[before[-1]] <= within:
                answered.add(before[-1])
        for i, day in enumerate(days):
            if day <= 230 - within:
                earlier = min(3, sum(day - 90 <= other for other in days[:i]))
                n[earlier] += 1
                hits[earlier] += i in answered
    assert found.table["n"].tolist() == [x for x in n if x]
    assert found.table["answered"].tolist() == pytest.approx(
        [h / x for h, x in zip(hits, n, strict=True) if x]
    )


# ---------------------------------------------------------------- invariants


some_answers = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.integers(0, 6),
        st.sampled_from(["x", "y", "x;y", "z;x", None]),
    ),
    max_size=15,
)


@given(some_answers, st.randoms(use_true_random=False))
def test_neither_order_nor_names_of_codes_matter(rows, random):
    log, shuffled = log_of("abcdef"), list(rows)
    random.shuffle(shuffled)
    swap = str.maketrans("xyz", "zxy")
    renamed = [(w, d, c and c.translate(swap)) for w, d, c in rows]
    frames = [answers_of(some, "c") for some in (rows, shuffled, renamed)] if rows else []
    found = [
        {
            (r["group"], r["code"]): (r["n"], r["answers"], r["customers"])
            for r in Feedback.from_frame(log, frame, **WHO, codes="c")
            .frequencies("touchpoint")
            .table
        }
        for frame in frames
        if any(code for *_, code in rows)
    ]
    if found:
        assert found[0] == found[1]
        assert found[2] == {(g, c.translate(swap)): n for (g, c), n in found[0].items()}


@given(some_answers, some_answers)
def test_counts_of_two_halves_add_up(one, other):
    log = log_of("abcdef")

    def counts(rows):
        if not any(code for *_, code in rows):
            return {}
        found = Feedback.from_frame(log, answers_of(rows, "c"), **WHO, codes="c").frequencies()
        return dict(zip(found.table["code"], found.table["n"].tolist(), strict=True))

    both = counts([*one, *other])
    assert both == {code: counts(one).get(code, 0) + counts(other).get(code, 0) for code in both}
    assert set(counts(one)) | set(counts(other)) == set(both)


@pytest.mark.parametrize("rows", [[], [("a", 1, "x", "q", 3.0, "x")]])
def test_nothing_and_one_answer_have_empty_and_short_tables(rows):
    frame = {"who": [r[0] for r in rows], "at": [BEGIN + r[1] * DAY for r in rows]}
    frame |= {name: [r[i] for r in rows] for i, name in enumerate("cqis", start=2)}
    voices = Feedback.from_frame(
        log_of("ab"), frame, **WHO, codes="c", second="s", reason="q", items=["i"]
    )
    assert len(voices.profile().table) == len(rows)
    if rows:
        assert len(voices.frequencies().table) == len(voices.resolution().table) == 1
        assert len(voices.agreement().table) == 2
    else:
        with pytest.raises(InvalidValue, match="there are no codes"):
            voices.frequencies()
    assert len(voices.cadence({"who": [], "at": []}, **WHO).table) == 0


def test_results_are_printed_drawn_and_stored(voices):
    for found in (voices.frequencies(), voices.frequencies("touchpoint"), voices.resolution()):
        assert cx.load(found.to_dict()).table == found.table
        assert "Those who answer" in str(found)
        assert found.plot() is not None
    assert "33.3%" in str(voices.frequencies())


def test_messages_name_the_mend():
    log, frame = log_of("ab"), answers_of([("a", 1, "x")], "c")
    with pytest.raises(UnknownName, match=r"codes= column 'cc'.*did you mean 'c'"):
        Feedback.from_frame(log, frame, **WHO, codes="cc")
    with pytest.raises(InvalidValue, match="second must come with codes="):
        Feedback.from_frame(log, frame, **WHO, second="c")
    with pytest.raises(InvalidValue, match="closed must come with reason="):
        Feedback.from_frame(log, frame, **WHO, closed="at")
    with pytest.raises(InvalidValue, match="separator must be a character"):
        Feedback.from_frame(log, frame, **WHO, codes="c", separator="")
    with pytest.raises(InvalidValue, match="c must be a numeric column"):
        Feedback.from_frame(log, frame, **WHO, items=["c"])
    voices = Feedback.from_frame(log, frame, **WHO, codes="c")
    with pytest.raises(InvalidValue, match="no second coder"):
        voices.agreement()
    with pytest.raises(InvalidValue, match="no ratings"):
        voices.profile()
    with pytest.raises(InvalidValue, match="no reasons"):
        voices.resolution()
    with pytest.raises(UnknownName, match="did you mean 'touchpoint'"):
        voices.frequencies("touchpont")
    with pytest.raises(InvalidValue, match="by must be one of"):
        voices.cadence(frame, **WHO, by="year")  # type: ignore[arg-type]


def test_pseudonyms_of_the_log_and_of_answers_are_of_one_key():
    key = cx.privacy.PseudonymKey.generate()
    log = cx.InteractionLog.from_frame(
        {"who": ["ann", "bob"], "when": [BEGIN, BEGIN], "what": ["call", "web"]},
        customer="who",
        timestamp="when",
        touchpoint="what",
        pseudonyms=key,
    )
    frame = answers_of([("ann", 1, "x"), ("bob", 1, "x")], "c")
    found = Feedback.from_frame(log, frame, **WHO, codes="c", pseudonyms=key)
    assert len(found) == 2
    assert not set(found.customers("x")) & {"ann", "bob"}
    with pytest.raises(InvalidValue, match="pseudonyms= that key"):
        Feedback.from_frame(log, frame, **WHO, codes="c")
