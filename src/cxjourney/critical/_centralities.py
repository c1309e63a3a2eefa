"""Centralities of the nodes of a journey graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, overload

import attrs
import networkx as nx
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_rng
from cxjourney.critical._grain import graph_and_chain, touchpoints_of
from cxjourney.domain import START
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import by_segment, check_journeys, missing_note_of_graph

if TYPE_CHECKING:
    from cxjourney.journeys import By, BySegment, Journeys, JourneyStatistics, SegmentBy

_SHORTEST = 1e-9


@attrs.frozen(kw_only=True, repr=False)
class Centralities(Result):
    """How central each node is: first by what customers do, then by the shape of the graph.

    Attributes
    ----------
    table
        One row a node, most visited first; see `centralities` for the columns. `visits` and
        `removal_effect` count customers, the others describe the graph.
    n_pivots
        Number of nodes that betweenness was sampled from; None where all were.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "Centralities"

    table: Table
    n_pivots: int | None
    caveats: tuple[str, ...] = ()

    def _notes(self) -> tuple[str, ...]:
        notes = (
            "START, CONVERSION and DROPOFF are no touchpoints and are left out.",
            "Betweenness and closeness take -ln P as distance: probable paths are short.",
            "Core and articulation are those of the undirected graph without self-loops.",
            "Few customers take the most probable path: prefer visits and the removal effect.",
            *self.caveats,
        )
        if self.n_pivots is None:
            return notes
        return (*notes, f"Betweenness is estimated from {self.n_pivots:,} nodes.")


@overload
def centralities(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    pivots: int = 500,
    segment: None = None,
    rng: np.random.Generator | int | None = 0,
) -> Centralities: ...


@overload
def centralities(
    journeys: Journeys,
    *,
    by: By | None = None,
    pivots: int = 500,
    segment: SegmentBy,
    rng: np.random.Generator | int | None = 0,
) -> BySegment[Centralities]: ...


def centralities(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: By | None = None,
    pivots: int = 500,
    segment: SegmentBy | None = None,
    rng: np.random.Generator | int | None = 0,
) -> Centralities | BySegment[Centralities]:
    """Return how central each node is, in the graph and for customers.

    Parameters
    ----------
    journeys
        The journeys, statistics of them, or a graph.
    by
        What a node is; None means "touchpoint", or the grain of the graph.
    pivots
        Above how many nodes betweenness is sampled, from as many; at least 1.
    segment
        An attribute that divides journeys; then each segment has a result of its own.
    rng
        A generator or seed for the sampling; None draws anew each time.

    Returns
    -------
    Centralities
        One row a node, most visited first. Columns, after that of the node's name:

        - `visits`: expected visits per journey;
        - `removal_effect`: share of the conversions that go through it [fraction];
        - `betweenness`, `closeness`: of the most probable paths, in [0, 1];
        - `pagerank`: sums to 1;
        - `core`: the largest k such that it is in the k-core;
        - `articulation`: whether the undirected graph falls apart without it.

    Raises
    ------
    InvalidValue
        If `pivots` is below 1.
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.

    Notes
    -----
    NetworkX takes the weights of betweenness and closeness as distances, so that counts would make
    the busiest way the longest; PageRank takes them as strengths. Here distances are -ln P (a sure
    move keeps a tiny length, since paths of length zero break the count), strengths are P. PageRank
    restarts where journeys start, and nodes without a way on restart too: it is no count of visits.
    `core_number` refuses self-loops and `articulation_points` directed graphs. Closeness looks
    inward: how near a node is to reach from the others.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.Journeys.from_paths(
    ...     [["ad", "web", "cart"], ["web"], ["mail", "web"]],
    ...     converted=[30, 5, 0], dropped=[10, 45, 10],
    ... )
    >>> found = cx.critical.centralities(journeys)
    >>> found.table["touchpoint"][0], found.table["articulation"].tolist()
    ('web', [True, False, False, False])
    """
    check_count(pivots, "pivots")
    if segment is not None:
        generator = check_rng(rng)
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: centralities(part, by=by, pivots=pivots, rng=generator),
        )
    graph, chain = graph_and_chain(journeys, by, "critical.centralities()")
    names = touchpoints_of(graph)
    inner = _inner(graph, names)
    sampled = len(names) > pivots
    between = nx.betweenness_centrality(
        inner,
        k=pivots if sampled else None,
        weight="distance",
        seed=int(check_rng(rng).integers(2**31)) if sampled else None,
    )
    near = nx.closeness_centrality(inner, distance="distance")
    rank = _pagerank(graph, inner, names)
    plain = nx.Graph(inner)
    plain.remove_edges_from(list(nx.selfloop_edges(plain)))
    core = nx.core_number(plain)
    apart = set(nx.articulation_points(plain))
    visits, removal = chain.visits, chain.removal_effect()
    columns: dict[str, Any] = {
        "visits": np.array([visits[name] for name in names], dtype=np.float64),
        "removal_effect": np.array([removal[name] for name in names], dtype=np.float64),
        "betweenness": np.array([between[name] for name in names], dtype=np.float64),
        "closeness": np.array([near[name] for name in names], dtype=np.float64),
        "pagerank": np.array([rank[name] for name in names], dtype=np.float64),
        "core": np.array([core[name] for name in names], dtype=np.int64),
        "articulation": np.array([name in apart for name in names], dtype=np.bool_),
    }
    order = np.lexsort((np.arange(len(names)), -columns["visits"]))
    table = Table(
        {str(graph.graph.get("grain", "touchpoint")): names, **columns},
        formats={"removal_effect": "percent"},
        backend=None if isinstance(journeys, JourneyGraph) else journeys.backend,
    )
    return Centralities(
        table=table.take(order),
        n_pivots=pivots if sampled else None,
        caveats=missing_note_of_graph(graph),
    )


def _inner(graph: JourneyGraph, names: tuple[str, ...]) -> nx.DiGraph[str]:
    """Return the moves between nodes that are no terminals, as strengths and as distances."""
    inner: nx.DiGraph[str] = nx.DiGraph()
    inner.add_nodes_from(names)
    for a, b, edge in graph.subgraph(names).edges(data=True):
        p = float(edge.get("probability", 0.0))
        if p > 0:
            inner.add_edge(a, b, strength=p, distance=max(-math.log(p), _SHORTEST))
    return inner


def _pagerank(
    graph: JourneyGraph, inner: nx.DiGraph[str], names: tuple[str, ...]
) -> dict[str, float]:
    starts = {
        name: float(graph.edges[START, name].get("probability", 0.0))
        if graph.has_edge(START, name)
        else 0.0
        for name in names
    }
    if not sum(starts.values()):
        return dict.fromkeys(names, float("nan"))
    found: dict[str, float] = nx.pagerank(
        inner, weight="strength", personalization=starts, dangling=starts
    )
    return found
