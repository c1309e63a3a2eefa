from __future__ import annotations

import numpy as np
import pytest

from cxjourney.metrics import wilson
from cxjourney.omnichannel._clustered import mean_estimate, shares


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
