"""The bootstrap repeats, agrees with scipy, and resamples customers whole."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from cxjourney._stats.bootstrap import _bca_ends, _mean_replicates
from cxjourney._stats.intervals import mean_t
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import bootstrap

VALUES = np.random.default_rng(5).exponential(size=60)


@pytest.mark.parametrize(("ours", "theirs"), [("bca", "BCa"), ("percentile",) * 2, ("basic",) * 2])
def test_it_agrees_with_scipy_up_to_sampling(ours, theirs):
    from scipy.stats import bootstrap as scipy_bootstrap

    expected = scipy_bootstrap(
        (VALUES,), np.mean, method=theirs, n_resamples=6000, rng=np.random.default_rng(1)
    ).confidence_interval
    for got in (
        bootstrap(VALUES, np.mean, method=ours, n_resamples=6000, rng=2),
        bootstrap(VALUES, method=ours, n_resamples=6000, rng=2),
    ):
        assert got == pytest.approx((expected.low, expected.high), abs=0.03)


def test_the_same_seed_gives_the_same_interval():
    for function in (
        lambda seed: bootstrap(VALUES, np.median, n_resamples=200, rng=seed),
        lambda seed: bootstrap(VALUES, n_resamples=200, rng=seed),
    ):
        assert function(3) == function(3)
        assert function(3) != function(4)


def test_customers_with_equal_answers_widen_the_interval():
    values = np.repeat(np.random.default_rng(7).normal(size=30), 10)
    customer = np.repeat(np.arange(30), 10)
    for ends in (
        bootstrap(values, np.mean, customer=customer, n_resamples=2000, rng=1),
        bootstrap(values, customer=customer, n_resamples=2000, rng=1),
    ):
        thirty = mean_t(values.mean(), values[::10].std(ddof=1), 30)
        assert ends == pytest.approx(thirty, abs=0.12)


def test_weights_of_a_mean_count():
    values = np.arange(40.0)
    weights = np.where(values < 20, 0.0, 1.0)
    low, high = bootstrap(values, weights=weights, n_resamples=500, rng=1)
    assert 20 <= low < 29.5 < high <= 39


def test_the_mean_of_customers_is_that_of_all_their_values():
    values = np.concatenate([np.arange(30.0), [100.0] * 30])
    customer = [*range(30), *range(30)]
    own = bootstrap(values, np.mean, customer=customer, n_resamples=300, rng=3)
    assert bootstrap(values, customer=customer, n_resamples=300, rng=3) == pytest.approx(own)


def test_few_or_equal_values():
    assert all(map(math.isnan, bootstrap(VALUES[:9], np.mean, rng=1)))
    assert all(map(math.isnan, bootstrap(VALUES[:9], rng=1)))
    assert all(map(math.isnan, bootstrap(VALUES, customer=[1] * 60, rng=1)))
    assert bootstrap([4.0] * 20, np.mean, rng=1) == (4, 4)


def test_bad_input_is_refused():
    with pytest.raises(InvalidData, match="missing"):
        bootstrap([1.0, None], np.mean)
    with pytest.raises(InvalidData, match="missing"):
        bootstrap([1.0, None])
    with pytest.raises(InvalidValue, match="method"):
        bootstrap(VALUES, np.mean, method="bayes")
    with pytest.raises(InvalidValue, match="n_resamples"):
        bootstrap(VALUES, np.mean, n_resamples=0)
    with pytest.raises(InvalidValue, match="one length"):
        bootstrap(VALUES, np.mean, customer=[1])
    with pytest.raises(InvalidValue, match="rng"):
        bootstrap(VALUES, np.mean, rng="seed")
    with pytest.raises(InvalidValue, match="weights must be left out where a statistic is given"):
        bootstrap(VALUES, np.mean, weights=np.ones(60))


def test_bca_is_accelerated_by_a_sixth_of_the_skewness():
    replicates = np.arange(1000.0)  # half of them below the estimate: no bias
    values = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 8.0])
    without = (values.sum() - values) / 5
    centred = values - 2
    a = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    z = NormalDist().inv_cdf(0.975)
    expected = [NormalDist().cdf(x / (1 - a * x)) for x in (-z, z)]
    assert a > 0
    assert _bca_ends(499.5, replicates, without, 0.95) == pytest.approx(expected)


def test_bca_counts_half_of_the_replicates_that_equal_the_estimate():
    replicates = np.array([1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    bias = NormalDist().inv_cdf(1 / 8)  # none below, two of eight equal
    z = NormalDist().inv_cdf(0.975)
    expected = [NormalDist().cdf(2 * bias + x) for x in (-z, z)]
    assert _bca_ends(1.0, replicates, np.ones(5), 0.95) == pytest.approx(expected)


def test_the_jackknife_of_a_mean_leaves_out_whole_customers_with_their_weights():
    values, w = np.array([1.0, 4.0, 2.0, 8.0, 3.0]), np.array([1.0, 2.0, 1.0, 0.5, 3.0])
    groups = [np.array([0, 3]), np.array([1]), np.array([2, 4])]
    rng = np.random.default_rng(1)
    mean, replicates, without = _mean_replicates(values, w, groups, n_resamples=50, rng=rng)
    assert mean == pytest.approx(np.average(values, weights=w))
    left = [np.delete(np.arange(5), group) for group in groups]
    assert without == pytest.approx([np.average(values[k], weights=w[k]) for k in left])
    assert replicates.min() >= values.min()
    assert replicates.max() <= values.max()
