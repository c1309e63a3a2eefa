"""`trend`: a figure by period, its expectation, and the date since when it is another."""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_choice, check_level
from cxjourney._support.words import at_most, counted, how_long
from cxjourney._time.calendar import (
    PERIODS,
    Period,
)
from cxjourney._time.zones import check_zone
from cxjourney._trend._charts import (
    Calendar,
    Change,
    Chart,
    Shares,
    change_of_numbers,
    change_of_shares,
    chart_of_numbers,
    chart_of_shares,
)
from cxjourney._trend._counts import CountedTrend, counted_trend, times_of
from cxjourney._trend._marks import Initiative, Plans, Target, plans_for
from cxjourney._trend._rows import Facts, Rows, rows_of, since_us, until_us
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    BySegment,
    Journeys,
    JourneyStatistics,
    by_segment,
    check_counted,
    check_journeys,
    first_bytes_of,
    units_of,
)
from cxjourney.log import InteractionLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import SegmentBy
    from cxjourney.metrics import Metric


@attrs.frozen(kw_only=True, repr=False)
class Trend(Result):
    """A figure by period.

    Attributes
    ----------
    figure
        Its name.
    unit
        "fraction" for a share, "journeys a day" and the like for a number.
    by
        "day", "week", "month" or "quarter".
    periods
        One row a period: `period` (its first day, its month or its quarter), `n` (what the value
        rests on), `value`, `low`, `high`, `censored` (whether it is too young to be final),
        `expected` (what a young one should have by now, judged by what earlier ones had at the same
        age), `limit_low`, `limit_high`, `outside` (whether it lies beyond the limits, or a young
        one beyond what is to be expected).
    center
        Mean of the periods that are final.
    spread
        How much more they vary than chance within them would make them.
    since, since_low, since_high
        The most likely first day of a change, and the ends of its 95 % interval; "" where there is
        none to speak of.
    before, after
        The figure before and after it.
    p
        P-value of a change at all, whenever it was.
    within
        How long a journey or visit is followed for its value; None where it is known at once.
    marks
        One row a start or phase of an initiative: `initiative`, `phase` ("" for the start), `date`
        and `period`.
    targets
        One row a target: `by` (its day), `due` (the period of that day), `target`, `better`
        ("higher" or "lower"), `period` (the same, or else the last final one before it) with its
        `value`, `low` and `high`, `gap` (value - target) and `verdict`: "reached" or "not reached"
        where the interval says so, "too few to tell" where it holds the target, "too early to tell"
        where the period of the day is not final, "not observed" where it has no rows.
    level
        Confidence level of the intervals; a change is called where p is at most 1 - level.
    notes
        What a reader must know.
    """

    title: ClassVar[str] = "Trend"

    figure: str
    unit: str
    by: str
    periods: Table
    center: float
    spread: float
    since: str
    since_low: str
    since_high: str
    before: float
    after: float
    p: float
    within: timedelta | None
    marks: Table
    targets: Table
    level: float
    notes: tuple[str, ...]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the figure by period: young periods hollow, limits dotted, the change shaded.

        Parameters
        ----------
        title
            The heading; None takes the name of the figure.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        columns = ("value", "low", "high", "expected", "limit_low", "limit_high")
        names = [str(name) for name in self.periods["period"]]
        name, _, touchpoint = self.figure.partition(":")
        said = name.replace("_", " ") + (f" at {touchpoint}" if touchpoint else "")
        change = None
        if self.since:
            change = [
                self._place(names, day) for day in (self.since_low, self.since, self.since_high)
            ]
        begun: dict[str, list[str]] = {}
        for mark in self.marks:
            if mark["period"] in names:
                phase = f": {mark['phase']}" if mark["phase"] else ""
                what = f"{mark['initiative']}{phase}"
                begun.setdefault(str(mark["period"]), []).append(what)
        aims = zip(self.targets["due"], self.targets["target"], strict=True)
        return plot.trend_chart(
            names,
            *(self.periods[name] for name in columns),
            censored=self.periods["censored"],
            outside=self.periods["outside"],
            change=change,
            marks=[(names.index(name), ", ".join(what)) for name, what in begun.items()],
            targets=[(names.index(str(due)), float(aim)) for due, aim in aims if str(due) in names],
            percent=self.unit == "fraction",
            label=said if self.unit in {"", "fraction"} else self.unit,
            caption=self._caption(),
            title=f"{said[:1].upper()}{said[1:]}" if title is None else title,
            ax=ax,
        )

    def _caption(self) -> str:
        """Return what to see in the picture."""
        apart = int(np.count_nonzero(self.periods["outside"]))
        said = [f"Each point is a {self.by}, with its {100 * self.level:g}% interval."]
        if self.since:
            said.append(f"A change began about {self.since} (dashed line).")
        if apart:
            said.append(f"A ring marks {counted(apart, self.by)} beyond what chance explains.")
        if not self.since and not apart:
            said.append("None differs by more than chance explains.")
        if len(self.marks):
            said.append("Dotted lines mark what was begun, and say nothing of what came of it.")
        if len(self.targets):
            said.append("A diamond is a target on its day.")
        return " ".join(said)

    def _place(self, names: list[str], day: str) -> int:
        label = f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}" if self.by == "quarter" else day
        return bisect_right(names, label) - 1

    def _table(self) -> Table:
        return self.periods

    def _lead(self) -> str:
        unit = "" if self.unit in {"", "fraction"} else f", in {self.unit}"
        return f"{self.figure} by {self.by}{unit}"

    def _notes(self) -> tuple[str, ...]:
        return self.notes


