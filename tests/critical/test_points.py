"""Critical points on a log whose every figure is known, and on the planted truths of the sample."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import pytest
from scipy.stats import norm, t

import cxjourney as cx
from cxjourney.critical._excess import gain_per_journey, peers_of, rank_table
from cxjourney.dropoff import _rates, rates_of_journeys
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.journeys import _graph_building, _statistics, chain_figures, units_of
from cxjourney.markov import AbsorbingChain
from cxjourney.markov import _counterfactual as counterfactual

T1 = (  # ten journeys with published removal effects and hitting probabilities
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
)


def of_paths(paths, times=1):
    ways, converted, dropped = zip(*paths, strict=True)
    return cx.Journeys.from_paths(
        ways, converted=[times * n for n in converted], dropped=[times * n for n in dropped]
    )


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return of_paths(T1)


@pytest.fixture(scope="module")
def many() -> cx.Journeys:
    return of_paths(T1, times=100)


@pytest.fixture(scope="module")
def example() -> cx.datasets.Sample:
    return cx.datasets.sample(seed=3)


@pytest.fixture(scope="module")
def found(example) -> cx.critical.CriticalPoints:
    return cx.critical.points(example.journeys())


def peers_in(journeys):
    return peers_of(rates_of_journeys(journeys, "touchpoint"), chain_figures(journeys))


def column(result, name):
    return dict(zip(result.table["touchpoint"], result.table[name], strict=True))


def test_removal_effects_and_conversion_are_the_golden_ones(journeys):
    result = cx.critical.points(journeys)
    golden = {"ad": 0.28125, "web": 0.75, "cart": 0.527778, "email": 0.4375, "store": 0.25}
    assert column(result, "removal_effect") == pytest.approx(golden, abs=1e-6)
    assert result.conversion_probability == pytest.approx(0.4, abs=1e-12)


def test_lost_conversions_are_the_slope_of_the_conversion_times_the_journeys(journeys):
    lost = column(cx.critical.points(journeys), "lost_conversions")
    # slopes of the golden counterfactuals: web .160714, cart .079167, ad .0375
    expected = {"web": 1.60714, "cart": 0.79167, "ad": 0.375}
    assert {k: lost[k] for k in expected} == pytest.approx(expected, abs=1e-4)


def test_the_gain_of_ten_percent_fewer_exits_is_the_golden_one(journeys):
    chain = AbsorbingChain.from_graph(journeys.graph())
    names = chain.names
    e, v, h, reach = (
        np.array([values[name] for name in names])
        for values in (chain.exit_probability, chain.visits, chain.hitting, chain.reach)
    )
    after = chain.conversion_probability + gain_per_journey(0.1 * e, e, v, h, v / reach)
    golden = {"web": 0.416245, "cart": 0.407950, "ad": 0.40375}
    found = dict(zip(names, after, strict=True))
    assert {k: found[k] for k in golden} == pytest.approx(golden, abs=1e-6)


def test_the_gain_is_what_solving_the_chain_anew_says(many):
    result = cx.critical.points(many)
    chain = AbsorbingChain.from_graph(many.graph())
    for row in result.table:
        if row["excess"] <= 0:
            assert row["gain"] == 0
            continue
        share = row["excess"] / row["exit_probability"]
        fixed = counterfactual.fewer_exits(chain, {row["touchpoint"]: share})
        more = len(many) * (fixed.conversion_probability - chain.conversion_probability)
        assert row["gain"] == pytest.approx(more, rel=1e-9)


def test_the_peers_leave_the_touchpoint_itself_out():
    # each of three touchpoints is a journey of its own, equally often: the rates are the shares
    journeys = cx.Journeys.from_paths(
        [["a"], ["b"], ["c"]], converted=[900, 800, 500], dropped=[100, 200, 500]
    )
    peers = column(cx.critical.points(journeys), "peers")
    # each weighs by its effective trials, which the buckets tell up to their noise
    assert peers == pytest.approx({"a": 0.35, "b": 0.3, "c": 0.15}, abs=1e-3)


def test_three_exits_of_three_do_not_top_a_list_of_thousands():
    paths = [["rare"], *([name] for name in "abcdefg")]
    journeys = cx.Journeys.from_paths(
        paths,
        converted=[0, 900, 880, 905, 890, 910, 895, 700],
        dropped=[3, 100, 120, 95, 110, 90, 105, 300],
    )
    result = cx.critical.points(journeys)
    assert result.ranking[0] == "g"
    assert result.ranking[-1] == "rare"
    assert column(result, "mark")["rare"] == "everybody leaves"
    # nor does it make the others look good beside it
    assert max(column(result, "peers").values()) < 0.2


def test_one_more_conversion_does_not_make_the_rare_one_certain():
    paths = [["rare"], *([name] for name in "abcdefg")]
    journeys = cx.Journeys.from_paths(
        paths,
        converted=[1, 900, 880, 905, 890, 910, 895, 870],
        dropped=[2, 100, 120, 95, 110, 90, 105, 130],
    )
    result = cx.critical.points(journeys)
    assert result.ranking[-1] == "rare"
    raw, drawn = column(result, "excess")["rare"], column(result, "shrunken_excess")["rare"]
    assert drawn < 0.2 * raw
    assert column(result, "confidence")["rare"] < 0.95


def test_both_planted_touchpoints_lead_and_are_sure(found, example):
    planted = {truth.touchpoint for truth in example.truths.critical}
    assert set(found.ranking[:2]) == planted
    top = dict(
        zip(found.rank_probability["touchpoint"], found.rank_probability["top_three"], strict=True)
    )
    confidence = column(found, "confidence")
    for name in planted:
        assert top[name] > 0.95
        assert confidence[name] > 0.999


def test_the_excess_interval_holds_the_planted_excess(found, example):
    low, high = column(found, "excess_low"), column(found, "excess_high")
    for truth in example.truths.critical:
        # peers are weighed a little differently in the truth: by visits, not by information
        assert low[truth.touchpoint] - 0.005 < truth.excess < high[truth.touchpoint] + 0.005


def test_ranking_by_raw_exit_rate_betweenness_or_removal_effect_misses_them(found, example):
    planted = {truth.touchpoint for truth in example.truths.critical}
    names = found.table["touchpoint"]
    graph = example.journeys().graph().subgraph(names)
    between = nx.betweenness_centrality(graph)
    for values in (
        found.table["exit_probability"],
        found.table["removal_effect"],
        [between[name] for name in names],
    ):
        order = np.argsort(-np.asarray(values))
        assert planted - {names[i] for i in order[:3]}


def test_rank_probabilities_of_a_touchpoint_add_up_to_one(found):
    table = found.rank_probability
    total = sum(table[f"rank_{i}"] for i in range(1, 6)) + table["later"] + table["none"]
    ranked = np.array([not mark for mark in found.table["mark"]])
    assert total[ranked] == pytest.approx(np.ones(ranked.sum()))
    assert np.isnan(total[~ranked]).all()
    for rank in range(1, 6):
        assert np.nansum(table[f"rank_{rank}"]) <= 1 + 1e-12
    assert np.nansum(table["rank_1"]) > 0.99


def test_results_repeat_and_another_seed_changes_what_is_drawn_alone(many):
    first, again, other = (cx.critical.points(many, **options) for options in ({}, {}, {"rng": 2}))
    assert first.to_dict() == again.to_dict()
    assert first.rank_probability != other.rank_probability
    names = [n for n in first.table.column_names if n not in {"touchpoint", "mark"}]
    differ = [
        n
        for n in names
        if repr(sorted(column(first, n).items())) != repr(sorted(column(other, n).items()))
    ]
    assert differ == ["shrunken_excess", "confidence", "priority"]


def test_reach_is_the_observed_share_of_journeys(many, found):
    reach = column(cx.critical.points(many), "reach")
    # T1: ad in 4 of 10 journeys, web in 8, cart in 3, email in 3, store in 2
    assert reach == pytest.approx({"ad": 0.4, "web": 0.8, "cart": 0.3, "email": 0.3, "store": 0.2})
    share = np.asarray(found.table["journeys"]) / found.n_journeys
    assert found.table["reach"] == pytest.approx(share)


def test_those_without_a_gain_stand_by_what_is_lost_there(found):
    priority = np.asarray(found.table["priority"])
    lost = np.asarray(found.table["lost_conversions"])[priority == 0]
    assert len(lost) > 5
    assert (np.diff(lost) <= 0).all()
    assert (np.diff(priority) <= 0).all()


def test_every_estimate_has_an_interval_around_it(found):
    pairs = {
        "reach": ("reach_low", "reach_high"),
        "exit_probability": ("low", "high"),
        "excess": ("excess_low", "excess_high"),
        "lost_conversions": ("lost_low", "lost_high"),
        "removal_effect": ("removal_low", "removal_high"),
        "wait_s": ("wait_low_s", "wait_high_s"),
        "wait_share": ("wait_share_low", "wait_share_high"),
        "rework_rate": ("rework_low", "rework_high"),
        "emotion": ("emotion_low", "emotion_high"),
        "score": ("score_low", "score_high"),
    }
    for name, (low, high) in pairs.items():
        known = ~np.isnan(found.table[name])
        assert known.any(), name
        value = found.table[name][known]
        assert (found.table[low][known] <= value + 1e-9).all(), name
        assert (value <= found.table[high][known] + 1e-9).all(), name


def test_effort_divides_the_gain_and_the_unnamed_come_last(many):
    plain = cx.critical.points(many)
    gains = column(plain, "priority")
    first, second = plain.ranking[:2]
    dear = {first: 1000.0 * gains[first] / gains[second], second: 1.0}
    result = cx.critical.points(many, effort=dear)
    assert result.ranking[:2] == (second, first)
    marks = column(result, "mark")
    assert {marks[name] for name in result.ranking[2:]} == {"no effort given"}
    assert column(result, "priority")[first] == pytest.approx(gains[first] / dear[first])
    ranks = result.rank_probability
    assert np.isnan(ranks["rank_1"][2:]).all()
    assert ranks["rank_1"][:2].sum() + min(ranks["none"][:2]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("cost", [0, -1, math.nan, math.inf, True])
def test_an_effort_that_is_no_effort_is_refused(many, cost):
    with pytest.raises(InvalidValue, match="effort of 'web'"):
        cx.critical.points(many, effort={"web": cost})


def test_an_effort_for_a_touchpoint_that_is_not_there_is_refused(many):
    with pytest.raises(UnknownName, match="did you mean 'web'"):
        cx.critical.points(many, effort={"webb": 1})


def test_an_expected_exit_stands_last_and_is_no_peer(many):
    result = cx.critical.points(many, expected_exits=["ad"])
    assert result.ranking[-1] == "ad"
    assert column(result, "mark")["ad"] == "expected exit"
    others = column(cx.critical.points(many), "peers")
    assert column(result, "peers")["web"] != pytest.approx(others["web"])


def test_the_value_of_a_conversion_prices_the_gain(many):
    assert np.isnan(cx.critical.points(many).table["gain_value"]).all()
    result = cx.critical.points(many, value=50)
    for end in ("", "_low", "_high"):
        assert result.table[f"gain_value{end}"] == pytest.approx(50 * result.table[f"gain{end}"])


def test_the_value_of_the_goals_is_taken_where_it_is_known(found, example):
    value = np.nanmean(example.journeys().value)
    assert found.mean_conversion_value == pytest.approx(value)


def test_why_tells_rank_rate_peers_gain_and_caveats(found):
    reason = found.why("payment")
    assert reason.place == found.ranking.index("payment") + 1
    text = str(reason)
    assert "'payment' stands" in text
    assert "the stage 'purchase'" in text
    assert "conversions more" in text
    assert any("winner's curse" in caveat for caveat in reason.caveats)
    assert "exit probability" in reason.figures["figure"]
    assert "payment" in repr(reason)
    assert cx.critical.Reason.from_dict(reason.to_dict()) == reason


def test_why_of_an_unknown_touchpoint_names_the_nearest(found):
    with pytest.raises(UnknownName, match="did you mean 'payment'"):
        found.why("paymnt")


def test_a_name_from_data_cannot_break_the_page():
    journeys = cx.Journeys.from_paths([["<b>x</b>"], ["y"]], converted=[50, 60], dropped=[50, 40])
    result = cx.critical.points(journeys)
    assert "<b>x" not in result._repr_html_()
    assert "<b>x" not in result.why("<b>x</b>")._repr_html_()


def test_what_needs_times_is_nan_for_aggregated_paths(many):
    result = cx.critical.points(many)
    assert np.isnan(result.table["wait_s"]).all()
    assert np.isnan(result.table["emotion"]).all()
    assert not any(result.table["emotion_valley"])


def test_the_frame_has_one_row_a_touchpoint(many):
    result = cx.critical.points(many)
    assert tuple(result.to_frame("polars")["touchpoint"]) == result.ranking
    assert sorted(result.ranking) == ["ad", "cart", "email", "store", "web"]


def test_results_turn_into_dictionaries_and_back(journeys):
    result = cx.critical.points(journeys)
    again = cx.critical.CriticalPoints.from_dict(result.to_dict())
    assert again == result


@pytest.mark.parametrize("outcome", ["converted", "dropped"])
def test_one_outcome_alone_gives_no_wrong_number(outcome):
    counts = {"converted": [0, 0], "dropped": [0, 0]} | {outcome: [3, 4]}
    journeys = cx.Journeys.from_paths([["web"], ["ad", "web"]], **counts)
    result = cx.critical.points(journeys)
    assert result.conversion_probability == (1.0 if outcome == "converted" else 0.0)
    assert len(result.ranking) == 2


def test_a_goal_that_nobody_can_miss_is_refused(example):
    with pytest.raises(OutcomeUndetermined):
        cx.critical.points(example.log.journeys(goal="order"))


DAY = datetime(2026, 1, 1, tzinfo=UTC)


def staged(*rows):
    return cx.InteractionLog.from_interactions(
        (
            cx.Interaction(customer=c, touchpoint=t, timestamp=DAY + timedelta(days=d))
            for c, t, d in rows
        ),
        observed_until=DAY + timedelta(days=20),
    )


@pytest.mark.parametrize(
    ("log", "ranking"),
    [
        (staged(("a", "web", 18), ("b", "buy", 0)), ("web",)),  # all visits are open
        (staged(("b", "buy", 0)), ()),  # converts at once: no touchpoint at all
        (staged(("a", "web", 0), ("b", "buy", 0)), ("web",)),  # everybody leaves, no peers
    ],
)
def test_logs_with_next_to_nothing_in_them_are_answered(log, ranking):
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    result = cx.critical.points(journeys)
    assert result.ranking == ranking
    assert cx.critical.CriticalPoints.from_dict(result.to_dict()) == result
    for name in ranking:
        assert name in str(result.why(name))


def test_no_journeys_have_no_critical_points():
    result = cx.critical.points(cx.Journeys.from_paths([], converted=[], dropped=[]))
    assert result.ranking == ()
    assert math.isnan(result.conversion_probability)


def test_the_worked_example_names_the_web():
    rows = [("a", "ad", 0), ("a", "web", 1), ("a", "buy", 2), ("a", "web", 5), ("b", "web", 0)]
    rows += [("b", "web", 1), ("b", "store", 10), ("c", "ad", 15), ("c", "web", 16)]
    rows += [("d", "web", 2), ("d", "buy", 7), ("d", "buy", 8), ("e", "store", 19)]
    journeys = staged(*rows).journeys(goal="buy", inactivity=timedelta(days=7))
    result = cx.critical.points(journeys)
    assert result.ranking[0] == "web"
    assert column(result, "exit_probability")["web"] == pytest.approx(4 / 9)
    assert column(result, "lost_conversions")["web"] == pytest.approx(2.24)
    # of five customers nothing is known of the peers, and at the store everybody leaves
    assert column(result, "mark")["store"] in {"everybody leaves", "no peers"}


def test_everything_is_computed_once(monkeypatch):
    calls = dict.fromkeys(("masses", "statistics", "left out", "graph", "chain", "prior"), 0)

    def counted(module, name, key):
        inner = getattr(module, name)

        def wrapper(*args, **options):
            calls[key] += 1
            return inner(*args, **options)

        monkeypatch.setattr(module, name, wrapper)

    counted(_statistics, "_statistics", "statistics")
    counted(_statistics, "_masses", "masses")
    counted(_statistics, "_left_out", "left out")
    counted(_graph_building, "build_graph", "graph")
    counted(_rates, "peer_priors", "prior")
    inner = AbsorbingChain.from_graph.__func__

    def from_graph(cls, graph, **options):
        calls["chain"] += 1
        return inner(cls, graph, **options)

    monkeypatch.setattr(AbsorbingChain, "from_graph", classmethod(from_graph))
    journeys = cx.datasets.sample(seed=3, customers=300).journeys()
    cx.critical.points(journeys)
    assert calls == dict.fromkeys(calls, 1)
    # and what others have computed is read, not computed again
    cx.dropoff.exits(journeys)
    cx.critical.must_pass(journeys)
    assert calls == dict.fromkeys(calls, 1)


def hybrid(p, without, units, level=0.95):
    """Return Newcombe's interval of p[0] - p[1] from figures without each bucket, by hand."""
    g = len(units)
    d = without - p
    (v1, c), (_, v2) = (g - 1) / g * (d.T @ d)
    r = c / math.sqrt(v1 * v2)
    part = (units / units.sum(axis=0) ** 2).sum(axis=1)
    q = t.ppf((1 + level) / 2, part.sum() ** 2 / (part**2).sum() - 1)
    ends = []
    for share, variance in zip(p, (v1, v2), strict=True):
        n = share * (1 - share) / variance
        roots = np.roots([1 + q * q / n, -(2 * share + q * q / n), share**2])
        ends.append(sorted(roots.real))
    (l1, u1), (l2, u2) = ends
    low = math.sqrt((p[0] - l1) ** 2 + (u2 - p[1]) ** 2 - 2 * r * (p[0] - l1) * (u2 - p[1]))
    high = math.sqrt((u1 - p[0]) ** 2 + (p[1] - l2) ** 2 - 2 * r * (u1 - p[0]) * (p[1] - l2))
    return p[0] - p[1] - low, p[0] - p[1] + high


