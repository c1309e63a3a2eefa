"""Mixtures of Markov chains, by expectation and maximisation from several starts."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from cxjourney._support.array_types import Floats, Ints

_FLOOR = 1e-12
_SHORT = 25
_LONG = 300
_SETTLED = 1e-8
_BEST = 2
_SPREAD = 0.3


@attrs.frozen(kw_only=True, eq=False)
class Counts:
    """How often each unit, such as a customer, made each move.

    Attributes
    ----------
    moves
        Sparse matrix (units, moves); Any, since SciPy loads when it is used.
    source
        Where each move begins, from 0; the moves from one place are a multinomial.
    """

    moves: Any
    source: Ints

    def take(self, units: Ints) -> Counts:
        """Return some of the units, each as often as it is named."""
        return Counts(moves=self.moves[units], source=self.source)


@attrs.frozen(kw_only=True, eq=False)
class Mixture:
    """A mixture that was fitted.

    Attributes
    ----------
    weight
        Share of each group.
    chance
        Probability of each move in each group, given where it begins: shape (groups, moves).
    mass
        Probability of each group for each unit: shape (units, groups).
    log_likelihood
        Of the units [nats].
    bic
        -2 log-likelihood + parameters · log(units): smaller is better.
    """

    weight: Floats
    chance: Floats
    mass: Floats
    log_likelihood: float
    bic: float


def fit(
    counts: Counts, groups: int, rng: np.random.Generator, *, starts: int = 10, prior: float = 0.0
) -> Mixture:
    """Return the best mixture of several starts.

    Parameters
    ----------
    counts
        The moves of each unit.
    groups
        How many chains there are.
    rng
        Draws the starts: how much of each unit each group has at first.
    starts
        How often it begins anew; the two best are followed to their end.
    prior
        How many moves from each place are added to each group, spread as among all units.
    """
    n = counts.moves.shape[0]
    pooled = np.asarray(counts.moves.sum(axis=0), dtype=np.float64).ravel()
    extra = prior * _conditional(pooled[None], counts.source)[0]
    if groups == 1:
        return _followed(counts, np.ones((n, 1)), extra, 1)
    drawn = [
        _followed(counts, rng.dirichlet(np.full(groups, _SPREAD), n), extra, _SHORT)
        for _ in range(starts)
    ]
    drawn.sort(key=lambda one: -one.log_likelihood)
    ended = [_followed(counts, one.mass, extra, _LONG) for one in drawn[:_BEST]]
    return max(ended, key=lambda one: one.log_likelihood)


def _followed(counts: Counts, mass: Floats, extra: Floats, rounds: int) -> Mixture:
    """Return the mixture after some rounds, or when it no longer gains."""
    n, groups = mass.shape
    likelihood = -np.inf
    for _ in range(rounds):
        weight = np.maximum(mass.sum(axis=0) / max(n, 1), _FLOOR)
        expected = (counts.moves.T @ mass).T
        chance = np.maximum(_conditional(expected + extra, counts.source), _FLOOR)
        joint = counts.moves @ np.log(chance).T + np.log(weight)
        most = joint.max(axis=1, keepdims=True)
        odds = np.exp(joint - most)
        total = odds.sum(axis=1, keepdims=True)
        mass = odds / total
        before, likelihood = likelihood, float((most + np.log(total)).sum())
        if likelihood - before < _SETTLED * abs(likelihood):
            break
    free = len(counts.source) - len(np.unique(counts.source))
    parameters = groups - 1 + groups * free
    bic = -2 * likelihood + parameters * np.log(max(n, 1))
    return Mixture(
        weight=weight, chance=chance, mass=mass, log_likelihood=likelihood, bic=float(bic)
    )


def _conditional(moves: Floats, source: Ints) -> Floats:
    """Return moves as probabilities given where they begin; 0 where nothing does."""
    n = int(source.max(initial=-1)) + 1
    total = np.stack([np.bincount(source, weights=line, minlength=n) for line in moves])
    base = total[:, source]
    return np.divide(moves, base, out=np.zeros_like(moves), where=base > 0)


def overlap(one: Ints, other: Ints, groups: int, others: int) -> Floats:
    """Return for each group the largest Jaccard index with a group of another partition."""
    both = np.bincount(one * others + other, minlength=groups * others).reshape(groups, others)
    mine, theirs = both.sum(axis=1, keepdims=True), both.sum(axis=0, keepdims=True)
    either = mine + theirs - both
    return np.asarray((both / np.maximum(either, 1)).max(axis=1))
