"""Two groups, move by move: probabilities, and what they are worth in independent trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.clustered import effective_sample
from cxjourney._support.array_types import Floats, Ints
from cxjourney.domain import CONVERSION, DROPOFF, START

if TYPE_CHECKING:
    from cxjourney.compare._moves import Observed
    from cxjourney.graph import JourneyGraph

__all__ = ["Contrast", "contrast_of", "contrast_of_graphs"]


@attrs.frozen(kw_only=True, eq=False)
class Contrast:
    """Probabilities of every move that either group made; arrays of pairs have shape (2, moves).

    Attributes
    ----------
    names
        Touchpoints: codes 0 … K - 1; K is START, K + 1 CONVERSION, K + 2 DROPOFF.
    source, target
        The moves, sorted.
    count
        How often each was made.
    at_risk
        Ended visits where it begins.
    probability
        NaN where a group has no ended visit.
    effective
        Independent visits that would say as much about the probability of a group.
    trials
        Independent visits that each group has for the test of equality.
    design_effect
        Variance of the difference over that of independent visits, if there is none; at least 1.
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints
    count: Floats
    at_risk: Floats
    probability: Floats
    effective: Floats
    trials: Floats
    design_effect: Floats

    @property
    def pooled(self) -> Floats:
        """The probability that both groups would have if they were alike."""
        return _pooled(self.probability, self.trials)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all codes."""
        return (*self.names, START, CONVERSION, DROPOFF)


def contrast_of(found: Observed) -> Contrast:
    """Return the contrast of two groups of journeys; variances are clustered by customer."""
    size = len(found.names) + 3
    keys, cell = np.unique(found.source * size + found.target, return_inverse=True)
    source = keys // size
    sums = _ClusterSums.of(found, cell, source, size)
    members = np.array([found.group == g for g in (0, 1)])
    total = np.array([_total(found.source, found, size, m * found.weight) for m in members])
    at_risk = np.array([_total(found.source, found, size, m * 1.0) for m in members])
    hits = np.array([_total(cell, found, len(keys), m * found.weight) for m in members])
    count = np.array([_total(cell, found, len(keys), m * 1.0) for m in members])
    squares = np.array([_total(found.source, found, size, m * found.weight**2) for m in members])
    with np.errstate(divide="ignore", invalid="ignore"):
        probability = np.minimum(hits / total[:, source], 1.0)
        # Kish: as many equal weights would scatter as much
        kish = np.minimum(total**2 / squares, at_risk)
    each = found.weight / np.where(total > 0, total, 1.0)[:, found.source]
    share = np.where(members, each, 0.0)
    effective = np.array([sums.effective(share[g], probability[g], at_risk[g]) for g in (0, 1)])
    pooled = np.nan_to_num(_pooled(probability, kish[:, source]))
    trials, effect = _trials(
        alone=np.array([sums.of_visits(found, cell, share[g], pooled) for g in (0, 1)]),
        clustered=sums.variance(share[0] - share[1], pooled),
        even=probability * (1.0 - probability) + (probability - pooled) ** 2,
        at_risk=at_risk[:, source],
    )
    return Contrast(
        names=found.names,
        source=source,
        target=keys % size,
        count=count,
        at_risk=at_risk[:, source],
        probability=probability,
        effective=effective,
        trials=trials,
        design_effect=effect,
    )


def _trials(
    *, alone: Floats, clustered: Floats, even: Floats, at_risk: Floats
) -> tuple[Floats, Floats]:
    """Return the trials of each group for the test of equality, and the design effect.

    Parameters
    ----------
    alone
        Variance of each group's probability, were both groups alike and visits independent.
    clustered
        Variance of the difference, were both groups alike: visits of a customer belong together.
    even
        Variance of one visit, were all of equal weight.
    at_risk
        Ended visits.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        even = even / at_risk
        uneven = np.where(even > 1e-18, alone / even, 1.0)
        independent = alone.sum(axis=0)
        effect = np.where(independent > 1e-18, clustered / independent, 1.0)
    effect = np.maximum(effect, 1.0)
    return at_risk / np.maximum(uneven, 1.0) / effect, effect


