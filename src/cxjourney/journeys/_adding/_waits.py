"""Counting the waits of nodes, and the same without each bucket from tables that add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.aalen_johansen import MOVED
from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._stats.ratios import quotient
from cxjourney.journeys._adding._edges import followed_of, quantiles_of
from cxjourney.journeys._adding._finishing import by_unit, moves_of, outcomes_of, table_of
from cxjourney.journeys._adding._tables import LIMB, low_and_high
from cxjourney.journeys._node_waits import NodeWaits
from cxjourney.journeys._outcomes import CONVERTED
from cxjourney.journeys._times import untimed_visits
from cxjourney.journeys._units import bucket_of_each

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.journeys._adding._finishing import Moves
    from cxjourney.journeys._adding._grid import Grid
    from cxjourney.journeys._adding._journey_statistics import JourneyStatistics
    from cxjourney.journeys._visits import By, Visits

_SECOND = 1e6
WAIT_STEPS = 4_096
"""Steps of a coarse bin in which waits are told."""


def waits_counted(
    visits: Visits, node: Ints, coarse: Ints, grid: Grid
) -> dict[str, tuple[list[Ints], list[Ints] | None]]:
    """Return the codes and values of the tables of waits, given what moved on.

    How far a wait lies beyond the beginning of its coarse bin counts in steps of the bin.

    Parameters
    ----------
    visits
        The visits.
    node, coarse
        Node of each visit, and the coarse bin of those that moved on.
    grid
        The grid of waits.
    """
    assert visits.wait_us is not None  # noqa: S101 - journeys with customers have times
    moved, unit = np.flatnonzero(visits.state == MOVED), bucket_of_each(visits.journeys)
    wait, here, whose = visits.wait_us[moved], node[moved], unit[visits.journey[moved]]
    begin, width = grid.coarse[coarse], np.diff(grid.coarse)[coarse]
    steps = np.minimum(wait - begin, width - 1) * WAIT_STEPS // width
    untimed = untimed_visits(visits.journeys, visits)[moved]
    won = visits.journeys.converted[visits.journey[moved]]
    words = [*low_and_high(wait[won]), np.zeros_like(wait[won])]
    return {
        "waits": ([whose, here, coarse], [steps]),
        "untimed": ([whose[untimed], here[untimed]], None),
        "spent": ([whose[won], here[won]], words),
    }


def waits_counted_of(statistics: JourneyStatistics, by: By) -> NodeWaits:
    """Return the waits of the nodes of statistics: in a bin of a node all moves wait alike."""
    return statistics.memo.get(("waits", by), lambda: _waits(statistics, by))


def _waits(statistics: JourneyStatistics, by: By) -> NodeWaits:
    moves, grid = moves_of(statistics, by), statistics.plan.grid
    k, n_bins = moves.visits.shape[1], grid.n_coarse
    shape = (N_BUCKETS, k, n_bins)
    of_node = moves.source[moves.transition] * n_bins + moves.bin
    at = moves.unit * np.int64(k * n_bins) + of_node[moves.kind]

    def summed(place: Ints, values: Ints | Floats) -> Floats:
        return (
            np.bincount(place, values, minlength=np.prod(shape)).astype(np.float64).reshape(shape)
        )

    made, weighed = summed(at, moves.count), summed(at, moves.count * moves.weight[moves.kind])
    axes, counts = table_of(statistics, "waits", by)
    unit, node, coarse = axes.values()
    steps = summed((unit * k + node) * n_bins + coarse, counts.values[:, 0])
    timed = made.copy()  # what ended without a row of its own stands in the first bin
    timed[:, :, 0] -= by_unit(statistics, "untimed", by, "node")
    begin, width = grid.coarse[:-1] / _SECOND, np.diff(grid.coarse) / _SECOND
    seconds = timed * (begin + width / (2 * WAIT_STEPS)) + steps * (width / WAIT_STEPS)

    def spread(values: Floats) -> tuple[Floats, Floats]:
        """Return sums of mass times values by transition, and the same without each unit."""
        total, n = values.sum(axis=0), made.sum(axis=0)
        mean = np.nan_to_num(quotient(total, n)).ravel()[of_node]
        whole = np.bincount(moves.transition, moves.mass * mean, minlength=len(moves.source))
        others = np.nan_to_num(quotient(total - values, n - made))
        return whole.astype(np.float64), moves.probability_without(others)

    base = (moves.visits if moves.timed else moves.visits - moves.censored).sum(axis=0)
    (mass, mass_without), (spent, spent_without) = spread(timed), spread(seconds)
    known, took = (np.nan_to_num(quotient(part, made)) for part in (timed, seconds))
    outcomes = outcomes_of(statistics).sum(axis=2)
    n_timed = timed.sum(axis=(0, 2))
    axes, counts = table_of(statistics, "spent", by)
    won = np.full((N_BUCKETS, k), np.nan)  # of weighed visits nobody knows
    if not moves.timed:
        won = np.zeros((N_BUCKETS, k))
        won[tuple(axes.values())] = (counts.values @ 2.0 ** (LIMB * np.arange(3))) / _SECOND
    median, p90 = _quantiles(moves, statistics, n_timed)
    once, only = n_timed == 1, seconds.sum(axis=(0, 2))  # of one it is no matter of bins
    return NodeWaits(
        moved=n_timed.astype(np.int64),
        mass=mass,
        seconds=spent,
        mass_without=mass_without,
        seconds_without=spent_without,
        mass_of=(weighed * known).sum(axis=2) / np.maximum(base, 1),
        spent=(weighed * took).sum(axis=2),
        spent_won=won,
        steps=moves.visits.sum(axis=1).astype(np.float64),
        steps_won=by_unit(statistics, "touches", by, "node").sum(axis=1).astype(np.float64),
        journeys=outcomes.sum(axis=1).astype(np.float64),
        won=outcomes[:, CONVERTED].astype(np.float64),
        median_s=np.where(once, only, median),
        p90_s=np.where(once, only, p90),
        working_s=np.full(k, np.nan),
        queue_s=np.full(k, np.nan),
        followed_us=followed_of(moves, grid.fine),
        weighted=moves.timed,
    )


def _quantiles(moves: Moves, statistics: JourneyStatistics, timed: Floats) -> list[Floats]:
    """Return median and 90th percentile of the waits of each node, even within a fine bin."""
    ends, k = moves.ends, len(timed)
    node, last = moves.node_of_cell[ends.cell], ends.n_fine - 1
    some = ends.mass(censored_first=False) if moves.timed else 1.0 * ends.ended
    some = np.where(ends.bin <= last, some, 0.0)
    place = node * ends.n_fine + np.minimum(ends.bin.astype(np.int64), last)
    mass = np.bincount(place, some, minlength=k * ends.n_fine).astype(np.float64)
    mass = mass.reshape(k, ends.n_fine)
    # what ended without a row of its own stands in the first bin, and nobody knows when it ended
    made = np.bincount(node, np.where(ends.bin <= last, ends.ended, 0), minlength=k)
    mass[:, 0] = np.maximum(mass[:, 0] - (made - timed), 0.0)
    bounds = statistics.plan.grid.fine / _SECOND
    return [
        np.where(timed > 0, quantiles_of(mass, bounds, fraction), np.nan) for fraction in (0.5, 0.9)
    ]
