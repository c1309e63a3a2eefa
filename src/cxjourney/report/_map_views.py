"""The journey map as HTML and as SVG."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import attrs

from cxjourney._support.text import visible
from cxjourney.report._render import asset, render

if TYPE_CHECKING:
    from cxjourney.report._journey_map import JourneyMap
    from cxjourney.report._lanes import MapEntry

_REACHES = (0.25, 0.5, 1.0)  # valences up to which the curve may be drawn
_FOUND = ("pain points", "moments of truth", "opportunities")  # empty means: none stands out
_STEP = 100  # width of a stage in the curve
_LETTERS = 30  # of a line in a cell of the SVG
_CELL, _HEAD, _LINE = 226, 132, 17  # widths of a cell and of the lane names, height of a line [px]


@attrs.frozen(kw_only=True)
class Mark:
    """A point of the emotion curve with its interval; heights run from 0 (pleasant) to 60."""

    x: float
    y: float
    top: float
    bottom: float
    text: str


def map_html(drawn: JourneyMap) -> str:
    """Return the map as an HTML table."""
    known = [e for stage in drawn.stages for e in drawn.cell("emotion", stage)]
    farthest = max((abs(e.value) for e in known), default=0.0)
    reach = next(limit for limit in _REACHES if farthest <= limit)
    marks = _curve(drawn, reach)
    return render(
        "map.html.j2",
        caller="JourneyMap.to_html()",
        drawn=drawn,
        style=asset("map.css"),
        marks=marks,
        reach=reach,
        found=_FOUND,
        width=_STEP * len(drawn.stages),
    )


def _curve(drawn: JourneyMap, reach: float) -> list[Mark]:
    marks = []
    for i, stage in enumerate(drawn.stages):
        for entry in drawn.cell("emotion", stage):
            if entry.basis == "data":
                y, top, bottom = (30 - 27 * v / reach for v in (entry.value, entry.high, entry.low))
                known = not math.isnan(entry.low)
                marks.append(
                    Mark(
                        x=(i + 0.5) * _STEP,
                        y=round(y, 2),
                        top=round(max(top, 0) if known else y, 2),
                        bottom=round(min(bottom, 60) if known else y, 2),
                        text=f"{stage}: {entry}",
                    )
                )
    return marks


@attrs.frozen(kw_only=True)
class Cell:
    """A cell of the SVG: its place and its lines."""

    x: float
    y: float
    height: float
    lines: tuple[tuple[str, bool], ...]


def map_svg(drawn: JourneyMap) -> str:
    """Return the map as an SVG picture."""
    top = 66
    rows = []
    for lane in drawn.lanes:
        texts = [_wrapped(drawn.cell(lane, stage)) for stage in drawn.stages]
        height = max(len(lines) for lines in texts) * _LINE + 14
        cells = [
            Cell(x=_HEAD + i * _CELL, y=top, height=height, lines=lines)
            for i, lines in enumerate(texts)
        ]
        rows.append((lane, top, height, cells))
        top += height
    return render(
        "map.svg.j2",
        caller="JourneyMap.to_svg()",
        drawn=drawn,
        rows=rows,
        heads=[
            (textwrap.shorten(visible(stage), 24, placeholder="…"), _HEAD + i * _CELL)
            for i, stage in enumerate(drawn.stages)
        ],
        size=(_HEAD + _CELL * len(drawn.stages), top + 36),
        cell=_CELL,
        line=_LINE,
    )


def _wrapped(entries: tuple[MapEntry, ...]) -> tuple[tuple[str, bool], ...]:
    """Return the lines of a cell, each with whether it is assumed."""
    lines = [
        (line, entry.basis == "assumed")
        for entry in entries
        for line in textwrap.wrap(visible(str(entry)), _LETTERS, max_lines=4, placeholder=" …")
    ]
    return tuple(lines) or (("–", False),)
