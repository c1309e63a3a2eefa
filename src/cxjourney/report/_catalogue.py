"""The catalogue: every word of the report, and numbers as people write them."""

from __future__ import annotations

import math
import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.table import format_value
from cxjourney._support.words import how_long

if TYPE_CHECKING:
    from datetime import timedelta

_NEAR, _ALMOST = 0.04, 0.1  # how far a share may lie from the one whose words it gets
_CODE = re.compile(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b")
_IN_BRACKETS = re.compile(r" \((?:[a-z0-9]+_)+[a-z0-9]+\)")
_UNITS = {"d": "days", "h": "hours", "min": "minutes", "s": "seconds"}
_FACTORS = ((1.35, ""), (1.75, "half"), (2.25, "twice"), (2.75, "two_and_a_half"))


@cache
def _catalogue() -> dict[str, Any]:
    text = (files("cxjourney.report") / "static" / "words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def say(key: str, **values: Any) -> str:
    """Return a sentence of the catalogue, filled in; `key` is "section.name". Any: what fits."""
    section, _, name = key.partition(".")
    text: str = _catalogue()[section][name] if name else _catalogue()[section]
    return text.format(**values) if values else text


def say_of(key: str, n: float, **values: Any) -> str:
    """Return a sentence in the form that fits a number: of one, or of any other."""
    section, _, name = key.partition(".")
    one, other = _catalogue()[section][name]
    text: str = one if n == 1 else other
    return text.format(n=n, **values)


def has(section: str, name: str) -> bool:
    """Return whether a section of the catalogue has a name."""
    return name in _catalogue()[section]


def heading(column: str) -> str:
    """Return the words of a column."""
    return str(_catalogue()["column"].get(column, column.replace("_", " ")))


def cell(text: str) -> str:
    """Return the words of what stands in a cell; what is not in the catalogue is data."""
    known = _catalogue()["cell"]
    head, colon, column = text.partition(": ")
    if colon and head in known:  # such as a column in which something is missing
        return f"{known[head]}{colon}{_catalogue()['column'].get(column, column)}"
    return str(known.get(text, text))


def without_code(text: str) -> str:
    """Return a sentence in which columns have their words; other names stay as they are."""
    known = _catalogue()["column"]
    return _CODE.sub(lambda found: str(known.get(found[0], found[0])), _IN_BRACKETS.sub("", text))


def how_long_in_words(time: timedelta) -> str:
    """Return a time as people say it."""
    n, unit = how_long(time).split(" ")
    return say(f"number.{unit}", n=n)


def date_in_words(date: str) -> str:
    """Return a day or a month, "2026-01-31" or "2026-01", as people write it; others as given."""
    year, *rest = date.split("-")
    if not rest or not all(part.isdecimal() for part in rest):
        return date
    names = _catalogue()["date"]["months" if len(rest) > 1 else "short"]
    month = names[int(rest[0]) - 1]
    if len(rest) == 1:
        return say("date.month", month=month, year=year)
    return say("date.day", day=int(rest[1]), month=month, year=year)


# ---------------------------------------------------------------------- numbers


def rounded(value: float) -> str:
    """Return a number to two figures, as people say it; below 10 a whole number."""
    if not math.isfinite(value):
        return say("number.none")
    places = max(math.floor(math.log10(abs(value))) - 1, 0) if value else 0
    return f"{round(value, -places):,.0f}"


def percent(share: float) -> str:
    """Return a share in whole percent, in tenths below 10 %."""
    return f"{100 * share:.{int(0 < abs(share) < 0.0995)}f}%"


def number(value: Any, kind: str | None = None) -> str:
    """Return a value as people write it. Any: what a cell holds.

    Kinds are those of `Table`, and "hundredths".
    """
    if isinstance(value, (bool, np.bool_)):
        return say("number.yes" if value else "number.no")
    if kind == "hundredths" and not math.isnan(value):
        return f"{value:.2f}".replace("-", "−").replace("−0.00", "0.00")
    text = format_value(value, kind)
    if kind == "duration" and text != "-":
        text, _, unit = text.rpartition(" ")
        return say(f"number.{_UNITS[unit]}", n=text)
    return say("number.none") if text == "-" else text


def between(low: float, high: float, kind: str | None = None) -> str:
    """Return an interval in words; "" where there is none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return say("number.between", low=number(low, kind), high=number(high, kind))


def share_in_words(share: float) -> tuple[str, bool]:
    """Return a share as people say it, and whether it is one in so many, a singular."""
    named = {float(name): text for name, text in _catalogue()["share"].items() if name[0] == "0"}
    nearest = min(named, key=lambda known: abs(math.log(share / known)) if share > 0 else known)
    away = share / nearest - 1
    if abs(away) > _ALMOST:
        return say("share.percent", rate=percent(share)), False
    words, one = named[nearest], 1 / nearest > 2.5
    if abs(away) <= _NEAR:
        return words, one
    words = words[0].lower() + words[1:]
    return say("share.nearly" if away < 0 else "share.over", share=words), one


def times_in_words(share: float, other: float) -> str:
    """Return how much more a share is than another."""
    if other <= 0 or share / other > 20:
        return say("times.points", points=rounded(100 * (share - other)))
    factor = share / other
    if factor < _FACTORS[0][0]:
        return say("times.more", rate=percent(factor - 1))
    for most, name in _FACTORS[1:]:
        if factor < most:
            return say(f"times.{name}")
    return say("times.times", n=round(factor))
