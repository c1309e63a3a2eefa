"""Options of a funnel: each on a log with answers by hand, and against a matcher of its own."""

from __future__ import annotations

import itertools
import random
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.dropoff import Exclusion, Semantics, Step, funnel
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SEEDS = range(24)


def log_of(events, *, until=100.0, **columns):
    """`events` are (customer, hour, touchpoint, attributes…), the attributes named by `columns`."""
    names = [*columns]
    rows = [(*row, *[None] * (3 + len(names) - len(row))) for row in events]
    frame = {
        "who": [row[0] for row in rows],
        "when": [BEGIN + row[1] * HOUR for row in rows],
        "what": [row[2] for row in rows],
        **{name: [row[3 + i] for row in rows] for i, name in enumerate(names)},
    }
    roles = {role: name for name, role in columns.items() if role}
    return cx.InteractionLog.from_frame(
        frame,
        customer="who",
        timestamp="when",
        touchpoint="what",
        attributes=[name for name, role in columns.items() if not role],
        observed_until=BEGIN + until * HOUR,
        **roles,
    )


# ---------------------------------------------------------------- patterns


def spelt(texts):
    """Return a log of texts, a customer each."""
    return log_of((f"k{i}", hour, x) for i, text in enumerate(texts) for hour, x in enumerate(text))


@given(
    texts=st.lists(st.text("abcx", min_size=1, max_size=12), max_size=8),
    pattern=st.sampled_from(  # ours, that of `re`, and a text that has it
        [
            ("b -> .* -> c", "b.*?c", "bc"),
            ("b -> [^a]* -> c", "b[^a]*?c", "bc"),
            ("a -> c", "ac", "ac"),
            ("c", "c", "c"),
            ("c{2,3}", "c{2,3}?", "cc"),
            ("^ -> .* -> c", "^.*?c", "bc"),
        ]
    ),
    order=st.sampled_from(["ordered", "unordered"]),
    size=st.sampled_from([2, 3]),
)
def test_a_pattern_is_a_step_where_re_finds_its_end(texts, pattern, order, size):
    ours, theirs, having = pattern

    def marked(text):
        ends = {found.end() - 1 for found in re.finditer(theirs, text)}
        return "".join("Y" if i in ends else x for i, x in enumerate(text))

    texts = [*texts, having, "xab"]  # every letter is there
    expected = spelt(map(marked, texts))
    wanted = funnel(expected, ["a", "Y", "x"][:size], order=order).counts
    at_c = Step("c", pattern=ours)  # where all of them end
    for step in [at_c] if order == "unordered" else [at_c, cx.Pattern(ours)]:
        assert funnel(spelt(texts), ["a", step, "x"][:size], order=order).counts == wanted


def test_the_point_of_a_pattern_is_where_its_step_is():
    log = spelt(["abxc", "abcx", "xab"])
    pattern = cx.Pattern("b -> .* -> c")
    assert funnel(log, ["a", pattern, "x"]).counts == (3, 2, 1)
    assert funnel(log, ["a", Step(pattern="@b -> .* -> c"), "x"]).counts == (3, 2, 2)
    assert funnel(log, ["a", "b", "x"]).counts == (3, 3, 2)
    assert funnel(log, ["a", Step("x", pattern=pattern), "x"]).counts == (3, 0, 0)


def test_a_pattern_of_a_log_is_looked_for_in_all_of_a_customer():
    rows = [("a", 0, "web", "1"), ("a", 1, "help", "2"), ("a", 2, "web", "1"), ("a", 3, "buy", "2")]
    log = log_of(rows, case="journey")
    pattern = cx.Pattern("help -> web")
    assert funnel(log, ["web", pattern, "buy"]).counts == (1, 1, 1)
    assert funnel(log.journeys(all_closed=True), [pattern, "buy"]).counts == (0, 0)


