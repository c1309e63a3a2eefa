"""`pain_points`: where many are hurt badly, at a cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import attrs
import numpy as np

from cxjourney._stats.clustered import grouped_ratios
from cxjourney._stats.intervals import normal_quantile
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_level,
    check_number,
    check_rng,
)
from cxjourney.critical._graph_argument import reach_shares
from cxjourney.dropoff import exits
from cxjourney.exceptions import InvalidValue
from cxjourney.experience import measured, shrunken_means
from cxjourney.journeys import check_journeys, visits_of
from cxjourney.markov import AbsorbingChain

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.journeys import Journeys


__all__ = ["PainPoints", "pain_points"]


@attrs.frozen(kw_only=True, repr=False)
class PainPoints(Result):
    """Where it hurts, the worst first.

    Attributes
    ----------
    table
        One row a touchpoint: `reach` (share of the journeys that come by), `severity` (how far
        the shrunken mean lies below neutral, as a share of the way to the low end of the scale),
        `impact` (lost conversions there over all conversions), each with `…_low`, `…_high`
        [fraction]; `pain`, their product; `n` values behind the severity; `rank_low`,
        `rank_high`: the ranks that sampling leaves open.
    measure
        "emotion" or "score".
    neutral
        The value that neither pleases nor hurts.
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Pain points"

    table: Table
    measure: str
    neutral: float
    level: float

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        names = ("touchpoint", "n", "reach", "severity", "impact", "pain", "rank_low", "rank_high")
        return self.table.select(names)

    def _notes(self) -> tuple[str, ...]:
        return (
            "pain is reach x severity x impact: look at the three, a product hides them",
            f"severity: {self.measure} below {self.neutral:g}, shrunken towards all touchpoints",
            "impact: lost conversions if nobody left there, over all: an upper bound, not causal",
            "a touchpoint where customers feel well has no severity, however much it loses",
        )


def pain_points(
    journeys: Journeys,
    *,
    measure: Literal["emotion", "score"] = "emotion",
    neutral: float | None = None,
    worst: float | None = None,
    draws: int = 500,
    rng: np.random.Generator | int | None = None,
    level: float = 0.95,
) -> PainPoints:
    """Return reach, severity and impact of what hurts at each touchpoint, and their product.

    Parameters
    ----------
    journeys
        The journeys, with a goal and a way to be dropped, of a log with emotions or scores.
    measure
        "emotion" or "score".
    neutral
        The value that neither pleases nor hurts; None means 0 for emotions and the mean of all
        values for scores.
    worst
        The low end of the scale; None means -1 for emotions and the lowest value for scores.
    draws
        Draws behind the range of ranks, at least 1.
    rng
        For the draws.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    PainPoints

    Raises
    ------
    UnknownName
        If the log has no such column.
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    InvalidValue
        If `neutral` is not above `worst`, or `draws` is below 1.

    Notes
    -----
    Severity is `max(0, neutral - mean) / (neutral - worst)` with the shrunken mean; its
    interval is that of the raw mean. Impact is `D_x / p`, the elasticity of the conversion. Ranks
    come from draws of the three around their estimates, taken as independent of one another.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=1000).journeys()
    >>> found = cx.critical.pain_points(journeys, rng=1)
    >>> found.table["touchpoint"][0]
    'payment'
    """
    check_journeys(journeys)
    check_level(level)
    check_choice(measure, "measure", ("emotion", "score"))
    check_count(draws, "draws")
    for name, bound in (("neutral", neutral), ("worst", worst)):
        if bound is not None:
            check_number(bound, name)
    journeys.require_determined("critical.pain_points()")
    visits = visits_of(journeys)
    values = measured(journeys, visits, measure)
    middle, bottom = _scale(values, measure, neutral, worst)
    k = len(visits.names)
    known = ~np.isnan(values)
    felt = grouped_ratios(
        values[known],
        np.ones(int(known.sum())),
        group=visits.node[known],
        n_groups=k,
        customer=visits.customer[known],
    )
    low, high = felt.student(level)
    overall = float(values[known].mean()) if known.any() else math.nan
    drawn = shrunken_means(felt.value, felt.variance, overall)

    def severity(mean: Floats) -> Floats:
        return np.clip((middle - mean) / (middle - bottom), 0.0, 1.0)

    reach = reach_shares(journeys, visits)
    reach_low, reach_high = reach.wilson(level)
    impact, impact_low, impact_high = _impact(journeys, visits.names, level)
    pain = reach.value * severity(drawn) * impact
    generator, size = check_rng(rng), (draws, k)
    of_impact = (impact_high - impact_low) / (2 * normal_quantile(level))
    rank_low, rank_high = _ranks(
        np.clip(generator.normal(reach.value, np.sqrt(reach.variance), size), 0, 1)
        * severity(generator.normal(drawn, np.sqrt(felt.variance), size))
        * np.maximum(generator.normal(impact, of_impact, size), 0),
        level,
    )
    table = Table(
        {
            "touchpoint": visits.names,
            "n": felt.base.astype(np.int64),
            "reach": reach.value,
            "reach_low": reach_low,
            "reach_high": reach_high,
            "severity": severity(drawn),
            "severity_low": severity(high),
            "severity_high": severity(low),
            "impact": impact,
            "impact_low": impact_low,
            "impact_high": impact_high,
            "pain": pain,
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
    order = np.lexsort((np.arange(k), np.nan_to_num(-pain, nan=np.inf)))
    return PainPoints(table=table.take(order), measure=measure, neutral=middle, level=level)


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


def _impact(journeys: Journeys, names: tuple[str, ...], level: float) -> tuple[Floats, ...]:
    """Return lost conversions over conversions, with the interval of the exit probability."""
    found = exits(journeys, level=level).table
    rows = list(found["touchpoint"])
    order = [rows.index(name) for name in names]
    chain = AbsorbingChain.from_graph(journeys.graph(), trapped="censored")
    conversions = len(journeys) * (chain.conversion_probability or math.nan)
    columns = ("lost_conversions", "lost_low", "lost_high")
    return tuple(np.asarray(found[name], dtype=np.float64)[order] / conversions for name in columns)


def _ranks(pain: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the best and the worst rank that the draws leave open, shape (draws, K) to (K,)."""
    from scipy.stats import rankdata

    ordered = np.nan_to_num(-pain, nan=np.inf)
    unknown = np.isnan(pain).any(axis=0)
    tail = (1 - level) / 2
    # those without pain share their ranks: the first of them to the last
    best, worst = rankdata(ordered, "min", axis=1), rankdata(ordered, "max", axis=1)
    low = np.quantile(best, tail, axis=0, method="inverted_cdf")
    high = np.quantile(worst, 1 - tail, axis=0, method="inverted_cdf")
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
