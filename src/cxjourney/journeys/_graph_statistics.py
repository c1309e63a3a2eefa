"""Statistics of transitions that a graph brings along, where there are no journeys any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, split_weights
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.journeys._statistics import LeftOut, TransitionStatistics, assembled

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats
    from cxjourney.graph import JourneyGraph

_ROUNDING = 1e-12


def left_out_of_graph(graph: JourneyGraph) -> LeftOut:
    """Return the statistics of the transitions of a graph, and the same without each bucket.

    A graph knows no customers: each of its visits counts as a customer of its own, and the count
    of each transition is dealt to the buckets as chance would, from a seed that is its name.

    Parameters
    ----------
    graph
        A whole journey graph.

    Notes
    -----
    Where the probabilities of the graph are not those of its counts, the difference is the same
    without each bucket.
    """
    names = tuple(name for name, node in graph.nodes(data=True) if node.get("kind") == "touchpoint")
    k = len(names)
    code = {name: i for i, name in enumerate((*names, START, CONVERSION, DROPOFF))}
    edges = sorted(
        (code[u], code[v], data.get("count", 0), data.get("probability", 0.0))
        for u, v, data in graph.edges(data=True)
    )
    labels = tuple(code)
    inner = [edge for edge in edges if edge[0] < k]
    starts = [edge for edge in edges if edge[0] == k]
    source, target, count = (np.array([e[i] for e in inner], dtype=np.int64) for i in range(3))
    visits, censored, exits = (
        np.array([graph.nodes[name].get(key, 0) for name in names], dtype=np.int64)
        for key in ("visits", "censored", "exits")
    )
    first = np.zeros(k + 3, dtype=np.int64)
    first[[e[1] for e in starts]] = [e[2] for e in starts]
    whole = TransitionStatistics(
        names=names,
        source=source,
        target=target,
        count=count,
        probability=np.array([e[3] for e in inner], dtype=np.float64),
        visits=visits,
        censored=censored,
        exits=exits,
        first=first,
    )
    moves = _dealt([f"{labels[u]}\0{labels[v]}" for u, v, *_ in inner], count)
    at_risk = np.zeros((N_BUCKETS, k))
    np.add.at(at_risk.T, source, moves.T)
    others = (at_risk.sum(axis=0) - at_risk)[:, source]
    share = np.full(moves.shape, np.nan)
    np.divide(moves.sum(axis=0) - moves, others, out=share, where=others > 0)
    base = at_risk.sum(axis=0)[source]
    counted = np.divide(count, base, out=np.zeros(len(count)), where=base > 0)
    probability = np.clip(share + (whole.probability - counted), 0.0, 1.0)
    probability[probability < _ROUNDING] = 0.0  # of what was taken off and added again
    return assembled(
        whole,
        probability,
        visits=at_risk + _dealt(list(names), censored),
        at_risk=at_risk,
        first=_dealt([f"{START}\0{label}" for label in labels], first),
    )


def _dealt(names: list[str], counts: np.ndarray) -> Floats:
    """Return how many of each count fall into each bucket, shape (buckets, names)."""
    return split_weights(names, counts).T.astype(np.float64)
