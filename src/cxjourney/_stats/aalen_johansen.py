"""What happens after a visit: Aalen–Johansen probabilities and exits from raw waiting times.

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

__all__ = ["MOVED", "OPEN", "STAYED", "exit_influence", "move_mass"]

_KEY_BITS = 62

MOVED, STAYED, OPEN = 0, 1, 2
"""State of a visit: ended by a move, by silence up to the limit, or not yet ended."""


def move_mass(
    node: NDArray[np.integer],
    wait_us: NDArray[np.int64],
    state: NDArray[np.integer],
    n_nodes: int,
) -> NDArray[np.float64]:
    """Return the probability mass that each visit's move contributes at its node.

    Parameters
    ----------
    node
        Node of each visit.
    wait_us
        Time until the move, or how long the visit has been open [µs]; ignored where it stayed.
    state
        `MOVED`, `STAYED` or `OPEN`, one a visit.
    n_nodes
        Number of nodes.

    Returns
    -------
    ndarray of float64
        Summed over the moves x → y it is the Aalen–Johansen probability of y after x at the limit;
        what is missing to 1 over all moves from x is the Kaplan–Meier survival: the probability
        of no touch within the limit. 0 where the visit did not move.
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


def exit_influence(
    node: NDArray[np.integer],
    wait_us: NDArray[np.int64],
    state: NDArray[np.integer],
    exits: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the infinitesimal-jackknife influence of each visit on its node's exit probability.

    Parameters
    ----------
    node, wait_us, state
        As for `move_mass`.
    exits
        Moves that are exits themselves: to an explicit exit touchpoint.

    Returns
    -------
    ndarray of float64
        Derivatives of the exit probability with respect to each visit's weight; they sum to 0 at
        each node. The sum of squares over customers is the clustered variance.
    """
    influence = np.zeros(len(node), dtype=np.float64)
    key = _end_keys(node, wait_us, state)
    order = np.argsort(key)  # whichever comes first of equals: they make one group
    if not len(order):
        return influence
    place, time, moved = node[order], key[order] >> 1, state[order] == MOVED
    goes_on = moved & ~exits[order]
    # groups of visits of one node that end at the same time; censored ones come after the moves
    new = np.append(True, time[1:] != time[:-1])
    group = np.cumsum(new) - 1
    begin = np.flatnonzero(new)
    node_of = place[begin]
    stop = np.cumsum(np.bincount(place))  # of the visits of each node
    at_risk = (stop[node_of] - begin).astype(np.float64)
    events = np.bincount(group, weights=moved).astype(np.float64)
    moves = np.bincount(group, weights=goes_on).astype(np.float64)
    n_groups = np.bincount(node_of)
    last = (np.cumsum(n_groups) - 1)[node_of]  # group of each one's node
    first = last - n_groups[node_of] + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(events < at_risk, events / (at_risk * (at_risk - events)), 0.0)
        own = np.where(events < at_risk, 1.0 / (at_risk - events), 0.0)
    survival_before = _product_before(1.0 - events / at_risk, first)
    flow = survival_before * moves / at_risk
    cum_hazard = _running(hazard, first)
    cum_flow = _running(flow, first)
    cum_mixed = _running(flow * (cum_hazard - hazard), first)
    cum_square = _running(survival_before * moves / at_risk**2, first)
    later_flow = cum_flow[last] - cum_flow
    per_group = cum_mixed + later_flow * cum_hazard - cum_square
    effect = per_group[group]
    effect -= np.where(moved, (later_flow * own)[group], 0.0)
    effect += np.where(goes_on, (survival_before / at_risk)[group], 0.0)
    influence[order] = -effect
    return influence


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


def _running(values: NDArray[np.float64], first: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return running sums that begin anew at the first place of each node."""
    total = np.cumsum(values)
    running: NDArray[np.float64] = total - (total - values)[first]
    return running


def _product_before(values: NDArray[np.float64], first: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the product of the node's values before each place."""
    with np.errstate(divide="ignore"):
        logs = np.log(values)
    finite = np.where(np.isfinite(logs), logs, 0.0)  # a factor 0 ends its node: nothing follows
    return np.exp(_running(finite, first) - finite)
