"""Prefixes of journeys as columns: the last visits, how many there were, and the silence since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np

from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.validation import duration_us
from cxjourney._time.timestamps import utc_us
from cxjourney.domain import MISSING, Journey
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    IN_PROGRESS,
    By,
    JourneyRules,
    Journeys,
    Visits,
    grain_codes,
    is_visit,
    said,
    says_yes,
    visits_of,
)
from cxjourney.log import InteractionLog
from cxjourney.predict._contexts import Feature

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cxjourney.domain import Interaction

Running: TypeAlias = "Journeys | InteractionLog | Journey | Iterable[Journey] | Any"
"""Journeys in progress: cut ones, a log, typed ones, or a frame; Any, since frames are many."""

WAIT = "wait"
"""Name of the attribute that is the time since the touch before."""

_POSITIONS = np.array([2, 3, 4, 6, 9, 14, 22])
_WAITS = 6


@attrs.frozen(kw_only=True, eq=False)
class Vocabulary:
    """What the numbers of contexts stand for.

    Attributes
    ----------
    by
        What a node is.
    names
        Names of the nodes.
    attributes
        Values of each attribute that contexts have, by name; none of the wait.
    dated
        Whether each of them is known at its interaction: those of customers are not.
    waits_us
        Bounds of the classes of waits.
    order
        How many visits a context has at most.
    """

    by: By
    names: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    dated: Mapping[str, bool]
    waits_us: Ints
    order: int


@attrs.frozen(kw_only=True, eq=False)
class Prefixes:
    """Prefixes, one a row.

    Attributes
    ----------
    recent
        Node of the last visit, of the one before, and so on, as many as the order: the number of
        nodes stands for the beginning of the journey, -1 for one that is not known.
    position
        Number of visits so far, from 1.
    silence_us
        Time since the last visit; 0 at the visit itself.
    attributes
        Value of each attribute at the last visit, 0 where missing, -1 where never seen.
    """

    recent: tuple[Ints, ...]
    position: Ints
    silence_us: Ints
    attributes: Mapping[str, Ints]

    def __len__(self) -> int:
        return len(self.position)

    def take(self, rows: Ints) -> Prefixes:
        """Return some of the prefixes."""
        return Prefixes(
            recent=tuple(one[rows] for one in self.recent),
            position=self.position[rows],
            silence_us=self.silence_us[rows],
            attributes={name: codes[rows] for name, codes in self.attributes.items()},
        )

    def features(self, words: Vocabulary, *, outcome: bool) -> list[Feature]:
        """Return what lengthens contexts: the last node, attributes, then earlier visits.

        Contexts of outcomes have the number of visits behind the node, and fewer earlier visits.
        """
        size = len(words.names) + 1
        nodes = [Feature(codes=codes, size=size, stop=size - 1) for codes in self.recent]
        extra = [
            Feature(codes=self.attributes[name], size=len(values) + 1)
            for name, values in words.attributes.items()
        ]
        if not outcome:
            return [nodes[0], *extra, *nodes[1:]]
        place = np.searchsorted(_POSITIONS, self.position, side="right")
        place = np.where(self.position > 0, place, -1)  # which nobody says
        counted = Feature(codes=place, size=len(_POSITIONS) + 1)
        return [nodes[0], *extra, *nodes[1:2], counted, *nodes[2:3]]


def vocabulary(journeys: Journeys, by: By, order: int, attributes: Sequence[str]) -> Vocabulary:
    """Return the names that contexts of journeys may have."""
    known: dict[str, tuple[str, ...]] = {}
    dated = {}
    log, waits = journeys.log, np.zeros(0, dtype=np.int64)
    for name in attributes:
        if name == WAIT:
            journeys.require_times("the wait as an attribute")
            before = _waits_before(journeys)
            waits = np.unique(
                np.quantile(before[before >= 0], np.arange(1, _WAITS) / _WAITS).astype(np.int64)
                if (before >= 0).any()
                else waits
            )
            known[name], dated[name] = tuple(map(str, range(len(waits) + 1))), True
            continue
        coded = journeys.columns.attribute(name, log.customer_attributes)
        known[name] = tuple(map(said, coded.compacted().names))
        dated[name] = not (
            name in log.customer_attributes and name not in journeys.columns.attributes
        )
    return Vocabulary(
        by=by,
        names=visits_of(journeys, by).names,
        attributes=known,
        dated=dated,
        waits_us=waits,
        order=order,
    )


def prefixes_at(journeys: Journeys, words: Vocabulary, visits: Ints | None = None) -> Prefixes:
    """Return the prefixes that end with some visits of journeys, all of them for None."""
    nodes = visits_of(journeys, words.by)
    place = np.arange(len(nodes)) if visits is None else visits
    code = renumbered(nodes.names, words.names)[nodes.code] if len(nodes) else nodes.node
    first = np.cumsum(journeys.lengths) - journeys.lengths
    position = place - first[nodes.journey[place]]
    recent = []
    for back in range(words.order):
        inside = position >= back
        found = np.full(len(place), len(words.names), dtype=np.int64)
        found[inside] = code[place[inside] - back]
        recent.append(found)
    return Prefixes(
        recent=tuple(recent),
        position=position + 1,
        silence_us=np.zeros(len(place), dtype=np.int64),
        attributes={
            name: _attribute(journeys, nodes, words, name)[place] for name in words.attributes
        },
    )


def _attribute(journeys: Journeys, nodes: Visits, words: Vocabulary, name: str) -> Ints:
    """Return the value of an attribute at each visit."""
    if name == WAIT:
        before = _waits_before(journeys)
        return np.where(
            before < 0, 0, 1 + np.searchsorted(words.waits_us, before, side="right")
        ).astype(np.int64)
    coded = journeys.columns.attribute(name, journeys.log.customer_attributes)
    codes = renumbered(tuple(map(said, coded.names)), words.attributes[name])
    found: Ints = np.append(np.where(codes < 0, -1, codes + 1), 0)[coded.codes[nodes.row]]
    return found


def _waits_before(journeys: Journeys) -> Ints:
    """Return the time between each visit and the one before it [µs]; -1 at a journey's first."""
    assert journeys.columns.time is not None  # noqa: S101 - the caller has looked
    time = journeys.columns.time[is_visit(journeys)]
    before = np.diff(time, prepend=time[:1])
    lengths = journeys.lengths
    before[(np.cumsum(lengths) - lengths)[lengths > 0]] = -1
    return np.asarray(before, dtype=np.int64)


