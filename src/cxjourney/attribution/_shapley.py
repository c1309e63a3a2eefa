"""Attribution by Shapley's value."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, Self, Unpack, overload

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_count, check_level, check_rng
from cxjourney.attribution._attribution import Attribution, Of, check_whole_costs
from cxjourney.attribution._counted_credits import CountedCredits, ShapleyCounts, sets_of
from cxjourney.attribution._rule_credits import Options, attributed, by_rule
from cxjourney.attribution._touches import (
    Touches,
    at_full_size,
    chosen_touches,
    touches_of,
    worth_of,
)
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    SegmentBy,
    by_segment,
    check_counted,
    check_journeys,
    grain_name,
    missing_note_of,
    units_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import timedelta

    from cxjourney.attribution._attribution import RuleOptions
    from cxjourney.attribution._touches import Places
    from cxjourney.journeys import By, Journeys

_EXACT = 15


@attrs.frozen(kw_only=True, repr=False)
class OrderedCredit(Result):
    """Shapley credit by name and by place in the journey.

    Attributes
    ----------
    table
        One row a name and `position` (1 for the first touch): `credit` [conversions or money].
    total, remarks
        What the credits sum to [conversions or money]; what a reader must know.
    """

    title: ClassVar[str] = "Shapley credit by position"

    table: Table
    total: float
    remarks: tuple[str, ...] = ()

    def _notes(self) -> tuple[str, ...]:
        return (f"Credits sum to {self.total:,.6g}.", *self.remarks)


@overload
def shapley(
    journeys: Journeys | JourneyStatistics,
    *,
    worth: Literal["conversions", "rate"] = "conversions",
    samples: int = 1000,
    segment: None = None,
    rng: np.random.Generator | int | None = 0,
    **options: Unpack[RuleOptions],
) -> Attribution: ...
@overload
def shapley(
    journeys: Journeys | JourneyStatistics,
    *,
    worth: Literal["conversions", "rate"] = "conversions",
    samples: int = 1000,
    segment: SegmentBy,
    rng: np.random.Generator | int | None = 0,
    **options: Unpack[RuleOptions],
) -> BySegment[Attribution]: ...
def shapley(
    journeys: Journeys | JourneyStatistics,
    *,
    by: By = "channel",
    worth: Literal["conversions", "rate"] = "conversions",
    of: Of = "conversions",
    look_back: timedelta | str | None = None,
    ignore: Collection[str] = (),
    costs: Mapping[str, float] | None = None,
    samples: int = 1000,
    segment: SegmentBy | None = None,
    level: float = 0.95,
    rng: np.random.Generator | int | None = 0,
) -> Attribution | BySegment[Attribution]:
    """Credit by Shapley's value.

    Parameters
    ----------
    journeys, by, of, look_back, ignore, costs, segment, level
        As for `first_touch`; of statistics that add up, conversions are in every plan. The rate,
        `look_back` and `ignore` need `analyses={"shapley": {...}}`.
    worth
        What a set S of names is worth: the "conversions" of journeys that touch nothing outside
        S, or their conversion "rate", which needs the journeys that did not convert.
    samples
        Random orders for `worth="rate"` with more than 15 names; their standard error is in the
        column `sampling_error`, and there is no interval, since they are the larger error.
    rng
        A generator or seed for the orders drawn; None draws anew each time.

    Returns
    -------
    Attribution
        With `worth="rate"` credits may be negative: a name whose journeys convert worse.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    OutcomeUndetermined
        With `worth="rate"`, if journeys without the goal cannot come to an end.

    Notes
    -----
    The value of i is the sum of `|S|! (n - |S| - 1)! / n! (v(S ∪ i) - v(S))` over the sets S
    without i (Shapley 1953). With `worth="conversions"` each journey divides its conversion alike
    among its distinct names (Harsanyi dividends): the value is exact, and no more than that. With
    "rate" it is exact to 15 names over all subsets, and scaled to the conversions; a set that no
    journey stays within is worth 0.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["a"], ["a", "b"]], converted=[4, 6], channels=True
    ... )
    >>> dict(cx.attribution.shapley(journeys).credit)
    {'a': 7.0, 'b': 3.0}
    """
    check_choice(worth, "worth", ("conversions", "rate"))
    check_count(samples, "samples")
    generator = check_rng(rng)
    chosen = Options(by, of, look_back, ignore, costs, segment, level)
    wanted = ShapleyCounts.of(None, by=by, look_back=look_back, ignore=ignore)
    if worth == "conversions":
        in_every_plan = wanted.look_back_us is None and not wanted.ignore
        counted = None if in_every_plan else (wanted, CountedCredits.equal)
        return by_rule(
            "Shapley of conversions", _equal, journeys, chosen, named=True, counted=counted
        )
    if segment is not None:
        check_whole_costs(costs)
        options: RuleOptions = {"by": by, "of": of, "look_back": look_back, "ignore": ignore}
        of_part = partial(shapley, worth=worth, samples=samples, level=level, rng=rng, **options)
        return by_segment(check_journeys(journeys), segment, of_part)
    whole = check_counted(journeys)
    check_level(level)
    check_choice(of, "of", ("conversions", "value"))
    whole.require_determined('attribution.shapley(worth="rate")')
    touches: Touches | CountedCredits
    if isinstance(whole, JourneyStatistics):
        touches = found = CountedCredits.of(whole, wanted, of)
        member, won, _, count = found.by_sets()
        rates = _Rates.of(member, won, count, found.held)
        total = float(rates.won.sum())
    else:
        whole = chosen_touches(whole, by, look_back, ignore)
        touches, rates = touches_of(whole, by=by, of=of), _rates(whole, by, of)
        total = float(touches.worth.sum())
    figures, error = _by_rate(rates, total, samples, generator)
    model = "Shapley of the conversion rate"
    return attributed(
        model if error is None else f"{model}, {samples} sampled orders",
        touches,
        figures,
        whole,
        chosen,
        signed=True,
        sampling_error=error,
    )


def _equal(places: Places) -> Floats:
    """Return the share of a journey that each of its names takes, once."""
    return np.where(places.first, 1.0, 0.0) / places.length


@overload
def shapley_by_position(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    ignore: Collection[str] = (),
    segment: None = None,
) -> OrderedCredit: ...
@overload
def shapley_by_position(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    ignore: Collection[str] = (),
    segment: SegmentBy,
) -> BySegment[OrderedCredit]: ...
def shapley_by_position(
    journeys: Journeys,
    *,
    by: By = "channel",
    of: Of = "conversions",
    ignore: Collection[str] = (),
    segment: SegmentBy | None = None,
) -> OrderedCredit | BySegment[OrderedCredit]:
    """Credit names by Shapley's value of conversions, and say at which place they earned it.

    Parameters
    ----------
    journeys, by, of, ignore, segment
        As for `first_touch`.

    Returns
    -------
    OrderedCredit
        Summed over positions it is the credit of `shapley`.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    The ordered Shapley value (Zhao, Mahboobi & Bagheri 2018): a journey gives each distinct name
    the same share, and a name divides its share alike among the places at which it stands.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths([["a", "b", "a"]], converted=[4], channels=True)
    >>> cx.attribution.shapley_by_position(journeys).to_dict()["table"]["columns"]["credit"]
    [1.0, 1.0, 2.0]
    """
    check_journeys(journeys)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: shapley_by_position(part, by=by, of=of, ignore=ignore),
        )
    check_choice(of, "of", ("conversions", "value"))
    touches = touches_of(chosen_touches(journeys, by, None, ignore), by=by, of=of)
    k = max(len(touches.names), 1)
    position = np.arange(len(touches.code)) - touches.offsets[:-1][touches.journey]
    pair = touches.journey * k + touches.code
    _, place, times = np.unique(pair, return_inverse=True, return_counts=True)
    distinct = _distinct_names(touches)
    share = touches.worth[touches.journey] / distinct[touches.journey] / times[place]
    width = int(position.max(initial=0)) + 1
    total = np.bincount(touches.code * width + position, share, minlength=k * width)
    used = np.flatnonzero(np.bincount(touches.code * width + position, minlength=k * width))
    table = Table(
        {
            grain_name(by): [touches.names[i] for i in (used // width).tolist()],
            "position": used % width + 1,
            "credit": total[used],
        },
        backend=journeys.log.backend,
    )
    remarks = missing_note_of(journeys, by)
    return OrderedCredit(table=table, total=float(total.sum()), remarks=remarks)


def _distinct_names(touches: Touches) -> Ints:
    k = max(len(touches.names), 1)
    pairs = np.unique(touches.journey * k + touches.code)
    return np.bincount(pairs // k, minlength=len(touches.worth))


@attrs.frozen(kw_only=True)
class _Rates:
    """Journeys by the set of names that they touch, `member` of shape (sets, K).

    `won` is what the journeys of each set bring in each bucket (conversions, or their value) and
    `count` how many they are, shape (buckets, sets); `touching` counts journeys by bucket and name,
    and `held` all journeys of each bucket, those in progress included.
    """

    member: Bools
    won: Floats
    count: Floats
    touching: Floats
    held: Floats

    @classmethod
    def of(cls, member: Bools, won: Floats, count: Floats, held: Floats) -> Self:
        """Return them with the journeys that touch each name."""
        return cls(member=member, won=won, count=count, touching=count @ member, held=held)


def _rates(journeys: Journeys, by: By, of: Of) -> _Rates:
    member, set_of, item = sets_of(journeys, by)
    units, worth = units_of(journeys), worth_of(journeys, of) * journeys.converted
    won = units.sums(set_of, len(member), item=item, values=worth[item])
    count = units.sums(set_of, len(member), item=item)
    return _Rates.of(member, won, count, units.total())


def _by_rate(
    rates: _Rates, total: float, samples: int, rng: np.random.Generator
) -> tuple[BucketFigures, Floats | None]:
    """Return credits, and their sampling error where orders were sampled."""
    k = rates.member.shape[1]
    won, count = rates.won.sum(axis=0), rates.count.sum(axis=0)
    units = resting_on(rates.touching, rates.held > 0)
    if k > _EXACT:
        value, error = _sampled(rates.member, won, count, samples, rng)
        scale = _scale(value, total)
        nothing = np.full((len(units), k), np.nan)
        figures = BucketFigures(whole=value * scale, without=nothing, units=units)
        return figures, error * abs(scale)
    without = np.empty((len(units), k))
    for bucket, (own_won, own_count) in enumerate(zip(rates.won, rates.count, strict=True)):
        left = won - own_won
        value = _exact(rates.member, left, count - own_count)
        without[bucket] = value * _scale(value, float(left.sum()))
    value = _exact(rates.member, won, count)
    figures = BucketFigures(
        whole=value * _scale(value, total),
        without=at_full_size(without, rates.held),
        units=units,
    )
    return figures, None


def _scale(value: Floats, total: float) -> float:
    """Return what makes values sum to the total; NaN where there is nothing to divide."""
    worth = float(value.sum())
    return total / worth if worth else float("nan")


def _exact(member: Bools, won: Floats, count: Floats) -> Floats:
    """Return Shapley's value of the conversion rate over all 2^K sets of names."""
    k = member.shape[1]
    if k == 0:
        return np.zeros(0)
    code = member @ (1 << np.arange(k))
    inside = [np.bincount(code, values, minlength=1 << k) for values in (won, count)]
    for values in inside:  # sums over subsets, one name at a time (the zeta transform)
        for i in range(k):
            halves = values.reshape(-1, 2, 1 << i)
            halves[:, 1] += halves[:, 0]
    worth = np.divide(inside[0], inside[1], out=np.zeros(1 << k), where=inside[1] > 0)
    size = np.bitwise_count(np.arange(1 << k))
    of_size = np.array([1.0 / (k * math.comb(k - 1, before)) for before in range(k)])
    weight = of_size[np.minimum(size, k - 1)]
    value = np.empty(k)
    for i in range(k):
        halves = worth.reshape(-1, 2, 1 << i)
        gain = halves[:, 1] - halves[:, 0]
        value[i] = (gain * weight.reshape(-1, 2, 1 << i)[:, 0]).sum()
    return value


def _sampled(
    member: Bools,
    won: Floats,
    count: Floats,
    samples: int,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return the mean gain of each name over random orders, and its standard error."""
    k = member.shape[1]
    gains = np.empty((samples, k))
    for draw in range(samples):
        order = rng.permutation(k)
        place = np.empty(k, dtype=np.int64)
        place[order] = np.arange(k)
        # a set is inside the names so far once its last name has come
        complete = np.where(member, place, -1).max(axis=1)
        into = np.cumsum(np.bincount(complete, won, minlength=k))
        of = np.cumsum(np.bincount(complete, count, minlength=k))
        worth = np.divide(into, of, out=np.zeros(k), where=of > 0)
        gains[draw, order] = np.diff(worth, prepend=0.0)
    spread = gains.std(axis=0, ddof=1) if samples > 1 else np.full(k, np.nan)
    return gains.mean(axis=0), spread / np.sqrt(samples)
