"""Risk sets of right-censored durations, which the survival estimators count from.

A row is at risk in (entry, exit]. Events come before censorings at the same time. Times are whole
microseconds, so that ties are exact.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.buckets import FEWEST, effective_units
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROUNDING = 1e-12


@attrs.frozen(kw_only=True, eq=False)
class RiskSets:
    """Counts at every distinct time at which a row ends, increasing [microseconds].

    `at_risk` weighs the rows just before each time, `deaths` the events, shape (causes, times), and
    `censored` the rows that are censored there; `exit_index` is the place of each row's exit in
    `times`, `entry_index` the first place at which it is at risk.
    """

    times: Ints
    at_risk: Floats
    deaths: Floats
    censored: Floats
    exit_index: NDArray[np.intp]
    entry_index: NDArray[np.intp]

    @property
    def events(self) -> Floats:
        """Weight of the events of any cause."""
        total: Floats = self.deaths.sum(axis=0)
        return total

    @property
    def survival(self) -> Floats:
        """Kaplan-Meier survival just after each time."""
        # A product of ratios beats exp of a sum of logs: it is exactly 0 where all fail.
        with np.errstate(divide="ignore", invalid="ignore"):
            stay = np.where(self.at_risk > 0, 1 - self.events / self.at_risk, 1.0)
        return np.cumprod(stay, dtype=np.float64)

    @property
    def greenwood(self) -> Floats:
        """Increments d / (n (n - d)); 0 where everybody at risk fails, as survival is 0 then."""
        left = self.at_risk - self.events
        out = np.zeros(len(self.times))
        np.divide(self.events, self.at_risk * left, out=out, where=left > 0)
        return out


def risk_sets(
    exit_us: Ints,
    cause: NDArray[np.intp],
    *,
    n_causes: int = 1,
    entry_us: Ints | None = None,
    weights: Floats | None = None,
) -> RiskSets:
    """Count risk sets; `cause` is -1 for a censored row."""
    weights = np.ones(len(exit_us)) if weights is None else weights
    times, exit_index = np.unique(exit_us, return_inverse=True)
    size = len(times)
    ended = np.bincount(exit_index, weights=weights, minlength=size)
    if entry_us is None:
        entry_index = np.zeros(len(exit_us), dtype=np.intp)
    else:
        entry_index = np.searchsorted(times, entry_us, side="right")
    entered = np.bincount(entry_index, weights=weights, minlength=size)
    at_risk = np.cumsum(entered) - (np.cumsum(ended) - ended)
    deaths = np.zeros((n_causes, size))
    for k in range(n_causes):
        of_cause = cause == k
        deaths[k] = np.bincount(exit_index[of_cause], weights=weights[of_cause], minlength=size)
    return RiskSets(
        times=times,
        at_risk=at_risk,
        deaths=deaths,
        censored=ended - deaths.sum(axis=0),
        exit_index=exit_index,
        entry_index=entry_index,
    )


def scores(jump_at_exit: Floats, drift: Floats, sets: RiskSets) -> tuple[Floats, Floats]:
    """Return each row's constant part on entry and the change of it on exit.

    A row's martingale sum is its jump at exit minus the drift accumulated over the times at which
    it was at risk. Written as constant - (rows at risk) × drift(t) it changes at entry and exit
    only, and so do its squares within a customer.
    """
    accumulated = np.concatenate(([0.0], np.cumsum(drift)))
    return accumulated[sets.entry_index], jump_at_exit - accumulated[sets.exit_index + 1]


def sets_without(sets: RiskSets, cause: Ints, masses: Floats, unit: Ints) -> Iterator[RiskSets]:
    """Yield the risk sets of all others, leaving out one unit of rows at a time."""
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
    size = len(sets.times)
    for rows in np.split(order, starts[1:]):
        at, entered, w = sets.exit_index[rows], sets.entry_index[rows], masses[rows]
        ended = np.bincount(at, w, size)
        at_risk = np.cumsum(np.bincount(entered, w, size)[:size]) - (np.cumsum(ended) - ended)
        deaths = np.zeros(sets.deaths.shape)
        for k in range(len(deaths)):
            deaths[k] = np.bincount(at, w * (cause[rows] == k), size)
        left = sets.at_risk - at_risk
        # what is left of a sum after it was taken out again is rounding
        left = np.where(left > _ROUNDING * sets.at_risk, left, 0.0)
        yield attrs.evolve(sets, at_risk=left, deaths=np.where(left > 0, sets.deaths - deaths, 0.0))


def jackknife(
    sets: RiskSets,
    cause: Ints,
    masses: Floats,
    unit: Ints,
    statistic: Callable[[RiskSets], Floats],
) -> tuple[Floats, float]:
    """Return the variance of a statistic of risk sets, and G*: each unit left out in turn.

    NaN where the rows are of fewer than three units of equal weight; see
    `cxjourney._stats.buckets`. Beyond the last row of the others their curve stays where it is.
    """
    whole = statistic(sets)
    effective = float(effective_units(np.bincount(unit, masses)[:, None])[0]) if len(unit) else 0.0
    if not effective >= FEWEST:
        return np.full(np.shape(whole), np.nan), math.nan
    total, n = np.zeros(np.shape(whole)), 0
    for others in sets_without(sets, cause, masses, unit):
        total += (statistic(others) - whole) ** 2
        n += 1
    return (n - 1) / n * total, effective


def clustered_moments(
    customer: NDArray[np.intp],
    sets: RiskSets,
    parts: list[tuple[Floats, Floats]],
) -> Floats:
    """Return sums over customers of products of their running totals, shape (times, parts, parts).

    A part is a pair of changes (on entry, on exit) of each row; totals are those after the exits at
    each time.
    """
    if not len(customer):
        return np.zeros((len(sets.times), len(parts), len(parts)))
    who = np.concatenate((customer, customer))
    when = np.concatenate((sets.entry_index, sets.exit_index))
    change = np.column_stack([np.concatenate(part) for part in parts])
    order = np.lexsort((when, who))
    who, when, change = who[order], when[order], change[order]
    total = np.cumsum(change, axis=0)
    first = np.flatnonzero(np.r_[True, who[1:] != who[:-1]])
    rows_each = np.diff(np.r_[first, len(who)])
    after = total - np.repeat(total[first] - change[first], rows_each, axis=0)
    before = after - change
    size, width = len(sets.times), len(parts)
    moments = np.empty((size, width, width))
    for a in range(width):
        for b in range(a, width):
            gain = after[:, a] * after[:, b] - before[:, a] * before[:, b]
            running = np.cumsum(np.bincount(when, weights=gain, minlength=size)[:size])
            moments[:, a, b] = moments[:, b, a] = running
    return moments


def robust_survival_variance(sets: RiskSets, cause: Ints, weights: Floats) -> Floats:
    """Return the infinitesimal-jackknife variance of survival, each weighted row by itself.

    A row's influence at t is -w S(t) A(t), with A(t) its influence on -log S(t).
    """
    entry, leave = row_influences(sets, cause, 1.0, sets.greenwood, weights)
    own = np.arange(len(weights))
    moments = clustered_moments(own, sets, [(entry, leave), (weights, -weights)])
    drift = np.cumsum(sets.greenwood)
    squares = moments[:, 0, 0] - 2 * drift * moments[:, 0, 1] + drift**2 * moments[:, 1, 1]
    return sets.survival**2 * corrected(squares, len(weights))


def row_influences(
    sets: RiskSets, cause: Ints, share: Floats | float, drift: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Return what each row adds to -log S, or to a mean, on entry and on exit."""
    left = sets.at_risk - sets.events
    hazard = np.zeros(len(left))
    np.divide(share, left, out=hazard, where=left > 0)
    entry, leave = scores((cause >= 0) * hazard[sets.exit_index], drift, sets)
    return weights * entry, weights * leave


