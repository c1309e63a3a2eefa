"""The work on one shard, whose interactions become the bytes of its statistics, and the sum."""

from __future__ import annotations

import warnings
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

import attrs
import numpy as np

from cxjourney._time.timestamps import utc_us
from cxjourney._time.zones import check_zone
from cxjourney.domain import TERMINALS
from cxjourney.exceptions import DataQualityWarning, InvalidValue, UnknownName
from cxjourney.journeys import (
    Analyses,
    By,
    JourneyRules,
    Journeys,
    JourneyStatistics,
    analyses_of,
    of_some,
)
from cxjourney.log import InteractionLog, Reading, in_order_of_names, moment
from cxjourney.sharded._facts import by_kind, check_facts, doubts_of
from cxjourney.sharded._sql import Table, facts, rows_of_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import timedelta

    from cxjourney.sharded._dialects import Dialect

DEEPEST = 16
ROWS = 2_000_000
"""Interactions of a shard: half a gigabyte while they are counted."""
_FEW = 8


class Plan(TypedDict, total=False):
    """The optional arguments of `sharded.parquet` and its likes, where they are documented."""

    channel: str | None
    stage: str | None
    owner: str | None
    journey: str | None
    seq: str | None
    value: str | None
    currency: str | None
    tz: str
    missing: Literal["refuse", "drop"]
    observed_until: date | str | None
    observed_from: date | str | None
    since: date | str | None
    until: date | str | None
    goal: str | Iterable[str] | None
    inactivity: timedelta | str | None
    exit_touchpoints: str | Iterable[str]
    after_goal: Literal["new_journey", "discard", "keep"]
    all_closed: bool
    carry_channels: timedelta | str | None
    grains: By | list[By] | None
    analyses: Analyses | None


