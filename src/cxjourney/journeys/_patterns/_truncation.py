"""Journeys cut between the matches of two patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._kept import kept_rows
from cxjourney.journeys._outcomes import IN_PROGRESS
from cxjourney.journeys._patterns._pattern import Occurrence, Pattern, points_of
from cxjourney.kernels import ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys._journeys import Journeys

J = TypeVar("J", bound="Journeys")


def truncated(
    journeys: J,
    start: Sequence[Pattern] | None,
    end: Sequence[Pattern] | None,
    occurrence: Occurrence,
) -> J:
    """Return the part of each journey from a match of one of some patterns to one of others.

    The second is looked for from the first on. Where an end was cut off, all are in
    progress and outcomes undetermined.
    """
    if start is None and end is None:
        raise InvalidValue("truncate must be given start=, end= or both")
    if start is not None:
        first = points_of(journeys, start, occurrence)
        journeys = _between(journeys, first, journeys.offsets[1:], first >= 0)
    if end is not None:
        last = points_of(journeys, end, occurrence, end=True)
        journeys = _between(journeys, journeys.offsets[:-1], last + 1, last >= 0)
    return journeys


def _between(journeys: J, begin: Ints, stop: Ints, keep: Bools) -> J:
    """Return some journeys, of each the rows [begin, stop)."""
    cut_off = bool(np.any(keep & (stop < journeys.offsets[1:])))
    lengths = (stop - begin)[keep]
    kept = kept_rows(journeys, np.flatnonzero(keep), ranges(begin[keep], lengths), lengths)
    if not cut_off:
        return kept
    # how some went on is not among their rows: no rule may tell the outcome of any
    rules = attrs.evolve(
        journeys.rules, goal=(), exit_touchpoints=(), inactivity=None, all_closed=False,
        truncated=True,
    )  # fmt: skip
    n = len(lengths)
    return attrs.evolve(
        kept,
        outcome=np.full(n, IN_PROGRESS, dtype=np.int8),
        absorbed=np.zeros(n, dtype=np.bool_),
        value=np.full(n, np.nan),
        rules=rules,
    )
