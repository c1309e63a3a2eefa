"""A small version of the study of channel measures; the large one is run by hand."""

from __future__ import annotations

import runpy

import attrs
import numpy as np
import pytest
from scipy import stats


@pytest.fixture(scope="module")
def study(project_root):
    return runpy.run_path(str(project_root / "tests/calibration/omnichannel.py"))


def most(logs):
    """Return how many alarms at .05 so many logs have at most, but for one time in a thousand."""
    return stats.binom.ppf(0.999, logs, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("world", ["HEAVY", "CENSORED"])
def test_where_channels_mean_nothing_there_are_few_alarms(study, world):
    found = study["rates"](study[world], 30)
    assert {"memory, the goal counted", "cross-channel cost: conversion"} < set(found)
    for name, (share, logs) in found.items():
        assert share * logs <= most(logs), name


@pytest.mark.slow
def test_a_memory_is_found_and_what_ends_journeys_is_none(study):
    for world in (study["OWN"], attrs.evolve(study["OWN"], ends_by_channel=True)):
        for share, logs in study["rates"](world, 30, study["memories"]).values():
            assert share * logs <= most(logs)
    planted = attrs.evolve(study["OWN"], memory=0.3)
    found = study["rates"](planted, 12, study["memories"])
    assert min(share for share, _ in found.values()) > 0.8


@pytest.mark.slow
def test_frail_customers_who_switch_more_are_no_loss_within_customers(study):
    for loss in (0.0, 0.1):
        frail = attrs.evolve(study["FRAIL"], switch_loss=loss)
        told = study["hand_offs"](frail, 12)
        assert told["across"][0] > loss + 0.05
        assert told["within"][0] == pytest.approx(loss, abs=0.06)
        assert told["within"][1] >= 0.8
    nobody = study["hand_offs"](attrs.evolve(study["FRAIL"], returns=0.0), 3)
    assert np.isnan(nobody["within"][0])
