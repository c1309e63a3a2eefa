"""How customers move across channels, and whether the experience survives the move."""

from __future__ import annotations

from cxjourney.omnichannel._affinity import Affinity, affinity
from cxjourney.omnichannel._consistency import Consistency, consistency
from cxjourney.omnichannel._continuity import Continuity, continuity
from cxjourney.omnichannel._cross_channel_cost import SwitchCost, switch_cost
from cxjourney.omnichannel._entropy import Entropy, entropy
from cxjourney.omnichannel._handoff_loss import HandoffLoss, handoff_loss
from cxjourney.omnichannel._mutual_information import MutualInformation, mutual_information
from cxjourney.omnichannel._segments import by_segment
from cxjourney.omnichannel._switching import Switching, switching
from cxjourney.omnichannel._transitions import Transitions, transitions

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


def __dir__() -> list[str]:
    return list(__all__)
