"""Statistics of transitions: what the graph, the chain and the exits of a grain are made of."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import (
    MOVED,
    Censoring,
    left_out_by_cells,
    left_out_probabilities,
)
from cxjourney._stats.parts import followed_cells, pooled
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct, n_distinct, paired
from cxjourney._support.frozen import seal
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._outcomes import CONVERTED, DROPPED, IN_PROGRESS
from cxjourney.journeys._units import units_of
from cxjourney.journeys._visits import is_visit, seen_until_us, visits_at, visits_of
from cxjourney.kernels import cells_of_visits, moves_of_visits, sums_by_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney._stats.units import Units
    from cxjourney.journeys._adding import JourneyStatistics
    from cxjourney.journeys._visits import By, Visits
    from cxjourney.log import Coded


_ROUNDING = 1e-12
_BLOCK_CELLS = 20_000_000
_T = TypeVar("_T")


@attrs.frozen(kw_only=True, eq=False)
class TransitionStatistics:
    """How journeys go from node to node.

    With K nodes, code K is START, K + 1 is CONVERSION and K + 2 is DROPOFF.

    Attributes
    ----------
    names
        Names of the K nodes.
    source, target
        The M distinct transitions, in the order of source and target. Drop-off in silence is none:
        it is what the transitions of a node leave over to 1.
    count
        How often each was made.
    probability
        Probability of each: that of Aalen and Johansen where there are times and a limit, else its
        share of the visits whose end is known.
    visits, censored, exits
        Visits of each node, those whose end is not known yet, and those that ended in drop-off.
    first
        Journeys by their first visit, or by their end where they have none, shape (K + 3,).
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    count: Ints
    probability: Floats
    visits: Ints
    censored: Ints
    exits: Ints
    first: Ints

    @property
    def at_risk(self) -> Ints:
        """Visits whose end is known."""
        return self.visits - self.censored

    @property
    def n_journeys(self) -> int:
        """Number of journeys, weights counted."""
        return int(self.first.sum())

    @cached_property
    def silence(self) -> Floats:
        """Probability of drop-off in silence, shape (K,): what the transitions leave over."""
        moved = np.bincount(self.source, self.probability, minlength=len(self.names))
        return _silence(moved.astype(np.float64), self.at_risk)

    @property
    def matrix(self) -> Floats:
        """Transition probabilities, shape (K, K + 3); a row of zeros where no visit has ended."""
        (matrix,) = _matrices(self, self.probability[None], self.silence[None])
        return np.asarray(matrix, dtype=np.float64)

    @property
    def start(self) -> Floats:
        """Probability of each first visit or end, shape (K + 3,)."""
        start: Floats = self.first / max(self.n_journeys, 1)
        return start


@attrs.frozen(kw_only=True, eq=False)
class LeftOut:
    """The statistics of transitions without each bucket of customers in turn.

    The first axis of every array runs over the 64 buckets.

    Attributes
    ----------
    whole
        The statistics of all customers.
    probability
        Probability of each transition, shape (buckets, M); NaN where the others have no visit of
        its source.
    silence
        Probability of drop-off in silence, shape (buckets, K).
    first
        Journeys by their first visit or end, shape (buckets, K + 3).
    visits, at_risk
        Visits of each node *in* the bucket, and those whose end is known, shape (buckets, K).
    journeys
        Journeys in the bucket, shape (buckets,).
    """

    whole: TransitionStatistics
    probability: Floats
    silence: Floats
    first: Floats
    visits: Floats
    at_risk: Floats
    journeys: Floats

    @property
    def used(self) -> Bools:
        """Whether each bucket holds a journey."""
        return self.journeys > 0

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Yield transition probabilities and `start` without some buckets after the others.

        The probabilities have the shape (some buckets, K, K + 3): few buckets, if K is large.
        """
        cells = len(self.whole.names) * (len(self.whole.names) + 3)
        size = max(1, _BLOCK_CELLS // max(cells, 1))
        start = self.start
        for begin in range(0, len(self.first), size):
            block = slice(begin, begin + size)
            known = np.nan_to_num(self.probability[block])
            yield _matrices(self.whole, known, self.silence[block]), start[block]

    @property
    def start(self) -> Floats:
        """Probability of each first visit or end without each bucket, shape (buckets, K + 3)."""
        start: Floats = self.first / np.maximum(self.first.sum(axis=1, keepdims=True), 1)
        return start


def statistics_of(
    journeys: Journeys | JourneyStatistics, by: By = "touchpoint"
) -> TransitionStatistics:
    """Return the statistics of the transitions of journeys at a grain; they are computed once.

    Parameters
    ----------
    journeys
        The journeys, or statistics of them that add up; aggregated paths count with their weights.
    by
        What a node is.
    """
    if not isinstance(journeys, Journeys):
        from cxjourney.journeys._adding import transitions_of

        return transitions_of(journeys, by)
    return journeys.memo.get(
        ("statistics", by),
        lambda: _statistics(journeys, visits_of(journeys, by)),
    )


def masses_of(journeys: Journeys, by: By = "touchpoint") -> Floats:
    """Return the mass of each visit that moved on, by Aalen and Johansen; 0 for the others.

    Masses are as large as the visits: those of the grain that was asked for last are kept.

    Parameters
    ----------
    journeys
        The journeys, with times.
    by
        What a node is.
    """
    return journeys.memo.latest("masses", by, lambda: _masses(visits_of(journeys, by)))


@attrs.frozen(kw_only=True, eq=False)
class _Followed:
    """What is censored of visits: the cell of each, the node of each cell, and the times.

    Nodes are cells where `cell` is None.
    """

    cell: NDArray[np.unsignedinteger] | None
    node: Ints
    censoring: Censoring | None

    def masses(self, censoring: Censoring) -> Floats:
        """Return the mass of a move out of each of the cells of a censoring; a part's is shared."""
        masses = censoring.masses()
        if self.cell is None:
            return masses
        n = np.bincount(censoring.node_of_cell, censoring.counts, minlength=len(self.node))
        return masses * (n / np.bincount(self.node, n)[self.node])[censoring.node_of_cell]


