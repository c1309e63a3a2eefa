"""Counts of a unit of time as microseconds, once it is sure that these can hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPOCH_UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Units of numbers since 1970 [µs], as `timestamp_unit=` names them."""

_LENGTHS = EPOCH_UNITS | {
    "Y": 3.2e13, "M": 2.7e12, "W": 604_800e6, "D": 86_400e6, "h": 3_600e6, "m": 60e6,
    "ps": 1e-6, "fs": 1e-9, "as": 1e-12,
}  # fmt: skip
_MOST_US = 4e17  # more than the calendar has, less than int64


def whole_us(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return `datetime64` or `timedelta64` in microseconds, 0 where NaT, and which do not fit.

    The conversion of NumPy wraps around where int64 does not hold the result. A span of months or
    years has no length, and one of no unit neither: they do not fit.
    """
    unit, step = np.datetime_data(values.dtype)
    counts, kind = values.view(np.int64), values.dtype.kind
    known = ~np.isnat(values)
    if unit == "generic" or (kind == "m" and unit in {"Y", "M"}):
        return np.zeros(len(values), dtype=np.int64), known
    outside = known & (np.abs(counts.astype(np.float64)) * (_LENGTHS[unit] * step) > _MOST_US)
    if step != 1 and _LENGTHS[unit] < 1:  # NumPy multiplies first
        per = round(1 / _LENGTHS[unit])
        exact = [int(count) * step // per for count in np.where(outside | ~known, 0, counts)]
        return np.array(exact, dtype=np.int64), outside
    held = np.where(outside | ~known, np.zeros(1, dtype=values.dtype), values)
    return held.astype(f"{kind}8[us]").view(np.int64), outside


def numbers_us(values: NDArray[Any], length: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return numbers of a unit of `length` µs in whole µs, 0 where NaN, and which do not fit.

    What is shorter than a microsecond is cut off of whole numbers, and rounded of others.
    """
    with np.errstate(over="ignore"):
        rough = values.astype(np.float64) * length
    outside = np.abs(rough) > _MOST_US
    held = np.where(outside | np.isnan(rough), 0, values)
    if values.dtype.kind == "f":
        return np.rint(held * length).astype(np.int64), outside
    whole = held.astype(np.int64)
    return (whole * int(length) if length >= 1 else whole // 1000), outside
