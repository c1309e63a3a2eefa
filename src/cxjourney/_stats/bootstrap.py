"""Bootstrap intervals: respondents resampled, or whole customers where one answers several times.

Resample what is independent: never the interactions of a customer one by one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney._stats.intervals import normal_quantile
from cxjourney._support.arrays import Values, codes, is_undefined, numbers, same_length
from cxjourney._support.validation import check_choice, check_count, check_level, check_rng
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = ["bootstrap", "bootstrap_mean", "resampled_ratio"]

BootstrapMethod = Literal["percentile", "basic", "bca"]

_METHODS = ("percentile", "basic", "bca")
_BATCH = 1 << 22
_FEWEST = 10


def _batches(units: int, n_resamples: int) -> Iterator[int]:
    size = max(1, _BATCH // max(1, units))
    for start in range(0, n_resamples, size):
        yield min(size, n_resamples - start)


def resampled_ratio(
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return bootstrap replicates of a ratio of sums, its units resampled with replacement.

    A unit is a respondent, or a customer whose answers have been summed. Replicates whose
    denominator is 0 are NaN.
    """
    out = []
    for size in _batches(len(numerator), n_resamples):
        rows = rng.integers(0, len(numerator), size=(size, len(numerator)))
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append(numerator[rows].sum(axis=1) / denominator[rows].sum(axis=1))
    return np.concatenate(out)


def bootstrap(
    values: Values,
    statistic: Callable[[NDArray[np.float64]], float],
    *,
    customer: Values | None = None,
    method: BootstrapMethod = "bca",
    n_resamples: int = 9_999,
    level: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> tuple[float, float]:
    """Return the bootstrap interval of any statistic of values.

    Parameters
    ----------
    values
        Numbers, none missing.
    statistic
        Takes an array of values, returns a number.
    customer
        Whose value it is: then whole customers are resampled.
    method
        "bca" (bias-corrected and accelerated), "percentile" or "basic".
    n_resamples
        Number of bootstrap samples.
    level
        Confidence level, in (0, 1).
    rng
        Generator or seed; the same one gives the same interval.

    Returns
    -------
    tuple of two floats
        Ends of the interval [unit of the statistic]. NaN for both with fewer than 10 units: too few
        to resample. Both equal the statistic where all values are equal.

    Raises
    ------
    InvalidData
        If a value is missing or infinite.
    InvalidValue
        If lengths differ, an option is unknown or `statistic` no function.

    Notes
    -----
    Efron and Tibshirani (1993). The acceleration is a jackknife over the units. Not for quantiles,
    whose bootstrap distribution is coarse (use `quantile_ranks`), nor for maxima.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = bootstrap(np.arange(50), np.mean, rng=1)
    >>> 20 < low < 24.5 < high < 29
    True
    """
    check_choice(method, "method", _METHODS)
    generator = check_rng(rng)
    tail = (1 - check_level(level)) / 2
    check_count(n_resamples, "n_resamples")
    if not callable(statistic):
        raise InvalidValue.of("statistic", "be a function of an array", statistic)
    array = numbers(values, "values").astype(np.float64)
    is_undefined(np.isnan(array), "raise", "values")
    groups = _groups(array, customer)
    if len(groups) < _FEWEST:
        return math.nan, math.nan
    estimate = float(statistic(array))
    if array.min() == array.max():
        return estimate, estimate
    replicates = np.array(
        [
            statistic(_drawn(array, groups, generator, equal=customer is None))
            for _ in range(n_resamples)
        ]
    )
    if method == "basic":
        low, high = np.quantile(replicates, [tail, 1 - tail])
        return float(2 * estimate - high), float(2 * estimate - low)
    ends = [tail, 1 - tail]
    if method == "bca":
        jackknife = np.array(
            [statistic(np.delete(array, g)) for g in groups]  # leave one unit out
        )
        ends = _bca_ends(estimate, replicates, jackknife, level)
    low, high = np.quantile(replicates, ends)
    return float(low), float(high)


def _groups(array: NDArray[np.float64], customer: Values | None) -> list[NDArray[np.intp]]:
    if customer is None:
        return list(np.arange(len(array)).reshape(-1, 1))
    owner, n, missing = codes(customer, "customer")
    same_length(values=array, customer=owner)
    is_undefined(missing, "raise", "customer")
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.cumsum(np.bincount(owner, minlength=n))[:-1])


def _drawn(
    array: NDArray[np.float64],
    groups: list[NDArray[np.intp]],
    rng: np.random.Generator,
    *,
    equal: bool,
) -> NDArray[np.float64]:
    rows = rng.integers(0, len(groups), size=len(groups))
    if not equal:
        rows = np.concatenate([groups[i] for i in rows])
    drawn: NDArray[np.float64] = array[rows]
    return drawn


def _bca_ends(
    estimate: float,
    replicates: NDArray[np.float64],
    jackknife: NDArray[np.float64],
    level: float,
) -> list[float]:
    from scipy.special import ndtr, ndtri

    below = np.mean(replicates < estimate) + np.mean(replicates == estimate) / 2
    deviation = jackknife.mean() - jackknife
    spread = float(np.sum(deviation**2))
    acceleration = float(np.sum(deviation**3)) / (6 * spread**1.5) if spread > 0 else 0.0
    bias = float(ndtri(np.clip(below, 1 / (2 * len(replicates)), 1 - 1 / (2 * len(replicates)))))
    z = normal_quantile(level)
    return [float(ndtr(bias + (bias + x) / (1 - acceleration * (bias + x)))) for x in (-z, z)]


def bootstrap_mean(
    values: Values,
    *,
    weights: Values | None = None,
    customer: Values | None = None,
    n_resamples: int = 9_999,
    level: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean, weighted or clustered by customer.

    Parameters
    ----------
    values
        Numbers, none missing.
    weights
        One weight a value, at least 0.
    customer
        Whose value it is: then whole customers are resampled.
    n_resamples
        Number of bootstrap samples.
    level
        Confidence level, in (0, 1).
    rng
        Generator or seed; the same one gives the same interval.

    Returns
    -------
    tuple of two floats
        Ends of the interval [unit of the values]; NaN for both with fewer than 10 units.

    Raises
    ------
    InvalidData
        If a value or a weight is missing, infinite or (the weight) negative.
    InvalidValue
        If `n_resamples` is not a whole number from 1.

    Notes
    -----
    The mean is a ratio of sums over the resampled units, so that no statistic is called in a loop:
    far faster than `bootstrap`, and what it does for customers with many answers each.

    Examples
    --------
    >>> low, high = bootstrap_mean(range(50), rng=1)
    >>> 20 < low < 24.5 < high < 29
    True
    """
    from cxjourney._support.arrays import weights_of

    generator = check_rng(rng)
    check_count(n_resamples, "n_resamples")
    tail = (1 - check_level(level)) / 2
    array = numbers(values, "values").astype(np.float64)
    is_undefined(np.isnan(array), "raise", "values")
    w = weights_of(weights, len(array))
    top: NDArray[np.float64] = w * array
    bottom = w
    if customer is not None:
        owner, n, missing = codes(customer, "customer")
        same_length(values=array, customer=owner)
        is_undefined(missing, "raise", "customer")
        top = np.bincount(owner, weights=top, minlength=n).astype(np.float64)
        bottom = np.bincount(owner, weights=bottom, minlength=n).astype(np.float64)
    if len(top) < _FEWEST:
        return math.nan, math.nan
    replicates = resampled_ratio(top, bottom, n_resamples=n_resamples, rng=generator)
    low, high = np.nanquantile(replicates, [tail, 1 - tail])
    return float(low), float(high)
