from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.patches import FancyArrowPatch

import cxjourney as cx
from cxjourney import plot
from cxjourney.exceptions import InvalidValue, UnknownName

NAMES = ["start", "web", "cart", "won", "lost"]
KINDS = ["start", "touchpoint", "touchpoint", "conversion", "dropoff"]
VISITS = [10, 13, 6, 4, 6]
EDGES = {
    ("start", "web"): 10,
    ("web", "web"): 1,
    ("web", "cart"): 6,
    ("cart", "web"): 2,
    ("cart", "won"): 4,
    ("web", "lost"): 6,
}


def draw(**options):
    source, target = zip(*EDGES, strict=True)
    defaults = {"source": source, "target": target, "count": list(EDGES.values())}
    return plot.journey_graph(NAMES, KINDS, VISITS, **defaults | options)


def arrows(ax) -> list[FancyArrowPatch]:
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def positions(ax) -> dict[str, tuple[float, float]]:
    return {t.get_text().split("\n")[0]: t.xy for t in ax.texts if "\n" in t.get_text()}


def test_every_node_has_its_name_and_its_visits():
    assert [t.get_text() for t in draw().texts] == [
        "start\n10",
        "web\n13",
        "cart\n6",
        "converted\n4",
        "dropped\n6",
    ]


def test_flow_is_drawn_as_width_and_runs_from_left_to_right():
    ax = draw()
    assert len(arrows(ax)) == 5  # the sixth is a ring
    widths = sorted(a.get_linewidth() for a in arrows(ax))
    counts = sorted(count for (u, v), count in EDGES.items() if u != v)
    slope = np.diff(widths)[np.diff(counts) > 0] / np.diff(counts)[np.diff(counts) > 0]
    np.testing.assert_allclose(slope, slope[0])
    x = {name: at[0] for name, at in positions(ax).items()}
    assert x["start"] < x["web"] < x["cart"] < x["converted"] == x["dropped"]


def test_moves_back_have_a_colour_of_their_own():
    by_width = {round(a.get_linewidth(), 6): a.get_edgecolor()[:3] for a in arrows(draw())}
    onward, back = by_width[round(0.3 + 7 * 1.0, 6)], by_width[round(0.3 + 7 * 0.2, 6)]
    assert onward != back


def test_a_move_from_a_node_to_itself_is_a_ring():
    rings = [c for c in draw().collections if not len(c.get_facecolor())]
    assert len(rings) == 1
    assert len(rings[0].get_offsets()) == 1


def test_a_busy_loop_does_not_make_the_other_moves_thin():
    quiet, busy = (draw(count=[10, loop, 6, 2, 4, 6]) for loop in (1, 500))
    assert [a.get_linewidth() for a in arrows(busy)] == [a.get_linewidth() for a in arrows(quiet)]


def test_the_colour_of_a_node_is_its_value():
    nan = np.nan
    ax = draw(shade=[nan, 0.46, 0.1, nan, nan], shade_label="exit probability")
    shaded = [
        c for c in ax.collections if isinstance(c, PathCollection) and c.get_array() is not None
    ]
    assert shaded[0].get_array().tolist() == [0.46, 0.1]
    assert shaded[0].get_clim() == (0, 0.46)
    assert ax.figure.axes[1].get_ylabel() == "exit probability"


def test_good_and_bad_are_two_sides_of_a_diverging_scale():
    nan = np.nan
    ax = draw(shade=[nan, -0.5, 0.2, nan, nan], diverging=True)
    shaded = [
        c for c in ax.collections if isinstance(c, PathCollection) and c.get_array() is not None
    ]
    assert shaded[0].get_clim() == (-0.5, 0.5)


def test_stages_are_columns_in_their_order():
    ax = draw(stage=["", "buy", "look", "", ""], stages=["look", "none here", "buy"])
    x = {name: at[0] for name, at in positions(ax).items()}
    assert x["start"] < x["cart"] < x["web"] < x["converted"]
    assert [t.get_text() for t in ax.texts if "\n" not in t.get_text()] == ["look", "buy"]


def test_stages_without_an_order_are_sorted_by_depth():
    ax = draw(stage=["", "zzz first", "aaa later", "", ""])
    assert [t.get_text() for t in ax.texts if "\n" not in t.get_text()] == [
        "zzz first",
        "aaa later",
    ]


def test_edges_that_are_left_out_are_told():
    ax = draw(max_edges=2)
    assert len(arrows(ax)) == 2
    assert ax.get_xlabel() == "drawn: the 2 busiest of 6 transitions, 55% of all traffic"
    assert draw().get_xlabel() == ""


def test_an_edge_to_nowhere_and_a_stage_without_place_are_refused():
    with pytest.raises(UnknownName, match="target 'carts' is not in names; did you mean 'cart'"):
        draw(target=["web", "web", "carts", "web", "won", "lost"])
    with pytest.raises(UnknownName, match="stage 'buy' is not in stages"):
        draw(stage=["", "buy", "look", "", ""], stages=["look"])
    with pytest.raises(InvalidValue, match="kind must hold 5 kinds"):
        plot.journey_graph(NAMES, ["start"], VISITS, source=[], target=[], count=[])


def test_hostile_names_are_drawn(hostile):
    size = len(hostile)
    ax = plot.journey_graph(
        hostile, ["touchpoint"] * size, [1] * size, source=[], target=[], count=[], stage=hostile
    )
    ax.figure.draw_without_rendering()


def test_long_moves_stay_within_the_picture():
    names = [f"step {i}" for i in range(9)]
    counts = {(cx.START, names[0]): 100}
    for i, name in enumerate(names):
        counts[name, cx.DROPOFF] = 8
        counts[name, names[i + 1] if i < 8 else cx.CONVERSION] = 92 - 8 * i
    ax = cx.JourneyGraph.from_counts(counts).plot()
    ax.figure.canvas.draw()
    arrows = [p.get_window_extent() for p in ax.patches if isinstance(p, FancyArrowPatch)]
    inside = ax.get_window_extent()
    assert min(arrow.y0 for arrow in arrows) > inside.y0
    assert max(arrow.y1 for arrow in arrows) < inside.y1
