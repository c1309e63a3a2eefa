from __future__ import annotations

import json
import math

import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import claim_ratio, claim_test, proportion, retention_value
from cxjourney.metrics._value.claims import ClaimTest, RetentionValue


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize(("count", "n", "claimed"), [(0, 9, 0.45), (7, 20, 0.5), (61, 100, 0.45)])
def test_p_values_are_those_of_scipy(count, n, claimed, alternative):
    from scipy.stats import binomtest

    want = binomtest(count, n, claimed, alternative).pvalue
    assert claim_test(count, n, claimed, alternative=alternative).p_value == pytest.approx(want)


def test_power_is_the_chance_of_contradiction_under_the_other_share():
    from scipy.stats import binom, binomtest

    rejected = [k for k in range(41) if binomtest(k, 40, 0.45, "greater").pvalue < 0.05]
    want = binom.pmf(rejected, 40, 0.6).sum()
    got = claim_test(18, 40, 0.45, alternative="greater", effect=0.15).power
    assert got == pytest.approx(want)


def test_verdicts():
    assert claim_test(450, 1000, 0.45).verdict == "consistent"
    assert claim_test(610, 1000, 0.45).verdict == "not consistent"
    assert claim_test(4, 10, 0.45).verdict == "too few data"
    assert claim_test(400, 1000, 0.5, alternative="greater").verdict == "consistent"


def test_no_data_are_too_few():
    test = claim_test(0, 0, 0.45)
    assert test.verdict == "too few data"
    assert math.isnan(test.p_value)
    assert test.observed.notes == ("empty",)


@pytest.mark.parametrize("claimed", [0.0, 1.0])
def test_certain_claims_fall_with_one_exception(claimed):
    assert claim_test(1, 2, claimed).p_value == 0
    assert claim_test(round(claimed * 500), 500, claimed).verdict == "consistent"


@pytest.mark.parametrize(
    "options", [{"claimed": 1.2}, {"effect": 0}, {"count": 11}, {"alternative": "both"}]
)
def test_bad_arguments_are_refused(options):
    with pytest.raises(InvalidValue):
        claim_test(**{"count": 1, "n": 10, "claimed": 0.5, **options})


def test_a_ratio_is_tested_on_the_log_scale():
    # Katz of METHODS: 15/100 and 30/100, ratio .5 [.287, .870]
    test = claim_ratio(15, 100, 30, 100, 0.87)
    assert test.observed.value == 0.5
    assert (test.observed.low, test.observed.high) == pytest.approx((0.287, 0.870), abs=1e-3)
    assert test.p_value == pytest.approx(0.05, abs=2e-3)  # the end of the interval


def test_ratio_verdicts():
    assert claim_ratio(600, 2000, 200, 2000, 5).verdict == "not consistent"
    assert claim_ratio(600, 2000, 200, 2000, 3).verdict == "consistent"
    assert claim_ratio(3, 10, 1, 10, 5).verdict == "too few data"
    none = claim_ratio(0, 10, 1, 10, 5)
    assert none.verdict == "too few data"
    assert math.isnan(none.p_value)


def test_one_sided_ratio_tests_halve_the_two_sided_p():
    two = claim_ratio(60, 200, 20, 200, 5)
    less = claim_ratio(60, 200, 20, 200, 5, alternative="less")
    more = claim_ratio(60, 200, 20, 200, 5, alternative="greater")
    assert less.p_value == pytest.approx(two.p_value / 2)
    assert more.p_value == pytest.approx(1 - two.p_value / 2)
    assert less.power > two.power


@pytest.mark.parametrize("options", [{"claimed": 0}, {"effect": 1}, {"claimed": math.nan}])
def test_bad_ratios_are_refused(options):
    with pytest.raises(InvalidValue):
        claim_ratio(**{"count1": 1, "n1": 9, "count2": 1, "n2": 9, "claimed": 2, **options})


@pytest.mark.parametrize(
    ("first_margin", "gain", "holds_at"), [("end", 0.5, 0.6667), ("now", 0.3636, 0.7674)]
)
def test_the_czech_claim_is_true_for_some_and_false_for_others(first_margin, gain, holds_at):
    # METHODS 12: at r = .8 and d = .1 +10 % retention gives +50 % resp. +36 %
    result = retention_value(0.8, 0.1, first_margin=first_margin, claimed_gain=0.3)
    assert result.gain.value == pytest.approx(gain, abs=5e-4)
    assert result.holds_at[0] == pytest.approx(holds_at, abs=5e-4)
    there = retention_value(result.holds_at[0], 0.1, first_margin=first_margin)
    assert there.gain.value == pytest.approx(0.3)


@pytest.mark.parametrize("first_margin", ["end", "now"])
def test_percentage_points_are_another_question(first_margin):
    points = retention_value(0.6, 0.1, relative=False, first_margin=first_margin, claimed_gain=0.5)
    assert points.changed == pytest.approx(0.7)
    # the loyal gain much because they stay long, the fickle because they hardly stayed
    assert len(points.holds_at) == (2 if first_margin == "end" else 1)
    for rate in points.holds_at:
        there = retention_value(rate, 0.1, relative=False, first_margin=first_margin)
        assert there.gain.value == pytest.approx(0.5)


@pytest.mark.parametrize("first_margin", ["end", "now"])
def test_elasticity_is_the_gain_of_a_small_change(first_margin):
    result = retention_value(0.7, 0.1, change=1e-7, first_margin=first_margin)
    assert result.elasticity == pytest.approx(result.gain.value / 1e-7, rel=1e-5)


def test_an_estimated_rate_brings_its_interval():
    result = retention_value(proportion(60, 100), 0.1)
    assert result.gain.low < result.gain.value < result.gain.high
    assert retention_value(0.6, 0.1, claimed_gain=-0.5).holds_at == ()


@pytest.mark.parametrize(
    ("rate", "change"), [(0.0, 0.1), (1.0, 0.0), (0.95, 0.1), (0.5, -2.0), (math.nan, 0.1)]
)
def test_rates_outside_the_unit_interval_are_refused(rate, change):
    with pytest.raises(InvalidValue):
        retention_value(rate, 0.1, change=change)


def test_results_survive_json():
    for result, kind in (
        (claim_test(45, 100, 0.45), ClaimTest),
        (retention_value(proportion(60, 100), 0.1, claimed_gain=0.3), RetentionValue),
    ):
        assert kind.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_a_loss_of_all_customers_brings_a_claimed_gain_nowhere():
    assert retention_value(0.8, 0.1, change=-1.0, claimed_gain=0.3).holds_at == ()
    doubled = retention_value(0.8, 0.1, change=-0.5, first_margin="now", claimed_gain=1.0)
    assert doubled.holds_at == ()


def test_a_claim_without_a_number_holds_nowhere():
    points = retention_value(0.5, 0.1, relative=False, claimed_gain=math.nan)
    assert points.holds_at == ()
