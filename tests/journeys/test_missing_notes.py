"""Every result by channel says what share of the visits has no recorded channel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney import compare, critical, dropoff, experience, sequences, whatif

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = timedelta(days=7)


@pytest.fixture(scope="module")
def log():
    rows = []
    for who in range(40):
        for day in (0, 30, 60):
            names = ["ad", "web", "shop"][: 1 + (who + day) % 3]
            for k, name in enumerate([*names, *(["buy"] if who % 2 else [])]):
                channel = None if name == "web" else "online"
                rows.append((f"c{who}", name, channel, day + k / 10, 3 + (who + k) % 3, who % 2))
    who, what, how, when, score, plan = zip(*rows, strict=True)
    return cx.InteractionLog.from_frame(
        {
            "who": who,
            "what": what,
            "how": how,
            "when": [BEGIN + timedelta(days=day) for day in when],
            "score": score,
            "wished": [4.0] * len(who),
            "plan": [str(value) for value in plan],
        },
        customer="who",
        touchpoint="what",
        channel="how",
        timestamp="when",
        score="score",
        expectation="wished",
        attributes=["plan"],
        observed_until=BEGIN + timedelta(days=90),
    )


@pytest.fixture(scope="module")
def journeys(log):
    return log.journeys(goal="buy", inactivity=LIMIT)


BY_CHANNEL = {
    "exits": lambda j, by: dropoff.exits(j, by=by),
    "exits of a graph": lambda j, by: dropoff.exits(j.graph(by=by)),
    "bottlenecks": lambda j, by: critical.bottlenecks(j, by=by),
    "rework": lambda j, by: critical.rework(j, by=by),
    "must_pass": lambda j, by: critical.must_pass(j, by=by),
    "must_pass of a graph": lambda j, by: critical.must_pass(j.graph(by=by)),
    "centralities": lambda j, by: critical.centralities(j, by=by),
    "step_flow": lambda j, by: sequences.step_flow(j, by=by),
    "memory": lambda j, by: sequences.memory(j, by=by),
    "paths": lambda j, by: sequences.paths(j, by=by),
    "scores": lambda j, by: experience.scores(j, measure="score", by=by),
    "expectation_gaps": lambda j, by: experience.expectation_gaps(j, by=by),
    "baseline": lambda j, by: whatif.baseline(j, by=by),
    "levers": lambda j, by: whatif.levers(j, by=by),
    "segments": lambda j, by: compare.segments(j, "plan", by=by),
    "between": lambda j, by: compare.between(j, j, names=("a", "b"), by=by),
    "sensitivity": lambda j, by: dropoff.sensitivity(j.log, goal="buy", limits=[LIMIT], by=by),
}


@pytest.mark.parametrize("name", BY_CHANNEL)
def test_results_by_channel_say_what_has_none(journeys, name):
    n = sum(interaction.touchpoint.name == "web" for interaction in journeys.log.interactions())
    visits = sum(one.touchpoint.name != "buy" for one in journeys.log.interactions())
    note = f"{n:,} visits ({n / visits:.1%} of all) have no recorded channel"
    found = BY_CHANNEL[name](journeys, "channel")
    assert note in str(found)
    assert "no recorded" not in str(BY_CHANNEL[name](journeys, "touchpoint"))
    if name not in {"baseline", "levers"}:
        assert str(type(found).from_dict(found.to_dict())) == str(found)
