"""Ratios of mean costs: Fieller's interval, by its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import benchmark_test, cost_ratio

DEAR, CHEAP = [60.0, 70.0, 55.0, 75.0, 62.0], [10.0, 12.0, 8.0, 11.0, 9.0, 10.0]


def ends(z, value, reach):
    """Return where a test of mean1 - θ mean2 just rejects, below and above the value."""
    return tuple(
        optimize.brentq(z, *side) for side in ((value - reach, value), (value, value + reach))
    )


def test_the_interval_holds_the_ratios_that_the_test_does_not_reject():
    found = cost_ratio(DEAR, [*CHEAP, None])
    m1, m2 = np.mean(DEAR), np.mean(CHEAP)
    v1, v2 = np.var(DEAR, ddof=1) / 5, np.var(CHEAP, ddof=1) / 6
    t = stats.t.ppf(0.975, (1 / 5 + 1 / 6) ** 2 / (1 / 5**3 + 1 / 6**3) - 1)

    def apart(theta):
        return (m1 - theta * m2) ** 2 - t**2 * (v1 + theta**2 * v2)

    assert found.value == pytest.approx(m1 / m2)
    assert (found.low, found.high) == pytest.approx(ends(apart, m1 / m2, 3))
    assert (found.n, found.n_missing, found.unit) == (11, 1, "ratio")


def test_customers_in_both_kinds_cancel():
    customers = list("aabbcdeef")
    level = np.array([9.0, 1, 4, 4, 2, 6, 8, 8, 1])
    first, second = 6 * level + np.arange(9) % 3, level
    shared = cost_ratio(first, second, customer=(customers, customers))
    apart = cost_ratio(first, second, customer=(customers, [c + "x" for c in customers]))
    assert shared.value == apart.value
    assert shared.high - shared.low < 0.3 * (apart.high - apart.low)
    names = np.array(customers)

    def z(theta):  # each customer left out of mean1 - theta mean2
        def figure(keep):
            return first[keep].mean() - theta * second[keep].mean()

        whole = figure(names != "none")
        squares = sum((figure(names != name) - whole) ** 2 for name in "abcdef")
        sizes = np.array([2, 2, 1, 1, 2, 1])
        t = stats.t.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1)
        return whole**2 - t**2 * 5 / 6 * squares

    assert (shared.low, shared.high) == pytest.approx(ends(z, shared.value, 3))
    assert "clustered by customer" in shared.method


def test_a_base_that_may_be_nothing_has_no_bounds():
    found = cost_ratio(DEAR, [0.0, 0.0, 0.0, 1.0])
    assert math.isnan(found.high)
    assert any("no bounded interval" in note for note in found.notes)
    assert "empty" in cost_ratio([], DEAR).notes
    assert math.isnan(cost_ratio([1.0, 2.0], DEAR).low)
    with pytest.raises(InvalidValue, match="two columns"):
        cost_ratio(DEAR, CHEAP, customer=list("abcde"))


def test_a_claim_of_costs_is_tested():
    rng = np.random.default_rng(2)
    dear, cheap = rng.gamma(4, 15, 300), rng.gamma(4, 2.5, 300)
    ratio = cost_ratio(dear, cheap)
    assert benchmark_test(ratio, 6, effect=1).verdict == "consistent"
    assert benchmark_test(ratio, 10, effect=1).verdict == "not consistent"


def test_coverage_of_skewed_costs():
    rng, held = np.random.default_rng(5), 0
    for _ in range(400):
        found = cost_ratio(6 * rng.gamma(2, size=50), rng.gamma(2, size=80))
        held += found.low <= 6 <= found.high
    assert held / 400 >= 0.925


def test_an_empty_cell_of_a_ratio_is_evidence():
    # 0 of 1,000 against 300 of 1,000 contradict "twice as often", as METHODS asks
    from cxjourney.metrics import proportion

    found = benchmark_test(proportion(0, 1000), 2, relative_to=proportion(300, 1000))
    assert found.verdict == "not consistent"
    assert found.observed.low == 0
    assert found.observed.high < 0.02
