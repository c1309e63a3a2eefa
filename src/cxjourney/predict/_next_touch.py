"""Probabilities of the next touch by context: counts with discounts, backed off to shorter ones.

The estimator is that of Pitman and Yor, of which interpolated Kneser–Ney smoothing is a case (Teh
2006): `p(a | context) = (max(c - D, 0) + (θ + D t) p(a | shorter context)) / (n + θ)`, where c of
the n visits of the context went to a, and t of all a have been seen there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney.predict._contexts import ContextTree, located, summed

if TYPE_CHECKING:
    from collections.abc import Sequence

_DISCOUNTS = (0.0, 0.2, 0.4, 0.6, 0.8)
_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_OFF = np.inf
_USUAL = (0.0, 1.0)  # where nothing was held back to try
_LEAST_GAIN = 1e-4
"""Nats a visit that a longer context must gain on later journeys, or it is not used."""


@attrs.frozen(kw_only=True, eq=False)
class NextTouch:
    """What follows contexts.

    Attributes
    ----------
    root
        Probability of each symbol whatever the context.
    pairs, counts
        At each level, the sorted keys of contexts and what followed them (context times symbols
        plus symbol), and how often.
    totals
        Visits of each context at each level, corrected for censoring.
    discount, strength
        D and θ of each level; an infinite θ leaves the level out.
    """

    root: Floats
    pairs: tuple[Ints, ...]
    counts: tuple[Floats, ...]
    totals: tuple[Floats, ...]
    discount: tuple[float, ...]
    strength: tuple[float, ...]

    @classmethod
    def fitted(
        cls, cells: Sequence[Ints], symbol: Ints, weight: Floats, late: Bools, possible: Bools
    ) -> NextTouch:
        """Return the smoothed counts; strengths are those under which `late` visits fared best.

        `possible` says which symbols there are; a visit of weight 0 may have a negative one.
        """
        n_symbols = len(possible)
        seen = symbol >= 0
        every, early = (
            summed(symbol[seen], one[seen], n_symbols) for one in (weight, weight * ~late)
        )
        parent = _root(early, possible)  # of pairs one level below, by the early visits alone
        below: Ints = np.arange(n_symbols)
        pairs, counts, totals, chosen = [], [], [], []
        shorter = np.zeros(len(symbol), dtype=np.int64)
        for cell in cells:
            rows = np.flatnonzero((cell >= 0) & (weight > 0))
            pair, inverse = distinct(cell[rows] * n_symbols + symbol[rows])
            count = summed(inverse, weight[rows], len(pair))
            old = summed(inverse, weight[rows] * ~late[rows], len(pair))
            above = np.zeros(len(pair), dtype=np.int64)  # the pair of the shorter context
            above[inverse] = located(below, shorter[rows] * n_symbols + symbol[rows])
            size = int(cell.max(initial=-1)) + 1
            of_pair = pair // n_symbols
            best, parent = _best(of_pair, old, count - old, parent[above], size)
            pairs.append(pair)
            counts.append(count)
            totals.append(summed(of_pair, count, size))
            chosen.append(best)
            below, shorter = pair, cell
        return cls(
            root=_root(every, possible),
            pairs=tuple(pairs),
            counts=tuple(counts),
            totals=tuple(totals),
            discount=tuple(d for d, _ in chosen),
            strength=tuple(s for _, s in chosen),
        )

    def probabilities(self, cells: Sequence[Ints]) -> Floats:
        """Return the probability of each symbol after contexts, shape (rows, symbols)."""
        size = len(self.root)
        rows = len(cells[0])
        p = np.broadcast_to(self.root, (rows, size)).copy()
        for level, cell in enumerate(cells):  # of some levels, or of all
            theta, discount = self.strength[level], self.discount[level]
            known = np.flatnonzero(cell >= 0)
            if theta == _OFF or not len(known):
                continue
            of = cell[known]
            pairs = self.pairs[level]
            begin = np.searchsorted(pairs, of * size)
            length = np.searchsorted(pairs, (of + 1) * size) - begin
            which = np.repeat(begin - np.cumsum(length) + length, length) + np.arange(length.sum())
            row = np.repeat(known, length)
            n = self.totals[level][of]
            kept = np.maximum(self.counts[level][which] - discount, 0.0)
            held = np.bincount(np.repeat(np.arange(len(known)), length), kept, len(known))
            p[known] *= ((theta + n - held) / (n + theta))[:, None]
            p[row, pairs[which] % size] += kept / (self.totals[level][cell[row]] + theta)
        return p

    def of_nodes(self, tree: ContextTree) -> Floats:
        """Return the probability of each symbol after each node alone, shape (nodes, symbols)."""
        nodes = np.arange(tree.sizes[0] - 1)
        return self.probabilities([located(tree.keys[0], nodes)])


def _root(count: Floats, possible: Bools) -> Floats:
    return np.asarray((count + possible / possible.sum()) / (count.sum() + 1))


def _best(
    cell: Ints, old: Floats, new: Floats, parent: Floats, size: int
) -> tuple[tuple[float, float], Floats]:
    """Return discount and strength under which new visits are likeliest, and probabilities."""
    n = summed(cell, old, size)[cell]
    asked = np.flatnonzero(new > 0)
    if not len(asked):
        return _USUAL, parent
    best, least = (0.0, _OFF), -float(new[asked] @ np.log(parent[asked]))
    least -= _LEAST_GAIN * float(new.sum())
    result = parent
    for discount in _DISCOUNTS:
        kept = np.maximum(old - discount, 0.0)
        held = summed(cell, kept, size)[cell]
        for theta in _STRENGTHS:
            p = (kept + (theta + n - held) * parent) / (n + theta)
            loss = -float(new[asked] @ np.log(p[asked]))
            if loss < least:
                best, least, result = (discount, theta), loss, p
    return best, result
