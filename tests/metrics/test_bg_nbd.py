from __future__ import annotations

import csv
import json
import math
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import (
    BgNbd,
    GammaGamma,
    PurchaseSummary,
    clv_purchases,
    fit_bg_nbd,
    fit_gamma_gamma,
    purchase_summary,
)
from cxjourney.metrics._value import bg_nbd as bg_nbd_module
from cxjourney.metrics._value import gamma_gamma as gamma_gamma_module

WEEK = 7 * 86_400.0
# Fader, Hardie & Lee (2005) on the CDNOW sample, as CLVTools' tests have them
PAPER = BgNbd(r=0.2425945, alpha=4.4136019, a=0.7929199, b=2.4258881)


def summary_of(x, recency, age, mean=None):
    """Return a summary of columns in weeks."""
    n = len(x)
    return PurchaseSummary(
        customers=tuple(map(str, range(n))),
        frequency=np.asarray(x, dtype=np.int64),
        recency_s=np.asarray(recency, dtype=float) * WEEK,
        age_s=np.asarray(age, dtype=float) * WEEK,
        mean_value=np.full(n, np.nan) if mean is None else np.asarray(mean, dtype=float),
        n_missing=0,
        n_later=0,
        time_zone="UTC",
    )


def read(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def items(shared):
    return json.loads((shared / "oracles/clv_btyd.json").read_text())["items"]


@pytest.fixture(scope="module")
def sample(shared):
    rows = read(shared / "data/cdnow/cdnow_customers_summary_with_transactions.csv")
    return summary_of(
        [int(r["x"]) for r in rows],
        [float(r["t_x"]) for r in rows],
        [float(r["T"]) for r in rows],
        [float(r["zbar"]) for r in rows],
    )


def test_the_sample_gives_the_published_parameters(sample, items):
    model = fit_bg_nbd(sample)
    assert model.n == 2357
    got = (model.r, model.alpha, model.a, model.b)
    assert got == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=5e-4)
    precise = items[0]["precise"]
    assert got == pytest.approx([precise[k] for k in ("r", "alpha", "a", "b")], rel=1e-3)
    assert model.log_likelihood == pytest.approx(precise["loglik"], abs=0.05)
    assert model.converged


def test_all_customers_give_the_parameters_of_the_corrections(shared):
    lines = (shared / "data/cdnow/CDNOW_master.txt").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    days = np.array([f"{d[:4]}-{d[4:6]}-{d[6:]}" for _, d, _, _ in fields], dtype="M8[D]")
    summary = purchase_summary(
        [who for who, *_ in fields], days, observed_until=datetime(1997, 9, 30, tzinfo=UTC)
    )
    fit_bg_nbd(sample_of_one())  # import scipy outside the clock
    start = time.perf_counter()
    model = fit_bg_nbd(summary)
    seconds = time.perf_counter() - start
    assert model.n == 23570
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx(
        (0.2516, 4.789, 0.723, 2.161), abs=5e-4
    )
    assert model.log_likelihood == pytest.approx(-95368.4, abs=0.05)
    assert seconds < 5  # a second where nothing else runs


def sample_of_one():
    return summary_of([0, 1, 2], [0, 1, 3], [4, 5, 6])


def test_expected_purchases_equal_the_spreadsheet(items):
    known = {i["quantity"]: i for i in items if i.get("model") == "BG/NBD" and "quantity" in i}
    conditional = next(i for q, i in known.items() if q.startswith("E[purchases"))
    one = summary_of([2], [30.43], [38.86])
    got = PAPER.expected(one, timedelta(weeks=39))[0]
    assert got == pytest.approx(conditional["expected"], abs=1e-3)
    assert got == pytest.approx(1.2259, abs=5e-5)
    assert PAPER.alive(one)[0] == pytest.approx(0.72658, abs=2e-4)
    new = next(i for q, i in known.items() if q.startswith("E[X(t)]"))
    for weeks, want in zip(new["t"], new["expected"], strict=True):
        assert PAPER.expected_purchases(timedelta(weeks=weeks)) == pytest.approx(want, abs=1e-3)


