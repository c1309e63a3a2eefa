"""Comparisons of statistics that add up, which have no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures
from cxjourney._support.words import at_most
from cxjourney.compare._contrast import Contrast
from cxjourney.compare._later import FirstVisitsCounted, Later
from cxjourney.compare._rows import Part
from cxjourney.domain import Outcome
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    conversion_later,
    conversion_of_journeys,
    days_of,
    grid_notes,
    lost_of_journeys,
    missing_note_of,
    side_of,
    sides_of,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from cxjourney.journeys import By, JourneyStatistics, Side

_LEFT_OUT = (
    "Visits and value of whole journeys need the rows, which statistics do not have, and are left "
    "out."
)
_GOES_ON = "Conversions of journeys that go on after the goal need the rows and are left out."


def compared_counts(
    first: JourneyStatistics,
    second: JourneyStatistics,
    by: By,
    window: timedelta | str | None,
    names: tuple[str, str],
) -> tuple[Part, list[str]]:
    """Return what is compared of two statistics, and what is to be said of it."""
    if first.plan.key_id != second.plan.key_id:
        raise InvalidValue(
            "first and second must have the ids of customers under one key, or none, so that those "
            "in both are known"
        )
    sides = sides_of(first, second)
    contrast = _contrast(*(side_of(one, by) for one in sides))
    days = days_of(window, *sides)
    goal = any(one.rules.goal or one.outcomes[Outcome.CONVERTED] for one in sides)
    ends = all(one.rules.absorbing for one in sides)
    firsts = [_later(one, by, days, contrast.names) for one in sides]
    told = [_LEFT_OUT] if ends or not goal else [_LEFT_OUT, _GOES_ON]
    for name, one, later in zip(names, sides, firsts, strict=True):
        notes = (*missing_note_of(one, by), *grid_notes(one, by, transitions=True))
        told += [f"{name}: {note}" for note in notes]
        most = max(found.apart for figure in later.later.values() for found in figure)
        if most:
            lies = f"What comes later lies at most {at_most(most)} from that of raw times."
            told.append(f"{name}: {lies}")
    whole = Later(sides=(firsts[0], firsts[1]), window=days, goal=bool(goal) and ends)
    return Part(names=names, contrast=contrast, later=whole), told


def _later(
    statistics: JourneyStatistics, by: By, days: int, names: tuple[str, ...]
) -> FirstVisitsCounted:
    found = conversion_later(statistics, by, days)
    own = side_of(statistics, by).names
    return FirstVisitsCounted(
        names=names,
        node=np.arange(len(names) + 1),
        later={
            "conversion": (conversion_of_journeys(statistics, days), found),
            "drop-off": (lost_of_journeys(statistics, days),),
        },
        place=np.array([names.index(name) for name in own], dtype=np.int64),
    )


def _contrast(one: Side, other: Side) -> Contrast:
    """Return the contrast of two sides; see `contrast_of`."""
    names = tuple(dict.fromkeys((*one.names, *other.names)))
    k, code = len(names), {name: i for i, name in enumerate(names)}
    sides, own = (one, other), []
    for side in sides:
        place = np.array([*(code[name] for name in side.names), k, k + 1, k + 2], dtype=np.int64)
        own.append((place, place[side.source] * (k + 3) + place[side.target]))
    keys = np.unique(np.concatenate([key for _, key in own]))
    source = keys // (k + 3)
    count, at_risk, unfollowed = np.zeros((3, 2, len(keys)))
    figures = []
    for g, (side, (place, key)) in enumerate(zip(sides, own, strict=True)):
        nodes, cell = place[: len(side.names) + 1], np.searchsorted(keys, key)
        risk, lost = np.zeros(k + 1), np.ones(k + 1)
        risk[nodes], lost[nodes] = side.at_risk, side.unfollowed
        units = np.zeros((N_BUCKETS, k + 1))
        known = np.zeros(units.shape, dtype=np.bool_)
        units[:, nodes], known[:, nodes] = side.units, side.known
        at_risk[g], unfollowed[g] = risk[source], lost[source]
        count[g, cell] = side.count
        whole = np.where(at_risk[g] > 0, 0.0, np.nan)
        without = np.where(known[:, source], 0.0, np.nan)
        whole[cell], without[:, cell] = side.probability, side.without
        figures.append(BucketFigures(whole=whole, without=without, units=units[:, source]))
    return Contrast(
        names=names,
        source=source,
        target=keys % (k + 3),
        count=count,
        at_risk=at_risk,
        first=figures[0],
        second=figures[1],
        unfollowed=unfollowed,
    )
