"""Claims of others are tested by score tests that agree with their intervals."""

from __future__ import annotations

import json
import math
from statistics import NormalDist

import numpy as np
import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import (
    BenchmarkTest,
    benchmark_test,
    csat,
    mean_score,
    nps,
    proportion,
)


def upper(z):
    return 1 - NormalDist().cdf(z)


def ratio(count1, n1, count2, n2, claimed, **options):
    level = options.pop("level", 0.95)
    first = proportion(count1, n1, level=level)
    return benchmark_test(
        first, claimed, relative_to=proportion(count2, n2, level=level), **options
    )


def test_a_share_is_measured_in_standard_errors_under_the_benchmark():
    # .61 lies .16 above .45, of which the standard error is √(.45 · .55 / 100) = .049749
    z = 0.16 / math.sqrt(0.002475)
    share = proportion(61, 100)
    assert benchmark_test(share, 0.45).p_value == pytest.approx(2 * upper(z))
    greater = benchmark_test(share, 0.45, alternative="greater")
    less = benchmark_test(share, 0.45, alternative="less")
    assert greater.p_value == pytest.approx(upper(z))
    assert less.p_value == pytest.approx(1 - upper(z))


@pytest.mark.parametrize(("count", "n"), [(0, 9), (7, 20), (61, 100)])
def test_the_ends_of_the_interval_are_just_rejected(count, n):
    share = proportion(count, n, level=0.9)
    for end in {share.low, share.high} - {0.0, 1.0}:
        assert benchmark_test(share, end).p_value == pytest.approx(0.1)


def test_the_score_test_rejects_about_as_often_as_the_exact_one():
    from scipy.stats import binomtest

    for count in range(0, 201, 10):
        exact = binomtest(count, 200, 0.45).pvalue
        assert benchmark_test(proportion(count, 200), 0.45).p_value == pytest.approx(exact, abs=0.1)


def test_power_is_about_the_chance_of_contradiction_under_the_other_share():
    from scipy.stats import binom

    share = [benchmark_test(proportion(k, 400), 0.45, alternative="greater") for k in range(401)]
    rejected = [k for k, test in enumerate(share) if test.p_value < 0.05]
    want = binom.pmf(rejected, 400, 0.52).sum()
    got = benchmark_test(proportion(180, 400), 0.45, alternative="greater", effect=0.07).power
    assert got == pytest.approx(want, abs=0.02)


def test_two_sided_power_is_that_of_the_harder_side():
    # towards .5 shares scatter more than towards 0: reject beyond 1.96 · √(.2 · .8 / 100) = .0784
    beyond = NormalDist().inv_cdf(0.975) * 0.04
    sides = [upper((beyond - 0.1) / math.sqrt(p * (1 - p) / 100)) for p in (0.1, 0.3)]
    got = benchmark_test(proportion(20, 100), 0.2, effect=0.1).power
    assert got == pytest.approx(min(sides))


def test_verdicts():
    assert benchmark_test(proportion(450, 1000), 0.45).verdict == "consistent"
    assert benchmark_test(proportion(610, 1000), 0.45).verdict == "not consistent"
    assert benchmark_test(proportion(4, 10), 0.45).verdict == "too few data"
    above = benchmark_test(proportion(400, 1000), 0.5, alternative="greater")
    assert above.verdict == "consistent"


def test_the_level_is_that_of_the_estimate():
    assert benchmark_test(proportion(55, 100), 0.45).verdict == "not consistent"
    assert benchmark_test(proportion(55, 100, level=0.99), 0.45).verdict != "not consistent"


def test_no_data_are_too_few():
    test = benchmark_test(proportion(0, 0), 0.45)
    assert test.verdict == "too few data"
    assert math.isnan(test.p_value)
    assert test.observed.notes == ("empty",)


@pytest.mark.parametrize("claimed", [0.0, 1.0])
def test_certain_claims_fall_with_one_exception(claimed):
    assert benchmark_test(proportion(1, 2), claimed).p_value == 0
    sure = benchmark_test(proportion(round(claimed * 500), 500), claimed)
    assert sure.verdict == "consistent"