def published_form(m, x, recency, age, t):
    # Fader, Hardie & Lee (2005), equation 10, as it stands
    from scipy.special import hyp2f1

    z = t / (m.alpha + age + t)
    power = ((m.alpha + age) / (m.alpha + age + t)) ** (m.r + x)
    top = (m.a + m.b + x - 1) / (m.a - 1)
    top *= 1 - power * hyp2f1(m.r + x, m.b + x, m.a + m.b + x - 1, z)
    odds = m.a / (m.b + x - 1) * ((m.alpha + age) / (m.alpha + recency)) ** (m.r + x)
    return top / (1 + (x > 0) * odds)


def test_the_transformed_form_equals_the_published_one():
    x, recency, age = np.array([0, 1, 4, 20]), np.array([0, 3, 20, 30]), np.array([5, 30, 25, 38])
    got = PAPER.expected(summary_of(x, recency, age), timedelta(weeks=20))
    assert got == pytest.approx(published_form(PAPER, x, recency, age, 20))


def test_frequent_buyers_do_not_overflow():
    heavy = summary_of([2000, 2000], [50.99, 5], [51, 500])
    got = PAPER.expected(heavy, timedelta(weeks=10))
    assert np.all(np.isfinite(got))
    assert got[0] > 300
    assert PAPER.alive(heavy)[1] == 0


def test_without_a_repeat_a_customer_is_alive():
    assert PAPER.alive(summary_of([0, 0], [0, 0], [1, 500])).tolist() == [1, 1]


def test_a_equal_to_one_is_the_limit():
    near = [
        BgNbd(r=0.5, alpha=3, a=a, b=2).expected_purchases(timedelta(weeks=30))
        for a in (1 - 1e-4, 1, 1 + 1e-4)
    ]
    assert near[1] == pytest.approx((near[0] + near[2]) / 2, rel=1e-6)


@pytest.mark.parametrize("module", [bg_nbd_module, gamma_gamma_module])
def test_the_gradient_is_that_of_the_likelihood(module):
    rng = np.random.default_rng(2)
    x = rng.integers(1 if module is gamma_gamma_module else 0, 5, 30).astype(float)
    weight = rng.integers(1, 4, 30).astype(float)
    if module is bg_nbd_module:
        age = rng.uniform(5, 10, 30)
        likelihood = module._Likelihood(x, (x > 0) * age * rng.random(30), age, weight)
        at = np.log([0.4, 2.0, 0.7, 1.9])
    else:
        likelihood = module._Likelihood(x, rng.uniform(5, 50, 30), weight)
        at = np.log([5.0, 3.0, 14.0])
    _, gradient = likelihood(at)
    for i in range(len(at)):
        step = np.eye(len(at))[i] * 1e-6
        slope = (likelihood(at + step)[0] - likelihood(at - step)[0]) / 2e-6
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_no_purchase_has_the_probability_of_the_model():
    # P(X(39) = 0) = (alpha / (alpha + 39))^r = .57379 in the lifetimes tests
    likelihood = bg_nbd_module._Likelihood(*(np.array([v]) for v in (0.0, 0.0, 39.0, 1.0)))
    value, _ = likelihood(np.log([0.243, 4.414, 0.793, 2.426]))
    assert math.exp(value) == pytest.approx(0.5737864, abs=1e-4)


def test_the_unit_of_time_changes_alpha_only(sample):
    weeks, days = fit_bg_nbd(sample), fit_bg_nbd(sample, unit=timedelta(days=1))
    assert days.alpha == pytest.approx(7 * weeks.alpha, rel=1e-5)
    assert days.b == pytest.approx(weeks.b, rel=1e-5)
    month = timedelta(days=30)
    assert days.expected_purchases(month) == pytest.approx(
        weeks.expected_purchases(month), rel=1e-5
    )
    repeats = int(sample.frequency.sum())
    shift = weeks.log_likelihood - days.log_likelihood
    assert shift == pytest.approx(repeats * math.log(7), rel=1e-9)


def test_planted_parameters_lie_in_their_intervals():
    rng = np.random.default_rng(11)
    r, alpha, a, b, n = 0.8, 6.0, 0.9, 2.5, 4000
    rate, stop = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    age = rng.uniform(20, 50, n)
    x, recency = np.zeros(n, dtype=int), np.zeros(n)
    for i in range(n):
        t = 0.0
        while True:
            t += rng.exponential(1 / rate[i])
            if t > age[i]:
                break
            x[i], recency[i] = x[i] + 1, t
            if rng.random() < stop[i]:
                break
    model = fit_bg_nbd(summary_of(x, recency, age), level=0.99)
    table = model._table()
    for row, want in zip(table, (r, alpha, a, b), strict=True):
        assert row["low"] < want < row["high"]


