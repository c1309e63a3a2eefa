"""Observed journeys against the journey as designed, and one design against another."""

from __future__ import annotations

from cxjourney.blueprint.changes import BlueprintDiff, diff
from cxjourney.blueprint.conformance import BlueprintFit, fit

__all__ = ["BlueprintDiff", "BlueprintFit", "diff", "fit"]
