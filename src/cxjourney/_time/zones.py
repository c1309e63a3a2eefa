"""Conversion of local wall-clock times to UTC and back, a whole column at a time."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.exceptions import UnknownName

_SECOND = 1_000_000
_HALF_DAY = 12 * 3600
_DAY_US = 2 * _HALF_DAY * _SECOND
_OF_THE_MACHINE = ("localtime", "posixrules", "Factory", "posix/", "right/")  # none of IANA's
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""The first microsecond that `datetime` knows, year 1."""
LAST_US = (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC) - _EPOCH) // timedelta(microseconds=1)
"""The last microsecond that `datetime` knows, year 9999."""

# Whole half-days that leave `astimezone` room for any offset at both ends of the calendar.
_FIRST_HALF_DAY = FIRST_US // (_HALF_DAY * _SECOND) + 4
_LAST_HALF_DAY = LAST_US // (_HALF_DAY * _SECOND) - 4


@attrs.frozen(kw_only=True, eq=False)
class Localised:
    """Wall-clock times that were given their place on the UTC axis.

    Attributes
    ----------
    us
        Microseconds since 1970-01-01 UTC.
    n_ambiguous
        Times that the clock showed twice; the first of the two was taken.
    n_nonexistent
        Times that the clock skipped; they were read with the offset before the change.
    """

    us: NDArray[np.int64]
    n_ambiguous: int
    n_nonexistent: int


def check_zone(tz: str) -> zoneinfo.ZoneInfo:
    """Return the zone of an IANA name such as "Europe/Prague".

    Raises
    ------
    UnknownName
        If the time zone database has no such zone; names the nearest ones.
    """
    try:
        return zoneinfo.ZoneInfo("" if tz.startswith(_OF_THE_MACHINE) else tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        known = sorted(
            zone for zone in zoneinfo.available_timezones() if not zone.startswith(_OF_THE_MACHINE)
        )
        raise UnknownName.among(
            "time zone", tz, known, where="the time zone database (tz=)"
        ) from None


def localise(local_us: NDArray[np.int64], tz: str) -> Localised:
    """Turn wall-clock microseconds of zone `tz` into UTC microseconds.

    Parameters
    ----------
    local_us
        What the clock showed, as microseconds since 1970-01-01 00:00 of the same clock; within
        the years 1 to 9999.
    tz
        IANA name of the zone.

    Returns
    -------
    Localised
        UTC microseconds and the counts of ambiguous and of skipped times.

    Raises
    ------
    UnknownName
        If the time zone database has no such zone.

    Notes
    -----
    Both doubtful cases follow `datetime` with `fold=0`: in the hour that is shown twice the
    earlier instant is meant, and a time in the skipped hour keeps the offset from before it.

    Examples
    --------
    >>> import numpy as np
    >>> from cxjourney._time.zones import localise
    >>> noon = np.array(["2024-07-01T12:00"], dtype="M8[us]").view(np.int64)
    >>> localise(noon, "Europe/Prague").us.view("M8[us]").astype("M8[m]").astype(str).tolist()
    ['2024-07-01T10:00']
    """
    zone = check_zone(tz)
    if zone.key == "UTC" or not len(local_us):
        return Localised(us=local_us, n_ambiguous=0, n_nonexistent=0)
    first, at, before, after = _changes(zone, _days(local_us))
    if not len(at):
        return Localised(us=local_us - first * _SECOND, n_ambiguous=0, n_nonexistent=0)
    # With fold=0 the old offset holds until the clock is past both the gap and the overlap.
    wall = (at + np.maximum(before, after)) * _SECOND
    offsets = np.concatenate([[first], after])
    us = local_us - offsets[np.searchsorted(wall, local_us, side="right")] * _SECOND
    low = (at + np.minimum(before, after)) * _SECOND
    change = np.searchsorted(wall, local_us, side="right").clip(max=len(at) - 1)
    doubtful = (low[change] <= local_us) & (local_us < wall[change])
    back = (after < before)[change]
    return Localised(
        us=us,
        n_ambiguous=int(np.count_nonzero(doubtful & back)),
        n_nonexistent=int(np.count_nonzero(doubtful & ~back)),
    )


def to_local(utc_us: NDArray[np.int64], tz: str) -> NDArray[np.int64]:
    """Turn UTC microseconds into what the clock of zone `tz` showed, as microseconds.

    Parameters
    ----------
    utc_us
        Microseconds since 1970-01-01 UTC, within the years 1 to 9999.
    tz
        IANA name of the zone.

    Raises
    ------
    UnknownName
        If the time zone database has no such zone.

    Examples
    --------
    >>> import numpy as np
    >>> from cxjourney._time.zones import to_local
    >>> late = np.array(["2024-07-01T23:30"], dtype="M8[us]").view(np.int64)
    >>> to_local(late, "Europe/Prague").view("M8[us]").astype("M8[m]").astype(str).tolist()
    ['2024-07-02T01:30']
    """
    zone = check_zone(tz)
    if zone.key == "UTC" or not len(utc_us):
        return utc_us
    first, at, _, after = _changes(zone, _days(utc_us))
    offsets = np.concatenate([[first], after])
    shift: NDArray[np.int64] = offsets[np.searchsorted(at * _SECOND, utc_us, side="right")]
    return utc_us + shift * _SECOND


def _days(us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct days since the epoch, without sorting the column."""
    days = us // _DAY_US
    first = int(days.min())
    seen = np.zeros(int(days.max()) - first + 1, dtype=bool)
    seen[days - first] = True
    return np.flatnonzero(seen) + first


def _changes(
    zone: zoneinfo.ZoneInfo, days: NDArray[np.int64]
) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the first offset, and when it changes near these days, from what, and to what [s].

    The offset is looked up twice a day on the days that the data has and two days around, so
    that a log of one week costs as little as it should, whatever century it is of.
    """
    around = (2 * days[:, None] + np.arange(-4, 6)).ravel()
    grid = np.unique(around.clip(_FIRST_HALF_DAY, _LAST_HALF_DAY))
    offsets = np.array([_offset(zone, int(h) * _HALF_DAY) for h in grid], dtype=np.int64)
    steps = np.flatnonzero(offsets[1:] != offsets[:-1])
    at = [
        _bisect(zone, int(grid[k]) * _HALF_DAY, int(grid[k + 1]) * _HALF_DAY, int(offsets[k]))
        for k in steps
    ]
    return int(offsets[0]), np.array(at, dtype=np.int64), offsets[steps], offsets[steps + 1]


def _bisect(zone: zoneinfo.ZoneInfo, low: int, high: int, old: int) -> int:
    """Return the second at which the offset stops being `old`.

    Where the data has a hole, several changes may lie between `low` and `high`; any point
    inside then serves, as no time falls there.
    """
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == old:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: zoneinfo.ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)
