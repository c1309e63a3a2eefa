"""Routes of the edges of a layered drawing: through the gaps between boxes, never over one."""

from __future__ import annotations

from bisect import bisect
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Positions = NDArray[np.intp]

NODE_SIZE = WIDTH, HEIGHT = 152, 40  # of a node's box
GAP = 22  # at least, between the boxes of a column: a loop and a stub need 14
HEAD = 7  # the straight last piece of a route, where its arrow's head is
_MARGIN = 6  # between a box and the lines that pass it
_THIN, _THICK = 1.0, 8.0  # lines
_BESIDE = 2.5  # room between lines that the first view shows
_RARE_LANE = 0.7  # room of another one
_WIDEST_GAP = 70.0
_GUTTER, _WIDEST_GUTTER = 60.0, 150.0  # between columns
_SWEEPS = 4


@attrs.frozen(kw_only=True, eq=False)
class Boxes:
    """Boxes in columns: the column of each node (-1 for none), each column's nodes from the top.

    y is the middle of each node's box.
    """

    column: Positions
    members: list[Positions]
    y: Floats


@attrs.frozen(kw_only=True, eq=False)
class Lanes:
    """What runs where: for each edge its ends and, between them, the gaps that it passes.

    All edges lie one after the other, each from `begin` on; `place` has the column and the gap from
    the top of it, -1 at the ends, `y` the height there.
    """

    begin: Positions
    edge: Positions
    column: Positions
    gap: Positions
    y: Floats

    def needed(self, room: Floats) -> dict[tuple[int, int], float]:
        """Return how wide each gap must be for the lines that pass it."""
        found: dict[tuple[int, int], float] = {}
        for at in np.flatnonzero(self.gap >= 0).tolist():
            place = int(self.column[at]), int(self.gap[at])
            wide = found.get(place, 2 * _MARGIN) + float(room[self.edge[at]])
            found[place] = min(wide, _WIDEST_GAP)
        return found


def line_widths(count: Floats, between: Bools) -> Floats:
    """Return how wide edges are drawn; those that join two nodes set the scale."""
    most = float(count[between].max(initial=0.0)) or 1.0
    share: Floats = np.minimum(count / most, 1.0)
    return _THIN + (_THICK - _THIN) * share


def rooms(width: Floats, first: Bools) -> Floats:
    """Return the room that lines take beside each other."""
    return np.where(first, _BESIDE + width, _RARE_LANE)


def apart(wanted: Floats, between: Floats, weight: Floats | None = None) -> Floats:
    """Return the heights nearest to those wanted that are at least so far apart, in this order."""
    from scipy.optimize import isotonic_regression

    offset = np.concatenate([[0.0], np.cumsum(between)])
    free: Floats = isotonic_regression(wanted - offset, weights=weight).x
    spread: Floats = free + offset
    return spread


def lanes(
    boxes: Boxes, source: Positions, target: Positions, ranked: Positions, room: Floats
) -> Lanes:
    """Return through which gaps each edge runs, and how high; busy ones choose first."""
    middles = [boxes.y[members].tolist() for members in boxes.members]
    used = [[0.0] * (len(middle) + 1) for middle in middles]
    column, height = boxes.column.tolist(), boxes.y.tolist()
    passed: list[list[tuple[int, float]]] = [[] for _ in range(len(source))]
    for edge in ranked.tolist():
        a, b = column[source[edge]], column[target[edge]]
        y, end = height[source[edge]], height[target[edge]]
        step = 1 if b > a else -1
        for at in range(a + step, b, step) if a >= 0 <= b and a != b else ():
            wanted = y + (end - y) / (abs(b - at) + 1)
            y, gap = _gap(middles[at], used[at], wanted)
            used[at][gap] += room[edge]
            passed[edge].append((gap, y))
    n = np.array([len(way) + 2 for way in passed], dtype=np.intp)
    begin = np.cumsum(n) - n
    edge = np.repeat(np.arange(len(n)), n)
    steps = np.arange(len(edge)) - begin[edge]
    a, b = boxes.column[source], boxes.column[target]
    ends = boxes.y[source], boxes.y[target]
    found = Lanes(
        begin=begin,
        edge=edge,
        column=a[edge] + np.sign(b - a)[edge] * steps,
        gap=np.array([g for way in passed for g in (-1, *(g for g, _ in way), -1)], dtype=np.intp),
        y=np.array(
            [
                y
                for way, start, end in zip(passed, *map(np.ndarray.tolist, ends), strict=True)
                for y in (start, *(y for _, y in way), end)
            ]
        ),
    )
    _spread(found, boxes, room[edge])
    return found


