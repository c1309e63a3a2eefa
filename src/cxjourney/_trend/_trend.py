"""`trend`: a figure by period, its expectation, and the date since when it is another."""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar, NamedTuple, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.change_point import NONE, Rise, common_spread, rise_of
from cxjourney._stats.control_limits import (
    Limits,
    limits_of_counts,
    limits_of_means,
    limits_of_shares,
    reached_at_age,
)
from cxjourney._stats.extremes import random_signs
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_choice, check_level
from cxjourney._support.words import counted, how_long
from cxjourney._time.calendar import (
    PERIODS,
    Period,
    period_index,
    period_label,
    period_start,
)
from cxjourney._time.zones import check_zone
from cxjourney._trend._rows import Rows, rows_of, since_us, until_us
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import BySegment, Journeys, by_segment, check_journeys, units_of
from cxjourney.kernels import md5_first_bytes
from cxjourney.log import InteractionLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import SegmentBy
    from cxjourney.metrics import Metric

_BYTE = 256
_MOST_PERIODS = 10_000
_MOST_DATES = 500
_MANY_DAYS = 70
_FEWEST_WEEKS = 8
_FEWEST_EXPECTED = 5.0
_SIGMAS = 3.0


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
        change = None
        if self.since:
            change = [
                self._place(names, day) for day in (self.since_low, self.since, self.since_high)
            ]
        return plot.trend_chart(
            names,
            *(self.periods[name] for name in columns),
            censored=self.periods["censored"],
            outside=self.periods["outside"],
            change=change,
            percent=self.unit == "fraction",
            label=self.figure if self.unit in {"", "fraction"} else self.unit,
            title=self.figure if title is None else title,
            ax=ax,
        )

    def _place(self, names: list[str], day: str) -> int:
        label = f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}" if self.by == "quarter" else day
        return bisect_right(names, label) - 1

    def _table(self) -> Table:
        return self.periods

    def _notes(self) -> tuple[str, ...]:
        return self.notes


@overload
def trend(
    source: Journeys | InteractionLog,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: None = None,
    tz: str | None = None,
    level: float = 0.95,
) -> Trend: ...


@overload
def trend(
    source: Journeys | InteractionLog,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: SegmentBy,
    tz: str | None = None,
    level: float = 0.95,
) -> BySegment[Trend]: ...


