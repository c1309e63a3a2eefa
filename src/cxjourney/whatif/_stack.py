"""Resampled transition matrices: the chains that could as well have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Floats
from cxjourney.domain import CONVERSION, DROPOFF, START
from cxjourney.exceptions import UnknownName
from cxjourney.journeys import replicates
from cxjourney.markov import StackedChains

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney.journeys import By, Journeys
    from cxjourney.markov import AbsorbingChain

__all__ = ["MOST_TOUCHPOINTS", "Stack", "stacks_of_chain", "stacks_of_journeys"]


MOST_TOUCHPOINTS = 500
"""Of more, replicates would take minutes: there is no interval."""

_BLOCK_CELLS = 20_000_000


@attrs.frozen(kw_only=True, eq=False)
class Stack:
    """A stack of transition matrices.

    Attributes
    ----------
    names
        The K touchpoints.
    matrix
        Shape (replicates, K + 1, K + 3): from the touchpoints and START, to the touchpoints,
        START (never), CONVERSION and DROPOFF. A row may sum to less than one: the rest is
        not known to end.
    """

    names: tuple[str, ...]
    matrix: Floats

    def code(self, name: str) -> int:
        """Return the code of a touchpoint or terminal."""
        places = (*self.names, START, CONVERSION, DROPOFF)
        if name not in places:
            raise UnknownName.among("touchpoint", name, self.names, where="the chain")
        return places.index(name)

    def solved(self) -> StackedChains:
        """Return the chains; those that never end are NaN."""
        k = len(self.names)
        return StackedChains.of(self.matrix[:, :k], self.matrix[:, k])


def stacks_of_journeys(
    journeys: Journeys, by: By, names: tuple[str, ...], *, n: int, seed: int
) -> Iterator[Stack]:
    """Yield replicates of journeys in blocks, customers resampled, touchpoints in this order."""
    for block in replicates(journeys, by=by, n=n, rng=seed):
        k = len(block.names)
        order = [*(block.names.index(name) for name in names), k, k + 1, k + 2]
        rows = np.concatenate([block.probability, block.start[:, None, :]], axis=1)
        yield Stack(names=names, matrix=rows[:, order[: k + 1]][:, :, order])


def stacks_of_chain(chain: AbsorbingChain, *, n: int, seed: int) -> Iterator[Stack]:
    """Yield replicates of a graph's chain in blocks: each row drawn anew from its visits.

    Rows are Dirichlet with as many observations as visits at risk (the Bayesian bootstrap of
    independent visits).
    """
    rng = np.random.default_rng(seed)
    k = len(chain.names)
    known = chain.target < k + 3  # what is censored stays so
    source, target = chain.source[known], chain.target[known]
    shape = chain.probability[known] * chain.at_risk[source]
    block = max(1, min(n, _BLOCK_CELLS // ((k + 1) * (k + 3))))
    for begin in range(0, n, block):
        size = min(block, n - begin)
        matrix = np.zeros((size, k + 1, k + 3))
        matrix[:, source, target] = rng.standard_gamma(shape, size=(size, len(shape)))
        total = matrix.sum(axis=2, keepdims=True)
        np.divide(matrix, total, out=matrix, where=total > 0)
        yield Stack(names=chain.names, matrix=matrix)
