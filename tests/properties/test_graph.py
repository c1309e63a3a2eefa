"""What holds for the graph of any journeys, against a slow and plain recount of them."""

from __future__ import annotations

import json
import string
from collections import Counter
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph

LIMIT = 6  # ticks; a bin each
NAMES = ["ad", "web", "cart", "phone"]

# A journey: touches, the ticks between them, how it ends and when its end shows.
journeys = st.builds(
    lambda touches, gaps, end, after: (touches, gaps[: len(touches) - 1], end, after),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=5),
    st.lists(st.integers(0, LIMIT - 1), min_size=4, max_size=4),
    st.sampled_from(["converted", "left", "silent", "open"]),
    st.integers(0, LIMIT - 1),
)
logs = st.lists(journeys, max_size=12)


def visits_of(log):
    """Return (node, next node or None while open, ticks until then) of every visit."""
    for touches, gaps, end, after in log:
        yield from zip(touches, touches[1:], gaps, strict=False)
        how = {"converted": CONVERSION, "left": DROPOFF, "silent": "silence", "open": None}
        yield touches[-1], how[end], LIMIT if end == "silent" else after


def graph_of(log, *, times=True):
    names = sorted({x for touches, *_ in log for x in touches})
    code = {n: i for i, n in enumerate([*names, START, CONVERSION, DROPOFF])}
    count = Counter((START, touches[0]) for touches, *_ in log)
    gaps = Counter()
    opened = np.zeros((len(names), LIMIT), dtype=int)
    for x, y, ticks in visits_of(log):
        if y is None:
            opened[code[x], ticks] += 1
        else:
            edge = (x, DROPOFF if y == "silence" else y)
            count[edge] += 1
            if y != "silence":
                gaps[(*edge, ticks)] += 1
    edges = sorted(count)
    histogram = np.array([[gaps[(*e, b)] for b in range(LIMIT)] for e in edges])
    return JourneyGraph.from_arrays(
        names,
        source=[code[u] for u, _ in edges],
        target=[code[v] for _, v in edges],
        count=[count[e] for e in edges],
        dwell_sum_us=histogram @ np.arange(LIMIT) if edges else [],
        censored=opened.sum(axis=1),
        node_journeys=[sum(n in touches for touches, *_ in log) for n in names],
        channels=[{n[0], "all"} if n == "web" else {n[0]} for n in names],
        gap_histogram=histogram.reshape(len(edges), LIMIT) if times else None,
        censored_histogram=opened if times else None,
        grid_us=range(LIMIT + 1) if times else None,
    )


def contents(graph):
    return (
        dict(graph.nodes(data=True)),
        {(u, v): data for u, v, data in graph.edges(data=True)},
        dict(graph.graph),
    )


def aalen_johansen(log, x):
    """The textbook, one time after another, in fractions; silence beyond the limit is DROPOFF."""
    sojourns = [(y, ticks) for at, y, ticks in visits_of(log) if at == x]
    survival, row = Fraction(1), Counter()
    for time in range(LIMIT):
        at_risk = sum(ticks >= time for _, ticks in sojourns)
        ends = Counter(y for y, ticks in sojourns if ticks == time and y is not None)
        for y, n in ends.items():
            row[y] += survival * Fraction(n, at_risk)
        if at_risk:
            survival *= 1 - Fraction(ends.total(), at_risk)
    row[DROPOFF] += survival
    return {y: p for y, p in row.items() if p}


@given(logs)
def test_flow_holds_and_a_row_sums_to_one(log):
    graph = graph_of(log, times=False)
    graph.check_flow()
    for name in graph.touchpoints:
        node = graph.nodes[name]
        out = [data for _, _, data in graph.out_edges(name, data=True)]
        assert node["visits"] == sum(touches.count(name) for touches, *_ in log)
        assert node["visits"] == node["censored"] + sum(data["count"] for data in out)
        if out:
            assert sum(data["probability"] for data in out) == pytest.approx(1, abs=1e-12)
    assert graph.graph["n_journeys"] == len(log)


@given(logs, logs, logs, st.booleans())
def test_merging_is_that_of_the_logs_associative_and_commutative(a, b, c, times):
    one, two, three = (graph_of(log, times=times) for log in (a, b, c))
    left, right = (one + two) + three, one + (two + three)
    assert contents(left) == contents(right)
    assert contents(one + two) == contents(two + one)
    whole = graph_of([*a, *b, *c], times=times)
    nothing = graph_of([], times=times)
    assert contents(left) == contents(whole + nothing)
    for u, v, data in whole.edges(data=True):
        assert left.edges[u, v]["count"] == data["count"]
        assert left.edges[u, v].get("dwell_mean_s") == data.get("dwell_mean_s")
    for name, node in whole.nodes(data=True):
        assert left.nodes[name] == node


@given(logs, logs)
def test_merged_probabilities_are_aalen_johansen_of_all_times(a, b):
    graph = graph_of(a) + graph_of(b)
    log = [*a, *b]
    for name in graph.touchpoints:
        row = {v: d["probability"] for _, v, d in graph.out_edges(name, data=True)}
        if all(y is None for at, y, _ in visits_of(log) if at == name):
            assert row == {}
        else:
            expected = {v: float(p) for v, p in aalen_johansen(log, name).items()}
            assert row == pytest.approx(expected, abs=1e-12)


@given(logs, st.booleans())
def test_round_trips_keep_everything(log, times):
    graph = graph_of(log, times=times)
    for way in (
        lambda g: g.copy(),
        lambda g: g.reverse().reverse(),
        lambda g: g.subgraph(list(g)),
        lambda g: JourneyGraph.from_json(g.to_json()),
        JourneyGraph.from_networkx,
        graphml_and_back,
    ):
        assert contents(way(graph)) == contents(graph)


def graphml_and_back(graph):
    with TemporaryDirectory() as folder:
        graph.write_graphml(Path(folder) / "graph.graphml")
        return JourneyGraph.read_graphml(Path(folder) / "graph.graphml")


@given(logs, st.permutations(NAMES))
def test_renaming_touchpoints_renames_the_graph(log, names):
    new = dict(zip(NAMES, (n.upper() for n in names), strict=True))
    renamed = [([new[x] for x in touches], *rest) for touches, *rest in log]
    a = nx.relabel_nodes(graph_of(log, times=False), new)
    b = graph_of(renamed, times=False)
    assert {(u, v): d for u, v, d in a.edges(data=True)} == {
        (u, v): d for u, v, d in b.edges(data=True)
    }


hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            ["\x00", "\r", "\n", "\u202e", "]", '"', "\\", "<", "&", "\ud800", "\uffff"]
        ),
        st.sampled_from(string.punctuation),
    ),
    min_size=1,
    max_size=6,
)


@given(hostile, hostile)
def test_hostile_names_survive_or_are_refused(name, owner):
    graph = JourneyGraph.from_counts({(START, name): 2, (name, DROPOFF): 2}, owner={name: owner})
    assert contents(JourneyGraph.from_json(graph.to_json())) == contents(graph)
    assert json.loads(graph.to_json())["nodes"][0]["id"] == name
    try:
        back = graphml_and_back(graph)
    except InvalidValue as error:
        assert "to_json" in str(error)  # noqa: PT017 - both ways are right, by the name
    else:
        assert contents(back) == contents(graph)
