"""Ratios by group whose intervals know that a customer's observations are not independent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney.kernels import customer_cells
from cxjourney.metrics.intervals import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.int64]

__all__ = ["GroupedRatios", "grouped_ratios", "grouped_shares"]


@attrs.frozen(kw_only=True, eq=False)
class GroupedRatios:
    """One ratio of sums a group, with its variance over customers.

    Attributes
    ----------
    base
        Denominator of each group, weights counted.
    customers
        Customers that count in each group, weights counted.
    value
        The ratio; NaN where the base is 0.
    variance
        Its sampling variance by linearisation, clustered by customer; NaN with one customer.
    """

    base: Floats
    customers: Floats
    value: Floats
    variance: Floats

    def student(self, level: float) -> tuple[Floats, Floats]:
        """Return both ends of Student's interval with one degree of freedom less than customers."""
        from scipy.special import stdtrit

        freedom = np.maximum(self.customers - 1, 1)
        half = stdtrit(freedom, 0.5 + level / 2) * np.sqrt(self.variance)
        return self.value - half, self.value + half

    def wilson(self, level: float) -> tuple[Floats, Floats]:
        """Return both ends of Wilson's interval of a fraction, on an effective sample.

        The sample is as large as independent observations of the same variance would be, never
        larger than the base; where all agree it is the number of customers.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            trials = self.value * (1 - self.value) / self.variance
        silent = ~(self.variance > 1e-18) | (self.value <= 0) | (self.value >= 1)
        trials = np.where(silent, self.customers, np.minimum(trials, self.base))
        ends = [
            wilson(float(min(max(p, 0.0) * n, n)), float(n), level=level)
            if n > 0 and not math.isnan(p)
            else (math.nan, math.nan)
            for p, n in zip(self.value, trials, strict=True)
        ]
        low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
        return low, high


def grouped_ratios(
    numerator: Floats,
    denominator: Floats,
    *,
    group: Codes,
    n_groups: int,
    customer: Codes,
    weight: Codes | None = None,
) -> GroupedRatios:
    """Return Σ numerator / Σ denominator of each group.

    Parameters
    ----------
    numerator, denominator
        One a row; ones as denominator make means.
    group
        Group of each row.
    n_groups
        Number of groups.
    customer
        Whose row it is.
    weight
        How often each row counts, as so many customers alike; None for once.

    Notes
    -----
    The variance of a ratio R = Σ y / Σ x is G/(G-1) Σ_c (y_c - R x_c)² / (Σ x)² over the sums of G
    customers (Cochran 1977, ch. 6).
    """
    at, who, w, first = _cells(group, n_groups, customer, weight)
    y, x = (
        np.bincount(who, column, minlength=len(at)).astype(np.float64)
        for column in (numerator, denominator)
    )
    w = w[first]

    def total(values: Floats) -> Floats:
        return np.bincount(at, w * values, minlength=n_groups).astype(np.float64)

    base, groups = total(x), total(np.ones(len(at)))
    value = np.full(n_groups, np.nan)
    np.divide(total(y), base, out=value, where=base > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = total((y - value[at] * x) ** 2)
        variance = np.where(groups > 1, groups / (groups - 1) * spread / base**2, np.nan)
    return GroupedRatios(base=base, customers=groups, value=value, variance=variance)


def grouped_shares(
    amount: Floats,
    *,
    group: Codes,
    n_groups: int,
    customer: Codes,
    weight: Codes | None = None,
    base: Floats | None = None,
    base_customer: Codes | None = None,
    base_weight: Codes | None = None,
) -> GroupedRatios:
    """Return the share that each group has in one total: that of all amounts, or of a base.

    Parameters
    ----------
    amount
        One a row, not negative.
    group, n_groups, customer, weight
        As for `grouped_ratios`.
    base, base_customer, base_weight
        What the total is of, whose, and how often it counts: journeys, say, of which some come by.
        None for the amounts themselves.
    """
    at, who, w, first = _cells(group, n_groups, customer, weight)
    y = np.bincount(who, amount, minlength=len(at)).astype(np.float64)
    w = w[first]
    whose = customer if base_customer is None else base_customer
    people, place = np.unique(whose, return_inverse=True)
    whole = np.bincount(place, amount if base is None else base, minlength=len(people))
    person = np.searchsorted(people, customer[first])  # the customer of each cell
    often = np.ones(len(people))
    often[person] = w
    if base_weight is not None:
        often[place] = base_weight
    total, n = float(often @ whole), float(often.sum())
    value, variance = np.full(n_groups, np.nan), np.full(n_groups, np.nan)

    def of_groups(values: Floats) -> Floats:
        return np.bincount(at, w * values, minlength=n_groups).astype(np.float64)

    if total > 0:
        value = of_groups(y) / total
        spread = of_groups(y * y) - 2 * value * of_groups(y * whole[person])
        spread += value**2 * float(often @ whole**2)
        if n > 1:
            variance = n / (n - 1) * np.maximum(spread, 0.0) / total**2
    return GroupedRatios(
        base=np.full(n_groups, total),
        customers=np.full(n_groups, n),
        value=value,
        variance=variance,
    )


def _cells(
    group: Codes, n_groups: int, customer: Codes, weight: Codes | None
) -> tuple[Codes, Codes, Floats, Codes]:
    """Return group of each (group, customer) cell, cell and weight of rows, first row of cells."""
    first, cell = customer_cells(group, customer, n_groups)
    w = np.ones(len(group)) if weight is None else weight.astype(np.float64)
    return group[first], cell, w, first
