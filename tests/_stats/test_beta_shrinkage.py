"""Shrinkage of rates: a prior by marginal likelihood, and ranks that it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import betabinom

from cxjourney._stats.beta_shrinkage import beta_prior, rank_bounds, shrunken


def log_likelihood(k, n, a, b):
    return float((betaln(k + a, n - k + b) - betaln(a, b)).sum())


@pytest.mark.parametrize("seed", range(8))
def test_no_prior_on_a_grid_is_likelier(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 400, 40).astype(float)
    k = rng.binomial(n.astype(int), rng.beta(2 + seed, 10, 40)).astype(float)
    a, b = beta_prior(k, n)
    best = log_likelihood(k, n, a, b)
    for mean in np.linspace(0.02, 0.98, 49):
        for size in np.geomspace(0.1, n.sum(), 60):
            assert log_likelihood(k, n, mean * size, (1 - mean) * size) <= best + 1e-3


def test_the_likelihood_is_that_of_the_beta_binomial():
    k, n = np.array([1.0, 3.0, 30.0]), np.array([1.0, 4.0, 100.0])

    def exact(a, b):
        return betabinom.logpmf(k, n, a, b).sum()

    ours = log_likelihood(k, n, 2.0, 5.0) - log_likelihood(k, n, 1.0, 3.0)
    assert ours == pytest.approx(exact(2.0, 5.0) - exact(1.0, 3.0))


def test_a_prior_that_is_known_is_found():
    rng = np.random.default_rng(1)
    n = np.full(3000, 80.0)
    k = rng.binomial(80, rng.beta(19.5, 58.6, 3000)).astype(float)
    a, b = beta_prior(k, n)
    assert a / (a + b) == pytest.approx(0.25, abs=0.003)
    assert a + b == pytest.approx(78.1, rel=0.1)


def test_rates_that_vary_by_chance_alone_are_pooled():
    n = np.full(50, 100.0)
    k = np.full(50, 30.0)
    a, b = beta_prior(k, n)
    assert a / (a + b) == pytest.approx(0.3, abs=1e-3)
    assert a + b == pytest.approx(5000)


def test_all_or_none():
    assert shrunken(np.array([0.0, 0.0]), np.array([9.0, 5.0]), np.zeros(2, int))[0].max() < 0.05
    assert shrunken(np.array([1.0, 1.0]), np.array([9.0, 5.0]), np.zeros(2, int))[0].min() > 0.95
    assert beta_prior(np.zeros(0), np.zeros(0)) == (1.0, 1.0)


def test_small_groups_are_drawn_towards_all():
    rate = np.array([0.2, 0.21, 0.19, 0.2, 0.8, 0.75])
    trials = np.full(6, 50.0)
    own, _, _ = shrunken(rate, trials, np.array([0, 0, 0, 0, 1, 1]))
    assert own[:4] == pytest.approx(rate[:4], abs=0.02)
    assert 0.5 < own[4] < 0.8


def test_what_is_unknown_or_left_out_stays_out():
    value, a, b = shrunken(
        np.array([np.nan, 0.3, 0.4, 0.5]), np.array([0.0, 9, 9, 9]), np.array([0, 0, 0, -1])
    )
    assert np.isnan(value[[0, 3]]).all()
    low, high = rank_bounds(a, b, level=0.95)
    assert np.isnan(low[[0, 3]]).all()
    assert (low[1:3].tolist(), high[1:3].tolist()) == ([1, 1], [2, 2])


def test_ranks_are_certain_where_posteriors_are_apart():
    a = np.array([900.0, 500.0, 100.0])
    low, high = rank_bounds(a, 1000 - a, level=0.95)
    assert low.tolist() == high.tolist() == [1, 2, 3]


def test_many_nodes_are_ranked_block_by_block():
    a = np.random.default_rng(2).uniform(1, 1000, 1300)
    low, high = rank_bounds(a, 1001 - a, level=0.95)
    apart = np.argsort(np.argsort(-a)) + 1
    assert np.all((low <= apart) & (apart <= high))
    part = np.argsort(a)[::13]
    own_low, _ = rank_bounds(a[part], 1001 - a[part], level=0.95)
    assert np.all(np.diff(own_low) <= 0)
