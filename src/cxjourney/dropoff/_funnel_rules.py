"""Rules of a funnel and the units that it is asked of: arguments checked and made definite."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.validation import check_choice, check_duration, duration_us
from cxjourney.dropoff._matching import Order, Rules
from cxjourney.dropoff._semantics import Censored, Preset, Semantics, semantics_of
from cxjourney.dropoff._steps import Exclusion, Step, StepLike, as_steps, check_exclusions
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.journeys import (
    Journeys,
    JourneyStatistics,
    check_journeys,
    units_of,
    units_of_customers,
)
from cxjourney.log import Coded, InteractionLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from cxjourney._stats.units import Units

_NEAR = 0.75


@attrs.frozen(kw_only=True, eq=False)
class Subject:
    """The units that are matched: customers of a log, or journeys.

    Attributes
    ----------
    log
        The log.
    journeys
        The journeys; None where units are customers.
    customer
        Number of the customer of each unit.
    codes
        Touchpoint of each row.
    offsets
        Rows of unit i are [offsets[i], offsets[i + 1]).
    time
        Timestamp of each row [µs]; None for aggregated paths.
    """

    log: InteractionLog
    journeys: Journeys | None
    customer: Ints
    codes: NDArray[Any]
    offsets: Ints
    time: Ints | None

    @classmethod
    def of(cls, log: InteractionLog | Journeys) -> Subject:
        """Return the units of a log or of journeys."""
        journeys = log if isinstance(log, Journeys) else None
        if isinstance(log, JourneyStatistics):
            check_journeys(log)  # which says what is missing
        if journeys is None and not isinstance(log, InteractionLog):
            raise InvalidValue.of("log", "be an InteractionLog or Journeys", type(log).__name__)
        columns = log.columns
        offsets = columns.offsets if journeys is None else journeys.offsets
        return cls(
            log=log.log if isinstance(log, Journeys) else log,
            journeys=journeys,
            customer=np.arange(len(offsets) - 1) if journeys is None else journeys.customer,
            codes=columns.coded["touchpoint"].codes,
            offsets=offsets,
            time=columns.time,
        )

    @property
    def unit(self) -> str:
        """What one of them is called."""
        return "customer" if self.journeys is None else "journey"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the touchpoints."""
        source = self.log if self.journeys is None else self.journeys
        return source.columns.coded["touchpoint"].names

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.offsets) - 1

    @property
    def weight(self) -> Ints | None:
        """How often each unit counts; None where once."""
        return None if self.journeys is None else self.journeys.weight

    @property
    def units(self) -> Units:
        """The units of variance."""
        if self.journeys is not None:
            return units_of(self.journeys)
        return units_of_customers(self.log).take(self.customer)

    def where(self, keep: Bools) -> Subject:
        """Return some of the units, in buckets as in the whole."""
        if self.journeys is not None:
            return Subject.of(self.journeys.where(keep))
        lengths = np.diff(self.offsets)
        rows = np.flatnonzero(np.repeat(keep, lengths))
        return attrs.evolve(
            self,
            customer=self.customer[keep],
            codes=self.codes[rows],
            offsets=np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64),
            time=None if self.time is None else self.time[rows],
        )

    def segment(self, name: str) -> Coded:
        """Return the first known value of an attribute, one a unit, of all units."""
        if self.journeys is not None:
            return self.journeys.segment(name)
        per_row = self.log.attribute(name)
        return per_row.first_of_groups(self.offsets)


def censored_of(censored: Censored | None, semantics: Semantics) -> Censored:
    """Return what becomes of censored entrants: the caller's choice, else that of the rules."""
    if censored is None:
        return semantics.censored
    check_choice(censored, "censored", ("exclude", "keep", "survival"))
    return censored


def rules_of(  # noqa: PLR0917 - the arguments of `funnel`, in its order
    subject: Subject,
    steps: Sequence[StepLike],
    within: timedelta | str | None,
    order: Order,
    entry: Literal["any", "first"] | None,
    exclude: Sequence[Exclusion | str],
    censored: Censored | None,
    semantics: Semantics | Preset | None,
) -> Rules:
    """Return the rules of a funnel.

    Raises
    ------
    InvalidValue
        If an argument breaks its rule, or two do not go together.
    UnknownName
        If a name is nearly one of the log.
    TimesRequired
        If aggregated paths are asked for what needs times.
    """
    typed = as_steps(steps)
    exclusions = check_exclusions(exclude, typed)
    check_choice(order, "order", ("ordered", "strict", "unordered"))
    matching = semantics_of(semantics, entry)
    kept = censored_of(censored, matching)
    for kind, items in (("step", typed), ("exclusion", exclusions)):
        for name in absent_names(subject, items):
            if difflib.get_close_matches(name, subject.names, n=1, cutoff=_NEAR):
                raise UnknownName.among(kind, name, subject.names, where="the log")
    if within is not None:
        within = check_duration(within, "within")
        if not matching.windowed:
            raise InvalidValue.of("within", f"be None with semantics={semantics!r}", within)
    if order == "unordered":
        _check_unordered(typed, exclusions)
    if kept == "survival":
        if entry == "any" or (semantics is not None and matching.entry != "first"):
            raise InvalidValue.of("censored", "not be 'survival' with entry='any'", censored)
        matching = attrs.evolve(matching, entry="first")
    timed = within is not None or kept == "survival" or any(step.within for step in typed)
    if timed and subject.time is None and subject.n_units:
        raise TimesRequired("a window, or censored='survival', needs times")
    until = subject.log.observed_until_us
    mature = None
    if kept == "exclude" and within is not None and until is not None:
        mature = until - duration_us(within)
    return Rules(
        steps=typed,
        exclude=exclusions,
        order=order,
        within_us=None if within is None else duration_us(within),
        semantics=matching,
        mature_until_us=mature,
    )


def absent_names(subject: Subject, items: Sequence[Step | Exclusion]) -> list[str]:
    """Return the names that no interaction has."""
    return sorted(set().union(*(item.match for item in items)) - set(subject.names))


def _check_unordered(steps: tuple[Step, ...], exclude: tuple[Exclusion, ...]) -> None:
    for exclusion in exclude:
        if exclusion.span(len(steps)) != (0, len(steps) - 1):
            raise InvalidValue.of("exclude", "guard all steps with order='unordered'", exclusion)
    for i, step in enumerate(steps):
        if step.optional or step.within is not None:
            rule = "be neither optional nor limited in time with order='unordered'"
            raise InvalidValue.of(f"steps[{i}]", rule, step)
        for other in steps[:i]:
            if step.match & other.match and step.match != other.match:
                rule = "match the same touchpoints as another step, or none of them, if unordered"
                raise InvalidValue.of(f"steps[{i}]", rule, step)
