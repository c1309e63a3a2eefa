"""How customers move across channels, and whether the experience survives the move."""

from __future__ import annotations

from cxjourney.omnichannel.diversity import Entropy, entropy
from cxjourney.omnichannel.evenness import Consistency, consistency
from cxjourney.omnichannel.handoff import HandoffLoss, handoff_loss
from cxjourney.omnichannel.information import MutualInformation, mutual_information
from cxjourney.omnichannel.lift import Affinity, affinity
from cxjourney.omnichannel.matrix import Transitions, transitions
from cxjourney.omnichannel.seams import Continuity, continuity
from cxjourney.omnichannel.segments import by_segment
from cxjourney.omnichannel.surcharge import SwitchCost, switch_cost
from cxjourney.omnichannel.switches import Switching, switching

__all__ = [
    "Affinity",
    "Consistency",
    "Continuity",
    "Entropy",
    "HandoffLoss",
    "MutualInformation",
    "SwitchCost",
    "Switching",
    "Transitions",
    "affinity",
    "by_segment",
    "consistency",
    "continuity",
    "entropy",
    "handoff_loss",
    "mutual_information",
    "switch_cost",
    "switching",
    "transitions",
]
