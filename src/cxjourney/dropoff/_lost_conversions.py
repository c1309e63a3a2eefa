"""Lost conversions: what exits cost, with the chain without each bucket of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney.domain import Outcome
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import chain_figures, without_buckets
from cxjourney.markov import AbsorbingChain, lost_per_journey

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.dropoff._rates import NodeRates
    from cxjourney.journeys import By, Journeys, JourneyStatistics, LeftOut


def loses_nothing(journeys: Journeys | JourneyStatistics | JourneyGraph) -> bool:
    """Return whether lost conversions have no meaning: no journeys, no goal, or one that goes on.

    Parameters
    ----------
    journeys
        The journeys, or their graph.
    """
    if not isinstance(journeys, JourneyGraph):
        rules, outcomes = journeys.rules, journeys.outcomes
        pointless = not outcomes[Outcome.CONVERTED] and not rules.goal
        return not any(outcomes.values()) or pointless or not rules.absorbing
    facts = journeys.graph
    pointless = not facts["n_converted"] and facts.get("goal", "[]") == "[]"
    return not facts["n_journeys"] or pointless or not facts.get("absorbing", True)


def lost_of_journeys(
    rates: NodeRates, journeys: Journeys | JourneyStatistics, by: By
) -> BucketFigures:
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
    solved = chain_figures(journeys, by)
    return _figures(rates, solved.chain, solved.left, solved.visits.without, solved.hitting.without)


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
    return _figures(rates, chain, left, *without_buckets(left, chain))


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
