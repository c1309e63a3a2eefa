"""Attribution by Shapley's value: the fair share of each name in what all bring together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_count, check_level, check_rng
from cxjourney.attribution._attribution import Attribution, Credits, Of, attribution
from cxjourney.attribution._touches import Touches, grain_name, touches_of, within
from cxjourney.journeys import check_journeys, frequencies, units, visits_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from cxjourney.journeys import By, Journeys

__all__ = ["OrderedCredit", "shapley", "shapley_by_position"]

_EXACT = 15


@attrs.frozen(kw_only=True, repr=False)
class OrderedCredit(Result):
    """Shapley credit by name and by place in the journey.

    Attributes
    ----------
    table
        One row a name and `position` (1 for the first touch): `credit` [conversions or money].
    total
        What the credits sum to [conversions or money].
    """

    title: ClassVar[str] = "Shapley credit by position"

    table: Table
    total: float

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        return (f"credits sum to {self.total:,.6g}",)


def shapley(
    journeys: Journeys,
    *,
    by: By = "channel",
    worth: Literal["conversions", "rate"] = "conversions",
    of: Of = "conversions",
    look_back: timedelta | None = None,
    costs: Mapping[str, float] | None = None,
    samples: int = 1000,
    level: float = 0.95,
    replicates: int = 200,
    rng: np.random.Generator | int | None = None,
) -> Attribution:
    """Credit by Shapley's value.

    Parameters
    ----------
    journeys
        The journeys, or aggregated paths.
    by
        What is credited: "touchpoint", "channel", "stage", "owner", or a pair of them.
    worth
        What a set S of names is worth: the "conversions" of journeys that touch nothing outside
        S, or their conversion "rate", which needs the journeys that did not convert.
    of
        Credit the number of "conversions" or their "value".
    look_back
        Leave out touches older than this before the journey's end; None leaves out none.
    costs
        Money spent by name; adds cost and return to the table.
    samples
        Random orders for `worth="rate"` with more than 15 names; their standard error is in the
        column `sampling_error`.
    level
        Confidence level of the intervals, in (0, 1).
    replicates
        Number of resampled replicates, by customer; 0 gives no intervals. With sampled orders
        there are none: the orders are the larger cost.
    rng
        A generator or seed; the same one repeats everything exactly.

    Returns
    -------
    Attribution
        With `worth="rate"` credits may be negative: a name whose journeys convert worse.

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
    >>> dict(cx.attribution.shapley(journeys, replicates=0).credit)
    {'a': 7.0, 'b': 3.0}
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(of, "of", ("conversions", "value"))
    check_choice(worth, "worth", ("conversions", "rate"))
    check_count(samples, "samples")
    check_count(replicates, "replicates", least=0)
    journeys = within(journeys, look_back)
    generator = check_rng(rng)
    touches, weight = touches_of(journeys, by=by, of=of)
    extra: dict[str, NDArray[np.float64]] = {}
    if worth == "conversions":
        share = _equal_shares(touches)
        credit = touches.credits(share)
        scattered = touches.replicates(share, weight, replicates, generator)
        model = "Shapley of conversions"
    else:
        journeys.require_determined('attribution.shapley(worth="rate")')
        total = float(touches.worth.sum())
        rates = _rates(journeys, by, of)
        credit, error, scattered = _by_rate(rates, total, samples, replicates, generator)
        model = "Shapley of the conversion rate"
        if error is not None:
            extra["sampling_error"] = error
            model += f", {samples} sampled orders"
    n = len(journeys)
    return attribution(
        Credits(names=touches.names, credit=credit, replicates=scattered, extra=extra),
        model=model,
        grain=grain_name(by),
        base_rate=next(iter(journeys.outcomes.values())) / n if n else float("nan"),
        unattributed=touches.unattributed,
        of=of,
        level=level,
        costs=costs,
        backend=journeys.log.backend,
        remarks=touches.remarks,
    )


