"""Ageing: what statistics become when the end of the observation moves and nothing else does.

Of a *settled* customer the last interaction lies the inactivity limit back. How such journeys ended
no longer changes; only how long their first visits have been followed grows. That needs the times
of these visits, the *ages*, and no journeys. All other customers are counted again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.validation import duration_us
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding._contacts import contact_codes
from cxjourney.journeys._adding._journey_statistics import JourneyStatistics, renumbered
from cxjourney.journeys._adding._later import (
    beginnings_seen,
    bins_followed,
    first_visits_seen,
    later_bounds,
    lost_bounds,
)
from cxjourney.journeys._adding._plan import TOUCH
from cxjourney.journeys._adding._tables import Counts, added, places
from cxjourney.journeys._outcomes import IN_PROGRESS
from cxjourney.journeys._visits import GRAINS, By, grain_name, visits_of

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys

Uses = dict[str, dict[str, int]]
"""How often each name is used, by vocabulary: a name that nobody uses is none."""


@attrs.frozen(kw_only=True, eq=False)
class Ages:
    """Interactions whose age counts: first visits of journeys to a node, and beginnings.

    Attributes
    ----------
    customer
        Number of the customer of each.
    time
        When it was [µs since the epoch].
    converted, begins
        Whether its journey converted, and whether it begins the journey.
    nodes
        By name of a grain, the node that is visited for the first time, -1 where none is; and of
        all that are visits the touchpoint.
    names
        The names of the nodes, by name of a grain.
    """

    customer: Ints
    time: Ints
    converted: Bools
    begins: Bools
    nodes: Mapping[str, Ints]
    names: Mapping[str, Sequence[str]]


def settled_customers(journeys: Journeys, *, analyses: bool) -> Bools:
    """Return the customers of a log of whose journeys time alone changes nothing but the ages.

    With `analyses` there are none: what they count may depend on the time since.
    """
    log, rules = journeys.log, journeys.rules
    until, time = log.observed_until_us, log.columns.time
    n = log.n_customers
    if until is None or time is None or not n or analyses:
        return np.zeros(n, dtype=np.bool_)
    last = time[log.columns.offsets[1:] - 1]
    settled: Bools
    if rules.inactivity is not None:
        settled = last <= until - duration_us(rules.inactivity)
        return settled
    settled = last <= until
    if not rules.all_closed:
        settled[journeys.customer[journeys.outcome == IN_PROGRESS]] = False
    return settled


def ages_of(journeys: Journeys, grains: Sequence[By]) -> Ages:
    """Return the ages of journeys with customers."""
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - statistics have refused paths
    n = len(journeys.columns)
    begins = np.zeros(n, dtype=np.bool_)
    begins[journeys.offsets[:-1][beginnings_seen(journeys)]] = True
    some, nodes, names = begins.copy(), {}, {}
    for by in dict.fromkeys((TOUCH, *grains)):
        visits, name = visits_of(journeys, by), grain_name(by)
        place = first_visits_seen(visits, visits.node)
        nodes[name], names[name] = np.full(n, -1, dtype=np.int64), visits.names
        nodes[name][visits.row[place]] = visits.node[place]
        if by in grains:
            some[visits.row[place]] = True
        if by == TOUCH:
            touch = np.full(n, -1, dtype=np.int64)
            touch[visits.row] = visits.node
    lengths = np.diff(journeys.offsets)
    row = np.flatnonzero(some)
    journey = np.repeat(np.arange(len(lengths)), lengths)[row]
    found = {name: node[row] for name, node in nodes.items()}
    return Ages(
        customer=journeys.customer[journey],
        time=time[row],
        converted=journeys.converted[journey],
        begins=begins[row],
        nodes=found | {"visit": touch[row]},
        names=names | {"visit": names[TOUCH]},
    )


def uses_of(journeys: Journeys, statistics: JourneyStatistics) -> Uses:
    """Return how often journeys use each name of their statistics."""
    found = {}
    for vocabulary in statistics.plan.vocabularies:
        of_contacts = vocabulary.removeprefix("contacts ")
        by: Any = vocabulary if vocabulary in GRAINS else tuple(vocabulary.split(", "))
        if of_contacts != vocabulary:
            names, codes = contact_codes(journeys, of_contacts)  # type: ignore[arg-type]
        else:
            visits = visits_of(journeys, by)
            names, codes = visits.names, visits.node
        counts = np.bincount(codes[codes >= 0], minlength=len(names)).tolist()
        found[vocabulary] = {name: n for name, n in zip(names, counts, strict=True) if n}
    return found


def added_uses(one: Uses, other: Uses, sign: int = 1) -> Uses:
    """Return uses with those of others added or, with sign -1, taken away."""
    found: Uses = {}
    for key in one | other:
        total = dict(one.get(key, {}))
        for name, n in other.get(key, {}).items():
            total[name] = total.get(name, 0) + sign * n
        found[key] = {name: n for name, n in total.items() if n}
    return found


def exchanged(
    statistics: JourneyStatistics,
    gone: JourneyStatistics | None,
    come: JourneyStatistics | None,
    used: Uses,
) -> JourneyStatistics:
    """Return statistics without some customers and with others, given the names then in use.

    There are more than 64 customers before and after. How long first visits were followed is not
    in it: `aged` counts that.
    """
    plan = statistics.plan
    names = {key: tuple(sorted(used[key])) for key in plan.vocabularies}
    several = [
        (one, sign) for one, sign in ((statistics, 1), (gone, -1), (come, 1)) if one is not None
    ]
    both = {
        key: tuple(sorted(set().union(*(one.names[key] for one, _ in several)))) for key in names
    }
    rows = [
        (unaged(one), sign, _renumbered(one, both), plan.sizes(one.names)) for one, sign in several
    ]
    sizes, now = plan.sizes(both), plan.sizes(names)
    fewer = {} if names == both else _renumbered(attrs.evolve(statistics, names=both), names)
    tables = {}
    for name, kind in plan.kinds.items():
        blocks = [
            (one.tables[name] if sign > 0 else _minus(one.tables[name]), codes, own)
            for one, sign, codes, own in rows
        ]
        counts = added(kind, blocks, sizes)
        tables[name] = added(kind, [(counts, fewer, sizes)], now) if fewer else counts
        if gone is not None and not kind.signed and (tables[name].values < 0).any():
            raise InvalidValue("statistics do not hold what is to be taken away from them")
    n = sum(sign * one.n_customers for one, sign in several)
    return attrs.evolve(statistics, names=names, tables=tables, n_customers=n)


def _renumbered(one: JourneyStatistics, names: Mapping[str, tuple[str, ...]]) -> dict[str, Ints]:
    place = {key: {name: i for i, name in enumerate(some)} for key, some in names.items()}
    return renumbered(one, names, place, {})


def _minus(counts: Counts) -> Counts:
    return Counts.of(counts.key, -counts.values)


def unaged(statistics: JourneyStatistics) -> JourneyStatistics:
    """Return statistics without how long first visits were followed."""
    tables = dict(statistics.tables)
    for name, kind in statistics.plan.kinds.items():
        if "later" in kind.axes:
            values = tables[name].values.copy()
            values[:, 1:] = 0
            keep = values.any(axis=1)
            tables[name] = Counts.of(tables[name].key[keep], values[keep])
    return attrs.evolve(statistics, tables=tables)


def aged(
    statistics: JourneyStatistics, ages: Ages, bucket: Ints, until_us: int | None
) -> JourneyStatistics:
    """Return the statistics of settled customers at a later end of the observation.

    Parameters
    ----------
    statistics
        Those at an earlier end, of more than 64 customers.
    ages
        The ages of all of these customers.
    bucket
        The bucket of the customer of each.
    until_us
        The end of the observation [µs since the epoch].
    """
    plan = attrs.evolve(statistics.plan, observed_until_us=until_us)
    bare = unaged(statistics)
    sizes, tables = plan.sizes(statistics.names), dict(bare.tables)
    stop = None if plan.rules.all_closed else until_us
    bins = bins_followed(ages.time, stop, later_bounds())

    def counted(table: str, axes: list[Ints], some: Ints, happened: Bools) -> Counts:
        kind = plan.kinds[table]
        times = _by_place(places(kind, sizes, [axis[some] for axis in axes]), happened[some])
        return added(kind, [(bare.tables[table], {}, sizes), (times, {}, sizes)], sizes)

    def coded(key: str, vocabulary: str) -> Ints:
        place = {name: i for i, name in enumerate(statistics.names[vocabulary])}
        codes = np.array([*(place.get(name, -1) for name in ages.names[key]), -1], dtype=np.int64)
        return codes[ages.nodes[key]]

    begun = np.flatnonzero(ages.begins)
    tables["begun"] = counted("begun", [bucket, bins], begun, ages.converted)
    lost = bins_followed(ages.time, stop, lost_bounds(plan.silence_us))
    tables["lost"] = counted("lost", [bucket, lost], begun, ~ages.converted)
    touch = coded("visit", TOUCH)
    for name in map(grain_name, plan.grains):
        node, table = coded(name, name), f"later {name}"
        axes = [bucket, node, bins] if name == TOUCH else [bucket, node, touch, bins]
        tables[table] = counted(table, axes, np.flatnonzero(node >= 0), ages.converted)
    return attrs.evolve(statistics, plan=plan, tables=tables)


def _by_place(key: Ints, happened: Bools) -> Counts:
    """Return to how many at each place it did not happen, and how many there are, behind a 0."""
    ordered = np.sort(key * 2 + happened)
    place = ordered >> 1
    begin = np.flatnonzero(np.append(True, place[1:] != place[:-1])[: len(place)])
    n = np.diff(np.append(begin, len(place)))
    won = np.add.reduceat(ordered & 1, begin) if len(begin) else n
    return Counts.of(place[begin], np.stack([np.zeros_like(n), n - won, n], axis=1))


def together(some: Sequence[JourneyStatistics]) -> JourneyStatistics:
    """Return the sum of statistics of disjoint customers of one part."""
    return JourneyStatistics._sum(some, some[0].parts)  # noqa: SLF001 - of this package


def of_some(journeys: Journeys, grains: Any, analyses: Any) -> JourneyStatistics:
    """Return the statistics of some of all customers; `together` makes those of all of several."""
    return JourneyStatistics._of(journeys, grains, (0, 1), analyses, whole=False)  # noqa: SLF001 - of this package


def quick_bytes(statistics: JourneyStatistics) -> bytes:
    """Return statistics as bytes that are made faster than those of `to_bytes`, and longer."""
    return statistics._to_bytes(1)  # noqa: SLF001 - of this package


def of_own_bytes(data: bytes) -> JourneyStatistics:
    """Return the statistics of bytes that only this library can have written."""
    return JourneyStatistics._of_bytes(data, own=True)  # noqa: SLF001 - of this package
