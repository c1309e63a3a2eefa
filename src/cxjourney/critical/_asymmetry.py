"""Penalty and reward: whether bad answers cost more than good ones bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._stats.clustered import grouped_ratios
from cxjourney._stats.intervals import normal_quantile

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats, Ints


__all__ = ["asymmetry"]

_FEWEST = 10


def asymmetry(x: Floats, y: Floats, customer: Ints, level: float) -> dict[str, Any]:
    """Return penalty and reward of each predictor with intervals, and what kind it is.

    Parameters
    ----------
    x
        Predictors, shape (rows, p), NaN where there was no answer.
    y
        The outcome.
    customer
        Whose row it is.
    level
        Confidence level.
    """
    names = ("penalty", "penalty_low", "penalty_high", "reward", "reward_low", "reward_high")
    columns = {name: np.full(x.shape[1], np.nan) for name in names}
    kinds = []
    z = normal_quantile(level)
    for i in range(x.shape[1]):
        known = ~np.isnan(x[:, i])
        band = _bands(x[known, i])
        found = grouped_ratios(
            y[known], np.ones(len(band)), group=band, n_groups=3, customer=customer[known]
        )
        # of a handful of answers not even the variance is known
        low, middle, high = np.where(found.base < _FEWEST, np.nan, found.value)
        spread = found.variance
        for name, gap, variance in (
            ("penalty", low - middle, spread[0] + spread[1]),
            ("reward", high - middle, spread[2] + spread[1]),
        ):
            columns[name][i] = gap
            columns[f"{name}_low"][i] = gap - z * np.sqrt(variance)
            columns[f"{name}_high"][i] = gap + z * np.sqrt(variance)
        # -penalty - reward = 2 middle - low - high
        lead = 2 * middle - low - high
        sure = z * np.sqrt(4 * spread[1] + spread[0] + spread[2])
        matters = columns["penalty_high"][i] < 0 or columns["reward_low"][i] > 0
        kinds.append(_kind(lead, sure, matters=matters))
    return {**columns, "kind": tuple(kinds)}


def _bands(values: Floats) -> Ints:
    """Return 0 for the lowest third of the answers, 2 for the highest, 1 between."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    first, second = np.quantile(values, [1 / 3, 2 / 3], method="inverted_cdf")
    if first == second:  # one answer holds the middle: low is below it, high above
        return np.where(values < first, 0, np.where(values > first, 2, 1))
    between = (values > first) & (values < second)
    if between.any():
        return np.where(values <= first, 0, np.where(values >= second, 2, 1))
    # coarse answers: the upper of the two marks is the middle
    return np.where(values <= first, 0, np.where(values > second, 2, 1))


def _kind(lead: float, sure: float, *, matters: bool) -> str:
    if not matters or np.isnan(lead) or np.isnan(sure):
        return ""
    if lead > sure:
        return "must-be"
    return "attractive" if lead < -sure else "linear"
