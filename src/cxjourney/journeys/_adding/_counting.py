"""Counting journeys into tables that add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED
from cxjourney._support.distinct import distinct
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._contacts import contact_codes, contacts_counted
from cxjourney.journeys._adding._later import later_counted
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._tables import LIMB, Counts, counted, sums, words_of_squares
from cxjourney.journeys._statistics import first_places, followed_visits
from cxjourney.journeys._times import untimed_visits
from cxjourney.journeys._units import units_of
from cxjourney.journeys._visits import GRAINS, grain_name, visits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By, Visits

_MICRO = 1_000_000
_LARGEST = 2.0**62


def counts_of(
    journeys: Journeys, plan: Plan
) -> tuple[dict[str, tuple[str, ...]], dict[str, Counts]]:
    """Return the names in use, sorted, and the tables of journeys with customers."""
    names: dict[str, tuple[str, ...]] = {}
    codes: dict[str, Ints] = {}
    columns: tuple[By, ...] = (TOUCH, *cast("tuple[By, ...]", plan.members))
    for by in (*columns, *plan.grains):
        if grain_name(by) not in codes:
            visits = visits_of(journeys, by)
            order = sorted(range(len(visits.names)), key=visits.names.__getitem__)
            place = np.empty(len(order), dtype=np.int64)
            place[order] = np.arange(len(order))
            names[grain_name(by)] = tuple(visits.names[i] for i in order)
            codes[grain_name(by)] = place[visits.node]
    contacts = {}
    for by in plan.grains:
        if grain_name(by) in GRAINS:
            names[f"contacts {grain_name(by)}"], contacts[by] = contact_codes(journeys, by)
    sizes = plan.sizes(names)
    unit = _units(journeys)
    known = np.flatnonzero(~np.isnan(journeys.value))
    found = {
        "outcomes": (unit, journeys.outcome.astype(np.int64), journeys.origin.astype(np.int64) + 1),
        "values": (unit[known], (journeys.lengths[known] > 0).astype(np.int64)),
    }
    values = {"values": [np.ones(len(known), dtype=np.int64), *_money(journeys.value[known])]}
    tables = {
        name: counted(plan.kinds[name], sizes, code, values.get(name))
        for name, code in found.items()
    }
    for by in plan.grains:
        name = grain_name(by)
        tables |= _of_grain(visits_of(journeys, by), name, codes, plan, sizes)
        tables |= later_counted(visits_of(journeys, by), name, codes, plan, sizes)
        if by in contacts:
            tables |= contacts_counted(journeys, by, contacts[by], plan, sizes)
    return names, {name: tables[name] for name in plan.kinds}


def _of_grain(
    visits: Visits,
    name: str,
    codes: Mapping[str, Ints],
    plan: Plan,
    sizes: Mapping[str, int],
) -> dict[str, Counts]:
    journeys, grid, kinds = visits.journeys, plan.grid, plan.kinds
    assert visits.wait_us is not None  # noqa: S101 - journeys with customers have times
    node, touch, k = codes[name], codes[TOUCH], len(visits.names)
    cell = (node,) if name == TOUCH else (node, touch)
    unit = _units(journeys)
    whose = unit[visits.journey]

    def table(kind: str, axes: list[Ints], values: list[Ints] | None = None) -> Counts:
        return counted(kinds[f"{kind} {name}"], sizes, axes, values)

    # places: CONVERSION, DROPOFF, then the nodes in the order of their names
    renumbered = np.empty(k + 3, dtype=np.int64)
    renumbered[visits.node] = node + 2
    renumbered[k + 1 :] = 0, 1
    moved = np.flatnonzero(visits.state == MOVED)
    bins = np.full(len(visits), grid.n_fine)
    seen = np.flatnonzero(visits.state != STAYED)
    bins[seen] = grid.bins(visits.wait_us[seen])
    still = (visits.state == OPEN).astype(np.int64)
    to = renumbered[visits.following[moved]]
    pair, edge = distinct(node[moved] * (k + 2) + to)
    first = renumbered[first_places(journeys, visits)]
    come = distinct(visits.journey * max(k, 1) + node)[0]
    won = journeys.converted[come // max(k, 1)]
    tables = {
        "first": table("first", [unit, first]),
        "ends": table("ends", [whose, *cell, bins], [1 - still, still]),
        "transitions": table(
            "transitions",
            [whose[moved], *(axis[moved] for axis in cell), to, grid.coarse_of[bins[moved]]],
        ),
        "edges": table("edges", [*np.divmod(pair, k + 2)], _edges(visits, moved, edge, len(pair))),
        "nodes": table("nodes", [come % max(k, 1)]),
        **_touches(visits, node, come[won], table),
    }
    if name != TOUCH:
        long = followed_visits(visits)
        tables["followed"] = table("followed", [node[long], touch[long]])
    found = {f"{kind} {name}": counts for kind, counts in tables.items()}
    for member in plan.members:
        kind = kinds[f"{member} of {name}"]
        known = np.flatnonzero(journeys.columns.coded[member].codes[visits.row] >= 0)
        found[f"{member} of {name}"] = counted(
            kind, sizes, [node[known], codes[member][known]], None
        )
    return found


def _touches(
    visits: Visits, node: Ints, come: Ints, table: Callable[..., Counts]
) -> dict[str, Counts]:
    """Return touches of converting journeys by length and place, and names by how many there are.

    `come` is the number of journey and node, journey (nodes) + node, of each name that is touched.
    """
    journeys, unit, k = visits.journeys, _units(visits.journeys), max(len(visits.names), 1)
    money = np.stack(_money(np.nan_to_num(journeys.value)), axis=1)
    won = np.flatnonzero(journeys.converted[visits.journey])
    journey = visits.journey[won]
    edge = np.zeros(len(visits), dtype=np.int64)
    edge[visits.first] += 1
    edge[visits.last] += 2
    owner, name = np.divmod(come, k)
    distinct_names = np.bincount(owner, minlength=len(journeys.outcome))
    found = {}
    for kind, of, axes in (
        ("touches", journey, [node[won], journeys.lengths[journey], edge[won]]),
        ("touched", owner, [name, distinct_names[owner]]),
    ):
        values = [np.ones(len(of), dtype=np.int64), *money[of].T]
        found[kind] = table(kind, [unit[of], *axes], values)
    return found


def _units(journeys: Journeys) -> Ints:
    unit = units_of(journeys).of
    assert unit is not None  # noqa: S101 - aggregated paths have been refused
    return unit


def _edges(visits: Visits, moved: Ints, edge: Ints, size: int) -> list[Ints]:
    """Return journeys, times and values by edge, in the order of the columns of the table."""
    journeys, wait = visits.journeys, visits.wait_us
    assert wait is not None  # noqa: S101 - journeys with customers have times
    apart = distinct(visits.journey[moved] * max(size, 1) + edge)[0] % max(size, 1)
    timed = np.flatnonzero(~untimed_visits(journeys, visits)[moved])
    at, took = edge[timed], wait[moved[timed]]
    nothing = np.zeros(size, dtype=np.int64)
    last = np.full(len(journeys.outcome), -1)
    last[journeys.lengths > 0] = visits.last
    paid = np.flatnonzero((last >= 0) & ~np.isnan(journeys.value))
    goal = edge[np.searchsorted(moved, last[paid])]
    words = ([took & ((1 << LIMB) - 1), took >> LIMB], words_of_squares(took))
    times = [[sums(at, word, size) for word in some] for some in words]
    money = [sums(goal, word, size) for word in _money(journeys.value[paid])]
    return [
        np.bincount(apart, minlength=size),
        np.bincount(at, minlength=size),
        *times[0],
        nothing,
        *times[1],
        nothing,
        nothing,
        np.bincount(goal, minlength=size),
        *money,
    ]


def _money(values: Floats) -> list[Ints]:
    """Return values in millionths, rounded, in four words of 32 bits."""
    if np.abs(values).max(initial=0.0) >= _LARGEST:
        raise InvalidValue("values must lie below 4.6e18 to add up exactly")
    whole = np.floor(values).astype(np.int64)
    part = np.rint((values - whole) * _MICRO).astype(np.int64)
    low = (whole & ((1 << LIMB) - 1)) * _MICRO + part
    high = (whole >> LIMB) * _MICRO + (low >> LIMB)
    words = [low & ((1 << LIMB) - 1), high & ((1 << LIMB) - 1), high >> LIMB]
    return [*words[:2], words[2] & ((1 << LIMB) - 1), words[2] >> LIMB]
