"""Goals that nobody reached: a result where the name is known, an error where it may be a slip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue, UnknownName

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
PLAN = cx.JourneyBlueprint("shop", ["ad", "web", "buy"])


@pytest.fixture
def log():
    return cx.InteractionLog.from_interactions(
        (
            cx.Interaction(customer=c, touchpoint=t, timestamp=BEGIN + timedelta(days=d))
            for c, t, d in [("a", "ad", 0), ("a", "web", 1), ("b", "web", 2), ("c", "web", 18)]
        ),
        observed_until=BEGIN + timedelta(days=20),
    )


@pytest.mark.parametrize(
    "known",
    [
        {"touchpoints": "buy"},
        {"touchpoints": ["ad", "buy"]},
        {"touchpoints": [cx.Touchpoint("buy")]},
        {"touchpoints": (name for name in ["buy"])},
        {"blueprint": PLAN},
        {"touchpoints": ["web"], "blueprint": PLAN},
    ],
)
def test_a_known_goal_that_nobody_reached_converts_nobody(log, known):
    journeys = log.journeys(goal="buy", inactivity=WEEK, **known)
    assert journeys.outcomes == {
        Outcome.CONVERTED: 0,
        Outcome.DROPPED: 2,
        Outcome.IN_PROGRESS: 1,
    }
    assert cx.AbsorbingChain.from_graph(journeys.graph()).conversion_probability == 0
    assert "goal" in cx.report.build(journeys).to_text()


def test_a_known_exit_may_be_unused_too(log):
    journeys = log.journeys(goal="web", exit_touchpoints="cancel", touchpoints=["cancel"])
    assert journeys.outcomes[Outcome.CONVERTED] == 3


@pytest.mark.parametrize(
    "known", [{}, {"touchpoints": ["pay"]}, {"blueprint": cx.JourneyBlueprint("b", ["pay"])}]
)
def test_an_unknown_goal_is_an_error_as_ever(log, known):
    with pytest.raises(UnknownName, match="buy"):
        log.journeys(goal="buy", inactivity=WEEK, **known)


def test_a_slip_is_told_what_was_planned(log):
    with pytest.raises(UnknownName, match="did you mean 'buy'"):
        log.journeys(goal="bui", inactivity=WEEK, blueprint=PLAN)


@pytest.mark.parametrize("known", [{"touchpoints": 3}, {"touchpoints": [3]}, {"blueprint": "shop"}])
def test_what_is_known_must_be_names_or_a_blueprint(log, known):
    with pytest.raises(InvalidValue, match=next(iter(known))):
        log.journeys(goal="web", inactivity=WEEK, **known)


def test_limits_are_compared_for_a_goal_that_nobody_reached(log):
    found = log.suggest_inactivity(goal="buy", blueprint=PLAN)
    assert set(found.limits["converted"]) == {0}
    told = cx.dropoff.sensitivity(log, goal="buy", limits=[WEEK], touchpoints=["buy"])
    assert (told.table["converted"][0], told.table["dropped"][0]) == (0, 2)
    with pytest.raises(UnknownName, match="buy"):
        log.suggest_inactivity(goal="buy")
    with pytest.raises(UnknownName, match="buy"):
        cx.dropoff.sensitivity(log, goal="buy", limits=[WEEK])
