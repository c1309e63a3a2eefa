"""Waiting times: open cases are censored, impossible ones refused, promises kept or not."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import (
    BusinessHours,
    ElapsedTime,
    elapsed_time,
    first_response_time,
    kaplan_meier,
    quantile_type_7,
    resolution_time,
    sla_attainment,
)

MINUTES = [timedelta(minutes=m) for m in range(1, 21)]


def day(d, hour=0):
    return datetime(2026, 1, d, hour, tzinfo=UTC)


def seconds(*values):
    return [timedelta(seconds=s) for s in values]


def test_complete_durations_have_order_statistics():
    # METHODS §4.12: ranks 6 and 15 of 20
    found = elapsed_time(MINUTES)
    assert (found.median.value, found.median.low, found.median.high) == (630, 360, 900)
    assert found.p90.value == pytest.approx(np.quantile(np.arange(1, 21), 0.9) * 60)
    assert math.isnan(found.p90.high)  # twenty cases cannot bound the 90th percentile from above
    assert found.mean.value == 630
    assert found.median.unit == "seconds"


def test_open_cases_are_censored_not_dropped():
    ended = [True] * 10 + [False] * 10  # the ten slowest are still open
    found = elapsed_time(MINUTES, ended=ended)
    curve = kaplan_meier(MINUTES, ended)
    assert found.median.value == curve.median.value == 600
    assert (found.n, found.n_censored) == (20, 10)
    assert math.isnan(found.p90.value)
    assert any("p90 not reached" in note for note in found._notes())
    dropped = elapsed_time(MINUTES[:10])
    assert dropped.median.value < found.median.value


def test_several_cases_of_one_customer_widen_the_interval():
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.exponential(3600, size=40), 10)
    waits = (slow * 1e6).astype("int64").astype("timedelta64[us]")
    clustered = elapsed_time(waits, customer=np.repeat(np.arange(40), 10))
    plain = elapsed_time(waits)
    assert clustered.median.high - clustered.median.low > 1.5 * (
        plain.median.high - plain.median.low
    )
    assert "clustered by customer" in clustered.median.method


@pytest.mark.parametrize(
    "column",
    [
        [timedelta(seconds=60), None, timedelta(seconds=120)],
        np.array([60, "NaT", 120], dtype="timedelta64[s]"),
        pd.Series([pd.Timedelta(60, "s"), pd.NaT, pd.Timedelta(120, "s")]),
        pl.Series([timedelta(seconds=60), None, timedelta(seconds=120)]),
    ],
)
def test_every_column_library_gives_the_same_times(column):
    found = elapsed_time(column)
    assert (found.mean.value, found.n, found.n_missing) == (90, 2, 1)


def test_no_one_and_equal_durations():
    for empty in (elapsed_time([]), elapsed_time([None])):
        assert math.isnan(empty.median.value)
        assert empty.median.notes == ("empty",)
    one = elapsed_time(seconds(5))
    assert one.median.value == one.mean.value == 5
    assert math.isnan(one.median.low)
    assert math.isnan(one.mean.low)
    equal = elapsed_time(seconds(*[5] * 30))
    assert (equal.median.low, equal.median.high) == (5, 5)
    assert elapsed_time(seconds(0, 0, 0)).median.value == 0


def test_all_open_cases_have_no_median():
    found = elapsed_time(MINUTES, ended=[False] * 20)
    assert math.isnan(found.median.value)
    assert found.n_censored == 20


def test_missing_and_negative_durations():
    with pytest.raises(InvalidData, match="not be negative") as caught:
        elapsed_time([timedelta(1), -timedelta(1)])
    assert caught.value.rows == (1,)
    with pytest.raises(InvalidData, match="missing"):
        elapsed_time([None], nan_policy="raise")
    assert math.isnan(elapsed_time([timedelta(1), None], nan_policy="propagate").mean.value)
    with pytest.raises(InvalidValue, match="no unit"):
        elapsed_time(np.array([1.0, 2.0]))


def test_the_result_goes_to_json_and_back():
    found = elapsed_time(MINUTES, ended=[True] * 19 + [False])
    assert repr(ElapsedTime.from_dict(json.loads(json.dumps(found.to_dict())))) == repr(found)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60), st.randoms())
def test_the_order_of_cases_does_not_matter(values, rng):
    shuffled = values.copy()
    rng.shuffle(shuffled)
    assert repr(elapsed_time(seconds(*values)).median) == repr(
        elapsed_time(seconds(*shuffled)).median
    )
    assert elapsed_time(seconds(*values)).median.value == pytest.approx(
        quantile_type_7(values, 0.5)[0]
    )


def test_resolution_of_closed_cases():
    found = resolution_time([day(1), day(1), day(2)], [day(2), day(3), day(5)])
    assert found.mean.value == 2 * 86400
    assert found.median.value == 2 * 86400


def test_an_open_case_needs_the_end_of_observation():
    with pytest.raises(
        InvalidValue, match="observed_until must be given where resolved is missing"
    ):
        resolution_time([day(1)], [None])
    found = resolution_time([day(1), day(1)], [day(3), None], observed_until=day(10))
    assert (found.n, found.n_censored) == (2, 1)


def test_what_was_resolved_after_the_end_was_still_open():
    found = resolution_time([day(1), day(1)], [day(3), day(30)], observed_until=day(10))
    assert found.n_censored == 1


def test_impossible_cases_are_refused_by_position():
    with pytest.raises(InvalidData, match="resolved lies before opened") as caught:
        resolution_time([day(1), day(5), None], [day(2), day(4), day(1)])
    assert caught.value.rows == (1,)
    with pytest.raises(InvalidData, match="opened lies after observed_until"):
        resolution_time([day(9)], [None], observed_until=day(8))
    with pytest.raises(InvalidData, match="paused for longer"):
        resolution_time([day(1)], [day(2)], paused=[timedelta(days=2)])
    with pytest.raises(InvalidValue, match="which"):
        resolution_time([day(1)], [day(2)], which="last")
    with pytest.raises(InvalidValue, match="one length"):
        resolution_time([day(1)], [day(2), day(3)])
    with pytest.raises(InvalidData, match="time stamps"):
        resolution_time(["2026-01-01"], ["2026-01-02"])


def test_a_case_without_opening_is_missing():
    found = resolution_time([None, day(1)], [day(2), day(2)])
    assert (found.n, found.n_missing) == (1, 1)


def test_waiting_for_the_customer_is_subtracted():
    found = resolution_time([day(1), day(1)], [day(3), day(3)], paused=[timedelta(days=1), None])
    assert (found.mean.value, found.n_missing) == (86400, 1)


def test_business_hours_count_open_time_in_their_zone():
    office = BusinessHours.weekdays(time(9), time(17), time_zone="Europe/Warsaw")
    # Friday 16:00 to Monday 10:00 in Warsaw, which is an hour ahead of UTC in January
    found = resolution_time([day(9, 15), None], [day(12, 9), day(12, 9)], business_hours=office)
    assert found.mean.value == 2 * 3600
    assert found.mean.time_zone == "Europe/Warsaw"
    assert found.mean.parameters["clock"] == "business hours"


def test_the_night_of_daylight_saving_is_not_negative():
    from zoneinfo import ZoneInfo

    warsaw = ZoneInfo("Europe/Warsaw")
    opened = datetime(2024, 10, 27, 2, 30, tzinfo=warsaw)
    resolved = datetime(2024, 10, 27, 2, 10, fold=1, tzinfo=warsaw)
    assert resolution_time([opened], [resolved]).mean.value == 40 * 60


def test_an_automatic_reply_is_no_answer():
    found = first_response_time(
        [day(1), day(1), day(1)],
        [day(1, 2), day(1, 1), None],
        automatic=[False, True, False],
        observed_until=day(2),
    )
    assert (found.n, found.n_censored) == (3, 2)
    assert found.median.name == "first_response_time_median"
    with pytest.raises(InvalidValue, match="observed_until"):
        first_response_time([day(1)], [day(1, 1)], automatic=[True])


def test_a_promise_is_kept_up_to_and_including_its_limit():
    sla = sla_attainment(seconds(5, 20, 21), timedelta(seconds=20))
    assert (sla.numerator, sla.denominator) == (2, 3)


def test_open_cases_are_breached_past_the_limit_and_pending_within_it():
    sla = sla_attainment(
        [*seconds(5, 10, 30), None],
        timedelta(seconds=20),
        ended=[True, False, False, True],
    )
    assert (sla.numerator, sla.denominator) == (1, 2)
    assert (sla.n_censored, sla.n_missing) == (1, 1)


def test_abandoned_calls_are_missed_or_left_out():
    calls = {"elapsed": seconds(5, 10, 30, 40), "target": timedelta(seconds=20)}
    abandoned = [False, True, False, True]
    missed = sla_attainment(**calls, abandoned=abandoned)
    assert (missed.numerator, missed.denominator) == (1, 4)
    excluded = sla_attainment(**calls, abandoned=abandoned, abandoned_counts_as="excluded")
    assert (excluded.numerator, excluded.denominator) == (1, 2)
    assert dict(excluded.exclusions) == {"abandoned": 2}


def test_a_target_is_a_positive_duration():
    for target in (20, timedelta(0)):
        with pytest.raises(InvalidValue, match="target"):
            sla_attainment(seconds(5), target)
    assert math.isnan(sla_attainment([], timedelta(1)).value)
