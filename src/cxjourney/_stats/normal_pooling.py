"""Many effects at once: their spread beyond chance, and shrunken values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class Spread:
    """How much `n` effects differ beyond what their errors explain.

    `mean` is that of the random-effects model, `tau` the standard deviation of the true effects,
    `i2` the share of the observed variation that is not error, and `q` Cochran's Q.
    """

    mean: float
    tau: float
    i2: float
    q: float
    n: int


def spread_of(values: NDArray[np.float64], variances: NDArray[np.float64]) -> Spread:
    """Return the spread of effects by DerSimonian and Laird (1986).

    τ² = max(0, (Q - (K-1)) / C), C = Σw - Σw²/Σw, w = 1/variance; effects without a value or with
    variance 0 or none take no part. NaN with fewer than two.
    """
    known = np.isfinite(values) & np.isfinite(variances) & (variances > 0)
    y, v = values[known], variances[known]
    if len(y) < 2:
        mean = float(y[0]) if len(y) else math.nan
        return Spread(mean=mean, tau=math.nan, i2=math.nan, q=math.nan, n=len(y))
    w = 1 / v
    centre = float(w @ y) / float(w.sum())
    q = float(w @ (y - centre) ** 2)
    free = len(y) - 1
    tau2 = max(0.0, (q - free) / float(w.sum() - (w @ w) / w.sum()))
    star = 1 / (v + tau2)
    return Spread(
        mean=float(star @ y) / float(star.sum()),
        tau=math.sqrt(tau2),
        i2=max(0.0, (q - free) / q) if q > 0 else 0.0,
        q=q,
        n=len(y),
    )


def tau_interval(
    values: NDArray[np.float64], variances: NDArray[np.float64], *, level: float
) -> tuple[float, float]:
    """Return the interval of τ by the Q-profile method (Viechtbauer 2007).

    The ends solve Q(τ²) = χ² quantiles with K - 1 degrees of freedom; 0 where Q(0) is below them.
    """
    from scipy.special import chdtri

    q, n = _profile(values, variances)
    if n < 2:
        return math.nan, math.nan
    tail = (1 - level) / 2
    ends = (float(chdtri(n - 1, p)) for p in (tail, 1 - tail))
    low, high = (math.sqrt(decreasing_root(q, end)) for end in ends)
    return low, high


def tau_of(values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Return τ by Paule and Mandel (1982), where Q(τ²) = K - 1: it lies within `tau_interval`."""
    q, n = _profile(values, variances)
    return math.sqrt(decreasing_root(q, n - 1)) if n > 1 else math.nan


def _profile(
    values: NDArray[np.float64], variances: NDArray[np.float64]
) -> tuple[Callable[[float], float], int]:
    """Return Q as a function of τ², and the number of effects that take part."""
    known = np.isfinite(values) & np.isfinite(variances) & (variances > 0)
    y, v = values[known], variances[known]

    def q(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(w @ (y - (w @ y) / w.sum()) ** 2)

    return q, len(y)


def decreasing_root(function: Callable[[float], float], value: float) -> float:
    """Return the argument, at least 0, at which a decreasing function has a value; 0 if below."""
    if function(0.0) <= value:
        return 0.0
    high = 1.0
    while function(high) > value and high < 1e12:
        high *= 2
    low = 0.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > value else (low, middle)
    return (low + high) / 2


def shrunken_effects(
    values: NDArray[np.float64], variances: NDArray[np.float64], spread: Spread
) -> NDArray[np.float64]:
    """Return effects drawn toward their mean, each by as much as its own error deserves.

    mean + B (value - mean) with B = τ² / (τ² + variance): the normal-normal empirical Bayes value.
    For ranking only; an interval around it would miss just the outliers. A single effect has no
    others to be drawn to; one whose variance is not known is the mean.
    """
    if math.isnan(spread.tau):
        return values.copy()
    tau2 = spread.tau**2
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(variances > 0, tau2 / (tau2 + variances), 1.0)
    own[np.isnan(variances)] = 0.0
    return spread.mean + own * (values - spread.mean)


def smoothed_variance(
    shares: NDArray[np.float64], trials: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the variances of shares with one hit and one miss added, so that none is 0."""
    p = (shares * trials + 1) / (trials + 2)
    variances: NDArray[np.float64] = p * (1 - p) / trials
    return variances
