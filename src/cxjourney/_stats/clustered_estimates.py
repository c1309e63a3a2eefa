"""Shares, means and ratios as estimates, their intervals clustered by customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.clustered import grouped_ratios, shares
from cxjourney._stats.estimate import Estimate, Parameter
from cxjourney._stats.intervals import wilson
from cxjourney._support.validation import check_level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.array_types import Bools, Floats, Ints


__all__ = ["mean_estimate", "ratio_estimate", "share_estimate"]


def share_estimate(
    hit: Bools,
    customer: Ints,
    weight: Ints | None,
    *,
    level: float,
    name: str,
    definition: str,
    n_censored: int = 0,
    notes: tuple[str, ...] = (),
) -> Estimate:
    """Return the share of hits as an estimate, its interval clustered by customer."""
    found = shares(hit.astype(np.int64), [0, 0], customer, weight, level=level)
    n = int(found.base[1])
    return Estimate(
        value=float(found.value[1]),
        low=float(found.low[1]),
        high=float(found.high[1]),
        level=level,
        n=n,
        n_censored=n_censored,
        unit="fraction",
        method="Wilson, clustered by customer",
        notes=notes if n else ("empty", *notes),
        name=name,
        definition=definition,
        numerator=float(found.count[1]),
        denominator=float(n),
    )


def mean_estimate(
    values: Floats,
    customer: Ints,
    weight: Ints | None,
    *,
    level: float,
    name: str,
    definition: str,
    unit: str,
    n_missing: int = 0,
    notes: tuple[str, ...] = (),
    of_shares: bool = False,
) -> Estimate:
    """Return a mean as an estimate: Student's interval over customers, by linearisation.

    `of_shares` says that values lie in [0, 1]: the interval stays there, and where all are 0 or all
    are 1, so that the variance says nothing, it is Wilson's for so many customers.
    """
    found = grouped_ratios(
        values,
        np.ones(len(values)),
        group=np.zeros(len(values), dtype=np.int64),
        n_groups=1,
        customer=customer,
        weight=weight,
    )
    n, mean, groups = round(float(found.base[0])), float(found.value[0]), float(found.customers[0])
    low, high = (float(end[0]) for end in found.student(level))
    if of_shares:
        low, high = max(0.0, low), min(1.0, high)
        if mean in {0.0, 1.0}:
            low, high = wilson(mean * groups, groups, level=level)
    return Estimate(
        value=mean,
        low=low,
        high=high,
        level=level,
        n=n,
        n_missing=n_missing,
        unit=unit,
        method="Student, clustered by customer",
        notes=notes if n else ("empty", *notes),
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
    """Return Σ numerator / Σ denominator over independent units, with its t interval."""
    check_level(level)
    n = len(numerator)
    found = grouped_ratios(
        numerator,
        denominator,
        group=np.zeros(n, dtype=np.int64),
        n_groups=1,
        customer=np.arange(n),
    )
    (low,), (high,) = found.student(level)
    total = float(denominator.sum())
    return Estimate(
        value=float(found.value[0]),
        low=float(low),
        high=float(high),
        level=level,
        n=n,
        n_missing=n_missing,
        unit=unit,
        method="ratio of sums, t over customers",
        notes=notes if total else ("empty", *notes),
        name=name,
        definition=definition,
        parameters=parameters or {},
        numerator=float(numerator.sum()),
        denominator=total,
        exclusions=exclusions or {},
    )
