"""Sankey diagram of the steps of journeys, whose totals add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney.exceptions import InvalidValue
from cxjourney.plot._canvas import (
    CONVERTED,
    DROPPED,
    GREY,
    INK,
    LINES,
    canvas,
    column,
    count_text,
    distinct,
    finish,
    over_lines,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

Key = tuple[int, str, str]
"""A block: its step, what kind it is, and its name."""

# kinds in the order in which they are stacked, below the names; their colour and their word
_KINDS = {
    "start": ("#5F6B76", "start"),
    "name": ("", ""),
    "other": ("#C3C9CE", "other"),
    "later": ("#8D99A3", "goes on"),
    "in_progress": ("#C9B9DB", "in progress"),
    "conversion": (CONVERTED, "converted"),
    "dropoff": (DROPPED, "dropped"),
}
# without the colours that say how a journey ended, and without grey, which is "other"
_TINTS = tuple(tint for tint in LINES if tint not in {CONVERTED, DROPPED, "#5F5F5F"})
_GAP = 0.018  # between two blocks, of the height of all journeys
_BLOCK = 0.12  # width of a block, of the distance between steps
_LINE = 0.14  # height of a label [inches]


@attrs.frozen(kw_only=True)
class _Block:
    top: float
    height: float
    tint: str
    label: str


def step_sankey(
    step: Sequence[int],
    *,
    source: Sequence[str],
    source_kind: Sequence[str],
    target: Sequence[str],
    target_kind: Sequence[str],
    count: ArrayLike,
    caption: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw how journeys go from step to step; what is not drawn by name is in "other".

    Parameters
    ----------
    step
        Number of the step that each flow leaves, from 0; of journeys that were aligned, 0 is the
        point and earlier steps are negative.
    source, target
        Names of what the flow leaves and enters.
    source_kind, target_kind
        What they are: "start", "name", "other" (all other names together), and as a target
        "conversion", "dropoff", "in_progress" or "later" (goes on beyond the last
        step drawn).
    count
        How many journeys flow.
    caption
        A sentence below the heading that says what to see.
    title, ax
        The heading, and where to draw (None: a new figure).

    Returns
    -------
    matplotlib.axes.Axes
        One block a step and name, as high as its share of all journeys.

    Raises
    ------
    InvalidValue
        If columns differ in length, a kind is unknown, or a block sends on other than it got.
    MissingDependency
        If matplotlib is not installed.

    Examples
    --------
    >>> from cxjourney import plot
    >>> ax = plot.step_sankey(
    ...     [0, 1, 1],
    ...     source=["", "web", "web"],
    ...     source_kind=["start", "name", "name"],
    ...     target=["web", "", ""],
    ...     target_kind=["name", "conversion", "dropoff"],
    ...     count=[10, 4, 6],
    ... )
    >>> [text.get_text() for text in ax.texts]
    ['start 10', 'web 10', 'converted 4', 'dropped 6']
    """
    size = len(step)
    if not len(source) == len(source_kind) == len(target) == len(target_kind) == size:
        raise InvalidValue("step, source, target and their kinds must have one length")
    for name, kinds in (("source_kind", source_kind), ("target_kind", target_kind)):
        for kind in sorted({*kinds} - {*_KINDS}):
            rule = f"hold none but {', '.join(map(repr, _KINDS))}"
            raise InvalidValue.of(name, rule, kind, choices=_KINDS)
    flow = column(count, "count", size=size)
    flows: dict[tuple[Key, Key], float] = {}
    for k in range(size):
        a = (int(step[k]), source_kind[k], source[k])
        b = (int(step[k]) + 1, target_kind[k], target[k])
        flows[a, b] = flows.get((a, b), 0.0) + float(flow[k])
    begin = min((a[0] for a, _ in flows), default=0)
    aligned = any(a[0] == begin and a[1] != "start" for a, _ in flows)
    if begin:
        flows = {((a[0] - begin, *a[1:]), (b[0] - begin, *b[1:])): f for (a, b), f in flows.items()}
    entered = {b for _, b in flows}
    total = sum(f for (a, _), f in flows.items() if a not in entered)
    blocks = _stacked(flows, total)
    last = max((key[0] for key in blocks), default=1)
    rows = max((sum(key[0] == k for key in blocks) for k in range(last + 1)), default=1)
    tall = max(4.0, 0.45 * rows)
    ax = canvas(ax, width=max(7.0, 2.1 * last + 1.5), height=tall, caller="step_sankey")
    _ribbons(ax, flows, blocks, total)
    bottom = min((block.top - block.height for block in blocks.values()), default=0.0)
    labelled = _labelled(blocks, _LINE * (1 - bottom) / (tall - 0.5))
    for key, block in blocks.items():
        k = key[0]
        ax.bar(
            k,
            block.height,
            width=_BLOCK,
            bottom=block.top - block.height,
            color=block.tint,
            zorder=3,
        )
        if key in labelled:
            x = k + _BLOCK / 2 + 0.02
            y = block.top - block.height / 2
            ax.text(
                x,
                y,
                block.label,
                va="center",
                fontsize=7.5,
                color=INK,
                zorder=4,
                path_effects=over_lines(),
            )
    ticks = ["", *(f"visit {k}" for k in range(1, last)), "end"][: last + 1]
    if aligned:
        ticks = [f"{k + begin:+d}" if k + begin else "0" for k in range(last + 1)]
    ax.set_xticks(range(last + 1), ticks)
    ax.tick_params(length=0, labelsize=8)
    ax.set_yticks([])
    ax.set_ylim(bottom - 0.01, 1.01)
    if len(labelled) < len(blocks):
        caption = f"{caption} Blocks too small for a name have none.".strip()
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_xlim(-_BLOCK, last + 0.75)
    return finish(ax, title=title, caption=caption)


