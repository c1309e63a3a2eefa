"""A small version of the coverage study, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest

from cxjourney._stats.intervals import clopper_pearson, wilson


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/coverage_intervals.py"))


@pytest.mark.parametrize("n", [20, 100])
def test_wilson_holds_95_percent_on_average_and_92_in_the_middle(study, n):
    coverage = study["proportion_coverage"](wilson, n)
    assert coverage.mean() >= 0.945
    assert coverage[study["WITHIN"]].min() >= 0.92


@pytest.mark.parametrize("n", [20, 100])
def test_clopper_pearson_never_falls_below_its_level(study, n):
    assert study["proportion_coverage"](clopper_pearson, n).min() >= 0.95


def test_adjusting_mends_the_interval_of_the_score(study):
    shares = study["share_grid"]()[::6]
    adjusted, plain = (
        study["score_coverage"](kind, 20, shares, 2000) for kind in ("adjusted_wald", "wald")
    )
    assert adjusted.mean() >= 0.94
    assert adjusted.min() >= 0.92
    assert plain.min() < 0.92


def test_clustering_mends_the_interval_of_journeys(study):
    clustered = study["cluster_coverage"](100, 300, clustered=True)
    assert clustered >= 0.91
    assert study["cluster_coverage"](100, 300, clustered=False) < clustered - 0.05


@pytest.mark.parametrize("q", [0.5, 0.9])
@pytest.mark.parametrize("n", [20, 100, 1000])
def test_order_statistics_never_fall_below_their_level(study, n, q):
    assert study["quantile_coverage"](n, q) >= 0.95
