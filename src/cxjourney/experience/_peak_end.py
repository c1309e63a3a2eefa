"""Peak and end of journeys: what they leave in memory, beside their plain mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack, overload

import attrs
import numpy as np

from cxjourney import metrics
from cxjourney._stats.estimates import CLUSTERED, means_without
from cxjourney._stats.ratios import mean_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.experience._scores import SCALES, Measure, measured
from cxjourney.journeys import (
    CONVERTED,
    DROPPED,
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    contacts_of,
    units_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys


@attrs.frozen(kw_only=True, repr=False)
class Remembered(Result):
    """Peak-end of ended journeys beside their mean.

    Attributes
    ----------
    table
        One row an outcome and summary; see `peak_end` for the columns.
    scores, means
        Peak-end and mean of each journey, in their order; NaN where it has no value or, of
        peak-end, no end yet.
    measure, level
        "score", "emotion" or "expectation"; confidence level of the intervals.
    n_in_progress
        Journeys with values that have no end yet.
    """

    title: ClassVar[str] = "What is remembered"

    table: Table
    scores: tuple[float, ...] = attrs.field(repr=False)
    means: tuple[float, ...] = attrs.field(repr=False)
    measure: str
    n_in_progress: int
    level: float

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Means have {100 * self.level:g}% intervals (Student, {CLUSTERED}).",
            *means_without(self.table["value"], self.table["low"]),
            f"{self.n_in_progress:,} journeys in progress have no end and are left out.",
            "Peak-end predicts memory about as well as the mean does (Alaybek et al. 2022).",
        )


Tie: TypeAlias = Literal["negative", "positive", "latest", "mean"]


class PeakOptions(TypedDict, total=False):
    """What `peak_end` takes."""

    measure: Measure
    neutral: float
    tie: Tie
    level: float


@overload
def peak_end(
    journeys: Journeys, *, segment: None = None, **options: Unpack[PeakOptions]
) -> Remembered: ...
@overload
def peak_end(
    journeys: Journeys, *, segment: SegmentBy, **options: Unpack[PeakOptions]
) -> BySegment[Remembered]: ...
def peak_end(
    journeys: Journeys,
    *,
    measure: Measure = "emotion",
    neutral: float = 0.0,
    tie: Tie = "negative",
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Remembered | BySegment[Remembered]:
    """Return the mean of the most intense and the last moment of journeys, beside their mean.

    Parameters
    ----------
    journeys
        The journeys. How the goal or exit that ends one was felt counts like any other contact.
    measure
        "emotion" (valence from -1 to 1), "score" or "expectation".
    neutral
        The value that neither pleases nor hurts; for scores the middle of their scale.
    tie
        Which moment is the peak where two are equally intense; see
        `cxjourney.metrics.peak_end_rule`.
    segment, level
        An attribute of customers or interactions; the result is then one of each segment; and the
        confidence level, in (0, 1).

    Returns
    -------
    Remembered
        One row an outcome and summary, with the columns

        | column | what it is |
        |---|---|
        | `outcome` | "all", "converted" or "dropped" |
        | `summary` | "peak-end", "mean", "end" or "lowest" |
        | `journeys`, `customers` | journeys with a value, and who made them |
        | `value`, `low`, `high` | mean of the summary over journeys, its interval |
    BySegment, where `segment` is given

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    `cxjourney.metrics.peak_end_rule` on each journey. Means are computed again without each of 64
    buckets of customers; their intervals are Student's. The end is the last contact with a value,
    the goal or exit among them: where the last contact has none, memory may differ.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.experience.peak_end(journeys)
    >>> found.table["summary"][:2]
    ('peak-end', 'mean')
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: peak_end(part, measure=measure, neutral=neutral, tie=tie, level=level),
        )
    visits = contacts_of(journeys)
    values = measured(journeys, visits, measure)
    known = np.flatnonzero(~np.isnan(values))
    journey, v = visits.journey[known], values[known]
    ended = journeys.outcome != IN_PROGRESS
    count = len(journeys.outcome)
    remembered = metrics.peak_end_rule(v, journey=journey, neutral=neutral, tie=tie, level=level)
    present, first = np.unique(journey, return_index=True)
    last = np.append(first[1:], len(journey))[: len(first)] - 1
    parts = {
        "peak-end": np.array(remembered.scores, dtype=np.float64),
        "mean": np.bincount(journey, v, minlength=count)[present]
        / np.bincount(journey, minlength=count)[present],
        "end": v[last],
        "lowest": np.minimum.reduceat(v, first) if len(first) else v[first],
    }
    groups = {"all": ended, "converted": journeys.outcome == CONVERTED}
    groups["dropped"] = journeys.outcome == DROPPED
    rows: list[dict[str, Any]] = [
        {"outcome": name, "summary": summary}
        | _figures(
            journeys, part[chosen[present]], present[chosen[present]], level, SCALES.get(measure)
        )
        for name, chosen in groups.items()
        for summary, part in parts.items()
    ]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
    scores, means = np.full(count, np.nan), np.full(count, np.nan)
    scores[present] = np.where(ended[present], parts["peak-end"], np.nan)
    means[present] = parts["mean"]
    return Remembered(
        table=Table(columns, backend=journeys.log.backend),
        scores=tuple(scores.tolist()),
        means=tuple(means.tolist()),
        measure=measure,
        n_in_progress=int(np.count_nonzero(~ended[present])),
        level=level,
    )


def _figures(
    journeys: Journeys,
    values: NDArray[np.float64],
    journey: NDArray[np.int64],
    level: float,
    scale: tuple[float, float] | None,
) -> dict[str, int | float]:
    """Return the mean over journeys with its interval."""
    found = mean_figures(values, units_of(journeys), journey)
    (low,), (high,) = found.means(level, scale)
    return {
        "journeys": int(found.units.sum()),
        "customers": len(np.unique(journeys.customer[journey])),
        "value": float(found.whole[0]),
        "low": float(low),
        "high": float(high),
    }
