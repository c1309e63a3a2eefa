"""Priorities: how much a fix would bring against how certain that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.plot._canvas import (
    GREY,
    INK,
    canvas,
    colour,
    column,
    distinct,
    finish,
    over_lines,
    percent_axis,
    whiskers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from cxjourney._support.array_types import Floats

_WIDE = 1.07  # of all confidence
_NUMBERED = 12  # how many points get a number
_AXES = (330.0, 235.0)  # about how large they are [points]
_NUMBER, _DISC, _RADII = (12.0, 9.0), 9.0, (12.0, 18.0, 25.0, 34.0)  # [points]


def impact_confidence(
    names: Sequence[str],
    impact: ArrayLike,
    confidence: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    labelled: int = 12,
    impact_label: str = "impact",
    confidence_label: str = "confidence",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw impact against confidence: what to fix first stands at the upper right.

    Parameters
    ----------
    names
        Names of the points, first to fix first.
    impact, confidence
        How much a fix would bring, and how certain it is that there is something to fix [fraction].
    low, high
        The ends of the interval of the impact; None draws none.
    labelled
        How many of the first get a number and a line in the key beside the picture; the others
        are drawn without.
    impact_label, confidence_label
        What the axes are.
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
        If columns differ in length.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.impact_confidence(["cart", "web"], [40, 10], [0.99, 0.6])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['1  cart', '2  web']
    """
    if (low is None) != (high is None):
        raise InvalidValue("low and high must come together: an interval has two ends")
    size = len(names)
    y = column(impact, "impact", size=size)
    x = column(confidence, "confidence", size=size)
    some = min(max(labelled, 0), size)
    ax = canvas(ax, width=8, height=max(4.5, 1 + 0.19 * some), caller="impact_confidence")
    ends: tuple[Floats, ...] = ()
    if low is not None and high is not None:
        ends = (column(low, "low", size=size), column(high, "high", size=size))
        ax.errorbar(
            x, y, yerr=whiskers(y, ends[0], ends[1]), fmt="none", ecolor="#B8C4CE", elinewidth=1
        )
    ax.scatter(x[some:], y[some:], s=22, color=GREY, alpha=0.7, zorder=2)
    ax.scatter(x[:some], y[:some], s=110, color=colour(0), edgecolor="white", zorder=3)
    _limited(ax, "y", np.concatenate([[0.0], y, *ends]))
    ax.set_xlim(-0.03, _WIDE - 0.03)
    percent_axis(ax.xaxis)
    _numbered(ax, names, x, y, some=some, heading="first to fix first")
    return finish(ax, title=title, caption=caption, x=confidence_label, y=impact_label)


def quadrants(
    names: Sequence[str],
    importance: ArrayLike,
    performance: ArrayLike,
    *,
    cuts: tuple[float, float],
    caption: str,
    title: str,
    ax: Axes | None,
) -> Axes:
    """Draw importance against performance, with the lines where its four fields meet."""
    size = len(names)
    y = column(importance, "importance", size=size)
    x = column(performance, "performance", size=size)
    ax = canvas(ax, width=8, height=4.5, caller="quadrants")
    ax.axhline(cuts[0], color=GREY, linestyle="--", linewidth=1)
    ax.axvline(cuts[1], color=GREY, linestyle="--", linewidth=1)
    some = min(size, _NUMBERED)
    ax.scatter(x[some:], y[some:], s=22, color=GREY, alpha=0.7, zorder=2)
    ax.scatter(x[:some], y[:some], s=110, color=colour(0), edgecolor="white", zorder=3)
    _limited(ax, "x", x)
    _limited(ax, "y", np.append(y, 0.0))
    percent_axis(ax.yaxis)
    _numbered(ax, names, x, y, some=some, heading="first to concentrate on")
    return finish(ax, title=title, caption=caption, x="performance (mean)", y="importance")


def _limited(ax: Axes, axis: Literal["x", "y"], values: Floats) -> None:
    """Set the limits of an axis to those of what it has, with some air."""
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    air = 0.04 * ((high - low) or 1.0)
    ax.set(**{f"{axis}lim": (low - air, high + air)})


def _numbered(
    ax: Axes, names: Sequence[str], x: Floats, y: Floats, *, some: int, heading: str
) -> None:
    """Give the first points a number each, and a line in the key beside the picture."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    where = _places((x[:some] - left) / (right - left), (y[:some] - bottom) / (top - bottom))
    for i, place in enumerate(where):
        if np.isfinite(x[i]) and np.isfinite(y[i]):
            inside = place == (0.0, 0.0)
            ax.annotate(
                str(i + 1),
                (x[i], y[i]),
                xytext=place,
                textcoords="offset points",
                color="white" if inside else INK,
                fontsize=7,
                ha="center",
                va="center",
                zorder=5,
                path_effects=None if inside else over_lines(),
            )
    from matplotlib.lines import Line2D

    ax.tick_params(labelsize=8)
    if some:
        blank = Line2D([], [], linestyle="none")
        ax.legend(
            handles=[blank] * some,
            labels=[f"{i}  {name}" for i, name in enumerate(distinct(names[:some]), 1)],
            title=heading if some == len(names) else f"the first {some} of {len(names)}",
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            handlelength=0,
            handletextpad=0,
            frameon=False,
            fontsize=8,
            title_fontsize=8,
        ).set_alignment("left")
    ax.grid(visible=True, color="#E9E9E9", linewidth=0.8)


def _places(x: Floats, y: Floats) -> list[tuple[float, float]]:
    """Return where to write the number of each point, from its middle [points].

    Both are shares of the axes. The first points choose first; a number keeps clear of the others
    and, beside, of the discs.
    """
    at = np.stack([x, y], axis=1) * _AXES
    ring = [(r * np.cos(a), r * np.sin(a)) for r in _RADII for a in np.arange(12) * np.pi / 6]
    places: list[tuple[float, float]] = []
    taken: list[NDArray[np.float64]] = []
    for i, point in enumerate(at):
        others = np.delete(at, i, axis=0)
        for place in ((0.0, 0.0), *ring):
            here = point + place
            free = all(np.any(np.abs(here - number) >= _NUMBER) for number in taken)
            if free and (place == (0.0, 0.0) or not _covered(here, others)):
                break
        places.append((float(place[0]), float(place[1])))
        taken.append(point + place)
    return places


def _covered(here: NDArray[np.float64], discs: NDArray[np.float64]) -> bool:
    return bool(np.any(np.hypot(*(discs - here).T) < _DISC))
