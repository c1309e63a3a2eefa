"""Steps of a funnel, and exclusions: what must not happen between them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import attrs

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.validation import (
    check_mapping,
    check_name,
    check_names,
    is_number,
    optional_duration,
)
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import Pattern, as_pattern

Where: TypeAlias = FrozenMapping[tuple[Any, ...]]
"""An attribute to the values that it may have, or to one range of numbers."""

Condition: TypeAlias = tuple[Where, Pattern | None]
"""What a row must meet besides its touchpoint, and the pattern whose match has its point there."""


def _match(value: str | Iterable[str] | None) -> frozenset[str]:
    return frozenset() if value is None else _names(value, "match")


def _names(value: str | Iterable[str], name: str) -> frozenset[str]:
    if not isinstance(value, Iterable):
        raise InvalidValue.of(name, "be a touchpoint or several", value)
    return frozenset(check_names(value, name))


def _not_empty(item: Any, attribute: attrs.Attribute[frozenset[str]], value: object) -> None:
    names = value if isinstance(value, frozenset) else frozenset()
    if not (names or any(item.condition)) or not all(
        isinstance(name, str) and name for name in names
    ):
        raise InvalidValue.of(attribute.name, "name at least one touchpoint", value)


def _within(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "within")


def _after(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "after")


def _where(value: Mapping[str, Any] | None) -> Where:
    found: dict[str, tuple[Any, ...]] = {}
    for name, wanted in check_mapping({} if value is None else value, "where").items():
        check_name(name, "attribute of where")
        if isinstance(wanted, slice):
            ends = (wanted.start, wanted.stop)
            if wanted.step is not None or not all(e is None or is_number(e) for e in ends):
                rule = "be a value, several, or slice(least, below) of numbers"
                raise InvalidValue.of(f"where[{name!r}]", rule, wanted)
            found[name] = (Range(*ends),)
        elif isinstance(wanted, Collection) and not isinstance(wanted, str):
            found[name] = tuple(wanted)
        else:
            found[name] = (wanted,)
    return FrozenMapping(found)


@attrs.frozen
class Range:
    """Numbers from `least` up to, but not, `below`; None leaves a side open."""

    least: float | None
    below: float | None

    def __str__(self) -> str:
        low, high = ("" if end is None else f"{end:g}" for end in (self.least, self.below))
        return f"{low}..{high}"


def _pattern(value: Pattern | str | None) -> Pattern | None:
    return None if value is None else as_pattern(value)


def _label(match: frozenset[str], where: Where) -> str:
    """Return the touchpoints, and in brackets what they must have."""
    names = " | ".join(sorted(match))
    if not where:
        return names
    told = ", ".join(f"{name} = {' | '.join(map(str, some))}" for name, some in where.items())
    return f"{names} ({told})" if names else told


def _two(_: object, attribute: attrs.Attribute[tuple[int, int]], value: object) -> None:
    whole = isinstance(value, tuple) and [type(v) for v in value] == [int, int]
    if value is not None and not (whole and 1 <= value[0] < value[1]):  # type: ignore[index]  # a tuple of two
        raise InvalidValue.of(
            attribute.name, "be two step numbers from 1, the first the lower, or None", value
        )


@attrs.frozen
class Step:
    """A step of a funnel.

    Attributes
    ----------
    match
        The touchpoint, or the touchpoints of which any will do; None takes any, with `where` or
        `pattern`.
    optional
        Whether later steps may be reached without it. The first and the last step never are.
    within
        The longest time since the step before that was done; None for no limit of its own.
    after
        The shortest time since the step before that was done; None for none.
    where
        Conditions that the interaction must meet, all of them: an attribute of interactions or
        customers, or a column of numbers such as "value", to the value or values that it may have
        (None stands for missing), or to `slice(least, below)` of numbers.
    pattern
        What must happen for the step, as a `Pattern` or its text: the step is done at the
        interaction marked with @ of each match, or at its last. Matches are found one after the
        other in the whole journey (of a log: in all of a customer), and none overlaps another.
    name
        What the step is called; None calls it by its touchpoints, conditions and pattern.

    Examples
    --------
    >>> from cxjourney.dropoff import Step
    >>> Step({"call", "chat"}, optional=True).label
    'call | chat'
    >>> Step("order", where={"plan": ["gold", "silver"], "value": slice(100, None)}).label
    'order (plan = gold | silver, value = 100..)'
    >>> Step(pattern="cart -> [^order]* -> help").label
    'cart -> [^order]* -> help'
    """

    match: frozenset[str] = attrs.field(default=None, converter=_match, validator=_not_empty)
    optional: bool = attrs.field(default=False, kw_only=True)
    within: timedelta | None = attrs.field(default=None, kw_only=True, converter=_within)
    after: timedelta | None = attrs.field(default=None, kw_only=True, converter=_after)
    where: Where = attrs.field(default=None, kw_only=True, converter=_where)
    pattern: Pattern | None = attrs.field(default=None, kw_only=True, converter=_pattern)
    name: str | None = attrs.field(default=None, kw_only=True)

    @property
    def condition(self) -> Condition:
        """What an interaction must meet besides its touchpoint."""
        return self.where, self.pattern

    @property
    def label(self) -> str:
        """What the step is called."""
        plain = _label(self.match, self.where)
        return self.name or " at ".join(filter(None, (plain, str(self.pattern or ""))))


@attrs.frozen
class Exclusion:
    """What must not happen between two steps.

    Attributes
    ----------
    match
        The touchpoint, or any of several; None takes any, with `where`.
    between
        Numbers of two steps, counted from 1: it must not happen after the first of them and
        before the second. None: between the first step and the last.
    where
        Conditions that make an interaction one that must not happen; see `Step`. An interaction
        that does a step is no obstacle to this step.
    """

    match: frozenset[str] = attrs.field(default=None, converter=_match, validator=_not_empty)
    between: tuple[int, int] | None = attrs.field(default=None, kw_only=True, validator=_two)
    where: Where = attrs.field(default=None, kw_only=True, converter=_where)

    @property
    def condition(self) -> Condition:
        """What makes an interaction one that must not happen, besides its touchpoint."""
        return self.where, None

    def span(self, n_steps: int) -> tuple[int, int]:
        """Return the two steps, counted from 0."""
        first, last = self.between or (1, n_steps)
        return first - 1, last - 1


StepLike: TypeAlias = str | Iterable[str] | Step | Pattern
"""A touchpoint, several of which any will do, a typed `Step`, or a pattern."""


def as_steps(steps: Sequence[StepLike]) -> tuple[Step, ...]:
    """Return typed steps.

    Raises
    ------
    InvalidValue
        If there are no steps, or the first or the last is optional.
    """
    if isinstance(steps, str):
        raise InvalidValue.of("steps", "be a sequence of steps, not one string", steps)
    if not isinstance(steps, Iterable):
        raise InvalidValue.of("steps", "be a sequence of steps", steps)
    typed = tuple(
        step
        if isinstance(step, Step)
        else Step(pattern=step)
        if isinstance(step, Pattern)
        else Step(_names(step, f"steps[{i}]"))
        for i, step in enumerate(steps)
    )
    if not typed:
        raise InvalidValue.of("steps", "hold at least one step", steps)
    for place, step in (("first", typed[0]), ("last", typed[-1])):
        if step.optional:
            raise InvalidValue.of(
                "steps", f"not begin or end with an optional step ({place})", step
            )
    if typed[0].after is not None:
        raise InvalidValue.of("after of the first step", "be None", typed[0].after)
    return typed


def check_exclusions(
    exclude: Sequence[Exclusion | str], steps: Sequence[Step]
) -> tuple[Exclusion, ...]:
    """Return typed exclusions; a bare name is excluded from the first step to the last.

    Raises
    ------
    InvalidValue
        If an exclusion lies outside the steps, begins or ends at an optional one, or matches
        what one of its own steps matches.
    """
    if isinstance(exclude, (str, Exclusion)):
        exclude = (exclude,)
    if not isinstance(exclude, Iterable):
        raise InvalidValue.of("exclude", "be a sequence of names or Exclusions", exclude)
    typed = tuple(
        x if isinstance(x, Exclusion) else Exclusion(_names(x, f"exclude[{i}]"))
        for i, x in enumerate(exclude)
    )
    for exclusion in typed:
        first, last = exclusion.span(len(steps))
        if last >= len(steps) or first == last:
            rule = f"lie between two of the {len(steps)} steps"
            raise InvalidValue.of("exclude", rule, exclusion)
        if steps[first].optional or steps[last].optional:
            raise InvalidValue.of("exclude", "not begin or end at an optional step", exclusion)
        for step in steps[first : last + 1]:
            if step.match & exclusion.match and not (any(step.condition) or exclusion.where):
                both = ", ".join(sorted(step.match & exclusion.match))
                raise InvalidValue.of(
                    "exclude", f"not match a step that it guards ({both})", exclusion
                )
    return typed
