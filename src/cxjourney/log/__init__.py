"""From events to journeys: reading, preparing, auditing, cutting, and building the graph."""

from __future__ import annotations

from cxjourney.log.build import journey_graph
from cxjourney.log.columns import Coded, Columns
from cxjourney.log.ingest import Intake
from cxjourney.log.interaction_log import InteractionLog
from cxjourney.log.journeys import Journeys
from cxjourney.log.outcome import JourneyRules

__all__ = [
    "Coded",
    "Columns",
    "Intake",
    "InteractionLog",
    "JourneyRules",
    "Journeys",
    "journey_graph",
]
