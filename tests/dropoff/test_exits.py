"""Exits: the worked example by hand, closed forms, and data at the edge of meaning."""

from __future__ import annotations

import importlib
import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t as student_t

import cxjourney as cx
from cxjourney._stats.beta_shrinkage import beta_prior
from cxjourney.dropoff import Exits, exits, rates_of_journeys
from cxjourney.journeys import BySegment, units_of

WEEK = timedelta(days=7)
COLUMNS = [
    "visits",
    "at_risk",
    "exits",
    "censored",
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
def journeys(worked_days):
    return log_of(worked_days).journeys(goal="buy", inactivity=WEEK)


def wilson_t(share: float, trials: float, effective: float, level: float = 0.95):
    """Wilson's interval on a number of trials, with Student's quantile at `effective` - 1."""
    q = float(student_t.ppf(0.5 + level / 2, effective - 1))
    centre = (share + q**2 / (2 * trials)) / (1 + q**2 / trials)
    half = q / (1 + q**2 / trials)
    half *= math.sqrt(share * (1 - share) / trials + q**2 / (4 * trials**2))
    return centre - half, centre + half


def left_out_one_by_one(journeys, statistic):
    """Return a statistic of all journeys, and the same without each bucket that holds any."""
    units = units_of(journeys)
    assert units.of is not None
    without = [statistic(journeys.where(units.of != b)) for b in np.unique(units.of)]
    return statistic(journeys), np.array(without), np.unique(units.of)


def jackknife(whole, without):
    n = len(without)
    return (n - 1) / n * ((without - whole) ** 2).sum()


def on_logs(whole, without, effective, level=0.95):
    """Student's interval on the scale of logarithms."""
    error = math.sqrt(jackknife(math.log(whole), np.log(without)))
    half = float(student_t.ppf(0.5 + level / 2, effective - 1)) * error
    return whole * math.exp(-half), whole * math.exp(half)


def kish(counts):
    return counts.sum() ** 2 / (counts**2).sum()


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


def test_a_graph_gives_the_same_probabilities(journeys):
    of_graph, of_journeys = exits(journeys.graph()), exits(journeys)
    for name in ("web", "ad", "store"):
        mine, theirs = row(of_graph, name), row(of_journeys, name)
        for column in (*COLUMNS[:5], "lift", "lost_conversions"):
            assert mine[column] == pytest.approx(theirs[column], nan_ok=True)


def test_visits_of_a_graph_are_independent_trials():
    # 4,000 visits, a quarter of which leave: Wilson's interval, within the noise of 64 buckets
    graph = cx.JourneyGraph.from_counts(
        {
            (cx.START, "web"): 4000,
            ("web", cx.DROPOFF): 1000,
            ("web", "cart"): 3000,
            ("cart", cx.CONVERSION): 3000,
        }
    )
    web = exits(graph).estimate("web")
    low, high = wilson_t(0.25, 4000, 64)
    assert (web.low, web.high) == pytest.approx((low, high), abs=0.3 * (high - low) / 2)
    assert web == exits(graph).estimate("web")


@pytest.mark.parametrize(
    ("limit", "why"),
    [(WEEK, "the counts come without times"), (None, "there is no inactivity limit")],
)
def test_counts_say_why_open_visits_are_left_out(limit, why):
    edges = {(cx.START, "web"): 9, ("web", cx.DROPOFF): 3, ("web", cx.CONVERSION): 4}
    graph = cx.JourneyGraph.from_counts(edges, censored={"web": 2}, inactivity=limit)
    found = exits(graph)
    assert row(found, "web")["exit_probability"] == pytest.approx(3 / 7)
    assert f"they are left out, because {why}, which" in found.caveats[0]


def test_lift_is_the_ratio_to_all_others():
    web = row(exits(t1().graph()), "web")
    # of the other nodes: ad 1 of 4, cart 1 of 4, email 0 of 3, store 1 of 2
    assert web["lift"] == pytest.approx((3 / 10) / (3 / 13))


@pytest.fixture(scope="module")
def many():
    """The journeys of two hundred customers, some of whom come far more often than others."""
    rng = np.random.default_rng(5)
    days: dict[str, list] = {}
    for i in range(200):
        when, touches = float(rng.uniform(0, 60)), []
        for _ in range(min(int(rng.pareto(1.2)) + 1, 12)):
            node = str(rng.choice(["ad", "web"]))
            while node != "none":
                touches.append((node, when))
                when += float(rng.uniform(0.2, 3))
                onward = {"ad": ["web", "none"], "web": ["shop", "web", "none"]}
                node = str(rng.choice(onward.get(node, ["buy", "web", "none"])))
                if node == "buy":
                    touches.append((node, when))
                    break
            when += float(rng.uniform(8, 12))
        days[f"c{i}"] = [(name, d) for name, d in touches if d < 100]
    return log_of(days, until=100).journeys(goal="buy", inactivity=WEEK)


def exits_of(name):
    def statistic(part):
        table = exits(part).table
        i = table["touchpoint"].index(name)
        others = [k for k in range(len(table)) if k != i]
        at_risk = np.asarray(table["at_risk"], dtype=float)
        rate = np.asarray(table["exit_probability"])
        rest = (rate[others] * at_risk[others]).sum() / at_risk[others].sum()
        return np.array([rate[i], rest, table["lost_rate"][i], at_risk[i], at_risk[others].sum()])

    return statistic


@pytest.mark.parametrize("name", ["web", "shop"])
def test_intervals_are_those_of_leaving_out_one_bucket_after_the_other(many, name):
    whole, without, _ = left_out_one_by_one(many, exits_of(name))
    rate, rest, lost, n, n_rest = whole
    # what each bucket holds of the node and of all others
    own, others = n - without[:, 3], n_rest - without[:, 4]
    assert own.sum() == n
    used = own > 0
    effective = kish(own)
    trials = rate * (1 - rate) / jackknife(rate, without[used, 0])
    found = row(exits(many), name)
    assert (found["low"], found["high"]) == pytest.approx(wilson_t(rate, trials, effective))
    # customers who never come by make up the share that does
    bounds = on_logs(lost * len(many), without[:, 2] * len(many), effective)
    assert (found["lost_low"], found["lost_high"]) == pytest.approx(bounds)
    rates = rates_of_journeys(many, "touchpoint")
    i = rates.names.index(name)
    assert rates.rest.whole[i] == pytest.approx(rest)
    assert rates.rest.variance[i] == pytest.approx(jackknife(rest, without[others > 0, 1]))
    lift = without[:, 0] / without[:, 1]
    either = kish(own / n**2 + others / n_rest**2)
    assert (found["lift_low"], found["lift_high"]) == pytest.approx(
        on_logs(rate / rest, lift[(own > 0) | (others > 0)], either)
    )


@pytest.mark.parametrize("graph", [False, True])
def test_many_nodes_are_solved_by_their_moves(many, graph, monkeypatch):
    def source():
        return many.graph() if graph else many.where(np.ones(len(many), dtype=bool))  # nothing kept

    dense = exits(source()).table
    monkeypatch.setattr("cxjourney.journeys._chain_figures._DENSE", 0)
    monkeypatch.setattr("cxjourney.journeys._chain_figures.StackedChains", None)
    sparse = exits(source()).table
    for name in ("lost_conversions", "lost_low", "lost_high"):
        np.testing.assert_allclose(sparse[name], dense[name], rtol=1e-9)


def test_what_exits_rest_on_is_computed_once(many, monkeypatch):
    journeys = many.where(np.ones(len(many), dtype=bool))  # with nothing kept yet
    counts: Counter[str] = Counter()

    def counting(module, name):
        computed = getattr(importlib.import_module(module), name)

        def counted(*args, **kwargs):
            counts[name] += 1
            return computed(*args, **kwargs)

        monkeypatch.setattr(f"{module}.{name}", counted)

    counting("cxjourney.journeys._statistics", "_statistics")
    counting("cxjourney.journeys._statistics", "_left_out")
    counting("cxjourney.journeys._chain_figures", "_chain")
    counting("cxjourney.journeys._chain_figures", "_figures")
    counting("cxjourney.dropoff._rates", "peer_priors")
    exits(journeys)
    exits(journeys, level=0.9)
    assert rates_of_journeys(journeys, "touchpoint").priors  # what critical points read
    assert set(counts.values()) == {1}
    assert len(counts) == 5
    exits(journeys, expected_exits=["shop"])
    # other peers have another prior, and everything else is there
    assert counts.pop("peer_priors") == 2
    assert set(counts.values()) == {1}


def test_the_rest_is_less_sure_where_its_customers_differ():
    # ten customers always leave from "ad" or never do: the rest of "web" is as unsure as they
    days = {
        f"c{c}": [("web", 0), *[("ad", 10 * k + 1) for k in range(8)]]
        + ([] if c % 2 else [("buy", 10 * k + 2) for k in range(8)])
        for c in range(10)
    }
    found = log_of(days, until=200).journeys(goal="buy", inactivity=timedelta(days=5))
    rates = rates_of_journeys(found, "touchpoint")
    rest = rates.rest.variance[rates.names.index("web")]
    # shares 0 or 1 of ten equal customers: Var = Σ (x - 1/2)² / (10 · 9)
    assert rest == pytest.approx(10 * 0.25 / 90)


def test_the_mean_over_others_leaves_the_node_itself_out(many):
    rates = rates_of_journeys(many, "touchpoint")
    for i, name in enumerate(rates.names):
        others = [k for k in range(len(rates.names)) if k != i]
        weight = rates.at_risk[others]
        assert rates.rest.whole[i] == pytest.approx(
            (rates.rate[others] * weight).sum() / weight.sum()
        )
        assert rates.lift.whole[i] == pytest.approx(rates.rate[i] / rates.rest.whole[i]), name


def test_lost_conversions_are_the_slopes_of_the_closed_form():
    found = exits(t1())
    per_journey = {r["touchpoint"]: r["lost_rate"] for r in found.table}
    assert per_journey["web"] == pytest.approx(0.160714, abs=1e-6)
    assert per_journey["cart"] == pytest.approx(0.079167, abs=1e-6)
    assert per_journey["ad"] == pytest.approx(0.0375, abs=1e-6)
    assert row(found, "web")["lost_conversions"] == pytest.approx(1.60714, abs=1e-5)


def test_frequencies_count_as_that_many_customers():
    # each journey is a customer of its own: 3,000 visits of "web", of which 900 leave
    found = row(exits(t1(times=300)), "web")
    assert (found["visits"], found["exits"]) == (3000, 900)
    low, high = wilson_t(0.3, 3000, 64)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.5 * (high - low) / 2)
    assert exits(t1(times=300)).table == exits(t1(times=300)).table