def shapley_by_position(
    journeys: Journeys, *, by: By = "channel", of: Of = "conversions"
) -> OrderedCredit:
    """Credit names by Shapley's value of conversions, and say at which place they earned it.

    Parameters
    ----------
    journeys
        The journeys, or aggregated paths.
    by
        What is credited.
    of
        Credit the number of "conversions" or their "value".

    Returns
    -------
    OrderedCredit
        Summed over positions it is the credit of `shapley`.

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
    check_choice(of, "of", ("conversions", "value"))
    touches, _ = touches_of(journeys, by=by, of=of)
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
    return OrderedCredit(table=table, total=float(total.sum()))


def _distinct_names(touches: Touches) -> NDArray[np.int64]:
    k = max(len(touches.names), 1)
    pairs = np.unique(touches.journey * k + touches.code)
    return np.bincount(pairs // k, minlength=len(touches.worth))


def _equal_shares(touches: Touches) -> NDArray[np.float64]:
    """Return 1 over the number of distinct names at the first touch of each name, else 0."""
    k = max(len(touches.names), 1)
    _, first = np.unique(touches.journey * k + touches.code, return_index=True)
    share = np.zeros(len(touches.code))
    share[first] = 1.0 / _distinct_names(touches)[touches.journey[first]]
    return share


@attrs.frozen(kw_only=True)
class _Rates:
    """Journeys by the set of names that they touch.

    Attributes
    ----------
    member
        Whether each distinct set holds each name, shape (sets, K).
    set_of
        Set of each journey.
    won
        What each journey brings: its conversions, or their value.
    count
        How many journeys each stands for.
    unit, weight
        Resampling unit of each journey, and expected frequency of each unit.
    """

    member: NDArray[np.bool_]
    set_of: NDArray[np.int64]
    won: NDArray[np.float64]
    count: NDArray[np.float64]
    unit: NDArray[np.int64]
    weight: NDArray[np.float64]


def _rates(journeys: Journeys, by: By, of: Of) -> _Rates:
    visits = visits_of(journeys, by)
    k = len(visits.names)
    closed = journeys.outcome < 2  # what is still open has no rate yet
    touched = closed & (journeys.lengths > 0)
    number = np.cumsum(touched) - 1
    chosen = touched[visits.journey]
    member = np.zeros((int(touched.sum()), k), dtype=np.bool_)
    member[number[visits.journey[chosen]], visits.node[chosen]] = True
    packed, set_of = np.unique(np.packbits(member, axis=1), axis=0, return_inverse=True)
    sets = np.unpackbits(packed, axis=1, count=k).astype(np.bool_) if k else member[:0]
    column, weight = units(journeys)
    count = np.ones(len(closed)) if journeys.weight is None else journeys.weight.astype(float)
    worth = np.nan_to_num(journeys.value) if of == "value" else np.ones(len(closed))
    return _Rates(
        member=sets,
        set_of=set_of.ravel(),
        won=(worth * count * journeys.converted)[touched],
        count=count[touched],
        unit=column[touched],
        weight=weight,
    )


def _by_rate(
    rates: _Rates, total: float, samples: int, replicates: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64]]:
    """Return credits, their sampling error where orders were sampled, and replicates."""
    from scipy.sparse import csr_array

    n_sets, k = rates.member.shape
    won = np.bincount(rates.set_of, rates.won, minlength=n_sets).astype(np.float64)
    count = np.bincount(rates.set_of, rates.count, minlength=n_sets).astype(np.float64)
    if k > _EXACT:
        value, error = _sampled(rates.member, won, count, samples, rng)
        scale = _scale(value, total)
        return value * scale, error * abs(scale), np.zeros((0, k))
    value = _exact(rates.member, won, count)
    credit = value * _scale(value, total)
    blocks = []
    shape = (n_sets, len(rates.weight))
    spread = rates.weight[rates.unit]
    won_by = csr_array((rates.won / spread, (rates.set_of, rates.unit)), shape=shape)
    count_by = csr_array((rates.count / spread, (rates.set_of, rates.unit)), shape=shape)
    for block in frequencies(rates.weight, n=replicates if k else 0, rng=rng, cells=n_sets):
        for w, c in zip((won_by @ block).T, (count_by @ block).T, strict=True):
            drawn = _exact(rates.member, w, c)
            blocks.append(drawn * _scale(drawn, float(w.sum())))
    return credit, None, np.array(blocks).reshape(-1, k)


def _scale(value: NDArray[np.float64], total: float) -> float:
    """Return what makes values sum to the total; NaN where there is nothing to divide."""
    worth = float(value.sum())
    return total / worth if worth else float("nan")


def _exact(
    member: NDArray[np.bool_], won: NDArray[np.float64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
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
    member: NDArray[np.bool_],
    won: NDArray[np.float64],
    count: NDArray[np.float64],
    samples: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
