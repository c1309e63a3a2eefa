"""Columns that transitions have on demand: times, and pairs that follow each other eventually."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.array_types import Floats, Ints
from cxjourney.exceptions import InvalidValue, TimesRequired

if TYPE_CHECKING:
    from cxjourney._time.business_hours import BusinessHours
    from cxjourney.journeys import Journeys
    from cxjourney.omnichannel._channel_transitions import ChannelTransitions, Interactions

_SECOND = 1e6
_QUANTILES = {"median_s": 0.5, "p90_s": 0.9, "p95_s": 0.95}
TIMES = ("mean_s", "std_s", "min_s", *_QUANTILES, "max_s")


def waits_of(
    journeys: Journeys,
    interactions: Interactions,
    made: ChannelTransitions,
    hours: BusinessHours | None,
    *,
    queue: bool,
) -> Floats:
    """Return how long each transition took [s]; of a queue, from the end of what was before."""
    time = journeys.columns.time
    if time is None or made.lag_us is None:
        raise TimesRequired("times= needs times; aggregated paths have none")
    lag, row = made.lag_us, interactions.row[made.begin]
    if hours is not None:
        lag = hours.elapsed_us(time[row], time[row + 1])
    if queue:
        worked = journeys.columns.numeric.get("duration_us")
        if worked is None:
            raise InvalidValue("times='queue' needs durations: name the column as duration=")
        lag = lag - np.nan_to_num(worked[row])
    return np.asarray(lag / _SECOND, dtype=np.float64)


def times_of_cells(took: Floats, cell: Ints, n_cells: int) -> dict[str, Floats]:
    """Return mean, sample deviation, extremes and quantiles of the times of transitions [s]."""
    order = np.lexsort((took, cell))
    took, n = took[order], np.bincount(cell, minlength=n_cells)
    begin = np.cumsum(n) - n  # every cell has a transition
    mean = np.bincount(cell[order], took, minlength=n_cells) / n
    apart = np.bincount(cell[order], (took - mean[cell[order]]) ** 2, minlength=n_cells)
    found: dict[str, Floats] = {
        "mean_s": mean,
        "std_s": _deviation(np.asarray(apart, dtype=np.float64), n),
    }
    found |= {"min_s": took[begin], "max_s": took[begin + n - 1]} if n_cells else {}
    for name, share in _QUANTILES.items():
        at = share * (n - 1)
        low = np.floor(at).astype(np.int64)
        one, other = took[begin + low], took[begin + np.minimum(low + 1, n - 1)]
        found[name] = one + (at - low) * (other - one)
    return {name: found.get(name, np.zeros(0)) for name in TIMES}


def _deviation(apart: Floats, n: Floats | Ints) -> Floats:
    """Return the sample standard deviation; 0 of one value, as process miners have it."""
    return np.asarray(np.sqrt(np.maximum(apart, 0.0) / np.maximum(n - 1, 1)))


@attrs.frozen(kw_only=True, eq=False)
class Eventual:
    """Pairs of interactions of which one comes later in the journey than the other.

    Attributes
    ----------
    cells, own
        Pairs that occur, earlier (nodes) + later, and how many each bucket has, (buckets, cells).
    customers
        How many customers have each pair.
    columns
        The fewest interactions between the two, and the mean and sample deviation of times [s].
    """

    cells: Ints
    own: Floats
    customers: Ints
    columns: dict[str, Any]


def eventual_pairs(
    journeys: Journeys, interactions: Interactions, bucket: Ints, *, times: bool
) -> Eventual:
    """Count all pairs, by one pass over the interactions for each earlier node.

    What comes before an interaction is counted by sums, so that long journeys are not squared.
    """
    node, k, n = interactions.node, max(1, len(interactions.names)), len(interactions)
    place = np.arange(n)
    start = np.maximum.accumulate(np.where(interactions.first, place, 0)) if n else place
    width = int(interactions.customer.max(initial=0)) + 1
    unit = bucket[interactions.journey]
    when = np.zeros(n)
    if times and journeys.columns.time is not None and n:
        stamp = journeys.columns.time[interactions.row]
        when = (stamp - stamp[start]) / _SECOND
    found: list[tuple[Any, ...]] = []
    for a in range(len(interactions.names)):
        is_a = node == a
        before = _before(is_a, start)
        row = np.flatnonzero(before > 0)
        to, count = node[row], before[row]
        last = np.maximum.accumulate(np.where(is_a, place, -1))
        between = row - 1 - last[row - 1]
        least = np.full(k, n, dtype=np.int64)
        np.minimum.at(least, to, between)
        people = np.unique(to * width + interactions.customer[row]) // width
        t, s, s2 = when[row], _before(is_a * when, start)[row], _before(is_a * when**2, start)[row]
        found.append(
            (
                np.bincount(unit[row] * k + to, count, minlength=N_BUCKETS * k).reshape(-1, k),
                np.bincount(people, minlength=k),
                least,
                np.bincount(to, count * t - s, minlength=k),
                np.bincount(to, count * t**2 - 2 * t * s + s2, minlength=k),
            )
        )
    if not found:  # no interaction of known node
        found = [(np.zeros((N_BUCKETS, k)), *np.zeros((4, k)))]
    own, customers, least, total, squares = (
        np.concatenate(part, axis=-1) for part in zip(*found, strict=True)
    )
    pairs = own.sum(axis=0)
    cells = np.flatnonzero(pairs > 0)
    number = pairs[cells]
    columns: dict[str, Any] = {"least_between": least[cells].astype(np.int64)}
    if times:
        mean = total[cells] / number
        columns["mean_s"] = mean
        columns["std_s"] = _deviation(squares[cells] - number * mean**2, number)
    return Eventual(
        cells=cells, own=own[:, cells], customers=customers[cells].astype(np.int64), columns=columns
    )


def _before(values: Any, start: Ints) -> Any:
    """Return the sum of values before each interaction of the same journey."""
    total = np.append(0, np.cumsum(values))
    return total[:-1] - total[start]
