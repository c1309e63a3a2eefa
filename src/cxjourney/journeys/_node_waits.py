"""Waits of nodes: what journeys spend there, by bucket, and the quantiles of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Floats, Ints
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._statistics import left_out, statistics_of
from cxjourney.journeys._times import times_of, times_without_buckets
from cxjourney.journeys._units import units_of
from cxjourney.journeys._visits import visits_of

if TYPE_CHECKING:
    from cxjourney.journeys._adding import JourneyStatistics
    from cxjourney.journeys._times import TransitionTimes
    from cxjourney.journeys._visits import By, Visits

_SECOND = 1e6


@attrs.frozen(kw_only=True, eq=False)
class NodeWaits:
    """Times from visits of K nodes to what follows, of those who went on.

    Attributes
    ----------
    moved
        Visits of each node that have such a time.
    mass, seconds
        Mass of each transition of `statistics_of`, and mass times seconds.
    mass_without, seconds_without
        The same without each bucket, shape (buckets, transitions).
    mass_of
        Mass of the visits of each bucket at each node, shape (buckets, K).
    spent, spent_won
        Seconds that the journeys of each bucket spent at each node, in the weights that make up
        for censored visits, and of these the seconds of journeys that convert, shape (buckets, K).
    steps, steps_won, journeys, won
        Visits, those of journeys that convert, journeys, and those that convert, by bucket.
    median_s, p90_s, working_s, queue_s
        Quantiles of the waits, mean duration of the interactions and mean rest [s]; NaN where
        nobody knows.
    followed_us, weighted
        As of `TransitionTimes`.
    """

    moved: Ints
    mass: Floats
    seconds: Floats
    mass_without: Floats
    seconds_without: Floats
    mass_of: Floats
    spent: Floats
    spent_won: Floats
    steps: Floats
    steps_won: Floats
    journeys: Floats
    won: Floats
    median_s: Floats
    p90_s: Floats
    working_s: Floats
    queue_s: Floats
    followed_us: Ints
    weighted: bool


def waits_of(journeys: Journeys | JourneyStatistics, by: By) -> NodeWaits:
    """Return the waits of the nodes of journeys with times, or of statistics that add up."""
    if not isinstance(journeys, Journeys):
        from cxjourney.journeys._adding import waits_counted_of

        return waits_counted_of(journeys, by)
    visits, times, whole = (
        visits_of(journeys, by),
        times_of(journeys, by),
        statistics_of(journeys, by),
    )
    k, size, units = len(visits.names), len(whole.source), units_of(journeys)
    node, journey = visits.node[times.visit], visits.journey[times.visit]
    if len(times.visit) == np.count_nonzero(visits.state == MOVED):
        mass_without = left_out(journeys, by).probability
    else:
        mass_without = times_without_buckets(journeys, by, times, np.ones(len(times.visit)))
    spent = times.wait_s
    if times.weighted:
        spent = spent * times.mass * whole.visits[node]
    converted = journeys.converted.astype(np.float64)
    working, queue = _split(journeys, visits, times)
    median, p90 = _quantiles(node, times.wait_s, times.mass, k, (0.5, 0.9))
    lengths = journeys.lengths.astype(np.float64)
    return NodeWaits(
        moved=np.bincount(node, minlength=k),
        mass=times.total(size),
        seconds=times.total(size, times.wait_s),
        mass_without=mass_without,
        seconds_without=times_without_buckets(journeys, by, times, times.wait_s),
        mass_of=units.sums(node, k, item=journey, values=times.mass),
        spent=units.sums(node, k, item=journey, values=spent),
        spent_won=units.sums(node, k, item=journey, values=spent * converted[journey]),
        steps=units.total(values=lengths),
        steps_won=units.total(values=lengths * converted),
        journeys=units.total(),
        won=units.total(values=converted),
        median_s=median,
        p90_s=p90,
        working_s=working,
        queue_s=queue,
        followed_us=times.followed_us,
        weighted=times.weighted,
    )


def _split(journeys: Journeys, visits: Visits, times: TransitionTimes) -> tuple[Floats, Floats]:
    """Return mean working time and mean queue of each node, NaN without durations."""
    k = len(visits.names)
    duration = journeys.columns.numeric.get("duration_us")
    if duration is None:
        return np.full(k, np.nan), np.full(k, np.nan)
    worked = np.asarray(duration, dtype=np.float64)[visits.row[times.visit]] / _SECOND
    known = ~np.isnan(worked)
    node, mass, worked = visits.node[times.visit][known], times.mass[known], worked[known]
    # an interaction may outlast the time to the next one where timestamps are starts
    queue = np.maximum(times.wait_s[known] - worked, 0.0)
    n = np.bincount(node, mass, minlength=k).astype(np.float64)
    working, rest = (
        quotient(np.bincount(node, mass * part, minlength=k).astype(np.float64), n)
        for part in (worked, queue)
    )
    return working, rest


def _quantiles(
    node: Ints, wait: Floats, mass: Floats, k: int, at: tuple[float, ...]
) -> list[Floats]:
    """Return the weighted quantiles of the waits of each node; NaN where nobody went on."""
    order = np.argsort(wait)
    order = order[np.argsort(node[order].astype(np.min_scalar_type(k)), kind="stable")]
    place, weight = node[order], np.cumsum(mass[order])
    ends = np.searchsorted(place, np.arange(k), side="right")
    begins = np.searchsorted(place, np.arange(k), side="left")
    before = np.append(0.0, weight)[begins]
    total = np.append(0.0, weight)[ends] - before
    some = ends > begins
    found = []
    for fraction in at:
        # rounding of the running sums must not push the quantile past the node's last wait
        target = np.searchsorted(weight, before + fraction * total * (1 - 1e-12))
        quantile = np.full(k, np.nan)
        quantile[some] = wait[order[np.clip(target, begins, ends - 1)[some]]]
        found.append(quantile)
    return found
