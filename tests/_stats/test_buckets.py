"""The variance over buckets, against sums written out by hand and published intervals."""

from __future__ import annotations

import math
from hashlib import md5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxjourney._stats.buckets import (
    BucketFigures,
    bucket_of,
    covariance,
    difference_of_shares,
    effective_units,
    split_weights,
    units_of_difference,
)
from cxjourney._stats.intervals import newcombe, wilson
from cxjourney._stats.ratios import (
    mean_figures,
    ratio_figures,
    ratio_of_sums,
    share_of_total_figures,
    shares,
)
from cxjourney._stats.units import Units

Y = np.array([2.0, 0.0, 5.0, 1.0, 4.0])
N = np.array([10.0, 4.0, 11.0, 2.0, 13.0])


def left_one_out(y, n):
    """Var of Σ y / Σ n, written out: (G - 1)/G times the squares of what each unit changes."""
    whole = sum(y) / sum(n)
    g = len(y)
    squares = [((sum(y) - y[i]) / (sum(n) - n[i]) - whole) ** 2 for i in range(g)]
    return whole, (g - 1) / g * sum(squares)


def test_the_variance_is_that_of_leaving_one_out():
    whole, variance = left_one_out(Y, N)
    found = ratio_of_sums(Y[:, None], N[:, None])
    assert found.whole[0] == pytest.approx(whole, rel=1e-14)
    assert found.variance[0] == pytest.approx(variance, rel=1e-12)


def test_degrees_of_freedom_are_the_effective_units_less_one():
    # (10 + 4 + 11 + 2 + 13)² / (100 + 16 + 121 + 4 + 169) = 1600 / 410
    found = ratio_of_sums(Y[:, None], N[:, None])
    assert found.effective[0] == pytest.approx(1600 / 410)
    assert found.freedom[0] == pytest.approx(1600 / 410 - 1)


def test_student_and_wilson_take_that_quantile():
    found = ratio_of_sums(Y[:, None], N[:, None])
    p, variance = left_one_out(Y, N)
    t = stats.t.ppf(0.95, 1600 / 410 - 1)
    low, high = found.student(0.9)
    assert low[0] == pytest.approx(p - t * math.sqrt(variance))
    assert high[0] == pytest.approx(p + t * math.sqrt(variance))
    # Wilson: the p₀ at which (p - p₀)² = t² p₀ (1 - p₀) / n
    n = p * (1 - p) / variance
    low, high = found.wilson(0.9)
    for end in (low[0], high[0]):
        assert (p - end) ** 2 == pytest.approx(t * t * end * (1 - end) / n)
    assert low[0] < p < high[0]


def test_positive_figures_have_their_interval_on_the_scale_of_logarithms():
    found = ratio_of_sums(N[:, None], Y[:, None] + 1)
    logs = np.log(found.whole), np.log(found.without)
    g = len(N)
    variance = (g - 1) / g * ((logs[1] - logs[0]) ** 2).sum()
    t = stats.t.ppf(0.975, float(effective_units(Y + 1)) - 1)
    low, high = found.positive(0.95)
    assert np.log(low) == pytest.approx(logs[0] - t * math.sqrt(variance))
    assert np.log(high) == pytest.approx(logs[0] + t * math.sqrt(variance))


def test_a_bucket_without_anything_of_the_figure_takes_no_part():
    y, n = np.append(Y, [0.0, 0.0]), np.append(N, [0.0, 0.0])
    with_empty = ratio_of_sums(y[:, None], n[:, None])
    assert with_empty.variance == pytest.approx(left_one_out(Y, N)[1])
    assert with_empty.freedom == pytest.approx(1600 / 410 - 1)


def test_fewer_than_three_effective_units_have_no_interval():
    y, n = np.array([1.0, 0.0, 3.0]), np.array([2.0, 1.0, 40.0])
    found = ratio_of_sums(y[:, None], n[:, None])
    assert found.effective[0] == pytest.approx(43**2 / 1605)
    assert np.isnan(found.variance[0])
    assert np.isnan(found.wilson(0.95)).all()
    just = ratio_of_sums(np.array([[1.0], [0.0], [1.0]]), np.ones((3, 1)))
    assert just.effective[0] == pytest.approx(3)
    assert just.variance[0] > 0


def test_a_figure_that_is_undefined_without_a_bucket_has_no_interval():
    found = BucketFigures(whole=np.array([0.5]), without=np.array([[0.4], [np.nan], [0.6], [0.5]]))
    assert np.isnan(found.variance[0])


