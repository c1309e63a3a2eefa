"""The variance of every figure: one bucket of customers left out at a time.

A customer belongs to one of 64 buckets by its id. A figure is a function of sums over customers, so
that it can be computed again without one bucket; how much the 64 answers differ is its variance
(delete-a-group jackknife, Kott 2001). Nothing is assumed about how a customer's visits hang
together, and nothing has to be known of the figure but how to compute it.

The first axis of `without` and `units` runs over the buckets, all further axes over figures.
"""

from __future__ import annotations

import math
from functools import cached_property
from hashlib import md5
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

N_BUCKETS = 64
FEWEST = 3.0
"""Effective buckets below which a figure has no interval."""

_SHIFT = 2  # the top 6 of a digest's first 8 bits
_ROUNDING = 1e-12
_TRACE = 1e-9  # counts as present, and for nothing in G*


def bucket_of(ids: Sequence[str]) -> NDArray[np.uint8]:
    """Return the bucket of each customer, 0 to 63, from the ids of all customers of the log.

    It is the top 6 bits of the MD5 digest of the id, so that the next bits divide each bucket
    further. Up to 64 customers each are a bucket of their own, in the order of their digests. Never
    ask for one segment by itself: groups that share customers are compared bucket by bucket.

    Examples
    --------
    >>> bucket_of([f"c{i}" for i in range(100)])[:4].tolist()
    [44, 42, 38, 2]
    """
    if len(ids) <= N_BUCKETS:
        digests = [md5(name.encode(), usedforsecurity=False).digest() for name in ids]
        order = sorted(range(len(digests)), key=digests.__getitem__)
        bucket = np.empty(len(digests), dtype=np.uint8)
        bucket[order] = np.arange(len(digests), dtype=np.uint8)
        return bucket
    from cxjourney.kernels import md5_first_bytes  # `metrics` loads no kernels

    return md5_first_bytes(ids) >> np.uint8(_SHIFT)


def split_weights(names: Sequence[str], weights: NDArray[np.integer]) -> Ints:
    """Return how many of the independent units behind each name are in each bucket: (names, 64).

    For paths or moves that come with counts and without customers: each unit is a customer of its
    own. The buckets are drawn as chance would (an even deal would leave no variance), from a seed
    that is the name itself: alike every time, and whatever else there is.
    """
    share = np.full(N_BUCKETS, 1 / N_BUCKETS)
    split = np.empty((len(names), N_BUCKETS), dtype=np.int64)
    for row, (name, weight) in enumerate(zip(names, weights.tolist(), strict=True)):
        seed = int.from_bytes(md5(name.encode(), usedforsecurity=False).digest()[:4], "big")
        # not Generator, whose streams may change with the version of NumPy
        split[row] = np.random.RandomState(seed).multinomial(weight, share)
    return split


def effective_units(units: NDArray[np.number]) -> Floats:
    """Return G* = (Σ n)² / Σ n² (Kish): how many buckets of equal size would be as good as these.

    It is 64 where all are alike, and near 1 where one customer has most of the visits.
    """
    n = np.asarray(units, dtype=np.float64)
    squares = (n * n).sum(axis=0)
    effective: Floats = n.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0)
    return effective


def resting_on(units: Floats, present: Bools) -> Floats:
    """Return the units of figures that rest on a small part of what their base holds.

    The credit of one channel rests on the conversions that touch it, while the journeys of every
    customer are in its base: a bucket without such a conversion (but `present` in the base) still
    takes part in the variance, and does not raise G*.
    """
    shape = (len(present),) + (1,) * (np.ndim(units) - 1)
    return np.where(present.reshape(shape), np.maximum(units, _TRACE), 0.0)


