"""Real logs where hardly anybody moves between channels: what must be said instead of found."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.omnichannel import (
    affinity,
    continuity,
    cross_channel_cost,
    handoff_loss,
    mutual_information,
    switching,
    transitions,
)


@pytest.fixture(scope="module")
def permits(shared):
    """Return applications for permits, each in one channel from beginning to end."""
    return cx.read_csv(
        shared / "data" / "pm4py_receipt" / "receipt.csv",
        customer="case:concept:name",
        timestamp="time:timestamp",
        touchpoint="concept:name",
        channel="case:channel",
    ).journeys(all_closed=True)


@pytest.fixture(scope="module")
def complaints(shared):
    """Return 289 complaints that have dates only, six of them in another channel than before."""
    return cx.read_csv(
        shared / "data" / "bpi2016_uwv_complaints" / "BPI2016_Complaints.csv",
        customer="CustomerID",
        timestamp="ContactDate",
        touchpoint="ComplaintTheme_EN",
        channel="ContactChannelID",
        encoding="latin-1",
    ).journeys(inactivity=timedelta(days=60))


def test_one_channel_a_case_says_nothing_about_moves(permits):
    moves = transitions(permits)
    assert moves.n == 7_143
    assert np.count_nonzero(moves.matrix() - np.diag(np.diag(moves.matrix()))) == 0
    said = "Every journey stays at one channel"
    for found in (
        moves,
        switching(permits),
        mutual_information(permits, rng=1),
        affinity(permits),
        continuity(permits),
        handoff_loss(permits),
        cross_channel_cost(permits),
    ):
        assert said in repr(found)
    assert np.isnan(mutual_information(permits, rng=1).information.value)
    assert np.isnan(handoff_loss(permits).pooled.value)
    assert np.isnan(cross_channel_cost(permits).interactions.value)


def test_dates_have_no_order_within_a_day(complaints):
    found = transitions(complaints)
    assert found.n == 57
    assert "timestamps are dates only, and 60% of consecutive interactions fall on one day" in repr(
        found
    )


def test_six_switches_are_no_finding(complaints):
    assert switching(complaints).bounce_back.n == 6
    assert mutual_information(complaints, rng=1, n_permutations=99).p > 0.05
    assert len(handoff_loss(complaints).alarms) == 0
    assert not np.any(affinity(complaints).pairs["adjusted_p"] <= 0.05)
    # two journeys leave the channel that they began in, while others stay: no interval
    assert np.isnan(cross_channel_cost(complaints).time.low)
