"""Attribution by rule: each converting journey divides its worth among its touches.

Rules say what is counted, not what caused it. They are here because dashboards show them, and
because beside a model they show where the choice matters.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Unpack, overload

import numpy as np

from cxjourney._support.validation import (
    check_duration,
    check_flag,
    check_fraction,
    check_names,
)
from cxjourney._support.words import how_long
from cxjourney.attribution._counted_credits import (
    CountedCredits,
    TimeDecayCounts,
    decayed_shares,
)
from cxjourney.attribution._rule_credits import Options, by_rule
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import BySegment, JourneyStatistics, SegmentBy, check_journeys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cxjourney._support.array_types import Floats
    from cxjourney.attribution._attribution import Attribution, Of, RuleOptions
    from cxjourney.attribution._touches import Places
    from cxjourney.journeys import By, Journeys


@overload
def first_touch(
    journeys: Journeys | JourneyStatistics, *, segment: None = None, **options: Unpack[RuleOptions]
) -> Attribution: ...
@overload
def first_touch(
    journeys: Journeys | JourneyStatistics, *, segment: SegmentBy, **options: Unpack[RuleOptions]
) -> BySegment[Attribution]: ...
def first_touch(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit each conversion to the first touch of its journey.

    Parameters
    ----------
    journeys
        The journeys, aggregated paths, or statistics that add up, all touches of which count.
    by
        What is credited: "touchpoint", "channel", "stage", "owner", or a pair of them.
    of
        Credit the number of "conversions" or their "value".
    look_back
        Leave out touches older than this before the conversion; None leaves out none.
    ignore
        Names that get credit only where the journey has no other: `{"direct"}` gives the "last
        non-direct touch", `{cx.MISSING}` leaves out touches whose name was not recorded.
    costs
        Money spent by name; adds cost and return to the table.
    segment, level
        An attribute of customers or interactions; the result is then one of each segment; and the
        confidence level of the intervals, in (0, 1).

    Returns
    -------
    Attribution, or BySegment of them

    Raises
    ------
    UnknownName
        If the log has no such column, or `costs` an unknown name.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["search"], ["search", "social", "email"]], converted=[2, 5], channels=True
    ... )
    >>> dict(cx.attribution.first_touch(journeys).credit)["search"]
    7.0
    """

    def shares(places: Places) -> Floats:
        return places.first.astype(np.float64)

    return by_rule(
        "first touch", shares, journeys, Options(by, of, look_back, ignore, costs, segment, level)
    )


