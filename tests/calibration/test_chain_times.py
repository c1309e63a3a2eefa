"""Small versions of the studies of whole journeys and of pooled channels."""

from __future__ import annotations

import runpy

import pytest


@pytest.mark.parametrize("limit", [7.0, 14.0])
def test_whole_journeys_hold_the_truth_where_a_window_cuts(project_root, limit):
    study = runpy.run_path(str(project_root / "tests/calibration/chain_times.py"))
    found = study["study"](study["World"](customers=200, window=12.0, limit=limit), 60)
    for mean, held, none in found.values():
        assert held > 0.86  # .94 less 3 s.e.
        assert abs(mean - 1) < 0.06
        assert none < 0.1


def test_a_channel_with_a_new_screen_holds_the_truth(project_root):
    study = runpy.run_path(str(project_root / "tests/calibration/pooled_channels.py"))
    truth, mean, pooled, held, none = study["study"](200, 9.0, 0.1, 60, 0)
    assert held > 0.86
    assert abs(mean - truth) < 0.02
    assert pooled - truth > 0.02
    assert none < 0.1