def _stacked(flows: dict[tuple[Key, Key], float], total: float) -> dict[Key, _Block]:
    """Return the blocks, each step stacked from the top: names by size, then the ends."""
    into: dict[Key, float] = {}
    out: dict[Key, float] = {}
    for (a, b), f in flows.items():
        out[a] = out.get(a, 0.0) + f
        into[b] = into.get(b, 0.0) + f
    for key, f in out.items():
        if key[1] != "start" and key[0] > 0 and not np.isclose(f, into.get(key, 0.0)):
            raise InvalidValue(
                f"{key[2] or key[1]!r} at step {key[0]} sends on {f:g} journeys "
                f"but got {into.get(key, 0.0):g}"
            )
    amount = into | {key: f for key, f in out.items() if key not in into}
    names: dict[str, float] = {}
    for (_, kind, name), f in amount.items():
        if kind == "name":
            names[name] = names.get(name, 0.0) + f
    place = {name: i for i, name in enumerate(sorted(names, key=lambda n: (-names[n], n)))}
    short = dict(zip(names, distinct(list(names), width=20), strict=True))
    order = list(_KINDS)
    blocks: dict[Key, _Block] = {}
    top: dict[int, float] = {}
    for key in sorted(amount, key=lambda k: (k[0], order.index(k[1]), place.get(k[2], -1))):
        k, kind, name = key
        height = amount[key] / total if total else 0.0
        tint, word = _KINDS[kind]
        if kind == "name":
            tint, word = _tint(place[name]), short[name]
        y = top.get(k, 1.0)
        blocks[key] = _Block(
            top=y, height=height, tint=tint, label=f"{word} {count_text(amount[key])}"
        )
        top[k] = y - height - _GAP
    return blocks


def _labelled(blocks: dict[Key, _Block], line: float) -> set[Key]:
    """Return the blocks whose labels, `line` high, do not run into one of a larger block."""
    taken: dict[int, list[float]] = {}
    kept = set()
    for key in sorted(blocks, key=lambda key: -blocks[key].height):
        middle = blocks[key].top - blocks[key].height / 2
        if all(abs(middle - other) >= line for other in taken.setdefault(key[0], [])):
            taken[key[0]].append(middle)
            kept.add(key)
    return kept


def _tint(i: int) -> str:
    """Return the colour of the name in place `i`: every round lighter than the one before."""
    from matplotlib.colors import to_hex, to_rgb

    lighter = 1 - 0.55 ** (i // len(_TINTS))
    red, green, blue = (c + (1 - c) * lighter for c in to_rgb(_TINTS[i % len(_TINTS)]))
    return to_hex((red, green, blue))


def _ribbons(
    ax: Axes, flows: dict[tuple[Key, Key], float], blocks: dict[Key, _Block], total: float
) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    leaving = {key: block.top for key, block in blocks.items()}
    entering = dict(leaving)
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    for a, b in sorted(flows, key=lambda f: (f[0][0], -blocks[f[0]].top, -blocks[f[1]].top)):
        height = flows[a, b] / total if total else 0.0
        y0, y1 = leaving[a], entering[b]
        leaving[a] -= height
        entering[b] -= height
        x0, x1 = a[0] + _BLOCK / 2, b[0] - _BLOCK / 2
        middle = (x0 + x1) / 2
        points = [
            (x0, y0),
            (middle, y0),
            (middle, y1),
            (x1, y1),
            (x1, y1 - height),
            (middle, y1 - height),
            (middle, y0 - height),
            (x0, y0 - height),
            (x0, y0),
        ]
        ends = b[1] in {"conversion", "dropoff", "in_progress", "later"}
        tint = blocks[b].tint if ends else GREY if a[1] == "start" else blocks[a].tint
        patch = PathPatch(Path(points, codes), facecolor=tint, alpha=0.38, linewidth=0, zorder=2)
        ax.add_patch(patch)