@overload
def last_touch(
    journeys: Journeys | JourneyStatistics, *, segment: None = None, **options: Unpack[RuleOptions]
) -> Attribution: ...
@overload
def last_touch(
    journeys: Journeys | JourneyStatistics, *, segment: SegmentBy, **options: Unpack[RuleOptions]
) -> BySegment[Attribution]: ...
def last_touch(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit each conversion to the last touch before it.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`.

    Returns
    -------
    Attribution, or BySegment of them

    Raises
    ------
    UnknownName
        If the log has no such column, or `costs` an unknown name.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["search", "direct"], ["direct"]], converted=[2, 3], channels=True
    ... )
    >>> result = cx.attribution.last_touch(journeys, ignore={"direct"})
    >>> dict(result.credit)
    {'direct': 3.0, 'search': 2.0}
    """
    ignore = check_names(ignore, "ignore")

    def shares(places: Places) -> Floats:
        return places.last.astype(np.float64)

    name = f"last touch but {', '.join(sorted(ignore))}" if ignore else "last touch"
    return by_rule(
        name, shares, journeys, Options(by, of, look_back, ignore, costs, segment, level)
    )


@overload
def linear(
    journeys: Journeys | JourneyStatistics,
    *,
    distinct: bool = False,
    segment: None = None,
    **options: Unpack[RuleOptions],
) -> Attribution: ...
@overload
def linear(
    journeys: Journeys | JourneyStatistics,
    *,
    distinct: bool = False,
    segment: SegmentBy,
    **options: Unpack[RuleOptions],
) -> BySegment[Attribution]: ...
def linear(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    of: Of = "conversions",
    distinct: bool = False,
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit all touches of a journey alike.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`.
    distinct
        Whether a name counts once a journey, however often it was touched.

    Returns
    -------
    Attribution, or BySegment of them

    Raises
    ------
    UnknownName
        If the log has no such column, or `costs` an unknown name.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths([["a", "a", "b"]], converted=[6], channels=True)
    >>> dict(cx.attribution.linear(journeys).credit)
    {'a': 4.0, 'b': 2.0}
    """
    check_flag(distinct, "distinct")

    def shares(places: Places) -> Floats:
        return np.where(places.first, 1.0, 0.0 if distinct else 1.0) / places.length

    options = Options(by, of, look_back, ignore, costs, segment, level)
    return by_rule("linear", shares, journeys, options, named=distinct)


@overload
def position_based(
    journeys: Journeys | JourneyStatistics,
    *,
    first: float = 0.4,
    last: float = 0.4,
    segment: None = None,
    **options: Unpack[RuleOptions],
) -> Attribution: ...
@overload
def position_based(
    journeys: Journeys | JourneyStatistics,
    *,
    first: float = 0.4,
    last: float = 0.4,
    segment: SegmentBy,
    **options: Unpack[RuleOptions],
) -> BySegment[Attribution]: ...
def position_based(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    of: Of = "conversions",
    first: float = 0.4,
    last: float = 0.4,
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit the first and the last touch most, and what lies between with the rest.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`.
    first, last
        Shares of the first and the last touch, in [0, 1], together at most 1. The U shape is .4
        and .4, J .2 and .6, inverse J .6 and .2.

    Returns
    -------
    Attribution, or BySegment of them

    Raises
    ------
    InvalidValue
        If the shares are no fractions, or sum to more than 1, or to 0.

    Notes
    -----
    Touches between share what is left alike. With two touches, first and last divide it in the
    ratio of their shares (U: .5 and .5; J: .25 and .75); one touch takes all.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths([["x", "y", "z"]], converted=[10], channels=True)
    >>> result = cx.attribution.position_based(journeys)
    >>> {name: round(credit, 6) for name, credit in result.credit.items()}
    {'x': 4.0, 'z': 4.0, 'y': 2.0}
    """
    check_fraction(first, "first")
    check_fraction(last, "last")
    if not 0 < first + last <= 1:
        raise InvalidValue.of("first + last", "be more than 0 and at most 1", first + last)

    def shares(places: Places) -> Floats:
        between = (1 - first - last) / np.maximum(places.length - 2, 1)
        scale = np.where(places.length == 2, 1 / (first + last), 1.0)
        return np.select(
            [places.first & places.last, places.first, places.last],
            [np.ones(len(scale)), first * scale, last * scale],
            between,
        )

    return by_rule(
        f"position {first:g}/{1 - first - last:g}/{last:g}",
        shares,
        journeys,
        Options(by, of, look_back, ignore, costs, segment, level),
    )


@overload
def time_decay(
    journeys: Journeys | JourneyStatistics,
    *,
    half_life: timedelta | str = timedelta(days=7),
    segment: None = None,
    **options: Unpack[RuleOptions],
) -> Attribution: ...
@overload
def time_decay(
    journeys: Journeys | JourneyStatistics,
    *,
    half_life: timedelta | str = timedelta(days=7),
    segment: SegmentBy,
    **options: Unpack[RuleOptions],
) -> BySegment[Attribution]: ...
def time_decay(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    of: Of = "conversions",
    half_life: timedelta | str = timedelta(days=7),
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit a touch the more, the closer it came before the conversion.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`; statistics that add up must have been counted with the same options,
        `statistics(analyses={"time_decay": {...}})`.
    half_life
        Time before the conversion after which a touch counts half.

    Returns
    -------
    Attribution, or BySegment of them

    Raises
    ------
    TimesRequired
        If the journeys are aggregated paths, which have no times.
    InvalidValue
        If `half_life` is no positive length of time.

    Notes
    -----
    Weights 2^(-time before the conversion / half-life), normalised within the journey.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> def at(touchpoint, channel, day):
    ...     timestamp = datetime(2026, 1, day, tzinfo=timezone.utc)
    ...     return cx.Interaction(
    ...         customer="a", touchpoint=touchpoint, channel=channel, timestamp=timestamp)
    >>> log = cx.InteractionLog.from_interactions(
    ...     [at("ad", "social", 1), at("page", "web", 8), at("buy", "web", 15)])
    >>> journeys = log.journeys(goal="buy", inactivity=timedelta(days=30))
    >>> result = cx.attribution.time_decay(journeys)
    >>> {name: round(credit, 3) for name, credit in result.credit.items()}
    {'web': 0.667, 'social': 0.333}
    """
    if not isinstance(journeys, JourneyStatistics):
        check_journeys(journeys).require_times("attribution.time_decay()")
    half_life = check_duration(half_life, "half_life")
    wanted = TimeDecayCounts.of(
        None, by=by, half_life=half_life, look_back=look_back, ignore=ignore
    )

    def shares(places: Places) -> Floats:
        return decayed_shares(places, wanted.half_life_us)

    return by_rule(
        f"time decay, half-life {how_long(half_life)}",
        shares,
        journeys,
        Options(by, of, look_back, ignore, costs, segment, level),
        counted=(wanted, CountedCredits.decayed),
    )


@overload
def participation(
    journeys: Journeys | JourneyStatistics, *, segment: None = None, **options: Unpack[RuleOptions]
) -> Attribution: ...
@overload
def participation(
    journeys: Journeys | JourneyStatistics, *, segment: SegmentBy, **options: Unpack[RuleOptions]
) -> BySegment[Attribution]: ...
def participation(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Attribution | BySegment[Attribution]:
    """Credit every name of a journey with the whole conversion, once.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`.

    Returns
    -------
    Attribution
        Credits that sum to more than the conversions where journeys touch several names.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column, or `costs` an unknown name.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths([["a", "b", "a"]], converted=[4], channels=True)
    >>> dict(cx.attribution.participation(journeys).credit)
    {'a': 4.0, 'b': 4.0}
    """

    def shares(places: Places) -> Floats:
        return places.first.astype(np.float64)

    options = Options(by, of, look_back, ignore, costs, segment, level)
    return by_rule("participation", shares, journeys, options, named=True)
