"""Cohort retention: of those who started together, who is still active after N units of time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_level
from cxjourney._support.zones import check_zone
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._activity import read_activity
from cxjourney.metrics._calendar import DAY_US, PERIODS, period_index, period_label
from cxjourney.metrics.arrays import flags, same_length
from cxjourney.metrics.estimate import Estimate
from cxjourney.metrics.intervals import wilson
from cxjourney.metrics.rates import proportion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cxjourney.metrics._activity import Activity
    from cxjourney.metrics._calendar import Period
    from cxjourney.metrics.arrays import Values

__all__ = ["CohortRetention", "cohort_retention"]

Counts = NDArray[np.int64]
Shares = NDArray[np.float64]

# a customer counts in several cohorts: their shares are not independent
_NO_INTERVAL: dict[str, Any] = {
    "low": math.nan,
    "high": math.nan,
    "method": "no interval",
    "notes": ("a customer counts in several cohorts",),
}
_UNIT_US = {"day": DAY_US, "week": 7 * DAY_US}


@attrs.frozen(kw_only=True, repr=False)
class CohortRetention(Result):
    """A retention matrix: a row a cohort, a column an age.

    Attributes
    ----------
    cohorts
        First day (or month) of each cohort, in order, without gaps.
    ages
        Label of each column: an age "3", "3+" or a bracket "1-7" [units].
    size
        Customers of each cohort.
    eligible
        Of these, the customers whose window has wholly elapsed, of shape (cohorts, ages).
    retained
        Of the eligible, those active in the window.
    rate, low, high
        retained / eligible with Wilson's interval; NaN where nobody is eligible yet.
    total
        For each age, all eligible cohorts together: Σ retained / Σ eligible.
    kind, window, membership, cohort, unit, horizon, time_zone
        The choices that the matrix depends on.
    level
        Confidence level of the intervals.
    n
        Number of customers.
    n_missing
        Rows without a customer or a time stamp.
    n_later
        Rows after the end of observation, left out.
    """

    title = "Cohort retention"

    cohorts: tuple[str, ...]
    ages: tuple[str, ...]
    size: Counts = attrs.field(converter=read_only, eq=array_eq)
    eligible: Counts = attrs.field(converter=read_only, eq=array_eq)
    retained: Counts = attrs.field(converter=read_only, eq=array_eq)
    rate: Shares = attrs.field(converter=read_only, eq=array_eq)
    low: Shares = attrs.field(converter=read_only, eq=array_eq)
    high: Shares = attrs.field(converter=read_only, eq=array_eq)
    total: tuple[Estimate, ...]
    kind: str
    window: str
    membership: str
    cohort: str
    unit: str
    horizon: int | None
    time_zone: str
    level: float
    n: int
    n_missing: int
    n_later: int

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
        return (
            f"{self.kind} retention by {self.unit}, {self.window} windows, {self.time_zone}",
            f"{self.n:,} customers, {self.n_missing:,} rows missing, {self.n_later:,} later",
            "- where no window has wholly elapsed; to_frame() has counts and intervals",
        )


def cohort_retention(
    customers: Values,
    timestamps: Values,
    *,
    unit: Period = "day",
    cohort: Period | None = None,
    periods: int = 12,
    kind: Literal["on", "unbounded", "bracket"] = "on",
    brackets: Sequence[tuple[int, int]] = (),
    window: Literal["calendar", "rolling"] = "calendar",
    membership: Literal["first", "recurring"] = "first",
    starts: Values | None = None,
    time_zone: str = "UTC",
    observed_until: datetime | None = None,
    level: float = 0.95,
) -> CohortRetention:
    """Return the share of each cohort that is active at each age.

    Parameters
    ----------
    customers
        Label of the customer of each row.
    timestamps
        When the customer was active (naive stamps are UTC). Rows may come in any order.
    unit
        Unit of age.
    cohort
        Period by which customers are grouped; None: `unit`.
    periods
        The last age shown [units]; the first is 0.
    kind
        "on": active in unit N itself. "unbounded": active in unit N or later, up to `periods`.
        "bracket": active at least once within each of `brackets`.
    brackets
        First and last unit of each bracket, for `kind="bracket"`.
    window
        "calendar": units are calendar days, weeks from Monday or months in `time_zone`, so a
        customer of 23:59 is one day old a minute later. "rolling": units of 24 hours (7 × 24)
        from each customer's own start; there are no rolling months.
    membership
        "first": a customer belongs to the cohort of the first activity. "recurring": to the
        cohort of every period with activity (calendar windows only).
    starts
        True for the rows that can start a customer, such as sign-ups; what a customer did before
        the first of them does not count. None: any row.
    time_zone
        IANA name of the zone of cohorts and calendar windows.
    observed_until
        End of observation; rows after it are left out. None: the last stamp.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    CohortRetention
        Counts, rates with Wilson intervals, and totals weighted by the eligible. A cell in which
        no window has wholly elapsed is NaN, not 0. An empty input has no cohorts.

    Raises
    ------
    InvalidValue
        If options contradict one another, or columns differ in length.
    InvalidData
        If a value is not a time stamp.
    UnknownName
        If there is no such time zone.

    Notes
    -----
    A customer is eligible for [a, b] once unit b has wholly elapsed before the end of
    observation, and only then counts, active or not: a young customer who happened to return
    early would else be counted where one who did not is not. On-unit curves are not monotone: a
    customer may skip a week. Unbounded ones are non-increasing, with the same eligible customers
    at every age.

    Days with a daylight-saving change have 23 or 25 hours and are one calendar day, while
    rolling windows have 24 hours always; the two differ, so do not compare across them. The
    intervals hold customers independent, which accounts of one household are not; for recurring
    membership a customer counts in several cohorts and the total has no interval.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> from cxjourney.metrics import cohort_retention
    >>> day = {"ann": [0, 1, 7], "ben": [0, 3], "cid": [0, 8, 30], "dan": [0]}
    >>> who = [name for name, days in day.items() for _ in days]
    >>> when = [datetime(2026, 1, 1) + timedelta(days=d) for days in day.values() for d in days]
    >>> result = cohort_retention(who, when, periods=3, observed_until=datetime(2026, 2, 10))
    >>> result.total[1]
    25.0% [4.6%, 69.9%] (95% Wilson, n=4)
    """
    check_level(level)
    cohort = unit if cohort is None else cohort
    check_choice(unit, "unit", PERIODS)
    check_choice(cohort, "cohort", PERIODS)
    check_choice(kind, "kind", ("on", "unbounded", "bracket"))
    check_choice(window, "window", ("calendar", "rolling"))
    check_choice(membership, "membership", ("first", "recurring"))
    check_zone(time_zone)
    if window == "rolling" and unit not in _UNIT_US:
        raise InvalidValue.of("unit", "be 'day' or 'week' with rolling windows", unit)
    if membership == "recurring" and (window == "rolling" or cohort != unit or starts is not None):
        raise InvalidValue(
            "membership='recurring' must come with calendar windows, cohorts of the same unit "
            "and no starts"
        )
    spans, ages = _spans(kind, periods, brackets)
    activity = read_activity(customers, timestamps, observed_until=observed_until)
    period = period_index(activity.us, unit, time_zone)
    if membership == "recurring":
        anchor = np.flatnonzero(activity.first | np.diff(period, prepend=0).astype(bool))
    else:
        anchor = _first_rows(activity, starts)
    if window == "calendar":
        now = period_index(np.array([activity.end_us]), unit, time_zone)
        axis, base = period, period[anchor]
        elapsed = now - base
    else:
        axis, elapsed = _rolling(activity, anchor, _UNIT_US[unit])
        base = np.zeros(len(anchor), dtype=np.int64)
    group = period_index(activity.us[anchor], cohort, time_zone)
    last = period_index(np.array([activity.end_us]), cohort, time_zone)[0] - 1
    labels, row = _rows(group, int(last), cohort)
    size = len(labels)
    eligible = np.zeros((size, len(spans)), dtype=np.int64)
    retained = np.zeros((size, len(spans)), dtype=np.int64)
    active = _Lookup(activity.customer, axis, reach=max(b for _, b in spans))
    for k, (a, b) in enumerate(spans):
        ripe = elapsed > b
        back = ripe & active.within(activity.customer[anchor], base + a, base + b)
        eligible[:, k] = np.bincount(row[ripe], minlength=size)
        retained[:, k] = np.bincount(row[back], minlength=size)
    horizon = periods if kind == "unbounded" else None
    total = tuple(
        attrs.evolve(
            proportion(
                int(retained[:, k].sum()),
                int(eligible[:, k].sum()),
                level=level,
                name="cohort_retention",
                definition="customers active in the window / customers whose window has elapsed",
                parameters={
                    "age": ages[k],
                    "unit": unit,
                    "kind": kind,
                    "horizon": horizon,
                    "window": window,
                    "membership": membership,
                },
                n_missing=activity.n_missing,
                n_censored=len(anchor) - int(eligible[:, k].sum()),
                exclusions={"after observed_until": activity.n_later},
            ),
            time_zone=time_zone,
            **({} if membership == "first" else _NO_INTERVAL),
        )
        for k in range(len(spans))
    )
    low, high = _bands(retained, eligible, level)
    rate = np.full(eligible.shape, np.nan)
    return CohortRetention(
        cohorts=labels,
        ages=ages,
        size=np.bincount(row, minlength=size),
        eligible=eligible,
        retained=retained,
        rate=np.divide(retained, eligible, out=rate, where=eligible > 0),
        low=low,
        high=high,
        total=total,
        kind=kind,
        window=window,
        membership=membership,
        cohort=cohort,
        unit=unit,
        horizon=horizon,
        time_zone=time_zone,
        level=level,
        n=len(np.unique(activity.customer[anchor])),
        n_missing=activity.n_missing,
        n_later=activity.n_later,
    )


def _spans(
    kind: str, periods: int, brackets: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    """Return first and last unit of each column: every kind of retention is a bracket."""
    if isinstance(periods, bool) or not isinstance(periods, (int, np.integer)) or periods < 0:
        raise InvalidValue.of("periods", "be a whole number from 0", periods)
    if (kind == "bracket") != bool(len(brackets)):
        raise InvalidValue.of("brackets", "be given with kind='bracket', and only then", brackets)
    if kind == "on":
        return [(n, n) for n in range(periods + 1)], tuple(map(str, range(periods + 1)))
    if kind == "unbounded":
        return [(n, periods) for n in range(periods + 1)], tuple(
            f"{n}+" for n in range(periods + 1)
        )
    for first, last in brackets:
        if not 0 <= first <= last:
            raise InvalidValue.of("brackets", "hold pairs 0 <= first <= last", (first, last))
    return list(brackets), tuple(f"{first}-{last}" for first, last in brackets)


def _first_rows(activity: Activity, starts: Values | None) -> NDArray[np.intp]:
    """Return the first row of each customer that may start one."""
    if starts is None:
        return np.flatnonzero(activity.first)
    may, _ = flags(starts, "starts")
    same_length(customers=range(activity.n_rows), starts=may)
    rows = np.flatnonzero(may[activity.rows])
    return rows[np.unique(activity.customer[rows], return_index=True)[1]]


def _rolling(
    activity: Activity, anchor: NDArray[np.intp], unit_us: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's age and each anchor's whole elapsed units, since the customer's start."""
    born = np.full(activity.n_customers, activity.end_us + 1)  # never started: ages below 0
    born[activity.customer[anchor]] = activity.us[anchor]
    age = (activity.us - born[activity.customer]) // unit_us
    return age, (activity.end_us - activity.us[anchor]) // unit_us


