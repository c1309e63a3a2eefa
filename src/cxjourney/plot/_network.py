"""Picture of the journey graph: stages from left to right, edges as wide as their flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.text import told_apart
from cxjourney._support.validation import check_flag
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.plot._canvas import (
    CONVERTED,
    DROPPED,
    INK,
    canvas,
    column,
    count_text,
    finish,
    percent_axis,
    shown,
)
from cxjourney.plot._layout import layout
from cxjourney.plot._routes import NODE_SIZE, arrow_head, leads_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from numpy.typing import ArrayLike

    from cxjourney.plot._layout import Layout


_ENDS = {"start": "start", "conversion": "converted", "dropoff": "dropped"}
_END_TINTS = {"start": "#5F6B76", "conversion": CONVERTED, "dropoff": DROPPED}
_ONWARD, _BACK = "#7C93A8", "#CC79A7"
_PIXELS = 120.0  # of the layout, in an inch of a new figure
_LETTERS, _HEAD_LETTER = 19.0, 8.8  # that fit into a box; width of one in the name of a stage
_NOTE = 26  # height of the line that says how many were dropped


@attrs.frozen(kw_only=True, eq=False)
class _Shade:
    """What colours the nodes, and between which colours."""

    value: NDArray[np.float64]
    map: str
    low: float
    high: float

    @classmethod
    def of(cls, values: ArrayLike | None, size: int, *, diverging: bool) -> _Shade | None:
        if values is None:
            return None
        value = column(values, "shade", size=size)
        peak = float(np.nanmax(np.abs(value))) if np.any(~np.isnan(value)) else 1.0
        peak = peak or 1.0
        low = -peak if diverging else 0.0
        return cls(value=value, map="PuOr" if diverging else "YlOrBr", low=low, high=peak)

    def scale(self) -> ScalarMappable:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        return ScalarMappable(Normalize(self.low, self.high), self.map)


def journey_graph(
    names: Sequence[str],
    kind: Sequence[str],
    visits: ArrayLike,
    *,
    source: Sequence[str],
    target: Sequence[str],
    count: ArrayLike,
    stage: Sequence[str] | None = None,
    stages: Sequence[str] | None = None,
    shade: ArrayLike | None = None,
    shade_label: str = "",
    diverging: bool = False,
    max_edges: int | None = None,
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    r"""Draw a journey graph from left to right.

    Parameters
    ----------
    names, kind
        Names of the nodes, and what each is: "start", "conversion", "dropoff", or "touchpoint".
    visits
        How often each was visited: the number in its box.
    source, target, count
        Names of the nodes that each edge joins, and how often the transition was made: its width.
    stage
        Stage of each node, which gives its column; None lays nodes out by their depth: the
        longest way to them along the main transitions.
    stages
        The stages in their order; None sorts them by how deep their nodes lie.
    shade, shade_label
        What colours the nodes, such as the exit probability or the mean emotion (NaN is grey), and
        what it is.
    diverging
        Whether `shade` has good and bad sides of 0, as emotions have.
    max_edges
        So many of the busiest edges are drawn; None takes those that the first view of a report
        shows: the exits, the busiest edge into each node and some more of the busiest. The note
        under the picture says what share of all transitions that is.
    caption, title, ax
        As for `forest`.

    Returns
    -------
    matplotlib.axes.Axes
        Places and routes are those of the report. No edge crosses the box of another node;
        transitions back to the left have a colour of their own; an exit is a stub below the node
        that is left. Leaving out rare edges is for looking only: compute on the whole graph.

    Raises
    ------
    InvalidValue
        If columns differ in length.
    UnknownName
        If an edge ends at no node, or `stages` lacks one.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.journey_graph(
    ...     ["in", "web", "out"], ["start", "touchpoint", "dropoff"], [5, 5, 5],
    ...     source=["in", "web"], target=["web", "out"], count=[5, 5],
    ... )
    >>> [text.get_text() for text in ax.texts]
    ['start\n5', 'web\n5', '↓ dropped: 5']
    """
    check_flag(diverging, "diverging")
    size = len(names)
    if len(kind) != size:
        raise InvalidValue.of("kind", f"hold {size} kinds, one a node", len(kind))
    if not len(source) == len(target):
        raise InvalidValue("source and target must have one length")
    kinds = np.array(kind, dtype=str)
    place = {name: i for i, name in enumerate(names)}
    for argument, ends in (("source", source), ("target", target)):
        for name in ends:
            if name not in place:
                raise UnknownName.among(argument, name, names, where="names")
    tail = np.array([place[name] for name in source], dtype=np.intp)
    head = np.array([place[name] for name in target], dtype=np.intp)
    flow = column(count, "count", size=len(source))
    seen = column(visits, "visits", size=size)
    where = layout(kind, tail, head, flow, stage=stage, stages=stages)
    lost = float(seen[kinds == "dropoff"].sum())
    width, height = where.size[0], where.size[1] + (_NOTE if lost else 0)
    new = ax is None
    ax = canvas(
        ax,
        width=max(5.0, width / _PIXELS + (1.0 if shade is not None else 0.2)),
        height=max(2.0, height / _PIXELS + 0.6),
        caller="journey_graph",
    )
    drawn = where.rank[: where.few]
    if max_edges is not None:
        drawn = np.argsort(-flow, kind="stable")[:max_edges]
    ax.set_aspect("equal")
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    point = 72 / _PIXELS if new else _points(ax, width, height)
    _bands(ax, where, point)
    _moves(ax, where, kinds[head], drawn, point)
    words = told_apart([*names, *_ENDS.values()], _LETTERS)
    labels = [words[_ENDS.get(str(k), name)] for name, k in zip(names, kinds, strict=True)]
    told = [f"{label}\n{count_text(n)}" for label, n in zip(labels, seen, strict=True)]
    colour = _Shade.of(shade, size, diverging=diverging)
    tints = [_tint(str(k), i, colour) for i, k in enumerate(kinds.tolist())]
    _nodes(ax, where, told, tints, point)
    if colour is not None and not np.all(np.isnan(colour.value[~np.isin(kinds, list(_ENDS))])):
        _scale(ax, colour, shade_label, diverging=diverging)
    if lost:
        note = ax.text(12, where.size[1] + _NOTE / 2, f"\u2193 dropped: {count_text(lost)}")
        note.set(color=DROPPED, fontsize=12 * point, va="center")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    return finish(ax, title=title, caption=caption, x=_share(flow, drawn))


def _points(ax: Axes, width: float, height: float) -> float:
    """Return how many points a pixel of the layout has on axes that were given."""
    extent = ax.get_window_extent()
    pixels = min(extent.width / width, extent.height / height)
    return float(0.9 * pixels * 72 / ax.figure.dpi)  # titles and scales will take some room


def _bands(ax: Axes, where: Layout, point: float) -> None:
    from matplotlib.patches import Rectangle

    for k, (name, left, right) in enumerate(where.bands):
        if k % 2 == 0:
            ground = Rectangle((left - 16, 0), right - left + 32, where.size[1])
            ground.set(color="#F4F6F8", zorder=0, linewidth=0)
            ax.add_patch(ground)
        said = told_apart([band for band, _, _ in where.bands], (right - left) / _HEAD_LETTER)
        head = ax.text(left, 18, said[name].replace("$", r"\$"), va="center", color="#5F6B76")
        head.set(fontsize=13 * point, fontweight="bold")


def _moves(
    ax: Axes,
    where: Layout,
    ends: NDArray[np.str_],
    drawn: NDArray[np.intp],
    point: float,
) -> None:
    from matplotlib.patches import PathPatch, Polygon
    from matplotlib.path import Path

    for edge in drawn[::-1].tolist():  # the busiest lie on top
        route, width = where.routes[edge], float(where.width[edge])
        if not len(route):
            continue
        tint = _END_TINTS.get(str(ends[edge])) or (_BACK if leads_back(route) else _ONWARD)
        codes = [Path.MOVETO, *[Path.CURVE4] * (len(route) - 4)]
        line = PathPatch(Path(route[:-3], codes), fill=False, edgecolor=tint, alpha=0.55, zorder=2)
        line.set(linewidth=width * point, capstyle="butt")
        ax.add_patch(line)
        ax.add_patch(Polygon(arrow_head(route, width), color=tint, linewidth=0, zorder=2))


def _tint(kind: str, i: int, shade: _Shade | None) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    if kind in _ENDS or shade is None:
        return to_rgb(_END_TINTS.get(kind, "#DCE6EF"))
    value = float(shade.value[i])
    return (
        to_rgb("#DDDDDD")
        if np.isnan(value)
        else tuple(shade.scale().to_rgba(np.array([value]))[0, :3])
    )


def _nodes(
    ax: Axes,
    where: Layout,
    told: Sequence[str],
    tints: Sequence[tuple[float, ...]],
    point: float,
) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = NODE_SIZE
    for i in np.flatnonzero(~np.isnan(where.x)).tolist():
        x, y = float(where.x[i]), float(where.y[i])
        box = FancyBboxPatch(
            (x, y - height / 2), width, height, boxstyle="round,pad=0,rounding_size=9"
        )
        box.set(facecolor=tints[i], edgecolor=INK, linewidth=0.9 * point, zorder=3)
        ax.add_patch(box)
        text = ax.text(x + width / 2, y, told[i].replace("$", r"\$"), ha="center", va="center")
        dark = float(np.dot(tints[i], (0.299, 0.587, 0.114))) < 0.5
        text.set(fontsize=11.5 * point, color="white" if dark else INK, zorder=4, linespacing=1.1)


def _scale(ax: Axes, shade: _Shade, label: str, *, diverging: bool) -> None:
    """Draw the scale of the colours."""
    bar = ax.figure.colorbar(shade.scale(), ax=ax, shrink=0.5, pad=0.01, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(shown(label, width=60), fontsize=9)
    if not diverging and shade.high <= 1:
        percent_axis(bar.ax.yaxis)


def _share(flow: NDArray[np.float64], drawn: NDArray[np.intp]) -> str:
    total = flow.sum()
    if len(drawn) >= len(flow) or not total:
        return ""
    share = flow[drawn].sum() / total
    return f"drawn: {len(drawn):,} of {len(flow):,} transitions, {share:.0%} of all traffic"
