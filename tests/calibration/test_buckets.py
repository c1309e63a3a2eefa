"""A small version of the study of intervals over buckets; the large one is run by hand."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/buckets.py"))["study"]


@pytest.mark.slow
def test_intervals_hold_the_truth_where_customers_differ_and_few_come_often(study):
    # 300 logs: a true coverage of .95 falls below .91 in less than one run of a thousand
    for figure, world, customers, cell in study(300, (50, 200)):
        assert cell.coverage >= 0.91, (figure, world, customers)
        # nobody covers by being wide
        assert cell.coverage <= 0.992, (figure, world, customers)
        if figure == "share":
            assert 0.9 < cell.width / cell.reference < 1.1
            if world == "P":  # what the intervals were before
                assert cell.beside / (cell.logs - cell.none) < 0.9