def _followed(visits: Visits) -> _Followed:
    """Return what is censored of visits with times; that of the latest grain is kept."""

    def compute() -> _Followed:
        part, k = parts_of(visits), len(visits.names)
        if part is None:
            return _Followed(
                cell=None, node=np.arange(k), censoring=_censoring(visits.code, visits, k)
            )
        cell, node = followed_cells(visits.code, *part, k)
        return _Followed(cell=cell, node=node, censoring=_censoring(cell, visits, len(node)))

    return _kept(visits, "followed", compute)


def _kept(visits: Visits, name: str, compute: Callable[[], _T]) -> _T:
    """Return what is computed of visits: with them, or with their journeys for the latest grain."""
    if visits.by is None:
        return visits.memo.get(name, compute)
    return visits.journeys.memo.latest(name, visits.by, compute)


def _censoring(at: NDArray[np.integer], visits: Visits, n_places: int) -> Censoring | None:
    """Return the censoring of visits with times, given where each is; None where none is open."""
    journeys, time = visits.journeys, visits.journeys.columns.time
    if time is None or not len(visits.open):
        return None
    until = seen_until_us(journeys)
    row = journeys.offsets[1:][journeys.outcome == IN_PROGRESS] - 1

    def cells(times: Ints, bounds: Ints) -> NDArray[np.int32]:
        ways = journeys.offsets, journeys.absorbed, journeys.outcome
        return cells_of_visits(at, time, *ways, until, times, bounds)

    wait = np.maximum(until - time[row], 0)
    return Censoring.of_open(at[visits.open], wait, visits.open, n_places, cells)


def parts_of(visits: Visits) -> tuple[NDArray[np.integer], Bools] | None:
    """Return the touchpoint of each visit, and whether it could be followed up to the limit.

    None where nodes are touchpoints, or nothing is censored.
    """
    journeys, coded = visits.journeys, visits.journeys.columns.coded["touchpoint"]
    until, time = journeys.log.observed_until_us, journeys.columns.time
    limited = journeys.rules.inactivity is not None
    if visits.by == "touchpoint" or (isinstance(visits.by, tuple) and "touchpoint" in visits.by):
        return None
    if not limited or until is None or time is None or not len(visits.open):
        return None
    touchpoint = coded.codes[is_visit(journeys)]
    pair = paired(visits.code, touchpoint, len(coded.names))
    if n_distinct(pair) == n_distinct(visits.code):
        return None
    return touchpoint, followed_visits(visits)


def followed_visits(visits: Visits) -> Bools:
    """Return which visits could be followed up to the limit, where there is one."""
    journeys, until = visits.journeys, visits.journeys.log.observed_until_us
    limit, time = journeys.rules.inactivity, journeys.columns.time
    if limit is None or until is None or time is None:
        return np.zeros(len(visits), dtype=np.bool_)
    followed = time <= until - limit // timedelta(microseconds=1)
    return followed[is_visit(journeys)]


def _masses(visits: Visits) -> Floats:
    followed = _followed(visits)
    if followed.censoring is None:
        n = np.bincount(visits.code, minlength=len(visits.names))
        mass = (1.0 / np.maximum(n, 1))[visits.code]
    else:
        mass = followed.masses(followed.censoring)[followed.censoring.cell]
    mass[visits.state != MOVED] = 0.0
    return seal(mass)


