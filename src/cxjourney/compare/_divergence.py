"""Divergence of two groups: the information that a transition gives about the group."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney.compare._evidence import UNFOLLOWED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.compare._contrast import Contrast
    from cxjourney.compare._observations import Observations

__all__ = ["Divergence"]


_BLOCK_CELLS = 5_000_000


@attrs.frozen(kw_only=True)
class Divergence:
    """How different the journeys of two groups are as a whole.

    Attributes
    ----------
    group, against
        The groups.
    bits
        Jensen-Shannon divergence of what comes next, averaged over visits: how many bits a
        transition tells about its group, where it begins being known. 0 if all is alike.
    p_value
        Of no difference at all; NaN where it was not asked for.
    n_permutations
        Number of permutations of customers; 0 for the chi-squared test of graphs.
    """

    group: str
    against: str
    bits: float
    p_value: float
    n_permutations: int


def permuted(
    first: Observations,
    second: Observations,
    *,
    names: tuple[str, str],
    n: int,
    rng: np.random.Generator,
) -> Divergence:
    """Return the divergence of two groups, tested by permuting customers between them.

    Who belongs to both groups keeps one part in each, and the parts change places.
    """
    from scipy.sparse import csr_array

    group, against = names
    # where a group was not followed up to the limit, nobody knows where its visits went
    known = np.maximum(first.unfollowed, second.unfollowed) <= UNFOLLOWED
    kept = [(side.weight > 0) & known[side.source] for side in (first, second)]
    customer, key, weights, multiplicity = (
        np.concatenate(
            [getattr(side, name)[k] for side, k in zip((first, second), kept, strict=True)]
        )
        for name in ("customer", "key", "weight", "multiplicity")
    )
    sides = np.repeat([0, 1], [np.count_nonzero(k) for k in kept])
    unit, one, of = np.unique(customer * 2 + sides, return_index=True, return_inverse=True)
    side, weight = unit % 2, multiplicity[one]
    size = len(first.names) + 3
    keys, cell = np.unique(key, return_inverse=True)
    table: Any = csr_array((weights, (of, cell)), shape=(len(unit), len(keys)))
    whole = weight @ table
    starts = np.flatnonzero(np.append(True, np.diff(keys // size) > 0))[: len(keys)]
    bits = float(_bits(((1 - side) * weight @ table)[None, :], whole, starts)[0])
    if not n or not len(keys):
        return Divergence(
            group=group, against=against, bits=bits, p_value=math.nan, n_permutations=0
        )
    exceeding = 0
    block = max(1, min(n, _BLOCK_CELLS // max(len(unit), len(keys))))
    for begin in range(0, n, block):
        drawn = _shuffled(unit // 2, side, weight, n=min(block, n - begin), rng=rng)
        exceeding += int(np.count_nonzero(_bits(drawn @ table, whole, starts) >= bits - 1e-12))
    return Divergence(
        group=group,
        against=against,
        bits=bits,
        p_value=(1 + exceeding) / (1 + n),
        n_permutations=n,
    )


def chi_squared(contrast: Contrast, *, names: tuple[str, str]) -> Divergence:
    """Return the divergence of two graphs, tested as if all visits were independent."""
    from scipy.special import chdtrc

    group, against = names
    hits = np.nan_to_num(contrast.probability) * contrast.at_risk
    source = contrast.source
    starts = np.flatnonzero(np.append(True, np.diff(source) > 0))[: len(source)]
    if not len(source):
        return Divergence(
            group=group, against=against, bits=math.nan, p_value=math.nan, n_permutations=0
        )
    bits = float(_bits(hits[:1], hits.sum(axis=0), starts)[0])
    both = (contrast.at_risk > 0).all(axis=0) & (hits.sum(axis=0) > 0)
    successors = np.add.reduceat(both.astype(np.int64), starts)
    df = int(np.maximum(successors - 1, 0).sum())
    statistic = 2 * math.log(2) * bits * float(hits.sum())
    return Divergence(
        group=group,
        against=against,
        bits=bits,
        p_value=float(chdtrc(df, statistic)) if df else math.nan,
        n_permutations=0,
    )


def _shuffled(
    customer: Ints,
    side: Ints,
    weight: Floats,
    *,
    n: int,
    rng: np.random.Generator,
) -> Floats:
    """Return how many of each unit fall into the first group, shape (n, units)."""
    _, place, parts = np.unique(customer, return_inverse=True, return_counts=True)
    in_both = parts[place] == 2
    drawn = np.empty((n, len(side)))
    alone = ~in_both
    if (weight[alone] == 1).all():
        drawn[:, alone] = rng.permuted(np.tile(side[alone] == 0, (n, 1)), axis=1)
    else:  # aggregated paths: how many of each path fall into the first group
        colors = weight[alone].astype(np.int64)
        members = int(colors[side[alone] == 0].sum())
        drawn[:, alone] = rng.multivariate_hypergeometric(
            colors, members, size=n, method="marginals"
        )
    swap = rng.integers(0, 2, size=(n, len(parts)))
    drawn[:, in_both] = (side[in_both] == swap[:, place[in_both]]) * weight[in_both]
    return drawn


def _bits(first: Floats, whole: Floats, starts: NDArray[np.intp]) -> Floats:
    """Return the divergence of each row of `first` from the rest of `whole` [bits a transition]."""
    total = float(whole.sum())
    if not total:
        return np.full(len(first), math.nan)
    second = np.maximum(whole - first, 0.0)
    information = _row_information(first, starts) + _row_information(second, starts)
    information -= _row_information(whole[None, :], starts)
    return np.maximum(information, 0.0) / (total * math.log(2))


def _row_information(hits: Floats, starts: NDArray[np.intp]) -> Floats:
    """Return Σ h ln(h / n) over all transitions, n those from the same place."""
    from scipy.special import xlogy

    visits = np.add.reduceat(hits, starts, axis=1)
    found: Floats = xlogy(hits, hits).sum(axis=1) - xlogy(visits, visits).sum(axis=1)
    return found
