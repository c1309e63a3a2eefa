"""Continuity of switches: in time, onward, nothing done again, the same issue."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, overload

import attrs
import numpy as np

from cxjourney._stats.estimates import share_estimate
from cxjourney._stats.normal_pooling import shrunken_effects, smoothed_variance, spread_of
from cxjourney._stats.ratios import shares
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_count,
    check_duration,
    check_level,
    check_names,
    check_number,
    duration_us,
)
from cxjourney._support.words import how_long
from cxjourney.domain import stage_order
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import BySegment, SegmentBy, by_segment, check_journeys, units_of
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    ChannelTransitions,
    interactions_of,
    order_notes,
    progress_note,
    transitions_between,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from cxjourney.domain import StageModel
    from cxjourney.journeys import Journeys

_DAY = timedelta(days=1)
_UNKNOWN = -1


@attrs.frozen(kw_only=True, repr=False)
class Continuity(Result):
    """Which share of the switches is seamless, and in which respect the others are not.

    Attributes
    ----------
    by
        What is switched.
    in_time
        Share of the switches with the next interaction within `max_gap` [fraction].
    onward
        Share of the switches that do not lead back to an earlier stage [fraction].
    not_redone
        Share of the switches after which nothing is done again [fraction].
    same_issue
        Share of the switches that stay with the same issue [fraction].
    seamless
        Share of the switches that are all of these, as far as each is known [fraction].
    pairs
        One row an observed switch, the least seamless first by the shrunken value.

        | column | what it is |
        |---|---|
        | `from_channel`, `to_channel` | of the switch; named after `by` |
        | `switches` | how many of them could be judged |
        | `seamless`, `low`, `high` | share that is seamless [fraction], and its interval |
        | `shrunken` | the share drawn towards that of all switches; the order goes by it |
    level
        Confidence level of the intervals.
    notes
        What a reader must know: which components could not be judged, and why.
    """

    title = "Continuity"

    by: ChannelBy
    in_time: Estimate
    onward: Estimate
    not_redone: Estimate
    same_issue: Estimate
    seamless: Estimate
    pairs: Table
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        parts = (self.in_time, self.onward, self.not_redone, self.same_issue, self.seamless)
        columns = {
            "component": [e.name for e in parts],
            "share": [e.value for e in parts],
            "low": [e.low for e in parts],
            "high": [e.high for e in parts],
            "switches": [e.n for e in parts],
            "unknown": [e.n_missing for e in parts],
        }
        formats = dict.fromkeys(("share", "low", "high"), "percent")
        return Table(columns, formats=formats, backend=self.pairs.backend)

    def _notes(self) -> tuple[str, ...]:
        return (f"{100 * self.level:g}% intervals are clustered by customer.", *self.notes)


@overload
def continuity(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    max_gap: timedelta | str = _DAY,
    stages: StageModel | Sequence[str] | None = None,
    redo: Iterable[str] = (),
    within: int = 3,
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> Continuity: ...


@overload
def continuity(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    max_gap: timedelta | str = _DAY,
    stages: StageModel | Sequence[str] | None = None,
    redo: Iterable[str] = (),
    within: int = 3,
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[Continuity]: ...


def continuity(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    max_gap: timedelta | str = _DAY,
    stages: StageModel | Sequence[str] | None = None,
    redo: Iterable[str] = (),
    within: int = 3,
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Continuity | BySegment[Continuity]:
    """Return which share of the switches is seamless.

    Parameters
    ----------
    journeys
        The journeys.
    by
        "channel", "kind" (of the channel) or "owner".
    max_gap
        Longest time between the two interactions of a seamless switch.
    stages
        The stages in their order: a `StageModel` or names. None takes the standard model that has
        all stages of the log, and leaves the component out where there is none.
    redo
        Touchpoints that nobody should have to do twice: "identify", "explain the issue". None given
        means the touchpoint of the interaction just left.
    within
        Number of interactions after the switch in which such a touchpoint must not come again.
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Continuity
        A component that the data does not hold is NaN, and the notes name it.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column, or `redo` names a touchpoint that is not in it.
    InvalidValue
        If `within` is below 1, or a stage of the log is not among `stages`.

    Notes
    -----
    After the integration quality of Sousa and Voss (2006): customers mind long gaps, going back,
    and repeating themselves. A switch is seamless if every component known of it holds; where few
    are known that is easily so, and the counts beside each component show it.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> def at(touchpoint, channel, hour):
    ...     timestamp = datetime(2026, 1, 1, hour, tzinfo=timezone.utc)
    ...     return cx.Interaction(
    ...         customer="a", touchpoint=touchpoint, channel=channel, timestamp=timestamp
    ...     )
    >>> log = cx.InteractionLog.from_interactions(
    ...     [at("identify", "bot", 8), at("identify", "phone", 9), at("pay", "web", 10)]
    ... )
    >>> found = continuity(log.journeys(), redo=["identify"])
    >>> found.in_time.value, found.not_redone.value, found.seamless.value
    (1.0, 0.5, 0.5)
    """
    check_journeys(journeys)
    if segment is not None:
        return by_segment(
            journeys,
            segment,
            lambda part: continuity(
                part,
                by=by,
                max_gap=max_gap,
                stages=stages,
                redo=redo,
                within=within,
                closing=closing,
                level=level,
            ),
        )
    check_level(level)
    max_gap = check_duration(max_gap, "max_gap")
    if check_number(within, "within") < 1:
        raise InvalidValue.of("within", "be at least 1", within)
    check_count(within, "within", most=10_000)
    again = check_names(redo, "redo")
    interactions = interactions_of(journeys, by, closing=closing)
    transitions = transitions_between(journeys, interactions)
    switched = np.flatnonzero(transitions.switched)
    row = interactions.row[transitions.begin[switched]]
    notes = list(order_notes(journeys, by, closing=closing))
    notes += progress_note(
        journeys,
        "Switches that take long are not seen yet, nor what is done again later: 'in time' and "
        "'not redone' are too high.",
    )
    parts = {
        "in time": _in_time(transitions, switched, max_gap, notes),
        "onward": _onward(journeys, row, stages, notes),
        "not redone": _not_redone(
            journeys, row, transitions.journey[switched], redo=again, within=within, closing=closing
        ),
        "same issue": _same_issue(journeys, row, notes),
    }
    every = np.array(list(parts.values()))
    joint = np.where((every == _UNKNOWN).all(axis=0), _UNKNOWN, (every != 0).all(axis=0))
    item, units = transitions.journey[switched], units_of(journeys)
    weight = None if transitions.weight is None else transitions.weight[switched]

    def estimate(name: str, held: NDArray[np.int8], definition: str) -> Estimate:
        known = held != _UNKNOWN
        found = share_estimate(
            held[known] == 1,
            units,
            item=item[known],
            level=level,
            name=name,
            definition=definition,
        )
        unknown = np.count_nonzero(~known) if weight is None else weight[~known].sum()
        return attrs.evolve(found, n_missing=int(unknown))

    return Continuity(
        by=by,
        in_time=estimate(
            "in time", parts["in time"], f"next interaction within {how_long(max_gap)}"
        ),
        onward=estimate("onward", parts["onward"], "stage not lower than before"),
        not_redone=estimate(
            "not redone",
            parts["not redone"],
            f"{'none of redo' if again else 'the touchpoint left'} not again in the next {within}",
        ),
        same_issue=estimate("same issue", parts["same issue"], "issue the same as before"),
        seamless=estimate("seamless", joint, "all that is known of the switch"),
        pairs=_pairs(journeys, transitions, switched, joint, by=by, level=level),
        level=level,
        notes=tuple(notes),
    )


def _in_time(
    transitions: ChannelTransitions,
    switched: NDArray[np.intp],
    max_gap: timedelta,
    notes: list[str],
) -> NDArray[np.int8]:
    if transitions.lag_us is None:
        notes.append("Aggregated paths have no times, so that 'in time' is not known.")
        return np.full(len(switched), _UNKNOWN, dtype=np.int8)
    return (transitions.lag_us[switched] <= duration_us(max_gap)).astype(np.int8)


def _onward(
    journeys: Journeys,
    row: NDArray[np.int64],
    stages: StageModel | Sequence[str] | None,
    notes: list[str],
) -> NDArray[np.int8]:
    unknown = np.full(len(row), _UNKNOWN, dtype=np.int8)
    coded = journeys.columns.coded.get("stage")
    if coded is None:
        notes.append("The log has no stages, so that 'onward' is not known.")
        return unknown
    used = coded.compacted()
    order = stage_order(used.names, stages)
    if order is None:
        notes.append(
            "The order of the log's stages is not known, and hence not 'onward'; give stages=."
        )
        return unknown
    if stages is None:
        notes.append(f"The stages are in the order {' < '.join(order)}.")
    rank = np.array([*(order.index(name) for name in used.names), _UNKNOWN])[used.codes]
    before, after = rank[row], rank[row + 1]
    known = (before >= 0) & (after >= 0)
    return np.where(known, after >= before, _UNKNOWN).astype(np.int8)


def _not_redone(
    journeys: Journeys,
    row: NDArray[np.int64],
    journey: NDArray[np.int64],
    *,
    redo: tuple[str, ...],
    within: int,
    closing: bool,
) -> NDArray[np.int8]:
    """Return whether nothing is done again in the interactions that follow the switch."""
    touchpoint = journeys.columns.coded["touchpoint"]
    code = touchpoint.codes.astype(np.int64)
    end = journeys.offsets[journey + 1] - (0 if closing else journeys.absorbed[journey])
    again = np.zeros(len(row), dtype=np.bool_)
    if not redo:
        for step in range(1, within + 1):
            inside = row + step < end
            place = np.where(inside, row + step, row)
            again |= inside & (code[place] == code[row])
        return (~again).astype(np.int8)
    start = journeys.offsets[journey]
    for name in redo:
        if name not in touchpoint.names:
            raise UnknownName.among("redo touchpoint", name, touchpoint.names, where="the log")
        done = np.append(0, np.cumsum(code == touchpoint.names.index(name)))
        before = done[row + 1] - done[start]
        after = done[np.minimum(row + 1 + within, end)] - done[row + 1]
        again |= (before > 0) & (after > 0)
    return (~again).astype(np.int8)


def _same_issue(journeys: Journeys, row: NDArray[np.int64], notes: list[str]) -> NDArray[np.int8]:
    coded = journeys.columns.coded.get("issue")
    if coded is None:
        notes.append("The log has no issues, so that 'same issue' is not known.")
        return np.full(len(row), _UNKNOWN, dtype=np.int8)
    before, after = coded.codes[row], coded.codes[row + 1]
    known = (before >= 0) & (after >= 0)
    return np.where(known, before == after, _UNKNOWN).astype(np.int8)


def _pairs(
    journeys: Journeys,
    transitions: ChannelTransitions,
    switched: NDArray[np.intp],
    joint: NDArray[np.int8],
    *,
    by: ChannelBy,
    level: float,
) -> Table:
    k = max(1, len(transitions.names))
    known = switched[joint != _UNKNOWN]
    pair, place = np.unique(
        transitions.source[known] * k + transitions.target[known], return_inverse=True
    )
    found = shares(
        2 * place + (joint[joint != _UNKNOWN] == 1),
        np.arange(2 * len(pair)) // 2,
        units_of(journeys),
        item=transitions.journey[known],
        level=level,
    )
    held = slice(1, None, 2)
    value = found.value[held]
    variance = smoothed_variance(value, found.figures.trials[held])
    drawn = shrunken_effects(value, variance, spread_of(value, variance))
    names = np.array([*transitions.names, ""], dtype=object)
    order = np.lexsort((value, drawn))
    columns = {
        f"from_{by}": names[pair // k].tolist(),
        f"to_{by}": names[pair % k].tolist(),
        "switches": found.base[held],
        "seamless": value,
        "low": found.low[held],
        "high": found.high[held],
        "shrunken": drawn,
    }
    formats = dict.fromkeys(("seamless", "low", "high", "shrunken"), "percent")
    return Table(columns, formats=formats, backend=journeys.log.backend).take(order)
