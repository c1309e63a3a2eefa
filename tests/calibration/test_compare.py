"""A small version of the study of comparisons, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/compare.py"))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_planted_difference_is_ranked_first(study, seed):
    found = study["with_difference"](seed)
    assert found["ranked first"]
    assert found["discovered"]


def test_nothing_is_found_where_nothing_is(study):
    found = [study["without"](seed, customers=2_000) for seed in range(4)]
    # 5 in 100 may: two of four would be far off
    assert sum(row["any discovery"] for row in found) <= 1
    assert sum(row["two halves of the journeys: any discovery"] for row in found) <= 1
    assert all(row["any p <= .05 (no correction)"] for row in found)


def test_a_shorter_follow_up_is_no_difference(study):
    found = [study["unequal_follow_up"](seed) for seed in range(20)]
    assert sum(row["p <= .05"] for row in found) <= 3
    raw, right = (
        sum(row[f"mean difference of {what}"] for row in found) / 20
        for what in ("rates of ended visits", "exit probabilities")
    )
    assert raw < -0.1
    assert abs(right) < 0.01  # three standard errors of this mean


def test_what_drifts_is_found_and_what_does_not_is_not(study):
    found = study["halves_of_the_year"](1)
    assert found["first: more begin at the home page of the app"]
    assert found["mean number of discoveries"] >= 4
    assert found["mean number of them that are not of how journeys begin"] <= 1
