"""From events to journeys: reading, preparing, auditing, cutting, and building the graph."""

from __future__ import annotations

from cxjourney.log.audit import LogAudit
from cxjourney.log.build import journey_graph
from cxjourney.log.columns import Coded, Columns
from cxjourney.log.flow import StepFlow, step_flow
from cxjourney.log.gaps import TransitionGaps
from cxjourney.log.inactivity import InactivitySuggestion
from cxjourney.log.ingest import Intake
from cxjourney.log.interaction_log import InteractionLog
from cxjourney.log.journeys import Journeys
from cxjourney.log.outcome import JourneyRules
from cxjourney.log.read import file_columns, read_csv, read_parquet
from cxjourney.log.shapes import Step, from_sequences, from_wide
from cxjourney.log.xes import read_xes

__all__ = [
    "Coded",
    "Columns",
    "InactivitySuggestion",
    "Intake",
    "InteractionLog",
    "JourneyRules",
    "Journeys",
    "LogAudit",
    "Step",
    "StepFlow",
    "TransitionGaps",
    "file_columns",
    "from_sequences",
    "from_wide",
    "journey_graph",
    "read_csv",
    "read_parquet",
    "read_xes",
    "step_flow",
]
