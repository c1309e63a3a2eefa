"""Pain points: touchpoints where many customers feel bad, at a cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, overload

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.estimates import why_no_interval
from cxjourney._stats.figure_ranks import rank_ranges
from cxjourney._stats.ratios import ratio_figures, share_of_total_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_level, check_number
from cxjourney.critical._grain import reach_figures, repeated
from cxjourney.dropoff import rates_of_journeys
from cxjourney.exceptions import InvalidValue
from cxjourney.experience import measured, shrunken_means
from cxjourney.journeys import (
    DROPPED,
    by_segment,
    chain_figures,
    check_journeys,
    contacts_of,
    units_of,
    visits_of,
)
from cxjourney.markov import lost_per_journey

if TYPE_CHECKING:
    from cxjourney._support.array_types import Bools, Floats
    from cxjourney.journeys import BySegment, Journeys, SegmentBy, Visits


__all__ = ["PainPoints", "pain_points"]


@attrs.frozen(kw_only=True, repr=False)
class PainPoints(Result):
    """Where it hurts, the worst first.

    Attributes
    ----------
    table
        One row a touchpoint where customers feel worse than neutral, the worst first; see
        `pain_points` for the columns.
    well
        Touchpoints where they do not.
    n
        Number of values, those of `well` included.
    measure
        "emotion" or "score".
    neutral
        The value that neither pleases nor hurts.
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Pain points"

    table: Table
    well: tuple[str, ...]
    n: int
    measure: str
    neutral: float
    level: float
    caveats: tuple[str, ...] = ()

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        names = ("touchpoint", "n", "reach", "severity", "impact", "pain", "rank_low", "rank_high")
        return self.table.select(names)

    def _notes(self) -> tuple[str, ...]:
        return (
            "Pain is reach x severity x impact: look at the three, a product hides them.",
            f"Severity is {self.measure} below {self.neutral:g}, shrunken towards all touchpoints.",
            "Impact is what would be gained if nobody left there: an upper bound, not causal.",
            "Nobody leaves at a goal: its pain is 0 whatever its severity.",
            f"At {len(self.well):,} other touchpoints customers feel no worse than that.",
            *self.caveats,
        )


@overload
def pain_points(
    journeys: Journeys,
    *,
    measure: Literal["emotion", "score"] = "emotion",
    neutral: float | None = None,
    worst: float | None = None,
    level: float = 0.95,
    segment: None = None,
) -> PainPoints: ...


@overload
def pain_points(
    journeys: Journeys,
    *,
    measure: Literal["emotion", "score"] = "emotion",
    neutral: float | None = None,
    worst: float | None = None,
    level: float = 0.95,
    segment: SegmentBy,
) -> BySegment[PainPoints]: ...


