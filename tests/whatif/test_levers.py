"""Levers: golden slopes, the order, and what is said where nothing can be."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.whatif import Levers, levers, reduce_exit

# METHODS section 14
T1 = [
    (["ad", "web", "cart"], 1, 0),
    (["ad", "web"], 0, 1),
    (["web", "cart", "web", "cart"], 1, 0),
    (["web"], 0, 1),
    (["ad"], 0, 1),
    (["email", "web", "cart"], 0, 1),
    (["email"], 1, 0),
    (["web", "store"], 1, 0),
    (["ad", "web", "web"], 0, 1),
    (["email", "web", "store"], 0, 1),
]


def journeys(times=1):
    paths, won, lost = zip(*T1, strict=True)
    return cx.Journeys.from_paths(
        paths, converted=[times * n for n in won], dropped=[times * n for n in lost]
    )


@pytest.mark.parametrize("source", [journeys(), journeys().graph()], ids=["journeys", "graph"])
def test_golden_slopes_and_gains(source):
    found = levers(source, rng=1)
    rows = {row["touchpoint"]: row for row in found.table}
    assert found.ranking[0] == "web"
    for name, slope, gain in (
        ("web", 0.160714, 0.016245),
        ("cart", 0.079167, 0.007950),
        ("ad", 0.037500, 0.003750),
    ):
        assert rows[name]["slope"] == pytest.approx(slope, abs=5e-7)
        assert rows[name]["gain"] == pytest.approx(gain, abs=5e-7)
        assert rows[name]["conversions"] == pytest.approx(10 * gain, abs=5e-6)
        assert rows[name]["elasticity"] == pytest.approx(-slope / 0.4, abs=2e-6)


def test_the_gain_of_a_lever_is_that_of_its_scenario():
    found = levers(journeys(), relative=0.3, n_resamples=0)
    for row in found.table:
        scenario = reduce_exit(journeys(), row["touchpoint"], 0.3, n_resamples=0)
        assert row["gain"] == pytest.approx(scenario.change.value, abs=1e-12)
    assert np.isnan(found.table["low"]).all()
    assert "no interval" in repr(found)


def test_more_data_narrows_intervals_and_settles_ranks():
    few, many = (levers(journeys(times), rng=2).table for times in (3, 300))
    width = [(t["high"] - t["low"])[0] for t in (few, many)]
    assert width[1] == pytest.approx(width[0] / 10, rel=0.35)
    assert many["low"][0] < 0.160714 < many["high"][0]
    assert (many["rank_low"][0], many["rank_high"][0], many["first"][0]) == (1, 1, 1)
    assert few["rank_high"][0] > 1
    assert few["first"].sum() == pytest.approx(1)


def test_where_everybody_leaves_there_is_no_slope():
    found = levers(
        cx.Journeys.from_paths([["a"], ["a", "b"]], converted=[5, 0], dropped=[2, 3]), rng=1
    )
    row = found.table.row(1)
    assert row["touchpoint"] == "b"
    assert all(math.isnan(row[name]) for name in ("slope", "low", "high", "gain", "rank_low"))
    assert "everybody leaves at 1 touchpoints" in repr(found)


def test_levers_repeat_and_are_read_back():
    found = levers(journeys(20), rng=3)
    assert found == levers(journeys(20), rng=3)
    assert Levers.from_dict(found.to_dict()) == found
    with pytest.raises(InvalidValue, match="relative"):
        levers(journeys(), relative=2)
