"""Times from a row to what comes later in its journey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney.journeys._outcomes import CONVERTED, mask_of

if TYPE_CHECKING:
    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys._journeys import Journeys


def until_next_us(journeys: Journeys, targets: Ints, row: Ints, journey: Ints) -> Floats:
    """Return how long after each row the next of some rows came in its journey [µs].

    Parameters
    ----------
    journeys
        The journeys; without times all takes none.
    targets
        The rows that may come, in order.
    row, journey
        Each row, and its journey; the row before the first of a journey is its beginning.

    Returns
    -------
    array of float
        Infinity where none came; a row is not after itself.
    """
    time = _times(journeys)
    following = np.append(targets, len(time))[np.searchsorted(targets, row, side="right")]
    there = following < journeys.offsets[1:][journey]
    when = time[np.minimum(following, len(time) - 1)]
    return np.where(there, when - _here(journeys, time, row, journey), np.inf)


def until_goal_us(journeys: Journeys, row: Ints, journey: Ints) -> Floats:
    """Return how long after each row its journey next reached a goal [µs]; as `until_next_us`.

    Where the goal ends a journey it is its end, otherwise the next goal, and none before the row.
    """
    if journeys.rules.absorbing:
        time = _times(journeys)
        took = time[journeys.offsets[1:][journey] - 1] - _here(journeys, time, row, journey)
        return np.where(journeys.outcome[journey] == CONVERTED, took, np.inf)
    return until_next_us(journeys, np.flatnonzero(goal_rows(journeys)), row, journey)


def goal_rows(journeys: Journeys) -> Bools:
    """Return which rows are goals."""
    return mask_of(journeys.columns, journeys.rules.goal)


def _times(journeys: Journeys) -> Ints:
    time = journeys.columns.time
    return np.zeros(len(journeys.columns), dtype=np.int64) if time is None else np.asarray(time)


def _here(journeys: Journeys, time: Ints, row: Ints, journey: Ints) -> Ints:
    return np.asarray(time[np.maximum(row, journeys.offsets[:-1][journey])])
