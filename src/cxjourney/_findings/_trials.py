"""Visits of journeys as trials: where, when, by whom, and what came of them."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, cast

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN
from cxjourney._stats.customer_sums import CustomerSums
from cxjourney._stats.landmark import usual_window
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.words import how_long
from cxjourney.domain import MISSING
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import (
    Journeys,
    JourneyStatistics,
    Visits,
    chain_figures,
    ended,
    first_bytes_of,
    grain_codes,
    graph_of,
    segments_of,
    statistics_of,
    until_goal_us,
    visits_of,
    with_people,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._findings._claims import Claim
    from cxjourney._findings._results import Finding
    from cxjourney.journeys import SegmentBy

DAY_US = 86_400_000_000
MOST_LEVELS = 20
"""Values of an attribute above which it makes no segments by itself."""

_MOST_ATTRIBUTES = 12
_NEARLY_ALL = 0.95
_FEWEST_EXPECTED = 30  # conversions before their absence says anything


@attrs.frozen(kw_only=True, eq=False)
class Attribute:
    """Segments of journeys by one attribute."""

    name: str  # the attribute and its values
    values: tuple[str, ...]
    code: Ints  # segment of each journey, as a place in `values`; -1 where it is not known


def _known_at_entry(journeys: Journeys) -> list[SegmentBy]:
    """Return attributes of customers, and of interactions where the first one has them.

    What is recorded later on may be recorded because of how the journey goes.
    """
    first = journeys.offsets[:-1][np.diff(journeys.offsets) > 0]
    early = [
        name
        for name, coded in journeys.columns.attributes.items()
        # labels were given by somebody who knew how the journey went
        if name in journeys.log.columns.attributes
        and len(first)
        and np.mean(coded.codes[first] >= 0) >= _NEARLY_ALL
    ]
    return [*journeys.log.customer_attributes, *early]


@attrs.frozen(kw_only=True, eq=False)
class Places:
    """The touchpoints of journeys, or of statistics of them, and what follows a visit of each."""

    journeys: Journeys | JourneyStatistics

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the touchpoints."""
        return statistics_of(self.journeys).names

    @property
    def size(self) -> int:
        """Number of touchpoints."""
        return len(self.names)

    @cached_property
    def stage(self) -> Ints:
        """Stage of each touchpoint, as a number; -1 where it has none of its own."""
        graph = graph_of(self.journeys)
        stages = [str(graph.nodes[name].get("stage", "")) for name in self.names]
        order = {stage: i for i, stage in enumerate(dict.fromkeys(s for s in stages if s))}
        return np.array([order.get(stage, -1) for stage in stages], dtype=np.int64)

    @cached_property
    def onward(self) -> Floats:
        """Conversions that one visit more that goes on would bring, by touchpoint: h / (1 - e)."""
        hitting = chain_figures(self.journeys).hitting.whole
        found = statistics_of(self.journeys)
        leaves = found.target == self.size + 2
        stays = 1 - found.silence
        stays -= np.bincount(found.source[leaves], found.probability[leaves], minlength=self.size)
        return np.where(stays > 0, hitting / np.where(stays > 0, stays, 1.0), 0.0)

    @cached_property
    def nearness(self) -> tuple[Floats, Floats]:
        """Probability of conversion after each touchpoint, given that one goes on; its variance."""
        found = statistics_of(self.journeys)
        k = self.size
        hitting = np.concatenate([chain_figures(self.journeys).hitting.whole, [np.nan, 1.0, 0.0]])
        on = found.target != k + 2
        source, mass = found.source[on], found.probability[on]
        h = hitting[found.target[on]]
        total = np.maximum(np.bincount(source, mass, minlength=k), 1e-12)
        g = np.bincount(source, mass * h, minlength=k) / total
        square = np.bincount(source, mass * h * h, minlength=k) / total
        n = np.bincount(source, found.count[on], minlength=k)
        return g, np.maximum(square - g * g, 0.0) / np.maximum(n, 1)


