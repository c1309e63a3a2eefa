"""Confidence intervals of proportions, rates, means and quantiles.

All take counts and a level and return the two ends. An end that does not exist is NaN: that is so
for an empty sample, and for an end of a quantile that the sample is too small to bound.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.arrays import numbers
from cxjourney._support.validation import (
    check_count,
    check_fraction,
    check_level,
    check_number,
    is_number,
)
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values

_UNKNOWN = (math.nan, math.nan)


def normal_quantile(level: float) -> float:
    """Return the two-sided standard normal quantile of a confidence level."""
    return NormalDist().inv_cdf(0.5 + check_level(level) / 2)


def check_counts(count: float, n: float, suffix: str = "") -> None:
    """Raise where a count of successes does not lie between 0 and the number of trials."""
    if not is_number(n) or not 0 <= n < 1e100:  # the square of a larger one may be no float
        raise InvalidValue.of(f"n{suffix}", "be finite and at least 0", n)
    if not is_number(count) or not 0 <= count <= n:
        raise InvalidValue.of(f"count{suffix}", f"lie between 0 and n{suffix} = {n}", count)


def wilson(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    count, n, level
        Successes and trials, which may be fractional for an effective sample; confidence level, in
        (0, 1).

    Returns
    -------
    tuple of two floats
        Ends of the interval [fraction, 0-1]; NaN for both if `n` is 0.

    Raises
    ------
    InvalidValue
        If `count` lies outside [0, n].

    Notes
    -----
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) with p = count/n (Wilson 1927). Its mean
    coverage is close to nominal, but it dips pointwise for p near 0 or 1 and small n.

    Examples
    --------
    >>> low, high = wilson(7, 50)
    >>> round(low, 6), round(high, 6)
    (0.069508, 0.261862)
    """
    check_counts(count, n)
    z = normal_quantile(level)
    if n == 0:
        return _UNKNOWN
    p = count / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if count == 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if count == n else min(1.0, (centre + half) / scale)
    return low, high


