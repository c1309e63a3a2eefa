"""Statistics of a graph without each bucket of visits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.journeys import left_out_of_graph, statistics_of


@pytest.fixture(scope="module")
def journeys():
    """The journeys of customers who come evenly over twenty days and go on after some days."""
    rng = np.random.default_rng(6)
    rows = []
    for i in range(1_200):
        when, name = float(rng.uniform(0, 20)), str(rng.choice(["ad", "web"]))
        while when < 20 and name != "":
            rows.append((f"c{i}", when, name))
            when += float(rng.exponential(3))
            onward = {"ad": ["web", "web", ""], "web": ["cart", "ad", ""], "cart": ["buy", ""]}
            name = str(rng.choice(onward.get(name, [""])))
    customer, day, touchpoint = zip(*rows, strict=True)
    begin = np.datetime64("2026-01-01", "us")
    log = cx.InteractionLog.from_frame(
        {
            "customer": customer,
            "time": begin + (np.array(day) * 86_400e6).astype("timedelta64[us]"),
            "touchpoint": touchpoint,
        },
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        observed_until=datetime(2026, 1, 21, tzinfo=UTC),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=14))


def test_a_graph_tells_the_statistics_of_its_journeys(journeys):
    mine, theirs = left_out_of_graph(journeys.graph()).whole, statistics_of(journeys)
    assert mine.names == theirs.names
    for name in ("visits", "censored", "exits", "first"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name))
    np.testing.assert_allclose(mine.matrix, theirs.matrix, atol=1e-12)
    np.testing.assert_allclose(mine.start, theirs.start)


def test_every_count_is_dealt_to_the_buckets_whole(journeys):
    left = left_out_of_graph(journeys.graph())
    whole = left.whole
    assert np.array_equal(left.at_risk.sum(axis=0), whole.at_risk)
    assert np.array_equal(left.visits.sum(axis=0), whole.visits)
    assert left.journeys.sum() == whole.n_journeys
    assert np.array_equal((whole.n_journeys - left.first.sum(axis=1)), left.journeys)
    again = left_out_of_graph(journeys.graph())
    assert np.array_equal(left.probability, again.probability, equal_nan=True)


def test_rows_without_a_bucket_add_up_to_one(journeys):
    left = left_out_of_graph(journeys.graph())
    sums = np.concatenate([matrices.sum(axis=2) for matrices, _ in left.blocks()])
    known = left.whole.at_risk - left.at_risk > 20
    np.testing.assert_allclose(sums[known], 1.0, atol=1e-3)


def test_what_censoring_makes_of_the_counts_stays_without_a_bucket(journeys):
    left = left_out_of_graph(journeys.graph())
    whole = left.whole
    counted = whole.count / np.maximum(whole.at_risk[whole.source], 1)
    large = whole.count > 50
    off = np.abs(counted - whole.probability)[large]
    assert off.max() > 0.005  # many visits are censored
    mean = np.nanmean(left.probability, axis=0)[large]
    assert np.abs(mean - whole.probability[large]).max() < 0.2 * off.max()
