"""Heat maps: channel by channel, cohort by age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.validation import check_flag
from cxjourney.exceptions import InvalidValue
from cxjourney.plot._canvas import canvas, count_text, distinct, finish, percent_axis, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

_MOST_WRITTEN = 25  # columns: in more, the numbers would run into one another
_DARK = 0.55  # of the scale: from there on numbers are written in white


def heat_map(
    values: ArrayLike,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    percent: bool = False,
    row_label: str = "",
    column_label: str = "",
    label: str = "",
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a matrix of amounts from zero, darker for more; cells without a value are hatched.

    Parameters
    ----------
    values
        The matrix, shape (rows, columns); not negative, NaN where there is no value.
    rows, columns
        Names of the rows, the first on top, and of the columns.
    percent
        Whether the values are fractions to be shown as percentages.
    row_label, column_label, label
        What the rows, the columns and the values are.
    caption
        A sentence below the heading that says what to see.
    title, ax
        The heading, and where to draw (None: a new figure).

    Returns
    -------
    matplotlib.axes.Axes
        Up to 25 columns, each cell has its number in it.

    Raises
    ------
    InvalidValue
        If the matrix has another shape or a negative value.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.heat_map([[0.5, 0.1]], rows=["web"], columns=["app", "store"], percent=True)
    >>> [text.get_text() for text in ax.texts]
    ['50%', '10%']
    """
    check_flag(percent, "percent")
    matrix = np.asarray(values, dtype=np.float64)
    shape = (len(rows), len(columns))
    if matrix.shape != shape:
        raise InvalidValue.of(
            "values", f"have the shape of rows and columns, {shape}", matrix.shape
        )
    if np.any(matrix < 0):
        raise InvalidValue.of("values", "not be negative", float(np.nanmin(matrix)))
    written = len(columns) <= _MOST_WRITTEN
    cell = 0.48 if written else 0.2
    height = 1.9 + (0.3 if written else 0.2) * max(2, len(rows))
    ax = canvas(ax, width=3.2 + cell * max(3, len(columns)), height=height, caller="heat_map")
    ax.patch.set(facecolor="#F2F2F2", hatch="////", edgecolor="#D5D5D5")
    top = float(np.nanmax(matrix)) if np.any(matrix > 0) else 1.0
    cells = np.ma.masked_invalid(matrix if matrix.size else [[np.nan]])  # even an empty one
    image = ax.imshow(cells, cmap="Blues", vmin=0, vmax=top, aspect="auto", origin="upper")
    if written:
        for (i, j), value in np.ndenumerate(matrix):
            if not np.isnan(value):
                text = f"{100 * value:.0f}%" if percent else count_text(value)
                shade = "white" if value > _DARK * top else "#222222"
                shade = "#8A949C" if text in {"0", "0%"} else shade  # so that the others stand out
                ax.text(j, i, text, ha="center", va="center", fontsize=7, color=shade)
    _names(ax, rows, columns)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(shown(label, width=60), fontsize=9)
    if percent:
        percent_axis(bar.ax.yaxis)
    ax.spines[["left", "bottom"]].set_visible(False)
    return finish(ax, title=title, caption=caption, x=column_label, y=row_label)


def _names(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    texts = distinct(columns)
    long = len(texts) > 6 or any(len(text) > 6 for text in texts)
    ax.set_xticks(range(len(columns)), texts, rotation=90 if long else 0)
    ax.set_yticks(range(len(rows)), distinct(rows))
    size = 8 if max(len(rows), len(columns)) <= 30 else 7
    ax.tick_params(axis="both", labelsize=size, length=0)
