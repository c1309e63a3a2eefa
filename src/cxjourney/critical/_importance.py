"""Shares of explained variance: LMG and Johnson's weights, from cross-products alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats


__all__ = ["explained", "johnson_weights", "lmg_weights"]

_TINY = 1e-10


def explained(covariance: Floats, with_outcome: Floats, outcome: float) -> float:
    """Return R² of a regression on all predictors, from covariances."""
    if not len(with_outcome) or not outcome > 0:
        return 0.0
    slopes = np.linalg.pinv(covariance, hermitian=True) @ with_outcome
    return float(np.clip(slopes @ with_outcome / outcome, 0.0, 1.0))


def lmg_weights(covariance: Floats, with_outcome: Floats, outcome: float) -> Floats:
    """Return the mean increase of R² over all orders in which predictors can enter.

    Parameters
    ----------
    covariance
        Covariances of the p predictors, shape (p, p).
    with_outcome
        Their covariances with the outcome, shape (p,).
    outcome
        Variance of the outcome.

    Returns
    -------
    ndarray
        p weights, not negative, that sum to R². All 2^p regressions are solved.

    Notes
    -----
    Lindeman, Merenda and Gold (1980): the Shapley value of R². A predictor that the others
    determine (a singular regression) adds nothing to them.
    """
    p = len(with_outcome)
    if not outcome > 0:
        return np.zeros(p)
    fits = _all_fits(covariance, with_outcome) / outcome
    sets = np.arange(1 << p)
    sizes = np.array([int(s).bit_count() for s in range(1 << p)])
    # 1 / (p · C(p-1, size)): how often a set of that size stands before a predictor
    weight = np.array([1.0 / (p * math.comb(p - 1, size)) for size in range(p)])
    out = np.empty(p)
    for i in range(p):
        before = sets[(sets >> i) & 1 == 0]
        out[i] = weight[sizes[before]] @ (fits[before | (1 << i)] - fits[before])
    return np.maximum(out, 0.0)


def _all_fits(covariance: Floats, with_outcome: Floats) -> Floats:
    """Return the explained variance of every set of predictors, set s at place s of the bits.

    One predictor more adds its squared partial covariance over its partial variance: each set is
    one sweep away from the set without its highest bit.
    """
    p = len(with_outcome)
    fits = np.zeros(1 << p)
    table = np.empty((p + 1, p + 1))
    table[:p, :p], table[:p, p], table[p, :p] = covariance, with_outcome, with_outcome
    table[p, p] = 0.0
    scale = np.diag(covariance).copy()
    # residual tables of all sets of the first i predictors, side by side
    tables = table[None]
    for i in range(p):
        pivot = tables[:, i, i]
        usable = pivot > _TINY * max(float(scale[i]), np.finfo(float).tiny)
        inverse = np.divide(1.0, pivot, out=np.zeros_like(pivot), where=usable)
        row = tables[:, i, :]
        swept = tables - inverse[:, None, None] * row[:, :, None] * row[:, None, :]
        tables = np.concatenate([tables, swept])
    fits[:] = -tables[:, p, p]
    return np.maximum(fits, 0.0)


def johnson_weights(covariance: Floats, with_outcome: Floats, outcome: float) -> Floats:
    """Return Johnson's relative weights, which sum to R² and need one decomposition.

    Parameters
    ----------
    covariance, with_outcome, outcome
        As for `lmg_weights`.

    Notes
    -----
    `λ = Λ² β²` with `Λ = R^½` the correlations of the predictors with
    their closest orthogonal counterparts, and β the regression on those (Johnson 2000). Near
    LMG in practice, without its theory (Thomas et al. 2014).
    """
    p = len(with_outcome)
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    used = np.flatnonzero(sd > 0)
    out = np.zeros(p)
    if not outcome > 0 or not len(used):
        return out
    scale = sd[used]
    r = covariance[np.ix_(used, used)] / np.outer(scale, scale)
    with_y = with_outcome[used] / (scale * np.sqrt(outcome))
    values, vectors = np.linalg.eigh(r)
    kept = values > _TINY * values.max()
    root = np.sqrt(values[kept])
    loadings = (vectors[:, kept] * root) @ vectors[:, kept].T
    slopes = (vectors[:, kept] / root) @ vectors[:, kept].T @ with_y
    out[used] = loadings**2 @ slopes**2
    return out
