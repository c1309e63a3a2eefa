"""Probabilities of transitions in two groups, with and without each bucket of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, split_weights
from cxjourney._stats.ratios import quotient
from cxjourney._support.array_types import Floats, Ints
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.markov import unfollowed

if TYPE_CHECKING:
    from cxjourney.compare._observations import Observations
    from cxjourney.graph import JourneyGraph


@attrs.frozen(kw_only=True, eq=False)
class Contrast:
    """Probabilities of every transition that either group made.

    Attributes
    ----------
    names
        Touchpoints: codes 0 … K - 1; K is START, K + 1 CONVERSION, K + 2 DROPOFF.
    source, target
        The M transitions, sorted.
    count
        How often each group made each, shape (2, M).
    at_risk
        Ended visits of each group where it begins, shape (2, M).
    first, second
        Its probability in each group; NaN where the group has no ended visit.
    unfollowed
        Share of the visits of each group, where it begins, that outlasts what was followed, shape
        (2, M).
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    count: Floats
    at_risk: Floats
    first: BucketFigures
    second: BucketFigures
    unfollowed: Floats

    @property
    def probability(self) -> Floats:
        """The probabilities of both groups, shape (2, M)."""
        return np.stack([self.first.whole, self.second.whole])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all codes."""
        return (*self.names, START, CONVERSION, DROPOFF)


def contrast_of(first: Observations, second: Observations) -> Contrast:
    """Return the contrast of two groups of journeys."""
    size = len(first.names) + 3
    sides = (first, second)
    keys = np.unique(np.concatenate([side.key[side.weight > 0] for side in sides]))
    source = keys // size
    count, at_risk = np.zeros((2, len(keys))), np.zeros((2, len(keys)))
    figures = []
    for g, side in enumerate(sides):
        cell = side.cells(keys)
        kept = side.weight > 0
        counted = np.where(kept, side.multiplicity, 0.0)
        weighted = side.weight * side.multiplicity
        count[g] = np.bincount(cell[kept], counted[kept], minlength=len(keys))
        at_risk[g] = np.bincount(side.source, counted, minlength=size)[source]
        hits = np.bincount(cell[kept], weighted[kept], minlength=len(keys))
        total = np.bincount(side.source, weighted, minlength=size)[source]
        probability = np.full(len(keys), np.nan)
        np.divide(hits, total, out=probability, where=total > 0)
        units = side.stands_on(side.source, len(side.names) + 1)
        figures.append(
            BucketFigures(
                whole=np.minimum(probability, 1.0),
                without=side.without_buckets(cell, source),
                units=units[:, source],
            )
        )
    return Contrast(
        names=first.names,
        source=source,
        target=keys % size,
        count=count,
        at_risk=at_risk,
        first=figures[0],
        second=figures[1],
        unfollowed=np.stack([side.unfollowed[source] for side in sides]),
    )


def contrast_of_graphs(first: JourneyGraph, second: JourneyGraph) -> Contrast:
    """Return the contrast of two graphs, which know no customers: visits are independent.

    The count of each transition is dealt to the buckets as chance would. Where the probabilities of
    a graph are not those of its counts, the difference is the same without each bucket.
    """
    graphs = (first, second)
    names = tuple(dict.fromkeys(name for graph in graphs for name in graph.touchpoints))
    labels = (*names, START, CONVERSION, DROPOFF)
    code = {name: i for i, name in enumerate(labels)}
    pairs = sorted(
        {(code[u], code[v]) for graph in graphs for u, v in graph.edges if u in code and v in code}
    )
    source, target = (np.array([pair[i] for pair in pairs], dtype=np.int64) for i in (0, 1))
    count, at_risk = np.zeros((2, 2, len(pairs)))
    figures = []
    for g, graph in enumerate(graphs):
        probability = np.full(len(pairs), np.nan)
        for i, (u, v) in enumerate(pairs):
            node = graph.nodes.get(labels[u], {})
            at_risk[g, i] = node.get("visits", 0) - node.get("censored", 0)
            if at_risk[g, i] > 0:
                edge = graph.get_edge_data(labels[u], labels[v], {})
                count[g, i] = edge.get("count", 0)
                probability[i] = edge.get("probability", 0.0)
        seeds = [f"{g}\0{labels[u]}\0{labels[v]}" for u, v in pairs]
        own = split_weights(seeds, count[g].astype(np.int64)).T.astype(np.float64)
        base = np.zeros((len(own), len(labels)))
        np.add.at(base.T, source, own.T)
        base = base[:, source]
        total = base.sum(axis=0)
        shares = [quotient(count[g], total), quotient(count[g] - own, total - base)]
        figures.append(
            BucketFigures(
                whole=probability,
                without=np.clip(shares[1] + (probability - shares[0]), 0.0, 1.0),
                units=base,
            )
        )
    return Contrast(
        names=names,
        source=source,
        target=target,
        count=count,
        at_risk=at_risk,
        first=figures[0],
        second=figures[1],
        unfollowed=np.stack([unfollowed(graph, labels)[source] for graph in graphs]),
    )
