"""Experience: how customers felt where, what they expected, remember, and had to put up with."""

from __future__ import annotations

from cxjourney.experience.touchpoint_scores import TouchpointScores, scores

__all__ = ["TouchpointScores", "scores"]
