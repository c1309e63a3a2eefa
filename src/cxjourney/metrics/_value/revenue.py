"""Money and orders per customer: order value, revenue, frequency.

All of them are ratios of sums over customers, so their intervals come from how customers differ:
orders of one customer are not independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney._stats.estimates import ratio_estimate
from cxjourney._support.arrays import codes, numbers, same_length
from cxjourney._support.validation import check_choice

if TYPE_CHECKING:
    from cxjourney._stats.estimate import Estimate
    from cxjourney._support.array_types import Floats
    from cxjourney._support.arrays import Values


def _per_customer(
    customers: Values | None, values: Values, name: str
) -> tuple[Floats, Floats, Floats, int]:
    """Return sums and counts by customer, the values, and how many rows were missing."""
    amount = numbers(values, name).astype(np.float64)
    if customers is None:
        who, missing = np.arange(len(amount)), np.isnan(amount)
    else:
        who, _, unknown = codes(customers, "customers")
        same_length(customers=who, values=amount)
        missing = unknown | np.isnan(amount)
    kept = amount[~missing]
    _, group = np.unique(who[~missing], return_inverse=True)
    total = np.bincount(group, weights=kept).astype(np.float64)
    return total, np.bincount(group).astype(np.float64), kept, int(np.count_nonzero(missing))


def average_order_value(
    values: Values,
    *,
    customers: Values | None = None,
    currency: str = "money",
    level: float = 0.95,
) -> Estimate:
    """Return revenue per order (AOV).

    Parameters
    ----------
    values
        Value of each order, in one currency, net of refunds and with or without tax throughout.
    customers
        Label of the customer of each order, for an interval that allows for several orders of
        one customer. None: orders count as independent.
    currency, level
        Unit of the result; confidence level, in (0, 1).

    Returns
    -------
    Estimate
        Σ value / number of orders [money]; NaN and "empty" without orders. A note has the median.

    Raises
    ------
    InvalidValue
        If columns differ in length or values are not numbers.
    InvalidData
        If a value is infinite.

    Notes
    -----
    The interval leaves out each customer in turn and is Student's on the scale of logarithms. Order
    values are skewed: a few large orders move the mean, and with few of them the interval is too
    short, which a note says; compare with the median. Not for comparing segments of different size
    of basket without saying so.

    Examples
    --------
    >>> average_order_value([20.0, 30.0, 40.0], currency="EUR").value
    30.0
    """
    total, count, kept, n_missing = _per_customer(customers, values, "values")
    notes = (f"median {np.median(kept):.4g}",) if len(kept) else ()
    return ratio_estimate(
        total,
        count,
        level=level,
        unit=currency,
        name="average_order_value",
        definition="sum of order values / orders",
        n_missing=n_missing,
        notes=notes,
    )


def arpu(
    customers: Values,
    revenue: Values,
    *,
    base: Literal["active", "paying"] = "active",
    currency: str = "money",
    level: float = 0.95,
) -> Estimate:
    """Return revenue per active (ARPU) or paying (ARPPU) customer.

    Parameters
    ----------
    customers, revenue
        Label of the customer of each row, and its revenue, in one currency. Who was active without
        paying has a row of 0.
    base
        "active": all customers with a row. "paying": those whose revenue is positive.
    currency, level
        Unit of the result; confidence level, in (0, 1).

    Returns
    -------
    Estimate
        Σ revenue / customers [money]; NaN and "empty" without customers.

    Raises
    ------
    InvalidValue
        If columns differ in length or revenue is not numbers.

    Notes
    -----
    The rows are those of one period; say which. ARPU and ARPPU answer different questions and
    differ by the share of payers.

    Examples
    --------
    >>> arpu(["ann", "ann", "ben", "cid"], [10, 20, 30, 0]).value
    20.0
    >>> arpu(["ann", "ann", "ben", "cid"], [10, 20, 30, 0], base="paying").value
    30.0
    """
    check_choice(base, "base", ("active", "paying"))
    total, _, _, n_missing = _per_customer(customers, revenue, "revenue")
    kept = total if base == "active" else total[total > 0]
    return ratio_estimate(
        kept,
        np.ones(len(kept)),
        level=level,
        unit=currency,
        name="arpu",
        definition=f"sum of revenue / {base} customers",
        n_missing=n_missing,
        parameters={"base": base},
        exclusions={"not paying": len(total) - len(kept)},
    )


def purchase_frequency(customers: Values, *, level: float = 0.95) -> Estimate:
    """Return orders per buyer.

    Parameters
    ----------
    customers
        Label of the customer of each order of the period.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Estimate
        Orders / distinct buyers, at least 1; NaN and "empty" without orders.

    Raises
    ------
    InvalidValue
        If it is not a column of labels.

    Notes
    -----
    Buyers of the period only: who bought nothing does not count, so the figure rises when rare
    buyers stay away. For what customers will buy use `fit_bg_nbd`.

    Examples
    --------
    >>> purchase_frequency(["ann", "ann", "ann", "ben"]).value
    2.0
    """
    who, _, missing = codes(customers, "customers")
    count = np.unique(who[~missing], return_counts=True)[1].astype(np.float64)
    return ratio_estimate(
        count,
        np.ones(len(count)),
        level=level,
        unit="orders per buyer",
        name="purchase_frequency",
        definition="orders / distinct buyers",
        n_missing=int(np.count_nonzero(missing)),
    )