def test_visits_of_one_customer_are_not_independent():
    # ten customers, of whom half always leave and half never do: ten trials, not a hundred
    days = {
        f"c{c}": [(name, 10 * k + d) for k in range(10) for name, d in _round(leaves=c % 2 == 0)]
        for c in range(10)
    }
    journeys = log_of(days, until=200).journeys(goal="buy", inactivity=timedelta(days=5))
    found = exits(journeys).estimate("web")
    assert found.value == pytest.approx(0.5)
    # without one customer 4/9 or 5/9: Var = 9/10 · 10 · (1/18)² = 1/36, so that e(1-e)/Var = 9
    assert (found.low, found.high) == pytest.approx(wilson_t(0.5, 9, 10))


def _round(*, leaves):
    return [("web", 0)] if leaves else [("web", 0), ("buy", 1)]


def test_where_all_end_alike_customers_are_the_trials():
    days = {c: [("web", 0), ("buy", 1), ("web", 8), ("buy", 9)] for c in "abcd"}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK)).estimate("web")
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(wilson_t(0.0, 4, 4)[1])
    assert found.n == 8


def test_censored_visits_alone_are_no_trials():
    # four have moved on, sixty have just come: it is four customers that tell of leaving
    days = {c: [("web", 0), ("buy", 1)] for c in "abcd"}
    days |= {f"new{i}": [("web", 19.5)] for i in range(50)}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK)).estimate("web")
    assert found.high == pytest.approx(wilson_t(0.0, 4, 4)[1], rel=1e-4)


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_customers_are_no_interval(n):
    days = {c: [("web", 0), ("buy", 1), ("web", 2), ("buy", 3), ("web", 5)] for c in "ab"[:n]}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK))
    web = row(found, "web")
    assert web["exit_probability"] == pytest.approx(1 / 3)
    assert math.isnan(web["low"])
    assert math.isnan(web["high"])
    assert any("no interval" in note for note in found.caveats)
    # what nothing is known of is drawn all the way to the prior
    assert web["shrunken"] == pytest.approx(0.5)


