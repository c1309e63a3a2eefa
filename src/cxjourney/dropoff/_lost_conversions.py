"""Lost conversions: what exits cost, with the chain without each bucket of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney.journeys import chain_figures, chain_of, left_out
from cxjourney.markov import AbsorbingChain, StackedChains, lost_per_journey

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.dropoff._rates import NodeRates
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import By, Journeys, LeftOut

__all__ = ["conversion_of_journeys", "loses_nothing", "lost_of_graph", "lost_of_journeys"]

_DENSE = 400
"""Nodes up to which chains are solved as a stack of matrices."""
_ENDLESS = 1e9


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


def lost_of_journeys(rates: NodeRates, journeys: Journeys, by: By) -> BucketFigures:
    """Return the lost conversions per journey of each node of journeys.

    Parameters
    ----------
    rates
        Exit probabilities of the nodes.
    journeys
        The journeys.
    by
        What a node is.
    """
    visits, hitting = _of_journeys(journeys, by)
    return _figures(rates, chain_of(journeys, by), left_out(journeys, by), visits, hitting)


def conversion_of_journeys(journeys: Journeys, by: By) -> BucketFigures:
    """Return the conversion probability of the chain of journeys.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.
    """
    left = left_out(journeys, by)
    k = len(left.whole.names)
    _, hitting = _of_journeys(journeys, by)
    start = left.start
    return BucketFigures(
        whole=np.array(chain_of(journeys, by).conversion_probability),
        without=(start[:, :k] * hitting).sum(axis=1) + start[:, k + 1],
        units=left.journeys,
    )


def _of_journeys(journeys: Journeys, by: By) -> tuple[Floats, Floats]:
    """Return visits and hitting probabilities without each bucket, shape (buckets, K)."""
    left = left_out(journeys, by)
    if len(left.whole.names) > _DENSE:
        return journeys.memo.get(("sparse chains", by), lambda: _sparse(left))
    solved = chain_figures(journeys, by)
    return solved.visits.without, solved.hitting.without


def lost_of_graph(rates: NodeRates, graph: JourneyGraph, left: LeftOut) -> BucketFigures:
    """Return the lost conversions per journey of each node of a graph.

    Parameters
    ----------
    rates
        Exit probabilities of the nodes.
    graph
        The graph.
    left
        Its statistics of transitions without each bucket.
    """
    chain = AbsorbingChain.from_graph(graph, trapped="censored")
    if len(rates.names) > _DENSE:
        return _figures(rates, chain, left, *_sparse(left))
    solved = [StackedChains.of(*block) for block in left.blocks()]
    visits, hitting = (
        np.concatenate([getattr(stack, name) for stack in solved]) for name in ("visits", "hitting")
    )
    return _figures(rates, chain, left, visits, hitting)


def _figures(
    rates: NodeRates, chain: AbsorbingChain, left: LeftOut, visits: Floats, hitting: Floats
) -> BucketFigures:
    v, h = (
        np.array([column[name] for name in rates.names], dtype=np.float64)
        for column in (chain.visits, chain.hitting)
    )
    return BucketFigures(
        whole=lost_per_journey(v, h, rates.rate),
        without=lost_per_journey(visits, hitting, rates.figures.without),
        units=resting_on(rates.figures.units, left.used),
    )


def _sparse(left: LeftOut) -> tuple[Floats, Floats]:
    """Return visits and hitting probabilities without each bucket: few transitions, many nodes."""
    solved = [_solved(left, bucket) for bucket in range(len(left.journeys))]
    visits, hitting = (np.array(part) for part in zip(*solved, strict=True))
    return visits, hitting


def _solved(left: LeftOut, bucket: int) -> tuple[Floats, Floats]:
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    whole, k = left.whole, len(left.whole.names)
    probability = np.nan_to_num(left.probability[bucket])
    inner = whole.target < k
    moves = (probability[inner], (whole.source[inner], whole.target[inner]))
    converts = whole.target == k + 1
    ends = np.bincount(whole.source[converts], probability[converts], minlength=k)
    try:
        factors = splu(csc_array(eye_array(k, format="csc") - csc_array(moves, shape=(k, k))))
    except RuntimeError:  # a loop without a way out
        return np.full(k, np.nan), np.full(k, np.nan)
    hitting = factors.solve(ends)
    visits = factors.solve(left.start[bucket, :k], "T")  # type: ignore[call-overload]  # not in stubs
    if np.abs(visits).max(initial=0.0) > _ENDLESS:
        visits, hitting = np.full((2, k), np.nan)
    return visits, hitting
