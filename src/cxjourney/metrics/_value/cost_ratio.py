"""The ratio of two mean costs, with Fieller's interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._stats.buckets import covariance, t_quantile, units_of_difference
from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import CLUSTERED, NO_INTERVAL
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.units import Units
from cxjourney._support.arrays import numbers
from cxjourney._support.validation import check_level
from cxjourney.metrics._rates import owners_of_both

if TYPE_CHECKING:
    from cxjourney._support.arrays import Values

_EQUAL = "The costs of one kind are all equal: nothing tells how far the figure may be off."
_OPEN = (
    "The second mean is not surely above 0, so that the ratio has no bounded interval: more costs "
    "are needed."
)


def cost_ratio(
    first: Values,
    second: Values,
    *,
    customer: tuple[Values, Values] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return how many times as much one thing costs as another, on average.

    Parameters
    ----------
    first, second
        What each of the first kind cost, and each of the second, in one currency; the two need not
        be as many.
    customer
        Whose costs they are, where customers have several: two columns, one a kind. Customers may
        be in both.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Estimate
        Mean of the first / mean of the second [ratio]; NaN and "empty" without costs. For a claim
        such as "six times as dear" give it to `benchmark_test`.

    Raises
    ------
    InvalidValue
        If costs are not numbers, or customers do not come as two columns.

    Notes
    -----
    Fieller's interval (1954): the ratios θ for which mean₁ - θ mean₂ is not surely apart from 0,
    with Student's quantile, and the covariance of the means where customers are in both. It has no
    bounds where the second mean is not surely above 0. Costs are skewed: with few of them it is too
    short, as for other means of money.

    Examples
    --------
    >>> ratio = cost_ratio([60, 70, 55, 75, 62], [10, 12, 8, 11, 9, 10])
    >>> round(ratio.value, 2), round(ratio.low, 2), round(ratio.high, 2)
    (6.44, 5.38, 7.72)
    """
    check_level(level)
    columns = [
        numbers(values, name).astype(np.float64)
        for values, name in ((first, "first"), (second, "second"))
    ]
    missing = [np.isnan(column) for column in columns]
    kept = [column[~mask] for column, mask in zip(columns, missing, strict=True)]
    card: dict[str, Any] = {
        "level": level,
        "n": len(kept[0]) + len(kept[1]),
        "n_missing": int(missing[0].sum() + missing[1].sum()),
        "unit": "ratio",
        "method": "Fieller" if customer is None else f"Fieller, {CLUSTERED}",
        "name": "cost_ratio",
        "definition": "mean cost of the first kind / mean cost of the second",
    }
    if not all(map(len, kept)):
        return Estimate(value=math.nan, notes=("empty",), **card)
    owner, n = owners_of_both(customer, missing)
    one, other = (
        mean_figures(amounts, Units(n=n, of=who)) for amounts, who in zip(kept, owner, strict=True)
    )
    top, base = float(one.whole.item()), float(other.whole.item())
    v1, v2 = float(one.variance.item()), float(other.variance.item())
    both = float(covariance(one, other, one.units + other.units > 0).item())
    known = v1 > 0 and v2 > 0
    freedom = float(units_of_difference(one.units, other.units).item()) - 1
    square = float(t_quantile(level, np.array(freedom if known else math.nan))) ** 2
    low = high = math.nan
    a, b, c = base**2 - square * v2, top * base - square * both, top**2 - square * v1
    notes = () if known else (NO_INTERVAL if math.isnan(v1 + v2) else _EQUAL,)
    if known and a > 0:
        half = math.sqrt(max(0.0, b * b - a * c))
        low, high = (b - half) / a, (b + half) / a
    elif known:
        notes = (_OPEN,)
    return Estimate(
        value=top / base if base > 0 else math.nan, low=low, high=high, notes=notes, **card
    )
