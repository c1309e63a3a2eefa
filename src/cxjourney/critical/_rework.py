"""Rework: what customers have to do again, and how often journeys go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import networkx as nx
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._stats.buckets import BucketFigures, share_interval, t_quantile
from cxjourney._stats.estimates import share_estimate, why_no_interval
from cxjourney._stats.ratios import quotient, ratio_figures
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney._support.words import counted
from cxjourney.critical._grain import repeated, stage_ranks, touchpoints_of
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    By,
    Visits,
    by_segment,
    chain_figures,
    check_journeys,
    grain_name,
    graph_of,
    masses_of,
    missing_note_of,
    units_of,
    visits_of,
)
from cxjourney.metrics import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.domain import StageModel
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys import BySegment, Journeys, SegmentBy


@attrs.frozen(kw_only=True, repr=False)
class Rework(Result):
    """What customers do again, and how often they go back to an earlier stage.

    Attributes
    ----------
    table
        One row a node, most repeated visits first; see `rework` for the columns.
    loops
        Members of each loop: nodes that lead to one another in the end, or to themselves.
    bounces
        There and straight back: `node`, `via`, `count`, most frequent first.
    regress
        Share of the transitions from visit to visit that lead to an earlier stage; None without
        stages.
    stages
        The order of the stages.
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Rework"

    table: Table
    loops: tuple[tuple[str, ...], ...]
    bounces: Table
    regress: Estimate | None
    stages: tuple[str, ...]
    level: float
    caveats: tuple[str, ...] = ()

    def _shown(self) -> Table:
        names = self.table.column_names
        return self.table.select([n for n in names if not n.startswith("returning_")])

    def _notes(self) -> tuple[str, ...]:
        largest = max((len(loop) for loop in self.loops), default=0)
        notes = [
            f"The intervals are {100 * self.level:g}% Wilson intervals, clustered by customer.",
            f"{counted(len(self.loops), 'loop')}, the largest of {counted(largest, 'node')}.",
        ]
        if self.regress is not None:
            notes.append(f"Share of the transitions back to an earlier stage: {self.regress!r}.")
        notes.append("Customers may want to come again: a product page seen twice is no fault.")
        return (*notes, *self.caveats)


@overload
def rework(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    stages: StageModel | Sequence[str] | None = None,
    level: float = 0.95,
    segment: None = None,
) -> Rework: ...


@overload
def rework(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    stages: StageModel | Sequence[str] | None = None,
    level: float = 0.95,
    segment: SegmentBy,
) -> BySegment[Rework]: ...


def rework(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    stages: StageModel | Sequence[str] | None = None,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> Rework | BySegment[Rework]:
    """Return what customers do more than once on one journey.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is: "touchpoint", "channel", "stage", "owner" or a pair of them.
    stages
        The stages in their order: a `StageModel` or names. None takes the standard model that has
        all stages of the log, and leaves regress out where there is none.
    level
        Confidence level, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own.

    Returns
    -------
    Rework
        One row a node, most repeated visits first. Columns, after that of the node's name:

        - `visits`, `journeys`: visits, and journeys that come by;
        - `rework_rate`, `low`, `high`: share of the visits that are not the first of their journey
          there [fraction];
        - `returning`, `returning_low`, `returning_high`: probability that a journey which is there
          comes back [fraction];
        - `repeats`: visits beyond the first;
        - `repeated_s`: time that followed them [s], NaN without times;
        - `loop`: number of the loop that it is part of, 0 for none.

    Raises
    ------
    UnknownName
        If the log has no such column, or a stage of the log is not among `stages`.
    InvalidValue
        If `stages` are asked for and the log has none.

    Notes
    -----
    The rework rate is `(n_x - j_x) / n_x` with visits n and journeys j; the probability to come
    back is `1 - 1 / N_xx` of the absorbing chain (NaN where outcomes are undetermined). Loops are
    strongly connected components; single cycles are not listed, since there may be exponentially
    many. `returning` is computed again without each bucket of customers, and its interval rests on
    no more trials than there are visits; beyond 400 nodes it has none.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["web", "cart", "web", "cart"], ["web"]], converted=[10, 0], dropped=[0, 10]
    ... )
    >>> found = cx.critical.rework(journeys)
    >>> found.table["touchpoint"], found.table["rework_rate"].round(3).tolist()
    (('cart', 'web'), [0.5, 0.333])
    >>> found.loops
    (('cart', 'web'),)
    """
    check_journeys(journeys)
    check_level(level)
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: rework(part, by=by, stages=stages, level=level)
        )
    visits = visits_of(journeys, by)
    k = len(visits.names)
    again = repeated(visits)
    rates = rework_figures(visits, again)
    low, high = rates.wilson(level)
    base = np.bincount(visits.node, visits.weight, minlength=k)
    returning = _returning(journeys, by, k)
    returning_low, returning_high = _ends(returning, base, level)
    graph = graph_of(journeys, by)
    loops = _loops(graph)
    member = {name: i for i, loop in enumerate(loops, start=1) for name in loop}
    repeats = np.bincount(visits.node[again], _weights(visits, again), minlength=k)
    table = Table(
        {
            grain_name(by): visits.names,
            "visits": base.astype(np.int64),
            "journeys": (base - repeats).astype(np.int64),
            "rework_rate": rates.whole,
            "low": low,
            "high": high,
            "returning": returning.whole,
            "returning_low": returning_low,
            "returning_high": returning_high,
            "repeats": repeats.astype(np.int64),
            "repeated_s": _time(visits, by, again),
            "loop": np.array([member.get(name, 0) for name in visits.names], dtype=np.int64),
        },
        formats=dict.fromkeys(
            ("rework_rate", "low", "high", "returning", "returning_low", "returning_high"),
            "percent",
        )
        | {"repeated_s": "duration"},
        backend=journeys.log.backend,
    )
    order = np.lexsort((np.arange(k), -np.nan_to_num(rates.whole), -repeats))
    regress, names = _regress(journeys, stages, level)
    return Rework(
        table=table.take(order),
        loops=loops,
        bounces=_bounces(visits, journeys.log.backend),
        regress=regress,
        stages=names,
        level=level,
        caveats=(*why_no_interval(rates), *missing_note_of(journeys, by)),
    )


