"""Visits as arrivals: where, from where, and within what; and the drop-off after each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import OPEN
from cxjourney._stats.going_on import CENSORED, LOST, WENT_ON, Ends, reach_of
from cxjourney._support.array_types import Bools, Ints
from cxjourney.journeys import DROPPED, is_visit, units_of
from cxjourney.omnichannel._arms import Arms, arms_of, arms_of_paths, could_be_followed, joined
from cxjourney.omnichannel._channel_transitions import coded_at

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys, Visits
    from cxjourney.omnichannel._channel_transitions import ChannelBy

_TABLE = 1 << 22


@attrs.frozen(kw_only=True, eq=False)
class Arrivals:
    """Every visit as an arrival: where, from where, within what.

    Attributes
    ----------
    names
        Names of the nodes.
    node, before, stratum
        The node, that of the visit before, and what it is compared within, one each a visit.
    known
        Whether all three are.
    n_strata, n_unknown
        Number of strata, and of arrivals left out because theirs was not recorded.
    """

    names: tuple[str, ...]
    node: NDArray[np.integer]
    before: NDArray[np.integer]
    stratum: NDArray[np.integer]
    known: Bools
    n_strata: int
    n_unknown: int

    @property
    def n_nodes(self) -> int:
        """Number of nodes, at least 1."""
        return max(1, len(self.names))

    @property
    def switched(self) -> Bools:
        """Whether each arrival is from another node."""
        changed: Bools = self.before != self.node
        return changed

    def numbered(self, *, together: bool) -> tuple[Ints, NDArray[np.integer]]:
        """Return the kinds of arrivals that occur, and the number of that of each, -1 where none.

        A kind is (source (nodes) + destination) (strata) + stratum. With `together` only switches
        count, and all of them come from the source K.
        """
        k = self.n_nodes
        size = (k * k + k) * self.n_strata
        small = np.dtype("i4" if size < np.iinfo(np.int32).max else "i8")
        source = np.full(len(self.node), k) if together else self.before
        key = (source.astype(small) * k + self.node) * self.n_strata + self.stratum
        key[~(self.known & self.switched) if together else ~self.known] = -1
        if size > _TABLE:
            kinds, number = np.unique(key, return_inverse=True)
            none = len(kinds) and kinds[0] < 0
            return kinds[none:].astype(np.int64), number - none
        used = np.zeros(size + 1, dtype=np.bool_)
        used[key] = True  # -1 marks the spare last place
        kinds = np.flatnonzero(used[:-1])
        of = np.full(size + 1, -1, dtype=np.int16 if len(kinds) < 1 << 15 else np.int32)
        of[kinds] = np.arange(len(kinds))
        return kinds, of[key]


def arrivals_of(
    journeys: Journeys, by: ChannelBy, strata: ChannelBy | None, reference: str
) -> Arrivals:
    """Return the visits of journeys as arrivals."""
    visit, coded = is_visit(journeys), coded_at(journeys, by)
    node = coded.codes[visit]
    before = np.empty_like(node)
    before[1:] = node[:-1]
    lengths = journeys.lengths
    first = (np.cumsum(lengths) - lengths)[lengths > 0]
    before[first] = node[first] if reference == "stayed_or_started" else -1
    known = (node >= 0) & (before >= 0)
    stratum, n_strata, n_unknown = np.zeros(len(node), dtype=np.int8), 1, 0
    if strata is not None:
        within = coded_at(journeys, strata)
        stratum, n_strata = within.codes[visit], max(1, len(within.names))
        n_unknown = int(np.count_nonzero(known & (stratum < 0)))
        known &= stratum >= 0
    return Arrivals(
        names=coded.names,
        node=node,
        before=before,
        stratum=stratum,
        known=known,
        n_strata=n_strata,
        n_unknown=n_unknown,
    )


@attrs.frozen(kw_only=True, eq=False)
class Handoffs:
    """What hand-off losses are made of.

    Attributes
    ----------
    names
        Names of the nodes.
    arms
        The arms of arrivals by source, destination and stratum, and of all switches.
    n_strata, n_unknown
        As of `Arrivals`.
    notes
        On the order and the spread of interactions.
    again
        Shares of the drop-offs and of the conversions that another journey follows.
    """

    names: tuple[str, ...]
    arms: Arms
    n_strata: int
    n_unknown: int
    notes: tuple[str, ...]
    again: tuple[float, float]


def arms_of_journeys(journeys: Journeys, visits: Visits, arrivals: Arrivals) -> Arms:
    """Return the arms of arrivals by source, destination and stratum, and of all switches."""
    lengths, units = journeys.lengths, units_of(journeys)
    how = how_ended(journeys, visits)
    if visits.wait_us is None or units.of is None:
        return joined(
            arms_of_paths(*arrivals.numbered(together=together), how, visits.journey, units)
            for together in (False, True)
        )
    ends = Ends(
        group=how,
        wait=visits.wait_us,
        how=how,
        unit=np.repeat(units.of.astype(np.uint8), lengths),
    )
    late = np.flatnonzero(~could_be_followed(journeys)[is_visit(journeys)])
    return arms_of_ends(arrivals, ends, late)


def arms_of_ends(
    arrivals: Arrivals,
    ends: Ends,
    late: Ints,
    n_late: Ints | None = None,
    *,
    on_grid: bool = False,
) -> Arms:
    """Return the arms of arrivals, given how they ended and which came late."""
    found = []
    for together in (False, True):
        kinds, number = arrivals.numbered(together=together)
        mine = attrs.evolve(ends, group=number)
        arms = arms_of(kinds, mine, late, n_late)
        if on_grid:
            arms = attrs.evolve(arms, reach=reach_of(mine, len(kinds)))
        found.append(arms)
    return joined(found)


def how_ended(journeys: Journeys, visits: Visits) -> NDArray[np.int8]:
    """Return how each visit ended."""
    how = np.full(len(visits), WENT_ON, dtype=np.int8)
    lengths = journeys.lengths
    last = np.cumsum(lengths)[lengths > 0] - 1
    how[last[journeys.outcome[lengths > 0] == DROPPED]] = LOST
    how[visits.state == OPEN] = CENSORED
    return how