@overload
def trend(
    source: Journeys | InteractionLog | JourneyStatistics,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: None = None,
    initiatives: Initiative | Iterable[Initiative] = (),
    targets: Target | Iterable[Target] = (),
    tz: str | None = None,
    level: float = 0.95,
) -> Trend: ...


@overload
def trend(
    source: Journeys | InteractionLog | JourneyStatistics,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: SegmentBy,
    initiatives: Initiative | Iterable[Initiative] = (),
    targets: Target | Iterable[Target] = (),
    tz: str | None = None,
    level: float = 0.95,
) -> BySegment[Trend]: ...


def trend(
    source: Journeys | InteractionLog | JourneyStatistics,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: SegmentBy | None = None,
    initiatives: Initiative | Iterable[Initiative] = (),
    targets: Target | Iterable[Target] = (),
    tz: str | None = None,
    level: float = 0.95,
) -> Trend | BySegment[Trend]:
    """Return a figure by period of entry, and since when it is another.

    Parameters
    ----------
    source
        Journeys; or a log, for figures that need neither goal nor limit; or statistics that add up
        of which the figure was counted, as by
        `journeys.statistics(analyses={"trend": {"figure": "conversion_rate"}})`.
    figure
        Name of a headline figure: "conversion_rate", "conversion_after:cart", "exit_rate",
        "exit_rate:cart", "visits_per_journey", "value_per_conversion", "score", "emotion:cart", or,
        as numbers a day, "journeys", "conversions", "visits", "visits:cart". Or a
        `cxjourney.metrics.Metric` with `per_journey`, whose mean is taken.
    by
        "day", "week" (from Monday), "month" or "quarter".
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    initiatives
        What was begun and when (`cxjourney.experiments.Initiative`), to be marked. A mark says
        when, not what came of it.
    targets
        What the figure should be and by when (`cxjourney.experiments.Target`); those of other
        figures are left out, so that one list serves several trends. The value of the period of the
        day is held against it.
    tz
        Time zone of the calendar; None takes the one in which the log was, and of statistics the
        one for which the figure was counted, UTC unless they were told another.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Trend
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    UnknownName
        If there is no such figure, touchpoint or segment, or an initiative changes an unknown
        touchpoint; the message lists what there is.
    OutcomeUndetermined
        If the figure needs to know when a journey is over, and nothing tells.
    InvalidValue
        If an argument breaks its rule, or no journey has a value.

    Notes
    -----
    A row belongs to the period in which it began. What takes time is counted within the time
    (`within`) in which nine of ten conversions, or journeys, are over. A period is final when all
    its rows were followed for so long; a younger one is `censored`: its value is what has been
    reached so far, and a share is held against what final periods had reached at the same age.
    Intervals are those over buckets of customers; of numbers a day they are those of a Poisson
    count, wider as customers come more often within a period. Limits are those of a p′ or u′ chart
    (Laney 2002) of the final periods, from eight of them on: they are for the picture, and find
    little.

    The change is the largest standardised cumulative sum of deviations, up or down, against the
    same under random signs of customers, widened where weeks differ more than their customers make
    them; its interval are the dates that fit nearly as well. For numbers a day the signs are those
    of weeks, which are taken as independent of one another.

    Statistics count shares ("conversion_rate", "conversion_after:cart", "exit_rate") and numbers a
    day, any `by`. The time in which nine of ten conversions come is in whole days there.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=800).journeys()
    >>> found = cx.trend(journeys, "conversion_rate", by="month")
    >>> len(found.periods), bool(found.periods["censored"][-1]), found.p > 0.05
    (12, True, True)
    """
    check_choice(by, "by", PERIODS)
    check_level(level)
    if isinstance(source, JourneyStatistics):
        check_counted(source, segment=segment)
        plans = plans_for(figure, initiatives, targets, None)
        return _with_values(_of_statistics(source, figure, plans, by, tz, level))
    journeys = source.journeys() if isinstance(source, InteractionLog) else source
    check_journeys(journeys, "source")
    journeys.require_times("trend()")
    zone = journeys.log.intake.tz if tz is None else tz
    check_zone(zone)
    calendar = Calendar(by=by, tz=zone)
    plans = plans_for(figure, initiatives, targets, journeys.log.touchpoints)
    if segment is None:
        return _with_values(_trend(journeys, figure, plans, calendar, level))
    return by_segment(journeys, segment, lambda part: _trend(part, figure, plans, calendar, level))


