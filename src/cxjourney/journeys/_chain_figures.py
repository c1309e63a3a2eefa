"""Figures of the chain of journeys, and the same without each bucket of customers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, resting_on
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import CLUSTERED
from cxjourney.domain import Outcome
from cxjourney.graph import JourneyGraph
from cxjourney.journeys._graph_statistics import left_out_of_graph
from cxjourney.journeys._journeys import Journeys
from cxjourney.journeys._statistics import LeftOut, TransitionStatistics, left_out
from cxjourney.markov import (
    AbsorbingChain,
    StackedChains,
    chain_columns,
    check_kind,
    solved_without_buckets,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Floats
    from cxjourney.journeys._adding import JourneyStatistics
    from cxjourney.journeys._visits import By

MOST_WITH_DIAGONAL = 400
"""Nodes up to which figures that take inverses are computed without each bucket."""

_DENSE = 400
"""Nodes up to which chains are solved as a stack of matrices."""

_EPSILON = 1e-12


@attrs.frozen(kw_only=True, eq=False)
class ChainFigures:
    """Figures of the chain of journeys; their nodes stand in the order of the statistics.

    Attributes
    ----------
    visits, hitting
        Expected visits of each node per journey, and the probability of conversion from it.
    conversion
        Probability that a journey converts, one figure.
    chain, left
        The chain, which of journeys has no times, and the statistics without each bucket.
    """

    visits: BucketFigures
    hitting: BucketFigures
    conversion: BucketFigures
    chain: AbsorbingChain
    left: LeftOut

    @cached_property
    def diagonal(self) -> BucketFigures:
        """Expected visits of each node from itself on, its own included.

        Beyond `MOST_WITH_DIAGONAL` nodes it is NaN without each bucket: it takes inverses.
        """
        without = np.full_like(self.visits.without, np.nan)
        if without.shape[1] <= MOST_WITH_DIAGONAL:
            without = np.concatenate(
                [StackedChains.of(*block).diagonal for block in self.left.blocks()]
            )
        own = {name: 1 / (1 - again) for name, again in self.chain.returning.items()}
        return _of_nodes(self.left, own, without)

    @cached_property
    def returning(self) -> BucketFigures:
        """Probability to come back to each node."""
        own = self.diagonal
        return attrs.evolve(own, whole=1 - 1 / own.whole, without=1 - 1 / own.without)

    @cached_property
    def removal(self) -> BucketFigures:
        """Removal effect of each node; NaN where nothing converts."""
        total = self.conversion.without
        total = np.where(total > 0, total, np.nan)[:, None]
        without = self.visits.without * self.hitting.without / self.diagonal.without / total
        return _of_nodes(self.left, self.chain.removal_effect(), without)


def chain_figures(
    journeys: Journeys | JourneyStatistics | JourneyGraph, by: By = "touchpoint"
) -> ChainFigures:
    """Return the figures of the chain of journeys or of a graph; of journeys they are kept.

    Parameters
    ----------
    journeys
        The journeys, statistics of them, or a graph: each of its visits counts as a customer of its
        own.
    by
        What a node is; a graph has its own grain.

    Raises
    ------
    NotAbsorbing
        If the goal does not end a journey (`after_goal="keep"`).
    OutcomeUndetermined
        If journeys without the goal cannot come to an end.
    """
    if isinstance(journeys, JourneyGraph):
        chain = AbsorbingChain.from_graph(journeys, trapped="censored")
        return _figures(chain, left_out_of_graph(journeys))
    return journeys.memo.get(
        ("chain figures", by), lambda: _of_journeys(journeys, left_out(journeys, by))
    )


def _of_journeys(journeys: Journeys | JourneyStatistics, left: LeftOut) -> ChainFigures:
    rules = journeys.rules
    check_kind(absorbing=rules.absorbing, determined=rules.determined)
    counted = isinstance(journeys, Journeys) and journeys.columns.time is None
    timed = rules.inactivity is not None and not counted
    return _figures(_chain(left.whole, timed=timed), left)


def _chain(whole: TransitionStatistics, *, timed: bool) -> AbsorbingChain:
    """Return the chain that the graph of the same statistics has, without its times.

    Graphs take long to make. Where visits are `timed`, drop-off is what transitions leave over.
    """
    k, at_risk = len(whole.names), whole.at_risk
    leaves = whole.target == k + 2
    if timed:
        probability = whole.probability
        silent = 1.0 - np.bincount(whole.source, probability, minlength=k)
        # of nodes that nobody left it may be the rounding of a sum
        lost = np.where((whole.exits > 0) | ((at_risk > 0) & (silent > _EPSILON)), silent, 0.0)
        dropoff = np.maximum(lost, 0.0)
        dropoff[whole.source[leaves]] += probability[leaves]
    else:
        probability = whole.count / at_risk[whole.source]
        dropoff = whole.exits / np.maximum(at_risk, 1)
    on = np.flatnonzero(~leaves & (probability > 0))
    out, first = np.flatnonzero(dropoff > 0), np.flatnonzero(whole.first)
    return AbsorbingChain(
        **chain_columns(
            whole.names,
            source=np.concatenate([whole.source[on], out, np.full(len(first), k)]),
            target=np.concatenate([whole.target[on], np.full(len(out), k + 2), first]),
            probability=np.concatenate([probability[on], dropoff[out], whole.start[first]]),
            at_risk=np.append(at_risk, whole.n_journeys).astype(np.float64),
        )
    )


def _figures(chain: AbsorbingChain, left: LeftOut) -> ChainFigures:
    visits, hitting = without_buckets(left, chain)
    start, k = left.start, len(left.whole.names)
    return ChainFigures(
        visits=_of_nodes(left, chain.visits, visits),
        hitting=_of_nodes(left, chain.hitting, hitting),
        conversion=BucketFigures(
            whole=np.array(chain.conversion_probability),
            without=(start[:, :k] * hitting).sum(axis=1) + start[:, k + 1],
            units=left.journeys,
        ),
        chain=chain,
        left=left,
    )


def without_buckets(left: LeftOut, chain: AbsorbingChain) -> tuple[Floats, Floats]:
    """Return visits and hitting probabilities without each bucket, shape (buckets, K)."""
    whole, k = left.whole, len(left.whole.names)
    if k > _DENSE:
        near = tuple(
            np.array([values[name] for name in whole.names], dtype=np.float64)
            for values in (chain.visits, chain.hitting)
        )
        return solved_without_buckets(
            whole.source,
            whole.target,
            np.nan_to_num(left.probability),
            left.start[:, :k],
            size=k,
            guess=(near[0], near[1]),
        )
    solved = [StackedChains.of(*block) for block in left.blocks()]
    visits, hitting = (
        np.concatenate([getattr(stack, name) for stack in solved]) for name in ("visits", "hitting")
    )
    return visits, hitting


def _of_nodes(left: LeftOut, values: Mapping[str, float], without: Floats) -> BucketFigures:
    whole = np.array([values[name] for name in left.whole.names], dtype=np.float64)
    return BucketFigures(whole=whole, without=without, units=resting_on(left.visits, left.used))


def conversion_rate_of(
    journeys: Journeys | JourneyStatistics, *, level: float = 0.95
) -> Estimate | None:
    """Return the probability that a journey reaches the goal; None where nothing tells it.

    All journeys count, and those in progress are censored at each touchpoint, as the chain has it:
    without any of them it is the share of journeys that converted.
    """
    rules = journeys.rules
    converts = bool(rules.goal) or journeys.outcomes[Outcome.CONVERTED] > 0
    if not (rules.determined and rules.absorbing and converts and len(journeys)):
        return None
    found = chain_figures(journeys).conversion
    low, high = found.wilson(level)
    return Estimate(
        value=float(found.whole),
        low=float(low),
        high=float(high),
        level=level,
        n=len(journeys),
        n_censored=journeys.outcomes[Outcome.IN_PROGRESS],
        unit="fraction",
        method=f"Aalen-Johansen chain, Wilson, {CLUSTERED}",
        name="conversion_rate",
        definition="probability that a journey reaches the goal; those in progress are censored",
    )
