"""Contributions of channels or touchpoints to the conversions, exact and with intervals."""

from __future__ import annotations

from cxjourney.attribution._attribution import Attribution
from cxjourney.attribution._comparison import ModelComparison, compare_models
from cxjourney.attribution._counted_credits import ShapleyCounts as ShapleyCounts
from cxjourney.attribution._counted_credits import TimeDecayCounts as TimeDecayCounts
from cxjourney.attribution._markov import forgotten as forgotten
from cxjourney.attribution._markov import markov
from cxjourney.attribution._rules import (
    first_touch,
    last_touch,
    linear,
    participation,
    position_based,
    time_decay,
)
from cxjourney.attribution._shapley import OrderedCredit, shapley, shapley_by_position

__all__ = [
    "Attribution",
    "ModelComparison",
    "OrderedCredit",
    "compare_models",
    "first_touch",
    "last_touch",
    "linear",
    "markov",
    "participation",
    "position_based",
    "shapley",
    "shapley_by_position",
    "time_decay",
]


def __dir__() -> list[str]:
    return list(__all__)
