"""The agreement of tables that were read from bytes: what goes in at a node comes out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.distinct import distinct
from cxjourney.journeys._adding._analyses import found_of, keys_of
from cxjourney.journeys._adding._later import later_bounds, lost_bounds
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._spread import SHARE_BITS
from cxjourney.journeys._adding._tables import LIMB, sums
from cxjourney.journeys._adding._waits import WAIT_STEPS
from cxjourney.journeys._visits import GRAINS, grain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxjourney._support.array_types import Bools, Ints
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._adding._tables import Counts


def check_agreement(
    plan: Plan, names: Mapping[str, tuple[str, ...]], tables: Mapping[str, Counts]
) -> None:
    """Raise ValueError unless the tables could be those of journeys."""
    sizes = plan.sizes(names)

    @cache
    def axes_of(table: str) -> dict[str, Ints]:
        return tables[table].axis(plan.kinds[table], sizes)

    def total(table: str, *axes: str, column: int = 0, rows: Bools | None = None) -> Ints:
        """Return the sums of a column over all other axes."""
        codes = axes_of(table)
        values = tables[table].values[:, column]
        chosen = [codes[axis] if rows is None else codes[axis][rows] for axis in axes]
        found = np.zeros([sizes[axis] for axis in axes], dtype=np.int64)
        np.add.at(found, tuple(chosen), values if rows is None else values[rows])
        return found

    def pairs(table: str, *axes: str, column: int = 0) -> tuple[Ints, Ints]:
        """Return the places of two axes that occur, and the sums of a column there."""
        codes = axes_of(table)
        key = codes[axes[0]] * sizes[axes[1]] + codes[axes[1]]
        used, place = distinct(key)
        return used, sums(place, tables[table].values[:, column], len(used))

    def lengths(table: str) -> Ints:
        return axes_of(table)["length"]

    def codes_of(table: str) -> Ints:
        return axes_of(table)["later"]

    n_later, n_lost = len(later_bounds()), len(lost_bounds(plan.silence_us))
    outcomes = total("outcomes", "unit", "outcome")
    begun = total("begun", "unit", column=2)
    for i, (table, n_bins) in enumerate((("begun", n_later), ("lost", n_lost))):
        fits = _same_later(total, table, outcomes[:, i]) and codes_of(table).max(initial=0) < n_bins
        if not fits or not np.array_equal(total(table, "unit", column=2), begun):
            raise ValueError(f"table {table} is not of the journeys that there are")
    for name in map(grain_name, plan.grains):
        node, place, touch = f"node {name}", f"place {name}", f"node {TOUCH}"
        ends, moves, edges = f"ends {name}", f"transitions {name}", f"edges {name}"
        codes = axes_of(ends)
        within = codes["fine"] < plan.grid.n_fine
        first, into = total(f"first {name}", "unit", place), total(moves, "unit", place)
        unseen = total(f"unseen {name}", "unit", place)
        opened = total(ends, "unit", node, column=1)
        visits = total(ends, "unit", node) + opened
        stayed = total(ends, "unit", rows=~within)
        ended = first[:, :2] + into[:, :2]
        (at, made), (edge, journeys), (_, timed) = (
            pairs(moves, node, place),
            pairs(edges, node, place),
            pairs(edges, node, place, column=1),
        )
        agree = (
            np.array_equal(first[:, 2:] + into[:, 2:], visits)
            and np.array_equal(first.sum(axis=1), outcomes.sum(axis=1))
            and np.array_equal(
                np.stack([ended[:, 0], ended[:, 1] + stayed, opened.sum(axis=1)], axis=1), outcomes
            )
            and not tables[ends].values[~within, 1].any()
            and _same_moves(plan, tables, name, sizes, axes_of)
            and np.array_equal(at, edge)
            and all((column <= made).all() for column in (journeys, timed))
            and (journeys > 0).all()
            and (total(f"nodes {name}", "unit", node) <= visits).all()
            and np.array_equal(total(f"nodes {name}", "unit", node) > 0, visits > 0)
            and (total(f"untimed {name}", "unit", node) <= total(moves, "unit", node)).all()
            and (
                total(f"waits {name}", node, "coarse") <= total(moves, node, "coarse") * WAIT_STEPS
            ).all()
            and (outcomes[:, :1] >= total(f"touched {name}", "unit", node)).all()
            and (visits >= total(f"touches {name}", "unit", node)).all()
            and all(lengths(f"{one} {name}").all() for one in ("touches", "touched"))
            and (total("values", "unit") <= outcomes[:, 0]).all()
            and visits.sum(axis=0).all()
            and _same_later(total, f"later {name}", outcomes[:, 0], node)
            and codes_of(f"later {name}").max(initial=0) < n_later
            and (unseen <= first).all()
            and np.array_equal(begun, first.sum(axis=1) - unseen.sum(axis=1))
        )
        if agree and name != TOUCH:
            (cell, n), (some, long) = (
                pairs(ends, node, touch),
                pairs(f"followed {name}", node, touch),
            )
            n += pairs(ends, node, touch, column=1)[1]
            agree = bool(np.isin(some, cell).all()) and bool(
                (long <= n[np.searchsorted(cell, some)]).all()
            )
        if agree and name in GRAINS:
            contacts, axes = (f"pairs {name}", f"customers {name}"), (f"from {name}", f"to {name}")
            (cell, n), (met, people) = (pairs(table, *axes) for table in contacts)
            made = total(contacts[0], "closing")
            agree = bool(
                np.array_equal(cell, met)
                and (people <= n).all()
                and (pairs(contacts[1], *axes, column=1)[1] <= people).all()
                and (np.cumsum(made) <= total(f"rows {name}", "closing", column=2)).all()
                and (
                    outcomes.sum(axis=1) >= total(f"ends of journeys {name}", "unit", "closing").T
                ).all()
                and _same_spread(total, name)
            )
        if not agree or len(visits) != N_BUCKETS:
            raise ValueError(f"what comes in at the nodes of {name} is not what goes out")
    for key, analysis in keys_of(plan).items():
        if not analysis.agree(plan, found_of(key, plan, names, tables), outcomes):
            raise ValueError(f"the counts of {key} do not agree")


def _same_later(total: Callable[..., Ints], table: str, most: Ints, *node: str) -> bool:
    """Return whether each journey was followed until it ended, of which there are few enough."""
    ended, censored, followed = (total(table, "unit", *node, column=i) for i in range(3))
    return bool((most >= ended.T).all()) and np.array_equal(ended + censored, followed)


def _same_spread(total: Callable[..., Ints], name: str) -> bool:
    """Return whether contacts are as many as rows, and switches not more than pairs of them."""
    stays, switches = f"stays {name}", f"switches {name}"
    begun = total(f"ends of journeys {name}", "unit", f"from {name}", "closing")
    contacts, contained, running, won = (
        total(stays, "unit", f"from {name}", "closing", column=i) for i in range(4)
    )
    moving, still, several, single, left, back, censored = (
        total(switches, "unit", "closing", column=i) for i in (0, 1, 4, 5, 8, 9, 10)
    )
    high = [total(switches, "unit", "closing", column=i) for i in (3, 7)]
    rows, unknown = (total(f"rows {name}", "closing", column=i) for i in range(2))
    made = np.cumsum(total(f"pairs {name}", "unit", "closing"), axis=1)
    journeys = begun.sum(axis=1)
    most = 1 << (SHARE_BITS - LIMB)
    return bool(
        np.array_equal(contacts.sum(axis=(0, 1)), rows - unknown)
        and (contained <= begun).all()
        and (running + won <= contained).all()
        and np.array_equal(moving + still, journeys)
        and np.array_equal(several + single, journeys)
        and (moving <= made).all()
        and (high[0] <= moving * most).all()
        and (high[1] <= several * most).all()
        and (back + censored <= left).all()
        and (left <= made).all()
    )


def _same_moves(
    plan: Plan,
    tables: Mapping[str, Counts],
    name: str,
    sizes: Mapping[str, int],
    axes_of: Callable[[str], dict[str, Ints]],
) -> bool:
    """Return whether each cell has as many moves in each coarse bin as visits that moved on."""
    found = []
    for table in (f"ends {name}", f"transitions {name}"):
        counts, codes = tables[table], axes_of(table)
        bins = codes.get("coarse")
        kept = np.ones(len(counts), dtype=np.bool_)
        if bins is None:
            kept = (codes["fine"] < plan.grid.n_fine) & (counts.values[:, 0] > 0)
            bins = plan.grid.coarse_of[np.minimum(codes["fine"], plan.grid.n_fine - 1)]
        key = np.zeros(len(counts), dtype=np.int64)
        for axis in plan.kinds[table].axes:
            if axis == "unit" or axis.startswith("node "):
                key = key * sizes[axis] + codes[axis]
        key = (key * plan.grid.n_coarse + bins)[kept]
        used, place = distinct(key)
        found.append((used, sums(place, counts.values[kept, 0], len(used))))
    return all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
