"""A rise of a rate or mean since some date: cumulative sums under random signs of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.extremes import random_signs, tail_p

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats

_EDGE = 0.05
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
) -> Rise:
    """Return the rise of a rate, or of a mean, since the most likely date.

    Notes
    -----
    Z_t = (f_t S_T - S_t) / √(N f_t (1 - f_t) e (1 - e)) for f_t, the share of trials up to t, in
    [.05, .95]. The same from deviations whose signs are drawn customer by customer gives the null
    distribution of the maximum. Only each `step`-th boundary between periods is tested; the date is
    the best of all.
    """
    n_all = len(event)
    rate = float(np.mean(event)) if n_all else 0.0
    variance = float(np.var(event)) if n_all else 0.0  # e (1 - e) of events
    if not variance > 0:
        return NONE
    trials = np.cumsum(np.bincount(period, minlength=n_periods))[:-1]
    share = trials / n_all
    usable = (share >= _EDGE) & (share <= 1 - _EDGE)
    if not usable.any():
        return NONE
    deviation = np.asarray(event, dtype=np.float64) - rate
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
    region = np.flatnonzero((z > 0) & (z**2 >= z[best] ** 2 - _REGION * spread))
    late = period > best
    return Rise(
        since=best + 1,
        earliest=int(region.min(initial=best)) + 1,
        latest=int(region.max(initial=best)) + 1,
        before=float(np.mean(event[~late])),
        after=float(np.mean(event[late])),
        z=found,
        p=tail_p(found, null_z.max(axis=1), max(1.0, float((null_z**2).mean()))),
    )
