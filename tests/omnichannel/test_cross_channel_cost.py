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
    # a and b stay on the web at their second contact: a buys 2 h after the first contact for 50
    # EUR, b is lost after 4 h
    "a": [("t", "web", 0, {"score": 1}), ("t", "web", 1, {"score": 8})],
    "b": [("t", "web", 0, {}), ("t", "web", 4, {"score": 6})],
    # c and d go to the phone: c buys after 10 h for 20 EUR, d is lost after 8 h
    "c": [("t", "web", 0, {"score": 9}), ("t", "phone", 6, {"score": 4})],
    "d": [("t", "web", 0, {}), ("t", "phone", 8, {"score": 2})],
    # e stays at the second contact and goes to the phone at the third, as nobody else does
    "e": [("t", "web", 0, {}), ("t", "web", 0.5, {}), ("t", "phone", 1, {"score": 7})],
    # one contact, even with a purchase elsewhere; begun at the phone
    "f": [("t", "web", 0, {})],
    "g": [("t", "web", 0, {}), ("buy", "phone", 3, {"value": 99, **EUR})],
    "h": [("t", "phone", 0, {}), ("t", "web", 5, {})],
}
TOLD["a"].append(("buy", "phone", 2, {"value": 50, "score": 10, **EUR}))
TOLD["c"].append(("buy", "web", 10, {"value": 20, "score": 0, **EUR}))


@pytest.fixture(scope="module")
def journeys():
    return logged(TOLD).journeys(goal="buy", inactivity=LIMIT)


def test_differences_by_hand(journeys):
    found = cross_channel_cost(journeys)
    # at the second contact c and d leave the web, and a, b and e stay
    assert found.time.value == pytest.approx((9 - (2 + 4 + 1) / 3) * 3600)
    assert found.interactions.value == pytest.approx((2 + 1) / 2 - (2 + 1 + 2) / 3)
    assert found.score.value == pytest.approx((2 + 2) / 2 - (9 + 6 + 7) / 3)
    assert found.value.value == pytest.approx(20 - 50)
    assert found.value.unit == "EUR"
    assert found.conversion.value == pytest.approx(1 / 2 - 1 / 3)
    rows = {row["measure"]: row for row in found.table}
    assert (rows["time"]["cross_journeys"], rows["time"]["single_journeys"]) == (2, 3)


def test_where_the_purchase_takes_place_is_no_crossing(journeys):
    before = cross_channel_cost(journeys, closing=False)
    # the purchase is no interaction then, and its score no score
    assert before.interactions.value == pytest.approx(1 - (1 + 1 + 2) / 3)
    assert before.score.value == pytest.approx((4 + 2) / 2 - (8 + 6 + 7) / 3)
    for name in ("time", "value", "conversion"):
        assert getattr(before, name).value == getattr(cross_channel_cost(journeys), name).value
    # a purchase elsewhere, right after the first contact, is nothing that could be compared
    other = {who: list(touches) for who, touches in TOLD.items()}
    other["g"][1] = ("buy", "web", 3, {})
    moved = cross_channel_cost(logged(other).journeys(goal="buy", inactivity=LIMIT))
    assert moved.table == cross_channel_cost(journeys).table


def test_a_goal_that_ends_nothing_is_no_crossing_either():
    # with after_goal="keep" the purchase stays within the journey, and so does what follows it
    told = {f"x{i}": [("t", "web", 0, {}), ("buy", "shop", 1, {})] for i in range(9)}
    told |= {f"y{i}": [("t", "web", 0, {}), ("t", "web", 1, {})] for i in range(9)}
    told |= {f"z{i}": [("t", "web", 0, {}), ("t", "app", 1, {})] for i in range(9)}
    log = logged(told)
    found = cross_channel_cost(log.journeys(goal="buy", inactivity=LIMIT, after_goal="keep"))
    assert found.conversion.n == 18
    assert found.conversion.value == 0


def test_a_handful_of_journeys_has_no_interval(journeys):
    found = cross_channel_cost(journeys)
    assert np.isnan(found.time.low)
    assert any(
        "time, interactions, score, value, conversion: there is no interval" in n
        for n in found.notes
    )


def test_contacts_are_compared_with_those_as_late_unless_told_otherwise(journeys):
    found = cross_channel_cost(journeys, match_length=False)
    # the third contact of e is a switch too: from 0.5 h to 1 h
    assert found.time.value == pytest.approx(((10 + 8 + 0.5) / 3 - (2 + 4 + 1) / 3) * 3600)


def test_an_unknown_channel_ends_what_can_be_compared():
    told = {
        "a": [("t", "web", 0, {}), ("t", None, 1, {}), ("t", "phone", 2, {})],
        "b": [("t", "web", 0, {}), ("t", "web", 1, {}), ("t", "web", 2, {})],
    }
    found = cross_channel_cost(logged(told).journeys(inactivity=LIMIT))
    assert found.time.n == 0


