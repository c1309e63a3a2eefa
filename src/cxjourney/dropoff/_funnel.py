"""Funnels: how many units get from step to step, under rules that are written down."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, overload

import attrs
import numpy as np

from cxjourney._stats.estimates import CLUSTERED, NO_INTERVAL
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_level
from cxjourney.dropoff._funnel_columns import FORMATS, Entrants, entrants_of, step_columns
from cxjourney.dropoff._funnel_counts import counted_entrants
from cxjourney.dropoff._funnel_result import Funnel, Source
from cxjourney.dropoff._funnel_rules import Subject, absent_names, check_spelling, rules_of
from cxjourney.dropoff._matching import Matched, Rules, match
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    by_segment,
    check_counted,
    with_people,
)
from cxjourney.log import Coded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.dropoff._semantics import Censored, Entry, Order, Preset, Semantics
    from cxjourney.dropoff._steps import Exclusion, Step, StepLike
    from cxjourney.journeys import Journeys, SegmentBy
    from cxjourney.log import InteractionLog

Count = Literal["units", "values", "attempts"]
SegmentAt = Literal["first", "last", "all"] | int


@overload
def funnel(
    log: InteractionLog | Journeys | JourneyStatistics,
    steps: Sequence[StepLike],
    *,
    within: timedelta | str | None = None,
    order: Order = "ordered",
    entry: Entry | None = None,
    exclude: Sequence[Exclusion | str] = (),
    constant: str | None = None,
    count: Count = "units",
    segment: None = None,
    segment_at: SegmentAt | None = None,
    censored: Censored | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> Funnel: ...


@overload
def funnel(
    log: InteractionLog | Journeys | JourneyStatistics,
    steps: Sequence[StepLike],
    *,
    within: timedelta | str | None = None,
    order: Order = "ordered",
    entry: Entry | None = None,
    exclude: Sequence[Exclusion | str] = (),
    constant: str | None = None,
    count: Count = "units",
    segment: SegmentBy,
    segment_at: SegmentAt | None = None,
    censored: Censored | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> BySegment[Funnel]: ...


def funnel(
    log: InteractionLog | Journeys | JourneyStatistics,
    steps: Sequence[StepLike],
    *,
    within: timedelta | str | None = None,
    order: Order = "ordered",
    entry: Entry | None = None,
    exclude: Sequence[Exclusion | str] = (),
    constant: str | None = None,
    count: Count = "units",
    segment: SegmentBy | None = None,
    segment_at: SegmentAt | None = None,
    censored: Censored | None = None,
    semantics: Semantics | Preset | None = None,
    level: float = 0.95,
) -> Funnel | BySegment[Funnel]:
    """Return how many customers (of a log) or journeys get from step to step.

    Parameters
    ----------
    log
        A log, whose units are customers, or journeys, or statistics of them with these options:
        `journeys.statistics(analyses={"funnel": {"steps": ..., "within": ...}})`. These count
        journeys, or customers where `"unit": "customer"` was among the options.
    steps
        What the steps match: a touchpoint, a set of touchpoints, a `Pattern`, or a typed `Step`.
    within
        The longest time from entering to a step, its end included; None for no window.
    order
        "ordered": other interactions may lie between two steps; "strict": none may;
        "unordered": step k is reached with k of the steps done, in any order, inside one window;
        "anchored": the same, but the window begins with step 1; "hybrid": step k is reached once
        all steps up to it are done, in any order after step 1.
    entry
        Which interactions of step 1 begin an attempt: "any" of them (None), only the "first", or
        the next after the last attempt has "ended". "anywhere": a unit may enter at any step.
    exclude
        What must not happen between steps: names, or typed `Exclusion`. An attempt keeps what it
        had reached (with `semantics="posthog"` it is void); if not in order it guards all steps.
    constant
        An attribute, such as a product or session, whose value must be the same at all steps: each
        value is matched on its own, among the interactions that have it. Those without are left
        out.
    count
        "units": a customer or journey counts once, with its best attempt. "attempts": each attempt
        counts, one at a time: the next begins when the last has converted, timed out or met an
        exclusion. "values": once for each value of `constant`.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    segment_at
        Which value counts where a unit has several: its first known one (None); that of the "first"
        or the "last" step reached that has one, or of step n; "all": the unit is in the segment of
        each value, with the interactions that have it.
    censored
        What becomes of attempts whose window was not over when the observation ended, so that
        their end is not known.
        "exclude" (None): they do not count, so that everyone had the whole window; "keep": they
        do, which understates conversion; "survival": rates are those of Kaplan and Meier at the
        end of the window, from the first entry of each unit. Without a window nothing is
        excluded.
    semantics
        Rules of another tool: "posthog", "retentioneering", or your own `Semantics`. A preset also
        keeps entrants whose window was not over, as those tools do.
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

    Statistics count waits on a grid of about 1,500 bins; the result says how far that may take its
    quantiles, and rates with `censored="survival"`, from those of raw times. The others are equal.
    `explain` and `time_to` need the rows.

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
    check_level(level)
    if isinstance(log, JourneyStatistics):
        check_counted(log, segment=segment, constant=constant, segment_at=segment_at)
        rules, kept = rules_of(
            None, steps, within, order, entry, exclude, censored, semantics, count
        )
        return _funnel(_of_statistics(log, rules, kept), rules, kept, level)
    subject = Subject.of(log)
    rules, kept = rules_of(
        subject, steps, within, order, entry, exclude, censored, semantics, count
    )
    if count == "values" and constant is None:
        raise InvalidValue.of("count", "come with constant= where it is 'values'", count)
    if constant is not None and (
        rules.semantics.base == "all" or rules.semantics.entry == "anywhere"
    ):
        raise InvalidValue.of(
            "constant", "be None where the base is 'all' or entry 'anywhere'", constant
        )
    sets: list[Step | Exclusion] = [*rules.steps, *rules.exclude]
    wanted = [*filter(any, dict.fromkeys(one.condition for one in sets))]
    if segment_at is not None:
        check_segment_at(segment, segment_at, constant, len(rules.steps))
    if segment_at == "all":
        subject = subject.parted(str(segment))
    subject = subject.conditioned(wanted)

    def matched(part: Subject) -> Funnel:
        whole, of_values = part, count == "values" or segment_at == "all"
        if constant is not None:
            part = part.parted(constant).conditioned(wanted)
        found = _funnel(_of_rows(part, rules, of_values=of_values), rules, kept, level)
        if constant is not None:
            said = _constant(whole, part, constant, count)
            found = attrs.evolve(found, caveats=(*found.caveats, said))
        counted = part if part.journeys is None else part.journeys
        return with_people(found, counted, found.source.members)

    if segment is None:
        return matched(subject)
    if segment_at in {None, "all"}:
        return by_segment(subject, segment, matched, unit=subject.unit)
    assert segment_at is not None  # noqa: S101 - it is among those above
    valued = attrs.evolve(subject, value=_value_at(subject, rules, segment, segment_at))
    result = by_segment(valued, segment, matched, unit=subject.unit)
    where = (
        f"step {segment_at}" if isinstance(segment_at, int) else f"the {segment_at} step reached"
    )
    rule = f"Each {subject.unit} has the value at {where}; those without one are missing."
    return attrs.evolve(result, rule=rule)


