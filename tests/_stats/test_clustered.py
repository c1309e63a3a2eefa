from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._stats.clustered import grouped_ratios, grouped_shares, shares
from cxjourney._stats.clustered_estimates import mean_estimate
from cxjourney._stats.intervals import wilson_ends
from cxjourney.metrics import wilson


def test_the_interval_of_a_share_covers_where_customers_differ():
    rng = np.random.default_rng(3)
    customer = np.repeat(np.arange(60), 12)
    covered = alone = 0
    for _ in range(300):
        share = rng.beta(1.2, 2.8, size=60)  # mean 0.3
        hit = rng.random(len(customer)) < share[customer]
        found = shares(hit.astype(int), [0, 0], customer, None, level=0.95)
        covered += found.low[1] <= 0.3 <= found.high[1]
        low, high = wilson(int(hit.sum()), len(hit))
        alone += low <= 0.3 <= high
    assert covered >= 275
    assert alone < 240  # as if observations were independent


def test_shares_of_several_bases_are_those_of_each_alone():
    rng = np.random.default_rng(4)
    customer, base = rng.integers(0, 20, size=300), rng.integers(0, 2, size=300)
    cell = 3 * base + rng.integers(0, 3, size=300)
    both = shares(cell, np.arange(6) // 3, customer, None, level=0.9)
    for side in (0, 1):
        here = base == side
        one = shares(cell[here] - 3 * side, [0, 0, 0], customer[here], None, level=0.9)
        part = slice(3 * side, 3 * side + 3)
        assert both.value[part] == pytest.approx(one.value)
        assert both.low[part] == pytest.approx(one.low)
        assert both.effective[part] == pytest.approx(one.effective)


def test_a_weight_is_so_many_customers():
    cell, customer = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 2])
    weight = np.array([3, 3, 2, 1])
    listed = np.concatenate([[0, 1]] * 3 + [[1]] * 2 + [[0]])
    owner = np.concatenate([[k, k] for k in range(3)] + [[3], [4], [5]])
    one = shares(cell, [0, 0], customer, weight, level=0.95)
    other = shares(listed, [0, 0], owner, None, level=0.95)
    assert one.count.tolist() == other.count.tolist() == [4, 5]
    assert one.customers.tolist() == other.customers.tolist()
    assert one.low == pytest.approx(other.low)


def test_an_empty_cell_of_an_empty_base_is_no_number():
    found = shares(np.array([0]), [0, 1], np.array([0]), None, level=0.95)
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


def test_one_customer_has_a_mean_and_no_interval():
    found = mean_estimate(
        np.array([1.0, 2.0]), np.array([0, 0]), None,
        level=0.95, name="m", definition="d", unit="points",
    )  # fmt: skip
    assert found.value == 1.5
    assert np.isnan(found.low)


@pytest.mark.parametrize("visits", [2, 3, 7])
def test_customers_who_all_have_the_same_share_are_worth_one_observation_each(visits):
    # 1/3 and 1/7 leave a variance of rounding, 1/2 none at all
    customer = np.repeat(np.arange(5), visits)
    hit = np.arange(5 * visits) % visits == 0
    found = shares(hit.astype(np.int64), [0, 0], customer, None, level=0.95)
    assert found.effective[1] == 5
    ratio = grouped_ratios(
        hit.astype(np.float64),
        np.ones(5 * visits),
        group=np.zeros(5 * visits, dtype=np.int64),
        n_groups=1,
        customer=customer,
    )
    assert ratio.effective[0] == 5
    assert np.array(ratio.wilson(0.95)).ravel() == pytest.approx(wilson(5 / visits, 5))


def test_one_customer_is_worth_one_observation():
    # a single cluster has no variance, and rounding must not make it one
    hit, customer = np.arange(49) % 7 == 0, np.zeros(49, dtype=np.int64)
    assert shares(hit.astype(np.int64), [0, 0], customer, None, level=0.95).effective[1] == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=5))
def test_many_wilson_intervals_are_those_of_each_alone(counts):
    hits, n = np.array([(min(pair), max(pair)) for pair in counts], dtype=np.float64).T
    share = np.divide(hits, n, out=np.full(len(n), np.nan), where=n > 0)
    each = np.array([wilson(k, m, level=0.9) for k, m in zip(hits, n, strict=True)])
    assert np.stack(wilson_ends(share, n, level=0.9), axis=1) == pytest.approx(each, nan_ok=True)


def test_clustering_widens_the_interval_of_customers_who_always_agree():
    rng = np.random.default_rng(2)
    customer = np.repeat(np.arange(200), 5)
    values = rng.normal(size=200)[customer]
    group = np.zeros(1000, dtype=np.int64)
    found = grouped_ratios(values, np.ones(1000), group=group, n_groups=1, customer=customer)
    # five copies of each customer say no more than one
    alone = values[::5]
    assert found.variance[0] == pytest.approx(alone.var(ddof=1) / 200)


def test_weights_stand_for_so_many_customers():
    rng = np.random.default_rng(3)
    y, x = rng.random(30), rng.random(30) + 1
    group, times = rng.integers(0, 3, 30), rng.integers(1, 5, 30)
    whole = np.repeat(np.arange(30), times)
    kept = grouped_ratios(y, x, group=group, n_groups=3, customer=np.arange(30), weight=times)
    spread = grouped_ratios(
        y[whole], x[whole], group=group[whole], n_groups=3, customer=np.arange(len(whole))
    )
    assert kept.value == pytest.approx(spread.value)
    assert kept.variance == pytest.approx(spread.variance)
    shares = grouped_shares(y, group=group, n_groups=3, customer=np.arange(30), weight=times)
    apart = grouped_shares(y[whole], group=group[whole], n_groups=3, customer=np.arange(len(whole)))
    assert shares.value == pytest.approx(apart.value)
    assert shares.variance == pytest.approx(apart.variance)


def test_the_variance_of_a_share_is_that_of_its_ratio():
    rng = np.random.default_rng(4)
    y, group, customer = rng.random(60), rng.integers(0, 3, 60), rng.integers(0, 20, 60)
    shares = grouped_shares(y, group=group, n_groups=3, customer=customer)
    for g in range(3):
        ratio = grouped_ratios(
            np.where(group == g, y, 0),
            y,
            group=np.zeros(60, dtype=np.int64),
            n_groups=1,
            customer=customer,
        )
        assert shares.value[g] == pytest.approx(ratio.value[0])
        assert shares.variance[g] == pytest.approx(ratio.variance[0])
