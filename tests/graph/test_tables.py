from __future__ import annotations

import math

import pytest

import cxjourney as cx
from cxjourney import CONVERSION, DROPOFF, START


@pytest.fixture
def graph():
    return cx.JourneyGraph.from_counts(
        {
            (START, "web"): 5,
            (START, "shop"): 1,
            ("web", "cart"): 3,
            ("web", DROPOFF): 2,
            ("cart", CONVERSION): 2,
        },
        censored={"cart": 1, "shop": 1},
        channel={"web": "web"},
    )


def row_of(table, name):
    return next(row for row in table if row["name"] == name)


def test_every_node_has_its_row_with_what_the_graph_knows(graph):
    table = graph.nodes_table()
    assert len(table) == len(graph)
    web = row_of(table, "web")
    assert (web["kind"], web["channel"], web["stage"]) == ("touchpoint", "web", "")
    assert (web["visits"], web["exits"], web["exit_probability"]) == (5, 2, 0.4)
    assert math.isnan(row_of(table, START)["exit_probability"])


def test_nobody_seen_to_leave_is_zero_and_nobody_seen_at_all_is_unknown(graph):
    table = graph.nodes_table()
    assert row_of(table, "cart")["exit_probability"] == 0
    assert math.isnan(row_of(table, "shop")["exit_probability"])


def test_every_edge_has_its_row(graph):
    table = graph.edges_table()
    rows = {(row["from"], row["to"]): (row["count"], row["probability"]) for row in table}
    assert rows == {(u, v): (e["count"], e["probability"]) for u, v, e in graph.edges(data=True)}
    assert all(math.isnan(row["dwell_mean_s"]) for row in table)
