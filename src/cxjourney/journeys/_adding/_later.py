"""Conversions after the first visit of a journey to a node, on a grid of days."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures
from cxjourney._stats.landmark import LARGEST_PART, pooled_figures
from cxjourney._stats.parts import joined_cells
from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney.journeys._adding._finishing import table_of
from cxjourney.journeys._adding._masses import Ends
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._tables import Counts, counted_apart, sums
from cxjourney.journeys._outcomes import CONVERTED
from cxjourney.journeys._units import units_of
from cxjourney.journeys._visits import grain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By, Visits

DAY_US = 86_400_000_000
MOST_DAYS = 366
_TABLE = 1 << 26
_NEXT_TO_NOTHING = 1e-6


@cache
def later_bounds() -> Ints:
    """Return the bounds of times later on [µs], up to ten years.

    There is one each quarter of an hour of the first day, each hour of two weeks, each six hours
    of a quarter, each day of a year, and then each 30 days.
    """
    hour = DAY_US // 24
    steps = ((hour // 4, 1), (hour, 14), (6 * hour, 92), (DAY_US, MOST_DAYS), (30 * DAY_US, 3_666))
    bounds, begin = [np.zeros(1, dtype=np.int64)], 0
    for step, days in steps:
        bounds.append(np.arange(begin + step, days * DAY_US + 1, step))
        begin = days * DAY_US
    return seal(np.concatenate(bounds))


def later_counted(
    visits: Visits,
    name: str,
    codes: Mapping[str, Ints],
    plan: Plan,
    sizes: Mapping[str, int],
) -> dict[str, Counts]:
    """Return the tables of first visits of journeys at a grain and of their beginnings.

    How long it took to convert is in bins that have their ends, how long one was followed in bins
    that have their beginnings: a conversion at the end of a window counts, and so does who was
    followed exactly until then. So censorings come before conversions in a bin.
    """
    journeys, node = visits.journeys, codes[name]
    cell = (node,) if name == TOUCH else (node, codes[TOUCH])
    time, unit, n = journeys.columns.time, units_of(journeys).of, len(visits.names)
    assert time is not None and unit is not None  # noqa: S101, PT018 - paths have been refused
    seen = ~journeys.left_truncated & (np.diff(journeys.offsets) > 0)
    place = _firsts(visits.journey * max(n, 1) + node, len(journeys.outcome) * max(n, 1))
    place = place[seen[visits.journey[place]]]
    begun = np.flatnonzero(seen)
    converted, censored, followed = _bins(journeys, visits.journey[place], time[visits.row[place]])
    beginning = _bins(journeys, begun, time[journeys.offsets[:-1][begun]])
    rows = [axis[place] for axis in (unit[visits.journey], *cell)]
    columns = [
        [*(row[bins >= 0] for row in rows), bins[bins >= 0]]
        for bins in (converted, censored, followed)
    ]
    return {
        f"later {name}": counted_apart(plan.kinds[f"later {name}"], sizes, columns),
        "begun": _begun(plan, sizes, beginning),
    }


def _begun(plan: Plan, sizes: Mapping[str, int], bins: tuple[Ints, Ints, Ints]) -> Counts:
    converted, _, followed = bins
    return counted_apart(plan.kinds["begun"], sizes, [[converted[converted >= 0]], [followed]])


def _firsts(key: Ints, size: int) -> Ints:
    """Return the first place of each key below a size, in the order of the keys."""
    if size > _TABLE:
        return np.unique(key, return_index=True)[1]
    first = np.full(size, -1, dtype=np.int32)
    first[key[::-1]] = np.arange(len(key) - 1, -1, -1, dtype=np.int32)  # the last to be written
    return first[first >= 0].astype(np.int64)


def _bins(journeys: Journeys, journey: Ints, here: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the bins in which journeys converted after a time, or were censored, or followed to.

    They are -1 where it did not happen.
    """
    bounds, stop = later_bounds(), journeys.log.observed_until_us
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - the caller has looked
    last = len(bounds) - 1
    won = journeys.outcome[journey] == CONVERTED
    took = time[journeys.offsets[1:][journey] - 1] - here
    if journeys.rules.all_closed or stop is None:
        followed = np.full(len(journey), last)
    else:
        won &= took <= stop - here
        followed = np.searchsorted(bounds, np.maximum(stop - here, 0), side="right") - 1
    converted = np.clip(np.searchsorted(bounds, took, side="left") - 1, 0, last)
    return np.where(won, converted, -1), np.where(won, -1, followed), followed


