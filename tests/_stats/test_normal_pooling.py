from __future__ import annotations

import numpy as np
import pytest

from cxjourney._stats.normal_pooling import shrunken_effects, spread_of


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
