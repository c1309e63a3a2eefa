"""A rise of a rate or mean since some date: cumulative sums under random signs of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.extremes import random_signs, tail_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Bools, Floats

_EDGE = 0.05
_FEWEST_WEEKS = 8
_FITTED = 4  # of the weeks: two means, and two for the date, which was the best of many
_REGION = 5.991464547107979  # 95 % quantile of chi-squared with two degrees of freedom


@attrs.frozen(kw_only=True)
class Rise:
    """The most likely date since when a rate is higher."""

    since: int  # first period of the higher rate; -1 where there is none to speak of
    earliest: int  # ends of the interval of that date
    latest: int
    before: float  # rates before and after
    after: float
    z: float  # the largest standardised cumulative sum
    p: float  # p-value of that maximum


NONE = Rise(since=-1, earliest=-1, latest=-1, before=np.nan, after=np.nan, z=0.0, p=1.0)
"""No date to speak of."""


def rise_of(
    unit: NDArray[np.integer],
    period: NDArray[np.integer],
    event: Floats,
    *,
    n_units: int,
    n_periods: int,
    step: int = 1,
    signs: Floats | None = None,
    common: tuple[float, float] = (1.0, np.inf),
    weight: NDArray[np.integer] | None = None,
) -> Rise:
    """Return the rise of a rate, or of a mean, since the most likely date.

    Notes
    -----
    Z_t = (f_t S_T - S_t) / √(N f_t (1 - f_t) e (1 - e)) for f_t, the share of trials up to t, in
    [.05, .95]. The same from deviations whose signs are drawn customer by customer gives the null
    distribution of the maximum. Only each `step`-th boundary between periods is tested; the date is
    the best of all. `common` is what `common_spread` returns: deviations vary by so much more than
    signs of customers say, and that was estimated with so many degrees of freedom. An entry stands
    for `weight` rows that are alike, or for one.
    """
    n_all = len(event) if weight is None else int(weight.sum())
    rate = float(np.average(event, weights=weight)) if n_all else 0.0
    squares = (np.asarray(event, dtype=np.float64) - rate) ** 2
    variance = float(np.average(squares, weights=weight)) if n_all else 0.0  # e (1 - e) of events
    if not variance > 0:
        return NONE
    trials = np.cumsum(np.bincount(period, weight, minlength=n_periods))[:-1]
    share = trials / n_all
    usable = (share >= _EDGE) & (share <= 1 - _EDGE)
    if not usable.any():
        return NONE
    deviation = np.asarray(event, dtype=np.float64) - rate
    deviation *= 1 if weight is None else weight
    sums = np.cumsum(np.bincount(period, deviation, minlength=n_periods))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.sqrt(n_all * share * (1 - share) * variance)
        z = np.where(usable, (share * sums[-1] - sums[:-1]) / scale, -np.inf)
    tested = np.zeros(n_periods - 1, dtype=np.bool_)
    tested[step - 1 :: step] = True
    tested &= usable
    if not tested.any():
        return NONE
    drawn = random_signs(n_units) if signs is None else signs
    blocks = np.flatnonzero(tested)
    block = np.searchsorted(blocks, period, side="left")
    matrix = np.bincount(
        unit * (len(blocks) + 1) + block, deviation, minlength=n_units * (len(blocks) + 1)
    ).reshape(n_units, -1)
    null = np.cumsum(drawn @ matrix.astype(np.float32), axis=1, dtype=np.float64)
    f = share[tested]
    null_z = (f * null[:, -1:] - null[:, :-1]) / scale[tested]
    found = float(z[tested].max())
    best = int(np.argmax(z))
    spread = max(
        1.0, float((null_z[:, np.searchsorted(blocks, best).clip(0, len(f) - 1)] ** 2).mean())
    )
    spread *= common[0] ** 2
    region = np.flatnonzero((z > 0) & (z**2 >= z[best] ** 2 - _REGION * spread))
    late = period > best
    return Rise(
        since=best + 1,
        earliest=int(region.min(initial=best)) + 1,
        latest=int(region.max(initial=best)) + 1,
        before=_mean(event, ~late, weight),
        after=_mean(event, late, weight),
        z=found,
        p=tail_p(
            _normal_of(found / common[0], common[1]),
            null_z.max(axis=1),
            max(1.0, float((null_z**2).mean())),
        ),
    )


def _mean(event: Floats, some: Bools, weight: NDArray[np.integer] | None) -> float:
    weights = None if weight is None else weight[some]
    return float(np.average(event[some], weights=weights))


def _normal_of(statistic: float, freedom: float) -> float:
    """Return the normal statistic that is as likely as one of Student's t."""
    from scipy.special import ndtri, stdtr

    if not np.isfinite(freedom):
        return statistic
    return float(-ndtri(max(stdtr(freedom, -statistic), 1e-300)))


def common_spread(
    unit: NDArray[np.integer],
    week: NDArray[np.integer],
    value: Floats,
    weight: NDArray[np.integer] | None = None,
) -> tuple[float, float]:
    """Return how much more weeks differ than their customers make them, and its degrees of freedom.

    A campaign or a strike hits everybody at once, and signs of customers know nothing of it. Weeks
    are held against the mean of their side of the date that parts them best: a change moves that
    little. At least 1, which is then known; the same with fewer than eight weeks. An entry stands
    for `weight` rows that are alike, or for one.

    Examples
    --------
    >>> week = np.repeat(np.arange(10), 50)
    >>> even = np.tile([0.0, 1.0], 250)
    >>> common_spread(np.arange(500), week, even)
    (1.0, inf)
    >>> common_spread(np.arange(500), week, even + week % 2)[0] > 3
    True
    """
    n, deviation = int(week.max(initial=0)) + 1, value - np.average(value, weights=weight)
    deviation *= 1 if weight is None else weight
    trials = np.bincount(week, weight, minlength=n).astype(np.float64)
    sums = np.bincount(week, deviation, n)[trials > 0]
    trials = trials[trials > 0]
    by_unit = np.bincount(np.unique(unit * n + week, return_inverse=True)[1], deviation)
    alike = float((by_unit**2).sum())
    if len(trials) < _FEWEST_WEEKS or not alike > 0:
        return 1.0, np.inf
    first, before = np.cumsum(trials)[:-1], np.cumsum(sums)[:-1]
    step = float((before**2 * (1 / first + 1 / (trials.sum() - first))).max())
    freedom = len(trials) - _FITTED
    spread = ((sums**2 / trials).sum() - step) * trials.sum() / (freedom * alike)
    return (float(np.sqrt(spread)), float(freedom)) if spread > 1 else (1.0, np.inf)