def test_a_stratum_must_be_known_before_the_switch():
    told = {
        who: [("t", "web", 0, {}), ("t", "phone" if who in "cd" else "web", 4, {})]
        for who in "abcd"
    }
    told["a"][0] = ("t", "web", 0, {"attributes": {"topic": "bill"}})
    told["b"][1] = ("t", "web", 6, {"attributes": {"topic": "bill"}})  # too late
    told["c"][0] = ("t", "web", 0, {"attributes": {"topic": "bill"}})
    found = cross_channel_cost(logged(told).journeys(inactivity=LIMIT), strata="topic")
    assert found.time.n == 2
    assert any(
        "2 journeys are left out where their topic was not known yet" in n for n in found.notes
    )


def test_journeys_in_progress_count_for_as_long_as_they_were_seen():
    # four of six who cross are over; of the others one is seen for 2 days, one for 5
    told = {}
    for i, (day, bought) in enumerate([(1, True), (3, True), (6, True), (None, False)]):
        told[f"x{i}"] = [("t", "web", 0, {}), ("t", "phone", 1, {})]
        told[f"y{i}"] = [("t", "web", 0, {}), ("t", "web", 1, {})]
        if bought:
            told[f"x{i}"].append(("buy", "web", 1 + 24 * day, {}))
            told[f"y{i}"].append(("buy", "web", 2, {}))
    for who, day in (("open 2", 2), ("open 5", 5)):
        begin = 24 * (60 - day) - 1
        told[who] = [("t", "web", begin, {}), ("t", "phone", begin + 1, {})]
    found = cross_channel_cost(logged(told).journeys(goal="buy", inactivity=LIMIT))
    # Kaplan and Meier by hand: of 6 one is over at day 1; at day 2 one is censored; of 4 one at
    # day 3; at day 5 one is censored; of 2 one at day 6, and the last is lost at day 7
    masses = [1 / 6, 5 / 6 / 4, 5 / 6 * 3 / 4 / 2, 5 / 6 * 3 / 4 / 2]
    assert sum(masses) == pytest.approx(1)
    row = {row["measure"]: row for row in found.table}["conversion"]
    assert row["cross"] == pytest.approx(sum(masses[:3]))
    assert row["single"] == pytest.approx(3 / 4)
    assert found.conversion.n_censored == 2
    time = {row["measure"]: row for row in found.table}["time"]
    hours = np.array([2 + 23, 2 + 71, 2 + 143, 1])
    assert time["cross"] == pytest.approx((masses @ hours) * 3600)
    assert any("2 journeys in progress count for as long" in note for note in found.notes)


def test_journeys_that_cannot_be_known_to_be_lost_yet_are_not_compared():
    # half buy after 2 days; the phone is there since 5 days, and a silence of 7 is a loss
    told = {}
    for i in range(40):
        hour = 55 * 24 + i / 10
        told[f"x{i}"] = [("t", "web", hour), ("t", "phone", hour)]
        told[f"y{i}"] = [("t", "web", i / 10), ("t", "web", i / 10)]
        if i % 2:
            told[f"x{i}"].append(("buy", "web", hour + 48))
            told[f"y{i}"].append(("buy", "web", i / 10 + 48))
    told = {who: [(*touch, {}) for touch in touches] for who, touches in told.items()}
    found = cross_channel_cost(logged(told).journeys(goal="buy", inactivity=LIMIT))
    assert np.isnan(found.conversion.value)


def test_contacts_are_compared_with_those_as_late_and_from_the_same_channel():
    paths = cx.Journeys.from_paths(
        [["web"] * 4, ["web", "web", "web", "app"], ["web", "app"], ["app", "web"]],
        converted=[30, 20, 5, 5],
        dropped=[10, 20, 5, 5],
        channels=True,
    )
    table = cross_channel_cost(paths).table
    found = cross_channel_cost(paths).conversion
    # second contact: 10 leave the web, 80 stay; fourth: 40 leave, 40 stay; none stays in the app
    second, fourth = 5 / 10 - 50 / 80, 20 / 40 - 30 / 40
    weights = np.array([10 * 80 / 90, 40 * 40 / 80])
    assert found.value == pytest.approx(weights @ [second, fourth] / weights.sum())
    assert found.n == 170
    crude = table.row(list(table["measure"]).index("conversion"))["crude"]
    assert crude == pytest.approx((5 + 20) / 50 - (50 + 30) / 120)


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
            here = ("t", "phone" if cross else "web", 1, {})
            told[f"{topic}{cross}{i}"] = [
                ("t", "web", 0, {"attributes": {"topic": topic}}),
                here,
                *([("buy", "web", 2, {})] if i < won[0] else []),
            ]
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
                    ("t", "phone" if i % 2 else "web", at + hours / 2, {}),
                    ("buy", "web", at + hours, {}),
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
    told = {who: TOLD[who] for who in "bd"}
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
