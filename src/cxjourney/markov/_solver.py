"""Linear systems in I - Q: one factorisation, dense where it is small and sparse where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney._support.array_types import Floats, Ints


__all__ = ["Solver", "dense_pays", "sums"]

_BATCH = 256
_SMALL = 1_500
_MOST = 10_000  # touchpoints of a dense matrix: 800 MB


def sums(codes: Ints, values: Floats, size: int) -> Floats:
    """Return the sums of `values` by code, 0 … size - 1."""
    return np.bincount(codes, values, minlength=size).astype(np.float64, copy=False)


def dense_pays(size: int, n_moves: int) -> bool:
    """Return whether a dense factorisation is the faster one, and affordable.

    Journeys wander: from about two successors a touchpoint on, eliminating fills a sparse matrix
    by a fifth and more (random graphs of 2,000 and 4,000 touchpoints), and then solving for
    every touchpoint takes three to six times as long as with the dense one.
    """
    return size < _SMALL or (size <= _MOST and n_moves > 2 * size)


class Solver:
    """Solutions of `(I - Q) x = b`, with Q the transition probabilities among touchpoints.

    Parameters
    ----------
    source, target
        Ends of the transitions, in 0 … size - 1.
    probability
        Probability of each transition.
    size
        Number of touchpoints.
    """

    __slots__ = ("_norms", "_solve", "size")

    def __init__(
        self,
        source: Ints,
        target: Ints,
        probability: Floats,
        size: int,
    ) -> None:
        self.size = size
        # Column sums of |I - Q|, for the condition number.
        loop = source == target
        self._norms = 1 - sums(target[loop], probability[loop], size)
        self._norms += sums(target[~loop], probability[~loop], size)
        if size:
            factorise = _dense if dense_pays(size, source.size) else _sparse
            self._solve = factorise(source, target, probability, size)

    def right(self, b: Floats) -> Floats:
        """Return `N b` for `N = (I - Q)⁻¹`."""
        return self._solve(b, False) if self.size else b

    def left(self, b: Floats) -> Floats:
        """Return `b N`."""
        return self._solve(b, True) if self.size else b

    def columns(self) -> Iterator[tuple[Ints, Floats]]:
        """Yield codes and the columns of N that belong to them, a batch at a time."""
        for first in range(0, self.size, _BATCH):
            codes = np.arange(first, min(first + _BATCH, self.size))
            unit = np.zeros((self.size, codes.size))
            unit[codes, np.arange(codes.size)] = 1.0
            yield codes, self.right(unit)

    def condition_number(self) -> float:
        """Return the condition number of `I - Q` in the 1-norm; N has no negative entry."""
        if not self.size:
            return 1.0
        return float(self._norms.max() * self.left(np.ones(self.size)).max())


def _dense(
    source: Ints, target: Ints, probability: Floats, size: int
) -> Callable[[Floats, bool], Floats]:
    from scipy.linalg import lu_factor, lu_solve

    matrix = np.eye(size, order="F")
    np.subtract.at(matrix, (source, target), probability)
    factors = lu_factor(matrix, overwrite_a=True, check_finite=False)

    def solve(b: Floats, transposed: bool) -> Floats:  # noqa: FBT001 - internal
        return np.asarray(lu_solve(factors, b, trans=1 if transposed else 0, check_finite=False))

    return solve


def _sparse(
    source: Ints, target: Ints, probability: Floats, size: int
) -> Callable[[Floats, bool], Floats]:
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    inner = csc_array((probability, (source, target)), shape=(size, size))
    factors = splu(csc_array(eye_array(size, format="csc") - inner))

    def solve(b: Floats, transposed: bool) -> Floats:  # noqa: FBT001 - internal
        if b.ndim == 2:
            # SuperLU takes ten times as long for many columns at once where BLAS has threads.
            return np.array([solve(column, transposed) for column in b.T]).reshape(b.T.shape).T
        return np.asarray(factors.solve(b, "T" if transposed else "N"))  # type: ignore[call-overload]

    return solve