def _gap(middles: list[float], used: list[float], wanted: float) -> tuple[float, int]:
    """Return where a line passes a column that would do so at a height, and in which gap."""
    at = bisect(middles, wanted)
    best = (np.inf, 0.0, 0)
    for gap in range(max(at - 2, 0), min(at + 2, len(middles)) + 1):
        low = middles[gap - 1] + HEIGHT / 2 + _MARGIN if gap else -np.inf
        high = middles[gap] - HEIGHT / 2 - _MARGIN if gap < len(middles) else np.inf
        y = min(max(wanted, low), high)
        best = min(best, (abs(y - wanted) + used[gap], y, gap))
    return best[1], best[2]


def _spread(lanes: Lanes, boxes: Boxes, room: Floats) -> None:
    """Put the lines of each gap beside each other, in the order that keeps them straight."""
    inner = np.flatnonzero(lanes.gap >= 0)
    if not len(inner):
        return
    inner = inner[np.lexsort((lanes.gap[inner], lanes.column[inner]))]
    place = lanes.column[inner] * (lanes.gap.max() + 1) + lanes.gap[inner]
    groups = np.split(inner, np.flatnonzero(np.diff(place)) + 1)
    y = lanes.y
    for _ in range(_SWEEPS):
        wanted = np.zeros_like(y)
        wanted[inner] = (y[inner - 1] + y[inner + 1]) / 2
        for group in groups:
            ordered = group[np.argsort(wanted[group], kind="stable")]
            between = (room[ordered][1:] + room[ordered][:-1]) / 2
            members, gap = boxes.members[lanes.column[group[0]]], int(lanes.gap[group[0]])
            low = boxes.y[members[gap - 1]] + HEIGHT / 2 + _MARGIN if gap else -np.inf
            high = boxes.y[members[gap]] - HEIGHT / 2 - _MARGIN if gap < len(members) else np.inf
            needed = between.sum()
            if needed > high - low:
                between = between * (high - low) / needed
            offset = np.concatenate([[0.0], np.cumsum(between)])
            free = apart(wanted[ordered], between) - offset
            y[ordered] = np.clip(free, low, high - offset[-1]) + offset


def drawn(
    boxes: Boxes, lanes: Lanes, source: Positions, target: Positions, room: Floats
) -> tuple[Floats, tuple[Floats, ...]]:
    """Return the left side of each column, and the curves of each edge, shape (3 k + 1, 2)."""
    y = _ports(boxes, lanes, source, target, room)
    left = _columns(boxes, lanes, room)
    found = []
    for edge, (u, v) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        a, b = int(boxes.column[u]), int(boxes.column[v])
        begin = lanes.begin[edge]
        heights = y[begin : begin + max(abs(b - a), 1) + 1].tolist()
        if a < 0:
            points = np.zeros((0, 2))
        elif b < 0:  # out of the journey: a stub below the box
            x, bottom = left[a] + WIDTH - 20, boxes.y[u] + HEIGHT / 2
            points = _straight((x, bottom), (x, bottom + 6), (x, bottom + 6 + HEAD))
        elif u == v:  # a loop above it
            x, top = left[a] + WIDTH / 2, boxes.y[u] - HEIGHT / 2
            points = np.array(
                [(x - 14, top), (x - 14, top - 17), (x + 14, top - 17), (x + 14, top - HEAD)]
            )
            points = np.concatenate([points, _straight(points[-1], (x + 14, top))[1:]])
        elif a == b:  # beside the column
            right, (y1, y2) = left[a] + WIDTH, heights
            depth = min(0.75 * (left[a + 1] - right), 14 + 0.12 * abs(y2 - y1))
            bulge = right + 4 / 3 * depth
            points = np.array([(right, y1), (bulge, y1), (bulge, y2), (right + HEAD, y2)])
            points = np.concatenate([points, _straight(points[-1], (right, y2))[1:]])
        else:
            points = _way(left, a, b, heights)
        found.append(points)
    return left, tuple(found)