def test_the_excess_and_the_gain_have_the_intervals_of_leaving_out_each_bucket():
    journeys = cx.Journeys.from_paths(
        [["a"], ["b"], ["c"], ["a", "b"], ["d"]],
        converted=[300, 250, 260, 90, 400],
        dropped=[100, 60, 40, 30, 70],
    )
    result = cx.critical.points(journeys)
    row = next(row for row in result.table if row["touchpoint"] == "a")
    # one row a path and outcome: a, a dropped, b, b dropped, c, …
    split = units_of(journeys).split.astype(float)
    of_path = {name: split[2 * i : 2 * i + 2] for i, name in enumerate(("a", "b", "c", "ab", "d"))}
    visits = {x: sum(of_path[path].sum(axis=0) for path in of_path if x in path) for x in "abcd"}
    exits = {x: sum(of_path[path][1] for path in of_path if path[-1] == x) for x in "abcd"}
    peers = peers_in(journeys)
    order = list(rates_of_journeys(journeys, "touchpoint").names)
    assert set(peers.group) == {"nearness to the goal"}
    weight = dict(zip(order, peers.near_weight, strict=True))
    of_path_counts = split.sum(axis=1)

    def left_without(bucket):
        counts = of_path_counts - (0 if bucket is None else split[:, bucket])
        left = cx.Journeys.from_paths(
            [["a"], ["b"], ["c"], ["a", "b"], ["d"]],
            converted=counts[::2].astype(int).tolist(),
            dropped=counts[1::2].astype(int).tolist(),
        )
        return AbsorbingChain.from_graph(left.graph())

    def rates(bucket):
        left = np.ones(64) if bucket is None else np.arange(64) != bucket
        k, n = ({x: count[x] @ left for x in "abcd"} for count in (exits, visits))
        hitting = left_without(bucket).hitting
        near = {x: np.arcsin(np.sqrt(min(hitting[x] / (1 - k[x] / n[x]), 1))) for x in "abcd"}
        y = {x: np.log((k[x] + 0.5) / (n[x] - k[x] + 0.5)) for x in "abcd"}
        centre = sum(weight[x] * near[x] for x in "abcd") / sum(weight.values())
        w = np.array([weight[x] for x in "bcd"])
        design = np.array([[1, near[x] - centre] for x in "bcd"])
        inverse = np.linalg.inv((design.T * w) @ design + np.diag([0, 1 / 9]))
        line = inverse @ (design.T * w) @ [y[x] for x in "bcd"]
        return k["a"] / n["a"], 1 / (1 + np.exp(-np.array([1, near["a"] - centre]) @ line))

    p = np.array(rates(None))
    without = np.array([rates(bucket) for bucket in range(64)])
    share = sum(weight[x] * visits[x] / visits[x].sum() for x in "abcd") / sum(weight.values())
    units = np.stack([visits["a"], share], 1)
    # arcsin √ amplifies the rounding of probabilities that are 1
    ends = hybrid(p, without, units)
    assert (row["excess_low"], row["excess_high"]) == pytest.approx(ends, rel=1e-5)
    assert row["excess"] == pytest.approx(p[0] - p[1])

    def gain(bucket):
        chain = left_without(bucket)
        own, of_peers = rates(bucket)
        fewer = counterfactual.fewer_exits(chain, {"a": (own - of_peers) / own})
        return len(journeys) * (fewer.conversion_probability - chain.conversion_probability)

    whole, without = gain(None), np.array([gain(bucket) for bucket in range(64)])
    error = math.sqrt(63 / 64 * ((without - whole) ** 2).sum())
    n = visits["a"]
    half = t.ppf(0.975, n.sum() ** 2 / (n**2).sum() - 1) * error
    assert (row["gain"], row["gain_low"], row["gain_high"]) == pytest.approx(
        (max(whole, 0), max(whole - half, 0), whole + half), rel=1e-5
    )


