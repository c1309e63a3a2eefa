"""Satisfaction and effort: the right boxes of the right scale, and the mean beside them."""

from __future__ import annotations

import json
import math

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxjourney.exceptions import InvalidData, InvalidValue, OutOfScale
from cxjourney.metrics import (
    AnswerShare,
    Scale,
    ces,
    csat,
    mean_score,
    nps,
    wilson,
)
from cxjourney.metrics._surveys.scores import answer_share


def test_a_table_of_answers_is_the_answers_themselves():
    scores = [5, 4, 4, None, 1, 5, 5, 2]
    table, counts = [5, 4, None, 2, 1], [3, 2, 1, 1, 1]
    assert csat(table, counts=counts) == csat(scores)
    assert ces(table, counts=counts, version=1) == ces(scores, version=1)
    with pytest.raises(OutOfScale):
        csat([6], counts=[1])
    with pytest.raises(InvalidValue, match="weights must be left out where counts are given"):
        csat([5], counts=[1], weights=[1])


def test_the_usual_scales_have_names():
    usual = (Scale.FIVE_POINT, Scale.SEVEN_POINT, Scale.TEN_POINT, Scale.ZERO_TO_TEN)
    assert [str(scale) for scale in usual] == ["1-5", "1-7", "1-10", "0-10"]


def test_satisfied_are_the_two_best_of_five():
    satisfied = csat([5, 4, 3, 4, 1, 5, 2, 4])
    assert (satisfied.value, satisfied.numerator, satisfied.denominator) == (0.625, 5, 8)
    assert (satisfied.low, satisfied.high) == wilson(5, 8)
    assert satisfied.mean.value == 3.5
    assert dict(satisfied.distribution) == {"1": 1, "2": 1, "3": 1, "4": 3, "5": 2}


def test_the_mean_has_the_interval_of_scipy():
    scores = np.array([5, 4, 3, 4, 1, 5, 2, 4])
    error = scores.std(ddof=1) / math.sqrt(8)
    expected = stats.t.interval(0.95, 7, loc=scores.mean(), scale=error)
    mean = mean_score(scores)
    assert (mean.low, mean.high) == pytest.approx(expected)


@pytest.mark.parametrize(
    "column",
    [
        [5, None, 4, 1],
        np.array([5, np.nan, 4, 1]),
        pd.Series([5, None, 4, 1], dtype="Int8"),
        pl.Series([5, None, 4, 1]),
    ],
)
def test_every_column_library_gives_the_same_share(column):
    satisfied = csat(column)
    assert (satisfied.numerator, satisfied.denominator, satisfied.n_missing) == (2, 3, 1)
    assert satisfied.mean.n_missing == 1


def test_other_scales_need_their_boxes_said():
    with pytest.raises(InvalidValue, match="boxes must be given for the scale 1-7"):
        csat([7], scale=Scale.SEVEN_POINT)
    assert csat([7, 6, 5, 1], scale=Scale.SEVEN_POINT, boxes=3).value == 0.75
    assert csat([10, 8, 7, 1], scale=Scale.TEN_POINT, boxes=3).value == 0.5
    with pytest.raises(InvalidValue, match="between 1 and 4"):
        csat([5], boxes=5)


def test_on_a_scale_whose_low_end_is_good_the_low_boxes_count():
    grades = Scale(1, 5, higher_is_better=False)
    assert csat([1, 2, 3, 5], scale=grades).value == 0.5


@pytest.mark.parametrize("scores", [[0, 5], [6, 5], [4.5, 5]])
def test_answers_off_the_scale_are_refused_by_position(scores):
    with pytest.raises(OutOfScale, match="on the scale 1-5") as caught:
        csat(scores)
    assert caught.value.positions == (0,)


def test_scales_check_themselves():
    for low, high in ((5, 1), (1, 1), (0, math.inf), (True, 5)):
        with pytest.raises(InvalidValue, match="scale"):
            Scale(low, high)
    with pytest.raises(InvalidValue, match="whole"):
        Scale(0.5, 5)
    with pytest.raises(InvalidValue, match="2 wordings"):
        Scale(0, 1, labels=["no"])
    assert Scale(0, 1, labels=["no", "yes"]).labels == ("no", "yes")
    assert Scale(0, 1, integer=False).low == 0
    with pytest.raises(InvalidValue, match="integer scale"):
        csat([0.5], scale=Scale(0, 1, integer=False), boxes=1)


def test_effort_version_2_counts_five_to_seven():
    effort = ces([7, 6, 5, 4, 2, 7])
    assert effort.value == pytest.approx(4 / 6)
    assert effort.mean.value == pytest.approx(31 / 6)
    assert effort.parameters["version"] == 2