def renumbered(names: Sequence[str], known: Sequence[str]) -> Ints:
    """Return the number of each name among known ones; -1 where it is not."""
    place = {name: i for i, name in enumerate(known)}
    return np.array([place.get(name, -1) for name in names], dtype=np.int64)


def prefixes_of(
    running: Running, words: Vocabulary, rules: JourneyRules, now: datetime | str | None
) -> Prefixes:
    """Return the prefixes of journeys that are still running.

    Raises
    ------
    InvalidValue
        If they are no journeys, none is in progress, or `now` lies before a last interaction.
    """
    if isinstance(running, Journey):
        running = [running]
    if isinstance(running, (list, tuple)):
        return _typed(running, words, now)
    if not isinstance(running, (Journeys, InteractionLog)):
        running = _log_of_frame(running)
    if isinstance(running, InteractionLog):
        running = _cut(running, rules)
    chosen = np.flatnonzero((running.outcome == IN_PROGRESS) & (running.lengths > 0))
    last = np.cumsum(running.lengths)[chosen] - 1
    found = prefixes_at(running, words, last)
    time = running.columns.time
    if time is None:
        return found
    at = running.log.observed_until_us if now is None else utc_us(now, "now", running.log.intake.tz)
    assert at is not None  # noqa: S101 - the caller has looked
    return attrs.evolve(found, silence_us=_silence(at - time[is_visit(running)][last]))


def _silence(us: Ints) -> Ints:
    if len(us) and int(us.min()) < 0:
        raise InvalidValue("now must not lie before the last interaction of a journey")
    return us


def _log_of_frame(frame: Any) -> InteractionLog:
    from cxjourney.log import column_names

    names = column_names(frame, "prefixes")
    further: Any = {name: name for name in ("channel", "stage", "owner") if name in names}
    told = {"customer", "timestamp", "touchpoint", *further}
    return InteractionLog.from_frame(
        frame,
        customer="customer",
        timestamp="timestamp",
        touchpoint="touchpoint",
        **further,
        attributes=[name for name in names if name not in told],
    )


