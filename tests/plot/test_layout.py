from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.patches import PathPatch

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.plot._layout import MOST_ROWS, depths, layout
from cxjourney.plot._routes import GAP, NODE_SIZE

KINDS = {"start": "start", "won": "conversion", "lost": "dropoff"}
CHAIN = {
    ("start", "ad"): 10,
    ("ad", "web"): 10,
    ("web", "cart"): 12,
    ("cart", "web"): 2,
    ("cart", "won"): 10,
}


def placed(edges, *, stage=None, **options):
    """Return the position of each node of the edges, by name, and the layout."""
    names = list(dict.fromkeys(itertools.chain.from_iterable(edges)))
    found = layout(
        [KINDS.get(name, "touchpoint") for name in names],
        np.array([names.index(u) for u, _ in edges]),
        np.array([names.index(v) for _, v in edges]),
        np.array([*edges.values()], dtype=float),
        stage=None if stage is None else [stage.get(name, "") for name in names],
        **options,
    )
    return {name: (found.x[i], found.y[i]) for i, name in enumerate(names)}, found


def columns(edges, **options):
    """Return the touchpoints of each column, from left to right and from top to bottom."""
    places, _ = placed(edges, **options)
    inner = sorted((x, y, name) for name, (x, y) in places.items() if name not in KINDS)
    return [[name for _, _, name in group] for _, group in itertools.groupby(inner, lambda n: n[0])]


def test_without_stages_the_longest_way_decides():
    assert columns(CHAIN) == [["ad"], ["web"], ["cart"]]


def test_the_start_stands_left_of_all_and_the_ends_right_of_all():
    places, _ = placed(CHAIN | {("web", "lost"): 1})
    x = {name: at[0] for name, at in places.items()}
    assert x["start"] < x["ad"]
    assert x["cart"] < x["won"]


def test_what_is_dropped_is_a_stub_at_the_node_that_is_left_and_no_node():
    places, found = placed(CHAIN | {("web", "lost"): 1})
    assert np.isnan(places["lost"]).all()
    x, y = places["web"]
    stub = found.routes[5]
    assert stub[0, 1] == y + NODE_SIZE[1] / 2
    assert x < stub[:, 0].min() <= stub[:, 0].max() < x + NODE_SIZE[0]
    assert stub[-1, 1] - stub[0, 1] < GAP


def test_a_rare_touchpoint_stands_after_where_its_visitors_came_from():
    rare = {("cart", "help"): 1, ("help", "lost"): 1, ("start", "ad"): 11, ("ad", "web"): 11}
    assert columns({**CHAIN, **rare, ("web", "cart"): 13}) == [["ad"], ["web"], ["cart"], ["help"]]


def test_stages_are_columns_in_the_order_given():
    stage = {"ad": "early", "web": "early", "cart": "late"}
    late, early = columns(CHAIN, stage=stage, stages=("late", "early"))
    assert late == ["cart"]
    assert sorted(early) == ["ad", "web"]
    places, found = placed(CHAIN, stage=stage, stages=("late", "none here", "early"))
    width = NODE_SIZE[0]
    assert found.bands == (
        ("late", places["cart"][0], places["cart"][0] + width),
        ("early", places["ad"][0], places["web"][0] + width),
    )


def test_stages_without_an_order_stand_by_the_depth_of_their_touchpoints():
    _, found = placed(CHAIN, stage={"ad": "zzz", "web": "zzz", "cart": "aaa"})
    assert [name for name, _, _ in found.bands] == ["zzz", "aaa"]


def test_a_full_stage_gets_another_column_and_every_node_stands_once():
    names = [f"n{i:02}" for i in range(23)]
    edges = {("start", x): 1 for x in names} | {(x, "lost"): 1 for x in names}
    found = columns(edges, stage=dict.fromkeys(names, "one"), stages=("one",))
    assert [len(nodes) for nodes in found] == [12, 11]
    assert sorted(itertools.chain(*found)) == names
    assert max(map(len, found)) <= MOST_ROWS


def test_neighbours_stand_beside_each_other():
    ways = {("start", a): 5 for a in "abcd"} | {(x, "lost"): 5 for x in "wxyz"}
    ways |= dict.fromkeys([("a", "z"), ("b", "y"), ("c", "x"), ("d", "w")], 5)
    left, right = columns(ways)
    assert [("zyxw")["abcd".index(x)] for x in left] == list(right)


