"""Shares, means and differences clustered by customer: what they reduce to, and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.journeys._samples import (
    Sample,
    compare_means,
    compare_shares,
    mean_interval,
    share_interval,
    share_intervals,
)
from cxjourney.metrics import newcombe, wilson

SEEDS = 200
ENOUGH = 182  # of 200; a true 95% falls below it in half a percent of runs


def sample(value, customer=None, weight=None) -> Sample:
    value = np.asarray(value, dtype=np.float64)
    return Sample(
        value=value,
        customer=np.arange(len(value)) if customer is None else np.asarray(customer),
        weight=np.ones(len(value)) if weight is None else np.asarray(weight, dtype=np.float64),
    )


def hits(k: int, n: int, start: int = 0) -> Sample:
    return sample([1.0] * k + [0.0] * (n - k), np.arange(n) + start)


counts = st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, counts)
def test_with_a_customer_a_journey_differences_are_newcombe(one, other):
    found = compare_shares(hits(*one), hits(*other, start=1000), level=0.95)
    low, high = newcombe(*one, *other)
    assert (found.low, found.high) == pytest.approx((max(-1, low), min(1, high)))


@given(counts)
def test_with_a_customer_a_journey_shares_are_wilson(count):
    k, n = count
    share, low, high = share_intervals(hits(k, n), np.zeros(n, dtype=np.int64), 1, level=0.9)
    assert share[0] == pytest.approx(k / n)
    assert (low[0], high[0]) == pytest.approx(wilson(k, n, level=0.9))
    assert share_interval(hits(k, n), level=0.9) == pytest.approx((share[0], low[0], high[0]))


def test_differences_of_means_are_welch():
    """Welch's interval by hand: scipy's own agrees."""
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 12), rng.normal(1, 3, 30)
    found = compare_means(sample(a), sample(b, np.arange(30) + 100), level=0.95)
    expected = ttest_ind(a, b, equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == pytest.approx((ends.low, ends.high, expected.pvalue))


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=2, max_size=12))
def test_a_weight_is_so_many_customers_alike(rows):
    value = [float(v) for v, _ in rows]
    weight = [w for _, w in rows]
    weighted = sample(value, weight=weight)
    plain = sample(np.repeat(value, weight))
    assert mean_interval(weighted, level=0.95) == pytest.approx(mean_interval(plain, level=0.95))
    cells = [np.zeros(len(s.value), dtype=np.int64) for s in (weighted, plain)]
    a, b = (
        share_intervals(s, c, 1, level=0.95) for s, c in zip((weighted, plain), cells, strict=True)
    )
    assert [float(x[0]) for x in a] == pytest.approx([float(x[0]) for x in b])


def test_copies_of_a_customers_journey_tell_nothing_new():
    once = sample([1, 0, 0, 1, 0, 1, 1, 1], range(8))
    thrice = sample(np.repeat(once.value, 3), np.repeat(once.customer, 3))
    one = mean_interval(once, level=0.95)
    assert mean_interval(thrice, level=0.95) == pytest.approx(one)


def test_customers_in_both_groups_bring_their_correlation():
    # the same customers, always better by 1 in the first group: nothing varies in the difference
    level = np.random.default_rng(0).normal(0, 5, 20)
    found = compare_means(sample(level + 1), sample(level), level=0.95)
    assert found.value == pytest.approx(1)
    assert math.isnan(found.low) or found.high - found.low < 1e-6


def groups(rng: np.random.Generator, *, both: bool) -> tuple[Sample, Sample, np.ndarray]:
    """Return journeys of 120 customers in two groups; a customer is in one of them, or in both."""
    n = rng.integers(1, 6, 120)
    customer = np.repeat(np.arange(120), n)
    liking = np.repeat(rng.normal(0, 0.15, 120), n)
    first = rng.random(len(customer)) < 0.5 if both else np.repeat(rng.random(120) < 0.5, n)
    chance = np.clip(0.5 + liking + 0.15 * first, 0, 1)
    won = (rng.random(len(customer)) < chance).astype(np.float64)
    score = 10 * liking + 2 * first + rng.normal(0, 1, len(customer))

    def where(values: np.ndarray, rows: np.ndarray) -> Sample:
        return sample(values[rows], customer[rows])

    return where(won, first), where(won, ~first), np.stack([score, customer, first])


@pytest.mark.parametrize("both", [True, False])
def test_intervals_of_differences_cover_the_truth(both):
    covered = {"share": 0, "mean": 0}
    for seed in range(SEEDS):
        one, other, rest = groups(np.random.default_rng(seed), both=both)
        share = compare_shares(one, other, level=0.95)
        covered["share"] += share.low <= 0.15 <= share.high
        score, customer, first = rest[0], rest[1].astype(np.int64), rest[2] > 0
        mean = compare_means(
            sample(score[first], customer[first]),
            sample(score[~first], customer[~first]),
            level=0.95,
        )
        covered["mean"] += mean.low <= 2 <= mean.high
    assert min(covered.values()) >= ENOUGH


def test_empty_groups_and_single_customers_have_no_interval():
    nobody = sample([])
    some = sample([1.0, 0.0], [3, 4])
    for compare in (compare_shares, compare_means):
        assert math.isnan(compare(nobody, some, level=0.95).low)
        assert math.isnan(compare(some, nobody, level=0.95).value)
    assert math.isnan(compare_means(sample([1.0, 2.0], [7, 7]), some, level=0.95).low)
    assert math.isnan(mean_interval(nobody, level=0.95)[0])
