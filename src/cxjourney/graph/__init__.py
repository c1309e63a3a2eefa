"""The journey graph: built from counts, read by the chain, exported for drawing."""

from __future__ import annotations

from cxjourney.graph.absorbing import AbsorbingChain, Moments
from cxjourney.graph.journey_graph import JourneyGraph
from cxjourney.graph.life_table import life_table
from cxjourney.graph.order import LocalMemory, OrderSelection, local_memory, order_selection
from cxjourney.graph.states import HigherOrder, higher_order
from cxjourney.graph.tables import edge_table, node_table

__all__ = [
    "AbsorbingChain",
    "HigherOrder",
    "JourneyGraph",
    "LocalMemory",
    "Moments",
    "OrderSelection",
    "edge_table",
    "higher_order",
    "life_table",
    "local_memory",
    "node_table",
    "order_selection",
]