def _rows(
    group: NDArray[np.int64], last: int, cohort: Period
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the labels of all cohorts from the first to the last elapsed one, and the rows."""
    if not len(group):
        return (), group
    first = int(group.min())
    numbers = range(first, max(int(group.max()), last) + 1)
    return tuple(period_label(number, cohort) for number in numbers), group - first


class _Lookup:
    """Answers whether a customer was active between two ages, by search in one sorted array."""

    def __init__(self, customer: NDArray[np.int64], axis: NDArray[np.int64], *, reach: int) -> None:
        self._zero = int(axis.min()) if len(axis) else 0
        # wide enough that no bracket of one customer reaches into the next one
        self._width = (int(axis.max()) if len(axis) else 0) - self._zero + reach + 2
        self._keys = np.sort(customer * self._width + (axis - self._zero))

    def within(
        self, customer: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        offset = customer * self._width - self._zero
        found = np.searchsorted(self._keys, offset + last, side="right")
        return found > np.searchsorted(self._keys, offset + first, side="left")


def _bands(retained: Counts, eligible: Counts, level: float) -> tuple[Shares, Shares]:
    cells = zip(retained.ravel().tolist(), eligible.ravel().tolist(), strict=True)
    ends = np.array([wilson(k, n, level=level) for k, n in cells]).reshape(-1, 2)
    return ends[:, 0].reshape(eligible.shape), ends[:, 1].reshape(eligible.shape)
