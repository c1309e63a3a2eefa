"""Canvas of all pictures: axes without global state, safe names, colours that all can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.optional import require
from cxjourney._support.text import visible
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
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#888888", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
CONVERTED, DROPPED = "#009E73", "#D55E00"
INK, GREY = "#333333", "#9A9A9A"
NAME_WIDTH = 28


def canvas(ax: Axes | None, *, width: float, height: float, caller: str) -> Axes:
    """Return the axes to draw on: those given, or those of a new figure [inches]."""
    require("matplotlib", extra="plot", caller=f"plot.{caller}()")
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    from cxjourney.plot._axes import PictureAxes

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(axes_class=PictureAxes)


def panels(n: int) -> NDArray[Any]:
    """Return the axes of `n` pictures, one below the other in a new figure (Any: matplotlib's)."""
    require("matplotlib", extra="plot", caller="plot()")
    from matplotlib.figure import Figure

    from cxjourney.plot._axes import PictureAxes

    figure = Figure(figsize=(8.0, 3.6 * max(n, 1)), layout="constrained")
    axes = np.empty(n, dtype=object)
    for i in range(n):
        axes[i] = figure.add_subplot(n, 1, i + 1, axes_class=PictureAxes)
    return axes


def shown(name: object, *, width: int = NAME_WIDTH) -> str:
    """Return a name to draw: one visible line, not too long, and never read as a formula."""
    text = visible(str(name))
    if len(text) > width:
        head = (width - 1) * 2 // 3
        text = f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
    return text.replace("$", r"\$")


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
    texts = [f" {text}" if text.startswith("_") else text for text in map(shown, names)]
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


def finish(ax: Axes, *, title: str, x: str = "", y: str = "", grid: str = "") -> Axes:
    """Return the axes with their words and without their box."""
    if title:
        ax.set_title(shown(title, width=90), loc="left", fontsize=10)
    if x:
        ax.set_xlabel(shown(x, width=90), fontsize=9)
    if y:
        ax.set_ylabel(shown(y, width=60), fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    if grid == "x":
        ax.grid(visible=True, axis="x", color="#E3E3E3", linewidth=0.8)
    elif grid == "y":
        ax.grid(visible=True, axis="y", color="#E3E3E3", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax
