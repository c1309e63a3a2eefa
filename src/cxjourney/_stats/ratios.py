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

__all__ = [
    "Shares",
    "mean_figures",
    "quotient",
    "ratio_figures",
    "ratio_of_sums",
    "share_of_total_figures",
    "shares",
]


def ratio_figures(
    numerator: Floats,
    denominator: Floats | None,
    *,
    group: Ints,
    n_groups: int,
    units: Units,
    item: Ints | None = None,
) -> BucketFigures:
    """Return Σ numerator / Σ denominator of each group.

    Parameters
    ----------
    numerator, denominator
        One an entry; None as denominator makes means.
    group
        Group of each entry; negative for none.
    n_groups
        Number of groups.
    units
        The units of the items.
    item
        Item, such as the journey, of each entry; None where each is an item of its own.

    Returns
    -------
    BucketFigures
        The ratios, NaN where the denominator is 0; `units` holds the denominators.
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
    """Return the share that each group has in one total: that of all amounts, or of a base.

    Parameters
    ----------
    amount
        One an entry, not negative.
    group, n_groups, units, item
        As for `ratio_figures`.
    base, base_item
        What the total is of, and whose: journeys, say, of which some come by. None for the
        amounts themselves.
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
    """What share of its base falls into each cell.

    Attributes
    ----------
    count, base
        Entries in the cell and in its base, as often as their items count.
    figures
        The shares, with their variance over buckets.
    value, low, high
        The share and the ends of its interval [fraction]; NaN where the base is empty, the ends
        also where it rests on too few customers.
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
    """Return the share of each cell in its base, with Wilson's interval on an effective sample.

    Parameters
    ----------
    cell
        Cell of each entry.
    base_of_cell
        Base that each cell is a share of.
    units, item
        Whose each entry is; see `ratio_figures`.
    level
        Confidence level.
    """
    bases = np.asarray(base_of_cell, dtype=np.int64)
    y = units.sums(cell, len(bases), item=item)
    n_bases = int(bases.max(initial=-1)) + 1
    totals = np.zeros((units.n, n_bases))
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
