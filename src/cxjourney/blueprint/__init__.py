"""Fit of journeys to a blueprint, and differences between blueprints."""

from __future__ import annotations

from cxjourney.blueprint._diff import BlueprintDiff, diff
from cxjourney.blueprint._fit import BlueprintFit, fit

__all__ = ["BlueprintDiff", "BlueprintFit", "diff", "fit"]


def __dir__() -> list[str]:
    return list(__all__)
