"""How customers move across channels, and whether the experience survives the move."""

from __future__ import annotations

from cxjourney.omnichannel.handoff import HandoffLoss, handoff_loss
from cxjourney.omnichannel.matrix import Transitions, transitions

__all__ = ["HandoffLoss", "Transitions", "handoff_loss", "transitions"]
