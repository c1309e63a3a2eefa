"""Two statistics side by side: customers in the same units, and where journeys go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.journeys._adding._finishing import by_unit, left_out_of, moves_of, target_of
from cxjourney.journeys._adding._journey_statistics import JourneyStatistics, renumbered
from cxjourney.journeys._adding._tables import added

if TYPE_CHECKING:
    from cxjourney.journeys._adding._finishing import Moves
    from cxjourney.journeys._visits import By

_ROUNDING = 1e-12
_NEXT_TO_NOTHING = 1e-6
"""What a unit of censored visits alone stands for: little, but something."""


@attrs.frozen(kw_only=True, eq=False)
class Side:
    """Where journeys go from each node and from START, exits among it, and without each unit.

    Attributes
    ----------
    names
        The K nodes; START is K, CONVERSION K + 1, DROPOFF K + 2.
    source, target
        The M transitions, sorted.
    count
        How often each was made, shape (M,).
    probability, without
        The probability of each, shape (M,), and without each unit, shape (units, M).
    at_risk, known
        Ended visits of each node, START last, shape (K + 1,), and whether there are any without
        each unit, shape (units, K + 1).
    units
        What probabilities stand on in each unit, shape (units, K + 1).
    unfollowed
        Share of the visits of each node that outlasts what was followed there, shape (K + 1,).
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    count: Floats
    probability: Floats
    without: Floats
    at_risk: Floats
    known: Bools
    units: Floats
    unfollowed: Floats


def sides_of(
    first: JourneyStatistics, second: JourneyStatistics
) -> tuple[JourneyStatistics, JourneyStatistics]:
    """Return two statistics whose customers lie in the same units; customers may be in both.

    Statistics of few customers have a unit for each, in an order of their own.
    """
    digests = sorted({*first.digests, *second.digests})
    few = all(len(one.digests) == one.n_customers for one in (first, second))
    rank = {x: i for i, x in enumerate(digests)} if few and len(digests) <= N_BUCKETS else {}
    return _in_units(first, rank), _in_units(second, rank)


def _in_units(one: JourneyStatistics, rank: dict[bytes, int]) -> JourneyStatistics:
    codes, sizes = renumbered(one, one.names, {}, rank), one.plan.sizes(one.names)
    if not codes:
        return one
    tables = {
        name: added(kind, [(one.tables[name], codes, sizes)], sizes)
        for name, kind in one.plan.kinds.items()
    }
    return attrs.evolve(one, tables=tables)


def side_of(statistics: JourneyStatistics, by: By) -> Side:
    """Return where journeys go from each node of a grain that was counted.

    How a journey began that may have been under way when the observation did nobody has seen.
    """
    moves, left = moves_of(statistics, by), left_out_of(statistics, by)
    whole, k = left.whole, len(left.whole.names)
    begun = by_unit(statistics, "first", by, "place") - by_unit(statistics, "unseen", by, "place")
    share, stands = _unfollowed(moves)
    moved = whole.target < k + 2
    by_exit = np.flatnonzero(~moved)
    lost, lost_without = whole.silence.copy(), left.silence.copy()
    lost[whole.source[by_exit]] += whole.probability[by_exit]
    lost_without[:, whole.source[by_exit]] += np.nan_to_num(left.probability[:, by_exit])
    kept = np.flatnonzero((whole.exits + stands > 0) & (whole.visits > whole.censored))
    ways = np.flatnonzero(begun.sum(axis=0) > 0)
    total, rest = begun.sum(), begun.sum() - begun.sum(axis=1)
    source = np.concatenate([whole.source[moved], kept, np.full(len(ways), k)])
    target = np.concatenate([whole.target[moved], np.full(len(kept), k + 2), target_of(ways, k)])
    order = np.argsort(source * (k + 3) + target, kind="stable")
    visits = np.column_stack([left.visits if moves.timed else left.at_risk, begun.sum(axis=1)])
    ended = np.column_stack([left.at_risk, begun.sum(axis=1)])
    known = ended.sum(axis=0) - ended > 0
    without = np.concatenate(
        [
            np.nan_to_num(left.probability[:, moved]),
            lost_without[:, kept],
            quotient(begun.sum(axis=0) - begun, rest[:, None])[:, ways],
        ],
        axis=1,
    )
    count = [whole.count[moved], (whole.exits + stands)[kept], begun.sum(axis=0)[ways]]
    probability = [whole.probability[moved], lost[kept], begun.sum(axis=0)[ways] / max(total, 1)]
    return Side(
        names=whole.names,
        source=source[order],
        target=target[order],
        count=np.concatenate(count)[order].astype(np.float64),
        probability=np.minimum(np.concatenate(probability)[order], 1.0),
        without=np.where(known[:, source], np.minimum(without, 1.0), np.nan)[:, order],
        at_risk=np.append(whole.visits - whole.censored + stands, total).astype(np.float64),
        known=known,
        units=np.where(visits > 0, np.maximum(ended, _NEXT_TO_NOTHING), 0.0),
        unfollowed=np.append(share, 0.0 if total else 1.0),
    )


def _unfollowed(moves: Moves) -> tuple[Floats, Ints]:
    """Return the share of visits that outlasts what was followed, and who stands for the silent.

    Where nobody was followed up to the limit, censored visits stand for those who would have left.
    """
    ends, k = moves.ends, moves.visits.shape[1]
    size, node = ends.n_cells, moves.node_of_cell
    ended, still, moved = np.zeros((3, size), dtype=np.int64)
    np.add.at(ended, ends.cell, ends.ended)
    np.add.at(still, ends.cell, ends.open)
    np.add.at(moved, moves.cell, moves.total)
    visits = ended + still if moves.timed else ended
    gone = np.bincount(moves.cell, moves.total * moves.weight, minlength=size)
    left = 1.0 - np.divide(gone, visits, out=np.ones(size), where=visits > 0)
    left[(ended > moved) | (left < _ROUNDING)] = 0.0
    of, lost = np.bincount(node, visits, minlength=k), np.bincount(node, left * visits, minlength=k)
    share = np.divide(lost, of, out=np.ones(k), where=of > 0)
    bears = np.where((left > 0) & (ended > 0), still, 0) if moves.timed else np.zeros_like(still)
    return share, np.bincount(node, bears, minlength=k).astype(np.int64)
