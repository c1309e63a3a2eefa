"""A small version of the study of findings, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/findings.py"))


def test_small_p_values_are_rare_where_nothing_is(study):
    found = study["levels"](8, first=40)
    assert set(found) == {
        "segment",
        "handoff",
        "change",
        "downstream",
        "incident",
        "excess",
        "unusual",
    }
    for kind in ("segment", "downstream"):  # a thousand tests each
        n, at_001, at_01, at_05, _, half = found[kind]
        assert n > 500
        assert at_001 <= 0.006
        assert at_01 <= 0.025
        assert 0.015 <= at_05 <= 0.085
        assert 0.4 <= half <= 0.6
    for kind in ("handoff", "change", "excess"):  # fifty to a hundred
        assert found[kind][3] <= 0.15


def test_nothing_is_sure_where_nothing_is(study):
    found = [study["world_row"](seed, "null 800") for seed in range(300, 312)]
    assert sum(row["any_false"] for row in found) <= 3  # .6 may be; 4 have a probability of .002


def test_large_faults_are_found_in_a_small_log(study):
    found = [study["world_row"](seed, "faults x2 800") for seed in range(300, 306)]
    assert sum(row["segment"] for row in found) >= 3
    assert sum(row["touchpoint"] for row in found) >= 4
    assert sum(row["fdr"] for row in found) / len(found) <= 0.15


def test_gains_of_what_is_sure_hold_the_true_ones(study):
    rows = [study["gain_row"](seed, "gain, touchpoint") for seed in range(300, 308)]
    held = [row["covered"] for row in rows if row["sure"]]
    assert len(held) >= 3
    assert sum(held) >= len(held) - 1
