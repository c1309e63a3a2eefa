"""The agreement of tables that were read from bytes: what goes in at a node comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney.journeys._adding._later import later_bounds
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._tables import sums
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

    def total(table: str, *axes: str, column: int = 0, rows: Bools | None = None) -> Ints:
        """Return the sums of a column over all other axes."""
        codes = tables[table].axis(plan.kinds[table], sizes)
        values = tables[table].values[:, column]
        chosen = [codes[axis] if rows is None else codes[axis][rows] for axis in axes]
        found = np.zeros([sizes[axis] for axis in axes], dtype=np.int64)
        np.add.at(found, tuple(chosen), values if rows is None else values[rows])
        return found

    def pairs(table: str, *axes: str, column: int = 0) -> tuple[Ints, Ints]:
        """Return the places of two axes that occur, and the sums of a column there."""
        codes = tables[table].axis(plan.kinds[table], sizes)
        key = codes[axes[0]] * sizes[axes[1]] + codes[axes[1]]
        used, place = np.unique(key, return_inverse=True)
        return used, sums(place, tables[table].values[:, column], len(used))

    def lengths(table: str) -> Ints:
        return tables[table].axis(plan.kinds[table], sizes)["length"]

    def codes_of(table: str) -> Ints:
        return tables[table].axis(plan.kinds[table], sizes)["later"]

    n_later = len(later_bounds())
    outcomes = total("outcomes", "unit", "outcome")
    for name in map(grain_name, plan.grains):
        node, place, touch = f"node {name}", f"place {name}", f"node {TOUCH}"
        ends, moves, edges = f"ends {name}", f"transitions {name}", f"edges {name}"
        codes = tables[ends].axis(plan.kinds[ends], sizes)
        within = codes["fine"] < plan.grid.n_fine
        first, into = total(f"first {name}", "unit", place), total(moves, "unit", place)
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
            and _same_moves(plan, tables, name, sizes)
            and np.array_equal(at, edge)
            and all((column <= made).all() for column in (journeys, timed))
            and (journeys > 0).all()
            and (total(f"nodes {name}", node) <= visits.sum(axis=0)).all()
            and np.array_equal(total(f"nodes {name}", node) > 0, visits.sum(axis=0) > 0)
            and (outcomes[:, :1] >= total(f"touched {name}", "unit", node)).all()
            and (visits >= total(f"touches {name}", "unit", node)).all()
            and all(lengths(f"{one} {name}").all() for one in ("touches", "touched"))
            and (total("values", "unit") <= outcomes[:, 0]).all()
            and visits.sum(axis=0).all()
            and _same_later(total, f"later {name}", node, outcomes)
            and all(codes_of(one).max(initial=0) < n_later for one in ("begun", f"later {name}"))
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
            )
        if not agree or len(visits) != N_BUCKETS:
            raise ValueError(f"what comes in at the nodes of {name} is not what goes out")


def _same_later(total: Callable[..., Ints], table: str, node: str, outcomes: Ints) -> bool:
    """Return whether each first visit was followed until it converted or was censored."""
    converted, censored, followed = (total(table, "unit", node, column=i) for i in range(3))
    fits = bool((converted <= outcomes[:, :1]).all())
    return fits and np.array_equal(converted + censored, followed)


def _same_moves(
    plan: Plan, tables: Mapping[str, Counts], name: str, sizes: Mapping[str, int]
) -> bool:
    """Return whether each cell has as many moves in each coarse bin as visits that moved on."""
    found = []
    for table in (f"ends {name}", f"transitions {name}"):
        kind, counts = plan.kinds[table], tables[table]
        codes = counts.axis(kind, sizes)
        bins = codes.get("coarse")
        kept = np.ones(len(counts.key), dtype=np.bool_)
        if bins is None:
            kept = (codes["fine"] < plan.grid.n_fine) & (counts.values[:, 0] > 0)
            bins = plan.grid.coarse_of[np.minimum(codes["fine"], plan.grid.n_fine - 1)]
        key = np.zeros(len(counts.key), dtype=np.int64)
        for axis in kind.axes:
            if axis == "unit" or axis.startswith("node "):
                key = key * sizes[axis] + codes[axis]
        key = (key * plan.grid.n_coarse + bins)[kept]
        used, place = np.unique(key, return_inverse=True)
        found.append((used, sums(place, counts.values[kept, 0], len(used))))
    return all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
