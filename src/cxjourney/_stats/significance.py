"""P-values of a normal statistic, and of many tests at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def two_sided_p(z: float) -> float:
    """Return the two-sided p-value of a standard normal statistic."""
    return math.erfc(abs(z) / math.sqrt(2))


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