@pytest.mark.parametrize(("journeys_there", "marked"), [(9, True), (10, False)])
def test_of_fewer_than_ten_journeys_nothing_is_said(journeys_there, marked):
    journeys = cx.Journeys.from_paths(
        [["rare"], ["a"], ["b"], ["c"]],
        converted=[4, 80, 85, 90],
        dropped=[journeys_there - 4, 20, 15, 10],
    )
    result = cx.critical.points(journeys)
    mark = column(result, "mark")["rare"]
    assert mark == ("fewer than 10 journeys" if marked else "")
    assert (result.ranking[-1] == "rare") == marked  # it loses most, and would come first


def in_stages(members):
    """Return journeys of one visit each: at the first members in stage x, else in stage y."""
    rows = []
    for place, name in enumerate(("a", "b", "c", "d", "e", "f", "g")):
        for i in range(60):
            rows.append((f"{name}{i}", name, 0, "x" if place < members else "y"))
            if i >= 4 + 3 * place:
                rows.append((f"{name}{i}", "buy", 1, "z"))
    log = cx.InteractionLog.from_frame(
        {
            "who": [who for who, *_ in rows],
            "what": [what for _, what, *_ in rows],
            "when": [DAY + timedelta(days=day) for *_, day, _ in rows],
            "stage": [stage for *_, stage in rows],
        },
        customer="who",
        touchpoint="what",
        timestamp="when",
        stage="stage",
    )
    return log.journeys(goal="buy", all_closed=True)


