from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import lifecycle, repeat_purchase_rate, stickiness
from cxjourney.metrics._retention.habits import Lifecycle

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(values):
    return [START + timedelta(days=v) for v in values]


def test_stickiness_is_mean_dau_over_mau():
    # DAU 2, 1, 1, 0, 1 over five days; three customers: 5 / 5 / 3
    who, when = ["a", "b", "a", "a", "c", "c"], days([0, 0, 1, 2, 4, 4.5])
    estimate = stickiness(who, when, days=5)
    assert estimate.value == pytest.approx(1 / 3)
    assert estimate.n == 3
    assert estimate.low >= 1 / 5


def test_stickiness_lies_between_one_day_and_every_day():
    assert stickiness(["a", "b"], days([0, 3]), days=30).value == pytest.approx(1 / 30)
    every = stickiness(["a"] * 30, days(range(30)))
    assert every.value == 1
    assert math.isnan(every.low)  # one customer


def test_stickiness_counts_days_of_its_zone():
    late = [datetime(2026, 1, 1, 22, 30, tzinfo=UTC), datetime(2026, 1, 1, 23, 30, tzinfo=UTC)]
    assert stickiness(["a", "a"], late, days=2).value == 0.5
    prague = stickiness(["a", "a"], late, days=2, time_zone="Europe/Prague")
    assert prague.value == 1
    assert prague.time_zone == "Europe/Prague"


def test_stickiness_of_a_window_without_anybody_is_empty():
    estimate = stickiness(["a"], days([0]), days=7, last_day=date(2026, 3, 1))
    assert math.isnan(estimate.value)
    assert estimate.notes == ("empty",)
    assert estimate.exclusions["rows outside the window"] == 1
    assert math.isnan(stickiness([], []).value)
    with pytest.raises(InvalidValue, match="days must be a whole number from 1"):
        stickiness([], [], days=0)


def test_lifecycle_states():
    # weeks 0..4: a everywhere but 2, b only in 0, c from 3 on
    who = ["a", "a", "a", "a", "b", "c", "c"]
    when = [START + timedelta(weeks=w) for w in (0, 1, 3, 4, 0, 3, 4)]
    result = lifecycle(who, when, observed_until=START + timedelta(weeks=5))
    assert result.periods[0] == "2025-12-29"
    assert result.new.tolist() == [2, 0, 0, 1, 0, 0]
    assert result.returning.tolist() == [0, 1, 0, 0, 2, 0]
    assert result.resurrecting.tolist() == [0, 0, 0, 1, 0, 0]
    assert result.dormant[:5].tolist() == [0, 1, 1, 0, 0]
    assert math.isnan(result.dormant[5])


def test_lifecycle_flows_are_conserved():
    rng = np.random.default_rng(3)
    timestamps = np.datetime64("2026-01-01") + rng.integers(0, 200, 400) * np.timedelta64(1, "D")
    result = lifecycle(rng.integers(0, 60, 400), timestamps, period="month")
    assert result.new.sum() == result.n
    assert (result.returning[1:-1] + result.dormant[1:-1]).tolist() == result.active[:-2].tolist()


def test_lifecycle_of_nobody_is_empty():
    assert lifecycle([], []).periods == ()


def test_lifecycle_survives_json():
    result = lifecycle(["a", "b"], days([0, 40]), period="month")
    assert Lifecycle.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_repeat_purchase_rate_counts_buyers_of_two():
    estimate = repeat_purchase_rate(list("aabccc"), days([0, 9, 3, 1, 2, 3]))
    assert (estimate.numerator, estimate.denominator) == (2, 3)


def test_split_orders_are_one_order():
    who, when = ["a", "a", "a", "b", "b"], days([0, 0.01, 0.02, 0, 5])
    estimate = repeat_purchase_rate(who, when, merge_within=timedelta(hours=1))
    assert estimate.value == 0.5
    assert estimate.exclusions["merged"] == 2


def test_a_horizon_censors_young_buyers():
    # a repeats on day 5; b was watched for 10 days, c for 2: at day 5 two are at risk
    who, when = ["a", "a", "b", "c"], days([0, 5, 0, 8])
    estimate = repeat_purchase_rate(
        who, when, horizon=timedelta(days=6), observed_until=START + timedelta(days=10)
    )
    assert estimate.value == 0.5
    assert estimate.n_censored == 2
    assert estimate.low < 0.5 < estimate.high


def test_orders_after_the_end_of_observation_do_not_count():
    estimate = repeat_purchase_rate(
        ["a", "a"], days([0, 5]), observed_until=START + timedelta(days=3)
    )
    assert estimate.value == 0
    assert estimate.exclusions["after observed_until"] == 1


def test_no_orders_are_empty():
    assert repeat_purchase_rate([], []).notes == ("empty",)
    assert math.isnan(repeat_purchase_rate([], [], horizon=timedelta(days=1)).value)
