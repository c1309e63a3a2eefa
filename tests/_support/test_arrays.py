"""Every column library gives the same numbers, and what is not a number is refused by position."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from cxjourney._support.arrays import codes, durations, flags, numbers, weights_of
from cxjourney._time.calendar import instants
from cxjourney._time.timestamps import utc_us
from cxjourney.exceptions import InvalidData, InvalidValue

COLUMNS = {
    "list": [9, None, 10],
    "list of floats": [9.0, float("nan"), 10.0],
    "tuple": (9, None, 10),
    "decimals": [Decimal(9), None, Decimal(10)],
    "numpy": np.array([9, np.nan, 10]),
    "masked": np.ma.MaskedArray([9, 7, 10], [False, True, False]),
    "object array": np.array([9, None, 10], dtype=object),
    "pandas": pd.Series([9, None, 10]),
    "pandas nullable": pd.Series([9, None, 10], dtype="Int64"),
    "pandas arrow": pd.Series([9, None, 10], dtype="int64[pyarrow]"),
    "pandas objects": pd.Series([9, pd.NA, 10], dtype=object),
    "polars": pl.Series([9, None, 10]),
    "arrow": pa.array([9, None, 10]),
    "arrow chunks": pa.chunked_array([[9, None], [10]]),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())
def test_every_column_library_gives_the_same_numbers(column):
    np.testing.assert_array_equal(numbers(column, "scores"), [9, np.nan, 10])


@pytest.mark.parametrize(
    "column",
    [[1, 2], np.array([1, 2], dtype=np.uint8), pd.Series([1, 2], dtype="Int64"), pl.Series([1, 2])],
)
def test_whole_numbers_stay_whole(column):
    assert numbers(column, "scores").dtype.kind in "iu"


@pytest.mark.parametrize(
    "column",
    [
        np.array([True, False]),
        pd.Series([True, None], dtype="boolean"),
        pl.Series([True, False]),
        np.array(["9", "10"]),
        np.array([1 + 2j]),
        np.array(["2026-01-01"], dtype="datetime64[D]"),
        np.array([1], dtype="timedelta64[s]"),
        "scores",
        {1: 2},
        7,
        None,
        np.zeros((2, 2)),
    ],
)
def test_columns_that_hold_no_numbers_are_refused(column):
    with pytest.raises((InvalidValue, InvalidData), match="scores"):
        numbers(column, "scores")


@pytest.mark.parametrize(
    ("column", "rows"),
    [
        ([9, True, 8], (1,)),
        ([9, "10", 8, "7"], (1, 3)),
        ([1.0, float("inf"), 2.0], (1,)),
        ([float("inf"), float("-inf")], (0, 1)),
        (pl.Series([1.0, float("inf"), None]), (1,)),
        ([timedelta(1)], (0,)),
    ],
)
def test_single_values_that_are_no_numbers_are_refused_by_position(column, rows):
    with pytest.raises(InvalidData, match="scores") as caught:
        numbers(column, "scores")
    assert caught.value.rows == rows


def test_huge_finite_numbers_are_not_taken_for_infinite():
    with pytest.raises(InvalidData, match=r"must lie within ±1e\+100; got 1e\+308"):
        numbers([1e308, 1e308], "values")  # their mean would be infinite
    assert numbers([9e99, -9e99, np.nan], "values")[:2].tolist() == [9e99, -9e99]


@pytest.mark.parametrize(
    "column",
    [
        [True, None, False],
        [1, None, 0],
        [1.0, float("nan"), 0.0],
        np.array([1.0, np.nan, 0.0]),
        np.ma.MaskedArray([True, True, False], [False, True, False]),
        pd.Series([True, None, False], dtype="boolean"),
        pd.Series([True, None, False]),
        pl.Series([True, None, False]),
        pa.array([True, None, False]),
        pl.Series([1, None, 0]),
    ],
)
def test_flags_of_every_library_agree(column):
    hits, missing = flags(column, "converted")
    assert missing.tolist() == [False, True, False]
    assert hits[~missing].tolist() == [True, False]


@pytest.mark.parametrize("column", [[0, 2], ["yes", True], np.array([0.5, 1.0])])
def test_flags_that_are_neither_true_nor_false_are_refused(column):
    with pytest.raises(InvalidData, match="must be true, false, 0, 1 or missing"):
        flags(column, "converted")


SECOND = 1_000_000


@pytest.mark.parametrize(
    "column",
    [
        [timedelta(seconds=90), None, timedelta(0)],
        np.array([90_000, "NaT", 0], dtype="timedelta64[ms]"),
        pd.Series([pd.Timedelta(seconds=90), pd.NaT, pd.Timedelta(0)]),
        pl.Series([timedelta(seconds=90), None, timedelta(0)]),
        pa.array([timedelta(seconds=90), None, timedelta(0)]),
    ],
)
def test_durations_of_every_library_agree(column):
    us, missing = durations(column, "times")
    assert us.tolist() == [90 * SECOND, 0, 0]
    assert missing.tolist() == [False, True, False]


def test_durations_without_a_unit_are_refused():
    for column in ([1.5, 2.0], np.array([1, 2]), np.array([1, 2], dtype="timedelta64")):
        with pytest.raises((InvalidValue, InvalidData), match="a bare number has no unit"):
            durations(column, "times")


def test_negative_durations_are_refused_by_position():
    with pytest.raises(InvalidData, match="not be negative") as caught:
        durations([timedelta(1), -timedelta(seconds=1)], "times")
    assert caught.value.rows == (1,)


def test_codes_number_distinct_values_and_mark_missing_ones():
    for column in (
        ["a", None, "b", "a"],
        pd.Series(["a", None, "b", "a"]),
        pl.Series(["a", None, "b", "a"]),
    ):
        numbered, n, missing = codes(column, "customer")
        assert n == 2
        assert missing.tolist() == [False, True, False, False]
        assert numbered[0] == numbered[3] != numbered[2]
        assert numbered[1] == -1
    assert codes([datetime(2026, 1, 1)], "day")[1] == 1  # noqa: DTZ001 - a label, not a time


def test_weights_must_be_one_each_and_not_negative():
    assert weights_of(None, 2).tolist() == [1.0, 1.0]
    with pytest.raises(InvalidValue, match="one entry for each of 2"):
        weights_of([1.0], 2)
    with pytest.raises(InvalidData, match="at least 0") as caught:
        weights_of([1.0, -1.0, float("nan")], 3)
    assert caught.value.rows == (1, 2)


@pytest.mark.parametrize("unit", ["W", "D", "h", "m", "s", "ms"])
def test_times_and_durations_that_would_wrap_around_are_refused(unit):
    count = 2**62 if unit != "ms" else 2**61
    for far in (count, -count):
        spans = np.array([1, far]).view(f"m8[{unit}]")
        moments = np.array([1, far]).view(f"M8[{unit}]")
        for column in (spans, list(spans)):
            with pytest.raises(InvalidData, match="no longer than the calendar") as caught:
                durations(column, "waited", negative=True)
            assert caught.value.rows == (1,)
        for column in (moments, list(moments)):
            with pytest.raises(InvalidData, match="day") as caught:
                instants(column, "day")
            assert caught.value.rows == (1,)
    with pytest.raises(InvalidData, match="no longer than the calendar"):
        durations([timedelta(1), timedelta.max], "waited")
    with pytest.raises(InvalidValue, match="hold durations"):
        durations(np.array([1]).view("m8[Y]"), "waited")


def test_moments_at_the_ends_of_the_calendar_are_no_foreign_errors():
    tokyo = timezone(timedelta(hours=9))
    assert instants([datetime(9999, 12, 31, 23, tzinfo=tokyo)], "day")[0] > 0
    with pytest.raises(InvalidData, match="day"):
        instants([datetime(1, 1, 1, tzinfo=tokyo)], "day")
    for name, moment in (("start", datetime(1, 1, 1, tzinfo=tokyo)), ("end", "0001-01-01")):
        with pytest.raises(InvalidValue, match=f"{name} must lie within the years 1 to 9999"):
            utc_us(moment, name, "Asia/Tokyo")
