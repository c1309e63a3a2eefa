"""Where the nodes of a journey graph stand: columns from left to right, few crossings within."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]

__all__ = ["Layout", "layout"]

MOST_COLUMNS = 8  # of names, without stages
MOST_ROWS = 12  # of a column; a fuller one is split
SWEEPS = 6


@attrs.frozen(kw_only=True)
class Layout:
    """Positions of the nodes.

    Attributes
    ----------
    x, y
        Column and height of each node; neighbours in a column are 1 apart, around 0.
    bands
        First and last column of each stage, in the order of the stages.
    """

    x: Floats
    y: Floats
    bands: tuple[tuple[float, float], ...]

    @property
    def columns(self) -> float:
        """Distance from the first column to the last."""
        return float(np.ptp(self.x)) if len(self.x) else 0.0

    @property
    def rows(self) -> float:
        """Distance from the lowest node to the highest."""
        return float(np.ptp(self.y)) if len(self.y) else 0.0


def layout(
    kind: NDArray[np.str_],
    group: Positions | None,
    source: Positions,
    target: Positions,
    count: Floats,
) -> Layout:
    """Return where nodes stand: start left, ends right, the others by stage or by depth.

    Parameters
    ----------
    kind
        "start", "conversion", "dropoff" or anything else, one a node.
    group
        Number of the stage of each node, in the order of the stages; None where there are none.
    source, target, count
        The edges.
    """
    inner = np.flatnonzero(~np.isin(kind, ["start", "conversion", "dropoff"]))
    depth = depths(len(kind), source, target, count)
    if group is None:
        layer = _compressed(depth, inner)
    else:
        layer = np.zeros(len(kind), dtype=np.intp)
        layer[inner] = np.unique(group[inner], return_inverse=True)[1]
    x = np.zeros(len(kind))
    at = 1.0
    bands = []
    for k in range(int(layer[inner].max()) + 1 if len(inner) else 0):
        members = inner[layer[inner] == k]
        parts = -(-len(members) // MOST_ROWS)
        # within a stage the earlier ones stand further to the left
        ordered = members[np.argsort(depth[members], kind="stable")]
        for part in np.array_split(ordered, parts):
            x[part] = at
            at += 1.0
        bands.append((at - parts, at - 1.0))
    x[np.isin(kind, ["conversion", "dropoff"])] = at
    y = _heights(x, kind, source, target, count)
    return Layout(x=x, y=y, bands=tuple(bands) if group is not None else ())


def depths(n: int, source: Positions, target: Positions, count: Floats) -> Positions:
    """Return the longest way to each node along main moves, those that close a circle left out.

    The main moves are the busiest into and the busiest out of each node: the rare ones of a large
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


def _compressed(depth: Positions, inner: Positions) -> Positions:
    """Return depths as numbers of columns without gaps, neighbours together where too many."""
    layer = np.zeros_like(depth)
    if not len(inner):
        return layer
    distinct, place = np.unique(depth[inner], return_inverse=True)
    squeeze = min(1.0, MOST_COLUMNS / len(distinct))
    layer[inner] = (place * squeeze).astype(np.intp)
    return layer


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
