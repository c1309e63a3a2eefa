"""The work on one shard, whose interactions become the bytes of its statistics, and the sum."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

import attrs

from cxjourney._time.timestamps import utc_us
from cxjourney._time.zones import check_zone
from cxjourney.domain import TERMINALS
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.journeys import By, JourneyRules, JourneyStatistics
from cxjourney.log import InteractionLog, Reading, in_order_of_names, moment
from cxjourney.sharded._facts import by_kind, check_facts, doubts_of
from cxjourney.sharded._sql import Table, facts, rows_of_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import date, timedelta

    from cxjourney.sharded._dialects import Dialect

DEEPEST = 16
ROWS = 2_000_000
"""Interactions of a shard: half a gigabyte while they are counted."""
_BLOCK = 64


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
    goal: str | Iterable[str] | None
    inactivity: timedelta | str | None
    exit_touchpoints: str | Iterable[str]
    after_goal: Literal["new_journey", "discard", "keep"]
    all_closed: bool
    carry_channels: timedelta | str | None
    grains: By | list[By] | None


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
    """

    reading: dict[str, Any]
    rules: JourneyRules
    grains: By | list[By] | None

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
        grains = given.pop("grains", None)
        strange = set(given) - set(Plan.__annotations__)
        if strange:
            raise InvalidValue.of("an argument", "be one that statistics know", min(strange))
        reading |= given
        read = Reading.of(**reading)
        if "currency" in read.roles:
            rule = 'be a code such as "EUR": a shard may not know what another one has'
            raise InvalidValue.of("currency", rule, read.roles["currency"])
        check_zone(read.tz)
        return cls(reading=reading, rules=rules, grains=grains)

    @property
    def columns(self) -> dict[str, str]:
        """Name of the column of each role."""
        return dict(Reading.of(**self.reading).roles)

    def table(self, *parts: str) -> Table:
        """Return what the facts of a table are asked of."""
        known = ("customer", "timestamp", "touchpoint", "seq")
        columns = {role: name for role, name in self.columns.items() if role in known}
        return Table(parts=parts, columns=columns, tz=self.reading.get("tz", "UTC"))

    def facts(self, dialect: Dialect) -> list[str]:
        """Return the expressions of the facts that `checked` reads."""
        return facts(self._names, self.table().columns, self._window_us[1], dialect)

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
        since, until = self._window_us
        if since is not None and until is not None and since > until:
            rule = "not lie after observed_until"
            raise InvalidValue.of("observed_from", rule, self.reading["observed_from"])
        check_facts(counts, dialect, self.rules, self.reading.get("missing", "refuse"), known)
        found = {name: n for (name, _), n in counts["fact"].items()}
        reading = dict(self.reading)
        if reading.get("observed_until") is None and "observed_until" in found:
            reading["observed_until"] = moment(found["observed_until"])
        return attrs.evolve(self, reading=reading), found

    def count(self, frame: Any, part: tuple[int, int]) -> tuple[bytes, int]:
        """Return the statistics of a part of all customers, and how many interactions are tied.

        Any: what `InteractionLog.from_frame` takes.
        """
        # the window is that of the whole, on which a shard may not touch
        reading = {name: value for name, value in self.reading.items() if name not in _WINDOW}
        log, ties = in_order_of_names(InteractionLog.from_frame(frame, **reading))
        since, until = self._window_us
        log = attrs.evolve(log, observed_from_us=since, observed_until_us=until)
        rules = {name: getattr(self.rules, name) for name in _RULES}
        # a goal that occurs in the whole need not occur in a part
        planned = (*self.rules.goal, *self.rules.exit_touchpoints)
        journeys = log.journeys(**rules, touchpoints=planned)
        return journeys.statistics(grains=self.grains, part=part).to_bytes(), ties

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self.rules.goal, *self.rules.exit_touchpoints, *sorted(TERMINALS))

    @property
    def _window_us(self) -> tuple[int | None, int | None]:
        tz = self.reading.get("tz", "UTC")
        ends = [(name, self.reading.get(name)) for name in _WINDOW]
        since, until = (None if at is None else utc_us(at, name, tz) for name, at in ends)
        return since, until


def depth_for(rows: int, most: int) -> int:
    """Return how many bits of the hash divide so many rows into parts of at most so many."""
    bits = max(0, -(-rows // most) - 1).bit_length()
    return min(bits, DEEPEST)


def total_of(
    counting: Counting, shards: Iterable[tuple[bytes, int]], told: dict[str, int]
) -> JourneyStatistics:
    """Return the sum of the statistics of all shards; warn of what is odd about the whole."""
    whole: JourneyStatistics | None = None
    ties, block = 0, list[JourneyStatistics]()
    for data, tied in shards:
        ties += tied
        block.append(JourneyStatistics.from_bytes(data))
        if len(block) == _BLOCK:
            block = [JourneyStatistics.total(block)]
    whole = JourneyStatistics.total(block)
    if doubts := doubts_of(told, ties, ordered="seq" in counting.columns):
        warnings.warn(doubts, DataQualityWarning, stacklevel=3)
    return whole
