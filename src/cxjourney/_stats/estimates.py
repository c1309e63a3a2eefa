"""Estimates of shares and means, with intervals over buckets of customers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.ratios import mean_figures
from cxjourney._support.validation import check_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._stats.estimate import Parameter
    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Bools, Floats, Ints

__all__ = [
    "CLUSTERED",
    "NO_INTERVAL",
    "mean_estimate",
    "ratio_estimate",
    "share_estimate",
    "why_no_interval",
]

CLUSTERED = "clustered by customer"
NO_INTERVAL = "There is no interval: the figure rests on fewer than three customers or so."
_SOME_WITHOUT = "Some figures have no interval: they rest on fewer than three customers or so."


def why_no_interval(figures: BucketFigures) -> tuple[str, ...]:
    """Return the note under figures that are known but have no interval; nothing otherwise."""
    lacking = np.isfinite(figures.whole) & np.isnan(figures.variance)
    if not lacking.any():
        return ()
    return (NO_INTERVAL if lacking.size == 1 else _SOME_WITHOUT,)


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


def ratio_estimate(
    numerator: Floats,
    denominator: Floats,
    *,
    level: float,
    unit: str,
    name: str,
    definition: str,
    n_missing: int = 0,
    parameters: Mapping[str, Parameter] | None = None,
    exclusions: Mapping[str, int] | None = None,
    notes: tuple[str, ...] = (),
) -> Estimate:
    """Return Σ numerator / Σ denominator over independent rows, with Student's interval.

    Parameters
    ----------
    numerator, denominator
        One a customer.
    level
        Confidence level.
    unit, name, definition, n_missing, parameters, exclusions, notes
        As of `Estimate`.

    Notes
    -----
    The variance of R = Σ y / Σ x is n/(n - 1) Σ (y - R x)² / (Σ x)² (Cochran 1977, ch. 6).
    """
    from scipy.special import stdtrit

    check_level(level)
    n, total = len(numerator), float(denominator.sum())
    ratio = float(numerator.sum()) / total if total > 0 else math.nan
    half = math.nan
    if n > 1 and total > 0:
        spread = float(((numerator - ratio * denominator) ** 2).sum())
        half = float(stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(n / (n - 1) * spread) / total
    return Estimate(
        value=ratio,
        low=ratio - half,
        high=ratio + half,
        level=level,
        n=n,
        n_missing=n_missing,
        unit=unit,
        method="ratio of sums, t over customers",
        notes=(*(() if total else ("empty",)), *notes),
        name=name,
        definition=definition,
        parameters=parameters or {},
        numerator=float(numerator.sum()),
        denominator=total,
        exclusions=exclusions or {},
    )
