"""Shrinkage of rates towards their peers, and the ranks that it supports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.intervals import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney._support.array_types import Bools, Floats

_LEAST_TRIALS = 0.1
_USUAL_TRIALS = 30.0
_FEW = 3
_BLOCK = 512
_MANY = 5_000


def beta_prior(count: Floats, trials: Floats) -> tuple[float, float]:
    """Return a and b of the Beta prior of rates by maximum marginal likelihood.

    The likelihood of the units is Π B(k + a, n - k + b) / B(a, b). Where rates vary no more than
    chance lets them, a + b stops at the number of all trials: the prior is never surer of itself
    than the data that made it. Counts and trials may be fractional.
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


def peer_priors(
    rate: Floats, trials: Floats, peers: Sequence[str], usable: Bools
) -> dict[str, tuple[float, float]]:
    """Return a and b of the Beta prior of the rates of each group of peers, and of all under "".

    A group of fewer than three usable units says too little about itself and has none.
    """
    group = np.array(peers, dtype=object)
    known = usable & (trials > 0)
    count = np.where(known, np.nan_to_num(rate) * trials, 0.0)
    priors = {"": beta_prior(count[known], trials[known])}
    for name in sorted(set(group[known].tolist()) - {""}):
        members = known & (group == name)
        if np.count_nonzero(members) >= _FEW:
            priors[name] = beta_prior(count[members], trials[members])
    return priors


def shrunken(
    rate: Floats,
    trials: Floats,
    peers: Sequence[str],
    priors: Mapping[str, tuple[float, float]],
) -> tuple[Floats, Floats, Floats]:
    """Return rates drawn towards those of their peers, and a and b of their Beta posteriors.

    A rate of 0 trials is its prior's mean.
    """
    a, b = (
        np.array([priors.get(name, priors[""])[i] for name in peers], dtype=np.float64)
        for i in (0, 1)
    )
    a, b = a + rate * trials, b + (1.0 - rate) * trials
    return a / (a + b), a, b


def rank_bounds(a: Floats, b: Floats, *, level: float) -> tuple[Floats, Floats]:
    """Return the best and the worst rank that the posteriors leave open, 1 for the highest rate.

    A unit's best rank counts the units that are higher with at least the one-sided probability
    that belongs to `level`, its worst rank those that are lower. Pairs are compared on the logit
    scale, where a Beta variable has mean ψ(a) - ψ(b) and variance ψ'(a) + ψ'(b). Of many thousands,
    those of nearly the same variance are compared with each other one as if they had its mean.
    """
    from scipy.special import digamma, polygamma

    known = np.flatnonzero(~np.isnan(a))
    low, high = np.full(len(a), np.nan), np.full(len(a), np.nan)
    centre = digamma(a[known]) - digamma(b[known])
    spread = polygamma(1, a[known]) + polygamma(1, b[known])
    quantile = normal_quantile(level)
    if len(known) > _MANY:
        higher, lower = np.zeros((2, len(known)), dtype=np.int64)
        for like in np.array_split(np.argsort(spread), _BLOCK):
            bound = quantile * np.sqrt(spread + spread[like].mean())
            ascending = np.sort(centre[like])
            higher += len(like) - np.searchsorted(ascending, centre + bound, side="right")
            lower += np.searchsorted(ascending, centre - bound)
        low[known], high[known] = 1 + higher, len(known) - lower
        return low, high
    for first in range(0, len(known), _BLOCK):
        block = slice(first, first + _BLOCK)
        apart = centre[block, None] - centre[None, :]
        bound = quantile * np.sqrt(spread[block, None] + spread[None, :])
        low[known[block]] = 1 + (apart < -bound).sum(axis=1)
        high[known[block]] = len(known) - (apart > bound).sum(axis=1)
    return low, high
