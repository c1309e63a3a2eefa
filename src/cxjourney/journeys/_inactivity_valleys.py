"""Valleys of the logarithms of gaps, and the resolution of timestamps."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
N_MINUTES = 1_441
_SAME = 0.95
"""Share of the timestamps that must be whole for all of them to count as whole."""

_STEP = 0.025
_WIDTH = 0.15
_BINS = 440  # from a tenth of a second to ten billion seconds
_GRID = -1.0 + _STEP * (np.arange(_BINS) + 0.5)  # their middles, in log10 s
N_HEIGHTS = _BINS + 1
_FEWEST = 20
_DEEP = 0.5
"""A valley is at most so high as the lower of the two hills beside it."""

_SURE = 4.0
"""Standard errors by which the lower hill must stand above the valley."""


def resolution_us(time: NDArray[np.int64]) -> int:
    """Return the step that timestamps were recorded in [µs]: a day, an hour, a minute, or 1.

    Timestamps at one and the same time of the day, but for the hour that summer time moves it by,
    carry dates only, whatever the zone.
    """
    if not _mostly(time % MINUTE_US == 0):
        return 1
    if not _mostly(time % HOUR_US == 0):
        # local midnights of zones that are off by half an hour
        return DAY_US if _dates_only(time) else MINUTE_US
    return DAY_US if _mostly(time % DAY_US == 0) or _dates_only(time) else HOUR_US


def resolution_of_minutes(counts: NDArray[np.int64]) -> int:
    """Return the same, given how many timestamps there are at each minute of the day [UTC].

    Those that are no whole minute come last. Two times of the day that are an hour apart are one,
    which summer time moves, if there are timestamps enough to tell.
    """
    n = max(int(counts.sum()), 1)
    kinds = np.flatnonzero(counts).tolist()
    apart = len(kinds) == 2 and kinds[1] - kinds[0] in {60, 1_380}
    alike = n > 1 if len(kinds) == 1 else apart and n >= _FEWEST
    dates = alike and kinds[-1] < N_MINUTES - 1
    if counts[:-1].sum() / n < _SAME:
        return 1
    if counts[:-1:60].sum() / n < _SAME:
        return DAY_US if dates else MINUTE_US
    return DAY_US if dates or counts[0] / n >= _SAME else HOUR_US


def minutes_of(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the minute of the day [UTC] of each timestamp, one more for no whole minute."""
    return np.where(time % MINUTE_US == 0, time % DAY_US // MINUTE_US, N_MINUTES - 1)


def _mostly(whole: NDArray[np.bool_]) -> bool:
    return bool(len(whole)) and float(whole.mean()) >= _SAME


def _dates_only(time: NDArray[np.int64]) -> bool:
    seen = np.unique(time)
    of_day = seen % DAY_US
    kinds = np.unique(of_day)
    if len(kinds) == 1:
        return len(seen) > 1
    if len(seen) < _FEWEST or len(kinds) > 2:
        return False
    changes = np.count_nonzero(np.diff(of_day))
    years = (seen[-1] - seen[0]) / (365 * DAY_US)
    return int(kinds[1] - kinds[0]) in {HOUR_US, DAY_US - HOUR_US} and changes <= 2 * years + 1


def valleys_us(
    gaps_us: NDArray[np.int64], bucket: NDArray[np.integer], resolution: int
) -> list[float]:
    """Return where the distribution of the logarithms of gaps has valleys [µs], ascending.

    A valley lies between two hills, is at most half as high as the lower of them, and its depth is
    at least four standard errors, customers being left out bucket by bucket. Gaps are smoothed by
    a normal curve with a standard deviation of a factor of 1.4, which joins the hills at one and
    two days, one and two minutes. Valleys below a minute and within the resolution are none.

    Parameters
    ----------
    gaps_us
        The gaps.
    bucket
        Bucket of the customer of each gap.
    resolution
        The step that timestamps were recorded in [µs].
    """
    n = int(bucket.max(initial=0)) + 1
    place = bucket * N_HEIGHTS + heights_of(gaps_us)
    counts = np.bincount(place, minlength=n * N_HEIGHTS).reshape(n, N_HEIGHTS)
    return valleys_of_heights(counts, resolution)


@cache
def _bounds() -> NDArray[np.int64]:
    """Return where the bins begin [µs]; decimals, since powers of floats differ by the machine."""
    with localcontext(prec=40):
        powers = [Decimal(10) ** (Decimal(i) / 40 + 5) for i in range(_BINS)]
        return np.array([math.ceil(power) for power in powers])


def heights_of(gaps_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 for each gap that is none, else the bin of its logarithm, from 1."""
    place = np.searchsorted(_bounds(), gaps_us, side="right")
    return np.where(gaps_us > 0, np.maximum(place, 1), 0)


def valleys_of_heights(counts: NDArray[np.int64], resolution: int) -> list[float]:
    """Return the valleys, given how many gaps each bucket has in each bin of `heights_of`."""
    heights = counts.astype(np.float64)
    if resolution >= MINUTE_US:  # what is shorter than half a step counts as half a step
        (least,) = heights_of(np.array([resolution // 2])).tolist()
        heights[:, least] += heights[:, :least].sum(axis=1)
        heights[:, :least] = 0
    # else what was recorded at one instant is one event in several rows
    heights = heights[:, 1:]
    if not heights.any():
        return []
    kernel = np.exp(-0.5 * ((_GRID[:, None] - _GRID) / _WIDTH) ** 2)
    parts = heights @ kernel
    found = _between_hills(parts[parts.any(axis=1)])
    limits = 10.0 ** _GRID[found] * 1e6
    return [limit for limit in limits.tolist() if limit > max(MINUTE_US, 2 * resolution)]


def _between_hills(parts: NDArray[np.float64]) -> list[int]:
    """Return the lowest points between hills that stand apart; one row of `parts` a bucket."""
    height = parts.sum(axis=0)
    rising = np.diff(np.concatenate([[-1.0], height, [-1.0]]))
    hills = np.flatnonzero((rising[:-1] > 0) & (rising[1:] <= 0)).tolist()
    while len(hills) > 1:
        valleys = [a + int(height[a : b + 1].argmin()) for a, b in pairwise(hills)]
        ratio = [
            _shallowness(parts, valley, min(pair, key=lambda i: height[i]))
            for valley, pair in zip(valleys, pairwise(hills), strict=True)
        ]
        worst = int(np.argmax(ratio))
        if ratio[worst] <= _DEEP:
            return valleys
        hills.remove(min(hills[worst : worst + 2], key=lambda i: height[i]))
    return []


def _shallowness(parts: NDArray[np.float64], valley: int, hill: int) -> float:
    """Return the height of a valley over that of a hill; 1 where chance alone may have made it."""
    depth = parts[:, hill] - parts[:, valley]
    n = len(depth)
    if n < 2:
        return 1.0
    error = np.sqrt(n * depth.var(ddof=1))
    if depth.sum() <= _SURE * error:
        return 1.0
    return float(parts[:, valley].sum() / parts[:, hill].sum())
