"""A small version of the study of planted critical touchpoints, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/critical.py"))


def test_points_finds_both_planted_touchpoints_and_raw_rankings_do_not(study):
    both, _, facts = study["study"](3, first=500)
    assert both["critical.points"] == 3
    assert both["raw exit rate"] == both["removal effect"] == 0
    assert both["betweenness, distance -ln P"] == 0
    assert facts["few"] == 0