def check_segment_at(
    segment: SegmentBy | None, at: SegmentAt, constant: str | None, n_steps: int
) -> None:
    """Raise InvalidValue unless values at a step are asked for as they can be."""
    if isinstance(at, int) and not isinstance(at, bool):
        if not 1 <= at <= n_steps:
            raise InvalidValue.of("segment_at", f"be a step from 1 to {n_steps}", at)
    else:
        check_choice(at, "segment_at", ("first", "last", "all"))  # type: ignore[arg-type]  # checked
    if segment is None:
        raise InvalidValue.of("segment_at", "be None without segment=", at)
    if constant is not None:
        raise InvalidValue.of("segment_at", "be None with constant=", at)
    if at == "all" and not isinstance(segment, str):
        raise InvalidValue.of("segment", "have no bounds with segment_at='all'", segment)


def _value_at(subject: Subject, rules: Rules, segment: SegmentBy, at: SegmentAt) -> Coded:
    """Return the value of an attribute at a step of each unit, of the attempt that counts."""
    coded = subject.attribute(segment if isinstance(segment, str) else segment[0])
    found = match(subject, attrs.evolve(rules, attempts=False))
    codes = np.append(coded.codes, -1)[found.hit]  # -1 is the spare last place
    if isinstance(at, int):
        chosen = codes[at - 1]
    else:
        ordered = codes if at == "first" else codes[::-1]
        chosen = ordered[(ordered >= 0).argmax(axis=0), np.arange(ordered.shape[1])]
    value = np.full(subject.n_units, -1, dtype=np.int64)
    value[found.unit] = chosen
    return Coded(value, coded.names)


def _constant(whole: Subject, part: Subject, constant: str, count: Count) -> str:
    """Return what a reader must know of a property that is held constant."""
    gone = len(whole.codes) - len(part.codes)
    said = f"Each value of {constant} is matched on its own; {gone:,} interactions have none."
    pair = f" A pair is one {whole.unit} with one value." if count == "values" else ""
    return said + pair


@attrs.frozen(kw_only=True, eq=False)
class _Counted:
    """The units of a funnel, of rows or of statistics."""

    entrants: Entrants
    unit: str
    n_units: int
    n_excluded: int
    n_left_out: int
    absent: list[str]
    notes: tuple[str, ...] = ()
    backend: str | None = None
    source: Source | None = None


