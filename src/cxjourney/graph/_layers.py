"""Where the nodes of a journey graph stand in a drawing: columns from left to right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney.domain import START

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import networkx as nx

__all__ = ["Column", "layers", "steps_from_start"]

_SWEEPS = 6
_MOST_COLUMNS = 8
_HEAVY = 0.1  # a move takes part in the longest path if this share of its source's visits make it


@attrs.frozen(kw_only=True)
class Column:
    """A column of a drawing.

    Attributes
    ----------
    stage
        The stage that its nodes belong to; empty where the drawing has no stages.
    nodes
        The nodes, from top to bottom.
    """

    stage: str
    nodes: tuple[str, ...]


def layers(
    graph: nx.DiGraph[str],
    nodes: Collection[str],
    *,
    stages: Sequence[str] = (),
    rows: int = 13,
) -> tuple[Column, ...]:
    """Return the columns in which to draw nodes, by stage or else by the longest path.

    Parameters
    ----------
    graph
        The journey graph.
    nodes
        The touchpoints to draw; without terminals.
    stages
        The stages in their order; where no node has one of them the longest path decides.
    rows
        The most nodes of a column before a stage gets another one.

    Returns
    -------
    tuple of Column
        Every node once. Within a column neighbours stand beside each other (barycentres).
    """
    depth = steps_from_start(graph)
    by_depth = sorted(nodes, key=lambda x: (depth.get(x, math.inf), x))
    known = {x: str(graph.nodes[x].get("stage", "")) for x in by_depth}
    if any(stage in stages for stage in known.values()):
        groups = [(stage, [x for x in by_depth if known[x] == stage]) for stage in stages]
        rest = [x for x in by_depth if known[x] not in stages]
        groups.append(("", rest))
    else:
        groups = [("", column) for column in _longest_paths(graph, by_depth)]
    columns: list[tuple[str, list[str]]] = []
    for stage, group in groups:
        parts = math.ceil(len(group) / rows)
        columns.extend((stage, list(part)) for part in np.array_split(group, parts or 1) if group)
    _order(graph, [column for _, column in columns])
    return tuple(Column(stage=stage, nodes=tuple(map(str, column))) for stage, column in columns)


def steps_from_start(graph: nx.DiGraph[str]) -> Mapping[str, float]:
    """Return the mean number of steps that lie between START and a visit of each node.

    It solves d(x) = 1 + Σ_u C_ux d(u) / Σ_u C_ux with d(START) = 0: where visitors came from,
    weighted by how many they were. A node that nobody reaches from START is left out.
    """
    import networkx as nx

    if START not in graph:
        return {}
    reached = sorted(nx.descendants(graph, START))
    place = {x: i for i, x in enumerate(reached)}
    system = np.eye(len(reached))
    for x in reached:
        into = [(u, float(d.get("count", 1))) for u, _, d in graph.in_edges(x, data=True)]
        total = sum(count for _, count in into)
        for u, count in into:
            if u in place and total > 0:
                system[place[x], place[u]] -= count / total
    # least squares: a loop without a way in makes the system singular
    depth = np.linalg.lstsq(system, np.ones(len(reached)), rcond=None)[0]
    return {x: float(depth[i]) for x, i in place.items()}


def _longest_paths(graph: nx.DiGraph[str], by_depth: list[str]) -> list[list[str]]:
    """Return columns by the longest path along heavy moves that lead away from START."""
    place = {x: i for i, x in enumerate(by_depth)}
    column = dict.fromkeys(by_depth, 0)
    for x in by_depth:  # in an order that every kept move follows
        into = [
            (float(data.get("count", 1)), u)
            for u, _, data in graph.in_edges(x, data=True)
            if place.get(u, len(place)) < place[x]
        ]
        most = max((count for count, _ in into), default=0.0)
        for count, u in into:  # where most came from, and where many of those there go
            visits = max(float(graph.nodes[u].get("visits", 0)), 1.0)
            if count >= _HEAVY * visits or count == most:
                column[x] = max(column[x], column[u] + 1)
    if max(column.values(), default=0) >= _MOST_COLUMNS:
        parts = np.array_split(by_depth, _MOST_COLUMNS)
        return [[str(x) for x in part] for part in parts if len(part)]
    return [
        [x for x in by_depth if column[x] == k] for k in range(max(column.values(), default=-1) + 1)
    ]


def _order(graph: nx.DiGraph[str], columns: list[list[str]]) -> None:
    """Sort each column in place by the mean height of its neighbours, back and forth."""
    height = {x: (i + 0.5) / len(column) for column in columns for i, x in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {x: _barycentre(graph, x, height) for x in column}
            column.sort(key=lambda x: (wanted[x], x))
            height.update((x, (i + 0.5) / len(column)) for i, x in enumerate(column))


def _barycentre(graph: nx.DiGraph[str], node: str, height: Mapping[str, float]) -> float:
    near = [(u, d) for u, _, d in graph.in_edges(node, data=True) if u != node]
    near += [(v, d) for _, v, d in graph.out_edges(node, data=True) if v != node]
    pull = [(height[x], float(d.get("count", 1))) for x, d in near if x in height]
    total = sum(count for _, count in pull)
    return sum(h * count for h, count in pull) / total if total else height[node]
