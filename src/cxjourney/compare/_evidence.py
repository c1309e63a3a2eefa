"""Evidence that probabilities differ: intervals, tests, and differences within strata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures, difference_of_means, difference_of_shares
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from cxjourney.compare._contrast import Contrast
    from cxjourney.compare._observations import Observations

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


def odds_ratios(
    one: BucketFigures, other: BucketFigures, *, level: float, means: bool = False
) -> dict[str, Floats]:
    """Return the odds ratios of two shares with both ends of their intervals, as columns.

    Student's interval on the scale of logarithms; NaN where a share is 0 or 1, or would be without
    one of the buckets, and of means.
    """
    if means:
        unknown = np.full(np.shape(one.whole), np.nan)
        return dict.fromkeys(("odds_ratio", "odds_low", "odds_high"), unknown)
    logs = (one.map(_logit), other.map(_logit))
    low, high, _ = difference_of_means(*logs, level=level)
    ratio = logs[0].whole - logs[1].whole
    return {"odds_ratio": np.exp(ratio), "odds_low": np.exp(low), "odds_high": np.exp(high)}


def _logit(share: Floats) -> Floats:
    inside = np.where((share > 0) & (share < 1), share, np.nan)
    logit: Floats = np.log(inside / (1 - inside))
    return logit


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

    @property
    def columns(self) -> dict[str, Floats]:
        """The difference and both ends of its interval, as columns."""
        return {
            "adjusted": self.difference,
            "adjusted_low": self.low,
            "adjusted_high": self.high,
        }


def adjusted(
    contrast: Contrast,
    groups: tuple[Observations, Observations],
    strata: tuple[Ints, Ints],
    *,
    level: float,
) -> Adjusted:
    """Return the Mantel-Haenszel differences over strata, given those of the observations.

    Notes
    -----
    `Σ_s w_s (p_1s - p_2s) / Σ_s w_s` with `w_s = n_1s n_2s / (n_1s + n_2s)`: the difference of two
    shares, both standardised to the same strata.
    """
    n_strata = 1 + max(int(codes.max(initial=-1)) for codes in strata)
    first, second = (
        _in_strata(contrast, group, codes, n_strata)
        for group, codes in zip(groups, strata, strict=True)
    )
    return standardised(first, second, level=level)


def standardised(one: Cells, other: Cells, *, level: float, means: bool = False) -> Adjusted:
    """Return the difference of two groups within strata, of shares or of means."""
    sides = (one, other)
    figures_of, weight = _standardised(*(side.whole for side in sides), means=means)
    left_out, _ = _standardised(*(side.without for side in sides), means=means)
    common = weight[0] > 0  # (transitions, strata) that have both groups
    lost = np.maximum(one.unfollowed, other.unfollowed)
    total = weight[0].sum(axis=1)
    beyond = np.divide((weight[0] * lost).sum(axis=1), total, out=0 * total, where=total > 0)
    known = np.where(beyond <= UNFOLLOWED, 1.0, np.nan)
    figures = [
        BucketFigures(whole=share[0], without=without, units=(side.units * common).sum(axis=2))
        for share, without, side in zip(figures_of, left_out, sides, strict=True)
    ]
    differ = difference_of_means if means else difference_of_shares
    low, high, _ = differ(figures[0], figures[1], level=level)
    return Adjusted(
        first=figures[0], second=figures[1], low=known * low, high=known * high, known=known
    )


@attrs.frozen(kw_only=True, eq=False)
class Cells:
    """The transitions, or first visits, of a group within strata.

    Attributes
    ----------
    whole, without
        Figure of each in each stratum and what it stands on, such as visits, shape (1, M, S),
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


def _in_strata(contrast: Contrast, group: Observations, stratum: Ints, n_strata: int) -> Cells:
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
    return Cells(
        whole=(share[None], visits[None]),
        without=(np.nan_to_num(without), np.where(np.isnan(without), 0.0, others)),
        units=units,
        unfollowed=inner.unfollowed[place],
    )


def _standardised(
    one: tuple[Floats, Floats], other: tuple[Floats, Floats], *, means: bool
) -> tuple[tuple[Floats, Floats], Floats]:
    """Return the shares of both groups, standardised by the weights of Mantel and Haenszel."""
    m, n = one[1], other[1]
    weight = np.divide(m * n, m + n, out=np.zeros(m.shape), where=(m > 0) & (n > 0))
    total = weight.sum(axis=2)
    shares = []
    for share, _ in (one, other):
        mean = np.full(total.shape, np.nan)
        np.divide((weight * share).sum(axis=2), total, out=mean, where=total > 0)
        shares.append(mean if means else np.clip(mean, 0.0, 1.0))
    return (shares[0], shares[1]), weight
