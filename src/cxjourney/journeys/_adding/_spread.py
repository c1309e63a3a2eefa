"""Spread of contacts over nodes: switches, switches back, and journeys that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney.journeys._adding._finishing import check_counted_grain, table_of
from cxjourney.journeys._adding._plan import STAYS, SWITCHES
from cxjourney.journeys._adding._tables import (
    Counts,
    counted,
    low_and_high,
    sums,
    sums_by_unit,
    whole_number,
)
from cxjourney.journeys._outcomes import CONVERTED, IN_PROGRESS
from cxjourney.journeys._units import bucket_of_each, units_of
from cxjourney.journeys._visits import grain_name, is_visit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._adding._plan import Plan
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

SHARE_BITS = 53
"""Shares of a journey are counted in units of 2 ** -53, as floats have them."""

_MOST_NAMES = 256
_CELLS = 1 << 20


class _Spread(NamedTuple):
    """Contacts, journeys with one, and switches.

    Of each contact: journey and node. Of each journey with a contact: its number, first node,
    whether it has two, transitions and switches, contacts, and the chance that two of them differ
    (0 for one alone). Of each switch out of a run of contacts at one node: journey, whether the
    next switch leads back, and whether it may still come.
    """

    contact: Ints
    node: Ints
    journey: Ints
    first: Ints
    mixed: Bools
    made: Ints
    switched: Ints
    size: Ints
    differ: Floats
    of: Ints
    back: Bools
    censored: Bools


def _spread(
    journeys: Journeys, code: Ints, size: int, *, closing: bool, among: Bools | None = None
) -> _Spread:
    """Return how contacts of some journeys spread, given the node of each row.

    It is -1 where none was recorded.
    """
    counted_rows, lengths = code >= 0, np.diff(journeys.offsets)
    if not closing:
        counted_rows &= is_visit(journeys)
    if among is not None:
        counted_rows &= np.repeat(among, lengths)
    row = np.flatnonzero(counted_rows)
    contact: Any = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[row]
    node: Any = code[row].astype(np.int32)  # half the room, and faster
    begins = np.append(True, contact[1:] != contact[:-1])[: len(row)]
    begin = np.flatnonzero(begins)
    # the contact before is known, too, and of the same journey
    joined = np.append(False, np.diff(row) == 1)[: len(row)] & ~begins
    new = np.append(True, node[1:] != node[:-1])[: len(row)] | ~joined
    journey = contact[begin]
    run = np.flatnonzero(new)
    out = np.flatnonzero(joined[run[1:]])  # runs with a switch out of them
    on = np.minimum(out + 2, max(0, len(run) - 1))
    goes_on = (out + 2 < len(run)) & joined[run[on]]
    of = contact[run[out]]
    n = np.diff(begin, append=len(row))
    alike = _alike(np.cumsum(begins) - 1, node, len(begin), size)
    return _Spread(
        contact=contact,
        node=node,
        journey=journey,
        first=node[begin],
        mixed=_over(np.minimum, node, begin) != _over(np.maximum, node, begin),
        made=_over(np.add, 1 * joined, begin),
        switched=_over(np.add, 1 * (joined & new), begin),
        size=n,
        differ=np.where(n > 1, 1 - alike / np.maximum(n * (n - 1.0), 1), 0.0),
        of=of,
        back=goes_on & (node[run[on]] == node[run[out]]),
        censored=~goes_on & (journeys.outcome[of] == IN_PROGRESS),
    )


def _over(function: np.ufunc, values: Ints, begin: Ints) -> Ints:
    found: Ints = function.reduceat(values, begin) if len(begin) else values[:0]
    return found


def _alike(place: Ints, node: Ints, n: int, size: int) -> Floats:
    """Return Σ c (c - 1) over the nodes of each of n journeys, given the contacts in order."""
    if size > _MOST_NAMES:
        cells, cell = distinct(place * size + node)
        count = np.bincount(cell, minlength=len(cells))
        found: Floats = np.zeros(n)
        np.add.at(found, cells // size, count * (count - 1.0))
        return found
    found, step = np.empty(n), max(1, _CELLS // max(size, 1))
    for begin in range(0, n, step):
        stop = min(begin + step, n)
        some = slice(*np.searchsorted(place, [begin, stop]))
        key = (place[some] - begin) * size + node[some]
        count = np.bincount(key, minlength=(stop - begin) * size).reshape(-1, size)
        found[begin:stop] = (count * (count - 1.0)).sum(axis=1)
    return found


@attrs.frozen(kw_only=True, eq=False)
class SpreadSums:
    """How contacts spread over nodes, by bucket of customers.

    Attributes
    ----------
    contacts, journeys, contained
        Contacts at each node, journeys that begin there, and those that never leave it, shape
        (buckets, nodes).
    in_progress
        Number of the contained journeys that are in progress, shape (nodes,).
    converted
        Share of the journeys that stay at a node until they end that converts, shape (nodes,).
    moving, switches
        Journeys with a transition, and the sum of the shares of theirs that are switches, shape
        (buckets,).
    several, differing
        Journeys with two contacts, and the sum of the chances that two of them differ.
    left, back
        Switches, and those that the next one takes back.
    n_still, n_single, n_censored
        Journeys without a transition, those of one contact, and switches of which it is not known.
    """

    contacts: Floats
    journeys: Floats
    contained: Floats
    in_progress: Ints
    converted: Floats
    moving: Floats
    switches: Floats
    several: Floats
    differing: Floats
    left: Floats
    back: Floats
    n_still: int
    n_single: int
    n_censored: int


def spread_of_journeys(journeys: Journeys, code: Ints, size: int, *, closing: bool) -> SpreadSums:
    """Return how contacts spread, given the node of each row, below `size`, or -1."""
    units = units_of(journeys)
    found = _spread(journeys, code, size, closing=closing)
    before = _spread(journeys, code, size, closing=False) if closing else found
    outcome = journeys.outcome

    def total(of: Ints, chosen: Bools, values: Floats | None = None) -> Floats:
        return units.total(item=of[chosen], values=None if values is None else values[chosen])

    def at(one: _Spread, chosen: Bools) -> Floats:
        return units.sums(np.where(chosen, one.first, -1), size, item=one.journey)

    stayed = ~before.mixed
    won = outcome[before.journey] == CONVERTED
    moving, several = found.made > 0, found.size > 1
    share = found.switched / np.maximum(found.made, 1)
    running = ~found.mixed & (outcome[found.journey] == IN_PROGRESS)
    every, single = np.ones(len(found.journey), dtype=np.bool_), ~several
    of = np.ones(len(found.of), dtype=np.bool_)
    return SpreadSums(
        contacts=units.sums(found.node, size, item=found.contact),
        journeys=at(found, every),
        contained=at(found, ~found.mixed),
        in_progress=_rounded(at(found, running).sum(axis=0)),
        converted=quotient(at(before, stayed & won).sum(axis=0), at(before, stayed).sum(axis=0)),
        moving=total(found.journey, moving),
        switches=total(found.journey, moving, share),
        several=total(found.journey, several),
        differing=total(found.journey, several, found.differ),
        left=total(found.of, of),
        back=total(found.of, found.back),
        n_still=round(float(total(found.journey, ~moving).sum())),
        n_single=round(float(total(found.journey, single).sum())),
        n_censored=round(float(total(found.of, found.censored).sum())),
    )


def _rounded(values: Floats) -> Ints:
    return np.rint(values).astype(np.int64)


def spread_counted(
    journeys: Journeys, by: By, code: Ints, plan: Plan, sizes: Mapping[str, int]
) -> dict[str, Counts]:
    """Return the tables of how contacts spread at a grain, given the code of each row."""
    name, unit = grain_name(by), bucket_of_each(journeys)
    size = sizes[f"from {name}"]
    absorbed = journeys.absorbed
    stays = np.zeros((len(STAYS), 2, N_BUCKETS * size), dtype=np.int64)
    switches = np.zeros((len(SWITCHES), 2, N_BUCKETS), dtype=np.int64)
    # the goal or exit changes nothing of journeys that have none
    for among, closing, kinds in (
        (~absorbed, True, [0, 1]),
        (absorbed, False, [0]),
        (absorbed, True, [1]),
    ):
        found = _spread(journeys, code, size, closing=closing, among=among)
        whose, outcome, stayed = unit[found.journey], journeys.outcome[found.journey], ~found.mixed
        place, of = whose * size + found.first, unit[found.of]
        contacts = unit[found.contact] * size + found.node
        moving, several = found.made > 0, found.size > 1
        shares = (found.switched / np.maximum(found.made, 1), found.differ)
        ends = (
            contacts,
            place[stayed],
            place[stayed & (outcome == IN_PROGRESS)],
            place[stayed & (outcome == CONVERTED)],
        )
        low, high = ([sums(whose, word, N_BUCKETS) for word in _words(share)] for share in shares)
        some = (whose[moving], whose[~moving], whose[several], whose[~several])
        still = (of, of[found.back], of[found.censored])
        counts = [np.bincount(one, minlength=N_BUCKETS) for one in (*some, *still)]
        own = np.array([np.bincount(one, minlength=N_BUCKETS * size) for one in ends])
        stays[:, kinds] += own[:, None]
        switches[:, kinds] += np.array([*counts[:2], *low, *counts[2:4], *high, *counts[4:]])[
            :, None
        ]
    tables = {}
    for kind, columns, n in (("stays", stays, size), ("switches", switches, 1)):
        every, named = np.arange(N_BUCKETS * n), f"{kind} {name}"
        axes = np.divmod(every, n) if kind == "stays" else (every,)
        codes = [*(np.tile(axis, 2) for axis in axes), np.repeat([0, 1], len(every))]
        values = list(columns.reshape(len(columns), -1))
        tables[named] = counted(plan.kinds[named], sizes, codes, values)
    return tables


def _words(share: Floats) -> tuple[Ints, Ints]:
    """Return shares in units of 2 ** -53, in two words."""
    return low_and_high(np.rint(np.ldexp(share, SHARE_BITS)).astype(np.int64))


def spread_of_statistics(statistics: JourneyStatistics, by: By, *, closing: bool) -> SpreadSums:
    """Return how contacts spread at a grain that was counted."""
    check_counted_grain(statistics, by)
    size = len(statistics.names[f"contacts {grain_name(by)}"])
    axes, counts = table_of(statistics, "stays", by)
    unit, node, variant = axes.values()

    def at(which: int, column: int) -> Floats:
        rows = variant == which
        values = counts.values[rows, column]
        return sums_by_unit(unit[rows], node[rows], values, size).astype(np.float64)

    ends, journeys = table_of(statistics, "ends of journeys", by)
    begun, first, _, kind = ends.values()
    mine = kind == closing
    all_of = sums_by_unit(begun[mine], first[mine], journeys.values[mine, 0], size)
    of_unit, table = table_of(statistics, "switches", by)
    rows = of_unit["closing"] == closing
    total = np.zeros((len(SWITCHES), N_BUCKETS))
    values = table.values[rows]
    for column in range(len(SWITCHES)):
        words = values[:, column : column + 2] if column in {2, 6} else values[:, column, None]
        scale = 2.0**-SHARE_BITS if column in {2, 6} else 1.0
        numbers = np.array(whole_number(words), dtype=np.float64)
        total[column, of_unit["unit"][rows]] = numbers * scale
    variant_now = int(closing)
    won, stayed = at(0, 3).sum(axis=0), at(0, 1).sum(axis=0)
    by_name = dict(zip(SWITCHES, total, strict=True))
    return SpreadSums(
        contacts=at(variant_now, 0),
        journeys=all_of.astype(np.float64),
        contained=at(variant_now, 1),
        in_progress=_rounded(at(variant_now, 2).sum(axis=0)),
        converted=quotient(won, stayed),
        moving=by_name["moving"],
        switches=by_name["switched0"],
        several=by_name["several"],
        differing=by_name["differing0"],
        left=by_name["left"],
        back=by_name["back"],
        n_still=round(float(by_name["still"].sum())),
        n_single=round(float(by_name["single"].sum())),
        n_censored=round(float(by_name["censored"].sum())),
    )
