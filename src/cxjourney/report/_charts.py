"""Small charts of a page: bars with intervals, and a shaded matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
from numpy.typing import NDArray

from cxjourney._support.table import Table, format_value
from cxjourney.report._render import render

if TYPE_CHECKING:
    from collections.abc import Sequence


_MOST = 14  # rows and columns of a matrix that can be read


@attrs.frozen(kw_only=True)
class Bar:
    """A bar: its name, its value with the interval, and what stands beside it."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    note: str = ""


@attrs.frozen(kw_only=True)
class Bars:
    """Bars from zero, each with its interval and its number in words.

    Attributes
    ----------
    rows
        The bars, from top to bottom.
    kind
        How values are shown, as in `Table`.
    full
        The value that fills the width; NaN takes the highest there is.
    """

    rows: tuple[Bar, ...]
    kind: str
    full: float = math.nan

    def to_html(self) -> str:
        """Return the bars as an HTML list with one small picture each, escaped."""
        ends = [x for bar in self.rows for x in (bar.value, bar.high) if not math.isnan(x)]
        full = max(ends, default=1.0) if math.isnan(self.full) else self.full
        return render(
            "bars.html.j2",
            caller="Bars.to_html()",
            rows=[(bar, self._words(bar), *self._places(bar, full)) for bar in self.rows],
        )

    def to_text(self) -> str:
        """Return the bars as a table."""
        return Table(
            {
                "": [bar.name for bar in self.rows],
                "value": [self._words(bar) for bar in self.rows],
                "note": [bar.note for bar in self.rows],
            }
        ).to_text()

    def _places(self, bar: Bar, full: float) -> tuple[float, float, float]:
        def place(value: float) -> float:
            share = 0.0 if math.isnan(value) or full <= 0 else value / full
            return round(100 * min(max(share, 0.0), 1.0), 2)

        return place(bar.value), place(bar.low), place(bar.high)

    def _words(self, bar: Bar) -> str:
        text = format_value(bar.value, self.kind)
        if not math.isnan(bar.low):
            low, high = (format_value(end, self.kind) for end in (bar.low, bar.high))
            text += f" [{low}, {high}]"
        return text


@attrs.frozen(kw_only=True, eq=False)
class Matrix:
    """A square of shares, shaded: from the row to the column.

    Attributes
    ----------
    names
        What rows and columns are.
    values
        The shares [fraction]; NaN where a row has none.
    counts
        The counts behind them.
    """

    names: tuple[str, ...]
    values: NDArray[Any]
    counts: NDArray[Any]

    def to_html(self) -> str:
        """Return the matrix as an HTML table, escaped; the busiest rows where it is too large."""
        order = self._busiest()
        rows = [
            (
                self.names[i],
                int(self.counts[i].sum()),
                [(float(self.values[i, j]), int(self.counts[i, j])) for j in order],
            )
            for i in order
        ]
        return render(
            "matrix.html.j2",
            caller="Matrix.to_html()",
            names=[self.names[i] for i in order],
            rows=rows,
            left_out=len(self.names) - len(order),
        )

    def to_text(self) -> str:
        """Return what a terminal shows of it: nothing but where to find it."""
        return f"drawn on the page: {len(self.names)} × {len(self.names)}"

    def _busiest(self) -> Sequence[int]:
        traffic = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        chosen = sorted(range(len(self.names)), key=lambda i: (-traffic[i], i))[:_MOST]
        return sorted(chosen)
