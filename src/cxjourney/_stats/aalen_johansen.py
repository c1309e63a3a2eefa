"""Aalen–Johansen probabilities of what follows a visit, from raw waiting times.

A visit ends when the customer moves on, when the silence reaches the limit (the customer is lost),
or it is still open when the observation ends. An open visit is censored: it says that nothing
happened *yet*. The estimators are those of Kaplan and Meier (1958) and Aalen and Johansen (1978),
written as masses: each move carries the weight 1/n of its node, and an open visit hands its own
weight to the visits of the node that lasted longer (Efron's redistribution to the right).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEY_BITS = 62
_BLOCK = 4_000_000

MOVED, STAYED, OPEN = 0, 1, 2
"""State of a visit: ended by a move, by silence up to the limit, or not yet ended."""


def move_mass(
    node: NDArray[np.integer],
    wait_us: NDArray[np.int64],
    state: NDArray[np.integer],
    n_nodes: int,
) -> NDArray[np.float64]:
    """Return the probability mass that each visit's move contributes at its node.

    `wait_us` is the time until the move, or since then if the visit is `OPEN` [µs]. Summed over the
    moves x → y it is the Aalen–Johansen probability of y after x at the limit; what is missing to
    1 over all moves from x is the Kaplan–Meier probability of no touch within the limit.
    """
    mass = np.zeros(len(node), dtype=np.float64)
    visits = np.bincount(node, minlength=n_nodes)
    moved = np.flatnonzero(state == MOVED)
    mass[moved] = 1.0 / visits[node[moved]]
    still_open = np.flatnonzero(state == OPEN)
    if not len(still_open):
        return mass
    key = _end_keys(node, wait_us, state)
    censored = np.sort(key[still_open])
    place = np.searchsorted(np.sort(key), censored)  # of the first among equals
    place += np.arange(len(censored)) - np.searchsorted(censored, censored)
    at = np.repeat(np.arange(n_nodes), np.bincount(node[still_open], minlength=n_nodes))
    longer = np.cumsum(visits)[at] - place - 1  # visits of the node that lasted longer
    growth = np.zeros(len(censored) + 1)
    some = longer > 0
    growth[1:][some] = np.log1p(1.0 / longer[some])
    growth = np.cumsum(growth)
    of_node = growth[np.searchsorted(at, np.arange(n_nodes))]
    mass[moved] *= np.exp(growth[np.searchsorted(censored, key[moved])] - of_node[node[moved]])
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
    values: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the probability of each transition without each unit, shape (n_units, transitions).

    `transition` ended each visit (negative: none that is asked for) and leaves node `source`; where
    `wait_us` is None, visits that are still open are left out; `values` is what each visit adds in
    place of 1. NaN where the other units have no visit of the node.

    The weight of a move grows by the factor (L + c) / L at each time at which c visits of its node
    are censored and L go on. Between two such times it is constant, so that moves are counted by
    transition and interval once, and each unit costs a product with these counts.
    """
    adds = np.ones(len(node)) if values is None else values
    if wait_us is None:
        ended = state != OPEN
        node, unit, transition, state, adds = (
            column[ended] for column in (node, unit, transition, state, adds)
        )
    n = np.bincount(unit * n_nodes + node, minlength=n_units * n_nodes).reshape(n_units, n_nodes)
    others = n.sum(axis=0) - n
    moved = np.flatnonzero(transition >= 0)
    edge, whose = transition[moved], unit[moved]
    size = n_units * len(source)
    if wait_us is None or not np.any(state == OPEN):
        own = np.bincount(whose * len(source) + edge, adds[moved], minlength=size)
        counts = own.reshape(n_units, len(source))
        weighted = counts.sum(axis=0) - counts
    else:
        weighted = _weighted_moves(
            node=node,
            wait_us=wait_us,
            state=state,
            unit=unit,
            n=n,
            moved=moved,
            edge=edge,
            adds=adds[moved],
            n_edges=len(source),
        )
    out = np.full((n_units, len(source)), np.nan)
    base = others[:, source]
    np.divide(weighted, base, out=out, where=base > 0)
    return out


