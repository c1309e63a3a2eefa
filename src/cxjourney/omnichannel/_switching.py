"""Switching rates, bounce-back, and containment of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, overload

import attrs
import numpy as np

from cxjourney._stats.estimates import mean_of_figures, share_of_figures
from cxjourney._stats.ratios import ratio_of_sums, shares_of_sums
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.journeys import (
    BySegment,
    JourneyStatistics,
    SegmentBy,
    by_segment,
    check_counted,
    check_journeys,
    spread_of_journeys,
    spread_of_statistics,
)
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._channel_transitions import (
    ChannelBy,
    coded_at,
    progress_note,
)
from cxjourney.omnichannel._transitions import transitions_counted

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.journeys import By, Journeys, SpreadSums


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
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> Switching: ...


@overload
def switching(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[Switching]: ...


def switching(
    journeys: Journeys | JourneyStatistics,
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
        The journeys, or statistics that add up; aggregated paths count with their weights.
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
    if segment is not None:
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: switching(part, by=by, closing=closing, level=level),
        )
    source = check_counted(journeys)
    check_level(level)
    made = transitions_counted(source, by, closing=closing)
    spread = spread_counted(source, by, made.names, closing=closing)
    noun = "kind of channel" if by == "kind" else by
    k = max(1, len(made.names))
    switched = made.own[:, made.cells // k != made.cells % k].sum(axis=1)
    begun = spread.journeys.sum(axis=1)

    def share(
        part: Floats, whole: Floats, name: str, definition: str, censored: int = 0
    ) -> Estimate:
        found = ratio_of_sums(part[:, None], whole[:, None])
        return share_of_figures(
            found, level=level, name=name, definition=definition, n_censored=censored
        )

    return Switching(
        by=by,
        per_transition=share(
            switched,
            made.own.sum(axis=1),
            "switches per transition",
            f"transitions to another {noun} / transitions",
        ),
        per_journey=mean_of_figures(
            ratio_of_sums(spread.switches[:, None], spread.moving[:, None]),
            level=level,
            name="switches per journey",
            definition=f"mean over journeys of: transitions to another {noun} / transitions",
            unit="fraction",
            n_missing=spread.n_still,
            of_shares=True,
        ),
        multichannel=share(
            begun - spread.contained.sum(axis=1),
            begun,
            f"multi-{by} journeys",
            f"journeys with at least two {noun}s / journeys",
        ),
        bounce_back=share(
            spread.back,
            spread.left,
            "bounce-back",
            f"switches after which the next {noun} is the one just left / switches",
            spread.n_censored,
        ),
        channels=_containment(source, spread, made.names, by, level),
        level=level,
        notes=(
            *made.notes,
            *progress_note(
                source,
                "They may still switch, come back and convert: multichannel, bounce-back and the "
                "share converted are too low, and containment is too high.",
            ),
        ),
    )


def spread_counted(
    source: Journeys | JourneyStatistics, by: ChannelBy, names: tuple[str, ...], *, closing: bool
) -> SpreadSums:
    """Return how contacts spread over nodes, whose names are those of the transitions."""
    if isinstance(source, JourneyStatistics):
        return spread_of_statistics(source, cast("By", by), closing=closing)
    code = coded_at(source, by).codes.astype(np.int64)
    return spread_of_journeys(source, code, len(names), closing=closing)


def _containment(
    source: Journeys | JourneyStatistics,
    spread: SpreadSums,
    names: tuple[str, ...],
    by: ChannelBy,
    level: float,
) -> Table:
    k = len(names)
    both = np.stack([spread.journeys - spread.contained, spread.contained], axis=2)
    found = shares_of_sums(both.reshape(len(both), 2 * k), np.arange(2 * k) // 2, level=level)
    stayed = slice(1, None, 2)
    has_goal = bool(source.rules.goal) or getattr(source, "weight", None) is not None
    converted = spread.converted if has_goal else np.full(k, np.nan)
    some = found.base[stayed] > 0
    columns = {
        by: np.array(names, dtype=object)[some].tolist(),
        "journeys": found.base[stayed][some],
        "contained": found.count[stayed][some],
        "in_progress": spread.in_progress[some],
        "converted": converted[some],
        "containment": found.value[stayed][some],
        "low": found.low[stayed][some],
        "high": found.high[stayed][some],
    }
    formats = dict.fromkeys(("converted", "containment", "low", "high"), "percent")
    return Table(columns, formats=formats, backend=source.backend)
