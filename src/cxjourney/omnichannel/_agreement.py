"""Variance explained, agreement and association: small statistics with intervals by inversion."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.normal_pooling import decreasing_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class Anova:
    """One-way analysis of variance.

    Attributes
    ----------
    n, groups
        Number of values and of groups.
    between, within
        Mean squares between and within groups; NaN without degrees of freedom.
    total
        Sum of squares about the grand mean.
    typical
        n₀: the size of group that the groups are worth.
    """

    n: int
    groups: int
    between: float
    within: float
    total: float
    typical: float

    @property
    def f(self) -> float:
        """Mean square between over within; infinite where groups do not vary within."""
        if self.within > 0:
            return self.between / self.within
        return math.inf if self.between > 0 else math.nan

    @property
    def eta2(self) -> float:
        """Share of the sum of squares that lies between groups; biased upward."""
        return (self.groups - 1) * self.between / self.total if self.total > 0 else math.nan

    @property
    def omega2(self) -> float:
        """ω²: the share of the variance that lies between groups, corrected for chance."""
        if not self.total + self.within > 0:
            return math.nan
        return (self.groups - 1) * (self.between - self.within) / (self.total + self.within)

    @property
    def icc(self) -> float:
        """ICC(1): agreement of the values of a group; negative if less than by chance."""
        scale = self.between + (self.typical - 1) * self.within
        return (self.between - self.within) / scale if scale > 0 else math.nan


def anova(values: NDArray[np.float64], group: NDArray[np.int64]) -> Anova:
    """Return the analysis of variance of values in groups."""
    _, place, size = np.unique(group, return_inverse=True, return_counts=True)
    n, k = len(values), len(size)
    if k < 2 or n <= k:
        nothing = math.nan
        return Anova(n=n, groups=k, between=nothing, within=nothing, total=nothing, typical=nothing)
    means = np.bincount(place, values) / size
    inner = float(np.sum((values - means[place]) ** 2))
    outer = float(size @ (means - values.mean()) ** 2)
    return Anova(
        n=n,
        groups=k,
        between=outer / (k - 1),
        within=inner / (n - k),
        total=inner + outer,
        typical=float(n - size @ size / n) / (k - 1),
    )


def omega_interval(table: Anova, *, design: float, level: float) -> tuple[float, float]:
    """Return the interval of ω² by inverting the noncentral F distribution (Steiger 2004).

    The statistic and the number of values are divided by the design effect of the clusters.
    """
    from scipy.special import ncfdtr

    if not math.isfinite(table.f):
        return math.nan, math.nan
    n = table.n / design
    free = (table.groups - 1, max(1.0, n - table.groups))
    f = table.f / design
    low, high = _inverted(lambda nc: float(ncfdtr(*free, nc, f)), level)
    return low / (low + n), high / (high + n)


def icc_interval(table: Anova, *, level: float) -> tuple[float, float]:
    """Return the interval of ICC(1) from quantiles of F (Shrout and Fleiss 1979), cut at 0."""
    from scipy.special import fdtri

    if not math.isfinite(table.f):
        return math.nan, math.nan
    free = (table.groups - 1, table.n - table.groups)
    tail = (1 - level) / 2
    ends = []
    for p in (1 - tail, tail):
        ratio = table.f / float(fdtri(*free, p))
        ends.append(max(0.0, (ratio - 1) / (ratio + table.typical - 1)))
    return ends[0], ends[1]


def bergsma(counts: NDArray[np.float64]) -> float:
    """Return Cramér's V with Bergsma's (2013) correction; NaN without two rows and columns."""
    table = _used(counts)
    if min(table.shape) < 2 or table.sum() < 2:
        return math.nan
    n = float(table.sum())
    rows, columns = table.shape
    phi2 = max(0.0, _chi2(table) / n - (rows - 1) * (columns - 1) / (n - 1))
    r = rows - (rows - 1) ** 2 / (n - 1)
    c = columns - (columns - 1) ** 2 / (n - 1)
    room = min(r - 1, c - 1)
    return math.sqrt(phi2 / room) if room > 1e-12 else math.nan  # two values leave no room


def v_interval(counts: NDArray[np.float64], *, design: float, level: float) -> tuple[float, float]:
    """Return the interval of Cramér's V by inverting the noncentral χ² distribution.

    χ² and n are divided by the design effect of the clusters (Rao and Scott 1981).
    """
    from scipy.special import chndtr

    table = _used(counts)
    if min(table.shape) < 2:
        return math.nan, math.nan
    rows, columns = table.shape
    chi2, n = _chi2(table) / design, float(table.sum()) / design
    low, high = _inverted(lambda nc: float(chndtr(chi2, (rows - 1) * (columns - 1), nc)), level)
    scale = n * min(rows - 1, columns - 1)
    return min(1.0, math.sqrt(low / scale)), min(1.0, math.sqrt(high / scale))


def _inverted(cdf: Callable[[float], float], level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    return decreasing_root(cdf, 1 - tail), decreasing_root(cdf, tail)


def _used(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    used: NDArray[np.float64] = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    return used


def _chi2(table: NDArray[np.float64]) -> float:
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(np.sum((table - expected) ** 2 / expected))
