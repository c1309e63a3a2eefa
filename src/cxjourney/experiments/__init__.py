"""Experiments: arms that were dealt at random compared, and how many customers it takes."""

from __future__ import annotations

from cxjourney.experiments._evaluation import Experiment, evaluate
from cxjourney.experiments._sizes import power, sample_size

__all__ = ["Experiment", "evaluate", "power", "sample_size"]


def __dir__() -> list[str]:
    return list(__all__)