@pytest.mark.parametrize(
    "options",
    [
        {"benchmark": 1.2},
        {"effect": 0},
        {"observed": 0.5},
        {"alternative": "both"},
        {"benchmark": "abc"},
        {"relative_to": 0.5},
    ],
)
def test_bad_arguments_are_refused(options):
    with pytest.raises(InvalidValue):
        benchmark_test(**{"observed": proportion(1, 10), "benchmark": 0.5, **options})


def test_a_share_of_answers_is_a_share():
    answers = csat([5] * 30 + [3] * 70)
    plain = benchmark_test(proportion(30, 100), 0.4)
    assert benchmark_test(answers, 0.4).p_value == pytest.approx(plain.p_value)


def test_means_and_scores_agree_with_their_intervals():
    mean = mean_score([4, 5, 3, 4, 5, 2] * 5)
    score = nps([10, 8, 0], counts=[60, 20, 20])
    for estimate in (mean, score):
        for end in (estimate.low, estimate.high):
            assert benchmark_test(estimate, end, effect=1).p_value == pytest.approx(0.05)
        half = (estimate.high - estimate.value) / NormalDist().inv_cdf(0.975)
        above = benchmark_test(estimate, estimate.value + half, effect=1, alternative="less")
        assert above.p_value == pytest.approx(upper(1))
        assert above.power == pytest.approx(upper(NormalDist().inv_cdf(0.95) - 1 / half), rel=1e-6)
    with pytest.raises(InvalidValue, match="effect must be given for an estimate in points"):
        benchmark_test(score, 30)
    with pytest.raises(InvalidValue, match="observed must have an interval"):
        benchmark_test(mean_score([4]), 3, effect=1)
    with pytest.raises(InvalidValue, match="effect must be a difference above 0"):
        benchmark_test(score, 30, effect=0)
    with pytest.raises(InvalidValue, match="benchmark must be finite"):
        benchmark_test(score, math.inf, effect=1)


def test_weighted_shares_keep_their_own_interval():
    weighted = csat([5, 1] * 50, weights=[1, 2] * 50)
    test = benchmark_test(weighted, weighted.high, effect=0.1)
    assert test.p_value == pytest.approx(0.05)
    assert (test.observed.low, test.observed.high) == (weighted.low, weighted.high)
    with pytest.raises(InvalidValue, match="observed must be a share of counts"):
        benchmark_test(weighted, 2, relative_to=proportion(1, 10))


def likeliest(x1, n1, x2, n2, claimed):
    """Return the likeliest shares with a ratio, from a grid."""
    p2 = np.linspace(1e-7, min(1, 1 / claimed) - 1e-7, 2_000_001)
    p1 = claimed * p2
    likelihood = x1 * np.log(p1) + (n1 - x1) * np.log1p(-p1)
    likelihood += x2 * np.log(p2) + (n2 - x2) * np.log1p(-p2)
    best = int(likelihood.argmax())
    return p1[best], p2[best]


def brute_z(x1, n1, x2, n2, claimed):
    """Return the score statistic, the restricted shares found on a grid."""
    a, b = likeliest(x1, n1, x2, n2, claimed)
    variance = (a * (1 - a) / n1 + claimed**2 * b * (1 - b) / n2) * (n1 + n2) / (n1 + n2 - 1)
    return (x1 / n1 - claimed * x2 / n2) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("counts", "claimed"),
    [
        ((15, 100, 30, 100), 0.87),
        ((60, 200, 20, 200), 5),
        ((3, 10, 1, 10), 2),
        ((0, 9, 4, 11), 0.5),
    ],
)
def test_a_ratio_is_tested_against_the_likeliest_shares_with_that_ratio(counts, claimed):
    z = brute_z(*counts, claimed)
    test = ratio(*counts, claimed)
    assert test.p_value == pytest.approx(2 * upper(abs(z)), rel=1e-4)


