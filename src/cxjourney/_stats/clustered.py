"""Shares, means and ratios whose intervals know that a customer's observations are not independent.

Variances are linearised over customers: a customer's observations count as one cluster. A weight is
a frequency: so many customers alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.intervals import wilson_ends
from cxjourney._support.array_types import Floats, Ints
from cxjourney.kernels import clustered_sums, customer_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


__all__ = [
    "GroupedRatios",
    "Shares",
    "effective_sample",
    "grouped_ratios",
    "grouped_shares",
    "shares",
]

_ROUNDING = 1e6  # no variance is so many times smaller than that of independent observations


def effective_sample(
    share: Floats, variance: Floats, base: NDArray[np.number], customers: Floats | Ints | float
) -> Floats:
    """Return the number of independent observations that say as much about a share as these do.

    That is p (1 - p) / Var, never more than the base. Where all agree, or one customer is all there
    is, the data show no variation: then it is the number of customers.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        trials = share * (1 - share) / variance
    # rounding leaves a little variance where there is none
    varies = (trials > 0) & (trials < _ROUNDING * base)
    return np.where(varies, np.minimum(trials, base), customers)


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

    @property
    def effective(self) -> Floats:
        """Independent observations that say as much about a fraction; see `effective_sample`."""
        return effective_sample(self.value, self.variance, self.base, self.customers)

    def wilson(self, level: float) -> tuple[Floats, Floats]:
        """Return both ends of Wilson's interval of a fraction, on its effective sample."""
        return wilson_ends(self.value, self.effective, level=level)


def grouped_ratios(
    numerator: Floats,
    denominator: Floats,
    *,
    group: Ints,
    n_groups: int,
    customer: Ints,
    weight: NDArray[np.number] | None = None,
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
    group: Ints,
    n_groups: int,
    customer: Ints,
    weight: Ints | None = None,
    base: Floats | None = None,
    base_customer: Ints | None = None,
    base_weight: Ints | None = None,
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


@attrs.frozen(kw_only=True)
class Shares:
    """What share of its base falls into each cell.

    Attributes
    ----------
    count, base
        Observations in the cell and in its base, weights counted.
    customers
        Customers in the cell.
    effective
        Independent observations that say as much about the share as the base does.
    value, low, high
        The share and the ends of its interval [fraction]; NaN where the base is empty.
    """

    count: Ints
    base: Ints
    customers: Ints
    effective: Floats
    value: Floats
    low: Floats
    high: Floats

    @property
    def variance(self) -> Floats:
        """Sampling variance with one hit and one miss added, so that it is never 0."""
        p = (self.value * self.effective + 1) / (self.effective + 2)
        return p * (1 - p) / self.effective


def shares(
    cell: Ints,
    base_of_cell: Sequence[int] | Ints,
    customer: Ints,
    weight: Ints | None,
    *,
    level: float,
) -> Shares:
    """Return the share of each cell in its base: Wilson's interval on an effective sample.

    As `grouped_shares` of every base at once, from whole numbers alone.

    Parameters
    ----------
    cell
        Cell of each observation.
    base_of_cell
        Base that each cell is a share of.
    customer, weight
        Whose observation it is, and how often it counts.
    level
        Confidence level.
    """
    bases = np.asarray(base_of_cell, dtype=np.int64)
    sums = clustered_sums(cell, bases, customer, weight)
    count, base, groups = sums.rows, sums.base[bases], sums.base_customers[bases]
    with np.errstate(invalid="ignore", divide="ignore"):
        p = count / base
        spread = sums.squares - 2 * p * sums.products + p * p * sums.base_squares[bases]
        variance = groups / (groups - 1) * spread / base.astype(np.float64) ** 2
    effective = effective_sample(p, variance, base, groups)
    low, high = wilson_ends(p, effective, level=level)
    return Shares(
        count=count,
        base=base,
        customers=sums.customers,
        effective=effective,
        value=p,
        low=low,
        high=high,
    )


def _cells(
    group: Ints, n_groups: int, customer: Ints, weight: NDArray[np.number] | None
) -> tuple[Ints, Ints, Floats, Ints]:
    """Return group of each (group, customer) cell, cell and weight of rows, first row of cells."""
    first, cell = customer_cells(group, customer, n_groups)
    w = np.ones(len(group)) if weight is None else weight.astype(np.float64)
    return group[first], cell, w, first
