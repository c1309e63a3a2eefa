"""Lost conversions: what exits cost, with the chain without each bucket of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney.markov import AbsorbingChain, StackedChains

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.dropoff._rates import NodeRates
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import LeftOut

__all__ = ["conversion_figures", "loses_nothing", "lost_figures", "lost_per_journey"]

_DENSE = 400
"""Nodes up to which chains are solved as a stack of matrices."""
_BLOCK = 4_000_000
_ENDLESS = 1e9


def lost_per_journey(visits: Floats, hitting: Floats, rate: Floats) -> Floats:
    """Return the conversions per journey that exits cost, `v h e / (1 - e)`.

    Parameters
    ----------
    visits
        Expected visits of each node per journey.
    hitting
        Probability of conversion from each node.
    rate
        Exit probability of each node; arrays may have leading axes, such as buckets.

    Returns
    -------
    ndarray of float64
        What would be gained, to first order, if nobody left at a node and those who now leave
        went on like those who stay; NaN where everybody leaves.
    """
    stay = np.where(rate < 1, 1.0 - rate, np.nan)
    lost: Floats = visits * hitting * rate / stay
    return lost


def loses_nothing(graph: JourneyGraph) -> bool:
    """Return whether lost conversions have no meaning: no journeys, no goal, or one that goes on.

    Parameters
    ----------
    graph
        The graph of the journeys.
    """
    facts = graph.graph
    pointless = not facts["n_converted"] and facts.get("goal", "[]") == "[]"
    return not facts["n_journeys"] or pointless or not facts.get("absorbing", True)


def lost_figures(rates: NodeRates, chain: AbsorbingChain, left: LeftOut) -> BucketFigures:
    """Return the lost conversions per journey of each node, and the same without each bucket.

    Parameters
    ----------
    rates
        Exit probabilities of the nodes.
    chain
        The chain of all customers.
    left
        The statistics of transitions without each bucket.
    """
    v, h = (
        np.array([column[name] for name in rates.names], dtype=np.float64)
        for column in (chain.visits, chain.hitting)
    )
    visits, hitting = _without(left, chain)
    return BucketFigures(
        whole=lost_per_journey(v, h, rates.rate),
        without=lost_per_journey(visits, hitting, rates.figures.without),
        units=rates.figures.units,
    )


def conversion_figures(chain: AbsorbingChain, left: LeftOut) -> BucketFigures:
    """Return the conversion probability of a journey, and the same without each bucket.

    Parameters
    ----------
    chain
        The chain of all customers.
    left
        The statistics of transitions without each bucket.
    """
    _, hitting = _without(left, chain)
    start, k = left.start, len(left.whole.names)
    return BucketFigures(
        whole=np.array(chain.conversion_probability),
        without=(start[:, :k] * hitting).sum(axis=1) + start[:, k + 1],
        units=left.journeys,
    )


def _without(left: LeftOut, chain: AbsorbingChain) -> tuple[Floats, Floats]:
    """Return visits and hitting probabilities without each bucket, shape (buckets, K)."""
    n, k = len(left.journeys), len(left.whole.names)
    place = {name: i for i, name in enumerate(left.whole.names)}
    nowhere = chain.source[chain.target == len(chain.names) + 3]
    trapped = np.array([place[chain.names[i]] for i in nowhere.tolist()], dtype=np.int64)
    size = 1 if k > _DENSE else max(1, _BLOCK // max(k * (k + 3), 1))
    parts = []
    for first in range(0, n, size):
        block = slice(first, first + size)
        some = attrs.evolve(
            left,
            **{
                name: getattr(left, name)[block]
                for name in ("probability", "silence", "first", "visits", "at_risk", "journeys")
            },
        )
        parts.append(_solved(some, trapped) if k <= _DENSE else _sparse(some, trapped))
    visits, hitting = (np.concatenate(column) for column in zip(*parts, strict=True))
    return visits, hitting


def _solved(left: LeftOut, trapped: Ints) -> tuple[Floats, Floats]:
    matrices = left.matrices
    matrices[:, trapped] = 0.0  # no journey ends from there: what comes is not resolved
    chains = StackedChains.of(matrices, left.start)
    return chains.visits, chains.hitting


def _sparse(left: LeftOut, trapped: Ints) -> tuple[Floats, Floats]:
    """Solve the chain of one bucket by its transitions, which are few among many nodes."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    whole, k = left.whole, len(left.whole.names)
    probability = np.nan_to_num(left.probability[0])
    probability[np.isin(whole.source, trapped)] = 0.0
    inner = whole.target < k
    moves = (probability[inner], (whole.source[inner], whole.target[inner]))
    converts = whole.target == k + 1
    ends = np.bincount(whole.source[converts], probability[converts], minlength=k)
    try:
        factors = splu(eye_array(k, format="csc") - csc_array(moves, shape=(k, k)))
    except RuntimeError:  # a loop without a way out
        return np.full((1, k), np.nan), np.full((1, k), np.nan)
    hitting = factors.solve(ends)
    visits = factors.solve(left.start[0, :k], "T")  # type: ignore[call-overload]  # not in stubs
    if np.abs(visits).max(initial=0.0) > _ENDLESS:
        visits[:], hitting[:] = np.nan, np.nan
    return visits[None], hitting[None]
