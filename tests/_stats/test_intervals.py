"""Intervals equal the published and scipy's, stay in range and grow with the level."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._stats.intervals import (
    agresti_coull,
    clopper_pearson,
    garwood,
    jeffreys,
    mean_t,
    quantile_ranks,
    quantile_type_7,
    wilson_ends,
)
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import newcombe, wilson

PROPORTIONS = (wilson, agresti_coull, clopper_pearson, jeffreys)
LEVELS = st.floats(0.5, 0.999)


@pytest.mark.shared_data
def test_proportions_equal_the_intervals_of_r(shared):
    table = json.loads((shared / "oracles/proportion_intervals_95.json").read_text())["table"]
    names = {
        "wilson": wilson,
        "exact": clopper_pearson,
        "agresti-coull": agresti_coull,
        "bayes": jeffreys,
    }
    compared = 0
    for key, row in table.items():
        count, n = map(int, key.split("/"))
        for name, function in names.items():
            for ours, theirs in zip(function(count, n), row[name], strict=True):
                # R's "bayes" takes the shortest interval where it exists, ours has equal tails; and
                # R does not clip Agresti-Coull
                if name == "bayes" or math.isnan(theirs):
                    continue
                assert ours == pytest.approx(min(1, max(0, theirs)), abs=5e-8)
                compared += 1
    assert compared >= 30


def test_published_intervals_of_7_in_50():
    # METHODS §14, from R
    assert wilson(7, 50) == pytest.approx((0.069508, 0.261862), abs=5e-7)
    assert agresti_coull(7, 50) == pytest.approx((0.066374, 0.264996), abs=5e-7)
    assert clopper_pearson(7, 50) == pytest.approx((0.058192, 0.267396), abs=5e-7)
    assert jeffreys(7, 50) == pytest.approx((0.064872, 0.255325), abs=5e-7)


def test_published_difference_ratio_and_rate():
    # Newcombe 1998, table II (a); Garwood of METHODS §14 and §4.2
    assert newcombe(56, 70, 48, 80) == pytest.approx((0.052431, 0.333873), abs=5e-7)
    assert garwood(3, 120) == pytest.approx((0.00516, 0.0731), abs=5e-5)
    assert garwood(0, 1)[1] == pytest.approx(3.6889, abs=5e-5)


@pytest.mark.parametrize(("count", "n"), [(0, 10), (10, 10), (3, 10), (1, 1), (0, 1), (150, 1000)])
def test_wilson_and_clopper_pearson_equal_scipy(count, n):
    from scipy.stats import binomtest

    for name, function in (("wilson", wilson), ("exact", clopper_pearson)):
        theirs = binomtest(count, n).proportion_ci(0.9, method=name)
        assert function(count, n, level=0.9) == pytest.approx(tuple(theirs), abs=1e-10)


def test_garwood_equals_scipy_poisson_quantiles():
    from scipy.stats import chi2

    for count in (1, 4, 30, 1000):
        expected = chi2.ppf(0.025, 2 * count) / 2 / 7, chi2.ppf(0.975, 2 * count + 2) / 2 / 7
        assert garwood(count, 7) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("function", PROPORTIONS)
def test_an_empty_sample_has_no_interval(function):
    assert all(math.isnan(end) for end in function(0, 0))


def test_empty_samples_have_no_difference_ratio_rate_or_mean():
    for ends in (newcombe(0, 0, 1, 2), garwood(0, 0), mean_t(3.0, math.nan, 1)):
        assert all(math.isnan(end) for end in ends)


@pytest.mark.parametrize("function", PROPORTIONS)
@pytest.mark.parametrize(("count", "n"), [(-1, 5), (6, 5), (math.nan, 5), (1, math.inf), (0, -1)])
def test_impossible_counts_are_refused(function, count, n):
    with pytest.raises(InvalidValue, match=r"(count|n) must"):
        function(count, n)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, True, math.nan])
def test_a_level_is_a_fraction(level):
    with pytest.raises(InvalidValue, match="level"):
        wilson(1, 2, level=level)
    with pytest.raises(InvalidValue, match="level"):
        garwood(1, 2, level=level)


@st.composite
def counts(draw):
    n = draw(st.integers(1, 400))
    return draw(st.integers(0, n)), n


@pytest.mark.parametrize("function", PROPORTIONS)
@given(sample=counts(), level=LEVELS, more=LEVELS)
def test_a_proportion_lies_inside_its_interval_which_grows_with_the_level(
    function, sample, level, more
):
    count, n = sample
    narrow, wide = sorted((level, more))
    low, high = function(count, n, level=narrow)
    assert 0 <= low <= count / n + 1e-12
    assert count / n - 1e-12 <= high <= 1
    outer_low, outer_high = function(count, n, level=wide)
    assert outer_low <= low + 1e-12
    assert outer_high >= high - 1e-12


@pytest.mark.parametrize("function", PROPORTIONS)
@given(sample=counts())
def test_failures_mirror_successes(function, sample):
    count, n = sample
    low, high = function(count, n)
    assert function(n - count, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(first=counts(), second=counts())
def test_a_difference_turns_round_with_its_samples_and_stays_in_range(first, second):
    low, high = newcombe(*first, *second)
    assert newcombe(*second, *first) == pytest.approx((-high, -low), abs=1e-12)
    assert -1 - 1e-12 <= low <= high <= 1 + 1e-12


def test_median_of_20_lies_between_the_6th_and_the_15th():
    # METHODS §4.12: coverage .9586
    assert quantile_ranks(20, 0.5) == (6, 15)


@given(n=st.integers(1, 300), q=st.floats(0.01, 0.99), level=LEVELS)
def test_ranks_hold_their_level_and_are_the_tightest_that_do(n, q, level):
    from scipy.stats import binom

    low, high = quantile_ranks(n, q, level=level)
    tail = (1 - level) / 2
    assert binom.cdf(low - 1, n, q) <= tail * (1 + 1e-9)
    assert binom.sf(high - 1, n, q) <= tail * (1 + 1e-9)
    assert binom.cdf(low, n, q) > tail * (1 - 1e-9)
    assert binom.sf(high - 2, n, q) > tail * (1 - 1e-9)


def test_an_end_that_a_small_sample_cannot_bound_is_nan():
    value, low, high = quantile_type_7([1, 2, 3, 4, 5], 0.5)
    assert value == 3
    assert math.isnan(low)
    assert math.isnan(high)
    assert all(map(math.isnan, quantile_type_7([], 0.5)))


def test_the_quantile_is_that_of_numpy():
    values = np.random.default_rng(3).normal(size=101)
    assert quantile_type_7(values, 0.9)[0] == np.quantile(values, 0.9)


def test_the_mean_interval_equals_scipy():
    from scipy.stats import t

    assert mean_t(2.0, 3.0, 12, level=0.8) == pytest.approx(
        t.interval(0.8, 11, loc=2.0, scale=3.0 / math.sqrt(12)), rel=1e-12
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5))
def test_many_wilson_intervals_are_those_of_each_alone(counts):
    hits, n = np.array([(min(pair), max(pair)) for pair in counts], dtype=np.float64).T
    share = np.divide(hits, n, out=np.full(len(n), np.nan), where=n > 0)
    each = np.array([wilson(k, m, level=0.9) for k, m in zip(hits, n, strict=True)])
    assert np.stack(wilson_ends(share, n, level=0.9), axis=1) == pytest.approx(each, nan_ok=True)


def test_ranks_that_hold_their_level_exactly_are_taken():
    # both of two values lie above the median with probability 1/4, and below it with 1/4
    assert quantile_ranks(2, 0.5, level=0.5) == (1, 2)
    # and 1/8 of three, 4/16 of four at or below the first, 5/16 = 1 - 11/16 at or below the second
    assert quantile_ranks(3, 0.5, level=0.75) == (1, 3)
    assert quantile_ranks(4, 0.5, level=0.375) == (2, 3)
