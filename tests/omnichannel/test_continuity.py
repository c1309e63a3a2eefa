from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.omnichannel import Continuity, continuity

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def logged(told):
    """Return the log of {customer: [(touchpoint, channel, hour, {further fields}), ...]}."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=touchpoint,
                channel=channel,
                timestamp=BEGIN + timedelta(hours=hour),
                **further,
            )
            for customer, touches in told.items()
            for touchpoint, channel, hour, further in touches
        ]
    )


TOLD = {
    # in time, onward, nothing again, same issue
    "a": [
        ("search", "web", 0, {"stage": "awareness", "issue": "1"}),
        ("call", "phone", 1, {"stage": "purchase", "issue": "1"}),
    ],
    # late, back, again (the search, after two more interactions), another issue
    "b": [
        ("search", "web", 0, {"stage": "purchase", "issue": "1"}),
        ("call", "phone", 48, {"stage": "awareness", "issue": "2"}),
        ("call", "phone", 49, {"stage": "awareness", "issue": "2"}),
        ("search", "phone", 50, {"stage": "awareness", "issue": "2"}),
    ],
    # in time, stage not known, nothing again, issue not known
    "c": [("search", "web", 0, {}), ("call", "phone", 2, {"stage": "purchase"})],
}


@pytest.fixture(scope="module")
def journeys():
    return logged(TOLD).journeys()


def test_each_component_by_hand(journeys):
    found = continuity(journeys)
    told = {
        row["component"]: (row["share"], row["switches"], row["unknown"])
        for row in found._table()
    }  # fmt: skip
    assert told == {
        "in time": (2 / 3, 3, 0),
        "onward": (1 / 2, 2, 1),
        "not redone": (2 / 3, 3, 0),
        "same issue": (1 / 2, 2, 1),
        "seamless": (2 / 3, 3, 0),
    }
    assert any("awareness < consideration" in note for note in found.notes)


def test_what_is_done_again_later_than_within_does_not_count(journeys):
    assert continuity(journeys, within=2).not_redone.value == 1
    assert continuity(journeys, within=3).not_redone.value == pytest.approx(2 / 3)


def test_only_what_was_done_before_the_switch_can_be_done_again():
    told = {
        "a": [("identify", "bot", 0, {}), ("ask", "bot", 1, {}), ("identify", "phone", 2, {})],
        "b": [("ask", "bot", 0, {}), ("identify", "phone", 1, {})],
        "c": [("identify", "bot", 0, {}), ("ask", "phone", 1, {}), ("identify", "phone", 2, {})],
    }
    found = continuity(logged(told).journeys(), redo=["identify"], within=1)
    assert found.not_redone.value == pytest.approx(2 / 3)
    assert continuity(logged(told).journeys(), redo=["identify"]).not_redone.value == (
        pytest.approx(1 / 3)
    )


def test_the_next_journey_of_a_customer_repeats_nothing():
    told = {
        "a": [
            ("ask", "bot", 0, {}),
            ("call", "phone", 1, {}),
            ("buy", "web", 2, {}),
            ("ask", "bot", 3, {}),
            ("buy", "bot", 4, {}),
        ]
    }
    log = logged(told)
    found = continuity(log.journeys(goal="buy", inactivity=timedelta(days=7)), within=5)
    assert found.not_redone.value == 1


def test_the_limit_of_the_gap_counts_as_in_time(journeys):
    assert continuity(journeys, max_gap=timedelta(hours=48)).in_time.value == 1
    assert continuity(journeys, max_gap=timedelta(hours=1)).in_time.value == pytest.approx(1 / 3)


def test_stages_may_be_given_in_any_order_of_ones_own(journeys):
    back = continuity(journeys, stages=["purchase", "awareness"])
    assert back.onward.value == pytest.approx(1 / 2)
    assert continuity(journeys, stages=cx.StageModel.FIVE).onward.value == pytest.approx(1 / 2)
    with pytest.raises(UnknownName, match="stage 'purchase' is not in stages"):
        continuity(journeys, stages=["awareness"])


def test_what_the_log_does_not_hold_is_left_out_and_named():
    told = {"a": [("x", "web", 0, {}), ("y", "app", 1, {})]}
    found = continuity(logged(told).journeys())
    assert np.isnan(found.onward.value)
    assert np.isnan(found.same_issue.value)
    assert found.seamless.value == 1
    assert "The log has no stages" in repr(found)
    assert "The log has no issues" in repr(found)
    own = {"a": [("x", "web", 0, {"stage": "lead"}), ("y", "app", 1, {"stage": "lead"})]}
    assert "order of the log's stages is not known" in repr(continuity(logged(own).journeys()))


def test_paths_have_no_times_but_an_order():
    paths = cx.Journeys.from_paths(
        [["web", "app", "web"], ["web", "app"]], converted=[1, 3], channels=True
    )
    found = continuity(paths)
    assert np.isnan(found.in_time.value)
    assert found.in_time.n_missing == 5  # weights counted: two switches of one path, one of three
    assert found.not_redone.value == pytest.approx(4 / 5)
    assert found.pairs.row(0)["switches"] == 4
    assert "have no times" in repr(found)


def test_without_switches_there_is_nothing_to_judge():
    paths = cx.Journeys.from_paths([["web", "web"], ["app"]], converted=[1, 3], channels=True)
    found = continuity(paths)
    assert np.isnan(found.seamless.value)
    assert len(found.pairs) == 0
    assert "Every journey stays at one channel" in repr(found)


def test_arguments_are_checked(journeys):
    with pytest.raises(InvalidValue, match="max_gap must be a timedelta or a number with its unit"):
        continuity(journeys, max_gap=3600)
    with pytest.raises(InvalidValue, match="within must be at least 1"):
        continuity(journeys, within=0)
    with pytest.raises(UnknownName, match="did you mean 'search'"):
        continuity(journeys, redo=["serch"])


def test_the_result_survives_a_dictionary(journeys):
    found = continuity(journeys)
    again = Continuity.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.pairs == found.pairs
    assert again.seamless == found.seamless
