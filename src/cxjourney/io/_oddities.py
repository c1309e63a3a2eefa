"""Oddities of a file: empty columns, times that cannot be, rows that stand there twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.words import counted
from cxjourney.io._column_roles import hint, may_be_shown
from cxjourney.log import odd_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney.io._column_facts import ColumnFacts
    from cxjourney.io._column_roles import Roles
    from cxjourney.io._file_sample import FileSample

_MOSTLY = 0.95
_1900_US = -2_208_988_800_000_000
_DAY_US = 86_400_000_000
_SERIALS = (20_000, 80_000)  # days since 1900 as Excel counts them, of the years 1954 to 2119


def oddities(sample: FileSample, facts: Mapping[str, ColumnFacts], roles: Roles) -> tuple[str, ...]:
    """Return what is odd about a file, in sentences."""
    said: list[str] = []
    listed: dict[str, list[str]] = {}
    for one in facts.values():
        for words in _listed_under(one, roles):
            listed.setdefault(words, []).append(repr(one.name) + _mostly(one, roles))
        said += _of_times(one) if one.readings or one.partly else _of_numbers(one)
    said[:0] = [f"{words}: {_shortly(names)}." for words, names in listed.items()]
    repeated = sum(n - 1 for n in Counter(zip(*sample.columns.values(), strict=True)).values())
    if sample.repeated:
        named = _shortly([*map(repr, sample.repeated)])
        said.append(f"Of columns with one name none can be read, or become an attribute: {named}.")
    if sample.below:
        rows = ", ".join(map(str, sample.below))
        said.append(f"Below the table, and none of its rows: {rows}, from 0 at the first row.")
    if repeated:
        said.append(f"{counted(repeated, 'row repeats', 'rows repeat')} an earlier one wholly.")
    return tuple(said)


def _listed_under(one: ColumnFacts, roles: Roles) -> list[str]:
    """Return what is odd about a column that others may share."""
    if one.kind == "empty":
        return ["Empty"]
    if one.kind == "constant":
        return ["One value in all rows"]
    if one.shape == "a time of the day":
        return ["Times of the day without the day, which the readers need in one cell"]
    if one.kind == "time" and one.time is not None:
        days = one.time.step == "days"
        found = ["Days alone, so that the order within a day is that of the rows"] * days
        bare = not one.time.with_zone
        return found + ["Without a zone, and read as UTC unless tz= says another"] * bare
    return ["Mostly one value"] if _mostly(one, roles) else []


def _mostly(one: ColumnFacts, roles: Roles) -> str:
    """Return the value that most rows have, and in how many; "" where there is none."""
    if one.kind != "category" or one.distinct < 2:
        return ""
    value, most = max(one.counts.items(), key=lambda item: item[1])
    if most <= _MOSTLY * one.filled:
        return ""
    shown = f"{value!r} in " if may_be_shown(one, roles) else ""
    return f" ({shown}{most / one.filled:.1%})"


def _shortly(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _of_times(one: ColumnFacts) -> list[str]:
    """Return what is odd about a column of times."""
    named = repr(one.name)
    if not one.readings:
        if one.partly[0].share < 0.5 and not hint("timestamp", one.name):
            return []
        shares = ", ".join(f"{r.share:.1%} as {r.form}" for r in one.partly[:4])
        return [f"{named} cannot be read as times in one way, which the readers need: {shares}."]
    time = one.readings[0]
    if one.kind != "time" and not hint("timestamp", one.name):
        return []
    said = []
    if len(one.readings) > 1:
        ways = "; ".join(f"as {r.form} {r.span}" for r in one.readings)
        said.append(f"{named}: day and month could change places, which nothing settles: {ways}.")
    us = np.repeat(np.array(time.times), np.array([*one.counts.values()]))
    said += [f"{named}: {sentence}" for sentence in odd_times(us, None)]
    if old := int(np.count_nonzero(np.abs(us - _1900_US) < 2 * _DAY_US)):
        said.append(f"{named}: {counted(old, 'row is', 'rows are')} at 1900, as if for missing.")
    if 0.0 < time.with_zone < 1.0:
        said.append(f"{named}: {time.with_zone:.1%} tell their zone and the others do not.")
    elif len(time.zones) > 2:
        said.append(f"{named}: several zones stand, {', '.join(time.zones)}; all become UTC.")
    return said


def _of_numbers(one: ColumnFacts) -> list[str]:
    """Return what is odd about a column of numbers, or of what should be numbers."""
    named = repr(one.name)
    serial = one.kind == "number" and one.low >= _SERIALS[0] and one.high <= _SERIALS[1]
    if serial and hint("timestamp", one.name) == 2:
        return [f"{named} holds numbers as Excel counts days: give these cells the form of dates."]
    if one.grouped and hint("value", one.name):
        remedy = "which are no numbers to the readers: write them as 1234.5"
        return [f"{named} holds amounts with signs of thousands or of a currency, {remedy}."]
    return []