def agresti_coull(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Agresti and Coull's (1998) interval of a proportion, clipped to [0, 1]; NaN if n is 0.

    Wald's interval after adding z²/2 successes and z²/2 failures.
    """
    check_counts(count, n)
    z = normal_quantile(level)
    if n == 0:
        return _UNKNOWN
    trials = n + z * z
    p = (count + z * z / 2) / trials
    half = z * math.sqrt(p * (1 - p) / trials)
    return max(0.0, p - half), min(1.0, p + half)


def clopper_pearson(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson 1934); NaN if n is 0.

    Quantiles of Beta(count, n-count+1) and Beta(count+1, n-count).
    """
    from scipy.special import betaincinv

    check_counts(count, n)
    tail = (1 - check_level(level)) / 2
    if n == 0:
        return _UNKNOWN
    low = 0.0 if count == 0 else float(betaincinv(count, n - count + 1, tail))
    high = 1.0 if count == n else float(betaincinv(count + 1, n - count, 1 - tail))
    return low, high


def jeffreys(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return the equal-tailed credible interval of a proportion under Jeffreys' prior.

    Quantiles of Beta(count+½, n-count+½); the low end is 0 at count 0, the high end 1 at count n
    (Brown, Cai and DasGupta 2001).
    """
    from scipy.special import betaincinv

    check_counts(count, n)
    tail = (1 - check_level(level)) / 2
    if n == 0:
        return _UNKNOWN
    a, b = count + 0.5, n - count + 0.5
    low = 0.0 if count == 0 else float(betaincinv(a, b, tail))
    high = 1.0 if count == n else float(betaincinv(a, b, 1 - tail))
    return low, high


def newcombe(
    count1: float, n1: float, count2: float, n2: float, *, level: float = 0.95
) -> tuple[float, float]:
    """Return Newcombe's interval of a difference of two independent proportions.

    Parameters
    ----------
    count1, n1, count2, n2, level
        Successes and trials of both samples; confidence level, in (0, 1).

    Returns
    -------
    tuple of two floats
        Ends of the interval of p1 - p2 [fraction, -1 to 1]; NaN for both if a sample is empty.

    Raises
    ------
    InvalidValue
        If a count lies outside [0, n].

    Notes
    -----
    The hybrid of the two Wilson intervals, method 10 of Newcombe (1998). Not for paired samples.

    Examples
    --------
    >>> low, high = newcombe(56, 70, 48, 80)
    >>> round(low, 6), round(high, 6)
    (0.052431, 0.333873)
    """
    check_counts(count1, n1, "1")
    check_counts(count2, n2, "2")
    if n1 == 0 or n2 == 0:
        check_level(level)
        return _UNKNOWN
    p1, p2 = count1 / n1, count2 / n2
    l1, u1 = wilson(count1, n1, level=level)
    l2, u2 = wilson(count2, n2, level=level)
    return p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2)


def garwood(count: float, exposure: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a Poisson rate count/exposure; NaN if the exposure is 0.

    χ² quantiles with 2·count and 2·count + 2 degrees of freedom over twice the exposure (Garwood
    1936). Too narrow where events come in clusters: several contacts of one customer.
    """
    from scipy.special import gammaincinv

    if not is_number(count) or not 0 <= count < math.inf:
        raise InvalidValue.of("count", "be finite and at least 0", count)
    if not is_number(exposure) or not 0 <= exposure < math.inf:
        raise InvalidValue.of("exposure", "be finite and at least 0", exposure)
    tail = (1 - check_level(level)) / 2
    if exposure == 0:
        return _UNKNOWN
    low = 0.0 if count == 0 else float(gammaincinv(count, tail))
    return low / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure


def mean_t(mean: float, sd: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Student's interval of a mean; NaN below two values. `n` may be an effective number."""
    from scipy.special import stdtrit

    tail = (1 - check_level(level)) / 2
    check_number(mean, "mean")
    check_number(sd, "sd")
    if check_number(n, "n") <= 1 or math.isnan(mean) or math.isnan(sd):
        return _UNKNOWN
    half = float(stdtrit(n - 1, 1 - tail)) * sd / math.sqrt(n)
    return mean - half, mean + half


def quantile_ranks(n: int, q: float, *, level: float = 0.95) -> tuple[int, int]:
    """Return the ranks, from 1, of the order statistics that bound a quantile; 0 or n + 1 for none.

    The number of values at or below the quantile is Binomial(n, q); each tail holds at most half of
    1 - level, whatever the distribution.
    """
    from scipy.special import bdtr, bdtrik

    check_fraction(q, "q")
    tail = (1 - check_level(level)) / 2
    if check_count(n, "n", 0) < 1 or q in {0.0, 1.0}:
        return 0, n + 1
    # bdtrik inverts the distribution; the steps put right what rounding may have moved
    low = max(0, min(n, math.floor(float(bdtrik(tail, n, q)) + 1)))
    while low > 0 and bdtr(low - 1, n, q) > tail:
        low -= 1
    while low < n and bdtr(low, n, q) <= tail:
        low += 1
    high = max(1, min(n + 1, math.ceil(float(bdtrik(1 - tail, n, q)) + 1)))
    while high <= n and bdtr(high - 1, n, q) < 1 - tail:
        high += 1
    while high > 1 and bdtr(high - 2, n, q) >= 1 - tail:
        high -= 1
    return low, high


def quantile_type_7(values: Values, q: float, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return a quantile (type 7, as NumPy) and the ends of its order-statistic interval, or NaN."""
    array = numbers(values, "values").astype(np.float64)
    low, high = quantile_ranks(len(array), q, level=level)
    if array.size == 0 or np.isnan(array).any():
        return math.nan, math.nan, math.nan
    ordered = np.sort(array)
    return (
        float(np.quantile(ordered, q)),
        float(ordered[low - 1]) if low >= 1 else math.nan,
        float(ordered[high - 1]) if high <= len(ordered) else math.nan,
    )


def wilson_ends(
    share: NDArray[np.float64], n: NDArray[np.float64], *, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of `cxjourney.metrics.wilson` for many shares; NaN where there is no `n`."""
    z = normal_quantile(level)
    p = np.clip(share, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = p + z * z / (2 * n)
        half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        low = np.where(p == 0, 0.0, np.maximum(0.0, (centre - half) / scale))
        high = np.where(p == 1, 1.0, np.minimum(1.0, (centre + half) / scale))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
