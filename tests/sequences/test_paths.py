from __future__ import annotations

import json
import math
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.sequences import Variants, paths

listed = st.lists(
    st.lists(st.sampled_from(["ad", "web", "cart"]), min_size=1, max_size=6),
    min_size=1,
    max_size=30,
)


def log_of(rows: list[tuple[str, str, str]]) -> cx.InteractionLog:
    who, when, what = (list(column) for column in zip(*rows, strict=True))
    return cx.InteractionLog.from_frame(
        {"who": who, "when": when, "what": what},
        customer="who",
        timestamp="when",
        touchpoint="what",
    )


@given(listed)
def test_counts_are_those_of_a_counter(words):
    rows = [
        (f"c{i:02}", f"2026-01-{day + 1:02}", name)
        for i, word in enumerate(words)
        for day, name in enumerate(word)
    ]
    found = paths(log_of(rows).journeys(), top=None)
    expected = Counter(map(tuple, words))
    assert dict(zip(found.steps, found.table["journeys"].tolist(), strict=True)) == expected
    assert found.counts.tolist() == sorted(expected.values(), reverse=True)
    once = sum(n == 1 for n in expected.values())
    assert found.unseen.value == pytest.approx(once / len(words))
    assert found.table["coverage"][-1] == pytest.approx(1)


@given(listed, st.data())
def test_weights_count_as_so_many_journeys(words, data):
    weight = data.draw(st.lists(st.integers(1, 4), min_size=len(words), max_size=len(words)))
    repeated = [word for word, w in zip(words, weight, strict=True) for _ in range(w)]
    weighted = paths(cx.Journeys.from_paths(words, converted=weight), top=None)
    plain = paths(cx.Journeys.from_paths(repeated, converted=[1] * len(repeated)), top=None)
    assert weighted.counts.tolist() == plain.counts.tolist()
    assert weighted.unseen.value == plain.unseen.value
    counts = [
        dict(zip(v.steps, v.table["journeys"].tolist(), strict=True)) for v in (weighted, plain)
    ]
    assert counts[0] == counts[1]


@given(listed)
def test_collapsing_repeats_is_collapsing_before(words):
    merged = [[n for i, n in enumerate(w) if i == 0 or w[i - 1] != n] for w in words]
    a = paths(cx.Journeys.from_paths(words, converted=[1] * len(words)), repeats="collapse")
    b = paths(cx.Journeys.from_paths(merged, converted=[1] * len(words)))
    assert (a.steps, a.counts.tolist()) == (b.steps, b.counts.tolist())


@given(listed, st.integers(1, 5))
def test_the_table_lists_the_first_of_all_rows(words, top):
    journeys = cx.Journeys.from_paths(words, converted=[1] * len(words))
    some, every = paths(journeys, top=top), paths(journeys, top=None)
    assert some.steps == every.steps[:top]
    assert some.table == every.table.take(range(min(top, len(every.table))))
    assert some.counts.tolist() == every.counts.tolist()


def test_the_goal_is_no_step_and_journeys_in_progress_are_no_part_of_conversion():
    day = "2026-01-{:02}".format
    rows = [
        *(("a", day(1), "web"), ("a", day(2), "buy")),
        *(("b", day(1), "web"), ("b", day(3), "buy")),
        ("c", day(1), "web"),
        ("d", day(20), "web"),
        ("e", day(5), "buy"),
        ("f", day(21), "mail"),
    ]
    found = paths(log_of(rows).journeys(goal="buy", inactivity=timedelta(days=7)))
    assert found.table["path"] == ("web", "(none)", "mail")
    assert found.table["journeys"].tolist() == [4, 1, 1]
    assert found.table["ended"].tolist() == [3, 1, 0]
    assert found.table["in_progress"].tolist() == [1, 0, 1]
    assert found.table["conversion"].tolist() == pytest.approx([2 / 3, 1, np.nan], nan_ok=True)
    # three customers, Student's quantile with two degrees of freedom: leaving out one at a time
    # leaves 1/2, 1/2 and 1, so that the variance is 2/3 (1/36 + 1/36 + 1/9)
    q = student.ppf(0.975, 2)
    n = (2 / 9) / (2 / 3 * (1 / 36 + 1 / 36 + 1 / 9))
    centre, half = 2 / 3 + q * q / (2 * n), q * math.sqrt((2 / 9 + q * q / (4 * n)) / n)
    ends = [(centre + sign * half) / (1 + q * q / n) for sign in (-1, 1)]
    assert (found.table["low"][0], found.table["high"][0]) == pytest.approx(ends)
    assert np.isnan(found.table["low"][1])  # one customer
    assert "fewer than three customers" in repr(found)
    assert "2 journeys are in progress and no part of conversion." in repr(found)


