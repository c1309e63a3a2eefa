"""The graph of counts: the worked example of the design, its rules, and its round trips."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import pytest

import cxjourney as cx
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue, NotAFlow, UnknownName
from cxjourney.graph import JourneyGraph

# The worked example of the design page: five customers, eight journeys.
EDGES = {
    (START, "ad"): 2,
    (START, "web"): 3,
    (START, "store"): 2,
    (START, CONVERSION): 1,
    ("ad", "web"): 2,
    ("web", "web"): 1,
    ("web", CONVERSION): 2,
    ("web", DROPOFF): 2,
    ("store", DROPOFF): 1,
}
DAY = 86_400_000_000
UNTIL = datetime(2026, 1, 21, tzinfo=UTC)


@pytest.fixture
def worked() -> JourneyGraph:
    return JourneyGraph.from_counts(
        EDGES,
        censored={"web": 1, "store": 1},
        journeys={"ad": 2, "web": 5, "store": 2},
        channel={"web": "online", "store": "shop"},
        goal=["buy"],
        inactivity=timedelta(days=7),
        observed_until=UNTIL,
    )


def on_days(customers: str) -> JourneyGraph:
    """The worked example with times, one bin a day, for customers "ab" and "cde"."""
    names = ["ad", "web", "store"]
    moves = {
        # (from, to): days of the moves along it, by customer
        ("ad", "web"): {"a": [1], "c": [1]},
        ("web", "web"): {"b": [1]},
        ("web", CONVERSION): {"a": [1], "d": [5]},
        ("web", DROPOFF): {},
        ("store", DROPOFF): {},
        (START, "ad"): {},
        (START, "web"): {},
        (START, "store"): {},
        (START, CONVERSION): {},
    }
    plain = {
        ("web", DROPOFF): "ab",
        ("store", DROPOFF): "b",
        (START, "ad"): "ac",
        (START, "web"): "abd",
        (START, "store"): "be",
        (START, CONVERSION): "d",
    }
    opened = {"web": {"c": 4}, "store": {"e": 1}}
    code = {name: i for i, name in enumerate([*names, START, CONVERSION, DROPOFF])}
    kept, count, histogram, total = [], [], [], []
    for edge, of in moves.items():
        days = [d for c in customers for d in of.get(c, [])]
        n = sum(c in customers for c in plain[edge]) if edge in plain else len(days)
        if n:
            kept.append(edge)
            count.append(n)
            histogram.append(np.bincount(np.array(days, dtype=int), minlength=7))
            total.append(sum(days) * DAY if edge[0] in names and days else -1)
    open_days = np.zeros((3, 7), dtype=int)
    for name, of in opened.items():
        for c, day in of.items():
            open_days[code[name], day] += c in customers
    return JourneyGraph.from_arrays(
        names,
        source=[code[u] for u, _ in kept],
        target=[code[v] for _, v in kept],
        count=count,
        dwell_sum_us=total,
        gap_histogram=histogram,
        censored=open_days.sum(axis=1),
        censored_histogram=open_days,
        grid_us=[d * DAY for d in range(8)],
        goal=["buy"],
        inactivity=timedelta(days=7),
        observed_until=UNTIL,
    )


def contents(graph: nx.DiGraph) -> tuple[dict, dict, dict]:
    return (
        dict(graph.nodes(data=True)),
        {(u, v): data for u, v, data in graph.edges(data=True)},
        dict(graph.graph),
    )


def test_nodes_of_the_worked_example_follow_from_its_edges(worked):
    assert worked.nodes["web"] == {
        "kind": "touchpoint",
        "visits": 6,
        "journeys": 5,
        "starts": 3,
        "conversions": 2,
        "exits": 2,
        "censored": 1,
        "channel": "online",
    }
    assert worked.nodes["ad"]["visits"] == 2
    assert worked.nodes["store"]["visits"] == 2
    assert "channel" not in worked.nodes["ad"]
    assert worked.nodes[START] == {"kind": "start", "visits": 8, "journeys": 8}
    assert worked.nodes[CONVERSION] == {"kind": "conversion", "visits": 3, "journeys": 3}
    assert worked.nodes[DROPOFF] == {"kind": "dropoff", "visits": 3, "journeys": 3}


def test_the_worked_example_counts_its_journeys_by_outcome(worked):
    facts = worked.graph
    keys = ("n_journeys", "n_converted", "n_dropped", "n_in_progress")
    assert [facts[key] for key in keys] == [8, 3, 3, 2]
    assert facts["inactivity_us"] == 7 * DAY
    assert datetime.fromisoformat(facts["observed_until"]) == UNTIL
    assert facts["goal"] == '["buy"]'
    assert (facts["estimator"], facts["grain"]) == ("count", "touchpoint")
    assert facts["absorbing"] is True
    assert facts["determined"] is True


def test_counted_probabilities_leave_open_visits_out(worked):
    assert worked.edges["web", DROPOFF]["probability"] == 2 / 5
    assert worked.edges["web", CONVERSION]["probability"] == 2 / 5
    assert worked.edges["store", DROPOFF]["probability"] == 1
    assert worked.edges[START, CONVERSION]["probability"] == 1 / 8


def test_merged_halves_of_the_worked_example_give_its_kaplan_meier_exit(worked):
    whole = on_days("ab") + on_days("cde")
    assert whole.graph["estimator"] == "life-table"
    row = {v: data["probability"] for _, v, data in whole.out_edges("web", data=True)}
    assert row == pytest.approx({"web": 1 / 6, CONVERSION: 7 / 18, DROPOFF: 4 / 9}, abs=1e-15)
    assert whole.edges["store", DROPOFF]["probability"] == 1
    assert whole.edges["ad", "web"]["dwell_mean_s"] == 86_400
    # after 1 day with a mass of 1/6 and after 5 with 2/9: a visit still waited at 4
    expected = (1 / 6 + 5 * 2 / 9) / (7 / 18) * 86_400
    assert whole.edges["web", CONVERSION]["dwell_mean_s"] == pytest.approx(expected, rel=1e-12)
    assert whole.edges["web", CONVERSION]["dwell_sum_us"] == 6 * 86_400 * 10**6
    assert {n: whole.nodes[n]["visits"] for n in whole.touchpoints} == {
        "ad": 2,
        "web": 6,
        "store": 2,
    }
    counts = {(u, v): data["count"] for u, v, data in whole.edges(data=True)}
    assert counts == EDGES


def test_merging_infers_exits_that_nobody_was_seen_to_make():
    # Four visits to web: one moves after a day, three are silent past the limit in other
    # customers' journeys; web2 has one move on day 2 and one visit open since day 3.
    graph = JourneyGraph.from_arrays(
        ["web"],
        source=[1, 0],
        target=[0, 2],
        count=[2, 1],
        gap_histogram=[[0, 0], [1, 0]],
        censored=[1],
        censored_histogram=[[0, 1]],
        grid_us=[0, DAY, 2 * DAY],
        inactivity=timedelta(days=2),
    )
    assert not graph.has_edge("web", DROPOFF)
    both = graph + graph
    assert both.edges["web", DROPOFF] == {
        "count": 0,
        "probability": 0.5,
        "gap_histogram": "0,0",
    }
    both.check_flow()
    assert contents(both + graph) == contents(graph + both)


def test_without_histograms_merging_counts_and_says_so(worked):
    plain = JourneyGraph.from_counts(
        {(START, "web"): 1, ("web", DROPOFF): 1},
        goal=["buy"],
        inactivity=timedelta(days=7),
        observed_until=UNTIL,
    )
    both = on_days("abcde") + plain
    assert both.graph["estimator"] == "count"
    assert "grid_us" not in both.graph
    assert both.edges["web", DROPOFF]["probability"] == 3 / 6


def test_a_sum_that_would_forget_visits_in_progress_is_refused():
    log = cx.datasets.sample(seed=1, customers=300).log
    ids, rules = log.customer_ids, {"goal": "order", "inactivity": timedelta(days=14)}
    parts = [log.filter(customers=some).journeys(**rules) for some in (ids[:150], ids[150:])]
    plain, tables = ([p.graph(times=times) for p in parts] for times in (False, True))
    for one, other in (plain, (plain[0], tables[1]), (tables[0], plain[1])):
        with pytest.raises(InvalidValue, match=r"graph\(times=True\).*journeys\.statistics\(\)"):
            one + other
    assert sum(tables).graph["estimator"] == "life-table"
    closed = [log.filter(customers=ids[:9]).journeys(goal="order", all_closed=True).graph()] * 2
    assert sum(closed).graph["estimator"] == "count"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"grain": "channel"}, "grain"),
        ({"inactivity": timedelta(days=8)}, "inactivity"),
        ({"observed_until": datetime(2026, 2, 1, tzinfo=UTC)}, "observed_until"),
        ({"goal": ["sell"]}, "goal"),
    ],
)
def test_only_graphs_of_one_kind_are_added(worked, change, named):
    same = {"inactivity": timedelta(days=7), "observed_until": UNTIL, "goal": ["buy"]}
    other = JourneyGraph.from_counts({}, **{**same, **change})
    with pytest.raises(InvalidValue, match=named):
        worked + other


def test_money_of_two_currencies_is_not_added():
    euro = JourneyGraph.from_counts({}, currency="EUR")
    with pytest.raises(InvalidValue, match="currency"):
        euro + JourneyGraph.from_counts({}, currency="USD")
    assert (euro + JourneyGraph.from_counts({})).graph["currency"] == "EUR"


def test_sum_adds_graphs(worked):
    total = sum([worked, worked, worked])
    assert total.edges["web", "web"]["count"] == 3
    assert total.graph["n_journeys"] == 24
    assert worked.graph["n_journeys"] == 8
    with pytest.raises(TypeError):
        worked + 1
    with pytest.raises(TypeError):
        1 + worked


def test_merging_unites_channels_exactly():
    def at(channel):
        return JourneyGraph.from_counts(
            {(START, "web"): 1, ("web", CONVERSION): 1}, channel={"web": channel}
        )

    assert (at("web") + at("web")).nodes["web"]["channel"] == "web"
    three = (at("web") + at("app")) + at("tv")
    assert "channel" not in three.nodes["web"]
    assert three.nodes["web"]["n_channels"] == 3
    assert three.nodes["web"]["channels"] == '["app", "tv", "web"]'


def test_merging_pools_the_spread_of_times():
    times = np.array([3.0, 5.0, 11.0, 2.0, 2.5])

    def of(seconds):
        spread = float(((seconds - seconds.mean()) ** 2).sum())
        return JourneyGraph.from_arrays(
            ["web"],
            source=[1, 0],
            target=[0, 2],
            count=[seconds.size] * 2,
            dwell_sum_us=[-1, int(seconds.sum() * 1e6)],
            dwell_m2=[np.nan, spread],
            dwell_median_s=[np.nan, float(np.median(seconds))],
        )

    both = of(times[:2]) + of(times[2:])
    edge = both.edges["web", CONVERSION]
    assert edge["dwell_m2"] == pytest.approx(of(times).edges["web", CONVERSION]["dwell_m2"])
    assert edge["dwell_mean_s"] == pytest.approx(times.mean())
    assert "dwell_median_s" not in edge


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ({("web", START): 1}, "enters START"),
        ({(CONVERSION, "web"): 1}, "leaves CONVERSION or DROPOFF"),
        ({(DROPOFF, DROPOFF): 1}, "leaves CONVERSION or DROPOFF"),
        ({(START, "web"): -1}, "whole number from 0; got -1"),
        ({(START, "web"): 1.0}, r"whole number from 0; got 1\.0"),
        ({(START, "web"): True}, "whole number from 0; got True"),
        ({(START, ""): 1}, "non-empty str"),
        ({(START, 3): 1}, "non-empty str"),
        ({"ab": 1}, "pairs"),
    ],
)
def test_counts_that_break_a_rule_are_refused(edges, message):
    with pytest.raises(InvalidValue, match=message):
        JourneyGraph.from_counts(edges)


def test_a_journey_can_begin_with_its_end():
    graph = JourneyGraph.from_counts({(START, DROPOFF): 1, (START, CONVERSION): 2})
    assert graph.edges[START, DROPOFF]["probability"] == 1 / 3
    assert graph.graph["n_dropped"] == 1
    assert contents(JourneyGraph.from_networkx(graph)) == contents(graph)
    assert contents(JourneyGraph.from_json((graph + graph).to_json())) == contents(graph + graph)


def test_a_leak_is_named(worked):
    with pytest.raises(NotAFlow, match="'web'") as caught:
        JourneyGraph.from_counts(EDGES, censored={"store": 1})
    assert caught.value.node == "web"
    cut = worked.subgraph(["ad", "web", CONVERSION])
    with pytest.raises(NotAFlow, match="for drawing"):
        cut.check_flow()
    worked.check_flow()


def test_unknown_touchpoints_of_columns_are_named():
    with pytest.raises(UnknownName, match="did you mean 'web'"):
        JourneyGraph.from_counts(EDGES, censored={"web": 1, "store": 1}, channel={"wep": "x"})
    with pytest.raises(InvalidValue, match="terminal has no censored visits"):
        JourneyGraph.from_counts({}, censored={START: 1})


def test_probabilities_that_do_not_sum_to_one_are_refused():
    with pytest.raises(InvalidValue, match="'web' must sum to 1"):
        JourneyGraph.from_arrays(
            ["web"], source=[1, 0], target=[0, 2], count=[1, 1], probability=[np.nan, 0.9]
        )
    with pytest.raises(InvalidValue, match=r"\[0, 1\]"):
        JourneyGraph.from_arrays(
            ["web"],
            source=[1, 0, 0],
            target=[0, 2, 3],
            count=[1, 1, 0],
            probability=[np.nan, 1.5, -0.5],
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": [1.5, 1]}, "whole numbers"),
        ({"count": [1]}, "edges must have 1 values; source has 2"),
        ({"journeys": [1]}, "journeys has 1"),
        ({"censored": [0, 0]}, "nodes must have 1 values; censored has 2"),
        ({"channels": []}, "channels has 0"),
        ({"names": [START]}, "that of a terminal"),
        ({"names": ["a", "a"], "censored": [0, 0]}, "unique"),
        ({"target": [0, 9]}, r"0 … 3"),
        ({"source": [1, 1], "target": [0, 0]}, "edges must be unique"),
    ],
    ids=range(9),
)
def test_columns_that_do_not_fit_are_refused(change, message):
    columns = {"names": ["a"], "source": [1, 0], "target": [0, 3], "count": [1, 1], **change}
    with pytest.raises(InvalidValue, match=message):
        JourneyGraph.from_arrays(columns.pop("names"), **columns)


def test_without_any_drop_open_journeys_leave_the_outcome_undetermined():
    edges = {(START, "web"): 2, ("web", CONVERSION): 1}
    assert not JourneyGraph.from_counts(edges, censored={"web": 1}).graph["determined"]
    said = JourneyGraph.from_counts(edges, censored={"web": 1}, determined=True)
    assert said.graph["determined"]
    limited = JourneyGraph.from_counts(edges, censored={"web": 1}, inactivity=timedelta(days=1))
    assert limited.graph["determined"]


def test_a_node_gives_its_typed_touchpoint(worked):
    web = worked.touchpoint("web")
    assert (web.name, web.channel.name, web.stage, web.owner) == ("web", "online", None, None)
    assert worked.touchpoints == ("ad", "store", "web")
    with pytest.raises(UnknownName, match="did you mean 'store'"):
        worked.touchpoint("stor")
    with pytest.raises(UnknownName):
        worked.touchpoint(START)
    with pytest.raises(InvalidValue, match="is a channel"):
        JourneyGraph.from_counts({}, grain="channel").touchpoint("web")


def test_a_pair_keeps_both_parts():
    graph = JourneyGraph.from_arrays(
        ["cart, web"],
        source=[1, 0],
        target=[0, 2],
        count=[1, 1],
        touchpoint=["cart"],
        channels=[["web"]],
        grain="touchpoint, channel",
    )
    cart = (graph + graph).touchpoint("cart, web")
    assert (cart.name, cart.channel.name) == ("cart", "web")


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g.copy(),
        lambda g: g.subgraph(list(g)),
        lambda g: g.reverse().reverse(),
        JourneyGraph,
        lambda g: JourneyGraph.from_json(g.to_json()),
        JourneyGraph.from_networkx,
        lambda g: JourneyGraph.from_networkx(nx.DiGraph(g)),
        lambda g: nx.node_link_graph(nx.node_link_data(g, edges="edges"), edges="edges"),
        lambda g: nx.relabel_nodes(
            nx.relabel_nodes(g, {"web": "site"}), {"site": "web"}
        ),
    ],
    ids=[
        "copy", "subgraph", "reverse", "constructor", "json", "networkx", "plain", "node-link",
        "relabelled",
    ],
)  # fmt: skip
@pytest.mark.parametrize("build", ["worked", "timed"])
def test_round_trips_keep_everything(worked, build, change):
    graph = worked if build == "worked" else on_days("ab") + on_days("cde")
    changed = change(graph)
    assert contents(changed) == contents(graph)
    if not isinstance(changed, JourneyGraph):
        changed = JourneyGraph(changed)
    changed.check_flow()
    assert repr(changed) == repr(graph)


def test_values_are_plain_python(worked):
    timed = on_days("ab") + on_days("cde")
    for graph in (worked, timed):
        rows = [graph.graph, *(d for _, d in graph.nodes(data=True))]
        rows += [d for _, _, d in graph.edges(data=True)]
        assert {type(value) for row in rows for value in row.values()} <= {str, int, float, bool}


def test_any_directed_graph_with_counts_will_do():
    plain = nx.DiGraph()
    plain.add_edge(START, "a", weight=np.int64(2))
    plain.add_edge("a", DROPOFF, weight=1)
    plain.add_node("a", censored=1, owner="sales", colour="red")
    graph = JourneyGraph.from_networkx(plain, count="weight")
    assert graph.nodes["a"]["visits"] == 2
    assert graph.nodes["a"]["owner"] == "sales"
    assert graph.edges["a", DROPOFF] == {"count": 1, "probability": 1.0}
    with pytest.raises(InvalidValue, match="count="):
        JourneyGraph.from_networkx(plain)
    for wrong in (nx.Graph(), nx.MultiDiGraph()):
        with pytest.raises(InvalidValue, match="directed"):
            JourneyGraph.from_networkx(wrong)


def test_json_of_something_else_is_refused():
    for text in ("{", "[]", '{"type": "Estimate"}', '{"type": "JourneyGraph", "schema": 99}'):
        with pytest.raises(InvalidValue):
            JourneyGraph.from_json(text)


def test_an_empty_graph_has_its_terminals():
    graph = JourneyGraph.from_counts({})
    assert set(graph) == {START, CONVERSION, DROPOFF}
    graph.check_flow()
    assert repr(graph) == (
        "JourneyGraph(0 touchpoints, 0 edges, 0 journeys, grain 'touchpoint', estimator 'count')"
    )
    assert contents(graph + graph) == contents(graph)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: JourneyGraph.from_counts([(START, "web")]), "edges must be a dict of counts"),
        (
            lambda: JourneyGraph.from_counts({}, censored=7),
            "censored must be a dict by name; got 7",
        ),
        (lambda: JourneyGraph.from_counts({}, channel=7), "channel must be a dict by name; got 7"),
        (lambda: JourneyGraph.from_networkx({}), "graph must be a JourneyGraph"),
        (lambda: JourneyGraph.from_json(7), "text must be JSON"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(build, message):
    with pytest.raises(InvalidValue, match=message):
        build()