def _with_values(found: Trend) -> Trend:
    if not any(found.periods["n"]):
        raise InvalidValue(f"nothing to chart: no journey has a value of {found.figure!r}")
    return found


def _trend(
    journeys: Journeys, figure: str | Metric, plans: Plans, calendar: Calendar, level: float
) -> Trend:
    rows = rows_of(journeys, figure)
    until = until_us(journeys)
    day = calendar.day(rows.time_us)
    last, since = calendar.day(np.array([until - 1, since_us(journeys)])).tolist()
    facts, values = rows.facts, len(rows.value)
    ends = (int(day.min()), int(day.max())) if values else (last, last)
    if facts.counted:  # days without any count too
        ends = (min(ends[0], since), max(ends[1], last))
    calendar = calendar.between(*ends)
    if facts.counted:
        period = calendar.period(day)
        often = times_of(journeys.customer[rows.journey], period)
        over = float((often**2).sum() / often.sum()) if len(often) else 1.0
        chart = chart_of_numbers(period, over, calendar, ends, level)
        change = change_of_numbers(day, ends)
    else:
        age = until - rows.time_us
        shares = _shares(journeys, rows, calendar.period(day), calendar.n, age)
        chart = chart_of_shares(shares, level)
        ripe = age >= rows.horizon_us
        byte = first_bytes_of(journeys.log)[journeys.customer[rows.journey[ripe]]]
        change = change_of_shares(byte.astype(np.int64), day[ripe], rows.value[ripe])
    name = figure if isinstance(figure, str) else figure.name
    return _finished(name, facts, plans, calendar, chart, change, level, journeys.log.backend)


