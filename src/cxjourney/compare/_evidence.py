"""How sure a difference of two probabilities is: intervals, tests, false discoveries, strata."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.intervals import newcombe, normal_quantile
from cxjourney._stats.significance import fisher_p
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from cxjourney.compare._contrast import Contrast
    from cxjourney.compare._moves import Observed

__all__ = ["Adjusted", "adjusted", "intervals", "p_values"]


_EXPECTED = 5  # below, the normal approximation is not trusted


def intervals(contrast: Contrast, *, level: float) -> tuple[Floats, Floats]:
    """Return Newcombe's intervals of the differences on effective visits; NaN where empty."""
    ends = [
        newcombe(p * m, m, q * n, n, level=level) if m > 0 and n > 0 else (math.nan, math.nan)
        for p, q, m, n in zip(
            *np.nan_to_num(contrast.probability).tolist(), *contrast.effective.tolist(), strict=True
        )
    ]
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return low, high


def p_values(contrast: Contrast, *, min_count: int) -> tuple[Floats, tuple[str, ...]]:
    """Return two-sided p-values of equal probabilities, and which test each is of.

    Where four counts of at least 5 are expected it is the pooled z test, else Fisher's exact one;
    both on trials, which are visits divided by the design effect. NaN where a group has no ended
    visit, and where both groups together made the move, or another, less than `min_count` times.
    """
    from scipy.special import ndtr

    p, n, pooled = contrast.probability, contrast.trials, contrast.pooled
    made, visits = contrast.count.sum(axis=0), contrast.at_risk.sum(axis=0)
    enough = np.minimum(made, visits - made) >= min_count
    tested = enough & (n > 0).all(axis=0) & (contrast.at_risk > 0).all(axis=0)
    many = np.min(n, axis=0) * np.minimum(pooled, 1 - pooled) >= _EXPECTED - 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (p[0] - p[1]) / np.sqrt(pooled * (1 - pooled) * (1 / n[0] + 1 / n[1]))
    values = np.where(tested & many, 2 * ndtr(-np.abs(z)), np.nan)
    for i in np.flatnonzero(tested & ~many):
        whole = np.maximum(np.rint(n[:, i]), 1)
        hits = np.minimum(np.rint(p[:, i] * n[:, i]), whole)
        values[i] = fisher_p(hits[0], whole[0], hits[1], whole[1])
    names = np.where(tested, np.where(many, "z", "Fisher"), "")
    return np.minimum(values, 1.0), tuple(names.tolist())


@attrs.frozen(kw_only=True, eq=False)
class Adjusted:
    """Differences within strata, averaged as Mantel and Haenszel do.

    Attributes
    ----------
    difference, low, high
        The common difference and its interval; NaN where no stratum has both groups.
    """

    difference: Floats
    low: Floats
    high: Floats


def adjusted(contrast: Contrast, found: Observed, stratum: Ints, *, level: float) -> Adjusted:
    """Return the Mantel-Haenszel differences over strata.

    Parameters
    ----------
    contrast
        The contrast of all strata together.
    found
        What it was made of.
    stratum
        Stratum of each observation, 0 … S - 1.
    level
        Confidence level.

    Notes
    -----
    `Σ_s w_s (p_1s - p_2s) / Σ_s w_s` with `w_s = n_1s n_2s / (n_1s + n_2s)`;
    the variance is that of Greenland & Robins (1985) times the design effect.
    """
    size, n_moves = len(found.names) + 3, len(contrast.source)
    n_strata = int(stratum.max(initial=-1)) + 1
    cell = np.searchsorted(
        contrast.source * size + contrast.target, found.source * size + found.target
    )
    weight = found.weight * found.multiplicity
    hits, visits = np.empty((2, n_moves, n_strata)), np.empty((2, n_moves, n_strata))
    for g in (0, 1):
        own = weight * (found.group == g)
        hits[g] = np.bincount(cell * n_strata + stratum, own, minlength=n_moves * n_strata).reshape(
            n_moves, n_strata
        )
        there = np.bincount(found.source * n_strata + stratum, own, minlength=size * n_strata)
        visits[g] = there.reshape(size, n_strata)[contrast.source]
    (a, b), (m, n) = hits, visits
    both = (m > 0) & (n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(both, m * n / (m + n), 0.0).sum(axis=1)
        difference = np.where(both, (a * n - b * m) / (m + n), 0.0).sum(axis=1) / total
        each = (a * (m - a) * n**3 + b * (n - b) * m**3) / (m * n * (m + n) ** 2)
        variance = np.where(both, each, 0.0).sum(axis=1) / total**2 * contrast.design_effect
    half = normal_quantile(level) * np.sqrt(np.maximum(variance, 0.0))
    return Adjusted(difference=difference, low=difference - half, high=difference + half)
