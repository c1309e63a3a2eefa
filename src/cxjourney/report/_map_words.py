"""Numbers of a journey map as people write them, and what they are based on, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxjourney.report._catalogue import say, say_of
from cxjourney.report._map_marks import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cxjourney.report._journey_map import JourneyMap
    from cxjourney.report._lanes import Lane, MapEntry

_GAP = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_COUNTED = {
    "drop-off": "visits",
    "emotion": "answers",
    "expectation gap": "answers",
    "waiting": "visits",
    "volume": "journeys",
    "moments of truth": "journeys",
    "opportunities": "journeys",
}


def percent(share: float, *, digits: int = 0) -> str:
    """Return a share as "15%", with a decimal below 1% or where `digits` asks for it."""
    value = 100 * share
    if 0 < abs(value) < 0.05:
        return "<0.1%"
    shown = f"{value:.{max(digits, int(0 < abs(value) < 0.95))}f}".replace("-", _MINUS)
    return f"{shown}%"


def span(seconds: float, *, digits: int = 0) -> str:
    """Return a time as "19 hours", in the largest unit of which there are two."""
    unit, size = next((u for u in _UNITS if abs(seconds) >= 2 * u[1]), _UNITS[-1])
    value = seconds / size
    shown = f"{value:.{max(digits, int(abs(value) < 9.5))}f}".removesuffix(".0")
    return say(f"number.{unit}{'s' * (shown != '1')}", n=shown).replace(" ", _GAP)


def about(number: float) -> str:
    """Return a number to three figures, and to one decimal where it is small."""
    if not math.isfinite(number):
        return "-"
    if abs(number) < 10:
        return f"{number:.1f}".removesuffix(".0")
    return f"{round(number, 2 - math.floor(math.log10(abs(number)))):,.0f}"


def signed(number: float, *, digits: int = 2) -> str:
    """Return a number with its sign: "+0.19", "−0.18"."""
    shown = f"{number:+.{digits}f}".replace("-", _MINUS)
    return shown[1:] if not float(shown[1:]) else shown


def as_said(value: float, kind: str, *, digits: int = 0) -> str:
    """Return a number of a kind as people write it."""
    if kind == "percent":
        return percent(value, digits=digits)
    if kind == "duration":
        return span(value, digits=digits)
    if kind == "gain":
        return about(value)
    return signed(value, digits=2 + digits)


def between(entry: MapEntry, kind: str = "") -> str:
    """Return "between 14% and 16%", with as many decimals as tell the ends apart; "" for none."""
    if math.isnan(entry.low) or math.isnan(entry.high):
        return ""
    kind = kind or entry.kind
    ends = ("", "")
    for digits in (0, 1, 2):
        ends = as_said(entry.low, kind, digits=digits), as_said(entry.high, kind, digits=digits)
        if ends[0] != ends[1]:
            break
    return say("number.between", low=ends[0], high=ends[1])


def based_on(entry: MapEntry, kind: str = "", noun: str = "") -> str:
    """Return what a number is based on, in brackets: its interval and how many were counted."""
    if entry.basis == "assumed":
        return f" {say('drawn.is_assumed')}"
    noun = noun or _COUNTED.get(entry.lane, "visits")
    parts = [between(entry, kind), say_of(f"count.{noun}", entry.n) if entry.n else ""]
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def in_cell(entry: MapEntry) -> str:
    """Return an entry as a table shows it: its words, its number, and what that is based on."""
    known = {"opportunities": "gain"}.get(entry.lane, entry.kind) if entry.kind else ""
    value = f" {as_said(entry.value, known)}" if known else ""
    basis = based_on(entry, known) if entry.basis == "data" else ""
    return f"{named(entry.text)}{value}{basis}".strip()


def sentence(key: str, entry: MapEntry, **values: str) -> str:
    """Return a sentence of the catalogue about a stage, with what it is based on."""
    return say(key, stage=named(entry.stage), basis=based_on(entry), **values)


def title_of(maps: Iterable[JourneyMap]) -> str:
    """Return the names of maps that are drawn together."""
    names = list(dict.fromkeys(named(drawn.name) for drawn in maps))
    return names[0] if len(names) == 1 else say("drawn.beside", one=names[0], other=names[1])


def listed(names: Iterable[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" {say('drawn.and_more', n=rest)}" if rest > 0 else "")


def pain_of(entry: MapEntry, *, full: bool = False) -> str:
    """Return what hurts at a touchpoint: how many leave, or how it feels."""
    exits = entry.kind == "percent"
    value = percent(entry.value) if exits else signed(entry.value)
    key = "drawn.leave_here" if exits else "drawn.feels_bad"
    if not full:
        return say(key, value=value)
    basis = based_on(entry, noun="journeys" if exits else "answers")
    return say(f"{key}_full", name=named(entry.touchpoint), value=value, basis=basis)


def moment_of(entry: MapEntry, *, full: bool = False) -> str:
    """Return what depends on a touchpoint."""
    said = say("drawn.of_conversions", rate=percent(entry.value))
    if not full:
        return said
    return say("drawn.moment", name=named(entry.touchpoint), said=said, basis=based_on(entry))


def gain_of(entry: MapEntry, *, full: bool = False) -> str:
    """Return what fixing a touchpoint could gain at most."""
    said = say("drawn.could_gain", name=named(entry.touchpoint), n=about(entry.value))
    return say("drawn.gain_full", said=said, basis=based_on(entry, "gain")) if full else said


def facts_of(drawn: JourneyMap) -> tuple[str, ...]:
    """Return whose journeys a map shows, when, and how many."""
    facts = [named(drawn.persona)] if drawn.persona else []
    if drawn.since is not None and drawn.until is not None:
        begin, end = (f"{day.day} {day:%B %Y}" for day in (drawn.since, drawn.until))
        facts.append(begin if begin == end else say("drawn.period", begin=begin, end=end))
    n = drawn.n_journeys
    facts.append(say_of("count.journeys", n) if n else say("drawn.as_designed"))
    return tuple(facts)


def described(drawn: JourneyMap) -> str:
    """Return a map in a few sentences, for whom cannot see it."""
    said = [f"{named(drawn.name)}, {', '.join(facts_of(drawn))}."]
    for stage in drawn.stages:
        parts = []
        for lane, (key, write) in _TOLD.items():
            entry = next((e for e in drawn.cell(lane, stage) if e.kind), None)
            if entry is not None:
                parts.append(say(key, value=write(entry.value)))
        said.append(f"{named(stage)}: {', '.join(parts) or say('drawn.nothing')}.")
    return " ".join(said)


_TOLD: dict[Lane, tuple[str, Callable[[float], str]]] = {
    "volume": ("drawn.told_volume", percent),
    "drop-off": ("drawn.told_leave", percent),
    "emotion": ("drawn.told_feels", signed),
    "waiting": ("drawn.told_waiting", span),
}
