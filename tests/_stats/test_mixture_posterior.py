"""Posterior draws of many effects against dense numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import halfnorm, norm

from cxjourney._stats.mixture_posterior import Effects, draw_effects


def dense(sorts, points):
    """Return posterior means of effects, of their squares, and of standing apart, by summing.

    Each sort is (y, variance, x, variance of x). Spreads are those of the declared grid.
    """
    taus = np.concatenate([[0], 0.01 * 150 ** (np.arange(28) / 27)])
    between = (taus[1:] + taus[:-1]) / 2
    weight = np.log(np.diff([0, *halfnorm.cdf(between, scale=0.25), 1]))
    parts = []
    for y, v, x, error in sorts:
        mu = np.linspace(y.min() - 1.5, y.max() + 1.5, points)
        slope = np.zeros(1) if x is None else np.linspace(-6, 6, 121)
        a, b = (g.ravel() for g in np.meshgrid(mu, slope, indexing="ij"))
        line = a[:, None] + (0 if x is None else b[:, None] * x)
        extra = np.zeros((len(a), 1)) if x is None else b[:, None] ** 2 * error
        log_slope = 0.0 if x is None else norm.logpdf(b, 0, 3)
        sums = np.zeros((len(taus), 4, len(y)))
        for i, tau in enumerate(taus):
            like, means = [], []
            for share, t2 in ((0.9, tau**2), (0.1, tau**2 + 0.36)):
                total = v + extra + t2
                like.append(share * norm.pdf(y, line, np.sqrt(total)))
                own, shifted = t2 / total * (y - line), extra / total * (y - line)
                spread = (t2 + extra) * v / total
                means.append((line + own + shifted, spread, own))
            both = like[0] + like[1]
            log_all = np.log(both).sum(axis=1) + log_slope
            top = log_all.max()
            w = np.exp(log_all - top)
            chance = [part / both for part in like]
            effect = sum(c * m[0] for c, m in zip(chance, means, strict=True))
            square = sum(c * (m[0] ** 2 + m[1]) for c, m in zip(chance, means, strict=True))
            own = sum(c * m[2] for c, m in zip(chance, means, strict=True))
            sums[i] = [w @ each / w.sum() for each in (effect, square, chance[1], own)]
            weight[i] += top + np.log(w.sum())
        parts.append(sums)
    w = np.exp(weight - weight.max())
    return [np.tensordot(w / w.sum(), part, axes=1) for part in parts]


def drawn(sorts, n=60_000):
    effects = [
        Effects(estimate=y, variance=v, covariate=x, covariate_variance=e) for y, v, x, e in sorts
    ]
    return draw_effects(effects, n, np.random.default_rng(1))


def agree(sorts, points=401):
    for found, (effect, square, apart, own) in zip(drawn(sorts), dense(sorts, points), strict=True):
        spread = np.sqrt(square - effect**2)
        assert np.abs(found.effect.mean(axis=0) - effect).max() < 0.03 * spread.max() + 2e-3
        assert found.effect.std(axis=0) == pytest.approx(spread, rel=0.05)
        assert found.apart.mean(axis=0) == pytest.approx(apart, abs=0.012)
        assert np.abs(found.own.mean(axis=0) - own).max() < 0.03 * spread.max() + 2e-3


def logits(k, n):
    p = (np.asarray(k) + 0.5) / (n + 1)
    return np.log(p / (1 - p)), 1 / ((n + 1) * p * (1 - p))


def test_the_probability_of_being_ordinary_is_the_golden_one():
    y, v = logits([30, 33, 28, 31, 55], 100)
    assert y == pytest.approx([-0.837886, -0.700582, -0.933682, -0.791339, 0.198671], abs=1e-6)
    assert v == pytest.approx([0.046971, 0.044666, 0.048881, 0.046135, 0.039996], abs=1e-6)
    (found,) = drawn([(y, v, None, None)], n=200_000)
    golden = [0.9439, 0.9465, 0.9344, 0.9461, 0.3062]  # the published grids are a little coarser
    assert 1 - found.apart.mean(axis=0) == pytest.approx(golden, abs=4e-3)


@pytest.mark.parametrize(
    "y",
    [
        [-1.0, -0.95, -1.05],
        [-1.0, -0.2, -1.05],
        [-1.0, -0.9, -1.1, 0.6, -1.02, -0.97],
        [-2.0, -1.0, 0.0, 1.0],
    ],
)
@pytest.mark.parametrize("sd", [0.1, 0.4])
def test_draws_have_the_moments_of_a_dense_sum(y, sd):
    y = np.array(y)
    agree([(y, np.full(len(y), sd**2) * np.linspace(0.5, 2, len(y)), None, None)], points=2001)


def test_sorts_have_means_of_their_own_and_one_spread():
    quiet = (np.array([-2.0, -1.9, -2.05, -1.95]), np.full(4, 0.01), None, None)
    loud = (np.array([0.0, 0.9, -0.8, 0.3, -0.5]), np.full(5, 0.01), None, None)
    agree([quiet, loud], points=2001)
    # what the loud sort says of the spread leaves the quiet one less drawn together
    alone, together = drawn([quiet])[0], drawn([quiet, loud])[0]
    assert np.ptp(together.effect.mean(axis=0)) > np.ptp(alone.effect.mean(axis=0))


def test_a_covariate_with_an_error_explains_what_it_can():
    x = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1.1])
    y = -0.5 - 1.5 * x + np.array([0.05, -0.1, 0.08, 0.7, -0.06, 0.02])
    agree([(y, np.full(6, 0.02), x, np.full(6, 0.004))], points=161)


def test_effects_that_are_exactly_alike_tie_where_there_is_no_spread():
    (found,) = drawn([(np.full(8, -1.0), np.full(8, 1e-4), None, None)], n=4000)
    tied = np.ptp(found.effect, axis=1) < 1e-9
    assert 0.02 < tied.mean() < 0.9
    assert not found.own[tied].any()
