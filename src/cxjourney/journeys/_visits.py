"""The visits of journeys at a grain: the node, the next node, and the time between."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney._support.memo import Memo
from cxjourney.domain import CONVERSION, DROPOFF, MISSING, START
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, IN_PROGRESS
from cxjourney.kernels import waits_of_visits
from cxjourney.log import Coded, Columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import networkx as nx

    from cxjourney.journeys._adding import JourneyStatistics

Grain: TypeAlias = Literal["touchpoint", "channel", "stage", "owner"]
By: TypeAlias = Grain | tuple[Grain, Grain]
"""What a node is: one of the four, or a pair of them."""

GRAINS = ("touchpoint", "channel", "stage", "owner")
_GRAIN_RULE = f"be one of {', '.join(map(repr, GRAINS))}, or a tuple of two of them"
NEVER = np.iinfo(np.int64).max
CARRY_CHANNELS = (
    " If a channel is recorded once a session, log.journeys(carry_channels=…) carries it forward."
)
_BLOCK = 1 << 19
_SMALL = 100_000
"""Rows of a log whose visits are kept; those of a larger one are found again when needed."""


@attrs.frozen(kw_only=True, eq=False)
class Visits:
    """All visits, journey by journey in order; the goal or exit that ends a journey is none.

    With K nodes, code K is START, K + 1 is CONVERSION, K + 2 is DROPOFF and -1 is "not known yet".

    Attributes
    ----------
    names
        Names of the K nodes.
    code
        Node of each visit, in few bytes.
    journeys
        The journeys that the visits belong to.
    by
        What a node is; None where the caller has said it.
    contacts
        Whether ends of journeys are among them, so that they have no waits, and none is open.
    memo
        What is made of visits whose nodes the caller has said.
    """

    names: tuple[str, ...]
    code: NDArray[np.unsignedinteger]
    journeys: Journeys
    by: By | None = None
    contacts: bool = False
    memo: Memo = attrs.field(factory=Memo, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.code)

    @cached_property
    def node(self) -> NDArray[np.int64]:
        """Node of each visit."""
        return self.code.astype(np.int64)

    @property
    def timed(self) -> bool:
        """Whether there are waits: aggregated paths and contacts have none."""
        return not self.contacts and self.journeys.columns.time is not None

    @property
    def wait_us(self) -> NDArray[np.int64] | None:
        """Time to the next visit, goal or exit [µs], None where there is none.

        For a censored visit it is the time since; for a lost one a very large number.
        """
        return _waits_of(self.journeys)[0] if self.timed else None

    @cached_property
    def state(self) -> NDArray[np.int8]:
        """`MOVED`, `STAYED` (in silence) or `OPEN`, from `cxjourney._stats.aalen_johansen`."""
        if self.contacts:
            return np.full(len(self), MOVED, dtype=np.int8)
        return _waits_of(self.journeys)[1]

    @cached_property
    def open(self) -> NDArray[np.int64]:
        """Place of each visit whose end is not known yet."""
        journeys, lengths = self.journeys, self.journeys.lengths
        still = (journeys.outcome == IN_PROGRESS) & (lengths > 0)
        return np.asarray(np.cumsum(lengths)[still] - 1, dtype=np.int64)

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

    @property
    def first(self) -> NDArray[np.int64]:
        """Place of the first visit of each journey that has one."""
        return first_visits(self.journeys)

    @property
    def last(self) -> NDArray[np.int64]:
        """Place of the last visit of each journey that has one."""
        return last_visits(self.journeys)

    @cached_property
    def journey(self) -> NDArray[np.int64]:
        """Number of the journey of each visit."""
        lengths = self.journeys.lengths
        return np.repeat(np.arange(len(lengths)), lengths)

    @cached_property
    def customer(self) -> NDArray[np.int64]:
        """Number of the customer of each visit."""
        return self.journeys.customer[self.journey]

    @cached_property
    def row(self) -> NDArray[np.intp]:
        """Row of each visit in the journeys' columns."""
        return visit_rows(self.journeys)

    @cached_property
    def weight(self) -> NDArray[np.int64] | None:
        """How often each visit counts; None where once."""
        weight = self.journeys.weight
        return None if weight is None else weight[self.journey]

    @cached_property
    def previous(self) -> NDArray[np.int64]:
        """Node before each visit, K (START) for the first of a journey."""
        previous = np.empty(len(self), dtype=np.int64)
        previous[1:] = self.code[:-1]
        previous[self.first] = self.start
        return previous

    @cached_property
    def following(self) -> NDArray[np.int64]:
        """Node after each visit, or how the journey ended."""
        following = np.empty(len(self), dtype=np.int64)
        following[:-1] = self.code[1:]
        following[self.last] = self.ends
        return following

    @property
    def ends(self) -> NDArray[np.int64]:
        """How each journey that has a visit ended."""
        outcome = self.journeys.outcome[self.journeys.lengths > 0]
        return np.select(
            [outcome == CONVERTED, outcome == DROPPED, outcome == IN_PROGRESS],
            [self.conversion, self.dropoff, -1],
        )