def _weighted_moves(
    *,
    node: NDArray[np.integer],
    wait_us: NDArray[np.int64],
    state: NDArray[np.integer],
    unit: NDArray[np.integer],
    n: NDArray[np.int64],
    moved: NDArray[np.intp],
    edge: NDArray[np.integer],
    adds: NDArray[np.float64],
    n_edges: int,
) -> NDArray[np.float64]:
    """Return the moves of all other units by transition, with what censored visits handed on."""
    from scipy.sparse import csr_array

    n_units, n_nodes = n.shape
    key = _end_keys(node, wait_us, state)
    censored = state == OPEN
    times, place = np.unique(key[censored], return_inverse=True)
    at = np.zeros(len(times), dtype=np.int64)  # node of each censoring time
    at[place] = node[censored]
    interval = np.searchsorted(times, key)
    begin = np.searchsorted(at, np.arange(n_nodes))
    # a node with t times has t + 1 intervals; the last of one node is not the first of the next
    width = np.diff(np.append(begin, len(times))) + 1
    node_of = np.repeat(np.arange(n_nodes), width)
    time_of = np.arange(len(node_of)) - node_of
    cell = interval[moved] + node[moved]
    counts = csr_array((adds, (edge, cell)), shape=(n_edges, len(node_of)))
    whose = unit[moved]
    until = np.cumsum(n.sum(axis=0))[at]
    ended = np.cumsum(np.bincount(interval, minlength=len(times) + 1))[: len(times)]
    stopped = np.bincount(place, minlength=len(times))
    out = np.empty((n_units, n_edges))
    step = max(1, _BLOCK // len(node_of))
    for first in range(0, n_units, step):
        units = slice(first, min(first + step, n_units))
        inside = np.flatnonzero((unit >= units.start) & (unit < units.stop))
        row = unit[inside] - units.start
        shape = (units.stop - units.start, len(times))
        own_ended = _by_unit(row, interval[inside], (shape[0], shape[1] + 1)).cumsum(axis=1)[:, :-1]
        own_until = n[units].cumsum(axis=1)[:, at]
        longer = (until - own_until) - (ended - own_ended)
        open_ones = censored[inside]
        own_stopped = _by_unit(
            row[open_ones], np.searchsorted(times, key[inside[open_ones]]), shape
        )
        stops = stopped - own_stopped
        growth = np.zeros((shape[0], shape[1] + 1))
        np.log1p(np.divide(stops, longer, out=np.zeros(shape), where=longer > 0), out=growth[:, 1:])
        growth = growth.cumsum(axis=1)
        weight = np.exp(growth[:, time_of] - growth[:, begin[node_of]])
        mine = np.flatnonzero((whose >= units.start) & (whose < units.stop))
        row = whose[mine] - units.start
        own = np.bincount(
            row * n_edges + edge[mine],
            weight[row, cell[mine]] * adds[mine],
            minlength=shape[0] * n_edges,
        )
        out[units] = (counts @ weight.T).T - own.reshape(shape[0], n_edges)
    return out


def _by_unit(
    unit: NDArray[np.integer], place: NDArray[np.integer], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Return how often each place occurs in each unit."""
    counts = np.bincount(unit * shape[1] + place, minlength=shape[0] * shape[1])
    return counts.astype(np.int64, copy=False).reshape(shape)


def _end_keys(
    node: NDArray[np.integer], wait_us: NDArray[np.int64], state: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return one integer a visit that orders by node, then end; moves before censorings."""
    stayed = state == STAYED
    longest = int(wait_us.max(where=~stayed, initial=0)) + 1
    wait = np.where(stayed, longest, wait_us)
    bits = longest.bit_length() + 1
    if int(node.max(initial=0)).bit_length() + bits > _KEY_BITS:
        _, wait = np.unique(wait, return_inverse=True)  # the order of the times is enough
        bits = int(wait.max(initial=0)).bit_length() + 1
    key: NDArray[np.int64] = (node.astype(np.int64) << bits) | (wait << 1) | (state == OPEN)
    return key
