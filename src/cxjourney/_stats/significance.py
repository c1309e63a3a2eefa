"""P-values of a normal statistic, of a table of four, and of many tests at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["false_discovery", "fisher_p", "two_sided_p"]


def two_sided_p(z: float) -> float:
    """Return the two-sided p-value of a standard normal statistic."""
    return math.erfc(abs(z) / math.sqrt(2))


def fisher_p(a: float, n: float, c: float, m: float) -> float:
    """Return Fisher's two-sided p-value of a of n against c of m; NaN where a side is empty."""
    if not n or not m:
        return math.nan
    total = a + c
    x = np.arange(max(0.0, total - m), min(n, total) + 1)
    # each probability from the one before: differences of large log factorials would cancel
    y = x[:-1]
    steps = np.log((n - y) * (total - y) / ((y + 1) * (m - total + y + 1)))
    weights = np.concatenate([[0.0], np.cumsum(steps)])
    probability = np.exp(weights - weights.max())
    own = probability[int(a - x[0])]
    # a relative tolerance, as ties in exact arithmetic are not ties in floats
    return float(probability[probability <= own * (1 + 1e-7)].sum() / probability.sum())


def false_discovery(p: NDArray[np.float64], *, dependent: bool = False) -> NDArray[np.float64]:
    """Return p-values corrected for their number; NaN takes no part.

    Benjamini and Hochberg (1995), or Benjamini and Yekutieli (2001) where the tests depend on each
    other, as those that share a reference do.
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(-p[known], kind="stable")]
    rank = np.arange(len(order), 0, -1)
    factor = float(np.sum(1 / rank)) if dependent else 1.0
    steps = p[order] * factor * len(order) / rank
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(steps))
    return adjusted
