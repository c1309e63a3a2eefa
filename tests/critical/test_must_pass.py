"""Must-pass moments: golden values, NetworkX's traps, and a brute force over all paths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

import cxjourney as cx
from cxjourney.critical import must_pass, rework

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


def customers_log(paths):
    rows = [
        cx.Interaction(
            customer=who, touchpoint=name, timestamp=datetime(2026, 1, 1 + day, k, tzinfo=UTC)
        )
        for who, days in paths.items()
        for day, path in enumerate(days)
        for k, name in enumerate(path)
    ]
    end = datetime(2026, 12, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(rows, observed_until=end)
    return log.journeys(goal="buy", inactivity=timedelta(hours=20))


def test_intervals_leave_out_one_customer_after_another():
    rng = np.random.default_rng(3)
    paths = {}
    for i in range(30):
        days = []
        for _ in range(1 + i % 5):
            path = [str(rng.choice(["ad", "web"]))]
            while rng.random() < 0.7 and len(path) < 15:
                path.append(str(rng.choice(["ad", "web", "shop"])))
            days.append([*path, "buy"] if rng.random() < 0.5 else path)
        paths[f"c{i}"] = days

    def chain(skipped=None):
        journeys = customers_log({who: days for who, days in paths.items() if who != skipped})
        return cx.AbsorbingChain.from_graph(journeys.graph())

    whole, without = chain(), [chain(who) for who in paths]
    journeys = customers_log(paths)
    tables = {
        "removal_effect": (must_pass(journeys).table, "low", "high"),
        "returning": (rework(journeys).table, "returning_low", "returning_high"),
    }
    for name in ("ad", "web", "shop"):
        for figure, (table, low, high) in tables.items():
            row = table.row(list(table["touchpoint"]).index(name))

            def of(chain, figure=figure, name=name):
                values = getattr(chain, figure)
                return (values() if callable(values) else values)[name]

            p, others = of(whole), np.array([of(one) for one in without])
            trials = p * (1 - p) / (29 / 30 * ((others - p) ** 2).sum())
            n = np.array([sum(path.count(name) for path in days) for days in paths.values()])
            if figure == "returning":
                trials = min(trials, n.sum())
            q = t.ppf(0.975, n.sum() ** 2 / (n**2).sum() - 1)
            half = q * np.sqrt(p * (1 - p) / trials + q**2 / (4 * trials**2))
            ends = (p + q**2 / (2 * trials) + np.array([-half, half])) / (1 + q**2 / trials)
            assert row[figure] == pytest.approx(p)
            assert (row[low], row[high]) == pytest.approx(ends, rel=1e-4)


def test_intervals_of_a_graph_take_visits_as_independent_and_those_of_many_nodes_are_left_out():
    found = must_pass(cx.JourneyGraph.from_counts(EDGES))
    assert "visits taken as independent" in str(found)
    low, value, high = (found.table[name] for name in ("low", "removal_effect", "high"))
    assert ((low < value) & (value <= high)).all()
    many = {(cx.START, f"n{i}"): 2 for i in range(401)}
    many |= {(f"n{i}", cx.CONVERSION): 2 for i in range(401)}
    none = must_pass(cx.JourneyGraph.from_counts(many))
    assert np.isnan(none.table["low"]).all()
    assert "no intervals beyond 400 nodes" in str(none)