def test_nobody_lost_is_no_interval_of_what_is_lost(many):
    days = {f"c{i}": [("web", 0), ("cart", 1), *([("buy", 2)] if i % 2 else [])] for i in range(9)}
    found = exits(log_of(days).journeys(goal="buy", inactivity=WEEK))
    web = row(found, "web")
    assert (web["lost_conversions"], web["lift"]) == (0.0, 0.0)
    assert all(math.isnan(web[name]) for name in ("lost_low", "lost_high", "lift_low"))
    cart = row(found, "cart")
    assert 0 < cart["lost_low"] < cart["lost_conversions"] < cart["lost_high"]


def test_explicit_exits_are_exits_without_silence():
    days = {"a": [("web", 0), ("leave", 1)], "b": [("web", 0), ("buy", 1)], "c": [("web", 19.5)]}
    journeys = log_of(days).journeys(goal="buy", exit_touchpoints="leave", inactivity=WEEK)
    web = row(exits(journeys), "web")
    assert web["exits"] == 1
    assert web["exit_probability"] == pytest.approx(1 / 2)
    assert web["censored"] == 1


def test_without_a_limit_open_visits_are_left_out():
    days = {"a": [("web", 0), ("leave", 1)], "b": [("web", 0), ("buy", 1)], "c": [("web", 0)]}
    journeys = log_of(days).journeys(goal="buy", exit_touchpoints="leave")
    found = exits(journeys)
    assert row(found, "web")["exit_probability"] == pytest.approx(1 / 2)
    assert found.method.startswith("exits/at_risk")
    assert any("left out, because there is no inactivity limit" in n for n in found.caveats)


