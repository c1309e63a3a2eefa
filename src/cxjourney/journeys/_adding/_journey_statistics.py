"""`JourneyStatistics`: what journeys of disjoint customers add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import md5
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.memo import Memo
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding import _bytes
from cxjourney.journeys._adding._counting import counts_of
from cxjourney.journeys._adding._finishing import distance_of, outcomes_of
from cxjourney.journeys._adding._parts import Parts, joined, parts_named, words_of
from cxjourney.journeys._adding._plan import Plan
from cxjourney.journeys._adding._tables import Counts, added
from cxjourney.journeys._outcomes import OUTCOMES, JourneyRules, undetermined
from cxjourney.journeys._visits import grain_name
from cxjourney.log import moment

if TYPE_CHECKING:
    from datetime import datetime

    from cxjourney._support.array_types import Ints
    from cxjourney.domain import Outcome
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By

_DROPPED, _AFTER_GOAL = 1, 2


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JourneyStatistics:
    """What journeys add up to: counts from which analyses are made, without the rows.

    `journeys.statistics()` makes them. Those of disjoint customers add up, `a + b` or
    `JourneyStatistics.total(parts)`, in any order and nesting, to exactly what the journeys of all
    these customers would have given: the same bytes, the same figures, the same intervals. Hand
    them to an analysis in place of journeys; one that needs rows says so.

    Notes
    -----
    A *part* is what customers share the first bits of the MD5 digest of their ids: part 5 of 64 is
    bucket 5 of the variance. Two statistics with a customer in common are refused, and so are
    other rules, grains, or another `observed_until`. No id is kept; of up to 64 customers in all,
    each of whom counts as a bucket, the digests are.

    Waits are counted on a grid of about 1,500 bins up to the inactivity limit, and transitions on
    one of 96. `distance(by)` bounds how far that takes exit probabilities from those of raw times.
    Values count in millionths of the currency.

    Examples
    --------
    >>> import cxjourney as cx
    >>> journeys = cx.datasets.sample(seed=1, customers=300).journeys()
    >>> statistics = journeys.statistics()
    >>> statistics
    JourneyStatistics: 1,625 journeys of 300 customers (all customers), by touchpoint and channel
    >>> cx.JourneyStatistics.from_bytes(statistics.to_bytes()) == statistics
    True
    """

    plan: Plan
    parts: Parts
    n_customers: int
    digests: tuple[bytes, ...]
    names: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Counts]
    memo: Memo = attrs.field(init=False, factory=Memo)

    @classmethod
    def of(cls, journeys: Journeys, grains: Any, part: tuple[int, int]) -> Self:
        """Return the statistics of journeys; see `Journeys.statistics`."""
        if journeys.weight is not None:
            raise InvalidValue(
                "statistics() needs customers; aggregated paths have none, and add up as they are: "
                "concatenate them"
            )
        if journeys.rules.gaps is not None:
            raise InvalidValue(
                "statistics() must be of journeys that are cut without gaps=, which compares each "
                "gap with those of all customers: a part does not know them"
            )
        ids = journeys.log.customer_ids
        parts = parts_named(part, ids)
        plan = Plan.of(journeys, grains)
        names, tables = counts_of(journeys, plan)
        digests: tuple[bytes, ...] = ()
        if len(ids) <= N_BUCKETS:
            digests = tuple(sorted(md5(x.encode(), usedforsecurity=False).digest() for x in ids))
        return cls(
            plan=plan,
            parts=parts,
            n_customers=len(ids),
            digests=digests,
            names=names,
            tables=tables,
        )

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Return the sum of statistics of disjoint customers, a thousand as fast as a few.

        Parameters
        ----------
        parts
            The statistics, at least one, in any order.

        Raises
        ------
        InvalidValue
            If there are none, if two have customers in common, or if they were not made alike.

        Examples
        --------
        >>> import cxjourney as cx
        >>> whole = cx.datasets.sample(seed=1, customers=300).journeys().statistics()
        >>> cx.JourneyStatistics.total([whole]) == whole
        True
        """
        some = list(parts)
        if not some or not all(isinstance(one, JourneyStatistics) for one in some):
            raise InvalidValue("parts must be one JourneyStatistics or several")
        plan = some[0].plan
        for one in some[1:]:
            plan.refuse_other(one.plan)
        spans = joined(one.parts for one in some)
        n = sum(one.n_customers for one in some)
        digests = tuple(sorted(x for one in some for x in one.digests)) if n <= N_BUCKETS else ()
        names = {
            key: tuple(sorted(set().union(*(one.names[key] for one in some))))
            for key in plan.vocabularies
        }
        place = {key: {name: i for i, name in enumerate(names[key])} for key in names}
        rank = {digest: i for i, digest in enumerate(digests)}
        renumbered = [_renumbered(one, names, place, rank) for one in some]
        own = [plan.sizes(one.names) for one in some]
        sizes = plan.sizes(names)
        tables = {
            name: added(
                kind,
                [
                    (one.tables[name], codes, before)
                    for one, codes, before in zip(some, renumbered, own, strict=True)
                ],
                sizes,
            )
            for name, kind in plan.kinds.items()
        }
        return cls(
            plan=plan, parts=spans, n_customers=n, digests=digests, names=names, tables=tables
        )

    def __add__(self, other: object) -> Self:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self.total([self, other])

    def __radd__(self, other: object) -> Self:
        if other == 0:  # where sum() begins
            return self
        return NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JourneyStatistics):
            return NotImplemented
        mine, theirs = (
            (x.plan, x.parts, x.n_customers, x.digests, x.names, x.tables) for x in (self, other)
        )
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def to_bytes(self) -> bytes:
        """Return the statistics as bytes, the same for the same statistics, to be kept or sent."""
        facts = {
            "plan": self.plan.to_dict(),
            "parts": self.parts,
            "n_customers": self.n_customers,
            "digests": [x.hex() for x in self.digests],
            "names": dict(self.names),
        }
        return _bytes.to_bytes(facts, self.tables)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the statistics that `to_bytes` wrote.

        Parameters
        ----------
        data
            What it gave. Nothing in it is run, and nothing in it is believed: rows, names, numbers
            and parts are checked.

        Raises
        ------
        InvalidValue
            If the bytes are damaged, or those of something else or of another format.
        """
        plan, facts, names, tables = _bytes.from_bytes(data)
        return cls(
            plan=plan,
            parts=facts["parts"],
            n_customers=facts["n_customers"],
            digests=facts["digests"],
            names=names,
            tables=tables,
        )

    # ------------------------------------------------------------------ looking at them

    def __len__(self) -> int:
        """Return the number of journeys."""
        return int(self.tables["outcomes"].values.sum())

    def __repr__(self) -> str:
        grains = " and ".join(map(grain_name, self.plan.grains))
        return (
            f"JourneyStatistics: {len(self):,} journeys of {self.n_customers:,} customers "
            f"({words_of(self.parts)}), by {grains}"
        )

    @property
    def grains(self) -> tuple[By, ...]:
        """What a node may be."""
        return self.plan.grains

    @property
    def rules(self) -> JourneyRules:
        """How the journeys were cut and what their outcomes mean."""
        return self.plan.rules

    @property
    def currency(self) -> str | None:
        """Currency of the values; None where unknown."""
        return self.plan.currency

    @property
    def backend(self) -> None:
        """The frame library of the input: none is known."""

    @property
    def observed_until(self) -> datetime | None:
        """Until when the interactions were observed."""
        until = self.plan.observed_until_us
        return None if until is None else moment(until)

    @property
    def outcomes(self) -> Mapping[Outcome, int]:
        """Number of journeys by outcome."""
        counts = outcomes_of(self).sum(axis=(0, 2)).tolist()
        return MappingProxyType(dict(zip(OUTCOMES, counts, strict=True)))

    @property
    def n_dropped_after_goal(self) -> int:
        """Number of journeys that dropped after a goal: served customers, not lost ones."""
        return int(outcomes_of(self)[:, _DROPPED, _AFTER_GOAL].sum())

    def graph(self, *, by: By = "touchpoint") -> JourneyGraph:
        """Return the journey graph at a grain that was counted; see `Journeys.graph`.

        Medians of times are those of the grid. Add up statistics, not graphs: probabilities of a
        sum of graphs count visits in progress as if they had not been.
        """
        from cxjourney.journeys._graph_building import graph_of

        return graph_of(self, by).copy()

    def distance(self, by: By = "touchpoint") -> float:
        """Return how far an exit probability may lie from that of raw times, at most [fraction]."""
        return distance_of(self, by)

    # ------------------------------------------------------------------ for the measures

    def require_determined(self, caller: str) -> None:
        """Raise OutcomeUndetermined unless journeys without the goal can come to an end."""
        if not self.rules.determined:
            raise undetermined(caller)


def _renumbered(
    one: JourneyStatistics,
    names: Mapping[str, tuple[str, ...]],
    place: Mapping[str, Mapping[str, int]],
    rank: Mapping[bytes, int],
) -> dict[str, Ints]:
    """Return what each code of the axes is among all names and customers, where it changes."""
    codes: dict[str, Ints] = {}
    for key, own in one.names.items():
        if own != names[key]:
            new = np.array([place[key][name] for name in own], dtype=np.int64)
            name = key.removeprefix("contacts ")
            if name == key:
                codes |= {f"node {key}": new, f"place {key}": np.concatenate([[0, 1], new + 2])}
            else:
                codes |= {f"from {name}": new, f"to {name}": new}
    if one.digests:
        units = [rank[x] if rank else x[0] >> 2 for x in one.digests]
        codes["unit"] = np.array(units, dtype=np.int64)
    return codes
