"""The journey map as SVG, as HTML and on axes of matplotlib, all from one layout."""

from __future__ import annotations

from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from cxjourney._support.optional import require
from cxjourney.plot import panels
from cxjourney.report._map_layout import picture_of
from cxjourney.report._map_marks import COLOURS, Words
from cxjourney.report._map_words import in_cell
from cxjourney.report._render import asset, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cxjourney.report._journey_map import JourneyMap
    from cxjourney.report._map_marks import Group, MapPicture, Outline

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
_FOUND = ("pain points", "moments of truth", "opportunities")  # empty means: none stands out
_DASH = "5 4"
_DPI = 160
_INCH = 96.0  # px


def map_svg(drawn: JourneyMap, beside: JourneyMap | None = None) -> str:
    """Return the map, or two of them, as an SVG picture."""
    return _svg(picture_of(drawn, beside))


def map_overview(drawn: JourneyMap) -> str:
    """Return stages, flow and feelings of a map as a small SVG picture."""
    return _svg(picture_of(drawn, brief=True))


def map_html(drawn: JourneyMap, beside: JourneyMap | None = None) -> str:
    """Return the map, or two of them, as a picture with its evidence, and as a table."""
    picture = picture_of(drawn, beside)
    return render(
        "map.html.j2",
        caller="JourneyMap.to_html()",
        maps=(drawn,) if beside is None else (drawn, beside),
        picture=picture,
        svg=_svg(picture, told=False),
        spots=[_spot(group, picture) for group in picture.groups if group.evidence],
        style=asset("map.css"),
        found=_FOUND,
        told=in_cell,
    )


# ---------------------------------------------------------------------- SVG


def _svg(picture: MapPicture, *, told: bool = True) -> str:
    """Return a picture as SVG; `told` puts the evidence into it, where browsers show it."""
    night = "".join(
        f".jm .f-{role}{{fill:{dark}}}.jm .s-{role}{{stroke:{dark}}}"
        for role, (light, dark) in COLOURS.items()
        if light != dark
    )
    size = f"{picture.width:g} {picture.height:g}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="jm" viewBox="0 0 {size}" '
        f'width="{picture.width:g}" height="{picture.height:g}" role="img" '
        f'font-family="{_FONT}">'
    )
    parts = [
        head,
        f"<title>{escape(picture.title)}</title><desc>{escape(picture.description)}</desc>",
        f"<style>@media screen and (prefers-color-scheme: dark){{{night}}}</style>",
        f'<rect width="100%" height="100%" {_paint("fill", "ground")}/>',
    ]
    for group in picture.groups:
        marks = "".join(map(_mark, group.marks))
        if told and group.evidence:
            marks = f"<g><title>{escape(group.evidence)}</title>{marks}</g>"
        parts.append(marks)
    return "\n".join([*parts, "</svg>"])


def _paint(where: str, role: str) -> str:
    """Return the colour on light ground, and the class by which it has one on dark ground."""
    return f'class="{where[0]}-{role}" {where}="{COLOURS[role][0]}"'


def _mark(mark: Outline | Words) -> str:
    if isinstance(mark, Words):
        more = [f'font-size="{mark.size:g}"']
        if mark.anchor != "start":
            more.append(f'text-anchor="{mark.anchor}"')
        if mark.bold:
            more.append('font-weight="600"')
        if mark.italic:
            more.append('font-style="italic"')
        place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" {" ".join(more)}'
        text = escape(mark.text)
        behind = ""
        if mark.halo:  # as a second text, since one element has one class a colour
            behind = (
                f'<text {place} aria-hidden="true" fill="none" {_paint("stroke", "ground")} '
                f'stroke-width="3" stroke-linejoin="round">{text}</text>'
            )
        return f"{behind}<text {place} {_paint('fill', mark.ink)}>{text}</text>"
    path = "".join(f"{kind}{' '.join(f'{v:.1f}' for v in at)}" for kind, at in mark.steps)
    classes, more = [], []
    for where, role in (("fill", mark.fill), ("stroke", mark.line)):
        if role:
            classes.append(f"{where[0]}-{role}")
        if role or where == "fill":
            more.append(f'{where}="{COLOURS[role][0] if role else "none"}"')
    if mark.line:
        more.append(f'stroke-width="{mark.width:g}" stroke-linejoin="round"')
        if mark.dashed:
            more.append(f'stroke-dasharray="{_DASH}"')
    if mark.opacity < 1:
        more.append(f'opacity="{mark.opacity:g}"')
    return f'<path d="{path}" class="{" ".join(classes)}" {" ".join(more)}/>'


