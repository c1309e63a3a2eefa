"""Counting journeys into tables that add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED
from cxjourney._support.distinct import distinct
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._analyses import rows_of
from cxjourney.journeys._adding._contacts import contact_codes, contacts_counted
from cxjourney.journeys._adding._finishing import MICRO
from cxjourney.journeys._adding._later import beginnings_counted, later_counted
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._spread import spread_counted
from cxjourney.journeys._adding._tables import Counts, counted, low_and_high, sums, words_of_squares
from cxjourney.journeys._adding._waits import waits_counted
from cxjourney.journeys._statistics import first_places, followed_visits
from cxjourney.journeys._times import untimed_visits
from cxjourney.journeys._units import bucket_of_each
from cxjourney.journeys._visits import GRAINS, grain_name, visits_of
from cxjourney.kernels import first_of_each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys._adding._grid import Grid
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By, Visits

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
    own_names, own_rows = rows_of(journeys, plan)
    names |= own_names
    sizes = plan.sizes(names)
    unit = bucket_of_each(journeys)
    known = np.flatnonzero(~np.isnan(journeys.value))
    found = {
        "outcomes": (unit, journeys.outcome.astype(np.int64), journeys.origin.astype(np.int64) + 1),
        "values": (unit[known], (journeys.lengths[known] > 0).astype(np.int64)),
    }
    values = {
        "values": [np.ones(len(known), dtype=np.int64), *words_of_money(journeys.value[known])]
    }
    tables = {
        name: counted(plan.kinds[name], sizes, code, values.get(name))
        for name, code in found.items()
    }
    tables |= beginnings_counted(journeys, plan, sizes)
    tables |= {name: counted(plan.kinds[name], sizes, *rows) for name, rows in own_rows.items()}
    bins = _bins(visits_of(journeys, TOUCH), plan.grid)
    for by in plan.grains:
        name, visits = grain_name(by), visits_of(journeys, by)
        tables |= _of_grain(visits, name, codes, bins, plan, sizes)
        tables |= later_counted(visits, name, codes, plan, sizes)
        if by in contacts:
            tables |= contacts_counted(journeys, by, contacts[by], plan, sizes)
            tables |= spread_counted(journeys, by, contacts[by], plan, sizes)
    return names, {name: tables[name] for name in plan.kinds}


def _bins(visits: Visits, grid: Grid) -> Ints:
    """Return the fine bin in which each visit ended or was last seen, at any grain."""
    assert visits.wait_us is not None  # noqa: S101 - journeys with customers have times
    bins = np.full(len(visits), grid.n_fine)
    seen = np.flatnonzero(visits.state != STAYED)
    bins[seen] = grid.bins(visits.wait_us[seen])
    return bins


def _of_grain(  # noqa: PLR0917 - what a grain is counted by
    visits: Visits,
    name: str,
    codes: Mapping[str, Ints],
    bins: Ints,
    plan: Plan,
    sizes: Mapping[str, int],
) -> dict[str, Counts]:
    journeys, kinds = visits.journeys, plan.kinds
    node, touch, k = codes[name], codes[TOUCH], len(visits.names)
    cell = (node,) if name == TOUCH else (node, touch)
    unit = bucket_of_each(journeys)
    whose = unit[visits.journey]

    def table(kind: str, axes: list[Ints], values: list[Ints] | None = None) -> Counts:
        return counted(kinds[f"{kind} {name}"], sizes, axes, values)

    # places: CONVERSION, DROPOFF, then the nodes in the order of their names
    renumbered = np.empty(k + 3, dtype=np.int64)
    renumbered[visits.node] = node + 2
    renumbered[k + 1 :] = 0, 1
    moved = np.flatnonzero(visits.state == MOVED)
    there, coarse = [axis[moved] for axis in (whose, *cell)], plan.grid.coarse_of[bins[moved]]
    still = (visits.state == OPEN).astype(np.int64)
    to = renumbered[visits.following[moved]]
    pair, edge = distinct(node[moved] * (k + 2) + to)
    first = renumbered[first_places(journeys, visits)]
    unseen = np.flatnonzero(journeys.left_truncated)
    come = np.flatnonzero(first_of_each(visits.journey, visits.node, k))
    won = come[journeys.converted[visits.journey[come]]]
    tables = {
        "first": table("first", [unit, first]),
        "unseen": table("unseen", [unit[unseen], first[unseen]]),
        "ends": table("ends", [whose, *cell, bins], [1 - still, still]),
        "transitions": table("transitions", [*there, to, coarse]),
        "edges": table("edges", [*np.divmod(pair, k + 2)], _edges(visits, moved, edge, len(pair))),
        **{
            kind: table(kind, *rows)
            for kind, rows in waits_counted(visits, node, coarse, plan.grid).items()
        },
        "nodes": table("nodes", [whose[come], node[come]]),
        **_touches(visits, node, won, table),
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

    `come` has the first visit of each converting journey to each node.
    """
    journeys, unit = visits.journeys, bucket_of_each(visits.journeys)
    money = np.stack(words_of_money(np.nan_to_num(journeys.value)), axis=1)
    won = np.flatnonzero(journeys.converted[visits.journey])
    journey = visits.journey[won]
    edge = np.zeros(len(visits), dtype=np.int64)
    edge[visits.first] += 1
    edge[visits.last] += 2
    owner, name = visits.journey[come], node[come]
    distinct_names = np.bincount(owner, minlength=len(journeys.outcome))
    found = {}
    for kind, of, axes in (
        ("touches", journey, [node[won], journeys.lengths[journey], edge[won]]),
        ("touched", owner, [name, distinct_names[owner]]),
    ):
        values = [np.ones(len(of), dtype=np.int64), *money[of].T]
        found[kind] = table(kind, [unit[of], *axes], values)
    return found


def _edges(visits: Visits, moved: Ints, edge: Ints, size: int) -> list[Ints]:
    """Return journeys, times and values by edge, in the order of the columns of the table."""
    journeys, wait = visits.journeys, visits.wait_us
    assert wait is not None  # noqa: S101 - journeys with customers have times
    apart = edge[first_of_each(visits.journey[moved], edge, size)]
    timed = np.flatnonzero(~untimed_visits(journeys, visits)[moved])
    at, took = edge[timed], wait[moved[timed]]
    nothing = np.zeros(size, dtype=np.int64)
    last = np.full(len(journeys.outcome), -1)
    last[journeys.lengths > 0] = visits.last
    paid = np.flatnonzero((last >= 0) & ~np.isnan(journeys.value))
    goal = edge[np.searchsorted(moved, last[paid])]
    words = (low_and_high(took), words_of_squares(took))
    times = [[sums(at, word, size) for word in some] for some in words]
    money = [sums(goal, word, size) for word in words_of_money(journeys.value[paid])]
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


def words_of_money(values: Floats) -> list[Ints]:
    """Return values in millionths, rounded, in four words of 32 bits."""
    if np.abs(values).max(initial=0.0) >= _LARGEST:
        raise InvalidValue("values must lie below 4.6e18 to add up exactly")
    whole = np.floor(values).astype(np.int64)
    part = np.rint((values - whole) * MICRO).astype(np.int64)
    low, high = low_and_high(whole)
    first, carried = low_and_high(low * MICRO + part)
    second, rest = low_and_high(high * MICRO + carried)
    return [first, second, *low_and_high(rest)]
