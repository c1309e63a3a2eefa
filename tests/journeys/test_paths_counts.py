"""Counts of aggregated paths and of graphs: exact, or refused."""

from __future__ import annotations

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue

PATHS = [["ad", "web"], ["mail"]]
MOST = 2**52


@pytest.mark.parametrize(
    "counts",
    [[MOST - 3, 3], [MOST - 1, 0], np.array([MOST - 3, 3]), [float(MOST - 3), 3.0]],
)
def test_counts_of_paths_are_exact_as_far_as_they_go(counts):
    journeys = cx.Journeys.from_paths(PATHS, converted=counts, dropped=[1, 2])
    total = sum(int(count) for count in counts)
    assert journeys.outcomes[Outcome.CONVERTED] == total
    assert len(journeys) == total + 3
    graph = journeys.graph()
    assert graph.edges[cx.START, "ad"]["count"] == int(counts[0]) + 1
    entered = [graph.edges[edge]["count"] for edge in graph.out_edges(cx.START)]
    assert sum(entered) == total + 3


@pytest.mark.parametrize(
    "counts",
    [[2**53 + 1, 0], [MOST, 1], [2**62, 2**62], [2**63, 0], [10**400, 0], [1e300, 0]],
)
def test_counts_of_paths_that_would_round_or_run_over_are_refused(counts):
    for name in ("converted", "dropped"):
        with pytest.raises(
            InvalidValue, match=f"{name} must come to at most 4,503,599,627,370,496"
        ):
            cx.Journeys.from_paths(PATHS, **{name: counts})


@pytest.mark.parametrize("count", [-1, 1.5, float("nan"), float("inf"), "3", None, True])
def test_what_is_no_count_is_refused(count):
    with pytest.raises(InvalidValue, match=r"converted\[1\] must be a whole number"):
        cx.Journeys.from_paths(PATHS, converted=[1, count])


def test_either_outcome_may_be_left_out():
    lost = cx.Journeys.from_paths(PATHS, dropped=[1, 2])
    assert lost.outcomes == cx.Journeys.from_paths(PATHS, converted=[0, 0], dropped=[1, 2]).outcomes
    won = cx.Journeys.from_paths(PATHS, converted=[1, 2])
    assert won.outcomes[Outcome.DROPPED] == 0
    with pytest.raises(InvalidValue, match="converted or dropped must say how many"):
        cx.Journeys.from_paths(PATHS)


@pytest.mark.parametrize("value", [[1.0, 5.0], [float("inf"), 0.0]])
def test_value_of_nobody_is_not_lost_without_a_word(value):
    with pytest.raises(InvalidValue, match=r"value\[[01]\] must be finite, and 0 or NaN where"):
        cx.Journeys.from_paths(PATHS, converted=[3, 0], dropped=[0, 1], value=value)


@pytest.mark.parametrize("count", [2**53 + 1, 2**62, 2**63, 10**30])
def test_counts_of_graphs_do_not_run_over(count):
    with pytest.raises(InvalidValue, match="at most 9,007,199,254,740,992"):
        cx.JourneyGraph.from_counts({(cx.START, "a"): count, ("a", cx.DROPOFF): count})
    half = 2**52
    edges = {(cx.START, n): half for n in "abc"} | {(n, cx.DROPOFF): half for n in "abc"}
    with pytest.raises(InvalidValue, match="at most 9,007,199,254,740,992"):
        cx.JourneyGraph.from_counts(edges)
    fits = cx.JourneyGraph.from_counts({(cx.START, "a"): half, ("a", cx.DROPOFF): half})
    assert fits.nodes["a"]["visits"] == half
    with pytest.raises(InvalidValue, match="at most 9,007,199,254,740,992"):
        fits + fits + fits
