"""One error budget for tests of several kinds: weighted and focused Benjamini-Hochberg."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints

if TYPE_CHECKING:
    from numpy.typing import NDArray


def kind_weights(kind: NDArray[np.integer]) -> Floats:
    """Return the weight of each test where every kind has the same share of the budget.

    M / (F m) for M tests of F kinds, m of the test's own kind: the mean is 1.

    Examples
    --------
    >>> kind_weights(np.array([0, 0, 1, 1, 1, 1])).tolist()
    [1.5, 1.5, 0.75, 0.75, 0.75, 0.75]
    """
    _, place, size = np.unique(kind, return_inverse=True, return_counts=True)
    weights: Floats = len(kind) / (len(size) * size[place]) if len(kind) else np.zeros(0)
    return weights


@attrs.frozen(kw_only=True, eq=False)
class Budget:
    """What a budget of errors allows to call sure."""

    adjusted: Floats  # smallest false-discovery rate at which each test is found, its nest included
    leads: Bools  # whether the test stands for its nest: it has the smallest weighted p-value there
    sure: Bools  # whether it stands for its nest and is in the list at the rate asked for
    threshold: float  # largest weighted p-value in the list; 0 where the list is empty
    # what a weighted p-value has to stay below with as many discoveries: rate · found / tests
    bar: float


def budget_of(
    p: Floats,
    *,
    kind: NDArray[np.integer] | None = None,
    nest: NDArray[np.integer] | None = None,
    rate: float = 0.05,
) -> Budget:
    """Return which tests are sure if the false-discovery rate may be `rate`.

    Every kind has the same share of the budget (Genovese, Roeder and Wasserman 2006); of a nest
    only the smallest weighted p-value is a discovery (Katsevich, Sabatti and Bogomolov 2023).

    Examples
    --------
    >>> p = np.array([.001, .002, .003, .004, .024, .3, .5, .7, .9, .95])
    >>> nest = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    >>> int(budget_of(p).sure.sum()), int(budget_of(p, nest=nest).sure.sum())
    (5, 1)
    """
    m = len(p)
    weights = np.ones(m) if kind is None else kind_weights(kind)
    weighted = np.asarray(p, dtype=np.float64) / weights
    nests: Ints = np.arange(m) if nest is None else np.unique(nest, return_inverse=True)[1]
    order = np.argsort(weighted, kind="stable")
    leads = np.zeros(m, dtype=np.bool_)
    leads[order[np.unique(nests[order], return_index=True)[1]]] = True
    # discoveries at each threshold: tests with the same weighted p-value come in together
    found = np.cumsum(leads[order])
    found = found[np.searchsorted(weighted[order], weighted[order], side="right") - 1]
    needed = np.minimum.accumulate((m * weighted[order] / np.maximum(found, 1))[::-1])[::-1]
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(needed, 1.0)
    inside = adjusted <= rate
    return Budget(
        adjusted=adjusted,
        leads=leads,
        sure=inside & leads,
        threshold=float(weighted[inside].max(initial=0.0)),
        bar=rate * float(np.count_nonzero(inside & leads)) / max(m, 1),
    )


def median_unbiased(z: Floats, cut: Floats, *, at: float = 0.5) -> Floats:
    """Return the mean of a normal statistic that was looked at because it is above a cut.

    That at which a larger one has the probability `at`, given that it is above the cut: at 0.5 the
    median-unbiased estimate (Zhong and Prentice 2008).

    Examples
    --------
    >>> [round(float(median_unbiased(np.array(z), np.array(3.0))), 2) for z in (3.2, 4.0, 8.0)]
    [-0.1, 3.69, 8.0]
    """
    from scipy.special import log_ndtr

    z, cut = (np.asarray(x, dtype=np.float64) for x in np.broadcast_arrays(z, np.minimum(cut, z)))
    low, high = z - 30.0, z + 1.0
    for _ in range(60):  # P(Z > z | Z > cut) rises with the mean
        middle = (low + high) / 2
        beyond = np.exp(log_ndtr(middle - z) - log_ndtr(middle - cut))
        below = beyond < at
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