def _of_statistics(  # noqa: PLR0917 - what was asked
    statistics: JourneyStatistics,
    figure: str | Metric,
    plans: Plans,
    by: Period,
    tz: str | None,
    level: float,
) -> Trend:
    counted = counted_trend(statistics, figure, tz)
    calendar = Calendar(by=by, tz=counted.tz)
    last = int(calendar.day(np.array([counted.until_us - 1]))[0])
    found = counted.day[counted.n > 0]
    ends = (int(found.min()), int(found.max())) if len(found) else (last, last)
    if counted.facts.counted:
        ends = (min(ends[0], counted.since), max(ends[1], last))
    calendar = calendar.between(*ends)
    period, apart = calendar.period(counted.day), 0.0
    if counted.facts.counted:
        chart = chart_of_numbers(period, counted.over[by], calendar, ends, level, counted.n)
        change = change_of_numbers(counted.day, ends, counted.n)
    else:
        shares, apart = _shares_counted(counted, calendar)
        chart = chart_of_shares(shares, level)
        apart *= chart.limits.center
        parts = [(1.0, counted.events), (0.0, counted.n - counted.events)]
        some = [np.flatnonzero(counted.ripe & (weight > 0)) for _, weight in parts]
        change = change_of_shares(
            np.concatenate([counted.byte[at] for at in some]),
            np.concatenate([counted.day[at] for at in some]),
            np.repeat([1.0, 0.0], [len(at) for at in some]),
            np.concatenate([weight[at] for at, (_, weight) in zip(some, parts, strict=True)]),
        )
    found_trend = _finished(str(figure), counted.facts, plans, calendar, chart, change, level, None)
    if not apart:
        return found_trend
    told = f"What young periods should have lies at most {at_most(apart)} below that of raw times."
    return attrs.evolve(found_trend, notes=(*found_trend.notes, told))


def _finished(  # noqa: PLR0917 - what was found
    figure: str,
    facts: Facts,
    plans: Plans,
    calendar: Calendar,
    chart: Chart,
    change: Change,
    level: float,
    backend: str | None,
) -> Trend:
    """Return the trend of a chart."""
    change = change.called(level)
    numbers = {"value": chart.value, "low": chart.low, "high": chart.high}
    bounds = {"limit_low": chart.limits.low, "limit_high": chart.limits.high}
    shown = "percent" if facts.share else "number"
    found = Trend(
        figure=figure,
        unit=facts.unit,
        by=calendar.by,
        periods=Table(
            {
                "period": calendar.labels(),
                "n": chart.n.astype(np.int64),
                **numbers,
                "censored": chart.young,
                "expected": chart.expected,
                **bounds,
                "outside": chart.limits.outside | chart.apart,
            },
            formats=dict.fromkeys((*numbers, "expected", *bounds), shown),
            backend=backend,
        ),
        center=chart.limits.center,
        spread=chart.limits.spread,
        since=change.dates[0],
        since_low=change.dates[1],
        since_high=change.dates[2],
        before=change.rise.before,
        after=change.rise.after,
        p=change.p,
        within=timedelta(microseconds=facts.horizon_us) if facts.horizon_us else None,
        marks=plans.marks(calendar, backend),
        targets=plans.gaps(chart, calendar, shown, backend),
        level=level,
        notes=(),
    )
    said = _said(found, facts, int(chart.young.sum()), slow=change.slow)
    return attrs.evolve(found, notes=(*said, *_planned(found, plans, shown)))


def _shares(journeys: Journeys, rows: Rows, period: Ints, n: int, age: Ints) -> Shares:
    young = np.bincount(period[age < rows.horizon_us], minlength=n) > 0
    share = rows.share
    value = np.where(rows.delay_us <= age, rows.value, 0.0) if share else rows.value
    units, ripe = units_of(journeys), ~young[period]
    expects = share and rows.delay_us.any() and young.any() and ripe.any()
    return Shares(
        trials=units.sums(period, n, item=rows.journey),
        sums=units.sums(period, n, item=rows.journey, values=value),
        young=young,
        share=share,
        variance=float(np.var(value[ripe])) if ripe.any() else np.nan,
        reached=(_reached(rows, age, ripe), period, None) if expects else None,
    )