def test_what_a_pattern_of_a_funnel_cannot_be_asked_is_refused():
    log = log_of([("a", 0, "web"), ("a", 1, "buy")])
    with pytest.raises(InvalidValue, match="come with journeys where it asks how they end"):
        funnel(log, ["web", cx.Pattern("web -> $converted")])
    with pytest.raises(UnknownName, match="did you mean 'buy'"):
        funnel(log, ["web", cx.Pattern("web -> buyy")])
    steps = {"steps": [Step(pattern="web"), "buy"]}
    with pytest.raises(InvalidValue, match=r"pattern=.* need journeys"):
        log.journeys(all_closed=True).statistics(analyses={"funnel": steps})
    assert Step("buy", pattern="web -> buy").label == "buy at web -> buy"


# ---------------------------------------------------------------- conditions


SHOP = [
    ("a", 0, "web", "de", 5.0),
    ("a", 1, "buy", "de", 120.0),
    ("b", 0, "web", "at", None),
    ("b", 1, "buy", "at", 80.0),
    ("c", 0, "web", None, None),
    ("c", 1, "bot", "de", None),
    ("c", 2, "buy", "de", 100.0),
]


def shop():
    return log_of(SHOP, land=None, value="value")


@pytest.mark.parametrize(
    ("steps", "counts"),
    [
        (["web", Step("buy", where={"land": "de"})], (3, 2)),
        (["web", Step("buy", where={"land": ["de", "at"], "value": slice(100, None)})], (3, 2)),
        (["web", Step("buy", where={"value": slice(None, 100)})], (3, 1)),
        (["web", Step("buy", where={"value": 80})], (3, 1)),
        ([Step("web", where={"land": None}), "buy"], (1, 1)),
        ([Step(where={"value": None}), "buy"], (2, 2)),
        ([Step(where={"land": "de"}), Step(where={"land": "de"})], (2, 2)),
    ],
)
def test_a_step_may_have_conditions(steps, counts):
    found = funnel(shop(), steps)
    assert found.counts == counts
    depths = [found.explain(who).depth[0] for who in "abc"]
    assert tuple(sum(depth > k for depth in depths) for k in range(2)) == counts
    by_rows = funnel(shop().journeys(goal="buy"), steps[:1])
    assert by_rows.counts[0] == counts[0]


def test_an_exclusion_may_be_of_a_property():
    log = log_of(
        [("a", 0, "web", "x"), ("a", 1, "look", "y"), ("a", 2, "buy", "x"), ("b", 0, "web", "y"),
         ("b", 1, "look", "x"), ("b", 2, "buy", "y")],
        kind=None,
    )  # fmt: skip
    found = funnel(log, ["web", "buy"], exclude=[Exclusion(where={"kind": "y"})])
    assert found.counts == (2, 1)  # what does a step is no obstacle to this step
    assert found.customers("buy") == ("b",)
    assert funnel(log, ["web", "buy"], exclude=[Exclusion("look", where={"kind": "x"})]).counts == (
        2,
        1,
    )


def test_conditions_are_named_and_wrong_ones_refused():
    found = funnel(shop(), ["web", Step("buy", where={"land": "de"})])
    assert found.steps == ("web", "buy (land = de)")
    with pytest.raises(UnknownName, match="lnd"):
        funnel(shop(), [Step("web", where={"lnd": "de"})])
    with pytest.raises(UnknownName, match="did you mean 'blue'"):
        funnel(log_of([("a", 0, "web", "blue")], tone=None), [Step("web", where={"tone": "blu"})])
    for wrong in ({"land": slice("a", "b")}, {"land": slice(1, 2, 3)}, "land"):
        with pytest.raises(InvalidValue, match="where"):
            Step("web", where=wrong)
    with pytest.raises(InvalidValue, match="at least one touchpoint"):
        Step()


# ---------------------------------------------------------------- a property held constant


def random_rows(seed, *, n=9, values="xyz", names="ABCe"):
    rng = random.Random(seed)  # noqa: S311 - cases, not secrets
    rows = []
    for c in range(rng.randint(1, 6)):
        hours = sorted(rng.randint(0, 14) for _ in range(rng.randint(1, n)))
        rows += [(f"c{c}", hour, rng.choice(names), rng.choice([*values, None])) for hour in hours]
    return rows, rng


