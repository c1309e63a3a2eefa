"""The parts of a picture of a journey map: outlines, words, and groups with their evidence."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import attrs

from cxjourney._support.text import told_apart, visible
from cxjourney.domain import MISSING
from cxjourney.report._catalogue import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Points = Sequence[tuple[float, float]]

# each role on light ground and on dark; channels have the colours of Okabe & Ito (2008)
COLOURS = {
    "ground": ("#ffffff", "#14191f"),
    "ink": ("#14191f", "#e4e7eb"),
    "mute": ("#52606d", "#9fb3c8"),
    "line": ("#d9e2ec", "#3e4c59"),
    "head": ("#0f766e", "#0f766e"),
    "on-head": ("#ffffff", "#ffffff"),
    "flow": ("#cfe7e4", "#1f4d49"),
    "bar": ("#8fc1bb", "#37807a"),
    "first": ("#0f766e", "#5eead4"),
    "second": ("#7c3aed", "#c4b5fd"),
    "leave": ("#c2410c", "#fb923c"),
    "decide": ("#1d4ed8", "#93c5fd"),
    "assumed": ("#9a3412", "#fdba74"),
    "channel-0": ("#0072b2", "#4aa8e0"),
    "channel-1": ("#e69f00", "#e69f00"),
    "channel-2": ("#009e73", "#2cc79b"),
    "channel-3": ("#cc79a7", "#e29cc2"),
    "channel-4": ("#56b4e9", "#8fd0f5"),
    "channel-5": ("#d55e00", "#f5843a"),
    "channel-6": ("#f0e442", "#f0e442"),
    "channel-7": ("#6b7280", "#b6bec9"),
}
N_CHANNELS = 8  # that have a mark of their own
_CURVE = 0.5523  # how far the control points of a quarter of a circle lie
_WIDTHS = {"narrow": 0.36, "wide": 0.9, "large": 0.68, "full": 1.05, "other": 0.58}


@attrs.frozen(kw_only=True)
class Outline:
    """A path of steps "M", "L", "C", "Z" with coordinates, and the roles of its colours."""

    steps: tuple[tuple[str, tuple[float, ...]], ...]
    fill: str = ""
    line: str = ""
    width: float = 1.0
    dashed: bool = False
    opacity: float = 1.0


@attrs.frozen(kw_only=True)
class Words:
    """One line of text on its baseline."""

    x: float
    y: float
    text: str
    size: float = 12.0
    ink: str = "ink"
    anchor: str = "start"
    bold: bool = False
    italic: bool = False
    halo: bool = False


@attrs.frozen(kw_only=True)
class Group:
    """Marks that belong together; what they are based on, and where the pointer asks for it."""

    marks: tuple[Outline | Words, ...]
    evidence: str = ""
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@attrs.frozen(kw_only=True)
class MapPicture:
    """A picture of a map, whatever it is drawn with [px]."""

    width: float
    height: float
    title: str
    description: str
    groups: tuple[Group, ...]


# ---------------------------------------------------------------------- outlines


def polygon(points: Points, *, closed: bool = True) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return the steps through some points."""
    steps = [("M" if i == 0 else "L", point) for i, point in enumerate(points)]
    return (*steps, ("Z", ())) if closed else tuple(steps)


