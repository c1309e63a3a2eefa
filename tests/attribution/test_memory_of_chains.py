"""Chains that remember more than a touch, solved step by step."""

from __future__ import annotations

import pytest

import cxjourney as cx


@pytest.mark.parametrize("order", [2, 3])
def test_removal_step_by_step_is_that_of_inverses(monkeypatch, order):
    journeys = cx.datasets.sample(seed=3, customers=300).journeys()
    found = cx.attribution.markov(journeys, by="channel", order=order)
    monkeypatch.setattr("cxjourney.attribution._markov._DENSE", 10_000)
    expected = cx.attribution.markov(journeys, by="channel", order=order)
    for column in ("credit", "low", "high", "removal_effect", "removal_low", "removal_high"):
        assert found.table[column] == pytest.approx(expected.table[column], rel=1e-8, nan_ok=True)
