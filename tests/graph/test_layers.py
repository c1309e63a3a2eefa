from __future__ import annotations

import pytest

import cxjourney as cx
from cxjourney.graph._layers import layers, steps_from_start

CHAIN = {
    (cx.START, "ad"): 10,
    ("ad", "web"): 10,
    ("web", "cart"): 12,
    ("cart", "web"): 2,
    ("cart", cx.CONVERSION): 10,
}


def columns(graph, **options):
    found = layers(graph, graph.touchpoints, **options)
    return [(column.stage, column.nodes) for column in found]


def test_without_stages_the_longest_path_decides():
    graph = cx.JourneyGraph.from_counts(CHAIN)
    assert columns(graph) == [("", ("ad",)), ("", ("web",)), ("", ("cart",))]


def test_steps_from_start_are_those_of_the_way_there():
    graph = cx.JourneyGraph.from_counts(CHAIN)
    # web is entered 10 times from ad (step 1) and 2 times from cart, which follows web:
    # w = 1 + (10 · 1 + 2 c) / 12 and c = 1 + w, hence w = 2.4
    depth = steps_from_start(graph)
    assert depth["ad"] == pytest.approx(1)
    assert depth["web"] == pytest.approx(2.4)
    assert depth["cart"] == pytest.approx(3.4)


def test_a_rare_touchpoint_stands_after_where_its_visitors_came_from():
    rare = {("cart", "help"): 1, ("help", cx.DROPOFF): 1, (cx.START, "ad"): 11, ("ad", "web"): 11}
    graph = cx.JourneyGraph.from_counts({**CHAIN, **rare, ("web", "cart"): 13})
    assert [nodes for _, nodes in columns(graph)] == [("ad",), ("web",), ("cart",), ("help",)]


def test_stages_are_columns_in_the_order_given():
    graph = cx.JourneyGraph.from_counts(CHAIN)
    for name, stage in (("ad", "early"), ("web", "early"), ("cart", "late")):
        graph.nodes[name]["stage"] = stage
    assert columns(graph, stages=("late", "early")) == [
        ("late", ("cart",)),
        ("early", ("ad", "web")),
    ]


def test_a_touchpoint_without_a_stage_stands_in_a_column_of_its_own():
    graph = cx.JourneyGraph.from_counts(CHAIN)
    graph.nodes["ad"]["stage"] = "early"
    assert columns(graph, stages=("early",))[0] == ("early", ("ad",))
    assert columns(graph, stages=("early",))[1][0] == ""


def test_a_full_stage_gets_another_column_and_every_node_stands_once():
    names = [f"n{i:02}" for i in range(23)]
    graph = cx.JourneyGraph.from_counts(
        {(cx.START, x): 1 for x in names} | {(x, cx.DROPOFF): 1 for x in names}
    )
    for name in names:
        graph.nodes[name]["stage"] = "one"
    found = columns(graph, stages=("one",), rows=10)
    assert [len(nodes) for _, nodes in found] == [8, 8, 7]
    assert sorted(x for _, nodes in found for x in nodes) == names


def test_neighbours_stand_beside_each_other():
    ways = {(cx.START, a): 5 for a in "abcd"} | {(x, cx.DROPOFF): 5 for x in "wxyz"}
    ways |= dict.fromkeys([("a", "z"), ("b", "y"), ("c", "x"), ("d", "w")], 5)
    graph = cx.JourneyGraph.from_counts(ways)
    left, right = (nodes for _, nodes in columns(graph))
    assert [("zyxw")["abcd".index(x)] for x in left] == list(right)


def test_nothing_to_draw_is_no_column():
    graph = cx.JourneyGraph.from_counts({(cx.START, cx.CONVERSION): 3})
    assert layers(graph, graph.touchpoints) == ()
