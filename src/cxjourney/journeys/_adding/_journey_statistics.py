"""`JourneyStatistics`: what journeys of disjoint customers add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import md5
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.memo import Memo
from cxjourney._support.validation import check_choice, check_level
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._adding import _bytes
from cxjourney.journeys._adding._activity import LifecycleCounts, RetentionCounts
from cxjourney.journeys._adding._audited import AuditCounts
from cxjourney.journeys._adding._counting import counts_of
from cxjourney.journeys._adding._finishing import distance_of, outcomes_of
from cxjourney.journeys._adding._parts import Parts, joined, parts_named, words_of
from cxjourney.journeys._adding._plan import Plan
from cxjourney.journeys._adding._silence import SilenceCounts
from cxjourney.journeys._adding._tables import Counts, added
from cxjourney.journeys._outcomes import OUTCOMES, JourneyRules, undetermined
from cxjourney.journeys._visits import grain_name
from cxjourney.log import moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from cxjourney._support.array_types import Ints
    from cxjourney._time.calendar import Period
    from cxjourney.domain import Outcome
    from cxjourney.graph import JourneyGraph
    from cxjourney.journeys._inactivity import InactivitySuggestion
    from cxjourney.journeys._journeys import Journeys
    from cxjourney.journeys._visits import By
    from cxjourney.log import LogAudit
    from cxjourney.metrics import CohortRetention, Lifecycle

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
    one of 96. `distance(by)` bounds how far that takes exit probabilities from those of raw times,
    and `distance(by, of="transitions")` transition probabilities.
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
    def of(cls, journeys: Journeys, grains: Any, part: tuple[int, int], analyses: Any) -> Self:
        """Return the statistics of journeys; see `Journeys.statistics`."""
        return cls._of(journeys, grains, part, analyses, whole=part == (0, 1))

    @classmethod
    def _of(
        cls,
        journeys: Journeys,
        grains: Any,
        part: tuple[int, int],
        analyses: Any,
        *,
        whole: bool,
    ) -> Self:
        """Return the statistics of journeys; `whole`: that they are all, so that names occur."""
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
        if journeys.rules.unit != "customer":
            raise InvalidValue(
                'statistics() must be of journeys with unit="customer", by whose ids parts are '
                "told apart: members of an account may be in several"
            )
        if journeys.rules.truncated:
            raise InvalidValue("statistics() must be of whole journeys, not of truncated ones")
        ids = journeys.log.customer_ids
        parts = parts_named(part, ids)
        plan = Plan.of(journeys, grains, analyses, whole=whole)
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
        spans = joined(one.parts for one in some)
        for one in some[1:]:
            some[0].plan.refuse_other(one.plan)
        return cls._sum(some, spans)

    @classmethod
    def _sum(cls, some: Sequence[Self], spans: Parts) -> Self:
        """Return the sum of statistics of one plan, whose customers are those of the spans."""
        if len(some) == 1:
            return some[0]
        plan = some[0].plan
        n = sum(one.n_customers for one in some)
        digests = tuple(sorted(x for one in some for x in one.digests)) if n <= N_BUCKETS else ()
        names = {
            key: tuple(sorted(set().union(*(one.names[key] for one in some))))
            for key in plan.vocabularies
        }
        place = {key: {name: i for i, name in enumerate(names[key])} for key in names}
        rank = {digest: i for i, digest in enumerate(digests)}
        coded = [renumbered(one, names, place, rank) for one in some]
        own = [plan.sizes(one.names) for one in some]
        sizes = plan.sizes(names)
        tables = {
            name: added(
                kind,
                [
                    (one.tables[name], codes, before)
                    for one, codes, before in zip(some, coded, own, strict=True)
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
        return self._to_bytes(6)

    def _to_bytes(self, level: int) -> bytes:
        facts = {
            "plan": self.plan.to_dict(),
            "parts": self.parts,
            "n_customers": self.n_customers,
            "digests": [x.hex() for x in self.digests],
            "names": dict(self.names),
        }
        return _bytes.to_bytes(facts, self.tables, level)

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
        return cls._of_bytes(data, own=False)

    @classmethod
    def _of_bytes(cls, data: bytes, *, own: bool) -> Self:
        plan, facts, names, tables = _bytes.from_bytes(data, own=own)
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

        Medians of times are those of the grid. Add up statistics, not graphs: those of
        visits in progress add up only with their tables of times, and without intervals.
        """
        from cxjourney.journeys._graph_building import graph_of

        return graph_of(self, by).copy()

    def distance(
        self, by: By = "touchpoint", *, of: Literal["exits", "transitions"] = "exits"
    ) -> float:
        """Return how far a probability may lie from that of raw times, at most [fraction].

        Parameters
        ----------
        by
            A grain that was counted.
        of
            "exits", in silence, through exit touchpoints and both together, or "transitions", each
            of which may lie further, since which one was made is on the coarser grid.
        """
        check_choice(of, "of", ("exits", "transitions"))
        exits, transitions = distance_of(self, by)
        return exits if of == "exits" else transitions

    def cohort_retention(
        self,
        *,
        unit: Period,
        cohort: Period | None = None,
        periods: int = 12,
        kind: Literal["on", "unbounded", "bracket", "until", "streak"] = "on",
        brackets: Sequence[tuple[int, int]] = (),
        window: Literal["calendar", "rolling"] = "calendar",
        membership: Literal["first", "recurring"] = "first",
        time_zone: str = "UTC",
        level: float = 0.95,
    ) -> CohortRetention:
        """Return the retention of customers by their interactions, exactly that of the rows.

        Parameters
        ----------
        unit, cohort, periods, kind, brackets, window, membership, time_zone
            As for `metrics.cohort_retention`, and as they were counted by
            `statistics(analyses={"cohort_retention": {"unit": "week"}})`.
        level
            Confidence level, in (0, 1).

        Raises
        ------
        InvalidValue
            If these options were not counted, or contradict one another.
        """
        check_level(level)
        return RetentionCounts.of(
            None,
            unit=unit,
            cohort=cohort,
            periods=periods,
            kind=kind,
            brackets=brackets,
            window=window,
            membership=membership,
            time_zone=time_zone,
        ).finished(self, level)

    def lifecycle(self, *, period: Period = "week", time_zone: str = "UTC") -> Lifecycle:
        """Return new, returning, resurrecting and dormant customers, exactly those of the rows.

        Parameters
        ----------
        period, time_zone
            As for `metrics.lifecycle`, and as they were counted by
            `statistics(analyses={"lifecycle": {"period": "week"}})`.

        Raises
        ------
        InvalidValue
            If these options were not counted.
        """
        return LifecycleCounts.of(None, period=period, time_zone=time_zone).finished(self)

    def suggest_inactivity(
        self,
        *,
        quantile: float | None = None,
        limits: Sequence[timedelta | str] | None = None,
    ) -> InactivitySuggestion:
        """Return what several limits would mean; see `InteractionLog.suggest_inactivity`.

        The limit with which the statistics were made plays no part. What is suggested, and shares
        and numbers of limits of whole minutes up to two days, hours up to two weeks or days up to a
        year, are those of the rows; quantiles of gaps are on a grid of that.

        Parameters
        ----------
        quantile, limits
            As there; goal and exit touchpoints are those of the journeys.

        Raises
        ------
        InvalidValue
            If gaps were not counted, `statistics(analyses={"suggest_inactivity": {}})`, or an
            argument breaks its rule.
        """
        return SilenceCounts.of(None).finished(self, quantile, limits)

    def audit(self) -> LogAudit:
        """Return the audit of the logs, exactly that of their rows together.

        What looks at rows as they came in, at single timestamps or at the present is not in it, as
        its notes say. Customers are left-truncated within the inactivity limit of the journeys.

        Raises
        ------
        InvalidValue
            If it was not counted: `statistics(analyses={"audit": {}})`.
        """
        return AuditCounts.of(None).finished(self)

    # ------------------------------------------------------------------ for the measures

    def require_determined(self, caller: str) -> None:
        """Raise OutcomeUndetermined unless journeys without the goal can come to an end."""
        if not self.rules.determined:
            raise undetermined(caller)


def renumbered(
    one: JourneyStatistics,
    names: Mapping[str, tuple[str, ...]],
    place: Mapping[str, Mapping[str, int]],
    rank: Mapping[bytes, int],
) -> dict[str, Ints]:
    """Return what each code of the axes is among all names and customers, where it changes.

    A name that is not among them, which nobody uses, is 0.
    """
    codes: dict[str, Ints] = {}
    for key, own in one.names.items():
        if own != names[key]:
            new = np.array([place[key].get(name, 0) for name in own], dtype=np.int64)
            name = key.removeprefix("contacts ")
            if key in one.plan.own_axes:
                codes |= dict.fromkeys(one.plan.own_axes[key], new)
            elif name == key:
                codes |= {f"node {key}": new, f"place {key}": np.concatenate([[0, 1], new + 2])}
            else:
                codes |= {f"from {name}": new, f"to {name}": new}
    if one.digests:
        units = [rank[x] if rank else x[0] >> 2 for x in one.digests]
        codes["unit"] = np.array(units, dtype=np.int64)
    return codes
