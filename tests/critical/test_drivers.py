"""Drivers against sums over all orders, textbook formulas for two predictors, and noise."""

from __future__ import annotations

import hashlib
import itertools
import math

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

import cxjourney as cx
from cxjourney._stats.units import Units
from cxjourney.critical import drivers, importance_performance, moments_of_truth
from cxjourney.critical._importance import (
    CrossProducts,
    explained,
    intraclass,
    johnson_weights,
    lmg_weights,
)
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.journeys import IN_PROGRESS, visits_of


def r2(x, y):
    """Return R² by least squares on the raw rows."""
    design = np.column_stack([np.ones(len(y)), x])
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def by_all_orders(x, y):
    p = x.shape[1]
    out = np.zeros(p)
    for order in itertools.permutations(range(p)):
        for place, i in enumerate(order):
            before = list(order[:place])
            out[i] += r2(x[:, [*before, i]], y) - (r2(x[:, before], y) if before else 0.0)
    return out / math.factorial(p)


def moments(x, y):
    c = np.cov(np.column_stack([x, y]).T, bias=True)
    return c[:-1, :-1], c[:-1, -1], c[-1, -1]


def made(p, n=200, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    return x, x @ rng.normal(size=p) + rng.normal(size=n) * 2


@settings(max_examples=8)
@given(st.integers(1, 4), st.integers(0, 10_000))
def test_lmg_is_the_mean_increase_of_r2_over_all_orders(p, seed):
    x, y = made(p, n=40, seed=seed)
    weights = lmg_weights(*moments(x, y))
    assert weights == pytest.approx(by_all_orders(x, y), abs=1e-7)


@settings(max_examples=10)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_weights_sum_to_r2_and_are_not_negative(p, seed):
    x, y = made(p, seed=seed)
    whole = r2(x, y)
    for weigh in (lmg_weights, johnson_weights):
        weights = weigh(*moments(x, y))
        assert weights.sum() == pytest.approx(whole, abs=1e-6)
        assert (weights >= 0).all()


def test_two_predictors_have_the_textbook_weights():
    # r1 = .6, r2 = .5, r12 = .3: R² = (r1² + r2² - 2 r1 r2 r12) / (1 - r12²)
    r1, r2_, r12 = 0.6, 0.5, 0.3
    whole = (r1**2 + r2_**2 - 2 * r1 * r2_ * r12) / (1 - r12**2)
    expected = [(r1**2 + whole - r2_**2) / 2, (r2_**2 + whole - r1**2) / 2]
    given_ = (np.array([[1, r12], [r12, 1]]), np.array([r1, r2_]), 1.0)
    assert lmg_weights(*given_) == pytest.approx(expected)
    # with two predictors Johnson's weights are LMG's exactly
    assert johnson_weights(*given_) == pytest.approx(expected)


def test_uncorrelated_predictors_weigh_their_squared_correlations():
    given_ = (np.diag([1.0, 4.0, 9.0]), np.array([0.5, 0.6, 0.9]), 1.0)
    expected = [0.25, 0.09, 0.09]
    assert lmg_weights(*given_) == pytest.approx(expected)
    assert johnson_weights(*given_) == pytest.approx(expected)


def test_twins_share_what_one_of_them_had():
    x, y = made(1, seed=3)
    twins = np.column_stack([x, x])
    for weigh in (lmg_weights, johnson_weights):
        weights = weigh(*moments(twins, y))
        assert weights == pytest.approx([r2(x, y) / 2] * 2, abs=1e-9)


def test_johnson_is_near_lmg_on_correlated_predictors():
    x, y = made(5, n=2000, seed=8)
    given_ = moments(x, y)
    assert johnson_weights(*given_) == pytest.approx(lmg_weights(*given_), abs=0.06)


def test_explained_is_r2_and_zero_without_anything():
    x, y = made(3)
    assert explained(*moments(x, y)) == pytest.approx(r2(x, y))
    assert explained(np.zeros((0, 0)), np.zeros(0), 1.0) == 0.0
    assert lmg_weights(np.eye(2), np.zeros(2), 0.0).tolist() == [0, 0]


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(5)
    n = 600
    price, staff, dust = rng.normal(size=(3, n))
    scores = {"price": price, "staff": staff, "dust": dust}
    return drivers(scores, 2 * price + staff + rng.normal(size=n), rng=1)


def row(found, name):
    return next(row for row in found.table if row["driver"] == name)


def test_weights_of_drivers_are_those_of_the_rows(found):
    # 4 : 1 of the explained variance, which is 5/6 of the whole
    assert found.table["driver"][:2] == ("price", "staff")
    assert row(found, "price")["weight"] == pytest.approx(4 / 6, abs=0.05)
    assert row(found, "staff")["weight"] == pytest.approx(1 / 6, abs=0.05)
    assert found.table["weight"].sum() == pytest.approx(found.r_squared)
    assert found.visited_r_squared == 0.0


def test_noise_is_the_zero_line(found):
    assert not row(found, "dust")["above_noise"]
    assert row(found, "price")["above_noise"]
    assert 0 < found.noise < 0.05
    assert moments_of_truth(found) == ("price", "staff")
    assert moments_of_truth(found, most=1) == ("price",)
    # heavier than the noise, but not surely so
    staff = row(found, "staff")
    columns = {name: found.table[name] for name in found.table.column_names}
    columns["noise"] = np.array([0.01, (staff["low"] + staff["weight"]) / 2, 0.01])
    unsure = attrs.evolve(found, table=type(found.table)(columns))
    assert moments_of_truth(unsure) == ("price",)


def test_a_driver_without_any_effect_is_rarely_above_the_noise():
    above = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(150, 2))
        result = drivers({"a": x[:, 0], "b": x[:, 1]}, rng.normal(size=150), rng=seed)
        above += sum(result.table["above_noise"])
    # one in twenty of 120 by construction
    assert above <= 14


