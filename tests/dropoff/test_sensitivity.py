"""Sensitivity to the inactivity limit, on the worked example and beyond."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from scipy.stats import t as student_t

import cxjourney as cx
from cxjourney.dropoff import Sensitivity, exits, sensitivity

DAY = timedelta(days=1)


def wilson_t(share, trials, effective):
    """Wilson's interval on a number of trials, with Student's quantile at `effective` - 1."""
    q = float(student_t.ppf(0.975, effective - 1))
    centre = (share + q**2 / (2 * trials)) / (1 + q**2 / trials)
    half = q / (1 + q**2 / trials)
    half *= math.sqrt(share * (1 - share) / trials + q**2 / (4 * trials**2))
    return centre - half, centre + half


@pytest.fixture(scope="module")
def log(worked_days):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=c, touchpoint=name, timestamp=begin + timedelta(days=when))
            for c, touches in worked_days.items()
            for name, when in touches
        ],
        observed_until=begin + timedelta(days=20),
    )


def test_every_limit_tells_what_its_journeys_tell(log):
    found = sensitivity(log, goal="buy", limits=[14 * DAY, 7 * DAY])
    week, fortnight = found.table
    assert [week[name] for name in ("journeys", "converted", "dropped", "in_progress")] == [
        8,
        3,
        3,
        2,
    ]
    assert week["conversion"] == pytest.approx(5 / 12)
    assert week["dropoff"] == pytest.approx(7 / 12)
    whole, without = 5 / 12, []
    journeys = log.journeys(goal="buy", inactivity=7 * DAY)
    for customer in range(5):
        graph = journeys.where(journeys.customer != customer).graph()
        chain = cx.AbsorbingChain.from_graph(graph, trapped="censored")
        without.append(chain.conversion_probability)
    # a and b have two journeys, c one, d two, e one
    effective = 8**2 / (4 + 4 + 1 + 4 + 1)
    variance = 4 / 5 * sum((p - whole) ** 2 for p in without)
    trials = whole * (1 - whole) / variance
    assert (week["low"], week["high"]) == pytest.approx(wilson_t(whole, trials, effective))
    # ended: ad web, web, web web, store, web, and the goal alone
    assert week["mean_length"] == pytest.approx(7 / 6)
    assert week["costliest"] == "web"
    # within 14 days the visit to the store on day 10 still belongs to the journey of day 0
    assert fortnight["journeys"] == 7
    assert fortnight["limit_s"] == 14 * 86_400
    alone = exits(log.journeys(goal="buy", inactivity=7 * DAY)).estimate("web")
    row = next(r for r in found.exits if r["touchpoint"] == "web" and r["limit_s"] == 7 * 86_400)
    assert row["exit_probability"] == alone.value
    # two customers came to an end at the web
    assert math.isnan(row["low"])
    assert math.isnan(alone.low)


def test_limits_are_half_once_and_twice_the_suggestion(log):
    suggested = log.suggest_inactivity(goal="buy").suggested
    found = sensitivity(log, goal="buy")
    assert found.table["limit_s"].tolist() == [
        suggested.total_seconds() * factor for factor in (0.5, 1, 2)
    ]


def test_a_rank_that_depends_on_the_limit_is_said_to(log):
    found = sensitivity(log, goal="buy", limits=[2 * DAY, 7 * DAY])
    told = any("depends on the limit" in note for note in found._notes())
    assert told == (len(set(found.table["costliest"])) > 1)


def test_round_trip_and_frames(log):
    found = sensitivity(log, goal="buy", limits=[7 * DAY])
    assert Sensitivity.from_dict(found.to_dict()) == found
    assert next(iter(found.to_frame("pandas").columns)) == "limit_s"


def test_empty_log_and_nothing_to_suggest():
    empty = cx.InteractionLog.from_interactions([])
    with pytest.raises(cx.exceptions.InvalidValue, match="limits"):
        sensitivity(empty, goal="buy")
    found = sensitivity(empty, goal="buy", limits=[DAY])
    assert math.isnan(found.table["conversion"][0])


def test_a_limit_is_a_duration(log):
    with pytest.raises(cx.exceptions.InvalidValue, match="timedelta"):
        sensitivity(log, goal="buy", limits=[7])


@pytest.mark.parametrize("name", ["goal", "exit_touchpoints"])
def test_what_is_no_name_is_refused(log, name):
    with pytest.raises(cx.exceptions.InvalidValue, match=f"{name} must be a name or a list"):
        sensitivity(log, **{"goal": "buy", name: 7})


def test_journeys_are_no_log(log):
    with pytest.raises(cx.exceptions.InvalidValue, match=r"log must be .* hand over its .log"):
        sensitivity(log.journeys(goal="buy"), goal="buy")


def test_segments_are_those_of_their_customers(worked_days):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=cx.Customer(c, attributes={"tier": "gold" if c < "c" else "tin"}),
                touchpoint=name,
                timestamp=begin + timedelta(days=when),
            )
            for c, touches in worked_days.items()
            for name, when in touches
        ],
        observed_until=begin + timedelta(days=20),
    )
    found = sensitivity(log, goal="buy", limits=[7 * DAY, 14 * DAY], segment="tier")
    assert found.values == ("gold", "tin")
    assert found.rule == "Each customer has one tier."
    for tier, part in found:
        for limit, row in zip((7, 14), part.table, strict=True):
            journeys = log.journeys(goal="buy", inactivity=limit * DAY)
            coded = journeys.segment("tier")
            alone = exits(journeys.where(coded.codes == coded.names.index(tier)))
            assert row["journeys"] == alone.n_journeys
            assert row["costliest"] == alone.table["touchpoint"][0]


def test_many_nodes_have_the_same_conversion(log, monkeypatch):
    dense = sensitivity(log, goal="buy", limits=[7 * DAY]).table
    monkeypatch.setattr("cxjourney.journeys._chain_figures._DENSE", 0)
    sparse = sensitivity(log, goal="buy", limits=[7 * DAY]).table
    assert sparse["low"].tolist() == pytest.approx(dense["low"].tolist())
    assert not math.isnan(sparse["low"][0])
