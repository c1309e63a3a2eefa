"""Replicates scatter around the estimate, as much as the jackknife says, and repeat exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, poisson

import cxjourney as cx
from cxjourney.journeys._replicates import _inverse, frequencies, replicates, tally_of
from cxjourney.journeys._visits import visits_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["ad", "web", "cart", "pay", "leave"]


def random_log(n_customers: int, seed: int) -> cx.InteractionLog:
    rng = np.random.default_rng(seed)
    interactions = []
    for customer in range(n_customers):
        when = BEGIN + timedelta(days=float(rng.uniform(0, 20)))
        for _ in range(rng.geometric(0.3)):
            name = str(
                rng.choice(["ad", "web", "cart", "pay", "leave"], p=[0.2, 0.4, 0.2, 0.1, 0.1])
            )
            interactions.append(
                cx.Interaction(customer=str(customer), touchpoint=name, timestamp=when)
            )
            when += timedelta(days=float(rng.exponential(2)))
    end = BEGIN + timedelta(days=24)
    return cx.InteractionLog.from_interactions(
        [i for i in interactions if i.timestamp <= end], observed_until=end
    )


@pytest.fixture(scope="module")
def journeys() -> cx.Journeys:
    return random_log(400, 1).journeys(
        goal="pay", inactivity=timedelta(days=7), exit_touchpoints="leave"
    )


@given(st.integers(0, 30), st.booleans())
def test_counting_each_customer_once_gives_the_graph(seed, all_closed):
    journeys = random_log(12, seed).journeys(inactivity=timedelta(days=5), all_closed=all_closed)
    tally = tally_of(journeys, visits_of(journeys))
    block = tally.block(tally.weight[:, None])
    graph = journeys.graph()
    terminals = [cx.START, cx.CONVERSION, cx.DROPOFF]
    names = [*tally.names, *terminals]
    for u, v, probability in graph.edges(data="probability"):
        if u == cx.START:
            found = block.start[0, names.index(v)]
        else:
            found = block.probability[0, names.index(u), names.index(v)]
        assert found == pytest.approx(probability, abs=1e-9)
    assert block.n_journeys[0] == len(journeys)


def test_explicit_exits_and_open_visits_are_both_kept(journeys):
    tally = tally_of(journeys, visits_of(journeys))
    assert tally.n_bins > 1
    block = tally.block(tally.weight[:, None])
    graph = journeys.graph()
    for i, name in enumerate(tally.names):
        expected = graph.edges[name, cx.DROPOFF]["probability"]
        assert block.probability[0, i, -1] == pytest.approx(expected, abs=1e-9)


def test_aggregated_paths_are_resampled_by_their_weight():
    paths = cx.Journeys.from_paths([["ad", "web"], ["ad"]], converted=[40, 10], dropped=[20, 30])
    shares = np.concatenate([b.probability[:, :, -2] for b in replicates(paths, n=2000, rng=5)])
    web = shares[:, 1]
    assert web.mean() == pytest.approx(40 / 60, abs=0.01)
    assert web.std() == pytest.approx(np.sqrt(40 / 60 * 20 / 60 / 60), rel=0.1)


def test_the_same_seed_repeats_the_same_replicates(journeys):
    once = [b.probability for b in replicates(journeys, n=5, rng=11)]
    again = [b.probability for b in replicates(journeys, n=5, rng=11)]
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_rows_are_distributions_or_unknown(journeys):
    for block in replicates(journeys, n=20, rng=0):
        total = block.probability.sum(axis=2)
        known = block.at_risk > 0
        assert np.allclose(total[known], 1)
        assert np.all(total[~known] == 0)


def test_no_replicates_are_refused(journeys):
    with pytest.raises(cx.exceptions.InvalidValue, match="n must be at least 1; got 0"):
        next(replicates(journeys, n=0))


@pytest.mark.parametrize("wrong", [None, "many", 2.5, True])
def test_replicates_are_counted_in_whole_numbers(wrong, journeys):
    with pytest.raises(cx.exceptions.InvalidValue, match=r"n must be a (whole )?number.*; got"):
        next(replicates(journeys, n=wrong))


def test_frequencies_have_the_poisson_distribution():
    weight = np.ones(50_000)
    drawn = np.concatenate([block.ravel() for block in frequencies(weight, n=40, rng=8)])
    counts = np.bincount(drawn, minlength=7)
    observed = np.append(counts[:7], counts[7:].sum())
    expected = poisson.pmf(np.arange(7), 1) * drawn.size
    expected = np.append(expected, drawn.size - expected.sum())
    assert ((observed - expected) ** 2 / expected).sum() < chi2.isf(1e-3, 7)
    of_unit = drawn.reshape(50_000, 40)
    assert abs(np.corrcoef(of_unit[:-1, 0], of_unit[1:, 0])[0, 1]) < 0.02


def test_the_table_decides_only_where_the_distribution_has_no_step():
    table, steps = _inverse()
    assert steps == pytest.approx(poisson.cdf(np.arange(20), 1), abs=1e-15)
    inside = np.flatnonzero(table < 255)
    assert len(inside) == 65_536 - 8
    for within in (0.0, 0.5, 1 - 2**-37):  # of a cell, in what a double can tell apart
        uniform = (inside + within) / 65_536
        assert np.array_equal(poisson.ppf(uniform, 1).clip(0), table[inside])
