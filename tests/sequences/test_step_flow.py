from __future__ import annotations

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.sequences import step_flow

PATHS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcde"), min_size=1, max_size=7),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: tuple(row[0]),
)


def by_hand(rows, *, steps: int, names: set[str]) -> Counter:
    """Walk every path, one journey at a time."""
    found: Counter = Counter()

    def shown(name):
        return (name, "name") if name in names else ("(other)", "other")

    for path, converted, dropped in rows:
        ends = ((("(converted)", "conversion"), converted), (("(dropped)", "dropoff"), dropped))
        for end, weight in ends:
            here = ("(start)", "start")
            for step, name in enumerate(path[:steps]):
                found[step, here, shown(name)] += weight
                here = shown(name)
            last = end if len(path) <= steps else ("(goes on)", "later")
            found[min(len(path), steps), here, last] += weight
    return Counter({key: count for key, count in found.items() if count})


def counted(table) -> Counter:
    return Counter(
        {
            (row["step"], (row["from"], row["from_kind"]), (row["to"], row["to_kind"])): row[
                "journeys"
            ]
            for row in table
            if row["journeys"]
        }
    )


@given(PATHS, st.integers(1, 8), st.integers(1, 6))
def test_flows_are_those_of_walking_every_path(rows, steps, top):
    paths, converted, dropped = zip(*rows, strict=True)
    journeys = cx.Journeys.from_paths(list(paths), converted=converted, dropped=dropped)
    found = step_flow(journeys, steps=steps, top=top)
    kept = {
        n
        for n, kind in zip(found.table["from"], found.table["from_kind"], strict=True)
        if kind == "name"
    }
    assert len(kept) <= top
    assert counted(found.table) == by_hand(rows, steps=steps, names=kept)


@given(PATHS, st.integers(1, 8), st.integers(1, 6))
def test_no_journey_gets_lost_on_the_way(rows, steps, top):
    paths, converted, dropped = zip(*rows, strict=True)
    journeys = cx.Journeys.from_paths(list(paths), converted=converted, dropped=dropped)
    found = step_flow(journeys, steps=steps, top=top)
    table = found.table
    ends = np.isin(table["to_kind"], ["conversion", "dropoff", "open", "later"])
    assert table["journeys"][np.asarray(table["step"]) == 0].sum() == len(journeys)
    assert table["journeys"][ends].sum() == len(journeys) == found.n_journeys


def test_the_worked_example_of_the_library(worked_days):
    day = timedelta(days=1)
    from datetime import UTC, datetime

    start = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=who, touchpoint=what, timestamp=start + when * day)
            for who, rows in worked_days.items()
            for what, when in rows
        ],
        observed_until=start + 20 * day,
    )
    journeys = log.journeys(goal="buy", inactivity=7 * day)
    table = step_flow(journeys).table
    begun = {row["to"]: row["journeys"] for row in table if row["step"] == 0}
    assert begun == {"ad": 2, "web": 3, "store": 2, "(converted)": 1}
    ended = Counter()
    for row in table:
        if row["to_kind"] in {"conversion", "dropoff", "in_progress"}:
            ended[row["to_kind"]] += row["journeys"]
    assert ended == {"conversion": 3, "dropoff": 3, "in_progress": 2}


def test_shares_are_of_all_journeys_at_every_step():
    journeys = cx.Journeys.from_paths([["a", "b"], ["b"]], converted=[3, 1], dropped=[2, 4])
    table = step_flow(journeys).table
    by_step = {0: 1.0, 1: 1.0, 2: 0.5}  # of ten journeys five have one visit
    for step, share in by_step.items():
        assert table["share"][table["step"] == step].sum() == pytest.approx(share)


def test_each_segment_flows_on_its_own():
    journeys = cx.datasets.sample(seed=3, customers=100).journeys()
    found = step_flow(journeys, segment="segment")
    assert sum(flow.n_journeys for _, flow in found) == len(journeys)
    assert found.values == tuple(sorted(found.values))


def test_a_log_without_journeys_has_no_flow():
    journeys = cx.Journeys.from_paths([], converted=[])
    assert len(step_flow(journeys).table) == 0


def test_it_comes_back_from_its_dictionary():
    journeys = cx.Journeys.from_paths([["a", "b"]], converted=[3], dropped=[1])
    found = step_flow(journeys)
    assert cx.sequences.StepFlow.from_dict(found.to_dict()) == found


@pytest.mark.parametrize("name", ["steps", "top"])
def test_less_than_one_is_refused(name):
    journeys = cx.Journeys.from_paths([["a"]], converted=[1])
    with pytest.raises(InvalidValue, match=f"{name} must be at least 1"):
        step_flow(journeys, **{name: 0})


@pytest.mark.parametrize("name", ["steps", "top"])
@pytest.mark.parametrize("wrong", [None, "3", 2.5, True])
def test_touches_and_names_are_counted(name, wrong):
    journeys = cx.Journeys.from_paths([["a"]], converted=[1])
    with pytest.raises(InvalidValue, match=f"{name} must be a"):
        step_flow(journeys, **{name: wrong})


def test_it_is_of_journeys():
    with pytest.raises(InvalidValue, match="journeys must be Journeys, not list"):
        step_flow([["a"]])
