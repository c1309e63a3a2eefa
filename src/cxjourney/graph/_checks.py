"""Checks that an argument is a journey graph, and that the counts of one add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import networkx as nx

from cxjourney.exceptions import InvalidValue, NotAFlow

if TYPE_CHECKING:
    from cxjourney.graph._journey_graph import JourneyGraph


def check_graph(graph: nx.Graph[Any]) -> None:
    """Raise InvalidValue where this is no graph."""
    if not isinstance(graph, nx.Graph):
        rule = "be a JourneyGraph, as journeys.graph() makes"
        raise InvalidValue.of("graph", rule, graph)


def check_flow(self: JourneyGraph) -> None:
    """Raise NotAFlow, naming the node, unless counts add up at every node.

    Raises
    ------
    NotAFlow
        If they do not: the graph is a subgraph, was filtered or was edited.
    """
    for name, node in self.nodes(data=True):
        came = sum(data.get("count", 0) for _, _, data in self.in_edges(name, data=True))
        left = sum(data.get("count", 0) for _, _, data in self.out_edges(name, data=True))
        visits = node.get("visits")
        kind = node.get("kind")
        incoming = visits if kind == "start" else came
        outgoing = visits if kind in {"conversion", "dropoff"} else left + node.get("censored", 0)
        if not visits == incoming == outgoing:
            raise NotAFlow(
                f"counts do not add up at {name!r}: it has {visits} visits, {came} come in, "
                f"{left} go on or end and {node.get('censored', 0)} are censored; compute on "
                "the whole graph (a subgraph or a filtered graph is for drawing)",
                node=str(name),
            )
