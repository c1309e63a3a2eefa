"""The mean value of a conversion, by which lost conversions are valued."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cxjourney.domain import CONVERSION
from cxjourney.journeys._journeys import Journeys

if TYPE_CHECKING:
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys._adding import JourneyStatistics


def mean_value(journeys: Journeys | JourneyStatistics) -> float:
    """Return the mean value of a conversion, weights counted; NaN where none is known."""
    if not isinstance(journeys, Journeys):
        from cxjourney.journeys._adding import mean_worth

        return mean_worth(journeys)
    known = ~np.isnan(journeys.value)
    if not known.any():
        return math.nan
    weights = None if journeys.weight is None else journeys.weight[known]
    return float(np.average(journeys.value[known], weights=weights))


def mean_value_of_graph(graph: JourneyGraph) -> float:
    """Return the mean value of the transitions into a conversion; NaN where none is known."""
    if CONVERSION not in graph:
        return math.nan
    into = [edge for *_, edge in graph.in_edges(CONVERSION, data=True) if "value_sum" in edge]
    count = sum(edge["count"] for edge in into)
    return float(sum(edge["value_sum"] for edge in into) / count) if count else math.nan
