"""The automaton of a pattern: which part may match next, and the columns that it reads."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, IN_PROGRESS
from cxjourney.journeys._patterns._grammar import (
    ELAPSED,
    MOST_COPIES,
    Condition,
    Parsed,
    Part,
    each_part,
    optional,
)
from cxjourney.journeys._segments import level_of
from cxjourney.kernels import NEVER, Automaton

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cxjourney._support.array_types import Bools
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.log import Coded

ACCEPT = -1
_MOST_CONDITIONS = 10
_ENDING = {"$converted": CONVERTED, "$dropped": DROPPED, "$in_progress": IN_PROGRESS}
_ANY = Part(other=True)


@attrs.frozen
class _Place:
    """One interaction that a part asks for: where it may stand, a number of the automaton."""

    part: Part
    run: int  # the place of the run right before it, behind which its gap begins; -1 where none


@attrs.frozen
class Plan:
    """An automaton before it has seen columns.

    Attributes
    ----------
    places
        The part of each number.
    number
        Which part of the pattern, from 0, each number belongs to.
    starts, options
        The numbers that may come first, and those that may follow each, in the order in which a
        search for the first match tries them: -1 is the end, -2 - i link i.
    links
        For each link the number of the run between (-1: none), the number that comes next, and the
        least and the longest time until then [µs].
    empty
        Whether no interaction at all may match.
    """

    places: tuple[Part, ...]
    number: tuple[int, ...]
    starts: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    links: tuple[tuple[int, int, int, int], ...]
    empty: bool


class _Program:
    """The pattern as instructions: read one interaction, or go on at one of two places."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, int]] = []  # (place, first way, other way), -1 for none
        self.places: list[_Place] = []
        self.number: list[int] = []
        self.current = 0

    def sequence(self, parts: Iterable[Part], *, outermost: bool = False) -> None:
        run, alone = -1, False
        for i, part in enumerate(parts):
            if outermost:
                self.current = i
            self.part(part, run if alone else -1)
            alone = part.run
            run = len(self.places) - 1

    def part(self, part: Part, run: int) -> None:
        for i in range(part.least):
            self.once(part, run if i == 0 else -1)
        if part.most is None:
            here = self.emit()
            self.once(part, -1)
            self.code.append((-1, here, -1))
            self.code[here] = (-1, len(self.code), here + 1)  # as few as possible
            return
        forks = []
        for _ in range(part.most - part.least):
            forks.append(self.emit())
            self.once(part, -1)
        for fork in forks:
            self.code[fork] = (-1, len(self.code), fork + 1)

    def once(self, part: Part, run: int) -> None:
        if not part.branches:
            if len(self.places) == MOST_COPIES:
                raise InvalidValue(
                    f"a pattern must come to at most {MOST_COPIES} parts, counts written out"
                )
            self.code.append((len(self.places), -1, -1))
            self.places.append(_Place(part, run))
            self.number.append(self.current)
            return
        ends = []
        for i, branch in enumerate(part.branches):
            fork = self.emit() if i < len(part.branches) - 1 else None
            self.sequence(branch)
            ends.append(self.emit())
            if fork is not None:
                self.code[fork] = (-1, fork + 1, len(self.code))
        for end in ends:
            self.code[end] = (-1, len(self.code), -1)

    def emit(self) -> int:
        self.code.append((-1, -1, -1))
        return len(self.code) - 1

    def reached(self, begin: int) -> list[int]:
        """Return the places that may be read next from an instruction, the preferred first."""
        found, seen, stack = [], set(), [begin]
        while stack:
            at = stack.pop()
            if at in seen or at < 0:
                continue
            seen.add(at)
            if at == len(self.code):
                found.append(ACCEPT)
                continue
            place, way, other = self.code[at]
            if place >= 0:
                found.append(place)
            else:
                stack += [other, way]
        return found


def plan_of(parsed: Parsed) -> Plan:
    """Return the automaton of a pattern.

    Raises
    ------
    InvalidValue
        If counts written out are more than 512 parts, or durations cannot be asked for together.
    """
    begin, end = 0, len(parsed.parts)
    if not parsed.start:  # what may be missing at an open end asks for nothing
        while begin < end and optional(parsed.parts[begin]):
            begin += 1
    if not parsed.end:
        while end > begin and optional(parsed.parts[end - 1]):
            end -= 1
    program = _Program()
    kept = parsed.parts[begin:end]
    program.sequence(kept or (_ANY,) * (not parsed.start), outermost=True)
    following = [program.reached(i + 1) for i, (place, *_) in enumerate(program.code) if place >= 0]
    links: list[tuple[int, int, int, int]] = []
    options = []
    for here, reached in zip(program.places, following, strict=True):
        ways = []
        for way in reached:
            then = program.places[way] if way >= 0 else None
            if then is None or not then.part.gaps:
                ways.append(way)
            elif then.run < 0 or then.part is here.part:
                ways.append(-2 - len(links))
                links.append((-1, way, *_bounds(then.part.gaps)))
            elif program.places[then.run].part is not here.part:
                ways.append(-2 - len(links))
                links.append((then.run, way, *_bounds(then.part.gaps)))
        options.append(tuple(ways))
    if parsed.where:
        least, most = _bounds(parsed.where)
        if least > 0 and most < NEVER:
            raise InvalidValue("where must have one bound of the duration, not two")
        if any(run >= 0 for run, *_ in links):
            raise InvalidValue("where must not stand beside a gap that a run * lies in")
    first = program.reached(0)
    return Plan(
        places=tuple(place.part for place in program.places),
        number=tuple(n + begin for n in program.number),
        starts=tuple(way for way in first if way >= 0),
        options=tuple(options),
        links=tuple(links),
        empty=ACCEPT in first,
    )


