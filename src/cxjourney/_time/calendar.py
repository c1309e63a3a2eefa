"""Timestamps of any kind as UTC microseconds, and the calendar periods that they fall in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cxjourney._support.arrays import refuse_rows, to_array
from cxjourney._support.units import whole_us
from cxjourney._time.zones import FIRST_US, LAST_US, to_local
from cxjourney.exceptions import InvalidData, InvalidValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values

Period = Literal["day", "week", "month", "quarter"]
PERIODS = ("day", "week", "month", "quarter")

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MONDAY = 3  # 1970-01-01 was a Thursday: three days after a Monday
_MISSING_TYPES = frozenset({"NoneType", "NAType", "NaTType"})


def instants(values: Values, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return timestamps as microseconds since 1970-01-01 UTC and the missing mask (0 there).

    Timestamps with a zone are converted, timestamps without one are UTC; a date is its midnight.

    Raises
    ------
    InvalidValue
        If the column holds text, numbers or anything else than timestamps.
    InvalidData
        If single values are not timestamps; carries their positions.
    """
    array, mask = to_array(values, name)
    missing = np.zeros(len(array), dtype=bool) if mask is None else mask.copy()
    if array.dtype.kind == "O":
        found = [None if missing[i] else _object_us(v) for i, v in enumerate(array)]
        bad = [i for i, v in enumerate(found) if v is not None and not _on_calendar(v)]
        if bad:
            problem = f"{name} must hold timestamps (datetime); got {array[bad[0]]!r}"
            raise InvalidData.at_rows(problem, bad)
        missing = np.array([v is None for v in found], dtype=bool)
        return np.array([0 if v is None else v for v in found], dtype=np.int64), missing
    if len(array) == 0:
        return np.zeros(0, dtype=np.int64), missing
    if array.dtype.kind != "M":
        raise InvalidValue.of(name, "hold timestamps (datetime)", f"a column of {array.dtype}")
    missing |= np.isnat(array)
    us, outside = whole_us(np.ascontiguousarray(array))
    outside |= (us < FIRST_US) | (us > LAST_US)
    refuse_rows(outside & ~missing, f"{name} lies outside the years 1 to 9999")
    return np.where(missing, 0, us), missing


def instant(value: datetime, name: str) -> int:
    """Return one timestamp as microseconds since 1970-01-01 UTC.

    Raises
    ------
    InvalidValue
        If it is not a timestamp.
    """
    us = _object_us(value)
    if us is None or not _on_calendar(us):
        raise InvalidValue.of(name, "be a datetime", value)
    return int(us)


def _on_calendar(us: Any) -> bool:
    return us is not NotImplemented and FIRST_US <= us <= LAST_US


def _object_us(value: Any) -> Any:
    if type(value).__name__ in _MISSING_TYPES:
        return None
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN marks a missing timestamp
        return None
    if isinstance(value, np.datetime64):
        (us,), (outside,) = whole_us(np.array([value], dtype=value.dtype))
        return None if np.isnat(value) else NotImplemented if outside else int(us)
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return (aware - _EPOCH) // _MICROSECOND
    if isinstance(value, date):
        return (datetime(value.year, value.month, value.day, tzinfo=UTC) - _EPOCH) // _MICROSECOND
    return NotImplemented


def period_index(utc_us: NDArray[np.int64], period: Period, time_zone: str) -> NDArray[np.int64]:
    """Return the number of the calendar day, week (from Monday), month or quarter in a zone."""
    return period_of_days(to_local(utc_us, time_zone) // DAY_US, period)


def period_of_days(days: NDArray[np.int64], period: Period) -> NDArray[np.int64]:
    """Return the number of the week (from Monday), month or quarter of each number of a day."""
    if period == "day":
        return days
    if period == "week":
        return (days + _MONDAY) // 7
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months if period == "month" else months // 3


def period_start(index: int, period: Period) -> int:
    """Return the number of the first day of a period."""
    if period in {"month", "quarter"}:
        month = np.datetime64(index if period == "month" else 3 * index, "M")
        return int(month.astype("datetime64[D]").astype(np.int64))
    return index if period == "day" else 7 * index - _MONDAY


def period_label(index: int, period: Period) -> str:
    """Return the first day of a period, or its year and month or quarter."""
    if period == "quarter":
        return f"{1970 + index // 4}-Q{index % 4 + 1}"
    start = np.datetime64(period_start(index, period), "D")
    return str(start.astype("datetime64[M]") if period == "month" else start)
