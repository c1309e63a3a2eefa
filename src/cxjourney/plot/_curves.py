"""Pictures of a value along time or along the stages, with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.plot._canvas import (
    DROPPED,
    GREY,
    canvas,
    colour,
    column,
    count_text,
    distinct,
    finish,
    legend,
    percent_axis,
    shown,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from cxjourney.plot._canvas import Handle

_UNITS = (("seconds", 1), ("minutes", 60), ("hours", 3_600), ("days", 86_400))
_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 90, 180, 365, 730, 1825, 3650)
_MOST_TICKS = 8
_MOST_MARKS = 200  # of censored rows: more would draw a thick line
_GID = "cxjourney-curve"
_DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
_WIDEST = 11.0  # of a picture with many periods [inches]
_MANY = 60  # periods from which whiskers would be a grey area
_BESIDE = 180.0  # what the key and the axis of values take beside it [points]
_UPRIGHT = 7.5  # up to which names stand upright [inches]
_LINE = 12.0  # what a rotated name takes [points]


def step_curve(
    time_s: ArrayLike,
    value: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    start: Literal[0, 1],
    censored: ArrayLike | None = None,
    name: str = "",
    label: str = "",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a share that changes at some times, with its band: survival or incidence.

    Call it again with the same `ax` for a further curve.

    Parameters
    ----------
    time_s
        Times at which the share may change, increasing [seconds].
    value, low, high
        The share from each time on and its interval [fraction].
    start
        The share at time 0: 1 for survival, 0 for incidence.
    censored
        How many end open at each time; up to 200 such times get a tick on the curve.
    name, label
        Name of the curve, for the legend, and what the share is.
    caption
        A sentence below the heading that says what to see.
    title, ax
        The heading, and where to draw (None: a new figure).

    Returns
    -------
    matplotlib.axes.Axes
        Time is in seconds, its ticks are written in the unit that suits the longest curve.

    Raises
    ------
    InvalidValue
        If columns differ in length or times do not increase.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> day = 86_400
    >>> ax = plot.step_curve([day, 3 * day], [0.8, 0.4], [0.7, 0.3], [0.9, 0.5], start=1)
    >>> ax.get_xlabel()
    'time [days]'
    """
    times = np.asarray(time_s, dtype=np.float64)
    if times.ndim != 1 or np.any(np.diff(times) <= 0):
        raise InvalidValue("time_s must be one column of increasing times")
    x = np.concatenate([[0.0], times])
    y, bottom, top = (
        np.concatenate([[float(start)], column(values, what, size=len(times))])
        for values, what in ((value, "value"), (low, "low"), (high, "high"))
    )
    ax = canvas(ax, width=7, height=4, caller="step_curve")
    drawn = [line for line in ax.get_lines() if line.get_gid() == _GID]
    tint = colour(len(drawn))
    dashes = _DASHES[len(drawn) % len(_DASHES)]
    (line,) = ax.step(x, y, where="post", color=tint, linestyle=dashes, linewidth=1.6, gid=_GID)
    line.set_label(shown(name) if name else "")
    ax.fill_between(x, bottom, top, step="post", color=tint, alpha=0.18, linewidth=0)
    if censored is not None:
        some = column(censored, "censored", size=len(times)) > 0
        if 0 < np.count_nonzero(some) <= _MOST_MARKS:
            ax.scatter(times[some], y[1:][some], marker="|", s=30, color=tint, linewidth=1)
    _time_axis(ax, max([float(x[-1]), *(float(np.max(line.get_xdata())) for line in drawn)]))
    _fraction_axis(ax)
    named = [curve for curve in (*drawn, line) if curve.get_label()]
    if named:
        ax.legend(handles=named, frameon=False, fontsize=8)
    return finish(ax, title=title, caption=caption, x=ax.get_xlabel(), y=label, grid="y")


def _time_axis(ax: Axes, longest: float) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    unit, size = next((u for u in reversed(_UNITS) if longest >= 2 * u[1]), _UNITS[0])
    span = longest / size
    step = next((s for s in _STEPS if span / s <= _MOST_TICKS), span / _MOST_TICKS)
    ax.xaxis.set_major_locator(MultipleLocator(step * size))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds / size:g}"))
    ax.set_xlabel(f"time [{unit}]")
    ax.set_xlim(0, max(longest, 1e-6) * 1.02)


def _fraction_axis(ax: Axes) -> None:
    percent_axis(ax.yaxis)
    ax.set_ylim(0, 1.02)
    ax.tick_params(labelsize=8)


