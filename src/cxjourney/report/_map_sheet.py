"""The sheet on which a journey map is drawn: its columns, and what stands on it so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cxjourney.report._catalogue import say
from cxjourney.report._map_marks import (
    N_CHANNELS,
    Group,
    Outline,
    Words,
    distinct,
    lines_of,
    named,
    polygon,
)

if TYPE_CHECKING:
    from cxjourney.report._journey_map import JourneyMap
    from cxjourney.report._lanes import Lane, MapEntry

GUTTER, MARGIN, PAD = 118.0, 14.0, 9.0
_NARROWEST, _USUAL, _LEAST = 152.0, 212.0, 600.0  # widths of a stage, and of all stages
_BRIEF_LEFT, _BRIEF = 74.0, (88.0, 104.0, 260.0)  # the same where a map is drawn in brief
TONES = ("first", "second")


@attrs.frozen(kw_only=True)
class Column:
    """A stage: its name, as it is written, and its place."""

    stage: str
    text: str
    x: float
    width: float

    @property
    def middle(self) -> float:
        """The middle of the column."""
        return self.x + self.width / 2

    @property
    def inner(self) -> float:
        """The width for what stands in it."""
        return self.width - 2 * PAD


class Sheet:
    """What is drawn so far, and how far down it goes."""

    def __init__(self, maps: tuple[JourneyMap, ...], *, brief: bool) -> None:
        self.maps = maps
        self.brief = brief
        self.groups: list[Group] = []
        self.y = MARGIN
        self.left = _BRIEF_LEFT if brief else GUTTER
        widths = _BRIEF if brief else (_NARROWEST, _USUAL, _LEAST)
        self.head_size = 11.0 if brief else 13.0
        self.columns = columns_of(maps, self.left, widths, 1.1 * self.head_size)  # bold
        self.right = self.columns[-1].x + self.columns[-1].width
        counts: dict[str, int] = {}
        for drawn in maps:
            for entry in drawn.entries:
                for name, n in channels_in(entry):
                    counts[name] = counts.get(name, 0) + n
        order = sorted(counts, key=lambda name: -counts[name])
        self.marks = {name: i for i, name in enumerate(order[:N_CHANNELS])}
        self.channels = order

    # ------------------------------------------------------------------ small things

    def add(
        self,
        *marks: Outline | Words,
        evidence: str = "",
        box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    ) -> None:
        self.groups.append(Group(marks=marks, evidence=evidence, box=box))

    def lane(self, name: str, more: str = "") -> None:
        """Begin a lane with its name, which is left out in brief."""
        if self.brief:
            return
        rule = polygon([(MARGIN, self.y), (self.right, self.y)], closed=False)
        self.add(Outline(steps=rule, line="line"))
        lines = lines_of(more, GUTTER - MARGIN - 6, 10, 4) if more else []
        self.add(
            Words(x=MARGIN, y=self.y + 18, text=name, size=12, bold=True),
            *(
                Words(x=MARGIN, y=self.y + 33 + 13 * i, text=line, size=10, ink="mute")
                for i, line in enumerate(lines)
            ),
        )

    def cells(self, lane: Lane, stage: str) -> list[tuple[int, MapEntry]]:
        """Return what stands in a cell, and on which side."""
        return [
            (side, entry)
            for side, drawn in enumerate(self.maps)
            if stage in drawn.stages
            for entry in drawn.cell(lane, stage)
        ]

    def has(self, lane: Lane) -> bool:
        return any(lane in drawn.lanes for drawn in self.maps)

    def side(self, i: int) -> str:
        """Return what a side is called before its evidence; "" where there is only one."""
        return f"{named(self.maps[i].name)}: " if len(self.maps) > 1 else ""

    def dashed(self, side: int) -> bool:
        """Return whether the lines of a side are dashed: those of a design, else of the second."""
        designed = [not drawn.n_journeys for drawn in self.maps]
        return designed[side] or (side == 1 and not designed[0])

    def ink(self, side: int, otherwise: str = "ink") -> str:
        return TONES[side] if len(self.maps) > 1 else otherwise


def columns_of(
    maps: tuple[JourneyMap, ...],
    left: float,
    widths_are: tuple[float, float, float],
    size: float = 14.3,
) -> tuple[Column, ...]:
    """Return the stages of all maps, wider where more journeys come by.

    Parameters
    ----------
    maps
        The maps.
    left
        Where the first stage begins.
    widths_are
        The least and the usual width of a stage, and the least width of all of them.
    size
        The size of the names.
    """
    narrowest, usual, needed = widths_are
    stages = list(dict.fromkeys(stage for drawn in maps for stage in drawn.stages))
    shares = []
    for stage in stages:
        found = [
            entry.value
            for drawn in maps
            if stage in drawn.stages
            for entry in drawn.cell("volume", stage)
            if entry.kind == "percent"
        ]
        shares.append(sum(found) / len(found) if found else 0.0)
    whole = max(needed, usual * len(stages))
    least = min(narrowest, whole / len(stages))
    spare, total = whole - least * len(stages), sum(shares)
    widths = [least + spare * (share / total if total > 0 else 1 / len(stages)) for share in shares]
    rooms = {stage: wide - 2 * PAD - 10 for stage, wide in zip(stages, widths, strict=True)}
    written = distinct(rooms, size)
    if stages == ["all"]:  # as a log without stages has it
        written = {"all": say("drawn.whole")}
    columns, x = [], left
    for stage, width in zip(stages, widths, strict=True):
        columns.append(Column(stage=stage, text=written[stage], x=x, width=width))
        x += width
    return tuple(columns)


def channels_in(entry: MapEntry) -> list[tuple[str, int]]:
    """Return the channel that an entry names, and how often."""
    if entry.lane == "channels" and (entry.channel or entry.basis == "assumed"):
        return [(entry.channel or entry.text, entry.n)]
    return [(entry.channel, 0)] if entry.channel else []