@pytest.mark.parametrize(("members", "group"), [(2, "all"), (3, "x")])
def test_a_stage_of_fewer_than_three_is_compared_with_all(members, group):
    result = cx.critical.points(in_stages(members))
    assert column(result, "peer_group")["a"] == group
    assert column(result, "peer_group")["g"] == "y"
    # exits of 4, 7, 10, … of 60 each: the peers of g are the others of stage y
    others = [(4 + 3 * place) / 60 for place in range(members, 6)]
    assert min(others) < column(result, "peers")["g"] < max(others)
    own = (4 + 7 + 10) / 60
    if group == "x":
        assert column(result, "peers")["a"] < own


def test_peers_weigh_what_they_say_about_the_prior():
    # very different numbers of visits, rates that differ truly: all peers weigh nearly alike
    journeys = cx.Journeys.from_paths(
        [["a"], ["b"], ["c"], ["d"], ["e"]],
        converted=[50_000, 5_000, 900, 2_000, 400],
        dropped=[50_000, 500, 100, 1_500, 300],
    )
    rates = rates_of_journeys(journeys, "touchpoint")
    peers = peers_in(journeys)
    a, b = rates.priors[""]
    informative = rates.trials / (rates.trials + a + b)
    assert peers.weights.sum(axis=1) == pytest.approx(np.ones(5))
    for x in range(5):
        others = np.delete(np.arange(5), x)
        assert peers.weights[x, others] == pytest.approx(
            informative[others] / informative[others].sum()
        )
        assert peers.weights[x, x] == 0
    # fifty thousand visits do not drown the others: weights differ by less than a half
    assert peers.weights[1, [0, 2, 3, 4]].max() < 1.5 * peers.weights[1, [0, 2, 3, 4]].min()


