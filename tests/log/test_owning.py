"""A log owns its columns: what it was made of may change afterwards."""

from __future__ import annotations

import copy
import pickle

import numpy as np

import cxjourney as cx


def test_timestamps_that_change_later_do_not_change_the_log():
    timestamps = np.array(["2026-01-01", "2026-01-02"], dtype="M8[us]")
    log = cx.InteractionLog.from_frame(
        {"who": np.array(["a", "a"]), "when": timestamps, "what": np.array(["web", "shop"])},
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    before = log.columns.time.copy()
    timestamps[:] = np.datetime64("1999-01-01")
    assert np.array_equal(log.columns.time, before)


def test_a_log_survives_pickle_and_copy():
    frame = {
        "who": ["a", "b", "a"],
        "when": ["2026-01-01", "2026-01-02", "2026-01-03"],
        "where": ["web", None, "shop"],
        "rating": [3.0, float("nan"), 5.0],
        "region": ["north", None, "south"],
    }
    log = cx.InteractionLog.from_frame(
        frame,
        customer="who",
        timestamp="when",
        touchpoint="where",
        score="rating",
        attributes=["region"],
        missing="drop",
    )
    assert log.intake.dropped
    for twin in (pickle.loads(pickle.dumps(log)), copy.deepcopy(log)):  # noqa: S301 - our own bytes
        assert twin == log
        assert list(twin.interactions()) == list(log.interactions())
        assert twin.intake == log.intake
