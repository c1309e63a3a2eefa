"""Figures of the chain without a bucket are those of the journeys that are left."""

from __future__ import annotations

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.journeys import chain_figures, chain_of, left_out, statistics_of, units_of


@pytest.fixture(scope="module")
def journeys():
    return cx.datasets.sample(seed=4, customers=400).journeys()


def test_without_a_bucket_they_are_those_of_the_others(journeys):
    found, names = chain_figures(journeys), statistics_of(journeys).names
    unit = units_of(journeys).of
    for bucket in (0, 17, 63):
        chain = chain_of(journeys.where(unit != bucket))
        effects = chain.removal_effect()
        for i, name in enumerate(names):
            if name not in chain.names:
                continue
            # times of censored visits are binned, which costs up to a thousandth
            assert found.visits.without[bucket, i] == pytest.approx(chain.visits[name], rel=2e-3)
            assert found.hitting.without[bucket, i] == pytest.approx(chain.hitting[name], rel=2e-3)
            assert found.removal.without[bucket, i] == pytest.approx(effects[name], rel=2e-3)
        assert found.conversion.without[bucket] == pytest.approx(
            chain.conversion_probability, rel=2e-3
        )


def test_all_customers_together_are_the_chain(journeys):
    found, names, chain = chain_figures(journeys), statistics_of(journeys).names, chain_of(journeys)
    reach = np.array([chain.reach[name] for name in names])
    assert found.visits.whole / found.diagonal.whole == pytest.approx(reach)
    assert float(found.conversion.whole) == chain.conversion_probability


def test_every_bucket_with_journeys_takes_part(journeys):
    found = chain_figures(journeys)
    used = left_out(journeys).used
    assert (found.removal.present == used[:, None]).all()
    # the degrees of freedom are those of the node's own visits
    visits = left_out(journeys).visits
    assert found.removal.effective == pytest.approx(visits.sum(0) ** 2 / (visits**2).sum(0))


def test_they_are_computed_once(journeys):
    assert chain_figures(journeys) is chain_figures(journeys)


def test_many_nodes_have_the_figures_that_inverses_give(journeys, monkeypatch):
    dense = chain_figures(journeys)
    monkeypatch.setattr("cxjourney.journeys._chain_figures._DENSE", 0)
    sparse = chain_figures(journeys.where(np.ones(len(journeys), dtype=bool)))
    for name in ("visits", "hitting", "diagonal", "removal", "conversion"):
        found, expected = getattr(sparse, name), getattr(dense, name)
        assert found.whole == pytest.approx(expected.whole, rel=1e-8)
        assert found.without == pytest.approx(expected.without, rel=1e-7, nan_ok=True)
