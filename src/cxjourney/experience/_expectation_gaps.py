"""Expectation gaps: experience minus expectation at each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED, means_without
from cxjourney._stats.ratios import ratio_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.experience._scores import measured, n_customers, shrunken_means
from cxjourney.journeys import (
    By,
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    contacts_of,
    grain_name,
    missing_note_of,
    units_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cxjourney.journeys import Journeys


@attrs.frozen(kw_only=True, repr=False)
class ExpectationGaps(Result):
    """Experience minus expectation at each node, the widest shortfall first.

    Attributes
    ----------
    table
        One row a node; see `expectation_gaps` for the columns.
    n_incomplete, level, caveats
        Visits with only one half of the pair; confidence level of the intervals; what a reader must
        know.
    """

    title: ClassVar[str] = "Experience minus expectation"

    table: Table
    n_incomplete: int
    level: float
    caveats: tuple[str, ...]

    def plot(
        self, *, max_rows: int | None = 20, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the gaps with their intervals, the widest shortfall on top.

        Parameters
        ----------
        max_rows
            Only so many of the widest shortfalls are drawn; None draws all.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        grain = self.table.column_names[: self.table.column_names.index("pairs")]
        table = self.table.take(range(len(self.table))[:max_rows])
        return plot.forest(
            plot.joined(*(table[name] for name in grain), by=" @ "),
            table["gap"],
            table["low"],
            table["high"],
            n=table["pairs"],
            reference=0.0,
            label=f"experience minus expectation, {100 * self.level:g}% interval",
            caption="Left of the dashed line it was worse than expected. The widest shortfalls "
            "stand on top, where few answers weigh less."
            + plot.drawn_of(len(table), len(self.table), "nodes"),
            title=self.title if title is None else title,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Gaps have {100 * self.level:g}% intervals (Student, {CLUSTERED}).",
            f"{self.n_incomplete:,} visits with only one half of the pair are left out.",
            "Differences of scores are less reliable than the scores (Edwards 2001).",
            *self.caveats,
        )


@overload
def expectation_gaps(
    journeys: Journeys, *, by: By = "touchpoint", segment: None = None, level: float = 0.95
) -> ExpectationGaps: ...
@overload
def expectation_gaps(
    journeys: Journeys, *, by: By = "touchpoint", segment: SegmentBy, level: float = 0.95
) -> BySegment[ExpectationGaps]: ...
def expectation_gaps(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> ExpectationGaps | BySegment[ExpectationGaps]:
    """Return the mean of experience minus expectation at each touchpoint.

    Parameters
    ----------
    journeys
        The journeys, of a log with scores and expectations on one scale. The goal or exit that
        ends a journey counts like any other contact.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    segment, level
        An attribute of customers or interactions; the result is then one of each segment; and the
        confidence level, in (0, 1).

    Returns
    -------
    ExpectationGaps
        One row a node, the widest shortfall first; a node without pairs has NaN. After the name of
        the node come

        | column | what it is |
        |---|---|
        | `pairs`, `customers` | visits with score and expectation, and who made them |
        | `expected`, `experienced` | means of both [scale points] |
        | `gap`, `low`, `high` | mean difference [scale points], its interval |
        | `shrunken` | the gap drawn towards that of all nodes; the order goes by it |
        | `exceeded`, `met`, `missed` | shares of the pairs [fraction] |
    BySegment, where `segment` is given

    Raises
    ------
    UnknownName
        If the log has no scores or no expectations.

    Notes
    -----
    G = P - E of the same visit (Oliver 1980). Ties matter: read all three shares. Where
    expectations stand at the top of the scale nothing can exceed them, and expectations that were
    asked after the experience are coloured by it. `cxjourney.metrics.expectation_gap` has the test.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> gaps = cx.experience.expectation_gaps(journeys, by="stage")
    >>> gaps.table["stage"][-1]
    'awareness'
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: expectation_gaps(part, by=by, level=level)
        )
    visits = contacts_of(journeys, by)
    lived = measured(journeys, visits, "score")
    hoped = measured(journeys, visits, "expectation")
    pair = np.flatnonzero(~np.isnan(lived) & ~np.isnan(hoped))
    k = len(visits.names)
    gap = lived[pair] - hoped[pair]
    found, expected, lived_mean, exceeded, met = (
        ratio_figures(
            column.astype(np.float64),
            None,
            group=visits.node[pair],
            n_groups=k,
            units=units_of(journeys),
            item=visits.journey[pair],
        )
        for column in (gap, hoped[pair], lived[pair], gap > 0, gap == 0)
    )
    low, high = found.means(level)
    overall = float(gap.mean()) if len(gap) else float("nan")
    drawn = shrunken_means(found.whole, found.variance, overall)
    table = Table(
        {
            grain_name(by): visits.names,
            "pairs": found.units.sum(axis=0).astype(np.int64),
            "customers": n_customers(visits, pair),
            "expected": expected.whole,
            "experienced": lived_mean.whole,
            "gap": found.whole,
            "low": low,
            "high": high,
            "shrunken": drawn,
            "exceeded": exceeded.whole,
            "met": met.whole,
            "missed": 1 - exceeded.whole - met.whole,
        },
        formats=dict.fromkeys(("exceeded", "met", "missed"), "percent"),
        backend=journeys.log.backend,
    )
    order = np.lexsort((np.arange(k), np.nan_to_num(drawn, nan=np.inf)))
    one = np.isnan(lived) != np.isnan(hoped)
    return ExpectationGaps(
        table=table.take(order),
        n_incomplete=int(np.count_nonzero(one)),
        level=level,
        caveats=(*means_without(found.whole, low), *missing_note_of(journeys, by)),
    )
