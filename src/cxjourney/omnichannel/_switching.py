"""Switching rates, bounce-back, and containment of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import attrs
import numpy as np

from cxjourney._stats.estimates import mean_estimate, share_estimate
from cxjourney._stats.ratios import shares
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.journeys import (
    CONVERTED,
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    by_segment,
    check_journeys,
    units_of,
)
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    ChannelTransitions,
    Interactions,
    interactions_of,
    order_notes,
    progress_note,
    transitions_between,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._stats.units import Units
    from cxjourney.journeys import Journeys


@attrs.frozen(kw_only=True, repr=False)
class Switching(Result):
    """How often customers switch.

    Attributes
    ----------
    by
        What is switched.
    per_transition
        Share of the transitions between consecutive interactions that are switches [fraction].
    per_journey
        The same share for each journey of at least two interactions, averaged [fraction].
    multichannel
        Share of the journeys with interactions in at least two channels [fraction].
    bounce_back
        Share of the switches A → B after which the next channel is A again [fraction].
    channels
        One row a channel where journeys begin.

        | column | what it is |
        |---|---|
        | `channel` | named after `by` |
        | `journeys`, `contained` | that begin there, and that never leave it |
        | `in_progress` | number of the contained ones |
        | `converted` | share of those that did not leave it before they ended [fraction] |
        | `containment`, `low`, `high` | `contained` over `journeys` [fraction], and its interval |
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Switching"

    by: ChannelBy
    per_transition: Estimate
    per_journey: Estimate
    multichannel: Estimate
    bounce_back: Estimate
    channels: Table
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        rows = (self.per_transition, self.per_journey, self.multichannel, self.bounce_back)
        columns = {
            "measure": [e.name for e in rows],
            "value": [e.value for e in rows],
            "low": [e.low for e in rows],
            "high": [e.high for e in rows],
            "n": [e.n for e in rows],
            "definition": [e.definition for e in rows],
        }
        formats = dict.fromkeys(("value", "low", "high"), "percent")
        return Table(columns, formats=formats, backend=self.channels.backend)

    def _notes(self) -> tuple[str, ...]:
        return (f"{100 * self.level:g}% intervals are clustered by customer.", *self.notes)


