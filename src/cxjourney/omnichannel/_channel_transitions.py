"""Interactions of known channel, and the transitions between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.validation import check_choice, check_duration, check_flag, duration_us
from cxjourney.domain import MISSING, Outcome
from cxjourney.exceptions import UnknownName
from cxjourney.graph import JourneyGraph
from cxjourney.journeys import CARRY_CHANNELS, check_journeys, grain_codes, is_visit
from cxjourney.log import Coded

if TYPE_CHECKING:
    from datetime import timedelta

    from cxjourney.journeys import Journeys, JourneyStatistics

ChannelBy: TypeAlias = Literal["channel", "kind", "owner", "stage", "touchpoint"]
"""What transitions are between; "kind" is that of the channel: digital, human, automated …"""

GRAINS = ("channel", "kind", "owner", "stage", "touchpoint")
SLOW_MISSING = (
    "The interaction that follows their last is not seen yet, a slow one more often than a quick "
    "one: transitions that take long count too little."
)
DAY_US = 86_400_000_000
_TIES_WORTH_SAYING = 0.01


@attrs.frozen(kw_only=True)
class Interactions:
    """Interactions whose node is known, journey by journey in order.

    Attributes
    ----------
    names
        Names of the nodes in use.
    node, journey, customer, row
        Node, number of the journey and of the customer, and row in the journeys' columns.
    weight
        How often each interaction counts; None where once.
    n, n_unknown
        All interactions, and those left out because their node was not recorded.
    """

    names: tuple[str, ...]
    node: NDArray[np.int64]
    journey: NDArray[np.int64]
    customer: NDArray[np.int64]
    row: NDArray[np.int64]
    weight: NDArray[np.int64] | None
    n: int
    n_unknown: int

    def __len__(self) -> int:
        return len(self.node)

    @property
    def ones(self) -> NDArray[np.int64]:
        """How often each interaction counts, written out."""
        return np.ones(len(self), dtype=np.int64) if self.weight is None else self.weight

    @property
    def first(self) -> NDArray[np.bool_]:
        """Whether each interaction is the first known one of its journey."""
        return np.append(True, self.journey[1:] != self.journey[:-1])[: len(self)]

    @property
    def last(self) -> NDArray[np.bool_]:
        """Whether each interaction is the last known one of its journey."""
        return np.append(self.journey[1:] != self.journey[:-1], True)[: len(self)]


@attrs.frozen(kw_only=True)
class ChannelTransitions:
    """Pairs of consecutive interactions of a journey, both of known node.

    Attributes
    ----------
    names
        Names of the nodes.
    source, target
        Node left and node reached.
    begin
        Place of the interaction left among the interactions; the one reached follows it there.
    journey, customer, weight
        As for interactions.
    lag_us
        Time between the two [µs]; None for aggregated paths.
    """

    names: tuple[str, ...]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    begin: NDArray[np.int64]
    journey: NDArray[np.int64]
    customer: NDArray[np.int64]
    weight: NDArray[np.int64] | None
    lag_us: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.source)

    @property
    def switched(self) -> NDArray[np.bool_]:
        """Whether each transition leaves its node."""
        changed: NDArray[np.bool_] = self.source != self.target
        return changed

    @property
    def total(self) -> int:
        """Number of transitions, weights counted."""
        return len(self) if self.weight is None else int(self.weight.sum())


def coded_at(journeys: Journeys, by: ChannelBy) -> Coded:
    """Return the node of each row of the journeys' columns; -1 where it was not recorded.

    Raises
    ------
    InvalidValue
        If `by` is none of the grains.
    UnknownName
        If the log has no such column, or no channel has a kind.
    """
    check_choice(by, "by", GRAINS)
    if by == "kind":
        channels = coded_at(journeys, "channel")
        kinds = [journeys.log.catalogue.channel(name).kind for name in channels.names]
        names = tuple(sorted({kind.value for kind in kinds if kind is not None}))
        if channels.names and not names:
            raise UnknownName(
                "no channel of the log has a kind: give cx.Channel(name, kind) objects, or name "
                "channels as cx.Channel knows them ('web', 'store', 'phone', 'chatbot' …)",
                name="kind",
            )
        place = [-1 if kind is None else names.index(kind.value) for kind in kinds]
        return Coded(np.array([*place, -1])[channels.codes], names)
    coded = grain_codes(journeys.columns, by)
    if MISSING not in coded.names:
        return coded.compacted()
    unknown = coded.names.index(MISSING)  # always the last
    codes = np.where(coded.codes == unknown, -1, coded.codes)
    return Coded(codes, coded.names[:unknown]).compacted()


def interactions_of(journeys: Journeys, by: ChannelBy, *, closing: bool = True) -> Interactions:
    """Return the interactions of journeys whose node is known.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.
    closing
        Whether the goal or exit that ends a journey is an interaction too.
    """
    check_flag(closing, "closing")
    coded = coded_at(check_journeys(journeys), by)
    kept = coded.codes >= 0
    counted = np.ones(len(kept), dtype=np.bool_) if closing else is_visit(journeys)
    row = np.flatnonzero(kept & counted)
    lengths = np.diff(journeys.offsets)
    journey = np.repeat(np.arange(len(lengths)), lengths)[row]
    weight = None if journeys.weight is None else journeys.weight[journey]
    return Interactions(
        names=coded.names,
        node=coded.codes[row].astype(np.int64),
        journey=journey,
        customer=journeys.customer[journey],
        row=row,
        weight=weight,
        n=int(np.count_nonzero(counted)),
        n_unknown=int(np.count_nonzero(~kept & counted)),
    )


def transitions_between(
    journeys: Journeys, interactions: Interactions, *, max_lag: timedelta | str | None = None
) -> ChannelTransitions:
    """Return the transitions between consecutive interactions.

    An interaction of unknown node is not bridged over: what came between two known ones is not
    known.

    Raises
    ------
    TimesRequired
        If `max_lag` is given and the journeys are aggregated paths.
    """
    if max_lag is not None:
        max_lag = check_duration(max_lag, "max_lag")
        journeys.require_times("max_lag=")
    begin = np.flatnonzero(~interactions.last[:-1] & (np.diff(interactions.row) == 1))
    time = journeys.columns.time
    lag = None
    if time is not None:
        row = interactions.row[begin]
        lag = time[row + 1] - time[row]
        if max_lag is not None:
            soon = lag <= duration_us(max_lag)
            begin, lag = begin[soon], lag[soon]
    return ChannelTransitions(
        names=interactions.names,
        source=interactions.node[begin],
        target=interactions.node[begin + 1],
        begin=begin,
        journey=interactions.journey[begin],
        customer=interactions.customer[begin],
        weight=None if interactions.weight is None else interactions.weight[begin],
        lag_us=lag,
    )


def customers_of(
    cell: NDArray[np.int64],
    n_cells: int,
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """Return how many customers have an entry in each cell; each of a path's journeys is one."""
    width = int(customer.max(initial=0)) + 1
    key, first = np.unique(cell * width + customer, return_index=True)
    often = None if weight is None else weight[first]
    return np.bincount(key // width, often, minlength=n_cells).astype(np.int64)


@attrs.frozen(kw_only=True)
class OrderFacts:
    """What the notes on the order and the spread of interactions are made of.

    Attributes
    ----------
    n, n_unknown
        Interactions, and those whose node was not recorded.
    n_pairs, made, switched
        Pairs of consecutive interactions, transitions that were made of them, and those of these
        that leave their node.
    lost, late
        Transitions left out: of unknown node, and later than `max_lag`.
    tied, dates_only
        Transitions without a time between, and whether timestamps are dates.
    at_end
        Transitions to the goal or exit that ends the journey.
    n_names
        Number of nodes.
    longer
        Whether any journey has more than one interaction.
    """

    n: int
    n_unknown: int
    n_pairs: int
    made: int
    switched: int
    lost: int
    late: int
    tied: int
    dates_only: bool
    at_end: int
    n_names: int
    longer: bool


def order_notes(
    journeys: Journeys,
    by: ChannelBy,
    *,
    closing: bool = True,
    max_lag: timedelta | str | None = None,
) -> tuple[str, ...]:
    """Return the notes on the order and the spread of interactions."""
    coded, time = coded_at(journeys, by), journeys.columns.time
    facts = order_facts(journeys, coded, closing=closing, max_lag=max_lag)
    dates = time is not None and facts.tied > 0 and not np.any((time - time[0]) % DAY_US)
    return notes_of_order(attrs.evolve(facts, dates_only=dates), by)


def order_facts(
    journeys: Journeys, coded: Coded, *, closing: bool, max_lag: timedelta | str | None = None
) -> OrderFacts:
    """Return the same facts, given the node of each row; whether times are dates is not asked."""
    code, time, ends = coded.codes, journeys.columns.time, ~is_visit(journeys)
    lengths, known = np.diff(journeys.offsets), coded.codes >= 0
    counted = np.ones(len(code), dtype=np.bool_) if closing else ~ends
    made = known[1:] & known[:-1]
    made[journeys.offsets[1:-1] - 1] = False
    if not closing:
        made &= ~ends[1:]
    n_pairs = int(np.maximum((lengths if closing else journeys.lengths) - 1, 0).sum())
    lost = n_pairs - _count(made)
    if max_lag is not None and time is not None:
        made &= np.diff(time) <= duration_us(check_duration(max_lag, "max_lag"))
    return OrderFacts(
        n=_count(counted),
        n_unknown=_count(counted & ~known),
        n_pairs=n_pairs,
        made=_count(made),
        switched=_count(made & (code[1:] != code[:-1])),
        lost=lost,
        late=n_pairs - lost - _count(made),
        tied=0 if time is None else _count(made & (time[1:] == time[:-1])),
        dates_only=False,
        at_end=_count(made & ends[1:]),
        n_names=len(coded.names),
        longer=bool(np.any(lengths > 1)),
    )


def _count(some: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(some))


def notes_of_order(facts: OrderFacts, by: ChannelBy) -> tuple[str, ...]:
    """Return the notes that the facts call for."""
    notes = []
    noun = "kind of channel" if by == "kind" else by
    tied = facts.tied / max(facts.made, 1)
    if tied > 0 and facts.dates_only:
        notes.append(
            f"The timestamps are dates only, and {tied:.0%} of consecutive interactions fall on "
            "one day. Their order is that of the input and says nothing."
        )
    elif tied > _TIES_WORTH_SAYING:
        notes.append(
            f"{tied:.0%} of consecutive interactions have equal timestamps. Their order is that "
            "of the input."
        )
    if facts.n_unknown:
        left_out = f"are left out, and the {facts.lost:,} transitions to or from them."
        notes.append(unknown_note(facts, noun, left_out))
    if facts.at_end:
        notes.append(
            f"{facts.at_end:,} of the {facts.made:,} transitions lead to the goal or exit that "
            "ends the journey: groups that convert more have more of them. In Python, "
            "closing=False leaves them out."
        )
    if facts.late:
        notes.append(f"{facts.late:,} transitions later than max_lag are left out.")
    if not facts.n_names:
        notes.append(f"No {noun} was recorded, so that nothing can be measured.")
    elif facts.n_names == 1:
        notes.append(f"There is one {noun} only, so that there are no switches.")
    elif not facts.made:
        notes.append(f"{_why_none(facts, noun)}.")
    elif not facts.switched:
        where = "" if facts.made == facts.n_pairs else ", as far as it is known"
        notes.append(f"Every journey stays at one {noun}{where}, so that there are no switches.")
    return tuple(notes)


def progress_note(
    journeys: Journeys | JourneyStatistics | JourneyGraph, errs: str
) -> tuple[str, ...]:
    """Return the note on journeys in progress, and on what they make too high or too low."""
    if isinstance(journeys, JourneyGraph):
        n, n_journeys = journeys.graph["n_in_progress"], journeys.graph["n_journeys"]
    else:
        n, n_journeys = journeys.outcomes[Outcome.IN_PROGRESS], len(journeys)
    return (f"{n:,} journeys are in progress. {errs}",) if 0 < n < n_journeys else ()


def outcome_rows(journeys: Journeys) -> NDArray[np.bool_]:
    """Return whether each row is the goal or exit that ends its journey, or any other goal."""
    rows = ~is_visit(journeys)
    if journeys.rules.goal and not journeys.rules.absorbing:
        touchpoint = journeys.columns.coded["touchpoint"]
        goals = [i for i, name in enumerate(touchpoint.names) if name in journeys.rules.goal]
        rows |= np.isin(touchpoint.codes, goals)
    return rows


def unknown_note(interactions: Interactions | OrderFacts, noun: str, left_out: str) -> str:
    """Return the note on interactions whose node was not recorded, and what became of them."""
    n = interactions.n_unknown
    note = (
        f"{n:,} interactions without a recorded {noun} ({n / interactions.n:.1%} of all) {left_out}"
    )
    return note + CARRY_CHANNELS if "channel" in noun else note


def _why_none(facts: OrderFacts, noun: str) -> str:
    if facts.late and not facts.lost:
        return "No two interactions of a journey are as close as max_lag"
    if facts.n_pairs:
        return (
            f"Of no two consecutive interactions is the {noun} of both known, so that there are no "
            "transitions"
        )
    before = " before the one that ends it" if facts.longer else ""
    return f"No journey has two interactions{before}, so that there are no transitions"
