"""Every visit of every journey, at a grain: where, where to next, after how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED
from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney.domain import MISSING
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, IN_PROGRESS
from cxjourney.log import Coded, Columns

if TYPE_CHECKING:
    from cxjourney.journeys._journeys import Journeys

__all__ = ["By", "Grain", "Visits", "grain_codes", "touches_of", "visits_at", "visits_of"]

Grain: TypeAlias = Literal["touchpoint", "channel", "stage", "owner"]
By: TypeAlias = Grain | tuple[Grain, Grain]
"""What a node is: one of the four, or a pair of them."""

GRAINS = ("touchpoint", "channel", "stage", "owner")
NEVER = np.iinfo(np.int64).max


@attrs.frozen(kw_only=True)
class Visits:
    """All visits, journey by journey in order; the goal or exit that ends a journey is none.

    With K nodes, code K is START, K + 1 is CONVERSION, K + 2 is DROPOFF and -1 is "still open".

    Attributes
    ----------
    names
        Names of the K nodes.
    node
        Node of each visit.
    previous
        Node before, K (START) for the first of a journey.
    following
        Node after, or how the journey ended.
    wait_us
        Time to the next touch, goal or exit [µs]; for an open visit the time since; for a lost
        one a very large number. None for aggregated paths.
    state
        `MOVED`, `STAYED` (lost in silence) or `OPEN`, from `cxjourney._stats.aalen_johansen`.
    journey
        Number of the journey.
    customer
        Number of the customer.
    row
        Row in the journeys' columns.
    weight
        How often each visit counts; None where once.
    """

    names: tuple[str, ...]
    node: NDArray[np.int64]
    previous: NDArray[np.int64]
    following: NDArray[np.int64]
    wait_us: NDArray[np.int64] | None
    state: NDArray[np.int8]
    journey: NDArray[np.int64]
    customer: NDArray[np.int64]
    row: NDArray[np.int64]
    weight: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.node)

    @property
    def start(self) -> int:
        """Code of START."""
        return len(self.names)

    @property
    def conversion(self) -> int:
        """Code of CONVERSION."""
        return len(self.names) + 1

    @property
    def dropoff(self) -> int:
        """Code of DROPOFF."""
        return len(self.names) + 2


def grain_codes(columns: Columns, by: By) -> Coded:
    """Return the node of each row at a grain; what was not recorded is the node `MISSING`.

    A pair is named "first @ second", with every "@" of a name doubled so that names stay distinct.

    Raises
    ------
    InvalidValue
        If `by` is no grain or pair of two grains.
    UnknownName
        If the log has no such column.
    """
    if isinstance(by, str):
        return _single(columns, by)
    if not isinstance(by, tuple) or len(by) != 2 or by[0] == by[1]:
        raise InvalidValue.of("by", f"be one of {', '.join(GRAINS)}, or a pair of two", by)
    first, second = _single(columns, by[0]), _single(columns, by[1])
    key = first.codes.astype(np.int64) * len(second.names) + second.codes
    used, codes = distinct(key)
    names = tuple(
        f"{_escaped(first.names[k // len(second.names)])} @ "
        f"{_escaped(second.names[k % len(second.names)])}"
        for k in used.tolist()
    )
    return Coded(codes, names)


def _escaped(name: str) -> str:
    return name.replace("@", "@@")


def _single(columns: Columns, by: str) -> Coded:
    if by not in GRAINS:
        raise InvalidValue.of("by", f"be one of {', '.join(GRAINS)}, or a pair of two", by)
    coded = columns.coded.get(by)
    if coded is None and not len(columns):
        return Coded(np.zeros(0, dtype=np.int8), ())  # an empty log lacks no column
    if coded is None:
        known = tuple(name for name in GRAINS if name in columns.coded)
        raise UnknownName(
            f"the log has no {by}s: build it with {by}=, or pass "
            f"{' or '.join(f'by={name!r}' for name in known)}",
            name=by,
            known=known,
        )
    if not np.any(coded.codes < 0):
        return coded
    codes = np.where(coded.codes < 0, len(coded.names), coded.codes.astype(np.int64))
    return Coded(codes, (*coded.names, MISSING))


def touches_of(journeys: Journeys, by: By) -> tuple[Coded, NDArray[np.intp]]:
    """Return the node of each touch, and its row: the goal or exit that ends a journey is none."""
    return _touches_at(journeys, grain_codes(journeys.columns, by))


def _touches_at(journeys: Journeys, nodes: Coded) -> tuple[Coded, NDArray[np.intp]]:
    is_touch = np.ones(len(nodes), dtype=np.bool_)
    is_touch[journeys.offsets[1:][journeys.absorbed] - 1] = False
    row = np.flatnonzero(is_touch)
    return Coded(seal(nodes.codes[row]), nodes.names).compacted(), row


def visits_of(journeys: Journeys, by: By = "touchpoint") -> Visits:
    """Return the visits of journeys at a grain.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.
    """
    return visits_at(journeys, grain_codes(journeys.columns, by))


def visits_at(journeys: Journeys, nodes: Coded) -> Visits:
    """Return the visits of journeys, given the node of each row of their columns."""
    coded, row = _touches_at(journeys, nodes)
    node = coded.codes.astype(np.int64)
    k = len(coded.names)
    lengths = journeys.lengths
    journey = np.repeat(np.arange(len(lengths)), lengths)
    stop = np.cumsum(lengths)
    some = lengths > 0
    first, last = (stop - lengths)[some], stop[some] - 1
    previous = np.empty(len(node), dtype=np.int64)
    previous[1:] = node[:-1]
    previous[first] = k
    following = np.empty(len(node), dtype=np.int64)
    following[:-1] = node[1:]
    outcome, absorbed = journeys.outcome[some], journeys.absorbed[some]
    following[last] = np.select(
        [outcome == CONVERTED, outcome == DROPPED, outcome == IN_PROGRESS], [k + 1, k + 2, -1]
    )
    state = np.zeros(len(node), dtype=np.int8)
    state[last] = np.select(
        [outcome == IN_PROGRESS, (outcome == DROPPED) & ~absorbed], [OPEN, STAYED], default=MOVED
    )
    return Visits(
        names=coded.names,
        node=node,
        previous=previous,
        following=following,
        wait_us=_waits(journeys, row, last, state),
        state=state,
        journey=journey,
        customer=journeys.customer[journey],
        row=row,
        weight=None if journeys.weight is None else journeys.weight[journey],
    )


def _waits(
    journeys: Journeys, row: NDArray[np.intp], last: NDArray[np.int64], state: NDArray[np.int8]
) -> NDArray[np.int64] | None:
    time = journeys.columns.time
    if time is None:
        return None
    here = time[row]
    after = np.empty(len(row), dtype=np.int64)
    after[:-1] = here[1:]
    ends = row[last] + 1  # the goal or exit, where the journey has one
    after[last] = time[np.minimum(ends, len(time) - 1)] if len(last) else 0
    wait = after - here
    wait[state == STAYED] = NEVER
    until = journeys.log.observed_until_us
    still_open = state == OPEN
    if until is not None:
        # stamps after the end of the observation are counted in the audit; they waited for nothing
        wait[still_open] = np.maximum(until - here[still_open], 0)
    converted_without_goal = last[
        (journeys.outcome[journeys.lengths > 0] == CONVERTED)
        & ~journeys.absorbed[journeys.lengths > 0]
    ]
    wait[converted_without_goal] = 0
    return wait
