"""Ranks of figures that their buckets leave open."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import t_quantile

if TYPE_CHECKING:
    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._support.array_types import Floats


def rank_ranges(
    figures: BucketFigures, *, level: float, together: bool = False
) -> tuple[Floats, Floats]:
    """Return the best and the worst rank that the buckets leave open, 1 for the highest figure.

    A rank counts the figures whose difference from this one has an interval on one side of 0:
    Student's, with the smaller degrees of freedom of the two. A figure that is NaN has no rank; one
    without a variance has every rank. `together`: the level is that of all differences at once, so
    that it holds for figures picked after looking (Mogstad, Romano, Shaikh and Wilhelm 2024), with
    Tukey's quantile, which errs on the wide side where variances differ.
    """
    value = figures.whole
    known = np.flatnonzero(~np.isnan(value))
    low, high = np.full(len(value), np.nan), np.full(len(value), np.nan)
    spread = _deviations(figures)[:, known]
    own = figures.variance[known]
    quantile = t_quantile(level, figures.freedom[known])
    if together and len(known) > 1:
        free = float(np.nanmin(figures.freedom[known], initial=1e6))
        quantile = np.full(len(known), _quantile_of_range(level, len(known), int(free)))
    for place, figure in enumerate(known.tolist()):
        shared = spread.T @ spread[:, place]
        variance = np.maximum(own + own[place] - 2 * shared, 0.0)
        gap = value[known] - value[figure]
        # fewer degrees of freedom have the larger quantile
        bound = np.fmax(quantile, quantile[place]) * np.sqrt(variance)
        low[figure] = 1 + np.count_nonzero(gap > bound)
        high[figure] = len(known) - np.count_nonzero(gap < -bound)
    return low, high


@lru_cache(maxsize=256)
def _quantile_of_range(level: float, n: int, freedom: int) -> float:
    """Return Tukey's quantile of the largest of all differences of n, in standard errors."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(level, n, freedom)) / math.sqrt(2)


def _deviations(figures: BucketFigures) -> Floats:
    """Return the deviation of each bucket, so that the sum of squares is the variance."""
    deviation = np.where(figures.present, figures.without - figures.whole, 0.0)
    n = np.maximum(figures.present.sum(axis=0), 1)
    scaled: Floats = np.nan_to_num(deviation) * np.sqrt((n - 1) / n)
    return scaled
