"""Experience: feelings, expectations, memory and effort of customers, bound to touchpoints."""

from __future__ import annotations

from cxjourney.experience._answers import BoundAnswers, bind_answers
from cxjourney.experience._emotion_curve import EmotionCurve, emotion_curve
from cxjourney.experience._expectation_gaps import ExpectationGaps, expectation_gaps
from cxjourney.experience._exposures import Exposures, exposures
from cxjourney.experience._feedback import Feedback, FeedbackFigures
from cxjourney.experience._history import History, history
from cxjourney.experience._inferred_effort import InferredEffort, inferred_effort
from cxjourney.experience._peak_end import Remembered, peak_end
from cxjourney.experience._scores import TouchpointScores, scores
from cxjourney.experience._scores import measured as measured
from cxjourney.experience._scores import shrunken_means as shrunken_means

__all__ = [
    "BoundAnswers",
    "EmotionCurve",
    "ExpectationGaps",
    "Exposures",
    "Feedback",
    "FeedbackFigures",
    "History",
    "InferredEffort",
    "Remembered",
    "TouchpointScores",
    "bind_answers",
    "emotion_curve",
    "expectation_gaps",
    "exposures",
    "history",
    "inferred_effort",
    "peak_end",
    "scores",
]


def __dir__() -> list[str]:
    return list(__all__)
