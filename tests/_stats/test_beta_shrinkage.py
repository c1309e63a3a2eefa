"""Shrinkage of rates: a prior by marginal likelihood, and ranks that it leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betaln
from scipy.stats import betabinom

from cxjourney._stats.beta_shrinkage import beta_prior, peer_priors, rank_bounds, shrunken


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


def drawn(rate, trials, peers, usable=None):
    rate, trials = np.array(rate, dtype=float), np.array(trials, dtype=float)
    usable = ~np.isnan(rate) if usable is None else np.array(usable)
    return shrunken(rate, trials, peers, peer_priors(rate, trials, peers, usable))


def test_all_or_none():
    assert drawn([0.0, 0.0], [9.0, 5.0], ["", ""])[0].max() < 0.05
    assert drawn([1.0, 1.0], [9.0, 5.0], ["", ""])[0].min() > 0.95
    assert beta_prior(np.zeros(0), np.zeros(0)) == (1.0, 1.0)


def test_small_groups_are_drawn_towards_all():
    rate = np.array([0.2, 0.21, 0.19, 0.2, 0.8, 0.75])
    own, _, _ = drawn(rate, np.full(6, 50.0), ["a"] * 4 + ["b"] * 2)
    assert own[:4] == pytest.approx(rate[:4], abs=0.02)
    assert 0.5 < own[4] < 0.8
    priors = peer_priors(rate, np.full(6, 50.0), ["a"] * 4 + ["b"] * 2, np.ones(6, dtype=bool))
    assert list(priors) == ["", "a"]


def test_a_group_has_the_prior_of_its_own_members():
    rate, trials = np.array([0.2, 0.21, 0.19, 0.8, 0.75, 0.7, 0.5]), np.full(7, 50.0)
    peers = ["a"] * 3 + ["b"] * 3 + [""]
    priors = peer_priors(rate, trials, peers, np.ones(7, dtype=bool))
    assert list(priors) == ["", "a", "b"]
    assert priors["b"] == pytest.approx(beta_prior(rate[3:6] * 50, trials[3:6]))
    assert priors[""] == pytest.approx(beta_prior(rate * 50, trials))


def test_what_is_unknown_stays_so_and_what_says_nothing_is_the_prior():
    value, a, b = drawn([np.nan, 0.3, 0.4, 0.9], [0.0, 9, 9, 0], [""] * 4)
    assert np.isnan(value[0])
    prior = beta_prior(np.array([2.7, 3.6]), np.array([9.0, 9.0]))
    assert (a[3], b[3]) == pytest.approx(prior)
    low, high = rank_bounds(a, b, level=0.95)
    assert np.isnan(low[0])
    assert (low[1:3].tolist(), high[1:3].tolist()) == ([1, 1], [3, 3])


def test_who_is_not_usable_says_nothing_of_the_others():
    usable = [True, True, True, False]
    priors = peer_priors(
        np.array([0.2, 0.3, 0.4, 1.0]), np.full(4, 9.0), [""] * 4, np.array(usable)
    )
    assert priors[""] == pytest.approx(beta_prior(np.array([1.8, 2.7, 3.6]), np.full(3, 9.0)))


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


def test_ranks_of_many_thousands_are_those_of_all_pairs(monkeypatch):
    rng = np.random.default_rng(2)
    n = rng.integers(2, 400, 3_000)
    a = rng.beta(2, 5, 3_000) * n + 1
    a[7] = np.nan
    exact = rank_bounds(a, n - a + 2, level=0.95)
    monkeypatch.setattr("cxjourney._stats.beta_shrinkage._MANY", 100)
    for found, expected in zip(rank_bounds(a, n - a + 2, level=0.95), exact, strict=True):
        assert np.isnan(found[7])
        assert np.nanmax(np.abs(found - expected)) <= 5  # of 3,000 ranks