def unit_of_visits(visits: Visits, units: Units) -> Ints:
    """Return the unit of each visit of journeys that have customers, in few bytes."""
    assert units.of is not None  # noqa: S101 - the caller has looked
    return np.repeat(units.of.astype(np.min_scalar_type(units.n)), visits.journeys.lengths)


def masses_without_buckets(
    visits: Visits,
    transition: NDArray[np.integer],
    source: Ints,
    values: Floats | None = None,
    *,
    timed: bool = True,
) -> Floats:
    """Return the sums of mass times values by transition, without each bucket of customers.

    Parameters
    ----------
    visits
        Visits of journeys that have customers.
    transition
        The transition that ended each visit; negative for none that is asked for.
    source
        The node that each transition leaves.
    values
        One a visit; None for 1.
    timed
        Whether censored visits hand on their mass; else they are left out.

    Returns
    -------
    ndarray of float64, shape (buckets, transitions)
        NaN where the other customers have no visit of the source.
    """
    units = units_of(visits.journeys)
    assert units.of is not None  # noqa: S101 - journeys with times have customers
    unit = unit_of_visits(visits, units)
    if not timed or not visits.timed:
        return left_out_probabilities(
            visits.code,
            None,
            visits.state,
            transition,
            unit,
            source=source,
            n_nodes=len(visits.names),
            n_units=units.n,
            values=values,
        )
    followed = _followed(visits)
    if followed.cell is None:
        return left_out_by_cells(
            visits.code,
            followed.censoring,
            transition,
            unit,
            source=source,
            n_nodes=len(visits.names),
            n_units=units.n,
            values=values,
        )
    of, node = followed.cell, followed.node
    key = paired(of, transition, len(source))
    key += 1
    key *= transition >= 0
    pairs, place = distinct(key)
    none = int(np.count_nonzero(pairs == 0))  # comes first, if at all
    place -= none
    cell, edge = np.divmod(pairs[none:] - 1, max(len(source), 1))
    own = left_out_by_cells(
        of,
        followed.censoring,
        place,
        unit,
        source=cell,
        n_nodes=len(node),
        n_units=units.n,
        values=values,
    )
    others = attrs.evolve(units, of=unit).sums(of, len(node))
    others = others.sum(axis=0) - others
    whole, n = pooled(
        own, others, node, len(visits.names), part=cell, target=edge, n_targets=len(source)
    )
    return np.where(n[:, source] > 0, whole, np.nan)


def _statistics(journeys: Journeys, visits: Visits) -> TransitionStatistics:
    k = len(visits.names)
    weight = visits.weight
    moves = moves_of(visits)
    source, target, size = *np.divmod(moves.key, k + 3), len(moves.key) + 1
    count = moves.count
    if weight is not None:
        count = np.bincount(moves.transition + 1, weight, minlength=size)[1:].astype(np.int64)
    still_open = visits.open
    n = _counted(visits.code, weight, None, k)
    censored = _counted(visits.code[still_open], weight, still_open, k)
    lost = np.flatnonzero(journeys.outcome[journeys.lengths > 0] == DROPPED)
    left = visits.last[lost]
    at_risk = n - censored
    censoring = None
    if _timed(journeys, visits) and len(still_open):
        followed = _followed(visits)
        censoring = followed.censoring
    if censoring is not None:
        masses = followed.masses(censoring)
        probability = sums_by_cell(moves.transition, censoring.cell, masses, len(moves.key))
    else:
        base = at_risk[source]
        probability = np.divide(count, base, out=np.zeros(len(source)), where=base > 0)
    return TransitionStatistics(
        names=visits.names,
        source=source,
        target=target,
        count=count,
        probability=probability,
        visits=n,
        censored=censored,
        exits=_counted(visits.code[left], weight, left, k),
        first=_by_first(journeys, visits, journeys.weight),
    )


def left_out(journeys: Journeys | JourneyStatistics, by: By = "touchpoint") -> LeftOut:
    """Return the statistics of transitions without each bucket of customers in turn.

    They are computed once.

    Parameters
    ----------
    journeys
        The journeys, or statistics of them that add up.
    by
        What a node is.
    """
    if not isinstance(journeys, Journeys):
        from cxjourney.journeys._adding import left_out_of

        return left_out_of(journeys, by)
    return journeys.memo.get(
        ("left out", by),
        lambda: _left_out(journeys, visits_of(journeys, by), statistics_of(journeys, by)),
    )


def left_out_at(journeys: Journeys, nodes: Coded) -> LeftOut:
    """Return `left_out`, given the node of each row of the columns instead of a grain."""
    visits = visits_at(journeys, nodes)
    return _left_out(journeys, visits, _statistics(journeys, visits))


