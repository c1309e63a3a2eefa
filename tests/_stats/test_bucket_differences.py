"""Differences of shares and of means over buckets of customers: by hand, and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

from cxjourney._stats.buckets import (
    BucketFigures,
    bucket_of,
    difference_of_means,
    difference_of_shares,
)
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.units import Units

SEEDS = 200
ENOUGH = 182  # of 200; a true 95% falls below it in half a percent of runs


def figures(values, bucket):
    return mean_figures(np.asarray(values, dtype=float), Units.of_buckets(np.asarray(bucket)))


def test_a_difference_of_means_is_the_jackknife_of_the_difference():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 40), rng.normal(1, 3, 90)
    in_a, in_b = rng.integers(0, 12, 40), rng.integers(5, 20, 90)
    buckets = sorted({*in_a.tolist(), *in_b.tolist()})
    whole = a.mean() - b.mean()
    parts = [a[in_a != g].mean() - b[in_b != g].mean() - whole for g in buckets]
    error = math.sqrt((len(buckets) - 1) / len(buckets) * sum(x * x for x in parts))
    sizes = [np.sum(in_a == g) / 40**2 + np.sum(in_b == g) / 90**2 for g in buckets]
    freedom = sum(sizes) ** 2 / sum(x * x for x in sizes) - 1
    half = student.ppf(0.95, freedom) * error
    (low,), (high,), (p,) = difference_of_means(figures(a, in_a), figures(b, in_b), level=0.9)
    assert (low, high) == pytest.approx((whole - half, whole + half))
    assert p == pytest.approx(2 * student.sf(abs(whole) / error, freedom))


def test_customers_in_both_groups_bring_their_correlation():
    # the same customers, always better by 1 in the first group: nothing varies in the difference
    values = np.random.default_rng(0).normal(0, 5, 20)
    one, other = figures(values + 1, np.arange(20)), figures(values, np.arange(20))
    (low,), (high,), _ = difference_of_means(one, other, level=0.95)
    assert math.isnan(low) or high - low < 1e-6


def test_copies_of_a_customers_journey_tell_nothing_new():
    values, bucket = np.array([1.0, 0, 0, 1, 0, 1, 1, 1]), np.arange(8)
    for method in ("student", "wilson"):
        once = getattr(figures(values, bucket), method)(0.95)
        thrice = getattr(figures(np.repeat(values, 3), np.repeat(bucket, 3)), method)(0.95)
        assert np.ravel(once) == pytest.approx(np.ravel(thrice))


def test_empty_groups_and_single_customers_have_no_interval():
    nobody, some = figures([], []), figures([1.0, 0.0, 1.0, 0.0], [3, 4, 5, 6])
    single = figures([1.0, 2.0, 0.0], [7, 7, 7])
    for difference in (difference_of_shares, difference_of_means):
        for one, other in ((nobody, some), (some, nobody), (single, some), (some, single)):
            assert np.isnan(difference(one, other, level=0.95)).all()
    two, many = figures([1.0, 2.0], [0, 1]), figures(np.arange(40.0), np.arange(40) // 2)
    for difference in (difference_of_shares, difference_of_means):
        assert np.isnan(difference(many, two, level=0.95)).all()
    same = figures([2.0, 2.0, 2.0], [0, 1, 2])  # nothing varies
    assert np.isnan(difference_of_means(same, same, level=0.95)).all()


def groups(rng: np.random.Generator, *, both: bool):
    """Return journeys of 120 customers in two groups; a customer is in one of them, or in both."""
    n = rng.integers(1, 6, 120)
    customer = np.repeat(np.arange(120), n)
    liking = np.repeat(rng.normal(0, 0.15, 120), n)
    first = rng.random(len(customer)) < 0.5 if both else np.repeat(rng.random(120) < 0.5, n)
    chance = np.clip(0.5 + liking + 0.15 * first, 0, 1)
    won = (rng.random(len(customer)) < chance).astype(float)
    score = 10 * liking + 2 * first + rng.normal(0, 1, len(customer))
    bucket = bucket_of([f"c{i}" for i in range(120)])[customer]
    return [
        tuple(figures(values[rows], bucket[rows]) for rows in (first, ~first))
        for values in (won, score)
    ]


@pytest.mark.parametrize("both", [True, False])
def test_intervals_of_differences_cover_the_truth(both):
    covered = {"share": 0, "mean": 0}
    for seed in range(SEEDS):
        shares, means = groups(np.random.default_rng(seed), both=both)
        low, high, _ = difference_of_shares(*shares, level=0.95)
        covered["share"] += bool(low[0] <= 0.15 <= high[0])
        low, high, _ = difference_of_means(*means, level=0.95)
        covered["mean"] += bool(low[0] <= 2 <= high[0])
    assert min(covered.values()) >= ENOUGH


def apart(hits_of_groups):
    """Return the share of each group, whose customers, of one trial each, are buckets."""
    sizes = [len(hits) for hits in hits_of_groups]
    figures = []
    for place, hits in enumerate(hits_of_groups):
        whole = np.array([hits.mean()])
        without = np.repeat(whole[None], sum(sizes), axis=0)
        units = np.zeros((sum(sizes), 1))
        rows = slice(sum(sizes[:place]), sum(sizes[: place + 1]))
        without[rows, 0] = (hits.sum() - hits) / (len(hits) - 1)
        units[rows] = 1
        figures.append(BucketFigures(whole=whole, without=without, units=units))
    return figures


def test_the_pooled_share_weighs_groups_by_their_effective_trials():
    # 30 of 60 against 28 of 140: without customer i a share moves by (p - y_i) / (n - 1), so that
    # the variance is 199/200 · n p (1 - p) / (n - 1)², as of 200/199 · (n - 1)² / n trials
    one, other = apart([np.repeat([1.0, 0.0], 30), np.repeat([1.0, 0.0], [28, 112])])
    m1, m2 = 200 / 199 * 59**2 / 60, 200 / 199 * 139**2 / 140
    pooled = (m1 * 0.5 + m2 * 0.2) / (m1 + m2)
    t = 0.3 / math.sqrt(pooled * (1 - pooled) * (1 / m1 + 1 / m2))
    parts = np.repeat([1 / 60**2, 1 / 140**2], [60, 140])
    freedom = parts.sum() ** 2 / (parts**2).sum() - 1
    p = difference_of_shares(one, other, level=0.95)[2]
    assert p[0] == pytest.approx(2 * student.sf(t, freedom), rel=1e-9)


def test_a_mean_of_fewer_than_three_customers_or_so_has_no_difference():
    few, many = figures([1, 2, 4, 5], [0, 0, 1, 1]), figures([1, 2, 5, 3, 4], [0, 1, 2, 3, 4])
    assert few.effective == 2
    assert np.isnan(difference_of_means(few, many, level=0.95)).all()
    assert np.isnan(difference_of_means(many, few, level=0.95)).all()
    assert np.isnan(difference_of_shares(few, many, level=0.95)).all()
    assert np.isfinite(difference_of_means(many, many.map(lambda m: m * m), level=0.95)).all()
