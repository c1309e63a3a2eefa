"""Centralities, and the traps of NetworkX that they avoid."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest

import cxjourney as cx
from cxjourney.critical import centralities
from cxjourney.exceptions import InvalidValue

# nearly all take the long way over a and b; a rare shortcut goes through c
EDGES = {
    (cx.START, "s"): 100,
    ("s", "a"): 95,
    ("a", "b"): 95,
    ("b", "t"): 95,
    ("s", "c"): 5,
    ("c", "t"): 5,
    ("t", cx.CONVERSION): 60,
    ("t", cx.DROPOFF): 40,
}


@pytest.fixture
def graph():
    return cx.JourneyGraph.from_counts(EDGES)


def column(found, name):
    return dict(zip(found.table["touchpoint"], found.table[name], strict=True))


def test_counts_as_weights_would_call_the_rare_way_the_short_one(graph):
    inner = graph.subgraph("sabct")
    wrong = nx.betweenness_centrality(inner, weight="count")
    assert wrong["c"] > 0
    assert wrong["a"] == pytest.approx(1 / 12)  # only s to b
    right = column(centralities(graph), "betweenness")
    assert right["c"] == 0
    assert right["a"] > wrong["a"]


def test_terminals_are_left_out(graph):
    assert set(centralities(graph).table["touchpoint"]) == set("sabct")
    # with them DROPOFF would count as a place that customers like to be
    with_ends = nx.pagerank(nx.DiGraph(graph), weight="probability")
    assert with_ends[cx.DROPOFF] > with_ends["c"]


def test_visits_and_removal_effect_are_those_of_the_chain(graph):
    chain = cx.AbsorbingChain.from_graph(graph)
    found = centralities(graph)
    assert column(found, "visits") == pytest.approx(dict(chain.visits))
    assert column(found, "removal_effect") == pytest.approx(dict(chain.removal_effect()))


def test_sure_moves_keep_a_length(graph):
    # -ln 1 = 0: paths of length zero tie with everything behind them
    inner = nx.DiGraph()
    for a, b, edge in graph.subgraph("sabct").edges(data=True):
        inner.add_edge(a, b, d=-math.log(edge["probability"]) + 1e-9)
    expected = nx.betweenness_centrality(inner, weight="d")
    assert column(centralities(graph), "betweenness") == pytest.approx(expected)


def test_self_loops_and_directions_that_networkx_refuses_are_taken_out():
    graph = cx.JourneyGraph.from_counts(
        {
            (cx.START, "a"): 10,
            ("a", "a"): 5,
            ("a", "b"): 10,
            ("b", "c"): 10,
            ("c", cx.CONVERSION): 10,
        }
    )
    inner = nx.DiGraph(graph.subgraph("abc"))
    with pytest.raises(nx.NetworkXNotImplemented):
        list(nx.articulation_points(inner))
    with pytest.raises((nx.NetworkXError, nx.NetworkXNotImplemented)):
        nx.core_number(inner)
    found = centralities(graph)
    assert column(found, "articulation") == {"a": False, "b": True, "c": False}
    assert column(found, "core") == {"a": 1, "b": 1, "c": 1}


def test_pagerank_restarts_where_journeys_start(graph):
    found = column(centralities(graph), "pagerank")
    assert sum(found.values()) == pytest.approx(1.0)
    uniform = nx.pagerank(nx.DiGraph(graph.subgraph("sabct")), weight="probability")
    assert found["s"] > uniform["s"]


def test_large_graphs_are_sampled_and_say_so():
    rng = np.random.default_rng(1)
    paths = [[f"t{i}" for i in rng.integers(0, 60, 6)] for _ in range(300)]
    journeys = cx.Journeys.from_paths(paths, converted=[1] * 300, dropped=[1] * 300)
    whole, part = centralities(journeys), centralities(journeys, pivots=30, rng=1)
    assert whole.n_pivots is None
    assert part.n_pivots == 30
    assert "estimated from 30" in repr(part)
    assert part == centralities(journeys, pivots=30, rng=1)
    exact = column(whole, "betweenness")
    guesses = [
        column(centralities(journeys, pivots=30, rng=seed), "betweenness") for seed in range(30)
    ]
    mean = {name: np.mean([guess[name] for guess in guesses]) for name in exact}
    assert [mean[n] for n in exact] == pytest.approx([exact[n] for n in exact], abs=0.02)


def test_a_graph_is_not_taken_at_another_grain(graph):
    with pytest.raises(InvalidValue, match="grain"):
        centralities(graph, by="channel")
    with pytest.raises(InvalidValue, match="pivots"):
        centralities(graph, pivots=0)
