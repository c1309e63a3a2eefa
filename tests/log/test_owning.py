"""A log owns its columns: what it was made of may change afterwards."""

from __future__ import annotations

import numpy as np

import cxjourney as cx


def test_stamps_that_change_later_do_not_change_the_log():
    stamps = np.array(["2026-01-01", "2026-01-02"], dtype="M8[us]")
    log = cx.InteractionLog.from_frame(
        {"who": np.array(["a", "a"]), "when": stamps, "what": np.array(["web", "shop"])},
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    before = log.columns.time.copy()
    stamps[:] = np.datetime64("1999-01-01")
    assert np.array_equal(log.columns.time, before)
