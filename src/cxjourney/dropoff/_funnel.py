"""`funnel`: how many units get from step to step, under rules that are written down."""

from __future__ import annotations

from datetime import timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import (
    check_level,
)
from cxjourney.dropoff._explanation import Explanation, explain_unit, explanation_table
from cxjourney.dropoff._funnel_columns import FORMATS, Entrants, segment_table, step_columns
from cxjourney.dropoff._funnel_rules import Subject, absent_names, immature_of, rules_of
from cxjourney.dropoff._matching import Matched, Order, Rules, match
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.journeys import IN_PROGRESS
from cxjourney.metrics import Estimate, SurvivalCurve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjourney.dropoff._semantics import Immature, Preset, Semantics
    from cxjourney.dropoff._steps import Exclusion, StepLike
    from cxjourney.journeys import Journeys
    from cxjourney.log import InteractionLog

__all__ = ["Funnel", "funnel"]


@attrs.frozen(kw_only=True, eq=False)
class _Source:
    """What a funnel was computed from, for explanations and curves."""

    subject: Subject
    rules: Rules
    entrants: Entrants


@attrs.frozen(kw_only=True, repr=False)
class Funnel(Result):
    """How many units get from step to step.

    Attributes
    ----------
    steps
        What the steps are called.
    counts
        How many units reached each step.
    rates
        The share of the base that reached each step.
    table
        One row a step; see `funnel` for the columns.
    segments
        The same by segment; None where no segment was asked for.
    unit
        What is counted: "customer" or "journey".
    base
        What `rates` are shares of: units that "entered" at step 1, or "all" units.
    n_base
        Number of units in the base.
    n_units
        Number of all units.
    n_excluded
        Units that an exclusion removed, or kept from getting further.
    n_immature
        Units left out since no window of theirs was over when the observation ended.
    n_open
        Units that entered and may still go on: their window (or their journey) is not over.
    order, entry, ties, immature, within
        The rules; see `funnel`.
    level
        Confidence level of the intervals.
    method
        How rates and intervals were made.
    caveats
        What a reader must know.
    source
        What the funnel was computed from; None in one that was read back.
    """

    title: ClassVar[str] = "Funnel"

    steps: tuple[str, ...]
    counts: tuple[int, ...]
    rates: tuple[float, ...]
    table: Table
    segments: Table | None
    unit: str
    base: str
    n_base: int
    n_units: int
    n_excluded: int
    n_immature: int
    n_open: int
    order: str
    entry: str
    ties: str
    immature: str
    within: timedelta | None
    level: float
    method: str
    caveats: tuple[str, ...]
    source: Any = attrs.field(default=None, eq=False)  # private to this module, hence Any

    @property
    def conversion(self) -> Estimate:
        """The share of the base that reached the last step."""
        return Estimate(
            value=self.rates[-1],
            low=float(self.table["low"][-1]),
            high=float(self.table["high"][-1]),
            level=self.level,
            n=self.n_base,
            n_censored=self.n_open,
            unit="fraction",
            method=self.method,
            name="funnel_conversion",
            definition=f"share of {self.unit}s that reached the last step",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready dictionary with its schema version, without its log."""
        return super(Funnel, attrs.evolve(self, source=None)).to_dict()

    def time_to(self, step: int | None = None, *, level: float | None = None) -> SurvivalCurve:
        """Return the survival curve of the time from entry to a step, open ones censored.

        Parameters
        ----------
        step
            Number of the step, from 2; None means the last.
        level
            Confidence level; None means that of the funnel.

        Raises
        ------
        InvalidValue
            If there is no such step, or the funnel was read back from a dictionary.
        TimesRequired
            If the journeys were made of aggregated paths.
        """
        source = self._require_source("time_to()")
        number = len(self.steps) if step is None else step
        if not isinstance(number, Integral) or not 2 <= number <= len(self.steps):
            raise InvalidValue.of("step", f"lie between 2 and {len(self.steps)}", step)
        if source.entrants.time is None:
            raise TimesRequired("time_to() needs times; aggregated paths have none")
        curve: SurvivalCurve = source.entrants.curve(number - 1, level or self.level)
        return curve

    def explain(self, customer: str) -> Explanation:
        """Return how a customer's interactions were matched: what counted, and what did not.

        Parameters
        ----------
        customer
            Id of the customer.

        Raises
        ------
        UnknownName
            If the log has no such customer.
        InvalidValue
            If the funnel was read back from a dictionary.
        """
        source = self._require_source("explain()")
        subject, rules = source.subject, source.rules
        number = subject.log.customer_number(customer)
        units = [number]
        if subject.journeys is not None:
            units = np.flatnonzero(subject.journeys.customer == number).tolist()
        rows: list[dict[str, Any]] = []
        depth = []
        removed = 0
        for i, unit in enumerate(units):
            part = slice(*subject.offsets[unit : unit + 2].tolist())
            time = None if subject.time is None else subject.time[part]
            found, deepest, out = explain_unit(subject.codes[part], subject.names, time, rules)
            label = {} if subject.journeys is None else {"journey": str(i + 1)}
            rows.extend({**label, **row} for row in found)
            depth.append(deepest)
            removed += out
        told = self._rules()
        if removed:
            told = (*told, f"removed from the funnel by an exclusion: {removed} {self.unit}")
        return Explanation(table=explanation_table(rows), depth=tuple(depth), rules=told)

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the share that reached each step: bars, or one line a segment.

        Parameters
        ----------
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        names = [f"{i}  {step}" for i, step in enumerate(self.steps, start=1)]
        table, column = self.table, ""
        if self.segments is not None:
            table, column = self.segments, self.segments.column_names[0]
        return plot.funnel(
            names * (len(table) // len(names)),
            table["rate"],
            table["low"],
            table["high"],
            count=table["count"],
            group=[str(s) for s in table[column]] if column else None,
            group_label=column,
            label=f"share that reached the step, {100 * self.level:g}% interval",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _require_source(self, caller: str) -> _Source:
        if not isinstance(self.source, _Source):
            raise InvalidValue(f"{caller} needs the log, which a funnel read back no longer has")
        return self.source

    def _table(self) -> Table:
        return self.table

    def _rules(self) -> tuple[str, ...]:
        window = "no window"
        if self.within is not None:
            window = f"within {format_value(self.within.total_seconds(), 'duration')} of entering"
        matching = f"{self.order}, entry {self.entry}, {window}"
        return (f"{matching}, equal timestamps in {self.ties} order, immature: {self.immature}",)

    def _notes(self) -> tuple[str, ...]:
        base = "that entered" if self.base == "entered" else "in all"
        shares = f"rate: share of the {self.n_base:,} {self.unit}s {base}"
        return (
            f"{shares}; step_rate: of those at the step before",
            f"{100 * self.level:g}% {self.method}",
            *self._rules(),
            *self.caveats,
        )


def funnel(
    log: InteractionLog | Journeys,
    steps: Sequence[StepLike],
    *,
    within: timedelta | None = None,
    order: Order = "ordered",
    entry: Literal["any", "first"] | None = None,
    exclude: Sequence[Exclusion | str] = (),
    segment: str | None = None,
    immature: Immature | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> Funnel:
    """Return how many customers (of a log) or journeys get from step to step.

    Parameters
    ----------
    log
        A log, whose units are customers, or journeys.
    steps
        What the steps match: a touchpoint, a set of touchpoints, or a typed `Step`.
    within
        The longest time from entering to a step, its end included; None for no window.
    order
        "ordered": other interactions may lie between two steps; "strict": none may;
        "unordered": step k is reached with k of the steps done, in any order, inside one window.
    entry
        Which interactions of step 1 begin an attempt: "any" of them (None), or only the "first".
    exclude
        What must not happen between steps: names, or typed `Exclusion`. It ends the attempt.
    segment
        An attribute of customers or interactions that breaks the funnel down: its first known
        value in the unit.
    immature
        What becomes of attempts whose window was not over when the observation ended.
        "exclude" (None): they do not count, so that everyone had the whole window; "keep": they
        do, which understates conversion; "survival": rates are those of Kaplan and Meier at the
        end of the window, from the first entry of each unit. Without a window nothing is
        excluded.
    semantics
        Rules of another tool: "posthog", "mixpanel", "retentioneering", or your own `Semantics`.
        A preset also keeps immature entrants, as those tools do.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Funnel
        `steps`, `counts`, `rates` and a table with one row a step: `count`; `rate` of the base
        with `low`, `high`; `step_rate` of the last step that is not optional, with `step_low`,
        `step_high`; `dropped`; time from entering `median_s` (with `median_low_s`,
        `median_high_s`) and `p90_s`, time from the step before `step_mean_s`, `step_median_s`,
        `step_p90_s`, of those who reached the step: see `time_to` for the others.

    Raises
    ------
    UnknownName
        If a step or exclusion names no touchpoint of the log but nearly does, or there is no
        such attribute. A name that is nothing like one in the log is reached by nobody, and the
        result says so.
    InvalidValue
        If an argument breaks its rule, or two do not go together.
    TimesRequired
        If aggregated paths are asked for what needs times.

    Notes
    -----
    `Semantics` documents the matching. The intervals of customers are Wilson's; those of
    journeys are Wilson's at the effective number of independent journeys, clustered by customer.
    Counts never increase along steps that are not optional.

    A median time of those who got there is a median of survivors: it shrinks when the slow ones
    are not there yet.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> from cxjourney.dropoff import funnel
    >>> def at(customer, touchpoint, day):
    ...     timestamp = datetime(2026, 1, day, tzinfo=timezone.utc)
    ...     return cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=timestamp)
    >>> log = cx.InteractionLog.from_interactions(
    ...     [at("a", "web", 1), at("a", "cart", 2), at("a", "buy", 3), at("b", "web", 2)],
    ...     observed_until=datetime(2026, 1, 31, tzinfo=timezone.utc),
    ... )
    >>> found = funnel(log, ["web", "cart", "buy"], within=timedelta(days=7))
    >>> found.counts, found.rates
    ((2, 1, 1), (1.0, 0.5, 0.5))
    >>> print(found.explain("b").to_dict()["table"]["columns"]["verdict"])
    ['step 1: enters']
    """
    subject = Subject.of(log)
    rules = rules_of(subject, steps, within, order, entry, exclude, immature, semantics)
    check_level(level)
    kept = immature_of(immature, rules.semantics)
    matched = match(subject.codes, subject.names, subject.offsets, subject.time, rules)
    entrants = _entrants(subject, rules, matched)
    everyone = rules.semantics.base == "all"
    n_units = subject.n_units if subject.weight is None else int(subject.weight.sum())
    columns = step_columns(
        entrants,
        rules.steps,
        n_base=n_units if everyone else None,
        survival=kept == "survival",
        level=level,
    )
    segments = None
    if segment is not None:
        codes, names = subject.segment(segment)
        segments = segment_table(
            entrants,
            rules.steps,
            codes[matched.unit],
            names,
            column=segment,
            survival=kept == "survival",
            level=level,
        )
    counts = entrants.counts()
    n_open = _n_open(subject, rules, matched, entrants)
    return Funnel(
        steps=tuple(step.label for step in rules.steps),
        counts=counts,
        rates=tuple(columns["rate"].tolist()),
        table=Table(columns, formats=FORMATS, backend=subject.log.backend),
        segments=segments,
        unit="customer" if subject.journeys is None else "journey",
        base=rules.semantics.base,
        n_base=n_units if everyone else counts[0],
        n_units=n_units,
        n_excluded=matched.excluded,
        n_immature=matched.immature,
        n_open=n_open,
        order=order,
        entry=rules.semantics.entry,
        ties=rules.semantics.ties,
        immature=kept,
        within=within,
        level=level,
        method=_method(subject, kept),
        caveats=_caveats(subject, matched, rules, kept, n_open),
        source=_Source(subject=subject, rules=rules, entrants=entrants),
    )


def _entrants(subject: Subject, rules: Rules, matched: Matched) -> Entrants:
    time = None
    followed = np.zeros(len(matched.unit), dtype=np.int64)
    if subject.time is not None:
        time = subject.time[matched.hit] if len(subject.time) else matched.hit
        until = subject.log.observed_until_us
        if until is not None:
            followed = np.maximum(until - time[0], 0)
        if rules.within_us is not None:
            followed = np.minimum(followed, rules.within_us)
    weight = None
    if subject.weight is not None:
        weight = subject.weight[matched.unit].astype(np.float64)
    customer = None
    if subject.journeys is not None and subject.weight is None:
        customer = subject.journeys.customer[matched.unit]
    return Entrants(
        reached=matched.hit >= 0,
        time=time,
        weight=weight,
        customer=customer,
        followed_us=followed,
    )


def _n_open(subject: Subject, rules: Rules, matched: Matched, entrants: Entrants) -> int:
    waiting = ~entrants.reached[-1]
    if rules.within_us is not None:
        return entrants.number(waiting & (entrants.followed_us < rules.within_us))
    if subject.journeys is None:
        return 0
    running = subject.journeys.outcome[matched.unit] == IN_PROGRESS
    return entrants.number(waiting & running)


def _method(subject: Subject, immature: Immature) -> str:
    clustered = subject.journeys is not None and subject.weight is None
    if immature == "survival":
        return "Kaplan-Meier" + (", clustered by customer" if clustered else ", Greenwood")
    return "Wilson" + (", clustered by customer" if clustered else "")


def _caveats(
    subject: Subject, matched: Matched, rules: Rules, immature: Immature, n_open: int
) -> tuple[str, ...]:
    absent = absent_names(subject, (*rules.steps, *rules.exclude))
    said = [f"no interaction of the log is at {', '.join(map(repr, absent))}"] if absent else []
    if matched.immature:
        said.append(
            f"{matched.immature:,} units are left out: no window of theirs was over when the "
            "observation ended"
        )
    if n_open and immature == "keep":
        said.append(f"{n_open:,} units may still go on: conversion is understated")
    if n_open and immature == "exclude" and rules.within_us is None:
        said.append(f"{n_open:,} units are in journeys that are still in progress")
    if rules.exclude:
        what = "removed" if rules.semantics.exclusion == "unit" else "kept from getting further"
        said.append(f"{matched.excluded:,} units were {what} by an exclusion")
    return tuple(said)
