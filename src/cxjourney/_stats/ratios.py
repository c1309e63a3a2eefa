"""Ratios of sums, shares and means, with the variance over buckets of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.buckets import BucketFigures
from cxjourney._support.array_types import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._stats.units import Units


def ratio_figures(
    numerator: Floats,
    denominator: Floats | None,
    *,
    group: Ints,
    n_groups: int,
    units: Units,
    item: Ints | None = None,
) -> BucketFigures:
    """Return Σ numerator / Σ denominator of each group of entries; a mean without a denominator.

    A negative group is none; `item`, such as the journey, is what `units` know (None: each entry is
    one). NaN where the denominator is 0; the figures' `units` hold the denominators.
    """
    y = units.sums(group, n_groups, item=item, values=numerator)
    x = units.sums(group, n_groups, item=item, values=denominator)
    return ratio_of_sums(y, x)


def ratio_of_sums(y: Floats, x: Floats) -> BucketFigures:
    """Return Σ y / Σ x, given the sums of each unit, shape (units, figures)."""
    top, base = y.sum(axis=0), x.sum(axis=0)
    others = base - x
    # what is left of a sum after it was taken out again is rounding, not a denominator
    left = np.where(np.abs(others) > 1e-12 * np.abs(base), others, 0.0)
    return BucketFigures(whole=quotient(top, base), without=quotient(top - y, left), units=x)


def mean_figures(values: Floats, units: Units, item: Ints | None = None) -> BucketFigures:
    """Return the mean of all values, as one figure."""
    place = np.zeros(len(values), dtype=np.int64)
    return ratio_figures(values, None, group=place, n_groups=1, units=units, item=item)


def share_of_total_figures(
    amount: Floats,
    *,
    group: Ints,
    n_groups: int,
    units: Units,
    item: Ints | None = None,
    base: Floats | None = None,
    base_item: Ints | None = None,
) -> BucketFigures:
    """Return the share that each group has in one total: that of all amounts, or of a `base`.

    The base is what the total is of, and `base_item` whose: journeys, of which some come by.
    """
    y = units.sums(group, n_groups, item=item, values=amount)
    if base is None:
        total = y.sum(axis=1)
    else:
        place = np.zeros(len(base), dtype=np.int64)
        total = units.sums(place, 1, item=base_item, values=base)[:, 0]
    return ratio_of_sums(y, np.broadcast_to(total[:, None], y.shape))


@attrs.frozen(kw_only=True, eq=False)
class Shares:
    """The share of its base [fraction] that falls into each cell, with both ends of its interval.

    All are NaN where the base is empty, the ends also where it rests on too few customers.
    """

    count: Ints
    base: Ints
    figures: BucketFigures
    value: Floats
    low: Floats
    high: Floats


def shares(
    cell: Ints,
    base_of_cell: Sequence[int] | Ints,
    units: Units,
    *,
    level: float,
    item: Ints | None = None,
) -> Shares:
    """Return the share of each cell in its base, with Wilson's interval on an effective sample."""
    bases = np.asarray(base_of_cell, dtype=np.int64)
    return shares_of_sums(units.sums(cell, len(bases), item=item), bases, level=level)


def shares_of_sums(y: Floats, bases: Ints, *, level: float) -> Shares:
    """Return the same, given what each unit has in each cell, shape (units, cells)."""
    n_bases = int(bases.max(initial=-1)) + 1
    totals = np.zeros((len(y), n_bases))
    np.add.at(totals.T, bases, y.T)
    found = ratio_of_sums(y, totals[:, bases])
    low, high = found.wilson(level)
    return Shares(
        count=np.rint(y.sum(axis=0)).astype(np.int64),
        base=np.rint(totals.sum(axis=0)).astype(np.int64)[bases],
        figures=found,
        value=found.whole,
        low=low,
        high=high,
    )


def quotient(part: Floats, whole: Floats | Ints) -> Floats:
    """Return part / whole, NaN where the whole is not above 0."""
    out = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out
