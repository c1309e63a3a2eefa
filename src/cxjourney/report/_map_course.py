"""The upper lanes of a drawn map: stages, who comes by and who leaves, and how it feels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cxjourney.report._catalogue import say, say_of
from cxjourney.report._map_marks import (
    Outline,
    Words,
    backwards,
    circle,
    cut,
    decides,
    distinct,
    face,
    hurts,
    lines_of,
    named,
    polygon,
    room,
    smooth,
)
from cxjourney.report._map_sheet import MARGIN, PAD, TONES
from cxjourney.report._map_words import (
    facts_of,
    moment_of,
    pain_of,
    percent,
    sentence,
    signed,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxjourney.report._lanes import Lane, MapEntry
    from cxjourney.report._map_sheet import Column, Sheet

_RIBBON, _WEDGE = 34.0, 130.0  # height and width of a share of 100 %
_CHART = 124.0
_REACHES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)  # valences up to which the line may be drawn
_ASIDE = 0.3  # of a stage's width, to either side of its middle, where the line bears marks


def title(sheet: Sheet) -> None:
    """Name the map, whose journeys it shows, and when."""
    width = sheet.right - MARGIN
    two = len(sheet.maps) > 1
    text = cut(title_of(sheet.maps), width, 20, bold=True)
    sheet.add(Words(x=MARGIN, y=sheet.y + 18, text=text, size=20, bold=True))
    sheet.y += 26
    for side, drawn in enumerate(sheet.maps):
        said = " · ".join((*([named(drawn.name)] if two else []), *facts_of(drawn)))
        if not said:
            continue
        x = MARGIN + (18 if two else 0)
        if two:
            sample = polygon([(MARGIN, sheet.y + 10), (MARGIN + 13, sheet.y + 10)], closed=False)
            line = Outline(steps=sample, line=TONES[side], width=3, dashed=sheet.dashed(side))
            sheet.add(line)
        words = cut(said, sheet.right - x, 12)
        sheet.add(Words(x=x, y=sheet.y + 14, text=words, size=12, ink="mute"))
        sheet.y += 17
    sheet.y += 9


def heads(sheet: Sheet) -> None:
    """Draw the stages as arrows, one pointing at the next."""
    height, tip = 34.0, 9.0
    for column in sheet.columns:
        x, right = column.x, column.x + column.width - 2
        first, last = column is sheet.columns[0], column is sheet.columns[-1]
        form = [(x, sheet.y), (right, sheet.y)]
        if not last:
            form.append((right + tip, sheet.y + height / 2))
        form += [(right, sheet.y + height), (x, sheet.y + height)]
        if not first:
            form.append((x + tip, sheet.y + height / 2))
        text = Words(
            x=x + PAD + (tip if not first else 0),
            y=sheet.y + 22,
            text=column.text,
            size=sheet.head_size,
            ink="on-head",
            bold=True,
        )
        sheet.add(Outline(steps=polygon(form), fill="head"), text)
    sheet.y += height + 4


def flow(sheet: Sheet) -> None:
    """Draw how many come by, and who leaves, as a river with outlets."""
    if not sheet.has("volume") and not sheet.has("drop-off"):
        return
    sheet.lane(say("drawn.flow"), say("drawn.flow_more"))
    if sheet.brief:
        sheet.add(Words(x=MARGIN, y=sheet.y + 16, text=say("drawn.journeys"), size=11, ink="mute"))
    top = sheet.y + 22
    heights = [_shares(sheet, side) for side in range(len(sheet.maps))]
    known = [side for side, shares in enumerate(heights) if any(shares)]
    for side in known:
        lower = _bank(sheet, [top + _RIBBON * share for share in heights[side]])
        if side == known[0]:
            around = (("M", (sheet.columns[0].x, top)), ("L", (sheet.right, top)))
            sheet.add(Outline(steps=(*around, *backwards(lower), ("Z", ())), fill="flow"))
        if len(known) > 1:
            dashed = sheet.dashed(side)
            sheet.add(Outline(steps=lower, line=TONES[side], width=1.6, dashed=dashed))
    for i, column in enumerate(sheet.columns):
        _volume(sheet, column)
        _leaving(sheet, column, [top + _RIBBON * shares[i] for shares in heights])
    sheet.y = top + _RIBBON + (56 if len(sheet.maps) == 1 else 70)


def _shares(sheet: Sheet, side: int) -> list[float]:
    found = []
    for column in sheet.columns:
        entries = [e for s, e in sheet.cells("volume", column.stage) if s == side]
        found.append(next((e.value for e in entries if e.kind == "percent"), 0.0))
    return found


def _bank(sheet: Sheet, ys: Sequence[float]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    steps: list[tuple[str, tuple[float, ...]]] = [("M", (sheet.columns[0].x, ys[0]))]
    for i, column in enumerate(sheet.columns):
        right = column.x + column.width
        if i + 1 == len(sheet.columns):
            steps.append(("L", (right, ys[i])))
            break
        begin, end = right - 0.2 * column.width, right + 0.2 * sheet.columns[i + 1].width
        steps.append(("L", (begin, ys[i])))
        steps.append(("C", (right, ys[i], right, ys[i + 1], end, ys[i + 1])))
    return tuple(steps)


def _volume(sheet: Sheet, column: Column) -> None:
    x, said = column.x + PAD, []
    words: list[Outline | Words] = []
    for side, entry in sheet.cells("volume", column.stage):
        if entry.kind != "percent":
            said.append(f"{say_of('count.visits', entry.n)}.")
            continue
        first = not words
        text = say("drawn.share", rate=percent(entry.value))
        if len(sheet.maps) > 1 or sheet.brief:
            text = percent(entry.value)
        x += 0 if first else 10
        words.append(Words(x=x, y=sheet.y + 16, text=text, ink=sheet.ink(side), bold=True))
        x += room(text, 12, bold=True)
        said.append(sheet.side(side) + sentence("drawn.come_by", entry, rate=percent(entry.value)))
    box = (column.x, sheet.y + 2, column.width, 20 + _RIBBON / 2)
    sheet.add(*words, evidence=" ".join(said), box=box)


def _leaving(sheet: Sheet, column: Column, banks: Sequence[float]) -> None:
    entries = sheet.cells("drop-off", column.stage)
    for k, (side, entry) in enumerate(entries):
        share = 0.5 if len(entries) == 1 else (0.27, 0.73)[k % 2]
        middle = column.x + share * column.width
        most = (column.width - 2 * PAD) / len(entries) - 4
        half = max(min(_WEDGE, most) * entry.value / 2, 1.2)
        y = banks[side]
        low = sheet.y + 22 + _RIBBON + 26
        body = [(middle - half, y), (middle + half, y), (middle + 0.72 * half, low)]
        wide = 0.72 * half + 4
        tip = [(middle + wide, low), (middle, low + 8), (middle - wide, low)]
        form = polygon([*body, *tip, (middle - 0.72 * half, low)])
        tone = "leave" if len(sheet.maps) == 1 else TONES[side]
        rate = percent(entry.value)
        text = say("drawn.leave", rate=rate) if len(entries) == 1 else rate
        said = sheet.side(side) + sentence("drawn.leaving", entry, rate=rate)
        sheet.add(
            Outline(steps=form, fill=tone, opacity=0.85),
            Words(x=middle, y=low + 21, text=text, ink=tone, anchor="middle", bold=True, halo=True),
            evidence=said,
            box=(middle - 40, y, 80, low + 24 - y),
        )
    if len(entries) == 2:
        (_, one), (_, other) = entries
        points = round(100 * (other.value - one.value))
        key = "drawn.more" if points > 0 else "drawn.fewer"
        more = say_of(key, abs(points)) if points else say("drawn.as_many")
        clear = one.high < other.low or other.high < one.low
        sheet.add(
            Words(
                x=column.middle,
                y=sheet.y + 22 + _RIBBON + 60,
                text=more,
                size=10,
                ink="ink" if clear else "mute",
                anchor="middle",
                bold=clear,
            )
        )


# ------------------------------------------------------------------ feelings


def feelings(sheet: Sheet) -> None:
    """Draw the emotional line with its band, and on it what decides and what hurts."""
    known = any(
        not math.isnan(entry.value)
        for column in sheet.columns
        for _, entry in sheet.cells("emotion", column.stage)
    )
    told = next(
        (k for k, m in enumerate(sheet.maps) if {"pain points", "moments of truth"} & {*m.lanes}),
        None,
    )
    lanes = () if told is None else sheet.maps[told].lanes
    moments, pains = "moments of truth" in lanes, "pain points" in lanes
    if not known and not moments and not pains:
        if not sheet.brief and any(m.n_journeys for m in sheet.maps):
            sheet.lane(say("drawn.feelings"))
            said = say("drawn.no_feelings")
            text = Words(x=sheet.columns[0].x + PAD, y=sheet.y + 18, text=said, size=11,
                         ink="mute", italic=True)  # fmt: skip
            sheet.add(text)
            sheet.y += 28
        return
    more = "" if known else say("drawn.without_feelings")
    if told is not None and len(sheet.maps) > 1:
        name = named(sheet.maps[told].name)
        more = f"{more}; " * bool(more) + say("drawn.whose_marks", name=name)
    sheet.lane(say("drawn.feelings" if known else "drawn.matters"))
    top = sheet.y + (10 if sheet.brief else 36 if moments else 26)
    height = (0.7 if sheet.brief else 1.0) * _CHART if known else 30.0
    heights = {column.stage: top + height / 2 for column in sheet.columns}
    if known:
        heights |= _line(sheet, top, height, told or 0)
    else:
        middle = top + height / 2
        rule = polygon([(sheet.columns[0].x, middle), (sheet.right, middle)], closed=False)
        sheet.add(Outline(steps=rule, line="mute", dashed=True))
    if told is not None:
        _flags(sheet, told, heights, (top, top + height))
    sheet.y = top + height + (40 if pains and not sheet.brief else 10)
    if more and not sheet.brief:
        for i, line in enumerate(lines_of(more, sheet.left - MARGIN - 6, 10, 3)):
            below = Words(x=MARGIN, y=top + height + 5 + 13 * i, text=line, size=10, ink="mute")
            sheet.add(below)
        sheet.y = max(sheet.y, top + height + 13 * (i + 1) + 8)


def _line(sheet: Sheet, top: float, height: float, wanted: int) -> dict[str, float]:
    """Draw the line of each side; return where that of one goes, by stage."""
    middle = top + height / 2
    found = [
        (side, entry, column)
        for column in sheet.columns
        for side, entry in sheet.cells("emotion", column.stage)
        if not math.isnan(entry.value)
    ]
    ends = [v for _, e, _ in found for v in (e.value, e.low, e.high) if not math.isnan(v)]
    farthest = max(map(abs, ends))
    reach = next((limit for limit in _REACHES if farthest <= limit), _REACHES[-1])

    half = height / 2 - (8 if sheet.brief else 22)  # room for what is written at the points

    def at(value: float) -> float:
        return middle - half * max(-1.0, min(1.0, value / reach))

    zero = polygon([(sheet.columns[0].x, middle), (sheet.right, middle)], closed=False)
    x = sheet.left - 20
    sheet.add(
        Outline(steps=zero, line="mute", width=0.8, dashed=True),
        *face(x, at(reach), 1),
        *face(x, at(-reach), -1),
        Words(x=x - 13, y=at(reach) + 4, text=signed(reach), size=10, ink="mute", anchor="end"),
        Words(x=x - 13, y=at(-reach) + 4, text=signed(-reach), size=10, ink="mute",
              anchor="end"),
    )  # fmt: skip
    heights: dict[str, float] = {}
    for side in range(len(sheet.maps)):
        for basis in ("data", "assumed"):
            line = [(e, c) for s, e, c in found if s == side and e.basis == basis]
            if line:
                _curve(sheet, line, side, at, assumed=basis == "assumed")
    for side, entry, column in reversed(found):
        if side == wanted or column.stage not in heights:
            heights[column.stage] = at(entry.value)
    asked = any(drawn.n_journeys for drawn in sheet.maps)
    silent = {c.stage for c in sheet.columns} - {c.stage for _, _, c in found}
    for column in sheet.columns:
        if column.stage in silent and not sheet.brief and asked:
            sheet.add(
                Words(x=column.middle, y=middle - 5, text=say("drawn.no_answers"), size=10,
                      ink="mute", anchor="middle", italic=True, halo=True)
            )  # fmt: skip
    return heights


def _curve(
    sheet: Sheet,
    line: list[tuple[MapEntry, Column]],
    side: int,
    at: Callable[[float], float],
    *,
    assumed: bool,
) -> None:
    tone = "assumed" if assumed and len(sheet.maps) == 1 else TONES[side]
    places = [sheet.columns.index(column) for _, column in line]
    cuts = [k for k in range(1, len(places)) if places[k] > places[k - 1] + 1]
    for begin, end in zip([0, *cuts], [*cuts, len(line)], strict=True):
        part = line[begin:end]
        if not any(math.isnan(entry.low) for entry, _ in part):
            upper, lower = (
                smooth([point for (_, c), y in zip(part, ys, strict=True) for point in _flat(c, y)])
                for ys in ([at(e.high) for e, _ in part], [at(e.low) for e, _ in part])
            )
            band = (*upper, *backwards(lower), ("Z", ()))
            sheet.add(Outline(steps=band, fill=tone, opacity=0.2))
        path = smooth([point for e, c in part for point in _flat(c, at(e.value))])
        sheet.add(Outline(steps=path, line=tone, width=2.4, dashed=assumed or sheet.dashed(side)))
        if end < len(line):
            (last, here), (first, there) = line[end - 1 : end + 1]
            gap = (_flat(here, at(last.value))[1], _flat(there, at(first.value))[0])
            bridge = polygon(gap, closed=False)
            sheet.add(Outline(steps=bridge, line=tone, width=1, dashed=True, opacity=0.6))
    for entry, column in line:
        x, y = column.middle, at(entry.value)
        marks: list[Outline | Words] = []
        if not math.isnan(entry.low):
            ends = polygon([(x, at(entry.low)), (x, at(entry.high))], closed=False)
            marks.append(Outline(steps=ends, line=tone, width=5, opacity=0.4))
        dot = Outline(steps=circle(x, y, 4.5), fill="ground" if assumed else tone, line=tone,
                      width=1.6)  # fmt: skip
        marks.append(dot)
        rivals = [e.value for _, e in sheet.cells("emotion", column.stage)]
        highest, lowest = entry.value == max(rivals), entry.value == min(rivals)
        if not sheet.brief and (highest or lowest):
            low, high = (y if math.isnan(v) else at(v) for v in (entry.low, entry.high))
            above = highest and (not lowest or (side == 1 if len(rivals) > 1 else y <= at(0)))
            text = say("drawn.expected") if assumed else say_of("count.answers", entry.n)
            place = min(high, y - 4.5) - 5 if above else max(low, y + 4.5) + 13
            ink = "mute" if len(sheet.maps) == 1 else tone
            marks.append(
                Words(x=x, y=place, text=text, size=10, ink=ink, anchor="middle", halo=True,
                      italic=assumed)
            )  # fmt: skip
        key = "drawn.shall_feel" if assumed else "drawn.feels"
        said = sheet.side(side) + sentence(key, entry, value=signed(entry.value))
        sheet.add(*marks, evidence=said, box=(x - 30, y - 14, 60, 32))


def _flat(column: Column, y: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of the level that a line keeps within a stage, whose mean it is."""
    aside = _ASIDE * column.width
    return (column.middle - aside, y), (column.middle + aside, y)