def test_a_fit_needs_repeat_purchases():
    with pytest.raises(InvalidData, match="bought twice"):
        fit_bg_nbd(summary_of([0, 0], [0, 0], [3, 4]))
    with pytest.raises(InvalidData, match="bought twice"):
        fit_bg_nbd(purchase_summary([], []))


def test_parameters_are_positive():
    with pytest.raises(InvalidValue, match="alpha must be positive"):
        BgNbd(r=1, alpha=0, a=1, b=1)
    with pytest.raises(InvalidValue, match="v must be positive"):
        GammaGamma(p=1, q=2, v=math.nan)


def test_gamma_gamma_of_the_sample(sample, items):
    item = next(i for i in items if i.get("model") == "Gamma-Gamma" and "params" in i)
    model = fit_gamma_gamma(sample)
    want = [item["params"][k] for k in ("p", "q", "v")]
    assert [model.p, model.q, model.v] == pytest.approx(want, abs=0.01)  # printed to .01
    assert model.log_likelihood == pytest.approx(item["loglik"], abs=0.02)
    assert model.n == 946
    assert abs(model.correlation) < 0.2


def test_gamma_gamma_scores_equal_the_note(sample, items):
    item = next(i for i in items if str(i.get("quantity")).startswith("conditional expected"))
    got = GammaGamma(p=6.25, q=3.74, v=15.44).expected_value(sample)[:10]
    assert got == pytest.approx(item["expected"], abs=item["tol"])


def test_gamma_gamma_golden_values():
    model = GammaGamma(p=6.25, q=3.74, v=15.44)
    assert model.expected_value(summary_of([2], [1], [2], [25.0]))[0] == pytest.approx(
        26.84, abs=5e-3
    )
    assert model.population_mean == pytest.approx(35.22, abs=5e-3)


def test_gamma_gamma_without_a_population_mean():
    model = GammaGamma(p=2, q=0.9, v=10)
    got = model.expected_value(summary_of([0, 3], [0, 1], [2, 2], [np.nan, 25.0]))
    assert math.isnan(model.population_mean)
    assert math.isnan(got[0])
    assert got[1] > 0


def test_gamma_gamma_scales_with_the_currency(sample):
    cents = fit_gamma_gamma(
        summary_of(
            sample.frequency,
            sample.recency_s / WEEK,
            sample.age_s / WEEK,
            sample.mean_value * 100,
        )
    )
    euros = fit_gamma_gamma(sample)
    assert (cents.p, cents.q) == pytest.approx((euros.p, euros.q), rel=1e-4)
    assert cents.v == pytest.approx(100 * euros.v, rel=1e-4)


def test_gamma_gamma_needs_different_means():
    with pytest.raises(InvalidData, match="different mean values"):
        fit_gamma_gamma(summary_of([1, 2], [1, 1], [2, 2], [5.0, 5.0]))


def test_values_add_up_without_a_discount(sample):
    spending = GammaGamma(p=6.25, q=3.74, v=15.44)
    horizon = timedelta(days=100)
    values = clv_purchases(PAPER, spending, sample, horizon=horizon, margin=0.3)
    want = 0.3 * PAPER.expected(sample, horizon) * spending.expected_value(sample)
    assert values.value == pytest.approx(want)
    later = clv_purchases(PAPER, spending, sample, horizon=horizon, margin=0.3, discount=0.01)
    assert np.all(later.value < values.value)
    assert np.all(later.value > values.value / 1.01**4)


def test_results_print_no_customers_and_survive_json(sample):
    values = clv_purchases(
        PAPER, GammaGamma(p=6.25, q=3.74, v=15.44), sample, horizon=timedelta(days=30)
    )
    assert "customer " not in repr(values)
    model = fit_bg_nbd(sample)
    assert BgNbd.from_dict(json.loads(json.dumps(model.to_dict()))) == model
    spending = fit_gamma_gamma(sample)
    assert GammaGamma.from_dict(json.loads(json.dumps(spending.to_dict()))) == spending
