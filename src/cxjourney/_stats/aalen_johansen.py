"""Aalen–Johansen probabilities of what follows a visit, from raw waiting times.

A visit ends when the customer moves on, when the silence reaches the limit (the customer is lost),
or it is still open when the observation ends. An open visit is censored: it says that nothing
happened *yet*. The estimators are those of Kaplan and Meier (1958) and Aalen and Johansen (1978),
written as masses: each move carries the weight 1/n of its node, and an open visit hands its own
weight to the visits of the node that lasted longer (Efron's redistribution to the right).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.array_types import Floats, Ints
from cxjourney.kernels import count_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BLOCK = 4_000_000
_ROWS = 1 << 19

MOVED, STAYED, OPEN = 0, 1, 2
"""State of a visit: ended by a move, by silence up to the limit, or not yet ended."""


@attrs.frozen(kw_only=True, eq=False)
class Censoring:
    """The times at which visits are censored, node by node, and where the ends of visits fall.

    A node with t times has t + 1 cells: a visit is in the cell of those that end after as many of
    them. At one time moves come before censorings, so that what is censored is in the cell before
    its own time.

    Attributes
    ----------
    node
        Node of each time, shape (times,); times ascend within a node.
    stopped
        Visits that are censored at each.
    first
        First cell of each node, then the number of all cells, shape (nodes + 1,).
    cell
        Cell of each visit.
    visit
        Place of each visit that is censored.
    """

    node: Ints
    stopped: Ints
    first: Ints
    cell: NDArray[np.int32]
    visit: Ints

    @classmethod
    def of(
        cls,
        node: NDArray[np.integer],
        wait_us: NDArray[np.int64],
        state: NDArray[np.integer],
        n_nodes: int,
    ) -> Self | None:
        """Return the censoring of visits; None where none is censored."""
        still_open = np.flatnonzero(state == OPEN)
        if not len(still_open):
            return None

        def cells(times: NDArray[np.int64], bounds: Ints) -> NDArray[np.int32]:
            cell = count_before(
                np.ascontiguousarray(node), np.ascontiguousarray(wait_us), times, bounds
            )
            stayed = np.flatnonzero(state == STAYED)
            cell[stayed] = np.diff(bounds)[node[stayed]]
            cell += (bounds[:-1] + np.arange(n_nodes)).astype(np.int32)[node]
            return cell

        return cls.of_open(node[still_open], wait_us[still_open], still_open, n_nodes, cells)

    @classmethod
    def of_open(
        cls,
        node: NDArray[np.integer],
        wait_us: NDArray[np.int64],
        visit: Ints,
        n_nodes: int,
        cells: Callable[[NDArray[np.int64], Ints], NDArray[np.int32]],
    ) -> Self:
        """Return the same of visits that are open, given what finds the cells of all visits.

        It is handed the times in order and where those of each node begin, and the last ones end.
        """
        order = np.lexsort((wait_us, node))
        at, when = node[order].astype(np.int64), wait_us[order]
        new = np.flatnonzero(np.append(True, (at[1:] != at[:-1]) | (when[1:] != when[:-1])))
        bounds = np.searchsorted(at[new], np.arange(n_nodes + 1))
        return cls(
            node=at[new],
            stopped=np.diff(np.append(new, len(at))),
            first=bounds + np.arange(n_nodes + 1),
            cell=cells(when[new], bounds),
            visit=visit,
        )

    @property
    def node_of_cell(self) -> Ints:
        """Node of each cell."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @cached_property
    def counts(self) -> Ints:
        """Visits of each cell."""
        return np.bincount(self.cell, minlength=int(self.first[-1]))

    @property
    def before(self) -> Ints:
        """Cell before each time."""
        return np.arange(len(self.node)) + self.node

    def longer(self, counts: Ints) -> Ints:
        """Return the visits that go on after each time, given those of each cell (last axis)."""
        until = counts.cumsum(axis=-1)
        last = self.first[1:] - 1
        longer: Ints = until[..., last[self.node]] - until[..., self.before]
        return longer

    def masses(self) -> Floats:
        """Return the probability mass that each move out of a cell contributes at its node."""
        # one after the other where several are censored at one time
        each = np.repeat(np.arange(len(self.node)), self.stopped)
        begin = np.cumsum(self.stopped) - self.stopped
        longer = self.longer(self.counts)
        longer = (longer + self.stopped)[each] - (np.arange(len(each)) - begin[each]) - 1
        growth = np.zeros(len(each) + 1)
        some = longer > 0
        growth[1:][some] = np.log1p(1.0 / longer[some])
        growth = np.cumsum(growth)
        growth = np.append(growth[begin], growth[-1])
        of_cell, n_nodes = self.node_of_cell, len(self.first) - 1
        time = np.arange(len(of_cell)) - of_cell
        weight = np.exp(growth[time] - growth[self.first[:-1] - np.arange(n_nodes)][of_cell])
        visits = np.bincount(of_cell, self.counts, minlength=n_nodes)
        masses: Floats = 1.0 / np.maximum(visits, 1)[of_cell] * weight
        return masses