def test_answers_that_go_together_within_a_customer_are_rarely_above_their_noise():
    # rows of a customer share their answers and their outcome: drawn row by row, noise was too
    # light, and a fourth to a half of such drivers lay above it
    above = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        each = np.minimum(rng.pareto(1.2, 80) + 1, 60).astype(int)
        who = np.repeat(np.arange(80), each)
        x, y = (rng.normal(size=80)[who] + 0.7 * rng.normal(size=len(who)) for _ in range(2))
        result = drivers({"a": x}, y, customer=[f"c{i}" for i in who], rng=seed)
        above += sum(result.table["above_noise"])
    assert above <= 12


def test_noise_weighs_what_least_squares_says():
    rng = np.random.default_rng(2)
    x, y = made(3, n=60, seed=5)
    units = Units.of_buckets(rng.integers(0, 30, 60).astype(np.uint8))
    controls = np.column_stack([np.ones(60), (np.arange(60) % 3 == 0) * 1.0])
    products = CrossProducts.of(x, controls, y, units)
    answered = rng.random(60) < 0.7
    noise = rng.normal(size=(answered.sum(), 4))
    column = np.zeros((60, 4))
    column[answered] = noise

    def with_(*parts):
        return r2(np.column_stack([controls[:, 1:], *parts]), y)

    expected = [
        (with_(z) - with_() + with_(x, z) - with_(x)) / 2
        for z in (column[:, [i]] for i in range(4))
    ]
    assert products.noise_weights(noise, answered) == pytest.approx(expected, abs=1e-10)


def test_the_intraclass_correlation_is_that_of_an_analysis_of_variance():
    # 2, 4 and 7, 9, 8: means 3 and 8 about 6
    values, group = np.array([2.0, 4.0, 7.0, 9.0, 8.0]), np.array([5, 5, 2, 2, 2])
    inside = (1 + 1 + 1 + 1 + 0) / 3
    between = 2 * 9 + 3 * 4
    usual = 5 - (4 + 9) / 5
    own = (between - inside) / usual
    assert intraclass(values, group) == pytest.approx(own / (own + inside))
    assert intraclass(values, np.arange(5)) == 0
    assert intraclass(np.repeat([1.0, 2.0, 5.0], 3), np.repeat([0, 1, 2], 3)) == 1
    assert intraclass(np.tile([1.0, 2.0, 3.0], 3), np.repeat([0, 1, 2], 3)) == 0


def test_unique_is_what_r2_loses():
    x, y = made(4, seed=6)
    result = drivers({str(i): x[:, i] for i in range(4)}, y, rng=1)
    for i in range(4):
        loss = r2(x, y) - r2(np.delete(x, i, axis=1), y)
        assert row(result, str(i))["unique"] == pytest.approx(loss, abs=1e-9)
    slopes = np.linalg.lstsq(np.column_stack([np.ones(len(y)), x]), y, rcond=None)[0][1:]
    assert [row(result, str(i))["slope"] for i in range(4)] == pytest.approx(slopes.tolist())


