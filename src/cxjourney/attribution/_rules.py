"""Attribution by rule: each converting journey divides its worth among its touches.

The rules say what is counted, not what caused: they are here because dashboards show them, and
because beside a model they tell where it matters.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_duration,
    check_fraction,
    check_level,
    check_names,
    duration_us,
)
from cxjourney.attribution._attribution import Attribution, Credits, Of, attribution
from cxjourney.attribution._touches import Touches, grain_name, touches_of, within
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import check_journeys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cxjourney._support.array_types import Floats
    from cxjourney.journeys import By, Journeys

__all__ = [
    "first_touch",
    "last_touch",
    "linear",
    "participation",
    "position_based",
    "time_decay",
]


def first_touch(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit each conversion to the first touch of its journey.

    Parameters
    ----------
    journeys
        The journeys, or aggregated paths.
    by
        What is credited: "touchpoint", "channel", "stage", "owner", or a pair of them.
    of
        Credit the number of "conversions" or their "value".
    look_back
        Leave out touches older than this before the conversion; None leaves out none.
    costs
        Money spent by name; adds cost and return to the table.
    level
        Confidence level of the intervals, in (0, 1).
    replicates
        Number of resampled replicates, by customer; 0 gives no intervals.
    rng
        A generator or seed; the same one repeats the intervals exactly.

    Returns
    -------
    Attribution

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
    >>> dict(cx.attribution.first_touch(journeys, replicates=0).credit)["search"]
    7.0
    """

    def shares(touches: Touches) -> Floats:
        share = np.zeros(len(touches.code))
        share[touches.offsets[:-1]] = 1.0
        return share

    return _by_rule(
        "first touch", shares, journeys, _Options(by, of, look_back, costs, level, replicates, rng)
    )


