"""Transitions with times, business hours and pairs that follow eventually; paths that are kept."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.metrics import BusinessHours
from cxjourney.omnichannel import transitions

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DATA = {
    "running_example": "pm4py_running_example/running-example.csv",
    "receipt": "pm4py_receipt/receipt.csv",
    "reviewing_complete": "pm4py_reviewing/reviewing.csv",
}


def journeys_of(rows):
    log = cx.InteractionLog.from_frame(
        {
            "who": [who for who, *_ in rows],
            "when": [BEGIN + timedelta(hours=hour) for _, hour, _ in rows],
            "what": [what for *_, what in rows],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    return log.journeys(goal=(), all_closed=True)


def cells(found, column):
    table = found.table
    pairs = zip(table["from_touchpoint"], table["to_touchpoint"], strict=True)
    return dict(zip(pairs, np.asarray(table[column]).tolist(), strict=True))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.sampled_from("xyz")),
        min_size=1,
        max_size=25,
    )
)
def test_eventual_pairs_equal_all_pairs(rows):
    rows = sorted(rows, key=lambda row: row[:2])
    journeys = journeys_of(rows)
    found = transitions(journeys, by="touchpoint", follows="eventually", times=True)
    count, people, least, waits = Counter(), defaultdict(set), {}, defaultdict(list)
    for who, own in itertools.groupby(rows, key=lambda row: row[0]):
        for (i, (_, h, a)), (j, (_, g, b)) in itertools.combinations(enumerate(own), 2):
            count[a, b] += 1
            people[a, b].add(who)
            least[a, b] = min(least.get((a, b), 99), j - i - 1)
            waits[a, b].append(3600.0 * (g - h))
    assert cells(found, "count") == count
    assert cells(found, "customers") == {pair: len(some) for pair, some in people.items()}
    assert cells(found, "least_between") == least
    assert cells(found, "mean_s") == pytest.approx({p: np.mean(w) for p, w in waits.items()})
    for pair, some in people.items():
        assert set(found.customers(*pair)) == some
    assert found.n == sum(count.values())
    share = cells(found, "probability")
    for pair, n in count.items():
        assert share[pair] == pytest.approx(n / sum(c for p, c in count.items() if p[0] == pair[0]))


def test_times_of_transitions_by_hand():
    rows = [(f"c{i}", h, w) for i in range(4) for h, w in ((0, "x"), (i + 1, "y"))]
    found = transitions(journeys_of(rows), by="touchpoint", times=True)
    wanted = {"min_s": 1, "max_s": 4, "mean_s": 2.5, "median_s": 2.5, "p90_s": 3.7, "p95_s": 3.85}
    for name, hours in wanted.items():
        assert cells(found, name)["x", "y"] == pytest.approx(3600 * hours)
    assert cells(found, "std_s")["x", "y"] == pytest.approx(3600 * np.std([1, 2, 3, 4], ddof=1))
    assert "p95_s" not in transitions(journeys_of(rows), by="touchpoint").table
    assert str(found)


def test_incoming_shares_add_up_to_one():
    journeys = cx.datasets.sample(seed=1, customers=60).log.journeys(goal="order", inactivity="14d")
    found = transitions(journeys, by="touchpoint")
    share, count = found.matrix("incoming"), found.matrix()
    assert np.nansum(share, axis=0) == pytest.approx((count.sum(axis=0) > 0).astype(float))
    assert np.nansum(share[count == 0]) == 0


def test_what_needs_rows_is_refused():
    paths = cx.Journeys.from_paths([["x", "y"]], converted=[1], channels=True)
    for options in ({"times": True}, {"follows": "eventually"}):
        with pytest.raises(TimesRequired):
            transitions(paths, **options)
    journeys = journeys_of([("a", 0, "x"), ("a", 1, "y")])
    with pytest.raises(InvalidValue, match="follows='directly'"):
        transitions(journeys, by="touchpoint", follows="eventually", max_lag="1h")
    with pytest.raises(InvalidValue, match="follows"):
        transitions(journeys, by="touchpoint", follows="later")
    with pytest.raises(InvalidValue, match="times"):
        transitions(journeys.statistics(), by="touchpoint", closing=False, times=True)


@pytest.fixture(scope="module")
def answers(shared):
    stored = json.loads((shared / "oracles" / "process_extras.json").read_text())
    return {case["name"]: case["answer"] for case in stored["cases"]}


def read(shared, name):
    options = {"attributes": ["lifecycle:transition"]} if name == "reviewing_complete" else {}
    case, what, when = "case:concept:name", "concept:name", "time:timestamp"
    log = cx.read_csv(
        shared / "data" / DATA[name], customer=case, touchpoint=what, timestamp=when, **options
    )
    if options:
        log = log.filter(where={"lifecycle:transition": "complete"})
    return log.journeys(goal=(), all_closed=True)


@pytest.mark.parametrize("name", DATA)
def test_process_miners_count_the_same(shared, answers, name):
    told, journeys = answers[name], read(shared, name)
    found = transitions(journeys, by="touchpoint", follows="eventually", times=True)
    count = {" -> ".join(pair): n for pair, n in cells(found, "count").items()}
    assert len(count) == told["eventually_follows"]["pairs"]
    assert found.n == told["eventually_follows"]["total"]
    for pair, n in told["eventually_follows"]["top12"].items():
        assert count[pair] == n
    people = {" -> ".join(pair): n for pair, n in cells(found, "customers").items()}
    for pair, n in told["eventually_follows"]["cases_with_pair_top8"].items():
        assert people[pair] == n
    own = {a: n for (a, b), n in cells(found, "least_between").items() if a == b}
    assert own == told["minimum_self_distance"]["answer"]
    profile = told["temporal_profile"]
    assert (profile["pairs"], profile["std"]) == (len(count), "sample")
    for pair, one in profile["top10"].items():
        key = tuple(pair.split(" -> "))
        assert count[pair] == one["n"]
        assert cells(found, "mean_s")[key] == pytest.approx(one["mean_s"], abs=1e-3)
        assert cells(found, "std_s")[key] == pytest.approx(one["std_s"], rel=1e-5)
    day = ((time(7), time(17)),)
    hours = BusinessHours(
        **dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), day),
        time_zone="UTC",
    )
    for kind, times in (("calendar", True), ("business", hours)):
        found = transitions(journeys, by="touchpoint", times=times)
        columns = {
            name: cells(found, f"{name}_s") for name in ("mean", "median", "max", "min", "std")
        }
        for pair, one in told[f"performance_dfg_{kind}"].items():
            key = tuple(pair.split(" -> "))
            assert cells(found, "count")[key] == one["n"]
            total = one["n"] * columns["mean"][key]
            assert total == pytest.approx(one["sum"], rel=1e-6, abs=2e-3)
            for which in ("mean", "median"):
                assert columns[which][key] == pytest.approx(one[f"own_{which}"], rel=1e-6, abs=2e-3)
            for which, column in columns.items():
                other = one["stdev" if which == "std" else which]
                assert column[key] == pytest.approx(other, rel=1e-6, abs=2e-3), (pair, which)


def test_the_most_frequent_paths_are_kept(shared):
    journeys = read(shared, "receipt")
    found = cx.sequences.paths(journeys)
    kept = found.top(3)
    assert len(kept) == found.counts[:3].sum()
    assert cx.sequences.paths(kept).steps == found.steps[:3]
    assert [len(found.journeys(path)) for path in found.steps[:3]] == found.counts[:3].tolist()
    assert len(found.top(10_000)) == found.counts[:100].sum()
    with pytest.raises(InvalidValue):
        found.top(0)
