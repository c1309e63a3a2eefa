"""Entropy of channels: of all interactions, of the next one, within a journey."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, overload

import attrs
import numpy as np

from cxjourney._stats.estimates import CLUSTERED, mean_of_figures
from cxjourney._stats.ratios import ratio_of_sums
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import BySegment, SegmentBy, by_segment, check_journeys, check_source
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._bits import (
    bias_of,
    bits_estimate,
    entropy_of,
    information_of,
    seen,
    summed,
)
from cxjourney.omnichannel._channel_transitions import (
    SLOW_MISSING,
    ChannelBy,
    progress_note,
)
from cxjourney.omnichannel._switching import spread_counted
from cxjourney.omnichannel._transitions import transitions_counted

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.journeys import Journeys, JourneyStatistics


@attrs.frozen(kw_only=True, repr=False)
class ChannelEntropy(Result):
    """How spread interactions are over channels.

    Attributes
    ----------
    by
        What interactions are spread over.
    interactions
        Entropy of the channel of an interaction [bits], corrected for bias.
    transitions
        Entropy of the next channel given the present one [bits], corrected for bias.
    within_journeys
        Expected entropy of two interactions of one journey [bits]: the chance that they differ.
    normalised
        `interactions` over its largest possible value, in [0, 1]; NaN with one channel.
    n_channels
        Number of channels in use.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Channel entropy"

    by: ChannelBy
    interactions: Estimate
    transitions: Estimate
    within_journeys: Estimate
    normalised: float
    n_channels: int
    level: float
    notes: tuple[str, ...]

    def _table(self) -> Table:
        return _rows(self.interactions, self.transitions, self.within_journeys)

    def _notes(self) -> tuple[str, ...]:
        known = CLUSTERED in self.transitions.method
        how = (
            f"{100 * self.level:g}% intervals are {CLUSTERED}"
            if known
            else "There are no intervals"
        )
        return (
            f"{self.n_channels} are in use. Values have Miller and Madow's correction.",
            f"{how}.",
            *self.notes,
        )


@overload
def channel_entropy(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: None = None,
    level: float = 0.95,
) -> ChannelEntropy: ...


@overload
def channel_entropy(
    journeys: Journeys | JourneyStatistics,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy,
    level: float = 0.95,
) -> BySegment[ChannelEntropy]: ...


def channel_entropy(
    journeys: Journeys | JourneyStatistics | JourneyGraph,
    *,
    by: ChannelBy = "channel",
    closing: bool = True,
    segment: SegmentBy | None = None,
    level: float = 0.95,
) -> ChannelEntropy | BySegment[ChannelEntropy]:
    """Return how spread interactions are: over all channels, after each other, within a journey.

    Parameters
    ----------
    journeys
        The journeys, statistics that add up, or a whole graph, of which `by` is the grain and
        `closing` is False; aggregated paths count with their weights.
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
    ChannelEntropy
        0 bits with one channel; NaN without interactions. A graph has no customers and no single
        journeys: intervals and `within_journeys` are NaN.
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    InvalidValue
        If statistics or a graph are asked for what they have not counted.
    NotAFlow
        If the graph is a subgraph or was filtered.
    UnknownName
        If the log has no such column.

    Notes
    -----
    H = -Σ p log₂ p + (K - 1) / (2 n ln 2) over the K channels that occur (Miller 1955), and -Σ p(a)
    p(b|a) log₂ p(b|a), corrected in each row. The entropy of a whole journey grows with its length,
    so it is rarefied to two interactions: long and short journeys compare. The correction takes
    interactions as independent, which within a customer they are not: it is a lower bound of the
    bias.

    Examples
    --------
    >>> from cxjourney import Journeys
    >>> journeys = Journeys.from_paths(
    ...     [["web", "app"], ["web", "web"]], converted=[500, 500], channels=True
    ... )
    >>> found = channel_entropy(journeys)
    >>> round(found.interactions.value, 3), round(found.within_journeys.value, 3)
    (0.812, 0.5)
    """
    if segment is not None and not isinstance(journeys, JourneyGraph):
        return by_segment(
            check_journeys(journeys),
            segment,
            lambda part: channel_entropy(part, by=by, closing=closing, level=level),
        )
    counted = check_source(journeys, by, segment=segment)
    check_level(level)
    made = transitions_counted(counted, by, closing=closing)
    if isinstance(counted, JourneyGraph):
        contacts = np.array([[float(counted.nodes[name]["visits"]) for name in made.names]])
        differing, several, n_single = np.zeros(1), np.zeros(1), 0
    else:
        spread = spread_counted(counted, by, made.names, closing=closing)
        contacts, n_single = spread.contacts, spread.n_single
        differing, several = spread.differing, spread.several
    noun = "kind of channel" if by == "kind" else by
    k = len(made.names)
    bound = math.log2(k) if k else math.nan
    found = bits_estimate(
        lambda counts: entropy_of(counts) + bias_of(seen(counts) - 1, counts),
        contacts,
        bound=bound,
        level=level,
        name=f"{noun} of an interaction",
        definition="-Σ p log₂ p",
    )
    source = made.cells // max(1, k)

    def conditional(counts: Floats) -> Floats:
        rows = summed(counts, source, k)
        free = seen(counts) - seen(rows)
        return -information_of(counts, rows[..., source]) + bias_of(free, counts)

    following = bits_estimate(
        conditional,
        made.own,
        bound=bound,
        level=level,
        name=f"next {noun}, given the present one",
        definition="-Σ p(a) p(b|a) log₂ p(b|a)",
    )
    within = mean_of_figures(
        ratio_of_sums(differing[:, None], several[:, None]),
        level=level,
        name="two interactions of a journey",
        definition=f"chance that two interactions of a journey differ in {noun}",
        unit="bits",
        n_missing=n_single,
        of_shares=True,
    )
    if isinstance(counted, JourneyGraph):
        found, following, within = (
            attrs.evolve(one, method="no interval without customers", notes=())
            for one in (found, following, within)
        )
    return ChannelEntropy(
        by=by,
        interactions=found,
        transitions=following,
        within_journeys=within,
        normalised=found.value / bound if k > 1 else math.nan,
        n_channels=k,
        level=level,
        notes=(*made.notes, *progress_note(counted, SLOW_MISSING)),
    )


def _rows(*estimates: Estimate) -> Table:
    return Table(
        {
            "measure": [e.name for e in estimates],
            "bits": [e.value for e in estimates],
            "low": [e.low for e in estimates],
            "high": [e.high for e in estimates],
            "n": [e.n for e in estimates],
        }
    )
