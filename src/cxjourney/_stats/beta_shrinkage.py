"""Shrinkage of rates towards their peers, and the ranks that it supports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.intervals import normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats


__all__ = ["beta_prior", "rank_bounds", "shrunken"]

_LEAST_TRIALS = 0.1
_USUAL_TRIALS = 30.0
_FEW = 3
_BLOCK = 512


def beta_prior(count: Floats, trials: Floats) -> tuple[float, float]:
    """Return the Beta prior of rates by maximum marginal likelihood.

    Parameters
    ----------
    count, trials
        Successes and trials of each unit; may be fractional for effective samples.

    Returns
    -------
    tuple of two floats
        a and b of Beta(a, b). Where rates vary no more than chance lets them, a + b stops at the
        number of all trials: the prior is never surer of itself than the data that made it.

    Notes
    -----
    The likelihood of the units is Π B(k + a, n - k + b) / B(a, b); constant factors are left out.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln, digamma

    known = trials > 0
    k, n = count[known], trials[known]
    if not len(k):
        return 1.0, 1.0
    mean = float((k.sum() + 0.5) / (n.sum() + 1.0))

    def loss(point: Floats) -> tuple[float, Floats]:
        m, s = 1.0 / (1.0 + np.exp(-point[0])), np.exp(point[1])
        a, b = m * s, (1.0 - m) * s
        value = (betaln(k + a, n - k + b) - betaln(a, b)).sum()
        both = digamma(n + s) - digamma(s)
        by_a = (digamma(k + a) - digamma(a) - both).sum()
        by_b = (digamma(n - k + b) - digamma(b) - both).sum()
        slope = np.array([(by_a - by_b) * s * m * (1.0 - m), by_a * a + by_b * b])
        return -float(value), -slope

    most = np.log(max(float(n.sum()), 1.0))
    # the likelihood has one top, or rises to full pooling: begin in between
    begin = np.array([np.log(mean / (1 - mean)), min(np.log(_USUAL_TRIALS), most)])
    bounds = [(-14.0, 14.0), (np.log(_LEAST_TRIALS), most)]
    fit = minimize(loss, begin, jac=True, bounds=bounds, options={"maxiter": 100})
    pooled = np.array([begin[0], most])
    best = fit.x if fit.fun <= loss(pooled)[0] else pooled
    m, s = 1.0 / (1.0 + np.exp(-best[0])), np.exp(best[1])
    return float(m * s), float((1.0 - m) * s)


def shrunken(
    rate: Floats, trials: Floats, peers: NDArray[np.integer]
) -> tuple[Floats, Floats, Floats]:
    """Return rates drawn towards those of their peers, and their Beta posteriors.

    Parameters
    ----------
    rate, trials
        Rate and effective number of trials of each unit; NaN and 0 where unknown.
    peers
        Group of each unit: its stage, say; negative leaves it out. A group of fewer than three
        says too little about itself: its units are drawn towards all.

    Returns
    -------
    three arrays
        The shrunken rate (posterior mean), and a and b of the posterior; NaN where left out.
    """
    a, b = np.full(len(rate), np.nan), np.full(len(rate), np.nan)
    usable = (trials > 0) & ~np.isnan(rate) & (peers >= 0)
    everyone = beta_prior(rate[usable] * trials[usable], trials[usable])
    for group in np.unique(peers[usable]).tolist():
        units = usable & (peers == group)
        k, n = rate[units] * trials[units], trials[units]
        prior = beta_prior(k, n) if len(k) >= _FEW else everyone
        a[units], b[units] = k + prior[0], n - k + prior[1]
    return a / (a + b), a, b


def rank_bounds(a: Floats, b: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Return the best and the worst rank that the posteriors leave open, 1 for the highest rate.

    A unit's best rank counts the units that are higher with at least the one-sided probability
    that belongs to `level`, its worst rank those that are lower. Pairs are compared on the logit
    scale, where a Beta variable has mean ψ(a) - ψ(b) and variance ψ'(a) + ψ'(b).
    """
    from scipy.special import digamma, polygamma

    known = np.flatnonzero(~np.isnan(a))
    low, high = np.full(len(a), np.nan), np.full(len(a), np.nan)
    centre = digamma(a[known]) - digamma(b[known])
    spread = polygamma(1, a[known]) + polygamma(1, b[known])
    quantile = normal_quantile(level)
    for first in range(0, len(known), _BLOCK):
        block = slice(first, first + _BLOCK)
        apart = centre[block, None] - centre[None, :]
        bound = quantile * np.sqrt(spread[block, None] + spread[None, :])
        low[known[block]] = 1 + (apart < -bound).sum(axis=1)
        high[known[block]] = len(known) - (apart > bound).sum(axis=1)
    return low, high
