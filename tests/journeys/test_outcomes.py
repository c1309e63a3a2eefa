"""Cuts, outcomes, left truncation and values of journeys, at their bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.journeys import TransitionGaps

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def log_of(customers, **options) -> cx.InteractionLog:
    """Return the log of customers, each a list of touchpoints and the days of their visits."""
    return cx.InteractionLog.from_interactions(
        (
            cx.Interaction(
                customer=customer, touchpoint=name, timestamp=START + day * DAY, value=value
            )
            for customer, steps in customers.items()
            for name, day, value in ((*step, None)[:3] for step in steps)
        ),
        **options,
    )


def paths(journeys: cx.Journeys) -> list[tuple[tuple[str, ...], str]]:
    return [(j.touchpoints, j.outcome.value) for j in journeys]


@pytest.mark.parametrize(("until", "outcome"), [(7, "dropped"), (6.99, "in_progress")])
def test_a_silence_of_the_limit_itself_until_the_end_is_drop_off(until, outcome):
    log = log_of({"a": [("web", 0)]}, observed_until=START + until * DAY)
    assert paths(log.journeys(goal=None, inactivity=7 * DAY)) == [(("web",), outcome)]


@pytest.mark.parametrize("gaps", [None, TransitionGaps()])
@pytest.mark.parametrize(("day", "n"), [(7, 2), (6.99, 1)])
def test_a_silence_of_the_limit_itself_cuts_with_unusual_gaps_and_without(gaps, day, n):
    log = log_of({"a": [("web", 0), ("web", day)]})
    assert len(log.journeys(inactivity=7 * DAY, gaps=gaps)) == n


def test_what_follows_the_first_goal_is_left_out_the_second_goal_too():
    log = log_of({"a": [("web", 0), ("buy", 1), ("web", 2), ("buy", 3), ("web", 4)]})
    discarded = log.journeys(goal="buy", after_goal="discard", inactivity=30 * DAY)
    assert discarded.lengths.tolist() == [1]
    assert np.diff(discarded.offsets).tolist() == [2]
    assert discarded.outcomes[cx.Outcome.CONVERTED] == 1


def test_a_journey_is_left_truncated_within_the_limit_of_the_beginning_and_first_of_its_customer():
    log = log_of(
        {
            "early": [("buy", 6.99), ("web", 6.995)],
            "late": [("web", 7)],
        },
        observed_from=START,
    )
    journeys = log.journeys(goal="buy", inactivity=7 * DAY)
    assert [(j.customer.id, j.left_truncated) for j in journeys] == [
        ("early", True),
        ("early", False),
        ("late", False),
    ]


def test_the_value_of_a_journey_is_that_of_its_goal_interactions_where_one_is_known():
    log = log_of(
        {
            "a": [("web", 0, 5.0), ("buy", 1, 20.0)],
            "b": [("buy", 0)],
            "c": [("web", 0, 7.0)],
            "d": [("buy", 0, 3.0), ("web", 1), ("buy", 2, 4.0)],
        }
    )
    kept = log.journeys(goal="buy", after_goal="keep", all_closed=True)
    assert kept.value.tolist() == pytest.approx([20, np.nan, np.nan, 7], nan_ok=True)


def test_an_exit_touchpoint_after_the_goal_is_a_visit_where_the_goal_ends_nothing():
    log = log_of({"a": [("buy", 0), ("leave", 1)], "b": [("web", 0), ("leave", 1)]})
    kept = log.journeys(goal="buy", exit_touchpoints="leave", after_goal="keep")
    assert kept.lengths.tolist() == [2, 1]
    assert paths(kept) == [(("buy", "leave"), "converted"), (("web", "leave"), "dropped")]


def test_gaps_that_are_shorter_than_a_limit_are_shorter():
    log = log_of({"a": [("web", 0), ("web", 1), ("web", 3), ("web", 7)]})
    shares = log.suggest_inactivity(limits=[DAY, 2 * DAY, 4 * DAY, 5 * DAY]).limits["gaps_shorter"]
    assert np.asarray(shares).tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
