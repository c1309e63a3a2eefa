"""Journeys as they run: interactions come one by one, and states and statistics are at hand."""

from __future__ import annotations

from cxjourney.live._state import JourneyState
from cxjourney.live._state import Predictor as Predictor
from cxjourney.live._tracker import JourneyTracker

__all__ = ["JourneyState", "JourneyTracker"]


def __dir__() -> list[str]:
    return list(__all__)