def _left_out(journeys: Journeys, visits: Visits, whole: TransitionStatistics) -> LeftOut:
    units = units_of(journeys)
    k = len(visits.names)
    transition = moves_of(visits).transition
    still_open = visits.open
    if units.of is None:
        there = units.sums(visits.code, k, item=visits.journey)
        still = units.sums(visits.code[still_open], k, item=visits.journey[still_open])
    else:
        of_visit = attrs.evolve(units, of=unit_of_visits(visits, units))
        there = of_visit.sums(visits.code, k)
        still = of_visit.sums(visits.code[still_open], k, item=still_open)
    at_risk = there - still
    if units.of is None:  # aggregated paths: counts, which say all that there is
        own = units.sums(transition, len(whole.source), item=visits.journey)
        others = (at_risk.sum(axis=0) - at_risk)[:, whole.source]
        probability = np.full(own.shape, np.nan)
        np.divide(own.sum(axis=0) - own, others, out=probability, where=others > 0)
    else:
        timed = _timed(journeys, visits)
        probability = masses_without_buckets(visits, transition, whole.source, timed=timed)
    return assembled(
        whole,
        probability,
        visits=there,
        at_risk=at_risk,
        first=units.sums(first_places(journeys, visits), k + 3),
    )


def assembled(
    whole: TransitionStatistics,
    probability: Floats,
    *,
    visits: Floats,
    at_risk: Floats,
    first: Floats,
) -> LeftOut:
    k = len(whole.names)
    moved = np.zeros((len(visits), k))
    known = np.nan_to_num(probability)
    if len(whole.source):  # transitions stand in the order of their sources
        begin = np.flatnonzero(np.append(True, np.diff(whole.source) > 0))
        moved[:, whole.source[begin]] = np.add.reduceat(known, begin, axis=1)
    return LeftOut(
        whole=whole,
        probability=probability,
        silence=_silence(moved, at_risk.sum(axis=0) - at_risk),
        first=first.sum(axis=0) - first,
        visits=visits,
        at_risk=at_risk,
        journeys=first.sum(axis=1),
    )


def _timed(journeys: Journeys, visits: Visits) -> bool:
    """Return whether censored visits count for as long as they were seen."""
    return visits.timed and journeys.rules.inactivity is not None


@attrs.frozen(kw_only=True, eq=False)
class Moves:
    """The distinct transitions of visits, source (K + 3) + target, and which each visit made.

    Silence is no transition: DROPOFF is reached by an exit touchpoint, or by what is left over.
    """

    key: Ints
    count: Ints
    transition: NDArray[np.int32]
    """Place of that of each visit; -1 of none."""


def moves_of(visits: Visits) -> Moves:
    """Return the transitions of visits; those of the latest grain are kept."""

    def compute() -> Moves:
        journeys = visits.journeys
        left = (journeys.outcome == DROPPED) & journeys.absorbed
        ends = np.where(left, visits.dropoff, -1)
        ends[journeys.outcome == CONVERTED] = visits.conversion
        found = moves_of_visits(visits.code, journeys.lengths, ends, len(visits.names))
        key, count, transition = found
        return Moves(key=key, count=count, transition=seal(transition))

    return _kept(visits, "transitions by grain", compute)


def first_places(journeys: Journeys, visits: Visits) -> Ints:
    """Return the first visit of each journey, or its end where it has none."""
    place = np.where(journeys.converted, visits.conversion, visits.dropoff).astype(np.int64)
    place[journeys.lengths > 0] = visits.code[visits.first]
    return place


def _by_first(journeys: Journeys, visits: Visits, weight: Ints | None) -> Ints:
    places = first_places(journeys, visits)
    return np.bincount(places, weight, minlength=len(visits.names) + 3).astype(np.int64)


def _counted(
    place: NDArray[np.integer], weight: Ints | None, chosen: Bools | Ints | None, size: int
) -> Ints:
    if weight is not None and chosen is not None:
        weight = weight[chosen]
    return np.bincount(place, weight, minlength=size).astype(np.int64)


def _silence(moved: Floats, at_risk: Floats | Ints) -> Floats:
    left = np.where(at_risk > 0, np.maximum(1.0 - moved, 0.0), 0.0)
    left[left < _ROUNDING] = 0.0  # the rounding of a sum, not a probability
    return left


def _matrices(whole: TransitionStatistics, probability: Floats, silence: Floats) -> Floats:
    k = len(whole.names)
    matrices = np.zeros((len(probability), k, k + 3))
    matrices[:, whole.source, whole.target] = probability
    matrices[:, :, k + 2] += silence
    return matrices