def last_touch(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    ignore: Collection[str] = (),
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit each conversion to the last touch before it.

    Parameters
    ----------
    journeys, by, of, look_back, costs, level, replicates, rng
        As for `first_touch`.
    ignore
        Names that get credit only where the journey has no other: `{"direct"}` gives the "last
        non-direct touch".

    Returns
    -------
    Attribution

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
    >>> result = cx.attribution.last_touch(journeys, ignore={"direct"}, replicates=0)
    >>> dict(result.credit)
    {'direct': 3.0, 'search': 2.0}
    """
    ignore = check_names(ignore, "ignore")

    def shares(touches: Touches) -> Floats:
        share = np.zeros(len(touches.code))
        share[touches.offsets[1:] - 1] = 1.0
        return share

    name = f"last touch but {', '.join(sorted(ignore))}" if ignore else "last touch"
    return _by_rule(
        name,
        shares,
        journeys,
        _Options(by, of, look_back, costs, level, replicates, rng),
        ignore=ignore,
    )


def linear(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    distinct: bool = False,
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit all touches of a journey alike.

    Parameters
    ----------
    journeys, by, of, look_back, costs, level, replicates, rng
        As for `first_touch`.
    distinct
        Whether a name counts once a journey, however often it was touched.

    Returns
    -------
    Attribution

    Raises
    ------
    UnknownName
        If the log has no such column, or `costs` an unknown name.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths([["a", "a", "b"]], converted=[6], channels=True)
    >>> dict(cx.attribution.linear(journeys, replicates=0).credit)
    {'a': 4.0, 'b': 2.0}
    """

    def shares(touches: Touches) -> Floats:
        if distinct:
            return _once_each(touches) / _distinct(touches)[touches.journey]
        return 1.0 / touches.length[touches.journey]

    return _by_rule(
        "linear", shares, journeys, _Options(by, of, look_back, costs, level, replicates, rng)
    )


def position_based(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    first: float = 0.4,
    last: float = 0.4,
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit the first and the last touch most, and what lies between with the rest.

    Parameters
    ----------
    journeys, by, of, look_back, costs, level, replicates, rng
        As for `first_touch`.
    first, last
        Shares of the first and the last touch, in [0, 1], together at most 1. The U shape is .4
        and .4, J .2 and .6, inverse J .6 and .2.

    Returns
    -------
    Attribution

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
    >>> result = cx.attribution.position_based(journeys, replicates=0)
    >>> {name: round(credit, 6) for name, credit in result.credit.items()}
    {'x': 4.0, 'z': 4.0, 'y': 2.0}
    """
    check_fraction(first, "first")
    check_fraction(last, "last")
    if not 0 < first + last <= 1:
        raise InvalidValue.of("first + last", "be more than 0 and at most 1", first + last)

    def shares(touches: Touches) -> Floats:
        length = touches.length[touches.journey]
        between = (1 - first - last) / np.maximum(length - 2, 1)
        share = np.where(length > 2, between, 0.0)
        begin, end = touches.offsets[:-1], touches.offsets[1:] - 1
        alone, pair = touches.length == 1, touches.length == 2
        scale = np.where(pair, 1 / (first + last), 1.0)
        share[begin] = np.where(alone, 1.0, first * scale)
        share[end] = np.where(alone, 1.0, last * scale)
        return share

    return _by_rule(
        f"position {first:g}/{1 - first - last:g}/{last:g}",
        shares,
        journeys,
        _Options(by, of, look_back, costs, level, replicates, rng),
    )


def time_decay(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    half_life: timedelta = timedelta(days=7),
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit a touch the more, the closer it came before the conversion.

    Parameters
    ----------
    journeys, by, of, look_back, costs, level, replicates, rng
        As for `first_touch`.
    half_life
        Time before the conversion after which a touch counts half.

    Returns
    -------
    Attribution

    Raises
    ------
    TimesRequired
        If the journeys are aggregated paths, which have no times.
    InvalidValue
        If `half_life` is not a positive timedelta.

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
    >>> result = cx.attribution.time_decay(journeys, replicates=0)
    >>> {name: round(credit, 3) for name, credit in result.credit.items()}
    {'web': 0.667, 'social': 0.333}
    """
    check_journeys(journeys).require_times("attribution.time_decay()")
    half = duration_us(check_duration(half_life, "half_life"))

    def shares(touches: Touches) -> Floats:
        assert touches.before_us is not None  # noqa: S101 - required above
        # the touch next to the conversion has exponent 0, so that long journeys do not underflow
        closest = touches.before_us[touches.offsets[1:] - 1]
        weight = np.exp2(-(touches.before_us - closest[touches.journey]) / half)
        total = np.bincount(touches.journey, weight, minlength=len(touches.worth))
        return weight / total[touches.journey]

    days = half_life.total_seconds() / 86_400
    return _by_rule(
        f"time decay, half-life {days:g} days",
        shares,
        journeys,
        _Options(by, of, look_back, costs, level, replicates, rng),
    )


def participation(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit every name of a journey with the whole conversion, once.

    Parameters
    ----------
    journeys, by, of, look_back, costs, level, replicates, rng
        As for `first_touch`.

    Returns
    -------
    Attribution
        Credits that sum to more than the conversions where journeys touch several names.

    Raises
    ------
    UnknownName
        If the log has no such column, or `costs` an unknown name.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths([["a", "b", "a"]], converted=[4], channels=True)
    >>> dict(cx.attribution.participation(journeys, replicates=0).credit)
    {'a': 4.0, 'b': 4.0}
    """
    return _by_rule(
        "participation",
        _once_each,
        journeys,
        _Options(by, of, look_back, costs, level, replicates, rng),
    )


def _once_each(touches: Touches) -> Floats:
    """Return 1 for the first touch of each name in a journey, 0 for its later ones."""
    key = touches.journey * max(len(touches.names), 1) + touches.code
    _, first = np.unique(key, return_index=True)
    share = np.zeros(len(key))
    share[first] = 1.0
    return share


def _distinct(touches: Touches) -> Floats:
    once = _once_each(touches)
    return np.bincount(touches.journey, once, minlength=len(touches.worth)).astype(np.float64)


class _Options(NamedTuple):
    """What every rule takes, as its user gave it."""

    by: By
    of: Of
    look_back: timedelta | None
    costs: Mapping[str, float] | None
    level: float
    replicates: int
    rng: np.random.Generator | int | None


def _by_rule(
    model: str,
    shares: Callable[[Touches], Floats],
    journeys: Journeys,
    options: _Options,
    *,
    ignore: Collection[str] = (),
) -> Attribution:
    check_journeys(journeys)
    check_level(options.level)
    check_choice(options.of, "of", ("conversions", "value"))
    check_count(options.replicates, "replicates", least=0)
    touches, weight = touches_of(
        within(journeys, options.look_back), by=options.by, of=options.of, ignore=ignore
    )
    share = shares(touches)
    n = len(journeys)
    return attribution(
        Credits(
            names=touches.names,
            credit=touches.credits(share),
            replicates=touches.replicates(share, weight, options.replicates, options.rng),
        ),
        model=model,
        grain=grain_name(options.by),
        base_rate=next(iter(journeys.outcomes.values())) / n if n else float("nan"),
        unattributed=touches.unattributed,
        of=options.of,
        level=options.level,
        costs=options.costs,
        backend=journeys.log.backend,
        remarks=touches.remarks,
    )
