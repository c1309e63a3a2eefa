"""Means of scores, with intervals that stay on the scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.buckets import share_interval, t_quantile
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import nothing_varies
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.arrays import NanPolicy, Values, is_undefined, numbers, weights_of
from cxjourney._support.validation import check_level
from cxjourney.metrics._rates import clustered, owners, undefined
from cxjourney.metrics._surveys.nps import worth_note
from cxjourney.metrics._surveys.scale import Scale, check_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Floats

_NO_SPREAD = "All scores are equal: without a scale nothing tells how far the mean may be off."

Bounds = tuple[float, float] | None


def weighted_mean(values: NDArray[Any], weights: Floats, units: Units) -> BucketFigures:
    """Return Σ w y / Σ w with what it is without each customer."""
    place = np.zeros(len(values), dtype=np.int64)
    return ratio_figures(values * weights, weights, group=place, n_groups=1, units=units)


def mean_of_scores(mean: Estimate, spread: float, size: float, bounds: Bounds) -> Estimate:
    """Return a mean of `size` scores with its interval, from their mean squared deviation."""
    variance = spread / (size - 1) if size > 1 else math.nan
    low, high, method = interval_of_mean(
        mean.value, variance, size, size - 1, bounds=bounds, level=mean.level
    )
    notes = mean.notes if mean.denominator else ("empty", *mean.notes)
    if variance == 0 and math.isnan(low):
        notes = (*notes, _NO_SPREAD)
    return attrs.evolve(mean, low=low, high=high, method=method, notes=notes)


def clustered_mean(mean: Estimate, figures: BucketFigures, bounds: Bounds) -> Estimate:
    """Return a mean of scores with the interval that leaving out each customer gives."""
    variance, freedom = float(figures.variance.item()), float(figures.freedom.item())
    low, high, method = interval_of_mean(
        mean.value, variance, freedom + 1, freedom, bounds=bounds, level=mean.level
    )
    flat = nothing_varies(variance, mean.value) and math.isnan(low)
    notes = tuple(note for note in mean.notes if note != _NO_SPREAD)
    mean = attrs.evolve(mean, notes=(*notes, _NO_SPREAD) if flat else notes)
    return clustered(mean, figures, low, high, method)


def interval_of_mean(
    mean: float,
    variance: float,
    size: float,
    freedom: float,
    *,
    bounds: Bounds,
    level: float,
) -> tuple[float, float, str]:
    """Return both ends of the interval of a mean of scores, and its method.

    On a scale (`bounds`) the mean is a share of the way from its low to its high end, with Wilson's
    interval on as many trials as its variance is worth (`size`, where nothing varies): it stays on
    the scale. Without a scale it is Student's, and there is none where nothing varies.
    """
    known = [np.array(x, dtype=np.float64) for x in (mean, variance, size, freedom)]
    quantile = t_quantile(level, known[3])
    if bounds is None:
        half = float(quantile) * math.sqrt(variance)
        half = half if not nothing_varies(variance, mean) else math.nan
        return mean - half, mean + half, "Student's t"
    bottom, width = bounds[0], bounds[1] - bounds[0]
    ends = share_interval((known[0] - bottom) / width, known[1] / width**2, known[2], quantile)
    low, high = (bottom + width * float(end) for end in ends)
    return low, high, "Wilson on the scale, Student's quantile"


def mean_score(
    scores: Values,
    *,
    scale: Scale | None = None,
    weights: Values | None = None,
    customer: Values | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return the mean of scores with its interval.

    Parameters
    ----------
    scores, scale
        Numbers, and the scale that was answered on, which may be continuous; None: not known.
    weights
        One weight a respondent, at least 0; the interval then rests on Kish's effective number.
    customer
        Whose answer it is; with it the interval allows for several answers of one customer.
    level, nan_policy
        Confidence level, in (0, 1); missing scores: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The mean [scale points]; no interval for a single score, nor where no score differs and
        the scale is not given.

    Raises
    ------
    OutOfScale
        If an answer is off the scale; carries the positions.

    Notes
    -----
    An average of averages is not the average: average the respondents. With `scale` the interval
    is Wilson's on the scale, on as many trials as the variance is worth (a mean of 10 answers,
    most of them the best: .97 instead of .89 covered). Without it the interval is Student's.

    Examples
    --------
    >>> mean_score([5, 4, 3, 4, 1, 5, 2, 4])
    3.5 scale points [2.32, 4.68] (95% Student's t, n=8)
    """
    check_level(level)
    array = numbers(scores, "scores").astype(np.float64)
    if scale is not None:
        check_scale(scale).check(array)
    parameters = {"scale": None if scale is None else str(scale)}
    missing = np.isnan(array)
    n_missing = int(missing.sum())
    card: dict[str, Any] = {
        "name": "mean_score",
        "definition": "sum of scores / number of scores",
        "parameters": parameters,
    }
    if is_undefined(missing, nan_policy, "scores"):
        return undefined(**card, n_missing=n_missing, unit="scale points", level=level)
    w = weights_of(weights, len(array))[~missing]
    present = array[~missing]
    total = float(w.sum())
    value = float(w @ present) / total if total else math.nan
    size = total**2 / float(w @ w) if total else 0.0
    bounds = None if scale is None else (scale.low, scale.high)
    mean = mean_of_scores(
        Estimate(
            value=value,
            level=level,
            n=len(present),
            n_missing=n_missing,
            unit="scale points",
            notes=() if weights is None else (worth_note(size),),
            numerator=float(w @ present),
            denominator=total,
            **card,
        ),
        float(w @ (present - value) ** 2) / total if total else math.nan,
        size,
        bounds,
    )
    if customer is None:
        return mean
    return clustered_mean(mean, weighted_mean(present, w, owners(customer, ~missing)), bounds)