def _bounds(conditions: tuple[Condition, ...]) -> tuple[int, int]:
    least = max((c.us or 0 for c in conditions if c.op == ">="), default=0)
    return least, min((c.us or 0 for c in conditions if c.op == "<="), default=NEVER)


def automaton_of(parsed: Parsed, plan: Plan, journeys: Journeys) -> Automaton:
    """Return the automaton as kernels read it, with what each interaction matches.

    Raises
    ------
    UnknownName
        If the log has no such touchpoint or column.
    InvalidValue
        If a value cannot be compared with those of its column.
    TimesRequired
        If it asks for a gap or a duration, and the journeys are aggregated paths.
    """
    check_names(parsed, journeys)
    if journeys.columns.time is None and (plan.links or parsed.where):
        raise TimesRequired(
            "a gap or a duration in a pattern needs times; aggregated paths have none"
        )
    names = journeys.columns.coded["touchpoint"].names
    by_code = np.zeros((len(names) + 1, len(plan.places)), dtype=np.bool_)
    for place, part in enumerate(plan.places):
        by_code[:-1, place] = [(name in part.names) != part.other for name in names]
        by_code[-1, place] = part.other
    case, by_case = _cases(plan, journeys)
    least, most = _bounds(parsed.where)
    return Automaton(
        by_code=by_code,
        case=case,
        by_case=by_case,
        starts=plan.starts,
        options=plan.options,
        links=plan.links,
        begins=parsed.start,
        ends=np.array([parsed.end in {"$", ""} or _ENDING[parsed.end] == o for o in range(3)]),
        at_end=bool(parsed.end),
        sense=0 if not parsed.where else -1 if least else 1,
        duration=least or most,
        point=np.array([part.marked for part in plan.places]),
        empty=plan.empty,
    )


def check_names(parsed: Parsed, journeys: Journeys) -> None:
    """Raise UnknownName if a touchpoint is neither in the log nor planned."""
    names = journeys.columns.coded["touchpoint"].names
    rules = journeys.rules
    known = dict.fromkeys(
        (*names, *journeys.log.catalogue.touchpoints, *rules.goal, *rules.exit_touchpoints)
    )
    if not names:  # an empty log knows no names to check against
        return
    for part in each_part(parsed):
        for name in part.names:
            if name not in known:
                raise UnknownName.among("touchpoint", name, tuple(known), where="the log")


def _cases(plan: Plan, journeys: Journeys) -> tuple[Any, Bools]:
    """Return which conditions each row fulfils, as one number, and the places it then suits."""
    asked = dict.fromkeys(c for part in plan.places for c in part.conditions if c.us is None)
    if len(asked) > _MOST_CONDITIONS:
        raise InvalidValue(f"a pattern must have at most {_MOST_CONDITIONS} different conditions")
    if not asked:
        return None, np.ones((1, len(plan.places)), dtype=np.bool_)
    case = np.zeros(len(journeys.columns), dtype=np.uint16)
    suits = np.ones((1 << len(asked), len(plan.places)), dtype=np.bool_)
    numbers = np.arange(1 << len(asked))
    for i, condition in enumerate(asked):
        case |= _fulfils(condition, journeys).astype(np.uint16) << np.uint16(i)
        for place, part in enumerate(plan.places):
            if condition in part.conditions:
                suits[:, place] &= (numbers >> i & 1).astype(np.bool_)
    return case, suits


def _fulfils(condition: Condition, journeys: Journeys) -> Bools:
    """Return which rows fulfil a condition on a column; where its value is missing, none does."""
    columns, name = journeys.columns, condition.name
    if name in columns.numeric:
        values = columns.numeric[name]
        wanted = [_number(condition, value) for value in condition.values]
        holds: Bools = ~np.isnan(values) & _compared(condition, values, wanted)
        return holds
    try:
        coded: Coded = columns.attribute(name, journeys.log.customer_attributes)
    except UnknownName as error:
        hint = " (in quotes: a gap here is a time)" if name in ELAPSED else ""
        known = (*error.known, *columns.numeric)
        raise UnknownName.among(f"column{hint}", name, known, where="the log") from None
    if condition.op in {"=", "!="}:
        of_name = [_equals(value, condition.values) for value in coded.names]
        chosen = np.array([*(hit == (condition.op == "=") for hit in of_name), False])
    else:
        limit = [_number(condition, value) for value in condition.values]
        kinds = [isinstance(value, Real) and not isinstance(value, bool) for value in coded.names]
        if not all(kinds):
            rule = f"be = or != for {name}, whose values are not all numbers"
            raise InvalidValue.of("the condition", rule, condition.op)
        numbers = np.array([float(value) for value in coded.names])
        chosen = np.append(_compared(condition, numbers, limit), False)
    fulfilled: Bools = chosen[coded.codes]  # -1, which is missing, takes the last
    return fulfilled


def _equals(value: object, wanted: tuple[str, ...]) -> bool:
    if level_of(value) in wanted:
        return True
    if isinstance(value, Real) and not isinstance(value, bool):
        return any(float(value) == number for number in map(_float, wanted))
    return False


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _number(condition: Condition, text: str) -> float:
    number = _float(text)
    if number is None or not np.isfinite(number):
        raise InvalidValue.of("the condition", f"compare {condition.name} with a number", text)
    return number


def _compared(condition: Condition, values: Any, wanted: list[float]) -> Bools:
    if condition.op == "=":
        return np.isin(values, wanted)
    if condition.op == "!=":
        return ~np.isin(values, wanted)
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
    found: Bools = compare[condition.op](values, wanted[0])
    return found
