"""Drop-off of groups of visits, and the differences between such groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._stats.aalen_johansen import MOVED, OPEN, exit_influence, move_mass
from cxjourney._stats.significance import fisher_p, two_sided_p
from cxjourney.metrics import wilson

if TYPE_CHECKING:
    from cxjourney.journeys import Visits

__all__ = ["Arms", "Difference", "arms_of", "difference"]

_EXPECTED = 5  # expected losses or stays below which a normal approximation is not trusted


@attrs.frozen(kw_only=True)
class Arms:
    """Groups of visits, and the probability that a customer is lost after a visit of each.

    Attributes
    ----------
    key
        What each arm stands for, ascending.
    n, censored
        Visits of each arm, and those censored; weights counted.
    loss
        Probability that no touch follows within the limit [fraction]; NaN where all are censored.
    offsets
        The visits of arm i are [offsets[i], offsets[i + 1]) of the arrays below.
    customer, weight, influence
        Of each visit: whose it is, how often it counts, and the derivative of its arm's loss with
        respect to its weight (infinitesimal jackknife).
    """

    key: NDArray[np.int64]
    n: NDArray[np.int64]
    censored: NDArray[np.int64]
    loss: NDArray[np.float64]
    offsets: NDArray[np.int64]
    customer: NDArray[np.int64]
    weight: NDArray[np.int64]
    influence: NDArray[np.float64]

    def find(self, key: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of each key; -1 where there is no such arm."""
        if not len(self.key):
            return np.full(len(key), -1)
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[place] == key, place, -1)


def arms_of(visits: Visits, key: NDArray[np.int64]) -> Arms:
    """Return the arms that a key a visit makes; a negative key leaves a visit out."""
    used = np.flatnonzero(key >= 0)
    used = used[np.argsort(key[used], kind="stable")]
    keys, arm, n_rows = np.unique(key[used], return_inverse=True, return_counts=True)
    state = visits.state[used]
    lost_at_once = (visits.following[used] == visits.dropoff) & (state == MOVED)
    ones = np.ones(len(used), dtype=np.int64)
    weight = ones if visits.weight is None else visits.weight[used]
    n = np.bincount(arm, weight, minlength=len(keys)).astype(np.int64)
    censored = np.bincount(arm, weight * (state == OPEN), minlength=len(keys)).astype(np.int64)
    if visits.wait_us is None:
        lost = visits.following[used] == visits.dropoff
        loss = np.bincount(arm, weight * lost, minlength=len(keys)) / n
        influence = (lost - loss[arm]) / n[arm]
    else:
        wait = visits.wait_us[used]
        mass = np.where(lost_at_once, 0.0, move_mass(arm, wait, state, len(keys)))
        loss = np.clip(1 - np.bincount(arm, mass, minlength=len(keys)), 0, 1)
        loss[np.abs(loss) < 1e-12] = 0.0  # sums of masses end a few bits off 1
        influence = exit_influence(arm, wait, state, lost_at_once)
    loss = np.where(censored == n, np.nan, loss)
    return Arms(
        key=keys,
        n=n,
        censored=censored,
        loss=loss,
        offsets=np.concatenate([[0], np.cumsum(n_rows)]).astype(np.int64),
        customer=visits.customer[used],
        weight=weight,
        influence=influence,
    )


