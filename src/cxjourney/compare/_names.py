"""Names of two sets of journeys: what tells them apart, or when they were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

__all__ = ["NO_NAMES", "names_of"]

NO_NAMES = ("first", "second")


def names_of(first: Journeys, second: Journeys) -> tuple[str, str]:
    """Return what to call two sets of journeys.

    That is the value of an attribute of which each has one of its own, else the dates of periods of
    which one is over when the other begins, else "first" and "second".
    """
    sides = (first, second)
    if not all(len(side.outcome) for side in sides):
        return NO_NAMES
    known = [{*side.log.customer_attributes, *side.columns.attributes} for side in sides]
    for name in sorted(known[0] & known[1]):
        coded = [side.segment(name) for side in sides]
        codes = [np.unique(one.codes) for one in coded]
        if all(len(one) == 1 and one[0] >= 0 for one in codes):
            a, b = (str(one.names[i[0]]) for one, i in zip(coded, codes, strict=True))
            if a != b:
                return a, b
    periods = []
    for side in sides:
        time, some = side.columns.time, np.diff(side.offsets) > 0
        if time is None or not some.any():
            return NO_NAMES
        begun = time[side.offsets[:-1][some]]
        periods.append((int(begun.min()), int(begun.max())))
    (a0, a1), (b0, b1) = periods
    dates = [" to ".join(_date(us) for us in period) for period in periods]
    apart = (a1 < b0 or b1 < a0) and dates[0] != dates[1]
    return (dates[0], dates[1]) if apart else NO_NAMES


def _date(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, tz=UTC).date().isoformat()
