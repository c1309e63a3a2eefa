"""Pointwise intervals of many shares, and of survival and incidence curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import t_quantile
from cxjourney._stats.intervals import normal_quantile
from cxjourney.metrics._survival.risk_sets import RiskSets, clustered_moments

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.metrics._survival.spells import Spells

ROUNDING = 1e-12
"""A product of fractions such as 2/3 · 3/4 may miss 1/2, and a sum of shares 1, by so much."""


def all_survive(n: float, level: float) -> float:
    """Return the lower Clopper-Pearson end for n of n."""
    return float(((1 - level) / 2) ** (1 / n)) if n > 0 else 0.0


def quantile_of(level: float, freedom: float) -> float:
    """Return Student's two-sided quantile, the normal one for infinite degrees of freedom."""
    if math.isinf(freedom):
        return normal_quantile(level)
    return float(t_quantile(level, np.array(freedom)))


def log_log(
    share: Floats,
    std_error: Floats,
    at_risk: Floats,
    *,
    start: float,
    level: float,
    freedom: float = math.inf,
) -> tuple[Floats, Floats]:
    """Return log-log intervals of shares that go from `start` to the other end of [0, 1].

    At `start` the interval is that of Clopper and Pearson on the rows at risk, at the other end
    on those that were at risk when it was reached. The quantile is Student's with `freedom`.
    """
    if not share.size:
        return share, share
    z = quantile_of(level, freedom)
    inside = (share > ROUNDING) & (share < 1 - ROUNDING)
    safe = np.where(inside, share, 0.5)
    with np.errstate(over="ignore"):
        reach = np.exp(z * std_error / (safe * -np.log(safe)))
        low, high = safe**reach, safe ** (1 / reach)
    done = ~inside & (np.abs(share - start) > 0.5)
    since = np.where(done.any(axis=-1), done.argmax(axis=-1), -1)[..., None]
    n = np.where(done, at_risk[since] if len(at_risk) else at_risk, at_risk)
    extreme = np.where(n > 0, ((1 - level) / 2) ** (1 / np.maximum(n, ROUNDING)), 0.0)
    low = np.where(inside, low, np.where(share > 0.5, extreme, 0.0))
    high = np.where(inside, high, np.where(share > 0.5, 1.0, 1 - extreme))
    return low, high


def effective_at_risk(sets: RiskSets, spells: Spells) -> Floats:
    """Return how many independent rows are at risk: for clusters (Σ Y)² / Σ Y²."""
    if spells.customer is None:
        return sets.at_risk
    ones = spells.masses
    # Leaving one position later counts the rows that end at a time among those at risk then.
    after = attrs.evolve(sets, exit_index=sets.exit_index + 1)
    squares = clustered_moments(spells.customer, after, [(ones, -ones)])[:, 0, 0]
    return sets.at_risk**2 / np.maximum(squares, 1.0)
