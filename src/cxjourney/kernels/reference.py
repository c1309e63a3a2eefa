"""The kernels in NumPy: always there, and the definition of what a compiled one must return.

All work on plain arrays. Rows are interactions; codes are small non-negative integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.signedinteger]

__all__ = ["order_rows", "segment_starts", "sort_pairs"]

_KEY_BITS = 62


def order_rows(
    customer: NDArray[np.integer], time: NDArray[np.int64], seq: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.intp] | None, NDArray[np.integer], NDArray[np.int64]]:
    """Order rows by customer, then time, then `seq`, then input order.

    Parameters
    ----------
    customer
        Codes, one a row.
    time
        Microseconds, one a row.
    seq
        Explicit order among equal times; None where input order decides.

    Returns
    -------
    order
        Row numbers in order; None where the input already is.
    customer, time
        The columns in order.
    """
    n = len(customer)
    if n < 2 or _in_order(customer, time, seq):
        return None, customer, time
    bits = int(n - 1).bit_length()
    if int(customer.max()).bit_length() + bits > _KEY_BITS:
        return _lexsort(customer, time, seq)
    # one sort of (customer, row) keys; most logs then have each customer in time order already
    key = customer.astype(np.int64) << bits
    key |= np.arange(n, dtype=np.int64)
    key.sort()
    order = key & ((1 << bits) - 1)
    by_customer, by_time = customer[order], time[order]
    if _in_order(by_customer, by_time, None if seq is None else seq[order]):
        return order, by_customer, by_time
    return _lexsort(customer, time, seq)


def _in_order(
    customer: NDArray[np.integer], time: NDArray[np.int64], seq: NDArray[np.int64] | None
) -> bool:
    before, after = customer[:-1], customer[1:]
    if np.any(before > after):
        return False
    same = before == after
    if np.any(same & (time[:-1] > time[1:])):
        return False
    if seq is None:
        return True
    tied = same & (time[:-1] == time[1:])
    return not np.any(tied & (seq[:-1] > seq[1:]))


def _lexsort(
    customer: NDArray[np.integer], time: NDArray[np.int64], seq: NDArray[np.int64] | None
) -> tuple[NDArray[np.intp], NDArray[np.integer], NDArray[np.int64]]:
    order = np.lexsort((time, customer) if seq is None else (seq, time, customer))
    return order, customer[order], time[order]


def segment_starts(*boundaries: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return CSR offsets of the segments that begin where any of the masks is true.

    Parameters
    ----------
    boundaries
        Masks over rows, true where a segment begins; row 0 always begins one.

    Returns
    -------
    ndarray of int64
        Offsets: segment i is rows [offsets[i], offsets[i + 1]).
    """
    n = len(boundaries[0])
    begin = np.zeros(n, dtype=np.bool_)
    for mask in boundaries:
        begin |= mask
    if n:
        begin[0] = True
    return np.append(np.flatnonzero(begin), n).astype(np.int64, copy=False)


def sort_pairs(
    group: NDArray[np.int64], value: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs sorted by group, then value.

    Parameters
    ----------
    group
        Small non-negative integers.
    value
        Non-negative integers, such as times in microseconds.
    """
    if not len(group):
        return group, value
    bits = int(value.max()).bit_length()
    if int(group.max()).bit_length() + bits > _KEY_BITS:
        order = np.lexsort((value, group))
        return group[order], value[order]
    key = group << bits
    key |= value
    key.sort()
    return key >> bits, key & ((1 << bits) - 1)
