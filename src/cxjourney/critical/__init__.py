"""Critical points: which touchpoints decide, hurt, and are worth mending first."""

from __future__ import annotations

from cxjourney.critical.priorities import CriticalPoints, points

__all__ = ["CriticalPoints", "points"]
