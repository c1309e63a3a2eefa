"""Two waves compared, and the answers that a margin needs."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from scipy import stats

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import (
    nps_difference,
    nps_sample_size,
)
from cxjourney.metrics._surveys.nps import score_of_groups

SCORES = st.lists(st.integers(0, 10) | st.none(), max_size=60)


def answers(promoters, passives, detractors):
    return [10] * promoters + [7] * passives + [3] * detractors


def test_independent_waves():
    # 3/8 promoter, 3/4 passive, 3/8 detractor more in each wave of 100
    change = nps_difference(answers(60, 20, 20), answers(40, 20, 40))
    assert change.value == pytest.approx(40)
    (p1, d1), (p2, d2) = [
        ((p + 0.375) / 101.5, (d + 0.375) / 101.5) for p, d in ((60, 20), (40, 40))
    ]
    error = math.sqrt((p1 + d1 - (p1 - d1) ** 2 + p2 + d2 - (p2 - d2) ** 2) / 101.5)
    centre = (p1 - d1) - (p2 - d2)
    assert change.z == pytest.approx(centre / error)
    half = 100 * stats.t.ppf(0.975, 199) * error
    assert (change.low, change.high) == pytest.approx((100 * centre - half, 100 * centre + half))
    assert change.p_value == pytest.approx(2 * stats.t.sf(change.z, 199))


def test_waves_that_are_all_equal_leave_a_doubt():
    for paired in (False, True):
        change = nps_difference([10] * 5, [10] * 5, paired=paired)
        assert change.value == change.z == 0
        assert change.low < -25
        assert change.high > 25
    assert nps_difference([10] * 400, [10] * 400).high < 3


def test_paired_changes_have_half_a_respondent_more_of_either_sign():
    first, second = [10, 9, 3, 7, 10, 0], [9, 7, 3, 0, 10, 8]
    change = [0, 1, 0, 1, 0, -1]
    found = nps_difference(first, second, paired=True)
    weights = [1] * 6 + [0.5, 0.5]
    total, values = 7, [*change, 1, -1]
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / total
    variance = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True)) / total / 6
    half = stats.t.ppf(0.975, 5) * math.sqrt(variance)
    assert found.value == pytest.approx(100 / 6)
    assert (found.low, found.high) == pytest.approx((100 * (mean - half), 100 * (mean + half)))


def test_paired_waves_see_what_independent_ones_hide():
    first = [10, 10, 9, 7, 3, 6, 8, 9, 10, 7] * 5
    second = [10, 9, 7, 7, 2, 6, 6, 9, 10, 7] * 5
    paired = nps_difference(first, second, paired=True)
    independent = nps_difference(first, second)
    assert paired.value == pytest.approx(independent.value) == pytest.approx(20)
    assert paired.p_value < independent.p_value
    assert paired.high - paired.low < independent.high - independent.low


def test_paired_waves_leave_out_who_missed_one():
    change = nps_difference([10, None, 3, 9], [7, 9, None, 9], paired=True)
    assert (change.n, change.n_missing) == (2, 2)
    assert change.value == pytest.approx(50)
    with pytest.raises(InvalidValue, match="one length"):
        nps_difference([9], [9, 9], paired=True)


def test_waves_without_answers_have_no_difference():
    assert math.isnan(nps_difference([], [9]).value)
    assert math.isnan(nps_difference([None], [9], paired=True).p_value)


def test_sample_size_for_a_margin():
    # METHODS §3.2: 9.8 points at n = 400 in the worst case
    assert nps_sample_size(9.8) == 400
    assert nps_sample_size(9.8, promoters=0.6, detractors=0.2) < 400
    n = nps_sample_size(5, promoters=0.6, detractors=0.2)
    score = score_of_groups(0.6 * n, 0.2 * n, 0.2 * n, interval="wald")
    assert score.high - score.value <= 5 + 1e-9
    for bad in ({"margin": 0}, {"margin": 5, "promoters": 0.5}):
        with pytest.raises(InvalidValue):
            nps_sample_size(**bad)
    with pytest.raises(InvalidValue, match="at most 1"):
        nps_sample_size(5, promoters=0.7, detractors=0.7)
