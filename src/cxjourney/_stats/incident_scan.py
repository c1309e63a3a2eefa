"""The interval of days, place and group in which an event became more frequent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.extremes import N_SIGNS, gumbel_p, random_signs
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

N_SCAN_BUCKETS = 256
WINDOWS = (3, 5, 7, 10, 14, 20, 28, 40, 56)
"""Lengths of the intervals that are tried [days]."""

_FEWEST = 5.0  # expected events, and expected trials without one
_PSEUDO_VISITS = 20.0
_WEEK = 7
_MOST_LEVELS = 9  # of intervals that were found
_AROUND, _LONGEST = 30, 70  # where the dates are looked for around the window [days]
_BEFORE = WINDOWS[-1]  # days before and after that show the ordinary level
_FEWEST_BEFORE = 10
_WORSE = 2.326  # 99 % quantile of a standard normal
_REGION = 5.991464547107979  # 95 % quantile of chi-squared with two degrees of freedom


@attrs.frozen(kw_only=True, eq=False)
class ScanData:
    """Trials that are scanned."""

    place: Ints  # place of each trial, 0 … n_places - 1
    day: Ints  # day of each trial, 0 … n_days - 1
    bucket: NDArray[np.integer]  # bucket of its customer, 0 … 255
    # groups of the trials by each attribute, and how many there are; a negative one is in all only
    strata: Sequence[tuple[NDArray[np.integer], int]]
    event: Floats  # whether it was an event
    n_places: int
    n_days: int

    @property
    def offsets(self) -> list[int]:
        """First stratum of each attribute: 0 is all, then those of the attributes."""
        sizes = [1, *(size for _, size in self.strata)]
        return [sum(sizes[: i + 1]) for i in range(len(sizes))]

    def take(self, rows: NDArray[np.integer]) -> ScanData:
        """Return some of the trials."""
        return attrs.evolve(
            self,
            place=self.place[rows],
            day=self.day[rows],
            bucket=self.bucket[rows],
            strata=[(code[rows], size) for code, size in self.strata],
            event=self.event[rows],
        )

    def inside(self, place: int, stratum: int, first: int, last: int) -> NDArray[np.bool_]:
        """Return the trials of a place and stratum from the first to the last day."""
        found: NDArray[np.bool_] = (self.place == place) & (self.day >= first) & (self.day <= last)
        for (code, _), (start, end) in zip(self.strata, pairwise(self.offsets), strict=True):
            if start <= stratum < end:
                found &= code == stratum - start
        return found


@attrs.frozen(kw_only=True)
class Incident:
    """An interval in which an event was more frequent."""

    place: int  # where, and in which group; stratum 0 is everybody
    stratum: int
    first: int  # first and last day
    last: int
    first_low: int  # ends of the intervals of both days
    first_high: int
    last_low: int
    last_high: int
    trials: int  # trials and events in the interval, and how many were to be expected
    events: int
    expected: float
    root: float  # root of the deviance, in standard deviations
    p: float  # P-value of the largest of all
    slow: bool  # whether it is long and reaches an edge of the observation: rather a slow change
    # whether rather what follows is better: it is no worse than the days before, or has none
    better_since: bool


def deviance_root(
    observed: Floats, expected: Floats, trials: Floats, part: Floats, spread: Floats | float
) -> Floats:
    """Return the signed root of the binomial deviance of an excess, ½ event taken off.

    Examples
    --------
    >>> round(float(deviance_root(np.array(12.0), np.array(4.0), np.array(20.0), 3.2 / 32, 1.2)), 6)
    3.540288
    """
    o = np.maximum(observed - 0.5, expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = o * np.log(o / expected) + (trials - o) * np.log((trials - o) / (trials - expected))
    # no trial without an event: its term is 0
    inner = np.where(trials - o > 0, inner, o * np.log(np.maximum(o / expected, 1.0)))
    root: Floats = np.sqrt(np.maximum(2 * inner, 0.0) / (spread * (1 - part)))
    return root


def expectation(place: Ints, day: Ints, event: Floats, n_places: int) -> Floats:
    """Return the expected events: rate of the place and weekday, with the place's linear trend."""
    weekday = place * _WEEK + day % _WEEK
    n = np.bincount(place, minlength=n_places)
    rate = np.bincount(place, event, minlength=n_places) / np.maximum(n, 1)
    k7, n7 = (
        np.bincount(weekday, event, minlength=n_places * _WEEK),
        np.bincount(weekday, minlength=n_places * _WEEK),
    )
    by_weekday = (k7 + _PSEUDO_VISITS * np.repeat(rate, _WEEK)) / (n7 + _PSEUDO_VISITS)
    e = by_weekday[weekday]
    center = np.bincount(place, day, minlength=n_places) / np.maximum(n, 1)
    t = day - center[place]
    square = np.bincount(place, t * t, minlength=n_places)
    slope = np.bincount(place, t * (event - e), minlength=n_places) / np.maximum(square, 1.0)
    return np.asarray(np.clip(e + slope[place] * t, 0.01, 0.99), dtype=np.float64)


