"""Estimates of shares and means, with intervals over buckets of customers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.ratios import mean_figures

if TYPE_CHECKING:
    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Bools, Floats, Ints

__all__ = ["CLUSTERED", "NO_INTERVAL", "mean_estimate", "share_estimate", "why_no_interval"]

CLUSTERED = "clustered by customer"
NO_INTERVAL = "There is no interval: the figure rests on fewer than three customers or so."


def why_no_interval(figures: BucketFigures) -> tuple[str, ...]:
    """Return the note under a figure that is known but has no interval; nothing otherwise."""
    known = np.isfinite(figures.whole)
    return (NO_INTERVAL,) if bool(np.any(known & np.isnan(figures.variance))) else ()


def share_estimate(
    hit: Bools,
    units: Units,
    *,
    level: float,
    name: str,
    definition: str,
    item: Ints | None = None,
    n_censored: int = 0,
    notes: tuple[str, ...] = (),
) -> Estimate:
    """Return the share of hits as an estimate, with Wilson's interval on an effective sample.

    Parameters
    ----------
    hit
        Whether each entry is one.
    units, item
        Whose each entry is; see `cxjourney._stats.ratios.ratio_figures`.
    level
        Confidence level.
    name, definition, n_censored, notes
        As of `Estimate`.
    """
    found = mean_figures(hit.astype(np.float64), units, item)
    (low,), (high,) = found.wilson(level)
    base = float(found.units.sum())
    share = float(found.whole[0])
    return Estimate(
        value=share,
        low=float(low),
        high=float(high),
        level=level,
        n=round(base),
        n_censored=n_censored,
        unit="fraction",
        method=f"Wilson, {CLUSTERED}",
        notes=(*(() if base else ("empty",)), *notes, *why_no_interval(found)),
        name=name,
        definition=definition,
        numerator=0.0 if math.isnan(share) else float(round(share * base)),
        denominator=base,
    )


def mean_estimate(
    values: Floats,
    units: Units,
    *,
    level: float,
    name: str,
    definition: str,
    unit: str,
    item: Ints | None = None,
    n_missing: int = 0,
    notes: tuple[str, ...] = (),
    of_shares: bool = False,
) -> Estimate:
    """Return a mean as an estimate, with Student's interval.

    `of_shares` says that values lie in [0, 1]: then the interval is Wilson's, which stays there.
    """
    found = mean_figures(values, units, item)
    (low,), (high,) = found.wilson(level) if of_shares else found.student(level)
    n = round(float(found.units.sum()))
    return Estimate(
        value=float(found.whole[0]),
        low=float(low),
        high=float(high),
        level=level,
        n=n,
        n_missing=n_missing,
        unit=unit,
        method=f"{'Wilson' if of_shares else 'Student'}, {CLUSTERED}",
        notes=(*(() if n else ("empty",)), *notes, *why_no_interval(found)),
        name=name,
        definition=definition,
    )
