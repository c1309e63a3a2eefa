from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from cxjourney import plot
from cxjourney.exceptions import InvalidValue


def points(ax) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for line in ax.get_lines()
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def whisker_ends(ax) -> list[tuple[float, float]]:
    segments = [
        segment
        for lines in ax.collections
        if isinstance(lines, LineCollection)
        for segment in lines.get_segments()
        if len(segment)
    ]
    return [(round(float(s[0, 0]), 9), round(float(s[1, 0]), 9)) for s in segments]


def names_of(axis) -> list[str]:
    return [text.get_text() for text in axis.get_ticklabels()]


def test_a_forest_has_one_row_a_name_the_first_on_top():
    ax = plot.forest(["cart", "web"], [0.5, 0.2], [0.4, 0.1], [0.6, 0.35])
    assert names_of(ax.yaxis) == ["cart", "web"]
    assert points(ax) == [(0.5, 0.0), (0.2, 1.0)]
    bottom, top = ax.get_ylim()
    assert bottom > top
    assert whisker_ends(ax) == [(0.4, 0.6), (0.1, 0.35)]


def test_groups_share_a_row_without_hiding_one_another():
    ax = plot.forest(
        ["cart", "cart", "web"],
        [0.5, 0.4, 0.2],
        [0.4, 0.3, 0.1],
        [0.6, 0.5, 0.3],
        group=["new", "known", "new"],
        group_label="customers",
    )
    heights = sorted(y for _, y in points(ax))
    assert names_of(ax.yaxis) == ["cart", "web"]
    assert len(set(heights)) == 3
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["new", "known"]
    assert ax.get_legend().get_title().get_text() == "customers"


def test_counts_stand_beside_their_rows():
    ax = plot.forest(["cart", "web"], [0.5, 0.2], [0.4, 0.1], [0.6, 0.3], n=[1200, 7])
    assert [(t.get_text(), t.xy[1]) for t in ax.texts] == [("n = 1,200", 0), ("n = 7", 1)]


def test_an_unknown_estimate_keeps_its_row_and_draws_nothing():
    nan = np.nan
    ax = plot.forest(["cart", "web"], [nan, 0.2], [nan, 0.1], [nan, 0.3])
    assert names_of(ax.yaxis) == ["cart", "web"]
    assert np.isnan(points(ax)[0][0])


def test_a_reference_is_drawn_where_it_lies():
    ax = plot.forest(["cart"], [0.5], [0.4], [0.6], reference=0.3)
    assert list(ax.get_lines()[-1].get_xdata()) == [0.3, 0.3]


def test_bars_begin_at_zero_and_end_at_their_value():
    ax = plot.bars(["ad", "web"], [3.0, 7.0], [2.0, 6.0], [4.0, 9.0])
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches[:2]] == [(0, 3.0), (0, 7.0)]
    assert whisker_ends(ax) == [(2.0, 4.0), (6.0, 9.0)]
    assert ax.get_xlim()[0] == 0


def test_models_side_by_side_have_a_colour_each():
    ax = plot.bars(["ad", "ad"], [3, 4], group=["first", "last"])
    assert len({to_hex(bar.get_facecolor()) for bar in ax.patches[:2]}) == 2


def test_nine_groups_can_be_told_apart():
    groups = [f"model {k}" for k in range(9)]
    ax = plot.bars(["ad"] * 9, range(1, 10), group=groups)
    looks = {(to_hex(bar.get_facecolor()), bar.get_hatch()) for bar in ax.patches[:9]}
    assert len(looks) == 9


def test_a_funnel_says_how_many_got_there():
    ax = plot.funnel(["1 web", "2 buy"], [1, 0.25], [1, 0.2], [1, 0.3], count=[400, 100])
    assert [bar.get_width() for bar in ax.patches[:2]] == [1, 0.25]
    assert [text.get_text() for text in ax.texts] == ["400", "100"]


def test_a_funnel_by_segment_is_one_line_each():
    ax = plot.funnel(
        ["1 web", "2 buy"] * 2,
        [1, 0.25, 1, 0.5],
        [1, 0.2, 1, 0.4],
        [1, 0.3, 1, 0.6],
        group=["new", "new", "known", "known"],
    )
    lines = [line.get_xdata().tolist() for line in ax.get_lines()]
    assert lines == [[1, 0.25], [1, 0.5]]


def test_sixty_rows_have_room_and_none_is_missing():
    names = [f"touchpoint {k}" for k in range(60)]
    value = np.linspace(0.6, 0.01, 60)
    ax = plot.forest(names, value, value / 2, value * 1.5)
    assert names_of(ax.yaxis) == names
    per_row = ax.figure.get_figheight() / 60
    assert per_row > 1.5 * 8 / 72  # the names are 8 points high


def test_hostile_names_are_drawn_without_a_word(hostile):
    size = len(hostile)
    ax = plot.bars(hostile * 2, range(2 * size), group=["$a$"] * size + ["_b"] * size)
    ax.figure.draw_without_rendering()
    assert len(ax.get_legend().get_texts()) == 2
    assert all(len(name) <= 44 for name in names_of(ax.yaxis) if "$" not in name)


def test_columns_of_different_length_are_refused():
    with pytest.raises(InvalidValue, match="low must hold 2 numbers"):
        plot.forest(["a", "b"], [1, 2], [1], [2, 3])
    with pytest.raises(InvalidValue, match="group must hold 2 labels"):
        plot.bars(["a", "b"], [1, 2], group=["x"])
    with pytest.raises(InvalidValue, match="low and high must come together"):
        plot.bars(["a"], [1], [0])


def test_a_row_that_is_there_twice_is_refused():
    with pytest.raises(InvalidValue, match="names must be distinct"):
        plot.bars(["a", "a"], [1, 2])


def test_no_rows_give_an_empty_picture():
    ax = plot.forest([], [], [], [])
    assert names_of(ax.yaxis) == []
