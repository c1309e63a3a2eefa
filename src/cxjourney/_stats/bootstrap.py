"""Bootstrap intervals, over values or over whole customers.

Resample what is independent: never the interactions of a customer one by one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney._stats.intervals import normal_quantile
from cxjourney._support.arrays import (
    Values,
    codes,
    is_undefined,
    numbers,
    same_length,
    weights_of,
)
from cxjourney._support.validation import (
    MOST_DRAWS,
    check_choice,
    check_count,
    check_level,
    check_rng,
)
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats

BootstrapMethod = Literal["percentile", "basic", "bca"]

_METHODS = ("percentile", "basic", "bca")
_BATCH = 1 << 22
_FEWEST = 10


def _batches(units: int, n_resamples: int) -> Iterator[int]:
    size = max(1, _BATCH // max(1, units))
    for start in range(0, n_resamples, size):
        yield min(size, n_resamples - start)


def resampled_ratio(
    numerator: Floats,
    denominator: Floats,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Return bootstrap values of a ratio of sums over units; NaN where the denominator is 0."""
    out = []
    for size in _batches(len(numerator), n_resamples):
        rows = rng.integers(0, len(numerator), size=(size, len(numerator)))
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append(numerator[rows].sum(axis=1) / denominator[rows].sum(axis=1))
    return np.concatenate(out)


def bootstrap(
    values: Values,
    statistic: Callable[[Floats], float] | None = None,
    *,
    weights: Values | None = None,
    customer: Values | None = None,
    method: BootstrapMethod = "bca",
    n_resamples: int = 9_999,
    level: float = 0.95,
    rng: np.random.Generator | int | None = 0,
) -> tuple[float, float]:
    """Return the bootstrap interval of a mean or of any other statistic of values.

    Parameters
    ----------
    values
        Numbers, none missing.
    statistic
        Takes an array of values, returns a number. None is their mean, which is resampled without
        a loop and far faster than `np.mean` is.
    weights
        One weight a value, at least 0, for a weighted mean; not with a statistic of your own.
    customer
        Whose value it is: then whole customers are resampled.
    method
        "bca" (bias-corrected and accelerated), "percentile" or "basic".
    n_resamples, rng
        Number of bootstrap samples; A generator or seed; None draws anew each time.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of two floats
        Ends of the interval [unit of the statistic]. NaN for both with fewer than 10 units: too few
        to resample. Both equal the statistic where all values are equal.

    Raises
    ------
    InvalidData
        If a value or a weight is missing, infinite or (the weight) negative.
    InvalidValue
        If lengths differ, an option is unknown, `statistic` is no function, or weights are given
        with a statistic.

    Notes
    -----
    Efron and Tibshirani (1993). The acceleration is a jackknife over the units. Not for quantiles,
    whose bootstrap distribution is coarse, nor for maxima.

    Examples
    --------
    >>> low, high = bootstrap(range(50), rng=1)
    >>> 20 < low < 24.5 < high < 29
    True
    """
    check_choice(method, "method", _METHODS)
    generator = check_rng(rng)
    check_level(level)
    check_count(n_resamples, "n_resamples", most=MOST_DRAWS)
    if statistic is not None and not callable(statistic):
        raise InvalidValue.of("statistic", "be a function of an array", statistic)
    if statistic is not None and weights is not None:
        raise InvalidValue.of("weights", "be left out where a statistic is given", weights)
    array = numbers(values, "values").astype(np.float64)
    is_undefined(np.isnan(array), "raise", "values")
    w = weights_of(weights, len(array))
    groups = _groups(array, customer)
    if len(groups) < _FEWEST:
        return math.nan, math.nan
    if array.min() == array.max():
        only = float(array[0] if statistic is None else statistic(array))
        return only, only
    if statistic is None:
        estimate, replicates, jackknife = _mean_replicates(
            array, w, groups, n_resamples=n_resamples, rng=generator
        )
    else:
        estimate = float(statistic(array))
        drawn = (_drawn(array, groups, generator) for _ in range(n_resamples))
        replicates = np.array([statistic(sample) for sample in drawn])
        if method == "bca":  # leave one unit out
            jackknife = np.array([statistic(np.delete(array, group)) for group in groups])
    tail = (1 - level) / 2
    ends = [tail, 1 - tail]
    if method == "bca":
        ends = _bca_ends(estimate, replicates, jackknife, level)
    low, high = np.nanquantile(replicates, ends)
    if method == "basic":
        return float(2 * estimate - high), float(2 * estimate - low)
    return float(low), float(high)


def _mean_replicates(
    array: Floats,
    w: Floats,
    groups: list[NDArray[np.intp]],
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[float, Floats, Floats]:
    """Return a weighted mean, its replicates, and the means without each unit."""
    order = np.concatenate(groups)
    starts = np.cumsum([0, *map(len, groups[:-1])])
    top = np.add.reduceat((w * array)[order], starts)
    bottom = np.add.reduceat(w[order], starts)
    replicates = resampled_ratio(top, bottom, n_resamples=n_resamples, rng=rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = float(top.sum() / bottom.sum())
        without = (top.sum() - top) / (bottom.sum() - bottom)
    return estimate, replicates, without[~np.isnan(without)]


def _groups(array: Floats, customer: Values | None) -> list[NDArray[np.intp]]:
    if customer is None:
        return list(np.arange(len(array)).reshape(-1, 1))
    owner, n, missing = codes(customer, "customer")
    same_length(values=array, customer=owner)
    is_undefined(missing, "raise", "customer")
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.cumsum(np.bincount(owner, minlength=n))[:-1])


def _drawn(array: Floats, groups: list[NDArray[np.intp]], rng: np.random.Generator) -> Floats:
    picked = rng.integers(0, len(groups), size=len(groups))
    drawn: Floats = array[np.concatenate([groups[i] for i in picked])]
    return drawn


def _bca_ends(
    estimate: float,
    replicates: Floats,
    jackknife: Floats,
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
