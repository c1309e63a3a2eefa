from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cxjourney._stats.normal_pooling import (
    Spread,
    shrunken_effects,
    smoothed_variance,
    spread_of,
    tau_interval,
    tau_of,
)


def test_spread_between_three_channels():
    # METHODS 7.6: (4.2 ± .1, 3.6 ± .15, 4.5 ± .2) gives τ = .385 and I² = .876
    spread = spread_of(np.array([4.2, 3.6, 4.5]), np.array([0.1, 0.15, 0.2]) ** 2)
    assert spread.tau == pytest.approx(0.385, abs=5e-4)
    assert spread.i2 == pytest.approx(0.876, abs=5e-4)


def test_values_closer_than_their_errors_have_no_spread():
    values, variances = np.array([1.0, 1.1, 0.9]), np.full(3, 1.0)
    spread = spread_of(values, variances)
    assert (spread.tau, spread.i2) == (0, 0)
    assert shrunken_effects(values, variances, spread) == pytest.approx(np.full(3, 1.0))


def test_one_value_has_no_spread_and_keeps_its_value():
    values, variances = np.array([2.0, np.nan]), np.array([0.1, np.nan])
    spread = spread_of(values, variances)
    assert np.isnan(spread.tau)
    assert shrunken_effects(values, variances, spread) == pytest.approx([2.0, np.nan], nan_ok=True)


def test_the_less_is_known_of_a_value_the_more_it_is_drawn_to_the_mean():
    values, variances = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.01, 0.01, 0.01, 0.5])
    drawn = shrunken_effects(values, variances, spread_of(values, variances))
    assert drawn[3] < drawn[2] < 1


def test_the_ends_of_tau_solve_q_where_all_errors_are_alike():
    # Q(τ²) = Σ (y - 3)² / (.5 + τ²) = 40 / (.5 + τ²), a χ² with 4 degrees of freedom
    values, variances = np.array([-1.0, 1.0, 3.0, 5.0, 7.0]), np.full(5, 0.5)
    expected = [math.sqrt(40 / stats.chi2.ppf(p, 4) - 0.5) for p in (0.975, 0.025)]
    assert tau_interval(values, variances, level=0.95) == pytest.approx(expected)
    assert tau_interval(np.full(5, 2.0), variances, level=0.95) == (0, 0)


def test_one_hit_and_one_miss_make_every_variance_positive():
    # none of 8: (0 + 1) / (8 + 2) = .1, and .1 · .9 / 8; half of 2: .5 · .5 / 2
    found = smoothed_variance(np.array([0.0, 0.5]), np.array([8.0, 2.0]))
    assert found == pytest.approx([0.09 / 8, 0.125])


def test_an_effect_is_drawn_by_its_share_of_the_variance_and_one_of_unknown_error_wholly():
    spread = Spread(mean=1.0, tau=2.0, i2=0.5, q=3.0, n=3)
    drawn = shrunken_effects(np.array([4.0, 4.0, 9.0]), np.array([12.0, 0.0, np.nan]), spread)
    # 4 / (4 + 12) of the way; all of it where nothing errs; the mean where the error is not known
    assert drawn == pytest.approx([1.75, 4.0, 1.0])


def test_a_share_of_none_has_a_variance():
    # one hit and one miss more: 1 of 10, and 5 of 10
    found = smoothed_variance(np.array([0.0, 0.5]), np.array([8.0, 8.0]))
    assert found == pytest.approx([0.1 * 0.9 / 8, 0.5 * 0.5 / 8])


def test_the_interval_of_tau_solves_the_q_profile():
    # with equal variances v, Q(τ²) is Σ (y - ȳ)² / (v + τ²), and has K - 1 degrees of freedom
    values = np.array([1.0, 2.0, 4.0, 8.0])
    low, high = tau_interval(values, np.full(4, 0.25), level=0.9)
    square = np.sum((values - values.mean()) ** 2)
    expected = [np.sqrt(square / stats.chi2.ppf(p, 3) - 0.25) for p in (0.95, 0.05)]
    assert (low, high) == pytest.approx(expected)


def test_tau_lies_within_its_interval_where_moments_would_leave_it():
    # errors of very unequal size: the moments of DerSimonian and Laird are ruled by the sure ones
    rng = np.random.default_rng(0)
    left = 0
    for _ in range(300):
        variances = 10.0 ** rng.uniform(-3, 1, 6)
        values = rng.normal(0, np.sqrt(variances + 0.3))
        low, high = tau_interval(values, variances, level=0.8)
        assert low <= tau_of(values, variances) <= high
        left += not low <= spread_of(values, variances).tau <= high
    assert left  # which is why


def test_tau_is_where_q_is_what_chance_alone_would_make_it():
    # Σ (y - 3)² / (.5 + τ²) = 40 / (.5 + τ²) is K - 1 = 4
    values, variances = np.array([-1.0, 1.0, 3.0, 5.0, 7.0]), np.full(5, 0.5)
    assert tau_of(values, variances) == pytest.approx(math.sqrt(9.5))
    assert tau_of(np.full(5, 2.0), variances) == 0
    assert math.isnan(tau_of(values[:1], variances[:1]))
