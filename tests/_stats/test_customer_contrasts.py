"""Rates by customer, hand-offs within strata, conversion after a landmark."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import t

from cxjourney._stats.buckets import units_of_difference
from cxjourney._stats.customer_sums import CustomerSums, rate_difference, student_tail
from cxjourney._stats.landmark import Landmarks
from cxjourney._stats.stratified import stratified_difference


def independent(n: list[int], k: list[int], first: int = 0) -> CustomerSums:
    cell = np.repeat(np.arange(len(n)), n)
    event = np.concatenate([np.arange(a) < b for a, b in zip(n, k, strict=True)])
    return CustomerSums.of(cell, first + np.arange(len(cell)), event.astype(float), len(n))


def test_variance_without_one_customer() -> None:
    n, k = np.array([5, 2, 1, 12]), np.array([3, 1, 0, 2])
    customer = np.repeat(np.arange(4), n)
    event = np.concatenate([np.arange(a) < b for a, b in zip(n, k, strict=True)]).astype(float)
    sums = CustomerSums.of(np.zeros(20, dtype=int), customer, event, 1)
    assert sums.rate[0] == 0.3
    assert sums.variance[0] == pytest.approx(0.038057351, abs=1e-9)
    assert sums.units[0] == pytest.approx(2.298851, abs=1e-6)
    assert sums.largest_share[0] == 0.6
    nobody = independent([30], [0])
    assert nobody.variance[0] == 0
    assert nobody.floored[0] == pytest.approx((1 / 32) * (31 / 32) / 30)


def test_merged_cells_are_the_sums_of_the_union() -> None:
    rng = np.random.default_rng(1)
    cell, customer = rng.integers(0, 6, 500), rng.integers(0, 40, 500)
    event = (rng.random(500) < 0.4).astype(float)
    into = np.array([0, 1, 0, -1, 1, 0])
    merged = CustomerSums.of(cell, customer, event, 6).merged(into, 2)
    direct = CustomerSums.of(into[cell], customer, event, 2)
    for name in ("cell", "customer", "n", "k"):
        assert getattr(merged, name).tolist() == getattr(direct, name).tolist()


def test_difference_of_rates_rests_on_the_units_of_both_sides() -> None:
    rng = np.random.default_rng(5)
    sizes = [rng.integers(1, 9, people) for people in (7, 30)]
    sides = [
        CustomerSums.of(
            np.zeros(n.sum(), dtype=int),
            1_000 * i + np.repeat(np.arange(len(n)), n),
            (rng.random(n.sum()) < 0.2 + 0.3 * (i == 0)).astype(float),
            1,
        )
        for i, n in enumerate(sizes)
    ]
    difference, error, units, p = (float(x[0]) for x in rate_difference(*sides))
    apart = np.zeros((2, 37))
    apart[0, :7], apart[1, 7:] = sizes
    assert units == pytest.approx(float(units_of_difference(*apart)))
    assert units < 37
    one, other = sides
    assert difference == pytest.approx(one.events[0] / sizes[0].sum() - other.rate[0])
    assert error == pytest.approx(np.hypot(*(np.sqrt(side.floored[0]) for side in sides)))
    assert p == pytest.approx(float(t.sf(difference / error, units - 1)))
    # customers who come once: one unit each
    equal = independent([40], [10]), independent([40], [5], first=100)
    assert float(rate_difference(*equal)[2][0]) == pytest.approx(80)


def test_tail_needs_two_units() -> None:
    assert student_tail(np.array([2.0, 2.0, np.nan]), np.array([1.5, 1e9, 50.0])) == pytest.approx(
        [1.0, ndtr(-2), 1.0], abs=1e-6
    )


def test_handoff_within_strata() -> None:
    found = stratified_difference(
        independent([20, 10], [8, 2]), independent([80, 30], [16, 3], first=1_000)
    )
    assert found.weights == pytest.approx([0.680851, 0.319149], abs=1e-6)
    assert found.value == pytest.approx(0.168085, abs=1e-6)
    assert found.floor == pytest.approx(0.0070236, abs=1e-7)
    assert found.variance >= found.floor
    z = found.value / np.sqrt(found.floor)
    assert z == pytest.approx(2.005627, abs=2e-5)
    assert ndtr(-z) == pytest.approx(0.022448, abs=2e-5)


def test_handoff_of_few_customers_has_no_small_p() -> None:
    rng = np.random.default_rng(8)
    small = 0
    for _ in range(300):
        cell, customer = rng.integers(0, 3, 240), rng.integers(0, 100, 240)
        event = (rng.random(240) < 0.15).astype(float)
        arrived = rng.random(240) < 0.2
        found = stratified_difference(
            CustomerSums.of(cell[arrived], customer[arrived], event[arrived], 3),
            CustomerSums.of(cell[~arrived], customer[~arrived], event[~arrived], 3),
        )
        small += found.p < 0.01
    assert small <= 10  # 3 are to be expected; 11 or more has a probability of .0003


NAN = float("nan")
TIME = np.array([1, 3, NAN, 2, NAN, 5, NAN])
FOLLOWED = np.array([10, 10, 10, 2.5, 4, 6, 1])
CUSTOMER = np.array([0, 0, 1, 2, 3, 4, 4])


def test_curve_after_a_landmark() -> None:
    found = Landmarks.of(TIME, FOLLOWED, CUSTOMER, 4)
    value, influence = found.curve(np.ones(7, dtype=bool))
    assert value == pytest.approx(0.485714, abs=1e-6)
    expected = [0.073469, 0.090612, -0.080816, 0.090612, -0.080816, -0.080816, -0.012245]
    assert influence == pytest.approx(expected, abs=1e-6)
    u = np.bincount(CUSTOMER, influence)
    n = np.bincount(CUSTOMER)
    assert (u**2).sum() == pytest.approx(0.0568563, abs=1e-6)
    assert ((u / (1 - n / 7)) ** 2).sum() == pytest.approx(0.0986981, abs=1e-6)
    assert n.sum() ** 2 / (n**2).sum() == pytest.approx(4.454545, abs=1e-6)


def test_nobody_was_followed_to_the_end_of_the_window() -> None:
    value, _ = Landmarks.of(TIME, FOLLOWED, CUSTOMER, 20).curve(np.ones(7, dtype=bool))
    assert np.isnan(value)


def test_dropped_journeys_stay_at_risk_and_the_young_do_not_bias() -> None:
    rng = np.random.default_rng(9)
    n = 60_000
    time = np.where(rng.random(n) < 0.45, rng.exponential(6, n), np.inf)
    found = Landmarks.of(time, rng.uniform(0, 30, n), np.arange(n), 10)
    value, influence = found.curve(np.ones(n, dtype=bool))
    assert found.n_steps == 1_024
    assert value == pytest.approx(0.45 * (1 - np.exp(-10 / 6)), abs=0.008)
    assert abs(influence.sum()) < 1e-6
    assert np.sqrt((influence**2).sum()) == pytest.approx(0.0026, abs=0.0006)


def test_difference_of_two_groups_that_share_customers() -> None:
    rng = np.random.default_rng(10)
    z = []
    for _ in range(200):
        customer = rng.integers(0, 150, 600)
        often = rng.beta(2, 3, 150)[customer]
        time = np.where(rng.random(600) < often, rng.uniform(0, 8, 600), np.inf)
        found = Landmarks.of(time, rng.uniform(2, 20, 600), customer, 6)
        d = found.difference(rng.random(600) < 0.4)
        assert d.value == pytest.approx(d.first - d.second)
        z.append(d.value / np.sqrt(d.variance))
    assert 0.85 < np.std(z) < 1.15
