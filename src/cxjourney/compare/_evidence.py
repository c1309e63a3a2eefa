"""Evidence that probabilities differ: intervals, tests, and differences within strata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, difference_of_shares
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from cxjourney.compare._contrast import Contrast
    from cxjourney.compare._observations import Observations

__all__ = ["UNFOLLOWED", "Adjusted", "adjusted", "differences"]

UNFOLLOWED = 0.005
"""Share of visits that may outlast what was followed before a difference is not known."""


def differences(
    contrast: Contrast, *, level: float, min_count: int
) -> tuple[Floats, Floats, Floats]:
    """Return both ends of the interval of each difference, and its p-value.

    The p-value is NaN where both groups together made the transition, or another, less than
    `min_count` times; all three are where a group has no ended visit, too few customers, or was not
    followed up to the limit.
    """
    low, high, p = difference_of_shares(contrast.first, contrast.second, level=level)
    known = np.where(contrast.unfollowed.max(axis=0, initial=0.0) <= UNFOLLOWED, 1.0, np.nan)
    low, high, p = known * low, known * high, known * p
    made, visits = contrast.count.sum(axis=0), contrast.at_risk.sum(axis=0)
    enough = np.minimum(made, visits - made) >= min_count
    return low, high, np.where(enough & (contrast.at_risk > 0).all(axis=0), p, np.nan)


@attrs.frozen(kw_only=True, eq=False)
class Adjusted:
    """Differences within strata, averaged as Mantel and Haenszel do.

    Attributes
    ----------
    first, second
        The share of each group, standardised to the strata that have both.
    low, high
        The interval of their difference; NaN where no stratum has both groups.
    known
        1, or NaN where a stratum was not followed up to the limit.
    """

    first: BucketFigures
    second: BucketFigures
    low: Floats
    high: Floats
    known: Floats

    @property
    def difference(self) -> Floats:
        """The common difference."""
        return self.known * (self.first.whole - self.second.whole)


def adjusted(
    contrast: Contrast,
    groups: tuple[Observations, Observations],
    strata: tuple[Ints, Ints],
    *,
    level: float,
) -> Adjusted:
    """Return the Mantel-Haenszel differences over strata.

    Parameters
    ----------
    contrast
        The contrast of all strata together.
    groups
        What it was made of.
    strata
        Stratum of each observation of each group, 0 … S - 1.
    level
        Confidence level.

    Notes
    -----
    `Σ_s w_s (p_1s - p_2s) / Σ_s w_s` with `w_s = n_1s n_2s / (n_1s + n_2s)`: the difference of two
    shares, both standardised to the same strata.
    """
    n_strata = 1 + max(int(codes.max(initial=-1)) for codes in strata)
    sides = [_in_strata(contrast, g, s, n_strata) for g, s in zip(groups, strata, strict=True)]
    shares, weight = _standardised(*(side.whole for side in sides))
    left_out, _ = _standardised(*(side.without for side in sides))
    common = weight[0] > 0  # (transitions, strata) that have both groups
    lost = np.maximum(*(side.unfollowed for side in sides))
    total = weight[0].sum(axis=1)
    beyond = np.divide((weight[0] * lost).sum(axis=1), total, out=0 * total, where=total > 0)
    known = np.where(beyond <= UNFOLLOWED, 1.0, np.nan)
    figures = [
        BucketFigures(whole=share[0], without=without, units=(side.units * common).sum(axis=2))
        for share, without, side in zip(shares, left_out, sides, strict=True)
    ]
    low, high, _ = difference_of_shares(*figures, level=level)
    return Adjusted(
        first=figures[0], second=figures[1], low=known * low, high=known * high, known=known
    )


@attrs.frozen(kw_only=True, eq=False)
class _Strata:
    """The transitions of a group within strata.

    Attributes
    ----------
    whole, without
        Probability of each transition in each stratum and visits where it begins, shape (1, M, S),
        and without each bucket, shape (buckets, M, S).
    units
        What the probabilities stand on in each bucket, shape (buckets, M, S).
    unfollowed
        Share of the visits that outlasts what was followed, shape (M, S).
    """

    whole: tuple[Floats, Floats]
    without: tuple[Floats, Floats]
    units: Floats
    unfollowed: Floats


def _in_strata(contrast: Contrast, group: Observations, stratum: Ints, n_strata: int) -> _Strata:
    """Return the transitions of a group within strata, each of which hands on its censored visits.

    Strata may have been followed for unequal times: a censored visit of one says nothing of others.
    """
    size, m = len(contrast.names) + 3, len(contrast.source)
    inner = group.within(stratum, n_strata)
    place = contrast.source[:, None] * n_strata + np.arange(n_strata)
    order = np.argsort(place.ravel(), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    cell = group.cells(contrast.source * size + contrast.target)
    inside = cell >= 0
    own = np.full(len(cell), -1, dtype=np.int64)
    own[inside] = rank[cell[inside] * n_strata + stratum[inside]]
    weight = inner.weight * inner.multiplicity
    hits = np.bincount(own[inside], weight[inside], minlength=len(rank))[rank]
    visits = np.bincount(inner.source, weight, minlength=place.max(initial=-1) + 1)[place]
    share = np.divide(
        hits.reshape(m, n_strata), visits, out=np.zeros(visits.shape), where=visits > 0
    )
    without = inner.without_buckets(own, place.ravel()[order])[:, rank]
    without = without.reshape(len(without), m, n_strata)
    others = (inner.visits.sum(axis=0) - inner.visits)[:, place]
    units = inner.stands_on(inner.source, len(inner.names) + 1)[:, place]
    return _Strata(
        whole=(share[None], visits[None]),
        without=(np.nan_to_num(without), np.where(np.isnan(without), 0.0, others)),
        units=units,
        unfollowed=inner.unfollowed[place],
    )


def _standardised(
    one: tuple[Floats, Floats], other: tuple[Floats, Floats]
) -> tuple[tuple[Floats, Floats], Floats]:
    """Return the shares of both groups, standardised by the weights of Mantel and Haenszel."""
    m, n = one[1], other[1]
    weight = np.divide(m * n, m + n, out=np.zeros(m.shape), where=(m > 0) & (n > 0))
    total = weight.sum(axis=2)
    shares = []
    for share, _ in (one, other):
        mean = np.full(total.shape, np.nan)
        np.divide((weight * share).sum(axis=2), total, out=mean, where=total > 0)
        shares.append(np.clip(mean, 0.0, 1.0))
    return (shares[0], shares[1]), weight
