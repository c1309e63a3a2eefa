"""Nodes that every conversion, or nearly every one, goes through, and every drop-off."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, overload

import attrs
import networkx as nx
import numpy as np

from cxjourney._stats.estimates import CLUSTERED, why_no_interval
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_fraction, check_level
from cxjourney.critical._grain import graph_and_chain
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import (
    MOST_WITH_DIAGONAL,
    by_segment,
    chain_figures,
    check_journeys,
    grid_notes,
    missing_note_of_graph,
)

if TYPE_CHECKING:
    from cxjourney.journeys import By, BySegment, Journeys, JourneyStatistics, SegmentBy


@attrs.frozen(kw_only=True, repr=False)
class MustPass(Result):
    """What lies on every path to conversion, and on every path to drop-off.

    Attributes
    ----------
    table
        One row a node, most conversions through it first; see `must_pass` for the columns.
    conversions
        Nodes that every path to conversion goes through, from START on.
    nearly
        Nodes that nearly every conversion goes through, the surest first; `conversions` included.
    losses
        Nodes that every path to drop-off goes through, from START on.
    cut
        A smallest set of nodes that all conversions go through; empty where a journey can convert
        at once.
    threshold
        From which removal effect on a node counts as nearly.
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Must-pass moments"

    table: Table
    conversions: tuple[str, ...]
    nearly: tuple[str, ...]
    losses: tuple[str, ...]
    cut: tuple[str, ...]
    threshold: float
    level: float
    caveats: tuple[str, ...] = ()

    def _notes(self) -> tuple[str, ...]:
        cut = ", ".join(self.cut) or "none"
        return (
            "A node dominates if every observed path goes through it; one rare shortcut ends that.",
            f"Nearly every conversion is at least {self.threshold:.0%} of them.",
            f"The smallest set of nodes that all conversions go through: {cut}.",
            *self.caveats,
        )


@overload
def must_pass(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    threshold: float = 0.95,
    level: float = 0.95,
    segment: None = None,
) -> MustPass: ...


@overload
def must_pass(
    journeys: Journeys,
    *,
    by: By | None = None,
    threshold: float = 0.95,
    level: float = 0.95,
    segment: SegmentBy,
) -> BySegment[MustPass]: ...


def must_pass(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    threshold: float = 0.95,
    level: float = 0.95,
    segment: SegmentBy | None = None,
) -> MustPass | BySegment[MustPass]:
    """Return the nodes that every, or nearly every, conversion goes through.

    Parameters
    ----------
    journeys
        The journeys, statistics of them, or a graph.
    by
        What a node is; None means "touchpoint", or the grain of the graph.
    threshold
        Share of the conversions from which on nearly all go through a node [fraction].
    level
        Confidence level, in (0, 1).
    segment
        An attribute that divides journeys; then each segment has a result of its own.

    Returns
    -------
    MustPass
        One row a node, most conversions through it first. Columns, after that of the node's name:

        - `removal_effect`, `low`, `high`: share of the conversions that go through it [fraction];
        - `dominates`: whether every observed path to conversion does;
        - `nearly`: whether `removal_effect` is at least the threshold;
        - `before_loss`: whether every observed path to drop-off goes through it.

    Raises
    ------
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    InvalidValue
        If `threshold` is not in [0, 1], or `level` not in (0, 1).

    Notes
    -----
    Dominators of CONVERSION in the observed graph (`networkx.immediate_dominators`), the same as a
    removal effect of 1. A graph joins paths that no single customer took together: read a dominator
    as a claim about the observed transitions. The removal effect is that of the chain; nothing is
    causal. Its interval is Wilson's, over buckets of customers; of a graph each visit counts as a
    customer of its own. Beyond 400 nodes there is none.

    Examples
    --------
    >>> import cxjourney as cx
    >>> graph = cx.JourneyGraph.from_counts(
    ...     {
    ...         (cx.START, "ad"): 50, (cx.START, "web"): 50, ("ad", "web"): 50,
    ...         ("web", "cart"): 60, ("web", cx.DROPOFF): 40,
    ...         ("cart", cx.CONVERSION): 30, ("cart", cx.DROPOFF): 30,
    ...     }
    ... )
    >>> found = cx.critical.must_pass(graph)
    >>> found.conversions, found.losses
    (('web', 'cart'), ('web',))
    """
    share = check_fraction(threshold, "threshold")
    check_level(level)
    if segment is not None:
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: must_pass(part, by=by, threshold=threshold, level=level),
        )
    graph, _ = graph_and_chain(journeys, by, "critical.must_pass()")
    figures = chain_figures(journeys, "touchpoint" if by is None else by)
    names, removal = figures.left.whole.names, figures.removal
    effect, (low, high) = removal.whole, removal.wilson(level)
    of_graph = isinstance(journeys, JourneyGraph)
    clustered = "visits taken as independent" if of_graph else CLUSTERED
    lacking = (
        (f"There are no intervals beyond {MOST_WITH_DIAGONAL:,} nodes.",)
        if len(names) > MOST_WITH_DIAGONAL
        else why_no_interval(removal)
    )
    conversions, losses = _dominators(graph, CONVERSION), _dominators(graph, DROPOFF)
    cut = _cut(graph)
    dominates = np.array([name in conversions for name in names], dtype=np.bool_)
    nearly = dominates | (effect >= share)
    order = np.lexsort((np.arange(len(names)), -np.nan_to_num(effect, nan=-1.0)))
    table = Table(
        {
            str(graph.graph.get("grain", "touchpoint")): names,
            "removal_effect": effect,
            "low": low,
            "high": high,
            "dominates": dominates,
            "nearly": nearly,
            "before_loss": np.array([name in losses for name in names], dtype=np.bool_),
        },
        formats=dict.fromkeys(("removal_effect", "low", "high"), "percent"),
        backend=None if isinstance(journeys, JourneyGraph) else journeys.backend,
    )
    return MustPass(
        table=table.take(order),
        conversions=conversions,
        nearly=tuple(names[i] for i in order.tolist() if nearly[i]),
        losses=losses,
        cut=cut,
        threshold=share,
        level=level,
        caveats=(
            f"The intervals are {100 * level:g}% Wilson intervals, {clustered}.",
            *lacking,
            *grid_notes(journeys, "touchpoint" if by is None else by),
            *missing_note_of_graph(graph),
        ),
    )


def _moves(graph: JourneyGraph) -> nx.DiGraph[str]:
    """Return the transitions that were made or have a probability."""
    moves: nx.DiGraph[str] = nx.DiGraph()
    moves.add_nodes_from((START, CONVERSION, DROPOFF))
    moves.add_edges_from(
        (a, b)
        for a, b, edge in graph.edges(data=True)
        if edge.get("probability", 0.0) > 0 or edge.get("count", 0) > 0
    )
    return moves


def _dominators(graph: JourneyGraph, end: str) -> tuple[str, ...]:
    """Return the nodes that every path from START to an end goes through, in their order."""
    above = nx.immediate_dominators(_moves(graph), START)
    if end not in above:
        return ()
    found = []
    node = above[end]
    # networkx 3.6 leaves START out of the mapping, earlier versions map it onto itself
    while node is not None and node != START:
        found.append(node)
        node = above.get(node)
    return tuple(reversed(found))


def _cut(graph: JourneyGraph) -> tuple[str, ...]:
    moves = _moves(graph)
    if moves.has_edge(START, CONVERSION) or not nx.has_path(moves, START, CONVERSION):
        return ()
    return tuple(sorted(nx.minimum_node_cut(moves, START, CONVERSION)))