def test_what_is_missing_by_design_is_not_imputed():
    rng = np.random.default_rng(9)
    n = 4000
    visited = rng.random(n) < 0.5
    answer = rng.normal(7, 1, n)
    # having been there matters a lot, what was answered a little
    y = 5.0 * visited + np.where(visited, 0.5 * (answer - 7), 0) + rng.normal(size=n)
    scores = {"desk": np.where(visited, answer, np.nan), "web": rng.normal(size=n)}
    result = drivers(scores, y, rng=1)
    desk = row(result, "desk")
    # the variance of the answers' part over that of everything
    expected = 0.5 * 0.25 / y.var()
    assert desk["weight"] == pytest.approx(expected, rel=0.35)
    assert desk["slope"] == pytest.approx(0.5, abs=0.08)
    assert result.visited_r_squared > 0.7
    # who imputes the mean finds the same slope only by luck; who imputes 0 finds the visit
    imputed = drivers({**scores, "desk": np.where(visited, answer, 0.0)}, y, rng=1)
    assert row(imputed, "desk")["weight"] > 10 * desk["weight"]


def test_the_jackknife_interval_holds_the_planted_weight():
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        x, z = rng.normal(size=(2, 250))
        y = x + 0.5 * z + rng.normal(size=250)
        low, high = (row(drivers({"x": x, "z": z}, y, rng=1), "x")[end] for end in ("low", "high"))
        held += low <= 1 / 2.25 <= high
    assert held >= 51


def test_customers_with_many_rows_widen_the_interval():
    rng = np.random.default_rng(4)
    x, y = made(1, n=100, seed=2)
    copies = np.repeat(np.arange(100), 8)
    wide = drivers({"x": x[copies, 0]}, y[copies], customer=copies, rng=1)
    narrow = drivers({"x": x[copies, 0]}, y[copies], rng=1)
    widths = [r["high"] - r["low"] for r in (row(wide, "x"), row(narrow, "x"))]
    assert widths[0] > 2 * widths[1]
    assert rng is not None


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        (lambda s: np.minimum(s, 0), "must-be"),
        (lambda s: np.maximum(s, 0), "attractive"),
        (lambda s: s, "linear"),
        (lambda s: 0 * s, ""),
    ],
)
def test_penalties_and_rewards_tell_must_be_from_attractive(effect, kind):
    rng = np.random.default_rng(12)
    score = rng.normal(size=3000)
    y = effect(score) + rng.normal(size=3000) * 0.3
    found = row(drivers({"s": score}, y, rng=1), "s")
    assert found["kind"] == kind
    if kind == "must-be":
        assert found["penalty"] < -0.5
        assert abs(found["reward"]) < 0.2


def test_halo_is_taken_out_of_answers_that_go_together():
    rng = np.random.default_rng(2)
    mood = rng.normal(size=(1000, 1)) * 3
    answers = mood + rng.normal(size=(1000, 3))
    y = mood[:, 0] + answers[:, 0] * 0.5 + rng.normal(size=1000)
    scores = {name: answers[:, i] for i, name in enumerate("abc")}
    plain, bare = drivers(scores, y, rng=1), drivers(scores, y, partial_out="mean", rng=1)
    assert row(plain, "b")["weight"] > 0.2
    assert row(bare, "b")["weight"] < 0.1


def test_lmg_goes_to_twelve_predictors_and_johnson_beyond():
    x, y = made(13, n=300, seed=1)
    scores = {f"x{i}": x[:, i] for i in range(13)}
    assert drivers(scores, y, rng=1).method == "johnson"
    with pytest.raises(InvalidValue, match="johnson"):
        drivers(scores, y, method="lmg")
    del scores["x12"]
    assert drivers(scores, y, rng=1).method == "lmg"


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(InvalidValue, match="at least one predictor"):
        drivers({}, [1.0] * 20)
    with pytest.raises(InvalidValue, match="20 outcomes"):
        drivers({"a": [1.0]}, [1.0] * 20)
    with pytest.raises(InvalidData, match="at least 10 rows"):
        drivers({"a": [1.0] * 5}, [1.0] * 5)


def test_fields_of_importance_and_performance():
    rng = np.random.default_rng(3)
    means = {"poor and heavy": 3, "good and heavy": 8, "good and light": 8, "poor and light": 3}
    scores = {name: rng.normal(mean, 1, 800) for name, mean in means.items()}
    y = scores["poor and heavy"] + scores["good and heavy"] + rng.normal(size=800)
    fields = importance_performance(drivers(scores, y, rng=1))
    found = dict(zip(fields.table["driver"], fields.table["field"], strict=True))
    assert found == {
        "poor and heavy": "concentrate here",
        "good and heavy": "keep up the good work",
        "good and light": "possible overkill",
        "poor and light": "low priority",
    }
    assert fields.table["driver"][0] == "poor and heavy"
    # a third of the variance or nothing of it: the cut lies far from both
    assert all(fields.table["sure"])
    with pytest.raises(InvalidData):
        importance_performance(drivers({"a": y}, y, rng=1))


def test_results_survive_the_dictionary(found):
    assert cx.critical.Drivers.from_dict(found.to_dict()) == found
    fields = importance_performance(found)
    assert cx.critical.ImportancePerformance.from_dict(fields.to_dict()) == fields


