"""Who answered, what they stand for, and whether the items of a scale agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.metrics import (
    cronbach_alpha,
    mean_score,
    poststratification_weights,
    response_rate,
)


def test_only_invitations_known_to_be_lost_are_not_eligible():
    rate = response_rate([1, 0, 0, None, 0], undelivered=[0, 0, None, 0, 1])
    assert (rate.numerator, rate.denominator, rate.n_missing) == (1, 3, 1)
    assert dict(rate.exclusions) == {"undelivered": 1}


def test_weights_give_groups_their_shares():
    group = ["young", "old", "old", "old"]
    weights = poststratification_weights(group, {"young": 1, "old": 1})
    assert weights.tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    assert mean_score([10, 0, 0, 0], weights=weights).value == pytest.approx(5)


def test_groups_without_respondents_or_population_are_refused():
    with pytest.raises(UnknownName, match="did you mean 'young'"):
        poststratification_weights(["yong"], {"young": 1, "old": 2})
    with pytest.raises(InvalidValue, match="none in"):
        poststratification_weights(["young"], {"young": 1, "old": 2})
    with pytest.raises(InvalidValue, match="positive"):
        poststratification_weights(["young"], {"young": 0})
    with pytest.raises(UnknownName, match="None"):
        poststratification_weights(["young", None], {"young": 1})
    assert poststratification_weights([], {"young": 1}).tolist() == []


def test_alpha_by_hand():
    # item variances 5/3, 9/4, 8/3; totals 4, 7, 10, 14 with variance 73/4
    items = [[1, 2, 3, 4], [2, 2, 4, 5], [1, 3, 3, 5]]
    expected = 3 / 2 * (1 - (5 / 3 + 9 / 4 + 8 / 3) / (73 / 4))
    alpha = cronbach_alpha(items)
    assert alpha.value == pytest.approx(expected)
    assert cronbach_alpha(np.array(items).T).value == pytest.approx(expected)
    assert alpha.low < alpha.value < alpha.high < 1


def test_alpha_of_six_respondents_has_feldts_interval():
    from scipy.stats import f

    items = np.random.default_rng(4).normal(size=(6, 3)) + np.arange(6)[:, None]
    alpha = cronbach_alpha(items, level=0.9)
    expected = [1 - (1 - alpha.value) * f.ppf(q, 5, 10) for q in (0.95, 0.05)]
    assert (alpha.low, alpha.high) == pytest.approx(tuple(expected))


def test_alpha_that_cannot_be_is_nan():
    for items in ([], [[1, 2, 3]], [[1], [2]], [[1, 2], [2, 1]], [[], []], [[3, 3], [4, 4]]):
        assert math.isnan(cronbach_alpha(items).value)


def test_an_item_the_wrong_way_round_is_said():
    alpha = cronbach_alpha([[1, 2, 3, 4], [5, 4, 2, 2]])
    assert alpha.value < 0
    assert any("wrong way round" in note for note in alpha.notes)


def test_a_respondent_who_missed_an_item_is_left_out():
    alpha = cronbach_alpha([[1, 2, 3, None, 5], [1, 2, 4, 4, 4]])
    assert (alpha.n, alpha.n_missing) == (4, 1)
    with pytest.raises(InvalidData, match="missing"):
        cronbach_alpha([[1, None], [1, 2]], nan_policy="raise")
    assert math.isnan(cronbach_alpha([[1, None], [1, 2]], nan_policy="propagate").value)
    with pytest.raises(InvalidValue, match="one length"):
        cronbach_alpha([[1], [1, 2]])
