"""Drop-off: exit probabilities with journeys in progress censored, and funnels."""

from __future__ import annotations

from cxjourney.dropoff._exits import Exits, exits
from cxjourney.dropoff._explanation import Explanation
from cxjourney.dropoff._first_visits import FirstVisits as FirstVisits
from cxjourney.dropoff._first_visits import check_reaching as check_reaching
from cxjourney.dropoff._first_visits import first_visits_of as first_visits_of
from cxjourney.dropoff._first_visits import window_of as window_of
from cxjourney.dropoff._funnel import funnel
from cxjourney.dropoff._funnel_counts import FunnelCounts as FunnelCounts
from cxjourney.dropoff._funnel_result import Funnel
from cxjourney.dropoff._lost_conversions import lost_of_journeys as lost_of_journeys
from cxjourney.dropoff._rates import NodeRates as NodeRates
from cxjourney.dropoff._rates import rates_of_journeys as rates_of_journeys
from cxjourney.dropoff._semantics import Semantics
from cxjourney.dropoff._sensitivity import Sensitivity, sensitivity
from cxjourney.dropoff._steps import Exclusion, Step
from cxjourney.dropoff._steps import StepLike as StepLike

__all__ = [
    "Exclusion",
    "Exits",
    "Explanation",
    "Funnel",
    "Semantics",
    "Sensitivity",
    "Step",
    "exits",
    "funnel",
    "sensitivity",
]


def __dir__() -> list[str]:
    return list(__all__)
