"""A small version of the study of trends, fast enough for every run."""

from __future__ import annotations

import runpy

import pytest


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/trend.py"))


def test_stable_worlds_alarm_rarely_though_their_last_periods_are_young(study):
    found = study["table"]("600", 40, 700)
    for figure in ("conversion_rate", "exit_rate:ad"):
        assert found[figure]["young, counted as final"] >= 0.8
        assert found[figure]["outside, young"] <= 0.15  # of 40; at .05 more have p = .003
    for figure in study["FIGURES"]:
        assert found[figure]["outside, final"] <= 0.2  # at .07
        assert found[figure]["change called"] <= 0.15
        assert found[figure]["p <= .01"] <= 0.075


def test_a_large_change_is_called_and_dated(study):
    found = study["table"]("600, change of 1", 10, 700)["conversion_rate"]
    assert found["change called"] == 1
    assert found["date covered"] >= 0.7
    assert found["days in the interval"] < 60
