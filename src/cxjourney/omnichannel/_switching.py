"""How often customers switch, whether they come back, and which channels keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.clustered import shares
from cxjourney._stats.clustered_estimates import mean_estimate, share_estimate
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.journeys import CONVERTED, IN_PROGRESS
from cxjourney.metrics import Estimate
from cxjourney.omnichannel._contacts import By, Contacts, contacts_of, moves_of, order_notes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

__all__ = ["Switching", "switching"]


@attrs.frozen(kw_only=True, repr=False)
class Switching(Result):
    """How often customers switch.

    Attributes
    ----------
    by
        What is switched.
    per_transition
        Share of the moves between consecutive contacts that are switches [fraction].
    per_journey
        The same share for each journey of at least two contacts, averaged [fraction].
    multichannel
        Share of the journeys with contacts in at least two channels [fraction].
    bounce_back
        Share of the switches A → B after which the next channel is A again [fraction].
    channels
        One row a channel where journeys begin: `journeys`, `contained` (those that never leave it)
        and of these `open` (still running) and `converted` [fraction]; `containment` [fraction]
        with `low` and `high`.
    level
        Confidence level of the intervals.
    notes
        What a reader must know.
    """

    title = "Switching"

    by: By
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
        return (f"{100 * self.level:g}% intervals, clustered by customer", *self.notes)


def switching(
    journeys: Journeys, *, by: By = "channel", closing: bool = True, level: float = 0.95
) -> Switching:
    """Return how often customers switch channels, come back, and stay where they began.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    by
        "channel", "kind" (of the channel), "owner", "stage" or "touchpoint".
    closing
        Whether the goal or exit that ends a journey counts as a contact in its channel.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Switching
        Numbers are NaN where there is nothing to count.

    Raises
    ------
    UnknownName
        If the log has no such column.

    Notes
    -----
    A journey of one contact has no moves: it counts among the single-channel journeys, not among
    the rates. A journey in progress may still switch or come back: containment is then too high and
    bouncing back too low; how many are open stands beside them. Longer journeys see more channels,
    whatever the channels are.

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
    check_level(level)
    contacts = contacts_of(journeys, by, closing=closing)
    moves = moves_of(journeys, contacts)
    noun = "kind of channel" if by == "kind" else by
    per_transition = share_estimate(
        moves.switched,
        moves.customer,
        moves.weight,
        level=level,
        name="switches per transition",
        definition=f"moves to another {noun} / moves",
    )
    begins, mixed = contacts.first, _mixed(contacts)
    weight = None if contacts.weight is None else contacts.weight[begins]
    return Switching(
        by=by,
        per_transition=per_transition,
        per_journey=_per_journey(contacts, moves.journey, moves.switched, noun, level),
        multichannel=share_estimate(
            mixed,
            contacts.customer[begins],
            weight,
            level=level,
            name=f"multi-{by} journeys",
            definition=f"journeys with at least two {noun}s / journeys",
        ),
        bounce_back=_bounce_back(journeys, contacts, noun, level),
        channels=_containment(journeys, contacts, mixed, by, level),
        level=level,
        notes=order_notes(journeys, contacts, moves, by),
    )


def _mixed(contacts: Contacts) -> NDArray[np.bool_]:
    """Return for each journey with a known contact whether it has two nodes."""
    starts = np.flatnonzero(contacts.first)
    if not len(starts):
        return np.zeros(0, dtype=np.bool_)
    lowest = np.minimum.reduceat(contacts.node, starts)
    highest = np.maximum.reduceat(contacts.node, starts)
    different: NDArray[np.bool_] = lowest != highest
    return different


def _per_journey(
    contacts: Contacts,
    journey: NDArray[np.int64],
    switched: NDArray[np.bool_],
    noun: str,
    level: float,
) -> Estimate:
    size = int(contacts.journey[-1]) + 1 if len(contacts) else 0
    moves = np.bincount(journey, minlength=size)
    switches = np.bincount(journey, weights=switched, minlength=size)
    here = contacts.journey[contacts.first]
    some = moves[here] > 0
    weight = None if contacts.weight is None else contacts.weight[contacts.first]
    alone = np.count_nonzero(~some) if weight is None else weight[~some].sum()
    here = here[some]
    return mean_estimate(
        switches[here] / moves[here],
        contacts.customer[contacts.first][some],
        None if weight is None else weight[some],
        level=level,
        name="switches per journey",
        definition=f"mean over journeys of: moves to another {noun} / moves",
        unit="fraction",
        n_missing=int(alone),
        of_shares=True,
    )


def _bounce_back(journeys: Journeys, contacts: Contacts, noun: str, level: float) -> Estimate:
    """Return the share of switches that are taken back, over runs of contacts at one node."""
    new = contacts.first.copy()
    if len(new):
        gap = np.diff(contacts.row) != 1  # between them lies a contact of unknown node
        new[1:] |= (np.diff(contacts.node) != 0) | gap
        follows = np.append(False, ~gap) & ~contacts.first
    else:
        follows = new
    run = np.flatnonzero(new)
    node, journey, joined = contacts.node[run], contacts.journey[run], follows[run]
    begin = np.flatnonzero(joined[1:])  # runs with a switch out of them
    onward = begin + 2
    there = np.minimum(onward, max(0, len(run) - 1))
    goes_on = (onward < len(run)) & joined[there]
    back = goes_on & (node[there] == node[begin])
    open_end = ~goes_on & (journeys.outcome[journey[begin]] == IN_PROGRESS)
    return share_estimate(
        back,
        contacts.customer[run][begin],
        None if contacts.weight is None else contacts.weight[run][begin],
        level=level,
        name="bounce-back",
        definition=f"switches after which the next {noun} is the one just left / switches",
        n_censored=int(np.count_nonzero(open_end)),
    )


def _containment(
    journeys: Journeys, contacts: Contacts, mixed: NDArray[np.bool_], by: By, level: float
) -> Table:
    begins = contacts.first
    journey, first = contacts.journey[begins], contacts.node[begins]
    weight = None if contacts.weight is None else contacts.weight[begins]
    ones = np.ones(len(first)) if weight is None else weight.astype(np.float64)
    k = len(contacts.names)
    found = shares(
        2 * first + ~mixed, np.arange(2 * k) // 2, contacts.customer[begins], weight, level=level
    )
    stayed = slice(1, None, 2)
    outcome = journeys.outcome[journey]

    def among_contained(which: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(first, ones * (which & ~mixed), minlength=k).astype(np.float64)

    contained = found.count[stayed]
    has_goal = bool(journeys.rules.goal) or journeys.weight is not None
    with np.errstate(invalid="ignore"):
        converted = among_contained(outcome == CONVERTED) / contained
    some = found.base[stayed] > 0
    columns = {
        by: np.array(contacts.names, dtype=object)[some].tolist(),
        "journeys": found.base[stayed][some],
        "contained": contained[some],
        "open": among_contained(outcome == IN_PROGRESS).astype(np.int64)[some],
        "converted": converted[some] if has_goal else np.full(int(some.sum()), np.nan),
        "containment": found.value[stayed][some],
        "low": found.low[stayed][some],
        "high": found.high[stayed][some],
    }
    formats = dict.fromkeys(("converted", "containment", "low", "high"), "percent")
    return Table(columns, formats=formats, backend=journeys.log.backend)
