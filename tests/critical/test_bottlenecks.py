from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.critical import bottlenecks
from cxjourney.exceptions import TimesRequired


def at(customer, touchpoint, hour, minutes=None):
    duration = None if minutes is None else timedelta(minutes=minutes)
    timestamp = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    return cx.Interaction(
        customer=customer, touchpoint=touchpoint, timestamp=timestamp, duration=duration
    )


@pytest.fixture
def journeys():
    log = cx.InteractionLog.from_interactions(
        [
            at("a", "web", 0, 30),
            at("a", "call", 1, 60),
            at("a", "buy", 4),
            at("b", "web", 0, 30),
            at("b", "buy", 5),
            at("c", "web", 0),
        ],
        observed_until=datetime(2026, 2, 1, tzinfo=UTC),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=7))


def row(found, name):
    return next(row for row in found.table if row["touchpoint"] == name)


def test_waits_run_to_the_next_touch_or_the_goal(journeys):
    found = bottlenecks(journeys)
    web, call = row(found, "web"), row(found, "call")
    # web: 1 h and 5 h (c was lost and waited in vain); call: 3 h
    assert (web["visits"], web["moved"]) == (3, 2)
    assert web["wait_s"] == pytest.approx(3 * 3600)
    assert web["p90_s"] == pytest.approx(5 * 3600)
    assert call["wait_s"] == pytest.approx(3 * 3600)
    assert web["share"] == pytest.approx(6 / 9)
    assert web["converted_s"] == pytest.approx(3 * 3600)
    assert found.table["touchpoint"][0] == "web"


def test_durations_split_the_wait_into_work_and_queue(journeys):
    web = row(bottlenecks(journeys), "web")
    assert web["working_s"] == pytest.approx(1800)
    assert web["queue_s"] == pytest.approx(2.5 * 3600)


def test_shares_of_the_time_add_up_to_one():
    journeys = cx.datasets.sample(seed=2, customers=400).journeys()
    found = bottlenecks(journeys)
    assert found.table["share"].sum() == pytest.approx(1.0)
    assert (found.table["share_low"] <= found.table["share"]).all()
    assert (found.table["p90_s"] >= found.table["median_s"])[found.table["moved"] > 0].all()


def test_open_visits_do_not_shorten_the_waits():
    # exponential waits with a mean of 2 days, looked at after 0 to 4 days: plain means are short
    rng = np.random.default_rng(1)
    n = 4_000
    wait = np.minimum(rng.exponential(2.0, n), 6.9)
    begin = 10 - rng.uniform(0, 4, n)
    rows = [at(f"c{i}", "web", 24 * begin[i]) for i in range(n)]
    rows += [
        at(f"c{i}", "buy", 24 * (begin[i] + wait[i])) for i in range(n) if begin[i] + wait[i] < 10
    ]
    log = cx.InteractionLog.from_interactions(
        rows, observed_until=datetime(2026, 1, 11, tzinfo=UTC)
    )
    web = row(bottlenecks(log.journeys(goal="buy", inactivity=timedelta(days=7))), "web")
    seen = np.median(wait[begin + wait < 10])
    # of those who move within the four days that anyone was watched
    truth = np.median(wait[wait < 4])
    assert abs(web["median_s"] / 86_400 - truth) < abs(seen - truth) / 3


def test_aggregated_paths_have_no_waits():
    journeys = cx.Journeys.from_paths([["web"]], converted=[1], dropped=[1])
    with pytest.raises(TimesRequired, match="bottlenecks"):
        bottlenecks(journeys)
