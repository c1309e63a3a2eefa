"""Statistics of transitions: what the graph, the chain and the exits of a grain are made of."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, left_out_probabilities, move_mass
from cxjourney._stats.parts import followed_cells, pooled
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.distinct import distinct
from cxjourney._support.frozen import seal
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._units import units_of
from cxjourney.journeys._visits import visits_at, visits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney.journeys._adding import JourneyStatistics
    from cxjourney.journeys._visits import By, Visits
    from cxjourney.log import Coded


_ROUNDING = 1e-12
_BLOCK_CELLS = 20_000_000


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
        lambda: _statistics(journeys, visits_of(journeys, by), lambda: masses_of(journeys, by)),
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


def _cells(visits: Visits) -> tuple[Ints, Ints] | None:
    """Return the cell of each visit, and the node of each cell; None where nodes are cells."""
    part = parts_of(visits)
    return None if part is None else followed_cells(visits.node, *part, len(visits.names))


def parts_of(visits: Visits) -> tuple[Ints, Bools] | None:
    """Return the touchpoint of each visit, and whether it could be followed up to the limit.

    None where nodes are touchpoints, or nothing is censored.
    """
    journeys, coded = visits.journeys, visits.journeys.columns.coded["touchpoint"]
    until, time = journeys.log.observed_until_us, journeys.columns.time
    limited = journeys.rules.inactivity is not None
    if not limited or until is None or time is None or not np.any(visits.state == OPEN):
        return None
    touchpoint = coded.codes[visits.row].astype(np.int64)
    used, _ = distinct(visits.node * len(coded.names) + touchpoint)
    if len(used) == np.count_nonzero(np.bincount(visits.node)):
        return None
    return touchpoint, followed_visits(visits)


def followed_visits(visits: Visits) -> Bools:
    """Return which visits could be followed up to the limit, where there is one."""
    journeys, until = visits.journeys, visits.journeys.log.observed_until_us
    limit, time = journeys.rules.inactivity, journeys.columns.time
    if limit is None or until is None or time is None:
        return np.zeros(len(visits), dtype=np.bool_)
    followed: Bools = time[visits.row] <= until - limit // timedelta(microseconds=1)
    return followed


def _masses(visits: Visits) -> Floats:
    assert visits.wait_us is not None  # noqa: S101 - the caller has looked
    cells = _cells(visits)
    if cells is None:
        return seal(move_mass(visits.node, visits.wait_us, visits.state, len(visits.names)))
    of, node = cells
    share = np.bincount(of) / np.bincount(visits.node, minlength=len(visits.names))[node]
    return seal(move_mass(of, visits.wait_us, visits.state, len(node)) * share[of])


def masses_without_buckets(
    visits: Visits,
    transition: Ints,
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
    unit, wait = units.of[visits.journey], visits.wait_us if timed else None
    cells = _cells(visits) if timed else None
    if cells is None:
        return left_out_probabilities(
            visits.node,
            wait,
            visits.state,
            transition,
            unit,
            source=source,
            n_nodes=len(visits.names),
            n_units=units.n,
            values=values,
        )
    of, node = cells
    pairs, place = distinct(np.where(transition >= 0, of * len(source) + transition + 1, 0))
    none = int(np.count_nonzero(pairs == 0))  # comes first, if at all
    cell, edge = np.divmod(pairs[none:] - 1, max(len(source), 1))
    own = left_out_probabilities(
        of,
        wait,
        visits.state,
        place - none,
        unit,
        source=cell,
        n_nodes=len(node),
        n_units=units.n,
        values=values,
    )
    count = np.bincount(unit * len(node) + of, minlength=units.n * len(node))
    others = count.reshape(units.n, len(node))
    others = others.sum(axis=0) - others
    whole, n = pooled(
        own, others, node, len(visits.names), part=cell, target=edge, n_targets=len(source)
    )
    return np.where(n[:, source] > 0, whole, np.nan)


def _statistics(
    journeys: Journeys, visits: Visits, masses: Callable[[], Floats]
) -> TransitionStatistics:
    k = len(visits.names)
    weight = visits.weight
    key, moved, place = _transitions(visits)
    source, target = np.divmod(key, k + 3)
    count = np.bincount(place, None if weight is None else weight[moved], minlength=len(key))
    count = count.astype(np.int64, copy=False)
    open_ones = visits.state == OPEN
    n = _counted(visits.node, weight, None, k)
    censored = _counted(visits.node[open_ones], weight, open_ones, k)
    dropped = visits.following == visits.dropoff
    at_risk = n - censored
    if _timed(journeys, visits) and open_ones.any():
        mass = masses()[moved]
        probability = np.bincount(place, mass, minlength=len(key)).astype(np.float64)
    else:
        base = at_risk[source]
        probability = np.divide(count, base, out=np.zeros(len(key)), where=base > 0)
    return TransitionStatistics(
        names=visits.names,
        source=source,
        target=target,
        count=count,
        probability=probability,
        visits=n,
        censored=censored,
        exits=_counted(visits.node[dropped], weight, dropped, k),
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
    whole = _statistics(journeys, visits, lambda: _masses(visits))
    return _left_out(journeys, visits, whole)


def _left_out(journeys: Journeys, visits: Visits, whole: TransitionStatistics) -> LeftOut:
    units = units_of(journeys)
    k = len(visits.names)
    _, moved, place = _transitions(visits)
    transition = np.full(len(visits), -1, dtype=np.int64)
    transition[moved] = place
    ended = np.flatnonzero(visits.state != OPEN)
    at_risk = units.sums(visits.node[ended], k, item=visits.journey[ended])
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
        visits=units.sums(visits.node, k, item=visits.journey),
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
    return visits.wait_us is not None and journeys.rules.inactivity is not None


def _transitions(visits: Visits) -> tuple[Ints, Ints, Ints]:
    """Return source (K + 3) + target of the distinct transitions, who moved, and along which.

    Silence is no transition: DROPOFF is reached by an exit touchpoint, or by what is left over.
    """
    moved = np.flatnonzero(visits.state == MOVED)
    key, place = distinct(visits.node[moved] * (len(visits.names) + 3) + visits.following[moved])
    return key, moved, place


def first_places(journeys: Journeys, visits: Visits) -> Ints:
    """Return the first visit of each journey, or its end where it has none."""
    place = np.where(journeys.converted, visits.conversion, visits.dropoff).astype(np.int64)
    place[journeys.lengths > 0] = visits.node[visits.first]
    return place


def _by_first(journeys: Journeys, visits: Visits, weight: Ints | None) -> Ints:
    places = first_places(journeys, visits)
    return np.bincount(places, weight, minlength=len(visits.names) + 3).astype(np.int64)


def _counted(place: Ints, weight: Ints | None, chosen: Bools | None, size: int) -> Ints:
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
