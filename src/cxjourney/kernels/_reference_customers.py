"""Counts by customer, in NumPy and SciPy: replicates, and sums over clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClusteredSums", "clustered_sums", "customer_cells", "weighted_counts"]


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


def customer_cells(
    group: NDArray[np.int64], customer: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the cells that rows of a customer in a group make.

    Parameters
    ----------
    group
        Group of each row.
    customer
        Whose row it is.

    Returns
    -------
    first
        The first row of each cell; cells are sorted by group, then customer.
    cell
        The cell of each row.
    """
    stride = int(customer.max(initial=0)) + 1
    _, first, cell = np.unique(group * stride + customer, return_index=True, return_inverse=True)
    return first, cell


class ClusteredSums(NamedTuple):
    """Sums over customers of m, the rows of a customer in a cell, and M, those in its base.

    Attributes
    ----------
    rows, customers, squares, products
        Σ m, the number of customers, Σ m² and Σ m M of each cell.
    base, base_customers, base_squares
        Σ M, the number of customers and Σ M² of each base.
    """

    rows: NDArray[np.int64]
    customers: NDArray[np.int64]
    squares: NDArray[np.int64]
    products: NDArray[np.int64]
    base: NDArray[np.int64]
    base_customers: NDArray[np.int64]
    base_squares: NDArray[np.int64]


def clustered_sums(
    cell: NDArray[np.int64],
    base_of_cell: NDArray[np.int64],
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None = None,
) -> ClusteredSums:
    """Return what shares of cells in their bases, and their variances over customers, rest on.

    Parameters
    ----------
    cell
        Cell of each row, such as a pair of channels.
    base_of_cell
        The base that each cell is a part of, such as the channel left.
    customer
        Whose row it is.
    weight
        For how many customers alike the customer of each row stands; None means one.
    """
    ones = np.ones(len(cell), dtype=np.int64) if weight is None else weight
    n_cells, n_bases = len(base_of_cell), int(base_of_cell.max(initial=-1)) + 1
    first, place = customer_cells(cell, customer)
    m, w, at = np.bincount(place, minlength=len(first)), ones[first], cell[first]
    base_first, base_place = customer_cells(base_of_cell[cell], customer)
    big, base_w = np.bincount(base_place, minlength=len(base_first)), ones[base_first]
    base_at = base_of_cell[cell[base_first]]
    big_here = big[base_place[first]]
    return ClusteredSums(
        *(
            np.bincount(at, w * values, minlength=n_cells).astype(np.int64)
            for values in (m, np.ones_like(m), m * m, m * big_here)
        ),
        *(
            np.bincount(base_at, base_w * values, minlength=n_bases).astype(np.int64)
            for values in (big, np.ones_like(big), big * big)
        ),
    )
