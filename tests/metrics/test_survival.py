from __future__ import annotations

import csv
import json
import math
from datetime import timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import kaplan_meier
from cxjourney.metrics._survival.kaplan_meier import SurvivalCurve


def days(values):
    return [timedelta(days=float(v)) for v in values]


def at_days(curve, wanted):
    rows = np.searchsorted(curve.time_s, np.asarray(wanted) * 86400, side="right") - 1
    return [(curve.survival[r], curve.low[r], curve.high[r]) for r in rows]


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def small(shared):
    items = json.loads((shared / "oracles/survival_small.json").read_text())["items"]
    return {item["test"]: item for item in items}


@pytest.fixture(scope="module")
def rossi(shared):
    rows = read(shared / "data/lifelines_survival/rossi.csv")
    return days(r["week"] for r in rows), [int(r["arrest"]) for r in rows], rows


@pytest.fixture(scope="module")
def waltons(shared):
    rows = read(shared / "data/lifelines_survival/waltons_dataset.csv")
    return days(r["T"] for r in rows), [int(float(r["E"])) for r in rows], rows


def test_golden_values_of_the_methods():
    curve = kaplan_meier(days([1, 2, 3, 3, 2, 4, 5]), [1, 1, 1, 1, 0, 0, 0])
    assert curve.survival[:3] == pytest.approx([6 / 7, 5 / 7, 5 / 14])
    assert (curve.low[0], curve.high[0]) == pytest.approx((0.334054, 0.978561), abs=1e-6)


def test_rossi_equals_r(rossi):
    # R survival 3.5.3, survfit(conf.type = "log-log"); restricted mean to week 52
    curve = kaplan_meier(rossi[0], rossi[1])
    expected = [
        (0.9652777778, 0.9430645980, 0.9789209971),
        (0.9074074074, 0.8759221434, 0.9312168841),
        (0.8611111111, 0.8247865404, 0.8904078161),
        (0.8032407407, 0.7625283313, 0.8377250903),
        (0.7361111111, 0.6918597158, 0.7750631834),
    ]
    for got, want in zip(at_days(curve, [10, 20, 30, 40, 52]), expected, strict=True):
        assert got == pytest.approx(want, abs=1e-9)
    mean = curve.restricted_mean
    assert mean.value / 86400 == pytest.approx(45.8541666667, abs=1e-9)
    half = (mean.high - mean.low) / 2 / 86400
    assert half / 1.959963985 == pytest.approx(0.6085093523, abs=1e-8)
    assert math.isnan(curve.median.value)
    assert curve.median.notes == ("not reached",)


def test_waltons_equals_r(waltons):
    curve = kaplan_meier(waltons[0], waltons[1])
    got = at_days(curve, [10, 25, 40, 56, 60, 70])
    expected = [
        (0.9692101227, 0.927612786211, 0.98706808323),
        (0.8889570552, 0.829546731904, 0.92854262858),
        (0.7778374233, 0.705673552166, 0.83437948186),
        (0.4299026500, 0.352689004819, 0.50467960923),
        (0.3115236594, 0.241659493551, 0.38375862038),
        (0.0143405091, 0.002854077704, 0.04618369753),
    ]
    for g, want in zip(got, expected, strict=True):
        assert g == pytest.approx(want, abs=2e-8)
    for share, want in {0.25: (41, 33, 45), 0.5: (56, 53, 58), 0.75: (62, 60, 63)}.items():
        q = curve.quantile(share)
        assert (q.value / 86400, q.low / 86400, q.high / 86400) == pytest.approx(want)


def test_log_log_interval_of_the_small_oracle(small):
    item = next(v for k, v in small.items() if k.startswith("KM log-log"))
    curve = kaplan_meier(days([34, 32, 9, 19, 50, 48]), [1, 1, 1, 1, 0, 0])
    got = at_days(curve, item["times"])
    assert [g[0] for g in got] == pytest.approx(item["surv"], abs=5e-4)
    assert [g[1] for g in got] == pytest.approx(item["lower"], abs=5e-4)
    assert [g[2] for g in got] == pytest.approx(item["upper"], abs=5e-4)


def test_weights_are_frequencies(small):
    item = small["KM weights"]
    curve = kaplan_meier(days(item["t"]), item["E"], weights=item["w"])
    assert [1.0, *curve.survival] == pytest.approx(item["km"])
    doubled = kaplan_meier(days([1, 2, 3]), [1, 0, 1], weights=[2, 1, 3])
    spelt = kaplan_meier(days([1, 1, 2, 3, 3, 3]), [1, 1, 0, 1, 1, 1])
    assert doubled.survival == pytest.approx(spelt.survival)
    assert doubled.low == pytest.approx(spelt.low)


