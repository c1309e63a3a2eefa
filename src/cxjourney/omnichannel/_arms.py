"""Drop-off of groups of visits, and the differences between such groups."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS, BucketFigures, difference_of_shares
from cxjourney._stats.going_on import CENSORED, LOST, Ends, going_on
from cxjourney._stats.normal_pooling import smoothed_variance
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.validation import duration_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Bools
    from cxjourney.journeys import Journeys

_ROUNDING = 1e-12  # sums of masses end a few bits off 0 and 1


@attrs.frozen(kw_only=True, eq=False)
class Arms:
    """Groups of visits, and the probability that a customer is lost after a visit of each.

    The first axis of `loss_without`, `own` and `own_censored` runs over the buckets of customers.

    Attributes
    ----------
    key
        What each arm stands for, ascending.
    n, censored
        Visits of each arm, and those censored; weights counted.
    loss
        Probability that no interaction follows within the limit [fraction]; NaN where all are
        censored, or none came early enough to be followed up to the limit.
    loss_without
        The same without each bucket, shape (buckets, arms).
    own, own_censored
        Visits of each arm in each bucket, and those censored, shape (buckets, arms).
    reach
        How far the loss may lie from that of raw times, if waits lie on a grid.
    """

    key: Ints
    n: Ints
    censored: Ints
    loss: Floats
    loss_without: Floats
    own: Floats
    own_censored: Floats
    reach: Floats

    def find(self, key: Ints) -> Ints:
        """Return the place of each key; -1 where there is no such arm."""
        if not len(self.key):
            return np.full(len(key), -1)
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[place] == key, place, -1)


def arms_of(kinds: Ints, ends: Ends, late: Ints, n_late: Ints | None = None) -> Arms:
    """Return the arms of visits, whose groups are the kinds.

    `late` are the rows of visits too late to be followed up to the limit, and `n_late` how many.
    """
    size = len(kinds)
    found = going_on(ends, size)
    group = ends.group[late]
    place = np.where(group < 0, -1, ends.unit[late].astype(np.int64) * size + group)
    own_late = attrs.evolve(ends, count=n_late).sums(place, slice(None), N_BUCKETS * size)
    own_early = found.visits - own_late.reshape(N_BUCKETS, size)
    return _arms(kinds, 1 - found.whole, 1 - found.without, found.visits, found.censored, own_early)


def arms_of_paths(
    kinds: Ints, number: NDArray[np.integer], how: NDArray[np.integer], journey: Ints, units: Units
) -> Arms:
    """Return the arms of aggregated paths, which have no times."""

    def own(some: Bools) -> Floats:
        return units.sums(number[some].astype(np.int64), len(kinds), item=journey[some])

    visits, lost = own(how >= 0), own(how == LOST)
    n, without = visits.sum(axis=0), np.full(visits.shape, np.nan)
    np.divide(lost.sum(axis=0) - lost, n - visits, out=without, where=n > visits)
    return _arms(kinds, lost.sum(axis=0) / n, without, visits, own(how == CENSORED), visits)


def _arms(kinds: Ints, loss: Floats, without: Floats, *own_of: Floats) -> Arms:
    """Return the arms, given all visits of each bucket, those censored, and those not too late."""
    own, own_censored, own_early = own_of
    n, censored, n_early = (each.sum(axis=0) for each in own_of)
    return Arms(
        key=kinds,
        n=np.rint(n).astype(np.int64),
        censored=np.rint(censored).astype(np.int64),
        loss=_known(loss, (censored < n) & (n_early > 0)),
        loss_without=_known(without, (censored - own_censored < n - own) & (n_early > own_early)),
        own=own,
        own_censored=own_censored,
        reach=np.zeros(len(kinds)),
    )


def joined(parts: Iterable[Arms]) -> Arms:
    """Return the arms of all parts, whose keys ascend."""
    some = list(parts)
    return Arms(
        **{
            field.name: np.concatenate([getattr(one, field.name) for one in some], axis=-1)
            for field in attrs.fields(Arms)
        }
    )


def could_be_followed(journeys: Journeys) -> Bools:
    """Return whether the observation goes on after each row for as long as the limit.

    Where it does for none, nobody can be known to be lost: a comparison with others would take what
    is not known yet for an outcome. Unlike how long each was followed this is no outcome itself.
    """
    time, until = journeys.columns.time, journeys.log.observed_until_us
    limit = journeys.rules.inactivity
    if time is None or until is None or limit is None:
        return np.ones(len(journeys.columns), dtype=np.bool_)
    early: Bools = time <= until - duration_us(limit)
    return early


def _known(loss: Floats, known: Bools) -> Floats:
    clipped = np.clip(loss, 0, 1)
    return np.where(known, np.where(clipped < _ROUNDING, 0.0, clipped), np.nan)


@attrs.frozen(kw_only=True)
class Difference:
    """Loss of one set of arms minus that of another, stratum by stratum.

    Attributes
    ----------
    value, low, high
        The difference and its interval [fraction, -1 to 1]; NaN where nothing can be compared, the
        ends also where a side rests on too few customers.
    exposed, reference
        The two losses, strata weighted alike [fraction].
    n_exposed, n_reference, censored
        Visits of the strata compared, and those of the exposed that are censored.
    reach
        How far the difference may lie from that of raw times, if waits lie on a grid.
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
    reach: float = 0.0
    variance: float = math.nan
    p: float = math.nan


