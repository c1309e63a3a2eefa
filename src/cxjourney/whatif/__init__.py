"""Scenarios: fewer customers leave, some are led elsewhere, or a touchpoint is gone."""

from __future__ import annotations

from cxjourney.whatif._interventions import bypass, reduce_exit, remove, reroute
from cxjourney.whatif._levers import Levers, levers
from cxjourney.whatif._scenario import Scenario, baseline

__all__ = [
    "Levers",
    "Scenario",
    "baseline",
    "bypass",
    "levers",
    "reduce_exit",
    "remove",
    "reroute",
]


def __dir__() -> list[str]:
    return list(__all__)
