"""Open time is counted as it passes: over nights, weekends, holidays and daylight saving."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.metrics import BusinessHours

WARSAW = ZoneInfo("Europe/Warsaw")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OFFICE = BusinessHours.weekdays(
    time(9), time(17), time_zone="Europe/Warsaw", holidays=[date(2026, 1, 6)]
)
ALWAYS = BusinessHours(time_zone="Europe/Warsaw", **dict.fromkeys(DAYS, ((time(0), time(0)),)))


def warsaw(*args, fold=0):
    return datetime(*args, tzinfo=WARSAW, fold=fold)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (warsaw(2026, 1, 8, 10), warsaw(2026, 1, 8, 12), 2),  # within a Thursday
        (warsaw(2026, 1, 8, 16), warsaw(2026, 1, 9, 10), 2),  # over night
        (warsaw(2026, 1, 9, 16), warsaw(2026, 1, 12, 10), 2),  # over the weekend
        (warsaw(2026, 1, 5, 16), warsaw(2026, 1, 7, 10), 2),  # over Epiphany
        (warsaw(2026, 1, 10, 3), warsaw(2026, 1, 11, 22), 0),  # Saturday to Sunday
        (warsaw(2026, 1, 6, 9), warsaw(2026, 1, 6, 17), 0),  # on the holiday
        (warsaw(2026, 1, 8, 17), warsaw(2026, 1, 9, 9), 0),  # closing to opening
        (warsaw(2026, 1, 8, 5), warsaw(2026, 1, 8, 23), 8),  # a whole day
    ],
)
def test_only_open_hours_count(start, end, hours):
    assert OFFICE.open_time(start, end) == timedelta(hours=hours)
    assert OFFICE.open_time(start.astimezone(UTC), end) == timedelta(hours=hours)


def test_hours_are_those_of_the_zone_in_summer_and_winter():
    # nine o'clock in Warsaw is 8 UTC in winter and 7 UTC in summer
    winter = OFFICE.open_time(
        datetime(2026, 1, 8, 7, tzinfo=UTC), datetime(2026, 1, 8, 9, tzinfo=UTC)
    )
    summer = OFFICE.open_time(
        datetime(2026, 7, 8, 6, tzinfo=UTC), datetime(2026, 7, 8, 8, tzinfo=UTC)
    )
    assert winter == summer == timedelta(hours=1)


def test_a_day_has_23_hours_in_spring_and_25_in_autumn():
    assert ALWAYS.open_time(warsaw(2024, 3, 31), warsaw(2024, 4, 1)) == timedelta(hours=23)
    assert ALWAYS.open_time(warsaw(2024, 10, 27), warsaw(2024, 10, 28)) == timedelta(hours=25)


def test_the_hour_that_is_shown_twice_passes_twice():
    # METHODS §0: 02:30 (first) to 02:10 (second) is 40 minutes, not -20
    first, second = warsaw(2024, 10, 27, 2, 30), warsaw(2024, 10, 27, 2, 10, fold=1)
    assert ALWAYS.open_time(first, second) == timedelta(minutes=40)


def test_a_night_shift_over_the_skipped_hour_is_shorter():
    nights = BusinessHours(
        time_zone="Europe/Warsaw",
        saturday=((time(22), time(0)),),
        sunday=((time(0), time(6)),),
    )
    spring = nights.open_time(warsaw(2024, 3, 30, 12), warsaw(2024, 3, 31, 12))
    autumn = nights.open_time(warsaw(2024, 10, 26, 12), warsaw(2024, 10, 27, 12))
    assert (spring, autumn) == (timedelta(hours=7), timedelta(hours=9))


def test_opening_within_the_skipped_hour_does_not_break():
    odd = BusinessHours(
        time_zone="Europe/Warsaw", sunday=((time(2, 15), time(2, 45)), (time(3), time(4)))
    )
    # 02:15-02:45 does not exist on 2024-03-31: read with the old offset it is 03:15-03:45
    open_time = odd.open_time(warsaw(2024, 3, 31), warsaw(2024, 4, 1))
    assert timedelta(hours=0.5) <= open_time <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"monday": ((time(17), time(9)),)}, "close after it opens"),
        ({"monday": ((time(9), time(9)),)}, "close after it opens"),
        ({"monday": ((time(9), time(13)), (time(12), time(17)))}, "without overlap"),
        ({"monday": ((time(9, tzinfo=UTC), time(17)),)}, "without a zone"),
        ({}, "open at some time"),
        ({"monday": ((time(9), time(17)),), "holidays": ["2026-01-06"]}, "datetime.date"),
        (
            {"monday": ((time(9), time(17)),), "holidays": [datetime(2026, 1, 6, tzinfo=UTC)]},
            "date",
        ),
    ],
)
def test_impossible_schedules_are_refused(schedule, message):
    with pytest.raises(InvalidValue, match=message):
        BusinessHours(time_zone="Europe/Warsaw", **schedule)


def test_the_zone_must_exist_and_timestamps_must_have_one():
    with pytest.raises(UnknownName, match="Europe/Warsaw"):
        BusinessHours.weekdays(time(9), time(17), time_zone="Europe/Warsow")
    with pytest.raises(InvalidValue, match="time zone"):
        OFFICE.open_time(datetime(2026, 1, 8), warsaw(2026, 1, 9))  # noqa: DTZ001 - the point
    with pytest.raises(InvalidValue, match="not be before start"):
        OFFICE.open_time(warsaw(2026, 1, 9), warsaw(2026, 1, 8))


def test_a_stretch_of_holidays_alone_has_no_open_time():
    year = [date(2026, 1, 1) + timedelta(days=d) for d in range(365)]
    closed = BusinessHours.weekdays(time(9), time(17), time_zone="UTC", holidays=year)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    assert closed.open_time(start, start + timedelta(days=3)) == timedelta(0)
    assert closed.elapsed_us(np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []


TIMESTAMPS = st.datetimes(datetime(2024, 3, 20), datetime(2024, 4, 10), timezones=st.just(UTC)) | (  # noqa: DTZ001
    st.datetimes(datetime(2024, 10, 20), datetime(2024, 11, 5), timezones=st.just(UTC))  # noqa: DTZ001
)


@given(st.lists(TIMESTAMPS, min_size=3, max_size=3).map(sorted))
def test_open_time_adds_up_and_never_exceeds_the_time_that_passes(timestamps):
    a, b, c = timestamps
    assert OFFICE.open_time(a, b) + OFFICE.open_time(b, c) == OFFICE.open_time(a, c)
    assert timedelta(0) <= OFFICE.open_time(a, c) <= c - a
    assert ALWAYS.open_time(a, c) == c - a


@given(TIMESTAMPS, st.integers(0, 4000))
def test_open_time_equals_a_count_of_minutes(start, minutes):
    start = start.replace(second=0, microsecond=0)
    count = 0
    for minute in range(minutes):
        local = (start + timedelta(minutes=minute)).astimezone(WARSAW)
        count += local.weekday() < 5 and 9 <= local.hour < 17
    assert OFFICE.open_time(start, start + timedelta(minutes=minutes)) == timedelta(minutes=count)


@pytest.mark.parametrize(
    "monday",
    [
        [("09:00", "17:00")],
        [(time(9), "17:00")],
        [(time(9),)],
        (time(9), time(17)),
        "9-17",
        3,
        None,
        [None],
        {time(9): time(17)},
        [(9, 17)],
    ],
    ids=range(10),
)
def test_spans_are_pairs_of_times(monday):
    with pytest.raises(InvalidValue, match="monday must hold pairs"):
        BusinessHours(monday=monday, time_zone="UTC")


def test_lists_of_spans_are_kept_as_tuples():
    hours = BusinessHours(monday=[[time(9), time(17)]], time_zone="UTC")
    assert hours.monday == ((time(9), time(17)),)
    assert hash(hours) == hash(BusinessHours(monday=((time(9), time(17)),), time_zone="UTC"))


@pytest.mark.parametrize(
    "changed", [{"holidays": 3}, {"holidays": "x"}, {"holidays": [[1]]}, {"time_zone": 3}]
)
def test_what_is_no_holiday_and_no_zone_is_refused(changed):
    with pytest.raises(InvalidValue):
        BusinessHours(**{"monday": ((time(9), time(17)),), "time_zone": "UTC", **changed})
