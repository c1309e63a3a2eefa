"""Experience: how customers felt where, what they expected, remember, and had to put up with."""

from __future__ import annotations

from cxjourney.experience.answers import BoundAnswers, bind_answers
from cxjourney.experience.curve import EmotionCurve, emotion_curve
from cxjourney.experience.disconfirmation import ExpectationGaps, expectation_gaps
from cxjourney.experience.inferred import InferredEffort, inferred_effort
from cxjourney.experience.memory import Remembered, peak_end
from cxjourney.experience.touchpoint_scores import TouchpointScores, scores

__all__ = [
    "BoundAnswers",
    "EmotionCurve",
    "ExpectationGaps",
    "InferredEffort",
    "Remembered",
    "TouchpointScores",
    "bind_answers",
    "emotion_curve",
    "expectation_gaps",
    "inferred_effort",
    "peak_end",
    "scores",
]
