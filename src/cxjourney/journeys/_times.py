"""Times of transitions, weighed so that what is still waiting is not forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.journeys._statistics import (
    masses_of,
    masses_without_buckets,
    moves_of,
    statistics_of,
)
from cxjourney.journeys._visits import By, visits_of

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import Visits

_SECOND = 1e6


@attrs.frozen(kw_only=True, eq=False)
class TransitionTimes:
    """Times that transitions take, in the order of `statistics_of`.

    A move weighs as much as its mass of Aalen and Johansen (Satten and Datta 2001): long waits,
    which fewer visits were followed through, count for those that were still waiting.

    Attributes
    ----------
    visit, transition
        The moves that have a time: place of the visit, and the transition that it made.
    wait_s
        How long each took [s].
    mass
        What each weighs; those of a transition sum to its probability.
    followed_us
        Longest time that a visit of each node was followed, where none was followed up to the limit
        and what comes later is not known [µs]; -1 elsewhere, shape (K,).
    weighted
        Whether anything was still waiting, so that weights differ.
    """

    visit: Ints
    transition: Ints
    wait_s: Floats
    mass: Floats
    followed_us: Ints
    weighted: bool

    def total(self, size: int, values: Floats | None = None) -> Floats:
        """Return the sums of mass times values by transition, shape (size,)."""
        weights = self.mass if values is None else self.mass * values
        return np.bincount(self.transition, weights, minlength=size).astype(np.float64)


def times_of(journeys: Journeys, by: By = "touchpoint") -> TransitionTimes:
    """Return the times of the transitions of journeys with times at a grain."""
    visits, whole = visits_of(journeys, by), statistics_of(journeys, by)
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    visit = np.flatnonzero((visits.state == MOVED) & ~untimed_visits(journeys, visits))
    weighted = journeys.rules.inactivity is not None and bool(np.any(visits.state == OPEN))
    if weighted:
        mass = masses_of(journeys, by)[visit]
    else:
        mass = 1.0 / np.maximum(whole.at_risk, 1)[visits.node[visit]]
    return TransitionTimes(
        visit=visit,
        transition=moves_of(visits).transition[visit].astype(np.int64),
        wait_s=visits.wait_us[visit] / _SECOND,
        mass=mass,
        followed_us=_followed(visits) if weighted else np.full(len(visits.names), -1),
        weighted=weighted,
    )


def untimed_visits(journeys: Journeys, visits: Visits) -> Bools:
    """Return which visits ended without a row of its own: nothing says when."""
    untimed = np.zeros(len(visits), dtype=np.bool_)
    untimed[visits.last] = ~journeys.absorbed[journeys.lengths > 0]
    return untimed


def _followed(visits: Visits) -> Ints:
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    state, node, wait, k = visits.state, visits.node, visits.wait_us, len(visits.names)
    stayed = np.bincount(node[state == STAYED], minlength=k) > 0
    longest = np.full((2, k), -1, dtype=np.int64)
    for which, row in ((OPEN, longest[0]), (MOVED, longest[1])):
        chosen = np.flatnonzero((state == which) & ~stayed[node])
        np.maximum.at(row, node[chosen], wait[chosen])
    # a move at the time of the last censoring is taken to come first: something was left over
    known = stayed | (longest[0] < longest[1])
    return np.where(known, -1, longest[0])


def times_without_buckets(
    journeys: Journeys, by: By, times: TransitionTimes, values: Floats
) -> Floats:
    """Return the sums of mass times values by transition, without each bucket of customers.

    Parameters
    ----------
    journeys
        The journeys, with times.
    by
        What a node is.
    times
        What `times_of` gives for these.
    values
        One for each of its moves.

    Returns
    -------
    ndarray of float64, shape (buckets, transitions)
        The masses are those of the other customers; NaN where they have no visit of the source.
    """
    visits, whole = visits_of(journeys, by), statistics_of(journeys, by)
    transition = np.full(len(visits), -1, dtype=np.int64)
    transition[times.visit] = times.transition
    amount = np.zeros(len(visits))
    amount[times.visit] = values
    timed = journeys.rules.inactivity is not None
    return masses_without_buckets(visits, transition, whole.source, amount, timed=timed)
