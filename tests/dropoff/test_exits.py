"""`exits`: the worked example by hand, closed forms, and data at the edge of meaning."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney._stats.intervals import katz
from cxjourney.dropoff import Exits, exits
from cxjourney.metrics import wilson

DAYS = {
    "a": [("ad", 0), ("web", 1), ("buy", 2), ("web", 5)],
    "b": [("web", 0), ("web", 1), ("store", 10)],
    "c": [("ad", 15), ("web", 16)],
    "d": [("web", 2), ("buy", 7), ("buy", 8)],
    "e": [("store", 19)],
}
WEEK = timedelta(days=7)
COLUMNS = [
    "visits",
    "at_risk",
    "exits",
    "pending",
    "exit_probability",
    "low",
    "high",
    "lift",
    "lost_conversions",
]
# METHODS, log T1: ten complete journeys
T1 = [
    (["ad", "web", "cart"], 1, 0),
    (["ad", "web"], 0, 1),
    (["web", "cart", "web", "cart"], 1, 0),
    (["web"], 0, 1),
    (["ad"], 0, 1),
    (["email", "web", "cart"], 0, 1),
    (["email"], 1, 0),
    (["web", "store"], 1, 0),
    (["ad", "web", "web"], 0, 1),
    (["email", "web", "store"], 0, 1),
]


def day(number: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def log_of(days, *, until=20.0, **fields):
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=day(when), **fields)
            for customer, touches in days.items()
            for touchpoint, when in touches
        ],
        observed_until=day(until),
    )


def t1(times: int = 1):
    paths, converted, dropped = zip(*T1, strict=True)
    return cx.Journeys.from_paths(
        paths, converted=[times * c for c in converted], dropped=[times * d for d in dropped]
    )


@pytest.fixture(scope="module")
def journeys():
    return log_of(DAYS).journeys(goal="buy", inactivity=WEEK)


def row(found: Exits, name: str) -> dict:
    (only,) = (r for r in found.table if r[found.grain[0]] == name)
    return only


def test_the_worked_example(journeys):
    found = exits(journeys)
    assert list(found.to_frame("pandas").columns)[:10] == ["touchpoint", *COLUMNS]
    web = row(found, "web")
    assert [web[name] for name in COLUMNS[:4]] == [6, 5, 2, 1]
    assert web["exit_probability"] == pytest.approx(4 / 9, abs=1e-15)
    assert web["lost_conversions"] == pytest.approx(2.24, abs=1e-12)
    assert web["lost_rate"] == pytest.approx(0.28, abs=1e-12)
    assert row(found, "ad")["exit_probability"] == 0.0
    store = row(found, "store")
    assert store["exit_probability"] == 1.0
    assert math.isnan(store["lost_conversions"])  # everybody leaves: nobody to go on like


def test_what_costs_most_comes_first(journeys):
    assert exits(journeys).table["touchpoint"] == ("web", "ad", "store")


def test_a_graph_gives_the_same_probabilities_with_wilson_at_the_visits_at_risk(journeys):
    of_graph, of_journeys = exits(journeys.graph()), exits(journeys)
    for name in ("web", "ad", "store"):
        mine, theirs = row(of_graph, name), row(of_journeys, name)
        for column in (*COLUMNS[:5], "lift", "lost_conversions"):
            assert mine[column] == pytest.approx(theirs[column], nan_ok=True)
        assert (mine["low"], mine["high"]) == pytest.approx(
            wilson(mine["exit_probability"] * mine["at_risk"], mine["at_risk"])
        )


def test_lift_is_the_ratio_to_all_others_with_katz_interval():
    web = row(exits(t1().graph()), "web")
    # of the other nodes: ad 1 of 4, cart 1 of 4, email 0 of 3, store 1 of 2
    assert web["lift"] == pytest.approx((3 / 10) / (3 / 13))
    assert (web["lift_low"], web["lift_high"]) == pytest.approx(katz(3, 10, 3, 13))


def test_lost_conversions_are_the_slopes_of_the_closed_form():
    found = exits(t1())
    per_journey = {r["touchpoint"]: r["lost_rate"] for r in found.table}
    assert per_journey["web"] == pytest.approx(0.160714, abs=1e-6)
    assert per_journey["cart"] == pytest.approx(0.079167, abs=1e-6)
    assert per_journey["ad"] == pytest.approx(0.0375, abs=1e-6)
    assert row(found, "web")["lost_conversions"] == pytest.approx(1.60714, abs=1e-5)


def test_frequencies_count_as_that_many_customers():
    paths, converted, dropped = zip(*T1, strict=True)
    listed = cx.Journeys.from_paths(
        [path for path in paths for _ in range(3)],
        converted=[c for c in converted for _ in range(3)],
        dropped=[d for d in dropped for _ in range(3)],
    )
    weighted = exits(t1(times=3))
    for name in ("visits", "exit_probability", "low", "high", "lift_low", "lost_conversions"):
        assert weighted.table[name] == pytest.approx(exits(listed).table[name], nan_ok=True)


def test_visits_of_one_customer_are_not_independent():
    # ten customers, of whom half always leave and half never do: ten trials, not a hundred
    days = {
        f"c{c}": [(name, 10 * k + d) for k in range(10) for name, d in _round(leaves=c % 2 == 0)]
        for c in range(10)
    }
    journeys = log_of(days, until=200).journeys(goal="buy", inactivity=timedelta(days=5))
    clustered = exits(journeys).estimate("web")
    naive = exits(journeys, variance="greenwood").estimate("web")
    assert (clustered.value, naive.value) == pytest.approx((0.5, 0.5))
    # Var = C/(C-1) Σ (±5/100)² = 10/9 · 10 · .0025, so that e(1-e)/Var = 9
    assert (clustered.low, clustered.high) == pytest.approx(wilson(4.5, 9))
    assert (naive.low, naive.high) == pytest.approx(wilson(50, 100))


def _round(*, leaves):
    return [("web", 0)] if leaves else [("web", 0), ("buy", 1)]


def test_where_all_end_alike_customers_are_the_trials():
    days = {c: [("web", 0), ("buy", 1), ("web", 8), ("buy", 9)] for c in "abc"}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK)).estimate("web")
    assert (found.value, found.low, found.high) == pytest.approx((0.0, *wilson(0, 3)))
    assert found.n == 6


def test_one_customer_is_one_trial():
    days = {"a": [("web", 0), ("buy", 1), ("web", 5)]}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK)).estimate("web")
    assert (found.value, found.low, found.high) == pytest.approx((0.5, *wilson(0.5, 1)))


def test_explicit_exits_are_exits_without_silence():
    days = {"a": [("web", 0), ("leave", 1)], "b": [("web", 0), ("buy", 1)], "c": [("web", 19.5)]}
    journeys = log_of(days).journeys(goal="buy", exit_touchpoints="leave", inactivity=WEEK)
    web = row(exits(journeys), "web")
    assert web["exits"] == 1
    assert web["exit_probability"] == pytest.approx(1 / 2)
    assert web["pending"] == 1


def test_without_a_limit_open_visits_are_left_out():
    days = {"a": [("web", 0), ("leave", 1)], "b": [("web", 0), ("buy", 1)], "c": [("web", 0)]}
    journeys = log_of(days).journeys(goal="buy", exit_touchpoints="leave")
    found = exits(journeys)
    assert row(found, "web")["exit_probability"] == pytest.approx(1 / 2)
    assert found.method.startswith("exits/at_risk")
    assert any("left out for want of a limit" in note for note in found.caveats)


def test_all_in_progress_says_nothing():
    found = exits(log_of({"a": [("web", 19)], "b": [("web", 19)]}).journeys(inactivity=WEEK))
    web = row(found, "web")
    assert [web[name] for name in COLUMNS[:4]] == [2, 0, 0, 2]
    assert all(math.isnan(web[name]) for name in COLUMNS[4:])
    assert "still open" in repr(found)


def test_one_event():
    dropped = exits(log_of({"a": [("web", 0)]}).journeys(inactivity=WEEK)).estimate("web")
    assert (dropped.value, dropped.low, dropped.high) == pytest.approx((1.0, *wilson(1, 1)))


def test_an_empty_log_has_no_rows_but_all_columns():
    log = cx.InteractionLog.from_interactions([])
    found = exits(log.journeys(goal="buy", inactivity=WEEK))
    assert len(found.table) == 0
    assert list(found.table.column_names)[:10] == ["touchpoint", *COLUMNS]
    assert repr(found)


def test_equal_timestamps_are_moves_that_took_no_time():
    days = {"a": [("web", 0), ("cart", 0), ("buy", 0)], "b": [("web", 0), ("cart", 0)]}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK))
    assert row(found, "web")["exit_probability"] == 0.0
    assert row(found, "cart")["exit_probability"] == 0.5


def test_a_rate_that_nobody_was_followed_for_is_called_a_ceiling():
    days = {"a": [("web", 0), ("buy", 1)], "b": [("web", 0)]}
    log = log_of(days, until=3)
    found = exits(log.journeys(goal="buy", inactivity=WEEK))
    assert row(found, "web")["exit_probability"] == 0.5
    assert any("ceiling" in note for note in found.caveats)


def test_legitimate_ends_stand_apart():
    days = {
        "a": [("web", 0), ("thanks", 1)],
        "b": [("web", 0), ("thanks", 1)],
        "c": [("web", 0)],
        "d": [("mail", 0), ("web", 1)],
    }
    found = exits(log_of(days).journeys(inactivity=WEEK), legitimate=["thanks"])
    last = found.table.row(len(found.table) - 1)
    assert last["touchpoint"] == "thanks"
    assert last["exit_probability"] == 1.0
    assert last["legitimate"]
    assert all(math.isnan(last[name]) for name in ("lift", "lost_conversions", "shrunken"))
    # web 2 of 4 against mail 0 of 1: the two visits of "thanks" are not among the others
    assert math.isinf(row(found, "web")["lift"]) or math.isnan(row(found, "web")["lift"])


def test_a_goal_that_does_not_absorb_is_a_legitimate_end():
    journeys = log_of(DAYS).journeys(goal="buy", inactivity=WEEK, after_goal="keep")
    for found in (exits(journeys), exits(journeys.graph())):
        assert row(found, "buy")["legitimate"]
        assert np.isnan(found.table["lost_conversions"]).all()


def test_segments_are_the_rows_of_their_journeys():
    interactions = [
        cx.Interaction(
            customer=cx.Customer(
                customer, attributes={"tier": "gold" if customer < "c" else "tin"}
            ),
            touchpoint=touchpoint,
            timestamp=day(when),
        )
        for customer, touches in DAYS.items()
        for touchpoint, when in touches
    ]
    log = cx.InteractionLog.from_interactions(interactions, observed_until=day(20))
    journeys = log.journeys(goal="buy", inactivity=WEEK)
    found = exits(journeys, segment="tier")
    assert found.table.column_names[:2] == ("tier", "touchpoint")
    assert found.estimate("gold", "web").n + found.estimate("tin", "web").n == 5
    coded = journeys.segment("tier")
    gold = journeys.where(coded.codes == coded.names.index("gold"))
    assert found.estimate("gold", "web") == exits(gold).estimate("web")


def test_a_pair_has_a_column_for_each_part():
    interactions = [
        cx.Interaction(customer="a", touchpoint="mail@home", channel="web", timestamp=day(0)),
        cx.Interaction(customer="a", touchpoint="cart", channel="a @ b", timestamp=day(1)),
    ]
    log = cx.InteractionLog.from_interactions(interactions, observed_until=day(20))
    journeys = log.journeys(inactivity=WEEK)
    by = ("touchpoint", "channel")
    for found in (exits(journeys, by=by), exits(journeys.graph(by=by))):
        pairs = set(zip(found.table["touchpoint"], found.table["channel"], strict=True))
        assert pairs == {("mail@home", "web"), ("cart", "a @ b")}
        assert found.estimate("cart", "a @ b").value == 1.0


def test_value_at_stake_is_lost_conversions_times_the_mean_value():
    paths, converted, dropped = zip(*T1, strict=True)
    journeys = cx.Journeys.from_paths(
        paths, converted=converted, dropped=dropped, value=[50.0 * c for c in converted]
    )
    for found in (exits(journeys), exits(journeys.graph())):
        web = row(found, "web")
        assert web["value_at_stake"] == pytest.approx(50 * web["lost_conversions"])
    assert "value_at_stake" not in exits(t1()).table.column_names


def test_shrinkage_keeps_rare_nodes_off_the_top():
    rng = np.random.default_rng(7)
    paths = [[f"t{i:02}"] for i in range(30)]
    dropped = rng.binomial(200, rng.beta(20, 60, 30))
    found = exits(
        cx.Journeys.from_paths(
            [*paths, ["rare"]], converted=[*(200 - dropped), 0], dropped=[*dropped, 1]
        )
    )
    rare = row(found, "rare")
    assert rare["exit_probability"] == 1.0
    assert 0.2 < rare["shrunken"] < 0.35
    assert rare["rank_low"] <= 5
    assert rare["rank_high"] >= 26
    raw, drawn = found.table["exit_probability"], found.table["shrunken"]
    assert drawn[raw < 1].std() < raw[raw < 1].std()


def test_round_trip(journeys):
    found = exits(journeys)
    again = Exits.from_dict(found.to_dict())
    assert again == found


def test_undetermined_outcomes_are_refused():
    undetermined = log_of(DAYS).journeys(goal="buy")
    with pytest.raises(cx.exceptions.OutcomeUndetermined, match="inactivity"):
        exits(undetermined)
    with pytest.raises(cx.exceptions.OutcomeUndetermined, match="inactivity"):
        exits(undetermined.graph())


def test_a_subgraph_is_refused(journeys):
    part = journeys.graph().subgraph(["web", cx.START, cx.CONVERSION])
    with pytest.raises(cx.exceptions.NotAFlow):
        exits(part)


def test_wrong_arguments_are_named(journeys):
    with pytest.raises(cx.exceptions.InvalidValue, match="grain"):
        exits(journeys.graph(), by="channel")
    with pytest.raises(cx.exceptions.InvalidValue, match="segment"):
        exits(journeys.graph(), segment="tier")
    with pytest.raises(cx.exceptions.UnknownName, match="did you mean 'web'"):
        exits(journeys, legitimate=["wep"])
    with pytest.raises(cx.exceptions.UnknownName, match="row"):
        exits(journeys).estimate("webb")
    with pytest.raises(cx.exceptions.InvalidValue, match="variance"):
        exits(journeys, variance="jackknife")
    with pytest.raises(cx.exceptions.InvalidValue, match=r"journeys must be .*cut the log first"):
        exits(journeys.log)
    with pytest.raises(cx.exceptions.InvalidValue, match="legitimate must be a name or a list"):
        exits(journeys, legitimate=3)
    with pytest.raises(cx.exceptions.InvalidValue, match="by must be a name or a list"):
        exits(journeys.graph(), by=3)
    with pytest.raises(cx.exceptions.UnknownName, match="row '3'"):
        exits(journeys).estimate(3)
    with pytest.raises(cx.exceptions.InvalidValue, match="max_rows must be a whole number"):
        exits(journeys).plot(max_rows="all")
