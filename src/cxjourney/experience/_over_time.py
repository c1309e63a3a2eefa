"""The experience of customers over time: their mean so far, where recent moments may weigh more."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.ratios import mean_figures
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.table import Table
from cxjourney._time.calendar import Period, period_index, period_label

if TYPE_CHECKING:
    from cxjourney._stats.units import Units

_LONG_AGO_US = np.iinfo(np.int64).min // 4


@attrs.frozen(kw_only=True, eq=False)
class Moments:
    """Values with customer and time, in no order."""

    value: Floats
    customer: Ints
    time_us: Ints


@attrs.define(kw_only=True, eq=False)
class Standing:
    """What is known of each customer so far.

    Attributes
    ----------
    mean
        Weighted mean; NaN before the first value.
    weight
        Sum of the weights, as of the last value.
    last_us
        Time of the last value.
    """

    mean: Floats
    weight: Floats
    last_us: Ints

    @classmethod
    def of_nobody(cls, n_customers: int) -> Standing:
        """Return the standing before anything was seen."""
        return cls(
            mean=np.full(n_customers, np.nan),
            weight=np.zeros(n_customers),
            last_us=np.full(n_customers, _LONG_AGO_US),
        )

    def add(self, moments: Moments, half_life_us: float) -> None:
        """Take in moments, none of them before those that it has.

        Weights count from the last value of each customer: to any later date they all shrink by the
        same factor, which a mean does not see, and no customer's weights vanish together.
        """
        n, who = len(self.mean), moments.customer
        latest = self.last_us.copy()
        np.maximum.at(latest, who, moments.time_us)
        touched = np.zeros(n, dtype=np.bool_)
        touched[who] = True
        age = latest[who] - moments.time_us
        weight = np.exp2(-age / half_life_us)
        aged = self.weight * np.exp2(-(latest - self.last_us) / half_life_us)
        new = np.bincount(who, weight, minlength=n)
        total = np.bincount(who, weight * moments.value, minlength=n)
        before = np.where(self.weight > 0, aged * np.nan_to_num(self.mean), 0.0)
        self.mean = np.where(
            touched, (before + total) / np.where(touched, aged + new, 1.0), self.mean
        )
        self.weight = np.where(touched, aged + new, self.weight)
        self.last_us = np.where(touched, latest, self.last_us)


def standings(
    moments: Moments,
    n_customers: int,
    *,
    half_life_us: float,
    by: Period,
    tz: str,
    at_us: int,
    units: Units,
    scale: tuple[float, float] | None,
    level: float,
) -> tuple[Table, Floats]:
    """Return how customers stand at the end of each period, and each of them at the end of all."""
    standing = Standing.of_nobody(n_customers)
    period = period_index(moments.time_us, by, tz)
    first = int(period.min(initial=np.iinfo(np.int64).max))
    # a period that begins as the observation ends has nothing of its own
    last = max(int(period_index(np.array([at_us - 1]), by, tz)[0]), int(period.max(initial=0)))
    every = range(first, last + 1) if len(period) else range(0)
    order = np.argsort(period, kind="stable")
    bounds = np.searchsorted(period[order], np.arange(every.start, every.stop + 1))
    rows = []
    for index, (begin, end) in zip(every, pairwise(bounds.tolist()), strict=True):
        some = order[begin:end]
        if len(some):
            standing.add(
                Moments(
                    value=moments.value[some],
                    customer=moments.customer[some],
                    time_us=moments.time_us[some],
                ),
                half_life_us,
            )
        known = np.flatnonzero(~np.isnan(standing.mean))
        found = mean_figures(standing.mean[known], units.take(known))
        (low,), (high,) = found.means(level, scale)
        rows.append(
            (period_label(index, by), len(known), len(some), float(found.whole[0]), low, high)
        )
    names = ("period", "customers", "n", "mean", "low", "high")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return Table(dict(zip(names, columns, strict=True))), standing.mean
