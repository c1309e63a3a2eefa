"""Credit of a rule: how journeys become an attribution, given what share each touch takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxjourney._support.validation import check_choice, check_level
from cxjourney.attribution._attribution import (
    Attribution,
    Credits,
    Of,
    attribution,
    check_whole_costs,
)
from cxjourney.attribution._touches import Touches, chosen_touches, touches_of
from cxjourney.journeys import (
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    grain_name,
    missing_note_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import timedelta

    from cxjourney._support.array_types import Floats
    from cxjourney.journeys import By, Journeys


def once_each(touches: Touches) -> Floats:
    """Return 1 for the first touch of each name in a journey, 0 for its later ones."""
    key = touches.journey * max(len(touches.names), 1) + touches.code
    _, first = np.unique(key, return_index=True)
    share = np.zeros(len(key))
    share[first] = 1.0
    return share


def distinct_names(touches: Touches) -> Floats:
    """Return the number of distinct names of each journey."""
    once = once_each(touches)
    return np.bincount(touches.journey, once, minlength=len(touches.worth)).astype(np.float64)


class Options(NamedTuple):
    """What every rule takes, as its user gave it."""

    by: By
    of: Of
    look_back: timedelta | str | None
    ignore: Collection[str]
    costs: Mapping[str, float] | None
    segment: SegmentBy | None
    level: float


def by_rule(
    model: str,
    shares: Callable[[Touches], Floats],
    journeys: Journeys,
    options: Options,
) -> Attribution | BySegment[Attribution]:
    """Return the attribution of a rule, whose `shares` are those of each touch in its journey."""
    check_journeys(journeys)
    check_level(options.level)
    check_choice(options.of, "of", ("conversions", "value"))
    if options.segment is not None:
        check_whole_costs(options.costs)
        return by_segment(
            journeys,
            options.segment,
            lambda part: _attributed(model, shares, part, options),
        )
    return _attributed(model, shares, journeys, options)


def _attributed(
    model: str,
    shares: Callable[[Touches], Floats],
    journeys: Journeys,
    options: Options,
) -> Attribution:
    journeys = chosen_touches(journeys, options.by, options.look_back, options.ignore)
    touches = touches_of(journeys, by=options.by, of=options.of)
    n = len(journeys)
    return attribution(
        Credits(names=touches.names, figures=touches.credits(shares(touches))),
        model=model,
        grain=grain_name(options.by),
        base_rate=next(iter(journeys.outcomes.values())) / n if n else float("nan"),
        unattributed=touches.unattributed,
        of=options.of,
        level=options.level,
        costs=options.costs,
        backend=journeys.log.backend,
        remarks=(*touches.remarks, *missing_note_of(journeys, options.by)),
    )
