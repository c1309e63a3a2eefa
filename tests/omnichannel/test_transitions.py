from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, TimesRequired, UnknownName
from cxjourney.omnichannel import Transitions, transitions

BEGIN = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)


def log_of(told):
    """Return the log of {customer: [(touchpoint, channel, hour), ...]}."""
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=customer,
                touchpoint=touchpoint,
                channel=channel,
                timestamp=BEGIN + timedelta(hours=hour),
            )
            for customer, touches in told.items()
            for touchpoint, channel, hour in touches
        ]
    )


SHOP = {
    "a": [("look", "web", 0), ("ask", "phone", 1), ("look", "web", 30), ("buy", "store", 31)],
    "b": [("look", "web", 0), ("look", "web", 2), ("buy", "web", 3)],
    "c": [("ask", "phone", 5)],
}


@pytest.fixture(scope="module")
def journeys():
    return log_of(SHOP).journeys(goal="buy", inactivity=timedelta(days=7))


def test_moves_into_the_goal_count_in_its_channel(journeys):
    found = transitions(journeys)
    assert found.names == ("phone", "store", "web")
    assert found.matrix().tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 2]]
    assert found.n == 5
    row = found.table.row(0)
    assert (row["from_channel"], row["to_channel"], row["count"], row["customers"]) == (
        "web", "web", 2, 1,
    )  # fmt: skip
    assert row["probability"] == pytest.approx(2 / 4)


def test_without_the_closing_contact_the_counts_are_the_edges_of_the_graph(journeys):
    found = transitions(journeys, closing=False)
    graph = journeys.graph(by="channel")
    square = found.matrix()
    for i, source in enumerate(found.names):
        for j, target in enumerate(found.names):
            edge = graph.get_edge_data(source, target, {"count": 0})
            assert square[i, j] == edge["count"]


def test_a_row_nobody_left_has_no_probabilities(journeys):
    probability = transitions(journeys).matrix("probability")
    assert np.isnan(probability[1]).all()
    assert np.allclose(probability[[0, 2]].sum(axis=1), 1)


def test_the_limit_leaves_late_moves_out_and_says_so(journeys):
    found = transitions(journeys, max_lag=timedelta(hours=12))
    assert found.matrix().tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 2]]
    assert any("1 transitions later than max_lag" in note for note in found.notes)


def test_first_and_last_channel_of_each_journey(journeys):
    table = transitions(journeys).ends
    assert {
        (row["first_channel"], row["last_channel"]): row["journeys"] for row in table
    } == {("web", "store"): 1, ("web", "web"): 1, ("phone", "phone"): 1}  # fmt: skip
    assert np.sum(table["share"]) == pytest.approx(1)


def test_one_move_a_customer_gives_wilsons_interval():
    told = {f"c{i}": [("x", "web", 0), ("y", "app" if i < 7 else "web", 1)] for i in range(50)}
    row = next(
        row for row in transitions(log_of(told).journeys()).table if row["to_channel"] == "app"
    )
    # fifty customers of one transition: p (1 - p) / Var is 49, and t has 49 degrees of freedom
    square = stats.t.ppf(0.975, 49) ** 2 / 49
    ends = np.sort(np.roots([1 + square, -2 * 7 / 50 - square, (7 / 50) ** 2]))
    assert [row["low"], row["high"]] == pytest.approx(ends)


def test_customers_that_repeat_themselves_widen_the_interval():
    def width(repeats):
        told = {
            f"c{i}": [("x", "web" if i % 2 else ("app", "web")[k % 2], k) for k in range(repeats)]
            for i in range(20)
        }
        moves = transitions(log_of(told).journeys()).table
        row = next(r for r in moves if r["from_channel"] == r["to_channel"] == "web")
        return row["high"] - row["low"]

    # forty times the moves of the same twenty customers say hardly more than one each
    assert width(41) > 0.25


def test_weights_are_frequencies():
    paths = [["web", "app"], ["web", "web"]]
    weighted = cx.Journeys.from_paths(paths, converted=[7, 43], channels=True)
    told = {f"c{i}": [("x", "web", 0), ("y", "app" if i < 7 else "web", 1)] for i in range(50)}
    one, other = transitions(weighted).table, transitions(log_of(told).journeys()).table
    for name in ("count", "customers", "probability"):
        assert one[name] == pytest.approx(other[name])
    for name in ("low", "high"):  # fifty customers in buckets of their own, or dealt to 64
        assert one[name] == pytest.approx(other[name], abs=0.02)


