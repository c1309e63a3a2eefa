"""Probability of conversion by context: hitting probabilities, corrected by like journeys.

The chain of the last nodes says how likely each node leads to the goal. Journeys with a like prefix
say how far that is off: `p(context) = (y + κ p(shorter context)) / (n + κ)`, with the chain at the
end of all contexts, and each κ the one under which later journeys fared best. Where the chain is
right, κ is infinite, and it is the chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.ratios import ratio_of_sums
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney.predict._contexts import ContextTree, summed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._stats.units import Units

_STRENGTHS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 3000.0)
_USUAL = 50.0  # where nothing was held back to try
_LEAST_GAIN = 1e-5
_SOME = 20
"""Visits from which a context has a variance of its own."""
_BLOCK = 1 << 14


@attrs.frozen(kw_only=True, eq=False)
class Support:
    """What shares of contexts rest on, level by level.

    Attributes
    ----------
    trials
        Independent trials that say as much about the share of each context: its own, by leaving out
        one bucket of customers after the other, and what shorter contexts lend.
    journeys
        Journeys that came by each context.
    strength
        How many visits the shorter contexts lend; an infinite number leaves the level out.
    root
        Trials without any context.
    freedom
        Degrees of freedom of the intervals; NaN where customers are too few.
    """

    trials: tuple[Floats, ...]
    journeys: tuple[Ints, ...]
    strength: tuple[float, ...]
    root: float
    freedom: float

    def at(self, cells: Sequence[Ints]) -> tuple[Floats, Ints, Ints]:
        """Return trials, journeys and level (-1: none) of the longest context in use of rows."""
        trials = np.full(len(cells[0]), self.root)
        journeys = np.zeros(len(cells[0]), dtype=np.int64)
        level = np.full(len(cells[0]), -1)
        for i, cell in enumerate(cells):
            if i and self.strength[i] == np.inf:
                continue
            known = np.flatnonzero(cell >= 0)
            trials[known] = self.trials[i][cell[known]]
            journeys[known], level[known] = self.journeys[i][cell[known]], i
        return trials, journeys, level


@attrs.frozen(kw_only=True, eq=False)
class Shares:
    """Shares by context.

    Attributes
    ----------
    prior
        Share at each node before any correction, the last for a node that is not known.
    share
        Corrected share of each context, level by level.
    strength
        How many visits the shorter contexts lend at each level; infinite where it is not used.
    """

    prior: Floats
    share: tuple[Floats, ...]
    strength: tuple[float, ...]

    def at(self, cells: Sequence[Ints], node: Ints) -> Floats:
        """Return the share of the longest context in use of rows, given their nodes."""
        share = self.prior[node].copy()
        for cell, strength, shares in zip(cells, self.strength, self.share, strict=True):
            if strength < np.inf:
                known = np.flatnonzero(cell >= 0)
                share[known] = shares[cell[known]]
        return share


def hitting(step: Floats, goal: Floats) -> Floats:
    """Return the probability to reach the goal from each node of a chain.

    `step` is the chance of each next node, shape (nodes, nodes), and `goal` that of the goal next.
    """
    size = len(goal)
    if size > 500:
        from scipy.sparse import csr_array, identity
        from scipy.sparse.linalg import spsolve

        kept = np.where(step > 1e-9, step, 0.0)
        found = spsolve((identity(size, format="csr") - csr_array(kept)).tocsc(), goal)
    else:
        found = np.linalg.solve(np.eye(size) - step, goal)
    return np.clip(np.asarray(found, dtype=np.float64), 0.0, 1.0)


def fitted_shares(
    tree: ContextTree,
    cells: Sequence[Ints],
    *,
    y: Floats,
    weight: Floats,
    asked: Floats,
    prior: Floats,
    held: Bools,
) -> tuple[tuple[Floats, ...], tuple[float, ...], Floats]:
    """Return the shares of contexts, given y in [0, 1] of each visit and the prior of each node.

    Strengths are those under which visits that were held back fared best, which count `asked`
    times: not where their y is a guess. Beside the shares stand the strength of each level, and the
    share that the visits which were not held back give to each visit.
    """
    shorter: Floats = prior[:-1]
    early = shorter
    shares, strengths = [], []
    foretold = np.full(len(y), np.nan)
    for level, cell in enumerate(cells):
        size = len(tree.keys[level])
        rows = np.flatnonzero(cell >= 0)
        at, w, v, old = cell[rows], weight[rows], y[rows] * weight[rows], ~held[rows]
        n, k = summed(at, w, size), summed(at, v, size)
        n_old, k_old = summed(at, w * old, size), summed(at, v * old, size)
        n_new, k_new = (summed(at, one[rows] * ~old, size) for one in (asked, asked * y))
        parent = tree.keys[level] if level == 0 else tree.parents(level)
        above = shorter[parent]
        strength, early = _best(n_old, k_old, n_new, k_new, early[parent])
        foretold[rows] = early[at]
        shorter = above if strength == np.inf else (k + strength * above) / (n + strength)
        shares.append(shorter)
        strengths.append(strength)
    return tuple(shares), tuple(strengths), foretold


def supported(
    tree: ContextTree,
    cells: Sequence[Ints],
    y: Sequence[Floats],
    strength: tuple[float, ...],
    *,
    weight: Floats,
    journey: Ints,
    units: Units,
) -> Support:
    """Return what shares of y rest on, given y of each visit at each level."""
    whole = ratio_of_sums(
        units.total(item=journey, values=y[0] * weight)[:, None],
        units.total(item=journey, values=weight)[:, None],
    )
    root = float(np.nan_to_num(whole.trials[0], nan=1.0))
    worth = min(root / max(float(weight.sum()), 1.0), 1.0)  # of one visit, in trials
    lent = np.full(1, root)
    trials, journeys = [], []
    again = np.ones(len(weight), dtype=np.bool_)  # what may share a journey and a context
    for level, cell in enumerate(cells):
        size = len(tree.keys[level])
        rows = np.flatnonzero(cell >= 0)
        at = cell[rows]
        parent = np.zeros(size, dtype=np.int64) if level == 0 else tree.parents(level)
        lent = lent[parent]
        if strength[level] < np.inf or level == 0:
            own = _own_trials(
                at, y[level][rows], weight[rows], units.take(journey[rows]), size, worth=worth
            )
            lent = own + np.minimum(strength[level] * worth, lent)
        trials.append(lent)
        alone = np.bincount(at[~again[rows]], minlength=size)
        rows = rows[again[rows]]
        n_journeys = int(journey.max(initial=0)) + 1
        pair, inverse = distinct(cell[rows] * n_journeys + journey[rows])
        journeys.append(alone + np.bincount(pair // n_journeys, minlength=size))
        again = np.zeros(len(weight), dtype=np.bool_)
        again[rows] = (np.bincount(inverse) > 1)[inverse]
    return Support(
        trials=tuple(trials),
        journeys=tuple(journeys),
        strength=strength,
        root=root,
        freedom=float(whole.freedom[0]),
    )


def _best(n: Floats, k: Floats, m: Floats, j: Floats, parent: Floats) -> tuple[float, Floats]:
    """Return the strength under which j of m new visits are likeliest, given k of n old ones."""
    asked = np.flatnonzero(m > 0)
    if not len(asked):
        return _USUAL, parent

    def loss(share: Floats) -> float:
        p = np.clip(share[asked], 1e-9, 1 - 1e-9)
        return -float(j[asked] @ np.log(p) + (m - j)[asked] @ np.log1p(-p))

    best, result = np.inf, parent
    least = loss(parent) - _LEAST_GAIN * float(m.sum())
    for strength in reversed(_STRENGTHS):
        share = (k + strength * parent) / (n + strength)
        if (found := loss(share)) < least:
            best, least, result = strength, found, share
    return best, result


def _own_trials(
    cell: Ints, y: Floats, weight: Floats, units: Units, size: int, *, worth: float
) -> Floats:
    """Return how many independent trials say as much about the share of each context.

    Where it has few visits, each is worth what one is on average; `units` are those of the visits.
    """
    n = summed(cell, weight, size)
    trials = n * worth
    several = np.flatnonzero(n >= _SOME)
    place = np.full(size, -1, dtype=np.int64)
    place[several] = np.arange(len(several))
    rows = np.flatnonzero(place[cell] >= 0)
    if len(several) > _BLOCK:
        rows = rows[np.argsort(place[cell[rows]], kind="stable")]
    at = place[cell[rows]]
    for begin in range(0, len(several), _BLOCK):
        stop = min(begin + _BLOCK, len(several))
        some = slice(None)
        if len(several) > _BLOCK:
            some = slice(*np.searchsorted(at, [begin, stop]))
        sums = [
            units.sums(at[some] - begin, stop - begin, item=rows[some], values=one)
            for one in (y[rows[some]] * weight[rows[some]], weight[rows[some]])
        ]
        found, of = ratio_of_sums(*sums).trials, several[begin:stop]
        trials[of] = np.where(np.isfinite(found), np.minimum(found, n[of]), trials[of])
    return trials


def logit(share: Floats) -> Floats:
    """Return log-odds, of shares that are kept inside (0, 1)."""
    inside = np.clip(share, 1e-9, 1 - 1e-9)
    odds: Floats = np.log(inside) - np.log1p(-inside)
    return odds


def expit(odds: Floats) -> Floats:
    """Return the shares of log-odds."""
    share: Floats = 1 / (1 + np.exp(-odds))
    return share
