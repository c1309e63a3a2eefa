"""Adding statistics of customers who come again, of whom a part of the journeys is settled.

A journey that a silence of at least the limit separates from the next one of its customer counts
as that of anybody else, but for two things: how many customers there are, and how many made a
transition. What is kept for that are keys of 64 bits, of which two in ten million customers are
equal by chance once in 300,000 times.
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.distinct import distinct
from cxjourney.journeys._adding._ageing import Ages, aged, ages_of, together
from cxjourney.journeys._adding._contacts import contact_codes
from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
from cxjourney.journeys._adding._tables import Counts, added
from cxjourney.journeys._visits import GRAINS, grain_name, is_visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

_MIX = -7046029254386353131  # odd, so that a product with it tells whole numbers apart
_HALF = 32
_BUCKET = 58
_NOTHING = np.zeros(0, dtype=np.int64)


@attrs.define(kw_only=True, eq=False)
class Settled:
    """Journeys that are counted and gone, and what is needed to count on.

    Attributes
    ----------
    statistics
        Their statistics, of more than 64 customers; None as long as there are none.
    ages, bucket
        The ages of their first visits, and the bucket of the customer of each.
    customers
        Key of each customer, ascending.
    places
        A number of each name that a contact had, by grain.
    met
        Keys of customers with a transition, ascending, by grain and by whether it also came before
        the end of a journey: "touchpoint", "touchpoint before".
    """

    statistics: JourneyStatistics | None = None
    ages: Ages | None = None
    bucket: Ints = attrs.field(factory=_NOTHING.copy)
    customers: Ints = attrs.field(factory=_NOTHING.copy)
    places: dict[str, dict[str, int]] = attrs.field(factory=dict)
    met: dict[str, Ints] = attrs.field(factory=dict)

    def add(self, journeys: Journeys, grains: Any) -> None:
        """Count journeys of which time changes nothing any more but the ages."""
        come = journeys.statistics(grains=grains)
        keys, ages = keys_of(journeys.log.customer_ids), ages_of(journeys, come.grains)
        met = self._met(journeys, come.grains, keys)
        before = [] if self.statistics is None else [self.statistics]
        self.statistics = self._sum([*before, come], keys, met)
        self.bucket = np.append(self.bucket, bucket_of_keys(keys)[ages.customer]).astype(np.uint8)
        self.ages = ages if self.ages is None else _both(self.ages, ages)
        self.customers = _united(self.customers, keys)
        for name, some in met.items():
            self.met[name] = _united(self.met.get(name, _NOTHING), some[0])

    def with_running(self, journeys: Journeys, grains: Any) -> JourneyStatistics:
        """Return the statistics together with those of journeys that are not settled."""
        live = journeys.statistics(grains=grains)
        if self.statistics is None or self.ages is None:
            return live
        until = journeys.log.observed_until_us
        now = aged(self.statistics, self.ages, self.bucket.astype(np.int64), until)
        if not len(journeys.columns):
            return now
        keys = keys_of(journeys.log.customer_ids)
        return self._sum([now, live], keys, self._met(journeys, live.grains, keys))

    def _sum(
        self, some: Sequence[JourneyStatistics], keys: Ints, met: dict[str, tuple[Ints, Ints]]
    ) -> JourneyStatistics:
        """Return the sum, in which each customer counts once."""
        total = together(some)
        if len(some) == 1:
            return total
        sizes, tables = total.plan.sizes(total.names), dict(total.tables)
        for by in total.grains:
            if (grain := grain_name(by)) in self.places:
                names = {name: i for i, name in enumerate(total.names[f"contacts {grain}"])}
                code = np.array(
                    [names.get(name, -1) for name in self.places[grain]], dtype=np.int64
                )
                kind, table = total.plan.kinds[f"customers {grain}"], f"customers {grain}"
                twice = [
                    pair[_among(key, self.met.get(name, _NOTHING))]
                    for name, (key, pair) in ((n, met[n]) for n in (grain, f"{grain} before"))
                ]
                cells, at = distinct(np.concatenate(twice))
                if len(cells):
                    place = code[cells >> _HALF] * len(names) + code[cells & ((1 << _HALF) - 1)]
                    order = np.argsort(place)
                    parts = np.split(at, [len(twice[0])])
                    counts = [np.bincount(part, minlength=len(cells)) for part in parts]
                    less = Counts.of(place[order], -np.stack(counts, axis=1)[order])
                    none: dict[str, Ints] = {}
                    both = [(one, none, sizes) for one in (tables[table], less)]
                    tables[table] = added(kind, both, sizes)
        n = len(self.customers) + int(np.count_nonzero(~_among(keys, self.customers)))
        return attrs.evolve(total, tables=tables, n_customers=n)

    def _met(
        self, journeys: Journeys, grains: Sequence[By], keys: Ints
    ) -> dict[str, tuple[Ints, Ints]]:
        """Return keys of customers with a transition, and the transition, each once, by grain."""
        found: dict[str, tuple[Ints, Ints]] = {}
        lengths = np.diff(journeys.offsets)
        customer = np.repeat(keys[journeys.customer], lengths)
        inner, visit = np.ones(len(customer), dtype=np.bool_), is_visit(journeys)
        inner[journeys.offsets[1:] - 1] = False
        for by in grains:
            if (grain := grain_name(by)) not in GRAINS:
                continue
            names, code = contact_codes(journeys, by)
            places = self.places.setdefault(grain, {})
            place = np.array([places.setdefault(x, len(places)) for x in names], dtype=np.int64)
            row = np.flatnonzero(inner)
            row = row[(code[row] >= 0) & (code[row + 1] >= 0)]
            pair = place[code[row]] << _HALF | place[code[row + 1]]
            for name, some in ((grain, slice(None)), (f"{grain} before", visit[row + 1])):
                key, first = np.unique(customer[row][some] ^ pair[some] * _MIX, return_index=True)
                found[name] = key, pair[some][first]
        return found


def keys_of(ids: Sequence[str]) -> Ints:
    """Return the first 64 bits of the MD5 digest of each id."""
    digests = (md5(name.encode(), usedforsecurity=False).digest()[:8] for name in ids)
    return np.frombuffer(b"".join(digests), dtype=">i8").astype(np.int64)


def bucket_of_keys(keys: Ints) -> Ints:
    """Return the bucket of each customer, which is the first six bits of the key."""
    return (keys >> _BUCKET) & 63


def _among(keys: Ints, known: Ints) -> Bools:
    """Return which keys are among known ones, which ascend."""
    place = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
    return known[place] == keys if len(known) else np.zeros(len(keys), dtype=np.bool_)


def _united(known: Ints, keys: Ints) -> Ints:
    new = np.sort(keys[~_among(keys, known)])
    return np.insert(known, np.searchsorted(known, new), new)


def _both(one: Ages, other: Ages) -> Ages:
    """Return ages with later ones behind them, whose customers nobody asks for any more."""
    names = {k: list(dict.fromkeys((*one.names[k], *other.names[k]))) for k in one.names}
    nodes: dict[str, Any] = {}
    for key, own in names.items():
        place = {name: i for i, name in enumerate(own)}
        code = np.array([*(place[name] for name in other.names[key]), -1], dtype=np.int32)
        nodes[key] = np.append(one.nodes[key].astype(np.int32), code[other.nodes[key]])
    columns = {
        name: np.append(getattr(one, name), getattr(other, name))
        for name in ("time", "converted", "begins")
    }
    return Ages(customer=_NOTHING, nodes=nodes, names=names, **columns)
