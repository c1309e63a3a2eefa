"""Conversions after the first visit of a journey to a node, on a grid of days."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures
from cxjourney._stats.landmark import bounded_window, pooled_figures
from cxjourney._stats.parts import joined_cells
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney._support.validation import optional_duration
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._finishing import check_counted_grain, table_of
from cxjourney.journeys._adding._grid import bounds_before
from cxjourney.journeys._adding._masses import Ends
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._tables import Counts, counted_apart, sums, sums_by_unit
from cxjourney.journeys._outcomes import CONVERTED, DROPPED
from cxjourney.journeys._units import bucket_of_each
from cxjourney.journeys._visits import grain_name
from cxjourney.kernels import first_of_each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._adding._tables import Kind
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By, Visits

DAY_US = 86_400_000_000
MOST_DAYS = 366
_QUARTER = DAY_US // 96
_BEFORE = 96
_NEXT_TO_NOTHING = 1e-6


@cache
def later_bounds() -> Ints:
    """Return the bounds of times later on [µs], up to ten years.

    There is one each quarter of an hour of the first day, each hour of two weeks, each six hours
    of a quarter, each day of a year, and then each 30 days.
    """
    hour = DAY_US // 24
    steps = ((_QUARTER, 1), (hour, 14), (6 * hour, 92), (DAY_US, MOST_DAYS), (30 * DAY_US, 3_666))
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
    """Return the table of first visits of journeys at a grain.

    How long it took to convert is in bins that have their ends, how long one was followed in bins
    that have their beginnings: a conversion at the end of a window counts, and so does who was
    followed exactly until then. So censorings come before conversions in a bin.
    """
    journeys, node = visits.journeys, codes[name]
    cell = (node,) if name == TOUCH else (node, codes[TOUCH])
    time, unit = journeys.columns.time, bucket_of_each(journeys)
    place = first_visits_seen(visits, node)
    assert time is not None  # noqa: S101 - paths have been refused
    bins = _bins(journeys, visits.journey[place], time[visits.row[place]])
    rows = [axis[place] for axis in (unit[visits.journey], *cell)]
    return {f"later {name}": _of_bins(plan.kinds[f"later {name}"], sizes, rows, bins)}


def beginnings_counted(
    journeys: Journeys, plan: Plan, sizes: Mapping[str, int]
) -> dict[str, Counts]:
    """Return when journeys converted after their beginnings, and when they were known as lost.

    The latter is on the grid of `lost_bounds`, counted from the beginning as well.
    """
    time, unit = journeys.columns.time, bucket_of_each(journeys)
    begun = np.flatnonzero(beginnings_seen(journeys))
    assert time is not None  # noqa: S101 - paths have been refused
    here = time[journeys.offsets[:-1][begun]]
    silence = np.where(journeys.absorbed[begun], 0, plan.silence_us)
    known = time[journeys.offsets[1:][begun] - 1] - here + silence
    lost = journeys.outcome[begun] == DROPPED
    bins = {
        "begun": _bins(journeys, begun, here),
        "lost": _ended(journeys, here, lost, known, lost_bounds(plan.silence_us)),
    }
    return {
        kind: _of_bins(plan.kinds[kind], sizes, [unit[begun]], found)
        for kind, found in bins.items()
    }


def lost_bounds(silence_us: int) -> Ints:
    """Return the bounds of times until a journey is known as lost [µs].

    Those later on, after so long a silence; and 96 before, for what exit touchpoints end at once.
    """
    before = np.arange(_BEFORE) * silence_us // _BEFORE
    return np.unique(np.concatenate([before, later_bounds() + silence_us]))


def _of_bins(
    kind: Kind, sizes: Mapping[str, int], rows: Sequence[Ints], bins: Sequence[Ints]
) -> Counts:
    columns = [[*(row[at >= 0] for row in rows), at[at >= 0]] for at in bins]
    return counted_apart(kind, sizes, columns)


def beginnings_seen(journeys: Journeys) -> Bools:
    """Return which journeys have a beginning that was observed."""
    seen: Bools = ~journeys.left_truncated & (np.diff(journeys.offsets) > 0)
    return seen


def first_visits_seen(visits: Visits, node: Ints) -> Ints:
    """Return the place of the first visit to each node of each journey that began in the window."""
    place = np.flatnonzero(first_of_each(visits.journey, node, len(visits.names)))
    return place[beginnings_seen(visits.journeys)[visits.journey[place]]]


def _bins(journeys: Journeys, journey: Ints, here: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the bins in which journeys converted after a time, or were censored, or followed to.

    They are -1 where it did not happen.
    """
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - the caller has looked
    took = time[journeys.offsets[1:][journey] - 1] - here
    won = journeys.outcome[journey] == CONVERTED
    return _ended(journeys, here, won, took, later_bounds())