def test_a_peer_that_one_bucket_alone_has_seen_keeps_its_rate():
    rows = [(f"c{i}", "abcd"[i % 4], i % 3 == 0) for i in range(400)]
    rows += [("lone", "rare", False)] * 12 + [("lone", "rare", True)] * 3
    log = cx.InteractionLog.from_frame(
        {
            "who": [w for i, (w, _, left) in enumerate(rows) for _ in range(1 if left else 2)],
            "case": [i for i, (_, _, left) in enumerate(rows) for _ in range(1 if left else 2)],
            "what": [x for _, t, left in rows for x in ([t] if left else [t, "buy"])],
            "when": [
                DAY + timedelta(hours=h) for *_, left in rows for h in range(1 if left else 2)
            ],
        },
        customer="who",
        touchpoint="what",
        timestamp="when",
        journey="case",
    )
    journeys = log.journeys(goal="buy", all_closed=True)
    rates = rates_of_journeys(journeys, "touchpoint")
    peers = peers_in(journeys)
    # one customer says nothing of its own: it is nobody's peer, and has no interval
    assert peers.weights[:, rates.names.index("rare")].sum() == 0
    result = cx.critical.points(journeys)
    assert math.isnan(column(result, "low")["rare"])
    assert math.isnan(column(result, "excess_low")["rare"])
    assert math.isnan(column(result, "shrunken_excess")["rare"])
    assert column(result, "mark")["rare"] == "gain not defined"
    assert not math.isnan(column(result, "excess_low")["a"])
    assert "Some figures have no interval" in repr(result)