def test_nothing_to_place_is_no_column():
    places, found = placed({("start", "won"): 3})
    assert found.bands == ()
    assert places["start"][0] < places["won"][0]


def test_a_stage_without_place_and_too_few_stages_are_refused():
    with pytest.raises(UnknownName, match="stage 'late' is not in stages"):
        placed(CHAIN, stage={"ad": "early", "web": "early", "cart": "late"}, stages=("early",))
    with pytest.raises(InvalidValue, match="stage must hold 1 stages, one a node"):
        layout(["touchpoint"], *np.zeros((2, 0), dtype=int), np.zeros(0), stage=[])


def test_a_circle_is_cut_at_its_rarest_move():
    # 0 -> 1 -> 2 -> 3 and back from 3 to 1, rarely
    source, target = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 1])
    assert depths(4, source, target, np.array([9.0, 9, 9, 1])).tolist() == [0, 1, 2, 3]


def test_a_node_that_is_left_more_often_by_a_circle_still_stands_behind_its_way_in():
    # 2 and 3 feed one another more than 1 feeds 2
    source, target = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 2])
    assert depths(4, source, target, np.array([9.0, 1, 8, 7])).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("n", [1, 5, 30, 60])
@pytest.mark.parametrize("staged", [False, True])
def test_no_two_nodes_lie_on_one_another(n, staged):
    rng = np.random.default_rng(n)
    size = n + 3
    kind = ["start", *["touchpoint"] * n, "conversion", "dropoff"]
    source, target = rng.integers(0, size - 2, 8 * n), rng.integers(1, size, 8 * n)
    group = rng.integers(0, 3, size)
    found = layout(
        kind,
        source,
        target,
        rng.integers(1, 99, 8 * n).astype(float),
        stage=list(map(str, group)) if staged else None,
        stages="012" if staged else None,
    )
    at = ~np.isnan(found.x)
    assert at.sum() == n + 2  # the end of those who were dropped has no box
    aside = np.abs(found.x[at][:, None] - found.x[at])
    above = np.abs(found.y[at][:, None] - found.y[at])
    free = (aside >= NODE_SIZE[0]) | (above >= NODE_SIZE[1] + GAP - 1e-9)
    assert free[~np.eye(n + 2, dtype=bool)].all()
    for left in np.unique(found.x[at]):
        assert np.count_nonzero(found.x == left) <= MOST_ROWS
    if staged:
        inner = slice(1, n + 1)
        for a in np.unique(group[inner]):
            for b in np.unique(group[inner]):
                if a < b:
                    assert (
                        found.x[inner][group[inner] == a].max()
                        < found.x[inner][group[inner] == b].min()
                    )


# ---------------------------------------------------------------------- the page and the picture


def drawn_on_the_page(graph, stages):
    from cxjourney.report._network import network

    drawn = network(graph, stages=stages)
    places = {n.name.strip("()"): (n.x + NODE_SIZE[0] / 2, n.y) for n in drawn.nodes}
    return places, [edge.path.split("C")[0] for edge in drawn.edges[: drawn.few]]


def drawn_in_the_picture(graph, stages):
    ax = graph.plot(stages=stages or None)
    places = {
        t.get_text().split("\n")[0]: t.get_position() for t in ax.texts if "\n" in t.get_text()
    }
    lines = [patch.get_path().vertices for patch in ax.patches if isinstance(patch, PathPatch)]
    return places, ["M{:g} {:g}".format(*np.round(line[0], 1)) for line in reversed(lines)]


@pytest.mark.parametrize("staged", [False, True])
def test_the_page_and_the_picture_draw_nodes_and_edges_alike(staged):
    journeys = cx.datasets.sample(seed=4, customers=400).journeys()
    graph = journeys.graph().copy()
    if not staged:
        for name in graph.touchpoints:
            graph.nodes[name].pop("stage", None)
    for stages in ((), tuple(reversed(journeys.log.stages))):
        page, begins = drawn_on_the_page(graph, stages)
        picture, lines = drawn_in_the_picture(graph, stages)
        assert len(picture) == graph.number_of_nodes() - 1
        for name, place in picture.items():
            assert page[name] == pytest.approx(place, abs=0.06), name
        assert [begin.split("H")[0] for begin in begins] == lines
