"""Pictures with one row a name: forest plots, bars, funnels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import check_flag
from cxjourney.exceptions import InvalidValue
from cxjourney.plot._canvas import (
    GREY,
    HATCHES,
    INK,
    canvas,
    codes,
    colour,
    column,
    count_text,
    distinct,
    finish,
    legend,
    marker,
    percent_axis,
    whiskers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cxjourney.plot._canvas import Handle

_FILL = 0.8  # of the height of a row, the rest is air
_NAME_WIDTH = 44  # of a name, which may be that of a pair
_FEW = 12  # rows up to which there is room, and the eye finds the name without help


@attrs.frozen(kw_only=True)
class _Rows:
    """Columns laid out: one row a name, the groups side by side within it."""

    names: list[str]
    groups: list[str]
    group: NDArray[np.intp]
    y: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def step(self) -> float:
        """Height that one group has within a row."""
        return _FILL / max(1, len(self.groups))

    @property
    def height(self) -> float:
        """Height of the whole picture [inches]."""
        each = 0.11 if len(self.names) <= _FEW else 0.06
        row = max(0.27, each * len(self.groups) + 0.06)
        return 1.3 + row * max(3, len(self.names))


def _rows(
    names: Sequence[str],
    value: ArrayLike,
    low: ArrayLike | None,
    high: ArrayLike | None,
    group: Sequence[str] | None,
) -> _Rows:
    if (low is None) != (high is None):
        raise InvalidValue("low and high must come together: an interval has two ends")
    if group is not None and len(group) != len(names):
        raise InvalidValue.of("group", f"hold {len(names)} labels, one a row", len(group))
    size = len(names)
    row_names, row = codes(list(names))
    groups, series = codes(list(group) if group is not None else [""] * size)
    seen = set(zip(row.tolist(), series.tolist(), strict=True))
    if len(seen) < size:
        what = "names" if group is None else "pairs of name and group"
        raise InvalidValue(f"{what} must be distinct: one row each")
    middle = (len(groups) - 1) / 2
    none = np.full(size, np.nan)
    return _Rows(
        names=row_names,
        groups=groups,
        group=series,
        y=row + (series - middle) * _FILL / max(1, len(groups)),
        value=column(value, "value", size=size),
        low=none if low is None else column(low, "low", size=size),
        high=none if high is None else column(high, "high", size=size),
    )


def forest(
    names: Sequence[str],
    value: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    group: Sequence[str] | None = None,
    group_label: str = "",
    n: ArrayLike | None = None,
    beside: Sequence[str] | None = None,
    reference: float | None = None,
    percent: bool = False,
    label: str = "",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw estimates with their intervals, one row a name, the first on top.

    Parameters
    ----------
    names
        Names of the rows; with `group` each may come once a group.
    value, low, high
        The estimates and the ends of their intervals; NaN draws nothing.
    group, group_label
        What tells the points of one row apart, such as a segment, and what the groups are.
    n
        How many each estimate rests on; written beside the row, if there are no groups.
    beside
        What else to write beside the rows, after n.
    reference
        Where a dashed line is drawn, such as the mean of all.
    percent, label
        Whether the values are fractions to be shown as percentages, and what they are.
    caption
        A sentence below the heading that says what to see.
    title, ax
        The heading, and where to draw (None: a new figure).

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidValue
        If columns differ in length, or a row is there twice.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.forest(["cart", "web"], [0.5, 0.2], [0.4, 0.1], [0.6, 0.3], percent=True)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['cart', 'web']
    """
    check_flag(percent, "percent")
    rows = _rows(names, value, low, high, group)
    ax = canvas(ax, width=7.5, height=rows.height, caller="forest")
    handles = _points(ax, rows)
    if reference is not None:
        ax.axvline(reference, color=GREY, linestyle="--", linewidth=1)
    if n is not None and group is None:
        words = [f"n = {count_text(k)}" for k in column(n, "n", size=len(names))]
        if beside is not None:
            words = [f"{word}, {more}" for word, more in zip(words, beside, strict=True)]
        _beside(ax, rows, words)
    return _framed(
        ax, rows, handles, group_label, percent=percent, label=label, caption=caption, title=title
    )


