from __future__ import annotations

import itertools

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.plot._layout import MOST_ROWS, depths, layout

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
    inner = sorted((x, -y, name) for name, (x, y) in places.items() if name not in KINDS)
    return [[name for _, _, name in group] for _, group in itertools.groupby(inner, lambda n: n[0])]


def test_without_stages_the_longest_way_decides():
    assert columns(CHAIN) == [["ad"], ["web"], ["cart"]]


def test_the_start_stands_left_of_all_and_the_ends_right_of_all():
    places, _ = placed(CHAIN | {("web", "lost"): 1})
    x = {name: at[0] for name, at in places.items()}
    assert x["start"] < x["ad"]
    assert x["cart"] < x["won"] == x["lost"]
    assert places["won"][1] > places["lost"][1]


def test_a_rare_touchpoint_stands_after_where_its_visitors_came_from():
    rare = {("cart", "help"): 1, ("help", "lost"): 1, ("start", "ad"): 11, ("ad", "web"): 11}
    assert columns({**CHAIN, **rare, ("web", "cart"): 13}) == [["ad"], ["web"], ["cart"], ["help"]]


def test_stages_are_columns_in_the_order_given():
    stage = {"ad": "early", "web": "early", "cart": "late"}
    late, early = columns(CHAIN, stage=stage, stages=("late", "early"))
    assert late == ["cart"]
    assert sorted(early) == ["ad", "web"]
    _, found = placed(CHAIN, stage=stage, stages=("late", "none here", "early"))
    assert found.bands == (("late", 1.0, 1.0), ("early", 2.0, 2.0))


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
    places = np.stack([found.x, found.y], axis=1)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)[~np.eye(size, dtype=bool)]
    assert gaps.min() >= 1 - 1e-9
    for at in np.unique(found.x):
        assert np.count_nonzero(found.x == at) <= MOST_ROWS
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

    nodes = network(graph, stages=stages).nodes
    left, top = min(n.x for n in nodes), max(n.y for n in nodes)
    return {n.name.strip("()"): (n.x - left, top - n.y) for n in nodes}


def drawn_in_the_picture(graph, stages):
    ax = graph.plot(stages=stages or None)
    places = {t.get_text().split("\n")[0]: t.xy for t in ax.texts if "\n" in t.get_text()}
    left, low = np.min(list(places.values()), axis=0)
    return {name: (x - left, y - low) for name, (x, y) in places.items()}


@pytest.mark.parametrize("staged", [False, True])
def test_the_page_and_the_picture_place_nodes_alike(staged):
    journeys = cx.datasets.sample(seed=4, customers=400).journeys()
    graph = journeys.graph().copy()
    if not staged:
        for name in graph.touchpoints:
            graph.nodes[name].pop("stage", None)
    for stages in ((), tuple(reversed(journeys.log.stages))):
        page, picture = drawn_on_the_page(graph, stages), drawn_in_the_picture(graph, stages)
        assert len(picture) == graph.number_of_nodes()
        across, up = 206.0, 58.0  # distance of columns and of rows on the page [px]
        for name, (x, y) in picture.items():
            assert page[name] == pytest.approx((x * across, y * up)), name