def test_late_entry_of_the_small_oracle(small):
    item = small["KM late entry"]
    curve = kaplan_meier(days(item["T"]), [1] * 5, entry=days(item["entry"]))
    assert curve.survival == pytest.approx(item["km"][2:], abs=5e-4)


def test_aml_medians(small):
    # R survival, the leukaemia data: medians 31 and 23
    medians = small["aml KM"]["medians"]
    maintained = kaplan_meier(
        days([9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161]), [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0]
    )
    assert maintained.median.value / 86400 == medians["Maintained"]
    assert maintained.std_error[[0, 1]] == pytest.approx([0.0866784, 0.1162913], abs=1e-7)


def test_curve_and_interval_equal_scipy():
    from scipy import stats

    rng = np.random.default_rng(3)
    length, open_ = rng.integers(1, 40, 200), rng.random(200) < 0.4
    open_[length == 1] = True  # no event at first, so that the curve starts at 1
    reference = stats.ecdf(stats.CensoredData(length[~open_], right=length[open_])).sf
    with pytest.warns(RuntimeWarning, match="undefined at some"):
        interval = reference.confidence_interval(method="log-log")
    curve = kaplan_meier(length * np.timedelta64(1, "D"), ~open_)
    rows = np.searchsorted(curve.time_s, reference.quantiles * 86400)
    assert curve.survival[rows] == pytest.approx(reference.probabilities)
    inside = (reference.probabilities > 0) & (reference.probabilities < 1)
    assert curve.low[rows][inside] == pytest.approx(interval.low.probabilities[inside])
    assert curve.high[rows][inside] == pytest.approx(interval.high.probabilities[inside])


def brute_clustered_variance(length, event, customer, entry):
    # psi_i = -S(t) sum_k (dN_i n - d Y_i) / (n (n - d)), summed within customers, squared
    times = np.unique(length)
    out = []
    for t in times:
        S, psi = 1.0, np.zeros(len(length))
        for s in times[times <= t]:
            Y = (entry < s) & (s <= length)
            dN = (length == s) & event
            n, d = Y.sum(), dN.sum()
            if n > d:
                psi += (dN * n - d * Y) / (n * (n - d))
            S *= 1 - d / n
        totals = np.array([psi[customer == c].sum() for c in np.unique(customer)])
        out.append(S * S * (totals**2).sum() * len(totals) / (len(totals) - 1))
    return np.array(out)


@pytest.mark.parametrize("late", [False, True])
def test_clustered_variance_is_that_of_the_definition(late):
    rng = np.random.default_rng(5)
    length = rng.integers(2, 15, 60)
    event, customer = rng.random(60) < 0.6, rng.integers(0, 20, 60)
    entry = rng.integers(0, 2, 60) if late else np.full(60, -1)
    curve = kaplan_meier(
        length * np.timedelta64(1, "h"),
        event,
        customer=customer,
        entry=entry * np.timedelta64(1, "h") if late else None,
    )
    want = brute_clustered_variance(length, event, customer, entry)
    assert curve.std_error**2 == pytest.approx(want, rel=1e-9, abs=1e-15)


def test_one_row_a_customer_is_close_to_greenwood():
    rng = np.random.default_rng(1)
    length, event = rng.integers(1, 30, 2000), rng.random(2000) < 0.5
    plain = kaplan_meier(length * np.timedelta64(1, "h"), event)
    clustered = kaplan_meier(length * np.timedelta64(1, "h"), event, customer=np.arange(2000))
    assert clustered.std_error[:20] == pytest.approx(plain.std_error[:20], rel=5e-3)
    assert clustered.restricted_mean.low == pytest.approx(plain.restricted_mean.low, rel=1e-3)


def test_equal_rows_of_a_customer_widen_the_interval():
    length, event = np.repeat(np.arange(1, 41), 4), np.repeat([True, False], 80)
    customer = np.repeat(np.arange(40), 4)
    plain = kaplan_meier(length * np.timedelta64(1, "h"), event)
    clustered = kaplan_meier(length * np.timedelta64(1, "h"), event, customer=customer)
    assert clustered.std_error[10] == pytest.approx(2 * plain.std_error[10], rel=0.05)
    ratio = (clustered.restricted_mean.high - clustered.restricted_mean.value) / (
        plain.restricted_mean.high - plain.restricted_mean.value
    )
    assert ratio == pytest.approx(2, rel=0.05)


