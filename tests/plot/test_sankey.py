from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cxjourney import plot
from cxjourney.exceptions import InvalidValue


def draw(rows, **options):
    step, source, source_kind, target, target_kind, count = zip(*rows, strict=True)
    return plot.step_sankey(
        step,
        source=source,
        source_kind=source_kind,
        target=target,
        target_kind=target_kind,
        count=count,
        **options,
    )


ROWS = [
    (0, "", "start", "web", "name", 60),
    (0, "", "start", "", "other", 40),
    (1, "web", "name", "", "conversion", 15),
    (1, "web", "name", "", "dropoff", 45),
    (1, "", "other", "", "later", 40),
]


def blocks(ax) -> list[tuple[float, float]]:
    found = [(bar.get_x() + bar.get_width() / 2, bar.get_height()) for bar in bars(ax)]
    return [(round(x), round(height, 9)) for x, height in found]


def bars(ax):
    return [bar for container in ax.containers for bar in container]


def test_blocks_are_as_high_as_their_share_of_the_journeys():
    ax = draw(ROWS)
    assert sorted(blocks(ax)) == [(0, 1.0), (1, 0.4), (1, 0.6), (2, 0.15), (2, 0.4), (2, 0.45)]


def test_what_is_not_named_is_said_to_be_other():
    assert [t.get_text() for t in draw(ROWS).texts] == [
        "start 100",
        "web 60",
        "other 40",
        "goes on 40",
        "converted 15",
        "dropped 45",
    ]


def test_a_ribbon_joins_its_blocks_and_keeps_its_width():
    ax = draw(ROWS)
    ribbons = [p for p in ax.patches if p not in bars(ax)]
    assert len(ribbons) == len(ROWS)
    for ribbon in ribbons:
        corners = ribbon.get_path().vertices
        left, right = corners[0, 1] - corners[7, 1], corners[3, 1] - corners[4, 1]
        assert left == pytest.approx(right)
    widths = [r.get_path().vertices[0, 1] - r.get_path().vertices[7, 1] for r in ribbons]
    assert sorted(np.round(widths, 9)) == [0.15, 0.4, 0.4, 0.45, 0.6]


def test_blocks_of_a_step_do_not_overlap():
    ax = draw(ROWS)
    for step in range(3):
        spans = sorted(
            (bar.get_y(), bar.get_y() + bar.get_height())
            for bar in bars(ax)
            if round(bar.get_x() + bar.get_width() / 2) == step
        )
        assert all(a[1] < b[0] for a, b in pairwise(spans))


def test_a_block_that_sends_on_other_than_it_got_is_refused():
    with pytest.raises(InvalidValue, match="'web' at step 1 sends on 59 journeys but got 60"):
        draw([ROWS[0], (1, "web", "name", "", "dropoff", 59)])


def test_an_unknown_kind_is_refused():
    with pytest.raises(
        InvalidValue, match=r"^target_kind must hold none but 'start'.*'touchpoint'$"
    ):
        draw([(0, "", "start", "x", "touchpoint", 1)])


def test_hostile_names_are_drawn(hostile):
    rows = [(0, "", "start", name, "name", 1) for name in hostile]
    rows += [(1, name, "name", "", "dropoff", 1) for name in hostile]
    draw(rows).figure.draw_without_rendering()


def test_a_name_other_is_not_the_block_other():
    rows = [
        (0, "", "start", "other", kind, 6 if kind == "name" else 4) for kind in ("name", "other")
    ]
    rows += [(1, "other", kind, "", "dropoff", count) for _, _, _, _, kind, count in rows]
    ax = draw(rows)
    assert [t.get_text() for t in ax.texts] == ["start 10", "other 6", "other 4", "dropped 10"]