def test_the_ends_of_a_ratio_are_just_rejected():
    test = ratio(15, 100, 30, 100, 0.87)
    assert test.observed.value == 0.5
    for end in (test.observed.low, test.observed.high):
        assert 2 * upper(abs(brute_z(15, 100, 30, 100, end))) == pytest.approx(0.05, abs=1e-5)


def test_groups_without_successes_can_contradict_a_ratio():
    none = ratio(0, 1000, 300, 1000, 2)
    assert none.verdict == "not consistent"
    assert none.observed.value == none.observed.low == 0
    assert none.observed.high == pytest.approx(0.0128, abs=2e-4)
    other = ratio(300, 1000, 0, 1000, 2)
    assert other.verdict == "not consistent"
    assert other.observed.low > 50
    assert math.isnan(other.observed.high)
    assert "no ratio is too large" in other.observed.notes[0]


def test_ratio_verdicts():
    assert ratio(600, 2000, 200, 2000, 5).verdict == "not consistent"
    assert ratio(600, 2000, 200, 2000, 3).verdict == "consistent"
    assert ratio(3, 10, 1, 10, 5).verdict == "too few data"
    assert ratio(0, 10, 1, 10, 2).verdict == "too few data"
    none = ratio(0, 10, 0, 10, 5)
    assert none.verdict == "too few data"
    assert math.isnan(none.p_value)
    assert ratio(10, 10, 10, 10, 1).p_value == 1


def test_one_sided_ratio_tests_halve_the_two_sided_p():
    two = ratio(60, 200, 20, 200, 5)
    less = ratio(60, 200, 20, 200, 5, alternative="less")
    more = ratio(60, 200, 20, 200, 5, alternative="greater")
    assert less.p_value == pytest.approx(two.p_value / 2)
    assert more.p_value == pytest.approx(1 - two.p_value / 2)
    assert less.power > two.power


def test_power_of_a_ratio_is_about_what_simulated_data_give():
    rng = np.random.default_rng(4)
    test = ratio(60, 300, 30, 300, 2, alternative="greater")
    # of the shares with a ratio of 3 the likeliest are near .22 and .075
    drawn = zip(rng.binomial(300, 0.225, 1500), rng.binomial(300, 0.075, 1500), strict=True)
    held = [ratio(int(a), 300, int(b), 300, 2, alternative="greater").p_value for a, b in drawn]
    assert test.power == pytest.approx(np.mean(np.array(held) < 0.05), abs=0.06)


@pytest.mark.parametrize(("counts", "harder"), [((60, 300, 30, 300), 1), ((12, 60, 60, 600), 0)])
def test_two_sided_power_of_a_ratio_is_that_of_the_harder_side(counts, harder):
    n1, n2 = counts[1], counts[3]
    powers = []
    for truth in (2 / 1.5, 2 * 1.5):
        a, b = likeliest(*counts, truth)
        away = brute_z(n1 * a, n1, n2 * b, n2, 2)  # of the data that this truth brings
        powers.append(upper(NormalDist().inv_cdf(0.975) - abs(away)))
    assert powers[harder] == min(powers)
    assert ratio(*counts, 2).power == pytest.approx(powers[harder], rel=1e-4)


@pytest.mark.parametrize("options", [{"claimed": 0}, {"effect": 1}, {"claimed": math.nan}])
def test_bad_ratios_are_refused(options):
    with pytest.raises(InvalidValue):
        ratio(**{"count1": 1, "n1": 9, "count2": 1, "n2": 9, "claimed": 2, **options})


def test_results_survive_json():
    result = benchmark_test(proportion(45, 100), 0.45)
    assert BenchmarkTest.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_it_says_what_it_rests_on():
    shown = repr(ratio(60, 200, 20, 200, 5))
    assert "The interval (Miettinen-Nurminen) rests on 400 observations." in shown
    assert "a truth that differs by a factor of 1.5." in shown