def test_where_all_agree_the_effective_units_are_the_trials():
    nobody = ratio_of_sums(np.zeros((6, 1)), N[[0, 1, 2, 3, 4, 0]][:, None])
    g = float(effective_units(N[[0, 1, 2, 3, 4, 0]]))
    t = stats.t.ppf(0.975, g - 1)
    low, high = nobody.wilson(0.95)
    assert low[0] == 0
    assert high[0] == pytest.approx(t * t / (g + t * t))  # Wilson's end of none in g
    everybody = ratio_of_sums(np.full((6, 1), 4.0), np.full((6, 1), 4.0))
    low, high = everybody.wilson(0.95)
    t = stats.t.ppf(0.975, 5)
    assert high[0] == 1
    assert low[0] == pytest.approx(6 / (6 + t * t))


def test_independent_trials_in_many_buckets_give_wilsons_interval():
    rng = np.random.default_rng(3)
    hit = rng.random(64_000) < 0.3
    units = Units.of_buckets(np.arange(64_000) % 64)
    found = mean_figures(hit.astype(float), units)
    low, high = found.wilson(0.95)
    exact = wilson(int(hit.sum()), 64_000)
    # 9 % noise of a standard error from 64 buckets, and t instead of z
    assert (high[0] - low[0]) == pytest.approx(exact[1] - exact[0], rel=0.3)


def test_the_p_value_is_students():
    found = ratio_of_sums(Y[:, None], N[:, None])
    t = (found.whole[0] - 0.1) / math.sqrt(left_one_out(Y, N)[1])
    expected = 2 * stats.t.sf(abs(t), 1600 / 410 - 1)
    assert found.p_value(0.1)[0] == pytest.approx(expected)


def test_a_function_of_figures_is_applied_without_each_bucket_too():
    found = ratio_of_sums(Y[:, None], N[:, None]).map(lambda p: p * p)
    g = len(Y)
    whole = (Y.sum() / N.sum()) ** 2
    without = ((Y.sum() - Y) / (N.sum() - N)) ** 2
    assert found.variance[0] == pytest.approx((g - 1) / g * ((without - whole) ** 2).sum())


# ------------------------------------------------------------------ differences


def test_two_groups_without_shared_buckets_have_newcombes_interval():
    # hits and trials of independent customers, one trial each: as plain binomial samples
    one = ratio_of_sums(np.r_[np.ones(30), np.zeros(70)][:, None], np.ones((100, 1)))
    y = np.r_[np.ones(45), np.zeros(55)]
    empty = np.zeros(100)
    a = BucketFigures(
        whole=one.whole,
        without=np.r_[one.without, np.repeat(one.whole[None], 100, axis=0)],
        units=np.r_[one.units, empty[:, None]],
    )
    other = ratio_of_sums(y[:, None], np.ones((100, 1)))
    b = BucketFigures(
        whole=other.whole,
        without=np.r_[np.repeat(other.whole[None], 100, axis=0), other.without],
        units=np.r_[empty[:, None], other.units],
    )
    low, high, p = difference_of_shares(a, b, level=0.95)
    # the jackknife of a mean of n trials has p (1 - p) / (n - 1), and t has many degrees of freedom
    expected = newcombe(30 * 99 / 100, 99, 45 * 99 / 100, 99)
    assert low[0] == pytest.approx(expected[0], abs=0.003)
    assert high[0] == pytest.approx(expected[1], abs=0.003)
    pooled = 0.375
    z = 0.15 / math.sqrt(pooled * (1 - pooled) * 2 / 99)
    assert p[0] == pytest.approx(2 * stats.t.sf(z, 199), rel=0.02)


def test_shares_of_the_same_customers_are_paired():
    y = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 2.0])
    n = np.full(6, 10.0)
    one, other = ratio_of_sums(y[:, None], n[:, None]), ratio_of_sums(y[:, None] + 1, n[:, None])
    low, high, _ = difference_of_shares(one, other, level=0.95)
    # both move alike from customer to customer: the difference is known far better
    apart = math.hypot(*(float(f.wilson(0.95)[1][0] - f.whole[0]) for f in (one, other)))
    assert high[0] - low[0] < apart
    there = np.ones((6, 1), dtype=bool)
    assert covariance(one, other, there)[0] == pytest.approx(float(one.variance[0]))


def test_the_units_of_a_difference_weigh_both_sides():
    one, other = np.array([4.0, 4.0, 0.0, 0.0]), np.array([0.0, 0.0, 2.0, 2.0])
    # n / N²: 4/64, 4/64, 2/16, 2/16
    parts = np.array([1 / 16, 1 / 16, 1 / 8, 1 / 8])
    expected = parts.sum() ** 2 / (parts**2).sum()
    assert units_of_difference(one, other) == pytest.approx(expected)


# ------------------------------------------------------------------ buckets and units


def test_a_bucket_is_the_first_six_bits_of_the_digest_of_the_id():
    ids = [f"käufer-{i}" for i in range(200)]
    expected = [
        int.from_bytes(md5(name.encode()).digest()[:8], "big") >> 58  # noqa: S324 - no secret
        for name in ids
    ]
    assert bucket_of(ids).tolist() == expected


