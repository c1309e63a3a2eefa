"""The distinct values of integers, by table where they are small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TABLE = 4_000_000


def distinct(values: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct values of integers from 0 in order, and the place of each among them."""
    if int(values.max(initial=0)) > max(_TABLE, 8 * len(values)):
        found, place = np.unique(values, return_inverse=True)
        return found.astype(np.int64), place
    used = _occurring(values)
    return np.flatnonzero(used), (np.cumsum(used) - 1)[values]


def n_distinct(values: NDArray[np.integer]) -> int:
    """Return how many values integers from 0 have."""
    if int(values.max(initial=0)) > _TABLE:
        return len(np.unique(values))
    return int(np.count_nonzero(_occurring(values)))


def _occurring(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    used = np.zeros(int(values.max(initial=0)) + 1, dtype=np.bool_)
    used[values] = True
    return used


def paired(
    first: NDArray[np.integer], second: NDArray[np.integer], size: int
) -> NDArray[np.signedinteger]:
    """Return first * size + second in few bytes, for second from 0 to below size."""
    top = (int(first.max(initial=0)) + 1) * size
    kind = np.int32 if top < np.iinfo(np.int32).max else np.int64
    key: NDArray[np.signedinteger] = np.multiply(first, kind(size), dtype=kind)
    np.add(key, second, out=key, casting="unsafe")
    return key