def test_kinds_of_channels_are_a_grain(journeys):
    found = transitions(journeys, by="kind")
    assert found.names == ("digital", "human", "physical")
    assert found.matrix().tolist() == [[2, 1, 1], [1, 0, 0], [0, 0, 0]]


def test_an_unknown_channel_is_left_out_and_not_bridged_over():
    told = {"a": [("x", "web", 0), ("x", None, 1), ("x", "app", 2), ("x", "web", 3)]}
    found = transitions(log_of(told).journeys())
    assert found.n == 1
    assert found.matrix().tolist() == [[0, 1], [0, 0]]
    assert any("1 interactions without a recorded channel" in note for note in found.notes)
    assert any("2 transitions to or from them" in note for note in found.notes)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"a": [("x", "web", 0), ("x", "web", 1)]}, "There is one channel"),
        ({"a": [("x", "web", 0)], "b": [("x", "app", 0)]}, "No journey has two interactions"),
        (
            {"a": [("x", "web", 0), ("x", "web", 1)], "b": [("x", "app", 0)]},
            "Every journey stays at one channel",
        ),
        (
            {"a": [("x", "web", 0), ("x", "app", 0), ("x", "web", 48)]},
            "timestamps are dates only",
        ),
        (
            {"a": [("x", "web", 0), ("x", "app", 0), ("x", "web", 5)]},
            "50% of consecutive interactions have equal timestamps",
        ),
    ],
)
def test_what_cannot_be_found_is_said(told, said):
    assert said in repr(transitions(log_of(told).journeys()))


@pytest.mark.parametrize(
    ("told", "options", "said"),
    [
        (
            {"a": [("x", "web", 0), ("x", None, 1)], "b": [("x", None, 0), ("x", "app", 1)]},
            {},
            "Of no two consecutive interactions is the channel of both known",
        ),
        (
            {"a": [("x", "web", 0), ("x", "web", 1), ("x", None, 2)], "b": [("x", "app", 0)]},
            {},
            "Every journey stays at one channel, as far as it is known",
        ),
        (
            {"a": [("x", "web", 0), ("x", "app", 9)]},
            {"max_lag": timedelta(hours=8)},
            "No two interactions of a journey are as close as max_lag",
        ),
        (
            {"a": [("x", "web", 0), ("buy", "app", 9)], "b": [("x", "app", 0)]},
            {"closing": False},
            "No journey has two interactions before the one that ends it",
        ),
    ],
)
def test_why_there_are_no_transitions(told, options, said):
    log = log_of(told)
    goal = "buy" if "buy" in log.touchpoints else None
    found = transitions(log.journeys(goal=goal, inactivity=timedelta(days=7)), **options)
    assert any(said in note for note in found.notes)
    assert not any("No journey has two interactions," in note for note in found.notes)


def test_a_channel_is_carried_forward_within_the_session():
    told = {
        # 10 minutes apart; 30 minutes after the second begins another session
        "a": [("x", "ad", 0), ("x", None, 1 / 6), ("x", None, 1 / 6 + 0.5), ("x", "web", 1)],
        "b": [("x", None, 0), ("x", "ad", 0.1), ("buy", None, 0.2), ("x", None, 0.3)],
        "c": [("x", None, 0)],
    }
    log = log_of(told)
    half_an_hour = timedelta(minutes=30)
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7), carry_channels=half_an_hour)
    names = [
        [None if i.channel is None else i.channel.name for i in journey.interactions]
        for journey in journeys
    ]
    # nothing goes back, nor to the next customer; a new journey may be the same session
    assert names == [["ad", "ad", None, "web"], [None, "ad", "ad"], ["ad"], [None]]
    assert journeys.rules.carry_channels == half_an_hour
    # 3 of 9 are unknown now, and 6 of 9 were
    said = [transitions(j).notes[0] for j in (log.journeys(goal="buy"), journeys)]
    assert "6 interactions without a recorded channel (66.7% of all)" in said[0]
    assert "carry_channels" in said[0]
    assert "3 interactions without a recorded channel (33.3% of all)" in said[1]
    credit = cx.attribution.last_touch(journeys).credit
    assert credit["ad"] == 1


