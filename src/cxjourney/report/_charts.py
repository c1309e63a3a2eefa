"""Small charts of a page: bars with intervals, lines over time, and a shaded matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.table import Table
from cxjourney.report._catalogue import between, date_in_words, number, percent, say
from cxjourney.report._render import render

if TYPE_CHECKING:
    from collections.abc import Sequence


_MOST = 14  # rows and columns of a matrix that can be read
_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # ends of a scale, times a power of 10


@attrs.frozen(kw_only=True)
class Bar:
    """A bar: its name, its value with the interval, and what stands beside it."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    note: str = ""
    mute: bool = False  # what others are held against


@attrs.frozen(kw_only=True)
class Bars:
    """Bars, each with its interval as a whisker and its number in words.

    Attributes
    ----------
    rows
        The bars, from top to bottom.
    kind
        How values are shown, as in `Table`.
    full
        The value that fills the width; None takes the highest there is.
    least
        The value at the left edge; bars begin at 0.
    reference
        A value that a line marks; None for none.
    """

    rows: tuple[Bar, ...]
    kind: str
    full: float | None = None
    least: float = 0.0
    reference: float | None = None

    def to_html(self) -> str:
        """Return the bars as an HTML list with one small picture each, escaped."""
        # a drawing says no more than the numbers beside it
        places = {"percent": 3, "integer": 0, "hundredths": 2}.get(self.kind, 6)
        ends = [x for bar in self.rows for x in (bar.value, bar.high) if not math.isnan(x)]
        full = round(max(ends, default=1.0) if self.full is None else self.full, places)

        def place(value: float) -> float:
            width = full - self.least
            share = 0.0
            if not math.isnan(value) and width > 0:
                share = (round(value, places) - self.least) / width
            return round(100 * min(max(share, 0.0), 1.0), 2)

        zero = place(0.0)
        rows = []
        for bar in self.rows:
            at = place(bar.value)
            whisker = None if math.isnan(bar.low) else (place(bar.low), place(bar.high))
            span = min(zero, at), round(abs(at - zero), 2)
            rows.append((bar, self._value(bar), self._interval(bar), span, whisker))
        return render(
            "bars.html.j2",
            caller="Bars.to_html()",
            rows=rows,
            ground=self.full == 1.0 and self.kind == "percent",  # only a whole has a rest
            zero=zero,
            mark=None if self.reference is None else place(self.reference),
        )

    def to_text(self) -> str:
        """Return the bars as a table."""
        return Table(
            {
                "": [bar.name for bar in self.rows],
                "value": [
                    ", ".join(filter(None, (self._value(bar), self._interval(bar))))
                    for bar in self.rows
                ],
                "note": [bar.note for bar in self.rows],
            }
        ).to_text()

    def _value(self, bar: Bar) -> str:
        return number(bar.value, self.kind)

    def _interval(self, bar: Bar) -> str:
        return between(bar.low, bar.high, self.kind)


@attrs.frozen(kw_only=True, eq=False)
class Line:
    """A figure over time, with the band of its intervals; what is too young is dashed.

    Attributes
    ----------
    name
        What the figure is.
    periods
        The names of the periods.
    values, low, high
        The figure and the ends of its intervals; NaN where there are none, or too few.
    young
        Whether each period is too young to be final.
    kind
        How values are shown, as in `Table`.
    by
        What a period is, in words.
    few
        How many periods are left out, because a share of so few says nothing.
    """

    name: str
    periods: tuple[str, ...]
    values: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    young: NDArray[Any]
    kind: str
    by: str
    few: int = 0

    @property
    def final(self) -> Line:
        """The same without the periods that are too young, where two others remain."""
        keep = np.flatnonzero(~self.young)
        if len(keep) < 2 or len(keep) == len(self.young):
            return self
        parts = {x: getattr(self, x)[keep] for x in ("values", "low", "high", "young")}
        return attrs.evolve(self, periods=tuple(self.periods[i] for i in keep), **parts)

    def to_html(self) -> str:
        """Return the line with its scale, escaped."""
        return self._drawn("line.html.j2", ends=True)

    def spark(self) -> str:
        """Return the line alone, small, escaped."""
        return self._drawn("spark.html.j2", ends=False)

    def to_text(self) -> str:
        """Return what a terminal shows of it: nothing but where to find it."""
        return say("trend.brief", n=len(self.periods), period=self.by)

    def _drawn(self, template: str, *, ends: bool) -> str:
        known = [i for i, value in enumerate(self.values) if math.isfinite(value)]
        whole = self.kind == "percent"
        seen = [float(self.values[i]) for i in known]
        shown = seen + [
            float(x)
            for i in known
            for x in (self.low[i], self.high[i])
            if ends and math.isfinite(x)
        ]
        top, bottom = max(shown, default=1.0), min([0.0, *shown])
        if ends and top > 0:
            power = 10.0 ** math.floor(math.log10(top))
            top = next(power * end for end in _ROUND if power * end >= top * (1 - 1e-9))
            top = min(top, 1.0) if whole else top
        reach = (top - bottom) or 1.0
        last = max(len(self.periods) - 1, 1)
        dates = (0, *((last // 2,) if last > 3 else ()), len(self.periods) - 1)

        def at(i: int, value: float) -> str:
            return f"{100 * i / last:.2f} {40 - 38 * (float(value) - bottom) / reach - 1:.2f}"

        def way(places: Sequence[int], values: NDArray[Any]) -> str:
            return " ".join(at(i, values[i]) for i in places)

        def ways(places: Sequence[int]) -> str:
            """Return a line that breaks where periods are left out."""
            pieces = "M".join(way(piece, self.values) for piece in _runs(places))
            return pieces and f"M{pieces}h0"  # a piece may be one point

        final = [i for i in known if not self.young[i]]
        young = [i for i in known if self.young[i]]
        band = [i for i in known if math.isfinite(self.low[i]) and math.isfinite(self.high[i])]
        return render(
            template,
            caller="Line.to_html()",
            line=self,
            final=ways(final),
            young=ways([*final[-1:], *young]) if young else "",
            band=" ".join(
                f"M{way(piece, self.high)} {way(piece[::-1], self.low)}Z" for piece in _runs(band)
            ),
            dot=at(final[-1], self.values[final[-1]]) if final else "",
            top=percent(top) if whole else number(top, self.kind),
            bottom=percent(bottom) if whole else number(bottom, self.kind),
            dates=[date_in_words(self.periods[i]) for i in dict.fromkeys(dates)],
            said=self._said(known),
        )

    def _said(self, known: Sequence[int]) -> str:
        if not known:
            return self.name
        seen = [float(self.values[i]) for i in known]
        first, final, least, most = (
            number(x, self.kind) for x in (seen[0], seen[-1], min(seen), max(seen))
        )
        return say(
            "trend.picture",
            figure=self.name,
            first=first,
            begin=date_in_words(self.periods[known[0]]),
            last=final,
            end=date_in_words(self.periods[known[-1]]),
            least=least,
            most=most,
        )


def _runs(places: Sequence[int]) -> list[list[int]]:
    """Return numbers in pieces that follow on each other."""
    pieces: list[list[int]] = []
    for i in places:
        if pieces and pieces[-1][-1] == i - 1:
            pieces[-1].append(i)
        else:
            pieces.append([i])
    return pieces


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
        return say("channels.brief", n=len(self.names))

    def _busiest(self) -> Sequence[int]:
        traffic = self.counts.sum(axis=0) + self.counts.sum(axis=1)
        chosen = sorted(range(len(self.names)), key=lambda i: (-traffic[i], i))[:_MOST]
        return sorted(chosen)
