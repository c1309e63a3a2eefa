"""Credit of a rule: how journeys become an attribution, given what share each touch takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cxjourney._support.validation import check_choice, check_level, check_names
from cxjourney.attribution._attribution import (
    Attribution,
    Credits,
    Of,
    attribution,
    check_whole_costs,
)
from cxjourney.attribution._counted_credits import CountedCredits
from cxjourney.attribution._touches import (
    CountedTouches,
    Touches,
    chosen_touches,
    touches_of,
    touches_of_statistics,
)
from cxjourney.domain import Outcome
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    SegmentBy,
    by_segment,
    check_counted,
    check_journeys,
    grain_name,
    missing_note_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import timedelta

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._support.array_types import Floats
    from cxjourney.attribution._counted_credits import TouchCounts
    from cxjourney.attribution._touches import Places
    from cxjourney.journeys import By, Journeys

    Counted = tuple[TouchCounts, Callable[[CountedCredits], BucketFigures]]


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
    shares: Callable[[Places], Floats],
    journeys: Journeys | JourneyStatistics,
    options: Options,
    *,
    named: bool = False,
    counted: Counted | None = None,
) -> Attribution | BySegment[Attribution]:
    """Return the attribution of a rule, whose `shares` are those of touches by their places.

    With `named`, each name of a journey is one touch. `counted` is what a rule counts into
    statistics where it depends on options, and its credits then.
    """

    def of_journeys(part: Journeys) -> Attribution:
        chosen = chosen_touches(part, options.by, options.look_back, options.ignore)
        touches = touches_of(chosen, by=options.by, of=options.of)
        share = shares(touches.places(named=named))
        return attributed(model, touches, touches.credits(share), chosen, options)

    options = options._replace(ignore=check_names(options.ignore, "ignore"))
    rows = {} if counted else {"look_back": options.look_back, "ignore": options.ignore or None}
    whole = check_counted(journeys, **rows)
    check_level(options.level)
    check_choice(options.of, "of", ("conversions", "value"))
    if options.segment is not None:
        check_whole_costs(options.costs)
        return by_segment(check_journeys(journeys), options.segment, of_journeys)
    if not isinstance(whole, JourneyStatistics):
        return of_journeys(whole)
    if counted is not None:
        of = CountedCredits.of(whole, counted[0], options.of)
        return attributed(model, of, counted[1](of), whole, options)
    found = touches_of_statistics(whole, by=options.by, of=options.of, named=named)
    return attributed(model, found, found.credits(shares(found.where)), whole, options)


def attributed(
    model: str,
    touches: Touches | CountedTouches | CountedCredits,
    figures: BucketFigures,
    journeys: Journeys | JourneyStatistics,
    options: Options,
    *,
    signed: bool = False,
    sampling_error: Floats | None = None,
) -> Attribution:
    """Return the attribution of a rule, given the credits of the names; see `Credits`."""
    n, remarks = len(journeys), touches.remarks
    if not isinstance(touches, CountedCredits):
        remarks = (*remarks, *missing_note_of(journeys, options.by))
    return attribution(
        Credits(
            names=touches.names,
            figures=figures,
            extra={} if sampling_error is None else {"sampling_error": sampling_error},
            signed=signed,
            certain=sampling_error is None,
        ),
        model=model,
        grain=grain_name(options.by),
        base_rate=journeys.outcomes[Outcome.CONVERTED] / n if n else float("nan"),
        unattributed=touches.unattributed,
        of=options.of,
        level=options.level,
        costs=options.costs,
        backend=journeys.backend,
        remarks=remarks,
    )
