"""Customer-experience metrics: arrays in, `Estimate` out. Needs NumPy and attrs alone.

Every function takes array-likes, returns an estimate with its interval, count, unit and method,
and can be used without any other part of the library.
"""

from __future__ import annotations

from cxjourney.metrics.estimate import Estimate
from cxjourney.metrics.intervals import normal_quantile, wilson

__all__ = ["Estimate", "normal_quantile", "wilson"]
