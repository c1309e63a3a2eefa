"""Cohort retention: the share of those who started together that is active later."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import wilson_ends
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_level
from cxjourney._time.calendar import DAY_US, PERIODS, period_index
from cxjourney._time.zones import check_zone
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import proportion
from cxjourney.metrics._retention.activity import left_out, read_activity
from cxjourney.metrics._retention.windows import (
    DAYS,
    ActiveBetween,
    cohort_rows,
    first_rows,
    numbers_of,
    rolling_ages,
    rows_of,
    spans_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjourney._support.arrays import Values
    from cxjourney._time.calendar import Period
    from cxjourney.metrics._retention.activity import Activity

_NO_INTERVAL: dict[str, Any] = {
    "low": math.nan,
    "high": math.nan,
    "method": "no interval",
    "notes": ("A customer counts in several cohorts.",),
}
_SPAN = 12
_UNIT_US = {"day": DAY_US, "week": 7 * DAY_US}

_ACTIVE = {
    "on": "share active in that {}",
    "unbounded": "share active then or later",
    "bracket": "share active in these {}s",
    "until": "share active from the first {} to that one",
    "streak": "share active in every {} up to that one",
}


@attrs.frozen(kw_only=True, repr=False)
class CohortRetention(Result):
    """A retention matrix: a row a cohort, a column an age.

    Attributes
    ----------
    cohorts, size
        First day (or month) of each cohort, in order, without gaps, and its customers.
    ages
        Label of each column: an age "3", "3+" or a bracket "1-7" [units].
    eligible, retained
        Customers whose window has wholly elapsed (of unbounded retention: whose unit N has), and of
        these those active in the window, of shape (cohorts, ages).
    rate, low, high
        retained / eligible with Wilson's interval; NaN where nobody is eligible yet.
    total
        For each age, all eligible cohorts together: Σ retained / Σ eligible; of unbounded
        retention, only customers whose last age is over, who all had the same time to return.
    kind, window, membership, cohort, unit, horizon, time_zone, level, against, week_starts
        The choices that the matrix depends on.
    observed_until
        The end of observation; None without any rows.
    n, n_missing, n_later
        Customers; rows left out: without a customer or a timestamp, after the end of observation.
    """

    title = "Cohort retention"

    cohorts: tuple[str, ...]
    ages: tuple[str, ...]
    size: Ints = attrs.field(converter=read_only, eq=array_eq)
    eligible: Ints = attrs.field(converter=read_only, eq=array_eq)
    retained: Ints = attrs.field(converter=read_only, eq=array_eq)
    rate: Floats = attrs.field(converter=read_only, eq=array_eq)
    low: Floats = attrs.field(converter=read_only, eq=array_eq)
    high: Floats = attrs.field(converter=read_only, eq=array_eq)
    total: tuple[Estimate, ...]
    kind: str
    window: str
    membership: str
    cohort: str
    unit: str
    horizon: int | None
    time_zone: str
    observed_until: datetime | None
    level: float
    n: int
    n_missing: int
    n_later: int
    against: str = "start"
    week_starts: str = "monday"

    def merge(self, other: CohortRetention) -> CohortRetention:
        """Return the matrix of both: what it would be of all customers at once.

        Parameters
        ----------
        other
            A matrix of other customers, made with the same options and the same explicit
            `observed_until`. No customer may stand in both: split data by customer, not by day.

        Raises
        ------
        InvalidValue
            If the options or the ends of observation differ.
        """
        for name in ("ages", *(field.name for field in attrs.fields(_Choices))):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours != theirs and not (name == "observed_until" and None in {ours, theirs}):
                raise InvalidValue.of(f"other.{name}", f"be {ours!r}", theirs)
        cohorts = tuple(sorted({*self.cohorts, *other.cohorts}))
        counts = {
            name: _spread(getattr(self, name), self.cohorts, cohorts)
            + _spread(getattr(other, name), other.cohorts, cohorts)
            for name in ("size", "eligible", "retained")
        }
        either = {field.name: getattr(self, field.name) for field in attrs.fields(_Choices)}
        either["observed_until"] = self.observed_until or other.observed_until
        return _matrix(
            _Choices(**either),
            cohorts=cohorts,
            ages=self.ages,
            n=self.n + other.n,
            n_missing=self.n_missing + other.n_missing,
            n_later=self.n_later + other.n_later,
            whole=_counted(self.total) + _counted(other.total),
            **counts,
        )

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw the matrix as a heat map; cells whose window has not elapsed are hatched.

        Parameters
        ----------
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        filled = np.flatnonzero(self.size)
        return plot.heat_map(
            self.rate[filled],
            rows=[f"{self.cohorts[i]}  n = {self.size[i]:,}" for i in filled],
            columns=self.ages,
            percent=True,
            row_label=f"{self.cohort} of the first activity",
            column_label=f"age [{self.unit}s]",
            label=_ACTIVE[self.kind].format(self.unit),
            caption="Read along a row how a cohort is lost, down a column whether later cohorts do "
            "better. Hatched cells lie in the future.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        size = len(self.ages)
        return Table(
            {
                "cohort": [c for c in self.cohorts for _ in range(size)],
                "age": list(self.ages) * len(self.cohorts),
                "size": np.repeat(self.size, size),
                "eligible": self.eligible.ravel(),
                "retained": self.retained.ravel(),
                "rate": self.rate.ravel(),
                "low": self.low.ravel(),
                "high": self.high.ravel(),
            },
            formats=dict.fromkeys(("rate", "low", "high"), "percent"),
        )

    def _shown(self) -> Table:
        filled = np.flatnonzero(self.size)
        columns: dict[str, Any] = {
            "cohort": ["all", *(self.cohorts[i] for i in filled)],
            "size": np.append(self.size.sum(), self.size[filled]),
        }
        for k, age in enumerate(self.ages):
            columns[age] = np.append(self.total[k].value, self.rate[filled, k])
        return Table(columns, formats=dict.fromkeys(self.ages, "percent"))

    def _notes(self) -> tuple[str, ...]:
        elapsed: tuple[str, ...] = ("A dash stands where no window has wholly elapsed yet.",)
        if self.kind == "unbounded":
            elapsed = (
                "A dash stands where age N is not over yet.",
                f"Who is younger than {self.horizon} {self.unit}s had less time to return.",
                "The row of all counts customers whose last age is over.",
            )
        previous: tuple[str, ...] = ()
        if self.against == "previous":
            previous = ("Rates are shares of those active in the window of the age before.",)
        return (
            f"The {self.window} windows of {self.kind} retention are cut in {self.time_zone}.",
            f"It counts {self.n:,} customers; {left_out(self.n_missing, self.n_later)}.",
            *elapsed,
            *previous,
            "to_frame() has counts and intervals.",
        )


def cohort_retention(
    customers: Values,
    timestamps: Values,
    *,
    unit: Period | None = None,
    cohort: Period | None = None,
    periods: int = 12,
    kind: Literal["on", "unbounded", "bracket", "until", "streak"] = "on",
    brackets: Sequence[tuple[int, int]] = (),
    window: Literal["calendar", "rolling"] = "calendar",
    membership: Literal["first", "recurring"] = "first",
    starts: Values | None = None,
    returns: Values | None = None,
    against: Literal["start", "previous"] = "start",
    week_starts: str = "monday",
    time_zone: str = "UTC",
    observed_until: datetime | None = None,
    level: float = 0.95,
) -> CohortRetention:
    """Return the share of each cohort that is active at each age.

    Parameters
    ----------
    customers, timestamps
        Who was active (label) and when (naive timestamps are UTC), rows in any order.
    unit
        Unit of age; None: days, or weeks where the activity spans more than 12 of them, or months
        where more than 12 (no months in rolling windows, nor anything but days with brackets).
    cohort
        Period by which customers are grouped; None: `unit`.
    periods
        The last age shown [units]; the first is 0.
    kind, brackets
        "on": active in unit N itself. "unbounded": active in unit N or later, up to `periods` or
        the end of observation. "bracket": active at least once within each of `brackets`, which are
        pairs of a first and a last unit. "until": active at least once in units 1 to N (on or
        before N). "streak": active in every unit from 1 to N.
    window
        "calendar": units are calendar days, weeks, months or quarters in `time_zone`,
        so a customer of 23:59 is one day old a minute later. "rolling": units of 24 hours (7 × 24)
        from each customer's own start; there are no rolling months.
    membership
        "first": a customer belongs to the cohort of the first activity. "recurring": to the
        cohort of every period with activity (calendar windows only).
    starts
        True for the rows that can start a customer, such as sign-ups; what a customer did before
        the first of them does not count. None: any row.
    returns
        True for the rows that count as coming back, such as orders; the others only start. None:
        any row.
    against
        What the rates are shares of: all who "start", or those who were active in the window of
        the "previous" age. The first age is of all.
    week_starts
        The day on which calendar weeks begin, "monday" to "sunday".
    time_zone
        IANA name of the zone of cohorts and calendar windows.
    observed_until, level
        End of observation, after which rows are left out (None: the last timestamp); confidence
        level, in (0, 1).

    Returns
    -------
    CohortRetention
        Counts, rates with Wilson intervals, and totals weighted by the eligible. A cell in which
        no window has wholly elapsed (of unbounded retention: no unit N) is NaN, not 0.

    Raises
    ------
    InvalidValue
        If options contradict one another, or columns differ in length.
    InvalidData
        If a value is not a timestamp.
    UnknownName
        If there is no such time zone.

    Notes
    -----
    A customer is eligible for [a, b] once unit b has wholly elapsed before the end of observation,
    and only then counts, active or not: a young customer who happened to return early would else be
    counted where one who did not is not. On-unit curves are not monotone. Unbounded totals are
    non-increasing: the same customers at every age, those whose last age is over; cells of younger
    cohorts rise as their customers get more time to return.

    Days with a daylight-saving change are one calendar day, while rolling windows have 24 hours
    always; do not compare across them. The intervals hold customers independent; for recurring
    membership a customer counts in several cohorts and the total has no interval.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> day = {"ann": [0, 1, 7], "ben": [0, 3], "cid": [0, 8, 30], "dan": [0]}
    >>> who = [name for name, days in day.items() for _ in days]
    >>> when = [datetime(2026, 1, 1) + timedelta(days=d) for days in day.values() for d in days]
    >>> end = datetime(2026, 2, 10)
    >>> result = cohort_retention(who, when, unit="day", periods=3, observed_until=end)
    >>> result.total[1]
    25.0% [4.6%, 69.9%] (95% Wilson, n=4)
    """
    check_level(level)
    for name, value, known in (
        ("unit", unit, PERIODS),
        ("cohort", cohort, PERIODS),
        ("kind", kind, tuple(_ACTIVE)),
        ("against", against, ("start", "previous")),
        ("week_starts", week_starts, DAYS),
        ("window", window, ("calendar", "rolling")),
        ("membership", membership, ("first", "recurring")),
    ):
        if value is not None or name not in {"unit", "cohort"}:
            check_choice(value, name, known)  # type: ignore[arg-type]  # checked
    check_zone(time_zone)
    spans, ages = spans_of(kind, periods, brackets)
    activity = read_activity(customers, timestamps, observed_until=observed_until)
    if unit is None:
        unit = (
            "day"
            if kind == "bracket"
            else _unit_of(activity, time_zone, rolling=window == "rolling")
        )
    cohort = unit if cohort is None else cohort
    if window == "rolling" and unit not in _UNIT_US:
        raise InvalidValue.of("unit", "be 'day' or 'week' with rolling windows", unit)
    if membership == "recurring" and (window == "rolling" or cohort != unit or starts is not None):
        raise InvalidValue(
            "membership='recurring' must come with calendar windows, cohorts of the same unit "
            "and no starts"
        )
    period = numbers_of(activity.us, unit, time_zone, week_starts)
    if membership == "recurring":
        anchor = np.flatnonzero(activity.first | np.diff(period, prepend=0).astype(bool))
    else:
        anchor = first_rows(activity, starts)
    if window == "calendar":
        now = numbers_of(np.array([activity.end_us]), unit, time_zone, week_starts)
        axis, base = period, period[anchor]
        elapsed = now - base
    else:
        axis, elapsed = rolling_ages(activity, anchor, _UNIT_US[unit])
        base = np.zeros(len(anchor), dtype=np.int64)
    group = numbers_of(activity.us[anchor], cohort, time_zone, week_starts)
    last = numbers_of(np.array([activity.end_us]), cohort, time_zone, week_starts)[0] - 1
    labels, row = cohort_rows(group, int(last), cohort, week_starts)
    size = len(labels)
    came = None if returns is None else rows_of(activity, returns, "returns")
    reach = max(b for _, b in spans)
    active = ActiveBetween(activity.customer, axis, reach=reach, rows=came)
    whole = np.zeros((2, len(spans)), dtype=np.int64)
    eligible, retained = np.zeros((2, size, len(spans)), dtype=np.int64)
    before = np.ones(len(anchor), dtype=np.bool_)
    for k, (a, b) in enumerate(spans):
        seen = active.within(activity.customer[anchor], base + a, base + b)
        if kind == "streak" and k > 1:
            seen &= before
        # who is seen in unit N or later is known of as soon as unit N is over
        ripe = elapsed > (a if kind == "unbounded" else b)
        if against == "previous":
            ripe &= before
        before, over = seen, ripe & (elapsed > b)
        eligible[:, k] = np.bincount(row[ripe], minlength=size)
        retained[:, k] = np.bincount(row[ripe & seen], minlength=size)
        whole[:, k] = np.count_nonzero(seen & over), np.count_nonzero(over)
    choices = _Choices(
        kind=kind,
        window=window,
        membership=membership,
        cohort=cohort,
        unit=unit,
        horizon=periods if kind == "unbounded" else None,
        time_zone=time_zone,
        observed_until=None if not activity.n_rows else _timestamp(activity.end_us),
        level=level,
        against=against,
        week_starts=week_starts,
    )
    return _matrix(
        choices,
        cohorts=labels,
        ages=ages,
        size=np.bincount(row, minlength=size),
        eligible=eligible,
        retained=retained,
        whole=whole,
        n=len(np.unique(activity.customer[anchor])),
        n_missing=activity.n_missing,
        n_later=activity.n_later,
    )


@attrs.frozen(kw_only=True)
class _Choices:
    """What a matrix depends on beside the data; two matrices add up if these are the same."""

    kind: str
    window: str
    membership: str
    cohort: str
    unit: str
    horizon: int | None
    time_zone: str
    observed_until: datetime | None
    level: float
    against: str
    week_starts: str


def _matrix(
    choices: _Choices,
    *,
    cohorts: tuple[str, ...],
    ages: tuple[str, ...],
    size: Ints,
    eligible: Ints,
    retained: Ints,
    whole: Ints,
    n: int,
    n_missing: int,
    n_later: int,
) -> CohortRetention:
    """Return the matrix of counts.

    `whole` holds the retained and all of those whose whole window has elapsed, by age.
    """
    parameters = {
        name: getattr(choices, name) for name in ("unit", "kind", "horizon", "window", "membership")
    }
    members = int(size.sum())
    # one customer in several cohorts: their shares are not independent
    extra = {} if choices.membership == "first" else _NO_INTERVAL
    total = tuple(
        attrs.evolve(
            proportion(
                int(whole[0, k]),
                int(whole[1, k]),
                level=choices.level,
                name="cohort_retention",
                definition="customers active in the window / customers whose window has elapsed",
                parameters={"age": age, **parameters},
                n_missing=n_missing,
                n_censored=members - int(whole[1, k]),
                exclusions={"after observed_until": n_later},
            ),
            time_zone=choices.time_zone,
            **extra,
        )
        for k, age in enumerate(ages)
    )
    low, high = _bands(retained, eligible, choices.level)
    rate = np.full(eligible.shape, np.nan)
    return CohortRetention(
        cohorts=cohorts,
        ages=ages,
        size=size,
        eligible=eligible,
        retained=retained,
        rate=np.divide(retained, eligible, out=rate, where=eligible > 0),
        low=low,
        high=high,
        total=total,
        n=n,
        n_missing=n_missing,
        n_later=n_later,
        **{field.name: getattr(choices, field.name) for field in attrs.fields(_Choices)},
    )


def _unit_of(activity: Activity, time_zone: str, *, rolling: bool) -> Period:
    """Return the largest unit of which the activity spans more than `_SPAN`, else days."""
    units: tuple[Period, ...] = ("week",) if rolling else ("month", "week")
    for unit in units:
        ends = np.array([activity.us.min(initial=activity.end_us), activity.end_us])
        first, last = period_index(ends, unit, time_zone)
        if last - first > _SPAN:
            return unit
    return "day"


def _counted(total: tuple[Estimate, ...]) -> Ints:
    """Return how many of how many each share counts, shape (2, shares)."""
    return np.array([[x.numerator for x in total], [x.denominator for x in total]])


def _spread(counts: Ints, cohorts: tuple[str, ...], whole: tuple[str, ...]) -> Ints:
    """Return rows of counts at their cohorts' places among all cohorts, 0 elsewhere."""
    out = np.zeros((len(whole), *counts.shape[1:]), dtype=np.int64)
    out[[whole.index(label) for label in cohorts]] = counts
    return out


def _bands(retained: Ints, eligible: Ints, level: float) -> tuple[Floats, Floats]:
    share = np.divide(retained, eligible, out=np.zeros(eligible.shape), where=eligible > 0)
    return wilson_ends(share, eligible.astype(np.float64), level=level)


def _timestamp(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
