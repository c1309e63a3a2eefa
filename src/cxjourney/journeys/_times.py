"""Times of transitions, weighed so that what is still waiting is not forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.journeys._statistics import masses_of, masses_without_buckets, statistics_of
from cxjourney.journeys._visits import By, visits_of

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import Visits

_SECOND = 1e6
_DENSE = 4_000_000


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
    k = len(visits.names)
    visit = np.flatnonzero((visits.state == MOVED) & ~untimed_visits(journeys, visits))
    key = visits.node[visit] * (k + 3) + visits.following[visit]
    transition = _places(whole.source * (k + 3) + whole.target, key)
    weighted = journeys.rules.inactivity is not None and bool(np.any(visits.state == OPEN))
    if weighted:
        mass = masses_of(journeys, by)[visit]
    else:
        mass = 1.0 / np.maximum(whole.at_risk, 1)[visits.node[visit]]
    return TransitionTimes(
        visit=visit,
        transition=transition,
        wait_s=visits.wait_us[visit] / _SECOND,
        mass=mass,
        followed_us=_followed(visits, k) if weighted else np.full(k, -1, dtype=np.int64),
        weighted=weighted,
    )


def _places(keys: Ints, key: Ints) -> Ints:
    """Return the place of each key among sorted ones, all of which are there."""
    if not len(keys) or keys[-1] > _DENSE:
        return np.searchsorted(keys, key)
    place = np.zeros(keys[-1] + 1, dtype=np.int64)
    place[keys] = np.arange(len(keys))
    return place[key]


def untimed_visits(journeys: Journeys, visits: Visits) -> Bools:
    """Return which visits ended without a row of its own: nothing says when."""
    untimed = np.zeros(len(visits), dtype=np.bool_)
    untimed[visits.last] = ~journeys.absorbed[journeys.lengths > 0]
    return untimed


def _followed(visits: Visits, k: int) -> Ints:
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    state, node, wait = visits.state, visits.node, visits.wait_us
    longest = np.full((2, k), -1, dtype=np.int64)
    for which, row in ((OPEN, longest[0]), (MOVED, longest[1])):
        chosen = state == which
        np.maximum.at(row, node[chosen], wait[chosen])
    stayed = np.bincount(node[state == STAYED], minlength=k) > 0
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


def weighted_medians(group: Ints, values: Floats, mass: Floats, size: int) -> Floats:
    """Return the weighted median of each group, the middle of two where they share it; NaN of none.

    Parameters
    ----------
    group
        Group of each value, 0 … size - 1.
    values, mass
        The values and their weights.
    size
        Number of groups.
    """
    order = np.lexsort((values, group))
    of, weight = group[order], np.cumsum(mass[order])
    ends = np.searchsorted(of, np.arange(size), side="right")
    begins = np.searchsorted(of, np.arange(size))
    before, after = np.append(0.0, weight)[begins], np.append(0.0, weight)[ends]
    some = ends > begins
    median = np.full(size, np.nan)
    half, rounding = (before + after) / 2, 1e-12 * np.maximum(after, 1e-300)
    sides = []
    for target in (half - rounding, half + rounding):
        place = np.clip(np.searchsorted(weight, target), begins, ends - 1)[some]
        sides.append(values[order[place]])
    median[some] = sides[0] / 2 + sides[1] / 2
    return median
