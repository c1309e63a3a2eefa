"""Visits and beginnings of journeys, and what followed each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import (
    MOVED,
    OPEN,
    STAYED,
    left_out_probabilities,
    move_mass,
)
from cxjourney._stats.buckets import N_BUCKETS, bucket_of
from cxjourney._stats.parts import followed_cells, pooled
from cxjourney._stats.ratios import quotient
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney.journeys import By, parts_of, units_of, visits_of

if TYPE_CHECKING:
    from cxjourney.dropoff import FirstVisits
    from cxjourney.journeys import Journeys

_ROUNDING = 1e-12
_NEXT_TO_NOTHING = 1e-6
"""What a bucket of censored visits alone stands for: little, but something."""


@attrs.frozen(kw_only=True, eq=False)
class Observations:
    """Visits and beginnings of the journeys of a group, one entry each.

    Attributes
    ----------
    names
        Touchpoints: codes 0 … K - 1; K is START, K + 1 CONVERSION, K + 2 DROPOFF.
    source, target
        Where, and where to next; the target of a censored visit is -1.
    wait_us
        How long until then, or how long a censored visit was seen [µs].
    state
        `MOVED`, `STAYED` or `OPEN`, from `cxjourney._stats.aalen_johansen`.
    journey, customer
        Whose.
    visit
        Number of each visit among those of the journeys; -1 for beginnings.
    part, followed
        Touchpoint of each entry, and whether it could be followed up to the limit; None where
        places are touchpoints, or nothing is censored.
    multiplicity
        How many customers the entry stands for.
    customer_ids
        Id of each customer number; None where numbers are not those of persons.
    units
        The bucket of each journey.
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    wait_us: Ints
    state: NDArray[np.int8]
    journey: Ints
    customer: Ints
    multiplicity: Floats
    customer_ids: Sequence[str] | None
    units: Units
    visit: Ints | None = None
    part: Ints | None = None
    followed: Bools | None = None

    def take(self, chosen: Bools) -> Observations:
        """Return some of the entries."""
        columns = ["source", "target", "wait_us", "state", "journey", "customer", "multiplicity"]
        further = ("visit", "part", "followed")
        columns += [name for name in further if getattr(self, name) is not None]
        return attrs.evolve(self, **{name: getattr(self, name)[chosen] for name in columns})

    @cached_property
    def _parts(self) -> tuple[Ints, Ints]:
        """The cell of each entry, within which censored visits hand on, and the cells' places."""
        size = len(self.names) + 1
        if self.part is None or self.followed is None:
            return self.source, np.arange(size)
        cell, place = followed_cells(self.source, self.part, self.followed, size)
        return cell.astype(np.int64), place

    @cached_property
    def weight(self) -> Floats:
        """What each entry counts for: more than 1 where it also stands for censored visits.

        A censored visit hands its own weight to those of its touchpoint that lasted longer (Efron's
        redistribution to the right), so that shares of weights are Aalen-Johansen probabilities;
        those of a channel are the means of its touchpoints by their visits. It keeps one where
        nobody was followed up to the limit, and stands for the silent then.
        """
        if not np.any(self.state == OPEN):
            return np.ones(len(self.source))
        cell, place = self._parts
        return _weights(cell, self.wait_us, self.state, len(place))

    @cached_property
    def unfollowed(self) -> Floats:
        """Share of visits of each place, START last, that outlasts all that was followed there.

        It is 0 where a visit was followed up to the limit, and where all that were there moved on.
        Nobody knows where the rest would have gone: they stand as lost, which is a ceiling.
        """
        cell, place = self._parts
        size = len(place)
        moved = np.flatnonzero((self.state == MOVED) & (self.weight > 0))
        visits = np.bincount(cell, minlength=size)
        gone = np.bincount(cell[moved], self.weight[moved], minlength=size)
        stayed = np.bincount(cell[self.state == STAYED], minlength=size) > 0
        left = 1.0 - np.divide(gone, visits, out=np.ones(size), where=visits > 0)
        left[stayed | (left < _ROUNDING)] = 0.0
        n = len(self.names) + 1
        visits_of = np.bincount(place, visits, minlength=n)
        lost = np.bincount(place, left * visits, minlength=n)
        return np.divide(lost, visits_of, out=np.ones(n), where=visits_of > 0)

    def within(self, stratum: Ints, n_strata: int) -> Observations:
        """Return the same with places divided by stratum: source times strata, plus stratum."""
        size = (len(self.names) + 1) * n_strata
        place = self.source * n_strata + stratum
        return attrs.evolve(self, source=place, names=("",) * (size - 1))

    def cells(self, keys: Ints) -> Ints:
        """Return the place of each entry's transition among sorted keys; -1 where it is none."""
        own = self.key
        place = np.minimum(np.searchsorted(keys, own), max(len(keys) - 1, 0))
        found = keys[place] == own if len(keys) else np.zeros(len(own), dtype=np.bool_)
        return np.where(found, place, -1)

    @property
    def key(self) -> Ints:
        """Source and target as one number; a visit that goes nowhere goes to DROPOFF."""
        size = len(self.names) + 3
        return self.source * size + np.where(self.target < 0, size - 1, self.target)

    @cached_property
    def visits(self) -> Floats:
        """Visits of each touchpoint in each bucket, START last, shape (buckets, K + 1)."""
        return self.units.sums(self.source, len(self.names) + 1, item=self.journey)

    def ended(self, place: Ints, size: int) -> Floats:
        """Return the ended visits of each place in each bucket, shape (buckets, size)."""
        rows = np.flatnonzero(self.state != OPEN)
        return self.units.sums(place[rows], size, item=self.journey[rows])

    def stands_on(self, place: Ints, size: int) -> Floats:
        """Return what probabilities at each place stand on in each bucket: the ended visits."""
        visits = self.units.sums(place, size, item=self.journey)
        ended = np.maximum(self.ended(place, size), _NEXT_TO_NOTHING)
        return np.where(visits > 0, ended, 0.0)

    def without_buckets(self, cell: Ints, source: Ints) -> Floats:
        """Return the probability of each cell, without each bucket of customers in turn.

        A cell is what followed each entry (a target, or one within a stratum; -1 for none); given
        where each begins, ascending, the probabilities of its cells sum to 1. Shape (buckets,
        cells); NaN where the others have no ended visit.
        """
        if self.part is None:
            return self._without_buckets(self.source, len(self.names) + 1, cell, source)
        part, place = self._parts
        size = len(source) + 1
        keys, of = distinct(np.where(cell >= 0, part * size + cell + 1, 0))
        none = int(np.count_nonzero(keys == 0))  # comes first, if at all
        own, follows = np.divmod(keys[none:], size)
        shares = self._without_buckets(part, len(place), of - none, own)
        visits = self.units.sums(part, len(place), item=self.journey)
        ended = self.ended(part, len(place))
        others = np.where(ended.sum(axis=0) > ended, visits.sum(axis=0) - visits, 0.0)
        made, n = pooled(
            shares,
            others,
            place,
            len(self.names) + 1,
            part=own,
            target=follows - 1,
            n_targets=len(source),
        )
        return np.where(n[:, source] > 0, np.minimum(made, 1.0), np.nan)

    def _without_buckets(self, at: Ints, n_places: int, cell: Ints, source: Ints) -> Floats:
        """Return the same where entries stand at places that are corrected as they are."""
        censored = self.state == OPEN
        at_risk = self.ended(at, n_places)
        others = (at_risk.sum(axis=0) - at_risk)[:, source]
        if not censored.any():
            made = self._counted(cell, len(source), ~censored)
            return quotient(made, others)
        assert self.units.of is not None  # noqa: S101 - aggregated paths are not timed
        mass = left_out_probabilities(
            at,
            self.wait_us,
            self.state,
            np.where(self.state == MOVED, cell, -1),
            self.units.of[self.journey],
            source=source,
            n_nodes=n_places,
            n_units=self.units.n,
        )
        mass = np.nan_to_num(mass)
        silence = np.maximum(1.0 - _by_source(mass, source), 0.0)
        silence[silence < _ROUNDING] = 0.0  # of a sum of masses, not a probability
        stayed = self._counted(cell, len(source), self.state == STAYED)
        still = self._counted(cell, len(source), censored)
        bearers = np.where(_by_source(stayed, source) > 0, stayed, still)
        mass += silence * np.nan_to_num(quotient(bearers, _by_source(bearers, source)))
        return np.where(others > 0, np.minimum(mass, 1.0), np.nan)

    def _counted(self, cell: Ints, size: int, which: Bools) -> Floats:
        """Return how many entries of each cell are not in each bucket."""
        rows = np.flatnonzero(which)
        own = self.units.sums(cell[rows], size, item=self.journey[rows])
        others: Floats = own.sum(axis=0) - own
        return others