_FLAGS: tuple[tuple[Lane, Callable[..., Outline], Callable[..., str], str], ...] = (
    ("moments of truth", decides, moment_of, "decide"),
    ("pain points", hurts, pain_of, "leave"),
)


def _flags(sheet: Sheet, told: int, heights: dict[str, float], chart: tuple[float, float]) -> None:
    """Put the first moment of a stage above the line and its first pain point below, with names."""
    for lane, mark, word, ink in _FLAGS:
        up = lane == "moments of truth"
        of_stage = [
            (column, [entry for side, entry in sheet.cells(lane, column.stage) if side == told])
            for column in sheet.columns
        ]
        shown = [(column, entries) for column, entries in of_stage if entries]
        rooms: dict[str, float] = {}
        for column, entries in shown:
            name = entries[0].touchpoint
            rooms[name] = min(column.inner, rooms.get(name, column.inner))
        written = distinct(rooms, 12.1)  # bold
        for column, entries in shown:
            x, y = column.middle + (-_ASIDE if up else _ASIDE) * column.width, heights[column.stage]
            said = sheet.side(told) + " ".join(word(entry, full=True) for entry in entries)
            if sheet.brief:
                sheet.add(mark(x, y), evidence=said, box=(x - 8, y - 8, 16, 16))
                continue
            text_y = chart[0] - 18 if up else chart[1] + 16
            stem = [(x, text_y + 17), (x, y - 8)] if up else [(x, text_y - 11), (x, y + 8)]
            anchor = "start" if up else "end"
            edge = column.x + PAD + (0 if up else column.inner)
            name = written[entries[0].touchpoint]
            what = cut(word(entries[0]), column.inner, 10.5)
            sheet.add(
                Outline(steps=polygon(stem, closed=False), line=ink, width=0.8),
                mark(x, y),
                Words(x=edge, y=text_y, text=name, size=11, ink=ink, anchor=anchor, bold=True),
                Words(x=edge, y=text_y + 13, text=what, size=10.5, ink=ink, anchor=anchor),
                evidence=said,
                box=(column.x, text_y - 12, column.width, 28),
            )
