"""Where customers are lost: exit probabilities with open journeys counted as open, and funnels."""

from __future__ import annotations

from cxjourney.dropoff._explanation import Explanation
from cxjourney.dropoff.exit_points import Exits, exits
from cxjourney.dropoff.funnel_analysis import Funnel, funnel
from cxjourney.dropoff.inactivity_limits import Sensitivity, sensitivity
from cxjourney.dropoff.semantics import Semantics
from cxjourney.dropoff.steps import Exclusion, Step

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
