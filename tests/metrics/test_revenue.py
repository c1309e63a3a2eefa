from __future__ import annotations

import json
import math
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.metrics import (
    CostToServe,
    RevenueRetention,
    arpu,
    average_order_value,
    cost_to_serve,
    nrr_grr,
    purchase_frequency,
)


def log_interval(y, x):
    """Leave out each row, on the scale of logarithms; G* - 1 degrees of freedom."""
    y, x = np.array(y), np.array(x)
    whole = math.log(y.sum() / x.sum())
    logs = np.log((y.sum() - y) / (x.sum() - x))
    n = len(y)
    error = math.sqrt((n - 1) / n * ((logs - whole) ** 2).sum())
    half = stats.t.ppf(0.975, x.sum() ** 2 / (x**2).sum() - 1) * error
    return math.exp(whole - half), math.exp(whole + half)


def test_order_value_of_independent_orders_leaves_out_each():
    values = [10.0, 20.0, 60.0, 30.0]
    estimate = average_order_value(values, currency="EUR")
    assert estimate.value == 30
    assert (estimate.low, estimate.high) == pytest.approx(log_interval(values, [1.0] * 4))
    assert estimate.unit == "EUR"
    assert estimate.notes == ("median 25",)


def test_few_skewed_orders_and_equal_ones_are_told():
    skewed = average_order_value([1.0, 2, 1, 3, 2, 1, 2, 90, 1, 2])
    assert any("skewness 2." in note for note in skewed.notes)
    equal = average_order_value([30.0] * 5)
    assert math.isnan(equal.low)
    assert any("Nothing varies" in note for note in equal.notes)
    refunds = average_order_value([10.0, -30.0, 5.0, 20.0])
    assert refunds.method == "Student"
    assert refunds.low < 0 < refunds.high


def test_orders_of_one_customer_widen_the_interval():
    values = np.repeat([10.0, 20.0, 60.0, 30.0], 5)
    customers = np.repeat(list("abcd"), 5)
    alone = average_order_value(values)
    together = average_order_value(values, customers=customers)
    assert together.value == alone.value == 30
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.n == 4


def test_the_ratio_leaves_out_whole_customers():
    who = ["a", "a", "b", "c", "c", "c", "d", "d"]
    value = [10.0, 30.0, 8.0, 20.0, 20.0, 50.0, 12.0, 9.0]
    estimate = average_order_value(value, customers=who)
    want = log_interval([40.0, 8.0, 90.0, 21.0], [2.0, 1.0, 3.0, 2.0])
    assert (estimate.low, estimate.high) == pytest.approx(want)
    few = average_order_value(value[:6], customers=who[:6])  # worth 2.6 customers
    assert math.isnan(few.low)
    assert any("no interval" in note for note in few.notes)


def test_revenue_per_active_and_per_paying_customer():
    who, revenue = ["a", "a", "b", "c"], [10, 20, 30, 0]
    assert arpu(who, revenue).value == 20
    paying = arpu(who, revenue, base="paying")
    assert paying.value == 30
    assert paying.exclusions["not paying"] == 1


def test_frequency_counts_orders_of_buyers():
    estimate = purchase_frequency(["a", "a", "a", "b", None])
    assert estimate.value == 2
    assert estimate.n_missing == 1
    assert (estimate.numerator, estimate.denominator) == (4, 2)


@pytest.mark.parametrize(
    "estimate",
    [
        average_order_value([]),
        average_order_value([None, float("nan")]),
        arpu([], []),
        purchase_frequency([]),
        cost_to_serve([], [], {}).per_customer,
        nrr_grr([], []).nrr,
        nrr_grr([0.0], [5.0]).grr,
    ],
)
def test_nothing_is_empty(estimate):
    assert math.isnan(estimate.value)
    assert "empty" in estimate.notes
    assert math.isnan(estimate.low)


def test_one_customer_has_no_interval():
    assert average_order_value([5.0]).value == 5
    assert math.isnan(average_order_value([5.0]).low)
    assert math.isnan(average_order_value([5.0, 7.0], customers=["a", "a"]).high)


@pytest.mark.parametrize("bad", [[True, False], ["1", "2"], [1.0, float("inf")]])
def test_order_values_are_finite_numbers(bad):
    with pytest.raises((InvalidValue, InvalidData)):
        average_order_value(bad)


COSTS = {"phone": 6.0, "chat": 2.0, "mail": 1.0}


def test_cost_adds_contacts_and_the_fixed_part():
    result = cost_to_serve(
        ["a", "a", "b"], ["phone", "chat", "chat"], COSTS, fixed=30.0, n_customers=5
    )
    assert result.per_customer.value == (10 + 30) / 5
    assert result.channels == ("chat", "phone")
    assert result.contacts.tolist() == [2, 1]
    assert result.cost.tolist() == [4, 6]
    assert result.per_customer.low < 8 < result.per_customer.high
    assert result.top_tenth == 0.8  # the dearest of five customers


def test_handling_time_is_paid_by_the_hour():
    result = cost_to_serve(
        ["a", "b"], ["phone", "chat"], COSTS, handling=[timedelta(minutes=30), timedelta(hours=2)]
    )
    assert result.cost.tolist() == [4, 3]


def test_a_missing_unit_cost_is_not_zero():
    with pytest.raises(UnknownName, match="did you mean 'phone'"):
        cost_to_serve(["a"], ["phnoe"], COSTS)


def test_fewer_customers_than_contacted_are_refused():
    with pytest.raises(InvalidValue, match="at least the 2 customers"):
        cost_to_serve(["a", "b"], ["chat", "chat"], COSTS, n_customers=1)
    with pytest.raises(InvalidData, match="not be negative"):
        cost_to_serve(["a"], ["chat"], COSTS, handling=[timedelta(-1)])


def test_revenue_retention_and_its_parts():
    result = nrr_grr([100, 100, 100, 0, None], [150, 80, 0, 70, 10])
    assert result.nrr.value == pytest.approx(230 / 300)
    assert result.grr.value == pytest.approx(180 / 300)
    parts = (result.start, result.expansion, result.contraction, result.churned)
    assert parts == (300, 50, 20, 100)
    start, expansion, contraction, churned = parts
    assert result.nrr.value == pytest.approx((start + expansion - contraction - churned) / start)
    assert result.nrr.exclusions["customers won since"] == 1
    assert result.nrr.n_missing == 1
    assert result.n_churned == 1


def test_gross_retention_never_exceeds_one():
    result = nrr_grr([100, 90, 80, 70], [200, 90, 79.9, 70])
    assert result.grr.value < 1
    assert result.grr.high <= 1
    assert result.nrr.value > 1


def test_negative_revenue_is_refused_with_its_rows():
    with pytest.raises(InvalidData, match="end is negative") as error:
        nrr_grr([1, 2], [1, -2])
    assert error.value.rows == (1,)


def test_results_survive_json():
    costs = cost_to_serve(["a", "b"], ["phone", "chat"], COSTS)
    assert CostToServe.from_dict(json.loads(json.dumps(costs.to_dict()))).to_dict() == (
        costs.to_dict()
    )
    retention = nrr_grr([2.0, 2.0, 3.0, 3.0], [1.0, 2.5, 0.0, 3.0])
    again = RevenueRetention.from_dict(json.loads(json.dumps(retention.to_dict())))
    assert again == retention
