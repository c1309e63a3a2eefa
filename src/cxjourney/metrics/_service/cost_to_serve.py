"""The cost of serving customers, in total and by channel."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.estimates import ratio_estimate
from cxjourney._support.array_types import Floats, Ints
from cxjourney._support.arrays import codes, durations, same_length
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_count, check_mapping, check_number, is_number
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.metrics._survival.spells import labelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.arrays import Values

_HOUR_US = 3_600_000_000


@attrs.frozen(kw_only=True, repr=False)
class CostToServe(Result):
    """What serving customers costs, and through which channels.

    Attributes
    ----------
    per_customer, top_tenth
        Cost per customer [money], and the share of the variable cost that the dearest tenth causes
        [fraction].
    channels, contacts, cost
        Labels of the channels, sorted, and the contacts and the variable cost [money] of each.
    fixed, currency
        Fixed cost shared by all customers [money], and the unit of the money.
    """

    title = "Cost to serve"

    per_customer: Estimate
    top_tenth: float
    channels: tuple[str, ...]
    contacts: Ints = attrs.field(converter=read_only, eq=array_eq)
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
            f"The cost per customer is {self.per_customer!r}.",
            f"The dearest tenth of customers causes {100 * self.top_tenth:.0f}% of variable cost.",
            f"The fixed cost is {self.fixed:,.2f} {self.currency}".rstrip() + ".",
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
    customers, channels
        Labels of the customer and of the channel of each contact.
    unit_costs
        Channel to money a contact, or an hour of `handling` if that is given; every channel must
        be there, as a missing cost is not 0.
    handling
        How long each contact was handled (timedeltas).
    fixed, n_customers
        Cost of the period that does not depend on contacts, shared by all customers [money], and
        their number, those without a contact included; None: only those with one.
    currency, level
        Unit of the money; confidence level, in (0, 1).

    Returns
    -------
    CostToServe
        Cost per customer with an interval, and the channels' parts.

    Raises
    ------
    UnknownName
        If a channel has no unit cost.
    InvalidValue
        If columns differ in length, a cost is no number, or `n_customers` is fewer than those with
        a contact.
    InvalidData
        If a handling time is negative.

    Notes
    -----
    (Σ contacts · unit cost + fixed) / customers: activity-based costing with contacts as drivers
    (Kaplan & Anderson 2004). The fixed part is taken as known; the interval is that of the
    variable part. Unit costs that hold fixed costs already must not get them again.

    Examples
    --------
    >>> costs = {"phone": 6.0, "chat": 2.0}
    >>> cost_to_serve(["ann", "ann", "ben"], ["phone", "chat", "chat"], costs).per_customer.value
    5.0
    """
    check_mapping(unit_costs, "unit_costs")
    check_number(fixed, "fixed")
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
        if not (is_number(unit_costs[label]) or isinstance(unit_costs[label], Decimal)):
            raise InvalidValue.of(f"unit_costs[{label!r}]", "be a number", unit_costs[label])
    prices = np.array([float(unit_costs[label]) for label in labels])
    which, amount = which[~missing], amount[~missing]
    spent = prices[which] * amount if len(labels) else np.zeros(0)
    _, group = np.unique(who[~missing], return_inverse=True)
    total = np.bincount(group, weights=spent).astype(np.float64)
    if n_customers is not None:
        if check_count(n_customers, "n_customers", 0) < len(total):
            rule = f"be at least the {len(total):,} customers with a contact"
            raise InvalidValue.of("n_customers", rule, n_customers)
        total = np.concatenate((total, np.zeros(n_customers - len(total))))
    n = len(total)
    share = fixed / n if n else math.nan
    variable = ratio_estimate(
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
