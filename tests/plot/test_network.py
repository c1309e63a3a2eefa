from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch, PathPatch

import cxjourney as cx
from cxjourney import plot
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.plot._canvas import CAPTION_GID

DROPPED = "\N{DOWNWARDS ARROW} dropped: 6"
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


def lines(ax) -> list[PathPatch]:
    """Return the lines of the edges, the busiest first."""
    return [patch for patch in ax.patches if isinstance(patch, PathPatch)][::-1]


def boxes(ax) -> list[FancyBboxPatch]:
    return [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]


def positions(ax) -> dict[str, tuple[float, float]]:
    words = {t.get_text(): t.get_position() for t in ax.texts if t.get_gid() != CAPTION_GID}
    return {text.split("\n")[0]: where for text, where in words.items() if "\n" in text}


def test_every_node_has_its_name_and_its_visits():
    assert [t.get_text() for t in draw().texts] == [
        "start\n10",
        "web\n13",
        "cart\n6",
        "converted\n4",
        "\N{DOWNWARDS ARROW} dropped: 6",
    ]


def test_flow_is_drawn_as_width_and_runs_from_left_to_right():
    ax = draw()
    widths = sorted(line.get_linewidth() for line in lines(ax))
    counts = sorted(EDGES.values())
    assert len(widths) == len(counts)
    slope = np.diff(widths)[np.diff(counts) > 0] / np.diff(counts)[np.diff(counts) > 0]
    np.testing.assert_allclose(slope, slope[0])
    x = {name: at[0] for name, at in positions(ax).items()}
    assert x["start"] < x["web"] < x["cart"] < x["converted"]


def test_moves_back_and_exits_have_a_colour_of_their_own():
    tints = {
        (round(line.get_linewidth(), 6), line.get_edgecolor()[:3])
        for line in lines(draw(count=[10, 1, 7, 2, 4, 6]))
    }
    by_width = dict(sorted(tints))
    once, back, won, lost, onward, _ = by_width.values()  # by how often: 1, 2, 4, 6, 7, 10
    assert once == onward
    assert len({onward, back, won, lost}) == 4
    assert won == to_rgb("#009E73")


def test_a_busy_loop_does_not_make_the_other_moves_thin():
    def others(loop):
        ax = draw(count=[10, loop, 6, 2, 4, 6])
        return sorted(line.get_linewidth() for line in lines(ax))[-5:]

    thin, busy = others(1), others(500)
    assert busy == [*thin[1:], max(thin)]  # the loop is as wide as the busiest


def test_the_colour_of_a_node_is_its_value():
    nan = np.nan
    ax = draw(shade=[nan, 0.46, nan, nan, nan], shade_label="exit probability")
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "exit probability"
    assert bar.get_ylim() == (0, 0.46)
    tints = [box.get_facecolor()[:3] for box in boxes(ax)]
    assert tints[1] == pytest.approx(mpl.colormaps["YlOrBr"](1.0)[:3])
    assert tints[2] == to_rgb("#DDDDDD")


def test_a_name_stays_readable_on_a_dark_box():
    ax = draw(shade=[np.nan, 1.0, 0.01, np.nan, np.nan])
    inks = {t.get_text().split("\n")[0]: to_rgb(t.get_color()) for t in ax.texts}
    assert inks["web"] == (1, 1, 1)
    assert max(inks["cart"]) < 0.5


def test_good_and_bad_are_two_sides_of_a_diverging_scale():
    nan = np.nan
    ax = draw(shade=[nan, -0.5, 0.2, nan, nan], diverging=True)
    assert ax.figure.axes[1].get_ylim() == (-0.5, 0.5)


def test_stages_are_columns_in_their_order():
    ax = draw(stage=["", "buy", "look", "", ""], stages=["look", "none here", "buy"])
    x = {name: at[0] for name, at in positions(ax).items()}
    assert x["start"] < x["cart"] < x["web"] < x["converted"]
    assert [t.get_text() for t in ax.texts if "\n" not in t.get_text()] == ["look", "buy", DROPPED]


def test_stages_without_an_order_are_sorted_by_depth():
    ax = draw(stage=["", "zzz first", "aaa later", "", ""])
    assert [t.get_text() for t in ax.texts if "\n" not in t.get_text()] == [
        "zzz first",
        "aaa later",
        DROPPED,
    ]


def test_edges_that_are_left_out_are_told():
    ax = draw(max_edges=2)
    assert len(lines(ax)) == 2
    assert ax.get_xlabel() == "drawn: 2 of 6 transitions, 55% of all traffic"
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


def crowded(n: int, *, stages: bool) -> cx.JourneyGraph:
    """Return a graph of names that differ in their middle alone, each with a way on and out."""
    names = [f"the page about product {i:03} of the shop" for i in range(n)]
    counts = {(cx.START, names[0]): 100 * n}
    for i, name in enumerate(names):
        counts[name, cx.DROPOFF] = 50
        counts[name, names[i + 1] if i + 1 < n else cx.CONVERSION] = 100 * n - 50 * (i + 1)
    stage = {name: f"stage {i // 9} with a long name" for i, name in enumerate(names)}
    return cx.JourneyGraph.from_counts(counts, stage=stage if stages else None)


@pytest.mark.parametrize("stages", [False, True])
@pytest.mark.parametrize("n", [5, 30, 60, 150])
def test_names_lie_in_their_boxes_and_on_no_other_name(n, stages):
    ax = crowded(n, stages=stages).plot(title="Journeys")
    ax.figure.draw_without_rendering()
    named = [text for text in ax.texts if text.get_gid() != CAPTION_GID]
    extents = [text.get_window_extent() for text in named]
    for box in boxes(ax):
        frame = box.get_window_extent()
        inside = [e for e in extents if e.overlaps(frame)]
        assert len(inside) == 1
        assert frame.x0 <= inside[0].x0 < inside[0].x1 <= frame.x1
        assert frame.y0 <= inside[0].y0 < inside[0].y1 <= frame.y1
    for i, one in enumerate(extents):
        assert not any(one.overlaps(other) for other in extents[:i])
        assert ax.get_window_extent().contains(one.x0, one.y0)
    names = [name for name in positions(ax) if name not in {"start", "converted"}]
    assert len(set(names)) == len(names) == n


def test_names_are_smaller_on_small_axes():
    from matplotlib.figure import Figure

    ax = Figure(figsize=(6, 2)).subplots()
    crowded(5, stages=False).plot(ax=ax)
    ax.figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in ax.texts]
    assert all(sum(e.overlaps(box.get_window_extent()) for e in extents) == 1 for box in boxes(ax))


def test_long_moves_stay_within_the_picture():
    ax = crowded(9, stages=False).plot()
    ax.figure.draw_without_rendering()
    inside = ax.get_window_extent()
    for line in lines(ax):
        extent = line.get_window_extent()
        assert inside.y0 < extent.y0 <= extent.y1 < inside.y1
