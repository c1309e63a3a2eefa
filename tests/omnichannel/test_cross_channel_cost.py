from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import UnknownName
from cxjourney.omnichannel import CrossChannelCost, cross_channel_cost

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = timedelta(days=7)


def logged(told, *, until=60.0):
    """Return the log of {customer: [(touchpoint, channel, hour, {fields}), ...]}."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=touchpoint,
                channel=channel,
                timestamp=BEGIN + timedelta(hours=hour),
                **fields,
            )
            for customer, touches in told.items()
            for touchpoint, channel, hour, fields in touches
        ],
        observed_until=BEGIN + timedelta(days=until),
    )


EUR = {"currency": "EUR"}
TOLD = {
    # single: 2 h, 2 interactions, score 8, 50 EUR; 4 h, 2 interactions, score 6, lost
    "a": [("t", "web", 0, {"score": 8}), ("buy", "web", 2, {"value": 50, **EUR})],
    "b": [("t", "web", 0, {"score": 6}), ("t", "web", 4, {})],
    # cross: 10 h, 2 interactions, score 4, 20 EUR; 8 h, 2 interactions, score 2, lost;
    # 1 h, 3 interactions
    "c": [("t", "web", 0, {"score": 4}), ("buy", "phone", 10, {"value": 20, **EUR})],
    "d": [("t", "web", 0, {"score": 2}), ("t", "phone", 8, {})],
    "e": [("t", "web", 0, {}), ("t", "phone", 0.5, {}), ("t", "web", 1, {})],
    # one contact; still running
    "f": [("t", "web", 0, {})],
    "g": [("t", "web", 1430, {}), ("t", "phone", 1431, {})],
}


@pytest.fixture(scope="module")
def journeys():
    return logged(TOLD).journeys(goal="buy", inactivity=LIMIT)


def test_differences_by_hand(journeys):
    found = cross_channel_cost(journeys)
    assert found.time.value == pytest.approx((9 - 3) * 3600)  # the journey of three has no like
    assert found.interactions.value == pytest.approx(7 / 3 - 2)
    assert found.score.value == pytest.approx(3 - 7)
    assert found.value.value == pytest.approx(20 - 50)
    assert found.value.unit == "EUR"
    assert found.conversion.value == pytest.approx(0)
    rows = {row["measure"]: row for row in found.table}
    assert (rows["time"]["cross_journeys"], rows["time"]["single_journeys"]) == (2, 2)
    assert rows["time"]["crude"] == pytest.approx((19 / 3 - 3) * 3600)
    assert any("1 journeys in progress" in note for note in found.notes)


def test_a_handful_of_journeys_has_no_interval(journeys):
    found = cross_channel_cost(journeys)
    assert np.isnan(found.time.low)
    assert any(
        "time, interactions, score, value, conversion: there is no interval" in n
        for n in found.notes
    )


def test_length_is_matched_unless_told_otherwise(journeys):
    found = cross_channel_cost(journeys, match_length=False)
    assert found.time.value == pytest.approx((19 / 3 - 3) * 3600)


@pytest.mark.parametrize(
    ("single", "cross", "alike"),
    [(2, 3, False), (4, 5, False), (5, 6, True), (6, 7, False), (7, 9, True), (25, 40, True)],
)
def test_lengths_are_matched_in_bands(single, cross, alike):
    # 2, 3, 4, 5 to 6, 7 to 9, 10 to 14, 15 to 24, 25 and more
    paths = cx.Journeys.from_paths(
        [["web"] * single, ["web"] * (cross - 1) + ["app"]], converted=[30, 20], channels=True
    )
    compared = cross_channel_cost(paths).conversion.n
    assert compared == (50 if alike else 0)


def test_strata_undo_simpsons_paradox():
    # METHODS 6.6: 80/100 against 9/10 and 2/10 against 30/100: crude +39.1 points, pooled -10.0
    told = {}
    for topic, cross, won in (
        ("a", True, (80, 100)),
        ("a", False, (9, 10)),
        ("b", True, (2, 10)),
        ("b", False, (30, 100)),
    ):
        for i in range(won[1]):
            end = ("buy" if i < won[0] else "t", "phone" if cross else "web", 1, {})
            told[f"{topic}{cross}{i}"] = [("t", "web", 0, {"attributes": {"topic": topic}}), end]
    journeys = logged(told).journeys(goal="buy", inactivity=LIMIT)
    assert cross_channel_cost(journeys).conversion.value == pytest.approx(0.391, abs=5e-4)
    fair = cross_channel_cost(journeys, strata="topic")
    assert fair.conversion.value == pytest.approx(-0.1)
    assert any("conversion: the crude difference has the other sign" in n for n in fair.notes)


def test_the_interval_covers_a_planted_difference():
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(60):
        told = {}
        for i in range(40):
            own = rng.exponential(3)
            touches, at = [], 0.0
            for k in range(2):  # two journeys a customer, alike in time
                hours = 1 + own + rng.exponential(1) + 2.0 * (i % 2)
                touches += [
                    ("t", "web", at, {}),
                    ("buy", "phone" if i % 2 else "web", at + hours, {}),
                ]
                at += 200 + k
            told[f"c{i}"] = touches
        found = cross_channel_cost(logged(told).journeys(goal="buy", inactivity=LIMIT)).time
        covered += found.low <= 2 * 3600 <= found.high
    assert covered >= 53


def test_paths_have_contacts_and_conversions_but_no_times():
    paths = cx.Journeys.from_paths(
        [["web", "web"], ["web", "phone"]],
        converted=[60, 30],
        dropped=[40, 70],
        value=[600.0, 450.0],
        channels=True,
        currency="EUR",
    )
    found = cross_channel_cost(paths)
    assert found.conversion.value == pytest.approx(-0.3)
    assert found.value.value == pytest.approx(15 - 10)
    assert np.isnan(found.time.value)
    assert np.isnan(found.score.value)
    assert any("neither times nor scores" in note for note in found.notes)
    # 200 customers of one journey: the variance of two proportions
    half = (found.conversion.high - found.conversion.low) / 2
    # over 64 buckets, which has a noise of some 9 %
    assert half == pytest.approx(1.998 * np.sqrt(0.24 / 100 + 0.21 / 100), rel=0.15)


@pytest.mark.parametrize("path", [["web", "web"], ["web", "phone"], ["web"]])
def test_without_both_kinds_of_journeys_nothing_is_compared(path):
    found = cross_channel_cost(cx.Journeys.from_paths([path], converted=[5], channels=True))
    assert np.isnan(found.interactions.value)
    assert "nothing can be compared" in repr(found)


def test_where_no_journey_is_over_nothing_is_known():
    found = cross_channel_cost(logged(TOLD).journeys())
    assert np.isnan(found.time.value)
    assert "No journey is known to be over" in repr(found)


def test_where_nobody_converts_there_is_no_conversion_to_compare():
    told = {k: v for k, v in TOLD.items() if k in "bd"}
    found = cross_channel_cost(logged(told).journeys(inactivity=LIMIT))
    assert np.isnan(found.conversion.value)
    assert np.isnan(found.value.value)
    assert found.time.value == pytest.approx(4 * 3600)


def test_unknown_attributes_are_named(journeys):
    with pytest.raises(UnknownName, match="'topic' is not in the log"):
        cross_channel_cost(journeys, strata="topic")


def test_the_result_survives_a_dictionary(journeys):
    found = cross_channel_cost(journeys)
    again = CrossChannelCost.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.table == found.table
    assert repr(again) == repr(found)