def emotion_curve(
    names: Sequence[str],
    value: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    expected: ArrayLike | None = None,
    valley: ArrayLike | None = None,
    n: ArrayLike | None = None,
    neutral: float | None = 0.0,
    label: str = "emotion",
    dashed: str = "expected",
    across: str = "",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw how customers feel along the stages, with the band of its uncertainty.

    Parameters
    ----------
    names
        The stages, or touchpoints, in their order.
    value, low, high
        The mean at each and the ends of its interval; NaN leaves a gap.
    expected, valley
        What was expected or promised at each, drawn dashed, and where the curve is at its worst: a
        ring.
    n
        How many answers each mean rests on; written beside its name.
    neutral
        Where a thin line parts good from bad; None draws none.
    dashed, across
        What the dashed line is called, and what the names are.
    label, caption, title, ax
        As for `forest`.

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
    >>> ax = plot.emotion_curve(["search", "buy"], [0.2, -0.1], [0.1, -0.2], [0.3, 0.0])
    >>> [round(float(y), 1) for y in ax.get_lines()[-1].get_ydata()]
    [0.2, -0.1]
    """
    size = len(names)
    mean, bottom, top = (
        column(values, what, size=size)
        for values, what in ((value, "value"), (low, "low"), (high, "high"))
    )
    texts = distinct(names)
    if n is not None:
        answers = [f"n = {count_text(k)}" for k in column(n, "n", size=size)]
        texts = [f"{text}\n{count}" for text, count in zip(texts, answers, strict=True)]
    longest = max((len(line) for text in texts for line in text.splitlines()), default=0)
    room = size * (0.075 * longest + 0.08)  # [inches]
    upright = room <= _UPRIGHT
    ax = canvas(
        ax,
        width=max(6.5, 2.3 + room if upright else min(2 + 0.25 * size, 2 * _WIDEST)),
        height=4 if upright else 5.2,
        caller="emotion_curve",
    )
    x = np.arange(size)
    if neutral is not None:
        ax.axhline(neutral, color=GREY, linewidth=1)
    band = ax.fill_between(x, bottom, top, color=colour(0), alpha=0.2, linewidth=0)
    # a mean between two gaps has no band to its left or right: its whisker shows the interval
    ax.vlines(x, bottom, top, color=colour(0), linewidth=1, alpha=0.6)
    (line,) = ax.plot(x, mean, color=colour(0), marker="o", markersize=5, linewidth=1.8)
    key: dict[str, Handle] = {"observed": line, "interval": band}
    if expected is not None:
        promise = column(expected, "expected", size=size)
        (key[dashed],) = ax.plot(
            x, promise, color=colour(1), linestyle="--", marker="_", linewidth=1.2
        )
    if valley is not None:
        at = np.flatnonzero(column(valley, "valley", size=size))
        if len(at):
            key["valley"] = ax.scatter(
                at, mean[at], s=130, facecolor="none", edgecolor=DROPPED, linewidth=1.6, zorder=3
            )
    if len(key) > 2:
        legend(ax, list(key.values()), list(key), title="")
    ax.set_xticks(range(size), texts, rotation=0 if upright else 90)
    ax.tick_params(labelsize=8)
    ax.set_xlim(-0.5, max(size, 1) - 0.5)
    return finish(ax, title=title, caption=caption, x=across, y=label, grid="y")


def trend_chart(
    names: Sequence[str],
    *columns: ArrayLike,
    censored: ArrayLike,
    outside: ArrayLike,
    change: Sequence[int] | None,
    marks: Sequence[tuple[int, str]],
    targets: Sequence[tuple[int, float]],
    percent: bool,
    label: str,
    caption: str,
    title: str,
    ax: Axes | None,
) -> Axes:
    """Draw a figure by period, with the interval of the date of a change.

    The columns are value, low, high, expected, low limit and high limit; `change` are the places of
    the ends of the interval with that of the date between them. Marks and targets stand at the
    place of their period.
    """
    size = len(names)
    y, bottom, top, due, least, most = (np.asarray(column, dtype=np.float64) for column in columns)
    young, apart = np.asarray(censored, dtype=np.bool_), np.asarray(outside, dtype=np.bool_)
    wide = min(max(6.5, 2 + 0.22 * size), _WIDEST)
    ax = canvas(ax, width=wide, height=4.6, caller="trend_chart")
    x = np.arange(size)
    band = ax.fill_between(x, bottom, top, color=colour(0), alpha=0.2, linewidth=0)
    if size <= _MANY:
        ax.vlines(x, bottom, top, color=colour(0), linewidth=1, alpha=0.6)
    (line,) = ax.plot(x, y, color=colour(0), marker="o", markersize=5 if size <= _MANY else 3)
    key: dict[str, Handle] = {"observed": line, "interval": band}
    if np.isfinite(most).any():
        for limit in (least, most):
            (key["limits"],) = ax.step(x, limit, where="mid", color=GREY, linestyle=":")
    if young.any():
        key["so far"] = ax.scatter(
            x[young], y[young], s=30, facecolor="white", edgecolor=colour(0), zorder=3
        )
    if np.isfinite(due).any():
        key["expected by now"] = ax.scatter(x, due, marker="_", s=90, color=colour(1), zorder=3)
    if apart.any():
        key["outside"] = ax.scatter(
            x[apart], y[apart], s=130, facecolor="none", edgecolor=DROPPED, linewidth=1.6, zorder=3
        )
    if change is not None:
        first, here, last = change
        key["change"] = ax.axvline(here - 0.5, color=DROPPED, linewidth=1.2, linestyle="--")
        ax.axvspan(first - 0.5, last - 0.5, color=DROPPED, alpha=0.12, linewidth=0)
    for place, name in marks:
        ax.axvline(place, color=GREY, linewidth=1.2, linestyle=":")
        ax.annotate(
            shown(name),
            (place, 1),
            (3, -3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            fontsize=8,
            color=GREY,
            verticalalignment="top",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1},
        )
    if targets:
        places, aims = zip(*targets, strict=True)
        key["target"] = ax.scatter(
            np.clip(places, 0, max(size - 1, 0)), aims, marker="D", s=36, color=colour(2), zorder=4
        )
    legend(ax, list(key.values()), list(key), title="")
    every = max(1, int(np.ceil(size * _LINE / max(width_of(ax) - _BESIDE, 4 * _LINE))))
    ax.set_xticks(x[::every], [shown(name) for name in names[::every]], rotation=90)
    ax.tick_params(labelsize=8)
    ax.set_xlim(-0.5, max(size, 1) - 0.5)
    if percent:
        percent_axis(ax.yaxis)
    return finish(ax, title=title, caption=caption, y=label, grid="y")
