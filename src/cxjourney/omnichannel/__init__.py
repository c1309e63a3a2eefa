"""How customers move across channels, and whether the experience survives the move."""

from __future__ import annotations

from cxjourney.omnichannel.handoff import HandoffLoss, handoff_loss
from cxjourney.omnichannel.information import (
    Entropy,
    MutualInformation,
    entropy,
    mutual_information,
)
from cxjourney.omnichannel.matrix import Transitions, transitions
from cxjourney.omnichannel.switches import Switching, switching

__all__ = [
    "Entropy",
    "HandoffLoss",
    "MutualInformation",
    "Switching",
    "Transitions",
    "entropy",
    "handoff_loss",
    "mutual_information",
    "switching",
    "transitions",
]
