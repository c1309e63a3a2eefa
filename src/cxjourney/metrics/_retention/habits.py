"""Returning customers: stickiness, the lifecycle of a base, repeat purchases."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import mean_t
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_flag,
    check_level,
    duration_us,
    optional_duration,
)
from cxjourney._time.calendar import PERIODS, period_index, period_label
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import proportion
from cxjourney.metrics._retention.activity import left_out, named_customers, read_activity
from cxjourney.metrics._survival.kaplan_meier import kaplan_meier

if TYPE_CHECKING:
    from datetime import date, datetime, timedelta

    from matplotlib.axes import Axes

    from cxjourney._support.arrays import Values
    from cxjourney._time.calendar import Period


_STATES = ("new", "returning", "resurrecting", "dormant")


def stickiness(
    customers: Values,
    timestamps: Values,
    *,
    days: int = 30,
    last_day: date | None = None,
    time_zone: str = "UTC",
    level: float = 0.95,
) -> Estimate:
    """Return mean daily active customers over customers active at all (DAU / MAU).

    Parameters
    ----------
    customers, timestamps
        Who was active (label) and when (naive timestamps are UTC), one row each.
    days, last_day
        Length of the window [calendar days], and its last day; None: that of the last timestamp.
    time_zone, level
        IANA name of the zone in which days begin; confidence level, in (0, 1).

    Returns
    -------
    Estimate
        A share from 1/days to 1 [fraction]; NaN and "empty" if nobody was active in the window.

    Raises
    ------
    InvalidValue
        If `days` is not a positive whole number, or columns differ in length.
    UnknownName
        If there is no such time zone.

    Notes
    -----
    Σ_d DAU_d / days / MAU, which is the mean over active customers of the share of days on which
    they were active; hence the t interval over customers. Daily counts do not give MAU: that needs
    distinct customers.

    Examples
    --------
    >>> from datetime import datetime
    >>> when = [datetime(2026, 1, d) for d in (1, 2, 3, 4, 4)]
    >>> stickiness(["ann", "ann", "ann", "ann", "ben"], when, days=4).value
    0.625
    """
    check_level(level)
    check_count(days, "days")
    activity = read_activity(customers, timestamps)
    day = period_index(activity.us, "day", time_zone)
    if last_day is None:
        last = int(day.max()) if len(day) else 0
    else:
        last = _day_number(last_day, "last_day")
    inside = (day <= last) & (day > last - days)
    pairs = np.unique(np.stack((activity.customer[inside], day[inside])), axis=1)
    active_days = np.bincount(pairs[0], minlength=activity.n_customers)
    share = active_days[active_days > 0] / days
    n = len(share)
    mean = float(share.mean()) if n else math.nan
    low, high = mean_t(mean, float(share.std(ddof=1)), n, level=level) if n > 1 else (math.nan,) * 2
    return Estimate(
        value=mean,
        low=max(low, 1 / days),
        high=min(high, 1.0),
        level=level,
        n=n,
        n_missing=activity.n_missing,
        unit="fraction",
        method="t over customers",
        notes=() if n else ("empty",),
        name="stickiness",
        definition="mean daily active customers / customers active in the window",
        parameters={"days": int(days), "last_day": str(np.datetime64(last, "D")) if n else None},
        numerator=float(active_days.sum()) / days,
        denominator=n,
        exclusions={"rows outside the window": int(np.count_nonzero(~inside))},
        time_zone=time_zone,
    )


@attrs.frozen(kw_only=True, repr=False)
class Lifecycle(Result):
    """Who was new, came back or fell silent, period by period.

    Attributes
    ----------
    periods
        First day (or month) of each period, without gaps.
    new, returning, resurrecting
        Customers active for the first time, in this and in the previous period, and in this one and
        before, but not in the previous one.
    dormant
        Active in the previous period, not in this one; NaN while the period is running.
    period, time_zone
        How periods were cut.
    states
        One row a customer and period in which it was new, returning, resurrecting or dormant, by
        customer and period, where they were asked for; else None. A customer who is silent for
        longer has no row.
    n, n_missing, n_later
        Customers; rows left out: without a customer or a timestamp, after the end of observation.
    """

    title = "Lifecycle"

    periods: tuple[str, ...]
    new: Ints = attrs.field(converter=read_only, eq=array_eq)
    returning: Ints = attrs.field(converter=read_only, eq=array_eq)
    resurrecting: Ints = attrs.field(converter=read_only, eq=array_eq)
    dormant: Floats = attrs.field(converter=read_only, eq=array_eq)
    period: str
    time_zone: str
    n: int
    n_missing: int
    n_later: int
    states: Table | None = None

    @property
    def active(self) -> Ints:
        """Customers active in each period: new, returning and resurrecting."""
        total: Ints = self.new + self.returning + self.resurrecting
        return total

    def plot(
        self, *, max_rows: int | None = 12, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw how many customers of each kind were active in each period, the latest at the end.

        Parameters
        ----------
        max_rows
            Only so many of the latest periods are drawn; None draws all.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        some = range(len(self.periods))[-max_rows if max_rows else 0 :]
        kinds = {
            "new": self.new,
            "returning": self.returning,
            "came back after a gap": self.resurrecting,
        }
        return plot.bars(
            [self.periods[i] for _ in kinds for i in some],
            np.concatenate([count[list(some)] for count in kinds.values()]),
            group=[kind for kind in kinds for _ in some],
            label=f"active customers of a {self.period}",
            caption="Where the bars of new customers are the longest, few come back."
            + plot.drawn_of(len(some), len(self.periods), f"{self.period}s"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return Table(
            {
                self.period: self.periods,
                "active": self.active,
                "new": self.new,
                "returning": self.returning,
                "resurrecting": self.resurrecting,
                "dormant": self.dormant,
            },
            formats={"dormant": "integer"},
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"There are {self.n:,} customers; {left_out(self.n_missing, self.n_later)}.",
            f"Periods are cut in the zone {self.time_zone}.",
            "The first periods overstate new customers: the data know nobody from before.",
        )


def lifecycle(
    customers: Values,
    timestamps: Values,
    *,
    period: Period = "week",
    time_zone: str = "UTC",
    observed_until: datetime | None = None,
    states: bool = False,
) -> Lifecycle:
    """Return new, returning, resurrecting and dormant customers of every period.

    Parameters
    ----------
    customers, timestamps
        Who was active (label) and when (naive timestamps are UTC), one row each.
    period, time_zone
        Calendar days, weeks from Monday, months or quarters; the IANA name of their zone.
    observed_until
        End of observation; rows after it are left out. None: the last timestamp.
    states
        Whether the result has the state of each customer in each period too. It holds ids then.

    Returns
    -------
    Lifecycle
        A row a period; an empty input has none.

    Raises
    ------
    InvalidValue
        If columns differ in length or the period is unknown.
    UnknownName
        If there is no such time zone.

    Notes
    -----
    active = new + returning + resurrecting, and what was active in a period is returning or
    dormant in the next. Who is dormant in a period that is still running is not known yet.

    Examples
    --------
    >>> from datetime import datetime
    >>> when = [datetime(2026, 1, 1), datetime(2026, 3, 1), datetime(2026, 1, 5),
    ...         datetime(2026, 2, 5)]
    >>> lifecycle(["ann", "ann", "ben", "ben"], when, period="month").dormant
    array([ 0.,  1., nan])
    """
    check_choice(period, "period", PERIODS)
    check_flag(states, "states")
    activity = read_activity(customers, timestamps, observed_until=observed_until)
    when = period_index(activity.us, period, time_zone)
    fresh = activity.first | np.diff(when, prepend=0).astype(bool)
    first, when = activity.first[fresh], when[fresh]
    start = int(when.min()) if len(when) else 0
    now = int(period_index(np.array([activity.end_us]), period, time_zone)[0])
    size = now - start + 1 if len(when) else 0
    continued = ~first & (np.diff(when, prepend=0) == 1)

    def count(rows: Bools) -> Ints:
        return np.bincount(when[rows] - start, minlength=size)

    active, returning = count(np.ones(len(when), dtype=bool)), count(continued)
    dormant = np.concatenate(([0], active[:-1]))[:size].astype(np.float64) - returning
    dormant[-1:] = np.nan
    table = None
    if states:
        silent = (np.diff(when, append=now + 2) != 1) | np.append(first[1:], True)[: len(when)]
        silent &= when < now - 1  # who is dormant in the running period is not known
        state = np.where(first, 0, np.where(continued, 1, 2))
        who = activity.customer[fresh]
        who, of = np.append(who, who[silent]), np.append(when, when[silent] + 1)
        state = np.append(state, np.full(np.count_nonzero(silent), 3))
        order = np.lexsort((of, who))
        ids = named_customers(customers, activity)
        table = Table(
            {
                "customer": [ids[i] for i in who[order].tolist()],
                period: [period_label(i, period) for i in of[order].tolist()],
                "state": [_STATES[i] for i in state[order].tolist()],
            }
        )
    return Lifecycle(
        periods=tuple(period_label(start + i, period) for i in range(size)),
        new=count(first),
        returning=returning,
        resurrecting=count(~first & ~continued),
        dormant=dormant,
        period=period,
        time_zone=time_zone,
        n=activity.n_customers,
        n_missing=activity.n_missing,
        n_later=activity.n_later,
        states=table,
    )


def repeat_purchase_rate(
    customers: Values,
    timestamps: Values,
    *,
    horizon: timedelta | str | None = None,
    merge_within: timedelta | str | None = None,
    observed_until: datetime | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the share of buyers who buy again.

    Parameters
    ----------
    customers, timestamps
        Who placed each order (label) and when (naive timestamps are UTC); leave refunded ones out.
    horizon
        How soon after the first order; buyers observed for less are censored. None: at any time
        in the data, which the young customers had little of.
    merge_within
        Orders at most so long after the customer's previous one belong to it (split orders).
        None: every row is an order of its own.
    observed_until, level
        End of observation, after which orders are left out (None: the last timestamp); confidence
        level, in (0, 1).

    Returns
    -------
    Estimate
        The share [fraction, 0-1]; NaN and "empty" without buyers.

    Raises
    ------
    InvalidValue
        If columns differ in length or a duration is not positive.

    Notes
    -----
    Without a horizon: buyers of two orders or more / buyers, with Wilson's interval. In a growing
    base it falls for no other reason than growth. With a horizon h: 1 - S(h), S the Kaplan-Meier
    survival of the time from the first to the second order.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> when = [datetime(2026, 1, 1), datetime(2026, 1, 9), datetime(2026, 1, 3),
    ...         datetime(2026, 2, 27)]
    >>> orders = ["ann", "ann", "ben", "cid"]
    >>> repeat_purchase_rate(orders, when).value == 1 / 3
    True
    >>> repeat_purchase_rate(orders, when, horizon=timedelta(days=30)).value
    0.5
    """
    horizon = optional_duration(horizon, "horizon")
    merge_within = optional_duration(merge_within, "merge_within")
    activity = read_activity(customers, timestamps, observed_until=observed_until)
    order = activity.first
    if merge_within is not None:
        gap = np.diff(activity.us, prepend=0)
        order = order | (gap > duration_us(merge_within))
    else:
        order = np.ones(len(activity.us), dtype=bool)
    exclusions = {
        "after observed_until": activity.n_later,
        "merged": int(np.count_nonzero(~order)),
    }
    parameters = {
        "horizon_s": None if horizon is None else horizon.total_seconds(),
        "merge_within_s": None if merge_within is None else merge_within.total_seconds(),
    }
    who, us, first = activity.customer[order], activity.us[order], activity.first[order]
    second = np.concatenate(([False], first[:-1]))[: len(first)] & ~first
    if horizon is None:
        return proportion(
            int(np.count_nonzero(second)),
            activity.n_customers,
            level=level,
            name="repeat_purchase_rate",
            definition="customers with two orders or more / customers with an order",
            parameters=parameters,
            n_missing=activity.n_missing,
            exclusions=exclusions,
        )
    again = np.zeros(activity.n_customers, dtype=bool)
    again[who[second]] = True
    length = activity.end_us - us[first]
    length[again] = us[second] - us[first][again]
    curve = kaplan_meier(length.astype("timedelta64[us]"), again, level=level)
    stay = curve.at(horizon)
    return attrs.evolve(
        stay,
        value=1 - stay.value,
        low=1 - stay.high,
        high=1 - stay.low,
        n_missing=activity.n_missing,
        name="repeat_purchase_rate",
        definition="share of customers with a second order within the horizon",
        parameters=parameters,
        exclusions=exclusions,
    )


def _day_number(day: date, name: str) -> int:
    try:
        return int(np.datetime64(day, "D").astype(np.int64))
    except (TypeError, ValueError):
        raise InvalidValue.of(name, "be a date", day) from None
