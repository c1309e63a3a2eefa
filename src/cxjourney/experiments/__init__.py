"""Experiments: arms dealt at random compared, how many customers it takes, plans and targets."""

from __future__ import annotations

from cxjourney._trend import Initiative, Target
from cxjourney.experiments._evaluation import Experiment, evaluate
from cxjourney.experiments._sizes import power, sample_size

__all__ = ["Experiment", "Initiative", "Target", "evaluate", "power", "sample_size"]


def __dir__() -> list[str]:
    return list(__all__)
