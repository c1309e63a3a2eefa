"""Facts about columns: times, numbers, ids, names or text, with the evidence."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from time import time_ns
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.units import EPOCH_UNITS
from cxjourney._time.timestamp_format import epoch_reader, format_reader, read_iso
from cxjourney._time.zones import FIRST_US, LAST_US
from cxjourney.io._cells import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cxjourney._time.timestamp_format import Moment

ISO = "ISO 8601"
_DATES = (
    "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y",
    "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y",
    "%d/%b/%Y", "%d/%b/%y",
    "%b %d, %Y", "%b %d %Y", "%a, %d %b %Y", "%a %b %d %Y", "%d. %b %Y", "%Y %b %d",
)  # fmt: skip
_CLOCKS = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
_BETWEEN = (" ", ", ", "T", " at ")
_DIRECTIVE = re.compile(r"%[a-zA-Z]")
_RUN = re.compile(r"[0-9]+|[^\W\d_]+")
_ZONE = re.compile(r"(?<=[0-9MmPpAa])([ ]?)(?:[Zz]|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})$")
_OFFSET = re.compile(r"(?:(?i:z|utc|gmt)|[+-][0-9]{2}(?::?[0-9]{2})?)\Z")
_LONGEST = 64
_TRIED = 2_000  # distinct strings, to choose a format by
_LIKE_NUMBER = re.compile(r"[+-]?[0-9]+(?:[., \u00a0\u202f’][0-9]+)*(?:[eE][+-]?[0-9]{1,2})?")
_THOUSANDS = re.compile(r"[+-]?[0-9]+,[0-9]{3}")  # or three decimals, which nothing tells
_GROUPED = re.compile(
    r"[^0-9]{0,4}[+-]?[0-9]{1,3}(?:[.,' \u00a0\u202f][0-9]{3})*(?:[.,][0-9]+)?[^0-9]{0,4}"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SHAPES = (
    ("an e-mail address", _EMAIL),
    ("a time of the day", re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?: ?[AaPp][Mm])?")),
    ("a UUID", re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")),
    ("digits with signs between", re.compile(r"(?=.*[+ ()-])\+?[0-9][0-9 ()/-]{7,}[0-9]")),
    ("an IP address", re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")),
    ("an address of a page", re.compile(r"(?i)https?://.*")),
)
_TEXT_LENGTH = 40  # characters, the mean of what is written freely
_DAY_US = 86_400_000_000
_EARLIEST_US = 946_684_800_000_000  # 2000-01-01
_AHEAD = timedelta(days=366)


@attrs.frozen(kw_only=True)
class TimeReading:
    """A way to read a column as times, and what comes out.

    `form` is ISO 8601, a `strptime` format or a unit of numbers; `share` the share of the filled
    cells that it reads, `with_zone` the share of those that tell their zone.
    """

    form: str
    share: float
    with_zone: float
    zones: tuple[str, ...]
    first_us: int
    last_us: int
    step: str
    times: tuple[int, ...] = attrs.field(repr=False, eq=False)

    @property
    def options(self) -> dict[str, str]:
        """The arguments with which a reader reads it."""
        if self.form == ISO:
            return {}
        name = "timestamp_unit" if self.form in EPOCH_UNITS else "timestamp_format"
        return {name: self.form}

    @property
    def called(self) -> str:
        """What it is in words."""
        return f"{self.form} since 1970" if self.form in EPOCH_UNITS else self.form

    @property
    def span(self) -> str:
        """From which day to which."""
        first, last = (str(np.datetime64(us, "us"))[:10] for us in (self.first_us, self.last_us))
        return first if first == last else f"{first} to {last}"


@attrs.frozen(kw_only=True)
class ColumnFacts:
    """What the cells of a column are.

    `kind` is one of "empty", "constant", "time", "number", "id", "category", "free text" and
    "nested"; `readings` holds the ways to read all that is a time, the best first, or several
    where the cells leave open which.
    """

    name: str
    n: int
    n_missing: int
    counts: Mapping[str, int] = attrs.field(repr=False, eq=False)
    kind: str
    typed: str | None
    readings: tuple[TimeReading, ...] = ()
    partly: tuple[TimeReading, ...] = ()
    numeric: float = 0.0
    decimal: str = "."
    grouped: bool = False
    whole: bool = False
    low: float = float("nan")
    high: float = float("nan")
    shape: str = ""

    @property
    def filled(self) -> int:
        """Number of the cells that hold something."""
        return self.n - self.n_missing

    @property
    def distinct(self) -> int:
        """Number of distinct values."""
        return len(self.counts)

    @property
    def missing(self) -> float:
        """Share of the rows without a value."""
        return self.n_missing / self.n if self.n else 0.0

    @property
    def time(self) -> TimeReading | None:
        """The way to read it as times, where all of it is."""
        return self.readings[0] if self.readings else None


def facts_of(name: str, cells: Sequence[str | None], typed: str | None) -> ColumnFacts:
    """Return what the cells of a column are."""
    stripped = Counter(cell.strip(" \t") for cell in cells if cell is not None)
    stripped.pop("", None)
    n, filled = len(cells), sum(stripped.values())
    base = ColumnFacts(
        name=name, n=n, n_missing=n - filled, counts=stripped, kind="empty", typed=typed
    )
    if not filled:
        return base
    if typed == "nested":
        return attrs.evolve(base, kind="nested")
    numbers = _numbers(stripped, filled)
    base = attrs.evolve(base, shape=shape_of(stripped), **numbers)
    whole, partly = _time_readings(base)
    base = attrs.evolve(base, readings=whole, partly=partly)
    return attrs.evolve(base, kind=_kind_of(base))


def _kind_of(facts: ColumnFacts) -> str:
    if facts.readings and (facts.time is None or facts.time.form not in EPOCH_UNITS):
        return "time"
    if len(facts.counts) == 1 and facts.filled > 1:
        return "constant"
    length = sum(len(value) * n for value, n in facts.counts.items()) / facts.filled
    repeated = facts.distinct < 0.5 * facts.filled
    if facts.numeric > 0.99 and not facts.whole:
        return "number"
    if length > _TEXT_LENGTH and not repeated and any(" " in value for value in facts.counts):
        return "free text"
    if facts.shape.startswith(("an e-mail", "a UUID", "digits with", "an IP")):
        return "id"
    if facts.numeric > 0.99:
        return "number" if facts.high < 100_000 else "id"
    return "category" if repeated or facts.distinct <= 12 else "id"


def _numbers(counts: Mapping[str, int], filled: int) -> dict[str, Any]:
    """Return the share of numbers, their range, and what stands before their decimals."""
    like = [value for value in counts if _LIKE_NUMBER.fullmatch(value)]
    points, commas = (
        {value: number for value in like if math.isfinite(number := number_of(value, mark))}
        for mark in (".", ",")
    )
    own = commas.keys() - points.keys()
    thousands = own and all(map(_THOUSANDS.fullmatch, own))
    by_comma = len(own) > len(points.keys() - commas.keys()) and not thousands
    read = commas if by_comma else points
    share = sum(counts[value] for value in read) / filled
    grouped = sum(n for value, n in counts.items() if _GROUPED.fullmatch(value)) / filled
    if not read:
        return {"grouped": grouped > 0.99}
    return {
        "numeric": share,
        "decimal": "," if by_comma else ".",
        "grouped": share <= 0.99 < grouped,
        "whole": all(value.is_integer() for value in read.values()),
        "low": min(read.values()),
        "high": max(read.values()),
    }


def shape_of(counts: Mapping[str, int]) -> str:
    """Return what nine in ten of the values look like, without showing one."""
    values = list(counts)[:_TRIED]
    for words, pattern in _SHAPES:
        if sum(pattern.fullmatch(value) is not None for value in values) > 0.9 * len(values):
            return words
    lengths = [len(value) for value in values]
    low, high = min(lengths), max(lengths)
    what = "digits" if all(v.isdecimal() for v in values) else "characters"
    return f"{low} {what[: -1 if low == 1 else None]}" if low == high else f"{low} to {high} {what}"


def _time_readings(
    facts: ColumnFacts,
) -> tuple[tuple[TimeReading, ...], tuple[TimeReading, ...]]:
    """Return the ways that read all cells as times, and else those that read a part of them."""
    if facts.typed == "number" or (facts.numeric == 1.0 and not _are_compact_dates(facts.counts)):
        unit = _unit_of(facts)
        return ((unit,), ()) if unit else ((), ())
    tried = list(facts.counts)[:_TRIED]
    readers: dict[str, Callable[[str], Moment | None]] = {ISO: read_iso}
    if facts.typed != "time":
        readers |= {fmt: _reader(fmt) for fmt in _candidates(tried)}
    found = []
    for form, read in readers.items():
        if any(_moment(read, value) is not None for value in tried):
            reading = _read_all(form, read, facts)
            if reading.share > 0.05:
                found.append(reading)
    found.sort(key=lambda reading: (-reading.share, reading.form != ISO))
    # formats that read every cell alike are one: the first stands for them
    unlike = [*{reading.times: reading for reading in reversed(found)}.values()][::-1]
    whole = tuple(reading for reading in unlike if reading.share == 1.0)
    return whole, () if whole else tuple(unlike)


def _are_compact_dates(counts: Mapping[str, int]) -> bool:
    return all(len(value) == 8 and value.isdecimal() for value in counts)


def _unit_of(facts: ColumnFacts) -> TimeReading | None:
    """Return the unit in which all numbers are times of this century, none beyond a year ahead."""
    latest = time_ns() // 1000 + int(_AHEAD / timedelta(microseconds=1))
    for unit, length in EPOCH_UNITS.items():
        if facts.low * length >= _EARLIEST_US and facts.high * length <= latest:
            reading = _read_all(unit, epoch_reader(length), facts)
            return reading if reading.share == 1.0 else None
    return None


def _read_all(form: str, read: Callable[[str], Moment | None], facts: ColumnFacts) -> TimeReading:
    moments = {value: _moment(read, value) for value in facts.counts}
    known = {value: moment for value, moment in moments.items() if moment is not None}
    n = sum(facts.counts[value] for value in known)
    aware = [value for value, (_, in_utc) in known.items() if in_utc]
    times = tuple(us for us, _ in known.values())
    found = (_OFFSET.search(value) for value in aware[:_TRIED])
    zones = Counter(z[0] if z[0][0] in "+-" else "UTC" for z in found if z)
    return TimeReading(
        form=form,
        share=n / facts.filled,
        with_zone=sum(facts.counts[value] for value in aware) / max(n, 1),
        zones=tuple(zone for zone, _ in zones.most_common(4)),
        first_us=min(times, default=0),
        last_us=max(times, default=0),
        step=_step_of(times),
        times=times,
    )


def _moment(read: Callable[[str], Moment | None], value: str) -> Moment | None:
    """Return what the reader of the log makes of a string (see `_time.timestamps`)."""
    moment = read(value) if len(value) <= _LONGEST else None
    return moment if moment is not None and FIRST_US <= moment[0] <= LAST_US else None


def _step_of(times: Iterable[int]) -> str:
    """Return the coarsest unit of which all times are whole numbers."""
    us = np.fromiter(times, dtype=np.int64)
    for name, length in (("days", _DAY_US), ("minutes", 60_000_000), ("seconds", 1_000_000)):
        if not (us % length).any():
            return name
    return "fractions of a second"


_reader = cache(format_reader)


@cache
def _formats_by_skeleton() -> dict[str, list[str]]:
    by_skeleton: dict[str, list[str]] = {}
    for day in _DATES:
        for clock in _CLOCKS:
            for between in _BETWEEN if clock else ("",):
                fmt = f"{day}{between}{clock}"
                in_words = _DIRECTIVE.sub(lambda d: "a" if d[0] in {"%b", "%a", "%p"} else "9", fmt)
                by_skeleton.setdefault(_skeleton(in_words), []).append(fmt)
    return by_skeleton


def _skeleton(value: str) -> str:
    return _RUN.sub(lambda run: "9" if run[0][0].isdecimal() else "a", value)


def _candidates(values: Iterable[str]) -> list[str]:
    """Return the formats whose digits, letters and signs stand where those of values do."""
    skeletons: dict[tuple[str, str], None] = {}
    for value in values:
        zone = _ZONE.search(value) if ":" in value else None
        bare = value[: zone.start()] if zone else value
        skeletons.setdefault((_skeleton(bare), f"{zone[1]}%z" if zone else ""))
    by_skeleton = _formats_by_skeleton()
    found = (fmt + end for bare, end in skeletons for fmt in by_skeleton.get(bare, ()))
    return list(dict.fromkeys(found))
