"""Entropies in bits: plug-in values, and estimates corrected for bias."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.clustered_estimates import mean_estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.metrics import Estimate

__all__ = ["bits_estimate", "entropy_of"]


def entropy_of(counts: NDArray[Any]) -> float:
    """Return the plug-in entropy of counts [bits]."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p @ np.log2(p)))


def bits_estimate(
    surprise: NDArray[np.float64],
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
    *,
    correction: int,
    bound: float,
    level: float,
    name: str,
    definition: str,
) -> Estimate:
    """Return a mean of surprises, corrected for bias, its interval by linearisation."""
    mean = mean_estimate(
        surprise, customer, weight, level=level, name=name, definition=definition, unit="bits"
    )
    if not mean.n:
        return mean
    shift = correction / (2 * mean.n * math.log(2))
    floor = 0.0 if math.isfinite(bound) else -math.inf

    def within(value: float) -> float:
        return value if math.isnan(value) else min(bound, max(floor, value))

    return attrs.evolve(
        mean,
        value=within(mean.value + shift),
        low=within(mean.low + shift),
        high=within(mean.high + shift),
        method="linearised, clustered by customer",
    )