def test_channels_are_carried_forward_within_a_case_only():
    frame = {
        "who": ["a", "a"], "when": ["2026-01-01 10:00", "2026-01-01 10:05"],
        "what": ["x", "x"], "how": ["web", None], "case": ["1", "2"],
    }  # fmt: skip
    log = cx.InteractionLog.from_frame(
        frame, customer="who", timestamp="when", touchpoint="what", channel="how", journey="case"
    )
    found = transitions(log.journeys(carry_channels=timedelta(minutes=30)))
    assert "1 interaction without a recorded channel (50.0% of all)" in repr(found)


def test_what_carries_channels_forward_is_checked():
    log = log_of(SHOP)
    with pytest.raises(InvalidValue, match="carry_channels must be"):
        log.journeys(carry_channels=timedelta(0))
    without = log_of({"a": [("x", None, 0)]})
    with pytest.raises(UnknownName, match="column 'channel' is not in the log"):
        without.journeys(carry_channels=timedelta(minutes=30))


def test_every_channel_result_says_what_share_is_missing():
    told = {
        f"c{i}": [
            ("x", "web", 0),
            ("y", None, 1),
            ("z", "app", 2),
            *([("buy", "app", 3)] * (i % 2)),
        ]
        for i in range(10)
    }
    journeys = log_of(told).journeys(goal="buy", inactivity=timedelta(days=7), all_closed=True)
    said = "10 visits (33.3% of all) have no recorded channel; they are __missing__"
    for found in (
        cx.attribution.first_touch(journeys),
        cx.attribution.markov(journeys),
        cx.attribution.shapley(journeys),
        cx.attribution.shapley_by_position(journeys),
        cx.attribution.compare_models(journeys),
        cx.dropoff.exits(journeys, by="channel"),
        cx.sequences.paths(journeys, by="channel"),
    ):
        assert said in repr(found)
        assert "carry_channels" in repr(found)
    said = "10 interactions without a recorded channel"
    for name in ("switching", "affinity", "continuity", "channel_entropy", "mutual_information",
                 "handoff_loss", "cross_channel_cost"):  # fmt: skip
        assert said in repr(getattr(cx.omnichannel, name)(journeys))


def test_an_empty_log_has_an_empty_matrix():
    paths = cx.Journeys.from_paths([], converted=[], channels=True)
    found = transitions(paths)
    assert found.n == 0
    assert found.matrix().shape == (0, 0)
    assert len(found.table) == len(found.ends) == 0


def test_a_log_without_channels_is_refused():
    told = {"a": [("x", None, 0), ("y", None, 1)]}
    with pytest.raises(UnknownName, match="the log has no channels"):
        transitions(log_of(told).journeys())
    with pytest.raises(UnknownName, match="no channel of the log has a kind"):
        transitions(log_of({"a": [("x", "pigeon", 0)]}).journeys(), by="kind")


def test_arguments_are_checked(journeys):
    with pytest.raises(InvalidValue, match="by must be one of"):
        transitions(journeys, by="device")
    with pytest.raises(InvalidValue, match="max_lag must be a timedelta or a number with its unit"):
        transitions(journeys, max_lag=3)
    with pytest.raises(InvalidValue, match="level must be"):
        transitions(journeys, level=95)
    with pytest.raises(InvalidValue, match="values must be one of"):
        transitions(journeys).matrix("lift")
    paths = cx.Journeys.from_paths([["a", "b"]], converted=[1], channels=True)
    with pytest.raises(TimesRequired, match="max_lag="):
        transitions(paths, max_lag=timedelta(days=1))


def test_the_result_survives_a_dictionary(journeys):
    found = transitions(journeys, max_lag=timedelta(days=2))
    again = Transitions.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert list(found.to_frame("pandas").columns[:4]) == [
        "from_channel", "to_channel", "count", "customers",
    ]  # fmt: skip


@pytest.mark.shared_data
def test_counts_of_an_independent_implementation(shared):
    oracle = json.loads((shared / "oracles" / "paths_transitions.json").read_text())
    case = oracle["transition_matrix"]
    paths = [text.split() for text in case["events"].values()]
    journeys = cx.Journeys.from_paths(paths, converted=[1] * len(paths), channels=True)
    expected = np.array(case["count"])
    inner = slice(1, -1)  # without path_start and path_end
    assert transitions(journeys).matrix().tolist() == expected[inner, inner].tolist()