_WINDOW = ("observed_from", "observed_until")
_RULES = (
    "goal", "inactivity", "exit_touchpoints", "after_goal", "all_closed", "carry_channels",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Counting:
    """How the interactions of every shard are read, cut and counted; it may be sent to a worker.

    Attributes
    ----------
    reading
        Arguments of `InteractionLog.from_frame`.
    rules
        How journeys end.
    grains
        What a node may be.
    analyses
        What is counted besides.
    since, until
        The period in which journeys begin that count.
    """

    reading: dict[str, Any]
    rules: JourneyRules
    grains: By | list[By] | None
    analyses: Analyses | None
    since: date | str | None = None
    until: date | str | None = None

    @classmethod
    def of(cls, columns: dict[str, str], **plan: Unpack[Plan]) -> Self:
        """Return the counting that the arguments of `sharded.parquet` describe.

        Raises
        ------
        InvalidValue
            If an argument breaks its rule.
        """
        given: dict[str, Any] = {**plan}
        reading: dict[str, Any] = {**columns}
        rules = JourneyRules(
            **{name: given.pop(name) for name in _RULES if name in given},
            by_journey_column=given.get("journey") is not None,
        )
        rules.check(())
        grains, analyses = given.pop("grains", None), given.pop("analyses", None)
        analyses_of(analyses, None)
        since, until = given.pop("since", None), given.pop("until", None)
        strange = set(given) - set(Plan.__annotations__)
        if strange:
            known, where = sorted(Plan.__annotations__), "those that statistics know"
            raise UnknownName.among("argument", min(strange), known, where=where)
        reading |= given
        read = Reading.of(**reading)
        if "currency" in read.roles:
            rule = 'be a code such as "EUR": a shard may not know what another one has'
            raise InvalidValue.of("currency", rule, read.roles["currency"])
        check_zone(read.tz)
        counting = cls(
            reading=reading,
            rules=rules,
            grains=grains,
            analyses=analyses,
            since=since,
            until=until,
        )
        begin, end = counting.period_us
        if begin is not None and end is not None and begin >= end:
            raise InvalidValue.of("until", f"lie after since ({since})", until)
        return counting

    @property
    def columns(self) -> dict[str, str]:
        """Name of the column of each role."""
        return dict(Reading.of(**self.reading).roles)

    def check_columns(self, known: Collection[str]) -> None:
        """Raise UnknownName unless the column of each role is among those of the data."""
        for role, name in self.columns.items():
            if name not in known:
                raise UnknownName.among(f"{role}= column", name, known, where="the data")

    def table(self, *parts: str) -> Table:
        """Return what the facts of a table are asked of."""
        known = ("customer", "timestamp", "touchpoint", "seq")
        columns = {role: name for role, name in self.columns.items() if role in known}
        return Table(parts=parts, columns=columns, tz=self.reading.get("tz", "UTC"))

    def facts(self, dialect: Dialect) -> list[str]:
        """Return the expressions of the facts that `checked` reads."""
        (since, until), (begin, end) = self.window_us, self.period_us
        late = "FALSE" if until is None else f"us > {until}"
        if end is not None and not self.rules.all_closed:
            late += f" AND us < {end}"
        early = "FALSE" if since is None else f"us < {since}"
        if begin is not None:
            early += f" AND us >= {begin}"
        return facts(self._names, self.table().columns, dialect, late=late, early=early)

    def checked(
        self, told: dict[str, Any], dialect: Dialect, known: Callable[[], Collection[str]]
    ) -> tuple[Self, dict[str, int]]:
        """Return the counting with the end of the observation, and the facts, which are checked.

        Parameters
        ----------
        told
            The value of each of the `facts`.
        known
            Which touchpoints there are.
        """
        columns = rows_of_facts(self._names, self.table().columns, "last_us")
        rows = [
            (kind, source, told[target] if target else "", told.get(number, 0))
            for kind, source, target, number in columns
        ]
        counts = by_kind(rows)
        check_facts(counts, dialect, self.rules, self.reading.get("missing", "refuse"), known)
        found = {name: n for (name, _), n in counts["fact"].items()}
        found["early"] = int(told["n_early"])
        return self.ended(found.get("observed_until")), found

    def ended(self, last_us: int | None) -> Self:
        """Return the counting with the end of the observation, the last time if none was given.

        Raises
        ------
        InvalidValue
            If the end that was given lies before the begin.
        """
        since, until = self.window_us
        if since is not None and until is not None and since > until:
            rule = "not lie after observed_until"
            raise InvalidValue.of("observed_from", rule, self.reading["observed_from"])
        if self.reading.get("observed_until") is not None or last_us is None:
            return self
        return attrs.evolve(self, reading=self.reading | {"observed_until": moment(last_us)})

    def tells(self, types: Mapping[str, str], dialect: Dialect) -> bool:
        """Return whether shards tell the facts, given the types of the columns of `table`.

        They do where each reads all rows as they are, and refuses a row that lacks something.
        """
        refused = self.reading.get("missing", "refuse") == "refuse"
        good = all(dialect.reads(role, found) for role, found in types.items())
        return refused and good and self.until is None

    def count(
        self, frame: Any, part: tuple[int, int] | None
    ) -> tuple[JourneyStatistics, dict[str, int]]:
        """Return the statistics of a part of all customers, or of any of them, and facts of rows.

        How many are tied, and where `tells` allows it what `facts` ask: a name that is there is
        among them.

        Any: what `InteractionLog.from_frame` takes.
        """
        log, ties = self.read(frame)
        time, (since, until) = log.columns.time, self.window_us
        assert time is not None  # noqa: S101 - a log that is read has times
        begin, _ = self.period_us
        early = np.zeros(len(time), dtype=np.bool_) if since is None else time < since
        told = {
            "ties": ties,
            "rows": len(time),
            "late": 0 if until is None else int(np.count_nonzero(time > until)),
            "early": int(np.count_nonzero(early if begin is None else early & (time >= begin))),
        }
        names = {*self._names} & {*log.columns.coded["touchpoint"].names}
        told |= {f"name {name}": 1 for name in names}
        return self.statistics(self.cut(log), part), told

    def told_by_all(self, told: Mapping[str, int], rows: int) -> bool:
        """Return whether shards told of all rows and of each name that a rule has.

        Else a row lacks something, or a name: `checked` says what.
        """
        names = (*self.rules.goal, *self.rules.exit_touchpoints) if rows else ()
        return told.get("rows", 0) == rows and all(f"name {name}" in told for name in names)

    def read(self, frame: Any) -> tuple[InteractionLog, int]:
        """Return the log of some customers within the window, and how many rows are tied."""
        # the window is that of the whole, on which a shard may not touch
        reading = {name: value for name, value in self.reading.items() if name not in _WINDOW}
        log = InteractionLog.from_frame(frame, **reading)
        since, until = self.window_us
        log = attrs.evolve(log, observed_from_us=since, observed_until_us=until)
        if self.until is not None and not self.rules.all_closed:  # closed cases are taken whole
            log = log.between(None, self.until)
        return in_order_of_names(log)

    def cut(self, log: InteractionLog) -> Journeys:
        """Return the journeys of a log."""
        rules = {name: getattr(self.rules, name) for name in _RULES}
        # a goal that occurs in the whole need not occur in a part
        planned = (*self.rules.goal, *self.rules.exit_touchpoints)
        journeys = log.journeys(**rules, touchpoints=planned)
        if self.since is None and self.until is None:
            return journeys
        # a journey that began before is whole until here, so that its rest begins no other one
        return journeys.where(since=self.since, until=self.until)

    def statistics(self, journeys: Journeys, part: tuple[int, int] | None) -> JourneyStatistics:
        """Return the statistics of the journeys of a part of all customers.

        Those of None are of any customers, and become those of all by `together`.
        """
        if part is None:
            return of_some(journeys, self.grains, self.analyses)
        return journeys.statistics(grains=self.grains, analyses=self.analyses, part=part)

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self.rules.goal, *self.rules.exit_touchpoints, *sorted(TERMINALS))

    @property
    def window_us(self) -> tuple[int | None, int | None]:
        """Begin and end of the observation [µs since the epoch]."""
        return self._us(**{name: self.reading.get(name) for name in _WINDOW})

    @property
    def period_us(self) -> tuple[int | None, int | None]:
        """Begin and end of the period in which journeys begin that count [µs since the epoch]."""
        return self._us(since=self.since, until=self.until)

    def _us(self, **ends: date | str | None) -> tuple[int | None, int | None]:
        tz = self.reading.get("tz", "UTC")
        begin, end = (None if at is None else utc_us(at, name, tz) for name, at in ends.items())
        return begin, end