def _shares_counted(counted: CountedTrend, calendar: Calendar) -> tuple[Shares, float]:
    """Return the same of statistics, and how far what is expected may lie from raw times."""
    n, period = calendar.n, calendar.period(counted.day)
    young = np.bincount(period, np.where(counted.ripe, 0, counted.n), minlength=n) > 0
    place = counted.unit * n + period
    trials, sums = (
        np.bincount(place, weight, N_BUCKETS * n).astype(np.float64).reshape(N_BUCKETS, n)
        for weight in (counted.n, counted.events)
    )
    reached, apart = None, 0.0
    if counted.facts.delayed and young.any() and not young.all():
        least, most, day, weight = counted.reached(lambda day: ~young[calendar.period(day)])
        reached = (least, calendar.period(day), weight)
        lost = np.bincount(reached[1], (most - least) * weight, minlength=n)
        apart = float((lost / np.maximum(trials.sum(axis=0), 1))[young].max(initial=0.0))
    share = Shares(trials=trials, sums=sums, young=young, share=True, reached=reached)
    return share, apart


def _reached(rows: Rows, age: Ints, ripe: Bools) -> Floats:
    """Return the share of the events of final periods that came within the age of each row."""
    came = np.sort(rows.delay_us[ripe & (rows.value > 0)])
    seen = np.searchsorted(came, np.minimum(age, rows.horizon_us), side="right")
    return np.asarray(seen / max(len(came), 1), dtype=np.float64)


def _said(found: Trend, facts: Facts, young: int, *, slow: bool) -> tuple[str, ...]:
    notes = [f"No date stands out as the beginning of a change (p = {found.p:.2g})."]
    if found.since:
        kind = "percent" if facts.share else None
        before, after = (format_value(x, kind) for x in (found.before, found.after))
        dates = f"around {found.since} (between {found.since_low} and {found.since_high})"
        moved = f"{before} before, {after} after, p = {found.p:.2g}"
        notes = [f"{found.figure} changed {dates}: {moved}."]
        if slow:
            notes.append("It is a slow change: a straight line fits better than a step at a date.")
    if found.within is not None:
        time = how_long(found.within)
        notes.append(
            f"A visit is an exit if nothing follows it within {time}."
            if found.figure.partition(":")[0] == "exit_rate"
            else f"A value counts what happens within {time} and nothing later."
        )
    periods = counted(young, "period")
    if young and facts.counted:
        notes.append(f"Of {periods} not every day was observed.")
    elif young:
        expected = ""
        if facts.share and facts.delayed:
            expected = "; expected is what earlier periods had reached at the same age"
        notes.append(f"The value of {periods} is what has been reached so far{expected}.")
    if np.isfinite(found.periods["limit_low"]).any():
        notes.append("The limits are for the picture only: a single bad period widens them.")
    return tuple(notes)


def _planned(found: Trend, plans: Plans, shown: str) -> list[str]:
    """Return what a reader must know of initiatives and targets."""
    notes = [
        f"The change is dated to when {_begun(mark)}; that says when it came, not why."
        for mark in found.marks
        if found.since and found.since_low <= str(mark["date"]) <= found.since_high
    ]
    for row in found.targets:
        numbers = (row[name] for name in ("target", "value", "low", "high"))
        target, value, low, high = (format_value(x, shown) for x in numbers)
        aim = f"the target of {target} by {row['by']}"
        had = f"{row['period']} has {value} (between {low} and {high})"
        if not row["period"]:
            had = "there is no final period before that day"
        said = {
            "reached": f"The target of {target} by {row['by']} was reached: {had}.",
            "not reached": f"The target of {target} by {row['by']} was not reached: {had}.",
            "too few to tell": f"There are too few to tell whether {aim} was reached: {had}.",
            "too early to tell": f"It is too early to tell whether {aim} is reached: {had}.",
            "not observed": f"Nothing tells whether {aim} was reached: {had}.",
        }
        notes.append(said[str(row["verdict"])])
    return [*notes, *([plans.left_out] if plans.left_out else [])]


def _begun(mark: Mapping[str, object]) -> str:
    phase = f"{mark['phase']!r} of " if mark["phase"] else ""
    return f"{phase}{mark['initiative']!r} began ({mark['date']})"
