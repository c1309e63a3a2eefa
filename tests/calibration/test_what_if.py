"""A small version of the study of what-ifs."""

from __future__ import annotations

import runpy


def test_changes_hold_with_eighty_customers(project_root):
    study = runpy.run_path(str(project_root / "tests/calibration/what_if.py"))
    found = study["coverage"](80, frailty=0.6, heavy=False, n_logs=60)
    assert sum(found.values()) / len(found) >= 0.91
    assert min(found.values()) >= 0.85