@pytest.mark.parametrize("seed", SEEDS)
def test_constant_is_the_funnel_of_each_value_alone(seed):
    rows, rng = random_rows(seed)
    log = log_of(rows, p=None)
    options = {
        "within": rng.choice([None, 6 * HOUR]),
        "order": rng.choice(["ordered", "strict", "unordered"]),
        "exclude": rng.choice([(), ["e"]]),
        "censored": "keep",
    }
    steps = ["A", "B", "C"]
    of = [row[3] for row in sorted(rows, key=lambda row: row[0])]  # hours ascend already
    alone = {
        value: funnel(log.filter(rows=np.array([v == value for v in of])), steps, **options)
        for value in "xyz"
    }
    pairs = funnel(log, steps, constant="p", count="values", **options)
    assert list(pairs.counts) == [sum(one.counts[k] for one in alone.values()) for k in range(3)]
    whole = funnel(log, steps, constant="p", **options)
    people = [set().union(*(one.customers(k) for one in alone.values())) for k in range(3)]
    assert list(whole.counts) == [len(some) for some in people]
    assert [set(whole.customers(k)) for k in range(3)] == people


def test_constant_of_journeys_and_its_words():
    rows = [("a", 0, "web", "s"), ("a", 1, "buy", "t"), ("b", 0, "web", "s"), ("b", 1, "buy", "s")]
    journeys = log_of(rows, sku=None).journeys(goal="buy", inactivity="7d")
    found = funnel(journeys, ["web", "buy"], constant="sku", count="values")
    assert (found.counts, found.unit, found.n_units) == ((2, 1), "pair", 3)
    assert "0 interactions have none. A pair is one journey with one value." in str(found)
    assert funnel(journeys, ["web", "buy"], constant="sku").counts == (2, 1)
    assert len(found.journeys("buy")) == 1
    assert found.explain("a").table["value"] == ("s", "t")
    with pytest.raises(InvalidValue, match="come with constant="):
        funnel(journeys, ["web", "buy"], count="values")
    with pytest.raises(UnknownName):
        funnel(journeys, ["web", "buy"], constant="nothing")


# ---------------------------------------------------------------- totals


def walk(events, steps, exclude, within):
    """Return the depth of each attempt, one after the other, carried along the events."""
    depths, depth, begin = [], 0, None
    for hour, name in events:
        if depth and within is not None and hour - begin > within:
            depths.append(depth)
            depth = 0
        if depth and name in exclude and depth < len(steps):
            depths.append(depth)
            depth = 0
            continue
        if not depth:
            if name == steps[0]:
                depth, begin = 1, hour
        elif name == steps[depth]:
            depth += 1
        if depth == len(steps):
            depths.append(depth)
            depth = 0
    return [*depths, depth] if depth else depths


@pytest.mark.parametrize("seed", SEEDS)
def test_totals_are_attempts_one_after_the_other(seed):
    rows, rng = random_rows(seed, n=14)
    steps = ["A", "B", "C"][: rng.randint(1, 3)]
    exclude = rng.choice([(), ["e"]]) if len(steps) > 1 else ()
    within = rng.choice([None, 3, 6])
    depths = []
    for who in sorted({row[0] for row in rows}):
        depths += walk([r[1:3] for r in rows if r[0] == who], steps, exclude, within)
    found = funnel(
        log_of(rows), steps, within=within and within * HOUR, exclude=exclude,
        count="attempts", censored="keep",
    )  # fmt: skip
    assert list(found.counts) == [sum(d > k for d in depths) for k in range(len(steps))]
    assert (found.unit, found.n_base) == ("attempt", len(depths))


def test_attempts_whose_window_is_not_over_do_not_count():
    rows = [("a", 0, "A"), ("a", 1, "B"), ("a", 50, "A"), ("a", 97, "A"), ("a", 98, "B")]
    found = funnel(log_of(rows), ["A", "B"], within=10 * HOUR, count="attempts")
    assert found.counts == (2, 1)  # the one of hour 97 is not known yet, though it has converted
    assert funnel(log_of(rows), ["A", "B"], within=10 * HOUR).counts == (1, 1)
    assert found.table["median_s"].tolist()[1:] == [3600]


