"""Reports: the analyses that everyone asks for first, as text and as one HTML page."""

from __future__ import annotations

from cxjourney.report._build import build
from cxjourney.report._journey_map import JourneyMap, journey_map
from cxjourney.report._lanes import Lane, MapEntry
from cxjourney.report._page import Drawing, Figure, Part, Picture, Report, Section
from cxjourney.report._sections import STEPS as STEPS

__all__ = [
    "Drawing",
    "Figure",
    "JourneyMap",
    "Lane",
    "MapEntry",
    "Part",
    "Picture",
    "Report",
    "Section",
    "build",
    "journey_map",
]


def __dir__() -> list[str]:
    return list(__all__)
