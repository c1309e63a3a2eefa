"""Places of the nodes of a journey graph: columns from left to right, few crossings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Floats
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.plot._canvas import codes
from cxjourney.plot._routes import (
    GAP,
    HEIGHT,
    WIDTH,
    Boxes,
    apart,
    drawn,
    lanes,
    line_widths,
    rooms,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Positions = NDArray[np.intp]

_TERMINALS = ("start", "conversion", "dropoff")
MOST_COLUMNS = 8  # of names, without stages
MOST_ROWS = 12  # of a column; a fuller one is split, in a large graph one of more rows
SWEEPS = 8
HEAD_ROOM = 34  # above all, for the names of the stages
_ENOUGH = 0.9  # share of all transitions that the first view need not exceed
_EDGES, _EDGES_PER_NODE = 10, 1.4  # that it has at most


@attrs.frozen(kw_only=True, eq=False)
class Layout:
    """Where nodes stand and edges run, in pixels of a page; y points downwards.

    x and y are the left side and the middle of each node's box, NaN where it has none: a journey
    that is dropped leaves the picture by a stub below the box that it leaves.

    `routes` has a chain of cubic Bézier curves for each edge, shape (3 k + 1, 2), whose last piece
    is straight and has the arrow's head; (0, 2) for an edge that has no box to begin at. `width` is
    that of its line. `rank` has the edges in the order in which they are to be shown: the first
    `least` are every node's busiest and the exits, without which a node would float, and a first
    view shows the first `few`. `bands` has each stage that occurs, in order: its name, its left and
    its right end.
    """

    x: Floats
    y: Floats
    size: tuple[float, float]
    bands: tuple[tuple[str, float, float], ...]
    routes: tuple[Floats, ...]
    width: Floats
    rank: Positions
    least: int
    few: int


def layout(
    kind: Sequence[str],
    source: Positions,
    target: Positions,
    count: Floats,
    *,
    stage: Sequence[str] | None = None,
    stages: Sequence[str] | None = None,
) -> Layout:
    """Return places of nodes, and routes of edges that cross no box.

    Start stands left, conversions right, the others by stage or by depth. `kind` is "start",
    "conversion", "dropoff" or anything else; `stages` in their order, None sorts them by how deep
    their nodes lie.
    """
    kinds = np.array(kind, dtype=str)
    inner = np.flatnonzero(~np.isin(kinds, _TERMINALS))
    depth = depths(len(kinds), source, target, count)
    names, layer = _layers(stage, stages, depth, inner)
    column = np.full(len(kinds), -1, dtype=np.intp)
    column[kinds == "start"] = 0
    at = int((kinds == "start").any())
    spans = []
    rows = max(MOST_ROWS, math.isqrt(2 * len(inner)))
    for k in range(int(layer.max()) + 1 if len(inner) else 0):
        members = inner[layer == k]
        parts = -(-len(members) // rows)
        # within a stage the earlier ones stand further to the left
        ordered = members[np.argsort(depth[members], kind="stable")]
        for part in np.array_split(ordered, parts):
            column[part] = at
            at += 1
        if names:
            spans.append((names[k], at - parts, at - 1))
    column[kinds == "conversion"] = at
    # whatever the order in which edges come, they are drawn alike: the busiest first
    busy = np.lexsort((target, source, -count))
    source, target, count = source[busy], target[busy], count[busy]
    rank, least, few = _ranked(column, source, target, count)
    first = np.zeros(len(count), dtype=np.bool_)
    first[rank[:few]] = True
    width = line_widths(count, (source != target) & (column[target] >= 0))
    room = rooms(width, first)
    weight = _weights(column, source, target, count)
    boxes = _heights(_ordered(column, weight), weight, {})
    needed = lanes(boxes, source, target, rank, room).needed(room)
    boxes = _heights(boxes, weight, needed)  # gaps as wide as what runs through them
    found = lanes(boxes, source, target, rank, room)
    left, routes = drawn(boxes, found, source, target, room)
    back = np.argsort(busy)
    return _moved(
        boxes,
        left,
        [routes[edge] for edge in back.tolist()],
        spans,
        ranked=(busy[rank], least, few),
        width=width[back],
    )


def _moved(
    boxes: Boxes,
    left: Floats,
    routes: Sequence[Floats],
    spans: Sequence[tuple[str, int, int]],
    *,
    ranked: tuple[Positions, int, int],
    width: Floats,
) -> Layout:
    """Return the layout with its corner at 0, 0 and room for the stages' names."""
    placed = boxes.column >= 0
    x = np.where(placed, left[boxes.column], np.nan)
    points = np.concatenate(
        [
            np.zeros((1, 2)) if not placed.any() else np.zeros((0, 2)),
            np.stack([x[placed], boxes.y[placed] - HEIGHT / 2], axis=1),
            np.stack([x[placed] + WIDTH, boxes.y[placed] + HEIGHT / 2], axis=1),
            *routes,
        ]
    )
    low, high = points.min(axis=0) - 8, points.max(axis=0) + 8
    low[1] -= HEAD_ROOM if spans else 0
    bands = [(name, left[a] - low[0], left[b] + WIDTH - low[0]) for name, a, b in spans]
    rank, least, few = ranked
    return Layout(
        x=x - low[0],
        y=np.where(placed, boxes.y, np.nan) - low[1],
        size=(float(high[0] - low[0]), float(high[1] - low[1])),
        bands=tuple((name, float(a), float(b)) for name, a, b in bands),
        routes=tuple(route - low for route in routes),
        width=width,
        rank=rank,
        least=least,
        few=few,
    )


