"""A small version of the coverage study of survival, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/coverage_survival.py"))


def test_survival_of_a_hundred_rows_holds_93_percent(study):
    assert study["plain_coverage"](100, 10, 600) >= 0.93


def test_clustering_mends_the_interval_of_visits(study):
    rows, by_customer = (
        study["clustered_coverage"](60, spread=0.3, clustered=clustered, n_samples=150)
        for clustered in (False, True)
    )
    assert max(rows) < 0.91
    assert min(by_customer) >= 0.91
    heavy = study["clustered_coverage"](50, spread=0.3, clustered=True, n_samples=100, heavy=True)
    assert min(heavy) >= 0.91
