"""How customers move across channels, and whether the experience survives the move."""

from __future__ import annotations

from cxjourney.omnichannel.matrix import Transitions, transitions

__all__ = ["Transitions", "transitions"]
