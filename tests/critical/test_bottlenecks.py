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


def world(customers, *, without=None, window=20.0, days=7):
    """Return journeys ad -> web -> buy of a few customers, cut after a window, one left out."""
    rng = np.random.default_rng(8)
    rows = []
    for i in range(customers):
        for _ in range(1 + i % 4):
            now = rng.uniform(0, 24 * window)
            wait = np.minimum(rng.exponential([20.0, 60.0]), 24 * 6.5)
            stays = rng.random(2) < 0.75
            visits = [("ad", now), ("web", now + wait[0]), ("buy", now + wait.sum())]
            visits = visits[: 1 + int(stays.cumprod().sum())]
            rows += [(i, name, hour) for name, hour in visits if hour <= 24 * window]
    log = cx.InteractionLog.from_interactions(
        [at(f"c{i}", name, hour) for i, name, hour in rows if i != without],
        observed_until=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=window),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=days))


FIELDS = ("seconds", "seconds_converted", "steps", "steps_converted")


def test_whole_journeys_have_the_figures_of_the_chain_and_leave_out_one_customer_after_another():
    n = 40
    journeys = world(n)
    assert journeys.outcomes[cx.Outcome.IN_PROGRESS] > 3
    found = bottlenecks(journeys)

    def chain(journeys):
        graph = cx.AbsorbingChain.from_graph(journeys.graph())
        return np.array([getattr(graph, field).mean for field in FIELDS])

    whole, without = chain(journeys), np.array([chain(world(n, without=i)) for i in range(n)])
    spread = (n - 1) / n * ((np.log(without) - np.log(whole)) ** 2).sum(axis=0)
    each = np.bincount(journeys.customer, minlength=n)
    won = np.bincount(journeys.customer[journeys.converted], minlength=n)
    for i, field in enumerate(FIELDS):
        units = won if field.endswith("converted") else each
        half = t.ppf(0.975, units.sum() ** 2 / (units**2).sum() - 1) * np.sqrt(spread[i])
        told = getattr(found, field)
        expected = whole[i] * np.exp([0, -half, half])
        assert (told.value, told.low, told.high) == pytest.approx(expected, rel=1e-5)
        assert told.name.startswith("mean ")
    assert found.seconds.n_censored == journeys.outcomes[cx.Outcome.IN_PROGRESS]
    assert "The mean time to the end is" in str(found)
    assert cx.critical.Bottlenecks.from_dict(found.to_dict()).seconds == found.seconds


def test_whole_journeys_that_have_ended_are_plain_means():
    journeys = world(9, window=400.0)
    assert journeys.outcomes[cx.Outcome.IN_PROGRESS] == 0
    found, spent, steps = bottlenecks(journeys), [], []
    for journey in journeys:
        times = [one.timestamp for one in journey.interactions]
        spent.append((times[-1] - times[0]).total_seconds())
        steps.append(len(times) + (journey.outcome != cx.Outcome.CONVERTED))
    won = journeys.converted
    assert found.seconds.value == pytest.approx(np.mean(spent))
    assert found.seconds_converted.value == pytest.approx(np.array(spent)[won].mean())
    assert found.steps.value == pytest.approx(np.mean(steps))
    assert found.steps_converted.value == pytest.approx(np.array(steps)[won].mean())
    assert (found.seconds_converted.n, found.seconds.n) == (won.sum(), len(journeys))


def test_means_of_whole_journeys_say_that_they_are_restricted():
    journeys = world(40, window=5.0, days=9)  # nobody was followed up to the limit
    found = bottlenecks(journeys)
    chain = cx.AbsorbingChain.from_graph(journeys.graph())
    assert np.isnan(chain.seconds.mean)
    assert found.seconds.value == pytest.approx(chain.seconds.restricted_mean)
    assert found.seconds.name == "restricted mean time to the end"
    assert f"{chain.restricted:.0%} of journeys outlast" in str(found)


def test_a_goal_that_ends_nothing_leaves_the_end_of_journeys_open():
    log = world(9).log
    kept = log.journeys(goal="buy", inactivity=timedelta(days=7), after_goal="keep")
    found = bottlenecks(kept)
    assert np.isnan([getattr(found, field).value for field in FIELDS]).all()
    undetermined = bottlenecks(log.journeys(goal="buy"))
    assert np.isnan(undetermined.seconds.value)
    assert "not brought to an end" in str(undetermined)
