"""Where customers are lost: exit probabilities with open journeys counted as open."""

from __future__ import annotations

from cxjourney.dropoff.exit_points import Exits, exits

__all__ = ["Exits", "exits"]
