"""Difference of two rates within strata, by the influence of each customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.customer_sums import student_tail
from cxjourney._support.array_types import Floats

if TYPE_CHECKING:
    from cxjourney._stats.customer_sums import CustomerSums

_MOST_LEVERAGE = 0.9


@attrs.frozen(kw_only=True)
class StratifiedDifference:
    """Difference of exposed and others within strata, pooled."""

    value: float  # the difference and its variance; NaN where no stratum has both
    variance: float
    floor: float  # what the variance is never below
    units: float  # G* of the customers that it rests on
    p: float  # one-sided p-value of a higher rate among the exposed; 1 where it was not tested
    weights: Floats  # weight of each stratum


def stratified_difference(exposed: CustomerSums, others: CustomerSums) -> StratifiedDifference:
    """Return how much higher the rate of the exposed is, stratum by stratum.

    Notes
    -----
    Strata weigh n₁ n₂ / (n₁ + n₂) (Mantel and Haenszel). The influence of a customer is that at the
    common rate of the stratum, divided by 1 minus half the customer's leverage. The variance is
    never below that of independent trials at the common rate with one event of each kind added:
    with few customers the influences vanish together.

    Examples
    --------
    >>> def independent(n, k):
    ...     each = [np.r_[np.ones(b), np.zeros(a - b)] for a, b in zip(n, k)]
    ...     cell = np.repeat(np.arange(len(n)), n)
    ...     return CustomerSums.of(cell, np.arange(len(cell)), np.concatenate(each), len(n))
    >>> from cxjourney._stats.customer_sums import CustomerSums
    >>> found = stratified_difference(independent([20, 10], [8, 2]), independent([80, 30], [16, 3]))
    >>> [round(float(x), 6) for x in (*found.weights, found.value)]
    [0.680851, 0.319149, 0.168085]
    """
    n1, n2, k1, k2 = exposed.trials, others.trials, exposed.events, others.events
    usable = (n1 > 0) & (n2 > 0)
    weight = np.where(usable, n1 * n2 / np.maximum(n1 + n2, 1.0), 0.0)
    if not usable.any():
        return StratifiedDifference(
            value=np.nan, variance=np.nan, floor=np.nan, units=0.0, p=1.0, weights=0.0 * weight
        )
    weight /= weight.sum()
    with np.errstate(invalid="ignore"):
        value = float(np.where(usable, weight * (exposed.rate - others.rate), 0.0).sum())
    common = (k1 + k2) / np.maximum(n1 + n2, 1.0)
    people = int(max(exposed.customer.max(initial=0), others.customer.max(initial=0))) + 1
    influence, leverage = np.zeros(people), np.zeros(people)
    for sums, n, sign in ((exposed, n1, 1.0), (others, n2, -1.0)):
        share = np.where(usable, weight, 0.0)[sums.cell] / np.maximum(n[sums.cell], 1.0)
        step = sign * share * (sums.k - common[sums.cell] * sums.n)
        influence += np.bincount(sums.customer, step, minlength=people)
        leverage += np.bincount(sums.customer, share * sums.n, minlength=people)
    influence /= 1 - np.minimum(leverage / 2, _MOST_LEVERAGE)
    q = (k1 + k2 + 1) / (n1 + n2 + 2)
    each = 1 / np.maximum(n1, 1.0) + 1 / np.maximum(n2, 1.0)
    floor = float(np.where(usable, weight**2 * q * (1 - q) * each, 0.0).sum())
    variance = max(float((influence**2).sum()), floor)
    # a customer's part in the variance, were trials independent
    part = np.zeros(people)
    for sums, n in ((exposed, n1), (others, n2)):
        share = (weight / np.maximum(n, 1.0)) ** 2 * np.where(usable, q * (1 - q), 0.0)
        part += np.bincount(sums.customer, share[sums.cell] * sums.n, minlength=people)
    units = float(part.sum() ** 2 / (part**2).sum()) if part.any() else 0.0
    p = float(student_tail(np.array(value / np.sqrt(variance)), np.array(units)))
    return StratifiedDifference(
        value=value, variance=variance, floor=floor, units=units, p=p, weights=weight
    )