def _way(left: Floats, a: int, b: int, heights: Sequence[float]) -> Floats:
    """Return the curves of an edge from a column to another one: level while it passes boxes."""
    step = 1 if b > a else -1
    near, far = (0, WIDTH) if step > 0 else (WIDTH, 0)  # sides of a box, as the edge meets them
    points = [(left[a] + far, heights[0])]
    for at, (y1, y2) in zip(range(a + step, b + step, step), pairwise(heights), strict=True):
        x1, x2 = points[-1][0], left[at] + near - (step * HEAD if at == b else 0)
        points += [((x1 + x2) / 2, y1), ((x1 + x2) / 2, y2), (x2, y2)]
        over = left[at] + (near if at == b else far)
        points += [(x2 + (over - x2) / 3, y2), (x2 + (over - x2) * 2 / 3, y2), (over, y2)]
    return np.array(points)


def _straight(*corners: Sequence[float] | Floats) -> Floats:
    """Return lines from corner to corner, as curves."""
    points = [np.asarray(corners[0], dtype=np.float64)]
    for one, other in pairwise(np.asarray(corners, dtype=np.float64)):
        points += [one + (other - one) / 3, one + (other - one) * 2 / 3, other]
    return np.array(points)


def _columns(boxes: Boxes, lanes: Lanes, room: Floats) -> Floats:
    """Return the left side of each column: the more lines turn in a gutter, the wider it is."""
    turns = np.zeros(len(boxes.members) + 1)
    at = np.flatnonzero(np.diff(lanes.edge) == 0)
    one, other = lanes.column[at], lanes.column[at + 1]
    far = (np.abs(lanes.y[at + 1] - lanes.y[at]) > HEIGHT) & (np.minimum(one, other) >= 0)
    np.add.at(turns, np.minimum(one, other)[far], room[lanes.edge[at[far]]])
    gutters = np.minimum(_GUTTER + 0.6 * turns, _WIDEST_GUTTER)
    return np.concatenate([[0.0], np.cumsum(gutters + WIDTH)])


def _ports(
    boxes: Boxes, lanes: Lanes, source: Positions, target: Positions, room: Floats
) -> Floats:
    """Return the heights with the ends of edges beside each other at the sides of the boxes."""
    y = lanes.y.copy()
    last = np.append(lanes.begin[1:], len(y)) - 1
    sides: dict[tuple[int, bool], list[tuple[float, int, int]]] = {}
    for edge, (u, v) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        a, b = boxes.column[u], boxes.column[v]
        if min(a, b) < 0 or u == v:
            continue
        start, end = int(lanes.begin[edge]), int(last[edge])
        for node, at, beside, right in ((u, start, start + 1, b >= a), (v, end, end - 1, b <= a)):
            aim = float(lanes.y[beside])
            if a == b:  # the nearest outermost, so that arcs lie within each other
                aim = np.copysign(1e6, aim - boxes.y[node]) - (aim - boxes.y[node])
            sides.setdefault((node, bool(right)), []).append((aim, edge, at))
    for (node, _), ends in sides.items():
        ends.sort()
        places = np.array([end for _, _, end in ends])
        own = room[[edge for _, edge, _ in ends]]
        place = np.cumsum(own) - own / 2 - own.sum() / 2
        y[places] = boxes.y[node] + place * min(1.0, (HEIGHT - 10) / own.sum())
    return y


def leads_back(route: Floats) -> bool:
    """Return whether a route that ends at a node runs to the left, columns being left behind."""
    return bool(route[0, 0] - route[-1, 0] >= _GUTTER)


def arrow_head(route: Floats, width: float) -> Floats:
    """Return the corners of the arrow's head on the last piece of a route, shape (3, 2)."""
    back, tip = route[-4], route[-1]
    aside = (tip - back)[::-1] * (-1.0, 1.0) / HEAD * (width / 2 + 2.2)
    return np.array([back + aside, tip, back - aside])
