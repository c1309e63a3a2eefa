"""Durations: order statistics where all have ended, survival where some are still open."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney._stats.intervals import quantile_type_7
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import ElapsedTime, elapsed_time, kaplan_meier

MINUTES = [timedelta(minutes=m) for m in range(1, 21)]


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
    assert any("p90 is not reached" in note for note in found._notes())
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


def test_a_mean_that_one_open_case_sets_says_so():
    hours = [20, 24, 28, 30, 8_000]
    ended = [True, True, True, True, False]
    found = elapsed_time([timedelta(hours=h) for h in hours], ended=ended)
    assert found.median.value == 28 * 3600
    # S falls by a fifth at each end: area 20 + .8 * 4 + .6 * 4 + .4 * 2 + .2 * 7,970
    area = 20 + 0.8 * 4 + 0.6 * 4 + 0.4 * 2 + 0.2 * 7_970
    assert found.mean.value == pytest.approx(area * 3600)
    (note,) = found.mean.notes
    assert f": {round(100 * 0.2 * 7_970 / area)}% of it is time after the last case that" in note
    assert note in repr(found)
    # where the last case has ended nothing of the mean hangs on open ones
    closed = elapsed_time(
        [timedelta(hours=h) for h in hours], ended=[True, False, True, True, True]
    )
    assert ": 0% of it" in closed.mean.notes[0]