def _ended(
    journeys: Journeys, here: Ints, happened: Bools, took: Ints, bounds: Ints
) -> tuple[Ints, Ints, Ints]:
    """Return the bins in which something happened, or was censored, or followed to."""
    last, stop, closed = len(bounds) - 1, journeys.log.observed_until_us, journeys.rules.all_closed
    if not closed and stop is not None:
        happened = happened & (took <= stop - here)
    followed = bins_followed(here, None if closed else stop, bounds)
    ended = np.clip(bounds_before(bounds, took) - 1, 0, last)
    return np.where(happened, ended, -1), np.where(happened, -1, followed), followed


def bins_followed(here: Ints, stop: int | None, bounds: Ints) -> Ints:
    """Return the bin of how long each visit was followed; the last where there is no end."""
    if stop is None:
        return np.full(len(here), len(bounds) - 1)
    followed = np.maximum(stop - here, 0)
    if bounds is not later_bounds():
        return np.searchsorted(bounds, followed, side="right") - 1
    bins = _bin_of_quarter()
    found: Ints = bins[np.minimum(followed // _QUARTER, len(bins) - 1)]
    return found


@cache
def _bin_of_quarter() -> Ints:
    """Return the bin later on of each quarter of an hour, of which all bounds are multiples."""
    bounds = later_bounds() // _QUARTER
    return seal(np.searchsorted(bounds, np.arange(bounds[-1] + 1), side="right") - 1)


def days_of(window: timedelta | str | None, *statistics: JourneyStatistics) -> int:
    """Return the whole days of a window; None takes those in which nine of ten conversions come.

    They are at most a quarter of the time that was observed, where that was shorter, and a year.
    """
    asked = optional_duration(window, "window")
    if asked is None:
        return _usual_days(statistics)
    days = asked / timedelta(days=1)
    if days not in range(1, MOST_DAYS + 1):
        rule = f"be a whole number of days up to {MOST_DAYS} for statistics that add up"
        raise InvalidValue.of("window", rule, window)
    return int(days)


def _usual_days(statistics: Sequence[JourneyStatistics]) -> int:
    days = later_bounds() / DAY_US
    won, observed = np.zeros(len(days), dtype=np.int64), float("inf")
    for one in statistics:
        axes, counts = table_of(one, "begun")
        bins = axes["later"]
        np.add.at(won, bins, counts.values[:, 0])
        observed = min(observed, float(days[bins[counts.values[:, 2] > 0]].max(initial=0.0)))
    return usual_days(won, observed)


def usual_days(won: Ints, observed: float) -> int:
    """Return the whole days within which nine of ten conversions come; see `days_of`.

    `won` is how many came in each bin of `later_bounds`, `observed` the days that were observed.
    """
    days = later_bounds() / DAY_US
    most, until = observed, np.cumsum(won)
    if until[-1]:
        place, part = divmod(0.9 * (until[-1] - 1), 1)
        ranks = np.array([place, place + (part > 0)])
        ends = np.minimum(np.searchsorted(until, ranks, side="right") + 1, len(days) - 1)
        most = float(days[ends] @ [1 - part, part])
    return min(int(bounded_window(most, observed)), MOST_DAYS)


@attrs.frozen(kw_only=True, eq=False)
class LaterFigures:
    """Shares of journeys in which something happened within a window.

    Attributes
    ----------
    figures
        The shares, with and without each bucket.
    n, happened
        Journeys that stand there, and those in which it was seen to happen.
    apart
        How far a share may lie from that of raw times.
    """

    figures: BucketFigures
    n: Ints
    happened: Ints
    apart: float


def conversion_later(statistics: JourneyStatistics, by: By, days: int) -> LaterFigures:
    """Return the conversions within days of the first visit of a journey to each node."""
    check_counted_grain(statistics, by)
    name, names = grain_name(by), statistics.names
    axes, counts = table_of(statistics, f"later {name}")
    k, width = len(names[name]), max(len(names[TOUCH]), 1)
    node, within = axes[f"node {name}"], int(np.searchsorted(later_bounds(), days * DAY_US))
    if name == TOUCH:
        return _later(axes, counts, within, node, np.arange(k), k)
    pairs, of = distinct(node * width + axes[f"node {TOUCH}"])
    if len(pairs) == len(np.unique(node)):
        return _later(axes, counts, within, node, np.arange(k), k)
    full = np.where(axes["later"] >= within, counts.values[:, 2], 0)
    n, long = (sums(of, v, len(pairs)) for v in (counts.values[:, :2].sum(axis=1), full))
    place, n_cells = joined_cells(pairs // width, n, long, k)
    cell, at = place[of], np.zeros(n_cells, dtype=np.int64)
    at[cell] = node
    return _later(axes, counts, within, cell, at, k)


def conversion_of_journeys(statistics: JourneyStatistics, days: int) -> LaterFigures:
    """Return the conversions within days of the beginning of a journey, as one figure."""
    axes, counts = table_of(statistics, "begun")
    within = int(np.searchsorted(later_bounds(), days * DAY_US))
    return _later(axes, counts, within, np.zeros_like(axes["unit"]), np.arange(1), 1)


def lost_of_journeys(statistics: JourneyStatistics, days: int) -> LaterFigures:
    """Return the journeys that drop off with a last visit within days of their beginning."""
    axes, counts = table_of(statistics, "lost")
    silence = statistics.plan.silence_us
    within = int(np.searchsorted(lost_bounds(silence), days * DAY_US + silence))
    return _later(axes, counts, within, np.zeros_like(axes["unit"]), np.arange(1), 1)


def _later(  # noqa: PLR0917 - a table, and where its rows belong
    axes: Mapping[str, Ints], counts: Counts, within: int, cell: Ints, at: Ints, k: int
) -> LaterFigures:
    """Return the shares that ended before a bin, of cells that are pooled at nodes."""
    unit, bins, n_cells = axes["unit"], axes["later"], len(at)
    ended, censored, followed = counts.values.T
    inside, there = bins < within, ended + censored

    def by_unit(values: Ints) -> Floats:
        return sums_by_unit(unit, cell, values, n_cells).astype(np.float64)

    ends = Ends(
        n_fine=within,
        coarse_of=np.zeros(within, dtype=np.int64),
        n_units=N_BUCKETS,
        n_cells=n_cells,
        unit=unit,
        cell=cell,
        bin=np.minimum(bins, within),
        ended=np.where(inside, ended, there),
        open=np.where(inside, censored, 0),
        censored_first=True,
    )
    held, seen = by_unit(there), by_unit(np.where(inside, ended, 0))
    whole_window = by_unit(np.where(inside, 0, followed))
    n, rest = held.sum(axis=0), held.sum(axis=0) - held
    whole, without = np.full(n_cells, np.nan), np.full(held.shape, np.nan)
    known = whole_window.sum(axis=0)
    moved = ends.moved(censored_first=True)
    np.divide(moved, n, out=whole, where=known > 0)
    mass = (seen.sum(axis=0) - seen) * ends.weights_without_units()[:, :, 0]
    np.divide(mass, rest, out=without, where=(known - whole_window > 0) & (rest > 0))
    units = held - by_unit(np.where(inside, censored, 0))
    figures = BucketFigures(
        whole=whole,
        without=without,
        units=np.where(held > 0, np.maximum(units, _NEXT_TO_NOTHING), 0.0),
    )
    apart = (moved - ends.moved(censored_first=False)) / np.maximum(n, 1)
    counted = (np.bincount(at, x, k).astype(np.int64) for x in (n, seen.sum(axis=0)))
    return LaterFigures(
        figures=figures if n_cells == k else pooled_figures(figures, held, at, k),
        n=next(counted),
        happened=next(counted),
        apart=float(apart.max(initial=0.0)),
    )
