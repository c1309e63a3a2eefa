"""The typed objects that a person writes and reads: frozen, validated, hashable.

A list of `Interaction` is a complete input to every analysis.
"""

from __future__ import annotations

from cxjourney.domain.blueprint import BlueprintStep, JourneyBlueprint
from cxjourney.domain.channel import Channel, ChannelKind
from cxjourney.domain.customer import Account, Customer
from cxjourney.domain.interaction import Emotion, Interaction
from cxjourney.domain.journey import Journey, Outcome
from cxjourney.domain.stage import Stage, StageModel
from cxjourney.domain.terminals import CONVERSION, DROPOFF, MISSING, START
from cxjourney.domain.touchpoint import Touchpoint

__all__ = [
    "CONVERSION",
    "DROPOFF",
    "MISSING",
    "START",
    "Account",
    "BlueprintStep",
    "Channel",
    "ChannelKind",
    "Customer",
    "Emotion",
    "Interaction",
    "Journey",
    "JourneyBlueprint",
    "Outcome",
    "Stage",
    "StageModel",
    "Touchpoint",
]
