"""Gaps between what was hoped and lived, and the moments that are remembered."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidData, InvalidValue, OutOfScale
from cxjourney.metrics import ExpectationGap, PeakEnd, Scale, expectation_gap, peak_end_rule


def test_a_gap_is_experience_minus_expectation():
    gap = expectation_gap([4, 3, 5, 2, 4], [3, 3, 4, 4, 3])  # gaps 1 0 1 -2 1
    assert gap.value == pytest.approx(0.2)
    assert (gap.exceeded.value, gap.met.value, gap.missed.value) == (0.6, 0.2, 0.2)
    sd = math.sqrt((0.64 * 3 + 0.04 + 4.84) / 4)
    assert gap.effect_size == pytest.approx(0.2 / sd)


def test_the_interval_is_that_of_the_paired_t():
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(1)
    lived, hoped = rng.integers(1, 8, 60), rng.integers(1, 8, 60)
    gap = expectation_gap(lived, hoped, level=0.9)
    expected = ttest_rel(lived, hoped).confidence_interval(0.9)
    assert (gap.low, gap.high) == pytest.approx(tuple(expected))


def test_the_test_keeps_pairs_that_agree_as_pratt_does():
    from scipy.stats import wilcoxon

    lived, hoped = [5, 4, 4, 3, 5, 2, 5, 4, 3, 5], [3, 4, 3, 3, 4, 4, 2, 3, 3, 1]
    expected = wilcoxon(lived, hoped, zero_method="pratt", method="approx").pvalue
    assert expectation_gap(lived, hoped).p_value == pytest.approx(expected)


def test_half_a_pair_is_dropped_and_counted():
    gap = expectation_gap(pl.Series([4, None, 5]), [3, 3, None])
    assert (gap.n, gap.n_missing, gap.value) == (1, 2, 1)
    assert math.isnan(gap.low)
    with pytest.raises(InvalidData, match="missing"):
        expectation_gap([None], [1], nan_policy="raise")
    assert math.isnan(expectation_gap([None, 1], [1, 1], nan_policy="propagate").value)


def test_pairs_that_all_agree_have_no_test():
    gap = expectation_gap([3, 3, 3], [3, 3, 3])
    assert gap.value == 0
    assert gap.met.value == 1
    assert math.isnan(gap.p_value)
    assert math.isnan(gap.effect_size)


def test_expectations_at_the_top_or_asked_too_late_are_said():
    gap = expectation_gap([5, 4, 5], [5, 5, 4], scale=Scale.FIVE_POINT, asked="after")
    assert any("top of the scale" in note for note in gap.notes)
    assert any("colours it" in note for note in gap.notes)
    with pytest.raises(OutOfScale, match="expectation"):
        expectation_gap([5], [6], scale=Scale.FIVE_POINT)
    with pytest.raises(InvalidValue, match="asked"):
        expectation_gap([5], [5], asked="later")
    with pytest.raises(InvalidValue, match="one length"):
        expectation_gap([5], [5, 4])


def test_no_pairs_give_nan():
    gap = expectation_gap([], [])
    assert math.isnan(gap.value)
    assert "empty" in gap.notes
    assert ExpectationGap.from_dict(json.loads(json.dumps(gap.to_dict()))).n == 0


def test_peak_end_of_four_visits():
    # METHODS §3.10
    remembered = peak_end_rule([0.2, -0.7, 0.1, 0.5])
    assert remembered.value == pytest.approx(-0.10)
    assert remembered.mean.value == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("tie", "peak"), [("negative", -0.8), ("positive", 0.8), ("latest", -0.8), ("mean", 0.0)]
)
def test_equal_peaks_are_settled_as_asked(tie, peak):
    assert peak_end_rule([0.8, -0.8, 0.4], tie=tie).value == pytest.approx((peak + 0.4) / 2)


def test_the_latest_of_three_equal_peaks():
    assert peak_end_rule([-0.8, 0.8, 0.0], tie="latest").value == pytest.approx(0.4)


def test_one_visit_is_peak_and_end():
    remembered = peak_end_rule([0.3])
    assert remembered.value == pytest.approx(0.3)
    assert math.isnan(remembered.low)


def test_journeys_are_scored_one_by_one_in_order_of_appearance():
    remembered = peak_end_rule(
        [0.5, -1.0, 0.1, None, 0.3, None],
        journey=["b", "a", "b", "a", "a", "c"],
    )
    # b: peak .5, end .1; a: peak -1, end .3; c has no valence
    assert remembered.scores == pytest.approx((0.3, -0.35, math.nan), nan_ok=True)
    assert remembered.value == pytest.approx(-0.025)
    assert remembered.n == 2
    assert dict(remembered.exclusions) == {"journeys without valence": 1}


def test_a_journey_in_progress_has_no_end():
    remembered = peak_end_rule([0.5, 0.9], journey=[1, 2], in_progress=[False, True])
    assert (remembered.value, remembered.n_censored) == (0.5, 1)
    assert math.isnan(remembered.scores[1])
    with pytest.raises(InvalidData, match="same for all visits"):
        peak_end_rule([0.5, 0.9], in_progress=[False, True])


def test_neutral_may_lie_elsewhere():
    assert peak_end_rule([1, 3, 4], neutral=3).value == pytest.approx(2.5)
    with pytest.raises(InvalidValue, match="neutral"):
        peak_end_rule([1], neutral=math.nan)


def test_no_visits_give_nan():
    remembered = peak_end_rule([])
    assert math.isnan(remembered.value)
    assert remembered.scores == ()
    assert math.isnan(peak_end_rule([0.1, None], nan_policy="propagate").value)
    assert PeakEnd.from_dict(json.loads(json.dumps(peak_end_rule([0.5]).to_dict()))).value == 0.5


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(-1, 1).map(lambda x: round(x, 2))),
        min_size=1,
        max_size=30,
    )
)
def test_every_journey_equals_a_loop_by_hand(visits):
    remembered = peak_end_rule([v for _, v in visits], journey=[j for j, _ in visits])
    for journey, score in zip(dict.fromkeys(j for j, _ in visits), remembered.scores, strict=True):
        values = [v for j, v in visits if j == journey]
        strongest = max(map(abs, values))
        peak = min(v for v in values if abs(v) == strongest)
        assert score == pytest.approx((peak + values[-1]) / 2)
