"""Funnels: how many units get from step to step, under rules that are written down."""

from __future__ import annotations

from datetime import timedelta
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED, NO_INTERVAL
from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney._support.words import how_long
from cxjourney.dropoff._explanation import Explanation, explain_unit, explanation_table
from cxjourney.dropoff._funnel_columns import FORMATS, Entrants, step_columns
from cxjourney.dropoff._funnel_rules import Subject, absent_names, censored_of, rules_of
from cxjourney.dropoff._matching import Matched, Order, Rules, match
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.journeys import IN_PROGRESS, BySegment, WithPeople, by_segment, with_people
from cxjourney.metrics import Estimate, SurvivalCurve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjourney.dropoff._semantics import Censored, Preset, Semantics
    from cxjourney.dropoff._steps import Exclusion, StepLike
    from cxjourney.journeys import Ending, Journeys, SegmentBy
    from cxjourney.log import InteractionLog


@attrs.frozen(kw_only=True, eq=False)
class _Source:
    """The units, rules and entrants of a funnel, for explanations and curves."""

    subject: Subject
    rules: Rules
    entrants: Entrants
    unit: Ints  # the number of each entrant among the units

    def members(self, place: int, _names: tuple[str, ...], outcome: Ending | None) -> Bools:
        """Return which units a step counts."""
        entrants, steps = self.entrants, self.rules.steps
        of = entrants.reached[place]
        if outcome == "any":
            of = entrants.reached[entrants.before(steps, place)]
        elif outcome in {"dropped", "in progress"}:
            running = entrants.running if outcome == "in progress" else ~entrants.running
            of = entrants.left(steps, place) & running
        mask = np.zeros(self.subject.n_units, dtype=np.bool_)
        mask[self.unit[of]] = True
        return mask


