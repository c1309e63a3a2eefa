from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._adding import _spread
from cxjourney.journeys._adding._tables import Counts
from cxjourney.omnichannel import Switching, channel_entropy, switching

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def paths(told):
    return cx.Journeys.from_paths(
        [path.split() for path in told],
        converted=[won for won, _ in told.values()],
        dropped=[lost for _, lost in told.values()],
        channels=True,
    )


def logged(told):
    """Return the log of {customer: "channel channel ..."}, one contact a day; "-" is unknown."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint="t",
                channel=None if channel == "-" else channel,
                timestamp=BEGIN + timedelta(days=day),
            )
            for customer, channels in told.items()
            for day, channel in enumerate(channels.split())
        ],
    )


def test_rates_by_hand():
    # web phone web: 2 of 2 moves; web web app: 1 of 2; web alone: no move
    found = switching(paths({"web phone web": (1, 0), "web web app": (2, 0), "web": (0, 3)}))
    assert found.per_transition.value == pytest.approx((2 + 2 * 1) / (2 + 2 * 2))
    assert found.per_transition.n == 6
    assert found.per_journey.value == pytest.approx((1 + 2 * 0.5) / 3)
    assert (found.per_journey.n, found.per_journey.n_missing) == (3, 3)
    assert found.multichannel.value == pytest.approx(3 / 6)


def test_a_switch_taken_back_is_seen_over_runs():
    # web app app web: taken back; web app phone: not; then phone is left open-ended
    found = switching(paths({"web app app web": (1, 0), "web app phone": (1, 0)}))
    assert found.bounce_back.n == 4
    assert found.bounce_back.value == pytest.approx(1 / 4)


def test_an_unknown_contact_between_two_channels_is_no_switch():
    found = switching(logged({"a": "web - web app - web app web"}).journeys())
    assert found.per_transition.n == 3  # web > app, web > app, app > web
    assert found.per_transition.value == 1
    assert found.bounce_back.value == pytest.approx(1 / 3)
    assert any("2 interactions without a recorded channel" in note for note in found.notes)


def test_running_journeys_may_still_come_back():
    found = switching(logged({"a": "web app", "b": "web app web"}).journeys())
    assert found.bounce_back.n_censored == 2
    assert found.bounce_back.value == pytest.approx(1 / 3)


def test_containment_by_hand():
    told = {"bot": (3, 1), "bot chat": (2, 4), "chat chat": (1, 1), "chat": (1, 0)}
    rows = {row["channel"]: row for row in switching(paths(told)).channels}
    bot, chat = rows["bot"], rows["chat"]
    assert (bot["journeys"], bot["contained"], bot["in_progress"]) == (10, 4, 0)
    assert bot["containment"] == pytest.approx(0.4)
    assert bot["converted"] == pytest.approx(3 / 4)
    assert bot["low"] < 0.4 < bot["high"]
    assert (chat["journeys"], chat["contained"]) == (3, 3)


def test_the_closing_contact_counts_unless_told_otherwise():
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer="a", touchpoint=name, channel=channel, timestamp=BEGIN)
            for name, channel in (("look", "web"), ("buy", "store"))
        ]
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    assert switching(journeys).multichannel.value == 1
    assert switching(journeys, closing=False).multichannel.value == 0


def test_where_the_goal_takes_place_is_no_reason_to_convert():
    # half of those who stay on the web buy, all of them in the store; one buys at once
    told = {
        "a": [("t", "web"), ("t", "web"), ("buy", "store")],
        "b": [("t", "web"), ("buy", "store")],
        "c": [("t", "web"), ("t", "web")],
        "d": [("t", "web")],
        "e": [("t", "web"), ("t", "phone"), ("buy", "store")],
        "f": [("buy", "store")],
    }
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=who, touchpoint=what, channel=how, timestamp=BEGIN + timedelta(hours=hour)
            )
            for who, touches in told.items()
            for hour, (what, how) in enumerate(touches)
        ],
        observed_until=BEGIN + timedelta(days=60),
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    for closing, contained in ((True, 2), (False, 4)):
        found = switching(journeys, closing=closing)
        rows = {row["channel"]: row for row in found.channels}
        assert (rows["web"]["journeys"], rows["web"]["contained"]) == (5, contained)
        assert rows["web"]["converted"] == 2 / 4
        said = any(
            "3 of the 6 transitions lead to the goal or exit" in note for note in found.notes
        )
        assert said == closing


def test_what_journeys_in_progress_make_too_low_is_said():
    journeys = logged({"a": "web app", "b": "web - - - - - - - - web"}).journeys(
        inactivity=timedelta(days=5)
    )
    found = switching(journeys)
    assert any("1 journeys are in progress. They may still switch" in note for note in found.notes)


def test_without_moves_the_rates_are_not_numbers():
    found = switching(paths({"web": (2, 2)}))
    assert np.isnan(found.per_transition.value)
    assert np.isnan(found.per_journey.value)
    assert np.isnan(found.bounce_back.value)
    assert found.multichannel.value == 0
    assert found.channels.row(0)["containment"] == 1
    assert any("There is one channel" in note for note in found.notes)


def test_without_a_goal_nothing_is_said_of_conversion():
    found = switching(logged({"a": "web app"}).journeys())
    assert np.isnan(found.channels.row(0)["converted"])


def test_a_rate_of_nothing_seen_has_an_interval():
    found = switching(logged({f"c{i}": "web web" for i in range(10)}).journeys())
    # Wilson's interval of none of ten has the upper end t² / (n + t²)
    t = stats.t.ppf(0.975, 9)
    for rate in (found.per_transition, found.per_journey):
        assert (rate.value, rate.low) == (0, 0)
        assert rate.high == pytest.approx(t**2 / (10 + t**2))


def test_an_empty_log_has_no_rates():
    found = switching(cx.Journeys.from_paths([], converted=[], channels=True))
    assert np.isnan(found.multichannel.value)
    assert len(found.channels) == 0


def test_clustered_intervals_are_wider_than_those_of_independent_moves():
    same = {f"c{i}": "web " * 20 if i % 2 else "web app " * 10 for i in range(20)}
    found = switching(logged(same).journeys()).per_transition
    assert found.high - found.low > 0.3  # 380 independent moves would give 0.1


def test_a_log_without_channels_is_refused():
    with pytest.raises(UnknownName, match="the log has no channels"):
        switching(cx.Journeys.from_paths([["a"]], converted=[1]))


def test_the_result_survives_a_dictionary_and_prints():
    found = switching(paths({"web phone web": (1, 0), "web": (0, 3)}))
    again = Switching.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.channels == found.channels
    assert again.per_journey.value == found.per_journey.value
    assert "bounce-back" in repr(found)


@given(
    seed=st.integers(0, 60), closing=st.booleans(), by=st.sampled_from(["channel", "touchpoint"])
)
@settings(max_examples=10)
def test_of_statistics_they_are_those_of_the_journeys(seed, closing, by):
    rng, midnight = np.random.default_rng(seed), BEGIN.replace(hour=0)
    told = {
        f"c{i}": [
            (str(rng.choice(["a", "b", "buy"], p=[0.5, 0.4, 0.1])), str(rng.choice(list("wps-"))))
            for _ in range(rng.integers(1, 9))
        ]
        for i in range(rng.choice([5, 90]))
    }
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=who,
                touchpoint=what,
                channel=None if where == "-" else where,
                timestamp=midnight + timedelta(days=float(rng.integers(0, 3)) + 2 * day),
            )
            for who, touches in told.items()
            for day, (what, where) in enumerate([*touches, ("a", "w")])
        ]
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=4), touchpoints=["buy"])
    for measure in (switching, channel_entropy):
        raw, found = (
            measure(one, by=by, closing=closing).to_dict()
            for one in (journeys, journeys.statistics())
        )
        assert near(raw, found), (raw, found)


def near(one, other):
    """Return whether two results are the same but for the last bits, tables row by row."""
    if isinstance(one, dict) and "columns" in one:
        rows = [
            sorted(zip(*(x["columns"][name] for name in x["columns"]), strict=True), key=str)
            for x in (one, other)
        ]
        return near(*rows)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float):
        return one == pytest.approx(other, abs=1e-12, nan_ok=True)
    return one == other


def test_many_channels_are_told_apart_without_room_for_each_journey(monkeypatch):
    journeys = logged({f"c{i}": "web app web - phone app " * (i % 4 + 1) for i in range(90)})
    few = channel_entropy(journeys.journeys())
    monkeypatch.setattr(_spread, "_MOST_NAMES", 1)
    assert channel_entropy(journeys.journeys()).to_dict() == few.to_dict()
    monkeypatch.undo()
    monkeypatch.setattr(_spread, "_CELLS", 7)
    assert channel_entropy(journeys.journeys()).to_dict() == few.to_dict()


@pytest.mark.parametrize(("table", "column"), [("stays", i) for i in range(4)] + [
    ("switches", i) for i in (0, 1, 3, 4, 5, 7, 8, 9, 10)
])  # fmt: skip
def test_numbers_that_no_journeys_have_are_refused(table, column):
    log = logged({f"c{i}": "web app web - phone" for i in range(90)})
    statistics = log.journeys(inactivity=timedelta(days=20)).statistics()
    counts = statistics.tables[f"{table} channel"]
    values = counts.values.copy()
    values[0, column] += 1 << 30
    tables = {**statistics.tables, f"{table} channel": Counts.of(counts.key, values)}
    with pytest.raises(InvalidValue, match="what comes in at the nodes of channel"):
        cx.JourneyStatistics.from_bytes(attrs.evolve(statistics, tables=tables).to_bytes())


def test_what_was_not_counted_is_refused():
    statistics = logged({"a": "web app"}).journeys().statistics()
    for measure in (switching, channel_entropy):
        with pytest.raises(InvalidValue, match="by must be a grain that statistics"):
            measure(statistics, by="kind")
        with pytest.raises(InvalidValue, match="among the grains that were counted"):
            measure(statistics, by="owner")
        with pytest.raises(InvalidValue):
            measure(statistics, segment="channel")