def test_many_attempts_of_one_customer_take_no_time():
    rows = [("a", i / 100, "AB"[i % 2]) for i in range(3_000)]
    rows += [(f"b{i}", 0, "A") for i in range(1_000)]
    assert funnel(log_of(rows), ["A", "B"], count="attempts").counts == (2_500, 1_500)


@pytest.mark.parametrize(
    "options",
    [{"entry": "first"}, {"order": "unordered"}, {"semantics": "posthog", "exclude": ["e"]},
     {"semantics": "retentioneering"}],
)  # fmt: skip
def test_totals_refuse_what_has_no_single_attempts(options):
    with pytest.raises(InvalidValue):
        funnel(log_of([("a", 0, "A")]), ["A", "B"], count="attempts", **options)


# ---------------------------------------------------------------- minimum times, ties, grace


def brute(events, steps, within, *, gap=0.0, grace=0.0, limit=None):
    """Return the deepest step that any choice of distinct interactions reaches."""
    best = 0
    for size in range(1, len(steps) + 1):
        for chosen in itertools.permutations(range(len(events)), size):
            hours = [events[i][0] for i in chosen]
            waits = np.diff(hours)
            ordered = all(
                wait >= gap
                if gap
                else wait > 0 or (wait == 0 and i < j) or (grace and wait >= -grace)
                for wait, (i, j) in zip(waits, itertools.pairwise(chosen), strict=True)
            )
            if (
                ordered
                and [events[i][1] for i in chosen] == list(steps[:size])
                and (within is None or all(hour - hours[0] <= within for hour in hours))
                and (limit is None or (waits <= limit).all())
            ):
                best = size
                break
    return best


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["gap", "forbidden", "grace"])
def test_times_between_steps_equal_the_matcher_that_tries_everything(seed, kind):
    rows, rng = random_rows(seed, n=7, names="ABBC" if kind != "grace" else "ABC")
    steps = list("ABC") if kind == "grace" else rng.choice([list("ABC"), list("ABB"), list("AAB")])
    within, limit = rng.choice([None, 6]), rng.choice([None, 4])
    gap = {"gap": 2, "forbidden": 1e-9, "grace": 0}[kind]
    grace = 2 if kind == "grace" else 0
    typed = [Step(steps[0])]
    typed += [
        Step(name, after=2 * HOUR if kind == "gap" else None, within=limit and limit * HOUR)
        for name in steps[1:]
    ]
    semantics = Semantics(
        ties="forbidden" if kind == "forbidden" else "log", grace=grace * HOUR if grace else None
    )
    log = log_of(rows)
    found = funnel(
        log, typed, within=within and within * HOUR, semantics=semantics, censored="keep"
    )
    depths = {}
    for who in sorted({row[0] for row in rows}):
        own = [row[1:3] for row in rows if row[0] == who]
        depths[who] = brute(own, steps, within, gap=gap, grace=grace, limit=limit)
    assert list(found.counts) == [sum(d > k for d in depths.values()) for k in range(3)]
    assert [found.explain(who).depth[0] for who in depths] == list(depths.values())


def test_explain_says_what_came_too_soon():
    log = log_of([("a", 0, "A"), ("a", 1, "B")])
    found = funnel(log, ["A", Step("B", after=2 * HOUR)])
    assert found.explain("a").table["verdict"][1] == "not step 2: too soon, step needs 2 hours"
    tied = log_of([("a", 0, "A"), ("a", 0, "B")])
    tied = funnel(tied, ["A", "B"], semantics=Semantics(ties="forbidden"))
    assert tied.counts == (1, 0)
    assert tied.explain("a").table["verdict"][1] == "not step 2: too soon, one timestamp"


def test_grace_passes_over_exclusions_within_it():
    rows = [
        ("a", 0, "A"),
        ("a", 1, "e"),
        ("a", 2, "B"),
        ("b", 0, "A"),
        ("b", 3, "e"),
        ("b", 9, "B"),
    ]
    semantics = Semantics(grace=HOUR)
    assert funnel(log_of(rows), ["A", "B"], exclude=["e"], semantics=semantics).counts == (2, 1)


