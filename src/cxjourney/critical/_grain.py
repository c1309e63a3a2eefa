"""Grains: the graph of an argument, who comes by its nodes, and the order of stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.ratios import share_of_total_figures
from cxjourney._support.validation import check_names
from cxjourney.domain import MISSING, stage_order
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import chain_of, check_counted, check_own_grain, graph_of, units_of
from cxjourney.markov import AbsorbingChain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._support.array_types import Bools
    from cxjourney.domain import StageModel
    from cxjourney.journeys import By, Journeys, JourneyStatistics, Visits


def graph_and_chain(
    source: Journeys | JourneyStatistics | JourneyGraph, by: By | None, caller: str
) -> tuple[JourneyGraph, AbsorbingChain]:
    """Return the graph of journeys at a grain, or a graph at its own, and the chain of it.

    Raises
    ------
    InvalidValue
        If a graph is asked for another grain than its own.
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    """
    check_names(by, "by")
    if isinstance(source, JourneyGraph):
        check_own_grain(source, by)
        return source, AbsorbingChain.from_graph(source, trapped="censored")
    journeys = check_counted(source)
    journeys.require_determined(caller)
    grain: By = "touchpoint" if by is None else by
    return graph_of(journeys, grain), chain_of(journeys, grain)


def touchpoints_of(graph: JourneyGraph) -> tuple[str, ...]:
    """Return the nodes that are no terminals, in the order of the graph."""
    return tuple(name for name, node in graph.nodes(data=True) if node["kind"] == "touchpoint")


def repeated(visits: Visits) -> Bools:
    """Return which visits are not the first of their journey at their node."""
    node = visits.node.astype(np.min_scalar_type(len(visits.names)))
    order = np.argsort(node, kind="stable")  # within a node in the order of journeys
    same = np.zeros(len(node), dtype=np.bool_)
    same[1:] = (np.diff(visits.node[order]) == 0) & (np.diff(visits.journey[order]) == 0)
    again = np.empty(len(node), dtype=np.bool_)
    again[order] = same
    return again


def reach_figures(journeys: Journeys, visits: Visits, again: Bools) -> BucketFigures:
    """Return the share of the journeys that come by each node.

    Parameters
    ----------
    journeys
        The journeys.
    visits
        Their visits.
    again
        Which of them are not the first of their journey at their node; see `repeated`.
    """
    first = np.flatnonzero(~again)
    return share_of_total_figures(
        np.ones(len(first)),
        group=visits.node[first],
        n_groups=len(visits.names),
        units=units_of(journeys),
        item=visits.journey[first],
        base=np.ones(len(journeys.outcome)),
    )


def stage_ranks(
    names: tuple[str, ...], stages: StageModel | Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the place of each stage name in the order of the stages, and that order.

    None takes the standard model that has all of them; -1 marks a stage that was not recorded.

    Raises
    ------
    InvalidValue
        If no standard model has all of them.
    UnknownName
        If a stage is not among `stages`.
    """
    known = [name for name in names if name != MISSING]
    order = stage_order(known, stages)
    if order is None:
        raise InvalidValue.of("stages", f"give the order of the stages {known}", stages)
    ranks = [order.index(name) if name in order else -1 for name in names]
    return np.array(ranks, dtype=np.int64), order
