"""A small version of the study of suggested inactivity limits; the large one is run by hand."""

from __future__ import annotations

import runpy

import pytest

from cxjourney.journeys import _inactivity_valleys as valleys


@pytest.fixture
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/inactivity.py"))


@pytest.mark.slow
@pytest.mark.parametrize("world", ["log-normal, frail", "Pareto, 0.8", "uniform in logarithms"])
def test_gaps_with_one_hill_seldom_show_a_valley(study, world):
    assert study["false_valleys"](world, 100) <= 0.03


@pytest.mark.slow
def test_the_study_notices_a_rule_that_takes_chance_for_a_valley(study, monkeypatch):
    monkeypatch.setattr(valleys, "_SURE", 0.0)
    assert study["false_valleys"]("Pareto, 0.8", 40) > 0.3
