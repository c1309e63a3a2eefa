"""Checks that an argument is a journey graph."""

from __future__ import annotations

from typing import Any

import networkx as nx

from cxjourney.exceptions import InvalidValue


def check_graph(graph: nx.Graph[Any]) -> None:
    """Raise InvalidValue where this is no graph."""
    if not isinstance(graph, nx.Graph):
        rule = "be a JourneyGraph, as journeys.graph() makes"
        raise InvalidValue.of("graph", rule, graph)
