from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest

from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue
from cxjourney.metrics import (
    churn_hazard,
    churn_rate,
    retention_rate,
    wilson,
)


def months(values):
    return [timedelta(days=30 * v) for v in values]


def test_sets_ignore_who_was_won_and_count_repeats_once():
    estimate = retention_rate(["a", "b", "b", "c", "d"], ["a", "c", "e", "f", "f"])
    assert estimate.value == 0.5
    assert (estimate.numerator, estimate.denominator) == (2, 4)
    assert (estimate.low, estimate.high) == wilson(2, 4)


def test_churn_is_the_rest():
    start, end = [1, 2, 3, 4, 5], [2, 3, 9]
    assert churn_rate(start, end).value == pytest.approx(1 - retention_rate(start, end).value)
    assert churn_rate(start, end).high == pytest.approx(1 - retention_rate(start, end).low)


def test_a_number_is_not_the_text_of_it():
    assert retention_rate([1, 2], ["1", "2"]).value == 0
    assert retention_rate(np.array([1, 2]), np.array([2.0, 7.0])).value == 0.5


def test_missing_labels_are_left_out_and_counted():
    import pandas as pd

    estimate = retention_rate(["a", None, "b"], pd.Series(["a", None], dtype="string"))
    assert estimate.value == 0.5
    assert estimate.n_missing == 2


def test_nobody_at_the_start_is_empty():
    for estimate in (retention_rate([], ["a"]), churn_rate([None], [])):
        assert math.isnan(estimate.value)
        assert estimate.notes == ("empty",)
    assert math.isnan(retention_rate(start=0, end=0, acquired=0).value)


def test_counts_agree_with_sets_when_those_won_are_those_who_are_new():
    start, end = list("abcdef"), list("abcdxyz")
    by_sets = retention_rate(start, end)
    by_counts = retention_rate(start=6, end=7, acquired=3)
    assert by_counts.value == by_sets.value
    assert (by_counts.low, by_counts.high) == (by_sets.low, by_sets.high)


def test_customers_who_come_back_push_counts_above_one():
    with pytest.warns(DataQualityWarning, match="retention_rate is 1.1"):
        estimate = retention_rate(start=100, end=130, acquired=20)
    assert estimate.value == 1.1
    assert math.isnan(estimate.high)
    with pytest.warns(DataQualityWarning, match="churn_rate is -0.1"):
        assert churn_rate(start=100, end=130, acquired=20).value == -0.1


def test_the_average_base_is_another_number_without_an_interval():
    estimate = churn_rate(start=200, end=100, acquired=0, base="average")
    assert estimate.value == pytest.approx(100 / 150)
    assert math.isnan(estimate.low)
    assert estimate.parameters["base"] == "average"


def test_counts_and_labels_do_not_mix():
    with pytest.raises(InvalidValue, match="acquired must be given where start and end are counts"):
        retention_rate(200, 210)
    with pytest.raises(InvalidValue, match="start must be a whole number"):
        churn_rate(["a"], ["b"], acquired=3)
    with pytest.raises(InvalidValue, match='base must be "start" where customers are given'):
        churn_rate(["a"], ["b"], base="average")


@pytest.mark.parametrize("bad", [-1, 1.5, True, "3"])
def test_counts_are_whole_numbers_from_zero(bad):
    with pytest.raises(InvalidValue, match="whole number from 0"):
        retention_rate(start=bad, end=1, acquired=0)


def test_hazard_has_the_golden_interval():
    estimate = churn_hazard(months([20, 30, 30, 40]), [1, 1, 1, 0])
    assert estimate.value == 0.025
    assert (estimate.low, estimate.high) == pytest.approx((0.00516, 0.0731), abs=5e-5)


def test_hazard_without_departures_has_an_upper_end():
    estimate = churn_hazard(months([10, 20]), [0, 0])
    assert (estimate.value, estimate.low) == (0, 0)
    assert estimate.high == pytest.approx(3.69 / 30, abs=1e-3)


def test_hazard_counts_time_from_the_entry_and_scales_with_its_unit():
    late = churn_hazard(months([20, 30]), [1, 0], entry=months([10, 10]))
    assert late.value == pytest.approx(1 / 30)
    weekly = churn_hazard(months([20, 30]), [1, 0], per=timedelta(days=7))
    monthly = churn_hazard(months([20, 30]), [1, 0])
    assert weekly.value * 30 / 7 == pytest.approx(monthly.value)
    assert weekly.unit == "departures per 7 days"


def test_hazard_of_no_time_is_empty():
    for estimate in (churn_hazard([], []), churn_hazard([timedelta(0)], [1])):
        assert math.isnan(estimate.value)
        assert estimate.notes == ("empty",)


def test_negative_stays_are_refused():
    with pytest.raises(InvalidData, match="not be negative"):
        churn_hazard(months([-1]), [1])


def test_text_alone_is_no_column():
    with pytest.raises(InvalidValue, match="column"):
        retention_rate("abc", ["a"])


def test_a_hazard_of_many_centuries_does_not_run_over():
    century = timedelta(days=36_525)
    found = churn_hazard([40 * century] * 100, [True] * 100, per=century)
    assert found.value == pytest.approx(1 / 40)