def test_all_in_progress_says_nothing():
    found = exits(log_of({"a": [("web", 19)], "b": [("web", 19)]}).journeys(inactivity=WEEK))
    web = row(found, "web")
    assert [web[name] for name in COLUMNS[:4]] == [2, 0, 0, 2]
    assert all(math.isnan(web[name]) for name in COLUMNS[4:])
    assert "The end of 2 visits is not known yet; they count as censored." in repr(found)


def test_one_event():
    dropped = exits(log_of({"a": [("web", 0)]}).journeys(inactivity=WEEK)).estimate("web")
    assert dropped.value == 1.0
    assert math.isnan(dropped.low)


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


def test_where_an_exit_is_expected_says_nothing_of_other_nodes(many):
    rates = rates_of_journeys(many, "touchpoint", expected_exits=frozenset({"shop"}))
    others = [i for i, name in enumerate(rates.names) if name != "shop"]
    trials = rates.figures.trials[others]
    expected = beta_prior(rates.rate[others] * trials, trials)
    assert rates.priors[""] == pytest.approx(expected)
    assert rates.priors[""] != pytest.approx(rates_of_journeys(many, "touchpoint").priors[""])


def test_a_rate_that_rests_on_one_customer_is_not_known_without_them():
    days = {"solo": [("desk", 10 * k) for k in range(9)]}
    days |= {f"c{i}": [("web", i), ("buy", i + 1)] for i in range(9)}
    found = log_of(days, until=200).journeys(goal="buy", inactivity=timedelta(days=5))
    rates = rates_of_journeys(found, "touchpoint")
    solo = units_of(found).of[found.customer == found.log.customer_number("solo")][0]
    without = rates.figures.without[:, rates.names.index("desk")]
    assert np.flatnonzero(np.isnan(without)).tolist() == [solo]
    # and of the web there is nobody else to compare with
    assert np.isnan(rates.rest.without[solo, rates.names.index("web")])


def test_a_node_where_somebody_was_followed_to_the_limit_has_no_ceiling(journeys):
    assert not any("ceiling" in note for note in exits(journeys).caveats)


def test_a_rate_that_nobody_was_followed_for_is_called_a_ceiling():
    days = {"a": [("web", 0), ("buy", 1)], "b": [("web", 0)]}
    log = log_of(days, until=3)
    found = exits(log.journeys(goal="buy", inactivity=WEEK))
    assert row(found, "web")["exit_probability"] == 0.5
    assert any("ceiling" in note for note in found.caveats)


def test_expected_exits_stand_apart():
    days = {
        "a": [("web", 0), ("thanks", 1)],
        "b": [("web", 0), ("thanks", 1)],
        "c": [("web", 0)],
        "d": [("mail", 0), ("web", 1)],
    }
    found = exits(log_of(days).journeys(inactivity=WEEK), expected_exits=["thanks"])
    last = found.table.row(len(found.table) - 1)
    assert last["touchpoint"] == "thanks"
    assert last["exit_probability"] == 1.0
    assert last["expected_exit"]
    assert all(math.isnan(last[name]) for name in ("lift", "lost_conversions", "shrunken"))
    # web 2 of 4 against mail 0 of 1: the two visits of "thanks" are not among the others
    assert math.isinf(row(found, "web")["lift"]) or math.isnan(row(found, "web")["lift"])


