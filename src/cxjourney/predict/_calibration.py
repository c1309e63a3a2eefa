"""Calibration: whether what is foretold in a share p of cases comes true in a share p of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures
from cxjourney._stats.ratios import ratio_of_sums
from cxjourney.predict._contexts import summed
from cxjourney.predict._outcomes import logit

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats, Ints

_BINS = 200
_STEPS = 30


def calibration_of(p: Floats, y: Floats, weight: Floats) -> dict[str, float | None]:
    """Return mean of p, mean of y and the slope of the log-odds of y on those of p."""
    total = float(weight.sum())
    if not total:
        return {"predicted": None, "observed": None, "slope": None}
    slope = slope_figures(p, y, weight, np.zeros(len(p), dtype=np.int64)).whole
    return {
        "predicted": float(weight @ p) / total,
        "observed": float(weight @ y) / total,
        "slope": None if np.isnan(slope) else float(slope),
    }


def slope_figures(p: Floats, y: Floats, weight: Floats, bucket: Ints) -> BucketFigures:
    """Return the calibration slope, and the same without each bucket; NaN where all p are equal.

    The logistic regression is made on classes of p, so that no bucket costs a pass over all.
    """
    edges = np.unique(np.quantile(p, np.arange(1, _BINS) / _BINS)) if len(p) else np.zeros(0)
    place = np.searchsorted(edges, p, side="right")
    size = len(edges) + 1
    n, k, x = (
        summed(bucket * size + place, one, N_BUCKETS * size).reshape(N_BUCKETS, size)
        for one in (weight, weight * y, weight * logit(p))
    )
    whole = [one.sum(axis=0, keepdims=True) for one in (n, k, x)]
    without = _slopes(*(every - one for every, one in zip(whole, (n, k, x), strict=True)))
    units = n.sum(axis=1)
    return BucketFigures(whole=_slopes(*whole)[0], without=without, units=units)


def _slopes(n: Floats, k: Floats, x: Floats) -> Floats:
    """Return the slope of each row of classes with n cases, k successes and sums x of log-odds."""
    n = np.maximum(n, 0.0)
    known = n > 1e-9
    safe = np.where(known, n, 1.0)
    at = np.where(known, x / safe, 0.0)
    share = np.clip(np.where(known, k / safe, 0.0), 0.0, 1.0)
    a, b = np.zeros(len(n)), np.ones(len(n))
    for _ in range(_STEPS):
        mean = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * at, -30, 30)))
        w = n * mean * (1 - mean)
        gap = n * (share - mean)
        s0, s1, s2 = w.sum(axis=1), (w * at).sum(axis=1), (w * at * at).sum(axis=1)
        g0, g1 = gap.sum(axis=1), (gap * at).sum(axis=1)
        det = s0 * s2 - s1 * s1
        fine = det > 1e-9 * np.maximum(s0 * s2, 1e-12)
        safe_det = np.where(fine, det, 1.0)
        step_a = np.where(fine, (s2 * g0 - s1 * g1) / safe_det, np.nan)
        step_b = np.where(fine, (s0 * g1 - s1 * g0) / safe_det, np.nan)
        a, b = a + np.clip(step_a, -4, 4), b + np.clip(step_b, -2, 2)
        if not np.any(np.abs(step_b) > 1e-9):
            break
    return b


def curve_of(
    p: Floats, y: Floats, weight: Floats, bucket: Ints, *, bins: int, level: float
) -> dict[str, Floats | Ints]:
    """Return classes of p of about equal numbers: mean of p, share of y with its band, number."""
    edges = np.unique(np.quantile(p, np.arange(1, bins) / bins)) if len(p) else np.zeros(0)
    place = np.searchsorted(edges, p, side="right")
    size = len(edges) + 1
    n, k, x = (
        summed(bucket * size + place, one, N_BUCKETS * size).reshape(N_BUCKETS, size)
        for one in (weight, weight * y, weight * p)
    )
    share = ratio_of_sums(k, n)
    low, high = share.wilson(level)
    return {
        "predicted": ratio_of_sums(x, n).whole,
        "observed": share.whole,
        "low": low,
        "high": high,
        "n": np.bincount(place, minlength=size),
    }