def _ranked(
    column: Positions, source: Positions, target: Positions, count: Floats
) -> tuple[Positions, int, int]:
    """Return edges in the order in which they are shown, and how many at least and at first.

    The busiest come first; every node keeps the busiest into it, else out of it, or it would float.
    """
    exits = (column[source] >= 0) & (column[target] < 0)
    kept = exits.copy()
    held = column < 0
    for ends in (target, source):
        for edge in range(len(count)):
            between = not exits[edge] and column[source[edge]] >= 0 and source[edge] != target[edge]
            if between and not held[ends[edge]]:
                held[ends[edge]] = kept[edge] = True
    rank = np.concatenate([np.flatnonzero(kept), np.flatnonzero(~kept)])
    least, some = int(kept.sum()), int(exits.sum()) + _EDGES
    most = some + int(_EDGES_PER_NODE * np.count_nonzero(column >= 0))
    enough = int(np.searchsorted(np.cumsum(count[rank]), _ENOUGH * count.sum())) + 1
    return rank, least, min(len(rank), max(least, some, min(most, enough)))


def _layers(
    stage: Sequence[str] | None,
    stages: Sequence[str] | None,
    depth: Positions,
    inner: Positions,
) -> tuple[list[str], Positions]:
    """Return the names of the layers, if they are stages, and the layer of each inner node."""
    if stage is None:
        return [], _compressed(depth[inner])
    if len(stage) != len(depth):
        raise InvalidValue.of("stage", f"hold {len(depth)} stages, one a node", len(stage))
    found, of_inner = codes([stage[i] for i in inner.tolist()])
    if stages is None:
        mean = [float(depth[inner][of_inner == k].mean()) for k in range(len(found))]
        order = [found[k] for k in sorted(range(len(found)), key=lambda k: (mean[k], found[k]))]
    else:
        for name in found:
            if name not in stages:
                raise UnknownName.among("stage", name, stages, where="stages")
        order = [name for name in stages if name in found]
    return order, np.array([order.index(found[k]) for k in of_inner], dtype=np.intp)


def depths(n: int, source: Positions, target: Positions, count: Floats) -> Positions:
    """Return the longest way to each node along main edges, those that close a circle left out.

    The main edges are the busiest into and the busiest out of each node: the rare ones of a large
    log lead from everywhere to everywhere, and their longest way runs through all nodes.
    """
    reach = np.eye(n, dtype=np.bool_)  # reach[a, b]: b can be reached from a
    entered, left = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    kept = []
    for edge in np.argsort(-count, kind="stable"):
        a, b = source[edge], target[edge]
        if (entered[b] and left[a]) or reach[b, a]:
            continue
        reach |= np.outer(reach[:, a], reach[b])
        entered[b] = left[a] = True
        kept.append(edge)
    depth = np.zeros(n, dtype=np.intp)
    for node in np.argsort(reach.sum(axis=0), kind="stable"):  # ancestors first
        for edge in kept:
            if target[edge] == node:
                depth[node] = max(depth[node], depth[source[edge]] + 1)
    return depth


def _compressed(depth: Positions) -> Positions:
    """Return depths as numbers of columns without gaps, neighbours together where too many."""
    distinct, place = np.unique(depth, return_inverse=True)
    squeeze = min(1.0, MOST_COLUMNS / max(len(distinct), 1))
    return (place * squeeze).astype(np.intp)


def _weights(column: Positions, source: Positions, target: Positions, count: Floats) -> Floats:
    """Return how often nodes of different columns follow each other, either way round."""
    weight = np.zeros((len(column), len(column)))
    np.add.at(weight, (source, target), count)
    weight[column < 0] = weight[:, column < 0] = 0.0
    weight[column[:, None] == column] = 0.0
    return weight + weight.T


def _ordered(column: Positions, weight: Floats) -> Boxes:
    """Return columns each sorted by where its neighbours stand, to cross little."""
    y = np.zeros(len(column))
    members = [np.flatnonzero(column == at) for at in range(int(column.max(initial=-1)) + 1)]
    busy = weight.sum(axis=1)
    members = [nodes[np.argsort(-busy[nodes], kind="stable")] for nodes in members]
    for nodes in members:
        y[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2
    for sweep in range(SWEEPS):
        for at in range(len(members))[:: 1 if sweep % 2 else -1]:
            nodes = members[at]
            wanted = _pulled(weight[nodes], y, y[nodes])
            members[at] = nodes = nodes[np.argsort(wanted, kind="stable")]
            y[nodes] = np.arange(len(nodes)) - (len(nodes) - 1) / 2
    return Boxes(column=column, members=members, y=y * (HEIGHT + GAP))


def _pulled(pull: Floats, y: Floats, own: Floats) -> Floats:
    """Return the mean height of each node's neighbours; its own where it has none."""
    total = pull.sum(axis=1)
    return np.where(total > 0, (pull @ y) / np.where(total > 0, total, 1), own)


def _heights(boxes: Boxes, weight: Floats, room: Mapping[tuple[int, int], float]) -> Boxes:
    """Return the boxes as near to their neighbours as their order and the gaps allow."""
    y = boxes.y.copy()
    between = [
        HEIGHT + np.array([max(GAP, room.get((at, gap), 0.0)) for gap in range(1, len(nodes))])
        for at, nodes in enumerate(boxes.members)
    ]
    for sweep in range(SWEEPS):
        for at in range(len(boxes.members))[:: 1 if sweep % 2 else -1]:
            nodes = boxes.members[at]
            pull = weight[nodes]
            y[nodes] = apart(_pulled(pull, y, y[nodes]), between[at], pull.sum(axis=1) + 1e-9)
    return Boxes(column=boxes.column, members=boxes.members, y=y)