@attrs.frozen(kw_only=True, repr=False)
class Funnel(WithPeople):
    """How many units get from step to step.

    `journeys(step)` gives the journeys that reached a step; with `outcome="dropped"` or "in
    progress" those at the step before that did not, with "any" all of that step. A funnel of a log
    counts customers: there take `customers(step)`.

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
    n_left_out
        Units left out because no window of theirs was over when the observation ended.
    n_censored
        Units that entered and may still go on: their window (or their journey) is not over.
    order, entry, ties, censored, within
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
    unit: str
    base: str
    n_base: int
    n_units: int
    n_excluded: int
    n_left_out: int
    n_censored: int
    order: str
    entry: str
    ties: str
    censored: str
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
            n_censored=self.n_censored,
            unit="fraction",
            method=self.method,
            name="funnel_conversion",
            definition=f"share of {self.unit}s that reached the last step",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready dictionary with its schema version, without its log."""
        return super(Funnel, attrs.evolve(self, source=None)).to_dict()

    def time_to(self, step: int | None = None, *, level: float | None = None) -> SurvivalCurve:
        """Return the survival curve of the time from entry to a step, in which others are censored.

        Its median is that of all who entered. `median_s` of the table is that of those who got
        there: the same where everybody did, else an earlier one.

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
        units = np.flatnonzero(subject.customer == number).tolist()
        if not units:
            raise UnknownName(f"customer {customer!r} has no {subject.unit} in this funnel")
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
            told = (
                *told,
                f"An exclusion removed {removed} {self.unit}{'s' * (removed > 1)} from the funnel.",
            )
        return Explanation(table=explanation_table(rows), depth=tuple(depth), rules=told)

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the share that reached each step.

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
        table = self.table
        return plot.funnel(
            [f"{i}  {step}" for i, step in enumerate(self.steps, start=1)],
            table["rate"],
            table["low"],
            table["high"],
            count=table["count"],
            label=f"share that reached the step, {100 * self.level:g}% interval",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _require_source(self, caller: str) -> _Source:
        if not isinstance(self.source, _Source):
            raise InvalidValue(f"{caller} needs the log, which a funnel read back no longer has")
        return self.source

    def _rules(self) -> tuple[str, ...]:
        window = "without a window"
        if self.within is not None:
            window = f"within {how_long(self.within)} of entering"
        return (
            f"The steps are {self.order}, {window}.",
            f"The rules: entry {self.entry!r}, ties {self.ties!r}, censored {self.censored!r}.",
        )

    def _notes(self) -> tuple[str, ...]:
        base = "that entered" if self.base == "entered" else "in all"
        return (
            f"The rate is the share of the {self.n_base:,} {self.unit}s {base}.",
            f"The step rate is the share of the {self.unit}s at the step before.",
            f"Rates have {100 * self.level:g}% intervals ({self.method}).",
            *self._rules(),
            *self.caveats,
        )


@overload
def funnel(
    log: InteractionLog | Journeys,
    steps: Sequence[StepLike],
    *,
    within: timedelta | str | None = None,
    order: Order = "ordered",
    entry: Literal["any", "first"] | None = None,
    exclude: Sequence[Exclusion | str] = (),
    segment: None = None,
    censored: Censored | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> Funnel: ...


@overload
def funnel(
    log: InteractionLog | Journeys,
    steps: Sequence[StepLike],
    *,
    within: timedelta | str | None = None,
    order: Order = "ordered",
    entry: Literal["any", "first"] | None = None,
    exclude: Sequence[Exclusion | str] = (),
    segment: SegmentBy,
    censored: Censored | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> BySegment[Funnel]: ...


def funnel(
    log: InteractionLog | Journeys,
    steps: Sequence[StepLike],
    *,
    within: timedelta | str | None = None,
    order: Order = "ordered",
    entry: Literal["any", "first"] | None = None,
    exclude: Sequence[Exclusion | str] = (),
    segment: SegmentBy | None = None,
    censored: Censored | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> Funnel | BySegment[Funnel]:
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
        What must not happen between steps: names, or typed `Exclusion`. An attempt keeps what it
        had reached (with `semantics="posthog"` it is void); in any order it guards all steps.
    segment
        An attribute of customers or interactions; the result is then one of each segment. A unit
        has its first known value.
    censored
        What becomes of attempts whose window was not over when the observation ended, so that
        their end is not known.
        "exclude" (None): they do not count, so that everyone had the whole window; "keep": they
        do, which understates conversion; "survival": rates are those of Kaplan and Meier at the
        end of the window, from the first entry of each unit. Without a window nothing is
        excluded.
    semantics
        Rules of another tool: "posthog", "mixpanel", "retentioneering", or your own `Semantics`.
        A preset also keeps entrants whose window was not over, as those tools do.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Funnel
        `steps`, `counts`, `rates` and a table with one row a step; NaN where a number is not
        defined. Times are those of the units that reached the step: see `time_to` for the others.

        | column | what it is |
        |---|---|
        | `step` | what the step is called |
        | `count` | units that reached it |
        | `rate`, `low`, `high` | share of the base [fraction], its interval |
        | `step_rate`, `step_low`, `step_high` | share of the last step that is not optional |
        | `dropped`, `censored` | of that step not here: those lost, those that may still come |
        | `median_s`, `median_low_s`, `median_high_s` | median time from entering [s], interval |
        | `p90_s` | 90 % had got there by this time from entering [s] |
        | `step_mean_s`, `step_median_s`, `step_p90_s` | time from the step before [s] |
    BySegment
        One such result a segment, where `segment` is given.

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
    `Semantics` documents the matching. Every share is computed again without each of 64 buckets of
    customers; its interval is Wilson's on as many independent trials as their variance is worth.
    The interval of a median is Woodruff's. Counts never increase along steps that are not optional.

    Medians and 90th percentiles are those of the units that got there: the first time by which so
    many of them had. Such a median shrinks when the slow ones are not there yet. `time_to` has the
    median of all who entered, those who did not get there being censored: the same number where
    everybody got there, a later one elsewhere.

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
    rules = rules_of(subject, steps, within, order, entry, exclude, censored, semantics)
    check_level(level)
    kept = censored_of(censored, rules.semantics)

    def matched(part: Subject) -> Funnel:
        return _funnel(part, rules, order=order, censored=kept, level=level)

    if segment is not None:
        return by_segment(subject, segment, matched, unit=subject.unit)
    return matched(subject)


def _funnel(
    subject: Subject,
    rules: Rules,
    *,
    order: Order,
    censored: Censored,
    level: float,
) -> Funnel:
    matched = match(subject.codes, subject.names, subject.offsets, subject.time, rules)
    entrants = _entrants(subject, rules, matched)
    everyone = rules.semantics.base == "all"
    n_units = subject.n_units if subject.weight is None else int(subject.weight.sum())
    columns = step_columns(entrants, rules.steps, survival=censored == "survival", level=level)
    counts = entrants.counts()
    n_censored = entrants.number(entrants.running)
    source = _Source(subject=subject, rules=rules, entrants=entrants, unit=matched.unit)
    found = Funnel(
        steps=tuple(step.label for step in rules.steps),
        counts=counts,
        rates=tuple(columns["rate"].tolist()),
        table=Table(columns, formats=FORMATS, backend=subject.log.backend),
        unit=subject.unit,
        base=rules.semantics.base,
        n_base=n_units if everyone else counts[0],
        n_units=n_units,
        n_excluded=matched.excluded,
        n_left_out=matched.left_out,
        n_censored=n_censored,
        order=order,
        entry=rules.semantics.entry,
        ties=rules.semantics.ties,
        censored=censored,
        within=None if rules.within_us is None else timedelta(microseconds=rules.within_us),
        level=level,
        method=f"{'Kaplan-Meier, ' if censored == 'survival' else ''}Wilson, {CLUSTERED}",
        caveats=(
            *_caveats(subject, matched, rules, censored, n_censored),
            *_no_interval(columns),
        ),
        source=source,
    )
    counted = subject if subject.journeys is None else subject.journeys
    return with_people(found, counted, source.members)


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
        weight = subject.weight[matched.unit]
    customer = None
    if subject.journeys is not None and subject.weight is None:
        customer = subject.customer[matched.unit]
    units = subject.units
    everyone = None
    if rules.semantics.base == "all":
        everyone = units.total()
    reached = matched.hit >= 0
    running = np.zeros(len(matched.unit), dtype=np.bool_)
    if rules.within_us is not None:
        running = followed < rules.within_us
    elif subject.journeys is not None:
        running = subject.journeys.outcome[matched.unit] == IN_PROGRESS
    return Entrants(
        reached=reached,
        time=time,
        weight=weight,
        customer=customer,
        units=units.take(matched.unit),
        everyone=everyone,
        followed_us=followed,
        within_us=rules.within_us,
        running=running & ~reached[-1],
        interpolated=rules.semantics.quantiles == "interpolated",
    )


def _no_interval(columns: dict[str, Any]) -> tuple[str, ...]:
    known = np.isfinite(columns["rate"]) & (columns["count"] > 0)
    return (NO_INTERVAL,) if (known & np.isnan(columns["low"])).any() else ()


def _caveats(
    subject: Subject, matched: Matched, rules: Rules, censored: Censored, n_censored: int
) -> tuple[str, ...]:
    absent = absent_names(subject, (*rules.steps, *rules.exclude))
    said = [f"No interaction of the log is at {', '.join(map(repr, absent))}."] if absent else []
    units = f"{subject.unit}s"
    if matched.left_out:
        said.append(
            f"{matched.left_out:,} {units} are left out, because no window of theirs was over "
            "when the observation ended."
        )
    if n_censored and censored == "keep":
        said.append(f"{n_censored:,} {units} may still go on, so that conversion is understated.")
    if n_censored and censored == "exclude" and rules.within_us is None:
        said.append(
            f"{n_censored:,} {units} are in progress and may still go on, so that conversion is "
            'understated; in Python, funnel(censored="survival") allows for that.'
        )
    if rules.exclude:
        said.append(f"{matched.excluded:,} {units} were kept from getting further by an exclusion.")
    return tuple(said)
