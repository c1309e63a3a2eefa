from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import dwell_time, email_rates
from cxjourney.metrics._engagement.pages_and_mails import EmailRates

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds):
    return [None if s is None else NOON + timedelta(seconds=s) for s in seconds]


def test_the_last_view_of_a_session_is_left_out_not_zero():
    estimate = dwell_time(["a", "a", "a", "b", "b", "c"], at([0, 10, 40, 5, 25, 3]))
    assert estimate.value == 20  # of 10, 30 and 20
    assert estimate.n == 3
    assert estimate.exclusions == {"last views of unknown end": 3}


def test_rows_may_come_in_any_order():
    estimate = dwell_time(["b", "a", "a", "b", "a"], at([25, 40, 0, 5, 10]))
    assert estimate.value == 20


def test_other_views_end_a_view_but_do_not_count():
    estimate = dwell_time(["a", "a", "a", "a"], at([0, 10, 40, 100]), of=[False, True, False, True])
    assert (estimate.value, estimate.n) == (30, 1)
    assert estimate.exclusions == {"last views of unknown end": 1}


def test_a_heartbeat_censors_the_last_view():
    # 10, 20, 30+ and 40+: survival 3/4, 1/2
    estimate = dwell_time(
        ["a", "a", "b", "b"], at([0, 10, 0, 20]), last_seen=at([None, 40, None, 60])
    )
    assert estimate.value == 20
    assert estimate.n_censored == 2
    assert estimate.method.startswith("Kaplan-Meier")


def test_a_quantile_that_is_not_reached_is_unknown():
    estimate = dwell_time(["a"], at([0]), last_seen=at([60]))
    assert math.isnan(estimate.value)
    assert estimate.notes == ("not reached",)


def test_long_views_are_cut_and_counted():
    estimate = dwell_time(
        ["a", "a", "a"], at([0, 5000, 5010]), max_dwell=timedelta(minutes=30), q=1.0
    )
    assert estimate.value == 1800
    assert estimate.parameters["cut"] == 1
    assert estimate.notes == ("50.0% of the times are cut to max_dwell.",)


def test_views_at_one_time_last_zero_seconds():
    assert dwell_time(["a", "a", "a"], at([0, 0, 10])).value == 5


def test_no_view_with_an_end_is_empty():
    for estimate in (dwell_time([], []), dwell_time(["a"], at([0])), dwell_time([None], [None])):
        assert math.isnan(estimate.value)
        assert estimate.notes == ("empty",)


def test_a_heartbeat_before_its_view_is_refused():
    with pytest.raises(InvalidData, match="last_seen lies before") as error:
        dwell_time(["a", "b"], at([0, 50]), last_seen=at([5, 20]))
    assert error.value.rows == (1,)
    with pytest.raises(InvalidValue, match="positive"):
        dwell_time([], [], max_dwell=timedelta(0))


def test_email_rates_of_the_delivered():
    rates = email_rates(
        bounced=[0, 0, 0, 0, 1, 0],
        opened=[1, 1, 0, 0, 1, 0],
        clicked=[1, 0, 0, 0, 0, 0],
        unsubscribed=[0, 0, 1, 0, 0, None],
    )
    assert rates.bounce.value == pytest.approx(1 / 6)
    assert (rates.open.value, rates.click.value) == (0.4, 0.2)
    assert rates.click_to_open.value == 0.5
    assert rates.unsubscribe.n_missing == 1
    assert rates.complaint is None
    assert rates.open.exclusions["bounced"] == 1


def test_machine_opens_do_not_count():
    flags = {"bounced": [0] * 4, "opened": [1, 1, 1, 0], "clicked": [0, 0, 1, 0]}
    inflated = email_rates(**flags)
    people = email_rates(**flags, machine_open=[1, 1, 1, 0])
    assert inflated.open.value == 0.75
    assert people.open.value == 0.25  # who clicks has opened, whatever loaded the picture
    assert people.click.value == inflated.click.value
    assert "inflated" in inflated.open.notes[0]


def test_several_emails_to_one_recipient_widen_the_interval():
    opened = np.repeat([True, False], 50)
    columns = {"bounced": np.zeros(100, bool), "opened": opened, "clicked": np.zeros(100, bool)}
    alone = email_rates(**columns).open
    together = email_rates(**columns, customers=np.repeat(np.arange(20), 5)).open
    assert together.value == alone.value
    assert together.high - together.low > alone.high - alone.low


def test_an_empty_campaign_is_empty():
    rates = email_rates([], [], [])
    assert all(e.notes[0] == "empty" for e in (rates.bounce, rates.click, rates.click_to_open))


def test_columns_must_have_one_length_and_hold_flags():
    with pytest.raises(InvalidValue, match="one length"):
        email_rates([0, 0], [1], [0, 0])
    with pytest.raises(InvalidData, match="true, false"):
        email_rates([0, 2], [1, 0], [0, 0])


def test_rates_survive_json():
    rates = email_rates([0, 1, 0], [1, 0, 1], [0, 0, 1])
    again = EmailRates.from_dict(json.loads(json.dumps(rates.to_dict())))
    assert again == rates
    assert len(rates._table()) == 4
