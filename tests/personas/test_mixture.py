"""Mixtures of chains against an independent implementation, and by hand."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from cxjourney.personas._mixture import Counts, fit, overlap


def counts_of(sequences, n_states):
    cells = [
        (i, a * n_states + b)
        for i, sequence in enumerate(sequences)
        for a, b in zip([n_states, *sequence[:-1]], sequence, strict=True)
    ]
    row, column = zip(*cells, strict=True)
    width = (n_states + 1) * n_states
    moves = csr_array((np.ones(len(row)), (row, column)), shape=(len(sequences), width))
    return Counts(moves=moves, source=np.arange(width) // n_states)


def test_likelihoods_are_those_of_an_independent_mixture(shared):
    with (shared / "oracles" / "own_mixture.csv").open() as file:
        rows = list(csv.DictReader(file))
    known = json.loads((shared / "oracles" / "clustering.json").read_text())["cases"][0]["answer"]
    states = sorted({state for row in rows for state in row["sequence"].split()})
    sequences = [[states.index(s) for s in row["sequence"].split()] for row in rows]
    counts = counts_of(sequences, len(states))
    rng = np.random.default_rng(1)
    fits = {k: fit(counts, k, rng, starts=20) for k in range(1, 6)}
    for k, found in fits.items():
        # the tolerance of the oracle for other numbers than the chosen one: half a unit
        assert found.log_likelihood >= known[f"K{k}"]["log_likelihood"] - 0.5
    assert fits[1].bic == pytest.approx(known["K1"]["BIC"], abs=1e-3)
    assert fits[3].bic == pytest.approx(known["K3"]["BIC"], abs=1e-3)
    assert min(fits, key=lambda k: fits[k].bic) == 3


def test_one_group_is_the_chain_of_all_and_a_prior_draws_towards_it():
    counts = counts_of([[0, 1, 1], [0, 0]], 2)
    found = fit(counts, 1, np.random.default_rng(0))
    np.testing.assert_allclose(found.chance[0, :4], [1 / 2, 1 / 2, 0, 1], atol=1e-9)
    by_hand = np.log(1) + 2 * np.log(1 / 2)
    assert found.log_likelihood == pytest.approx(by_hand, abs=1e-9)
    two = fit(counts, 2, np.random.default_rng(0), prior=1e9)
    np.testing.assert_allclose(two.chance[0], two.chance[1], atol=1e-6)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.randoms())
def test_overlap_is_that_of_sets(other, random):
    one = [random.randrange(3) for _ in other]
    found = overlap(np.array(one), np.array(other), 3, 3)
    for group, value in enumerate(found):
        mine = {i for i, g in enumerate(one) if g == group}
        theirs = [{i for i, g in enumerate(other) if g == k} for k in range(3)]
        each = [len(mine & their) / max(len(mine | their), 1) for their in theirs]
        assert value == pytest.approx(max(each))
