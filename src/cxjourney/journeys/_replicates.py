"""Resampled journeys: what the counts and probabilities could as well have been.

A replicate gives every customer a Poisson(1) frequency (an aggregated path of weight w a
Poisson(w) one) and counts all its journeys that often: the bootstrap of journeys clustered by
customer, in the form that needs no rows to be drawn (Hanley & MacGibbon 2006). All replicates of a
block are counted in one pass over what each customer did.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import MOVED, OPEN, move_mass
from cxjourney._support.distinct import distinct
from cxjourney._support.validation import check_count, check_number, check_rng
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys._visits import By, Visits, visits_of
from cxjourney.kernels import order_rows, weighted_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney.journeys._journeys import Journeys

__all__ = ["Replicates", "Tally", "frequencies", "replicates", "tally_of", "units"]

_BINS = 32
_BLOCK_CELLS = 30_000_000
_CELLS = 65_536
_BETWEEN = 255


@attrs.frozen(kw_only=True)
class Replicates:
    """A block of replicates; the first axis of every array runs over them.

    With K nodes the last axis of `probability` is K nodes, then START (never entered), CONVERSION
    and DROPOFF. A row of zeros is a node that no ended visit of the replicate shows.

    Attributes
    ----------
    names
        Names of the K nodes.
    probability
        Transition probabilities, shape (replicates, K, K + 3).
    start
        Probabilities of the first touch or end, shape (replicates, K + 3).
    visits
        Visits of each node, shape (replicates, K).
    at_risk
        Visits whose end is known, shape (replicates, K).
    n_journeys
        Number of journeys, shape (replicates,).
    """

    names: tuple[str, ...]
    probability: NDArray[np.float64]
    start: NDArray[np.float64]
    visits: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    n_journeys: NDArray[np.float64]


@attrs.frozen(kw_only=True)
class Tally:
    """What each customer did, ready to be counted with frequencies.

    Attributes
    ----------
    names
        Names of the K nodes.
    offsets, customer
        What can be counted: each (move, time bin), (node, time bin) of open visits, node of visits
        lost in silence, and first step. Customers of the i-th are
        customer[offsets[i]:offsets[i + 1]], one an occurrence.
    source, target
        Nodes of each distinct move.
    n_bins
        Number of time bins; 1 where nothing is open.
    first
        Target of each distinct first step.
    rest
        Exact probability minus that of the binned life table, shape (moves,).
    weight
        Expected frequency of each customer.
    """

    names: tuple[str, ...]
    offsets: NDArray[np.int64]
    customer: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    n_bins: int
    first: NDArray[np.int64]
    rest: NDArray[np.float64]
    weight: NDArray[np.float64]

    def cells(self) -> int:
        """Return how many numbers a replicate takes up."""
        k = len(self.names)
        return max(len(self.offsets) - 1, k * (k + 3), 1)

    def block(self, frequency: NDArray[np.number]) -> Replicates:
        """Return the replicates in which customers have these frequencies.

        Parameters
        ----------
        frequency
            Shape (customers, replicates).
        """
        n, k = frequency.shape[1], len(self.names)
        moved, visits, at_risk, first = self.moves(frequency)
        known = at_risk[:, self.source] > 0
        probability = np.zeros((n, k, k + 3))
        probability[:, self.source, self.target] = np.where(
            known, np.clip(moved + self.rest, 0.0, 1.0), 0.0
        )
        silence = np.maximum(1.0 - probability.sum(axis=2), 0.0)
        probability[:, :, k + 2] += np.where(at_risk > 0, silence, 0.0)
        start = np.zeros((n, k + 3))
        total = first.sum(axis=1, keepdims=True)
        start[:, self.first] = np.divide(first, total, out=np.zeros_like(first), where=total > 0)
        return Replicates(
            names=self.names,
            probability=probability,
            start=start,
            visits=visits,
            at_risk=at_risk,
            n_journeys=total.ravel(),
        )

    def moves(
        self, frequency: NDArray[np.number]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the life-table probability of each move, visits, visits at risk, first steps."""
        n, bins, k, n_moves = frequency.shape[1], self.n_bins, len(self.names), len(self.source)
        counted = weighted_counts(self.offsets, self.customer, frequency)
        parts = np.cumsum([n_moves * bins, k * bins, k])
        moves = counted[: parts[0]].reshape(n_moves, bins, n)
        still_open = counted[parts[0] : parts[1]].reshape(k, bins, n)
        ends = np.zeros((k, bins, n))
        if n_moves:  # moves are sorted by their source
            begin = np.flatnonzero(np.append(True, np.diff(self.source) > 0))
            ends[self.source[begin]] = np.add.reduceat(moves, begin, axis=0)
        at_risk = ends.sum(axis=1) + counted[parts[1] : parts[2]]
        visits = at_risk + still_open.sum(axis=1)
        if bins > 1:
            mass = _mass(ends, still_open, visits)
        else:  # without a limit nothing tells how long an open visit could last: leave it out
            mass = np.divide(1.0, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0)[:, None]
        moves *= mass[self.source]
        return moves.sum(axis=1).T, visits.T, at_risk.T, counted[parts[2] :].T