Found = tuple[float, tuple[int, int, int], Floats]
_NOTHING: Found = (0.0, (0, 0, 0), np.zeros(N_SIGNS))


def _prefix(values: Floats) -> Floats:
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=values.dtype)
    np.cumsum(values, axis=-1, out=out[..., 1:])
    return out


def _largest(data: ScanData, rows: NDArray[np.integer], e: Floats, signs: Floats) -> Found:
    """Return the largest root at a place, its stratum, first day and length, and those of draws."""
    part, days = data.take(rows), data.n_days
    e = e[rows]
    r, v = part.event - e, e * (1 - e)
    strata = [(np.zeros(len(rows), dtype=np.int64), 1), *part.strata]
    weights = (part.event, e, v, np.ones(len(rows)))
    # over the days, by stratum: events, expected events, their variance, trials
    y, x, u, n = (
        _prefix(
            np.concatenate(
                [
                    np.bincount(
                        (code * days + part.day)[code >= 0],
                        weight[code >= 0],
                        minlength=size * days,
                    ).reshape(size, days)
                    for code, size in strata
                ]
            )
        )
        for weight in weights
    )
    usable = {}
    for w in (w for w in WINDOWS if w <= days // 2):
        expected, variance, trials = (t[:, w:] - t[:, :-w] for t in (x, u, n))
        fine = (expected >= _FEWEST) & (trials - expected >= _FEWEST)
        fine &= variance < u[:, -1:] / 2
        if fine.any():
            usable[w] = fine
    if not usable:
        return _NOTHING
    chosen = np.flatnonzero(np.any([fine.any(axis=1) for fine in usable.values()], axis=0))
    deep = _by_bucket(part, strata, r, chosen)
    of_buckets = np.bincount(part.bucket, r, minlength=N_SCAN_BUCKETS)
    spread = max(1.0, float((of_buckets**2).sum() / max(v.sum(), 1e-9)))
    null = np.zeros((len(chosen), days + 1, N_SIGNS), dtype=np.float32)
    np.cumsum((deep @ signs.T).reshape(len(chosen), days, N_SIGNS), axis=1, out=null[:, 1:])
    y, x, u, n = (t[chosen] for t in (y, x, u, n))
    # each draw ends where it began: an excess is one over the other days of the place
    null -= (u / np.maximum(u[:, -1:], 1e-9)).astype(np.float32)[:, :, None] * null[:, -1:].copy()
    best, where, maxima = 0.0, (0, 0, 0), np.zeros(N_SIGNS)
    for w, every in usable.items():
        fine = every[chosen]
        events, expected, variance, trials = (t[:, w:] - t[:, :-w] for t in (y, x, u, n))
        share = variance / np.maximum(u[:, -1:], 1e-9)
        expected = expected + share * (y[:, -1:] - x[:, -1:])
        expected = np.clip(expected, 0.5, np.maximum(trials - 0.5, 0.5))
        root = np.where(fine, deviance_root(events, expected, trials, share, spread), 0.0)
        s, a = np.unravel_index(int(np.argmax(root)), root.shape)
        if root[s, a] > best:
            best, where = float(root[s, a]), (int(chosen[s]), int(a), w)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(fine, 1 / np.sqrt(spread * variance * (1 - share)), 0.0)
        # of the intervals that are looked at at all
        some, at = np.flatnonzero(fine.any(axis=1)), np.flatnonzero(fine.any(axis=0))
        first, end = int(at[0]), int(at[-1]) + 1
        drawn = null[some, first + w : end + w] - null[some, first:end]
        drawn *= scale[some, first:end, None].astype(np.float32)
        maxima = np.maximum(maxima, drawn.max(axis=(0, 1), initial=0.0))
    return best, where, maxima


def _by_bucket(
    part: ScanData,
    strata: Sequence[tuple[NDArray[np.integer], int]],
    deviation: Floats,
    chosen: Ints,
) -> csr_array:
    """Return the deviations in each day of the strata chosen, shape (strata × days, buckets)."""
    from scipy.sparse import csr_array

    days = part.n_days
    keys, buckets, values = [], [], []
    start = 0
    for code, size in strata:
        place = np.full(size + 1, -1)  # the last is that of code -1
        inside = np.flatnonzero((chosen >= start) & (chosen < start + size))
        place[chosen[inside] - start] = inside
        mine = place[code]
        rows = np.flatnonzero(mine >= 0)
        keys.append(mine[rows] * days + part.day[rows])
        buckets.append(part.bucket[rows])
        values.append(deviation[rows].astype(np.float32))
        start += size
    at = (np.concatenate(keys), np.concatenate(buckets))
    return csr_array((np.concatenate(values), at), shape=(len(chosen) * days, N_SCAN_BUCKETS))


def scan(data: ScanData, *, most: int = 3, level: float = 0.05) -> list[Incident]:
    """Return the incidents that stand out, the largest first.

    Notes
    -----
    A scan statistic (Kulldorff 1997) over place, group and interval. What is expected follows
    weekday and a linear trend. The null distribution of the maximum is that under random signs of
    256 buckets of customers, one draw over all places. The first is returned whatever its p-value,
    further ones while theirs is at most `level`, the interval before taken out of its place.

    Days stand out too if only what follows is better. An interval is an incident where it is worse
    than the days before, and these are nearer to those after than to it; else the days after it
    have a level of their own from then on, and the scan goes on.
    """
    if not len(data.event):
        return []
    level_of, n_levels = data.place.copy(), data.n_places
    e = expectation(level_of, data.day, data.event, n_levels)
    order = np.argsort(data.place, kind="stable")
    bounds = np.searchsorted(data.place[order], np.arange(data.n_places + 1))
    of_place = [order[a:b] for a, b in pairwise(bounds.tolist())]
    rows = of_place.copy()  # those that are left to be looked at
    signs = random_signs(N_SCAN_BUCKETS)

    def look(place: int) -> Found:
        few = len(rows[place]) < 2 * _FEWEST
        return _NOTHING if few else _largest(data, rows[place], e, signs)

    found = [look(place) for place in range(data.n_places)]
    incidents: list[Incident] = []
    while len(incidents) < most and n_levels < data.n_places + _MOST_LEVELS:
        place = int(np.argmax([one[0] for one in found]))
        root, (stratum, first, length), _ = found[place]
        if not length:
            break
        p = gumbel_p(root, np.max([one[2] for one in found], axis=0))
        if incidents and p > level:
            break
        incident = _dated(
            data,
            rows[place],
            e,
            place=place,
            stratum=stratum,
            first=first,
            length=length,
            root=root,
            p=p,
        )
        if p > level:
            incidents.append(attrs.evolve(incident, p=1.0) if incident.better_since else incident)
            break
        since, until = incident.first, incident.last
        if incident.better_since:
            since, until = incident.last + 1, data.n_days
        else:
            incidents.append(incident)
        # what was found has a level of its own, and bends no trend of the rest
        apart = data.inside(place, stratum, since, until)
        level_of[apart], n_levels = n_levels, n_levels + 1
        mine = of_place[place]
        e[mine] = expectation(level_of[mine], data.day[mine], data.event[mine], n_levels)
        if not incident.better_since:
            rows[place] = rows[place][~apart[rows[place]]]
        found[place] = look(place)
    return incidents


def _dated(
    data: ScanData,
    rows: NDArray[np.integer],
    e: Floats,
    *,
    place: int,
    stratum: int,
    first: int,
    length: int,
    root: float,
    p: float,
) -> Incident:
    """Return an incident with the dates that fit best, and what other dates fit nearly as well."""
    days = data.n_days
    mine = data.take(rows).inside(place, stratum, 0, days)
    day = data.day[rows][mine]
    y, x, n = (
        _prefix(np.bincount(day, weight, minlength=days).astype(np.float64))
        for weight in (data.event[rows][mine], e[rows][mine], np.ones(len(day)))
    )
    a0, b0 = max(0, first - _AROUND), min(days, first + length + _AROUND)
    a, b = (grid.ravel() for grid in np.meshgrid(np.arange(a0, b0), np.arange(a0 + 1, b0 + 1)))
    usable = (b > a) & (b - a <= _LONGEST) & (b - a < days)
    a, b = a[usable], b[usable]
    inside_y, inside_x, inside_n = (s[b] - s[a] for s in (y, x, n))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (y[-1] - inside_y) / (x[-1] - inside_x)
        expected = np.clip(inside_x * np.nan_to_num(ratio, posinf=1.0), 1e-6, inside_n - 1e-6)
        fit = deviance_root(inside_y, expected, inside_n, np.array(0.0), 1.0) ** 2
    fit = np.where(inside_n > 0, np.nan_to_num(fit), 0.0)
    i = int(np.argmax(fit))
    near = fit >= fit[i] - _REGION
    first_day, end = int(a[i]), int(b[i])
    at_edge = a[i] == 0 or b[i] == days
    return Incident(
        place=place,
        stratum=stratum,
        first=int(a[i]),
        last=int(b[i]) - 1,
        first_low=int(a[near].min()),
        first_high=int(a[near].max()),
        last_low=int(b[near].min()) - 1,
        last_high=int(b[near].max()) - 1,
        trials=int(inside_n[i]),
        events=int(inside_y[i]),
        expected=float(expected[i]),
        root=root,
        p=p,
        slow=bool(length >= WINDOWS[-1] or (at_edge and length >= WINDOWS[-2])),
        better_since=_better_since(y, n, first_day, end),
    )


def _better_since(y: Floats, n: Floats, first: int, end: int) -> bool:
    """Return whether days are no worse than those before them, which are unlike those after."""
    days = len(n) - 1
    parts = ((max(first - _BEFORE, 0), first), (first, end), (end, min(end + _BEFORE, days)))
    events, trials = (np.array([s[b] - s[a] for a, b in parts]) for s in (y, n))
    if trials[0] < _FEWEST_BEFORE:
        return True
    before, inside, after = events / np.maximum(trials, 1.0)
    q = events[:2].sum() / trials[:2].sum()
    error = np.sqrt(q * (1 - q) * (1 / trials[0] + 1 / max(trials[1], 1.0)))
    if not inside - before > _WORSE * error:
        return True
    return bool(trials[2] >= _FEWEST_BEFORE and before - after > inside - before)
