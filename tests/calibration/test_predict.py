"""A small version of predict.py: predictions come true where the next touch has a memory."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

STUDY = runpy.run_path(str(Path(__file__).with_name("predict.py")))


@pytest.mark.parametrize("name", STUDY["WORLDS"])
def test_what_is_predicted_comes_true(name):
    found = STUDY["one_seed"](0, name, size=16_000)
    assert abs(found["slope"] - 1) < 0.2  # three standard errors of so few journeys
    assert abs(found["gap"]) < 0.025


def test_where_only_the_last_touch_matters_it_is_as_good_as_order_1():
    for seed in range(3):
        beyond = STUDY["beyond_order_1"](seed, size=16_000)
        assert set(beyond) == {"next touch", "conversion"}
        assert all(more < 0.001 for more, _ in beyond.values())
