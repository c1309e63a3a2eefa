"""Journeys as they were known at a date, and prefixes as journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.validation import duration_us
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import CONVERTED, IN_PROGRESS, Journeys, is_visit, kept_rows, visits_of
from cxjourney.kernels import ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Ints


def known_at(journeys: Journeys, at_us: int) -> Journeys:
    """Return what was known of journeys at a date: later rows are gone, and ends not yet come.

    Where cases are closed and no silence ends one, it had ended if its last row lies before.
    """
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - the caller has looked
    lengths, begin = np.diff(journeys.offsets), journeys.offsets[:-1]
    keep = time < at_us
    if not keep.any():
        raise InvalidValue.of("at", "lie after the first interaction", "a date before all of them")
    kept = np.add.reduceat(keep, begin).astype(np.int64)
    whole = kept == lengths
    last = time[journeys.offsets[1:] - 1]
    limit = journeys.rules.inactivity
    over = np.ones(len(kept), dtype=np.bool_)
    if limit is not None:
        over = last + duration_us(limit) <= at_us
        same = np.append(journeys.customer[1:] == journeys.customer[:-1], False)
        over |= same & np.append(time[begin][1:] < at_us, False)
    ended = whole & (journeys.absorbed | (journeys.outcome == CONVERTED) | over)
    outcome = np.where(ended, journeys.outcome, IN_PROGRESS).astype(np.int8)
    log = journeys.log
    until = at_us if log.observed_until_us is None else min(at_us, log.observed_until_us)
    some = np.flatnonzero(kept)
    return _of_rows(
        attrs.evolve(journeys, log=attrs.evolve(log, observed_until_us=until)),
        np.flatnonzero(keep),
        some,
        kept[some],
        outcome=outcome[some],
        absorbed=(journeys.absorbed & whole)[some],
    )


def prefix_journeys(journeys: Journeys, visits: Ints) -> Journeys:
    """Return the prefixes that end with some visits as journeys in progress, in their order."""
    row = np.flatnonzero(is_visit(journeys))[visits]
    journey = visits_of(journeys).journey[visits]
    lengths = row - journeys.offsets[journey] + 1
    return _of_rows(
        journeys,
        ranges(journeys.offsets[journey], lengths),
        journey,
        lengths,
        outcome=np.full(len(row), IN_PROGRESS, dtype=np.int8),
        absorbed=np.zeros(len(row), dtype=np.bool_),
    )


def _of_rows(
    journeys: Journeys,
    rows: Ints,
    index: Ints,
    lengths: Ints,
    *,
    outcome: NDArray[np.int8],
    absorbed: Bools,
) -> Journeys:
    """Return journeys of some rows, given which journey each is of, and how many rows it has."""
    return kept_rows(
        journeys,
        index,
        rows,
        lengths,
        outcome=outcome,
        absorbed=absorbed,
        number=None,
        weight=None,
        value=np.where(outcome == CONVERTED, journeys.value[index], np.nan),
    )