def replicates(
    journeys: Journeys,
    *,
    by: By = "touchpoint",
    n: int = 500,
    rng: np.random.Generator | int | None = None,
) -> Iterator[Replicates]:
    """Yield resampled transition probabilities in blocks, `n` replicates in all.

    Parameters
    ----------
    journeys
        The journeys; frequencies are drawn by customer.
    by
        What a node is.
    n
        Number of replicates, at least 1.
    rng
        A generator or seed; the same one repeats the same replicates.

    Yields
    ------
    Replicates
        As many replicates as fit into moderate memory.

    Raises
    ------
    InvalidValue
        If `n` is less than 1.

    Notes
    -----
    Open visits are censored by a life table whose bins are the quantiles of the times that visits
    have been open; the difference of its probabilities to the exact ones, which is small, is added
    to every replicate, so that replicates scatter around the exact estimate.
    """
    if check_number(n, "n") < 1:
        raise InvalidValue.of("n", "be at least 1", n)
    generator = check_rng(rng)
    tally = tally_of(journeys, visits_of(journeys, by))
    for frequency in frequencies(tally.weight, n=n, rng=generator, cells=tally.cells()):
        yield tally.block(frequency)


def frequencies(
    weight: NDArray[np.float64],
    *,
    n: int,
    rng: np.random.Generator | int | None,
    cells: int = 1,
) -> Iterator[NDArray[np.integer]]:
    """Yield Poisson frequencies of units in blocks, shape (units, replicates of the block).

    They are small integers of 8 bits where every unit is expected once.

    Parameters
    ----------
    weight
        Expected frequency of each unit.
    n
        Number of replicates in all.
    rng
        A generator or seed.
    cells
        Numbers that a replicate takes up where it is used; bounds the size of a block.
    """
    check_count(n, "n", least=0)
    generator = check_rng(rng)
    size = max(1, min(n, _BLOCK_CELLS // max(cells, len(weight), 1)))
    once = bool(np.all(weight == 1))
    for begin in range(0, n, size):
        shape = (len(weight), min(size, n - begin))
        if once:
            yield _poisson_of_one(generator, math.prod(shape)).reshape(shape)
        else:
            yield generator.poisson(np.broadcast_to(weight[:, None], shape))


def _poisson_of_one(generator: np.random.Generator, n: int) -> NDArray[np.uint8]:
    """Return draws from the Poisson distribution of mean 1, by inversion.

    A uniform number's first 16 bits decide by table, but where a step of the distribution lies
    between them and the next ones: there the other bits are drawn too. Nothing is approximated.
    """
    table, steps = _inverse()
    drawn = np.empty(n, dtype=np.uint8)
    for begin in range(0, n, _CELLS):
        part = drawn[begin : begin + _CELLS]
        cell = generator.integers(0, _CELLS, len(part), dtype=np.uint16)
        np.take(table, cell, out=part, mode="clip")  # clip: the only mode that needs no buffer
        between = np.flatnonzero(part == _BETWEEN)
        uniform = (cell[between] + generator.random(len(between))) / _CELLS
        part[between] = np.searchsorted(steps, uniform, side="right")
    return drawn


@cache
def _inverse() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return the frequency of each cell of [0, 1), or `_BETWEEN`, and the steps of P(X <= x)."""
    steps = np.cumsum([math.exp(-1) / math.factorial(x) for x in range(20)])
    bounds = np.arange(_CELLS + 1) / _CELLS
    lowest = np.searchsorted(steps, bounds[:-1], side="right")
    highest = np.searchsorted(steps, bounds[1:], side="left")
    return np.where(lowest == highest, lowest, _BETWEEN).astype(np.uint8), steps


def tally_of(journeys: Journeys, visits: Visits) -> Tally:
    """Count moves, open visits, silences and first steps by customer.

    Parameters
    ----------
    journeys
        The journeys.
    visits
        Their visits.
    """
    k = len(visits.names)
    size = k + 3
    moved = visits.following >= 0
    # silence is no move: DROPOFF is reached by an explicit exit, or by what moves leave over
    moved &= visits.state == MOVED
    keys, edge = distinct(visits.node[moved] * size + visits.following[moved])
    bounds = _bounds(journeys, visits)
    bins = len(bounds) + 1
    still_open = visits.state == OPEN
    silent = ~moved & ~still_open
    move_row = edge * bins + _bin(visits, moved, bounds)
    open_row = len(keys) * bins + visits.node[still_open] * bins + _bin(visits, still_open, bounds)
    silent_row = (len(keys) + k) * bins + visits.node[silent]
    step = _first_steps(journeys, visits)
    first, first_index = distinct(step)
    first_row = (len(keys) + k) * bins + k + first_index
    unit, weight = units(journeys)
    key = np.concatenate([move_row, open_row, silent_row, first_row])
    customer = unit[
        np.concatenate(
            [
                visits.journey[moved],
                visits.journey[still_open],
                visits.journey[silent],
                np.arange(len(step)),
            ]
        )
    ]
    n_keys = (len(keys) + k) * bins + k + len(first)
    by_key = order_rows(key, customer, n_keys)  # a stable sort: customers ascend
    tally = Tally(
        names=visits.names,
        offsets=by_key.offsets,
        customer=by_key.time,
        source=keys // size,
        target=keys % size,
        n_bins=bins,
        first=first,
        rest=np.zeros(len(keys)),
        weight=weight,
    )
    if bins == 1 or visits.wait_us is None:
        return tally
    mass = move_mass(visits.node, visits.wait_us, visits.state, k)
    exact = np.bincount(edge, mass[moved], minlength=len(keys))
    return attrs.evolve(tally, rest=exact - tally.moves(weight[:, None])[0][0])


def units(journeys: Journeys) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the column of each journey and the expected frequency of each column."""
    used = np.bincount(journeys.customer, minlength=journeys.log.n_customers) > 0
    column = (np.cumsum(used) - 1)[journeys.customer]
    weight = np.ones(int(np.count_nonzero(used)))
    if journeys.weight is not None:
        weight[column] = journeys.weight  # aggregated paths: one journey a unit
    return column, weight


def _first_steps(journeys: Journeys, visits: Visits) -> NDArray[np.int64]:
    """Return the first touch of each journey, or its end where it has none."""
    touched = journeys.lengths > 0
    step = np.where(journeys.converted, visits.conversion, visits.dropoff)
    step[touched] = visits.node[visits.previous == visits.start]
    return step


def _bounds(journeys: Journeys, visits: Visits) -> NDArray[np.int64]:
    """Return inner bounds of the time bins: quantiles of how long open visits have been open."""
    if visits.wait_us is None or journeys.rules.inactivity is None:
        return np.zeros(0, dtype=np.int64)
    waits = visits.wait_us[visits.state == OPEN]
    if not len(waits):
        return np.zeros(0, dtype=np.int64)
    inner = np.quantile(waits, np.linspace(0, 1, _BINS)[1:], method="inverted_cdf")
    return np.unique(inner).astype(np.int64)


def _bin(visits: Visits, chosen: NDArray[np.bool_], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    if visits.wait_us is None or not len(bounds):
        return np.zeros(int(np.count_nonzero(chosen)), dtype=np.int64)
    return np.searchsorted(bounds, visits.wait_us[chosen])


def _mass(
    ends: NDArray[np.float64], still_open: NDArray[np.float64], visits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weight of a move in each bin: survival before it over the visits at risk.

    Axes are nodes, bins, replicates.
    """
    gone = np.cumsum(ends + still_open, axis=1)
    at_risk = visits[:, None] - np.concatenate([np.zeros_like(gone[:, :1]), gone[:, :-1]], axis=1)
    hazard = np.divide(ends, at_risk, out=np.zeros_like(ends), where=at_risk > 0)
    survival = np.cumprod(1.0 - hazard, axis=1)
    before = np.concatenate([np.ones_like(survival[:, :1]), survival[:, :-1]], axis=1)
    mass: NDArray[np.float64] = np.divide(
        before, at_risk, out=np.zeros_like(ends), where=at_risk > 0
    )
    return mass