def move_mass(
    node: NDArray[np.integer],
    wait_us: NDArray[np.int64],
    state: NDArray[np.integer],
    n_nodes: int,
) -> Floats:
    """Return the probability mass that each visit's move contributes at its node.

    `wait_us` is the time until the move, or since then if the visit is `OPEN` [µs]. Summed over the
    moves x → y it is the Aalen–Johansen probability of y after x at the limit; what is missing to
    1 over all moves from x is the Kaplan–Meier probability of no touch within the limit.
    """
    found = Censoring.of(node, wait_us, state, n_nodes)
    mass: Floats
    if found is None:
        mass = (1.0 / np.maximum(np.bincount(node, minlength=n_nodes), 1))[node]
    else:
        mass = found.masses()[found.cell]
    mass[state != MOVED] = 0.0
    return mass


def left_out_probabilities(
    node: NDArray[np.integer],
    wait_us: NDArray[np.int64] | None,
    state: NDArray[np.integer],
    transition: NDArray[np.integer],
    unit: NDArray[np.integer],
    *,
    source: NDArray[np.integer],
    n_nodes: int,
    n_units: int,
    values: Floats | None = None,
) -> Floats:
    """Return the probability of each transition without each unit, shape (n_units, transitions).

    Where `wait_us` is None, visits that are still open are left out; see `left_out_by_cells`.
    """
    found = None
    if wait_us is None:
        ended = state != OPEN
        node, unit, transition = (column[ended] for column in (node, unit, transition))
        values = None if values is None else values[ended]
    else:
        found = Censoring.of(node, wait_us, state, n_nodes)
    return left_out_by_cells(
        node,
        found,
        transition,
        unit,
        source=source,
        n_nodes=n_nodes,
        n_units=n_units,
        values=values,
    )


def left_out_by_cells(
    node: NDArray[np.integer],
    censoring: Censoring | None,
    transition: NDArray[np.integer],
    unit: NDArray[np.integer],
    *,
    source: NDArray[np.integer],
    n_nodes: int,
    n_units: int,
    values: Floats | None = None,
) -> Floats:
    """Return the probability of each transition without each unit, given the censoring of visits.

    `transition` ended each visit (negative: none that is asked for) and leaves node `source`;
    `values` is what each visit adds in place of 1. The shape is (n_units, transitions), NaN where
    the other units have no visit of the node.

    The weight of a move grows by the factor (L + c) / L at each time at which c visits of its node
    are censored and L go on. Between two such times it is constant, so that moves are counted by
    transition and interval once, and each unit costs a product with these counts.
    """
    n = _by_unit(unit, node, (n_units, n_nodes))
    others = n.sum(axis=0) - n
    moves = _Moves(transition, unit, values, n_units)
    if censoring is None:
        counts = moves.counted(np.arange(len(source)), len(source))
        weighted = counts.sum(axis=0) - counts
    else:
        weighted = _weighted_moves(_Weights(censoring, unit, n_units), moves, source)
    out = np.full((n_units, len(source)), np.nan)
    base = others[:, source]
    np.divide(weighted, base, out=out, where=base > 0)
    return out


class _Moves:
    """The visits that ended in a transition, counted by unit."""

    def __init__(
        self,
        transition: NDArray[np.integer],
        unit: NDArray[np.integer],
        values: Floats | None,
        n_units: int,
    ) -> None:
        self.transition, self.unit, self.values, self.n_units = transition, unit, values, n_units

    def counted(
        self, begin: Ints, n_places: int, cell: NDArray[np.integer] | None = None
    ) -> Floats | Ints:
        """Return the moves by unit and place, that of the transition and its cell on from there."""
        size = self.n_units * n_places
        total: Any = np.zeros(size, dtype=np.int64 if self.values is None else np.float64)
        for rows in _blocks(len(self.transition), size):
            moved = np.flatnonzero(self.transition[rows] >= 0)
            place = begin[self.transition[rows][moved]]
            place += self.unit[rows][moved].astype(np.int64) * n_places
            if cell is not None:
                place += cell[rows][moved]
            adds = None if self.values is None else self.values[rows][moved]
            total += np.bincount(place, adds, minlength=size)
        found: Floats | Ints = total.reshape(self.n_units, n_places)
        return found


