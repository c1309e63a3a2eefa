"""Probabilities to go on after a visit, of groups of visits and without each unit, in little room.

As in `aalen_johansen` a censored visit hands its weight to the visits of its group that lasted
longer. Between two times of censoring weights are constant, so that visits are counted by group,
interval and unit once, whether they come one by one or as rows of counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Iterator

WENT_ON, LOST, CENSORED = 0, 1, 2
"""How a visit ended: by another interaction or a conversion, by none, or not yet."""

_ROWS = 1 << 20
_CELLS = 1 << 20
_KEY_BITS = 62


@attrs.frozen(kw_only=True, eq=False)
class Ends:
    """How visits ended, one a row, or as many as `count` says.

    Attributes
    ----------
    group
        Number of the group of each; negative for those that are left out.
    wait
        How long each lasted, whatever the unit. Of equals those that are censored lasted longer.
    how
        `WENT_ON`, `LOST` or `CENSORED`.
    unit
        Unit of variance, below 64.
    count
        How many visits a row stands for; None for one each.
    """

    group: NDArray[np.integer]
    wait: NDArray[np.integer]
    how: NDArray[np.integer]
    unit: NDArray[np.integer]
    count: Ints | None = None

    def blocks(self) -> Iterator[slice]:
        """Yield some rows after the others."""
        for begin in range(0, len(self.group), _ROWS):
            yield slice(begin, begin + _ROWS)

    def sums(self, place: NDArray[np.integer], rows: slice, size: int) -> Floats:
        """Return how many visits of some rows lie in each place; a negative place is none."""
        inside = place >= 0
        count = None if self.count is None else self.count[rows][inside]
        return np.bincount(place[inside], count, minlength=size).astype(np.float64, copy=False)


@attrs.frozen(kw_only=True, eq=False)
class GoingOn:
    """Probabilities to go on, and what they rest on; the last axis runs over groups.

    `whole` has the shape (groups,), all others (units, groups). NaN where nobody is left.
    """

    whole: Floats
    without: Floats
    visits: Floats
    censored: Floats


def going_on(ends: Ends, n_groups: int) -> GoingOn:
    """Return the probabilities to go on after a visit of each group, each of which has visits."""
    cell, begin, n_cells = _cells(ends, n_groups)
    total = np.zeros((3, n_cells))
    for rows in ends.blocks():
        place = np.where(cell[rows] < 0, -1, ends.how[rows] * np.int64(n_cells) + cell[rows])
        total += ends.sums(place, rows, total.size).reshape(total.shape)
    found = GoingOn(
        whole=_probability(total, begin),
        without=np.empty((N_BUCKETS, n_groups)),
        visits=np.empty((N_BUCKETS, n_groups)),
        censored=np.empty((N_BUCKETS, n_groups)),
    )
    step = min(max(1, _CELLS // max(n_cells, 1)), N_BUCKETS)
    for first in range(0, N_BUCKETS, step):
        units = slice(first, min(first + step, N_BUCKETS))
        own = np.zeros((3, units.stop - first, n_cells))
        for rows in ends.blocks():
            unit = ends.unit[rows].astype(np.int64)
            place = (ends.how[rows] * np.int64(own.shape[1]) + unit - first) * n_cells + cell[rows]
            place[(cell[rows] < 0) | (unit < first) | (unit >= units.stop)] = -1
            own += ends.sums(place, rows, own.size).reshape(own.shape)
        found.visits[units] = np.add.reduceat(own.sum(axis=0), begin, axis=-1)
        found.censored[units] = np.add.reduceat(own[CENSORED], begin, axis=-1)
        found.without[units] = _probability(total[:, None] - own, begin)
    return found


def reach_of(ends: Ends, n_groups: int) -> Floats:
    """Return how far the order of visits that lasted equally long may move each probability.

    A visit that is censored comes before those that lasted as long and went on, and behind those
    that did not, or the other way round: any order lies between.
    """
    orders = ((2, 0, 1), (0, 2, 1))
    both = []
    for order in orders:
        moved = attrs.evolve(ends, wait=ends.wait * 3 + np.array(order)[ends.how])
        cell, begin, n_cells = _cells(moved, n_groups)
        place = np.where(cell < 0, -1, ends.how * np.int64(n_cells) + cell)
        total = ends.sums(place, slice(None), 3 * n_cells).reshape(3, n_cells)
        both.append(_probability(total, begin))
    return np.abs(both[0] - both[1])


def _cells(ends: Ends, n_groups: int) -> tuple[NDArray[np.int32], Ints, int]:
    """Return the interval between censorings of each row, the first of each group, and how many.

    A group with t times of censoring has t + 1 intervals; each ends with the visits censored then.
    """
    open_ones = np.flatnonzero((ends.how == CENSORED) & (ends.group >= 0))
    wait = ends.wait
    last = int(wait[open_ones].max(initial=-1)) + 1
    bits = last.bit_length() + 1
    if n_groups.bit_length() + bits > _KEY_BITS:  # the order of the times is enough
        wait = np.searchsorted(np.unique(wait[open_ones]), wait)
        last = len(open_ones)
        bits = last.bit_length() + 1

    def key(rows: slice | Ints) -> Ints:
        found: Ints = ends.group[rows].astype(np.int64) << bits
        found |= np.minimum(wait[rows], last).astype(np.int64, copy=False) << 1
        found |= ends.how[rows] == CENSORED
        return found

    times = np.unique(key(open_ones))
    begin = np.searchsorted(times >> bits, np.arange(n_groups)) + np.arange(n_groups)
    cell = np.empty(len(ends.group), dtype=np.int32)
    for rows in ends.blocks():
        cell[rows] = np.searchsorted(times, key(rows))
        cell[rows] += ends.group[rows]
        cell[rows][ends.group[rows] < 0] = -1
    return cell, begin, len(times) + n_groups


def _probability(counts: Floats, begin: Ints) -> Floats:
    """Return the probability to go on of each group, given counts, shape (3, ..., intervals)."""
    ended = counts.sum(axis=0)
    n = np.add.reduceat(ended, begin, axis=-1)
    width = np.diff(begin, append=ended.shape[-1])
    longer = np.repeat(np.cumsum(n, axis=-1), width, axis=-1) - np.cumsum(ended, axis=-1)
    growth = np.divide(counts[CENSORED], longer, out=np.zeros(ended.shape), where=longer > 0)
    before = [(0, 0)] * (growth.ndim - 1) + [(1, 0)]
    growth = np.cumsum(np.pad(np.log1p(growth), before), axis=-1)[..., :-1]
    growth -= np.repeat(growth[..., begin], width, axis=-1)
    mass = np.add.reduceat(counts[WENT_ON] * np.exp(growth), begin, axis=-1)
    out: Floats = np.full(mass.shape, np.nan)
    np.divide(mass, n, out=out, where=n > 0)
    return out
