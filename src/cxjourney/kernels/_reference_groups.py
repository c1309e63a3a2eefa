"""Values in groups, in NumPy: weighted medians, what comes first, and what comes before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_before", "first_of_each", "weighted_medians"]


def weighted_medians(
    group: NDArray[np.integer],
    values: NDArray[np.float64],
    mass: NDArray[np.float64],
    size: int,
) -> NDArray[np.float64]:
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


def first_of_each(
    group: NDArray[np.int64], codes: NDArray[np.signedinteger], n_codes: int
) -> NDArray[np.bool_]:
    """Return whether each code, below `n_codes`, is the first of its kind in its group.

    Groups are numbered in order: what belongs to one stands together.
    """
    first = np.zeros(len(codes), dtype=np.bool_)
    first[np.unique(group * n_codes + codes, return_index=True)[1]] = True
    return first


def count_before(
    node: NDArray[np.integer],
    wait: NDArray[np.int64],
    times: NDArray[np.int64],
    bounds: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return how many of the times of its node are before each wait.

    The times of node i are [bounds[i], bounds[i + 1]), ascending.
    """
    found = np.zeros(len(node), dtype=np.int32)
    order = np.argsort(node, kind="stable")
    ends = np.searchsorted(node[order], np.arange(len(bounds)))
    for i in np.flatnonzero(np.diff(bounds)).tolist():
        rows = order[ends[i] : ends[i + 1]]
        found[rows] = np.searchsorted(times[bounds[i] : bounds[i + 1]], wait[rows])
    return found
