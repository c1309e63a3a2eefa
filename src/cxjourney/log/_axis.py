"""Doubts about an axis of time: units misread, centuries spanned, zeros for missing values."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY_US = 86_400_000_000
_NEAR_US = 60 * _DAY_US  # seconds of this century, read as milliseconds, end within it
_CENTURY_US = 36_525 * _DAY_US
_LONG_AFTER_US = _CENTURY_US // 10
YEARS_AHEAD_US = _CENTURY_US // 20
"""Five years: nobody plans a contact later, and simulations mostly end before."""
_UNIT = "they may be of another unit or form than was assumed (timestamp_unit=, timestamp_format=)"


def odd_times(
    time: NDArray[np.int64] | None,
    until_us: int | None,
    now_us: int | None = None,
    *,
    planned_us: int = _DAY_US,
) -> tuple[str, ...]:
    """Return what is odd about the times of a log, in sentences; nothing where nothing is.

    Parameters
    ----------
    time
        Microseconds since 1970-01-01 UTC; None where there are none.
    until_us
        The end of the observation; times to come are not odd before an end that lies after all.
    now_us
        The present; None takes the clock.
    planned_us
        How far ahead of the present a time may lie.
    """
    if time is None or not len(time):
        return ()
    first, last, said = int(time.min()), int(time.max()), []
    present = (time_ns() // 1000 if now_us is None else now_us) + planned_us
    if last > present and (until_us is None or until_us <= last):
        to_come = counted(int(np.count_nonzero(time > present)), "interaction")
        said.append(f"{to_come} of {len(time):,} in the future, up to {_day(last)}: {_UNIT}.")
    if first >= -_NEAR_US and last <= _NEAR_US:
        said.append(f"All timestamps lie within {_NEAR_US // _DAY_US} days of 1970-01-01: {_UNIT}.")
    elif last >= _LONG_AFTER_US and (zeros := np.count_nonzero(np.abs(time) < _DAY_US)):
        zero = counted(int(zeros), "interaction")
        said.append(f"{zero} of {len(time):,} at 1970-01-01, which may stand for a missing time.")
    if last - first >= _CENTURY_US:
        years = (last - first) // (_CENTURY_US // 100)
        said.append(f"The timestamps span {years:,} years, {_day(first)} to {_day(last)}.")
    return tuple(said)


def _day(us: int) -> str:
    return str(np.datetime64(us, "us"))[:10]