@overload
def switching(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> Switching: ...


@overload
def switching(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[Switching]: ...


def switching(
    journeys: Journeys,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> Switching | BySegment[Switching]:
    """Return how often customers switch channels, come back, and stay where they began.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as an interaction in its channel.
    segment
        An attribute of customers or interactions; the result is then one of each segment.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Switching
        Numbers are NaN where there is nothing to count.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    A journey of one interaction has no transitions: it counts among the single-channel journeys,
    not among the rates. A journey in progress may still switch, come back or convert: containment
    is then too high, bouncing back and the share converted too low; how many are in progress stands
    beside them. Longer journeys see more channels, whatever the channels are. A journey that
    converts has one interaction more: groups that convert at different rates compare with
    `closing=False`, as the share of the contained that convert always does.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> paths = [["web", "phone", "web"], ["web", "web"], ["web"]]
    >>> journeys = Journeys.from_paths(paths, converted=[1, 1, 2], channels=True)
    >>> found = switching(journeys)
    >>> found.per_transition.value, found.per_journey.value, found.multichannel.value
    (0.6666666666666666, 0.5, 0.25)
    >>> found.bounce_back.value  # web → phone → web; of phone → web nothing follows
    0.5
    """
    check_journeys(journeys)
    if segment is not None:
        return by_segment(
            journeys, segment, lambda part: switching(part, by=by, closing=closing, level=level)
        )
    check_level(level)
    interactions = interactions_of(journeys, by, closing=closing)
    transitions = transitions_between(journeys, interactions)
    noun = "kind of channel" if by == "kind" else by
    units = units_of(journeys)
    per_transition = share_estimate(
        transitions.switched,
        units,
        item=transitions.journey,
        level=level,
        name="switches per transition",
        definition=f"transitions to another {noun} / transitions",
    )
    mixed = _mixed(interactions)
    return Switching(
        by=by,
        per_transition=per_transition,
        per_journey=_per_journey(interactions, transitions, units, noun=noun, level=level),
        multichannel=share_estimate(
            mixed,
            units,
            item=interactions.journey[interactions.first],
            level=level,
            name=f"multi-{by} journeys",
            definition=f"journeys with at least two {noun}s / journeys",
        ),
        bounce_back=_bounce_back(journeys, interactions, noun, level),
        channels=_containment(journeys, interactions, mixed, by, level),
        level=level,
        notes=(
            *order_notes(journeys, interactions, transitions, by),
            *progress_note(
                journeys,
                "They may still switch, come back and convert: multichannel, bounce-back and the "
                "share converted are too low, and containment is too high.",
            ),
        ),
    )


def _mixed(interactions: Interactions) -> NDArray[np.bool_]:
    """Return for each journey with a known interaction whether it has two nodes."""
    starts = np.flatnonzero(interactions.first)
    if not len(starts):
        return np.zeros(0, dtype=np.bool_)
    lowest = np.minimum.reduceat(interactions.node, starts)
    highest = np.maximum.reduceat(interactions.node, starts)
    different: NDArray[np.bool_] = lowest != highest
    return different


def _per_journey(
    interactions: Interactions,
    transitions: ChannelTransitions,
    units: Units,
    *,
    noun: str,
    level: float,
) -> Estimate:
    size = int(interactions.journey[-1]) + 1 if len(interactions) else 0
    made = np.bincount(transitions.journey, minlength=size)
    switches = np.bincount(transitions.journey, weights=transitions.switched, minlength=size)
    here = interactions.journey[interactions.first]
    some = made[here] > 0
    weight = None if interactions.weight is None else interactions.weight[interactions.first]
    alone = np.count_nonzero(~some) if weight is None else weight[~some].sum()
    here = here[some]
    return mean_estimate(
        switches[here] / made[here],
        units,
        item=here,
        level=level,
        name="switches per journey",
        definition=f"mean over journeys of: transitions to another {noun} / transitions",
        unit="fraction",
        n_missing=int(alone),
        of_shares=True,
    )


def _bounce_back(
    journeys: Journeys, interactions: Interactions, noun: str, level: float
) -> Estimate:
    """Return the share of switches that are taken back, over runs of interactions at one node."""
    new = interactions.first.copy()
    if len(new):
        gap = np.diff(interactions.row) != 1  # between them lies an interaction of unknown node
        new[1:] |= (np.diff(interactions.node) != 0) | gap
        follows = np.append(False, ~gap) & ~interactions.first
    else:
        follows = new
    run = np.flatnonzero(new)
    node, journey, joined = interactions.node[run], interactions.journey[run], follows[run]
    begin = np.flatnonzero(joined[1:])  # runs with a switch out of them
    onward = begin + 2
    there = np.minimum(onward, max(0, len(run) - 1))
    goes_on = (onward < len(run)) & joined[there]
    back = goes_on & (node[there] == node[begin])
    censored = ~goes_on & (journeys.outcome[journey[begin]] == IN_PROGRESS)
    return share_estimate(
        back,
        units_of(journeys),
        item=journey[begin],
        level=level,
        name="bounce-back",
        definition=f"switches after which the next {noun} is the one just left / switches",
        n_censored=int(np.count_nonzero(censored)),
    )


def _containment(
    journeys: Journeys,
    interactions: Interactions,
    mixed: NDArray[np.bool_],
    by: ChannelBy,
    level: float,
) -> Table:
    begins = interactions.first
    journey, first = interactions.journey[begins], interactions.node[begins]
    weight = None if interactions.weight is None else interactions.weight[begins]
    ones = np.ones(len(first)) if weight is None else weight.astype(np.float64)
    k = len(interactions.names)
    found = shares(
        2 * first + ~mixed,
        np.arange(2 * k) // 2,
        units_of(journeys),
        item=journey,
        level=level,
    )
    stayed = slice(1, None, 2)
    running = ones * ((journeys.outcome[journey] == IN_PROGRESS) & ~mixed)
    in_progress = np.bincount(first, running, minlength=k).astype(np.int64)
    has_goal = bool(journeys.rules.goal) or journeys.weight is not None
    converted = _converted(journeys, by) if has_goal else np.full(k, np.nan)
    some = found.base[stayed] > 0
    columns = {
        by: np.array(interactions.names, dtype=object)[some].tolist(),
        "journeys": found.base[stayed][some],
        "contained": found.count[stayed][some],
        "in_progress": in_progress[some],
        "converted": converted[some],
        "containment": found.value[stayed][some],
        "low": found.low[stayed][some],
        "high": found.high[stayed][some],
    }
    formats = dict.fromkeys(("converted", "containment", "low", "high"), "percent")
    return Table(columns, formats=formats, backend=journeys.log.backend)


def _converted(journeys: Journeys, by: ChannelBy) -> NDArray[np.float64]:
    """Return the share that converts of the journeys that stay where they begin until they end.

    Where the goal takes place is not asked: it would be known of those alone that convert.
    """
    before = interactions_of(journeys, by, closing=False)
    begins, k = before.first, len(before.names)
    stayed = before.ones[begins] * ~_mixed(before)
    won = stayed * (journeys.outcome[before.journey[begins]] == CONVERTED)
    held, wins = (np.bincount(before.node[begins], part, minlength=k) for part in (stayed, won))
    share: NDArray[np.float64] = np.divide(wins, held, out=np.full(k, np.nan), where=held > 0)
    return share
