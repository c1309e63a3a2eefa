"""Canvas of all pictures: axes without global state, safe names, colours that all can tell."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.optional import require
from cxjourney._support.text import told_apart, visible
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.container import Container
    from matplotlib.patheffects import AbstractPathEffect
    from numpy.typing import ArrayLike, NDArray

    Handle = Artist | Container

# Okabe & Ito (2008), told apart under every common colour blindness; grey stands for their black,
# on which nothing else could be seen.
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#5F5F5F", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++")
CONVERTED, DROPPED = "#009E73", "#D55E00"
INK, GREY = "#333333", "#9A9A9A"
NAME_WIDTH = 28
CAPTION_GID = "cxjourney-caption"
_CAPTION = 8.5  # size of its letters [points]
_LETTER = 0.58  # mean width of a letter, of its size
_HEADING = 0.35  # room for two lines above a picture [inches]


def canvas(ax: Axes | None, *, width: float, height: float, caller: str) -> Axes:
    """Return the axes to draw on: those given, or those of a new figure [inches]."""
    require("matplotlib", extra="plot", caller=f"plot.{caller}()")
    from matplotlib.figure import Figure

    from cxjourney.plot._axes import PictureAxes

    height += _HEADING
    if isinstance(ax, PictureAxes):
        ax.take_room(width, height)
    if ax is not None:
        return ax
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(axes_class=PictureAxes)


def panels(n: int) -> NDArray[Any]:
    """Return the axes of `n` pictures, one below the other in a new figure (Any: matplotlib's)."""
    require("matplotlib", extra="plot", caller="plot()")
    from matplotlib.figure import Figure

    from cxjourney.plot._axes import PictureAxes

    figure = Figure(figsize=(8.0, 3.6 * max(n, 1)), layout="constrained")
    grid = figure.add_gridspec(max(n, 1), 1, height_ratios=[3.6] * max(n, 1))
    axes = np.empty(n, dtype=object)
    for i in range(n):
        axes[i] = figure.add_subplot(grid[i], axes_class=PictureAxes)
        axes[i].panel = True
    return axes


def shown(name: object, *, width: int = NAME_WIDTH) -> str:
    """Return a name to draw: one visible line, not too long, and never read as a formula."""
    return _cut(visible(str(name)), width).replace("$", r"\$")


def distinct(names: Sequence[object] | NDArray[Any], *, width: int = NAME_WIDTH) -> list[str]:
    """Return names to draw, shortened so that those that differ still look different."""
    short = told_apart(map(str, names), width)
    return [short[str(name)].replace("$", r"\$") for name in names]


def joined(*columns: Sequence[object] | NDArray[Any], by: str) -> list[str]:
    """Return names of nodes to draw, each part of a pair short for itself."""
    parts = [distinct(column, width=42 // len(columns)) for column in columns]
    return [by.join(row).replace(r"\$", "$") for row in zip(*parts, strict=True)]


def drawn_of(drawn: int, n: int, what: str) -> str:
    """Return the sentence that says how many are left out; nothing where none is."""
    return f" {n - drawn:,} more {what} are not drawn." if drawn < n else ""


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    head = (width - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def column(values: ArrayLike, name: str, *, size: int) -> NDArray[np.float64]:
    """Return values as floats, one a row."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (size,):
        raise InvalidValue.of(name, f"hold {size} numbers, one a row", array.shape)
    return array


def codes(labels: Sequence[Hashable]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the distinct labels in the order in which they come, and which one each row has."""
    distinct = list(dict.fromkeys(labels))
    place = {label: i for i, label in enumerate(distinct)}
    return distinct, np.array([place[label] for label in labels], dtype=np.intp)


def colour(i: int) -> str:
    """Return the colour of series `i`."""
    return LINES[i % len(LINES)]


def over_lines() -> list[AbstractPathEffect]:
    """Return what keeps a text readable that lies on lines: a light rim."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2, foreground="#FFFFFFCC")]


def marker(i: int) -> str:
    """Return the marker of series `i`; colour and marker repeat only after 56 series."""
    return MARKERS[i % len(MARKERS)]


def whiskers(
    value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the lengths of the two whiskers; NaN where there is no interval."""
    return np.stack([np.maximum(value - low, 0), np.maximum(high - value, 0)])


def count_text(count: float) -> str:
    """Return a count as text, a weighted one to three figures."""
    return f"{int(count):,}" if float(count).is_integer() else f"{count:,.3g}"


def percent_axis(axis: Axis) -> None:
    """Write the ticks of an axis as percentages, with decimals only where they say something."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g}%"))


def legend(ax: Axes, handles: Sequence[Handle], names: Sequence[object], *, title: str) -> None:
    """Put a legend to the right of the axes."""
    # a name that begins with "_" would be left out by older releases
    texts = [f" {text}" if text.startswith("_") else text for text in distinct(names)]
    ax.legend(
        handles=list(handles),
        labels=texts,
        title=shown(title) or None,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize=8,
        title_fontsize=8,
    )


def finish(
    ax: Axes, *, title: str, caption: str = "", x: str = "", y: str = "", grid: str = ""
) -> Axes:
    """Return the axes with their words and without their box."""
    if x:
        ax.set_xlabel(shown(x, width=90), fontsize=9)
    if y:
        ax.set_ylabel(shown(y, width=60), fontsize=9)
    _headed(ax, title, caption)
    ax.spines[["top", "right"]].set_visible(False)
    if grid == "x":
        ax.grid(visible=True, axis="x", color="#E3E3E3", linewidth=0.8)
    elif grid == "y":
        ax.grid(visible=True, axis="y", color="#E3E3E3", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def _headed(ax: Axes, title: str, caption: str) -> None:
    """Write the heading and, below it, the sentence that says what to see; long ones wrap."""
    room = width_of(ax) - _left_of(ax)
    heading, words = (
        "\n".join(wrap(visible(text)[:400], max(20, int(room / size / _LETTER))))
        for text, size in ((title, 10), (caption, _CAPTION))
    )
    heading, words = heading.replace("$", r"\$"), words.replace("$", r"\$")
    for drawn in [text for text in ax.texts if text.get_gid() == CAPTION_GID]:
        drawn.remove()  # of an earlier curve on the same axes
    if words and heading:
        # the room is that of the title, which may be wider than the axes without moving them
        ax.annotate(
            words,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 6),
            textcoords="offset points",
            va="bottom",
            fontsize=_CAPTION,
            color="#5A5A5A",
            linespacing=1.25,
            annotation_clip=False,
            gid=CAPTION_GID,
        ).set_in_layout(False)
    lines = len(words.splitlines()) if heading else 0
    if heading:
        ax.set_title(heading, loc="left", fontsize=10, pad=6 + lines * 1.3 * _CAPTION + 3)
    elif words:
        ax.set_title(words, loc="left", fontsize=_CAPTION, color="#5A5A5A")


def width_of(ax: Axes) -> float:
    """Return how wide the part of the figure is that the axes have, labels included [points]."""
    figure, spec = ax.figure, ax.get_subplotspec()
    share = ax.get_position().width
    if spec is not None:
        share = len(spec.colspan) / spec.get_gridspec().ncols
    return float(figure.bbox.width / figure.dpi * 72 * share)


def _left_of(ax: Axes) -> float:
    """Return about how much of it the labels on the left take [points]."""
    from matplotlib.ticker import FixedLocator

    named = isinstance(ax.yaxis.get_major_locator(), FixedLocator)
    names = [text.get_text() for text in ax.get_yticklabels()] if named else ["10,000"]
    return 14 + max(map(len, names), default=0) * 8 * 0.58 + (16 if ax.get_ylabel() else 0)
