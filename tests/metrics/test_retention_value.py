"""What better retention is worth, and where a claim about it holds."""

from __future__ import annotations

import json
import math

import pytest

from cxjourney.exceptions import InvalidValue
from cxjourney.metrics import RetentionValue, proportion, retention_value


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


def test_the_result_survives_json():
    result = retention_value(proportion(60, 100), 0.1, claimed_gain=0.3)
    assert RetentionValue.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_a_loss_of_all_customers_brings_a_claimed_gain_nowhere():
    assert retention_value(0.8, 0.1, change=-1.0, claimed_gain=0.3).holds_at == ()
    doubled = retention_value(0.8, 0.1, change=-0.5, first_margin="now", claimed_gain=1.0)
    assert doubled.holds_at == ()


def test_a_claim_without_a_number_holds_nowhere():
    points = retention_value(0.5, 0.1, relative=False, claimed_gain=math.nan)
    assert points.holds_at == ()