def test_effort_version_1_runs_the_other_way():
    effort = ces([1, 2, 4, 5], version=1)
    assert effort.value == 0.5
    assert effort.mean.value == 3


def test_effort_versions_never_mix():
    with pytest.raises(OutOfScale):
        ces([6, 7], version=1)
    for version in (3, "2", True, None):
        with pytest.raises(InvalidValue, match="version"):
            ces([1], version=version)


def test_weights_move_the_share_and_cost_precision():
    scores, weights = [5, 5, 1, 1], [3, 1, 1, 1]
    satisfied = csat(scores, weights=weights)
    assert satisfied.value == pytest.approx(4 / 6)
    n = 3  # 36 / 12
    assert (satisfied.low, satisfied.high) == pytest.approx(wilson(2 / 3 * n, n))
    assert satisfied.n == 4
    assert satisfied.mean.value == pytest.approx(22 / 6)
    assert mean_score(scores, weights=weights).value == pytest.approx(22 / 6)


def test_nothing_gives_nan_and_says_empty():
    for column in ([], [None], np.array([np.nan])):
        satisfied = csat(column)
        assert math.isnan(satisfied.value)
        assert math.isnan(satisfied.mean.value)
        assert "empty" in satisfied.notes
        assert "empty" in mean_score(column).notes


def test_one_or_equal_answers():
    assert csat([4]).low == pytest.approx(0.2065, abs=5e-5)
    assert math.isnan(csat([4]).mean.low)
    equal = csat([4] * 30).mean
    # 3/4 of the way from 1 to 5 in 30 of 30 trials: Wilson with Student's quantile
    t = stats.t.ppf(0.975, 29)
    centre, half = 0.75 + t**2 / 60, t * math.sqrt(0.75 * 0.25 / 30 + t**2 / 3600)
    ends = [1 + 4 * (centre + sign * half) / (1 + t**2 / 30) for sign in (-1, 1)]
    assert (equal.low, equal.high) == pytest.approx(ends)
    assert equal == attrs.evolve(mean_score([4] * 30, scale=Scale(1, 5)), **named(equal))
    unknown = mean_score([4, 4, 4])
    assert math.isnan(unknown.low)
    assert any("All scores are equal" in note for note in unknown.notes)


def named(estimate):
    return {"name": estimate.name, "definition": estimate.definition}


def test_missing_answers_are_refused_or_propagated_on_request():
    for metric in (csat, ces, mean_score):
        with pytest.raises(InvalidData, match="missing"):
            metric([4, None], nan_policy="raise")
        assert math.isnan(metric([4, None], nan_policy="propagate").value)
    propagated = csat([4, None], nan_policy="propagate")
    assert math.isnan(propagated.mean.low)
    assert propagated.numerator is None


def test_the_card_goes_to_json_and_back():
    satisfied = csat([5, 4, None, 1])
    assert AnswerShare.from_dict(json.loads(json.dumps(satisfied.to_dict()))) == satisfied


def test_counts_must_fit_the_scale():
    with pytest.raises(InvalidValue, match="5 counts"):
        answer_share([1, 2], low=4, high=5, scale=Scale(1, 5))
    with pytest.raises(InvalidValue, match="at least 0"):
        answer_share([1, 2, 3, 4, -1], low=4, high=5, scale=Scale(1, 5))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=80))
def test_share_and_mean_are_those_of_their_definitions(scores):
    satisfied = csat(scores)
    assert satisfied.value == pytest.approx(sum(s >= 4 for s in scores) / len(scores))
    assert satisfied.mean.value == pytest.approx(sum(scores) / len(scores))
    mean = mean_score(scores, scale=Scale(1, 5))
    assert satisfied.mean.low == pytest.approx(mean.low, nan_ok=True)
    assert len(scores) == 1 or 1 <= mean.low <= mean.value <= mean.high <= 5
    assert 0 <= satisfied.low <= satisfied.value <= satisfied.high <= 1


@pytest.mark.parametrize(
    "answers", [[10], [0], [10, 10], [10] * 9, [0] * 9, [9, 10, 8], [7], [10, 0]]
)
def test_the_interval_of_a_score_holds_it(answers):
    found = nps(answers)
    assert found.low <= found.value <= found.high
    found = nps(answers * 2, customer=[*range(len(answers))] * 2)
    assert math.isnan(found.low) or found.low <= found.value <= found.high


def test_a_bootstrap_of_customers_is_not_called_a_jackknife():
    answers, customer = [10, 9, 3, 7, 8, 10] * 4, [*range(12)] * 2
    drawn = nps(answers, customer=customer, interval="bootstrap")
    assert "The interval draws from 12 customers" in " ".join(drawn.notes)
    assert "leaves out" not in " ".join(drawn.notes)
