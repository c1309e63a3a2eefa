"""Findings of statistics that add up: what is counted of visits, and trials made of the counts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import attrs
import numpy as np

from cxjourney._findings._trials import Attribute, Places
from cxjourney._stats.aalen_johansen import OPEN
from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.customer_sums import CustomerSums
from cxjourney._support.distinct import distinct
from cxjourney._support.validation import duration_us
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import (
    Analysis,
    Found,
    JourneyStatistics,
    Kind,
    bucket_of_each,
    counted_analysis,
    grain_codes,
    visits_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney._findings._claims import Claim
    from cxjourney._findings._results import Finding
    from cxjourney._support.array_types import Bools, Floats, Ints
    from cxjourney.journeys import Journeys, Visits

_NO_CHANNEL = ""
_HIT = ("journeys", "customers")


@attrs.frozen(kw_only=True)
class FindingsCounts(Analysis):
    """What `findings` counts: visits and exits by touchpoint and switch of channels."""

    name: ClassVar[str] = "findings"
    vocabularies: ClassVar[tuple[str, ...]] = ("channel",)

    @classmethod
    def of(cls, _journeys: Journeys | None) -> Self:  # type: ignore[override]  # no options
        """Return what is counted, which depends on no options."""
        return cls()

    def kinds(self, _plan: object) -> Mapping[str, Kind]:
        """Return what each table holds.

        Of a first visit of a journey, "from" is its own channel; "known" is whether it was
        followed for the whole limit.
        """
        channels = ("from channel", "to channel")
        return {
            "visits": Kind(
                axes=("unit", "first", *channels, "node touchpoint", "known"),
                columns=("visits", "exits"),
            ),
            "came": Kind(axes=("node touchpoint",), columns=_HIT),
            "switched": Kind(axes=channels, columns=_HIT),
        }

    def sizes(self, _plan: object) -> Mapping[str, int]:
        """Return the sizes of the axes."""
        return {"first": 2, "known": 2}

    def counted(
        self, journeys: Journeys, _plan: object
    ) -> tuple[Mapping[str, Sequence[str]], Mapping[str, tuple[list[Ints], list[Ints] | None]]]:
        """Return the channels, and the rows of the tables."""
        visits, unit = visits_of(journeys), bucket_of_each(journeys)
        limit, until = journeys.rules.inactivity, journeys.log.observed_until_us
        time = journeys.columns.time
        if limit is None:
            raise InvalidValue(
                "findings() can be counted of journeys that a silence ends: cut the log with "
                "inactivity=timedelta(...)"
            )
        assert time is not None  # noqa: S101 - paths have been refused
        names = sorted(visits.names)
        node = np.searchsorted(names, visits.names)[visits.node] if names else visits.node
        channels, here = _channels(journeys, visits)
        first = np.zeros(len(here), dtype=np.int64)
        first[visits.first] = 1
        before = np.where(first, here, np.roll(here, 1))
        followed = np.full(len(here), until is None)
        if until is not None:
            followed = until - time[visits.row] >= duration_us(limit)
        known = (followed & (visits.state != OPEN)).astype(np.int64)
        left = (visits.following == visits.dropoff).astype(np.int64)
        pair = before * len(channels) + here
        switch = np.flatnonzero(before != here)
        rows = [unit[visits.journey], first, before, here, node, known]
        at, came = _hit(visits, node, np.arange(len(node)), len(names))
        pairs, switched = _hit(visits, pair, switch, len(channels) ** 2)
        ends = np.divmod(pairs, max(len(channels), 1))
        return {"channel": channels}, {
            "visits": (rows, [np.ones_like(left), left]),
            "came": ([at], came),
            "switched": (list(ends), switched),
        }

    def agree(self, _plan: object, found: Found, outcomes: Ints) -> bool:
        """Return whether the tables could be those of journeys."""
        axes, (visits, exits) = found.axes["visits"], found.values["visits"].T
        begun = np.zeros(N_BUCKETS, dtype=np.int64)
        np.add.at(begun, axes["unit"], visits * axes["first"])
        at = found.axes["came"]["node touchpoint"]
        there = np.zeros(int(axes["node touchpoint"].max(initial=-1)) + 1, dtype=np.int64)
        np.add.at(there, axes["node touchpoint"], visits)
        own = axes["from channel"] == axes["to channel"]
        return bool(
            (exits <= visits).all()
            and own[axes["first"] == 1].all()
            and (begun <= outcomes.sum(axis=1)).all()
            and np.array_equal(at, np.flatnonzero(there))
            and (found.values["came"][:, 0] <= there[at]).all()
            and all(
                (found.values[table][:, 1] <= found.values[table][:, 0]).all()
                for table in ("came", "switched")
            )
        )


def _channels(journeys: Journeys, visits: Visits) -> tuple[list[str], Ints]:
    """Return the channels of visits in order, and that of each; one without a name if none is."""
    try:
        coded = grain_codes(journeys.columns, "channel")
    except UnknownName:
        return [_NO_CHANNEL], np.zeros(len(visits), dtype=np.int64)
    used, here = distinct(coded.codes[visits.row].astype(np.int64))
    names = [coded.names[code] for code in used.tolist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return [names[i] for i in order], place[here]


def _hit(visits: Visits, group: Ints, rows: Ints, size: int) -> tuple[Ints, list[Ints]]:
    """Return the groups that some visits are in, and how many journeys and customers come by."""
    counts = [
        np.bincount(
            distinct(of[rows] * max(size, 1) + group[rows])[0] % max(size, 1), minlength=size
        )
        for of in (visits.journey, visits.customer)
    ]
    used = np.flatnonzero(counts[0])
    return used, [count[used] for count in counts]


@attrs.frozen(kw_only=True, eq=False)
class CountedTrials(Places):
    """Visits of statistics, those that are alike together: what the tests of exits ask of them.

    Each bucket of customers counts as one customer.
    """

    journeys: JourneyStatistics
    found: Found
    attributes: tuple[Attribute, ...] = ()

    unit: ClassVar[str] = "bucket of customers"
    units: ClassVar[str] = "buckets of customers"
    exits_are_labels: ClassVar[bool] = False

    @classmethod
    def of(cls, statistics: JourneyStatistics) -> Self:
        """Return the trials, or raise InvalidValue where they were not counted."""
        return cls(journeys=statistics, found=counted_analysis(statistics, FindingsCounts.of(None)))

    @property
    def touchpoint(self) -> Ints:
        """Touchpoint of each row."""
        return self.found.axes["visits"]["node touchpoint"]

    @property
    def known(self) -> Bools:
        """Whether the visits of each row were followed for the whole limit."""
        known: Bools = self.found.axes["visits"]["known"] == 1
        return known

    @cached_property
    def weight(self) -> Floats:
        """Visits of each row."""
        return self.found.values["visits"][:, 0].astype(np.float64)

    @property
    def channels(self) -> tuple[tuple[str, ...], Ints, Ints] | None:
        """As of `Trials`."""
        names, axes = self.found.names["channel"], self.found.axes["visits"]
        if names == (_NO_CHANNEL,):
            return None
        before = np.where(axes["first"] == 1, -1, axes["from channel"])
        return names, axes["to channel"], before

    @cached_property
    def sums(self) -> CustomerSums:
        """Exits by touchpoint and bucket, of visits that were followed long enough."""
        return self.sums_of(np.where(self.known, self.touchpoint, -1), self.size)

    def sums_of(self, cell: Ints, size: int) -> CustomerSums:
        """Return exits by cell and bucket; rows of a negative cell are left out."""
        exits = self.found.values["visits"][:, 1].astype(np.float64)
        unit = self.found.axes["visits"]["unit"]
        return CustomerSums.of(cell, unit, exits, size, self.weight)

    def count(self, inside: Bools) -> int:
        """Return how many visits are inside."""
        return int(self.weight[inside].sum())

    def lost(self, inside: Bools) -> float:
        """Return the conversions that visits would bring if they all went on."""
        return float(self.onward[self.touchpoint[inside]] @ self.weight[inside])

    def hit(self, _inside: Bools, claim: Claim | None) -> tuple[int, int]:
        """Return the journeys and customers that come by where a claim is."""
        assert claim is not None  # noqa: S101 - what is no claim needs rows
        table = "came" if claim.pair is None else "switched"
        at = (claim.touchpoint,) if claim.pair is None else claim.pair
        axes = np.stack(list(self.found.axes[table].values()), axis=1)
        row = self.found.values[table][(axes == np.array(at)).all(axis=1)]
        return int(row[0, 0]), int(row[0, 1])

    def told(self, finding: Finding, _inside: Bools) -> Finding:
        """Return a finding, behind which there are no journeys."""
        return finding