def test_each_segment_has_critical_points_of_its_own(example):
    journeys = example.journeys()
    by = cx.critical.points(
        journeys, segment="segment", effort={"payment": 2}, expected_exits="home page"
    )
    coded = journeys.segment("segment")
    alone = journeys.where(coded.codes == coded.names.index("student"))
    again = cx.critical.points(alone, effort={"payment": 2}, expected_exits="home page")
    for name in again.table.column_names:
        assert repr(list(by["student"].table[name])) == repr(list(again.table[name])), name
    with pytest.raises(UnknownName, match="paymnt"):
        cx.critical.points(journeys, segment="segment", effort={"paymnt": 2})


def test_a_draw_in_which_nothing_is_to_be_gained_counts_for_nobody():
    gain = np.array([[3.0, 2.0, 5.0], [1.0, 2.0, 5.0], [0.0, -1.0, 5.0], [4.0, 0.0, 5.0]])
    table = rank_table(
        ("a", "b", "rare"),
        gain,
        ranked=np.array([True, True, False]),
        order=np.array([0, 1, 2]),
        backend=None,
    )
    assert table["rank_1"] == pytest.approx([0.5, 0.25, math.nan], nan_ok=True)
    assert table["rank_2"] == pytest.approx([0.25, 0.25, math.nan], nan_ok=True)
    assert table["none"] == pytest.approx([0.25, 0.5, math.nan], nan_ok=True)
    assert table["top_three"] == pytest.approx([0.75, 0.5, math.nan], nan_ok=True)


