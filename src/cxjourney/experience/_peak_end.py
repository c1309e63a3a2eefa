"""`peak_end`: what journeys leave in memory, beside their plain mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs
import numpy as np

from cxjourney import metrics
from cxjourney._stats.clustered import grouped_ratios
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.experience._scores import Measure, measured
from cxjourney.journeys import CONVERTED, DROPPED, IN_PROGRESS, check_journeys, visits_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

__all__ = ["Remembered", "peak_end"]


@attrs.frozen(kw_only=True, repr=False)
class Remembered(Result):
    """Peak-end of ended journeys beside their mean.

    Attributes
    ----------
    table
        One row an outcome ("all", "converted", "dropped") and summary ("peak-end", "mean", "end",
        "lowest"): `journeys`, `customers`, `value` with `low` and `high`.
    scores
        Peak-end of each journey, in their order; NaN where it has no value or no end yet.
    means
        Mean of each journey; NaN where it has no value.
    measure
        "score", "emotion" or "expectation".
    n_in_progress
        Journeys with values that have no end yet.
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "What is remembered"

    table: Table
    scores: tuple[float, ...] = attrs.field(repr=False)
    means: tuple[float, ...] = attrs.field(repr=False)
    measure: str
    n_in_progress: int
    level: float

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        return (
            f"{self.measure}: {100 * self.level:g}% Student intervals, clustered by customer",
            f"{self.n_in_progress:,} journeys in progress have no end and are left out",
            "peak-end predicts memory about as well as the mean, not better (Alaybek et al. 2022)",
        )


def peak_end(
    journeys: Journeys,
    *,
    measure: Measure = "emotion",
    neutral: float = 0.0,
    tie: Literal["negative", "positive", "latest", "mean"] = "negative",
    level: float = 0.95,
) -> Remembered:
    """Return the mean of the most intense and the last moment of journeys, beside their mean.

    Parameters
    ----------
    journeys
        The journeys.
    measure
        "emotion" (valence from -1 to 1), "score" or "expectation".
    neutral
        The value that neither pleases nor hurts; for scores the middle of their scale.
    tie
        Which moment is the peak where two are equally intense; see
        `cxjourney.metrics.peak_end_rule`.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Remembered

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    `cxjourney.metrics.peak_end_rule` on each journey; intervals over customers by linearisation.
    The end is the last touch with a value: where the last touch has none, memory may differ.

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
    visits = visits_of(journeys)
    values = measured(journeys, visits, measure)
    known = np.flatnonzero(~np.isnan(values))
    journey, v = visits.journey[known], values[known]
    ended = journeys.outcome != IN_PROGRESS
    count = len(journeys.outcome)
    remembered = metrics.peak_end_rule(v, journey=journey, neutral=neutral, tie=tie, level=level)
    present, first = np.unique(journey, return_index=True)
    last = np.append(first[1:], len(journey)) - 1
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
        | _figures(part[chosen[present]], journeys.customer[present][chosen[present]], level)
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
    values: NDArray[np.float64], customer: NDArray[np.int64], level: float
) -> dict[str, int | float]:
    """Return the mean over journeys with its interval."""
    found = grouped_ratios(
        values,
        np.ones(len(values)),
        group=np.zeros(len(values), dtype=np.int64),
        n_groups=1,
        customer=customer,
    )
    low, high = found.student(level)
    return {
        "journeys": int(found.base[0]),
        "customers": int(found.customers[0]),
        "value": float(found.value[0]),
        "low": float(low[0]),
        "high": float(high[0]),
    }
