"""Shares, means and differences of groups of journeys whose customers may have several each.

Variances are linearised over customers: a customer's journeys count as one cluster. A weight is a
frequency: so many customers alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.metrics.intervals import normal_quantile, wilson

if TYPE_CHECKING:
    from cxjourney.log.journeys import Journeys

__all__ = [
    "Comparison",
    "Sample",
    "adjusted_p",
    "compare_means",
    "compare_shares",
    "mean_interval",
    "share_interval",
    "share_intervals",
]


@attrs.frozen(kw_only=True)
class Sample:
    """Values of journeys, with whose they are and how often each counts.

    Attributes
    ----------
    value
        One a journey [any unit]; NaN where it has none.
    customer
        Number of the customer, ascending.
    weight
        Frequency of the journey.
    """

    value: NDArray[np.float64]
    customer: NDArray[np.int64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, journeys: Journeys, value: NDArray[np.float64]) -> Sample:
        """Return values of journeys, one each."""
        weight = np.ones(len(value)) if journeys.weight is None else journeys.weight
        return cls(value=value, customer=journeys.customer, weight=weight.astype(np.float64))

    def where(self, keep: NDArray[np.bool_]) -> Sample:
        """Return the journeys where `keep` is true and the value is known."""
        rows = keep & ~np.isnan(self.value)
        return Sample(
            value=self.value[rows], customer=self.customer[rows], weight=self.weight[rows]
        )


@attrs.frozen(kw_only=True)
class Comparison:
    """The mean or share of one group minus that of another.

    Attributes
    ----------
    value, low, high
        The difference and its interval; NaN where a group is empty, the ends also where one holds
        a single customer.
    p
        Two-sided p-value of no difference; NaN where there is no interval.
    one, other
        The two means or shares.
    n_one, n_other
        Journeys of each, weights counted.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    one: float = math.nan
    other: float = math.nan
    n_one: int = 0
    n_other: int = 0


@attrs.frozen(kw_only=True)
class _Side:
    """A group: its mean, and each customer's part in the error of it."""

    mean: float
    n: float
    units: float
    customer: NDArray[np.int64]  # ascending
    weight: NDArray[np.float64]
    residual: NDArray[np.float64]
    variance: float

    @classmethod
    def of(cls, sample: Sample) -> _Side:
        n = float(sample.weight.sum())
        mean = float(sample.weight @ sample.value) / n if n else math.nan
        # journeys stand customer by customer, so that nothing needs sorting
        change = np.append(True, sample.customer[1:] != sample.customer[:-1])[
            : len(sample.customer)
        ]
        first, place = np.flatnonzero(change), np.cumsum(change) - 1
        customer = sample.customer[first]
        residual = np.bincount(place, (sample.value - mean) / n, minlength=len(customer))
        weight = sample.weight[first]
        units, variance = float(weight.sum()), math.nan
        if units > 1:
            variance = units / (units - 1) * float(np.sum(weight * residual**2))
        return cls(
            mean=mean,
            n=n,
            units=units,
            customer=customer,
            weight=weight,
            residual=residual.astype(np.float64),
            variance=variance,
        )

    @property
    def effective(self) -> float:
        """Independent journeys that say as much about a share; never more than there are."""
        variance = self.variance
        if not 0 < self.mean < 1 or not variance > 0:
            return min(self.units, self.n)  # where all agree, the variance says nothing
        alone = self.mean * (1 - self.mean) / (self.n - 1)  # the same with a customer a journey
        return min(self.n, self.n * alone / variance)

    def covariance(self, other: _Side) -> float:
        """Return the covariance of two means that share customers."""
        j = np.minimum(np.searchsorted(other.customer, self.customer), len(other.customer) - 1)
        i = np.flatnonzero(other.customer[j] == self.customer)
        shared = float(np.sum(self.weight[i] * self.residual[i] * other.residual[j[i]]))
        few = self.units / (self.units - 1) * other.units / (other.units - 1)
        return math.sqrt(few) * shared  # corrected for few customers as the variances are


def compare_shares(one: Sample, other: Sample, *, level: float) -> Comparison:
    """Return the difference of two shares: Newcombe's hybrid on effective samples.

    Customers in both groups bring a correlation, which enters as in Newcombe's method for paired
    samples. The p-value is that of the score test with the pooled share, on the same samples.
    """
    a, b = _Side.of(one), _Side.of(other)
    if not a.n or not b.n:
        return Comparison(n_one=round(a.n), n_other=round(b.n), one=a.mean, other=b.mean)
    na, nb = a.effective, b.effective
    scale = math.sqrt(a.variance * b.variance) if min(a.units, b.units) > 1 else 0.0
    correlation = max(-1.0, min(1.0, a.covariance(b) / scale)) if scale > 0 else 0.0

    def hybrid(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y))

    pa, pb = min(1.0, max(0.0, a.mean)), min(1.0, max(0.0, b.mean))
    la, ua = wilson(pa * na, na, level=level)
    lb, ub = wilson(pb * nb, nb, level=level)
    pooled = (na * pa + nb * pb) / (na + nb)
    unit = math.sqrt(max(0.0, pooled * (1 - pooled)))
    error = hybrid(unit / math.sqrt(na), unit / math.sqrt(nb))
    difference = pa - pb
    return Comparison(
        value=difference,
        low=max(-1.0, difference - hybrid(pa - la, ub - pb)),
        high=min(1.0, difference + hybrid(ua - pa, pb - lb)),
        p=math.erfc(abs(difference) / error / math.sqrt(2)) if error > 0 else 1.0,
        one=pa,
        other=pb,
        n_one=round(a.n),
        n_other=round(b.n),
    )


