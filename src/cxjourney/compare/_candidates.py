"""Candidates for what tells those who convert, or leave at a step, from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Ints
from cxjourney.domain import MISSING
from cxjourney.journeys import segments_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxjourney.compare._observations import Observations
    from cxjourney.dropoff import FirstVisits
    from cxjourney.journeys import Journeys, SegmentBy, Visits

REST = "the rest"
MOST_VALUES = 20  # up to so many an attribute is looked at


@attrs.frozen(kw_only=True, eq=False)
class Candidate:
    """Two groups of what is at risk, known before the risk begins.

    Attributes
    ----------
    name, against
        What they are called.
    mine, others
        Which of those at risk belong to each; who belongs to none is not known.
    """

    name: str
    against: str
    mine: Bools
    others: Bools


def at_entry(
    journeys: Journeys, chosen: SegmentBy | list[SegmentBy] | None
) -> tuple[list[tuple[str, tuple[str, ...], Ints]], list[str]]:
    """Return attributes of entrants, all or some, and the names of those with too many values.

    Each has its name, its values, and the value of each journey as a place among them, -1 where it
    was not known at the first contact.
    """
    log = journeys.log  # labels of journeys may know how they went: they are looked at if asked for
    names: list[SegmentBy] = [*log.customer_attributes, *log.columns.attributes, "origin"]
    if chosen is not None:
        names = chosen if isinstance(chosen, list) else [chosen]
    some = np.diff(journeys.offsets) > 0
    counts = np.bincount(journeys.customer[some], minlength=log.n_customers)
    first = journeys.columns.take(journeys.offsets[:-1][some], np.append(0, np.cumsum(counts)))
    entrants = attrs.evolve(journeys, columns=first, offsets=np.append(0, np.cumsum(some)))
    found, crowded = [], []
    for one in names:
        part = segments_of(entrants, one)
        values = tuple(value for value in part.values if value != MISSING)
        if len(values) > MOST_VALUES:
            crowded.append(part.name)
        elif len(values) > 1:
            found.append((part.name, values, np.where(part.code < len(values), part.code, -1)))
    return found, crowded


def candidates(
    attributes: Sequence[tuple[str, tuple[str, ...], Ints]],
    visits: Visits | None,
    at_risk: Observations | FirstVisits,
) -> Iterator[Candidate]:
    """Yield the candidates for visits or beginnings: attributes, and what was visited before."""
    journey, visit = at_risk.journey, getattr(at_risk, "visit", None)
    for name, values, code in attributes:
        here = code[journey]
        for i, value in enumerate(values):
            if len(values) == 2 and not i:
                continue  # the second is held against it
            against = f"{name} = {values[0]}" if len(values) == 2 else REST
            mine, others = here == i, (here >= 0) & (here != i)
            yield Candidate(name=f"{name} = {value}", against=against, mine=mine, others=others)
    if visits is None:
        return
    size = max(len(visits.names), 1)
    keys, first = np.unique(visits.journey * size + visits.node, return_index=True)
    begins = np.full(len(visits.journeys.outcome), -1, dtype=np.int64)
    begins[visits.journeys.lengths > 0] = visits.node[visits.first]
    for y, name in enumerate(visits.names):
        place = np.minimum(np.searchsorted(keys, journey * size + y), max(len(keys) - 1, 0))
        label, mine = f"began at {name}", begins[journey] == y
        if visit is not None:
            label = f"{name} before"
            mine = (keys[place] == journey * size + y) & (first[place] < visit)
        if mine.any() and not mine.all():
            yield Candidate(name=label, against=REST, mine=mine, others=~mine)
