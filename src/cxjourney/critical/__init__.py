"""Critical points: touchpoints that decide, hurt, and pay most when they are fixed."""

from __future__ import annotations

from cxjourney.critical._bottlenecks import Bottlenecks, bottlenecks
from cxjourney.critical._centralities import Centralities, centralities
from cxjourney.critical._drivers import Drivers, drivers, moments_of_truth
from cxjourney.critical._grain import reach_figures as reach_figures
from cxjourney.critical._grain import repeated as repeated
from cxjourney.critical._importance_performance import ImportancePerformance, importance_performance
from cxjourney.critical._must_pass import MustPass, must_pass
from cxjourney.critical._points import CriticalPoints, points
from cxjourney.critical._reasons import Reason
from cxjourney.critical._rework import Rework, rework

__all__ = [
    "Bottlenecks",
    "Centralities",
    "CriticalPoints",
    "Drivers",
    "ImportancePerformance",
    "MustPass",
    "Reason",
    "Rework",
    "bottlenecks",
    "centralities",
    "drivers",
    "importance_performance",
    "moments_of_truth",
    "must_pass",
    "points",
    "rework",
]


def __dir__() -> list[str]:
    return list(__all__)
