"""`trend`: a figure by period, what is to be expected of it, and since when it is another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.change_point import NONE, Rise, rise_of
from cxjourney._stats.control_limits import limits_of_means, limits_of_shares, reached_at_age
from cxjourney._support.result import Result
from cxjourney._support.table import Table, format_value
from cxjourney._support.validation import check_choice, check_level
from cxjourney._time.calendar import PERIODS, Period, period_index, period_label
from cxjourney._trend._metric import Metric, Rows, metric_of
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import BySegment, Journeys, by_segment, units_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import SegmentBy
    from cxjourney.log import InteractionLog

__all__ = ["Trend", "trend"]

_MOST_UNITS = 4_096
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
        "fraction" for a share.
    by
        "day", "week" or "month".
    periods
        One row a period: `period` (its first day), `n`, `value`, `low`, `high`, `censored` (whether
        it is too young to be final), `expected` (what a young one should have by now, judged by
        what earlier ones had at the same age), `limit_low`, `limit_high`, `outside` (whether it
        lies beyond the limits).
    center
        Mean of the periods that are final.
    spread
        How much more they vary than chance within them would make them.
    since, since_low, since_high
        The most likely first day of a change, and the ends of its interval; "" where there is none
        to speak of.
    before, after
        The figure before and after it.
    p
        P-value of a change at all, whenever it was.
    level
        Confidence level of the intervals.
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
    level: float
    notes: tuple[str, ...]

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the figure by period with its intervals; what is to be expected is dashed.

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
        names = self.periods["period"]
        expected = np.asarray(self.periods["expected"], dtype=np.float64)
        return plot.emotion_curve(
            [str(name) for name in names],
            self.periods["value"],
            self.periods["low"],
            self.periods["high"],
            expected=np.where(np.isnan(expected), self.center, expected),
            valley=self.periods["outside"],
            neutral=None,
            label=self.figure,
            title=self.figure if title is None else title,
            ax=ax,
        )

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
    tz: str = "UTC",
    level: float = 0.95,
) -> Trend: ...


@overload
def trend(
    source: Journeys | InteractionLog,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: SegmentBy,
    tz: str = "UTC",
    level: float = 0.95,
) -> BySegment[Trend]: ...


def trend(
    source: Journeys | InteractionLog,
    figure: str | Metric,
    *,
    by: Period = "week",
    segment: SegmentBy | None = None,
    tz: str = "UTC",
    level: float = 0.95,
) -> Trend | BySegment[Trend]:
    """Return a figure by period of entry, and since when it is another.

    Parameters
    ----------
    source
        Journeys; of a log each customer is one journey, for figures that need no outcome.
    figure
        Name of a headline figure, such as "conversion_rate", "exit_rate:cart",
        "conversion_after:cart", "visits_per_journey", "value_per_conversion", "score" or
        "emotion:cart"; or a `Metric`.
    by
        "day", "week" (from Monday) or "month".
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    tz
        Time zone of the calendar.
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

    Notes
    -----
    A row belongs to the period in which it began. A period is final when all its rows were followed
    for as long as the figure needs; a younger one is `censored`: its value is what has been reached
    so far, and it is held against what final periods had reached at the same age. Limits are those
    of a p′ chart (Laney 2002) of the final periods, from eight of them on: they are for the
    picture, and find little. The change is the largest standardised cumulative sum of deviations,
    up or down, against the same under random signs of customers; its interval are the dates that
    fit nearly as well (95 %).

    Examples
    --------
    >>> import cxjourney as cx
    >>> from cxjourney._trend import trend
    >>> found = trend(cx.datasets.sample(seed=1, customers=800).journeys(), "conversion_rate",
    ...               by="month")
    >>> len(found.periods), bool(found.periods["censored"][-1]), found.p > 0.05
    (12, True, True)
    """
    metric = metric_of(figure)
    journeys = source if isinstance(source, Journeys) else source.journeys(all_closed=True)
    journeys.require_times("trend")
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: trend(part, metric, by=by, tz=tz, level=level)
        )
    check_choice(by, "by", PERIODS)
    check_level(level)
    rows = metric.rows(journeys)
    if not len(rows.value):
        raise InvalidValue(f"no journey has a value of {metric.name}")
    index = period_index(rows.time_us, by, tz)
    start, n = int(index.min()), int(index.max() - index.min()) + 1
    period = index - start
    return _trend(
        journeys,
        metric,
        rows,
        period,
        [period_label(start + i, by) for i in range(n)],
        by=by,
        tz=tz,
        level=level,
    )


def _trend(
    journeys: Journeys,
    metric: Metric,
    rows: Rows,
    period: Ints,
    labels: list[str],
    *,
    by: Period,
    tz: str,
    level: float,
) -> Trend:
    n = len(labels)
    share = metric.unit == "fraction"
    until = journeys.log.observed_until_us
    age = (int(rows.time_us.max()) if until is None else int(until)) - rows.time_us
    followed = age >= rows.horizon_us
    young = np.bincount(period[~followed], minlength=n) > 0
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
    final = np.where(young, 0.0, 1.0)
    k, m = events * final, total * final
    ripe = ~young[period]
    limits = (
        limits_of_shares(k, m)
        if share
        else limits_of_means(k, m, float(np.var(value[ripe])) if ripe.any() else np.nan)
    )
    expected, apart = np.full(n, np.nan), np.zeros(n, dtype=np.bool_)
    if share and young.any():
        reached = _reached(rows, age, ripe)
        due, variance = reached_at_age(reached, period, n, limits.center)
        wide = max(limits.spread, 1.0) if np.isfinite(limits.spread) else 1.0
        apart = young & (np.abs(events - due) > _SIGMAS * wide * np.sqrt(variance))
        apart &= due >= _FEWEST_EXPECTED
        expected = np.where(young, _ratio(due, total), np.nan)
    table = Table(
        {
            "period": labels,
            "n": total.astype(np.int64),
            "value": figures.whole,
            "low": low,
            "high": high,
            "censored": young,
            "expected": expected,
            "limit_low": limits.low,
            "limit_high": limits.high,
            "outside": limits.outside | apart,
        },
        formats=dict.fromkeys(
            ("value", "low", "high", "expected", "limit_low", "limit_high"),
            "percent" if share else "number",
        ),
        backend=journeys.log.backend,
    )
    change, p = _change(journeys, rows.take(followed), tz)
    dates = (
        ("", "", "")
        if change.since < 0
        else tuple(
            period_label(day, "day") for day in (change.since, change.earliest, change.latest)
        )
    )
    return Trend(
        figure=metric.name,
        unit=metric.unit,
        by=by,
        periods=table,
        center=limits.center,
        spread=limits.spread,
        since=dates[0],
        since_low=dates[1],
        since_high=dates[2],
        before=change.before,
        after=change.after,
        p=p,
        level=level,
        notes=_said(metric, change, p, dates, young=int(young.sum()), level=level),
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _reached(rows: Rows, age: Ints, ripe: Bools) -> Floats:
    """Return the share of the events of final periods that came within the age of each row."""
    came = np.sort(rows.delay_us[ripe & (rows.value > 0)])
    if not len(came):
        return np.zeros(len(age))
    seen = np.searchsorted(came, np.minimum(age, rows.horizon_us), side="right")
    return np.asarray(seen / len(came), dtype=np.float64)


def _change(journeys: Journeys, rows: Rows, tz: str) -> tuple[Rise, float]:
    """Return the more certain of a rise and a fall, and the p-value of either."""
    day = period_index(rows.time_us, "day", tz)
    if not len(day):
        return NONE, 1.0
    first = int(day.min())
    unit = journeys.customer[rows.journey] % _MOST_UNITS
    size = int(day.max()) - first + 1
    up, down = (
        rise_of(
            unit,
            day - first,
            sign * rows.value,
            n_units=_MOST_UNITS,
            n_periods=size,
            step=7 if size > 70 else 1,
        )
        for sign in (1.0, -1.0)
    )
    found = up if up.p <= down.p else attrs.evolve(down, before=-down.before, after=-down.after)
    if found.since >= 0:
        found = attrs.evolve(
            found,
            since=found.since + first,
            earliest=found.earliest + first,
            latest=found.latest + first,
        )
    return found, min(1.0, 2 * min(up.p, down.p))


def _said(
    metric: Metric, change: Rise, p: float, dates: Any, *, young: int, level: float
) -> tuple[str, ...]:
    kind = "percent" if metric.unit == "fraction" else None
    notes = []
    if p <= 1 - level:
        before, after = (format_value(x, kind) for x in (change.before, change.after))
        notes.append(
            f"{metric.name} changed around {dates[0]} (between {dates[1]} and {dates[2]}): "
            f"{before} before, {after} after, p = {p:.2g}."
        )
    else:
        notes.append(f"No change since any date stands out (p = {p:.2g}).")
    if young:
        notes.append(
            f"The value of {young:,} periods is what has been reached so far; `expected` is what "
            "earlier ones had reached at the same age."
        )
    notes.append("Limits are for the picture: a single bad period widens them.")
    return tuple(notes)
