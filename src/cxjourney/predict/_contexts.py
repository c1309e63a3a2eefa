"""Contexts of visits as a tree: sorted integer keys a level, found by bisection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@attrs.frozen(kw_only=True, eq=False)
class Feature:
    """A column of whole numbers from -1 (not known) that may lengthen a context.

    `size` is above all numbers; where the value is `stop`, nothing longer tells more, as before
    the first visit of a journey.
    """

    codes: Ints
    size: int
    stop: int = -1

    def take(self, rows: Ints) -> Feature:
        """Return the column of some rows."""
        return attrs.evolve(self, codes=self.codes[rows])


@attrs.frozen(kw_only=True, eq=False)
class ContextTree:
    """Contexts of growing length; a context of level l + 1 is one of level l and one value more.

    Attributes
    ----------
    sizes, stops
        Of the feature that each level adds.
    keys
        Sorted keys of the contexts of each level: number of the shorter context times `size` plus
        the value.
    """

    sizes: tuple[int, ...]
    stops: tuple[int, ...]
    keys: tuple[Ints, ...]

    @classmethod
    def grown(cls, features: Sequence[Feature], weight: Floats) -> tuple[Self, list[Ints]]:
        """Return the tree of all rows, and the context of each row at each level; -1 for none.

        A context that one row of weight alone has is not made longer: it would say the same again.
        """
        n = len(weight)
        cell = np.zeros(n, dtype=np.int64)
        go_on = weight > 0
        keys, cells = [], []
        for feature in features:
            rows = np.flatnonzero(go_on & (cell >= 0) & (feature.codes >= 0))
            found, inverse = distinct(cell[rows] * feature.size + feature.codes[rows])
            cell = np.full(n, -1, dtype=np.int64)
            cell[rows] = inverse
            keys.append(found)
            cells.append(cell)
            several = np.bincount(inverse, minlength=len(found)) > 1
            go_on = np.zeros(n, dtype=np.bool_)
            go_on[rows] = several[inverse] & (feature.codes[rows] != feature.stop)
        sizes, stops = ([getattr(f, name) for f in features] for name in ("size", "stop"))
        return cls(sizes=tuple(sizes), stops=tuple(stops), keys=tuple(keys)), cells

    def parents(self, level: int) -> Ints:
        """Return the shorter context of each context of a level; zeros at the first."""
        return self.keys[level] // self.sizes[level]

    def values(self, level: int) -> Ints:
        """Return the value that each context of a level adds to the shorter one."""
        return self.keys[level] % self.sizes[level]

    def cells(self, features: Sequence[Feature]) -> list[Ints]:
        """Return the context of rows at each level; -1 from where it was never seen."""
        cell = np.zeros(len(features[0].codes), dtype=np.int64)
        found = []
        for feature, keys, size in zip(features, self.keys, self.sizes, strict=True):
            known = (cell >= 0) & (feature.codes >= 0)
            place = located(keys, np.where(known, cell * size + feature.codes, -1))
            cell = place
            found.append(cell)
        return found


def summed(place: NDArray[np.integer], weight: Floats | Bools, size: int) -> Floats:
    """Return the sum of weights at each place."""
    return np.bincount(place, weight, size).astype(np.float64, copy=False)


def located(keys: Ints, wanted: Ints) -> Ints:
    """Return the place of each wanted number among sorted ones; -1 where it is not."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def deepest(cells: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Return the longest known context of rows: its level (-1: none) and its number there."""
    level = np.full(len(cells[0]), -1, dtype=np.int64)
    number = np.zeros(len(cells[0]), dtype=np.int64)
    for i, cell in enumerate(cells):
        known = cell >= 0
        level[known], number[known] = i, cell[known]
    return level, number
