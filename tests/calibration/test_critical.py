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


def test_ranks_say_no_more_than_holds_and_sound_touchpoints_raise_no_alarm(project_root):
    ranks = runpy.run_path(str(project_root / "tests/calibration/critical_ranks.py"))
    study, worlds = ranks["study"], ranks["WORLDS"]
    planted = study(worlds["1,200, +8, frailty"], 25, first=70_000)
    # frequencies of resampled gains said .20 more than held; 25 logs tell .09
    assert planted["says"].mean() < planted["right"].mean() + 0.15
    assert planted["right"].sum() >= 8
    unstaged = study(worlds["1,200, +8, frailty, no stages"], 25, first=70_000)
    # against the mean of all touchpoints every log had an alarm, and .07 were right
    assert unstaged["alarm"].sum() <= 3
    assert unstaged["right"].sum() >= 12
    assert unstaged["says"].mean() < unstaged["right"].mean()


def test_of_ten_true_effects_among_a_hundred_most_are_found_and_few_others(project_root):
    discovery = runpy.run_path(str(project_root / "tests/calibration/false_discovery.py"))
    false, found = discovery["study"](150, visits=1_600, effect=0.05)
    assert false < 0.08
    assert 0.5 < found < 0.8
