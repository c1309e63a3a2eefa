"""A small version of the study of exposures and histories; the large one is run by hand."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def studies(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/exposures.py"))


@pytest.mark.slow
def test_effects_of_held_out_arms_are_covered_and_none_is_invented(studies):
    seen = studies["effects"](range(20), n=600)
    for world in ("none", "planted"):
        assert seen[f"{world}: interval holds the truth"] >= 17
        assert seen[f"{world}: coverage within its interval"] >= 17
    assert seen["none: p up to .05"] <= 3
    assert seen["none: a segment with q up to .05"] <= 3
    assert seen["planted: p up to .05"] >= 18


@pytest.mark.slow
def test_a_landmark_is_free_of_immortal_time_and_never_an_effect(studies):
    seen = studies["landmarks"](range(12), n=1_000)
    assert seen["offers at any time: ever exposed convert 5 points more or less"] >= 8
    assert seen["offers at any time: interval of the landmark holds 0"] >= 9
    # where keen customers get more offers it is wrong, and says that it is no effect
    assert seen["keen customers get more: interval of the landmark holds 0"] <= 11
    assert seen["keen customers get more: called an effect"] == 0


@pytest.mark.slow
def test_rules_of_memory_are_claimed_where_they_are_and_nowhere_else(studies):
    seen = studies["memories"](range(6), n=250)
    assert seen["None: a rule is claimed"] == seen["mean: a rule is claimed"] == 0
    for rule in ("peak-end", "last"):
        assert seen[f"{rule}: claimed"] >= 5
        assert seen[f"{rule}: another one claimed"] == 0