def grain_name(by: By) -> str:
    """Return the name of the column that holds the nodes of a grain."""
    return by if isinstance(by, str) else ", ".join(by)


def check_grain(by: By, argument: str = "by") -> None:
    """Raise InvalidValue if `by` is no grain or pair of two grains."""
    pair = isinstance(by, tuple) and len(by) == 2 and by[0] != by[1]
    if not isinstance(by, str) and not pair:
        raise InvalidValue.of(argument, _GRAIN_RULE, by)
    for one in (by,) if isinstance(by, str) else by:
        if one not in GRAINS:
            raise InvalidValue.of(argument, _GRAIN_RULE, one, choices=GRAINS)


def grain_codes(columns: Columns, by: By, argument: str = "by") -> Coded:
    """Return the node of each row at a grain; what was not recorded is the node `MISSING`.

    A pair is named "first @ second", with every "@" of a name doubled so that names stay distinct.
    `argument` is what the caller wrote the grain to, for the messages.

    Raises
    ------
    InvalidValue
        If `by` is no grain or pair of two grains.
    UnknownName
        If the log has no such column.
    """
    check_grain(by, argument)
    if isinstance(by, str):
        return _single(columns, by, argument)
    first, second = (_single(columns, one, argument) for one in by)
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


def _single(columns: Columns, by: str, argument: str) -> Coded:
    coded = columns.coded.get(by)
    if coded is None and not len(columns):
        return Coded(np.zeros(0, dtype=np.int8), ())  # an empty log lacks no column
    if coded is None:
        known = tuple(name for name in GRAINS if name in columns.coded)
        raise UnknownName(
            f"the log has no {by}s: build it with {by}=, or pass "
            f"{' or '.join(f'{argument}={name!r}' for name in known)}",
            name=by,
            known=known,
        )
    if not np.any(coded.codes < 0):
        return coded
    codes = np.where(coded.codes < 0, len(coded.names), coded.codes.astype(np.int64))
    return Coded(codes, (*coded.names, MISSING))


def visit_rows(journeys: Journeys) -> NDArray[np.intp]:
    """Return the rows that are visits."""
    return np.flatnonzero(is_visit(journeys))


def is_visit(journeys: Journeys) -> NDArray[np.bool_]:
    """Return whether each row is a visit: the goal or exit that ends a journey is none."""
    visit = np.ones(len(journeys.columns), dtype=np.bool_)
    visit[journeys.offsets[1:][journeys.absorbed] - 1] = False
    return visit


def coded_visits(journeys: Journeys, nodes: Coded) -> Coded:
    """Return the node of each visit, given that of each row, in few bytes.

    Nodes without a visit are left out.
    """
    if journeys.absorbed.any():
        nodes = attrs.evolve(nodes, codes=nodes.codes[is_visit(journeys)])
    nodes = nodes.compacted()
    small = np.min_scalar_type(max(len(nodes.names), 1))
    return Coded(seal(nodes.codes.astype(small, copy=False)), nodes.names)


def first_visits(journeys: Journeys) -> NDArray[np.int64]:
    """Return the place of the first visit of each journey that has one."""
    lengths = journeys.lengths
    return (np.cumsum(lengths) - lengths)[lengths > 0]


def last_visits(journeys: Journeys) -> NDArray[np.int64]:
    """Return the place of the last visit of each journey that has one."""
    lengths = journeys.lengths
    return np.cumsum(lengths)[lengths > 0] - 1