def test_before_the_first_event_the_interval_is_that_of_clopper_and_pearson():
    curve = kaplan_meier(days([1, 2, 3]), [0, 0, 1])
    assert curve.survival.tolist() == [1, 1, 0]
    assert curve.low.tolist() == pytest.approx([0.025 ** (1 / 3), 0.025 ** (1 / 2), 0])
    assert curve.high.tolist() == pytest.approx([1, 1, 1 - 0.025])
    early = curve.at(timedelta(hours=1))
    assert (early.value, early.low, early.high) == (1, pytest.approx(0.025 ** (1 / 3)), 1)


def test_all_censored_survives_and_reaches_no_median():
    curve = kaplan_meier(days([1, 2, 2]), [False] * 3)
    assert curve.survival.tolist() == [1, 1]
    assert curve.median.notes == ("not reached",)
    assert curve.restricted_mean.value == 2 * 86400
    assert math.isnan(curve.restricted_mean.low)
    assert curve.n_censored == 3


def test_events_come_before_censorings_at_the_same_time():
    curve = kaplan_meier(days([2, 2]), [True, False])
    assert curve.survival.tolist() == [0.5]
    assert curve.median.value == 2 * 86400


def test_a_median_at_exactly_one_half_survives_rounding():
    # (5/6)(4/5)(3/4) is not 1/2 in floating point
    assert kaplan_meier(days([1, 2, 3, 4, 5, 6]), [1] * 6).median.value == 3 * 86400


def test_empty_and_all_missing_are_empty_not_errors():
    for curve in (
        kaplan_meier([], []),
        kaplan_meier([None, np.timedelta64("NaT")], [True, False]),
        kaplan_meier(days([1, 2]), [None, None]),
    ):
        assert len(curve.time_s) == 0
        assert curve.n == 0
        assert curve.median.notes == ("empty",)
        assert curve.restricted_mean.notes == ("empty",)
        assert math.isnan(curve.at(timedelta(days=1)).value)
    assert kaplan_meier(days([1, 2]), [None, None]).n_missing == 2


def test_one_row():
    curve = kaplan_meier(days([3]), [True])
    assert curve.survival.tolist() == [0]
    assert math.isnan(curve.restricted_mean.low)


def test_a_row_of_zero_length_counts():
    curve = kaplan_meier(days([0, 1]), [True, True])
    assert curve.survival.tolist() == [0.5, 0]


def test_beyond_the_observations_the_curve_is_unknown():
    curve = kaplan_meier(days([1, 2]), [True, False], horizon=timedelta(days=3))
    assert math.isnan(curve.at(timedelta(days=3)).value)
    assert curve.restricted_mean.notes == ("The horizon lies beyond the longest observation.",)
    ended = kaplan_meier(days([1, 2]), [True, True], horizon=timedelta(days=3))
    assert ended.at(timedelta(days=3)).value == 0
    assert ended.restricted_mean.value == pytest.approx(1.5 * 86400)


def test_negative_durations_are_refused_with_their_rows():
    with pytest.raises(InvalidData, match="not be negative") as error:
        kaplan_meier(days([1, -2, 3]), [1, 1, 1])
    assert error.value.rows == (1,)


def test_entering_after_the_end_is_refused():
    with pytest.raises(InvalidData, match="entry is not before the end") as error:
        kaplan_meier(days([1, 2]), [1, 1], entry=days([0, 2]))
    assert error.value.rows == (1,)


def test_bare_numbers_have_no_unit():
    with pytest.raises(InvalidValue, match="timedelta"):
        kaplan_meier([1.0, 2.0], [True, True])


def test_customers_and_weights_exclude_each_other():
    with pytest.raises(InvalidValue, match="customer and weights"):
        kaplan_meier(days([1]), [1], customer=["a"], weights=[2])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidValue, match="one length"):
        kaplan_meier(days([1, 2]), [True])


def test_the_curve_survives_json():
    curve = kaplan_meier(days([1, 2, 3]), [0, 1, 1], customer=["a", "b", "b"])
    card = curve.to_dict()
    assert SurvivalCurve.from_dict(json.loads(json.dumps(card))).to_dict() == card


def test_data_frames_give_the_same_curve():
    import pandas as pd
    import polars as pl

    want = kaplan_meier(days([1, 2, 3]), [0, 1, 1], customer=["a", "b", "b"])
    for frame in (
        pd.DataFrame({"d": days([1, 2, 3]), "e": [False, True, True], "c": ["a", "b", "b"]}),
        pl.DataFrame({"d": days([1, 2, 3]), "e": [False, True, True], "c": ["a", "b", "b"]}),
    ):
        assert kaplan_meier(frame["d"], frame["e"], customer=frame["c"]).to_dict() == want.to_dict()
