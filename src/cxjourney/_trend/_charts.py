"""Charts of figures by period, their limits, and the date of a change."""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import attrs
import numpy as np

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
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._time.calendar import (
    Period,
    period_index,
    period_label,
    period_of_days,
    period_start,
)
from cxjourney.exceptions import InvalidValue

_BYTE = 256
_MOST_PERIODS = 10_000
_MOST_DATES = 500
_MANY_DAYS = 70
_FEWEST_WEEKS = 8
_FEWEST_EXPECTED = 5.0
_SIGMAS = 3.0


@attrs.frozen(kw_only=True)
class Calendar:
    """The periods of a chart: `n` of them, of which the first is number `start`."""

    by: Period
    tz: str
    start: int = 0
    n: int = 0

    def period(self, day: Ints) -> Ints:
        return period_of_days(day, self.by) - self.start

    def day(self, time_us: Ints) -> Ints:
        return period_index(time_us, "day", self.tz)

    def labels(self) -> list[str]:
        return [period_label(self.start + i, self.by) for i in range(self.n)]

    def between(self, first: int, last: int) -> Calendar:
        """Return the periods from one day to another."""
        start, end = period_of_days(np.array([first, last]), self.by).tolist()
        if end - start >= _MOST_PERIODS:
            n = end - start + 1
            raise InvalidValue.of(
                "by", f"give at most {_MOST_PERIODS:,} periods", f"{self.by}: {n:,}"
            )
        return attrs.evolve(self, start=start, n=end - start + 1)


class Chart(NamedTuple):
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
class Change:
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
        weight: Ints | None = None,
    ) -> Change:
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
                weight=weight,
            )
            for x in (value, -value)
        )
        found = up if up.p <= down.p else attrs.evolve(down, before=-down.before, after=-down.after)
        if found.since < 0:
            return cls()
        moments = (found.since, found.earliest, found.latest)
        late = moment >= found.since
        step_fit, line_fit = (_correlation(value, x, weight) for x in (late, moment))
        p = min(1.0, 2 * min(up.p, down.p))
        dates = tuple(period_label(first + days * at, "day") for at in moments)
        return cls(rise=found, dates=dates, p=p, slow=line_fit > step_fit)

    def called(self, level: float) -> Change:
        """Return it if its p-value says that it is one, else no change of that p-value."""
        return self if self.p <= 1 - level else Change(p=self.p)


def _correlation(value: Floats, other: Ints | Bools, weight: Ints | None) -> float:
    """Return how near two columns are to a line, whatever its direction."""
    covariance = np.cov(value, other, fweights=weight)
    return float(abs(covariance[0, 1]) / np.sqrt(covariance[0, 0] * covariance[1, 1]))


@attrs.frozen(kw_only=True, eq=False)
class Shares:
    """Rows of a share or a mean by bucket and period, whatever they were counted from.

    Attributes
    ----------
    trials, sums
        Rows and the sums of their values, shape (buckets, periods).
    young
        Whether a row of each period is too young.
    share
        Whether the values are 0 and 1.
    variance
        Variance of the values of final periods.
    reached
        The share of the events of final periods that came within the age of some rows, the period
        of each, and how many rows it stands for; None where nothing is expected.
    """

    trials: Floats
    sums: Floats
    young: Bools
    share: bool
    variance: float = np.nan
    reached: tuple[Floats, Ints, Ints | None] | None = None


def chart_of_shares(shares: Shares, level: float) -> Chart:
    """Return the chart of a share or a mean; a period is young if a row of it is."""
    trials, sums, young, share = shares.trials, shares.sums, shares.young, shares.share
    total, events, n = trials.sum(axis=0), sums.sum(axis=0), len(young)
    figures = BucketFigures(
        whole=_ratio(events, total), without=_ratio(events - sums, total - trials), units=trials
    )
    low, high = figures.wilson(level) if share else figures.student(level)
    k, m = np.where(young, 0.0, events), np.where(young, 0.0, total)
    limits = limits_of_shares(k, m) if share else limits_of_means(k, m, shares.variance)
    expected, apart = np.full(n, np.nan), np.zeros(n, dtype=np.bool_)
    if shares.reached is not None:
        reached, period, weight = shares.reached
        due, variances = reached_at_age(reached, period, n, limits.center, weight)
        wide = max(limits.spread, 1.0) if np.isfinite(limits.spread) else 1.0
        apart = young & (np.abs(events - due) > _SIGMAS * wide * np.sqrt(variances))
        apart &= due >= _FEWEST_EXPECTED
        expected = np.where(young, _ratio(due, total), np.nan)
    return Chart(total, figures.whole, low, high, young, limits, expected, apart)


def chart_of_numbers(  # noqa: PLR0917 - rows, or cells of them
    period: Ints,
    over: float,
    calendar: Calendar,
    ends: tuple[int, int],
    level: float,
    weight: Ints | None = None,
) -> Chart:
    """Return the chart of numbers a day; a period is young unless all its days were observed.

    `over` is how much more counts vary than chance, since customers come several times.
    """
    n = calendar.n
    bounds = np.array([period_start(calendar.start + i, calendar.by) for i in range(n + 1)])
    first, last = ends
    days = np.minimum(bounds[1:], last + 1) - np.maximum(bounds[:-1], first)
    young = days < np.diff(bounds)
    count = np.bincount(period, weight, minlength=n).astype(np.float64)
    # a score interval
    square = NormalDist().inv_cdf(0.5 + level / 2) ** 2 * over
    middle, half = count + square / 2, np.sqrt(square * (count + square / 4))
    low, high = np.maximum(middle - half, 0.0) / days, (middle + half) / days
    limits = limits_of_counts(np.where(young, 0.0, count), np.where(young, 0.0, days))
    return Chart(count, count / days, low, high, young, limits, np.full(n, np.nan))


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return ratio


def change_of_shares(byte: Ints, day: Ints, value: Floats, weight: Ints | None = None) -> Change:
    """Return the more certain of a rise and a fall of a share or a mean.

    `byte` is the first of the digest of the id of each customer.
    """
    if not len(value):
        return Change()
    first, size = int(day.min()), int(np.ptp(day)) + 1
    step = max(7 if size > _MANY_DAYS else 1, size // _MOST_DATES)
    common = common_spread(byte, (day - first) // 7, value, weight)
    signs = random_signs(_BYTE)
    return Change.of(
        byte, day - first, value, signs, first, step=step, common=common, weight=weight
    )


def change_of_numbers(day: Ints, ends: tuple[int, int], weight: Ints | None = None) -> Change:
    """Return the same of numbers a day: each whole week is a unit, and its mean one value."""
    first, last = ends
    first += -(first + 3) % 7  # a Monday
    weeks = (last + 1 - first) // 7
    if weeks < _FEWEST_WEEKS:
        return Change()
    week = (day - first) // 7
    inside = (week >= 0) & (week < weeks)
    some = None if weight is None else weight[inside]
    mean = np.bincount(week[inside], some, minlength=weeks) / 7
    here = np.arange(weeks)
    return Change.of(here, here, mean, random_signs(weeks), first, days=7)
