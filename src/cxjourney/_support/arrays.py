"""Columns of values from any library, as clean NumPy arrays with their missing values marked.

Lists, NumPy and masked arrays, pandas, polars and Arrow columns all pass through here, so that
every metric treats booleans, strings, infinities and missing values alike. None of those libraries
is imported: their columns are recognised by the methods that they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from cxjourney._support.text import brief
from cxjourney._support.units import whole_us
from cxjourney._support.validation import check_choice
from cxjourney.exceptions import InvalidData, InvalidValue

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cxjourney._support.array_types import Ints

NanPolicy = Literal["omit", "raise", "propagate"]
"""What to do with missing values: leave them out and count them, refuse, or return NaN."""

Values: TypeAlias = "ArrayLike | Sequence[object]"
"""A column of values: list, NumPy or masked array, pandas, polars or Arrow column."""

_NAN_POLICIES = ("omit", "raise", "propagate")
_LARGEST = 1e100  # the squares of larger numbers, and sums of these, may be no numbers
_MISSING_TYPES = frozenset({"NAType", "NaTType"})
_PANDAS_DTYPES = {
    "b": "bool",
    "i": "int64",
    "u": "uint64",
    "f": "float64",
    "M": "datetime64[us]",
    "m": "timedelta64[us]",
}


def to_array(values: Values, name: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return a one-dimensional array and the mask of missing values where the source keeps one.

    NaN, NaT and None that stand among the values stay there; a None mask says that the source has
    no mask of its own. Timestamps with a zone come back as UTC.
    """
    if isinstance(values, np.ma.MaskedArray):
        array: NDArray[Any] = np.asarray(values.data)
        mask: NDArray[np.bool_] | None = np.ma.getmaskarray(values)
    elif isinstance(values, np.ndarray):
        array, mask = values, None
    elif isinstance(values, (str, bytes, dict, set, frozenset)) or not isinstance(values, Iterable):
        raise InvalidValue.of(name, "be a column of values (list, array, series)", values)
    elif isinstance(values, (list, tuple)):
        array, mask = _from_list(values), None
    elif getattr(values, "ndim", 1) != 1:
        kind = type(values).__name__
        raise InvalidValue(
            f"{name} must be one column of values; got a {kind}, a table: take one of its columns"
        )
    elif hasattr(values, "isna") and hasattr(values, "to_numpy"):
        array, mask = _from_pandas(values)
    else:
        array, mask = np.asarray(values), None
    if array.ndim != 1:
        raise InvalidValue.of(name, "have one dimension", f"{array.ndim} dimensions")
    return array, mask


