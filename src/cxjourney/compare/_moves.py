"""What happened after every visit, with the weights that count open visits as open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED, move_mass
from cxjourney._support.array_types import Floats, Ints
from cxjourney.journeys import By, visits_of

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

__all__ = ["Moves", "Observed", "moves_of", "observed", "put_together"]


@attrs.frozen(kw_only=True, eq=False)
class Moves:
    """Visits and first steps of journeys, one entry each.

    Attributes
    ----------
    names
        Touchpoints: codes 0 … K - 1; K is START, K + 1 CONVERSION, K + 2 DROPOFF.
    source, target
        Where, and where to next; the target of an open visit is -1.
    wait_us
        How long until then, or how long open so far [µs]; None where nothing is timed.
    state
        `MOVED`, `STAYED` or `OPEN`, from `cxjourney._stats.aalen_johansen`.
    journey, customer
        Whose.
    multiplicity
        How many customers the entry stands for.
    customer_ids
        Id of each customer number; None where numbers are not those of persons.
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    wait_us: Ints | None
    state: NDArray[np.int8]
    journey: Ints
    customer: Ints
    multiplicity: Floats
    customer_ids: Sequence[str] | None


@attrs.frozen(kw_only=True, eq=False)
class Observed:
    """Ended visits and first steps of two groups, weighted.

    Attributes
    ----------
    names, source, target, customer, multiplicity
        As of `Moves`; none is open.
    group
        0 or 1.
    weight
        1, and more where the entry also stands for visits that were still open when it ended.
    journey
        Number of the journey, to look up strata.
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    customer: Ints
    multiplicity: Floats
    group: Ints
    weight: Floats
    journey: Ints


def moves_of(journeys: Journeys, by: By) -> Moves:
    """Return the moves of journeys at a grain."""
    visits = visits_of(journeys, by)
    first = np.where(journeys.converted, visits.conversion, visits.dropoff).astype(np.int64)
    first[journeys.lengths > 0] = visits.node[visits.previous == visits.start]
    # how a journey began that was under way when the observation did, nobody has seen
    begun = np.flatnonzero(~journeys.left_truncated)
    timed = visits.wait_us is not None and journeys.rules.inactivity is not None
    journey = np.concatenate([visits.journey, begun])
    every = np.ones(len(journeys.outcome)) if journeys.weight is None else journeys.weight
    return Moves(
        names=visits.names,
        source=np.concatenate([visits.node, np.full(len(begun), visits.start)]),
        target=np.concatenate([visits.following, first[begun]]),
        wait_us=np.concatenate([visits.wait_us, np.zeros(len(begun), dtype=np.int64)])
        if timed and visits.wait_us is not None
        else None,
        state=np.concatenate([visits.state, np.full(len(begun), MOVED, dtype=np.int8)]),
        journey=journey,
        customer=journeys.customer[journey].astype(np.int64),
        multiplicity=every[journey].astype(np.float64),
        customer_ids=None if journeys.weight is not None else journeys.log.customer_ids,
    )


def observed(moves: Moves, group: Ints) -> Observed:
    """Return the ended visits of both groups with the weights that Aalen-Johansen gives them.

    Parameters
    ----------
    moves
        The moves.
    group
        0, 1, or -1 for what belongs to neither, one a move.

    Notes
    -----
    A visit that is still open hands its own weight to those of its group and touchpoint that
    lasted longer (Efron's redistribution to the right), so that shares of weights are
    Aalen-Johansen probabilities. Where nothing tells how long an open visit could last, it is
    left out.
    """
    chosen = np.flatnonzero(group >= 0)
    source, state, target = moves.source[chosen], moves.state[chosen], moves.target[chosen]
    member = group[chosen]
    weight = (state != OPEN).astype(np.float64)
    if moves.wait_us is not None:
        size = len(moves.names) + 1
        weight = _weights(member * size + source, moves.wait_us[chosen], state, 2 * size)
    kept = weight > 0
    # where nobody was followed up to the limit, those who are open stand for the silent
    target = np.where(target < 0, len(moves.names) + 2, target)
    return Observed(
        names=moves.names,
        source=source[kept],
        target=target[kept],
        customer=moves.customer[chosen][kept],
        multiplicity=moves.multiplicity[chosen][kept],
        group=member[kept],
        weight=weight[kept],
        journey=moves.journey[chosen][kept],
    )


def _weights(node: Ints, wait_us: Ints, state: NDArray[np.int8], n_nodes: int) -> Floats:
    """Return the weight of each visit; those of a node sum to its number of visits.

    All are 0 at a node where no visit came to an end.
    """
    visits = np.bincount(node, minlength=n_nodes)
    mass = move_mass(node, wait_us, state, n_nodes)
    silence = np.maximum(1.0 - np.bincount(node, mass, minlength=n_nodes), 0.0)
    silence[silence < 1e-12] = 0.0  # rounding of a sum of masses, not a probability
    stayed = np.bincount(node[state == STAYED], minlength=n_nodes)
    still_open = np.bincount(node[state == OPEN], minlength=n_nodes)
    ended = visits > still_open  # where no visit came to an end, nothing is known
    bearers = np.where(stayed > 0, stayed, still_open)
    bears = (state == STAYED) | ((state == OPEN) & (stayed[node] == 0) & ended[node])
    each = np.divide(silence, bearers, out=np.zeros(n_nodes), where=bearers > 0)
    weight: Floats = np.where(bears, each[node], mass) * visits[node]
    return weight


def put_together(first: Moves, second: Moves) -> Observed:
    """Return two sets of moves as those of two groups, each weighted by itself.

    Customers of the same id are the same customer; aggregated paths are nobody's.
    """
    names = tuple(dict.fromkeys((*first.names, *second.names)))
    size = len(names)
    code = {name: i for i, name in enumerate(names)}
    owners = _owners(first, second)
    parts = []
    for number, moves in enumerate((first, second)):
        here = observed(moves, np.full(len(moves.source), number))
        translated = np.array([*(code[name] for name in moves.names), size, size + 1, size + 2])
        parts.append(
            attrs.evolve(
                here,
                names=names,
                source=translated[here.source],
                target=translated[here.target],
                customer=owners[number][here.customer],
                journey=here.journey + number * (int(first.journey.max(initial=-1)) + 1),
            )
        )
    columns = ("source", "target", "customer", "multiplicity", "group", "weight", "journey")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return Observed(names=names, **joined)


def _owners(first: Moves, second: Moves) -> tuple[Ints, Ints]:
    """Return one number a customer, for the customer numbers of both."""
    counts = [int(moves.customer.max(initial=-1)) + 1 for moves in (first, second)]
    if first.customer_ids is None or second.customer_ids is None:
        return np.arange(counts[0]), np.arange(counts[0], sum(counts))
    known = {name: i for i, name in enumerate(first.customer_ids)}
    others = [known.setdefault(name, len(known)) for name in second.customer_ids]
    return np.arange(len(first.customer_ids)), np.array(others, dtype=np.int64)