def _spot(group: Group, picture: MapPicture) -> tuple[str, str, str]:
    """Return where evidence is asked for, on which sides of it there is room, and what it says."""
    x, y, width, height = group.box
    parts = (
        ("left", x / picture.width),
        ("top", y / picture.height),
        ("width", width / picture.width),
        ("height", height / picture.height),
    )
    place = ";".join(f"{side}:{100 * part:.3f}%" for side, part in parts)
    sides = "left" if x + width / 2 > picture.width / 2 else "right"
    return place, f"{sides} {'up' if y > picture.height / 2 else 'down'}", group.evidence


# ---------------------------------------------------------------------- matplotlib


def map_axes(
    drawn: JourneyMap, beside: JourneyMap | None, *, title: str | None, ax: Axes | None
) -> Axes:
    """Return axes with the picture of the map, or of two."""
    require("matplotlib", extra="plot", caller="JourneyMap.plot()")
    picture = picture_of(drawn, beside)
    if ax is None:
        ax = panels(1)[0]
        figure: Figure = ax.figure  # type: ignore[assignment]  # of its own, made for it
        figure.set_layout_engine("none")
        figure.set_size_inches(picture.width / _INCH, picture.height / _INCH)
        ax.set_position((0, 0, 1, 1 if title is None else 0.96))
    ax.set_xlim(0, picture.width)
    ax.set_ylim(picture.height, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    if title is not None:
        ax.set_title(title)
    for depth, group in enumerate(picture.groups):
        for mark in group.marks:
            if isinstance(mark, Words):
                _write(ax, mark, depth)
            else:
                _draw(ax, mark, depth)
    return ax


def map_png(drawn: JourneyMap, beside: JourneyMap | None) -> bytes:
    """Return the picture of the map, or of two, as PNG."""
    ax = map_axes(drawn, beside, title=None, ax=None)
    found = BytesIO()
    ax.figure.savefig(found, format="png", dpi=_DPI)  # type: ignore[union-attr]  # made here
    return found.getvalue()


_CODES = {"M": (1,), "L": (2,), "C": (4, 4, 4), "Z": (79,)}  # of matplotlib.path.Path


def _draw(ax: Axes, mark: Outline, depth: int) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points: list[tuple[float, float]] = []
    codes: list[int] = []
    for kind, at in mark.steps:
        points += [(at[i], at[i + 1]) for i in range(0, len(at), 2)] or [(0.0, 0.0)]
        codes += _CODES[kind]
    ax.add_patch(
        PathPatch(
            Path(points, codes),
            facecolor=COLOURS[mark.fill][0] if mark.fill else "none",
            edgecolor=COLOURS[mark.line][0] if mark.line else "none",
            linewidth=0.75 * mark.width,
            linestyle=(0, (3.5, 2.8)) if mark.dashed else "solid",
            alpha=mark.opacity,
            zorder=2 + 0.001 * depth,
        )
    )


def _write(ax: Axes, mark: Words, depth: int) -> None:
    from matplotlib.patheffects import withStroke

    ax.text(
        mark.x,
        mark.y,
        mark.text,
        color=COLOURS[mark.ink][0],
        fontsize=0.75 * mark.size,
        fontweight="bold" if mark.bold else "normal",
        fontstyle="italic" if mark.italic else "normal",
        ha={"start": "left", "middle": "center", "end": "right"}[mark.anchor],
        va="baseline",
        parse_math=False,
        path_effects=[withStroke(linewidth=2.2, foreground="white")] if mark.halo else None,
        zorder=2.0005 + 0.001 * depth,
    )
