"""Picture of the journey graph: stages from left to right, edges as wide as their flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

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
    over_lines,
    percent_axis,
    shown,
)
from cxjourney.plot._layout import layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cxjourney.plot._layout import Layout


@attrs.frozen(kw_only=True, eq=False)
class _Edges:
    """From which node to which, and how often."""

    tail: NDArray[np.intp]
    head: NDArray[np.intp]
    flow: NDArray[np.float64]

    def take(self, chosen: NDArray[np.intp]) -> _Edges:
        return _Edges(tail=self.tail[chosen], head=self.head[chosen], flow=self.flow[chosen])


_ENDS = {"start": "start", "conversion": "converted", "dropoff": "dropped"}
_END_TINTS = {"start": "#5F6B76", "conversion": CONVERTED, "dropoff": DROPPED}
_ONWARD, _BACK = "#7C93A8", "#CC79A7"
_WIDEST = 7.0  # [points]
_SMALLEST, _LARGEST = 30.0, 500.0  # of a node [square points]


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
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    r"""Draw a journey graph from left to right.

    Parameters
    ----------
    names, kind
        Names of the nodes, and what each is: "start", "conversion", "dropoff", or "touchpoint".
    visits
        How often each was visited: the area of its disc.
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
        So many of the busiest edges are drawn; None takes 20 and two a node. The note under the
        picture says what share of all transitions that is.
    title, ax
        As for `forest`.

    Returns
    -------
    matplotlib.axes.Axes
        Transitions back to the left, and the rings of transitions from a node to itself, have a
        colour of their own. A ring is at most half as wide as the busiest transition between two
        nodes. Leaving out rare edges is for looking only: compute on the whole graph.

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
    ['start\n5', 'web\n5', 'dropped\n5']
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
    edges = _Edges(
        tail=np.array([place[name] for name in source], dtype=np.intp),
        head=np.array([place[name] for name in target], dtype=np.intp),
        flow=column(count, "count", size=len(source)),
    )
    seen = column(visits, "visits", size=size)
    areas = _areas(seen)
    where = layout(kind, edges.tail, edges.head, edges.flow, stage=stage, stages=stages)
    ax = canvas(
        ax,
        width=max(6.5, 1.45 * where.columns + 2.0),
        height=max(3.6, 0.72 * where.rows + 1.8),
        caller="journey_graph",
    )
    most = 20 + 2 * size if max_edges is None else max_edges
    drawn = edges.take(np.argsort(-edges.flow, kind="stable")[:most])
    _bands(ax, where)
    _moves(ax, where, kinds, areas, drawn)
    dots = _nodes(ax, where, kinds, areas, _Shade.of(shade, size, diverging=diverging))
    if dots is not None:
        _scale(ax, dots, shade_label, diverging=diverging)
    for i, name in enumerate(names):
        word = _ENDS.get(str(kinds[i])) or shown(name, width=18)
        _caption(ax, where, i, f"{word}\n{count_text(seen[i])}", areas[i])
    ax.set_xlim(-0.6, where.columns + 0.6)
    low, high = (where.y.min(), where.y.max()) if size else (0.0, 0.0)
    ax.set_ylim(low - 0.9, high + 0.9)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    return finish(ax, title=title, x=_share(edges, drawn))


def _areas(visits: NDArray[np.float64]) -> NDArray[np.float64]:
    most = np.nanmax(visits) if len(visits) else 1.0
    share: NDArray[np.float64] = np.nan_to_num(visits) / most if most > 0 else np.zeros_like(visits)
    return _SMALLEST + (_LARGEST - _SMALLEST) * share


