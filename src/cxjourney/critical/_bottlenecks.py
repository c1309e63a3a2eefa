"""`bottlenecks`: where the time of customers goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, move_mass
from cxjourney._stats.clustered import grouped_ratios, grouped_shares
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.critical._graph_argument import grain_name
from cxjourney.journeys import By, Visits, check_journeys, visits_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

__all__ = ["Bottlenecks", "bottlenecks"]

_SECOND = 1e6


@attrs.frozen(kw_only=True, repr=False)
class Bottlenecks(Result):
    """Where the time of customers goes, the largest share first.

    Attributes
    ----------
    table
        One row a node: `visits`; `moved` (visits that went on); `wait_s` (mean time to the next
        touch) with `low`, `high`; `median_s`, `p90_s`; `total_s`; `share` of the time of all with
        `share_low`, `share_high` [fraction]; `working_s`, `queue_s` (mean duration of the
        interaction and mean rest of the wait, NaN without durations); `converted_s` (mean time
        spent there by a journey that converted).
    level
        Confidence level of the intervals.
    """

    title: ClassVar[str] = "Bottlenecks"

    table: Table
    level: float

    def _table(self) -> Table:
        return self.table

    def _shown(self) -> Table:
        names = self.table.column_names
        return self.table.select([n for n in names if n not in {"share_low", "share_high"}])

    def _notes(self) -> tuple[str, ...]:
        return (
            "waits of those who went on: who was lost waited in vain, and is in exits()",
            f"{100 * self.level:g}% Student intervals, clustered by customer",
            "means and quantiles weigh visits so that open ones are made up for",
            "a wait may be the customer's wish: it is no fault by itself",
        )


def bottlenecks(journeys: Journeys, *, by: By = "touchpoint", level: float = 0.95) -> Bottlenecks:
    """Return how long customers take from each touchpoint to the next touch, and what share it is.

    Parameters
    ----------
    journeys
        The journeys, with times.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Bottlenecks

    Raises
    ------
    TimesRequired
        If the journeys were made of aggregated paths.
    UnknownName
        If the log has no such column.

    Notes
    -----
    The wait at x runs from the touch at x to the next touch, the goal or an explicit exit. A move
    weighs as much as its Aalen-Johansen mass, so that short waits are not over-represented where
    visits are still open. Where interactions have durations, working time is the duration and the
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
    journeys.require_times("critical.bottlenecks()")
    visits = visits_of(journeys, by)
    k = len(visits.names)
    moved = np.flatnonzero(visits.state == MOVED)
    node, customer = visits.node[moved], visits.customer[moved]
    wait = waits_s(visits)[moved]
    mass = _mass(journeys, visits)[moved]
    mean = grouped_ratios(mass * wait, mass, group=node, n_groups=k, customer=customer)
    low, high = mean.student(level)
    share = grouped_shares(wait, group=node, n_groups=k, customer=customer)
    share_low, share_high = share.student(level)
    working, queue = _split(journeys, visits, moved, wait)
    won = journeys.converted[visits.journey[moved]]
    n_won = int(np.count_nonzero(journeys.converted))
    converted = np.bincount(node[won], wait[won], minlength=k)
    total = np.bincount(node, wait, minlength=k).astype(np.float64)
    median, p90 = _quantiles(node, wait, mass, k, (0.5, 0.9))
    columns = {
        grain_name(by): visits.names,
        "visits": np.bincount(visits.node, minlength=k),
        "moved": np.bincount(node, minlength=k),
        "wait_s": mean.value,
        "low": np.maximum(low, 0.0),
        "high": high,
        "median_s": median,
        "p90_s": p90,
        "total_s": total,
        "share": share.value,
        "share_low": np.maximum(share_low, 0.0),
        "share_high": np.minimum(share_high, 1.0),
        "working_s": working,
        "queue_s": queue,
        "converted_s": converted / n_won if n_won else np.full(k, np.nan),
    }
    formats = {name: "duration" for name in columns if name.endswith("_s")}
    formats |= {"low": "duration", "high": "duration", "share": "percent"}
    table = Table(columns, formats=formats, backend=journeys.log.backend)
    order = np.lexsort((np.arange(k), -total))
    return Bottlenecks(table=table.take(order), level=level)


def waits_s(visits: Visits) -> NDArray[np.float64]:
    """Return the time from each visit to the next touch [s]; meaningful where the visit moved."""
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    return visits.wait_us / _SECOND


def _mass(journeys: Journeys, visits: Visits) -> NDArray[np.float64]:
    """Return how much each move weighs: Aalen-Johansen masses where there is a limit."""
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    if journeys.rules.inactivity is None:
        return np.ones(len(visits))
    return move_mass(visits.node, visits.wait_us, visits.state, len(visits.names))


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