@pytest.mark.parametrize(
    ("steps", "options"),
    [
        ([Step("A", after=HOUR), "B"], {}),
        (["A", "A"], {"semantics": Semantics(grace=HOUR)}),
        (["A", "B"], {"semantics": Semantics(grace=HOUR), "order": "strict"}),
        (["A", Step("B", after=HOUR)], {"order": "unordered"}),
    ],
)
def test_times_that_have_no_meaning_are_refused(steps, options):
    with pytest.raises(InvalidValue):
        funnel(log_of([("a", 0, "A")]), steps, **options)


def test_times_between_steps_need_times():
    paths = cx.Journeys.from_paths([["A", "B"]], converted=[1])
    with pytest.raises(TimesRequired):
        funnel(paths, ["A", Step("B", after=HOUR)])


# ---------------------------------------------------------------- open, anchored, hybrid


def sets(seed):
    rows, rng = random_rows(seed, n=8)
    people = sorted({row[0] for row in rows})
    return rows, rng, {who: [r[1:3] for r in rows if r[0] == who] for who in people}


@pytest.mark.parametrize("seed", SEEDS)
def test_open_entry_counts_whoever_does_a_step(seed):
    rows, rng, events = sets(seed)
    limit = rng.choice([None, 3])
    steps = [Step(n, within=limit and limit * HOUR) for n in "ABC"]
    found = funnel(log_of(rows), steps, entry="anywhere")
    assert list(found.counts) == [
        sum(any(n == step for _, n in one) for one in events.values()) for step in "ABC"
    ]
    for k, (before, step) in enumerate(itertools.pairwise("ABC"), start=1):
        goes_on = [brute(one, [before, step], None, limit=limit) == 2 for one in events.values()]
        came = found.counts[k - 1]
        assert found.table["step_rate"][k] == pytest.approx(
            sum(goes_on) / came if came else np.nan, nan_ok=True
        )
        lost = found.table["dropped"][k] + found.table["censored"][k]
        assert lost == came - sum(goes_on)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("order", ["anchored", "hybrid"])
def test_anchored_and_hybrid_begin_with_the_first_step(seed, order):
    rows, rng, events = sets(seed)
    within = rng.choice([None, 4])
    depths = []
    for one in events.values():
        best = 0
        for i, (hour, name) in enumerate(one):
            if name != "A":
                continue
            later = {n for h, n in one[i + 1 :] if within is None or h - hour <= within}
            done = [n in later for n in "BC"]
            depth = 1 + (sum(done) if order == "anchored" else done[0] + (done[0] and done[1]))
            best = max(best, depth)
        depths.append(best)
    found = funnel(
        log_of(rows), ["A", "B", "C"], order=order, within=within and within * HOUR, censored="keep"
    )
    assert list(found.counts) == [sum(d > k for d in depths) for k in range(3)]
    assert [found.explain(who).depth[0] for who in events] == depths


def test_open_entry_of_journeys_says_what_is_in_progress():
    rows = [("a", 0, "A"), ("a", 1, "B"), ("b", 95, "A"), ("c", 0, "B"), ("d", 1, "A")]
    journeys = log_of(rows).journeys(goal="B", inactivity=20 * HOUR)
    found = funnel(journeys, ["A", "B"], entry="anywhere")
    assert found.counts == (3, 2)
    assert (found.table["dropped"][1], found.table["censored"][1]) == (1, 1)
    assert found.n_base == 4
    assert "median_s" not in found.table
    with pytest.raises(TimesRequired):
        found.time_to()
    for options in (
        {"within": HOUR},
        {"order": "hybrid"},
        {"exclude": ["e"]},
        {"count": "attempts"},
    ):
        with pytest.raises(InvalidValue):
            funnel(journeys, ["A", "B"], entry="anywhere", **options)


# ---------------------------------------------------------------- breakdowns and bins


