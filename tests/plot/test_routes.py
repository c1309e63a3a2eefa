"""No drawn edge runs over the box of another node, whatever the graph."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.graph import stage_columns
from cxjourney.plot._layout import layout
from cxjourney.plot._routes import HEAD, NODE_SIZE, apart, arrow_head, leads_back

WIDTH, HEIGHT = NODE_SIZE


def curve(route, steps=24):
    """Return points on a chain of cubic Bezier curves, by their definition."""
    t = np.linspace(0, 1, steps)[:, None, None]
    a, b, c, d = route[0:-1:3], route[1::3], route[2::3], route[3::3]
    points = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return points.transpose(1, 0, 2).reshape(-1, 2)


def check(found, kind, source, target):
    """Check that every edge begins and ends at its nodes and crosses no box, its own neither."""
    there = np.flatnonzero(~np.isnan(found.x))
    x, y = found.x[there], found.y[there]
    for edge, route in enumerate(found.routes):
        u, v = source[edge], target[edge]
        if kind[u] == "dropoff":
            assert route.shape == (0, 2)
            continue
        points = curve(route)
        inside = (np.abs(points[:, :1] - x - WIDTH / 2) < WIDTH / 2 - 1e-6) & (
            np.abs(points[:, 1:] - y) < HEIGHT / 2 - 1e-6
        )
        assert not inside.any(), (u, v, there[inside.any(axis=0)])
        # nor does it come near one that is not its own
        near = (np.abs(points[:, :1] - x - WIDTH / 2) < WIDTH / 2 + 0.5) & (
            np.abs(points[:, 1:] - y) < HEIGHT / 2 + 0.5
        )
        assert set(there[near.any(axis=0)]) <= {u, v}
        for node, end in ((u, points[0]), (v, points[-1])):
            if kind[v] != "dropoff":
                assert abs(abs(end[0] - found.x[node] - WIDTH / 2) - WIDTH / 2) < 1e-6 or u == v
                assert abs(end[1] - found.y[node]) <= HEIGHT / 2 + 1e-6
        assert points.min() >= 0
        assert (points <= np.array(found.size) + 1e-9).all()


def no_node_floats(found, source, target):
    """Check that each node has an edge to another one in the least that is ever drawn."""
    shown = [e for e in found.rank[: found.least].tolist() if source[e] != target[e]]
    joined = {end for e in shown for end in (source[e], target[e])}
    apt = {
        int(end)
        for u, v in zip(source, target, strict=True)
        if u != v and not np.isnan(found.x[[u, v]]).any()
        for end in (u, v)
    }
    assert apt <= joined


def random_graph(n, edges, *, seed, stages=0, forward=False):
    rng = np.random.default_rng(seed)
    size = n + 3
    kind = ["start", *["touchpoint"] * n, "conversion", "dropoff"]
    source, target = rng.integers(0, size - 2, edges), rng.integers(1, size, edges)
    if forward:
        source, target = np.minimum(source, target), np.maximum(source, target)
    pairs = np.unique(np.stack([source, target]), axis=1)
    pairs = pairs[:, pairs[0] < size - 2]
    count = np.floor(rng.lognormal(2, 2, pairs.shape[1])) + 1
    stage = [str(k) for k in rng.integers(0, stages, size)] if stages else None
    return kind, pairs[0], pairs[1], count, stage


@pytest.mark.parametrize("stages", [0, 4])
@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize(
    ("n", "edges"), [(1, 4), (5, 12), (5, 60), (30, 150), (60, 600), (60, 6000), (150, 2000)]
)
def test_no_edge_crosses_a_box(n, edges, forward, stages):
    kind, source, target, count, stage = random_graph(
        n, edges, seed=n, stages=stages, forward=forward
    )
    found = layout(kind, source, target, count, stage=stage)
    check(found, kind, source, target)
    no_node_floats(found, source, target)
    if edges <= 600:
        again = layout(kind, source, target, count, stage=stage)
        assert all(np.array_equal(a, b) for a, b in zip(found.routes, again.routes, strict=True))


KINDS = st.sampled_from(["start", "touchpoint", "touchpoint", "conversion", "dropoff"])


@settings(deadline=None)
@given(st.data())
def test_no_edge_crosses_a_box_whatever_the_columns_are(data):
    kind = data.draw(st.lists(KINDS, min_size=1, max_size=14))
    node = st.integers(0, len(kind) - 1)
    edges = data.draw(st.lists(st.tuples(node, node), unique=True, max_size=60))
    count = data.draw(
        st.lists(st.integers(0, 10**6), min_size=len(edges), max_size=len(edges)).map(
            lambda n: np.array(n, dtype=float)
        )
    )
    stage = data.draw(
        st.none()
        | st.lists(st.sampled_from(["a", "b", "c"]), min_size=len(kind), max_size=len(kind))
    )
    source = np.array([u for u, _ in edges], dtype=np.intp)
    target = np.array([v for _, v in edges], dtype=np.intp)
    found = layout(kind, source, target, count, stage=stage)
    check(found, kind, source, target)
    no_node_floats(found, source, target)
    assert sorted(found.rank.tolist()) == list(range(len(edges)))
    assert 0 <= found.least <= found.few <= len(edges)


def of_graph(graph):
    names = list(graph)
    stage, order = stage_columns(graph)
    edges = list(graph.edges(data="count"))
    kind = [str(graph.nodes[x]["kind"]) for x in names]
    source = np.array([names.index(u) for u, _, _ in edges])
    target = np.array([names.index(v) for _, v, _ in edges])
    count = np.array([n for _, _, n in edges], dtype=float)
    stage = None if stage is None else [stage[x] for x in names]
    found = layout(kind, source, target, count, stage=stage, stages=order)
    check(found, kind, source, target)
    no_node_floats(found, source, target)
    return found


def test_no_edge_of_the_sample_crosses_a_box():
    found = of_graph(cx.datasets.sample(seed=4, customers=400).journeys().graph())
    assert len(found.bands) == 5
    assert found.few < 120  # of 210, 41 of them stubs


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "columns", "rules"),
    [
        (
            "retentioneering_simple_shop/simple-onlineshop.csv",
            ("user_id", "timestamp", "event"),
            {"goal": "payment_done", "exit_touchpoints": ["lost"]},
        ),
        (
            "bupar_sepsis/sepsis.csv.gz",
            ("case_id", "timestamp", "activity"),
            {"goal": "Release A", "all_closed": True},
        ),
        (
            "pm4py_receipt/receipt.csv",
            ("case:concept:name", "time:timestamp", "concept:name"),
            {"goal": "T10 Determine necessity to stop indication", "all_closed": True},
        ),
    ],
)
def test_no_edge_of_a_real_log_crosses_a_box(shared, file, columns, rules):
    customer, timestamp, touchpoint = columns
    log = cx.read_csv(
        shared / "data" / file, customer=customer, timestamp=timestamp, touchpoint=touchpoint
    )
    of_graph(log.journeys(**rules).graph())


def test_a_large_graph_is_laid_out_in_a_second():
    kind, source, target, count, stage = random_graph(150, 2000, seed=1, stages=5)
    layout(*random_graph(5, 9, seed=1)[:4])  # what is imported at the first time
    begin = time.process_time()
    layout(kind, source, target, count, stage=stage)
    assert time.process_time() - begin < 1.5  # 0.3 s where nothing else runs


def test_the_busiest_edges_are_drawn_straight_through_their_gap():
    # start, three columns of three, the end; the busiest edge passes all of them
    kind = ["start", *["touchpoint"] * 9, "conversion"]
    pairs = [(0, k) for k in (1, 2, 3)] + [(k, k + 3) for k in range(1, 7)]
    pairs += [(k, 10) for k in (7, 8, 9)] + [(0, 10)]
    source, target = np.array(pairs).T
    found = layout(kind, source, target, np.array([5.0] * 12 + [50.0]))
    check(found, kind, source, target)
    route = found.routes[12]
    assert np.ptp(route[:, 1]) < 40  # a box is 40 high: it need not give way further than that


def test_lines_are_moved_apart_as_little_as_possible():
    # by hand: 0 and 1 want one place and are moved by half of what they need, 2 stays
    found = apart(np.array([10.0, 10.0, 30.0]), np.array([4.0, 4.0]))
    assert found.tolist() == [8.0, 12.0, 30.0]
    heavy = apart(np.array([10.0, 10.0]), np.array([4.0]), np.array([3.0, 1.0]))
    assert heavy.tolist() == [9.0, 13.0]


def test_an_arrow_points_where_its_edge_ends():
    kind = ["start", "touchpoint", "touchpoint", "conversion", "dropoff"]
    edges = [(0, 1), (1, 2), (2, 1), (2, 3), (1, 1), (2, 4)]
    source, target = np.array(edges).T
    found = layout(kind, source, target, np.array([9.0, 9, 1, 5, 2, 3]))
    directions = [(1, 0), (1, 0), (-1, 0), (1, 0), (0, 1), (0, 1)]
    for route, width, towards in zip(found.routes, found.width, directions, strict=True):
        left, tip, right = arrow_head(route, width)
        assert tip.tolist() == route[-1].tolist()
        assert tip - (left + right) / 2 == pytest.approx(np.array(towards) * HEAD)
        assert np.linalg.norm(left - right) > width
    assert [leads_back(route) for route in found.routes] == [False] * 2 + [True] + [False] * 3