def test_journeys_of_one_customer_widen_the_interval():
    def interval(customers: int) -> float:
        rows = [
            (f"c{i % customers}", f"2026-{1 + i // customers:02}-01", "web") for i in range(12)
        ] + [
            (f"c{i % customers}", f"2026-{1 + i // customers:02}-02", "buy")
            for i in range(12)
            if i % customers in (0, 1)
        ]
        rows.append(("z", "2026-12-31", "mail"))  # by then every journey has ended
        journeys = log_of(rows).journeys(goal="buy", inactivity=timedelta(days=7))
        table = paths(journeys).table
        return table["high"][0] - table["low"][0]

    assert interval(4) > interval(12)


def test_intervals_do_not_depend_on_how_many_paths_are_computed_at_once(monkeypatch):
    rng = np.random.default_rng(5)
    words = [[f"t{i}"] for i in rng.integers(0, 9, 60)]
    journeys = cx.Journeys.from_paths(words, converted=[1] * 60, dropped=rng.integers(0, 3, 60))
    whole = paths(journeys, top=None).table
    monkeypatch.setattr("cxjourney.sequences._paths._BLOCK", 2)
    assert paths(journeys, top=None).table == whole
    assert np.isfinite(whole["low"]).any()


def test_intervals_are_of_the_level_asked_for():
    journeys = cx.Journeys.from_paths([["a"]], converted=[40], dropped=[60])
    half = []
    for level in (0.5, 0.95):
        table = paths(journeys, level=level).table
        half.append((table["high"][0] - table["low"][0]) / 2)
    ratio = student.ppf(0.975, 63) / student.ppf(0.75, 63)
    assert half[1] / half[0] == pytest.approx(ratio, rel=0.1)


def test_no_conversion_is_shown_where_nothing_ends_a_journey():
    rows = [("a", "2026-01-01", "web"), ("a", "2026-01-02", "buy"), ("b", "2026-01-01", "web")]
    found = paths(log_of(rows).journeys(goal="buy"))
    assert "conversion" not in found.table.column_names
    assert "nothing says when a journey without the goal is over." in repr(found)


def test_covering_counts_paths_from_the_most_frequent():
    found = paths(cx.Journeys.from_paths([["a"], ["b"], ["c"]], converted=[5, 3, 2]))
    assert [found.covering(s) for s in (0, 0.5, 0.51, 0.8, 0.81, 1)] == [0, 1, 2, 2, 3, 3]


def test_the_interval_of_the_unseen_mass_covers_it():
    # a long tail: probabilities 1/i of 400 paths
    rng = np.random.default_rng(11)
    p = 1 / np.arange(1, 401)
    p /= p.sum()
    hits = 0
    for _ in range(100):
        seen = rng.multinomial(300, p)
        some = np.flatnonzero(seen)
        found = paths(
            cx.Journeys.from_paths([[f"t{i}"] for i in some], converted=seen[some].tolist()), top=1
        ).unseen
        hits += found.low <= p[seen == 0].sum() <= found.high
    assert hits >= 90  # 95 are to be expected; 89 have a probability of .01


def test_published_numbers_of_variants(shared):
    expected = {
        entry["log"]: entry
        for entry in json.loads((shared / "oracles/dfg_variants.json").read_text())
    }
    shop = shared / "data" / "retentioneering_simple_shop"
    log = cx.read_csv(
        next(iter(shop.glob("*.csv"))),
        customer="user_id",
        timestamp="timestamp",
        touchpoint="event",
    )
    found = paths(log.journeys())
    assert found.n_paths == expected["simple-onlineshop"]["variants"] == 2028
    for name, folder in (
        ("receipt", "pm4py_receipt"),
        ("running-example", "pm4py_running_example"),
    ):
        log = cx.read_csv(
            shared / "data" / folder / f"{name}.csv",
            customer="case:concept:name",
            timestamp="time:timestamp",
            touchpoint="concept:name",
        )
        found = paths(log.journeys())
        assert found.n_paths == expected[name]["variants"]
        assert found.counts[0] == expected[name].get("top_variant_count", found.counts[0])


def test_no_journeys_have_no_paths():
    found = paths(cx.Journeys.from_paths([["a"]], converted=[1]).where(np.array([False])))
    assert found.n_paths == 0
    assert np.isnan(found.unseen.value)
    assert found.unseen.notes == ("empty",)
    assert found.covering(0.8) == 0
    assert "There are no journeys." in repr(found)


def test_variants_come_back_from_a_dictionary():
    found = paths(cx.Journeys.from_paths([["a"], ["b"]], converted=[3, 1], dropped=[2, 0]))
    again = Variants.from_dict(json.loads(json.dumps(found.to_dict())))
    assert (again.steps, again.table, again.unseen) == (found.steps, found.table, found.unseen)


def test_nonsense_is_refused():
    journeys = cx.Journeys.from_paths([["a"]], converted=[1])
    with pytest.raises(InvalidValue, match="top must be a positive whole number or None; got 0"):
        paths(journeys, top=0)
    with pytest.raises(InvalidValue, match="repeats must be one of 'keep', 'collapse'"):
        paths(journeys, repeats="drop")
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not InteractionLog"):
        paths(journeys.log)
