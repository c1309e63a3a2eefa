"""Answers, feelings, order values and durations of the simulated customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney.datasets import _retailer as retailer
from cxjourney.datasets._chain import GOAL, PLACES, STAGES, Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Floats
    from cxjourney.datasets._simulation import Contacts, People

_ASKED = 0.25  # share of contacts with a survey answer
_EXPECTED = 0.6  # share of those that also say what was expected
_CODED = 0.3  # share of contacts whose feelings were coded from text or speech
_GOAL_QUALITY = 8.0
_DRIFT = -2.0  # change of quality over the year at the drifting touchpoint
_LEAVING = -1.0  # what those who leave give less
_PLANTED = -1.2  # what a planted excess of exits costs in quality


def draw_answers(
    chain: Chain, people: People, contacts: Contacts, rng: np.random.Generator
) -> dict[str, Floats]:
    """Return score, expectation, emotion, value and duration of each contact, NaN where unknown.

    Satisfaction is the touchpoint's quality and the customer's mood, lower where a planted truth
    bites, where the customer is about to leave, and ever lower at the drifting touchpoint. Scores
    and expectations are whole points from 0 to 10, emotions valences from −1 to 1.
    """
    size = len(contacts.place)
    satisfaction = _quality(chain)[contacts.place] + people.mood[contacts.customer]
    satisfaction += _LEAVING * (contacts.left & (contacts.place != GOAL))
    satisfaction += _PLANTED * (contacts.handoff & (chain.handoff_excess > 0))
    drifts = contacts.place == PLACES.index(retailer.DRIFTING_PLACE)
    satisfaction += _DRIFT * contacts.year * drifts
    satisfaction += rng.normal(0, 1.2, size)

    open_to_answer = chain.stage[contacts.place] != STAGES.index(retailer.NO_ANSWERS)
    asked = open_to_answer & (rng.random(size) < _ASKED)
    expected = asked & (rng.random(size) < _EXPECTED)
    expectation = 7.2 + 0.5 * people.mood[contacts.customer] + rng.normal(0, 0.9, size)
    coded = open_to_answer & (rng.random(size) < _CODED)
    valence = np.clip((satisfaction - 6.5) / 3.5 + rng.normal(0, 0.15, size), -1, 1)
    value = np.round(62.0 * rng.lognormal(0, 0.6, size), 2)
    return {
        "score": _where(asked, _points(satisfaction)),
        "expectation": _where(expected, _points(expectation)),
        "emotion": _where(coded, np.round(valence, 2)),
        "value": _where(contacts.place == GOAL, value),
        "duration_us": _durations(contacts, rng),
    }


def _quality(chain: Chain) -> Floats:
    """Return the mean satisfaction by touchpoint code; a critical one that is on is worse."""
    declared = np.array([place.quality for place in retailer.PLACES.values()] + [_GOAL_QUALITY])
    base = np.array([place.exit for place in retailer.PLACES.values()] + [retailer.GOAL_PAUSE])
    quality: Floats = declared + _PLANTED * (chain.exits > base)
    return quality


def _where(known: Bools, values: NDArray[np.floating]) -> Floats:
    return np.where(known, values, np.nan)


def _points(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.clip(np.round(values), 0, 10)


def _durations(contacts: Contacts, rng: np.random.Generator) -> Floats:
    """Return durations [µs], not longer than the time to the customer's next contact."""
    median = np.array([place.minutes for place in retailer.PLACES.values()] + [0.0])
    minutes = median[contacts.place] * np.exp(rng.normal(0, 0.5, len(contacts.place)))
    until_next = np.append(np.diff(contacts.time_s), np.iinfo(np.int64).max)
    last = np.append(np.diff(contacts.customer) != 0, True)
    seconds = np.minimum(np.round(60 * minutes), np.where(last, np.inf, until_next))
    return _where(minutes > 0, seconds * 1e6)
