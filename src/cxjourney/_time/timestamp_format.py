"""The grammar of timestamps: ISO 8601 and `strptime` formats, one string at a time."""

from __future__ import annotations

import math
import re
import string
from datetime import UTC, datetime
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING

from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Moment = tuple[int, bool]
"""Microseconds since 1970-01-01, and whether they are UTC or what a clock showed."""

_SECOND = 1_000_000
_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = {name[:3]: number for number, name in enumerate(_MONTHS, start=1)}
_ZONE = "(?i:z|utc|gmt)|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?"
_OFFSET = re.compile("([+-])([0-9]{2}):?([0-9]{2})?:?([0-9]{2})?")
_ISO = re.compile(
    "([0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)?"
    "|[0-9]{8}(?:[Tt ][0-9]{4}(?:[0-9]{2}(?:[.,][0-9]+)?)?)?)"
    rf"[ \t]*({_ZONE})?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_WIDTHS = {"%Y": 4, "%y": 2} | dict.fromkeys(("%m", "%d", "%H", "%I", "%M", "%S"), 2)
_DIGITS = {*_WIDTHS, "%f", "%s", "%Q", "%q"}
_FAR = 300_000_000_000_000_000  # microseconds, beyond the year 9999
_EPOCHS = ("%s", "%Q", "%q")
_SAYING = (("%Y", "%y"), ("%m", "%b"), ("%H", "%I"), _EPOCHS)  # the same
# possessive, since a format is read from left to right and never has second thoughts
_DIRECTIVES = {
    "%Y": "([0-9]{4})", "%y": "([0-9]{2})", "%m": "([0-9]{1,2}+)", "%d": "([0-9]{1,2}+)",
    "%b": f"((?>(?i:{'|'.join((*_MONTHS, *_MONTH))})))",
    "%a": "([A-Za-z]{1,9}+)", "%H": "([0-9]{1,2}+)", "%I": "([0-9]{1,2}+)", "%p": "((?i:am|pm))",
    "%M": "([0-9]{1,2}+)", "%S": "([0-9]{1,2}+)", "%f": "([0-9]{1,9}+)", "%z": f"((?>{_ZONE}))",
    "%s": "(-?[0-9]{1,12}+)", "%Q": "(-?[0-9]{1,15}+)", "%q": "(-?[0-9]{1,18}+)",
}  # fmt: skip
_UNSAID = {
    "%Y": "1970", "%y": "", "%m": "1", "%b": "", "%d": "1", "%a": "", "%H": "0", "%p": "",
    "%I": "0", "%M": "0", "%S": "0", "%f": "", "%z": "", "%s": "", "%Q": "", "%q": "",
}  # fmt: skip
_SAME = {"%B": "%b", "%A": "%a", "%Z": "%z"}


def read_iso(timestamp: str) -> Moment | None:
    """Read ISO 8601 in the forms that `to_utc_us` lists; None is no timestamp.

    Parameters
    ----------
    timestamp
        Without blanks around it.
    """
    found = _ISO.fullmatch(timestamp)
    if found is None:
        return None
    if found[1].replace("-", "")[9:11] == "24":  # some versions of Python take it for midnight
        return None
    try:
        moment = datetime.fromisoformat(found[1])
    except ValueError:  # no date of the calendar, or no time of the day
        return None
    return _placed(moment, found[2])


def format_reader(fmt: str) -> Callable[[str], Moment | None]:
    """Return a function that reads a string of the `strptime` format `fmt`, or gives None.

    Raises
    ------
    InvalidValue
        If the format has an unknown directive, neither a year nor a time since the epoch, or two
        directives that say the same or share digits.
    """
    steps = list(_steps(fmt.strip()))
    known = {*_DIRECTIVES, *_SAME, "%%"}
    unknown = [s for s in steps if s[0] == "%" and s not in known]
    if unknown:
        rule = f"use only the directives {' '.join(sorted(known))}; {unknown[0]!r} is not one"
        raise InvalidValue.of("timestamp_format", rule, fmt)
    if not {"%Y", "%y", *_EPOCHS} & set(steps):
        raise InvalidValue.of("timestamp_format", "hold a year (%Y, %y) or %s, %Q or %q", fmt)
    if ("%I" in steps) != ("%p" in steps):
        raise InvalidValue.of("timestamp_format", "hold %I and %p together or neither", fmt)
    directives = [_SAME.get(step, step) for step in steps]
    said = [directive for directive in directives if directive in _DIRECTIVES]
    _check_sayings(said, fmt)
    around = zip(["", *directives], directives, [*directives[1:], ""], strict=False)
    patterns = [_pattern(*steps_around) for steps_around in around]
    if None in patterns:
        rule = f"part {directives[patterns.index(None)]} from the digits beside it"
        raise InvalidValue.of("timestamp_format", rule, fmt)
    match = re.compile("".join(map(str, patterns)), re.ASCII).fullmatch
    # after what the string says comes what holds where it says nothing
    at = {directive: place for place, directive in enumerate(_UNSAID, start=len(said))}
    at |= {directive: place for place, directive in enumerate(said)}
    parts_of = itemgetter(*(at[directive] for directive in _UNSAID))
    unsaid = tuple(_UNSAID.values())

    def read(timestamp: str) -> Moment | None:
        found = match(timestamp)
        if found is None:
            return None
        try:
            return _moment(*parts_of(found.groups() + unsaid))
        except ValueError:  # no date of the calendar, or no time of the day
            return None

    return read


def _steps(fmt: str) -> Iterator[str]:
    """Cut a format into directives and single characters."""
    characters = iter(fmt)
    for character in characters:
        yield character + next(characters, "") if character == "%" else character


def _check_sayings(said: list[str], fmt: str) -> None:
    """Refuse directives that say one thing twice, and others beside a time since the epoch."""
    for same in (*_SAYING, *((directive,) for directive in _DIRECTIVES)):
        twice = [directive for directive in said if directive in same]
        if len(twice) > 1:
            rule = f"say each thing once; {' and '.join(twice)} are the same"
            raise InvalidValue.of("timestamp_format", rule, fmt)
    for epoch in (directive for directive in said if directive in _EPOCHS):
        if set(said) - {epoch, "%f" if epoch == "%s" else ""}:
            rule = f"have no other directive beside {epoch}, a whole time since 1970"
            raise InvalidValue.of("timestamp_format", rule, fmt)


def _pattern(before: str, step: str, after: str) -> str | None:
    """Return the pattern of a step between two others; None where its digits would be shared.

    Between digits a directive of a known width takes all of it, and %f may only be the last.
    """
    if step not in _DIRECTIVES:
        return r"[ \t]++" if step in string.whitespace else re.escape(step[-1])
    preceded, followed = _ends_in_digits(before), after.isdigit() or after in _DIGITS
    if step in _WIDTHS:
        return f"([0-9]{{{_WIDTHS[step]}}})" if preceded or followed else _DIRECTIVES[step]
    shared = followed if step in {"%f", "%z"} else step in _DIGITS and (preceded or followed)
    return None if shared else _DIRECTIVES[step]


def _ends_in_digits(step: str) -> bool:
    return step.isdigit() or step in _DIGITS or step == "%z"


def epoch_reader(length: float) -> Callable[[str], Moment | None]:
    """Return a function that reads a number of units since 1970 as a moment, or gives None.

    Parameters
    ----------
    length
        The length of the unit [µs].
    """
    unit = Decimal(str(length))

    def read(timestamp: str) -> Moment | None:
        if _NUMBER.fullmatch(timestamp) is None:
            return None
        us = Decimal(timestamp) * unit
        return (math.floor(us), True) if abs(us) < _FAR else None

    return read


def _moment(  # noqa: PLR0917 - in the order of the directives
    year: str,
    short_year: str,
    month: str,
    month_name: str,
    day: str,
    _: str,
    hour: str,
    half: str,
    hour_of_half: str,
    minute: str,
    second: str,
    fraction: str,
    zone: str,
    epoch_s: str,
    epoch_ms: str,
    epoch_us: str,
) -> Moment | None:
    """Return the moment of what the directives have read; None is no time.

    Raises
    ------
    ValueError
        If it is no date of the calendar or no time of the day.
    """
    years, hours = int(year), int(hour)
    if short_year:
        years = int(short_year)
        years += 2000 if years < 69 else 1900  # POSIX
    if half:
        hours = int(hour_of_half)
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    moment = datetime(  # noqa: DTZ001 - its zone is read apart
        years,
        _MONTH[month_name[:3].lower()] if month_name else int(month),
        int(day),
        hours,
        int(minute),
        int(second),
        int(fraction[:6].ljust(6, "0")),
    )
    if epoch_s:
        return int(epoch_s) * _SECOND + moment.microsecond * (-1 if epoch_s[0] == "-" else 1), True
    if epoch_ms or epoch_us:
        return int(epoch_ms or 0) * 1000 + int(epoch_us or 0), True
    return _placed(moment, zone or None)


def _placed(moment: datetime, zone: str | None) -> Moment | None:
    """Return a clock's time in microseconds, less the offset of its zone; None is no zone."""
    days = moment.toordinal() - _EPOCH_DAY
    seconds = ((days * 24 + moment.hour) * 60 + moment.minute) * 60 + moment.second
    us = seconds * _SECOND + moment.microsecond
    if zone is None:
        return us, False
    found = _OFFSET.fullmatch(zone)
    if found is None:  # Z, UTC or GMT
        return us, True
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    offset = ((hours * 60 + minutes) * 60 + seconds) * _SECOND
    return us + (offset if found[1] == "-" else -offset), True
