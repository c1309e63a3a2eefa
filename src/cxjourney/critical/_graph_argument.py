"""What the critical points share: the graph behind an argument, and the order of stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.validation import check_names
from cxjourney.domain import stage_order
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import check_journeys
from cxjourney.kernels import customer_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney._stats.clustered import GroupedRatios
    from cxjourney.domain import StageModel
    from cxjourney.journeys import By, Journeys, Visits

__all__ = ["grain_name", "graph_of", "reach_shares", "stage_ranks", "touchpoints_of"]


def grain_name(by: By) -> str:
    """Return the name of the column that holds the nodes."""
    return by if isinstance(by, str) else " @ ".join(by)


def graph_of(source: Journeys | JourneyGraph, by: By | None, caller: str) -> JourneyGraph:
    """Return the graph of journeys at a grain, or the graph itself at its own.

    Raises
    ------
    InvalidValue
        If a graph is asked for another grain than its own.
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    """
    check_names(by, "by")
    if isinstance(source, JourneyGraph):
        own = str(source.graph.get("grain", "touchpoint"))
        if by is not None and grain_name(by).replace(" @ ", ", ") != own:
            raise InvalidValue.of("by", f"be the graph's own grain {own!r}, or None", by)
        return source
    check_journeys(source).require_determined(caller)
    return source.graph(by="touchpoint" if by is None else by)


def touchpoints_of(graph: JourneyGraph) -> tuple[str, ...]:
    """Return the nodes that are no terminals, in the order of the graph."""
    return tuple(name for name, node in graph.nodes(data=True) if node["kind"] == "touchpoint")


def reach_shares(journeys: Journeys, visits: Visits) -> GroupedRatios:
    """Return the share of the journeys that come by each node, clustered by customer."""
    from cxjourney._stats.clustered import grouped_shares

    first, _ = customer_cells(visits.node, visits.journey, len(visits.names))
    first.sort()  # journey by journey
    journey, node = visits.journey[first], visits.node[first]
    return grouped_shares(
        np.ones(len(node)),
        group=node,
        n_groups=len(visits.names),
        customer=journeys.customer[journey],
        weight=None if journeys.weight is None else journeys.weight[journey],
        base=np.ones(len(journeys.outcome)),
        base_customer=journeys.customer,
        base_weight=journeys.weight,
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
    from cxjourney.domain import MISSING

    known = [name for name in names if name != MISSING]
    order = stage_order(known, stages)
    if order is None:
        raise InvalidValue.of("stages", f"give the order of the stages {known}", stages)
    ranks = [order.index(name) if name in order else -1 for name in names]
    return np.array(ranks, dtype=np.int64), order
