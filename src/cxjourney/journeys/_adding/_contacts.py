"""Counting contacts in a row: which follows which, the goal or exit that ends a journey too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney._support.distinct import distinct
from cxjourney.domain import MISSING
from cxjourney.journeys._adding._finishing import check_counted_grain, table_of
from cxjourney.journeys._adding._tables import Counts, counted, sums_by_unit
from cxjourney.journeys._units import bucket_of_each
from cxjourney.journeys._visits import grain_codes, grain_name, is_visit
from cxjourney.kernels import first_of_each

if TYPE_CHECKING:
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

_DAY_US = 86_400_000_000


def contact_codes(journeys: Journeys, by: By) -> tuple[tuple[str, ...], Ints]:
    """Return the names that were recorded, sorted, and that of each row, -1 where it was not."""
    coded = grain_codes(journeys.columns, by).compacted()
    order = sorted(range(len(coded.names)), key=coded.names.__getitem__)
    order = [i for i in order if coded.names[i] != MISSING]
    place = np.full(len(coded.names) + 1, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    return tuple(coded.names[i] for i in order), place[coded.codes]


def contacts_counted(
    journeys: Journeys, by: By, code: Ints, plan: Plan, sizes: Mapping[str, int]
) -> dict[str, Counts]:
    """Return the tables of contacts at a grain, given the code of each row.

    Pairs are of consecutive rows, both of them recorded; `closing` says that the second one is the
    goal or exit that ends the journey. Of ends and rows, `closing` says that it is counted too.
    """
    name, time, unit = grain_name(by), journeys.columns.time, bucket_of_each(journeys)
    assert time is not None  # noqa: S101 - paths have been refused
    lengths = np.diff(journeys.offsets)
    journey = np.repeat(np.arange(len(lengths)), lengths)
    closing = (~is_visit(journeys)).astype(np.int64)
    inner = np.ones(len(code), dtype=np.bool_)
    inner[journeys.offsets[1:] - 1] = False
    row = np.flatnonzero(inner)
    both = row[(code[row] >= 0) & (code[row + 1] >= 0)]
    pair = (code[both], code[both + 1])
    ends = closing[both + 1]

    def table(kind: str, codes: list[Ints], values: list[Ints] | None = None) -> Counts:
        return counted(plan.kinds[f"{kind} {name}"], sizes, codes, values)

    size = max(sizes[f"from {name}"], 1)
    cell, at = distinct(pair[0] * size + pair[1])
    customer = journeys.customer[journey[both]]
    customers = []
    for chosen in (ends >= 0, ends == 0):
        met = at[chosen]
        once = met[first_of_each(customer[chosen], met, len(cell))]
        customers.append(np.bincount(once, minlength=len(cell)))
    variants, facts = [], []
    tied = time[both + 1] == time[both]
    for kind in (0, 1):
        counts = closing <= kind
        known = np.flatnonzero(counts & (code >= 0))
        of = journey[known]
        first = np.flatnonzero(np.append(True, of[1:] != of[:-1])[: len(of)])
        last = np.append(first[1:], len(of))[: len(first)] - 1
        variants.append((unit[of[first]], code[known[first]], code[known[last]]))
        within = ends <= kind
        n = lengths if kind else journeys.lengths
        facts.append(
            (
                np.count_nonzero(counts),
                np.count_nonzero(counts & (code < 0)),
                np.maximum(n - 1, 0).sum(),
                np.count_nonzero(tied & within),
                np.count_nonzero(counts & (time % _DAY_US > 0)),
                np.count_nonzero(lengths > 1),
            )
        )
    variant = np.repeat([0, 1], [len(one[0]) for one in variants])
    found = {
        "pairs": table("pairs", [unit[journey[both]], *pair, ends]),
        "ends of journeys": table(
            "ends of journeys",
            [*(np.concatenate(axis) for axis in zip(*variants, strict=True)), variant],
        ),
        "customers": table("customers", list(np.divmod(cell, size)), customers),
        "rows": table("rows", [np.array([0, 1])], list(np.array(facts, dtype=np.int64).T)),
    }
    return {f"{kind} {name}": counts for kind, counts in found.items()}


@attrs.frozen(kw_only=True, eq=False)
class ContactsCounted:
    """Contacts in a row, of statistics.

    Attributes
    ----------
    names
        The names that were recorded, sorted.
    cells, own, customers
        Pairs that occur, first (names) + second, how many each bucket has, and customers with one.
    pairs, own_ends
        First and last of journeys, and how many each bucket has.
    at_end
        Pairs whose second is the goal or exit that ends the journey.
    rows
        How many rows there are, and what is to be said about them.
    """

    names: tuple[str, ...]
    cells: Ints
    own: Ints
    customers: Ints
    pairs: Ints
    own_ends: Ints
    at_end: int
    rows: Mapping[str, int]


def contacts_of_statistics(
    statistics: JourneyStatistics, by: By, *, closing: bool
) -> ContactsCounted:
    """Return the contacts of statistics, with or without the goal or exit that ends a journey."""
    check_counted_grain(statistics, by)
    names = statistics.names[f"contacts {grain_name(by)}"]
    size, variant = max(len(names), 1), int(closing)

    def by_bucket(kind: str, chosen: tuple[int, ...]) -> tuple[Ints, Ints]:
        axes, counts = table_of(statistics, kind, by)
        unit, source, target, at = axes.values()
        rows = np.isin(at, chosen)
        cells, cell = distinct((source * size + target)[rows])
        return cells, sums_by_unit(unit[rows], cell, counts.values[rows, 0], len(cells))

    cells, own = by_bucket("pairs", (0, 1) if closing else (0,))
    pairs, own_ends = by_bucket("ends of journeys", (variant,))
    axes, counts = table_of(statistics, "customers", by)
    source, target = axes.values()
    customers = counts.values[np.searchsorted(source * size + target, cells), 0 if closing else 1]
    axes, facts = table_of(statistics, "rows", by)
    kind = statistics.plan.kinds[f"rows {grain_name(by)}"]
    mine = facts.values[axes["closing"] == variant].sum(axis=0).tolist()
    ending = table_of(statistics, "pairs", by)
    at_end = ending[1].values[ending[0]["closing"] == 1, 0].sum()
    return ContactsCounted(
        names=names,
        cells=cells,
        own=own,
        customers=customers,
        pairs=pairs,
        own_ends=own_ends,
        at_end=int(at_end) if closing else 0,
        rows=dict(zip(kind.columns, mine, strict=True)),
    )
