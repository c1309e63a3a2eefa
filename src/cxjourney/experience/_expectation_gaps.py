"""`expectation_gaps`: where experience falls short of what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._stats.clustered import grouped_ratios
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.experience._scores import measured, shrunken_means
from cxjourney.journeys import By, check_journeys, visits_of

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

__all__ = ["ExpectationGaps", "expectation_gaps"]


@attrs.frozen(kw_only=True, repr=False)
class ExpectationGaps(Result):
    """Experience minus expectation at each node, the widest shortfall first.

    Attributes
    ----------
    table
        One row a node: `pairs`, `customers`; mean `expected` and `experienced`; `gap` with `low`,
        `high` [scale points]; `shrunken` (what the order goes by); `exceeded`, `met`, `missed`
        (shares of the pairs [fraction]).
    n_incomplete
        Visits with only one half of the pair.
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Experience minus expectation"

    table: Table
    n_incomplete: int
    level: float

    def _table(self) -> Table:
        return self.table

    def _notes(self) -> tuple[str, ...]:
        return (
            f"{100 * self.level:g}% Student intervals, clustered by customer",
            f"{self.n_incomplete:,} visits with only one half of the pair are left out",
            "differences of scores are less reliable than the scores (Edwards 2001)",
        )


def expectation_gaps(
    journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95
) -> ExpectationGaps:
    """Return by how much experience exceeds expectation at each touchpoint.

    Parameters
    ----------
    journeys
        The journeys, of a log with scores and expectations on one scale.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    ExpectationGaps
        A node without pairs is there, with NaN.

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
    visits = visits_of(journeys, by)
    lived = measured(journeys, visits, "score")
    hoped = measured(journeys, visits, "expectation")
    pair = ~np.isnan(lived) & ~np.isnan(hoped)
    k = len(visits.names)
    gap = lived[pair] - hoped[pair]
    node, customer = visits.node[pair], visits.customer[pair]
    found, expected, lived_mean, exceeded, met = (
        grouped_ratios(
            column.astype(np.float64),
            np.ones(len(gap)),
            group=node,
            n_groups=k,
            customer=customer,
        )
        for column in (gap, hoped[pair], lived[pair], gap > 0, gap == 0)
    )
    low, high = found.student(level)
    overall = float(gap.mean()) if len(gap) else float("nan")
    drawn = shrunken_means(found.value, found.variance, overall)
    table = Table(
        {
            by if isinstance(by, str) else " @ ".join(by): visits.names,
            "pairs": found.base.astype(np.int64),
            "customers": found.customers.astype(np.int64),
            "expected": expected.value,
            "experienced": lived_mean.value,
            "gap": found.value,
            "low": low,
            "high": high,
            "shrunken": drawn,
            "exceeded": exceeded.value,
            "met": met.value,
            "missed": 1 - exceeded.value - met.value,
        },
        formats=dict.fromkeys(("exceeded", "met", "missed"), "percent"),
        backend=journeys.log.backend,
    )
    order = np.lexsort((np.arange(k), np.nan_to_num(drawn, nan=np.inf)))
    one = np.isnan(lived) != np.isnan(hoped)
    return ExpectationGaps(
        table=table.take(order), n_incomplete=int(np.count_nonzero(one)), level=level
    )
