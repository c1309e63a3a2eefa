"""Transitions between channels, hand-offs, and what crossing channels costs."""

from __future__ import annotations

from cxjourney.omnichannel._affinity import Affinity, affinity
from cxjourney.omnichannel._channel_entropy import ChannelEntropy, channel_entropy
from cxjourney.omnichannel._consistency import Consistency, consistency
from cxjourney.omnichannel._continuity import Continuity, continuity
from cxjourney.omnichannel._cross_channel_cost import CrossChannelCost, cross_channel_cost
from cxjourney.omnichannel._handoff_counts import HandoffCounts as HandoffCounts
from cxjourney.omnichannel._handoff_loss import HandoffLoss, handoff_loss
from cxjourney.omnichannel._mutual_information import MutualInformation, mutual_information
from cxjourney.omnichannel._switching import Switching, switching
from cxjourney.omnichannel._transitions import Transitions, transitions

__all__ = [
    "Affinity",
    "ChannelEntropy",
    "Consistency",
    "Continuity",
    "CrossChannelCost",
    "HandoffLoss",
    "MutualInformation",
    "Switching",
    "Transitions",
    "affinity",
    "channel_entropy",
    "consistency",
    "continuity",
    "cross_channel_cost",
    "handoff_loss",
    "mutual_information",
    "switching",
    "transitions",
]


def __dir__() -> list[str]:
    return list(__all__)
