"""Cross-channel cost: journeys over several channels against like journeys in one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.buckets import FEWEST, BucketFigures, difference_of_shares
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level, check_name
from cxjourney.journeys import (
    CONVERTED,
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    units_of,
)
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    Interactions,
    interactions_of,
    order_notes,
    transitions_between,
)

if TYPE_CHECKING:
    from cxjourney._stats.units import Units
    from cxjourney.journeys import Journeys

__all__ = ["CrossChannelCost", "cross_channel_cost"]

_LENGTHS = (2, 3, 4, 5, 7, 10, 15, 25)  # bands of lengths: 2, 3, 4, 5-6, 7-9, 10-14, 15-24, 25+


@attrs.frozen(kw_only=True, repr=False)
class CrossChannelCost(Result):
    """Differences between journeys that cross channels and like journeys that stay in one.

    Attributes
    ----------
    by
        What is crossed.
    time
        Difference in time from the first interaction to the last [seconds].
    interactions
        Difference in the number of interactions; length is not matched here.
    score
        Difference in the mean score [points].
    value
        Difference in the value of a conversion [currency].
    conversion
        Difference in the share of journeys that convert [fraction].
    table
        One row a measure.

        | column | what it is |
        |---|---|
        | `measure`, `unit` | what is compared, and in what |
        | `difference`, `low`, `high` | across channels less within one, and its interval |
        | `cross`, `single` | the two means compared, strata weighted alike |
        | `crude` | the difference without strata |
        | `cross_journeys`, `single_journeys` | journeys compared |
    strata
        Attribute within which journeys were compared, besides their length; None where none.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Cross-channel cost"

    by: ChannelBy
    time: Estimate
    interactions: Estimate
    score: Estimate
    value: Estimate
    conversion: Estimate
    table: Table
    strata: str | None
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        return (
            (
                f"{100 * self.level:g}% intervals are clustered by customer; only journeys "
                "that are over count."
            ),
            *self.notes,
        )


