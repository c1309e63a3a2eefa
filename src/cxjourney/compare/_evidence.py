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

__all__ = ["Adjusted", "adjusted", "differences"]


def differences(
    contrast: Contrast, *, level: float, min_count: int
) -> tuple[Floats, Floats, Floats]:
    """Return both ends of the interval of each difference, and its p-value.

    The p-value is NaN where both groups together made the transition, or another, less than
    `min_count` times; all three are where a group has no ended visit or too few customers.
    """
    low, high, p = difference_of_shares(contrast.first, contrast.second, level=level)
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
    """

    first: BucketFigures
    second: BucketFigures
    low: Floats
    high: Floats

    @property
    def difference(self) -> Floats:
        """The common difference."""
        return self.first.whole - self.second.whole


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
    whole, without = zip(
        *(_in_strata(contrast, g, s, n_strata) for g, s in zip(groups, strata, strict=True)),
        strict=True,
    )
    shares, weight = _standardised(*whole)
    left_out, _ = _standardised(*without)
    common = weight[0] > 0  # (transitions, strata) that have both groups
    figures = []
    for i, (group, stratum) in enumerate(zip(groups, strata, strict=True)):
        place = group.source * n_strata + stratum
        size = (len(group.names) + 1) * n_strata
        units = group.stands_on(place, size)
        units = units.reshape(len(units), -1, n_strata)[:, contrast.source]
        figures.append(
            BucketFigures(
                whole=shares[i][0], without=left_out[i], units=(units * common).sum(axis=2)
            )
        )
    low, high, _ = difference_of_shares(*figures, level=level)
    return Adjusted(first=figures[0], second=figures[1], low=low, high=high)


def _in_strata(
    contrast: Contrast, group: Observations, stratum: Ints, n_strata: int
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return hits and visits of each transition in each stratum, of all and without each bucket.

    The shapes are (1, M, S) and (buckets, M, S).
    """
    size, m = len(contrast.names) + 3, len(contrast.source)
    cell = group.cells(contrast.source * size + contrast.target)
    inside = cell >= 0
    place = np.where(inside, cell * n_strata + stratum, -1)
    weight = group.weight * group.multiplicity
    hits = np.bincount(place[inside], weight[inside], minlength=m * n_strata).astype(np.float64)
    share = group.without_buckets(place, np.repeat(contrast.source, n_strata))
    every = group.visits.sum(axis=0) - group.visits
    left_out = np.nan_to_num(share) * np.repeat(every[:, contrast.source], n_strata, axis=1)
    both = []
    for made in (hits[None], left_out):
        made_in = made.reshape(len(made), m, n_strata)
        there = np.zeros((len(made), size, n_strata))
        np.add.at(there.transpose(1, 0, 2), contrast.source, made_in.transpose(1, 0, 2))
        both.append((made_in, there[:, contrast.source]))
    return both[0], both[1]


def _standardised(
    one: tuple[Floats, Floats], other: tuple[Floats, Floats]
) -> tuple[tuple[Floats, Floats], Floats]:
    """Return the shares of both groups, standardised by the weights of Mantel and Haenszel."""
    m, n = one[1], other[1]
    weight = np.divide(m * n, m + n, out=np.zeros(m.shape), where=(m > 0) & (n > 0))
    total = weight.sum(axis=2)
    shares = []
    for hits, visits in (one, other):
        each = np.divide(hits, visits, out=np.zeros(hits.shape), where=visits > 0)
        mean = np.full(total.shape, np.nan)
        np.divide((weight * each).sum(axis=2), total, out=mean, where=total > 0)
        shares.append(np.clip(mean, 0.0, 1.0))
    return (shares[0], shares[1]), weight
