from __future__ import annotations

import csv
import json
import math
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import cumulative_incidence, kaplan_meier
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


def test_counts_are_frequencies_and_weights_need_not_be_whole(small):
    item = small["KM weights"]
    curve = kaplan_meier(days(item["t"]), item["E"], weights=item["w"])
    assert [1.0, *curve.survival] == pytest.approx(item["km"])
    doubled = kaplan_meier(days([1, 2, 3]), [1, 0, 1], counts=[2, 1, 3])
    spelt = kaplan_meier(days([1, 1, 2, 3, 3, 3]), [1, 1, 0, 1, 1, 1])
    assert doubled.survival == pytest.approx(spelt.survival)
    assert doubled.low == pytest.approx(spelt.low)
    assert (doubled.n, doubled.n_censored) == (6, 1)
    with pytest.raises(InvalidData, match="counts must be whole numbers"):
        kaplan_meier(days([1, 2]), [1, 1], counts=[2.5, 1])


def test_weights_are_those_of_a_survey_with_a_robust_error():
    rng = np.random.default_rng(3)
    length, event = rng.integers(1, 9, 60), rng.random(60) < 0.7
    weight = rng.choice([0.5, 1.0, 4.0], 60)
    curve = kaplan_meier(days(length), event, weights=weight)

    def brute(w):
        survival, out = 1.0, []
        for t in np.unique(length):
            survival *= 1 - w[(length == t) & event].sum() / w[length >= t].sum()
            out.append(survival)
        return np.array(out)

    assert curve.survival == pytest.approx(brute(weight))
    # the influence of a row is the derivative in its weight, times the weight
    step = 1e-5
    slopes = [
        weight[i] * (brute(weight + step * e) - brute(weight - step * e)) / (2 * step)
        for i, e in enumerate(np.eye(60))
    ]
    want = 60 / 59 * (np.array(slopes) ** 2).sum(axis=0)
    assert curve.std_error[:-1] ** 2 == pytest.approx(want[:-1], rel=1e-5)
    assert curve.n == 60
    thrice = kaplan_meier(days(length), event, weights=3 * weight)
    assert thrice.std_error == pytest.approx(curve.std_error)
    assert thrice.low == pytest.approx(curve.low)
    counted = kaplan_meier(days(length), event, counts=np.ceil(weight))
    assert counted.std_error[2] < curve.std_error[2]  # 120 rows of a survey of 60
    alike = kaplan_meier(days(length), event, weights=np.full(60, 2.5))
    plain = kaplan_meier(days(length), event)
    assert alike.std_error[:-1] == pytest.approx(plain.std_error[:-1], rel=0.02)
    assert alike.restricted_mean.high == pytest.approx(plain.restricted_mean.high, rel=5e-3)
    curves = cumulative_incidence(days(length), np.where(event, "left", None), weights=weight)
    assert curves.incidence[0] == pytest.approx(1 - curve.survival)
    assert curves.std_error[0][:-1] == pytest.approx(curve.std_error[:-1])


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


def brute_clustered_variance(length, event, customer, entry, weight):
    """Leave out each customer: the curve of all others at the times of all."""
    times = np.unique(length)

    def survival(keep):
        value, out = 1.0, []
        for t in times:
            n = weight[keep & (length >= t) & (entry < t)].sum()
            d = weight[keep & (length == t) & event].sum()
            value *= 1 - d / n if n else 1.0
            out.append(value)
        return np.array(out)

    names = np.unique(customer)
    whole = survival(np.full(len(length), True))
    squares = sum((survival(customer != c) - whole) ** 2 for c in names)
    return (len(names) - 1) / len(names) * squares


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_clustered_variance_leaves_out_each_customer(late, weighted):
    rng = np.random.default_rng(5)
    length = rng.integers(2, 15, 60)
    event, customer = rng.random(60) < 0.6, rng.integers(0, 20, 60)
    entry = rng.integers(0, 2, 60) if late else np.full(60, -1)
    weight = rng.choice([0.5, 2.0], 60) if weighted else np.ones(60)
    curve = kaplan_meier(
        length * np.timedelta64(1, "h"),
        event,
        customer=customer,
        entry=entry * np.timedelta64(1, "h") if late else None,
        weights=weight if weighted else None,
    )
    want = brute_clustered_variance(length, event, customer, entry, weight)
    assert curve.std_error**2 == pytest.approx(want, rel=1e-9, abs=1e-15)
    row = 4
    s, error = curve.survival[row], math.sqrt(want[row])
    sizes = np.bincount(customer, weight)
    t = stats.t.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1)
    assert curve.low[row] == pytest.approx(s ** math.exp(-t * error / (s * math.log(s))))
    assert curve.high[row] == pytest.approx(s ** math.exp(t * error / (s * math.log(s))))


def test_one_row_a_customer_is_close_to_greenwood():
    rng = np.random.default_rng(1)
    length, event = rng.integers(1, 30, 2000), rng.random(2000) < 0.5
    plain = kaplan_meier(length * np.timedelta64(1, "h"), event)
    clustered = kaplan_meier(length * np.timedelta64(1, "h"), event, customer=np.arange(2000))
    # 64 buckets of customers: the error of a standard error is 9 %
    assert clustered.std_error[:20] == pytest.approx(plain.std_error[:20], rel=0.3)
    assert clustered.restricted_mean.low == pytest.approx(plain.restricted_mean.low, rel=1e-2)
    few = kaplan_meier(length[:60] * np.timedelta64(1, "h"), event[:60], customer=np.arange(60))
    alone = kaplan_meier(length[:60] * np.timedelta64(1, "h"), event[:60])
    assert few.std_error[:15] == pytest.approx(alone.std_error[:15], rel=0.05)


def test_equal_rows_of_a_customer_widen_the_interval():
    length, event = np.repeat(np.arange(1, 41), 4), np.repeat([True, False], 80)
    customer = np.repeat(np.arange(40), 4)
    plain = kaplan_meier(length * np.timedelta64(1, "h"), event)
    clustered = kaplan_meier(length * np.timedelta64(1, "h"), event, customer=customer)
    assert clustered.std_error[10] == pytest.approx(2 * plain.std_error[10], rel=0.05)
    ratio = (clustered.restricted_mean.high - clustered.restricted_mean.value) / (
        plain.restricted_mean.high - plain.restricted_mean.value
    )
    assert ratio == pytest.approx(2 * stats.t.ppf(0.975, 39) / 1.96, rel=0.05)


def test_two_customers_are_too_few_for_a_band():
    curve = kaplan_meier(days([1, 2, 3, 4]), [1, 1, 0, 1], customer=["a", "a", "b", "b"])
    assert np.isnan(curve.low[:3]).all()
    assert math.isnan(curve.restricted_mean.low)


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


def test_counts_go_with_neither_customers_nor_weights():
    for name, column in (("customer", ["a"]), ("weights", [2])):
        with pytest.raises(InvalidValue, match=f"{name} must be left out where counts"):
            kaplan_meier(days([1]), [1], counts=[2], **{name: column})


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


@pytest.mark.parametrize("option", ["customer", "weights", "counts"])
def test_nothing_is_no_error_with_any_option(option):
    assert not len(kaplan_meier([], [], **{option: []}).survival)
    assert not len(cumulative_incidence([], [], **{option: []}).causes)
    one = kaplan_meier(days([2]), [True], **{option: ["a"] if option == "customer" else [1]})
    assert one.survival.tolist() == [0]
