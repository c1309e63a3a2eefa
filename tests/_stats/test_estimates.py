"""Estimates over buckets of customers: what they say where nothing varies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cxjourney._stats.estimates import mean_estimate, ratio_ends
from cxjourney._stats.units import Units

CARD = {"level": 0.95, "name": "x", "definition": "y", "unit": "z"}


@pytest.mark.parametrize("value", [4.0, 0.1, 0.0])
def test_a_mean_without_variation_has_no_interval(value):
    found = mean_estimate(np.full(9, value), Units.of_customers(np.arange(9) // 2), **CARD)
    assert found.value == pytest.approx(value)
    assert math.isnan(found.low)
    assert any("Nothing varies" in note for note in found.notes)


def test_shares_without_variation_keep_a_width():
    units = Units.of_customers(np.arange(9))
    found = mean_estimate(np.ones(9), units, of_shares=True, **CARD)
    assert 0.5 < found.low < found.high == 1
    low, high, method, _ = ratio_ends(np.full(9, 2.0), np.full(9, 2.0), 0.95, of_shares=True)
    assert (low, high) == pytest.approx((found.low, found.high))
    assert method.startswith("Wilson")


def test_amounts_that_one_row_makes_alone_stay_above_nothing():
    low, high, method, _ = ratio_ends(np.array([0.0, 0, 0, 90]), np.ones(4), 0.95)
    assert method == "Student"  # without that row nothing is left to take a logarithm of
    assert low == 0
    assert high > 90
