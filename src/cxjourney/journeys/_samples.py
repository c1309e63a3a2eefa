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

from cxjourney._stats.clustered import GroupedRatios, effective_sample, grouped_ratios
from cxjourney._stats.intervals import wilson, wilson_ends
from cxjourney._stats.significance import two_sided_p

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys

__all__ = [
    "Comparison",
    "Sample",
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
    variance: float
    effective: float  # independent journeys that say as much about a share
    customer: NDArray[np.int64]  # ascending
    weight: NDArray[np.float64]
    residual: NDArray[np.float64]

    @classmethod
    def of(cls, sample: Sample) -> _Side:
        found = _alone(sample)
        mean, n = float(found.value[0]), float(found.base[0])
        customer, first, place = np.unique(sample.customer, return_index=True, return_inverse=True)
        residual = np.bincount(place, (sample.value - mean) / n, minlength=len(customer))
        return cls(
            mean=mean,
            n=n,
            units=float(found.customers[0]),
            variance=float(found.variance[0]),
            effective=float(_effective(found)[0]),
            customer=customer,
            weight=sample.weight[first],
            residual=residual.astype(np.float64),
        )

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
        p=two_sided_p(difference / error) if error > 0 else 1.0,
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
    found = _alone(sample)
    low, high = found.student(level)
    return float(found.value[0]), float(low[0]), float(high[0])


def share_interval(sample: Sample, *, level: float) -> tuple[float, float, float]:
    """Return a share with the ends of Wilson's interval, clustered by customer; NaN if empty."""
    whole = np.zeros(len(sample.value), dtype=np.int64)
    share, low, high = share_intervals(sample, whole, 1, level=level)
    return float(share[0]), float(low[0]), float(high[0])


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
    found = _means(
        Sample(
            value=sample.value[used], customer=sample.customer[used], weight=sample.weight[used]
        ),
        cell[used],
        n_cells,
    )
    low, high = wilson_ends(found.value, _effective(found), level=level)
    return found.value, low, high


def _means(sample: Sample, cell: NDArray[np.int64], n_cells: int) -> GroupedRatios:
    return grouped_ratios(
        sample.value,
        np.ones(len(sample.value)),
        group=cell,
        n_groups=n_cells,
        customer=sample.customer,
        weight=sample.weight,
    )


def _alone(sample: Sample) -> GroupedRatios:
    return _means(sample, np.zeros(len(sample.value), dtype=np.int64), 1)


def _effective(found: GroupedRatios) -> NDArray[np.float64]:
    """Return the effective samples of shares: all journeys where each has a customer of its own."""
    n = found.base
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = found.variance * (n - 1) / n
    return effective_sample(found.value, variance, n, found.customers)
