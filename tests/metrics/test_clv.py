from __future__ import annotations

import math
from datetime import timedelta

import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import clv_constant, clv_curve, kaplan_meier, proportion

MONTH = timedelta(days=30)


def geometric(lives, end):
    """Return stays whose survival is exactly 1/2, 1/4, 1/8 … after each month."""
    stays = [m for m in range(1, end + 1) for _ in range(lives >> m)]
    stays += [end + 1] * (lives - len(stays))
    return kaplan_meier([m * MONTH for m in stays], [m <= end for m in stays])


def test_constant_retention_has_the_textbook_value():
    assert clv_constant(100, 0.8, 0.1).value == pytest.approx(100 * 0.8 / 0.3)
    assert clv_constant(100, 0.8, 0.1, first_margin="now").value == pytest.approx(110 / 0.3)


@pytest.mark.parametrize("first", ["now", "end"])
@pytest.mark.parametrize("discount", [0.0, 0.1])
def test_a_finite_horizon_is_the_partial_sum(first, discount):
    start = 0 if first == "now" else 1
    want = sum(20 * (0.9 / (1 + discount)) ** t for t in range(start, start + 7))
    got = clv_constant(20, 0.9, discount, first_margin=first, periods=7)
    assert got.value == pytest.approx(want)


def test_nobody_leaves_and_nothing_is_discounted():
    assert clv_constant(10, 1.0, 0.0, periods=5).value == 50
    with pytest.raises(InvalidValue, match="below 1 \\+ discount"):
        clv_constant(10, 1.0, 0.0)
    assert clv_constant(10, 0.0, 0.1).value == 0


def test_an_estimated_retention_brings_its_interval():
    rate = proportion(80, 100)
    got = clv_constant(100, rate, 0.1)
    assert got.low == pytest.approx(clv_constant(100, rate.low, 0.1).value)
    assert got.high == pytest.approx(clv_constant(100, rate.high, 0.1).value)
    assert got.n == 100
    loss = clv_constant(-100, rate, 0.1)
    assert loss.low < loss.value < loss.high


def test_an_unknown_end_of_the_interval_stays_unknown():
    assert math.isnan(clv_constant(100, 0.8, 0.1).low)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retention": 1.2}, "retention must be a fraction"),
        ({"discount": -1.0}, "discount must be finite and above -1"),
        ({"periods": 0}, "periods must be a whole number from 1"),
        ({"first_margin": "later"}, "first_margin"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(InvalidValue, match=message):
        clv_constant(**{"margin": 1, "retention": 0.5, "discount": 0.1, **options})


def test_a_geometric_curve_is_constant_retention():
    curve = geometric(64, 5)
    for first in ("now", "end"):
        got = clv_curve(curve, 10, 0.02, period=MONTH, periods=5, first_margin=first)
        want = clv_constant(10, 0.5, 0.02, periods=5, first_margin=first)
        assert got.value == pytest.approx(want.value)
        assert got.low < got.value < got.high


def test_a_mixed_base_is_worth_more_than_its_first_rate_says():
    fickle, loyal = [1] * 50, [12] * 50
    curve = kaplan_meier([m * MONTH for m in fickle + loyal], [True] * 50 + [False] * 50)
    mixed = clv_curve(curve, 10, 0.0, period=MONTH, periods=12)
    one_rate = clv_constant(10, 0.5, 0.0, periods=12)
    assert mixed.value == pytest.approx(60)
    assert one_rate.value < 10


def test_a_curve_that_ends_too_early_has_no_value():
    got = clv_curve(geometric(64, 3), 10, 0.0, period=MONTH, periods=9)
    assert math.isnan(got.value)
    assert got.notes == ("The time lies beyond the longest observation.",)
    assert math.isnan(clv_curve(kaplan_meier([], []), 1, 0.1, period=MONTH, periods=2).value)
