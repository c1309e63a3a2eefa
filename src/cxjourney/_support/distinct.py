"""The distinct values of integers, by table where they are small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TABLE = 4_000_000


def distinct(values: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct values of integers from 0 in order, and the place of each among them."""
    top = int(values.max(initial=0))
    if top > _TABLE:
        found, place = np.unique(values, return_inverse=True)
        return found.astype(np.int64), place
    used = np.zeros(top + 1, dtype=np.bool_)
    used[values] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[values]
