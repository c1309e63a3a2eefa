"""A small version of the study of times and strata, fast enough for every run."""

from __future__ import annotations

import runpy

import numpy as np
import pytest

import cxjourney as cx


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/times.py"))


def test_intervals_of_waits_and_shares_hold_the_truth(study):
    known = study["truths"]()
    found = [study["of_times"](seed, 150) for seed in range(60)]
    for name in ("wait", "share"):
        value, low, high, plain = np.array([one[name] for one in found]).T
        assert ((low <= known[name]) & (known[name] <= high)).mean() > 0.86  # .95 ± 3 s.e.
        assert abs(value.mean() - known[name]) < abs(plain.mean() - known[name])


def test_strata_that_were_followed_for_unequal_times_differ_in_nothing(study):
    found = np.array([study["of_strata"](seed, 400) for seed in range(100)])
    value, low, high = found.T
    assert abs(value.mean()) < 0.015  # -0.03 where censored visits are handed on between strata
    assert ((low <= 0) & (high >= 0)).mean() > 0.88


def test_a_stratum_that_was_not_followed_to_the_limit_has_no_difference(study):
    value, low, high = study["of_strata"](1, 400, launched=3.0)
    assert np.isnan([value, low, high]).all()


def test_a_group_that_was_not_followed_to_the_limit_alarms_nobody():
    # one group is looked at for three days, with a limit of ten: its silence is all in progress
    study = runpy.run_path(__file__.replace("test_times.py", "times.py"))
    rng = np.random.default_rng(3)
    n = 600
    late = np.arange(n) % 2 == 0
    begin = np.where(late, rng.uniform(37, 40, n), rng.uniform(0, 25, n))
    moves, wait = rng.random(n) < 0.6, rng.exponential(2.0, n).clip(max=9.9)
    rows = {
        "who": np.concatenate([np.arange(n), np.flatnonzero(moves)]).astype(str),
        "what": np.repeat(["stop", "buy"], [n, moves.sum()]),
        "day": np.concatenate([begin, (begin + wait)[moves]]),
        "group": np.where(np.concatenate([late, late[moves]]), "new", "old"),
    }
    log = study["log_of"](rows, 40.0, attributes=["group"])
    found = cx.compare.segments(
        log.journeys(goal="buy", inactivity=study["timedelta"](days=10)), "group"
    )
    exits = [row for row in found.table if row["to"] == cx.DROPOFF]
    assert np.isnan([row["p_value"] for row in exits]).all()
    assert np.isnan([row["low"] for row in exits]).all()
    assert "not followed up to the limit" in str(found)