def rework_figures(visits: Visits, again: Bools) -> BucketFigures:
    """Return the share of visits that are not the first of their journey at their node.

    Parameters
    ----------
    visits
        The visits.
    again
        Which of them are not; see `cxjourney.critical._grain.repeated`.
    """
    return ratio_figures(
        again.astype(np.float64),
        None,
        group=visits.node,
        n_groups=len(visits.names),
        units=units_of(visits.journeys),
        item=visits.journey,
    )


def _weights(visits: Visits, chosen: Bools) -> Ints | None:
    return None if visits.weight is None else visits.weight[chosen]


def _time(visits: Visits, by: By, again: Bools) -> Floats:
    k = len(visits.names)
    if visits.wait_us is None:
        return np.full(k, np.nan)
    counted = again & (visits.state == MOVED)
    seconds = visits.wait_us[counted] / 1e6
    if visits.journeys.rules.inactivity is not None:  # for those that still wait, too
        seconds *= (masses_of(visits.journeys, by) * np.bincount(visits.node)[visits.node])[counted]
    return np.bincount(visits.node[counted], seconds, minlength=k).astype(np.float64)


def _returning(journeys: Journeys, by: By, k: int) -> BucketFigures:
    """Return the probability to come back to each node; NaN where the chain is not known."""
    if journeys.rules.determined and journeys.rules.absorbing:
        return chain_figures(journeys, by).returning
    return BucketFigures(whole=np.full(k, np.nan), without=np.full((1, k), np.nan))


def _ends(returning: BucketFigures, visits: Ints | Floats, level: float) -> tuple[Floats, Floats]:
    """Return both ends of Wilson's interval, on no more trials than there are visits.

    Where nobody came straight back the chain knows of detours alone, which vary next to nothing.
    """
    p, freedom = returning.whole, returning.freedom
    variance = np.maximum(returning.variance, quotient(p * (1 - p), visits))
    return share_interval(p, variance, returning.effective, t_quantile(level, freedom))


def _loops(graph: JourneyGraph) -> tuple[tuple[str, ...], ...]:
    inner = graph.subgraph(touchpoints_of(graph))
    parts = [
        tuple(sorted(part))
        for part in nx.strongly_connected_components(inner)
        if len(part) > 1 or any(inner.has_edge(node, node) for node in part)
    ]
    return tuple(sorted(parts, key=lambda part: (-len(part), part)))


def _bounces(visits: Visits, backend: str | None) -> Table:
    """Return how often journeys went from a node to another one and straight back."""
    k = max(len(visits.names), 1)
    node = visits.node
    inside = (visits.journey[2:] == visits.journey[:-2]) if len(node) > 2 else node[:0] > 0
    back = np.flatnonzero(inside & (node[2:] == node[:-2]) & (node[1:-1] != node[:-2]))
    key, place = np.unique(node[back] * k + node[back + 1], return_inverse=True)
    weight = None if visits.weight is None else visits.weight[back]
    count = np.bincount(place, weight, minlength=len(key)).astype(np.int64)
    order = np.lexsort((key, -count))
    names = np.array([*visits.names, ""], dtype=object)
    columns = {
        "node": names[key[order] // k].tolist(),
        "via": names[key[order] % k].tolist(),
        "count": count[order],
    }
    return Table(columns, backend=backend)


def _regress(
    journeys: Journeys, stages: StageModel | Sequence[str] | None, level: float
) -> tuple[Estimate | None, tuple[str, ...]]:
    if "stage" not in journeys.columns.coded:
        if stages is not None:
            raise InvalidValue.of("stages", "be None where the log has no stages", stages)
        return None, ()
    visits = visits_of(journeys, "stage")
    try:
        ranks, order = stage_ranks(visits.names, stages)
    except InvalidValue:
        if stages is not None:
            raise
        return None, ()
    goes_on = np.flatnonzero((visits.following >= 0) & (visits.following < len(visits.names)))
    here, there = ranks[visits.node[goes_on]], ranks[visits.following[goes_on]]
    known = (here >= 0) & (there >= 0)
    goes_on, back = goes_on[known], (there < here)[known]
    estimate = share_estimate(
        back,
        units_of(journeys),
        item=visits.journey[goes_on],
        level=level,
        name="stage_regress",
        definition="transitions to an earlier stage / transitions from visit to visit",
    )
    return estimate, order
