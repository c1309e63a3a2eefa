"""Chains of many touchpoints, solved step by step, against inverses."""

from __future__ import annotations

import numpy as np
import pytest

from cxjourney.markov import _solver


def random_chain(seed, size=120, ways=3):
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(size), ways)
    target = rng.integers(0, size, size * ways)
    key = np.unique(source * size + target)
    source, target = key // size, key % size
    p = rng.random(len(key))
    stays = rng.uniform(0.3, 0.95, size)
    p *= (stays / np.bincount(source, p, minlength=size))[source]
    return source, target, p, size, rng


@pytest.mark.parametrize("seed", range(5))
def test_sweeps_solve_what_inverses_do(seed):
    source, target, p, size, rng = random_chain(seed)
    matrix = np.eye(size)
    np.subtract.at(matrix, (source, target), p)
    b = rng.random(size)
    sweeps = _solver.Sweeps(source, target, p, size)
    assert sweeps.solve(b) == pytest.approx(np.linalg.solve(matrix, b), rel=1e-11)
    assert sweeps.solve(b, transposed=True) == pytest.approx(
        np.linalg.solve(matrix.T, b), rel=1e-11
    )


def test_a_loop_without_a_way_out_does_not_settle():
    sweeps = _solver.Sweeps(np.array([0, 1, 2]), np.array([1, 0, 0]), np.array([1, 1, 0.5]), 3)
    assert sweeps.solve(np.ones(3), transposed=True) is None
    assert (
        _solver.Sweeps(np.array([0]), np.array([0]), np.array([1.0]), 1).solve(np.ones(1)) is None
    )


def test_chains_without_buckets_are_those_of_inverses():
    source, target, p, size, rng = random_chain(9)
    out = 1 - np.bincount(source, p, minlength=size)
    every = np.concatenate([source, np.arange(size)])
    to = np.concatenate([target, np.full(size, size + 1)])
    chains = np.concatenate([p, out * 0.6]) * rng.uniform(0.9, 1.0, (4, len(every)))
    start = rng.dirichlet(np.ones(size), 4)
    guess = (np.zeros(size), np.zeros(size))
    visits, hitting = _solver.solved_without_buckets(
        every, to, chains, start, size=size, guess=guess
    )
    for i in range(4):
        matrix = np.eye(size)
        np.subtract.at(matrix, (source, target), chains[i, : len(source)])
        assert visits[i] == pytest.approx(np.linalg.solve(matrix.T, start[i]), rel=1e-8)
        wins = chains[i, len(source) :]
        assert hitting[i] == pytest.approx(np.linalg.solve(matrix, wins), rel=1e-8)
