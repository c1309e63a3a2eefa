from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t

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


def test_the_intervals_leave_out_one_customer_after_the_other():
    rng = np.random.default_rng(5)
    waits = {f"c{i}": rng.exponential(5 + i % 7, size=1 + i % 4) for i in range(30)}
    rows = []
    for customer, hours in waits.items():
        now = 0.0
        for wait in hours:
            rows.append(at(customer, "web", now))
            now += wait
        rows.append(at(customer, "call", now))
        rows.append(at(customer, "buy", now + hours[0]))
    log = cx.InteractionLog.from_interactions(rows)
    found = row(bottlenecks(log.journeys(goal="buy", all_closed=True)), "web")
    sums = np.array([hours.sum() for hours in waits.values()]) * 3600
    firsts = np.array([hours[0] for hours in waits.values()]) * 3600
    n = np.array([len(hours) for hours in waits.values()], dtype=float)

    def jackknife(whole, without, units):
        variance = 29 / 30 * ((without - whole) ** 2).sum()
        return variance, t.ppf(0.975, units.sum() ** 2 / (units**2).sum() - 1)

    mean = sums.sum() / n.sum()
    variance, q = jackknife(mean, (sums.sum() - sums) / (n.sum() - n), n)
    half = q * np.sqrt(variance)
    assert (found["wait_s"], found["low"], found["high"]) == pytest.approx(
        (mean, mean - half, mean + half), rel=1e-6
    )
    total = sums + firsts
    share = sums.sum() / total.sum()
    variance, q = jackknife(share, (sums.sum() - sums) / (total.sum() - total), total)
    trials = share * (1 - share) / variance
    half = q * np.sqrt(share * (1 - share) / trials + q**2 / (4 * trials**2)) / (1 + q**2 / trials)
    centre = (share + q**2 / (2 * trials)) / (1 + q**2 / trials)
    assert (found["share_low"], found["share_high"]) == pytest.approx(
        (centre - half, centre + half), rel=1e-6
    )