def visits_of(journeys: Journeys, by: By = "touchpoint") -> Visits:
    """Return the visits of journeys at a grain.

    Parameters
    ----------
    journeys
        The journeys.
    by
        What a node is.
    """
    if len(journeys.columns) > _SMALL:
        return _visits(journeys, _nodes_of(journeys, by), by)
    return journeys.memo.get(("visits", by), lambda: _visits(journeys, _nodes_of(journeys, by), by))


def contacts_of(journeys: Journeys, by: By = "touchpoint") -> Visits:
    """Return all contacts of journeys as visits, the goal or exit that ends a journey among them.

    How a contact was felt is asked of every contact. What leads to an outcome must not count the
    outcome itself: there `visits_of` is the right one. Contacts have no waits.
    """
    if not journeys.absorbed.any():
        return visits_of(journeys, by)
    whole = journeys.memo.get(
        "with ends", lambda: attrs.evolve(journeys, absorbed=np.zeros_like(journeys.absorbed))
    )
    coded = _nodes_of(whole, by)
    return Visits(names=coded.names, code=coded.codes, journeys=whole, contacts=True)


def missing_note(names: Sequence[str], visits: NDArray[np.integer], grain: str) -> tuple[str, ...]:
    """Return the note on visits whose node was not recorded, given the visits of each node."""
    unknown = sum(int(n) for name, n in zip(names, visits, strict=True) if MISSING in name)
    if not unknown:
        return ()
    note = (
        f"{unknown:,} visits ({unknown / visits.sum():.1%} of all) have no recorded {grain}; they "
        f"are {MISSING}."
    )
    return (note + CARRY_CHANNELS if "channel" in grain else note,)


def missing_note_of(journeys: Journeys | JourneyStatistics, by: By) -> tuple[str, ...]:
    """Return the note on the visits of journeys whose node was not recorded."""
    if not isinstance(journeys, Journeys):
        from cxjourney.journeys._adding import transitions_of

        whole = transitions_of(journeys, by)
        return missing_note(whole.names, whole.visits, grain_name(by))
    nodes = _nodes_of(journeys, by)
    counts = np.bincount(nodes.codes, minlength=len(nodes.names))
    return missing_note(nodes.names, counts, grain_name(by))


def missing_note_of_graph(graph: nx.DiGraph[str]) -> tuple[str, ...]:
    """Return the note on the visits of a graph whose node was not recorded."""
    visits = {name: node.get("visits", 0) for name, node in graph.nodes(data=True)}
    visits = {name: n for name, n in visits.items() if name not in {START, CONVERSION, DROPOFF}}
    counts = np.array(list(visits.values()), dtype=np.int64)
    return missing_note(tuple(visits), counts, str(graph.graph.get("grain", "touchpoint")))


def _nodes_of(journeys: Journeys, by: By) -> Coded:
    """Return the node of each visit at a grain in few bytes; they are found once."""
    return journeys.memo.get(
        ("nodes", by), lambda: coded_visits(journeys, grain_codes(journeys.columns, by))
    )


def visits_at(journeys: Journeys, nodes: Coded) -> Visits:
    """Return the visits of journeys, given the node of each row of their columns."""
    return _visits(journeys, coded_visits(journeys, nodes))


def _visits(journeys: Journeys, coded: Coded, by: By | None = None) -> Visits:
    return Visits(names=coded.names, code=coded.codes, journeys=journeys, by=by)


def _waits_of(journeys: Journeys) -> tuple[NDArray[np.int64] | None, NDArray[np.int8]]:
    return journeys.memo.get("waits", lambda: _waits(journeys))


def _waits(journeys: Journeys) -> tuple[NDArray[np.int64] | None, NDArray[np.int8]]:
    """Return how long each visit lasted and how it ended, which do not depend on the grain."""
    time, ways = journeys.columns.time, (journeys.offsets, journeys.absorbed, journeys.outcome)
    if time is None:
        none = np.zeros(len(journeys.columns), dtype=np.int64)
        return None, seal(waits_of_visits(none, *ways, 0)[1])
    wait, state = waits_of_visits(time, *ways, seen_until_us(journeys))
    return seal(wait), seal(state)


def seen_until_us(journeys: Journeys) -> int:
    """Return until when journeys with times were observed [µs]; what came later waited for nothing.

    Timestamps after the end of the observation are counted in the audit.
    """
    return journeys.log.observed_until_us or 0