def bars(
    names: Sequence[str],
    value: ArrayLike,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    group: Sequence[str] | None = None,
    group_label: str = "",
    percent: bool = False,
    label: str = "",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw amounts as bars from zero with their intervals, one row a name, the first on top.

    Parameters
    ----------
    names, group, group_label, percent, label, caption, title, ax
        As for `forest`.
    value
        The amounts.
    low, high
        The ends of their intervals; None or NaN draws none.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidValue
        If columns differ in length, or a row is there twice.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.bars(["ad", "ad"], [3, 4], group=["first touch", "last touch"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['first touch', 'last touch']
    """
    check_flag(percent, "percent")
    rows = _rows(names, value, low, high, group)
    ax = canvas(ax, width=7.5, height=rows.height, caller="bars")
    handles = _bars(ax, rows)
    return _framed(
        ax, rows, handles, group_label, percent=percent, label=label, caption=caption, title=title
    )


def funnel(
    steps: Sequence[str],
    rate: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    count: ArrayLike | None = None,
    group: Sequence[str] | None = None,
    group_label: str = "",
    label: str = "reached the step",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw how many reach each step: bars, or one line of points a group.

    Parameters
    ----------
    steps
        Names of the steps in their order, once a group.
    rate, low, high
        Share that reached the step and the ends of its interval [fraction].
    count
        How many reached it; written beside the bar, if there are no groups.
    group, group_label, label, caption, title, ax
        As for `forest`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidValue
        If columns differ in length, or a step is there twice.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.funnel(["1 web", "2 buy"], [1, 0.5], [1, 0.4], [1, 0.6], count=[80, 40])
    >>> [text.get_text() for text in ax.texts]
    ['80', '40']
    """
    rows = _rows(steps, rate, low, high, group)
    ax = canvas(ax, width=7.5, height=rows.height, caller="funnel")
    if group is None:
        handles = _bars(ax, rows)
        if count is not None:
            texts = [count_text(k) for k in column(count, "count", size=len(steps))]
            _beside(ax, rows, texts)
    else:
        handles = _points(ax, rows, joined=True)
    return _framed(
        ax, rows, handles, group_label, percent=True, label=label, caption=caption, title=title
    )


def _points(ax: Axes, rows: _Rows, *, joined: bool = False) -> list[Handle]:
    handles: list[Handle] = []
    for k in range(len(rows.groups)):
        mine = rows.group == k
        lengths = whiskers(rows.value[mine], rows.low[mine], rows.high[mine])
        handles.append(
            ax.errorbar(
                rows.value[mine],
                rows.y[mine],
                xerr=lengths,
                fmt=marker(k) if len(rows.groups) > 1 else "o",
                markersize=4.5,
                color=colour(k),
                elinewidth=1.4,
                linestyle="-" if joined else "none",
                linewidth=0.7,
            )
        )
    return handles


def _bars(ax: Axes, rows: _Rows) -> list[Handle]:
    handles: list[Handle] = []
    for k in range(len(rows.groups)):
        mine = rows.group == k
        handles.append(
            ax.barh(
                rows.y[mine],
                rows.value[mine],
                height=rows.step * (0.95 if len(rows.groups) > 1 else 1.0),
                color=colour(k),
                alpha=0.85,
                hatch=HATCHES[k % len(HATCHES)],
                edgecolor="white" if k else colour(k),
                linewidth=0,
            )
        )
    known = ~np.isnan(rows.low)
    if known.any():
        value = rows.value[known]
        lengths = whiskers(value, rows.low[known], rows.high[known])
        width = 1.3 if len(rows.groups) == 1 else 0.8
        ax.errorbar(value, rows.y[known], xerr=lengths, fmt="none", ecolor=INK, elinewidth=width)
    return handles


def _beside(ax: Axes, rows: _Rows, texts: list[str]) -> None:
    """Write a text to the right of every row, outside the axes."""
    for y, text in zip(rows.y, texts, strict=True):
        ax.annotate(
            text,
            (1.0, y),
            xycoords=ax.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=INK,
            annotation_clip=False,
        )


def _framed(
    ax: Axes,
    rows: _Rows,
    handles: list[Handle],
    group_label: str,
    *,
    percent: bool,
    label: str,
    caption: str,
    title: str,
) -> Axes:
    ax.set_yticks(range(len(rows.names)), distinct(rows.names, width=_NAME_WIDTH))
    ax.tick_params(labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(max(len(rows.names), 1) - 0.4, -0.6)
    if len(rows.names) > _FEW or len(rows.groups) > 1:
        for y in range(1, len(rows.names), 2):
            ax.axhspan(y - 0.5, y + 0.5, color="#F4F6F8", linewidth=0, zorder=0)
    if percent:
        percent_axis(ax.xaxis)
    known = np.concatenate([rows.value, rows.low, rows.high])
    if np.any(known >= 0) and not np.any(known < 0):
        ax.set_xlim(left=0)
    if len(rows.groups) > 1:
        legend(ax, handles, rows.groups, title=group_label)
    return finish(ax, title=title, caption=caption, x=label, grid="x")
