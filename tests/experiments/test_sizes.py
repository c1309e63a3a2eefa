"""Power and sample sizes, against R and against simulated experiments."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.experiments import power, sample_size


def cases(shared):
    found = json.loads((shared / "oracles" / "experiments.json").read_text())["cases"]
    return {case["name"]: case for case in found}


def test_sizes_are_those_of_r(shared):
    known = cases(shared)
    for case in known["sample size"]["cases"]:
        asked = {"power": case["power"], "level": 1 - case["alpha"], "sides": case["sides"]}
        assert sample_size(case["p1"], case["p2"], **asked) == case["n_per_arm_rounded_up"]
    case = known["power"]["case"]
    found = power(case["p1"], case["p2"], n=case["n_per_arm"])
    assert found == pytest.approx(case["power"], abs=1e-9)
    case = known["two means"]["case"]
    n = sample_size(0, case["delta"], kind="mean", sd=case["sd"])
    assert n == math.ceil(case["n_per_arm_t_test"])
    n = case["n_per_arm_t_test"]
    low, high = (power(0, 2, kind="mean", sd=10, n=round(x)) for x in (n - 0.5, n + 0.5))
    assert low < 0.8 < high
    assert low == pytest.approx(0.8, abs=1e-3)


def test_simulated_experiments_find_as_many():
    rng = np.random.default_rng(1)
    n, many = 400, 20_000
    shares = rng.binomial(n, np.array([[0.2], [0.28]]), (2, many)) / n
    pooled = shares.mean(axis=0)
    z = (shares[1] - shares[0]) / np.sqrt(2 * pooled * (1 - pooled) / n)
    for sides, quantile in ((2, 1.959964), (1, 1.644854)):
        assert np.mean(z > quantile) == pytest.approx(power(0.2, 0.28, n=n, sides=sides), abs=0.012)
    events = rng.poisson(np.array([[1.2], [1.0]]) * n, (2, many)) / n
    z = (events[0] - events[1]) / np.sqrt(events.sum(axis=0) / n)
    assert np.mean(z > 1.959964) == pytest.approx(power(1.2, 1.0, n=n, kind="rate"), abs=0.012)


def test_a_size_is_the_smallest_and_order_and_scale_do_not_matter():
    for kind, sd in (("share", None), ("mean", 0.7), ("rate", None)):
        n = sample_size(0.2, 0.3, kind=kind, sd=sd)
        assert power(0.2, 0.3, n=n, kind=kind, sd=sd) >= 0.8
        assert power(0.2, 0.3, n=n - 1, kind=kind, sd=sd) < 0.8
        assert sample_size(0.3, 0.2, kind=kind, sd=sd) == n
    assert sample_size(2, 3, kind="mean", sd=7) == sample_size(0.2, 0.3, kind="mean", sd=0.7)
    assert power(0.1, 0.12, n=10**9) == 1
    assert power(0, 1, n=10**6, kind="mean", sd=1) == 1


def test_what_cannot_be_asked_is_refused():
    for arguments, said in (
        ((0.1, 0.1), "treated must differ from control"),
        ((0.1, 1.2), "treated must be a share between 0 and 1"),
        ((0, 0.2), "control must be a share"),
        ((0.5, 0.5 + 1e-13), "over 1,000,000,000,000 customers would be needed"),
    ):
        with pytest.raises(InvalidValue, match=said):
            sample_size(*arguments)
    for wrong, said in (
        ({"kind": "means"}, "kind must be"),
        ({"kind": "mean"}, "sd must be given for means"),
        ({"sd": 2}, "sd must be given for means"),
        ({"kind": "mean", "sd": 0}, "sd must be above 0"),
        ({"kind": "rate", "sides": 3}, "sides must be 1 or 2"),
        ({"power": 1}, "power must lie between 0 and 1"),
    ):
        with pytest.raises(InvalidValue, match=said):
            sample_size(0.1, 0.2, **wrong)
    with pytest.raises(InvalidValue, match="n must be"):
        power(0.1, 0.2, n=1)
