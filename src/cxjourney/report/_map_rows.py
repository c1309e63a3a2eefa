"""The lower lanes of a drawn map, from touchpoints to owners, and the legend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from cxjourney.domain import MISSING
from cxjourney.report._catalogue import say, say_of
from cxjourney.report._map_chips import chips_of
from cxjourney.report._map_marks import (
    N_CHANNELS,
    Outline,
    Words,
    channel_mark,
    circle,
    cut,
    decides,
    distinct,
    hurts,
    lines_of,
    named,
    polygon,
    rectangle,
    room,
)
from cxjourney.report._map_sheet import MARGIN, PAD, TONES
from cxjourney.report._map_words import gain_of, listed, percent, sentence, signed, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney.report._lanes import Lane, MapEntry
    from cxjourney.report._map_chips import Chip
    from cxjourney.report._map_sheet import Column, Sheet


def touchpoints(sheet: Sheet) -> None:
    """Draw the touchpoints of each stage: name, channel, visits, and what is at stake."""
    if not sheet.has("touchpoints"):
        return
    many = len(sheet.maps) > 1
    key = "shares" if many else "by_channel" if sheet.channels else "by_visits"
    more = say(f"drawn.{key}")
    sheet.lane(say("drawn.where"), more if any(drawn.n_journeys for drawn in sheet.maps) else "")
    inner = {column.stage: chips_of(sheet.maps, column.stage) for column in sheet.columns}
    chips = [(column, chip) for column in sheet.columns for chip in inner[column.stage]]
    sized = [
        (column.inner - 62) / size for column, chip in chips for _, size, _ in chip.bars if size
    ]
    scale = min(sized, default=1.0)
    step = 44.0 if many else 32.0
    if not any(chip.bars or chip.remark for _, chip in chips):
        step = 26.0
    top = sheet.y + 8
    rooms: dict[str, float] = {}
    for column, chip in chips:
        if not chip.rest:
            wide = column.inner - 18 - 14 * (chip.pain + chip.moment)
            rooms[chip.name] = min(wide, rooms.get(chip.name, wide))
    written = distinct(rooms, 12)
    for column in sheet.columns:
        for k, chip in enumerate(inner[column.stage]):
            y = top + k * step
            text = named(chip.name) if chip.rest else written[chip.name]
            marks = _chip_marks(sheet, column, chip, text=text, y=y, step=step)
            bars = _bars(chip, column.x + PAD + 16, y, scale=scale, many=many)
            box = (column.x + 2, y - 2, column.width - 4, step)
            sheet.add(*marks, *bars, evidence=chip.evidence, box=box)
    sheet.y = top + max((len(chips) for chips in inner.values()), default=0) * step + 4


def _chip_marks(
    sheet: Sheet, column: Column, chip: Chip, *, text: str, y: float, step: float
) -> list[Outline | Words]:
    x = column.x + PAD
    ink = "mute" if chip.rest else "ink"
    marks: list[Outline | Words] = []
    if chip.assumed:
        frame = rectangle(x - 4, y - 1, column.inner + 8, step - 4, round_by=6)
        marks.append(Outline(steps=frame, line="assumed", dashed=True))
    if sheet.channels and not chip.rest:
        marks.append(channel_mark(sheet.marks.get(chip.channel), x + 5, y + 9))
    marks.append(Words(x=x + 16, y=y + 13, text=text, ink=ink, italic=chip.assumed))
    end = column.x + column.width - PAD - 5
    for wanted, mark in ((chip.pain, hurts), (chip.moment, decides)):
        if wanted:
            marks.append(mark(end, y + 9))
            end -= 14
    if chip.remark:
        remark = cut(chip.remark, column.inner - 16, 10)
        low = y + 25 + 10 * len(chip.bars)
        marks.append(Words(x=x + 16, y=low, text=remark, size=10, ink="mute", italic=True))
    return marks


def _bars(chip: Chip, x: float, y: float, *, scale: float, many: bool) -> Iterator[Outline | Words]:
    for b, (side, size, label) in enumerate(chip.bars):
        length = max(size * scale, 1.5)
        bar = rectangle(x, y + 19 + 9 * b, length, 6, round_by=2)
        fill = TONES[side] if many else "bar"
        yield Outline(steps=bar, fill=fill, opacity=0.75 if many else 1.0)
        yield Words(x=x + 4 + length, y=y + 25 + 9 * b, text=label, size=9.5, ink="mute")


def channels(sheet: Sheet) -> None:
    """Draw which channels the visits of a stage are in, as one bar a stage and map."""
    if not sheet.has("channels"):
        return
    sheet.lane(say("drawn.channels"))
    height = 12.0
    for column in sheet.columns:
        cells = sheet.cells("channels", column.stage)
        for side in range(len(sheet.maps)):
            mine = [entry for of, entry in cells if of == side]
            total = sum(entry.n for entry in mine) or 1
            y = sheet.y + 9 + side * (height + 4)
            x = column.x + PAD
            said = []
            marks: list[Outline | Words] = []
            for entry in mine:
                name = entry.channel or entry.text
                place = sheet.marks.get(name)
                if entry.basis == "assumed":
                    marks.append(channel_mark(place, x + 6, y + 6))
                    said.append(say("drawn.meant", name=named(name)))
                    x += 17
                    continue
                wide = column.inner * entry.n / total
                fill = "line" if place is None else f"channel-{place}"
                marks.append(
                    Outline(
                        steps=rectangle(x, y, wide, height), fill=fill, line="ground", width=0.8
                    )
                )
                if wide >= 16 and place is not None:
                    form = channel_mark(place, x + wide / 2, y + 6, 4.2)
                    marks.append(attrs.evolve(form, fill="ground"))
                said.append(f"{named(entry.text)} {percent(entry.n / total)}")
                x += wide
            box = (column.x, y - 3, column.width, height + 5)
            told = sheet.side(side) + say("drawn.visits_by_channel", list=", ".join(said))
            evidence = told if said else ""
            sheet.add(*marks, evidence=evidence, box=box)
    sheet.y += 20 + (height + 4) * len(sheet.maps)


def waiting(sheet: Sheet) -> None:
    """Draw how long it takes until the next interaction."""
    longest = _largest(sheet, "waiting") or 1.0

    def draw(column: Column, entry: MapEntry, y: float, ink: str) -> list[Outline | Words]:
        x = column.x + PAD
        clock = Outline(steps=circle(x + 5, y, 5), line=ink, width=1.2)
        hands = polygon([(x + 5, y - 3), (x + 5, y), (x + 7.5, y)], closed=False)
        text = span(entry.value)
        begin = x + 22 + room(text, 12)
        end = begin + (column.x + column.width - PAD - begin) * entry.value / longest
        line = polygon([(begin, y), (max(end, begin + 1), y)], closed=False)
        stop = polygon([(max(end, begin + 1), y - 4), (max(end, begin + 1), y + 4)], closed=False)
        return [
            clock,
            Outline(steps=hands, line=ink, width=1.2),
            Words(x=x + 15, y=y + 4, text=text, ink=ink),
            Outline(steps=line, line=ink, width=1.2, opacity=0.6),
            Outline(steps=stop, line=ink, width=1.2, opacity=0.6),
        ]

    def says(entry: MapEntry) -> str:
        return sentence("drawn.wait", entry, time=span(entry.value))

    _figures(sheet, "waiting", "waiting", draw=draw, says=says)


def gaps(sheet: Sheet) -> None:
    """Draw how far experience lies from what was expected."""
    farthest = _largest(sheet, "expectation gap") or 1.0

    def draw(column: Column, entry: MapEntry, y: float, ink: str) -> list[Outline | Words]:
        half = min(40.0, column.inner / 4)
        zero = column.x + PAD + half
        tone = ink if ink != "ink" else "leave" if entry.value < 0 else "first"
        length = half * abs(entry.value) / farthest
        bar = rectangle(zero if entry.value >= 0 else zero - length, y - 5, length, 10)
        axis = polygon([(zero, y - 8), (zero, y + 8)], closed=False)
        clear = entry.low > 0 or entry.high < 0
        marks: list[Outline | Words] = [
            Outline(steps=bar, fill=tone, opacity=0.9 if clear else 0.4),
            Outline(steps=axis, line="mute"),
            Words(x=zero + half + 7, y=y + 4, text=signed(entry.value), ink=ink),
        ]
        if not math.isnan(entry.low):
            ends = [
                zero + half * max(-1.1, min(1.1, v / farthest)) for v in (entry.low, entry.high)
            ]
            whisker = polygon([(ends[0], y), (ends[1], y)], closed=False)
            marks.insert(2, Outline(steps=whisker, line="ink", width=1.2))
        return marks

    def says(entry: MapEntry) -> str:
        key = "drawn.better" if entry.value > 0 else "drawn.worse"
        return sentence(key, entry, value=f"{abs(entry.value):.2f}")

    _figures(sheet, "expectation gap", "gaps", draw=draw, says=says)


def _largest(sheet: Sheet, lane: Lane) -> float:
    found = (e.value for column in sheet.columns for _, e in sheet.cells(lane, column.stage))
    return max(map(abs, found), default=0.0)


def _figures(
    sheet: Sheet,
    lane: Lane,
    key: str,
    *,
    draw: Callable[[Column, MapEntry, float, str], list[Outline | Words]],
    says: Callable[[MapEntry], str],
) -> None:
    """Draw a lane of one number a stage and map."""
    if not sheet.has(lane):
        return
    sheet.lane(say(f"drawn.{key}"), say(f"drawn.{key}_more"))
    most = 0
    for column in sheet.columns:
        for k, (side, entry) in enumerate(sheet.cells(lane, column.stage)):
            y = sheet.y + 18 + 20 * k
            most = max(most, k)
            evidence = f"{sheet.side(side)}{says(entry)}"
            box = (column.x, y - 10, column.width, 20)
            sheet.add(*draw(column, entry, y, sheet.ink(side)), evidence=evidence, box=box)
    sheet.y += max(36 + 20 * most, 52)


def texts(sheet: Sheet, lane: Lane, name: str) -> None:
    """Write what is said in words, such as promises."""

    def write(entry: MapEntry) -> str:
        return named(entry.text) + (f" ({entry.n:,})" if entry.n else "")

    _written(sheet, lane, name, "", write, says=write)


def opportunities(sheet: Sheet) -> None:
    """Write what fixing a touchpoint could gain at most."""

    def says(entry: MapEntry) -> str:
        return gain_of(entry, full=True)

    name, more = say("drawn.gain"), say("drawn.gain_more")
    _written(sheet, "opportunities", name, more, gain_of, says=says)


def _written(
    sheet: Sheet,
    lane: Lane,
    name: str,
    more: str,
    write: Callable[[MapEntry], str],
    *,
    says: Callable[[MapEntry], str],
) -> None:
    if not sheet.has(lane):
        return
    sheet.lane(name, more)
    deepest = sheet.y + (44 if more else 20)
    for column in sheet.columns:
        y = sheet.y + 18
        cells = sheet.cells(lane, column.stage)
        for side, entry in cells[:4]:
            top = y - 13
            marks: list[Outline | Words] = []
            assumed = entry.basis == "assumed"
            ink = sheet.ink(side)
            for line in lines_of(write(entry), column.inner - 12, 11.5, 3):
                marks.append(
                    Words(x=column.x + PAD + 12, y=y, text=line, size=11.5, ink=ink, italic=assumed)
                )
                y += 15
            dot = circle(column.x + PAD + 4, top + 9, 2.5)
            marks.append(
                Outline(steps=dot, fill="" if assumed else ink, line="assumed" if assumed else ink)
            )
            box = (column.x, top, column.width, y - top - 13)
            evidence = sheet.side(side) + says(entry)
            sheet.add(*marks, evidence=evidence, box=box)
            y += 4
        if len(cells) > 4:
            rest = say("drawn.and_more", n=len(cells) - 4)
            sheet.add(Words(x=column.x + PAD + 12, y=y, text=rest, size=11.5, ink="mute"))
            y += 15
        deepest = max(deepest, y - 8)
    sheet.y = deepest + 6


def owners(sheet: Sheet) -> None:
    """Write who answers for a stage."""
    if not sheet.has("owner"):
        return
    sheet.lane(say("drawn.owners"))
    for column in sheet.columns:
        cells = sheet.cells("owner", column.stage)
        names = list(dict.fromkeys(named(e.text) for _, e in cells if e.text != MISSING))
        assumed = bool(cells) and all(entry.basis == "assumed" for _, entry in cells)
        said = ", ".join(
            f"{named(e.text)} {say_of('count.visits', e.n) if e.n else say('drawn.is_assumed')}"
            for _, e in cells
        )
        told = say("drawn.owners_of", stage=named(column.stage), list=said)
        lines = lines_of(listed(names, 2), column.inner, 11.5, 2)
        sheet.add(
            *(
                Words(x=column.x + PAD, y=sheet.y + 18 + 14 * i, text=line, size=11.5,
                      italic=assumed)
                for i, line in enumerate(lines)
            ),
            evidence=told if said else "",
            box=(column.x, sheet.y + 3, column.width, 34),
        )  # fmt: skip
    sheet.y += 40


def legend(sheet: Sheet) -> None:
    """Say what the marks mean."""
    rule = polygon([(MARGIN, sheet.y), (sheet.right, sheet.y)], closed=False)
    sheet.add(Outline(steps=rule, line="line"))
    sheet.y += 8
    x = MARGIN

    def item(
        mark: tuple[Outline | Words, ...], wide: float, text: str, *, italic: bool = False
    ) -> None:
        nonlocal x
        text = cut(text, sheet.right - MARGIN - wide, 11)
        needed = wide + 5 + room(text, 11) + 16
        if x > MARGIN and x + needed > sheet.right:
            x, sheet.y = MARGIN, sheet.y + 19
        moved = tuple(_moved(one, x, sheet.y + 10) for one in mark)
        words = Words(x=x + wide + 5, y=sheet.y + 14, text=text, size=11, ink="mute", italic=italic)
        sheet.add(*moved, words)
        x += needed

    for name in sheet.channels[:N_CHANNELS]:
        item((channel_mark(sheet.marks[name], 6, 0),), 12, named(name))
    if rest := len(sheet.channels[N_CHANNELS:]):
        item((channel_mark(None, 6, 0),), 12, say("drawn.more_channels", n=rest))
    if any("moments of truth" in m.lanes for m in sheet.maps):
        item((decides(6, 0),), 12, say("drawn.decides"))
    if any("pain points" in m.lanes for m in sheet.maps):
        item((hurts(6, 0),), 12, say("drawn.hurts"))
    if any(entry.basis == "assumed" for m in sheet.maps for entry in m.entries):
        frame = rectangle(0, -6, 22, 12, round_by=3)
        mark = Outline(steps=frame, line="assumed", dashed=True)
        item((mark,), 22, say("drawn.assumed"), italic=True)
    levels = {m.level for m in sheet.maps if m.n_journeys}
    if sheet.has("emotion") and levels:
        band = Outline(steps=rectangle(0, -5, 22, 10), fill=TONES[0], opacity=0.25)
        item((band,), 22, say("drawn.band", level=f"{100 * levels.pop():g}"))
    sheet.y += 28


def _moved(mark: Outline | Words, x: float, y: float) -> Outline | Words:
    if isinstance(mark, Words):
        return attrs.evolve(mark, x=mark.x + x, y=mark.y + y)
    steps = tuple(
        (kind, tuple(v + (y if i % 2 else x) for i, v in enumerate(at))) for kind, at in mark.steps
    )
    return attrs.evolve(mark, steps=steps)
