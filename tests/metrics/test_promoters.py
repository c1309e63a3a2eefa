"""The Net Promoter Score equals the published values, on every input, with honest edges."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import DataQualityWarning, InvalidData, InvalidValue, OutOfScale
from cxjourney.metrics import (
    NetPromoterScore,
    nps,
)

SCORES = st.lists(st.integers(0, 10) | st.none(), max_size=60)


def answers(promoters, passives, detractors):
    return [10] * promoters + [7] * passives + [3] * detractors


def test_sixty_twenty_twenty_of_a_hundred():
    # METHODS §14
    wald = nps(answers(60, 20, 20), interval="wald")
    assert wald.value == pytest.approx(40)
    assert (wald.low, wald.high) == pytest.approx((24.32, 55.68), abs=0.005)
    adjusted = nps(answers(60, 20, 20))
    assert adjusted.value == pytest.approx(40)
    assert (adjusted.low, adjusted.high) == pytest.approx((23.38, 54.29), abs=0.005)


def test_five_promoters_of_five_have_a_wide_interval_that_is_clipped():
    # METHODS §14: [17.49, 107.51], clipped to 100
    score = nps([9, 10, 9, 10, 9])
    assert (score.value, score.high) == (100, 100)
    assert score.low == pytest.approx(17.49, abs=0.005)
    assert "The interval is clipped to ±100." in score.notes


@pytest.mark.shared_data
def test_standard_errors_equal_the_published(shared):
    from statistics import NormalDist

    margin, package = json.loads((shared / "oracles/nps.json").read_text())
    z = NormalDist().inv_cdf(0.975)
    thirds = nps([10, 8, 0], counts=[162, 108, 54], interval="wald")
    assert thirds.value == pytest.approx(100 * margin["nps"])
    assert (thirds.high - thirds.value) / z == pytest.approx(100 * margin["se"])
    groups = [package[name] for name in ("promoters", "passives", "detractors")]
    cran = nps([10, 8, 0], counts=groups, interval="wald")
    assert cran.value == pytest.approx(package["nps"])
    assert (cran.high - cran.value) / z == pytest.approx(package["se"])


def test_a_table_of_answers_is_the_answers_themselves():
    scores = [10, 9, 9, 7, 3, None, 3, 3, 8, 10] * 6
    table = [10, 9, 7, 3, None, 8, 0]
    counts = [12, 12, 6, 18, 6, 6, 0]
    assert nps(table, counts=counts) == nps(scores)
    for ends in ("wald", "bootstrap"):
        by_table = nps(table, counts=counts, interval=ends, rng=5)
        assert by_table == nps(scores, interval=ends, rng=5)
    with pytest.warns(DataQualityWarning, match="within 1-5"):
        nps([5, 4, 1, 10], counts=[20, 10, 5, 0])


@pytest.mark.parametrize("wrong", [[1.5, 1], [-1, 2], [None, 2]])
def test_counts_of_answers_are_whole(wrong):
    with pytest.raises(InvalidData, match="counts must"):
        nps([9, 3], counts=wrong)
    with pytest.raises(InvalidValue, match="counts must have one entry for each of 2 values"):
        nps([9, 3], counts=[1])
    with pytest.raises(InvalidValue, match="weights must be left out where counts are given"):
        nps([9, 3], counts=[1, 2], weights=[1, 2])


def test_six_answers_by_hand():
    # two of six promoters, one detractor: 100 (2 - 1) / 6
    score = nps([1, 7, 7, 8, 9, 10])
    assert score.value == pytest.approx(100 / 6)
    assert (score.numerator, score.denominator) == (1, 6)


def test_one_score_hides_different_shares():
    polarised, mild = nps(answers(60, 20, 20)), nps(answers(40, 60, 0))
    assert polarised.value == pytest.approx(mild.value)
    assert polarised.detractors.value == pytest.approx(0.2)
    assert mild.detractors.value == 0
    assert polarised.promoters.low == pytest.approx(0.502, abs=0.0005)  # Wilson, 60 of 100


@pytest.mark.parametrize(
    "column",
    [
        [9, 10, None, 3, 8],
        np.array([9, 10, np.nan, 3, 8], dtype=np.float32),
        np.ma.MaskedArray([9, 10, 0, 3, 8], [0, 0, 1, 0, 0]),
        pd.Series([9, 10, None, 3, 8], dtype="Int64"),
        pl.Series([9, 10, None, 3, 8]),
    ],
)
def test_every_column_library_gives_the_same_score(column):
    score = nps(column)
    assert (score.value, score.n, score.n_missing) == (25, 4, 1)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "uint64", "float32"])
def test_every_width_of_number_gives_the_same_score(dtype):
    scores = np.random.default_rng(2).integers(0, 11, 200_001)
    expected = 100 * (np.mean(scores >= 9) - np.mean(scores <= 6))
    assert nps(scores.astype(dtype)).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("column", "positions"),
    [
        ([10, 11, 3], (1,)),
        ([-1, 5, 12], (0, 2)),
        ([9.5, 9.0, None], (0,)),
        (np.array([256, 265], dtype=np.int64), (0, 1)),  # would wrap round in a byte
        (np.array([9, -1], dtype=np.int8), (1,)),
        (np.array([9, -1, 10], dtype=">i4"), (1,)),
        (np.array([[9, 0], [-5, 0]])[:, 0], (1,)),  # every other one: a view, not contiguous
        (np.concatenate([np.zeros(70_000), [np.nan, 10.1]]), (70_001,)),
    ],
)
def test_answers_off_the_scale_are_refused_by_position(column, positions):
    with pytest.raises(OutOfScale, match="on the scale 0-10") as caught:
        nps(column)
    assert caught.value.positions == positions


def test_booleans_text_and_infinities_are_not_answers():
    for column in ([True, 9], ["9", "10"], [9.0, float("inf")], np.array([True])):
        with pytest.raises((InvalidData, InvalidValue), match="scores must"):
            nps(column)


def test_nothing_gives_nan_and_says_empty():
    for column in ([], [None, None], np.array([np.nan])):
        score = nps(column)
        assert math.isnan(score.value)
        assert math.isnan(score.low)
        assert math.isnan(score.promoters.value)
        assert score.n == 0
        assert "empty" in score.notes


def test_missing_answers_are_counted_refused_or_propagated():
    assert nps([9, None], nan_policy="omit").n_missing == 1
    with pytest.raises(InvalidData, match="missing") as caught:
        nps([9, None], nan_policy="raise")
    assert caught.value.rows == (1,)
    assert math.isnan(nps([9, None], nan_policy="propagate").value)
    assert nps([9, 10], nan_policy="propagate").value == 100
    with pytest.raises(InvalidValue, match="nan_policy"):
        nps([9, None], nan_policy="drop")


def test_few_answers_are_said_to_be_few():
    assert "There are fewer than 30 answers." in nps([9] * 29).notes
    assert "There are fewer than 30 answers." not in nps([9] * 30).notes


def test_equal_weights_change_nothing_but_the_note():
    scores = answers(20, 15, 10)
    plain, weighted = nps(scores), nps(scores, weights=[2.5] * 45)
    assert weighted.value == pytest.approx(plain.value)
    assert (weighted.low, weighted.high) == pytest.approx((plain.low, plain.high))


def test_weights_count_as_much_as_they_say():
    # Kish: (1 + 1 + 2)² / (1 + 1 + 4) = 8/3 answers
    score = nps([9, 7, 0], weights=[1, 1, 2])
    assert score.value == pytest.approx(-25)
    assert "The weighted answers are worth 3 equal ones." in score.notes
    assert score.n == 3


def test_the_bootstrap_repeats_with_its_seed_and_lies_near_wald():
    scores = answers(60, 20, 20)
    first, again = (nps(scores, interval="bootstrap", rng=7) for _ in range(2))
    assert first == again
    wald = nps(scores, interval="wald")
    assert (first.low, first.high) == pytest.approx((wald.low, wald.high), abs=2.5)
    weighted = nps(scores, weights=[1.0] * 100, interval="bootstrap", rng=7, n_resamples=2000)
    assert (weighted.low, weighted.high) == pytest.approx((wald.low, wald.high), abs=3)


def test_too_few_answers_are_not_resampled():
    score = nps([9, 0, 7], interval="bootstrap", rng=1)
    assert math.isnan(score.low)
    assert any("too few" in note for note in score.notes)


def test_the_card_goes_to_json_and_back():
    score = nps([9, 10, 7, None, 2])
    card = score.to_dict()
    assert card["name"] == "nps"
    assert card["promoters"]["value"] == 0.5
    assert NetPromoterScore.from_dict(json.loads(json.dumps(card))) == score


@given(scores=SCORES, rng=st.randoms())
def test_the_order_of_answers_does_not_matter(scores, rng):
    shuffled = scores.copy()
    rng.shuffle(shuffled)
    assert repr(nps(shuffled)) == repr(nps(scores))


@given(scores=st.lists(st.integers(0, 10), min_size=1, max_size=60), level=st.floats(0.5, 0.99))
def test_the_interval_is_in_range_and_grows_with_the_level(scores, level):
    score, wider = nps(scores, level=level), nps(scores, level=level + 0.009)
    assert -100 <= wider.low <= score.low <= score.high <= wider.high <= 100
    assert -100 <= score.value <= 100
    shares = score.promoters.value + score.passives.value + score.detractors.value
    assert shares == pytest.approx(1)


@given(scores=st.lists(st.integers(0, 10), min_size=1, max_size=60))
def test_the_score_is_the_net_of_its_definition(scores):
    net = sum((s >= 9) - (s <= 6) for s in scores)
    assert nps(scores).value == pytest.approx(100 * net / len(scores))


@pytest.mark.parametrize(("answers", "scale"), [([1, 3, 5, 4, 5], "1-5"), ([2, 7, 6, 7, 5], "1-7")])
def test_answers_of_a_shorter_scale_are_noted_and_many_are_warned_of(answers, scale):
    doubt = f"All answers lie within {scale}"
    assert any(note.startswith(doubt) for note in nps(answers).notes)
    with pytest.warns(DataQualityWarning, match=doubt):
        nps(answers * 6)


@pytest.mark.parametrize("answers", [[0, 3, 5, 4, 5], [1, 3, 5, 4, 8], [1, 3, 5, 4, 10], [3, 4, 5]])
def test_low_answers_that_use_the_scale_or_are_few_are_not_doubted(answers):
    assert not any("within" in note for note in nps(answers).notes)