def _bands(ax: Axes, where: Layout) -> None:
    for k, (name, first, last) in enumerate(where.bands):
        if k % 2 == 0:
            ax.axvspan(first - 0.5, last + 0.5, color="#F4F6F8", zorder=0, linewidth=0)
        ax.annotate(
            shown(name, width=int(16 * (last - first + 1))),
            ((first + last) / 2, 1.0),
            xycoords=ax.get_xaxis_transform(),
            xytext=(0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8.5,
            fontweight="bold",
            color="#5F6B76",
        )


def _moves(
    ax: Axes,
    where: Layout,
    kinds: NDArray[np.str_],
    areas: NDArray[np.float64],
    edges: _Edges,
) -> None:
    from matplotlib.patches import FancyArrowPatch

    tail, head, flow = edges.tail, edges.head, edges.flow
    radius = np.sqrt(areas / np.pi)
    loops = tail == head
    # between nodes: a busy loop must not make all other moves thin
    most = flow[~loops].max() if np.any(~loops) else 1.0
    for i in np.flatnonzero(~loops)[::-1]:  # the busiest lie on top
        a, b = int(tail[i]), int(head[i])
        width = 0.3 + _WIDEST * flow[i] / most
        back = where.x[b] < where.x[a] or (where.x[a] == where.x[b] and where.y[b] > where.y[a])
        far = abs(where.x[b] - where.x[a])
        bend = 0.28 if far == 0 else 0.12 + 0.03 * min(far, 6)
        down = not back and where.y[b] < where.y[a]
        middle = (where.y[a] + where.y[b]) / 2
        room = 0.7 + (middle - where.y.min() if down else where.y.max() - middle)
        bend = min(bend, room / max(far, 1))  # columns are twice as wide as rows are high
        ax.add_patch(
            FancyArrowPatch(
                (where.x[a], where.y[a]),
                (where.x[b], where.y[b]),
                connectionstyle=f"arc3,rad={bend if back or down else -bend}",
                arrowstyle="-|>",
                mutation_scale=5 + 1.4 * width,
                linewidth=width,
                color=_END_TINTS.get(str(kinds[b]), _BACK if back else _ONWARD),
                alpha=0.25 + 0.45 * flow[i] / most,
                shrinkA=radius[a],
                shrinkB=radius[b],
                zorder=2,
            )
        )
    if loops.any():
        at = tail[loops]
        ax.scatter(
            where.x[at],
            where.y[at],
            s=(2 * radius[at] + 7) ** 2,
            facecolor="none",
            edgecolor=_BACK,
            linewidth=0.5 + _WIDEST / 2 * np.minimum(flow[loops] / most, 1.0),
            alpha=0.8,
            zorder=2,
        )


def _nodes(
    ax: Axes,
    where: Layout,
    kinds: NDArray[np.str_],
    areas: NDArray[np.float64],
    shade: _Shade | None,
) -> Any:
    """Draw the nodes; return what a colour scale is made of, None where nothing is shaded."""
    inner = ~np.isin(kinds, list(_ENDS))
    tints = [_END_TINTS[str(k)] for k in kinds[~inner]]
    _scatter(ax, where, ~inner, areas, {"color": tints, "marker": "s"})
    if shade is None:
        _scatter(ax, where, inner, areas, {"color": "#A9C4DA"})
        return None
    known = inner & ~np.isnan(shade.value)
    _scatter(ax, where, inner & ~known, areas, {"color": "#DDDDDD"})
    if not known.any():
        return None
    scale = {"c": shade.value[known], "cmap": shade.map, "vmin": shade.low, "vmax": shade.high}
    return _scatter(ax, where, known, areas, scale)


def _scale(ax: Axes, dots: Any, label: str, *, diverging: bool) -> None:
    """Draw the scale of the colours of `dots`, a mappable of matplotlib."""
    bar = ax.figure.colorbar(dots, ax=ax, shrink=0.5, pad=0.01, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(shown(label, width=60), fontsize=9)
    if not diverging and dots.norm.vmax <= 1:
        percent_axis(bar.ax.yaxis)


def _scatter(
    ax: Axes,
    where: Layout,
    chosen: NDArray[np.bool_],
    areas: NDArray[np.float64],
    style: dict[str, Any],
) -> Any:
    return ax.scatter(
        where.x[chosen],
        where.y[chosen],
        s=areas[chosen],
        zorder=3,
        edgecolor=INK,
        linewidth=0.8,
        **style,
    )


def _caption(ax: Axes, where: Layout, i: int, text: str, area: float) -> None:
    ax.annotate(
        text,
        (where.x[i], where.y[i]),
        xytext=(0, -np.sqrt(area / np.pi) - 4),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=7,
        color=INK,
        linespacing=1.15,
        path_effects=over_lines(),
        zorder=5,
    )


def _share(edges: _Edges, drawn: _Edges) -> str:
    few, all_ = len(drawn.flow), len(edges.flow)
    total = edges.flow.sum()
    if few == all_ or not total:
        return ""
    share = drawn.flow.sum() / total
    return f"drawn: the {few:,} busiest of {all_:,} transitions, {share:.0%} of all traffic"
