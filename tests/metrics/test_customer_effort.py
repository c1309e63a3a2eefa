"""Effort is a vector of plain counts and times, one row a resolved issue."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import EffortVector, effort


def hour(h):
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=h)


def test_each_component_by_hand():
    found = effort(
        ["b", "a", "a", "a", "a"],
        [hour(9), hour(3), hour(0), hour(1), hour(2)],
        touchpoint=["faq", "faq", "faq", "bot", "agent"],
        channel=["web", "web", "web", "chat", "chat"],
        owner=["it", "x", "it", "it", "x"],
        waited=[timedelta(0), *[timedelta(minutes=m) for m in (4, 1, 2, 3)]],
    )
    # a in time order: faq web it, bot chat it, agent chat x, faq web x
    assert found.issue == ("b", "a")
    assert found.interactions.tolist() == [1, 4]
    assert found.channels.tolist() == [1, 2]
    assert found.channel_switches.tolist() == [0, 2]
    assert found.transfers.tolist() == [0, 1]
    assert found.repeats.tolist() == [0, 1]
    assert found.waited_s.tolist() == [0, 600]
    assert found.elapsed_s.tolist() == [0, 3 * 3600]
    assert found.rank.tolist() == [0.25, 0.75]
    assert found.means["interactions"].value == 2.5


def test_columns_that_are_not_given_are_not_zero():
    found = effort(["a", "a"], [hour(0), hour(1)])
    assert np.isnan(found.transfers).all()
    assert math.isnan(found.means["transfers"].value)
    assert found.means["interactions"].value == 2
    assert "transfers" not in repr(found)


def test_a_missing_value_makes_its_component_unknown_for_that_issue_only():
    found = effort(
        ["a", "a", "b"],
        [hour(0), hour(1), hour(2)],
        channel=["web", None, "web"],
        waited=[timedelta(1), None, timedelta(1)],
    )
    assert found.channel_switches.tolist()[1] == 0
    assert math.isnan(found.channel_switches[0])
    assert math.isnan(found.waited_s[0])
    assert found.means["channels"].n == 1


def test_open_issues_are_left_out_and_counted():
    found = effort(["a", "b", "b"], [hour(0), hour(1), hour(2)], in_progress=[False, False, True])
    assert found.issue == ("a",)
    assert found.means["interactions"].n_censored == 1


def test_interactions_without_issue_or_time_are_counted():
    found = effort(["a", None, "b"], [hour(0), hour(1), None])
    assert found.issue == ("a",)
    assert found.means["interactions"].n_missing == 2
    with pytest.raises(InvalidData, match="missing"):
        effort([None], [hour(0)], nan_policy="raise")
    lost = effort(["a", None], [hour(0), hour(1)], nan_policy="propagate")
    assert math.isnan(lost.means["interactions"].value)


def test_nothing_gives_an_empty_vector():
    found = effort([], [], touchpoint=[], channel=[], owner=[], waited=[], in_progress=[])
    assert found.issue == ()
    assert math.isnan(found.means["interactions"].value)
    assert "0 issues" in repr(found)


def test_lengths_must_agree_and_times_not_be_negative():
    with pytest.raises(InvalidValue, match="one length"):
        effort(["a"], [hour(0)], channel=["web", "web"])
    with pytest.raises(InvalidData, match="negative"):
        effort(["a"], [hour(0)], waited=[-timedelta(1)])


def test_the_result_goes_to_json_and_back():
    found = effort(["a", "a", "b"], [hour(0), hour(1), hour(2)], channel=["x", "y", "x"])
    again = EffortVector.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.to_dict() == found.to_dict()
    np.testing.assert_array_equal(again.channel_switches, found.channel_switches)


@pytest.mark.shared_data
def test_throughput_and_processing_times_equal_edear(shared):
    stored = json.loads((shared / "oracles/throughput_processing_edeaR.json").read_text())
    rows, expected = stored["rows"], stored["expected_minutes"]
    timestamp = [datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC) for row in rows]
    started = {
        row["activity_instance"]: at
        for row, at in zip(rows, timestamp, strict=True)
        if row["status"] == "start"
    }
    processing = [
        at - started.get(row["activity_instance"], at)
        if row["status"] == "complete"
        else timedelta(0)
        for row, at in zip(rows, timestamp, strict=True)
    ]
    found = effort([row["patient"] for row in rows], timestamp, waited=processing)
    assert found.elapsed_s / 60 == pytest.approx(expected["throughput_by_case"], abs=1e-4)
    assert found.means["elapsed_s"].value / 60 == pytest.approx(expected["throughput_mean"])
    assert found.waited_s / 60 == pytest.approx(expected["processing_by_case"], abs=1e-4)
    assert found.means["waited_s"].value / 60 == pytest.approx(expected["processing_mean"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(0, 50), st.sampled_from(["web", "app", "shop"])
        ),
        max_size=20,
    )
)
def test_switches_and_repeats_equal_a_loop_by_hand(rows):
    found = effort(
        [i for i, _, _ in rows],
        [hour(h) for _, h, _ in rows],
        touchpoint=[c for _, _, c in rows],
        channel=[c for _, _, c in rows],
    )
    for k, issue in enumerate(found.issue):
        path = [
            c for _, c in sorted(((h, c) for i, h, c in rows if i == issue), key=lambda x: x[0])
        ]
        assert found.interactions[k] == len(path)
        assert found.channels[k] == len(set(path))
        assert found.repeats[k] == len(path) - len(set(path))
        assert found.channel_switches[k] == sum(a != b for a, b in pairwise(path))