def contrast_of_graphs(first: JourneyGraph, second: JourneyGraph) -> Contrast:
    """Return the contrast of two graphs, which know no customers: visits are independent."""
    graphs = (first, second)
    names = tuple(dict.fromkeys(name for graph in graphs for name in graph.touchpoints))
    labels = (*names, START, CONVERSION, DROPOFF)
    code = {name: i for i, name in enumerate(labels)}
    moves = sorted(
        {(code[u], code[v]) for graph in graphs for u, v in graph.edges if u in code and v in code}
    )
    shape = (2, len(moves))
    count, at_risk, probability = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    for g, graph in enumerate(graphs):
        for i, (u, v) in enumerate(moves):
            node = graph.nodes.get(labels[u], {})
            at_risk[g, i] = node.get("visits", 0) - node.get("censored", 0)
            if at_risk[g, i] > 0:
                edge = graph.get_edge_data(labels[u], labels[v], {})
                count[g, i] = edge.get("count", 0)
                probability[g, i] = edge.get("probability", 0.0)
    return Contrast(
        names=names,
        source=np.array([u for u, _ in moves], dtype=np.int64),
        target=np.array([v for _, v in moves], dtype=np.int64),
        count=count,
        at_risk=at_risk,
        probability=probability,
        effective=at_risk,
        trials=at_risk,
        design_effect=np.ones(len(moves)),
    )


@attrs.frozen(kw_only=True, eq=False)
class _ClusterSums:
    """Sums within customers, by move and by place: what a clustered variance is made of.

    Attributes
    ----------
    by_cell, by_node
        The (customer, move) and the (customer, place) of each observation.
    cell, node
        Move and place of these.
    node_of_cell
        The (customer, place) that belongs to each (customer, move).
    weight, node_weight
        How many customers each stands for.
    source
        Place of each move.
    size
        Number of places.
    """

    by_cell: NDArray[np.intp]
    by_node: NDArray[np.intp]
    cell: Ints
    node: Ints
    node_of_cell: NDArray[np.intp]
    weight: Floats
    node_weight: Floats
    source: Ints
    size: int

    @classmethod
    def of(cls, found: Observed, cell: NDArray[np.intp], source: Ints, size: int) -> _ClusterSums:
        stride = int(found.customer.max(initial=0)) + 1
        key, first, by_cell = np.unique(
            cell * stride + found.customer, return_index=True, return_inverse=True
        )
        node_key, node_first, by_node = np.unique(
            found.source * stride + found.customer, return_index=True, return_inverse=True
        )
        return cls(
            by_cell=by_cell,
            by_node=by_node,
            cell=key // stride,
            node=node_key // stride,
            node_of_cell=by_node[first],
            weight=found.multiplicity[first],
            node_weight=found.multiplicity[node_first],
            source=source,
            size=size,
        )

    def variance(self, share: Floats, probability: Floats) -> Floats:
        """Return the sum over customers of (Σ share (1{move} - p))², one a move."""
        hits = np.bincount(self.by_cell, share, minlength=len(self.cell))
        visits = np.bincount(self.by_node, share, minlength=len(self.node))
        n = len(self.source)
        square = np.bincount(self.cell, self.weight * hits**2, minlength=n)
        mixed = np.bincount(self.cell, self.weight * hits * visits[self.node_of_cell], minlength=n)
        base = np.bincount(self.node, self.node_weight * visits**2, minlength=self.size)
        spread: Floats = square - 2 * probability * mixed + probability**2 * base[self.source]
        return np.maximum(spread, 0.0)

    def of_visits(
        self, found: Observed, cell: NDArray[np.intp], share: Floats, probability: Floats
    ) -> Floats:
        """Return the sum over visits of (share (1{move} - p))², one a move."""
        square = (found.multiplicity * share**2).astype(np.float64)
        made = np.bincount(cell, square, minlength=len(self.source)).astype(np.float64)
        base = np.bincount(found.source, square, minlength=self.size).astype(np.float64)
        spread: Floats = (1 - 2 * probability) * made + probability**2 * base[self.source]
        return np.maximum(spread, 0.0)

    def effective(self, share: Floats, probability: Floats, at_risk: Floats) -> Floats:
        """Return p (1 - p) / Var, at most the visits; the customers where all visits agree."""
        seen = np.bincount(self.by_node, share, minlength=len(self.node)) > 0
        units = np.bincount(self.node, self.node_weight * seen, minlength=self.size)[self.source]
        spread = self.variance(share, probability)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = spread * units / (units - 1)
        return effective_sample(probability, variance, at_risk[self.source], units)


def _total(code: NDArray[np.integer], found: Observed, size: int, values: Floats) -> Floats:
    return np.bincount(code, found.multiplicity * values, minlength=size).astype(np.float64)


def _pooled(probability: Floats, trials: Floats) -> Floats:
    """Return the mean of both probabilities by trials; NaN where there are none."""
    known = np.where(trials > 0, np.nan_to_num(probability) * trials, 0.0)
    whole = np.nan_to_num(trials).sum(axis=0)
    out = np.full(probability.shape[1], np.nan)
    np.divide(known.sum(axis=0), whole, out=out, where=whole > 0)
    return out