@attrs.frozen(kw_only=True)
class Difference:
    """Loss of one set of arms minus that of another, stratum by stratum.

    Attributes
    ----------
    value, low, high
        The difference and its interval [fraction, -1 to 1]; NaN where nothing can be compared.
    exposed, reference
        The two losses, strata weighted alike [fraction].
    n_exposed, n_reference, censored
        Visits of the strata compared, and those of the exposed that are censored.
    variance
        Sampling variance of the difference, away from 0 where no visit or every visit was lost.
    p
        Two-sided p-value of no difference.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    exposed: float = math.nan
    reference: float = math.nan
    n_exposed: int = 0
    n_reference: int = 0
    censored: int = 0
    variance: float = math.nan
    p: float = math.nan


def difference(
    arms: Arms, exposed: NDArray[np.int64], reference: NDArray[np.int64], *, level: float
) -> Difference:
    """Return the difference of losses, pooled over strata by Mantel and Haenszel.

    Σ w (exposed - reference) / Σ w with w = n₁ n₀ / (n₁ + n₀) over strata with both. The interval
    is Newcombe's hybrid of two Wilson intervals, each on the effective sample that the variance
    clustered by customer is worth, with the correlation that customers in both sides bring.

    Parameters
    ----------
    arms
        The arms.
    exposed, reference
        Places of the arms to compare, one of each a stratum; -1 where there is none.
    level
        Confidence level.
    """
    both = (exposed >= 0) & (reference >= 0)
    both[both] = ~np.isnan(arms.loss[exposed[both]] + arms.loss[reference[both]])
    one, zero = exposed[both], reference[both]
    if not len(one):
        return Difference()
    n1, n0 = arms.n[one].astype(np.float64), arms.n[zero].astype(np.float64)
    share = n1 * n0 / (n1 + n0)
    share /= share.sum()
    side1, side0 = _side(arms, one, share), _side(arms, zero, share)
    value = side1.loss - side0.loss
    correlation = _correlation(side1, side0)
    l1, u1 = wilson(side1.loss * side1.effective, side1.effective, level=level)
    l0, u0 = wilson(side0.loss * side0.effective, side0.effective, level=level)
    low = value - _hybrid(side1.loss - l1, u0 - side0.loss, correlation)
    high = value + _hybrid(u1 - side1.loss, side0.loss - l0, correlation)
    return Difference(
        value=value,
        low=max(-1.0, low),
        high=min(1.0, high),
        exposed=side1.loss,
        reference=side0.loss,
        n_exposed=int(n1.sum()),
        n_reference=int(n0.sum()),
        censored=int(arms.censored[one].sum()),
        variance=side1.error**2 + side0.error**2,
        p=_p(side1, side0, correlation),
    )


@attrs.frozen(kw_only=True)
class _Side:
    loss: float
    effective: float
    customer: NDArray[np.int64]  # ascending
    weight: NDArray[np.int64]
    residual: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Standard error with one loss and one stay added, so that it is never 0."""
        p = (self.loss * self.effective + 1) / (self.effective + 2)
        return math.sqrt(p * (1 - p) / self.effective)


def _side(arms: Arms, places: NDArray[np.int64], share: NDArray[np.float64]) -> _Side:
    """Return one side of a comparison: its pooled loss, and each customer's part in its error."""
    sizes = arms.offsets[places + 1] - arms.offsets[places]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = np.repeat(arms.offsets[places], sizes) + within
    customer, first, place = np.unique(arms.customer[rows], return_index=True, return_inverse=True)
    weight = arms.weight[rows][first]
    residual = np.bincount(
        place, np.repeat(share, sizes) * arms.influence[rows], minlength=len(customer)
    ).astype(np.float64)
    loss = min(1.0, max(0.0, float(share @ arms.loss[places])))
    groups, n = float(weight.sum()), float(arms.n[places].sum())
    closed = n - float(arms.censored[places].sum())
    effective = groups * closed / n  # where all agree, the variance says nothing
    if 0 < loss < 1 and groups > 1:
        variance = groups / (groups - 1) * float(weight @ residual**2)
        effective = loss * (1 - loss) / variance if variance > 0 else effective
    # a censored visit has not shown its end: a group is worth no more than those that have
    effective = max(1.0, min(closed, effective))
    return _Side(
        loss=loss, effective=effective, customer=customer, weight=weight, residual=residual
    )


def _correlation(one: _Side, zero: _Side) -> float:
    """Return the correlation of two losses that share customers."""
    _, i, j = np.intersect1d(one.customer, zero.customer, assume_unique=True, return_indices=True)
    if not len(i) or not 0 < one.loss < 1 or not 0 < zero.loss < 1:
        return 0.0  # what is left of residuals there is rounding
    scale = float(one.weight @ one.residual**2) * float(zero.weight @ zero.residual**2)
    shared = float(one.weight[i] @ (one.residual[i] * zero.residual[j]))
    return max(-1.0, min(1.0, shared / math.sqrt(scale))) if scale > 0 else 0.0


def _hybrid(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))


def _p(one: _Side, zero: _Side, correlation: float) -> float:
    """Return the two-sided p-value: a pooled score test, or Fisher's where counts are small."""
    n1, n0 = one.effective, zero.effective
    pooled = (n1 * one.loss + n0 * zero.loss) / (n1 + n0)
    if not 0 < pooled < 1:
        return 1.0
    if min(n1, n0) * min(pooled, 1 - pooled) < _EXPECTED:
        return fisher_p(*(round(x) for x in (n1 * one.loss, n1, n0 * zero.loss, n0)))
    unit = math.sqrt(pooled * (1 - pooled))
    error = _hybrid(unit / math.sqrt(n1), unit / math.sqrt(n0), correlation)
    return two_sided_p((one.loss - zero.loss) / error) if error > 0 else 1.0
