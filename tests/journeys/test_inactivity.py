from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired
from cxjourney.journeys import InactivitySuggestion

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)

# the worked example of the library's design: goal buy, observed until day 20
WORKED = {
    "a": [("ad", 0), ("web", 1), ("buy", 2), ("web", 5)],
    "b": [("web", 0), ("web", 1), ("store", 10)],
    "c": [("ad", 15), ("web", 16)],
    "d": [("web", 2), ("buy", 7), ("buy", 8)],
    "e": [("store", 19)],
}


@pytest.fixture
def log() -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        (
            cx.Interaction(customer=c, touchpoint=t, timestamp=START + d * DAY)
            for c, steps in WORKED.items()
            for t, d in steps
        ),
        observed_until=START + 20 * DAY,
    )


def test_gaps_are_those_within_journeys(log):
    found = log.suggest_inactivity(goal="buy")
    # a: 1, 1 (the way back after the goal is no gap); b: 1, 9; c: 1; d: 5
    assert found.n_gaps == 6
    days = np.asarray(found.gaps["gap_s"]) / 86_400
    assert dict(zip(found.gaps["quantile"], days, strict=True)) == {
        0.25: 1,
        0.5: 1,
        0.75: 5,
        0.9: 9,
        0.95: 9,
        0.99: 9,
        1: 9,
    }
    assert found.suggested == 9 * DAY


def test_without_a_goal_every_gap_of_a_customer_counts(log):
    assert log.suggest_inactivity().n_gaps == 13 - 5


def test_each_limit_shows_the_outcomes_that_it_means(log):
    found = log.suggest_inactivity(goal="buy", limits=[7 * DAY, 30 * DAY])
    at_seven, at_thirty = found.limits
    # the worked example: 3 converted, 3 dropped, 2 in progress
    assert at_seven == {
        "limit_s": 7 * 86_400,
        "gaps_shorter": pytest.approx(5 / 6),
        "journeys": 8,
        "converted": pytest.approx(3 / 8),
        "dropped": pytest.approx(3 / 8),
        "in_progress": pytest.approx(2 / 8),
    }
    assert (at_thirty["dropped"], at_thirty["gaps_shorter"]) == (0, 1)


def test_limits_around_the_suggestion_are_compared(log):
    found = log.suggest_inactivity(goal="buy")
    assert np.asarray(found.limits["limit_s"]).tolist() == [
        86_400 * 9 * factor for factor in (0.25, 0.5, 1, 2, 4)
    ]


def test_journey_ids_bound_the_gaps():
    log = cx.InteractionLog.from_frame(
        {
            "who": ["a"] * 4,
            "when": ["2026-01-01", "2026-01-02", "2026-02-01", "2026-02-02"],
            "what": ["x"] * 4,
            "case": [1, 1, 2, 2],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        journey="case",
    )
    assert log.suggest_inactivity().suggested == timedelta(hours=24)


@pytest.mark.parametrize(
    ("gap", "suggested"),
    [
        (timedelta(days=29, seconds=1), timedelta(days=30)),
        (timedelta(days=2), timedelta(days=2)),
        (timedelta(hours=25), timedelta(hours=25)),
        (timedelta(minutes=29, seconds=3), timedelta(minutes=30)),
        (timedelta(milliseconds=1), timedelta(seconds=1)),
        (timedelta(0), timedelta(seconds=1)),
    ],
)
def test_the_suggestion_is_a_round_time(gap, suggested):
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(customer="a", touchpoint="x", timestamp=t) for t in (START, START + gap)
    )
    assert log.suggest_inactivity().suggested == suggested


def test_where_nobody_came_twice_nothing_is_suggested(log):
    for lonely in (cx.InteractionLog.from_interactions([]), log.filter(customers="e")):
        found = lonely.suggest_inactivity()
        assert (found.suggested, found.n_gaps, len(found.limits)) == (None, 0, 0)
        assert "there are no gaps from which to suggest a limit" in repr(found)
    asked = log.filter(customers="e").suggest_inactivity(limits=[DAY])
    assert [row["dropped"] for row in asked.limits] == [1.0]


def test_it_survives_json_and_prints_its_assumptions(log):
    found = log.suggest_inactivity(goal="buy")
    assert InactivitySuggestion.from_dict(found.to_dict()) == found
    assert "The suggested limit is 9 d: 99% of the 6 gaps are no longer than that." in repr(found)


def test_arguments_are_checked(log):
    with pytest.raises(InvalidValue, match="quantile"):
        log.suggest_inactivity(quantile=1.5)
    with pytest.raises(InvalidValue, match="limits"):
        log.suggest_inactivity(limits=[7])
    with pytest.raises(InvalidValue, match="did you mean 'buy'"):
        log.suggest_inactivity(goal="bui")
    with pytest.raises(TimesRequired):
        cx.Journeys.from_paths([["ad"]], converted=[1]).log.suggest_inactivity()
