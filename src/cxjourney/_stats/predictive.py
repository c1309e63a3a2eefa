"""Rates among others of their sort: the contrast with peers, and prediction from them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.customer_sums import student_tail
from cxjourney._stats.mixture_posterior import SPREADS, prior_of_spread
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from cxjourney._stats.customer_sums import CustomerSums

_ROUNDS = 3
_RIDGE = 0.02  # spread of logits assumed by the first fits of nearness
_BLOCK = 4_096


def logits(sums: CustomerSums) -> Floats:
    """Return the logit of each rate, half an event and one trial added."""
    p = (sums.events + 0.5) / (sums.trials + 1)
    return np.log(p / (1 - p))


def logit_covariance(sums: CustomerSums) -> Floats:
    """Return the joint covariance of the logits of all cells, by leaving out one customer.

    Frail customers push all touchpoints the same way: the covariances matter. A matrix of K cells
    needs some 3 K units to be inverted; from fewer the correlations are taken as all alike
    (Ledoit and Wolf 2004), which leaves one common factor and a diagonal.
    """
    k = sums.size
    y = logits(sums)
    p = sums.left_out(0.5, 1.0)
    step = np.log(p / (1 - p)) - y[sums.cell]
    people = int(sums.customer.max(initial=0)) + 1
    order = np.argsort(sums.customer, kind="stable")
    customer, cell, step = sums.customer[order], sums.cell[order], step[order]
    cross = np.zeros((k, k))
    bounds = np.searchsorted(customer, np.arange(0, people + _BLOCK, _BLOCK))
    for block, (a, b) in enumerate(itertools.pairwise(bounds)):
        u = np.zeros((_BLOCK, k))
        u[customer[a:b] - block * _BLOCK, cell[a:b]] = step[a:b]
        cross += u.T @ u
    f = np.sqrt(sums.factor)
    covariance = f[:, None] * f * cross
    rate = (sums.events + 0.5) / (sums.trials + 1)
    floor = 1 / ((sums.trials + 1) * rate * (1 - rate))
    own = np.sqrt(np.diag(covariance))
    each = np.bincount(sums.customer, sums.n)
    units = each.sum() ** 2 / max(float((each * each).sum()), 1.0)
    if units < 3 * k:
        scale = own[:, None] * own
        np.fill_diagonal(scale, 0.0)
        off = covariance.sum() - np.trace(covariance)
        alike = np.clip(off / scale.sum(), 0.0, 0.95) if scale.any() else 0.0
        covariance = alike * scale + np.diag(own**2)
    np.fill_diagonal(covariance, np.maximum(own**2, floor))
    return covariance


@attrs.frozen(kw_only=True, eq=False)
class Prediction:
    """Figures predicted from all others of their sort."""

    p: Floats  # one-sided p-value of a figure as high
    z: Floats  # deletion residual without spread of the true figures
    # what the others lead to expect, and the standard error of the figure's distance from it
    expected: Floats
    error: Floats


def unusual(
    y: Floats, covariance: Floats, design: Floats, units: Floats, *, prior: float = 0.25
) -> Prediction:
    """Return the probability that each figure would be as high, predicted from all others.

    Notes
    -----
    y ~ N(X β, S + τ² I). With P the residual-making matrix of generalised least squares, the
    deletion residual is (P y)_x / √P_xx; the weight of each τ leaves out x as well. The prior of τ
    is half-normal with the scale `prior`.

    Examples
    --------
    >>> rate = (np.array([30, 33, 28, 31, 55]) + 0.5) / 101
    >>> y, variance = np.log(rate / (1 - rate)), 1 / (101 * rate * (1 - rate))
    >>> found = unusual(y, np.diag(variance), np.ones((5, 1)), np.full(5, 1e9))
    >>> [round(float(x), 3) for x in found.p], round(float(found.z[4]), 4)
    ([0.74, 0.604, 0.819, 0.697, 0.002], 4.4521)
    """
    z, own, weights, _, _ = _fits(y, covariance, design, prior)
    return Prediction(
        p=(weights * student_tail(z, units)).sum(axis=0),
        z=z[0],
        expected=y - (weights * z / np.sqrt(own)).sum(axis=0),
        error=(weights / np.sqrt(own)).sum(axis=0),
    )


def common_shift(
    y: Floats, covariance: Floats, units: float, *, prior: float = 0.15
) -> tuple[float, float]:
    """Return the mean of figures that vary around it, and the p-value of a mean above 0.

    For differences of a segment from the rest, one a touchpoint: where the mean is above 0 the
    segment fares worse everywhere, and `unusual` says where in particular.
    """
    *_, marginal, (mean, error) = _fits(y, covariance, np.ones((len(y), 1)), prior)
    tail = student_tail(mean / error, np.full(len(mean), units))
    return float(marginal @ mean), float(marginal @ tail)


def _fits(
    y: Floats, covariance: Floats, design: Floats, prior: float
) -> tuple[Floats, Floats, Floats, Floats, tuple[Floats, Floats]]:
    """Return deletion residuals, their precision and weights by τ, the weight of τ, the mean."""
    mass = prior_of_spread(prior)
    z, own, fit = (
        np.empty((len(SPREADS), len(y))),
        np.empty((len(SPREADS), len(y))),
        np.empty(len(SPREADS)),
    )
    mean, error = np.empty(len(SPREADS)), np.empty(len(SPREADS))
    for i, tau in enumerate(SPREADS.tolist()):
        inverse = np.linalg.inv(covariance + tau * tau * np.eye(len(y)))
        project = inverse @ design
        spread = np.linalg.inv(design.T @ project)
        residual = inverse - project @ spread @ project.T
        r, own[i] = residual @ y, np.maximum(np.diag(residual), 1e-12)
        z[i] = r / np.sqrt(own[i])
        logs = np.linalg.slogdet(inverse)[1] + np.linalg.slogdet(spread)[1]
        fit[i] = np.log(max(mass[i], 1e-300)) + 0.5 * (logs - y @ r)
        mean[i], error[i] = (spread @ (project.T @ y))[0], np.sqrt(spread[0, 0])
    log_weight = fit[:, None] + 0.5 * (z**2 - np.log(own))
    weights = np.exp(log_weight - log_weight.max(axis=0))
    marginal = np.exp(fit - fit.max())
    return z, own, weights / weights.sum(axis=0), marginal / marginal.sum(), (mean, error)


def nearness(
    y: Floats, covariance: Floats, near: Floats, near_variance: Floats
) -> tuple[Floats, Floats]:
    """Return covariance and design by which logits are predicted from the nearness to the goal.

    Nearness is the probability of conversion given that one goes on. It is estimated: its error is
    in the diagonal, times the squared slope (errors in variables).
    """
    g = np.clip(near, 1e-3, 1 - 1e-3)
    x = np.log(g / (1 - g))
    error = near_variance / (g * (1 - g)) ** 2
    design = np.column_stack([np.ones(len(y)), x])
    slope = 0.0
    for _ in range(_ROUNDS):
        weight = 1 / (np.diag(covariance) + slope**2 * error + _RIDGE)
        center = np.average(x, weights=weight)
        spread = float((weight * (x - center) ** 2).sum())
        slope = float((weight * (x - center) * y).sum()) / spread if spread > 0 else 0.0
    return covariance + np.diag(slope**2 * error), design


@attrs.frozen(kw_only=True, eq=False)
class Contrast:
    """How much more touchpoints lose than their peers."""

    difference: Floats  # rate minus the pooled rate of the peers, and its variance
    variance: Floats
    units: Floats  # G* of the touchpoint
    p: Floats  # one-sided p-value; 1 where it was not tested


def contrast_with_peers(sums: CustomerSums, group: Ints, *, least: float = 0.0) -> Contrast:
    """Return the difference of each rate from that of the others of its group.

    Notes
    -----
    Peers weigh by their trials. The variance is that of the difference without each customer in
    turn, and at least that of independent trials, p (1 - p) / (n + 1).
    """
    k = sums.size
    n_groups = int(group.max(initial=-1)) + 1
    difference, variance = np.full((2, k), np.nan)
    for g in range(n_groups):
        inside = np.flatnonzero(group == g)
        if len(inside) < 2:
            continue
        place = np.full(k, -1)
        place[inside] = np.arange(len(inside))
        mine = sums.merged(place, len(inside))
        n, e = mine.trials, mine.events
        rest_n, rest_e = n.sum() - n, e.sum() - e
        with np.errstate(invalid="ignore", divide="ignore"):
            found = e / n - rest_e / rest_n
            who, index = np.unique(mine.customer, return_inverse=True)
            total = np.zeros(len(inside))
            for a in range(0, len(who), _BLOCK):
                some = (index >= a) & (index < a + _BLOCK)
                trials, events = np.zeros((2, min(_BLOCK, len(who) - a), len(inside)))
                trials[index[some] - a, mine.cell[some]] = mine.n[some]
                events[index[some] - a, mine.cell[some]] = mine.k[some]
                others_n = trials.sum(axis=1, keepdims=True) - trials
                others_e = events.sum(axis=1, keepdims=True) - events
                without = (e - events) / (n - trials) - (rest_e - others_e) / (rest_n - others_n)
                total += ((without - found) ** 2).sum(axis=0)
            jackknife = (len(who) - 1) / max(len(who), 1) * total
            smooth = (e + 0.5) / (n + 1)
            difference[inside] = found
            variance[inside] = np.maximum(jackknife, smooth * (1 - smooth) / (n + 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = student_tail((difference - least) / np.sqrt(variance), sums.units)
    return Contrast(difference=difference, variance=variance, units=sums.units, p=p)