def _from_list(values: Sequence[Any]) -> NDArray[Any]:
    if set(map(type, values)) <= {int, float}:
        return np.asarray(values) if len(values) else np.empty(0)
    # NumPy would turn [True, 5] into [1, 5] and ["9", 10] into text; objects keep what they are
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _from_pandas(values: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(values), None
    missing = np.asarray(values.isna(), dtype=bool)
    kind = getattr(dtype, "kind", "O")
    if kind not in _PANDAS_DTYPES:
        return np.asarray(values, dtype=object), missing
    if kind in "Mm" or not missing.any():
        return np.asarray(values.to_numpy(dtype=_PANDAS_DTYPES[kind])), None
    if kind == "b":
        return np.asarray(values.to_numpy(dtype="bool", na_value=False)), missing
    return np.asarray(values.to_numpy(dtype="float64", na_value=np.nan)), None


def _is_missing(value: object) -> bool:
    if value is None or type(value).__name__ in _MISSING_TYPES:
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(value != value)  # noqa: PLR0124 - NaN


def _missing_objects(array: NDArray[Any]) -> NDArray[np.bool_]:
    return np.fromiter((_is_missing(v) for v in array), dtype=bool, count=len(array))


def _held(span: timedelta | np.timedelta64) -> bool:
    """Return whether microseconds in int64 hold a duration."""
    if isinstance(span, timedelta):
        return abs(span) < timedelta(days=10**8)
    return not whole_us(np.array([span]))[1].any()


def _refuse(array: NDArray[Any], bad: NDArray[np.bool_], name: str, rule: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        value = array[rows[0]]
        raise InvalidData.at_rows(f"{name} must {rule}; got {brief(value)}", rows.tolist())


def refuse_rows(bad: NDArray[np.bool_], problem: str) -> None:
    """Raise InvalidData with the positions at which `bad` is True, if there are any."""
    rows = np.flatnonzero(bad)
    if rows.size:
        raise InvalidData.at_rows(problem, rows.tolist())


def numbers(values: Values, name: str, *, finite: bool = True) -> NDArray[Any]:
    """Return integers or floats as they are; where something is missing, floats with NaN.

    With `finite=False` infinities pass: for scores, whose scale refuses them.
    """
    array, mask = to_array(values, name)
    rule = "hold numbers, not booleans, strings or times"
    if array.dtype.kind == "O":
        missing = _missing_objects(array) if mask is None else mask | _missing_objects(array)
        kinds = (int, float, np.integer, np.floating, Decimal, Fraction)
        bad = np.fromiter(
            (not isinstance(v, kinds) or isinstance(v, bool) for v in array), bool, len(array)
        )
        _refuse(array, bad & ~missing, name, rule)
        out = np.full(len(array), np.nan)
        out[~missing] = array[~missing].astype(np.float64)
        array = out
    elif array.dtype.kind not in "iuf":
        raise InvalidValue.of(name, rule, f"a column of {array.dtype}")
    elif mask is not None and mask.any():
        array = array.astype(np.float64)
        array[mask] = np.nan
    if finite and array.dtype.kind == "f" and array.size:
        with np.errstate(invalid="ignore"):
            held = -_LARGEST < array.min() <= array.max() < _LARGEST
        if not held:  # missing ones are not held either
            _refuse(array, np.isinf(array), name, "be finite")
            _refuse(array, np.abs(array) >= _LARGEST, name, f"lie within ±{_LARGEST:g}")
    return array


def flags(values: Values, name: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return booleans and the mask of missing ones; 0 and 1 count as booleans."""
    array, mask = to_array(values, name)
    if array.dtype.kind == "b":
        return array, np.zeros(len(array), dtype=bool) if mask is None else mask
    missing = np.zeros(len(array), dtype=bool) if mask is None else mask.copy()
    if array.dtype.kind == "O":
        missing |= _missing_objects(array)
        good = np.fromiter(
            (isinstance(v, (bool, np.bool_, int, float, np.number)) and v in {0, 1} for v in array),
            bool,
            len(array),
        )
        _refuse(array, ~good & ~missing, name, "be true, false, 0, 1 or missing")
        out = np.zeros(len(array), dtype=bool)
        out[~missing] = array[~missing].astype(bool)
        return out, missing
    if array.dtype.kind not in "iuf":
        raise InvalidValue.of(name, "hold true, false, 0 or 1", f"a column of {array.dtype}")
    if array.dtype.kind == "f":
        missing |= np.isnan(array)
    truth = array == 1
    _refuse(array, ~truth & (array != 0) & ~missing, name, "be true, false, 0, 1 or missing")
    return truth & ~missing, missing


def durations(
    values: Values, name: str, *, negative: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return durations as whole microseconds and the mask of missing ones (0 there)."""
    array, mask = to_array(values, name)
    missing = np.zeros(len(array), dtype=bool) if mask is None else mask.copy()
    rule = "hold durations (timedelta): a bare number has no unit"
    if array.dtype.kind == "O":
        missing |= _missing_objects(array)
        kinds = (timedelta, np.timedelta64)
        good = np.fromiter((isinstance(v, kinds) for v in array), bool, len(array))
        _refuse(array, ~good & ~missing, name, rule)
        held = [gone or _held(value) for value, gone in zip(array, missing, strict=True)]
        _refuse(array, ~np.array(held, dtype=bool), name, "be no longer than the calendar")
        out = np.zeros(len(array), dtype="timedelta64[us]")
        out[~missing] = array[~missing].astype("timedelta64[us]")
        array = out
    elif len(array) == 0:
        array = array.astype("timedelta64[us]")
    elif array.dtype.kind != "m" or np.datetime_data(array.dtype)[0] in {"generic", "Y", "M"}:
        raise InvalidValue.of(name, rule, f"a column of {array.dtype}")
    missing |= np.isnat(array)
    whole, outside = whole_us(np.ascontiguousarray(array))
    _refuse(array, outside & ~missing, name, "be no longer than the calendar")
    whole = np.where(missing, 0, whole)
    if not negative:
        _refuse(array, whole < 0, name, "not be negative")
    return whole, missing


def codes(values: Values, name: str) -> tuple[NDArray[np.int64], int, NDArray[np.bool_]]:
    """Return the code from 0 of each distinct value, how many there are, and the missing mask.

    Missing values, blank strings among them, have code -1.
    """
    array, mask = to_array(values, name)
    missing = np.zeros(len(array), dtype=bool) if mask is None else mask.copy()
    kind = array.dtype.kind
    out = np.full(len(array), -1, dtype=np.int64)
    if kind == "O":
        missing |= _missing_objects(array)
        kinds = (str, bytes, int, float, np.generic, Decimal, date, datetime, timedelta)
        good = np.fromiter((isinstance(v, kinds) for v in array), bool, len(array))
        _refuse(array, ~good & ~missing, name, "be strings, numbers or dates")
        missing |= np.fromiter(
            (isinstance(v, str) and not v.strip() for v in array), bool, len(array)
        )
        seen: dict[object, int] = {}
        present = array[~missing]
        out[~missing] = np.fromiter(
            (seen.setdefault(v, len(seen)) for v in present), np.int64, len(present)
        )
        return out, len(seen), missing
    if kind == "f":
        missing |= np.isnan(array)
    elif kind in "mM":
        missing |= np.isnat(array)
    elif kind == "U":
        missing |= np.strings.strip(array) == ""
    distinct, inverse = np.unique(array[~missing], return_inverse=True)
    out[~missing] = inverse
    return out, len(distinct), missing


def weights_of(weights: Values | None, n: int, *, name: str = "weights") -> NDArray[np.float64]:
    """Return one weight a value, at least 0; ones if None."""
    if weights is None:
        return np.ones(n)
    array = numbers(weights, name).astype(np.float64)
    if len(array) != n:
        raise InvalidValue.of(name, f"have one entry for each of {n} values", len(array))
    _refuse(array, ~(array >= 0), name, "be at least 0 and not missing")
    top = array.max(initial=0)
    # only their ratios count, and squares of the least ones would be 0
    return array / top if 0 < top < 1 / _LARGEST**0.5 else array


def check_alone(counts: object, **others: object) -> None:
    """Raise where counts of equal values come with something of each one."""
    for name, other in others.items():
        if counts is not None and other is not None:
            raise InvalidValue.of(name, "be left out where counts are given", other)


def counts_of(counts: Values, n: int, *, name: str = "counts") -> Ints:
    """Return one whole count a value, at least 0."""
    array = weights_of(counts, n, name=name)
    _refuse(array, array != np.rint(array), name, "be whole numbers")
    if array.sum() >= 2**53:
        raise InvalidValue.of(name, "sum to less than 2**53, up to where they are exact", counts)
    return array.astype(np.int64)


def same_length(**columns: Any) -> int:
    """Return the common length of columns, or raise InvalidValue."""
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1:
        raise InvalidValue.of(" and ".join(lengths), "have one length", lengths)
    return next(iter(lengths.values()), 0)


def is_undefined(missing: NDArray[np.bool_], policy: NanPolicy, name: str) -> bool:
    """Return whether missing values make the result NaN; raise if they are not allowed."""
    check_choice(policy, "nan_policy", _NAN_POLICIES)
    if policy == "omit" or not missing.any():
        return False
    if policy == "raise":
        rows = np.flatnonzero(missing).tolist()
        raise InvalidData.at_rows(f"{name} has missing values", rows, hint='nan_policy="omit"')
    return True