@attrs.frozen(kw_only=True, eq=False)
class BucketFigures:
    """Figures `whole`, and the same `without` each bucket: what their variance is made of.

    `units` is what the figures stand on in each bucket, such as visits: shape (buckets, ...), or
    (buckets,) where it is the same for all. A bucket that holds nothing of a figure takes no part
    in its variance.
    """

    whole: Floats
    without: Floats
    units: Floats = attrs.field()

    @units.default
    def _ones(self) -> Floats:
        return np.ones(len(self.without))

    @cached_property
    def present(self) -> Bools:
        """Whether each bucket takes part, shape of `without`."""
        missing = self.without.ndim - np.ndim(self.units)
        units = np.reshape(self.units, np.shape(self.units) + (1,) * missing)
        return np.broadcast_to(units > 0, self.without.shape)

    @cached_property
    def effective(self) -> Floats:
        """G* of each figure; see `effective_units`."""
        return np.broadcast_to(effective_units(self.units), np.shape(self.whole))

    @cached_property
    def variance(self) -> Floats:
        """(G - 1)/G Σ (θ₋g - θ)² over the buckets that take part; NaN where G* < 3 or a θ₋g is."""
        spread = covariance(self, self, self.present)
        return np.where(self.effective >= FEWEST, spread, np.nan)

    @cached_property
    def freedom(self) -> Floats:
        """Degrees of freedom, G* - 1; NaN where there is no variance."""
        return np.where(np.isnan(self.variance), np.nan, self.effective - 1)

    def student(self, level: float) -> tuple[Floats, Floats]:
        """Return both ends of Student's interval."""
        return student_interval(self.whole, self.variance, self.freedom, level=level)

    @property
    def flat(self) -> Bools:
        """Whether a mean does not vary at all, so that nothing tells how far it may be off."""
        scale = np.maximum(1.0, np.abs(self.whole))
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(self.variance) <= _ROUNDING * scale)

    def means(
        self, level: float, scale: tuple[float, float] | None = None
    ) -> tuple[Floats, Floats]:
        """Return both ends of Student's interval of means.

        Where nothing varies it is Wilson's on the scale of the values, or NaN without one.
        """
        low, high = self.student(level)
        if not self.flat.any():
            return low, high
        bottom, top = scale or (np.nan, np.nan)
        ends = self.map(lambda mean: (mean - bottom) / (top - bottom)).wilson(level)
        on_scale = (bottom + (top - bottom) * end for end in ends)
        flat_low, flat_high = on_scale
        return np.where(self.flat, flat_low, low), np.where(self.flat, flat_high, high)

    def positive(self, level: float) -> tuple[Floats, Floats]:
        """Return Student's interval on the scale of logarithms; NaN where a figure or θ₋g is 0."""
        logs = self.map(_log)
        low, high = logs.student(level)
        return np.exp(low), np.exp(high)

    def wilson(self, level: float) -> tuple[Floats, Floats]:
        """Return both ends of Wilson's interval of a share, with Student's quantile."""
        quantile = t_quantile(level, np.where(self.effective >= FEWEST, self.effective - 1, np.nan))
        return share_interval(self.whole, self.variance, self.effective, quantile)

    @property
    def trials(self) -> Floats:
        """Independent trials that say as much about a share; see `effective_trials`."""
        return effective_trials(self.whole, self.variance, self.effective)

    def p_value(self, null: float = 0.0) -> Floats:
        """Return the two-sided p-value of a true figure of `null`: Student's t."""
        error = np.sqrt(self.variance)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.whole - null) / error
        t = np.where(self.whole == null, 0.0, t)
        from scipy.special import stdtr

        return np.asarray(2 * stdtr(self.freedom, -t), dtype=np.float64)

    def map(self, function: Callable[[Floats], Floats]) -> BucketFigures:
        """Return a function of the figures, figure by figure or along their further axes."""
        without = function(self.without)
        units = self.units if without.ndim == self.without.ndim else np.ones(len(without))
        return BucketFigures(whole=function(self.whole), without=without, units=units)


def _log(values: Floats) -> Floats:
    logs: Floats = np.log(np.where(values > 0, values, np.nan))
    return logs


def covariance(one: BucketFigures, other: BucketFigures, there: Bools) -> Floats:
    """Return the covariance of two figures over the buckets that are there."""
    buckets = there.sum(axis=0)
    product = np.where(there, (one.without - one.whole) * (other.without - other.whole), 0.0)
    spread: Floats = (buckets - 1) / np.maximum(buckets, 1) * product.sum(axis=0)
    return spread


