"""Report on a log as text and as one HTML page, and the journey map."""

from __future__ import annotations

from cxjourney.report._build import build
from cxjourney.report._journey_map import JourneyMap, journey_map
from cxjourney.report._lanes import Lane as Lane
from cxjourney.report._lanes import MapEntry
from cxjourney.report._network import graph_html as graph_html
from cxjourney.report._page import Drawing as Drawing
from cxjourney.report._page import Figure as Figure
from cxjourney.report._page import Part as Part
from cxjourney.report._page import Picture as Picture
from cxjourney.report._page import Report
from cxjourney.report._page import Section as Section
from cxjourney.report._sections import STEPS as STEPS

__all__ = [
    "JourneyMap",
    "MapEntry",
    "Report",
    "build",
    "journey_map",
]


def __dir__() -> list[str]:
    return list(__all__)
