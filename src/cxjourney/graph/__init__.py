"""Journey graph: a `networkx.DiGraph` of directly-follows counts."""

from __future__ import annotations

from cxjourney.graph._checks import check_graph as check_graph
from cxjourney.graph._journey_graph import JourneyGraph
from cxjourney.graph._life_table import life_table as life_table
from cxjourney.graph._tables import stage_columns as stage_columns

__all__ = ["JourneyGraph"]


def __dir__() -> list[str]:
    return list(__all__)