def difference(arms: Arms, exposed: Ints, reference: Ints, *, level: float) -> Difference:
    """Return the difference of losses, pooled over strata by Mantel and Haenszel.

    Σ w (exposed - reference) / Σ w with w = n₁ n₀ / (n₁ + n₀) over strata with both. Without each
    bucket of customers in turn both the losses and the weights are computed anew; interval and
    p-value are those of a difference of two shares that may have customers in common.

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
    loss1, loss0 = np.clip(pooled_means(n1, n0, arms.loss[one], arms.loss[zero]), 0, 1)
    without1, without0 = np.clip(
        pooled_means(
            n1 - arms.own[:, one],
            n0 - arms.own[:, zero],
            arms.loss_without[:, one],
            arms.loss_without[:, zero],
        ),
        0,
        1,
    )
    found = _apart(
        BucketFigures(whole=loss1, without=without1, units=_ended(arms, one)),
        BucketFigures(whole=loss0, without=without0, units=_ended(arms, zero)),
        n_exposed=int(n1.sum()),
        n_reference=int(n0.sum()),
        censored=int(arms.censored[one].sum()),
        level=level,
    )
    reach = sum(pooled_means(n1, n0, arms.reach[one], arms.reach[zero]))
    return attrs.evolve(found, reach=float(reach))


def _apart(
    one: BucketFigures,
    zero: BucketFigures,
    *,
    n_exposed: int,
    n_reference: int,
    censored: int,
    level: float,
) -> Difference:
    low, high, p = difference_of_shares(one, zero, level=level)
    return Difference(
        value=float(one.whole - zero.whole),
        low=float(low),
        high=float(high),
        exposed=float(one.whole),
        reference=float(zero.whole),
        n_exposed=n_exposed,
        n_reference=n_reference,
        censored=censored,
        variance=float(sum(smoothed_variance(side.whole, side.trials) for side in (one, zero))),
        p=float(p),
    )


def difference_within(
    cell: Ints, bucket: Ints, lost: Bools, exposed: Bools, reference: Bools, *, level: float
) -> Difference:
    """Return the difference of losses within cells that are each of one customer.

    Parameters
    ----------
    cell
        Cell of each visit, 0 and up; a cell holds visits of one customer alone.
    bucket
        Bucket of the customer of each visit.
    lost, exposed, reference
        Whether each visit was the last, and on which side it is; on none where neither.
    level
        Confidence level.
    """
    size = int(cell.max(initial=-1)) + 1
    n = np.array([np.bincount(cell[side], minlength=size) for side in (exposed, reference)])
    both = n.min(axis=0, initial=np.iinfo(np.int64).max) > 0
    if not both.any():
        return Difference()
    k = np.array([np.bincount(cell[side & lost], minlength=size) for side in (exposed, reference)])
    of_cell = np.zeros(size, dtype=np.int64)
    of_cell[cell] = bucket
    n, k, of_cell = n[:, both], k[:, both], of_cell[both]
    weight = n.prod(axis=0) / n.sum(axis=0)

    def held(values: Floats) -> Floats:
        """Return what lies in each bucket."""
        return np.bincount(of_cell, values, minlength=N_BUCKETS).astype(np.float64)

    base = held(weight)
    sides = []
    for visits, losses in zip(n, k, strict=True):
        top = held(weight * losses / visits)
        rest = base.sum() - base
        without = np.full(N_BUCKETS, np.nan)
        np.divide(top.sum() - top, rest, out=without, where=rest > _ROUNDING * base.sum())
        sides.append(
            BucketFigures(
                whole=np.clip(top.sum() / base.sum(), 0, 1),
                without=np.clip(without, 0, 1),
                units=held(visits),
            )
        )
    return _apart(
        *sides,
        n_exposed=int(n[0].sum()),
        n_reference=int(n[1].sum()),
        censored=0,
        level=level,
    )


def pooled_means(n1: Floats, n0: Floats, mean1: Floats, mean0: Floats) -> tuple[Floats, Floats]:
    """Return both means over strata, the last axis, with the weights of Mantel and Haenszel."""
    there = (n1 > 0) & (n0 > 0) & ~np.isnan(mean1 + mean0)
    weight = np.divide(n1 * n0, n1 + n0, out=np.zeros(there.shape), where=there)
    total = weight.sum(axis=-1, keepdims=True)
    share = np.divide(weight, total, out=np.full(there.shape, np.nan), where=total > 0)
    one, zero = ((share * np.where(there, mean, 0.0)).sum(axis=-1) for mean in (mean1, mean0))
    return one, zero


def _ended(arms: Arms, places: Ints) -> Floats:
    """Return the visits in each bucket whose end is known: a censored one has not shown it."""
    ended: Floats = (arms.own - arms.own_censored)[:, places].sum(axis=1)
    return ended
