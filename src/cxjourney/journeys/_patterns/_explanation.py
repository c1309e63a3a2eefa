"""Explanations of a pattern: the parts of one customer's journeys, or how far they get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney.journeys._patterns._automaton import ACCEPT, automaton_of
from cxjourney.journeys._patterns._pattern import Occurrence, Pattern, matches_of

if TYPE_CHECKING:
    from cxjourney._support.array_types import Ints
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.kernels import Automaton

_EPOCH = np.datetime64(0, "us")


@attrs.frozen(kw_only=True, repr=False)
class PatternMatch(Result):
    """How the journeys of one customer match a pattern, one row an interaction.

    Attributes
    ----------
    table
        `journey` (from 1), `timestamp` (UTC), `touchpoint`, and `verdict`: the part that the
        interaction is of the match that counts. Where a journey does not match, it is the furthest
        part that the interaction is in any attempt.
    pattern
        The pattern.
    matched
        Whether each journey matches.
    reached
        How many parts of the pattern the furthest attempt of each journey has.
    reasons
        For each journey, in a sentence, what matched or was missing.
    """

    title: ClassVar[str] = "How a pattern was matched"

    table: Table
    pattern: str
    matched: tuple[bool, ...]
    reached: tuple[int, ...]
    reasons: tuple[str, ...]

    def _notes(self) -> tuple[str, ...]:
        return (f"The pattern is {self.pattern}", *self.reasons)


def explained(journeys: Journeys, pattern: Pattern, occurrence: Occurrence) -> PatternMatch:
    """Return how journeys, which are those of one customer, match a pattern."""
    columns, parts, number = journeys.columns, pattern.parsed.parts, pattern.plan.number
    automaton = automaton_of(pattern.parsed, pattern.plan, journeys)
    matches = matches_of(journeys, pattern, rows="all", occurrence=occurrence)
    assert matches.place is not None  # noqa: S101 - asked for
    written = [str(part) for part in parts] or ["."]
    verdicts = ["no part"] * len(columns)
    reached, reasons = [], []
    for i, found in enumerate(matches.found.tolist()):
        rows = range(*journeys.offsets[i : i + 2].tolist())
        if found:
            of_row = [int(matches.place[row]) for row in rows]
            depth = len(written)
            reasons.append(f"Journey {i + 1} matches.")
        else:
            of_row = _furthest(journeys, automaton, i)
            depth = max((number[place] + 1 for place in of_row if place >= 0), default=0)
            reasons.append(f"Journey {i + 1} does not match: {_missing(pattern, written, depth)}.")
        reached.append(depth)
        for row, place in zip(rows, of_row, strict=True):
            if place >= 0:
                part = number[place]
                tried = "" if found else ", in an attempt"
                verdicts[row] = f"part {part + 1}, {written[part]}{tried}"
    time = columns.time
    shown = [""] * len(columns) if time is None else [str(_EPOCH + int(t)) for t in time.tolist()]
    lengths = np.diff(journeys.offsets)
    table: dict[str, Any] = {
        "journey": [str(n + 1) for n in np.repeat(np.arange(len(lengths)), lengths).tolist()],
        "timestamp": shown,
        "touchpoint": columns.coded["touchpoint"].values(),
        "verdict": verdicts,
    }
    return PatternMatch(
        table=Table(table),
        pattern=str(pattern),
        matched=tuple(matches.found.tolist()),
        reached=tuple(reached),
        reasons=tuple(reasons),
    )


def _missing(pattern: Pattern, written: list[str], depth: int) -> str:
    if depth == 0:
        return f"no interaction is part 1, {written[0]}"
    if depth < len(written):
        before, wanted = written[depth - 1 : depth + 1]
        return f"after part {depth}, {before}, part {depth + 1}, {wanted}, is missing"
    end = pattern.parsed.end
    if end:
        return f"its parts come, but what ends it, {end}, is missing"
    return "its parts come, but it lasts too long, or not long enough"


def _furthest(journeys: Journeys, a: Automaton, unit: int) -> list[int]:
    """Return the furthest place that each row can be, whatever comes after it; -1 for none."""
    columns = journeys.columns
    begin, end = journeys.offsets[unit : unit + 2].tolist()
    codes = columns.coded["touchpoint"].codes[begin:end]
    suits = a.by_code[np.where(codes < 0, len(a.by_code) - 1, codes)]
    if a.case is not None:
        suits = suits & a.by_case[a.case[begin:end]]
    time: Ints | None = None if columns.time is None else columns.time[begin:end]
    been = np.zeros((end - begin + 1, suits.shape[1]), dtype=np.bool_)
    for row in range(end - begin):
        if row == 0 or not a.begins:
            been[row, list(a.starts)] = True
        been[row] &= suits[row]
        for place in np.flatnonzero(been[row]).tolist():
            for option in a.options[place]:
                if option >= 0:
                    been[row + 1, option] = True
                elif option != ACCEPT and time is not None:
                    run, then, least, longest = a.links[-2 - option]
                    for later in range(row + 1, end - begin):
                        if least <= time[later] - time[row] <= longest:
                            been[later, then] |= suits[later, then]
                        if run < 0 or not suits[later, run]:
                            break
                        been[later, run] = True
    return [int(places[-1]) if len(places) else -1 for places in map(np.flatnonzero, been[:-1])]