def t_quantile(level: float, freedom: Floats) -> Floats:
    """Return Student's two-sided quantile of a level; NaN without degrees of freedom."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(freedom, 0.5 + level / 2), dtype=np.float64)


def student_interval(
    value: Floats, variance: Floats, freedom: Floats, *, level: float
) -> tuple[Floats, Floats]:
    """Return both ends of value ± t s.e., for figures that are not shares.

    Give logarithms, and take the exponential of the ends, where a figure is positive by nature.
    """
    half = t_quantile(level, freedom) * np.sqrt(variance)
    return value - half, value + half


def effective_trials(share: Floats, variance: Floats, units: Floats) -> Floats:
    """Return how many independent trials would say as much about a share: p (1 - p) / Var.

    Where the variance says nothing, because all ended alike, it is `units`, the G* of the share.
    """
    spread = share * (1 - share)
    says = (spread > _ROUNDING) & (variance > _ROUNDING * spread)
    with np.errstate(invalid="ignore", divide="ignore"):
        trials = np.where(says, spread / variance, units)
    return np.where(np.isnan(variance), np.nan, trials)


def share_interval(
    share: Floats, variance: Floats, units: Floats, quantile: Floats
) -> tuple[Floats, Floats]:
    """Return both ends of Wilson's interval of a share, with Student's quantile."""
    n = effective_trials(share, variance, units)
    square = quantile * quantile
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = share + square / (2 * n)
        half = quantile * np.sqrt(share * (1 - share) / n + square / (4 * n * n))
        low, high = (centre - half) / (1 + square / n), (centre + half) / (1 + square / n)
    return np.where(share <= 0, 0.0 * low, np.maximum(low, 0.0)), np.where(
        share >= 1, 1.0 + 0.0 * high, np.minimum(high, 1.0)
    )


def units_of_difference(one: Floats, other: Floats) -> Floats:
    """Return G* of n₁g/N₁² + n₂g/N₂²: each bucket's part in the variance of a difference."""
    return effective_units(one / _squared_total(one) + other / _squared_total(other))


def difference_of_shares(
    one: BucketFigures, other: BucketFigures, *, level: float
) -> tuple[Floats, Floats, Floats]:
    """Return both ends of the interval of a difference of two shares, and its p-value.

    Newcombe's hybrid of two Wilson intervals with the correlation of the two shares (Newcombe
    1998, method 10), with Student's quantile for the G* of the difference. The p-value is that of
    the pooled score test on the same effective trials. NaN where either share has a G* below 3.
    """
    from scipy.special import stdtr

    there = one.units + other.units > 0
    v1, v2 = covariance(one, one, there), covariance(other, other, there)
    g1, g2 = one.effective, other.effective
    known = (np.minimum(g1, g2) >= FEWEST) & np.isfinite(v1 + v2)
    freedom = np.where(known, units_of_difference(one.units, other.units) - 1, np.nan)
    quantile = t_quantile(level, freedom)
    p1, p2 = one.whole, other.whole
    l1, u1 = share_interval(p1, v1, g1, quantile)
    l2, u2 = share_interval(p2, v2, g2, quantile)
    with np.errstate(invalid="ignore", divide="ignore"):
        both = np.sqrt(v1 * v2)
        r = np.where(both > 0, np.clip(covariance(one, other, there) / both, -1.0, 1.0), 0.0)
        low = p1 - p2 - _hybrid(p1 - l1, u2 - p2, r)
        high = p1 - p2 + _hybrid(u1 - p1, p2 - l2, r)
        m1, m2 = effective_trials(p1, v1, g1), effective_trials(p2, v2, g2)
        pooled = np.clip((m1 * p1 + m2 * p2) / (m1 + m2), 0.0, 1.0)
        unit = np.sqrt(pooled * (1 - pooled))
        error = _hybrid(unit / np.sqrt(m1), unit / np.sqrt(m2), r)
        t = np.where(error > _ROUNDING, np.abs(p1 - p2) / error, 0.0)
    p: Floats = 2 * stdtr(freedom, -t)
    return np.maximum(low, -1.0), np.minimum(high, 1.0), p


def difference_of_means(
    one: BucketFigures, other: BucketFigures, *, level: float
) -> tuple[Floats, Floats, Floats]:
    """Return both ends of Student's interval of a difference of two means, and its p-value.

    NaN where either mean has a G* below 3, or where nothing varies.
    """
    units = one.units / _squared_total(one.units) + other.units / _squared_total(other.units)
    found = BucketFigures(
        whole=one.whole - other.whole, without=one.without - other.without, units=units
    )
    known = (np.minimum(one.effective, other.effective) >= FEWEST) & (found.variance > 0)
    low, high = found.student(level)
    return (
        np.where(known, low, np.nan),
        np.where(known, high, np.nan),
        np.where(known, found.p_value(), np.nan),
    )


def _hybrid(a: Floats, b: Floats, correlation: Floats) -> Floats:
    root: Floats = np.sqrt(np.maximum(a * a + b * b - 2 * correlation * a * b, 0.0))
    return root


def _squared_total(units: Floats) -> Floats:
    total = units.sum(axis=0)
    return np.where(total > 0, total * total, math.inf)
