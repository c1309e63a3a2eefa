"""Semantics of funnels: the rules by which they are matched, and those of other tools."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import attrs

from cxjourney._support.validation import check_choice, optional_duration
from cxjourney.exceptions import InvalidValue

Preset = Literal["posthog", "retentioneering"]
Censored = Literal["exclude", "keep", "survival"]
Entry = Literal["any", "first", "ended", "anywhere"]
Order = Literal["ordered", "strict", "unordered", "anchored", "hybrid"]
ORDERS = ("ordered", "strict", "unordered", "anchored", "hybrid")
CHOICES = {
    "entry": ("any", "first", "ended", "anywhere"),
    "ties": ("log", "either", "forbidden"),
    "exclusion": ("attempt", "void"),
    "base": ("entered", "all"),
    "censored": ("exclude", "keep", "survival"),
    "quantiles": ("observed", "interpolated"),
}


def _chosen(_: object, attribute: attrs.Attribute[str], value: Any) -> None:
    check_choice(value, attribute.name, CHOICES[attribute.name])


def _grace(value: timedelta | str | None) -> timedelta | None:
    return optional_duration(value, "grace")


@attrs.frozen(kw_only=True)
class Semantics:
    """The rules by which interactions satisfy the steps of a funnel.

    One unit (a customer or a journey) is matched at a time. An *attempt* begins with an
    interaction of step 1. It reaches step k with an interaction of step k that comes after the
    one that reached step k - 1 (or an optional step since), at most `within` after the attempt
    began, both ends included. Other interactions may lie between, unless the order is strict. One
    interaction advances one attempt by one step. A unit has reached the deepest step of its
    attempts; times are those of the first attempt to get there, from its beginning to the first
    interaction that reached each step.

    Attributes
    ----------
    entry
        Which interactions of step 1 begin an attempt: "any" of them; the "first" alone; or, one
        attempt at a time, the next after the last one "ended" by conversion, time-out or
        exclusion. "anywhere": a unit may enter at every step, and counts at each that it does at
        all; the step rate is then the share that goes on to a step from the one before.
    ties
        Interactions with equal timestamps count in the order of the "log" (`seq`, then input), or
        in "either" order, so that a step may follow another of the same timestamp whichever stands
        first; exclusions with the timestamp of a step are then no obstacle to it. "forbidden": a
        step must come later than the one before.
    grace
        How much earlier than the step before it a step may be stamped, since clocks are not exact:
        interactions this near to each other count in either order. None for none.
    exclusion
        What an exclusion does to its attempt: the "attempt" keeps the steps that it has reached,
        and goes on only from a later interaction of the step where the guard begins, or not at
        all where `entry` is "ended"; or it is "void", its first step included. A unit counts with
        its best attempt that is not void, and at no step if all are.
    base
        What rates are shares of: units that "entered" at step 1, or "all" units.
    windowed
        Whether a time window may be given.
    censored
        What becomes of entrants whose window was not over at the end of the observation, so that
        their end is not known, where the caller does not say.
    quantiles
        Medians and other quantiles of times are "observed" ones, the first time by which so many
        had got there, as in a survival curve; or "interpolated" between two.
    """

    entry: Entry = attrs.field(default="any", validator=_chosen)
    ties: Literal["log", "either", "forbidden"] = attrs.field(default="log", validator=_chosen)
    grace: timedelta | None = attrs.field(default=None, converter=_grace)
    exclusion: Literal["attempt", "void"] = attrs.field(default="attempt", validator=_chosen)
    base: Literal["entered", "all"] = attrs.field(default="entered", validator=_chosen)
    windowed: bool = True
    censored: Censored = attrs.field(default="exclude", validator=_chosen)
    quantiles: Literal["observed", "interpolated"] = attrs.field(
        default="observed", validator=_chosen
    )


PRESETS: dict[Preset, Semantics] = {
    "posthog": Semantics(
        ties="either", exclusion="void", censored="keep", quantiles="interpolated"
    ),
    "retentioneering": Semantics(base="all", windowed=False, censored="keep"),
}
"""The tools whose own tests were remade here, case by case."""


def semantics_of(semantics: Semantics | Preset | None, entry: Entry | None) -> Semantics:
    """Return the rules: a preset's or those of this library, with the entry that the caller wants.

    Raises
    ------
    InvalidValue
        If there is no such preset or entry.
    """
    if semantics is None:
        rules = Semantics()
    elif isinstance(semantics, Semantics):
        rules = semantics
    else:
        rules = PRESETS[check_choice(semantics, "semantics", tuple(PRESETS))]  # type: ignore[index]  # checked
    if entry is None:
        return rules
    check_choice(entry, "entry", CHOICES["entry"])
    if isinstance(semantics, str) and entry != rules.entry:
        raise InvalidValue.of("entry", f"be left out with semantics={semantics!r}", entry)
    return attrs.evolve(rules, entry=entry)
