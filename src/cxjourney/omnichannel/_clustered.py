"""Shares and ratios over moves whose intervals know that a customer's moves are not independent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.kernels import clustered_sums
from cxjourney.metrics import Estimate, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Shares", "mean_estimate", "share_estimate", "shares"]


@attrs.frozen(kw_only=True)
class Shares:
    """What share of its base falls into each cell.

    Attributes
    ----------
    count, base
        Observations in the cell and in its base, weights counted.
    customers
        Customers in the cell.
    effective
        Independent observations that say as much about the share as the base does.
    value, low, high
        The share and the ends of its interval [fraction]; NaN where the base is empty.
    """

    count: NDArray[np.int64]
    base: NDArray[np.int64]
    customers: NDArray[np.int64]
    effective: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def variance(self) -> NDArray[np.float64]:
        """Sampling variance with one hit and one miss added, so that it is never 0."""
        p = (self.value * self.effective + 1) / (self.effective + 2)
        return p * (1 - p) / self.effective


def shares(
    cell: NDArray[np.int64],
    base_of_cell: Sequence[int] | NDArray[np.int64],
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
    *,
    level: float,
) -> Shares:
    """Return the share of each cell in its base: Wilson's interval on an effective sample.

    The variance of a ratio of sums over customers, p = Σ m / Σ M, by linearisation:
    Σ (m - p M)² / (Σ M)², times G/(G-1) for G customers. The sample is as large as independent
    observations of that variance would be, never larger than it is; where all agree it is the
    number of customers, since the variance says nothing there. A weight is a frequency: so many
    customers alike.

    Parameters
    ----------
    cell
        Cell of each observation.
    base_of_cell
        Base that each cell is a share of.
    customer, weight
        Whose observation it is, and how often it counts.
    level
        Confidence level.
    """
    bases = np.asarray(base_of_cell, dtype=np.int64)
    sums = clustered_sums(cell, bases, customer, weight)
    count, base, groups = sums.rows, sums.base[bases], sums.base_customers[bases]
    with np.errstate(invalid="ignore", divide="ignore"):
        p = count / base
        spread = sums.squares - 2 * p * sums.products + p * p * sums.base_squares[bases]
        variance = groups / (groups - 1) * spread / base.astype(np.float64) ** 2
        effective = np.where(variance > 0, p * (1 - p) / variance, base)
    effective = np.where((count == 0) | (count == base) | (groups < 2), groups, effective)
    effective = np.minimum(effective, base)
    ends = [
        wilson(min(float(share * n), float(n)), float(n), level=level)
        if n > 0
        else (math.nan, math.nan)
        for share, n in zip(p, effective, strict=True)
    ]
    low, high = np.array(ends).reshape(-1, 2).T
    return Shares(
        count=count,
        base=base,
        customers=sums.customers,
        effective=effective,
        value=p,
        low=low,
        high=high,
    )


def share_estimate(
    hit: NDArray[np.bool_],
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
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
    values: NDArray[np.float64],
    customer: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
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
    from scipy.special import stdtrit

    n, low, high, mean = len(values), math.nan, math.nan, math.nan
    if n:
        ones = np.ones(n) if weight is None else weight.astype(np.float64)
        total = float(ones.sum())
        mean = float(ones @ values) / total
        who, first, place = np.unique(customer, return_index=True, return_inverse=True)
        residual = np.bincount(place, weights=values - mean, minlength=len(who))
        groups = float(ones[first].sum())
        n = round(total)
        if groups > 1:
            variance = groups / (groups - 1) * float(ones[first] @ residual**2) / total**2
            half = float(stdtrit(groups - 1, 0.5 + level / 2)) * math.sqrt(variance)
            low, high = mean - half, mean + half
            if of_shares:
                low, high = max(0.0, low), min(1.0, high)
        if of_shares and mean in {0.0, 1.0}:
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