def _cut(log: InteractionLog, rules: JourneyRules) -> Journeys:
    """Return the journeys of a log by the rules of those that were learned from.

    The log of a service ends now: what has not ended in it is in progress.
    """
    return Journeys.of_log(
        log,
        goal=rules.goal or None,
        inactivity=rules.inactivity,
        exit_touchpoints=rules.exit_touchpoints,
        after_goal=rules.after_goal,
        touchpoints=(*rules.goal, *rules.exit_touchpoints),
    )


def _typed(journeys: Sequence[Journey], words: Vocabulary, now: datetime | str | None) -> Prefixes:
    """Return the prefixes of typed journeys, of which only the last interactions are looked at."""
    number = {name: i for i, name in enumerate(words.names)}
    values = {
        name: {value: i + 1 for i, value in enumerate(known)}
        for name, known in words.attributes.items()
    }
    begin, order = len(words.names), words.order
    recent = np.full((order, len(journeys)), begin, dtype=np.int64)
    position = np.empty(len(journeys), dtype=np.int64)
    silence = np.zeros(len(journeys), dtype=np.int64)
    found = {name: np.zeros(len(journeys), dtype=np.int64) for name in values}
    now_us = None if now is None else utc_us(now, "now", "UTC")
    for i, journey in enumerate(journeys):
        if not isinstance(journey, Journey):
            raise InvalidValue.of("prefixes", "hold journeys (cxjourney.Journey)", journey)
        touches = journey.interactions
        last = touches[-1]
        position[i] = len(touches)
        for back, touch in enumerate(reversed(touches[-order:])):
            recent[back, i] = number.get(_node(touch, words.by), -1)
        if now_us is not None:
            silence[i] = now_us - utc_us(last.timestamp, "timestamp", "UTC")
        for name, place in values.items():
            if name == WAIT:
                if len(touches) > 1:
                    wait = duration_us(last.timestamp - touches[-2].timestamp)
                    found[name][i] = 1 + np.searchsorted(words.waits_us, wait, side="right")
                continue
            value = _value(last, name)
            found[name][i] = 0 if value is None else place.get(value, -1)
    return Prefixes(
        recent=tuple(recent),
        position=position,
        silence_us=_silence(silence),
        attributes=found,
    )


def _node(touch: Interaction, by: By) -> str:
    """Return the node of a typed interaction, named as those of a log."""
    if not isinstance(by, str):
        return " @ ".join(_node(touch, one).replace("@", "@@") for one in by)
    return _named(getattr(touch, by)) or MISSING


def _value(touch: Interaction, name: str) -> str | None:
    for owner in (touch.attributes, touch.customer.attributes):
        if name in owner:
            value = owner[name]
            return said(value)
    return _named(getattr(touch, name, None))


def _named(value: Any) -> str | None:
    return None if value is None else getattr(value, "name", value)


def of_customer(journeys: Journeys, customer: str) -> Journeys:
    """Return the journeys of one customer; UnknownName if there is no such one."""
    number = journeys.log.customer_number(customer)
    return journeys.where(journeys.customer == number)


def weight_of(journeys: Journeys) -> Floats:
    """Return how often each visit counts."""
    weight = visits_of(journeys).weight
    return np.ones(int(journeys.lengths.sum())) if weight is None else weight.astype(np.float64)


def truth_values(journeys: Journeys) -> dict[str, Ints]:
    """Return the attributes that say yes or no: 1, 0, or -1 where missing, one a visit."""
    log, rows = journeys.log, visits_of(journeys).row
    found: dict[str, Ints] = {}
    for name in (*journeys.columns.attributes, *log.customer_attributes):
        yes = says_yes(journeys.columns.attribute(name, log.customer_attributes))
        if yes is not None:
            found[name] = yes[rows].astype(np.int8)
    return found


def channel_codes(journeys: Journeys) -> tuple[Ints, tuple[str, ...]]:
    """Return the channel of each row of journeys, and their names; none where the log has none."""
    if "channel" not in journeys.columns.coded:
        return np.full(len(journeys.columns), -1, dtype=np.int64), ()
    coded = grain_codes(journeys.columns, "channel")
    return coded.codes.astype(np.int64), coded.names
