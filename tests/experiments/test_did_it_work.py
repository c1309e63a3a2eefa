"""The recipe of the page on changes without an experiment, and how short its intervals are."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cxjourney as cx

ROOT = Path(__file__).resolve().parents[2]
STUDY = runpy.run_path(str(ROOT / "tests" / "calibration" / "newey_west.py"))


def answer(shared, name):
    cases = json.loads((shared / "oracles" / "experiments.json").read_text())["cases"]
    return next(case for case in cases if case["name"] == name)


def recipe():
    page = (ROOT / "docs" / "how-to" / "did-it-work.md").read_text(encoding="utf-8")
    code = re.search(r"```py\n(.*?)^print", page, re.DOTALL | re.MULTILINE)
    assert code is not None
    names: dict[str, object] = {}
    exec(code[1], names)  # noqa: S102 - our own page
    return names["interrupted"]


@pytest.mark.oracles("statsmodels")
def test_the_nile_is_interrupted_as_r_says(shared):
    nile = pd.read_csv(shared / "oracles" / "nile.csv")
    values = nile.iloc[:, -1].to_numpy(dtype=float)
    frame = pd.DataFrame({
        "period": [f"{year}" for year in range(1871, 1871 + len(values))],
        "value": values,
        "censored": False,
    })  # fmt: skip
    found = recipe()(frame, "1899")
    known = answer(shared, "its Nile")
    for name, b in (("Intercept", "b0"), ("t", "b1"), ("after", "b2"), ("since", "b3")):
        assert found.params[name] == pytest.approx(known["answer"][b], rel=1e-9)
    beta, error = STUDY["errors"](STUDY["design"](len(values), 28), values[None], 4)
    assert beta[0, 2] == pytest.approx(known["answer"]["b2"], rel=1e-9)
    newey_west = known["se_newey_west_lag4"]["b2"]
    assert error[0, 2] == pytest.approx(newey_west, rel=1e-9)
    assert found.bse["after"] == pytest.approx(newey_west, rel=1e-9)


@pytest.mark.oracles("statsmodels")
def test_the_recipe_takes_a_trend(shared):
    frame = cx.trend(cx.datasets.sample(seed=1, customers=600).journeys(), "conversion_rate")
    found = recipe()(frame.to_frame("pandas"), "2025-06-30")
    assert np.isfinite(found.params["after"])


def test_intervals_of_short_series_are_too_short():
    plain, robust = STUDY["covered"](24, 0.0, 4_000)
    assert plain == pytest.approx(0.94, abs=0.015)
    assert robust == pytest.approx(0.71, abs=0.03)