def visited(rates, stages, n=400, seed=1, each=3):
    """Return journeys of one visit each at touchpoints that lose so much, in these stages."""
    rng = np.random.default_rng(seed)
    rows = []
    for place, (rate, stage) in enumerate(zip(rates, stages, strict=True)):
        left = rng.permutation(n) < round(rate * n)
        for i in range(n):
            who, case = f"{place} {i // each}", f"{place} {i}"
            rows.append((who, case, f"t{place}", 0, stage))
            if not left[i]:
                rows.append((who, case, "buy", 1, "end"))
    who, case, what, day, stage = zip(*rows, strict=True)
    frame = {"who": who, "case": case, "what": what, "stage": stage}
    frame["when"] = [DAY + timedelta(days=d) for d in day]
    log = cx.InteractionLog.from_frame(
        frame, customer="who", journey="case", touchpoint="what", timestamp="when", stage="stage"
    )
    return log.journeys(goal="buy", all_closed=True)


def test_confidence_and_order_are_those_of_a_dense_posterior():
    rates = [0.30, 0.22, 0.20, 0.19, 0.21, 0.18]
    journeys = visited(rates, ["x"] * 6)
    result = cx.critical.points(journeys)
    # by hand: logits, their variance without each bucket, and a sum over spread and mean
    ids = [f"{place} {i // 3}" for place in range(6) for i in range(400)]
    bucket = np.array(
        [hashlib.md5(x.encode(), usedforsecurity=False).digest()[0] >> 2 for x in ids]
    )
    bucket = bucket.reshape(6, 400)
    left = np.zeros((6, 400), dtype=bool)
    rng = np.random.default_rng(1)
    for place, rate in enumerate(rates):
        left[place] = rng.permutation(400) < round(rate * 400)
    n = np.array([[np.sum(b != g) for g in range(64)] for b in bucket])
    k = np.array(
        [[np.sum(x[b != g]) for g in range(64)] for b, x in zip(bucket, left, strict=True)]
    )

    def logit(k, n):
        return np.log((k + 0.5) / (n - k + 0.5))

    y = logit(left.sum(axis=1), 400)
    p = 1 / (1 + np.exp(-y))
    size = 400 - n
    there = size > 0
    g = there.sum(axis=1)
    spread = (g - 1) / g * np.where(there, (logit(k, n) - y[:, None]) ** 2, 0).sum(axis=1)
    free = size.sum(axis=1) ** 2 / (size**2).sum(axis=1) - 1
    v = np.maximum(spread * free / (free - 2), 1 / (401 * p * (1 - p)))
    rng = np.random.default_rng(7)
    tau = np.abs(rng.normal(0, 0.25, 400_000))[:, None]
    mu = rng.uniform(-2.2, -0.6, 400_000)[:, None]
    like = [s * norm.pdf(y, mu, np.sqrt(v + t)) for s, t in ((0.9, tau**2), (0.1, tau**2 + 0.36))]
    weight = (like[0] + like[1]).prod(axis=1)
    apart = rng.random(like[0].shape) < like[1] / (like[0] + like[1])
    t2 = tau**2 + 0.36 * apart
    shift = t2 / (t2 + v)
    theta = mu + shift * (y - mu) + np.sqrt(shift * v) * rng.normal(size=shift.shape)
    rate = 1 / (1 + np.exp(-theta))
    weights = peers_in(journeys).weights
    excess = rate - rate @ weights.T
    mean = weight @ excess / weight.sum()
    above = weight @ (excess > 0) / weight.sum()
    names = [f"t{i}" for i in range(6)]
    confidence, shrunken = column(result, "confidence"), column(result, "shrunken_excess")
    assert [shrunken[x] for x in names] == pytest.approx(mean, abs=0.004)
    # no spread at all is a tie, which is not above
    assert [confidence[x] for x in names] == pytest.approx(above, abs=0.05)
    first = weight @ (np.argmax(excess, axis=1) == 0) / weight.sum()
    assert result.ranking[0] == "t0"
    assert result.rank_probability["rank_1"][0] == pytest.approx(first, abs=0.05)


