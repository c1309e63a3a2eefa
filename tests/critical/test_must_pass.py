"""Must-pass moments: golden values, NetworkX's traps, and a brute force over all paths."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.critical import must_pass

EDGES = {
    (cx.START, "ad"): 50,
    (cx.START, "web"): 50,
    ("ad", "web"): 50,
    ("web", "cart"): 60,
    ("web", cx.DROPOFF): 40,
    ("cart", "pay"): 30,
    ("cart", "store"): 10,
    ("cart", cx.DROPOFF): 20,
    ("pay", cx.CONVERSION): 30,
    ("store", cx.CONVERSION): 10,
}


def test_the_chain_of_dominators_leads_from_start_to_conversion():
    found = must_pass(cx.JourneyGraph.from_counts(EDGES))
    assert found.conversions == ("web", "cart")
    assert found.losses == ("web",)
    assert found.cut in {("web",), ("cart",)}


def test_a_dominator_has_a_removal_effect_of_one():
    found = must_pass(cx.JourneyGraph.from_counts(EDGES))
    for row in found.table:
        assert row["dominates"] == (row["removal_effect"] > 1 - 1e-12)


def test_one_rare_shortcut_ends_dominance_but_not_nearly():
    edges = EDGES | {("ad", cx.CONVERSION): 1, (cx.START, "ad"): 51}
    found = must_pass(cx.JourneyGraph.from_counts(edges))
    assert found.conversions == ()
    assert found.nearly == ("cart", "web") or set(found.nearly) == {"web", "cart"}
    row = next(row for row in found.table if row["touchpoint"] == "cart")
    assert row["removal_effect"] == pytest.approx(40 / 41)
    assert must_pass(cx.JourneyGraph.from_counts(edges), threshold=0.99).nearly == ()


def test_start_is_never_a_must_pass_whatever_networkx_says_of_it():
    # networkx 3.6 leaves START out of the mapping, earlier versions map it onto itself
    graph = cx.JourneyGraph.from_counts({(cx.START, "a"): 2, ("a", cx.CONVERSION): 2})
    above = nx.immediate_dominators(nx.DiGraph(graph), cx.START)
    assert above.get(cx.START) in {None, cx.START}
    assert must_pass(graph).conversions == ("a",)


def test_who_converts_at_once_leaves_nothing_to_pass():
    graph = cx.JourneyGraph.from_counts(
        {(cx.START, cx.CONVERSION): 1, (cx.START, "a"): 9, ("a", cx.CONVERSION): 9}
    )
    found = must_pass(graph)
    assert found.conversions == ()
    assert found.cut == ()


def test_without_conversions_nothing_is_passed():
    graph = cx.JourneyGraph.from_counts({(cx.START, "a"): 5, ("a", cx.DROPOFF): 5})
    found = must_pass(graph)
    assert found.conversions == found.nearly == found.cut == ()
    assert found.losses == ("a",)
    assert np.isnan(found.table["removal_effect"]).all()


def test_the_post_dominators_of_the_reversed_graph_are_the_same():
    graph = cx.JourneyGraph.from_counts(EDGES)
    reverse = nx.immediate_dominators(nx.DiGraph(graph).reverse(), cx.DROPOFF)
    node, met = reverse.get(cx.START), []
    while node is not None and node != cx.DROPOFF:
        met.append(node)
        node = reverse.get(node)
    assert tuple(met) == must_pass(graph).losses


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcde"), min_size=1, max_size=4), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_dominators_are_what_every_simple_path_of_the_graph_has_in_common(ways):
    journeys = cx.Journeys.from_paths(
        [way for way, _ in ways],
        converted=[int(won) for _, won in ways],
        dropped=[int(not won) for _, won in ways],
    )
    found = must_pass(journeys)
    plain = nx.DiGraph(journeys.graph())
    for end, claimed in ((cx.CONVERSION, found.conversions), (cx.DROPOFF, found.losses)):
        paths = (
            [set(path[1:-1]) for path in nx.all_simple_paths(plain, cx.START, end)]
            if end in plain
            else []
        )
        assert set(claimed) == (set.intersection(*paths) if paths else set())


def test_a_threshold_that_is_just_reached_counts():
    graph = cx.JourneyGraph.from_counts(
        {
            (cx.START, "x"): 50,
            (cx.START, "y"): 50,
            ("x", cx.CONVERSION): 50,
            ("y", cx.CONVERSION): 50,
            ("y", cx.DROPOFF): 0,
        }
    )
    assert set(cx.critical.must_pass(graph, threshold=0.5).nearly) == {"x", "y"}
    assert cx.critical.must_pass(graph, threshold=0.51).nearly == ()
