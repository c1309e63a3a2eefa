"""Money and orders per customer: order value, revenue, frequency, cost to serve, NRR and GRR.

All of them are ratios of sums over customers, so their intervals come from how customers differ:
orders of one customer are not independent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_level
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.metrics._spells import labelled
from cxjourney.metrics.arrays import codes, durations, numbers, same_length
from cxjourney.metrics.estimate import Estimate, Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney.metrics.arrays import Values

__all__ = [
    "CostToServe",
    "RevenueRetention",
    "arpu",
    "average_order_value",
    "cost_to_serve",
    "nrr_grr",
    "purchase_frequency",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_HOUR_US = 3_600_000_000


def _ratio(
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
    top, bottom, n = float(numerator.sum()), float(denominator.sum()), len(numerator)
    value = top / bottom if bottom else math.nan
    half = math.nan
    if n > 1 and bottom:
        from scipy.special import stdtrit

        residual = numerator - value * denominator
        error = math.sqrt(n / (n - 1) * float(residual @ residual)) / bottom
        half = float(stdtrit(n - 1, 0.5 + level / 2)) * error
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        level=level,
        n=n,
        n_missing=n_missing,
        unit=unit,
        method="ratio of sums, t over customers",
        notes=notes if bottom else ("empty", *notes),
        name=name,
        definition=definition,
        parameters=parameters or {},
        numerator=top,
        denominator=bottom,
        exclusions=exclusions or {},
    )


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
    currency
        Unit of the result.
    level
        Confidence level, in (0, 1).

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
    Order values are skewed: a few large orders move the mean, and with few orders the interval is
    too short; compare with the median. Not for comparing segments of different size of basket
    without saying so.

    Examples
    --------
    >>> from cxjourney.metrics import average_order_value
    >>> average_order_value([20.0, 30.0, 40.0], currency="EUR").value
    30.0
    """
    total, count, kept, n_missing = _per_customer(customers, values, "values")
    notes = (f"median {np.median(kept):.4g}",) if len(kept) else ()
    return _ratio(
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
    customers
        Label of the customer of each row. Who was active without paying has a row of 0.
    revenue
        Revenue of each row, in one currency.
    base
        "active": all customers with a row. "paying": those whose revenue is positive.
    currency
        Unit of the result.
    level
        Confidence level, in (0, 1).

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
    >>> from cxjourney.metrics import arpu
    >>> arpu(["ann", "ann", "ben", "cid"], [10, 20, 30, 0]).value
    20.0
    >>> arpu(["ann", "ann", "ben", "cid"], [10, 20, 30, 0], base="paying").value
    30.0
    """
    check_choice(base, "base", ("active", "paying"))
    total, _, _, n_missing = _per_customer(customers, revenue, "revenue")
    kept = total if base == "active" else total[total > 0]
    return _ratio(
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
    >>> from cxjourney.metrics import purchase_frequency
    >>> purchase_frequency(["ann", "ann", "ann", "ben"]).value
    2.0
    """
    who, _, missing = codes(customers, "customers")
    count = np.unique(who[~missing], return_counts=True)[1].astype(np.float64)
    return _ratio(
        count,
        np.ones(len(count)),
        level=level,
        unit="orders per buyer",
        name="purchase_frequency",
        definition="orders / distinct buyers",
        n_missing=int(np.count_nonzero(missing)),
    )


@attrs.frozen(kw_only=True, repr=False)
class CostToServe(Result):
    """What serving customers costs, and through which channels.

    Attributes
    ----------
    per_customer
        Cost per customer [money].
    top_tenth
        Share of the variable cost that the dearest tenth of the customers causes [fraction].
    channels
        Labels of the channels, sorted.
    contacts
        Contacts through each channel.
    cost
        Variable cost of each channel [money].
    fixed
        Fixed cost shared by all customers [money].
    currency
        Unit of the money.
    """

    title = "Cost to serve"

    per_customer: Estimate
    top_tenth: float
    channels: tuple[str, ...]
    contacts: Counts = attrs.field(converter=read_only, eq=array_eq)
    cost: Floats = attrs.field(converter=read_only, eq=array_eq)
    fixed: float
    currency: str

    def _table(self) -> Table:
        total = float(self.cost.sum())
        share = self.cost / total if total else np.full(len(self.cost), np.nan)
        return Table(
            {
                "channel": self.channels,
                "contacts": self.contacts,
                "cost": self.cost,
                "share": share,
            },
            formats={"cost": "money", "share": "percent"},
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"per customer {self.per_customer!r}",
            f"the dearest tenth of customers causes {100 * self.top_tenth:.0f}% of variable cost",
            f"fixed cost {self.fixed:,.2f} {self.currency}".rstrip(),
        )


def cost_to_serve(
    customers: Values,
    channels: Values,
    unit_costs: Mapping[str, float],
    *,
    handling: Values | None = None,
    fixed: float = 0.0,
    n_customers: int | None = None,
    currency: str = "money",
    level: float = 0.95,
) -> CostToServe:
    """Return what contacts cost per customer.

    Parameters
    ----------
    customers
        Label of the customer of each contact.
    channels
        Label of the channel of each contact.
    unit_costs
        Channel to money a contact, or an hour of `handling` if that is given; every channel must
        be there, as a missing cost is not 0.
    handling
        How long each contact was handled (timedeltas).
    fixed
        Cost of the period that does not depend on contacts, shared by all customers [money].
    n_customers
        Number of customers served, those without a contact included; None: only those with one.
    currency
        Unit of the money.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    CostToServe
        Cost per customer with an interval, and the channels' parts.

    Raises
    ------
    UnknownName
        If a channel has no unit cost.
    InvalidValue
        If columns differ in length, or `n_customers` is fewer than those with a contact.
    InvalidData
        If a handling time is negative.

    Notes
    -----
    (Σ contacts · unit cost + fixed) / customers: activity-based costing with contacts as drivers
    (Kaplan & Anderson 2004). The fixed part is taken as known; the interval is that of the
    variable part. Unit costs that hold fixed costs already must not get them again.

    Examples
    --------
    >>> from cxjourney.metrics import cost_to_serve
    >>> costs = {"phone": 6.0, "chat": 2.0}
    >>> cost_to_serve(["ann", "ann", "ben"], ["phone", "chat", "chat"], costs).per_customer.value
    5.0
    """
    who, _, no_customer = codes(customers, "customers")
    which, labels, no_channel = labelled(channels, "channels")
    same_length(customers=who, channels=which)
    missing = no_customer | no_channel
    amount = np.ones(len(who))
    if handling is not None:
        us, unknown = durations(handling, "handling")
        same_length(customers=who, handling=us)
        missing = missing | unknown
        amount = us / _HOUR_US
    for label in labels:
        if label not in unit_costs:
            raise UnknownName.among("channel", label, unit_costs, where="unit_costs")
    prices = np.array([float(unit_costs[label]) for label in labels])
    which, amount = which[~missing], amount[~missing]
    spent = prices[which] * amount if len(labels) else np.zeros(0)
    _, group = np.unique(who[~missing], return_inverse=True)
    total = np.bincount(group, weights=spent).astype(np.float64)
    if n_customers is not None:
        if n_customers < len(total):
            rule = f"be at least the {len(total):,} customers with a contact"
            raise InvalidValue.of("n_customers", rule, n_customers)
        total = np.concatenate((total, np.zeros(n_customers - len(total))))
    n = len(total)
    share = fixed / n if n else math.nan
    variable = _ratio(
        total,
        np.ones(n),
        level=level,
        unit=currency,
        name="cost_to_serve",
        definition="(sum of contacts × unit cost + fixed cost) / customers",
        n_missing=int(np.count_nonzero(missing)),
        parameters={"fixed": float(fixed), "n_customers": n_customers},
    )
    dearest = np.sort(total)[::-1][: math.ceil(n / 10)].sum()
    return CostToServe(
        per_customer=attrs.evolve(
            variable,
            value=variable.value + share,
            low=variable.low + share,
            high=variable.high + share,
            numerator=float(total.sum()) + fixed,
        ),
        top_tenth=float(dearest / total.sum()) if total.sum() else math.nan,
        channels=labels,
        contacts=np.bincount(which, minlength=len(labels)),
        cost=np.bincount(which, weights=spent, minlength=len(labels)),
        fixed=float(fixed),
        currency=currency,
    )


@attrs.frozen(kw_only=True, repr=False)
class RevenueRetention(Result):
    """Net and gross revenue retention of the customers at the start.

    Attributes
    ----------
    nrr
        Net: their revenue at the end / at the start; above 1 where expansion outweighs loss.
    grr
        Gross: each customer capped at the own start; at most 1.
    start, expansion, contraction, churned
        Revenue at the start, gained from customers who grew, lost from those who shrank, and
        lost from those who left [money].
    n, n_churned
        Customers at the start, and of these those with no revenue at the end.
    """

    title = "Revenue retention"

    nrr: Estimate
    grr: Estimate
    start: float
    expansion: float
    contraction: float
    churned: float
    n: int
    n_churned: int

    def _table(self) -> Table:
        rows = (self.nrr, self.grr)
        return Table(
            {
                "figure": ("NRR", "GRR"),
                "value": np.array([e.value for e in rows]),
                "low": np.array([e.low for e in rows]),
                "high": np.array([e.high for e in rows]),
            },
            formats=dict.fromkeys(("value", "low", "high"), "percent"),
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"start {self.start:,.2f}, expansion {self.expansion:,.2f}",
            f"contraction {self.contraction:,.2f}, churned {self.churned:,.2f}",
            f"{self.n:,} customers, {self.n_churned:,} left",
            f"{100 * self.nrr.level:g}% {self.nrr.method}",
        )


def nrr_grr(start: Values, end: Values, *, level: float = 0.95) -> RevenueRetention:
    """Return net and gross revenue retention (NRR, GRR).

    Parameters
    ----------
    start, end
        Recurring revenue of each customer (account) at the start and at the end of the period, in
        one currency: a row a customer, 0 at the end for one who left.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    RevenueRetention
        Both rates with intervals over customers, and the parts they are made of.

    Raises
    ------
    InvalidData
        If a revenue is negative; carries the positions.
    InvalidValue
        If the columns differ in length.

    Notes
    -----
    NRR = Σ end / Σ start and GRR = Σ min(end, start) / Σ start over the customers with revenue at
    the start; customers won since are excluded and counted. Rows with a missing number are left
    out and counted, not taken as churn. Accounts differ in size by orders of magnitude: with few of
    them the interval is wide, and rightly so.

    Examples
    --------
    >>> from cxjourney.metrics import nrr_grr
    >>> result = nrr_grr([100, 100, 100, 0], [150, 80, 0, 70])
    >>> round(result.nrr.value, 4), result.grr.value
    (0.7667, 0.6)
    """
    before = numbers(start, "start").astype(np.float64)
    after = numbers(end, "end").astype(np.float64)
    same_length(start=before, end=after)
    for name, column in (("start", before), ("end", after)):
        negative = np.flatnonzero(column < 0)
        if negative.size:
            raise InvalidData.at_rows(f"{name} is negative", negative.tolist())
    missing = np.isnan(before) | np.isnan(after)
    base = ~missing & (before > 0)
    s, e = before[base], after[base]
    kept = np.minimum(s, e)
    exclusions = {"customers won since": int(np.count_nonzero(~missing & (before == 0)))}
    n_missing = int(np.count_nonzero(missing))
    nrr = _ratio(
        e,
        s,
        level=level,
        unit="fraction",
        name="nrr",
        definition="revenue at the end / revenue at the start, customers at the start only",
        n_missing=n_missing,
        exclusions=exclusions,
    )
    grr = _ratio(
        kept,
        s,
        level=level,
        unit="fraction",
        name="grr",
        definition="revenue at the end, each customer capped at the start / revenue at the start",
        n_missing=n_missing,
        exclusions=exclusions,
    )
    return RevenueRetention(
        nrr=attrs.evolve(nrr, low=_at_least(nrr.low, 0.0)),
        grr=attrs.evolve(grr, low=_at_least(grr.low, 0.0), high=-_at_least(-grr.high, -1.0)),
        start=float(s.sum()),
        expansion=float((e - kept).sum()),
        contraction=float((s - kept)[e > 0].sum()),
        churned=float(s[e == 0].sum()),
        n=len(s),
        n_churned=int(np.count_nonzero(e == 0)),
    )


def _at_least(value: float, bound: float) -> float:
    return value if math.isnan(value) else max(value, bound)
