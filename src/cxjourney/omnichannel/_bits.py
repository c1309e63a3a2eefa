"""Entropies in bits, corrected for bias, from counts by bucket of customers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import CLUSTERED, why_no_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxjourney._support.array_types import Floats, Ints

_BLOCK = 1 << 20


def entropy_of(counts: Floats) -> Floats:
    """Return the plug-in entropy of counts along the last axis [bits]; 0 where there are none."""
    p = _shares_of(counts)
    entropy: Floats = -(p * _log2(p)).sum(axis=-1)
    return entropy


def information_of(joint: Floats, *margins: Floats) -> Floats:
    """Return Σ p log₂(p / Π q) along the last axis [bits].

    `joint` holds counts of pairs, each of `margins` for every pair the count of its row or column.
    """
    n = joint.sum(axis=-1, keepdims=True)
    p = _shares_of(joint)
    gain = _log2(p)
    for margin in margins:
        gain = gain - _log2(np.divide(margin, n, out=np.zeros(p.shape), where=n > 0))
    bits: Floats = (p * gain).sum(axis=-1)
    return bits


def _shares_of(counts: Floats) -> Floats:
    """Return counts over their sum along the last axis; 0 where there are none."""
    n = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, n, out=np.zeros(counts.shape), where=n > 0)
    return shares


def bias_of(free: Ints, counts: Floats) -> Floats:
    """Return what the plug-in entropy lacks (Miller and Madow) [bits]; NaN without counts.

    `free` are the cells seen less one, or for differences of entropies their sum with signs.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        lacks: Floats = free / (2 * counts.sum(axis=-1) * math.log(2))
    return np.where(counts.sum(axis=-1) > 0, lacks, np.nan)


def seen(counts: Floats) -> Ints:
    """Return how many cells hold something, along the last axis."""
    return np.asarray(np.count_nonzero(counts > 0, axis=-1), dtype=np.int64)


def _log2(values: Floats) -> Floats:
    logs: Floats = np.log2(values, where=values > 0, out=np.zeros(values.shape))
    return logs


def summed(counts: Floats, group: Ints, size: int) -> Floats:
    """Return sums of counts by group, along the last axis."""
    total = np.zeros((*counts.shape[:-1], size))
    np.add.at(total.T, group, counts.T)
    return total


def bits_estimate(
    measure: Callable[[Floats], Floats],
    own: Floats,
    *,
    bound: float,
    level: float,
    name: str,
    definition: str,
) -> Estimate:
    """Return a measure of counts as an estimate, with Student's interval.

    Parameters
    ----------
    measure
        Takes counts along the last axis.
    own
        Counts in each bucket of customers, shape (buckets, cells).
    bound
        Largest possible value; infinite where the measure may also be negative.
    level, name, definition
        As of `Estimate`.
    """
    whole, units = own.sum(axis=0), own.sum(axis=1)
    n = round(float(units.sum()))
    step = max(1, _BLOCK // max(1, len(whole)))
    blocks = [measure(whole - own[begin : begin + step]) for begin in range(0, len(own), step)]
    found = BucketFigures(whole=measure(whole), without=np.concatenate(blocks), units=units)
    ends = np.array([found.whole, *found.student(level)])
    value, low, high = np.clip(ends, 0.0, bound) if math.isfinite(bound) else ends
    return Estimate(
        value=float(value),
        low=float(low),
        high=float(high),
        level=level,
        n=n,
        unit="bits",
        method=f"Student, {CLUSTERED}",
        notes=why_no_interval(found) if n else ("empty",),
        name=name,
        definition=definition,
    )