@overload
def cross_channel_cost(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    strata: str | None = None,
    score: str = "score",
    match_length: bool = True,
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> CrossChannelCost: ...


@overload
def cross_channel_cost(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    strata: str | None = None,
    score: str = "score",
    match_length: bool = True,
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[CrossChannelCost]: ...


def cross_channel_cost(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    strata: str | None = None,
    score: str = "score",
    match_length: bool = True,
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> CrossChannelCost | BySegment[CrossChannelCost]:
    """Compare journeys that cross channels with like journeys that stay in one.

    Parameters
    ----------
    journeys
        The journeys; those in progress are left out, as are those of one interaction.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    strata
        Attribute of customers or interactions (its first known value) within which journeys are
        compared, such as the type of issue; None compares all.
    score
        Which number of the interactions is the score.
    match_length
        Whether to compare only journeys with about as many interactions: longer ones see more
        channels, whatever these are. The number of interactions itself is never matched.
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    CrossChannelCost
        NaN where no stratum has both kinds of journeys, and for measures that the data lacks.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column or attribute.

    Notes
    -----
    Σ w (cross - single) / Σ w over strata with both kinds, w = n₁ n₀ / (n₁ + n₀): the weights of
    Mantel and Haenszel. Intervals are Student's, for conversion Newcombe's hybrid, over buckets of
    customers; there is none where a side rests on fewer than three customers or
    so. Who needs a second channel often has the harder case: an association,
    not what the switch does.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "web"], ["web", "phone"]]
    >>> journeys = Journeys.from_paths(
    ...     paths, converted=[60, 30], dropped=[40, 70], channels=True
    ... )
    >>> round(cross_channel_cost(journeys).conversion.value, 2)
    -0.3
    """
    check_journeys(journeys)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: cross_channel_cost(
                part,
                by=by,
                strata=strata,
                score=score,
                match_length=match_length,
                closing=closing,
                level=level,
            ),
        )
    check_level(level)
    check_name(score, "score")
    interactions = interactions_of(journeys, by, closing=closing)
    cases = _Cases.of(journeys, interactions, strata)
    notes = list(
        order_notes(journeys, interactions, transitions_between(journeys, interactions), by)
    )
    running = int(np.count_nonzero(journeys.outcome == IN_PROGRESS))
    if running:
        notes.append(f"{running:,} journeys in progress are left out.")
        if running == len(journeys.outcome):
            notes.append("No journey is known to be over; give log.journeys(inactivity=…) a limit.")
    measures = _measures(journeys, interactions, cases, score, notes)
    banded = np.searchsorted(_LENGTHS, cases.length, side="right")
    units = units_of(journeys)
    found = {}
    for name, measure in measures.items():
        matched = match_length and name != "interactions"
        stratum = cases.stratum * (len(_LENGTHS) + 1) + (banded if matched else 0)
        found[name] = _compare(cases, measure, stratum, units, name=name, level=level)
    if not any(c.estimate.n for c in found.values()):
        notes.append(
            f"There are not both journeys of one {by} and of several, so that nothing can "
            "be compared."
        )
    else:
        notes.append(
            "Customers who switch differ from those who do not: this is an association, "
            "not an effect."
        )
    few = [name for name, c in found.items() if c.estimate.n and math.isnan(c.estimate.low)]
    if few:
        notes.append(
            f"{', '.join(few)}: there is no interval, because a side rests on fewer than three "
            "customers or so."
        )
    notes += [
        f"{name}: the crude difference has the other sign (Simpson's paradox)."
        for name, compared in found.items()
        if compared.crude * compared.estimate.value < 0
    ]
    rows = found.values()
    return CrossChannelCost(
        by=by,
        **{name: compared.estimate for name, compared in found.items()},
        table=Table(
            {
                "measure": list(found),
                "unit": [c.estimate.unit for c in rows],
                "difference": [c.estimate.value for c in rows],
                "low": [c.estimate.low for c in rows],
                "high": [c.estimate.high for c in rows],
                "cross": [c.cross for c in rows],
                "single": [c.single for c in rows],
                "crude": [c.crude for c in rows],
                "cross_journeys": [c.n_cross for c in rows],
                "single_journeys": [c.n_single for c in rows],
            },
            backend=journeys.log.backend,
        ),
        strata=strata,
        level=level,
        notes=tuple(notes),
    )


@attrs.frozen(kw_only=True)
class _Cases:
    """Journeys that are over and have at least two interactions."""

    journey: Ints
    cross: NDArray[np.bool_]
    length: Ints
    stratum: Ints
    customer: Ints
    weight: Floats

    @classmethod
    def of(cls, journeys: Journeys, interactions: Interactions, strata: str | None) -> _Cases:
        starts = np.flatnonzero(interactions.first)
        journey = interactions.journey[starts]
        length = np.diff(np.append(starts, len(interactions)))
        if len(starts):
            lowest = np.minimum.reduceat(interactions.node, starts)
            cross = lowest != np.maximum.reduceat(interactions.node, starts)
        else:
            cross = np.zeros(0, dtype=np.bool_)
        stratum = np.zeros(len(journey), dtype=np.int64)
        if strata is not None:
            stratum = journeys.segment(check_name(strata, "strata")).codes[journey].astype(np.int64)
        some = (length > 1) & (journeys.outcome[journey] != IN_PROGRESS) & (stratum >= 0)
        journey = journey[some]
        weight = np.ones(len(journeys.outcome)) if journeys.weight is None else journeys.weight
        return cls(
            journey=journey,
            cross=cross[some],
            length=length[some],
            stratum=stratum[some],
            customer=journeys.customer[journey],
            weight=weight[journey].astype(np.float64),
        )


@attrs.frozen(kw_only=True)
class _Measure:
    values: Floats
    unit: str
    definition: str


def _measures(
    journeys: Journeys, interactions: Interactions, cases: _Cases, score: str, notes: list[str]
) -> dict[str, _Measure]:
    """Return what is compared, one value a case; NaN where it is not known."""
    unknown = np.full(len(cases.journey), np.nan)
    time, rated = unknown, unknown
    timestamps = journeys.columns.time
    begin, end = journeys.offsets[cases.journey], journeys.offsets[cases.journey + 1] - 1
    if timestamps is None:
        notes.append("Aggregated paths have neither times nor scores; both are left out.")
    else:
        time = (timestamps[end] - timestamps[begin]) / 1e6
        numbers = journeys.columns.numeric.get(score)
        if numbers is None:
            notes.append(f"The log has no {score!r}.")
        else:
            rated = _journey_means(np.asarray(numbers)[interactions.row], interactions, cases)
    worth = journeys.value[cases.journey]
    converted = (journeys.outcome[cases.journey] == CONVERTED).astype(np.float64)
    return {
        "time": _Measure(values=time, unit="seconds", definition="first interaction to last"),
        "interactions": _Measure(
            values=cases.length.astype(np.float64),
            unit="interactions",
            definition="interactions of a journey",
        ),
        "score": _Measure(values=rated, unit="points", definition=f"mean {score} of a journey"),
        "value": _Measure(
            values=worth,
            unit=journeys.log.currency or "money",
            definition="value of a converted journey",
        ),
        "conversion": _Measure(
            values=converted if converted.any() else unknown,
            unit="fraction",
            definition="share of journeys that convert",
        ),
    }


def _journey_means(values: Floats, interactions: Interactions, cases: _Cases) -> Floats:
    known = ~np.isnan(values)
    size = int(interactions.journey[-1]) + 1 if len(interactions) else 0
    total = np.bincount(interactions.journey[known], values[known], minlength=size)
    count = np.bincount(interactions.journey[known], minlength=size)
    with np.errstate(invalid="ignore"):
        means: Floats = (total / count)[cases.journey]
    return means


@attrs.frozen(kw_only=True)
class _Compared:
    estimate: Estimate
    cross: float = math.nan
    single: float = math.nan
    crude: float = math.nan
    n_cross: int = 0
    n_single: int = 0


def _compare(
    cases: _Cases, measure: _Measure, stratum: Ints, units: Units, *, name: str, level: float
) -> _Compared:
    """Return the difference of means, pooled over strata with both kinds of journeys.

    Without each bucket of customers in turn both the means and the weights are computed anew.
    """
    known = ~np.isnan(measure.values)
    y, w, cross = measure.values[known], cases.weight[known], cases.cross[known]
    _, place = np.unique(stratum[known], return_inverse=True)
    n_strata = int(place.max(initial=-1)) + 1
    cell, journey = 2 * place + cross, cases.journey[known]
    shape = (units.n, n_strata, 2)
    own = units.sums(cell, 2 * n_strata, item=journey).reshape(shape)
    sums = units.sums(cell, 2 * n_strata, item=journey, values=y).reshape(shape)
    size, total = own.sum(axis=0), sums.sum(axis=0)
    both = (size > 0).all(axis=1)
    if not both.any():
        nothing = (math.nan, math.nan)
        return _Compared(estimate=_estimate(math.nan, nothing, 0, measure, name=name, level=level))
    single, crossed = _pooled(size, total).tolist()
    without = _pooled(size - own, total - sums)
    sides = [
        BucketFigures(
            whole=np.array(value), without=without[:, side], units=own[:, both, side].sum(axis=1)
        )
        for side, value in enumerate((single, crossed))
    ]
    n_single, n_cross = (round(float(n)) for n in size[both].sum(axis=0))
    ends = _interval(sides[1], sides[0], shares=measure.unit == "fraction", level=level)
    return _Compared(
        estimate=_estimate(
            crossed - single, ends, n_single + n_cross, measure, name=name, level=level
        ),
        cross=crossed,
        single=single,
        crude=float(
            np.average(y[cross], weights=w[cross]) - np.average(y[~cross], weights=w[~cross])
        ),
        n_cross=n_cross,
        n_single=n_single,
    )


def _pooled(size: Floats, sums: Floats) -> Floats:
    """Return both means over strata with the weights of Mantel and Haenszel, shape (..., 2).

    `size` and `sums` have the shape (..., strata, 2); NaN where no stratum has both kinds.
    """
    n0, n1 = size[..., 0], size[..., 1]
    both = (n0 > 0) & (n1 > 0)
    weight = np.divide(n1 * n0, n1 + n0, out=np.zeros(both.shape), where=both)
    whole = weight.sum(axis=-1, keepdims=True)
    share = np.divide(weight, whole, out=np.full(both.shape, np.nan), where=whole > 0)
    means = np.divide(sums, size, out=np.zeros(size.shape), where=both[..., None])
    pooled: Floats = (share[..., None] * means).sum(axis=-2)
    return pooled


def _interval(
    one: BucketFigures, zero: BucketFigures, *, shares: bool, level: float
) -> tuple[float, float]:
    """Return the ends of the interval of a difference; NaN where a side has too few customers."""
    if shares:
        low, high, _ = difference_of_shares(one, zero, level=level)
        return float(low), float(high)
    if min(float(one.effective), float(zero.effective)) < FEWEST:
        return math.nan, math.nan
    units = one.units / one.units.sum() ** 2 + zero.units / zero.units.sum() ** 2
    found = BucketFigures(
        whole=one.whole - zero.whole, without=one.without - zero.without, units=units
    )
    low, high = found.student(level)
    return float(low), float(high)


def _estimate(
    value: float,
    ends: tuple[float, float],
    n: int,
    measure: _Measure,
    *,
    name: str,
    level: float,
) -> Estimate:
    form = "Newcombe hybrid" if measure.unit == "fraction" else "Student"
    return Estimate(
        value=value,
        low=ends[0],
        high=ends[1],
        level=level,
        n=n,
        unit=measure.unit,
        method=f"Mantel-Haenszel weights, {form}, {CLUSTERED}",
        notes=() if n else ("empty",),
        name=name,
        definition=f"{measure.definition}: cross-channel less single-channel",
    )