@attrs.frozen(kw_only=True, eq=False)
class Trials(Places):
    """All visits of journeys, with what the tests ask of them."""

    journeys: Journeys  # the journeys
    visits: Visits  # their visits
    attributes: tuple[Attribute, ...]  # the attributes whose segments are tested

    unit: ClassVar[str] = "customer"
    units: ClassVar[str] = "customers"

    @classmethod
    def of(cls, journeys: Journeys, segments: Sequence[SegmentBy] | None) -> Trials:
        """Return the trials of journeys; without `segments` what is known when one begins."""
        if segments is None:
            chosen: list[SegmentBy] = _known_at_entry(journeys)
        else:
            # a name, or a name with bounds, is one segment
            with_bounds = isinstance(segments, tuple) and not all(
                isinstance(one, (str, tuple)) for one in segments
            )
            one_alone = isinstance(segments, str) or with_bounds
            chosen = [cast("SegmentBy", segments)] if one_alone else list(segments)
        found: list[Attribute] = []
        for one in chosen:
            part = segments_of(journeys, one)
            values = tuple(value for value in part.values if value != MISSING)
            known = 2 <= len(values) <= MOST_LEVELS
            if segments is None and (not known or len(found) == _MOST_ATTRIBUTES):
                continue
            code = np.where(part.code < len(values), part.code, -1)
            found.append(Attribute(name=part.name, values=values, code=code))
        return cls(journeys=journeys, visits=visits_of(journeys), attributes=tuple(found))

    @property
    def touchpoint(self) -> Ints:
        """Touchpoint of each visit."""
        return self.visits.node

    @cached_property
    def journey(self) -> Ints:
        """Journey of each visit."""
        return self.visits.journey

    @cached_property
    def customer(self) -> Ints:
        """Customer of each visit."""
        return self.journeys.customer[self.visits.journey]

    @cached_property
    def bucket(self) -> Ints:
        """Bucket of each visit's customer, 0 … 255 by the hash of the id."""
        return first_bytes_of(self.journeys.log)[self.customer].astype(np.int64)

    @cached_property
    def time_us(self) -> Ints:
        """Time of each visit [µs]."""
        time = self.journeys.columns.time
        assert time is not None  # noqa: S101 - findings ask for times first
        return np.asarray(time[self.visits.row])

    @cached_property
    def first_us(self) -> int:
        """Midnight (UTC) before the first visit [µs]."""
        return int(self.time_us.min()) // DAY_US * DAY_US if len(self.time_us) else 0

    @cached_property
    def until_us(self) -> int:
        """End of the observation [µs]."""
        until = self.journeys.log.observed_until_us
        return int(self.time_us.max(initial=0)) if until is None else int(until)

    @cached_property
    def day(self) -> Ints:
        """Day of each visit, 0 for the first."""
        return (self.time_us - self.first_us) // DAY_US

    @cached_property
    def n_days(self) -> int:
        """Days from the first visit to the last."""
        return int(self.day.max(initial=0)) + 1

    @cached_property
    def event(self) -> Floats:
        """Whether each visit was the last of a journey that dropped."""
        left = self.visits.following == self.visits.dropoff
        if (
            self.visits.wait_us is not None
            and self.horizon_us
            and not self.journeys.rules.inactivity
        ):
            left &= self.visits.wait_us <= self.horizon_us
        return np.asarray(left, dtype=np.float64)

    @cached_property
    def horizon_us(self) -> int:
        """How long a visit has to be followed before it is known whether it was the last [µs].

        The limit of inactivity; without one nearly the longest wait before somebody went on or
        left by an exit touchpoint, and only who has left by then has left. 0 where all is closed.
        """
        limit, waits = self.journeys.rules.inactivity, self.visits.wait_us
        if self.journeys.rules.all_closed or waits is None:
            return 0
        if limit is not None:
            return int(limit.total_seconds() * 1e6)
        ended = self.visits.state == MOVED
        return int(np.quantile(waits[ended], _NEARLY_ALL)) if ended.any() else 0

    @cached_property
    def begin_us(self) -> int:
        """When the record is complete from [µs]: the first visit, or later in a cut extract.

        An extract by the day of closing knows of those who began earlier only the slow. So many
        conversions are expected by each day as the times to conversion lead to expect; up to the
        last day by which less than half of them has come, the record is not complete.
        """
        first = self.visits.first
        took, entry = self.until_goal[first], (self.time_us[first] - self.first_us) / DAY_US
        won = np.isfinite(took)
        took, entry = took[won], entry[won]
        ended, took = np.sort(entry + took), np.sort(took)
        days = np.arange(1, self.n_days)
        if len(took) < 2 * _FEWEST_EXPECTED or not len(days):
            return self.first_us
        begun = np.histogram(entry, bins=np.arange(self.n_days + 1))[0][: len(days)]
        within = np.searchsorted(took, np.arange(len(days)), side="right") / len(took)
        expected = np.convolve(begun, within)[: len(days)]
        late = expected >= _FEWEST_EXPECTED
        late &= np.searchsorted(ended, days, side="right") < expected / 2
        return self.first_us + (int(days[late][-1]) if late.any() else 0) * DAY_US

    @cached_property
    def exits_are_labels(self) -> bool:
        """Whether exits were written after the last contact of whoever had not come back.

        They follow all at the same distance. Of the latest customers they say nothing, so that no
        time can be compared with another.
        """
        rules, waits = self.journeys.rules, self.visits.wait_us
        if not rules.exit_touchpoints or rules.inactivity or waits is None:
            return False
        left = waits[self.visits.following == self.visits.dropoff]
        same = np.unique(left, return_counts=True)[1].max(initial=0)
        return bool(len(left) >= _FEWEST_EXPECTED and same >= _NEARLY_ALL * len(left))

    @cached_property
    def known(self) -> Bools:
        """Whether each visit was followed long enough by the end of the observation.

        Visits of the last days take no part, whether they moved on or not: to count only those
        that moved on would say that hardly anybody leaves lately. Of cases that are all closed,
        visits take part that are older than nearly all waits at their touchpoint: the last cases
        of a log that was cut only look closed.
        """
        age = self.until_us - self.time_us
        early: Bools = (age >= self.horizon_us) & (self.time_us >= self.begin_us)
        waits = self.visits.wait_us
        if self.journeys.rules.all_closed and waits is not None:
            went = self.visits.state == MOVED
            for x in range(self.size):
                mine = self.touchpoint == x
                if np.any(mine & went):
                    early &= ~mine | (age >= np.quantile(waits[mine & went], _NEARLY_ALL))
        return early & (self.visits.state != OPEN) if self.journeys.rules.inactivity else early

    @cached_property
    def sums(self) -> CustomerSums:
        """Exits by touchpoint and customer, of visits that were followed long enough."""
        return self.sums_of(np.where(self.known, self.touchpoint, -1), self.size)

    def sums_of(self, cell: Ints, size: int) -> CustomerSums:
        """Return exits by cell and customer; visits of a negative cell are left out."""
        return CustomerSums.of(cell, self.customer, self.event, size)

    def count(self, inside: Bools) -> int:
        """Return how many visits are inside."""
        return int(np.count_nonzero(inside))

    def hit(self, inside: Bools, _claim: Claim | None) -> tuple[int, int]:
        """Return how many journeys and customers some visits are of."""
        return len(np.unique(self.journey[inside])), len(np.unique(self.customer[inside]))

    def told(self, finding: Finding, inside: Bools) -> Finding:
        """Return a finding that knows the journeys of the visits that it is about."""
        mask = np.zeros(len(self.journeys.outcome), dtype=np.bool_)
        mask[self.journey[inside]] = True
        return with_people(
            finding, self.journeys, lambda _, __, outcome: mask & ended(self.journeys, outcome)
        )

    def lost(self, inside: Bools) -> float:
        """Return the conversions that visits would bring if they all went on."""
        return float(self.onward[self.touchpoint[inside]].sum())

    @cached_property
    def channels(self) -> tuple[tuple[str, ...], Ints, Ints] | None:
        """Names of the channels, the channel of each visit and that of the visit before.

        The channel before is -1 at the first visit of a journey. None where the log has none.
        """
        try:
            coded = grain_codes(self.journeys.columns, "channel")
        except UnknownName:
            return None
        here = coded.codes[self.visits.row].astype(np.int64)
        before = np.concatenate([[-1], here])[: len(here)]
        before[self.visits.first] = -1
        return coded.names, here, before

    @cached_property
    def is_first(self) -> Bools:
        """Whether each visit is the first of its journey at its touchpoint, in a full record.

        The landmarks of `dropoff.exits` leave out journeys that may have begun before the record;
        here all visits from before it is complete are left out.
        """
        key = self.journey * max(self.size, 1) + self.touchpoint
        first = np.zeros(len(key), dtype=np.bool_)
        first[np.unique(key, return_index=True)[1]] = True
        return first & (self.time_us >= self.begin_us)

    @cached_property
    def until_goal(self) -> Floats:
        """Days from each visit to the conversion of its journey; infinity where there was none."""
        return until_goal_us(self.journeys, self.visits.row, self.visits.journey) / DAY_US

    @cached_property
    def followed(self) -> Floats:
        """Days from each visit to the end of the observation."""
        return np.asarray((self.until_us - self.time_us) / DAY_US, dtype=np.float64)

    @cached_property
    def window(self) -> float:
        """Days within which nine of ten conversions come after the first visit of a journey."""
        took = self.until_goal[self.visits.first]
        took = took[np.isfinite(took)]
        observed = (self.until_us - self.first_us) / DAY_US
        return usual_window(took, observed) if len(took) else 0.0

    @property
    def within(self) -> str:
        """The same in words."""
        return how_long(timedelta(days=self.window))