def usual_window_of(statistics: JourneyStatistics) -> int:
    """Return the whole days within which nine of ten conversions come, as `usual_window` does.

    They are at most a quarter of the time that was observed, and a year.
    """
    axes, counts = table_of(statistics, "begun")
    bins, days = axes["later"], later_bounds() / DAY_US
    won, followed = counts.values.T
    observed = float(days[bins[followed > 0]].max(initial=0.0))
    most, until = observed, np.cumsum(won)
    if until.size and until[-1]:
        place, part = divmod(0.9 * (until[-1] - 1), 1)
        ranks = np.array([place, place + (part > 0)])
        ends = np.minimum(bins[np.searchsorted(until, ranks, side="right")] + 1, len(days) - 1)
        most = float(days[ends] @ [1 - part, part])
    window = min(max(np.ceil(most), 1.0), max(np.floor(observed / LARGEST_PART), 1.0))
    return min(int(window), MOST_DAYS)


def conversion_later(
    statistics: JourneyStatistics, by: By, days: int
) -> tuple[BucketFigures, float]:
    """Return the probability of conversion within days of the first visit to each node.

    The second number is how far it may lie from that of raw times.
    """
    name, names = grain_name(by), statistics.names
    axes, counts = table_of(statistics, f"later {name}")
    k, width = len(names[name]), max(len(names[TOUCH]), 1)
    unit, node, bins = axes["unit"], axes[f"node {name}"], axes["later"]
    converted, censored, followed = counts.values.T
    within = int(np.searchsorted(later_bounds(), days * DAY_US))
    inside, full = bins < within, np.where(bins >= within, followed, 0)
    there = converted + censored
    cell, at, n_cells = node, np.arange(k), k
    if name != TOUCH:
        pairs, of = distinct(node * width + axes[f"node {TOUCH}"])
        if len(pairs) > len(np.unique(node)):
            n, long = (sums(of, values, len(pairs)) for values in (there, full))
            place, n_cells = joined_cells(pairs // width, n, long, k)
            cell, at = place[of], np.zeros(n_cells, dtype=np.int64)
            at[cell] = node

    def by_unit(values: Ints) -> Floats:
        total = sums(unit * n_cells + cell, values, N_BUCKETS * n_cells)
        return total.astype(np.float64).reshape(N_BUCKETS, n_cells)

    ends = Ends(
        n_fine=within,
        coarse_of=np.zeros(within, dtype=np.int64),
        n_units=N_BUCKETS,
        n_cells=n_cells,
        unit=unit,
        cell=cell,
        bin=np.minimum(bins, within),
        ended=np.where(inside, converted, there),
        open=np.where(inside, censored, 0),
        censored_first=True,
    )
    held, won, whole_window = by_unit(there), by_unit(np.where(inside, converted, 0)), by_unit(full)
    n, rest = held.sum(axis=0), held.sum(axis=0) - held
    whole, without = np.full(n_cells, np.nan), np.full(held.shape, np.nan)
    known = whole_window.sum(axis=0)
    moved = ends.moved(censored_first=True)
    np.divide(moved, n, out=whole, where=known > 0)
    mass = (won.sum(axis=0) - won) * ends.weights_without_units()[:, :, 0]
    np.divide(mass, rest, out=without, where=(known - whole_window > 0) & (rest > 0))
    units = held - by_unit(np.where(inside, censored, 0))
    figures = BucketFigures(
        whole=whole,
        without=without,
        units=np.where(held > 0, np.maximum(units, _NEXT_TO_NOTHING), 0.0),
    )
    apart = (moved - ends.moved(censored_first=False)) / np.maximum(n, 1)
    pooled = figures if n_cells == k else pooled_figures(figures, held, at, k)
    return pooled, float(apart.max(initial=0.0))
