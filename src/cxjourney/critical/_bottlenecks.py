"""Bottlenecks: the nodes where the time of customers goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._stats.estimates import why_no_interval
from cxjourney._stats.ratios import ratio_figures, share_of_total_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.critical._grain import grain_name
from cxjourney.journeys import (
    By,
    Visits,
    by_segment,
    check_journeys,
    masses_of,
    units_of,
    visits_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys import BySegment, Journeys, SegmentBy

__all__ = ["Bottlenecks", "bottlenecks"]

_SECOND = 1e6


@attrs.frozen(kw_only=True, repr=False)
class Bottlenecks(Result):
    """Where the time of customers goes, the largest share first.

    Attributes
    ----------
    table
        One row a node, the largest share first; see `bottlenecks` for the columns.
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Bottlenecks"

    table: Table
    level: float
    caveats: tuple[str, ...] = ()

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        names = self.table.column_names
        return self.table.select([n for n in names if n not in {"share_low", "share_high"}])

    def _notes(self) -> tuple[str, ...]:
        return (
            "The waits are those of customers who went on; exits() has those who left.",
            f"The intervals are {100 * self.level:g}% intervals, clustered by customer.",
            "Means and quantiles give visits the weights that make up for censored ones.",
            "A customer may want to wait: a long wait is no fault by itself.",
            *self.caveats,
        )


@overload
def bottlenecks(
    journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95, segment: None = None
) -> Bottlenecks: ...


@overload
def bottlenecks(
    journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95, segment: SegmentBy
) -> BySegment[Bottlenecks]: ...


def bottlenecks(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Bottlenecks | BySegment[Bottlenecks]:
    """Return how long customers take from each node to the next, and its share of all their time.

    Parameters
    ----------
    journeys
        The journeys, with times.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    level
        Confidence level, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own.

    Returns
    -------
    Bottlenecks
        One row a node, the largest share of the time first. Columns, after that of the node's name:

        - `visits`, `moved`: visits, and those that went on;
        - `wait_s`, `low`, `high`: mean time to the next visit, goal or exit [s];
        - `median_s`, `p90_s`: quantiles of the same [s];
        - `total_s`: its sum over the observed visits [s];
        - `share`, `share_low`, `share_high`: its share of the sum over all nodes [fraction];
        - `working_s`, `queue_s`: mean duration of the interaction and mean rest of the wait [s];
          NaN without durations;
        - `converted_s`: mean time spent there by a journey that converted [s].

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    UnknownName
        If the log has no such column.

    Notes
    -----
    The wait at x runs from the visit of x to the next visit, the goal or an explicit exit. A
    transition weighs as much as its Aalen-Johansen mass, so that short waits are not
    over-represented where visits are censored; the weights are those of all customers in every
    bucket of the variance. Where interactions have durations, working time is the duration and the
    queue is what is left of the wait.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> found = cx.critical.bottlenecks(journeys, by="stage")
    >>> found.table["stage"][0]
    'consideration'
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(journeys, segment, lambda part: bottlenecks(part, by=by, level=level))
    journeys.require_times("critical.bottlenecks()")
    visits, units = visits_of(journeys, by), units_of(journeys)
    k = len(visits.names)
    moved = np.flatnonzero(visits.state == MOVED)
    node, journey = visits.node[moved], visits.journey[moved]
    wait = waits_s(visits)[moved]
    # without a limit nothing is censored by it
    mass = np.ones(len(moved))
    if journeys.rules.inactivity is not None:
        mass = masses_of(journeys, by)[moved]
    working, queue = _split(journeys, visits, moved, wait)
    median, p90 = _quantiles(node, wait, mass, k, (0.5, 0.9))
    won = journeys.converted[journey]
    n_won = int(np.count_nonzero(journeys.converted))
    converted = np.bincount(node[won], wait[won], minlength=k)
    total = np.bincount(node, wait, minlength=k).astype(np.float64)
    mean = ratio_figures(mass * wait, mass, group=node, n_groups=k, units=units, item=journey)
    low, high = mean.student(level)
    share = share_of_total_figures(wait, group=node, n_groups=k, units=units, item=journey)
    share_low, share_high = share.wilson(level)
    caveats = why_no_interval(mean)
    columns = {
        grain_name(by): visits.names,
        "visits": np.bincount(visits.node, minlength=k),
        "moved": np.bincount(node, minlength=k),
        "wait_s": mean.whole,
        "low": np.maximum(low, 0.0),
        "high": high,
        "median_s": median,
        "p90_s": p90,
        "total_s": total,
        "share": share.whole,
        "share_low": share_low,
        "share_high": share_high,
        "working_s": working,
        "queue_s": queue,
        "converted_s": converted / n_won if n_won else np.full(k, np.nan),
    }
    formats = {name: "duration" for name in columns if name.endswith("_s")}
    formats |= {"low": "duration", "high": "duration", "share": "percent"}
    table = Table(columns, formats=formats, backend=journeys.log.backend)
    order = np.lexsort((np.arange(k), -total))
    return Bottlenecks(table=table.take(order), level=level, caveats=caveats)


def waits_s(visits: Visits) -> NDArray[np.float64]:
    """Return the time from each visit to the next [s]; meaningful where the visit moved."""
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    return visits.wait_us / _SECOND


def _split(
    journeys: Journeys, visits: Visits, moved: NDArray[np.intp], wait: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean working time and mean queue of each node, NaN without durations."""
    k = len(visits.names)
    duration = journeys.columns.numeric.get("duration_us")
    nothing = np.full(k, np.nan)
    if duration is None:
        return nothing, nothing
    worked = np.asarray(duration, dtype=np.float64)[visits.row[moved]] / _SECOND
    known = ~np.isnan(worked)
    node = visits.node[moved][known]
    n = np.bincount(node, minlength=k)
    # an interaction may outlast the time to the next one where timestamps are starts
    parts = (worked[known], np.maximum(wait[known] - worked[known], 0.0))
    sums = (np.bincount(node, part, minlength=k) for part in parts)
    working, queue = (np.divide(s, n, out=nothing.copy(), where=n > 0) for s in sums)
    return working, queue


def _quantiles(
    node: NDArray[np.int64],
    wait: NDArray[np.float64],
    mass: NDArray[np.float64],
    k: int,
    at: tuple[float, ...],
) -> list[NDArray[np.float64]]:
    """Return the weighted quantiles of the waits of each node; NaN where nobody went on."""
    order = np.argsort(wait)
    order = order[np.argsort(node[order].astype(np.min_scalar_type(k)), kind="stable")]
    place, weight = node[order], np.cumsum(mass[order])
    ends = np.searchsorted(place, np.arange(k), side="right")
    begins = np.searchsorted(place, np.arange(k), side="left")
    before = np.append(0.0, weight)[begins]
    total = np.append(0.0, weight)[ends] - before
    some = ends > begins
    found = []
    for fraction in at:
        # rounding of the running sums must not push the quantile past the node's last wait
        target = np.searchsorted(weight, before + fraction * total * (1 - 1e-12))
        quantile = np.full(k, np.nan)
        quantile[some] = wait[order[np.clip(target, begins, ends - 1)[some]]]
        found.append(quantile)
    return found