def test_a_goal_that_does_not_end_its_journeys_is_an_expected_exit(worked_days):
    journeys = log_of(worked_days).journeys(goal="buy", inactivity=WEEK, after_goal="keep")
    for found in (exits(journeys), exits(journeys.graph())):
        assert row(found, "buy")["expected_exit"]
        assert np.isnan(found.table["lost_conversions"]).all()


def test_segments_are_the_rows_of_their_journeys(worked_days):
    interactions = [
        cx.Interaction(
            customer=cx.Customer(
                customer, attributes={"tier": "gold" if customer < "c" else "tin"}
            ),
            touchpoint=touchpoint,
            timestamp=day(when),
        )
        for customer, touches in worked_days.items()
        for touchpoint, when in touches
    ]
    log = cx.InteractionLog.from_interactions(interactions, observed_until=day(20))
    journeys = log.journeys(goal="buy", inactivity=WEEK)
    found = exits(journeys, segment="tier")
    assert isinstance(found, BySegment)
    assert list(found.to_frame("pandas").columns)[:2] == ["segment", "touchpoint"]
    assert found["gold"].estimate("web").n + found["tin"].estimate("web").n == 5
    coded = journeys.segment("tier")
    gold = journeys.where(coded.codes == coded.names.index("gold"))
    assert found["gold"].table == exits(gold).table
    assert BySegment.from_dict(found.to_dict()) == found


def test_an_expected_exit_may_be_unknown_to_a_segment():
    log = cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=c, touchpoint=t, timestamp=day(k), channel=channel)
            for c, channel, touches in (("a", "app", ["web", "thanks"]), ("b", "shop", ["web"]))
            for k, t in enumerate(touches)
        ],
        observed_until=day(20),
    )
    journeys = log.journeys(inactivity=WEEK)
    found = exits(journeys, segment="channel", expected_exits="thanks")
    assert row(found["app"], "thanks")["expected_exit"]
    assert found["shop"].table["touchpoint"] == ("web",)


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


def test_undetermined_outcomes_are_refused(worked_days):
    undetermined = log_of(worked_days).journeys(goal="buy")
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
        exits(journeys, expected_exits=["wep"])
    with pytest.raises(cx.exceptions.UnknownName, match="node"):
        exits(journeys).estimate("webb")
    with pytest.raises(cx.exceptions.InvalidValue, match=r"journeys must be .*cut the log first"):
        exits(journeys.log)
    with pytest.raises(cx.exceptions.InvalidValue, match="expected_exits must be a name or a list"):
        exits(journeys, expected_exits=3)
    with pytest.raises(cx.exceptions.InvalidValue, match="by must be a name or a list"):
        exits(journeys.graph(), by=3)
    with pytest.raises(cx.exceptions.UnknownName, match="node '3'"):
        exits(journeys).estimate(3)
    with pytest.raises(cx.exceptions.InvalidValue, match="max_rows must be a whole number"):
        exits(journeys).plot(max_rows="all")


def test_a_graph_has_the_caveats_of_the_journeys_that_it_was_built_from():
    # nobody at web is followed up to the limit: one goes on, one is censored
    log = cx.InteractionLog.from_frame(
        {
            "who": ["a", "a", "b"],
            "when": ["2026-01-01", "2026-01-02", "2026-01-02"],
            "what": ["web", "buy", "web"],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until="2026-01-04",
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    of_journeys, of_graph = exits(journeys), exits(journeys.graph())
    assert any("is a ceiling" in caveat for caveat in of_journeys.caveats)
    assert [c for c in of_graph.caveats if "ceiling" in c or "not known yet" in c] == [
        c for c in of_journeys.caveats if "ceiling" in c or "not known yet" in c
    ]


def test_counts_leave_visits_out_whose_end_is_not_known_whatever_the_limit():
    graph = cx.JourneyGraph.from_counts(
        {(cx.START, "web"): 10, ("web", cx.CONVERSION): 4, ("web", cx.DROPOFF): 3},
        censored={"web": 3},
        inactivity=timedelta(days=7),
    )
    (caveat,) = (c for c in exits(graph).caveats if "not known yet" in c)
    assert "left out" in caveat
