"""The touchpoints of a stage as a drawn map lists them: bars, marks and remarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cxjourney.report._catalogue import say, say_of
from cxjourney.report._map_marks import named
from cxjourney.report._map_words import gain_of, moment_of, pain_of, percent

if TYPE_CHECKING:
    from cxjourney.report._journey_map import JourneyMap
    from cxjourney.report._lanes import MapEntry

_MOST = 8  # touchpoints of a stage where two maps are drawn


@attrs.frozen(kw_only=True)
class Chip:
    """A touchpoint, or the rest of them, in a stage.

    Attributes
    ----------
    name, channel
        What it is called, and the channel of most of its visits.
    bars
        The side, the size, and what is written beside it, for each map that has it.
    assumed, rest, moment, pain
        Whether it was not observed, sums up others, decides, hurts.
    remark
        What is to be said where no bar is.
    evidence
        What the pointer finds.
    """

    name: str
    channel: str
    bars: tuple[tuple[int, float, str], ...]
    assumed: bool
    rest: bool
    moment: bool
    pain: bool
    remark: str
    evidence: str


def chips_of(maps: tuple[JourneyMap, ...], stage: str) -> list[Chip]:
    """Return the touchpoints of a stage, those of all maps, by visits."""
    of_name: dict[str, dict[int, MapEntry]] = {}
    rests: dict[int, MapEntry] = {}
    totals: dict[int, int] = {}
    about: dict[str, list[tuple[int, MapEntry]]] = {}
    for side, drawn in enumerate(maps):
        if stage not in drawn.stages:
            continue
        for entry in drawn.cell("touchpoints", stage):
            totals[side] = totals.get(side, 0) + entry.n
            if entry.basis == "data" and not entry.touchpoint:
                rests[side] = entry
            else:
                of_name.setdefault(entry.touchpoint or entry.text, {})[side] = entry
        for lane in ("moments of truth", "pain points", "opportunities"):
            for entry in drawn.cell(lane, stage):
                about.setdefault(entry.touchpoint, []).append((side, entry))
    shares = {
        name: max(e.n / totals[side] if totals[side] else 0.0 for side, e in found.items())
        for name, found in of_name.items()
    }
    names = list(of_name)
    if len(maps) > 1:
        names = sorted(names, key=lambda name: -shares[name])[:_MOST]
    hidden_in = {
        name: [side for side, entry in rests.items() if name in entry.others] for name in names
    }
    chips = [
        _chip(maps, of_name[name], totals, about.get(name, []), among=hidden_in[name])
        for name in names
    ]
    hidden = [told for name, found in about.items() if name not in names for told in found]
    if rests or hidden or len(names) < len(of_name):
        chips.append(_rest(maps, rests, hidden, len(of_name) - len(names)))
    return chips


def _chip(
    maps: tuple[JourneyMap, ...],
    found: dict[int, MapEntry],
    totals: dict[int, int],
    about: list[tuple[int, MapEntry]],
    *,
    among: list[int],
) -> Chip:
    """Return a touchpoint; `among` are the sides that have it among those they sum up."""
    many = len(maps) > 1
    entry = next(iter(found.values()))
    name = entry.touchpoint or entry.text
    bars, said = [], []
    for side, entry in found.items():
        whose = f"{named(maps[side].name)}: " if many else ""
        if entry.basis == "assumed":
            key = "drawn.designed" if among else "drawn.unseen"
            said.append(whose + say(key, name=named(entry.text)))
            continue
        share = entry.n / (totals[side] or 1)
        size = share if many else float(entry.n)
        bars.append((side, size, percent(share) if many else f"{entry.n:,}"))
        facts = {"name": named(name), "visits": say_of("count.visits", entry.n)}
        key = "drawn.visited_mostly" if entry.channel else "drawn.visited"
        said.append(whose + say(key, rate=percent(share), channel=named(entry.channel), **facts))
    said += [f"{named(maps[side].name)}: {say('drawn.less_frequent')}" for side in among]
    designed = [side for side, drawn in enumerate(maps) if not drawn.n_journeys]
    assumed = not among and all(entry.basis == "assumed" for entry in found.values())
    remark = ""
    if assumed:
        remark = say("drawn.not_observed") if any(drawn.n_journeys for drawn in maps) else ""
    elif among and not bars:
        remark = say("drawn.few_visits")
    elif designed and not any(side in found for side in designed):
        remark = say("drawn.not_designed")
        said.append(say("drawn.lacks"))
    return Chip(
        name=name,
        channel=next((entry.channel for entry in found.values() if entry.channel), ""),
        bars=tuple(bars),
        assumed=assumed,
        rest=False,
        moment=any(entry.lane == "moments of truth" for _, entry in about),
        pain=any(entry.lane == "pain points" for _, entry in about),
        remark=remark,
        evidence=" ".join([*said, *(_said(maps, *told) for told in about)]),
    )


def _rest(
    maps: tuple[JourneyMap, ...],
    rests: dict[int, MapEntry],
    hidden: list[tuple[int, MapEntry]],
    more: int,
) -> Chip:
    many = len(maps) > 1
    said = [
        f"{named(maps[side].name) + ': ' if many else ''}"
        + say("drawn.rest_visits", n=len(entry.others), visits=say_of("count.visits", entry.n))
        for side, entry in rests.items()
    ]
    first = next(iter(rests.values()), None)
    name = say("drawn.and_others")
    if first is not None and not many:
        name = say("drawn.rest", n=len(first.others), visits=first.n)
    elif more and not rests:
        name = say("drawn.and_more", n=more)
    return Chip(
        name=name,
        channel="",
        bars=(),
        assumed=False,
        rest=True,
        moment=any(entry.lane == "moments of truth" for _, entry in hidden),
        pain=any(entry.lane == "pain points" for _, entry in hidden),
        remark="",
        evidence=" ".join([*said, *(_said(maps, *told) for told in hidden)]),
    )


def _said(maps: tuple[JourneyMap, ...], side: int, entry: MapEntry) -> str:
    write = {"moments of truth": moment_of, "pain points": pain_of}.get(entry.lane, gain_of)
    whose = f"{named(maps[side].name)}: " if len(maps) > 1 else ""
    return f"{whose}{write(entry, full=True)}"
