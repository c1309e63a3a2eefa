"""Positions of the nodes of a journey graph: columns from left to right, few crossings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Floats
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.plot._canvas import codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Positions = NDArray[np.intp]

_TERMINALS = ("start", "conversion", "dropoff")
MOST_COLUMNS = 8  # of names, without stages
MOST_ROWS = 12  # of a column; a fuller one is split
SWEEPS = 6


@attrs.frozen(kw_only=True)
class Layout:
    """Positions of the nodes.

    x is the column, y the height: neighbours in a column are 1 apart, around 0. `bands` has each
    stage that occurs, in order: its name, its first and its last column.
    """

    x: Floats
    y: Floats
    bands: tuple[tuple[str, float, float], ...]

    @property
    def columns(self) -> float:
        """Distance from the first column to the last."""
        return float(np.ptp(self.x)) if len(self.x) else 0.0

    @property
    def rows(self) -> float:
        """Distance from the lowest node to the highest."""
        return float(np.ptp(self.y)) if len(self.y) else 0.0


def layout(
    kind: Sequence[str],
    source: Positions,
    target: Positions,
    count: Floats,
    *,
    stage: Sequence[str] | None = None,
    stages: Sequence[str] | None = None,
) -> Layout:
    """Return the positions of nodes: start left, ends right, the others by stage or by depth.

    `kind` is "start", "conversion", "dropoff" or anything else; `stages` in their order, None sorts
    them by how deep their nodes lie.
    """
    kinds = np.array(kind, dtype=str)
    inner = np.flatnonzero(~np.isin(kinds, _TERMINALS))
    depth = depths(len(kinds), source, target, count)
    names, layer = _layers(stage, stages, depth, inner)
    x = np.zeros(len(kinds))
    at = 1.0
    bands = []
    for k in range(int(layer.max()) + 1 if len(inner) else 0):
        members = inner[layer == k]
        parts = -(-len(members) // MOST_ROWS)
        # within a stage the earlier ones stand further to the left
        ordered = members[np.argsort(depth[members], kind="stable")]
        for part in np.array_split(ordered, parts):
            x[part] = at
            at += 1.0
        if names:
            bands.append((names[k], at - parts, at - 1.0))
    x[np.isin(kinds, ["conversion", "dropoff"])] = at
    y = _heights(x, kinds, source, target, count)
    return Layout(x=x, y=y, bands=tuple(bands))


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


def _heights(
    x: Floats, kind: NDArray[np.str_], source: Positions, target: Positions, count: Floats
) -> Floats:
    """Return heights: every column sorted by where its neighbours stand, to cross little."""
    weight = np.zeros((len(x), len(x)))
    np.add.at(weight, (source, target), count)
    weight += weight.T
    np.fill_diagonal(weight, 0.0)
    columns = [np.flatnonzero(x == at) for at in np.unique(x)]
    y = np.zeros(len(x))
    for members in columns:
        y[members] = _spread(members[np.argsort(-weight[members].sum(axis=1), kind="stable")], y)
    # the ends keep their place, so that all pictures are read alike: converted above, dropped below
    tallest = max((len(members) for members in columns), default=1)
    y[kind == "conversion"] = max(1.0, (tallest - 1) / 4)
    y[kind == "dropoff"] = -max(1.0, (tallest - 1) / 4)
    for sweep in range(SWEEPS):
        for members in columns if sweep % 2 else columns[::-1]:
            if np.isin(kind[members], ["conversion", "dropoff"]).any():
                continue
            pull = weight[members]
            total = pull.sum(axis=1)
            wanted = np.where(total > 0, (pull @ y) / np.where(total > 0, total, 1), y[members])
            y[members] = _spread(members[np.argsort(-wanted, kind="stable")], y)
    return y


def _spread(ordered: Positions, y: Floats) -> Floats:
    """Return evenly spaced heights around 0 for nodes that are named from the top, sorted back."""
    heights = (len(ordered) - 1) / 2 - np.arange(len(ordered), dtype=np.float64)
    spread = np.empty_like(y[ordered])
    spread[np.argsort(np.argsort(ordered))] = heights
    return spread
