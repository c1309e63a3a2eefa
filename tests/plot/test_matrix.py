from __future__ import annotations

import numpy as np
import pytest

from cxjourney import plot
from cxjourney.exceptions import InvalidValue


def texts(ax) -> dict[tuple[float, float], str]:
    return {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in ax.texts}


def test_every_cell_has_its_number_in_its_place():
    ax = plot.heat_map([[0.5, 0.1], [0.0, 1.0]], rows=["a", "b"], columns=["c", "d"], percent=True)
    assert texts(ax) == {(0, 0): "50%", (0, 1): "10%", (1, 0): "0%", (1, 1): "100%"}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["c", "d"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top


def test_more_is_darker_and_zero_is_the_lightest():
    ax = plot.heat_map([[0, 5, 10]], rows=["a"], columns=["c", "d", "e"])
    (image,) = ax.get_images()
    shades = image.cmap(image.norm(np.array([0, 5, 10])))[:, :3].sum(axis=1)
    assert shades[0] > shades[1] > shades[2]
    assert image.get_clim() == (0, 10)


def test_a_cell_without_value_is_left_blank_and_hatched():
    ax = plot.heat_map([[0.5, np.nan]], rows=["a"], columns=["c", "d"])
    assert texts(ax) == {(0, 0): "0.5"}
    assert ax.get_images()[0].get_array().mask.tolist() == [[False, True]]
    assert ax.patch.get_hatch()


def test_sixty_channels_have_all_their_names_and_no_numbers_that_collide():
    names = [f"channel {k}" for k in range(60)]
    ax = plot.heat_map(np.eye(60), rows=names, columns=names)
    assert not ax.texts
    assert [t.get_text() for t in ax.get_xticklabels()] == names
    assert ax.figure.get_figheight() / 60 > 7 / 72


def test_hostile_names_are_drawn(hostile):
    size = len(hostile)
    ax = plot.heat_map(np.ones((size, size)), rows=hostile, columns=hostile, label="$x$")
    ax.figure.draw_without_rendering()


def test_another_shape_and_negative_values_are_refused():
    with pytest.raises(InvalidValue, match=r"shape of rows and columns, \(1, 2\)"):
        plot.heat_map([[1]], rows=["a"], columns=["b", "c"])
    with pytest.raises(InvalidValue, match="not be negative"):
        plot.heat_map([[-1]], rows=["a"], columns=["b"])


@pytest.mark.parametrize("values", [np.zeros((1, 1)), np.full((1, 1), np.nan)])
def test_nothing_to_see_is_drawn_too(values):
    plot.heat_map(values, rows=["a"], columns=["b"]).figure.draw_without_rendering()
