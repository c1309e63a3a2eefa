"""The journey graph: built from counts, read by the chain, exported for drawing."""

from __future__ import annotations

from cxjourney.graph.absorbing import AbsorbingChain, Moments
from cxjourney.graph.journey_graph import JourneyGraph
from cxjourney.graph.life_table import life_table

__all__ = ["AbsorbingChain", "JourneyGraph", "Moments", "life_table"]
