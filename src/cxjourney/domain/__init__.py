"""The typed objects that a person writes and reads: frozen, validated, hashable.

A list of `Interaction` is a complete input to every analysis.
"""

from __future__ import annotations

from cxjourney.domain._blueprint import BlueprintStep, JourneyBlueprint
from cxjourney.domain._blueprint import check_blueprint as check_blueprint
from cxjourney.domain._channel import Channel, ChannelKind
from cxjourney.domain._customer import Account, Customer
from cxjourney.domain._interaction import Emotion, Interaction
from cxjourney.domain._journey import Journey, Outcome
from cxjourney.domain._plain import from_plain as from_plain
from cxjourney.domain._plain import to_plain as to_plain
from cxjourney.domain._stage import Stage, StageModel
from cxjourney.domain._stage import stage_order as stage_order
from cxjourney.domain._stage import standard_model as standard_model
from cxjourney.domain._terminals import CONVERSION, DROPOFF, MISSING, START
from cxjourney.domain._terminals import TERMINALS as TERMINALS
from cxjourney.domain._terminals import check_not_reserved as check_not_reserved
from cxjourney.domain._touchpoint import Touchpoint

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


def __dir__() -> list[str]:
    return list(__all__)