def compare_means(one: Sample, other: Sample, *, level: float) -> Comparison:
    """Return the difference of two means: Welch's interval, clustered by customer."""
    from scipy.special import stdtr, stdtrit

    a, b = _Side.of(one), _Side.of(other)
    known = Comparison(
        value=a.mean - b.mean,
        one=a.mean,
        other=b.mean,
        n_one=round(a.n),
        n_other=round(b.n),
    )
    if a.units <= 1 or b.units <= 1:
        return known
    va, vb = a.variance, b.variance
    variance = max(0.0, va + vb - 2 * a.covariance(b))
    if variance <= 0:
        return known
    freedom = (va + vb) ** 2 / (va**2 / (a.units - 1) + vb**2 / (b.units - 1))
    error = math.sqrt(variance)
    half = float(stdtrit(freedom, 0.5 + level / 2)) * error
    return attrs.evolve(
        known,
        low=known.value - half,
        high=known.value + half,
        p=2 * float(stdtr(freedom, -abs(known.value) / error)),
    )


def mean_interval(sample: Sample, *, level: float) -> tuple[float, float, float]:
    """Return a mean with the ends of Student's interval, clustered by customer.

    The mean is NaN where there is no value; the ends are so with a single customer too.
    """
    from scipy.special import stdtrit

    side = _Side.of(sample)
    if not side.units > 1:
        return side.mean, math.nan, math.nan
    half = float(stdtrit(side.units - 1, 0.5 + level / 2)) * math.sqrt(side.variance)
    return side.mean, side.mean - half, side.mean + half


def share_interval(sample: Sample, *, level: float) -> tuple[float, float, float]:
    """Return a share with the ends of Wilson's interval, clustered by customer; NaN if empty."""
    side = _Side.of(sample)
    if not side.n:
        return math.nan, math.nan, math.nan
    share = min(1.0, max(0.0, side.mean))
    low, high = wilson(share * side.effective, side.effective, level=level)
    return share, low, high


def adjusted_p(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted for their number (Benjamini and Hochberg 1995); NaN stays NaN."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    descending = known[np.argsort(-p[known], kind="stable")]
    rank = np.arange(len(known), 0, -1)
    adjusted[descending] = np.minimum.accumulate(p[descending] * len(known) / rank).clip(max=1)
    return adjusted


def share_intervals(
    sample: Sample, cell: NDArray[np.int64], n_cells: int, *, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the share in each cell with the ends of its Wilson interval on effective samples.

    Parameters
    ----------
    sample
        Hits as 0 and 1; NaN is left out.
    cell
        Cell of each journey; negative for none.
    n_cells
        Number of cells.
    level
        Confidence level.

    Returns
    -------
    share, low, high
        [fraction]; NaN where a cell is empty.
    """
    used = np.flatnonzero((cell >= 0) & ~np.isnan(sample.value))
    at, hit, weight = cell[used], sample.value[used], sample.weight[used]

    def total(place: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(place, values, minlength=n_cells).astype(np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):
        n = total(at, weight)
        share = total(at, weight * hit) / n
        width = int(sample.customer.max(initial=0)) + 1
        keys, first, place = np.unique(
            at * width + sample.customer[used], return_index=True, return_inverse=True
        )
        residual = np.bincount(place, hit - share[at], minlength=len(keys))
        at_unit, unit_weight = keys // width, weight[first]
        units = total(at_unit, unit_weight)
        variance = units / (units - 1) * total(at_unit, unit_weight * residual**2) / n**2
        # against the variance with a customer a journey, so that it is n where that is so
        effective = n * share * (1 - share) / (n - 1) / variance
    agree = (share <= 0) | (share >= 1) | ~(variance > 0)
    effective = np.where(agree, np.minimum(units, n), np.minimum(effective, n))
    low, high = _wilson(share, effective, level)
    return share, low, high


def _wilson(
    share: NDArray[np.float64], n: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's intervals of many shares; see `cxjourney.metrics.wilson`."""
    z = normal_quantile(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = share + z * z / (2 * n)
        half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        low, high = (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)
    low = np.where(share <= 0, 0.0, np.clip(low, 0, 1))
    high = np.where(share >= 1, 1.0, np.clip(high, 0, 1))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
