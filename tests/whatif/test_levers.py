"""Levers: golden slopes, the order, and what is said where nothing can be."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import left_out, units_of
from cxjourney.whatif import Levers, baseline, levers, reduce_exit

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
    found = levers(source)
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
    found = levers(journeys(), relative=0.3)
    for row in found.table:
        scenario = reduce_exit(journeys(), row["touchpoint"], 0.3)
        assert row["gain"] == pytest.approx(scenario.change.value, abs=1e-12)


def test_too_many_touchpoints_have_no_intervals(monkeypatch):
    monkeypatch.setattr("cxjourney.whatif._model.MOST_TOUCHPOINTS", 4)
    found = levers(journeys(times=50))
    assert found.ranking[0] == "web"
    for name in ("low", "high", "rank_low", "rank_high"):
        assert np.isnan(found.table[name]).all()
    assert "no interval" in repr(found)
    scenario = reduce_exit(journeys(times=50), "web")
    assert math.isnan(scenario.change.low)
    assert scenario.change.value == pytest.approx(0.016245, abs=5e-7)
    assert "no intervals for more than 4 touchpoints" in repr(scenario)


def test_more_data_narrows_intervals_and_settles_ranks():
    few, many = (levers(journeys(times)).table for times in (3, 300))
    width = [(t["high"] - t["low"])[0] for t in (few, many)]
    assert width[1] == pytest.approx(width[0] / 10, rel=0.35)
    assert many["low"][0] < 0.160714 < many["high"][0]
    assert (many["rank_low"][0], many["rank_high"][0]) == (1, 1)
    assert few["rank_high"][0] > 1


def test_where_everybody_leaves_there_is_no_slope():
    found = levers(cx.Journeys.from_paths([["a"], ["a", "b"]], converted=[5, 0], dropped=[2, 3]))
    row = found.table.row(1)
    assert row["touchpoint"] == "b"
    assert all(math.isnan(row[name]) for name in ("slope", "low", "high", "gain", "rank_low"))
    assert "Everybody leaves at 1 touchpoint" in repr(found)


def test_levers_repeat_and_are_read_back():
    found = levers(journeys(20))
    assert found == levers(journeys(20))
    assert Levers.from_dict(found.to_dict()) == found
    with pytest.raises(InvalidValue, match="relative"):
        levers(journeys(), relative=2)


def test_slopes_without_a_bucket_are_those_of_the_journeys_that_are_left():
    sample = cx.datasets.sample(seed=5, customers=500).journeys()
    row = levers(sample).table.row(0)
    unit = units_of(sample).of
    without = []
    for bucket in range(64):
        rows = levers(sample.where(unit != bucket)).table
        without.append(rows["slope"][rows["touchpoint"].index(row["touchpoint"])])
    error = np.sqrt(63 / 64 * ((np.array(without) - row["slope"]) ** 2).sum())
    visits = left_out(sample).visits[:, left_out(sample).whole.names.index(row["touchpoint"])]
    half = t.ppf(0.975, visits.sum() ** 2 / (visits**2).sum() - 1) * error
    assert row["high"] - row["slope"] == pytest.approx(half, rel=0.02)
    assert row["low"] == pytest.approx(max(row["slope"] - half, 0), rel=0.02, abs=1e-9)


def test_each_segment_has_its_own_levers_and_scenarios():
    sample = cx.datasets.sample(seed=5, customers=500).journeys()
    by = levers(sample, segment="segment")
    assert by.to_frame("pandas")["segment"].nunique() == len(by.values) > 1
    coded = sample.segment("segment")
    alone = sample.where(coded.codes == coded.names.index("student"))
    assert by["student"].table == levers(alone).table
    scenarios = reduce_exit(sample, "payment", 0.5, segment="segment")
    assert scenarios["student"].to_dict() == reduce_exit(alone, "payment", 0.5).to_dict()
    assert baseline(sample, segment="segment")["student"].base == scenarios["student"].base


def test_a_segment_that_never_comes_there_is_left_as_it_is():
    rows = [("a", "web", 0), ("a", "buy", 1), ("b", "shop", 0), ("c", "web", 0), ("d", "web", 0)]
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_frame(
        {
            "who": [who for who, _, _ in rows],
            "when": [begin + timedelta(days=day) for *_, day in rows],
            "what": [what for _, what, _ in rows],
            "kind": ["new" if who == "b" else "old" for who, *_ in rows],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        attributes=("kind",),
    )
    found = reduce_exit(log.journeys(goal="buy", all_closed=True), "web", 0.5, segment="kind")
    assert found["old"].change.value > 0
    assert found["new"].change.value == 0
    assert "Nobody of this segment" in found["new"].caveats[0]
    with pytest.raises(InvalidValue, match="wbe"):
        reduce_exit(log.journeys(goal="buy", all_closed=True), "wbe", segment="kind")