def observations_of(journeys: Journeys, by: By) -> Observations:
    """Return the visits and beginnings of journeys at a grain.

    Where nothing tells how long a censored visit could have lasted it is left out.
    """
    visits = visits_of(journeys, by)
    first = np.where(journeys.converted, visits.conversion, visits.dropoff).astype(np.int64)
    first[journeys.lengths > 0] = visits.node[visits.first]
    # how a journey began that was under way when the observation did, nobody has seen
    begun = np.flatnonzero(~journeys.left_truncated)
    timed = visits.wait_us is not None and journeys.rules.inactivity is not None
    seen = np.arange(len(visits)) if timed else np.flatnonzero(visits.state != OPEN)
    journey = np.concatenate([visits.journey[seen], begun])
    nothing = np.zeros(len(begun), dtype=np.int64)
    waited = visits.wait_us if timed else np.zeros(len(visits), dtype=np.int64)
    assert waited is not None  # noqa: S101 - looked at above
    parts = parts_of(visits) if timed else None
    every = np.ones(len(journeys.outcome)) if journeys.weight is None else journeys.weight
    return Observations(
        names=visits.names,
        source=np.concatenate([visits.node[seen], np.full(len(begun), visits.start)]),
        target=np.concatenate([visits.following[seen], first[begun]]),
        wait_us=np.concatenate([waited[seen], nothing]),
        state=np.concatenate([visits.state[seen], np.full(len(begun), MOVED, dtype=np.int8)]),
        journey=journey,
        customer=journeys.customer[journey].astype(np.int64),
        multiplicity=every[journey].astype(np.float64),
        customer_ids=None if journeys.weight is not None else journeys.log.customer_ids,
        units=units_of(journeys),
        visit=np.concatenate([seen, np.full(len(begun), -1)]),
        part=None if parts is None else np.concatenate([parts[0], np.full(len(begun), -1)]),
        followed=None
        if parts is None
        else np.append(parts[1], np.ones(len(begun), dtype=np.bool_)),
    )


