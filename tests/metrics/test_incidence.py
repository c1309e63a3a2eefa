from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, UnknownName
from cxjourney.metrics import cumulative_incidence, kaplan_meier
from cxjourney.metrics._survival.incidence import IncidenceCurves

HOUR = np.timedelta64(1, "h")


def days(values):
    return [timedelta(days=float(v)) for v in values]


def test_golden_values_of_the_methods():
    curves = cumulative_incidence(
        days([1, 2, 2, 3, 3, 4, 5, 5]), ["a", "a", "b", None, "b", "a", None, "a"]
    )
    assert curves.causes == ("a", "b")
    assert curves.incidence[0] == pytest.approx([0.125, 0.25, 0.25, 0.41666667, 0.58333333])
    assert curves.incidence[1, -1] == pytest.approx(0.25)


def test_sas_variance_and_interval(shared):
    items = json.loads((shared / "oracles/survival_small.json").read_text())["items"]
    item = next(i for i in items if i["test"].startswith("Aalen-Johansen"))
    curves = cumulative_incidence(days(range(1, 7)), [None, 1, 1, 2, 2, None])
    two = curves.causes.index("2")
    assert curves.std_error[two] ** 2 == pytest.approx(item["variance"][1:])
    for day in ("4", "5"):
        got = curves.at("2", timedelta(days=int(day)))
        assert got.value == pytest.approx(item["cif"][day])
        assert (got.low, got.high) == pytest.approx(item["ci_loglog"][day], abs=1e-7)


def test_with_one_cause_it_is_one_less_kaplan_meier():
    rng = np.random.default_rng(2)
    length, event, customer = rng.integers(1, 9, 80), rng.random(80) < 0.7, rng.integers(0, 30, 80)
    cause = np.where(event, "left", None)
    for who in (None, customer):
        curve = kaplan_meier(length * HOUR, event, customer=who)
        one = cumulative_incidence(length * HOUR, cause, customer=who)
        assert one.incidence[0] == pytest.approx(1 - curve.survival)
        assert one.std_error[0][:-1] == pytest.approx(curve.std_error[:-1])


def brute_incidence(length, cause, weight, k):
    S, F = 1.0, 0.0
    out = []
    for t in np.unique(length):
        n = weight[length >= t].sum()
        F += S * weight[(length == t) & (cause == k)].sum() / n
        S *= 1 - weight[(length == t) & (cause >= 0)].sum() / n
        out.append(F)
    return np.array(out)


def test_clustered_variance_leaves_out_each_customer():
    rng = np.random.default_rng(8)
    length, cause = rng.integers(1, 7, 40), rng.integers(-1, 2, 40)
    length[:18] = np.repeat(np.arange(1, 7), 3)  # every time is left without anyone
    customer = np.r_[np.arange(18) % 9, rng.integers(0, 9, 22)]
    label = np.array([None, "a", "b"], dtype=object)[cause + 1]
    curves = cumulative_incidence(length * HOUR, label, customer=customer)
    for k in (0, 1):
        whole = brute_incidence(length, cause, np.ones(40), k)
        without = [brute_incidence(length, cause, (customer != c) * 1.0, k) for c in range(9)]
        want = 8 / 9 * sum((one - whole) ** 2 for one in without)
        assert curves.std_error[k] ** 2 == pytest.approx(want, rel=1e-9, abs=1e-12)


def test_the_robust_variance_is_the_jackknife_of_the_weights():
    # psi_i is the derivative of F in the weight of row i: here by central differences
    rng = np.random.default_rng(8)
    length, cause = rng.integers(1, 7, 40), rng.integers(-1, 2, 40)
    weight = rng.choice([0.5, 1.0, 3.0], 40)
    label = np.array([None, "a", "b"], dtype=object)[cause + 1]
    curves = cumulative_incidence(length * HOUR, label, weights=weight)
    step = 1e-5
    for k in (0, 1):
        psi = []
        for i in range(40):
            bump = np.eye(40)[i] * step
            up, down = (brute_incidence(length, cause, weight + s * bump, k) for s in (1, -1))
            psi.append(weight[i] * (up - down) / (2 * step))
        want = 40 / 39 * (np.array(psi) ** 2).sum(axis=0)
        assert curves.std_error[k] ** 2 == pytest.approx(want, rel=1e-5, abs=1e-10)


def test_one_less_kaplan_meier_overstates_when_ends_compete():
    length, ends = days([1, 2, 3, 4]), ["bought", "left", "bought", "left"]
    curves = cumulative_incidence(length, ends)
    naive = 1 - kaplan_meier(length, [e == "bought" for e in ends]).survival[-1]
    assert curves.incidence[0, -1] == pytest.approx(0.5)
    assert naive > 0.6


def test_empty_and_all_open():
    assert cumulative_incidence([], []).causes == ()
    still = cumulative_incidence(days([1, 2]), [None, float("nan")])
    assert still.causes == ()
    assert still.survival.tolist() == [1, 1]
    assert still.n_censored == 2


def test_an_unknown_cause_names_the_nearest():
    curves = cumulative_incidence(days([1, 2]), ["bought", "left"])
    with pytest.raises(UnknownName, match="did you mean 'bought'"):
        curves.at("bougth", timedelta(days=1))


def test_negative_durations_are_refused():
    with pytest.raises(InvalidData, match="not be negative"):
        cumulative_incidence(days([-1]), ["left"])


def test_before_the_first_end_nothing_has_ended():
    curves = cumulative_incidence(days([2, 3]), ["left", None])
    early = curves.at("left", timedelta(days=1))
    assert (early.value, early.low) == (0, 0)
    assert early.high == pytest.approx(1 - 0.025**0.5)


def test_the_curves_survive_json():
    curves = cumulative_incidence(days([1, 2, 2]), ["a", "b", None])
    assert IncidenceCurves.from_dict(json.loads(json.dumps(curves.to_dict()))) == curves
