"""Linear systems in I - Q: one factorisation, dense where it is small and sparse where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney._support.array_types import Floats, Ints


_BATCH = 256
_SMALL = 1_500
_MOST = 10_000  # touchpoints of a dense matrix: 800 MB
_MOST_SWEEPS = 2_000
_ENDLESS = 1e9
_FINE = 1e-12  # of what a bucket of customers changes: variances are made of small differences


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


class Sweeps:
    """Solutions of `(I - Q) x = b` for many touchpoints, of which each leads to few others.

    What a factorisation fills in grows faster than anybody can wait for; journeys are short, so
    that adding up where they come step by step settles soon (Jacobi's method, loops solved).
    """

    __slots__ = ("_back", "_forth", "_own")

    def __init__(self, source: Ints, target: Ints, probability: Floats, size: int) -> None:
        from scipy.sparse import csr_array

        loop = source == target
        self._own = 1 - sums(source[loop], probability[loop], size)
        moves = (probability[~loop], (source[~loop], target[~loop]))
        self._forth = csr_array(moves, shape=(size, size))
        self._back = self._forth.T.tocsr()

    def solve(
        self,
        b: Floats,
        *,
        transposed: bool = False,
        guess: Floats | None = None,
        settled: float = 1e-14,
    ) -> Floats | None:
        """Return `N b`, or `b N`; None where it does not settle: hardly a way out."""
        if (self._own <= 0).any():
            return None
        matrix = self._back if transposed else self._forth
        x = b / self._own if guess is None else guess
        rest = (b + matrix @ x) / self._own - x
        for _ in range(_MOST_SWEEPS):
            x = x + rest
            rest = (matrix @ rest) / self._own
            if np.abs(rest).max(initial=0.0) <= settled * np.abs(x).max(initial=0.0):
                return x + rest
        return None


def solved_without_buckets(
    source: Ints,
    target: Ints,
    probability: Floats,
    start: Floats,
    *,
    size: int,
    guess: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """Return visits and hitting probabilities of chains that share their transitions.

    Parameters
    ----------
    source, target
        The transitions; codes `size` … are START, CONVERSION and DROPOFF.
    probability, start
        Of each chain, shape (chains, transitions) and (chains, size).
    size
        Number of touchpoints.
    guess
        Visits and hitting probabilities of a chain that is much like them.

    Returns
    -------
    tuple of ndarray, each of shape (chains, size)
        NaN where a chain hardly ever ends.
    """
    inner, wins = target < size, target == size + 1
    visits, hitting = np.full((2, len(probability), size), np.nan)
    for i, p in enumerate(probability):
        ends = sums(source[wins], p[wins], size)
        chain = Sweeps(source[inner], target[inner], p[inner], size)
        come = chain.solve(start[i], transposed=True, guess=guess[0], settled=_FINE)
        won = chain.solve(ends, guess=guess[1], settled=_FINE)
        if (come is None or won is None) and dense_pays(size, int(inner.sum())):
            come, won = _by_factors(source[inner], target[inner], p[inner], start[i], ends)
        if come is not None and won is not None and np.abs(come).max(initial=0.0) <= _ENDLESS:
            visits[i], hitting[i] = come, won
    return visits, hitting


def _by_factors(
    source: Ints, target: Ints, probability: Floats, start: Floats, ends: Floats
) -> tuple[Floats | None, Floats | None]:
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    size = len(start)
    inner = csc_array((probability, (source, target)), shape=(size, size))
    try:
        factors = splu(csc_array(eye_array(size, format="csc") - inner))
    except RuntimeError:  # a loop without a way out
        return None, None
    return factors.solve(start, "T"), factors.solve(ends)  # type: ignore[call-overload]  # not in stubs


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

    __slots__ = ("_columns", "_factors", "_norms", "_sweeps", "size")

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
        self._columns = (source, target, probability)
        self._factors: Callable[[Floats, bool], Floats] | None = None
        self._sweeps = Sweeps(source, target, probability, size) if size >= _SMALL else None

    def _solve(self, b: Floats, transposed: bool) -> Floats:  # noqa: FBT001 - internal
        if self._sweeps is not None and b.ndim == 1:
            found = self._sweeps.solve(b, transposed=transposed)
            if found is not None:
                return found
        if self._factors is None:
            factorise = _dense if dense_pays(self.size, self._columns[0].size) else _sparse
            self._factors = factorise(*self._columns, self.size)
        return self._factors(b, transposed)

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
