"""The grammar of timestamps: ISO 8601 and `strptime` formats, read down a column."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["Fields", "Scanner", "read_format", "read_iso"]

_SECOND = 1_000_000
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_ZERO_OFFSETS = ("z", "utc", "gmt")
_NAMED = 9  # letters of the longest month and of the longest day


class Scanner:
    """A cursor in each row of a column of strings; a row whose text does not fit stops counting.

    Parameters
    ----------
    strings
        Array of str, unicode or object.
    longest
        Characters that are looked at; a longer string never fits.
    """

    __slots__ = ("_at", "_chars", "_end", "_start", "ok")

    def __init__(self, strings: NDArray[Any], *, longest: int) -> None:
        n = len(strings)
        length = np.fromiter(map(len, strings), dtype=np.int64, count=n)
        width = max(1, min(int(length.max(initial=0)), longest))
        chars = np.zeros((n, width + 1), dtype=np.uint32)  # a zero at the end stops every read
        chars[:, :width] = strings.astype(f"U{width}").view(np.uint32).reshape(n, width)
        self._chars = chars.ravel()
        self._start = np.arange(n, dtype=np.int64) * (width + 1)
        self._end = self._start + np.minimum(length, width)
        self._at = self._start.copy()
        self.ok = length <= width
        self.blanks()

    def peek(self, ahead: int = 0) -> NDArray[np.uint32]:
        """Return the character at each cursor, 0 past the end."""
        at = self._at if not ahead else np.minimum(self._at + ahead, self._end)
        return self._chars[at]

    def at_end(self) -> NDArray[np.bool_]:
        """Return which cursors have reached the end of their text."""
        return np.equal(self._at, self._end)

    def finished(self) -> NDArray[np.bool_]:
        """Return which strings fitted and were read to their end, but for blanks."""
        self.blanks()
        return self.ok & self.at_end()

    def skip(self, rows: NDArray[np.bool_], count: int = 1) -> None:
        """Move the cursors of `rows` on."""
        self._at += count * rows

    def blanks(self) -> NDArray[np.bool_]:
        """Move past blanks and tabs; return which rows had any."""
        start = self._at.copy()
        while (here := _is_blank(self.peek()) & ~self.at_end()).any():
            self.skip(here)
        return np.greater(self._at, start)

    def literal(self, characters: str, *, where: NDArray[np.bool_] | None = None) -> None:
        """Read one of `characters`; a row of `where` without it does not fit."""
        hit = self.has(characters)
        self.ok &= hit if where is None else hit | ~where
        self.skip(hit if where is None else hit & where)

    def has(self, characters: str, ahead: int = 0) -> NDArray[np.bool_]:
        """Return which cursors stand before one of `characters`."""
        here = self.peek(ahead)
        hit: NDArray[np.bool_] = here == ord(characters[0])
        for character in characters[1:]:
            hit |= here == ord(character)
        return hit

    def has_digit(self, ahead: int = 0) -> NDArray[np.bool_]:
        """Return which cursors stand before an ASCII digit."""
        return _is_digit(self.peek(ahead))

    def word(self, text: str, *, where: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Read `text` in any case where it stands; return where it stood."""
        hit = np.ones(len(self._at), dtype=bool) if where is None else where.copy()
        for ahead, letter in enumerate(text):
            hit &= self.has(letter.lower() + letter.upper(), ahead)
        self.skip(hit, len(text))
        return hit

    def number(
        self, least: int, most: int, *, where: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Read `least` to `most` digits; return the numbers and how many digits each had."""
        value = np.zeros(len(self._at), dtype=np.int64)
        digits = np.zeros(len(self._at), dtype=np.int64)
        reading = np.ones(len(self._at), dtype=bool) if where is None else where
        for _ in range(most):
            here = self.peek()
            reading = reading & _is_digit(here)
            if not reading.any():
                break
            value = np.where(reading, value * 10 + here - ord("0"), value)
            digits += reading
            self._at += reading
        short = digits < least
        self.ok &= ~(short if where is None else short & where)
        return value, digits


def _is_digit(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return np.greater_equal(codes, ord("0")) & np.less_equal(codes, ord("9"))


def _is_blank(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return np.equal(codes, ord(" ")) | np.equal(codes, ord("\t"))


class Fields:
    """The parts read from a column of timestamps; `us` and `offset` are in microseconds."""

    __slots__ = (
        "aware", "day", "epoch_us", "hour", "minute", "month", "offset", "ok", "second", "us_part",
        "year",
    )  # fmt: skip

    def __init__(self, n: int) -> None:
        zero = np.zeros(n, dtype=np.int64)
        self.year = zero + 1970
        self.month = self.day = zero + 1
        self.hour = self.minute = self.second = self.us_part = self.offset = zero
        self.epoch_us = zero
        self.aware = np.zeros(n, dtype=bool)
        self.ok = np.ones(n, dtype=bool)

    def valid(self) -> NDArray[np.bool_]:
        """Return which rows are a date of the calendar and a time of the day."""
        first, following = self._month_start(0), self._month_start(1)
        return (
            self.ok
            & (self.year >= 1)
            & (self.year <= 9999)
            & (self.month >= 1)
            & (self.month <= 12)
            & (self.day >= 1)
            & (self.day <= following - first)
            & (self.hour <= 23)
            & (self.minute <= 59)
            & (self.second <= 59)
        )

    def us(self) -> NDArray[np.int64]:
        """Return microseconds since the epoch: UTC where `aware`, else as the clock showed."""
        days = self._month_start(0) + self.day - 1
        seconds = ((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second
        return seconds * _SECOND + self.us_part - self.offset + self.epoch_us

    def _month_start(self, later: int) -> NDArray[np.int64]:
        months = (self.year - 1970) * 12 + self.month - 1 + later
        return months.view("M8[M]").astype("M8[D]").view(np.int64)


def read_iso(scan: Scanner) -> Fields:
    """Read ISO 8601 in the forms that `to_utc_us` lists."""
    fields = Fields(len(scan.ok))
    fields.year, _ = scan.number(4, 4)
    scan.literal("-")
    fields.month, _ = scan.number(2, 2)
    scan.literal("-")
    fields.day, _ = scan.number(2, 2)
    timed = scan.has("Tt ") & scan.has_digit(1)
    scan.skip(timed)
    fields.hour, _ = scan.number(2, 2, where=timed)
    scan.literal(":", where=timed)
    fields.minute, _ = scan.number(2, 2, where=timed)
    with_seconds = timed & scan.has(":")
    scan.skip(with_seconds)
    fields.second, _ = scan.number(2, 2, where=with_seconds)
    with_fraction = with_seconds & scan.has(".,")
    scan.skip(with_fraction)
    fields.us_part = _fraction(scan, with_fraction)
    scan.blanks()
    _read_zone(scan, fields, required=False)
    return fields


def _fraction(scan: Scanner, where: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    value, digits = scan.number(1, 6, where=where)
    value *= np.array([10**k for k in range(6, -1, -1)])[digits]
    scan.number(0, 3 if where is None else 57, where=where)  # finer than a microsecond: cut off
    return value


def _read_zone(scan: Scanner, fields: Fields, *, required: bool) -> None:
    """Read `Z`, `UTC`, `GMT` or an offset into `fields`."""
    named = np.zeros(len(scan.ok), dtype=bool)
    if not scan.at_end().all():
        for word in _ZERO_OFFSETS:
            named |= scan.word(word, where=~named & ~scan.at_end())
    minus = scan.has("-") & ~named
    signed = minus | (scan.has("+") & ~named)
    if signed.any():
        scan.skip(signed)
        hours, _ = scan.number(2, 2, where=signed)
        scan.skip(signed & scan.has(":") & scan.has_digit(1))
        with_minutes = signed & scan.has_digit()
        minutes, _ = scan.number(2, 2, where=with_minutes)
        with_seconds = with_minutes & scan.has(":")
        scan.skip(with_seconds)
        seconds, _ = scan.number(2, 2, where=with_seconds)
        fields.ok &= (hours < 24) & (minutes < 60) & (seconds < 60)
        offset = ((hours * 60 + minutes) * 60 + seconds) * _SECOND
        fields.offset = np.where(minus, -offset, offset)
    fields.aware = named | signed
    if required:
        fields.ok &= fields.aware


def read_format(fmt: str) -> Callable[[Scanner], Fields]:
    """Return a reader of the `strptime` format `fmt`.

    Raises
    ------
    InvalidValue
        If the format has an unknown directive, or neither a year nor a time since the epoch.
    """
    steps = list(_steps(fmt.strip()))
    known = {*_DIRECTIVES, "%%"}
    unknown = [s for s in steps if s[0] == "%" and s not in known]
    if unknown:
        rule = f"use only the directives {' '.join(sorted(known))}; {unknown[0]!r} is not one"
        raise InvalidValue.of("timestamp_format", rule, fmt)
    if not {"%Y", "%y", "%s", "%Q"} & set(steps):
        raise InvalidValue.of("timestamp_format", "hold a year (%Y, %y) or %s or %Q", fmt)
    if ("%I" in steps) != ("%p" in steps):
        raise InvalidValue.of("timestamp_format", "hold %I and %p together or neither", fmt)

    def read(scan: Scanner) -> Fields:
        fields = Fields(len(scan.ok))
        for step in steps:
            if step in _DIRECTIVES:
                _DIRECTIVES[step](scan, fields)
            elif step in string.whitespace:
                scan.ok &= scan.blanks()
            else:
                scan.literal(step[-1])
        if "%p" in steps:  # the hour of the day is known only when both have been read
            fields.ok &= (fields.hour % 100 >= 1) & (fields.hour % 100 <= 12)
            fields.hour = fields.hour % 100 % 12 + 12 * (fields.hour >= 100)
        return fields

    return read


def _steps(fmt: str) -> Iterator[str]:
    """Cut a format into directives and single characters."""
    characters = iter(fmt)
    for character in characters:
        yield character + next(characters, "") if character == "%" else character


def _year(scan: Scanner, fields: Fields) -> None:
    fields.year, _ = scan.number(4, 4)


def _short_year(scan: Scanner, fields: Fields) -> None:
    year, _ = scan.number(2, 2)
    fields.year = year + np.where(year < 69, 2000, 1900)  # POSIX


def _month(scan: Scanner, fields: Fields) -> None:
    fields.month, _ = scan.number(1, 2)


def _day(scan: Scanner, fields: Fields) -> None:
    fields.day, _ = scan.number(1, 2)


def _hour(scan: Scanner, fields: Fields) -> None:
    hour, _ = scan.number(1, 2)
    fields.hour = fields.hour + hour


def _half(scan: Scanner, fields: Fields) -> None:
    afternoon = scan.word("pm")
    fields.ok &= scan.word("am", where=~afternoon) | afternoon
    fields.hour = fields.hour + 100 * afternoon  # a mark: %p may stand before %I


def _minute(scan: Scanner, fields: Fields) -> None:
    fields.minute, _ = scan.number(1, 2)


def _second(scan: Scanner, fields: Fields) -> None:
    fields.second, _ = scan.number(1, 2)


def _microsecond(scan: Scanner, fields: Fields) -> None:
    fields.us_part = _fraction(scan, None)


def _zone(scan: Scanner, fields: Fields) -> None:
    _read_zone(scan, fields, required=True)


def _month_name(scan: Scanner, fields: Fields) -> None:
    month = np.zeros(len(scan.ok), dtype=np.int64)
    for number, name in enumerate(_MONTHS, start=1):
        # the whole name first: "%b" also reads "March", "%B" also reads "Mar"
        hit = scan.word(name, where=month == 0)
        hit |= scan.word(name[:3], where=(month == 0) & ~hit)
        month[hit] = number
    fields.ok &= month > 0
    fields.month = np.maximum(month, 1)


def _day_name(scan: Scanner, fields: Fields) -> None:
    """Skip the name of a day: the date says which day it is."""
    start = scan.has(string.ascii_letters)
    fields.ok &= start
    for _ in range(_NAMED):
        scan.skip(scan.has(string.ascii_letters))


def _epoch(unit: int, most: int) -> Callable[[Scanner, Fields], None]:
    def read(scan: Scanner, fields: Fields) -> None:
        minus = scan.has("-")
        scan.skip(minus)
        value, _ = scan.number(1, most)
        value *= unit
        fields.epoch_us = np.where(minus, -value, value)
        fields.aware = np.ones(len(scan.ok), dtype=bool)

    return read


_DIRECTIVES: dict[str, Callable[[Scanner, Fields], None]] = {
    "%Y": _year, "%y": _short_year, "%m": _month, "%b": _month_name, "%B": _month_name,
    "%d": _day, "%a": _day_name, "%A": _day_name, "%H": _hour, "%I": _hour, "%p": _half,
    "%M": _minute, "%S": _second, "%f": _microsecond, "%z": _zone, "%Z": _zone,
    "%s": _epoch(_SECOND, 12), "%Q": _epoch(1000, 15),
}  # fmt: skip
