from __future__ import annotations

import numpy as np
import pytest

from cxjourney import plot
from cxjourney.exceptions import InvalidValue


def test_points_stand_at_confidence_and_impact_and_are_named_in_the_key():
    ax = plot.impact_confidence(["cart", "web", "app"], [40, 10, 2], [0.9, 0.6, 0.1], labelled=2)
    rest, named = ax.collections[-2:]
    assert rest.get_offsets().tolist() == [[0.1, 2]]
    assert named.get_offsets().tolist() == [[0.9, 40], [0.6, 10]]
    assert [t.get_text() for t in ax.texts] == ["1", "2"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["1  cart", "2  web"]
    assert ax.get_legend().get_title().get_text() == "the first 2 of 3"


def test_the_interval_of_the_impact_is_drawn():
    ax = plot.impact_confidence(["cart"], [40], [0.9], low=[30], high=[60])
    (segment,) = ax.collections[0].get_segments()
    assert segment.tolist() == [[0.9, 30], [0.9, 60]]


def test_an_unknown_impact_keeps_its_line_in_the_key():
    ax = plot.impact_confidence(["cart", "web"], [40, np.nan], [0.9, 0.5])
    assert [t.get_text() for t in ax.texts] == ["1"]
    assert len(ax.get_legend().get_texts()) == 2


@pytest.mark.parametrize("n", [0, 5, 60])
def test_a_key_never_outgrows_the_picture(n):
    ax = plot.impact_confidence([f"touchpoint {k}" for k in range(n)], np.ones(n), np.ones(n))
    key = ax.get_legend()
    assert (key is None) == (n == 0)
    if key is not None:
        assert len(key.get_texts()) == min(n, 12)


def test_hostile_names_are_drawn(hostile):
    size = len(hostile)
    plot.impact_confidence(hostile, np.ones(size), np.ones(size)).figure.draw_without_rendering()


def test_half_an_interval_is_refused():
    with pytest.raises(InvalidValue, match="together"):
        plot.impact_confidence(["a"], [1], [1], low=[0])