def trend(
    source: Journeys | InteractionLog,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: SegmentBy | None = None,
    tz: str | None = None,
    level: float = 0.95,
) -> Trend | BySegment[Trend]:
    """Return a figure by period of entry, and since when it is another.

    Parameters
    ----------
    source
        Journeys; or a log, for figures that need neither goal nor limit.
    figure
        Name of a headline figure: "conversion_rate", "conversion_after:cart", "exit_rate",
        "exit_rate:cart", "visits_per_journey", "value_per_conversion", "score", "emotion:cart", or,
        as numbers a day, "journeys", "conversions", "visits", "visits:cart". Or a
        `cxjourney.metrics.Metric` with `per_journey`, whose mean is taken.
    by
        "day", "week" (from Monday), "month" or "quarter".
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    tz
        Time zone of the calendar; None takes the one in which the log was.
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
        If there is no such figure, touchpoint or segment; the message lists what there is.
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
    journeys = source.journeys() if isinstance(source, InteractionLog) else source
    check_journeys(journeys, "source")
    journeys.require_times("trend()")
    zone = journeys.log.intake.tz if tz is None else tz
    check_zone(zone)
    calendar = _Calendar(by=by, tz=zone)
    if segment is None:
        found = _trend(journeys, figure, calendar, level)
        if not any(found.periods["n"]):
            raise InvalidValue(f"nothing to chart: no journey has a value of {found.figure!r}")
        return found
    return by_segment(journeys, segment, lambda part: _trend(part, figure, calendar, level))


@attrs.frozen(kw_only=True)
class _Calendar:
    """The periods of a chart: `n` of them, of which the first is number `start`."""

    by: Period
    tz: str
    start: int = 0
    n: int = 0

    def period(self, time_us: Ints) -> Ints:
        return period_index(time_us, self.by, self.tz) - self.start

    def day(self, time_us: Ints) -> Ints:
        return period_index(time_us, "day", self.tz)

    def labels(self) -> list[str]:
        return [period_label(self.start + i, self.by) for i in range(self.n)]

    def between(self, first_us: int, last_us: int) -> _Calendar:
        start, last = period_index(np.array([first_us, last_us]), self.by, self.tz).tolist()
        if last - start >= _MOST_PERIODS:
            n = last - start + 1
            raise InvalidValue.of(
                "by", f"give at most {_MOST_PERIODS:,} periods", f"{self.by}: {n:,}"
            )
        return attrs.evolve(self, start=start, n=last - start + 1)


class _Chart(NamedTuple):
    """The columns of a chart; see `Trend.periods`."""

    n: Floats
    value: Floats
    low: Floats
    high: Floats
    young: Bools
    limits: Limits
    expected: Floats
    apart: Bools | bool = False


@attrs.frozen(kw_only=True)
class _Change:
    """A change of either direction; `slow` where a straight line fits better than a step."""

    rise: Rise = NONE
    dates: tuple[str, ...] = ("", "", "")
    p: float = 1.0
    slow: bool = False

    @classmethod
    def of(
        cls,
        unit: Ints,
        moment: Ints,
        value: Floats,
        signs: Floats,
        first: int,
        *,
        days: int = 1,
        step: int = 1,
        common: tuple[float, float] = (1.0, np.inf),
    ) -> _Change:
        """Return the change of values; moment 0 is day `first`, each lasts `days`."""
        up, down = (
            rise_of(
                unit,
                moment,
                x,
                n_units=signs.shape[1],
                n_periods=int(moment.max()) + 1,
                step=step,
                signs=signs,
                common=common,
            )
            for x in (value, -value)
        )
        found = up if up.p <= down.p else attrs.evolve(down, before=-down.before, after=-down.after)
        if found.since < 0:
            return cls()
        moments = (found.since, found.earliest, found.latest)
        late = moment >= found.since
        step_fit, line_fit = (abs(float(np.corrcoef(value, x)[0, 1])) for x in (late, moment))
        p = min(1.0, 2 * min(up.p, down.p))
        dates = tuple(period_label(first + days * at, "day") for at in moments)
        return cls(rise=found, dates=dates, p=p, slow=line_fit > step_fit)

    def called(self, level: float) -> _Change:
        """Return it if its p-value says that it is one, else no change of that p-value."""
        return self if self.p <= 1 - level else _Change(p=self.p)


def _trend(journeys: Journeys, figure: str | Metric, calendar: _Calendar, level: float) -> Trend:
    rows = rows_of(journeys, figure)
    until = until_us(journeys)
    times = rows.time_us if len(rows.value) else np.array([until - 1])
    ends = (int(times.min()), int(times.max()))
    if rows.counted:  # days without any count too
        ends = (min(ends[0], since_us(journeys)), max(ends[1], until - 1))
    calendar = calendar.between(*ends)
    if rows.counted:
        chart = _counts(journeys, rows, calendar, ends, level)
        change = _change_of_counts(rows, calendar, ends)
    else:
        age = until - rows.time_us
        chart = _means(journeys, rows, calendar, age, level=level)
        change = _change(journeys, rows.take(age >= rows.horizon_us), calendar)
    change = change.called(level)
    numbers = {"value": chart.value, "low": chart.low, "high": chart.high}
    bounds = {"limit_low": chart.limits.low, "limit_high": chart.limits.high}
    shown = "percent" if rows.share else "number"
    found = Trend(
        figure=figure if isinstance(figure, str) else figure.name,
        unit=rows.unit,
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
            backend=journeys.log.backend,
        ),
        center=chart.limits.center,
        spread=chart.limits.spread,
        since=change.dates[0],
        since_low=change.dates[1],
        since_high=change.dates[2],
        before=change.rise.before,
        after=change.rise.after,
        p=change.p,
        within=timedelta(microseconds=rows.horizon_us) if rows.horizon_us else None,
        level=level,
        notes=(),
    )
    return attrs.evolve(found, notes=_said(found, rows, int(chart.young.sum()), slow=change.slow))


def _means(
    journeys: Journeys, rows: Rows, calendar: _Calendar, age: Ints, *, level: float
) -> _Chart:
    """Return the chart of a share or a mean; a period is young if a row of it is."""
    n, period, share = calendar.n, calendar.period(rows.time_us), rows.share
    young = np.bincount(period[age < rows.horizon_us], minlength=n) > 0
    value = np.where(rows.delay_us <= age, rows.value, 0.0) if share else rows.value
    units = units_of(journeys)
    trials, sums = (
        units.sums(period, n, item=rows.journey, values=values) for values in (None, value)
    )
    total, events = trials.sum(axis=0), sums.sum(axis=0)
    figures = BucketFigures(
        whole=_ratio(events, total), without=_ratio(events - sums, total - trials), units=trials
    )
    low, high = figures.wilson(level) if share else figures.student(level)
    ripe = ~young[period]
    k, m = np.where(young, 0.0, events), np.where(young, 0.0, total)
    variance = float(np.var(value[ripe])) if ripe.any() else np.nan
    limits = limits_of_shares(k, m) if share else limits_of_means(k, m, variance)
    expected, apart = np.full(n, np.nan), np.zeros(n, dtype=np.bool_)
    if share and rows.delay_us.any() and young.any() and ripe.any():
        due, variances = reached_at_age(_reached(rows, age, ripe), period, n, limits.center)
        wide = max(limits.spread, 1.0) if np.isfinite(limits.spread) else 1.0
        apart = young & (np.abs(events - due) > _SIGMAS * wide * np.sqrt(variances))
        apart &= due >= _FEWEST_EXPECTED
        expected = np.where(young, _ratio(due, total), np.nan)
    return _Chart(total, figures.whole, low, high, young, limits, expected, apart)


def _counts(
    journeys: Journeys, rows: Rows, calendar: _Calendar, ends: tuple[int, int], level: float
) -> _Chart:
    """Return the chart of numbers a day; a period is young unless all its days were observed."""
    n = calendar.n
    bounds = np.array([period_start(calendar.start + i, calendar.by) for i in range(n + 1)])
    first, last = calendar.day(np.array(ends))
    days = np.minimum(bounds[1:], last + 1) - np.maximum(bounds[:-1], first)
    young = days < np.diff(bounds)
    period = calendar.period(rows.time_us)
    count = np.bincount(period, minlength=n).astype(np.float64)
    # a score interval of counts that vary more than chance, since customers come several times
    often = np.unique(journeys.customer[rows.journey] * n + period, return_counts=True)[1]
    over = float((often**2).sum() / often.sum()) if len(often) else 1.0
    square = NormalDist().inv_cdf(0.5 + level / 2) ** 2 * over
    middle, half = count + square / 2, np.sqrt(square * (count + square / 4))
    low, high = np.maximum(middle - half, 0.0) / days, (middle + half) / days
    limits = limits_of_counts(np.where(young, 0.0, count), np.where(young, 0.0, days))
    return _Chart(count, count / days, low, high, young, limits, np.full(n, np.nan))


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return ratio


def _reached(rows: Rows, age: Ints, ripe: Bools) -> Floats:
    """Return the share of the events of final periods that came within the age of each row."""
    came = np.sort(rows.delay_us[ripe & (rows.value > 0)])
    seen = np.searchsorted(came, np.minimum(age, rows.horizon_us), side="right")
    return np.asarray(seen / max(len(came), 1), dtype=np.float64)


def _change(journeys: Journeys, rows: Rows, calendar: _Calendar) -> _Change:
    """Return the more certain of a rise and a fall of a share or a mean."""
    if not len(rows.value):
        return _Change()
    day = calendar.day(rows.time_us)
    first, size = int(day.min()), int(np.ptp(day)) + 1
    step = max(7 if size > _MANY_DAYS else 1, size // _MOST_DATES)
    byte = md5_first_bytes(journeys.log.customer_ids)[journeys.customer[rows.journey]]
    unit = byte.astype(np.int64)
    common = common_spread(unit, (day - first) // 7, rows.value)
    signs = random_signs(_BYTE)
    return _Change.of(unit, day - first, rows.value, signs, first, step=step, common=common)


def _change_of_counts(rows: Rows, calendar: _Calendar, ends: tuple[int, int]) -> _Change:
    """Return the same of numbers a day: each whole week is a unit, and its mean one value."""
    first, last = calendar.day(np.array(ends)).tolist()
    first += -(first + 3) % 7  # a Monday
    weeks = (last + 1 - first) // 7
    if weeks < _FEWEST_WEEKS:
        return _Change()
    week = (calendar.day(rows.time_us) - first) // 7
    mean = np.bincount(week[(week >= 0) & (week < weeks)], minlength=weeks) / 7
    here = np.arange(weeks)
    return _Change.of(here, here, mean, random_signs(weeks), first, days=7)


def _said(found: Trend, rows: Rows, young: int, *, slow: bool) -> tuple[str, ...]:
    notes = [f"No date stands out as the beginning of a change (p = {found.p:.2g})."]
    if found.since:
        kind = "percent" if rows.share else None
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
    if young and rows.counted:
        notes.append(f"Of {periods} not every day was observed.")
    elif young:
        expected = ""
        if rows.share and rows.delay_us.any():
            expected = "; expected is what earlier periods had reached at the same age"
        notes.append(f"The value of {periods} is what has been reached so far{expected}.")
    if np.isfinite(found.periods["limit_low"]).any():
        notes.append("The limits are for the picture only: a single bad period widens them.")
    return tuple(notes)
