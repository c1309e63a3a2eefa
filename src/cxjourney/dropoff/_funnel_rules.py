"""Rules of a funnel and the units that it is asked of: arguments checked and made definite."""

from __future__ import annotations

import difflib
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.validation import check_choice, check_duration, duration_us
from cxjourney.dropoff._matching import Rows, Rules
from cxjourney.dropoff._semantics import (
    CHOICES,
    ORDERS,
    Censored,
    Entry,
    Order,
    Preset,
    Semantics,
    semantics_of,
)
from cxjourney.dropoff._steps import (
    Condition,
    Exclusion,
    Range,
    Step,
    StepLike,
    Where,
    as_steps,
    check_exclusions,
)
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.journeys import (
    Journeys,
    JourneyStatistics,
    Pattern,
    check_journeys,
    every_point,
    units_of,
    units_of_customers,
)
from cxjourney.log import Coded, InteractionLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney._stats.units import Units

_NEAR = 0.75


@attrs.frozen(kw_only=True, eq=False)
class Subject(Rows):
    """The units that are matched: customers of a log, or journeys; see `Rows`.

    Attributes
    ----------
    log
        The log.
    journeys
        The journeys; None where units are customers.
    customer
        Number of the customer of each unit.
    row
        Which row of the columns each row is; None where it is the same.
    part_of, value
        Where units are parts of customers or journeys with one value of a property: of which, and
        which value; None where they are whole.
    """

    log: InteractionLog
    journeys: Journeys | None
    customer: Ints
    row: Ints | None = None
    part_of: Ints | None = None
    value: Coded | None = None

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
            names=columns.coded["touchpoint"].names,
        )

    @property
    def unit(self) -> str:
        """What one of them is called."""
        return "customer" if self.journeys is None else "journey"

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.offsets) - 1

    @property
    def n_whole(self) -> int:
        """Number of customers or journeys, whole."""
        return self.log.n_customers if self.journeys is None else len(self.journeys.outcome)

    @property
    def weight(self) -> Ints | None:
        """How often each unit counts; None where once."""
        weight = None if self.journeys is None else self.journeys.weight
        return weight if weight is None or self.part_of is None else weight[self.part_of]

    @property
    def units(self) -> Units:
        """The units of variance."""
        if self.journeys is not None:
            units = units_of(self.journeys)
            return units if self.part_of is None else units.take(self.part_of)
        return units_of_customers(self.log).take(self.customer)

    def whole(self, unit: Ints) -> Ints:
        """Return the customers or journeys that units are of."""
        if self.part_of is not None:
            return self.part_of[unit]
        return self.customer[unit] if self.journeys is None else unit

    def where(self, keep: Bools) -> Subject:
        """Return some of the units, in buckets as in the whole."""
        if self.journeys is not None and self.part_of is None:
            part = attrs.evolve(
                Subject.of(self.journeys.where(keep)), value=_kept(self.value, keep)
            )
            return part.conditioned([*self.holds])
        lengths = np.diff(self.offsets)
        rows = np.flatnonzero(np.repeat(keep, lengths))
        return attrs.evolve(
            self.rows(rows),
            customer=self.customer[keep],
            offsets=np.append(0, np.cumsum(lengths[keep])).astype(np.int64),
            part_of=None if self.part_of is None else self.part_of[keep],
            value=_kept(self.value, keep),
        )

    def rows(self, rows: Ints) -> Subject:
        """Return these rows; what cuts them into units is as it was."""
        return attrs.evolve(
            self,
            codes=self.codes[rows],
            time=None if self.time is None else self.time[rows],
            row=rows if self.row is None else self.row[rows],
        )

    def attribute(self, name: str) -> Coded:
        """Return an attribute, one value a row."""
        columns = self.log.columns if self.journeys is None else self.journeys.columns
        coded = columns.attribute(name, self.log.customer_attributes)
        return coded if self.row is None else coded.take(self.row)

    def segment(self, name: str) -> Coded:
        """Return the first known value of an attribute, one a unit, of all units."""
        if self.value is not None:
            return self.value
        if self.journeys is not None:
            return self.journeys.segment(name)
        return self.attribute(name).first_of_groups(self.offsets)

    def parted(self, name: str) -> Subject:
        """Return the parts of units with one value of a property, without rows that have none."""
        coded = self.attribute(name)
        unit = np.repeat(np.arange(self.n_units), np.diff(self.offsets))
        rows = np.flatnonzero(coded.codes >= 0)
        key = unit[rows] * max(1, len(coded.names)) + coded.codes[rows]
        order = np.argsort(key, kind="stable")
        key = key[order]
        begin = np.flatnonzero(np.append(True, np.diff(key) > 0)[: len(key)])
        of, value = np.divmod(key[begin], max(1, len(coded.names)))
        return attrs.evolve(
            self.rows(rows[order]),
            customer=self.customer[of],
            offsets=np.append(begin, len(key)).astype(np.int64),
            part_of=self.whole(of),
            value=Coded(value, coded.names),
        )

    def conditioned(self, wanted: Sequence[Condition]) -> Subject:
        """Return the units with codes that tell apart which conditions a row meets."""
        if not wanted:
            return self
        met = np.zeros(len(self.codes), dtype=np.int64)
        for i, (where, pattern) in enumerate(wanted):
            meets = self._meets(where)
            if pattern is not None:
                meets &= self._completes(pattern)
            met |= meets.astype(np.int64) << i
        n = max(1, len(self.names))
        kinds, codes = distinct(met * n + self.codes)
        return attrs.evolve(
            self,
            codes=codes,
            names=tuple(self.names[i] for i in (kinds % n).tolist()),
            holds={one: (kinds // n >> i) & 1 > 0 for i, one in enumerate(wanted)},
        )

    def _completes(self, pattern: Pattern) -> Bools:
        """Return which rows are the point of a match of a pattern."""
        journeys = self.journeys
        if journeys is None:
            if pattern.parsed.end not in {"", "$"}:
                rule = "come with journeys where it asks how they end: log.journeys(...)"
                raise InvalidValue.of("pattern", rule, str(pattern))
            columns = self.log.columns
            coded = {name: one for name, one in columns.coded.items() if name != "journey"}
            whole = attrs.evolve(self.log, columns=attrs.evolve(columns, coded=coded))
            journeys = whole.journeys()  # one of each customer
        points = every_point(journeys, pattern)
        return points if self.row is None else points[self.row]

    def _meets(self, where: Where) -> Bools:
        """Return which rows meet all of some conditions."""
        columns = self.log.columns if self.journeys is None else self.journeys.columns
        met = np.ones(len(self.codes), dtype=np.bool_)
        for name, wanted in where.items():
            if name in columns.numeric:
                values = columns.numeric[name]
                values = values if self.row is None else values[self.row]
                met &= np.logical_or.reduce([_fits(values, one) for one in wanted])
                continue
            coded = self.attribute(name)
            texts = [value for value in coded.names if isinstance(value, str)]
            for one in wanted:
                if isinstance(one, str) and one not in texts and _near(one, texts):
                    raise UnknownName.among(f"value of {name!r}", one, texts, where="the log")
            fits = [any(_fit(value, one) for one in wanted) for value in (*coded.names, None)]
            met &= np.array(fits, dtype=np.bool_)[coded.codes]
        return met


def _kept(value: Coded | None, keep: Bools) -> Coded | None:
    return None if value is None else value.take(keep)


def _fits(values: NDArray[np.float64], wanted: object) -> Bools:
    """Return which numbers are the one wanted, or in a range; None stands for missing."""
    if not isinstance(wanted, Range):
        return np.isnan(values) if wanted is None else values == wanted
    met = ~np.isnan(values)
    if wanted.least is not None:
        met &= values >= wanted.least
    if wanted.below is not None:
        met &= values < wanted.below
    return met


def _fit(value: object, wanted: object) -> bool:
    """Return whether a value is the one wanted: 1, True and 1.0 are three values."""
    if isinstance(wanted, Range):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and bool(_fits(np.array([value], dtype=np.float64), wanted)[0])
    return type(value) is type(wanted) and value == wanted


def censored_of(censored: Censored | None, semantics: Semantics) -> Censored:
    """Return what becomes of censored entrants: the caller's choice, else that of the rules."""
    if censored is None:
        return semantics.censored
    check_choice(censored, "censored", CHOICES["censored"])
    return censored


def rules_of(  # noqa: PLR0917 - the arguments of `funnel`, in its order
    subject: Subject | None,
    steps: Sequence[StepLike],
    within: timedelta | str | None,
    order: Order,
    entry: Entry | None,
    exclude: Sequence[Exclusion | str],
    censored: Censored | None,
    semantics: Semantics | Preset | None,
    count: Literal["units", "values", "attempts"] = "units",
) -> tuple[Rules, Censored]:
    """Return the rules of a funnel, and what becomes of censored entrants.

    Without a subject, names and times are not checked, and no window is over.

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
    check_choice(order, "order", ORDERS)
    check_choice(count, "count", ("units", "values", "attempts"))
    matching = semantics_of(semantics, entry)
    kept = censored_of(censored, matching)
    if subject is not None:
        check_spelling(typed, exclusions, subject.names)
    if within is not None:
        within = check_duration(within, "within")
        if not matching.windowed:
            raise InvalidValue.of("within", f"be None with semantics={semantics!r}", within)
    if order not in {"ordered", "strict"}:
        _check_unordered(typed, exclusions, order)
    if matching.entry == "anywhere":
        _check_open(matching, order, within, exclusions, count)
    if matching.grace is not None:
        _check_grace(typed, matching, order)
    if count == "attempts":
        matching = _of_attempts(matching, order, entry)
    if kept == "survival":
        if entry == "any" or (semantics is not None and matching.entry != "first"):
            raise InvalidValue.of("censored", "not be 'survival' with entry='any'", censored)
        matching = attrs.evolve(matching, entry="first")
    timed = within is not None or kept == "survival" or matching.ties == "forbidden"
    timed |= matching.grace is not None or any(step.within or step.after for step in typed)
    if timed and subject is not None and subject.time is None and subject.n_units:
        raise TimesRequired("a window, times between steps or censored='survival' need times")
    until = None if subject is None else subject.log.observed_until_us
    mature = None
    if kept == "exclude" and within is not None and until is not None:
        mature = until - duration_us(within)
    rules = Rules(
        steps=typed,
        exclude=exclusions,
        order=order,
        within_us=None if within is None else duration_us(within),
        semantics=matching,
        mature_until_us=mature,
        attempts=count == "attempts",
    )
    return rules, kept


def _check_open(
    semantics: Semantics,
    order: Order,
    within: object,
    exclude: Sequence[Exclusion],
    count: str,
) -> None:
    """Refuse what has no meaning where a unit may enter at every step."""
    told = "with entry='anywhere', where a unit may enter at every step"
    if order not in {"ordered", "strict"}:
        raise InvalidValue.of("order", f"be 'ordered' or 'strict' {told}", order)
    if within is not None:
        raise InvalidValue.of("within", f"be None {told}: limit steps by Step(within=)", within)
    if exclude or count == "attempts" or semantics.censored == "survival":
        raise InvalidValue(f"exclude, count='attempts' and 'survival' must be left out {told}")


def _check_grace(steps: Sequence[Step], semantics: Semantics, order: Order) -> None:
    """Refuse grace where it could let one interaction do two steps, or has no meaning."""
    if order != "ordered" or semantics.ties == "forbidden" or semantics.exclusion == "void":
        rule = "be None unless order is 'ordered', ties are allowed and exclusions end an attempt"
        raise InvalidValue.of("grace", rule, semantics.grace)
    for one, other in combinations(steps, 2):
        if one.match & other.match or not (one.match and other.match):
            raise InvalidValue.of("grace", "be None where two steps match one touchpoint", other)


def _of_attempts(semantics: Semantics, order: Order, entry: Entry | None) -> Semantics:
    """Return the rules of a funnel of attempts, which come one at a time."""
    if order not in {"ordered", "strict"} or entry not in {None, "ended"}:
        raise InvalidValue("count='attempts' must come with an order of steps and entry='ended'")
    if semantics.exclusion == "void" or semantics.base == "all" or semantics.entry == "first":
        raise InvalidValue.of("semantics", "take attempts one at a time", semantics)
    return attrs.evolve(semantics, entry="ended")


def check_spelling(
    steps: Sequence[Step], exclude: Sequence[Exclusion], known: Sequence[str]
) -> None:
    """Raise UnknownName if a name is not known, but nearly one that is."""
    for kind, items in (("step", steps), ("exclusion", exclude)):
        for name in absent_names(known, items):
            if _near(name, known):
                raise UnknownName.among(kind, name, known, where="the log")


def _near(name: str, known: Sequence[str]) -> bool:
    return bool(difflib.get_close_matches(name, known, n=1, cutoff=_NEAR))


def absent_names(known: Iterable[str], items: Sequence[Step | Exclusion]) -> list[str]:
    """Return the names that no interaction has, given those that some have."""
    return sorted(set().union(*(item.match for item in items)) - set(known))


def _check_unordered(steps: tuple[Step, ...], exclude: tuple[Exclusion, ...], order: Order) -> None:
    for exclusion in exclude:
        if exclusion.span(len(steps)) != (0, len(steps) - 1):
            raise InvalidValue.of("exclude", f"guard all steps with order={order!r}", exclusion)
    for i, step in enumerate(steps):
        if step.optional or step.within is not None or step.after is not None:
            rule = f"be neither optional nor limited in time with order={order!r}"
            raise InvalidValue.of(f"steps[{i}]", rule, step)
        for other in steps[:i]:
            alike = (step.match, step.condition) == (other.match, other.condition)
            if not alike and (step.match & other.match or not (step.match and other.match)):
                rule = "match the same touchpoints as another step, or none of them, if unordered"
                raise InvalidValue.of(f"steps[{i}]", rule, step)