def test_the_interval_leaves_out_one_bucket_of_customers_after_the_other():
    x, y = made(3, n=500, seed=4)
    who = np.random.default_rng(1).integers(0, 150, 500)
    scores = {str(i): x[:, i] for i in range(3)}
    result = drivers(scores, y, customer=who)
    bucket = np.array(
        [hashlib.md5(str(c).encode(), usedforsecurity=False).digest()[0] >> 2 for c in who]
    )
    used = np.unique(bucket)
    for i in range(3):
        whole = by_all_orders(x, y)[i]
        without = [by_all_orders(x[bucket != g], y[bucket != g])[i] for g in used]
        g = len(used)
        error = math.sqrt((g - 1) / g * ((np.array(without) - whole) ** 2).sum())
        n = np.bincount(bucket)[used].astype(float)
        half = t.ppf(0.975, n.sum() ** 2 / (n**2).sum() - 1) * error
        found = row(result, str(i))
        assert found["low"] == pytest.approx(max(whole - half, 0), abs=1e-9)
        assert found["high"] == pytest.approx(whole + half)


def test_penalty_and_reward_have_the_intervals_of_leaving_out_each_customer():
    rng = np.random.default_rng(3)
    answer = rng.permutation(np.repeat([1.0, 2.0, 3.0], [45, 35, 40]))
    who = np.repeat([f"c{i}" for i in range(30)], 4)
    y = answer + rng.normal(size=120) + np.repeat(rng.normal(size=30), 4)
    found = row(drivers({"a": answer}, y, customer=who), "a")
    n = np.stack([[np.sum((who == c) & (answer == a)) for a in (1, 2, 3)] for c in np.unique(who)])

    def gap(keep):
        return y[keep & (answer == 1)].mean() - y[keep & (answer == 2)].mean()

    whole = gap(np.ones(120, dtype=bool))
    without = np.array([gap(who != c) for c in np.unique(who)])
    g = np.count_nonzero(n[:, 0] + n[:, 1])  # who gave neither a low nor a middling answer is out
    error = math.sqrt((g - 1) / g * ((without - whole) ** 2).sum())
    part = n[:, 0] / n[:, 0].sum() ** 2 + n[:, 1] / n[:, 1].sum() ** 2
    half = t.ppf(0.975, part.sum() ** 2 / (part**2).sum() - 1) * error
    assert (found["penalty"], found["penalty_low"], found["penalty_high"]) == pytest.approx(
        (whole, whole - half, whole + half)
    )


def test_of_fewer_than_ten_answers_in_a_band_there_is_no_penalty():
    rng = np.random.default_rng(3)
    for each, known in ((9, False), (10, True)):
        answer = np.repeat([1.0, 2.0, 3.0], each)
        found = row(drivers({"a": answer}, rng.normal(size=3 * each)), "a")
        assert math.isnan(found["penalty"]) != known
        assert math.isnan(found["reward_low"]) != known


def test_journeys_bring_their_own_scores_outcome_and_customers():
    journeys = cx.datasets.sample(seed=1, customers=800).journeys()
    found = drivers(journeys, by="stage")
    names, rows = visits_of(journeys, "stage").names, {}
    scores = journeys.columns.numeric["score"][visits_of(journeys, "stage").row]
    ended = journeys.outcome != IN_PROGRESS
    for j, node, score in zip(
        visits_of(journeys, "stage").journey, visits_of(journeys, "stage").node, scores, strict=True
    ):
        if ended[j] and not np.isnan(score):
            rows.setdefault(int(j), {}).setdefault(names[node], []).append(score)
    order = sorted(rows)
    answers = {
        name: [np.mean(rows[j][name]) if name in rows[j] else math.nan for j in order]
        for name in names
    }
    answers = {name: values for name, values in answers.items() if not np.isnan(values).all()}
    ids = [journeys.log.customer_ids[journeys.customer[j]] for j in order]
    again = drivers(answers, journeys.converted[order].astype(float), customer=ids)
    assert found.table["driver"] == again.table["driver"]
    for name in ("n", "weight", "low", "high", "penalty_low", "reward_high"):
        assert np.asarray(found.table[name]) == pytest.approx(
            np.asarray(again.table[name]), rel=1e-9, nan_ok=True
        )
    by = drivers(journeys, by="stage", segment="segment")
    assert by.values == ("family", "standard", "student")
    with pytest.raises(InvalidValue, match="leave both out"):
        drivers(journeys, journeys.converted)
    with pytest.raises(InvalidValue, match="segment"):
        drivers({"a": [1.0] * 20}, [1.0] * 20, segment="age")
    with pytest.raises(InvalidValue, match="outcome"):
        drivers({"a": [1.0] * 20})
