"""Rates among others of their sort: contrast with peers, prediction, covariance by customer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtr

from cxjourney._stats.customer_sums import CustomerSums
from cxjourney._stats.predictive import (
    common_shift,
    contrast_with_peers,
    logit_covariance,
    logits,
    nearness,
    unusual,
)


def sums_of(n: list[int], k: list[int]) -> CustomerSums:
    """Return the sums of customers who come once each."""
    cell = np.repeat(np.arange(len(n)), n)
    event = np.concatenate([np.arange(a) < b for a, b in zip(n, k, strict=True)])
    return CustomerSums.of(cell, np.arange(len(cell)), event.astype(float), len(n))


def test_five_touchpoints_one_of_them_high() -> None:
    sums = sums_of([100] * 5, [30, 33, 28, 31, 55])
    y = logits(sums)
    assert y == pytest.approx([-0.837886, -0.700582, -0.933682, -0.791339, 0.198671], abs=1e-6)
    rate = (sums.events + 0.5) / 101
    variance = 1 / (101 * rate * (1 - rate))
    assert variance == pytest.approx([0.046971, 0.044666, 0.048881, 0.046135, 0.039996], abs=1e-6)
    found = unusual(y, np.diag(variance), np.ones((5, 1)), np.full(5, 1e9))
    p, z = found.p, found.z
    assert z[4] == pytest.approx(4.452134, abs=1e-5)
    assert ndtr(-z[4]) == pytest.approx(4.251e-6, rel=1e-3)
    assert p[:4] == pytest.approx([0.740, 0.604, 0.819, 0.697], abs=1e-3)
    assert p[4] == pytest.approx(0.001511, abs=1e-6)


def test_deletion_residual_is_the_distance_from_a_prediction_without_it() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=(9, 9))
    covariance, y = a @ a.T / 9 + np.eye(9), rng.normal(size=9)
    design = np.column_stack([np.ones(9), rng.normal(size=9)])
    z = unusual(y, covariance, design, np.full(9, 50.0)).z
    rest = np.arange(8)
    inverse = np.linalg.inv(covariance[np.ix_(rest, rest)])
    inner = np.linalg.inv(design[rest].T @ inverse @ design[rest])
    beta = inner @ design[rest].T @ inverse @ y[rest]
    toward = covariance[8, rest] @ inverse
    predicted = design[8] @ beta + toward @ (y[rest] - design[rest] @ beta)
    gap = design[8] - toward @ design[rest]
    spread = covariance[8, 8] - toward @ covariance[rest, 8] + gap @ inner @ gap
    assert z[8] == pytest.approx((y[8] - predicted) / np.sqrt(spread))


def test_contrast_is_the_jackknife_of_the_difference() -> None:
    rng = np.random.default_rng(4)
    cell, customer = rng.integers(0, 4, 300), rng.integers(0, 25, 300)
    event = (rng.random(300) < 0.3).astype(float)
    found = contrast_with_peers(CustomerSums.of(cell, customer, event, 4), np.array([0, 0, 0, -1]))
    assert np.isnan(found.difference[3])
    assert found.p[3] == 1

    def difference(keep: np.ndarray) -> float:
        own, peers = keep & (cell == 1), keep & ((cell == 0) | (cell == 2))
        return float(event[own].mean() - event[peers].mean())

    whole = difference(np.ones(300, dtype=bool))
    without = np.array([difference(customer != c) for c in range(25)])
    assert found.difference[1] == pytest.approx(whole)
    assert found.variance[1] == pytest.approx(24 / 25 * ((without - whole) ** 2).sum())


def test_contrast_has_a_floor_where_nothing_varies() -> None:
    found = contrast_with_peers(sums_of([50, 50, 50], [0, 0, 0]), np.zeros(3, dtype=int))
    assert found.difference.tolist() == [0, 0, 0]
    rate = 0.5 / 51
    assert found.variance == pytest.approx(np.full(3, rate * (1 - rate) / 51))


def frail_rates(
    rng: np.random.Generator, people: int, k: int, visits: int
) -> tuple[CustomerSums, np.ndarray]:
    customer = np.repeat(np.arange(people), visits)
    cell = rng.integers(0, k, len(customer))
    frail = rng.normal(0, 0.7, people)[customer]
    event = (rng.random(len(customer)) < expit(-1 + frail)).astype(float)
    sums = CustomerSums.of(cell, customer, event, k)
    return sums, logits(sums)


def test_covariance_of_few_units_can_be_inverted_and_of_many_is_that_of_customers() -> None:
    rng = np.random.default_rng(6)
    many, _ = frail_rates(rng, 2_000, 6, 6)
    covariance = logit_covariance(many)
    off = covariance[~np.eye(6, dtype=bool)]
    assert np.all(off > 0)  # frail customers push all the same way
    assert len(np.unique(off.round(9))) == 15
    few, _ = frail_rates(rng, 40, 60, 200)
    covariance = logit_covariance(few)
    assert np.linalg.eigvalsh(covariance).min() > 0
    scale = np.sqrt(np.diag(covariance))
    alike = (covariance / scale / scale[:, None])[~np.eye(60, dtype=bool)]
    assert np.ptp(alike) < 0.2  # one correlation, but for cells at their floor


@pytest.mark.parametrize(("people", "k", "visits"), [(25, 12, 200), (25, 60, 400), (64, 80, 200)])
def test_few_customers_and_many_touchpoints_give_no_false_finding(
    people: int, k: int, visits: int
) -> None:
    rng = np.random.default_rng(people + k)
    logs = 40
    false = 0
    for _ in range(logs):
        sums, y = frail_rates(rng, people, k, visits)
        p = unusual(y, logit_covariance(sums), np.ones((k, 1)), sums.units).p
        false += bool(p.min() * k <= 0.05)
    assert false <= 6  # 5 % of 40 is 2; 7 or more has a probability of .003


def test_nearness_counts_its_own_error() -> None:
    rng = np.random.default_rng(7)
    k, n = 40, 4_000
    goal = rng.uniform(0.2, 0.8, k)
    x = np.log(goal / (1 - goal))
    error = 0.3
    seen = expit(x + rng.normal(0, error, k))
    y = -1 - 0.8 * x + rng.normal(0, 0.05, k)
    s = np.full(k, 1 / (n * 0.2))
    variance = (error * goal * (1 - goal)) ** 2
    plain, design = nearness(y, np.diag(s), seen, np.zeros(k))
    covariance, _ = nearness(y, np.diag(s), seen, variance)
    assert plain == pytest.approx(np.diag(s))
    assert design[:, 1] == pytest.approx(np.log(seen / (1 - seen)))
    slope = np.sqrt((np.diag(covariance) - s) / (variance / (seen * (1 - seen)) ** 2))
    assert slope == pytest.approx(np.full(k, slope[0]))
    assert 0.4 < slope[0] < 0.9


def test_shift_that_all_touchpoints_share() -> None:
    rng = np.random.default_rng(17)
    y, variance = 0.4 + rng.normal(0, 0.1, 30), np.full(30, 0.01)
    mean, p = common_shift(y, np.diag(variance), 200.0)
    assert mean == pytest.approx(y.mean(), abs=1e-9)
    assert p < 1e-6
    lone = rng.normal(0, 0.1, 30)
    lone[4] += 1.5
    assert common_shift(lone - lone.mean(), np.diag(variance), 200.0)[1] == pytest.approx(0.5)
