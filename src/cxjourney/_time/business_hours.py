"""Business hours of a service, and the share of a stretch of time that falls into them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

from cxjourney._support.validation import check_name, duration_us
from cxjourney._time.calendar import instant
from cxjourney._time.zones import check_zone, localise
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

Day = tuple[tuple[time, time], ...]
"""Opening and closing times of one day of the week; closing at midnight is `time(0)`."""

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
_DAY_US = duration_us(_DAY)
_EPOCH = date(1970, 1, 1)


def _since_midnight(moment: time) -> int:
    return duration_us(
        timedelta(
            hours=moment.hour,
            minutes=moment.minute,
            seconds=moment.second,
            microseconds=moment.microsecond,
        )
    )


def _spans(day: Day) -> list[tuple[int, int]]:
    return [(_since_midnight(opens), _since_midnight(closes) or _DAY_US) for opens, closes in day]


def _day(spans: Iterable[Iterable[time]]) -> Day:
    """Return lists of spans as tuples, and anything else as it is: it is judged by its day."""
    if isinstance(spans, (list, tuple)) and all(isinstance(s, (list, tuple)) for s in spans):
        return tuple(map(tuple, spans))  # judged below
    return spans  # type: ignore[return-value]  # judged below


def _check_spans(day: Day, name: str) -> None:
    right = isinstance(day, tuple) and all(
        isinstance(span, tuple)
        and len(span) == 2
        and all(isinstance(moment, time) for moment in span)
        for span in day
    )
    if not right:
        rule = "hold pairs of datetime.time, as in ((time(9), time(17)),)"
        raise InvalidValue.of(name, rule, day)


def _holidays(days: Iterable[date]) -> frozenset[date]:
    if isinstance(days, str) or not isinstance(days, Iterable):
        raise InvalidValue.of("holidays", "be datetime.date objects", days)
    found = list(days)
    for day in found:
        if isinstance(day, datetime) or not isinstance(day, date):
            raise InvalidValue.of("holidays", "be datetime.date objects", day)
    return frozenset(found)


@attrs.frozen(kw_only=True)
class BusinessHours:
    """A weekly schedule in a time zone, without the holidays.

    Parameters
    ----------
    time_zone
        IANA name of the zone in which the schedule is meant, such as "Europe/Warsaw".
    monday, tuesday, wednesday, thursday, friday, saturday, sunday
        Opening and closing times, in order, without overlap; empty for a closed day. Closing at
        midnight is `time(0)`. A night shift is two spans: until midnight, and from midnight.
    holidays
        Days that are closed whatever the weekday.

    Raises
    ------
    InvalidValue
        If a span ends before it begins, spans overlap, or the schedule is never open.
    UnknownName
        If the zone does not exist.

    Notes
    -----
    Hours are those that pass, not those that the clock shows: a day open round the clock has 23
    hours when daylight saving begins and 25 when it ends. A time that the clock skips is read with
    the offset before the change, one that it shows twice is the first of the two.

    Examples
    --------
    >>> from datetime import time
    >>> office = BusinessHours.weekdays(time(9), time(17), time_zone="Europe/Warsaw")
    >>> office.friday
    ((datetime.time(9, 0), datetime.time(17, 0)),)
    """

    time_zone: str
    monday: Day = attrs.field(default=(), converter=_day)
    tuesday: Day = attrs.field(default=(), converter=_day)
    wednesday: Day = attrs.field(default=(), converter=_day)
    thursday: Day = attrs.field(default=(), converter=_day)
    friday: Day = attrs.field(default=(), converter=_day)
    saturday: Day = attrs.field(default=(), converter=_day)
    sunday: Day = attrs.field(default=(), converter=_day)
    holidays: frozenset[date] = attrs.field(default=frozenset(), converter=_holidays)

    def __attrs_post_init__(self) -> None:
        check_zone(check_name(self.time_zone, "time_zone"))
        for name, day in zip(_WEEKDAYS, self._week, strict=True):
            _check_spans(day, name)
            edges = [edge for span in _spans(day) for edge in span]
            if any(moment.tzinfo is not None for span in day for moment in span):
                raise InvalidValue.of(name, "hold times without a zone (see time_zone)", day)
            if any(b <= a for a, b in zip(edges[::2], edges[1::2], strict=True)):
                raise InvalidValue.of(name, "close after it opens (split a night shift)", day)
            if any(b < a for a, b in zip(edges[1::2], edges[2::2], strict=False)):
                raise InvalidValue.of(name, "list its spans in order, without overlap", day)
        if not any(self._week):
            raise InvalidValue.of("BusinessHours", "be open at some time of the week", self._week)

    @classmethod
    def weekdays(
        cls, opens: time, closes: time, *, time_zone: str, holidays: Iterable[date] = ()
    ) -> Self:
        """Return a schedule from Monday to Friday with the same hours every day."""
        day = ((opens, closes),)
        return cls(
            time_zone=time_zone,
            monday=day,
            tuesday=day,
            wednesday=day,
            thursday=day,
            friday=day,
            holidays=holidays,
        )

    @property
    def _week(self) -> tuple[Day, ...]:
        return tuple(getattr(self, name) for name in _WEEKDAYS)

    def open_time(self, start: datetime, end: datetime) -> timedelta:
        """Return how much of the time from `start` to `end` is open.

        Parameters
        ----------
        start, end
            Timestamps with a zone, `end` not before `start`.

        Raises
        ------
        InvalidValue
            If a timestamp has no zone, or `end` is before `start`.

        Examples
        --------
        >>> from datetime import UTC, datetime, time
        >>> office = BusinessHours.weekdays(time(9), time(17), time_zone="Europe/Warsaw")
        >>> friday = datetime(2026, 1, 9, 15, tzinfo=UTC)  # an hour before closing
        >>> monday = datetime(2026, 1, 12, 9, tzinfo=UTC)  # an hour after opening
        >>> office.open_time(friday, monday)
        datetime.timedelta(seconds=7200)
        """
        for name, timestamp in (("start", start), ("end", end)):
            if not isinstance(timestamp, datetime) or timestamp.tzinfo is None:
                raise InvalidValue.of(name, "be a datetime with a time zone", timestamp)
        first, last = instant(start, "start"), instant(end, "end")
        if last < first:
            raise InvalidValue.of("end", "not be before start", end)
        elapsed = self.elapsed_us(np.array([first]), np.array([last]))
        return timedelta(microseconds=int(elapsed[0]))

    def elapsed_us(
        self, start_us: NDArray[np.int64], end_us: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the open microseconds between timestamps, a column at a time.

        Parameters
        ----------
        start_us, end_us
            Microseconds since 1970-01-01 UTC.
        """
        if not len(start_us):
            return np.zeros(0, dtype=np.int64)
        opens, closes = self._spans_between(
            int(min(start_us.min(), end_us.min())), int(max(start_us.max(), end_us.max()))
        )
        if not len(opens):  # holidays all along
            return np.zeros(len(start_us), dtype=np.int64)
        before = np.concatenate([[0], np.cumsum(closes - opens)])

        def open_until(us: NDArray[np.int64]) -> NDArray[np.int64]:
            span = np.searchsorted(opens, us, side="right")
            last = np.maximum(span - 1, 0)
            inside = np.clip(us - opens[last], 0, closes[last] - opens[last])
            total: NDArray[np.int64] = np.where(span > 0, before[last] + inside, 0)
            return total

        return open_until(end_us) - open_until(start_us)

    def _spans_between(
        self, first_us: int, last_us: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return opening and closing of every span on the days of these timestamps [UTC µs]."""
        # two days more on either side: a zone may be a day away from UTC
        days = np.arange(first_us // _DAY_US - 2, last_us // _DAY_US + 3)
        shut = np.array([(day - _EPOCH).days for day in self.holidays], dtype=np.int64)
        days = days[~np.isin(days, shut)]
        weekday = (days + _EPOCH.weekday()) % 7
        local = [
            (day_us + opens, day_us + closes)
            for number, day in enumerate(self._week)
            for opens, closes in _spans(day)
            for day_us in (days[weekday == number] * _DAY_US).tolist()
        ]
        edges = np.array(sorted(local), dtype=np.int64).reshape(-1, 2)
        opens = localise(np.ascontiguousarray(edges[:, 0]), self.time_zone).us
        closes = localise(np.ascontiguousarray(edges[:, 1]), self.time_zone).us
        # where the clock skips or repeats an hour, a span may shrink to nothing, or meet the next
        opens = np.maximum(opens, np.concatenate([opens[:1], np.maximum.accumulate(closes)[:-1]]))
        return opens, np.maximum(closes, opens)