def _of_rows(subject: Subject, rules: Rules, *, of_values: bool) -> _Counted:
    matched = match(subject, rules)
    parts = subject.part_of is not None
    if parts and not of_values and not rules.attempts:
        matched = _best(subject, matched, rules)
    entrants = entrants_of(subject, rules, matched)
    n_units = subject.n_units if subject.weight is None else int(subject.weight.sum())
    unit = subject.unit
    if rules.attempts:
        unit, n_units = "attempt", entrants.number(np.ones(len(matched.unit), dtype=np.bool_))
    elif parts and of_values:
        unit = "pair"
    elif parts:
        n_units = len(np.unique(subject.whole(np.arange(subject.n_units))))
    return _Counted(
        entrants=entrants,
        unit=unit,
        n_units=n_units,
        n_excluded=matched.excluded,
        n_left_out=matched.left_out,
        absent=absent_names(subject.names, (*rules.steps, *rules.exclude)),
        backend=subject.log.backend,
        source=Source(subject=subject, rules=rules, entrants=entrants, unit=matched.unit),
    )


def _best(subject: Subject, matched: Matched, rules: Rules) -> Matched:
    """Return the best part of each unit: the deepest, of these the first to get there."""
    assert subject.part_of is not None  # noqa: S101 - the caller has looked
    required = np.array([not step.optional for step in rules.steps])
    hit = np.where(required[:, None], matched.hit, -1)
    last = len(hit) - 1 - (hit[::-1] >= 0).argmax(axis=0)
    when = hit[last, np.arange(hit.shape[1])]
    if subject.time is not None and len(subject.time):
        when = subject.time[when]
    whole = subject.whole(matched.unit)
    order = np.lexsort((when, -last, whole))
    first = order[np.append(True, np.diff(whole[order]) > 0)[: len(order)]]
    begins = rules.pattern(subject.names, subject.holds).matches[0]
    rows = np.flatnonzero(begins[subject.codes]) if len(begins) else matched.unit[:0]
    part = np.searchsorted(subject.offsets, rows, side="right") - 1
    left_out = len(np.setdiff1d(subject.whole(part), whole))
    return attrs.evolve(
        matched, unit=matched.unit[first], hit=matched.hit[:, first], left_out=left_out
    )


def _of_statistics(statistics: JourneyStatistics, rules: Rules, censored: Censored) -> _Counted:
    entrants = counted_entrants(statistics, rules, censored)
    known = entrants.known(statistics)
    check_spelling(rules.steps, rules.exclude, known)
    excluded, left_out = entrants.facts
    return _Counted(
        entrants=entrants,
        unit=entrants.unit,
        n_units=entrants.n_units,
        n_excluded=excluded,
        n_left_out=left_out,
        absent=absent_names(known, (*rules.steps, *rules.exclude)),
        notes=entrants.notes(survival=censored == "survival"),
    )


def _funnel(counted: _Counted, rules: Rules, censored: Censored, level: float) -> Funnel:
    entrants = counted.entrants
    columns = step_columns(entrants, rules.steps, survival=censored == "survival", level=level)
    counts = entrants.counts()
    n_censored = entrants.number(entrants.running)
    return Funnel(
        steps=tuple(step.label for step in rules.steps),
        counts=counts,
        rates=tuple(columns["rate"].tolist()),
        table=Table(columns, formats=FORMATS, backend=counted.backend),
        unit=counted.unit,
        base=rules.semantics.base,
        n_base=counted.n_units
        if rules.semantics.base == "all"
        else entrants.number(np.ones(entrants.reached.shape[1], dtype=np.bool_)),
        n_units=counted.n_units,
        n_excluded=counted.n_excluded,
        n_left_out=counted.n_left_out,
        n_censored=n_censored,
        order=rules.order,
        entry=rules.semantics.entry,
        ties=rules.semantics.ties,
        censored=censored,
        within=None if rules.within_us is None else timedelta(microseconds=rules.within_us),
        level=level,
        method=f"{'Kaplan-Meier, ' if censored == 'survival' else ''}Wilson, {CLUSTERED}",
        caveats=(
            *_caveats(counted, rules, censored, n_censored),
            *_no_interval(columns),
            *counted.notes,
        ),
        source=counted.source,
    )


def _no_interval(columns: dict[str, Any]) -> tuple[str, ...]:
    known = np.isfinite(columns["rate"]) & (columns["count"] > 0)
    return (NO_INTERVAL,) if (known & np.isnan(columns["low"])).any() else ()


def _caveats(
    counted: _Counted, rules: Rules, censored: Censored, n_censored: int
) -> tuple[str, ...]:
    absent = ", ".join(map(repr, counted.absent))
    said = [f"No interaction of the log is at {absent}."] if absent else []
    units = f"{counted.unit}s"
    if counted.n_left_out:
        said.append(
            f"{counted.n_left_out:,} {units} are left out, because no window of theirs was over "
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
        kept = "were kept from getting further by an exclusion."
        said.append(f"{counted.n_excluded:,} {units} {kept}")
    return tuple(said)
