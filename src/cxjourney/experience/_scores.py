"""Scores of touchpoints: the mean of a measure at each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED, means_without
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.distinct import distinct
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_level
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import (
    By,
    BySegment,
    SegmentBy,
    Visits,
    by_segment,
    check_journeys,
    contacts_of,
    grain_name,
    missing_note_of,
    units_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

Measure = Literal["score", "emotion", "expectation"]
SCALES = {"emotion": (-1.0, 1.0)}  # of measures that have one
MEASURES = ("score", "emotion", "expectation")


@attrs.frozen(kw_only=True, repr=False)
class TouchpointScores(Result):
    """The mean of a measure at each node, worst first.

    Attributes
    ----------
    table
        One row a node; see `scores` for the columns.
    measure, overall
        "score", "emotion" or "expectation", and its mean over all values.
    level, caveats
        Confidence level of the intervals; what a reader must know.
    """

    title: ClassVar[str] = "How customers felt where"

    table: Table
    measure: str
    overall: float
    level: float
    caveats: tuple[str, ...]

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the means with their intervals, the worst on top, and the mean of all.

        Parameters
        ----------
        max_rows
            Only so many of the worst nodes are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        grain = self.table.column_names[: self.table.column_names.index("visits")]
        names = plot.joined(*(self.table[g] for g in grain), by=" @ ")
        table = self.table.take(range(len(names))[:max_rows])
        return plot.forest(
            names[:max_rows],
            table["mean"],
            table["low"],
            table["high"],
            n=table["n"],
            reference=self.overall,
            label=f"mean {self.measure}, {100 * self.level:g}% interval",
            caption="The worst on top, where few answers weigh less; the dashed line is the mean "
            "of all, n the number of answers." + plot.drawn_of(len(table), len(names), "nodes"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Means have {100 * self.level:g}% intervals (Student, {CLUSTERED}).",
            "Not everybody answers, and customers who have left are no longer asked.",
            "The lowest mean of many looks worse than it is: read `shrunken`.",
            *self.caveats,
        )


def n_customers(visits: Visits, chosen: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the number of customers behind some of the visits of each node."""
    width = max(len(visits.journeys.log.customer_ids), 1)
    pairs, _ = distinct(visits.node[chosen] * width + visits.customer[chosen])
    return np.bincount(pairs // width, minlength=len(visits.names))


def measured(journeys: Journeys, visits: Visits, measure: Measure) -> NDArray[np.float64]:
    """Return the value of a measure at each visit, NaN where unknown."""
    check_choice(measure, "measure", MEASURES)
    values = journeys.columns.numeric.get(measure)
    if values is None:
        known = [name for name in MEASURES if name in journeys.columns.numeric]
        raise UnknownName.among("measure=", measure, known, where="the columns of the log")
    return np.asarray(values, dtype=np.float64)[visits.row]


@overload
def scores(
    journeys: Journeys,
    *,
    measure: Measure = "emotion",
    by: By = "touchpoint",
    segment: None = None,
    level: float = 0.95,
) -> TouchpointScores: ...
@overload
def scores(
    journeys: Journeys,
    *,
    measure: Measure = "emotion",
    by: By = "touchpoint",
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[TouchpointScores]: ...
def scores(
    journeys: Journeys,
    *,
    measure: Measure = "emotion",
    by: By = "touchpoint",
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> TouchpointScores | BySegment[TouchpointScores]:
    """Return the mean score, emotion or expectation at each touchpoint.

    Parameters
    ----------
    journeys
        The journeys. How the goal or exit that ends one was felt counts like any other contact.
    measure
        "emotion" (valence from -1 to 1), "score" or "expectation" (points of their own scale).
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    segment, level
        An attribute of customers or interactions; the result is then one of each segment; and the
        confidence level, in (0, 1).

    Returns
    -------
    TouchpointScores
        One row a node, the lowest shrunken mean first; a node without a value has NaN. After the
        name of the node come

        | column | what it is |
        |---|---|
        | `visits` | contacts at the node, goals and exits among them |
        | `n`, `customers` | visits with a value, and the customers who made them |
        | `mean`, `low`, `high` | mean over these visits [unit of the measure], its interval |
        | `shrunken` | the mean drawn towards that of all nodes |
        | `valley` | whether the interval lies below the mean of all other nodes |
    BySegment, where `segment` is given

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    The mean over visits with a value is computed again without each of 64 buckets of customers; its
    interval is Student's.
    The shrunken mean is `m + B_x (y_x - m)` with `B_x = τ² / (τ² + se_x²)`, m the mean of all and
    τ² by moments: a node with three answers cannot top a list by luck.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.experience.scores(journeys, measure="score", by="stage")
    >>> found.table["stage"][0]
    'retention'
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: scores(part, measure=measure, by=by, level=level)
        )
    visits = contacts_of(journeys, by)
    values = measured(journeys, visits, measure)
    known = np.flatnonzero(~np.isnan(values))
    k = len(visits.names)
    found = ratio_figures(
        values[known],
        None,
        group=visits.node[known],
        n_groups=k,
        units=units_of(journeys),
        item=visits.journey[known],
    )
    low, high = found.means(level, SCALES.get(measure))
    n = found.units.sum(axis=0)
    total = float(n.sum())
    sums = np.where(n > 0, n * found.whole, 0.0)
    overall = float(sums.sum() / total) if total else float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        others = (sums.sum() - sums) / (total - n)
    drawn = shrunken_means(found.whole, found.variance, overall)
    table = Table(
        {
            grain_name(by): visits.names,
            "visits": np.bincount(visits.node, visits.weight, minlength=k).astype(np.int64),
            "n": n.astype(np.int64),
            "customers": n_customers(visits, known),
            "mean": found.whole,
            "low": low,
            "high": high,
            "shrunken": drawn,
            "valley": high < others,
        },
        backend=journeys.log.backend,
    )
    order = np.lexsort((np.arange(k), np.nan_to_num(drawn, nan=np.inf)))
    return TouchpointScores(
        table=table.take(order),
        measure=measure,
        overall=overall,
        level=level,
        caveats=(*means_without(found.whole, low), *missing_note_of(journeys, by)),
    )


def shrunken_means(
    mean: NDArray[np.float64], variance: NDArray[np.float64], towards: float
) -> NDArray[np.float64]:
    """Return means drawn towards a common one, the more so the less is known of them.

    A mean of too few customers has no variance and says nothing: it is drawn all the way. The
    spread between the true means is that of the observed ones less what sampling adds
    (DerSimonian and Laird 1986, unweighted).
    """
    sure = ~np.isnan(variance)
    between = 0.0
    if np.count_nonzero(sure) > 1:
        between = max(0.0, float(mean[sure].var(ddof=1) - variance[sure].mean()))
    with np.errstate(invalid="ignore"):
        keeps = np.where(sure & (between > 0), between / (between + variance), 0.0)
    drawn: NDArray[np.float64] = np.where(
        np.isnan(mean), np.nan, towards + keeps * (np.nan_to_num(mean) - towards)
    )
    return drawn