class _Weights:
    """The weights of moves by cell, without each unit."""

    def __init__(self, censoring: Censoring, unit: NDArray[np.integer], n_units: int) -> None:
        self.censoring, self.unit, self.n_units = censoring, unit, n_units
        self.n_cells = int(censoring.first[-1])
        self._longer = censoring.longer(censoring.counts)
        cell = censoring.cell[censoring.visit]
        self._open = unit[censoring.visit], cell - censoring.node_of_cell[cell]

    def without(self, first: int, stop: int) -> Floats:
        """Return the weights without each of some units, shape (some units, cells)."""
        found, unit = self.censoring, self.unit
        cell = found.cell
        if stop - first < self.n_units:
            inside = (unit >= first) & (unit < stop)
            unit, cell = unit[inside], cell[inside]
        whose, time = self._open
        here = (whose >= first) & (whose < stop)
        n_times = len(found.node)
        own = _by_unit(unit, cell, (stop - first, self.n_cells), first)
        stopped = _by_unit(whose[here], time[here], (stop - first, n_times), first)
        longer = self._longer - found.longer(own)
        stops = found.stopped - stopped
        growth = np.zeros((stop - first, n_times + 1))
        rate = np.divide(stops, longer, out=np.zeros(stops.shape), where=longer > 0)
        np.log1p(rate, out=growth[:, 1:])
        growth = growth.cumsum(axis=1)
        of_cell = found.node_of_cell
        begin = found.first[:-1] - np.arange(len(found.first) - 1)
        weights: Floats = np.exp(
            growth[:, np.arange(self.n_cells) - of_cell] - growth[:, begin[of_cell]]
        )
        return weights


def _weighted_moves(weights: _Weights, moves: _Moves, source: NDArray[np.integer]) -> Floats:
    """Return the moves of all other units by transition, with what censored visits handed on."""
    n_units, n_edges, first = weights.n_units, len(source), weights.censoring.first
    width = np.diff(first)[source]
    n_places = int(width.sum())
    if n_units * n_places <= _BLOCK and n_units * weights.n_cells <= _BLOCK:
        begin = np.cumsum(width) - width
        own = moves.counted(begin - first[source], n_places, weights.censoring.cell)
        of_place = np.arange(n_places) + np.repeat(first[source] - begin, width)
        others = (own.sum(axis=0) - own) * weights.without(0, n_units)[:, of_place]
        return np.add.reduceat(others, begin, axis=1) if n_edges else others
    from scipy.sparse import csr_array

    moved = np.flatnonzero(moves.transition >= 0)
    edge, whose = moves.transition[moved], moves.unit[moved].astype(np.int64)
    cell = weights.censoring.cell[moved]
    every = np.ones(len(edge)) if moves.values is None else moves.values[moved]
    counts = csr_array((every, (edge, cell)), shape=(n_edges, weights.n_cells))
    out = np.empty((n_units, n_edges))
    step = max(1, _BLOCK // weights.n_cells)
    for begin_unit in range(0, n_units, step):
        stop = min(begin_unit + step, n_units)
        weight = weights.without(begin_unit, stop)
        mine = np.flatnonzero((whose >= begin_unit) & (whose < stop))
        row = whose[mine] - begin_unit
        size = (stop - begin_unit) * n_edges
        own = np.bincount(
            row * n_edges + edge[mine], weight[row, cell[mine]] * every[mine], minlength=size
        )
        out[begin_unit:stop] = (counts @ weight.T).T - own.reshape(-1, n_edges)
    return out


def _by_unit(
    unit: NDArray[np.integer],
    place: NDArray[np.integer],
    shape: tuple[int, int],
    first: int = 0,
) -> Ints:
    """Return how often each place occurs in each unit from the first on."""
    counts = np.zeros(shape[0] * shape[1], dtype=np.int64)
    for rows in _blocks(len(unit), len(counts)):
        key = unit[rows].astype(np.int64)
        key -= first
        key *= shape[1]
        key += place[rows]
        counts += np.bincount(key, minlength=len(counts))
    return counts.reshape(shape)


def _blocks(n: int, size: int) -> Iterator[slice]:
    """Yield blocks of rows, whose arrays are small, but not smaller than the table they fill."""
    step = max(_ROWS, size)
    for begin in range(0, n, step):
        yield slice(begin, begin + step)
