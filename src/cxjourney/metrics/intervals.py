"""Confidence intervals that the metrics stand on, public for others to use."""

from __future__ import annotations

import math
from statistics import NormalDist

from cxjourney._support.validation import check_level

__all__ = ["normal_quantile", "wilson"]


def normal_quantile(level: float) -> float:
    """Return the two-sided standard normal quantile of a confidence level.

    Examples
    --------
    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    return NormalDist().inv_cdf(0.5 + check_level(level) / 2)


def wilson(count: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    count
        Number of successes; may be fractional for an effective sample.
    n
        Number of trials, at least `count`.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of two floats
        Ends of the interval [fraction, 0-1]; NaN for both if `n` is 0.

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
    if n <= 0:
        return math.nan, math.nan
    z = normal_quantile(level)
    p = count / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if count <= 0 else max(0.0, (centre - half) / scale)
    high = 1.0 if count >= n else min(1.0, (centre + half) / scale)
    return low, high