PLANS = [
    ("a", 0, "A", None), ("a", 1, "e", "x"), ("a", 2, "B", "y"), ("a", 3, "C", "z"),
    ("b", 0, "A", "x"), ("b", 1, "B", "x"), ("c", 0, "A", "y"), ("d", 0, "e", "y"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        (None, {"x": (2, 2, 1), "y": (1, 0, 0)}),  # the first known of all its interactions
        ("first", {"x": (1, 1, 0), "y": (2, 1, 1), cx.MISSING: (0, 0, 0)}),
        ("last", {"x": (1, 1, 0), "y": (1, 0, 0), "z": (1, 1, 1), cx.MISSING: (0, 0, 0)}),
        (2, {"x": (1, 1, 0), "y": (1, 1, 1), cx.MISSING: (1, 0, 0)}),
        ("all", {"x": (1, 1, 0), "y": (1, 0, 0), "z": (0, 0, 0)}),
    ],
)
def test_the_value_of_a_breakdown_is_that_of_a_step(at, counts):
    found = funnel(log_of(PLANS, plan=None), ["A", "B", "C"], segment="plan", segment_at=at)
    assert {value: found[value].counts for value in found.values} == counts
    assert str(found)


@pytest.mark.parametrize("at", ["first", "last", 1, 3])
def test_parts_of_a_breakdown_add_up(at):
    for seed in range(8):
        rows, _ = random_rows(seed)
        log = log_of(rows, p=None)
        whole = funnel(log, ["A", "B", "C"], within=6 * HOUR)
        parts = funnel(log, ["A", "B", "C"], within=6 * HOUR, segment="p", segment_at=at)
        sums = [sum(parts[v].counts[k] for v in parts.values) for k in range(3)]
        assert sums == list(whole.counts)


def test_wrong_breakdowns_are_refused():
    log = log_of(PLANS, plan=None)
    for options in (
        {"segment_at": "first"},
        {"segment": "plan", "segment_at": 4},
        {"segment": "plan", "segment_at": "middle"},
        {"segment": "plan", "segment_at": True},
        {"segment": "plan", "segment_at": "last", "constant": "plan"},
    ):
        with pytest.raises(InvalidValue):
            funnel(log, ["A", "B", "C"], **options)


def test_bins_of_the_time_to_convert():
    rows = [(f"c{i}", 0, "A") for i in range(5)] + [(f"c{i}", 1 + i, "B") for i in range(4)]
    found = funnel(log_of(rows), ["A", "B"])
    table = found.time_bins([timedelta(0), "2h", "4h", "12h"])
    assert table["count"].tolist() == [1, 2, 1]
    assert table["share"].tolist() == [0.25, 0.5, 0.25]
    assert table["cumulative"].tolist() == [0.2, 0.6, 0.8]
    assert found.time_bins(3)["to_s"].tolist() == [7200, 10800, 14400]
    assert found.time_bins(3)["count"].sum() == 4
    for wrong in (0, ["2h", "1h"], ["1h"]):
        with pytest.raises(InvalidValue):
            found.time_bins(wrong)
    nobody = funnel(log_of(rows), ["A", "nowhere"]).time_bins(2)
    assert nobody["count"].tolist() == [0, 0]


def test_statistics_refuse_what_they_do_not_count():
    log = log_of([("a", 0, "A", "x"), ("a", 1, "B", "x")], p=None)
    journeys = log.journeys(goal="B", inactivity="1d")
    for options in (
        {"steps": ["A", Step("B", where={"p": "x"})]},
        {"steps": ["A", Step("B", after="1h")]},
        {"steps": ["A", "B"], "semantics": Semantics(grace=HOUR)},
        {"steps": ["A", "B"], "entry": "anywhere"},
    ):
        with pytest.raises(InvalidValue, match="need journeys"):
            journeys.statistics(analyses={"funnel": options})
    counted = journeys.statistics(analyses={"funnel": {"steps": ["A", "B"], "order": "hybrid"}})
    assert funnel(counted, ["A", "B"], order="hybrid").counts == (1, 1)
