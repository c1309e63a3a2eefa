"""Steps of a funnel, and exclusions: what must not happen between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TypeAlias

import attrs

from cxjourney._support.validation import check_names, optional_duration
from cxjourney.exceptions import InvalidValue


def _names(value: str | Iterable[str], name: str = "match") -> frozenset[str]:
    if not isinstance(value, Iterable):
        raise InvalidValue.of(name, "be a touchpoint or several", value)
    return frozenset(check_names(value, name))


def _not_empty(_: object, attribute: attrs.Attribute[frozenset[str]], value: object) -> None:
    names = value if isinstance(value, frozenset) else frozenset()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidValue.of(attribute.name, "name at least one touchpoint", value)


def _within(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "within")


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
        The touchpoint, or the touchpoints of which any will do.
    optional
        Whether later steps may be reached without it. The first and the last step never are.
    within
        The longest time since the step before that was done; None for no limit of its own.
    name
        What the step is called; None calls it by its touchpoints.

    Examples
    --------
    >>> from cxjourney.dropoff import Step
    >>> Step({"call", "chat"}, optional=True).label
    'call | chat'
    """

    match: frozenset[str] = attrs.field(converter=_names, validator=_not_empty)
    optional: bool = attrs.field(default=False, kw_only=True)
    within: timedelta | None = attrs.field(default=None, kw_only=True, converter=_within)
    name: str | None = attrs.field(default=None, kw_only=True)

    @property
    def label(self) -> str:
        """What the step is called."""
        return self.name or " | ".join(sorted(self.match))


@attrs.frozen
class Exclusion:
    """What must not happen between two steps.

    Attributes
    ----------
    match
        The touchpoint, or any of several.
    between
        Numbers of two steps, counted from 1: it must not happen after the first of them and
        before the second. None: between the first step and the last.
    """

    match: frozenset[str] = attrs.field(converter=_names, validator=_not_empty)
    between: tuple[int, int] | None = attrs.field(default=None, kw_only=True, validator=_two)

    def span(self, n_steps: int) -> tuple[int, int]:
        """Return the two steps, counted from 0."""
        first, last = self.between or (1, n_steps)
        return first - 1, last - 1


StepLike: TypeAlias = str | Iterable[str] | Step
"""A touchpoint, several of which any will do, or a typed `Step`."""


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
        step if isinstance(step, Step) else Step(_names(step, f"steps[{i}]"))
        for i, step in enumerate(steps)
    )
    if not typed:
        raise InvalidValue.of("steps", "hold at least one step", steps)
    for place, step in (("first", typed[0]), ("last", typed[-1])):
        if step.optional:
            raise InvalidValue.of(
                "steps", f"not begin or end with an optional step ({place})", step
            )
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
            if step.match & exclusion.match:
                both = ", ".join(sorted(step.match & exclusion.match))
                raise InvalidValue.of(
                    "exclude", f"not match a step that it guards ({both})", exclusion
                )
    return typed