def test_a_few_customers_have_a_bucket_each_whatever_their_order():
    ids = [f"c{i}" for i in range(64)]
    found = dict(zip(ids, bucket_of(ids).tolist(), strict=True))
    assert sorted(found.values()) == list(range(64))
    again = bucket_of(ids[::-1]).tolist()
    assert dict(zip(ids[::-1], again, strict=True)) == found


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=5))
def test_weights_are_dealt_whole_and_alike_every_time(weights):
    names = [f"path {i}" for i in range(len(weights))]
    split = split_weights(names, np.array(weights))
    assert split.sum(axis=1).tolist() == weights
    assert (split >= 0).all()
    backwards = split_weights(names[::-1], np.array(weights[::-1]))
    assert backwards[::-1].tolist() == split.tolist()


entries = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 50), st.integers(1, 20)),
    min_size=1,
    max_size=60,
)


@given(entries)
def test_ratios_of_groups_are_those_of_their_entries(rows):
    who, group, y, x = (np.array(column) for column in zip(*rows, strict=True))
    units = Units.of_customers(np.arange(10))
    found = ratio_figures(
        y.astype(float), x.astype(float), group=group, n_groups=4, units=units, item=who
    )
    for g in range(4):
        here = group == g
        if not here.any():
            assert np.isnan(found.whole[g])
            continue
        assert found.whole[g] == pytest.approx(y[here].sum() / x[here].sum())
        for unit in range(10):
            rest = here & (who != unit)
            if rest.any():
                assert found.without[unit, g] == pytest.approx(y[rest].sum() / x[rest].sum())
            else:
                assert np.isnan(found.without[unit, g])
            assert found.units[unit, g] == pytest.approx(x[here & (who == unit)].sum())


@given(entries)
def test_shares_of_cells_are_those_of_their_bases(rows):
    who, cell, *_ = (np.array(column) for column in zip(*rows, strict=True))
    found = shares(cell, [0, 0, 1, 1], Units.of_customers(np.arange(10)), item=who, level=0.9)
    for c, base in enumerate(([0, 1], [0, 1], [2, 3], [2, 3])):
        n = np.isin(cell, base).sum()
        assert found.count[c] == (cell == c).sum()
        assert found.base[c] == n
        assert found.value[c] == pytest.approx((cell == c).sum() / n) if n else True
    one = ratio_figures(
        (cell == 0).astype(float),
        None,
        group=np.where(np.isin(cell, [0, 1]), 0, -1),
        n_groups=1,
        units=Units.of_customers(np.arange(10)),
        item=who,
    )
    assert found.figures.variance[0] == pytest.approx(float(one.variance[0]), nan_ok=True)


def test_shares_of_one_total_add_up_and_know_that_it_is_shared():
    amount = np.array([3.0, 5.0, 2.0, 7.0, 6.0, 4.0])
    group, who = np.array([0, 1, 0, 1, 2, 2]), np.array([0, 0, 1, 1, 2, 3])
    units = Units.of_customers(np.arange(4))
    found = share_of_total_figures(amount, group=group, n_groups=3, units=units, item=who)
    assert found.whole.sum() == pytest.approx(1)
    assert found.without.sum(axis=1) == pytest.approx(np.ones(4))
    total = [8.0, 9.0, 6.0, 4.0]
    assert found.variance[0] == pytest.approx(left_one_out([3.0, 2.0, 0.0, 0.0], total)[1])


def test_an_item_that_stands_for_many_counts_in_every_bucket_that_has_some():
    split = np.array([[2, 1, 0], [0, 3, 5]])
    units = Units(n=3, split=split)
    sums = units.sums(
        np.array([0, 1, 0]), 2, item=np.array([0, 0, 1]), values=np.array([1.0, 2, 3])
    )
    assert sums[:, 0].tolist() == [2, 1 + 9, 15]
    assert sums[:, 1].tolist() == [4, 2, 0]
    assert units.take(np.array([1])).sums(np.array([0]), 1).ravel().tolist() == [0, 3, 5]


def test_what_a_unit_has_in_all_is_what_its_items_have():
    of = Units(n=3, of=np.array([2, 0, 2, 2]))
    assert of.total().tolist() == [1, 0, 3]
    assert of.total(values=np.array([1.0, 5.0, 2.0, 4.0])).tolist() == [5, 0, 7]
    assert of.total(item=np.array([1, 1, 3])).tolist() == [2, 0, 1]
    split = Units(n=2, split=np.array([[3, 1], [0, 2]]))
    assert split.total().tolist() == [3, 3]
    assert split.total(item=np.array([0]), values=np.array([2.0])).tolist() == [6, 2]