def robust_incidence_variance(
    sets: RiskSets, cause: Ints, k: int, incidence: Floats, weights: Floats
) -> Floats:
    """Return the infinitesimal-jackknife variance of an incidence, each weighted row by itself.

    A row's influence on F(t) is B(t) - F(t) A(t): A(t) is its influence on -log S(t), and B(t) adds
    up what it changes at each of its times.
    """
    n, left = sets.at_risk, sets.at_risk - sets.events
    before = np.concatenate(([1.0], sets.survival[:-1]))
    hazard = np.zeros(len(n))
    np.divide(1.0, left, out=hazard, where=left > 0)
    share = np.zeros(len(n))
    np.divide(before, n, out=share, where=n > 0)
    at = sets.exit_index
    failed = cause >= 0
    jump_a = failed * hazard[at]
    jump_b = (cause == k) * share[at] + failed * (incidence * hazard)[at]
    drift_a = sets.greenwood
    drift_b = np.zeros(len(n))
    np.divide(share * sets.deaths[k], n, out=drift_b, where=n > 0)
    drift_b += incidence * drift_a
    ones = np.ones(len(at))
    pairs = [scores(jump_a, drift_a, sets), scores(jump_b, drift_b, sets), (ones, -ones)]
    parts = [(weights * entry, weights * leave) for entry, leave in pairs]
    moments = clustered_moments(np.arange(len(at)), sets, parts)
    sum_a, sum_b = np.cumsum(drift_a), np.cumsum(drift_b)
    factors = np.stack((-incidence, np.ones(len(n)), incidence * sum_a - sum_b))
    squares = np.einsum("at,tab,bt->t", factors, moments, factors)
    return corrected(squares, len(at))


def corrected(squares: Floats, n: int) -> Floats:
    """Apply n / (n - 1); with one row there is no variance."""
    return np.full(len(squares), np.nan) if n < 2 else np.maximum(squares, 0.0) * n / (n - 1)