def pain_points(
    journeys: Journeys,
    *,
    measure: Literal["emotion", "score"] = "emotion",
    neutral: float | None = None,
    worst: float | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> PainPoints | BySegment[PainPoints]:
    """Return reach, severity and impact of bad feelings at each touchpoint, and their product.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, of a log with emotions or scores. The
        goal and the exit touchpoints are touchpoints here: how they were felt counts.
    measure
        "emotion" or "score".
    neutral
        The value that neither pleases nor hurts; None means 0 for emotions and the mean of all
        values for scores.
    worst
        The low end of the scale; None means -1 for emotions and the lowest value for scores.
    level
        Confidence level, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own, with the
        scale of all.

    Returns
    -------
    PainPoints
        One row a touchpoint where the shrunken mean lies below neutral, the worst first. Columns:

        - `touchpoint`, `n`: its name, and visits with a value;
        - `reach`, `reach_low`, `reach_high`: share of the journeys that come by [fraction];
        - `severity`, `severity_low`, `severity_high`: how far the shrunken mean lies below neutral,
          as a share of the way to the low end of the scale [fraction]; the interval is that of the
          raw mean;
        - `impact`, `impact_low`, `impact_high`: lost conversions there over all conversions;
        - `pain`: the product of the three;
        - `rank_low`, `rank_high`: best and worst rank among these that customers leave open, 1 for
          the worst touchpoint.

    Raises
    ------
    UnknownName
        If the log has no such column.
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    InvalidValue
        If `neutral` is not above `worst`.

    Notes
    -----
    Severity is `max(0, neutral - mean) / (neutral - worst)` with the shrunken mean; its
    interval is that of the raw mean. Impact is `D_x / p`, the elasticity of the conversion; at an
    exit touchpoint, where nobody stays, it is `r / (1 - r)` with r the share of the journeys that
    end there, as if those went on like all others. The product is computed without each bucket of
    customers, with the shrinkage of all: a touchpoint's best rank counts those whose pain is surely
    higher, its worst rank those where it is surely lower, by the intervals of the ratios, since a
    product of three positive numbers varies in proportion to itself.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=1000).journeys()
    >>> found = cx.critical.pain_points(journeys)
    >>> found.table["touchpoint"][0]
    'payment'
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(measure, "measure", ("emotion", "score"))
    for name, bound in (("neutral", neutral), ("worst", worst)):
        if bound is not None:
            check_number(bound, name)
    journeys.require_determined("critical.pain_points()")
    visits = contacts_of(journeys)
    values = measured(journeys, visits, measure)
    middle, bottom = _scale(values, measure, neutral, worst)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: pain_points(
                part, measure=measure, neutral=middle, worst=bottom, level=level
            ),
        )
    k = len(visits.names)
    known = np.flatnonzero(~np.isnan(values))
    felt = ratio_figures(
        values[known],
        None,
        group=visits.node[known],
        n_groups=k,
        units=units_of(journeys),
        item=visits.journey[known],
    )
    low, high = felt.student(level)
    overall = float(values[known].mean()) if len(known) else math.nan
    drawn = shrunken_means(felt.whole, felt.variance, overall)

    def severity(mean: Floats) -> Floats:
        return np.clip((middle - mean) / (middle - bottom), 0.0, 1.0)

    reach = reach_figures(journeys, visits, repeated(visits))
    reach_low, reach_high = reach.wilson(level)
    impact = _impact(journeys, visits)
    at_goal = np.isin(visits.names, np.setdiff1d(journeys.rules.goal, visits_of(journeys).names))
    impact_low, impact_high = (np.where(at_goal, 0.0, end) for end in impact.positive(level))
    moved = _keeps(felt) * (felt.without - felt.whole)
    pain = BucketFigures(
        whole=reach.whole * severity(drawn) * impact.whole,
        without=reach.without * severity(drawn + moved) * impact.without,
        units=felt.units,
    )
    n = np.bincount(visits.node[known], minlength=k)
    hurts = severity(drawn) > 0
    rank_low, rank_high = _ranks(pain, hurts, level)
    table = Table(
        {
            "touchpoint": visits.names,
            "n": n,
            "reach": reach.whole,
            "reach_low": reach_low,
            "reach_high": reach_high,
            "severity": severity(drawn),
            "severity_low": severity(high),
            "severity_high": severity(low),
            "impact": impact.whole,
            "impact_low": impact_low,
            "impact_high": impact_high,
            "pain": pain.whole,
            "rank_low": rank_low,
            "rank_high": rank_high,
        },
        formats={
            f"{name}{end}": "percent"
            for name in ("reach", "severity", "impact")
            for end in ("", "_low", "_high")
        }
        | {"rank_low": "integer", "rank_high": "integer"},
        backend=journeys.log.backend,
    )
    order = np.lexsort((np.arange(k), np.nan_to_num(-pain.whole, nan=np.inf)))
    return PainPoints(
        table=table.take(order[hurts[order]]),
        well=tuple(visits.names[i] for i in np.flatnonzero(~hurts & (n > 0)).tolist()),
        n=len(known),
        measure=measure,
        neutral=middle,
        level=level,
        caveats=why_no_interval(felt),
    )


def _ranks(pain: BucketFigures, hurts: Bools, level: float) -> tuple[Floats, Floats]:
    """Return the best and the worst rank among those that hurt; where nothing is lost, the last."""
    lost = hurts & (pain.whole > 0)

    def logs(values: Floats) -> Floats:
        return np.log(np.where(lost & (values > 0), values, np.nan))

    low, high = rank_ranges(pain.map(logs), level=level)
    nothing = hurts & (pain.whole == 0)
    last = np.count_nonzero(lost | nothing)
    return (
        np.where(nothing, 1.0 + np.count_nonzero(lost), low),
        np.where(nothing, float(last), high),
    )


def _keeps(felt: BucketFigures) -> Floats:
    """Return which part of a mean's deviation is left after shrinkage, in [0, 1]."""
    towards = [shrunken_means(felt.whole, felt.variance, target) for target in (0.0, 1.0)]
    return 1.0 - (towards[1] - towards[0])


def _scale(
    values: Floats, measure: str, neutral: float | None, worst: float | None
) -> tuple[float, float]:
    seen = ~np.isnan(values)
    emotion = measure == "emotion"
    middle = neutral
    if middle is None:
        middle = 0.0 if emotion or not seen.any() else float(values[seen].mean())
    bottom = worst
    if bottom is None:
        bottom = -1.0 if emotion or not seen.any() else float(values[seen].min())
    if not middle > bottom and seen.any():
        raise InvalidValue.of("neutral", f"be above the worst value {bottom:g}", middle)
    return middle, bottom


def _impact(journeys: Journeys, contacts: Visits) -> BucketFigures:
    """Return lost conversions over conversions of each touchpoint.

    Nobody stays at an exit touchpoint whom those who leave there could be compared with: they are
    compared with all journeys that end elsewhere, which is o = r / (1 - r) of the conversions with
    r the share of the journeys that end there. Nobody leaves at the goal.
    """
    rates, chain = rates_of_journeys(journeys, "touchpoint").figures, chain_figures(journeys)

    def share(visits: Floats, hitting: Floats, rate: Floats, conversion: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = lost_per_journey(visits, hitting, rate) / conversion
        return np.where(np.isfinite(found), found, np.nan)

    exits = np.flatnonzero(journeys.absorbed & (journeys.outcome == DROPPED))
    ending = share_of_total_figures(
        np.ones(len(exits)),
        group=contacts.node[(np.cumsum(contacts.journeys.lengths) - 1)[exits]],
        n_groups=len(contacts.names),
        units=units_of(journeys),
        item=exits,
        base=np.ones(len(journeys.outcome)),
    )
    node = [contacts.names.index(name) for name in visits_of(journeys).names]

    def everywhere(staying: Floats, ended: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = np.where(ended < 1, ended / (1.0 - ended), np.nan)
        found[..., node] += staying
        return found

    lost = share(chain.visits.whole, chain.hitting.whole, rates.whole, chain.conversion.whole)
    without = share(
        chain.visits.without,
        chain.hitting.without,
        rates.without,
        chain.conversion.without[:, None],
    )
    return BucketFigures(
        whole=everywhere(lost, ending.whole),
        without=everywhere(without, ending.without),
        units=ending.units,
    )