def side_by_side(
    groups: tuple[Observations, Observations], firsts: tuple[FirstVisits, FirstVisits]
) -> tuple[tuple[Observations, Observations], tuple[FirstVisits, FirstVisits]]:
    """Return two groups that may be of different logs with codes and buckets in common.

    Customers of the same id are the same customer and lie in the same bucket; aggregated paths are
    nobody's, so that the same path in both groups is dealt to other buckets.
    """
    names = tuple(dict.fromkeys((*groups[0].names, *groups[1].names)))
    code = {name: i for i, name in enumerate(names)}
    k, sides, later = len(names), [], []
    for group, first, units in zip(groups, firsts, _matched(*groups), strict=True):
        own = [code[name] for name in group.names]
        place = np.array([*own, k, k + 1, k + 2, -1], dtype=np.int64)
        source, target = place[group.source], place[group.target]
        sides.append(attrs.evolve(group, names=names, source=source, target=target, units=units))
        later.append(attrs.evolve(first, names=names, node=place[first.node], units=units))
    return (sides[0], sides[1]), (later[0], later[1])


def _matched(first: Observations, second: Observations) -> tuple[Units, Units]:
    """Return the units of both groups."""
    units = (first.units, second.units)
    if first.customer_ids is None or second.customer_ids is None:
        if units[0].split is not None and units[1].split is not None:
            units = (units[0], attrs.evolve(units[1], split=np.roll(units[1].split, 1, axis=1)))
        return units
    if min(len(first.customer_ids), len(second.customer_ids)) > N_BUCKETS:
        return units  # by the id alone
    # a log of few customers has a bucket for each, in an order of its own
    known = {name: i for i, name in enumerate(first.customer_ids)}
    others = [known.setdefault(name, len(known)) for name in second.customer_ids]
    bucket = bucket_of(tuple(known))
    return _unit_of(first, bucket[: len(first.customer_ids)]), _unit_of(second, bucket[others])


def _unit_of(group: Observations, bucket: NDArray[np.uint8]) -> Units:
    """Return the unit of each journey, given the bucket of each customer."""
    unit = np.zeros(int(group.journey.max(initial=-1)) + 1, dtype=np.int64)
    unit[group.journey] = bucket[group.customer]
    return Units.of_buckets(unit)


def _weights(node: Ints, wait_us: Ints, state: NDArray[np.int8], n_nodes: int) -> Floats:
    """Return the weight of each visit; those of a node sum to its number of visits.

    All are 0 at a node where no visit came to an end.
    """
    visits = np.bincount(node, minlength=n_nodes)
    mass = move_mass(node, wait_us, state, n_nodes)
    silence = np.maximum(1.0 - np.bincount(node, mass, minlength=n_nodes), 0.0)
    silence[silence < _ROUNDING] = 0.0  # of a sum of masses, not a probability
    stayed = np.bincount(node[state == STAYED], minlength=n_nodes)
    still_open = np.bincount(node[state == OPEN], minlength=n_nodes)
    ended = visits > still_open  # where no visit came to an end, nothing is known
    bearers = np.where(stayed > 0, stayed, still_open)
    bears = (state == STAYED) | ((state == OPEN) & (stayed[node] == 0) & ended[node])
    each = np.divide(silence, bearers, out=np.zeros(n_nodes), where=bearers > 0)
    weight: Floats = np.where(bears, each[node], mass) * visits[node]
    return weight


def _by_source(values: Floats, source: Ints) -> Floats:
    """Return, for each cell, the sum over all cells that begin where it does."""
    if not len(source):
        return values
    first = np.append(True, np.diff(source) > 0)
    sums = np.add.reduceat(values, np.flatnonzero(first), axis=1)
    spread: Floats = sums[:, np.cumsum(first) - 1]
    return spread
