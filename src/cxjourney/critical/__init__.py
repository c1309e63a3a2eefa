"""Critical points: which touchpoints decide, hurt, and are worth mending first."""

from __future__ import annotations

from cxjourney.critical._reasons import Reason
from cxjourney.critical.centrality import Centralities, centralities
from cxjourney.critical.delays import Bottlenecks, bottlenecks
from cxjourney.critical.dominance import MustPass, must_pass
from cxjourney.critical.key_drivers import Drivers, driver_scores, drivers, moments_of_truth
from cxjourney.critical.loops import Rework, rework
from cxjourney.critical.pain import PainPoints, pain_points
from cxjourney.critical.performance import ImportancePerformance, importance_performance
from cxjourney.critical.priorities import CriticalPoints, points

__all__ = [
    "Bottlenecks",
    "Centralities",
    "CriticalPoints",
    "Drivers",
    "ImportancePerformance",
    "MustPass",
    "PainPoints",
    "Reason",
    "Rework",
    "bottlenecks",
    "centralities",
    "driver_scores",
    "drivers",
    "importance_performance",
    "moments_of_truth",
    "must_pass",
    "pain_points",
    "points",
    "rework",
]
