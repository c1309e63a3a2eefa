"""An axis of time that is odd is said when a log is made, and first in its audit."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney import Interaction, InteractionLog, report
from cxjourney.exceptions import DataQualityWarning
from cxjourney.log import odd_times

NAMES = {"customer": "who", "timestamp": "when", "touchpoint": "what"}
UNIT = "another unit"


def log_of(times, **options):
    table = {"who": ["a"] * len(times), "when": times, "what": ["x"] * len(times)}
    return InteractionLog.from_frame(table, **NAMES, **options)


def days(*moments: str):
    return [f"{moment}T12:00" for moment in moments]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"timestamp_unit": "ms"}, [1_700_000_000, 1_710_000_000]),  # seconds
        ({"timestamp_unit": "us"}, [1_700_000_000_000]),  # milliseconds
        ({"timestamp_unit": "us"}, [1_700_000_000]),  # seconds
        ({"timestamp_unit": "ns"}, [1_700_000_000_000_000]),  # microseconds
        ({"timestamp_format": "%Q"}, ["1700000000"]),
        ({"timestamp_format": "%q"}, ["1700000000000"]),
    ],
)
def test_numbers_of_a_smaller_unit_than_stated_end_up_in_1970_and_are_said(options, numbers):
    with pytest.warns(DataQualityWarning, match=f"All timestamps lie within 60 days .* {UNIT}"):
        log = log_of(np.array(numbers), **options)
    audit = log.audit()
    assert audit.odd[0].startswith("All timestamps lie within 60 days of 1970-01-01")
    assert "All timestamps lie within 60 days" in repr(audit)


def test_numbers_of_a_larger_unit_end_up_in_the_future_and_are_said():
    words = f"1 interaction of 2 in the future, up to 7578.*{UNIT}"
    with pytest.warns(DataQualityWarning, match=words):
        log = log_of(["177000000000000", "1700000000000"], timestamp_format="%Q")
    with pytest.warns(DataQualityWarning, match="1 interaction lies after observed_until"):
        log = log_of(days("2024-01-01", "7574-01-01"), observed_until="2024-02-01")
    lines = [line for line in repr(log.audit()).splitlines() if "future, up to" in line]
    assert lines
    journeys = log.journeys(inactivity=timedelta(days=7))
    assert report.build(journeys).sections[0].lead.startswith("1 interaction of 2 in the future")


@pytest.mark.parametrize(
    ("moments", "words"),
    [
        (days("1890-01-01", "2024-01-01"), "The timestamps span 133 years"),
        (["0001-01-01", "2024-01-01"], "The timestamps span 2,022 years"),
        (["1970-01-01", "1970-01-01T01:00", "2024-01-01"], "2 interactions of 3 at 1970-01-01"),
    ],
)
def test_centuries_and_zeros_are_said(moments, words):
    with pytest.warns(DataQualityWarning, match=words):
        log = log_of(moments)
    assert log.audit().odd[0].startswith(words)
    contacts = list(log.interactions())
    with pytest.warns(DataQualityWarning, match=words):
        assert InteractionLog.from_interactions(contacts) == log


@pytest.mark.parametrize(
    "moments",
    [
        days("2024-01-01", "2026-01-01"),
        days("1950-01-01", "2024-01-01"),
        days("1970-01-01", "1970-06-01"),  # longer than a misread unit makes it
        days("1969-06-01", "1971-06-01"),
    ],
)
def test_honest_times_are_not_said(moments):
    assert log_of(moments).audit().odd == ()


def test_times_to_come_are_planned_where_the_observation_ends_after_them():
    soon = datetime.now(UTC) + timedelta(days=30)
    contact = Interaction(customer="a", touchpoint="x", timestamp=soon)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log = InteractionLog.from_interactions([contact], observed_until=soon + timedelta(days=1))
        InteractionLog.from_interactions(
            [Interaction(customer="a", touchpoint="x", timestamp=datetime.now(UTC))]
        )
    assert log.audit().odd == ()
    # a month ahead may be planned: no warning, but the audit and the report say it first
    log = InteractionLog.from_interactions([contact])
    (odd,) = log.audit().odd
    assert odd.startswith("1 interaction of 1 in the future")
    assert log.audit(now=soon).odd == ()


def test_nothing_is_odd_about_nothing():
    assert odd_times(None, None) == odd_times(np.zeros(0, dtype=np.int64), None) == ()