def rectangle(
    x: float, y: float, width: float, height: float, *, round_by: float = 0.0
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return the steps around a rectangle, its corners rounded."""
    r = min(round_by, width / 2, height / 2)
    if r <= 0:
        return polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
    k, right, low = r * (1 - _CURVE), x + width, y + height
    return (
        ("M", (x + r, y)),
        ("L", (right - r, y)),
        ("C", (right - k, y, right, y + k, right, y + r)),
        ("L", (right, low - r)),
        ("C", (right, low - k, right - k, low, right - r, low)),
        ("L", (x + r, low)),
        ("C", (x + k, low, x, low - k, x, low - r)),
        ("L", (x, y + r)),
        ("C", (x, y + k, x + k, y, x + r, y)),
        ("Z", ()),
    )


def circle(x: float, y: float, r: float) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return the steps around a circle."""
    return rectangle(x - r, y - r, 2 * r, 2 * r, round_by=r)


def smooth(points: Points) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return the steps of a line through the points that nowhere goes beyond its neighbours."""
    if len(points) < 2:
        return polygon(points, closed=False)
    from scipy.interpolate import PchipInterpolator

    xs, ys = [p[0] for p in points], [p[1] for p in points]
    slopes = PchipInterpolator(xs, ys).derivative()(xs).tolist()
    steps: list[tuple[str, tuple[float, ...]]] = [("M", points[0])]
    for i in range(len(points) - 1):
        third = (xs[i + 1] - xs[i]) / 3
        before = (xs[i] + third, ys[i] + slopes[i] * third)
        after = (xs[i + 1] - third, ys[i + 1] - slopes[i + 1] * third)
        steps.append(("C", (*before, *after, xs[i + 1], ys[i + 1])))
    return tuple(steps)


def backwards(
    steps: tuple[tuple[str, tuple[float, ...]], ...],
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Return the steps of a line from its end to its beginning, to go on with after another."""
    ends = [at[-2:] for _, at in steps]
    turned: list[tuple[str, tuple[float, ...]]] = [("L", ends[-1])]
    for (kind, at), end in zip(steps[:0:-1], ends[-2::-1], strict=True):
        turned.append((kind, (*at[2:4], *at[0:2], *end) if kind == "C" else end))
    return tuple(turned)


def channel_mark(i: int | None, x: float, y: float, r: float = 5.0) -> Outline:
    """Return the mark of the i-th channel around a centre: both its form and its colour tell it."""
    if i is None or i >= N_CHANNELS:
        return Outline(steps=circle(x, y, 0.6 * r), line="mute", width=1.2)
    forms: tuple[Points, ...] = (
        (),
        ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
        ((0, -1.1), (1.05, 0.85), (-1.05, 0.85)),
        ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
        ((-1.05, -0.85), (1.05, -0.85), (0, 1.1)),
        ((-0.36, -1.1), (0.36, -1.1), (0.36, -0.36), (1.1, -0.36), (1.1, 0.36), (0.36, 0.36),
         (0.36, 1.1), (-0.36, 1.1), (-0.36, 0.36), (-1.1, 0.36), (-1.1, -0.36), (-0.36, -0.36)),
        ((-0.55, -1), (0.55, -1), (1.15, 0), (0.55, 1), (-0.55, 1), (-1.15, 0)),
        ((-1.1, -0.5), (1.1, -0.5), (1.1, 0.5), (-1.1, 0.5)),
    )  # fmt: skip
    form = forms[i]
    steps = polygon([(x + r * a, y + r * b) for a, b in form]) if form else circle(x, y, r)
    return Outline(steps=steps, fill=f"channel-{i}", line="ink", width=0.6)


def decides(x: float, y: float, r: float = 5.5) -> Outline:
    """Return the mark of a moment of truth."""
    star = [(0, -1.2), (0.35, -0.4), (1.15, -0.35), (0.55, 0.2), (0.75, 1.05), (0, 0.6),
            (-0.75, 1.05), (-0.55, 0.2), (-1.15, -0.35), (-0.35, -0.4)]  # fmt: skip
    steps = polygon([(x + r * a, y + r * b) for a, b in star])
    return Outline(steps=steps, fill="decide", line="ground", width=0.8)


def hurts(x: float, y: float, r: float = 5.5) -> Outline:
    """Return the mark of a pain point: a bolt."""
    bolt = [(0.35, -1.25), (-0.8, 0.2), (-0.1, 0.2), (-0.4, 1.25), (0.8, -0.3), (0.1, -0.3)]
    steps = polygon([(x + r * a, y + r * b) for a, b in bolt])
    return Outline(steps=steps, fill="leave", line="ground", width=0.8)


def face(x: float, y: float, mood: float) -> tuple[Outline, ...]:
    """Return a face that is pleased (mood 1) or not (-1)."""
    bend = y + 2.6 + 3.4 * mood
    mouth = (
        ("M", (x - 4, y + 2.6 - 0.8 * mood)),
        ("C", (x - 2, bend, x + 2, bend, x + 4, y + 2.6 - 0.8 * mood)),
    )
    return (
        Outline(steps=circle(x, y, 8), line="mute", width=1.3),
        Outline(steps=circle(x - 3, y - 2, 1), fill="mute"),
        Outline(steps=circle(x + 3, y - 2, 1), fill="mute"),
        Outline(steps=mouth, line="mute", width=1.3),
    )


# ---------------------------------------------------------------------- words


def room(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide text is, at least, in the widest of the usual fonts [px]."""
    return sum(map(_width, text)) * size * (1.1 if bold else 1.0)


def _width(c: str) -> float:
    if unicodedata.combining(c):
        return 0.0
    if unicodedata.east_asian_width(c) in "WF":
        return _WIDTHS["full"]
    if c in "iIjl.,:;'|!()[]ftr -\N{NO-BREAK SPACE}":
        return _WIDTHS["narrow"]
    if c in "mwMW@%…":
        return _WIDTHS["wide"]
    return _WIDTHS["large" if c.isupper() or c.isdigit() else "other"]


def named(name: str) -> str:
    """Return a name that can be looked at."""
    return visible(name).replace(MISSING, say("page.missing"))


def cut(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Return text that fits a width."""
    if room(text, size, bold=bold) <= width:
        return text
    for n in range(len(text) - 1, 0, -1):
        shorter = f"{text[:n].rstrip()}…"
        if room(shorter, size, bold=bold) <= width:
            return shorter
    return "…"


def distinct(widths: Mapping[str, float], size: float) -> dict[str, str]:
    """Return what each name is written as in its width, no two alike."""
    said = {name: name.replace(MISSING, say("page.missing")) for name in widths}
    rooms = {said[name]: width for name, width in widths.items()}
    short = told_apart(rooms, rooms, wide=lambda text: room(text, size))
    return {name: short[said[name]] for name in widths}


def lines_of(text: str, width: float, size: float, most: int) -> list[str]:
    """Return text in at most so many lines of a width; what is cut ends in "…"."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or room(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [cut(line, width, size) for line in lines]
