"""Mistakes that are easy to make are answered with what to do instead."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import cxjourney as cx


@pytest.fixture
def log() -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        [cx.Interaction(customer="a", touchpoint="web", timestamp=datetime(2026, 1, 1, tzinfo=UTC))]
    )


@pytest.mark.parametrize("measure", [cx.dropoff.exits, cx.attribution.markov, cx.critical.points])
def test_a_log_where_journeys_are_wanted_says_how_to_make_them(log, measure):
    with pytest.raises(AttributeError, match=r"make them first, as in log\.journeys\(goal="):
        measure(log)


def test_other_attributes_are_missed_in_the_usual_words(log):
    with pytest.raises(AttributeError, match="has no attribute 'jurneys'"):
        _ = log.jurneys
    assert not hasattr(log, "_repr_mimebundle_")
