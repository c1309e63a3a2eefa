"""Priorities: how much a fix would bring against how certain that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.plot._canvas import (
    GREY,
    canvas,
    colour,
    column,
    finish,
    percent_axis,
    shown,
    whiskers,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


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
    if low is not None and high is not None:
        ends = (column(low, "low", size=size), column(high, "high", size=size))
        ax.errorbar(x, y, yerr=whiskers(y, *ends), fmt="none", ecolor="#B8C4CE", elinewidth=1)
    ax.scatter(x[some:], y[some:], s=22, color=GREY, alpha=0.7, zorder=2)
    ax.scatter(x[:some], y[:some], s=110, color=colour(0), edgecolor="white", zorder=3)
    for i in range(some):
        if np.isfinite(x[i]) and np.isfinite(y[i]):
            ax.text(
                x[i],
                y[i],
                str(i + 1),
                color="white",
                fontsize=7,
                ha="center",
                va="center",
                # the first lies on top where points fall together
                zorder=4 + (some - i) / some,
            )
    from matplotlib.lines import Line2D

    percent_axis(ax.xaxis)
    ax.set_xlim(-0.03, 1.04)
    ax.tick_params(labelsize=8)
    if some:
        blank = Line2D([], [], linestyle="none")
        ax.legend(
            handles=[blank] * some,
            labels=[f"{i + 1}  {shown(name)}" for i, name in enumerate(names[:some])],
            title="first to fix first" if some == size else f"the first {some} of {size}",
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            handlelength=0,
            handletextpad=0,
            frameon=False,
            fontsize=8,
            title_fontsize=8,
        ).set_alignment("left")
    ax.set_axisbelow(True)
    ax.grid(visible=True, color="#E9E9E9", linewidth=0.8)
    return finish(ax, title=title, x=confidence_label, y=impact_label)
