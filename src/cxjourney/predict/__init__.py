"""Prediction of journeys that are still running, and what to do next."""

from __future__ import annotations

from cxjourney.predict._actions import Recommendations
from cxjourney.predict._evaluate import evaluate
from cxjourney.predict._evaluation import Evaluation, Recommender
from cxjourney.predict._fit import fit
from cxjourney.predict._predictor import JourneyPredictor
from cxjourney.predict._simulate import simulated_graph as simulated_graph

__all__ = [
    "Evaluation",
    "JourneyPredictor",
    "Recommendations",
    "Recommender",
    "evaluate",
    "fit",
]


def __dir__() -> list[str]:
    return list(__all__)
