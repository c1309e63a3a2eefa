"""Many absorbing chains at once: the closed forms on stacks of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.markov._transitions import trapped_among

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.frozen(kw_only=True)
class StackedChains:
    """The chains of a stack of transition matrices.

    Journeys that come into a loop without a way out neither convert nor drop off, as in
    `AbsorbingChain.from_graph(graph, trapped="censored")`: their visits end there. A chain that
    hardly ever ends is NaN in every array.

    Attributes
    ----------
    fundamental
        Expected visits from node to node, (I - Q)^-1, shape (chains, K, K).
    visits
        Expected visits of each node per journey, shape (chains, K).
    hitting
        Probability of conversion from each node, shape (chains, K).
    conversion
        Probability of conversion per journey, shape (chains,).
    """

    fundamental: NDArray[np.float64]
    visits: NDArray[np.float64]
    hitting: NDArray[np.float64]
    conversion: NDArray[np.float64]

    @classmethod
    def of(cls, probability: NDArray[np.float64], start: NDArray[np.float64]) -> StackedChains:
        """Solve a stack of chains.

        Parameters
        ----------
        probability
            Transition probabilities, shape (chains, K, K + 3): K nodes, START, CONVERSION, DROPOFF.
        start
            Probabilities of the first visit or end, shape (chains, K + 3).
        """
        k = probability.shape[1]
        fundamental = _inverses(np.eye(k) - probability[:, :, :k])
        endless = np.flatnonzero(np.isnan(fundamental).any(axis=(1, 2)))
        if endless.size:
            probability = probability.copy()
            for chain in endless.tolist():
                probability[chain, _trapped(probability[chain])] = 0.0
            fundamental[endless] = _inverses(np.eye(k) - probability[endless, :, :k])
        hitting = np.einsum("bij,bj->bi", fundamental, probability[:, :, k + 1])
        visits = np.einsum("bi,bij->bj", start[:, :k], fundamental)
        conversion = np.einsum("bi,bi->b", start[:, :k], hitting) + start[:, k + 1]
        return cls(fundamental=fundamental, visits=visits, hitting=hitting, conversion=conversion)

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """Expected visits of each node from itself on, its own included, shape (chains, K)."""
        own: NDArray[np.float64] = np.einsum("bii->bi", self.fundamental)
        return own

    def removal_effect(self) -> NDArray[np.float64]:
        """Return the removal effect of each node, shape (chains, K); NaN without conversions."""
        credit = self.visits * self.hitting / self.diagonal
        total = np.where(self.conversion > 0, self.conversion, np.nan)
        effect: NDArray[np.float64] = credit / total[:, None]
        return effect

    def joint_removal_effect(self, nodes: Sequence[int]) -> NDArray[np.float64]:
        """Return the effect of removing several nodes at once, shape (chains,).

        Parameters
        ----------
        nodes
            Codes of the nodes.
        """
        index = np.asarray(nodes, dtype=np.intp)
        among = self.fundamental[:, index[:, None], index]
        solved = np.full((len(among), len(index)), np.nan)
        whole = ~np.isnan(self.conversion)
        solved[whole] = np.linalg.solve(among[whole], self.hitting[whole][:, index, None])[..., 0]
        credit = np.einsum("bi,bi->b", self.visits[:, index], solved)
        effect: NDArray[np.float64] = credit / np.where(
            self.conversion > 0, self.conversion, np.nan
        )
        return effect


def _trapped(probability: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the nodes of one chain from which no end can be reached."""
    k = len(probability)
    source, target = np.nonzero(probability)
    # what a row leaves over to 1 is not known to end, and no loop
    unknown = np.flatnonzero(probability.sum(axis=1) < 1 - 1e-9)
    nowhere = np.full(unknown.size, k + 3)
    return trapped_among(np.concatenate([source, unknown]), np.concatenate([target, nowhere]), k)


def _inverses(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        inverses = np.asarray(np.linalg.inv(matrices), dtype=np.float64)
    except np.linalg.LinAlgError:
        inverses = np.full_like(matrices, np.nan)
        for i, matrix in enumerate(matrices):
            try:
                inverses[i] = np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                continue
    # a loop that rounding lets out just barely gives visits without end
    endless = np.any(np.abs(inverses) > 1e9, axis=(1, 2))
    inverses[endless] = np.nan
    return inverses
