"""A small version of the study of the planted hand-off; the large one is run by hand."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/handoff.py"))["study"]


@pytest.mark.slow
def test_the_planted_hand_off_is_found_covered_and_not_invented(study):
    seen = study(range(6))
    assert seen["planted pair worst by shrunken loss"] == 6
    assert seen["alarm for the planted pair"] == 6
    assert seen["raw interval covers the truth"] >= 5
    assert seen["off: any alarm"] <= 1
    # what the comparison at the same touchpoint is for
    assert seen["off, without strata: any alarm"] == 6
