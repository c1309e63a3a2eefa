"""Conversion after a landmark: Kaplan-Meier with administrative censoring."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.customer_sums import student_tail
from cxjourney._stats.parts import pooled
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints

if TYPE_CHECKING:
    from numpy.typing import NDArray

Grouped: TypeAlias = tuple[Ints, Floats, "NDArray[np.integer]"]
_MOST_STEPS = 1_024
_MOST_LEVERAGE = 0.9
_SHORT = np.iinfo(np.int16).max
_NEXT_TO_NOTHING = 1e-6
LARGEST_PART = 4


@attrs.frozen(kw_only=True)
class LandmarkDifference:
    """Difference of two probabilities of conversion after a landmark.

    Attributes
    ----------
    value, variance
        First minus second, and its variance; NaN where either is not known.
    units
        G* that it rests on.
    first, second
        The two probabilities.
    p
        One-sided p-value of a lower first one; 1 where it was not tested.
    """

    value: float
    variance: float
    units: float
    first: float
    second: float
    p: float


@attrs.frozen(kw_only=True, eq=False)
class Landmarks:
    """Items that were at a landmark, and what came of them within a window.

    Attributes
    ----------
    n_steps
        Distinct times of conversion within the window.
    event
        Which of them each item converted at, from 1; 0 where it did not.
    last
        The last of them at which each item was at risk.
    full
        Whether each item was followed to the end of the window.
    customer
        Customer of each item, 0 … n_customers - 1.
    """

    n_steps: int
    event: Ints
    last: Ints
    full: Bools
    customer: Ints
    n_customers: int

    @classmethod
    def of(
        cls, time: Floats, followed: Floats, customer: NDArray[np.integer], window: float
    ) -> Landmarks:
        """Return the landmarks of items.

        Parameters
        ----------
        time
            From the landmark to the conversion; infinity or NaN where there was none.
        followed
            From the landmark to the end of the observation, which is known for every item: one
            that dropped off stays at risk until then ("censoring complete", Fine and Gray 1999).
        customer
            Customer of each item.
        window
            Length of the window, in the same unit. Beyond 1,024 distinct times of conversion within
            it they are rounded up to so many quantiles.

        Examples
        --------
        >>> nan = float("nan")
        >>> time = np.array([1, 3, nan, 2, nan, 5, nan])
        >>> followed = np.array([10, 10, 10, 2.5, 4, 6, 1])
        >>> found = Landmarks.of(time, followed, np.array([0, 0, 1, 2, 3, 4, 4]), 4)
        >>> value, influence = found.curve(np.ones(7, dtype=bool))
        >>> round(value, 6), [round(float(x), 6) for x in influence[:3]]
        (0.485714, [0.073469, 0.090612, -0.080816])
        """
        with np.errstate(invalid="ignore"):
            won = time <= np.minimum(followed, window)
        grid = _steps(time[won])
        event = np.zeros(len(time), dtype=np.int64)
        event[won] = 1 + np.searchsorted(grid, time[won])
        seen = np.searchsorted(grid, np.minimum(followed, window), side="right")
        people, place = np.unique(customer, return_inverse=True)
        return cls(
            n_steps=len(grid),
            event=event,
            last=np.where(won, event, seen),
            full=followed >= window,
            customer=place,
            n_customers=len(people),
        )

    def curve(self, items: Bools) -> tuple[float, Floats]:
        """Return the probability of conversion of some items, and the influence of each of them.

        NaN where nobody was followed to the end of the window. Influences sum to 0.
        """
        event, last = self.event[items], self.last[items]
        if not np.any(self.full[items]):
            return np.nan, np.zeros(len(event))
        size = self.n_steps + 1
        d = np.bincount(event, minlength=size)[1:].astype(np.float64)
        risk = np.cumsum(np.bincount(last, minlength=size)[::-1])[::-1][1:].astype(np.float64)
        left = risk - d
        with np.errstate(divide="ignore", invalid="ignore"):
            survival = float(np.prod(np.where(risk > 0, left / risk, 1.0)))
            jump = np.where(left > 0, d / (risk * left), 0.0)
            one = np.where(left > 0, 1 / left, 0.0)
        running = np.concatenate([[0.0], np.cumsum(jump)])
        step = np.concatenate([[0.0], one])
        return 1 - survival, survival * (step[event] - running[last])

    def difference(self, first: Bools, second: Bools | None = None) -> LandmarkDifference:
        """Return the probability of some items minus that of others.

        Parameters
        ----------
        first
            The items of the first side.
        second
            Those of the second; None for all others. A customer may be on both sides.

        Notes
        -----
        The variance is that of the sums of influences by customer, both sides together, each side's
        divided by 1 minus the customer's share of it. It is never below that of independent items
        at the common probability, with one conversion and one other item added.
        """
        sides = (first, ~first if second is None else second)
        u, part = np.zeros(self.n_customers), np.zeros(self.n_customers)
        values, counts = [], []
        for sign, side in zip((1.0, -1.0), sides, strict=True):
            value, influence = self.curve(side)
            who = self.customer[side]
            n = np.bincount(who, minlength=self.n_customers).astype(np.float64)
            total = max(float(n.sum()), 1.0)
            mine = np.bincount(who, influence, minlength=self.n_customers)
            u += sign * mine / (1 - np.minimum(n / total, _MOST_LEVERAGE))
            part += n / total**2
            values.append(value)
            counts.append(max(int(np.count_nonzero(self.full[side] | (self.event[side] > 0))), 1))
        a, b = values
        if np.isnan(a) or np.isnan(b):
            return LandmarkDifference(
                value=np.nan, variance=np.nan, units=0.0, first=a, second=b, p=1.0
            )
        q = (a * counts[0] + b * counts[1] + 1) / (sum(counts) + 2)
        floor = q * (1 - q) * (1 / counts[0] + 1 / counts[1])
        variance = max(float((u * u).sum()), floor)
        units = float(part.sum() ** 2 / (part * part).sum())
        p = float(student_tail(np.array((b - a) / np.sqrt(variance)), np.array(units)))
        return LandmarkDifference(
            value=a - b, variance=variance, units=units, first=a, second=b, p=p
        )


@attrs.frozen(kw_only=True, eq=False)
class Seen:
    """What was seen of landmarks within a window: what `shares_of` needs to know of them.

    Attributes
    ----------
    counts
        Landmarks by unit and cell: nothing more (0), followed to the end (1), the event was seen
        (2), both (3), shape (units, cells, 4).
    events, partial
        Of those with an event, and of those followed to no end, by cell: where the ones of each
        begin, how long it took or each was followed, and its item.
    units
        The buckets of items.
    """

    counts: Floats
    events: Grouped
    partial: Grouped
    units: Units

    @classmethod
    def of(
        cls,
        time: Floats,
        followed: Floats,
        *,
        cell: Ints,
        n_cells: int,
        window: float,
        units: Units,
        item: Ints,
    ) -> Seen:
        """Return what was seen of landmarks.

        Parameters
        ----------
        time, followed
            From each landmark to the event and to the end of the observation, as in `Landmarks.of`.
        cell
            The group of each landmark, 0 … n_cells - 1; -1 for none.
        window
            Length of the window.
        units, item
            The buckets of items, and the item of each landmark.
        """
        with np.errstate(invalid="ignore"):
            won = np.isfinite(time) & (time <= np.minimum(followed, window))
        full = followed >= window
        kind = cell * 4 + full + 2 * won
        kind[cell < 0] = -1
        counts = units.sums(kind, 4 * n_cells, item=item).reshape(units.n, n_cells, 4)
        rows = np.flatnonzero(won & (cell >= 0))
        some = np.flatnonzero(~(won | full) & (cell >= 0))
        seen = np.minimum(followed[some], window)

        def grouped(rows: Ints, days: Floats) -> Grouped:
            bounds, order = _ordered(cell[rows], n_cells)
            return bounds, days[order], item[rows[order]]

        return cls(
            counts=counts,
            events=grouped(rows, time[rows]),
            partial=grouped(some, seen),
            units=units,
        )


def shares_of(seen: Seen) -> BucketFigures:
    """Return the probability of the event within a window, and the same without each bucket.

    One figure a cell; NaN where nobody, or nobody else, was followed to the end of the window. They
    stand on the landmarks of which it is known what came of them.
    """
    counts, units = seen.counts, seen.units
    n_cells = counts.shape[1]
    whole, without = np.full(n_cells, np.nan), np.full((units.n, n_cells), np.nan)
    n_full, n_stayed = counts[:, :, 1] + counts[:, :, 3], counts[:, :, 1]
    bounds = (seen.events[0].tolist(), seen.partial[0].tolist())
    for c in np.flatnonzero(counts.any(axis=(0, 2))).tolist():
        rows, some = (slice(*each[c : c + 2]) for each in bounds)
        time, n = seen.events[1][rows], n_full[:, c]
        grid = _steps(time)
        size = len(grid) + 1
        event = 1 + np.searchsorted(grid, time)
        until = np.searchsorted(grid, seen.partial[1][some], side="right")
        d = units.sums(event, size, item=seen.events[2][rows])
        last = d + units.sums(until, size, item=seen.partial[2][some])
        last[:, -1] += n_stayed[:, c]  # who was followed to the end is at risk at every step
        d = d[:, 1:]
        risk = np.cumsum(last[:, ::-1], axis=1)[:, ::-1][:, 1:]
        if n.sum() > 0:
            whole[c] = _reached(d.sum(axis=0), risk.sum(axis=0))
        others = _reached(d.sum(axis=0) - d, risk.sum(axis=0) - risk)
        without[:, c] = np.where(n.sum() - n > 0, others, np.nan)
    there, known = counts.sum(axis=2), counts[:, :, 1:].sum(axis=2)
    known = np.where(there > 0, np.maximum(known, _NEXT_TO_NOTHING), 0.0)
    return BucketFigures(whole=whole, without=without, units=known)


def means_within(
    time: Floats,
    value: Floats,
    owner: Ints,
    followed: Floats,
    *,
    cell: Ints,
    n_cells: int,
    window: float,
    units: Units,
) -> BucketFigures:
    """Return the mean sum of values within a window, and the same without each bucket.

    Each value counts for those of its cell who were followed for as long (the mean cumulative
    function of Nelson 2003, censored administratively).

    Parameters
    ----------
    time, value, owner
        Of each event: from the landmark of its item to it, what it adds, and the item.
    followed, cell
        Of each item, as in `Seen.of`.
    """
    whole, without = np.full(n_cells, np.nan), np.full((units.n, n_cells), np.nan)
    inside = time <= np.minimum(followed[owner], window)
    of_event = np.where(inside, cell[owner], -1)
    events = dict(_by_cell(of_event, n_cells))
    for c, rows in _by_cell(cell, n_cells):
        mine = events.get(c, np.zeros(0, dtype=np.int64))
        grid = _steps(time[mine])
        size = len(grid) + 1
        step = 1 + np.searchsorted(grid, time[mine])
        added = units.sums(step, size, item=owner[mine], values=value[mine])[:, 1:]
        seen = np.searchsorted(grid, np.minimum(followed[rows], window), side="right")
        last = units.sums(np.where(followed[rows] < 0, -1, seen), size, item=rows)
        risk = np.cumsum(last[:, ::-1], axis=1)[:, ::-1][:, 1:]
        full = units.sums(np.where(followed[rows] >= window, 0, -1), 1, item=rows)[:, 0]
        if full.sum() > 0:
            whole[c] = _summed(added.sum(axis=0), risk.sum(axis=0))
        others = _summed(added.sum(axis=0) - added, risk.sum(axis=0) - risk)
        without[:, c] = np.where(full.sum() - full > 0, others, np.nan)
    there = units.sums(np.where(followed < 0, -1, cell), n_cells)
    return BucketFigures(whole=whole, without=without, units=there)


def usual_window(
    took: Floats | Ints, observed: float, reached: float = 0.9, *, day: float = 1.0
) -> float:
    """Return the whole days within which most of what took so long is over, at least one.

    It is bounded as by `bounded_window`, and all is in the unit of which a `day` has so many.
    """
    most = float(np.quantile(took, reached)) if len(took) else observed
    return bounded_window(most, observed, day=day)


def bounded_window(most: float, observed: float, *, day: float = 1.0) -> float:
    """Return the whole days that so long a time takes, at least one.

    A quarter of the time that was observed is the most, so that most is followed for as long.
    """
    return min(max(float(np.ceil(most / day)), 1.0) * day, max(observed / LARGEST_PART, day))


def pooled_figures(
    parts: BucketFigures, there: Floats, place: Ints, n_places: int
) -> BucketFigures:
    """Return the means of parts by place, weighted by how many are there in each bucket."""
    others = there.sum(axis=0) - there

    def mean(values: Floats, n: Floats) -> Floats:
        n = np.where(np.isnan(values), 0.0, n)
        part = np.arange(len(place))
        made, size = pooled(values, n, place, n_places, part=part, target=place, n_targets=n_places)
        return np.where(size > 0, made, np.nan)

    units = np.zeros((len(there), n_places))
    np.add.at(units.T, place, parts.units.T)
    whole = mean(parts.whole[np.newaxis], there.sum(axis=0)[np.newaxis])[0]
    return BucketFigures(whole=whole, without=mean(parts.without, others), units=units)


def _steps(times: Floats) -> Floats:
    """Return the distinct times, or so many quantiles of them that the last is kept."""
    times = np.sort(times)
    grid: Floats = times[np.append(True, times[1:] != times[:-1])[: len(times)]]
    if len(grid) > _MOST_STEPS:
        grid = grid[np.linspace(0, len(grid) - 1, _MOST_STEPS).round().astype(np.int64)]
    return grid


def _by_cell(cell: Ints, n_cells: int) -> list[tuple[int, Ints]]:
    """Return each cell that is not empty with its rows."""
    bounds, order = _ordered(cell, n_cells)
    return [(c, order[a:b]) for c, (a, b) in enumerate(pairwise(bounds.tolist())) if b > a]


def _ordered(cell: Ints, n_cells: int) -> tuple[Ints, Ints]:
    """Return where the rows of each cell begin, and all rows in the order of cells."""
    short = cell.astype(np.int16) if n_cells < _SHORT else cell  # sorted by its digits
    order = np.argsort(short, kind="stable")
    return np.searchsorted(short[order], np.arange(n_cells + 1)), order


def _reached(d: Floats, risk: Floats) -> Floats:
    """Return 1 minus the product of those who are left, along the last axis."""
    left = np.divide(risk - d, risk, out=np.ones(np.shape(risk)), where=risk > 0)
    reached: Floats = 1 - np.clip(left, 0.0, 1.0).prod(axis=-1)
    return reached


def _summed(added: Floats, risk: Floats) -> Floats:
    each = np.divide(added, risk, out=np.zeros(np.shape(risk)), where=risk > 0)
    summed: Floats = each.sum(axis=-1)
    return summed
