"""Weights of moves from counts on the grid of waits, and without each unit of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Iterator


_BLOCK = 4_000_000


@attrs.frozen(kw_only=True, eq=False)
class Ends:
    """How the visits of cells ended, in `n_fine` bins of time, each in a coarse one.

    Rows of `unit`, `cell`, `bin` and `ended`, `open`: how many visits of a cell moved on in the
    fine bin (or stayed for the limit, in the last), and were last seen there.
    """

    n_fine: int
    coarse_of: Ints
    n_units: int
    n_cells: int
    unit: Ints
    cell: Ints
    bin: Ints
    ended: Ints
    open: Ints
    censored_first: bool = False

    @property
    def n_coarse(self) -> int:
        """Number of coarse bins."""
        return int(self.coarse_of.max(initial=-1)) + 1

    def weights(self) -> Floats:
        """Return the weight of a move by cell and coarse bin, shape (cells, bins).

        A visit that is censored hands its own weight to those of the cell that lasted longer
        (Efron 1967). In a fine bin moves come before censorings, as ties are read in survival
        analysis, unless `censored_first`. The weight of a coarse bin is the mean of those of the
        cell's moves in it.
        """
        out = np.ones((self.n_cells, self.n_coarse))
        for cells, rows in self._blocks():
            out[cells] = self._weight(*self._matrices(cells, rows))
        return out

    def weights_without_units(self) -> Floats:
        """Return the same for the visits of all other units, shape (units, cells, bins)."""
        out = np.ones((self.n_units, self.n_cells, self.n_coarse))
        for cells, rows in self._blocks():
            whole = self._matrices(cells, rows)
            bounds = np.searchsorted(self.unit[rows], np.arange(self.n_units + 1))
            for unit in range(self.n_units):
                mine = rows[bounds[unit] : bounds[unit + 1]]
                at = (self.cell[mine] - cells.start, self.bin[mine])
                others = [matrix.copy() for matrix in whole]
                np.subtract.at(others[0], at, self.ended[mine])  # joined cells come twice
                np.subtract.at(others[1], at, self.open[mine])
                out[unit, cells] = self._weight(others[0], others[1])
        return out

    def moved(self, *, censored_first: bool) -> Floats:
        """Return the mass of all moves of each cell, censorings of a bin before moves or after."""
        mass = self.mass(censored_first=censored_first)
        return np.bincount(self.cell, mass, self.n_cells).astype(np.float64)

    def mass(self, *, censored_first: bool) -> Floats:
        """Return the mass of the moves of each row, 0 where visits stayed for the limit."""
        mass = np.where(self.bin < self.n_fine, self.ended, 0).astype(np.float64)
        for cells, rows in self._blocks():
            weight = _growing(*self._matrices(cells, rows), censored_first=censored_first)
            mass[rows] *= weight[self.cell[rows] - cells.start, self.bin[rows]]
        return mass

    def between(self, cell: Ints, coarse: Ints, count: Ints) -> tuple[Floats, Floats]:
        """Return the least and the most mass of `count` moves of a cell in a coarse bin.

        Weight grows over time: least are the first moves of the bin, all censorings of the fine
        bins before them as late as can be at risk, and most the last ones, the others being first.
        """
        low, high = count.astype(np.float64), count.astype(np.float64)
        first = np.searchsorted(self.coarse_of, np.arange(self.n_coarse + 1))
        for cells, rows in self._blocks():
            ended, still = self._matrices(cells, rows)
            least = _growing(ended, still, censored_first=True)
            least = np.pad(least[:, :-1], ((0, 0), (1, 0)), constant_values=1.0).ravel()
            most = _growing(ended, still, censored_first=False).ravel()
            longer = np.cumsum((ended + still)[:, ::-1], axis=1)[:, ::-1]
            longer = np.pad(longer[:, 1:], ((0, 0), (0, 1))).ravel()
            ended, still = ended.ravel(), still.ravel()
            until = np.append(0.0, np.cumsum(ended))
            full_low = np.append(0.0, np.cumsum(ended * least))
            growth = 1.0 + quotient(still, longer + ended)
            full_high = np.append(0.0, np.cumsum(ended * most * np.where(ended > 0, growth, 1.0)))
            mine = np.flatnonzero((cell >= cells.start) & (cell < cells.stop))
            begin = (cell[mine] - cells.start) * (self.n_fine + 1) + first[coarse[mine]]
            end = begin + (first[coarse[mine] + 1] - first[coarse[mine]])
            n = count[mine]
            # the bin in which the first n moves end, and that in which the last n begin
            last = np.searchsorted(until, until[begin] + n, side="left") - 1
            low[mine] = full_low[last] - full_low[begin]
            low[mine] += (until[begin] + n - until[last]) * least[last]
            start = np.searchsorted(until, until[end] - n, side="right") - 1
            some = until[start + 1] - until[end] + n
            high[mine] = full_high[end] - full_high[start + 1]
            high[mine] += some * most[start] * (1.0 + still[start] / (longer[start] + some))
        return low, high

    def _blocks(self) -> Iterator[tuple[slice, Ints]]:
        """Yield cells, some of which hand weight on, and their rows in the order of the units."""
        handed = np.zeros(self.n_cells, dtype=np.bool_)
        handed[self.cell[self.open > 0]] = True
        step = max(1, _BLOCK // (self.n_fine + 1))
        for begin in range(0, self.n_cells, step):
            cells = slice(begin, min(begin + step, self.n_cells))
            if handed[cells].any():
                rows = np.flatnonzero((self.cell >= cells.start) & (self.cell < cells.stop))
                yield cells, rows[np.argsort(self.unit[rows], kind="stable")]

    def _matrices(self, cells: slice, rows: Ints) -> tuple[Floats, Floats]:
        shape = (cells.stop - cells.start, self.n_fine + 1)
        place = (self.cell[rows] - cells.start) * np.int64(shape[1]) + self.bin[rows]
        found = np.zeros((2, shape[0] * shape[1]))
        for row, counts in zip(found, (self.ended, self.open), strict=True):
            row += np.bincount(place, counts[rows], minlength=row.size)
        return found[0].reshape(shape), found[1].reshape(shape)

    def _weight(self, ended: Floats, still: Floats) -> Floats:
        weight = _growing(ended, still, censored_first=self.censored_first)[:, :-1]
        moved = ended[:, :-1]
        first = np.searchsorted(self.coarse_of, np.arange(self.n_coarse))
        mass = np.add.reduceat(moved * weight, first, axis=1)
        n = np.add.reduceat(moved, first, axis=1)
        return np.where(n > 0, quotient(mass, n), 1.0)


def _growing(ended: Floats, still: Floats, *, censored_first: bool) -> Floats:
    """Return the weight of an end in each bin: 1, and what censored visits have handed on."""
    lasted = np.cumsum((ended + still)[:, ::-1], axis=1)[:, ::-1]
    longer = lasted - still if censored_first else np.pad(lasted[:, 1:], ((0, 0), (0, 1)))
    growth = np.zeros(ended.shape)
    np.divide(still, longer, out=growth, where=longer > 0)
    growth = np.cumsum(np.log1p(growth), axis=1)
    if not censored_first:
        growth = np.pad(growth[:, :-1], ((0, 0), (1, 0)))
    weight: Floats = np.exp(growth)
    return weight
