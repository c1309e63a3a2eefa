from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney._support.table import format_value
from cxjourney._support.words import at_most, counted, how_long, in_agreement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 rows are missing.", "1 row is missing."),
        ("There are 1 strata; 0 rows are missing.", "There is 1 stratum; 0 rows are missing."),
        ("Of 1 journeys 1 switches were made.", "Of 1 journey 1 switch was made."),
        ("1 journeys in progress are left out.", "1 journey in progress is left out."),
        ("1 rare transitions that were made 5 times", "1 rare transition that was made 5 times"),
        ("1 journeys of customers that are known", "1 journey of customers that are known"),
        ("21 rows are, 1,001 rows are, 2.1 rows are", "21 rows are, 1,001 rows are, 2.1 rows are"),
        ("'1 rows are' and \"1 rows\" stay", "'1 rows are' and \"1 rows\" stay"),
        ("a visit at step 1 sends", "a visit at step 1 sends"),
        ("1 conversions, 1 arrivals", "1 conversion, 1 arrival"),
        ("a rate of nan% [-0.0%, -0.1%] and -0%", "a rate of - [0.0%, -0.1%] and 0%"),
        ("10-0.0% and the channel 'nan'", "10-0.0% and the channel 'nan'"),
    ],
)
def test_a_single_thing_is_not_said_in_the_plural(text, expected):
    assert in_agreement(text) == expected
    assert in_agreement(expected) == expected


def test_things_are_counted():
    assert [counted(n, "row") for n in (0, 1, 2, 1001)] == [
        "0 rows",
        "1 row",
        "2 rows",
        "1,001 rows",
    ]
    assert counted(2, "row lies", "rows lie") == "2 rows lie"


def test_seconds_are_shown_in_a_unit_that_can_be_read():
    assert format_value(20_649_600, "duration") == format_value(2.06496e7, "duration") == "239 d"
    days = np.array([239, 240, 238], dtype="m8[D]")
    median = cx.metrics.elapsed_time(days).median
    assert median.value == 239 * 86_400
    assert repr(median).startswith("239 d ")
    assert "seconds" not in repr(median)


def test_times_are_said_as_people_say_them():
    days = [how_long(timedelta(days=days)) for days in (1, 11, 1.5, 22.1296, 3650)]
    assert days == ["1 day", "11 days", "36 hours", "22.1 days", "3,650 days"]
    seconds = [how_long(n) for n in (1, 5.94, 60, 90, 660, 3_600, 5_400)]
    assert seconds == [
        "1 second", "5.94 seconds", "1 minute", "90 seconds", "11 minutes", "1 hour", "90 minutes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bound", "told"),
    [(0.013375, "0.014"), (0.013, "0.013"), (1.21e-7, "1.3e-07"), (0.0, "0"), (0.999, "1")],
)
def test_a_bound_is_rounded_up(bound, told):
    assert at_most(bound) == told
    assert float(at_most(bound)) >= bound