def test_without_stages_a_touchpoint_is_compared_with_those_as_near_to_the_goal():
    # exits fall along the way: no early touchpoint is worse than its place leads to expect
    rng = np.random.default_rng(3)
    way = [0.40, 0.36, 0.30, 0.26, 0.21, 0.17, 0.14, 0.11]
    rows = []
    for i in range(3000):
        place = int(rng.integers(3))
        while place < len(way) and rng.random() >= way[place]:
            rows.append((i, f"t{place}", len(rows)))
            place += 1 + int(rng.integers(2))
        if place < len(way):
            rows.append((i, f"t{place}", len(rows)))
        else:
            rows.append((i, "buy", len(rows)))
    log = cx.InteractionLog.from_frame(
        {
            "who": [f"c{i}" for i, *_ in rows],
            "what": [what for _, what, _ in rows],
            "when": [DAY + timedelta(minutes=m) for *_, m in rows],
        },
        customer="who",
        touchpoint="what",
        timestamp="when",
    )
    journeys = log.journeys(goal="buy", all_closed=True)
    result = cx.critical.points(journeys)
    assert set(result.table["peer_group"]) == {"nearness to the goal"}
    peers, rate = column(result, "peers"), column(result, "exit_probability")
    # a mean of all others would be .23 for each
    assert peers["t0"] > 0.3
    assert peers["t7"] < 0.19
    assert max(abs(peers[x] - rate[x]) for x in rate) < 0.09
    assert np.nanmax(result.table["confidence"]) < 0.5
    assert not result.surely_first
    assert "as near to the goal" in repr(result).split("*")[1]
    # the line is that of weighted least squares without the touchpoint itself
    found = peers_in(journeys)
    names = rates_of_journeys(journeys, "touchpoint").names
    for x, name in enumerate(names):
        others = np.arange(len(names)) != x
        w, near = found.near_weight, found.near.whole
        centre = w @ near / w.sum()
        design = np.column_stack([np.ones(len(names)), near - centre])
        a = (design[others].T * w[others]) @ design[others] + np.diag([0, 1 / 9])
        b = np.linalg.solve(a, (design[others].T * w[others]) @ found.logit.whole[others])
        assert peers[name] == pytest.approx(1 / (1 + np.exp(-design[x] @ b)))


def test_too_few_without_a_stage_have_no_peers_and_that_is_said_first():
    journeys = of_paths(((["ad", "web", "cart"], 30, 20), (["web"], 5, 45), (["ad", "web"], 0, 30)))
    result = cx.critical.points(journeys)
    assert set(result.table["mark"]) == {"no peers"}
    assert np.isnan(result.table["confidence"]).all()
    assert np.isnan(result.rank_probability["rank_1"]).all()
    assert (np.diff(result.table["lost_conversions"]) <= 0).all()
    assert "no confidence" in repr(result).split("*")[1]
    assert "nan%" not in repr(result)
    assert "nan%" not in repr(result.why("web"))


def test_surely_first_needs_more_than_a_difference_that_was_looked_for(found):
    assert found.surely_first
    assert "surely comes first" in repr(found)
    close = visited([0.30, 0.22, 0.20, 0.19, 0.21, 0.18], ["x"] * 6)
    result = cx.critical.points(close)
    assert not result.surely_first
    assert f"with a probability of {result.rank_probability['rank_1'][0]:.0%}" in repr(result)