def depth_for(rows: int, most: int) -> int:
    """Return how many bits of the hash divide so many rows into parts of at most so many."""
    bits = max(0, -(-rows // most) - 1).bit_length()
    return min(bits, DEEPEST)


def add_to(
    few: list[JourneyStatistics],
    one: JourneyStatistics,
    total: Callable[[list[JourneyStatistics]], JourneyStatistics] = JourneyStatistics.total,
) -> None:
    """Add statistics to a list of few, so that no more of them are in memory at a time."""
    few.append(one)
    if len(few) == _FEW:
        few[:] = [total(few)]


def total_of(
    shards: Iterable[tuple[JourneyStatistics, dict[str, int]]],
    total: Callable[[list[JourneyStatistics]], JourneyStatistics] = JourneyStatistics.total,
) -> tuple[JourneyStatistics, dict[str, int]]:
    """Return the sum of the statistics of all shards, and of what they told."""
    told, few = {"rows": 0, "ties": 0}, list[JourneyStatistics]()
    for one, seen in shards:
        told = {name: told.get(name, 0) + seen.get(name, 0) for name in told | seen}
        add_to(few, one, total)
    return total(few), told


def warn_of(counting: Counting, told: Mapping[str, int]) -> None:
    """Warn of what is odd about the whole."""
    if doubts := doubts_of(told, told["ties"], ordered="seq" in counting.columns):
        warnings.warn(doubts, DataQualityWarning, stacklevel=3)
