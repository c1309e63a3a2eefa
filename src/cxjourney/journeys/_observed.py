"""The transition probabilities of the journeys as they are: counted, where nothing is resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.aalen_johansen import move_mass
from cxjourney.journeys._replicates import Replicates
from cxjourney.journeys._visits import visits_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney.journeys._journeys import Journeys
    from cxjourney.log import Coded

__all__ = ["as_observed"]


def as_observed(journeys: Journeys, nodes: Coded) -> Replicates:
    """Return the exact transition probabilities, as a block of one replicate.

    Parameters
    ----------
    journeys
        The journeys; aggregated paths count with their weights.
    nodes
        Node of each row of the journeys' columns; the block has those that are visited.

    Notes
    -----
    They are those of the edges of `journeys.graph`: shares of the visits whose end is known or,
    where visits are open under an inactivity limit, those of Aalen and Johansen.
    """
    k = len(nodes.names)
    move = _moves(journeys, nodes)
    lengths = np.diff(journeys.offsets)
    weight = None if journeys.weight is None else np.repeat(journeys.weight, lengths)
    counts = _square(move, weight, k)
    visits = counts.sum(axis=1)
    at_risk = visits - counts[:, -1]
    timed = journeys.columns.time is not None and journeys.rules.inactivity is not None
    if timed and np.any(at_risk < visits):
        moved = _square(move, _mass(journeys, nodes), k)[:, :-1]
        moved[:, -1] += np.where(at_risk > 0, np.maximum(1.0 - moved.sum(axis=1), 0.0), 0.0)
    else:  # without a limit nothing tells how long an open visit could last: leave it out
        known = at_risk[:, None]
        moved = np.divide(counts[:, :-1], known, out=np.zeros((k, k + 3)), where=known > 0)
    first = _firsts(journeys, nodes)
    used = np.flatnonzero(visits)
    ends = np.append(used, [k, k + 1, k + 2])
    return Replicates(
        names=tuple(nodes.names[i] for i in used.tolist()),
        probability=moved[np.ix_(used, ends)][None],
        start=(first / max(first.sum(), 1.0))[None, ends],
        visits=visits[None, used],
        at_risk=at_risk[None, used],
        n_journeys=first.sum(keepdims=True),
    )


def _moves(journeys: Journeys, nodes: Coded) -> NDArray[np.int64]:
    """Return for each row its node times K + 4 plus what follows.

    That is one of K nodes, START, CONVERSION, DROPOFF or, last, nothing yet. The row of a goal or
    exit that ends its journey is no touch: it has K (K + 4).
    """
    k, offsets, absorbed = len(nodes.names), journeys.offsets, journeys.absorbed
    touched = journeys.lengths > 0
    last = (offsets[1:] - 1 - absorbed)[touched]
    move = nodes.codes.astype(np.int64)
    move *= k + 4
    end = move[last] + k + 1 + journeys.outcome[touched].astype(np.int64)
    move[:-1] += nodes.codes[1:]
    move[last] = end
    move[offsets[1:][absorbed] - 1] = k * (k + 4)
    return move


def _square(
    move: NDArray[np.int64], weight: NDArray[np.number] | None, k: int
) -> NDArray[np.float64]:
    """Return the moves summed, shape (K, K + 4)."""
    counts = np.bincount(move, weight, minlength=k * (k + 4) + 1)[:-1]
    return counts.astype(np.float64).reshape(k, k + 4)


def _firsts(journeys: Journeys, nodes: Coded) -> NDArray[np.float64]:
    """Return the journeys by their first touch, or by their end where they have none."""
    k, touched = len(nodes.names), journeys.lengths > 0
    first = np.where(journeys.converted, k + 1, k + 2)
    first[touched] = nodes.codes[journeys.offsets[:-1][touched]]
    return np.bincount(first, journeys.weight, minlength=k + 3).astype(np.float64)


def _mass(journeys: Journeys, nodes: Coded) -> NDArray[np.float64]:
    """Return the probability that each row's move adds; 0 where nothing followed."""
    visits = visits_at(journeys, nodes)
    assert visits.wait_us is not None  # noqa: S101 - as_observed has looked
    mass = np.zeros(len(nodes))
    mass[visits.row] = move_mass(visits.node, visits.wait_us, visits.state, len(visits.names))
    return mass
