"""Counts by customer, in NumPy and SciPy: replicates, and sums over clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["weighted_counts"]


def weighted_counts(
    offsets: NDArray[np.int64], unit: NDArray[np.int64], frequency: NDArray[np.number]
) -> NDArray[np.float64]:
    """Count keys where each unit counts as often as its frequency says.

    Parameters
    ----------
    offsets
        Entries of key i are [offsets[i], offsets[i + 1]).
    unit
        The unit of each entry.
    frequency
        Whole numbers: how often each unit counts, shape (units, replicates).

    Returns
    -------
    ndarray of float64
        Shape (keys, replicates).
    """
    from scipy.sparse import csr_array

    shape = (len(offsets) - 1, len(frequency))
    counts = csr_array((np.ones(len(unit)), unit, offsets), shape=shape)
    return np.asarray(counts @ frequency, dtype=np.float64)
