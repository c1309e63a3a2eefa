"""Critical points: which touchpoints decide, hurt, and are worth mending first."""

from __future__ import annotations

from cxjourney.critical._reasons import Reason
from cxjourney.critical.delays import Bottlenecks, bottlenecks
from cxjourney.critical.dominance import MustPass, must_pass
from cxjourney.critical.loops import Rework, rework
from cxjourney.critical.priorities import CriticalPoints, points

__all__ = [
    "Bottlenecks",
    "CriticalPoints",
    "MustPass",
    "Reason",
    "Rework",
    "bottlenecks",
    "must_pass",
    "points",
    "rework",
]
