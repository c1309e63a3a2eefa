"""Resolution, first response and promises: open ones censored, impossible ones refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import (
    BusinessHours,
    first_response_time,
    resolution_time,
    sla_attainment,
)


def day(d, hour=0):
    return datetime(2026, 1, d, hour, tzinfo=UTC)


def seconds(*values):
    return [timedelta(seconds=s) for s in values]


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
    with pytest.raises(InvalidData, match="timestamps"):
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


def test_the_card_says_as_which_instant_the_end_of_observation_was_taken():
    opened = [datetime(2026, 1, 1, tzinfo=UTC)]
    for until in (
        datetime(2026, 1, 9, 12),  # noqa: DTZ001 - what it is read as is the point
        datetime(2026, 1, 9, 13, tzinfo=timezone(timedelta(hours=1))),
    ):
        card = resolution_time(opened, [None], observed_until=until).median
        assert card.parameters["observed_until"] == "2026-01-09T12:00:00Z"
