"""Customer lifetime value: from a retention rate, a survival curve, or purchases."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Literal

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._support.array_types import Floats
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_duration,
    check_fraction,
    check_kind,
    check_number,
    is_number,
)
from cxjourney._support.words import how_long
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._survival.kaplan_meier import SurvivalCurve
from cxjourney.metrics._value.bg_nbd import BgNbd
from cxjourney.metrics._value.gamma_gamma import GammaGamma
from cxjourney.metrics._value.purchases import PurchaseSummary, check_summary

FirstMargin = Literal["now", "end"]

_FIRST = ("now", "end")


def clv_constant(
    margin: float,
    retention: float | Estimate,
    discount: float,
    *,
    first_margin: FirstMargin = "end",
    periods: int | None = None,
    currency: str = "money",
) -> Estimate:
    """Return the lifetime value of a customer under one constant retention rate.

    Parameters
    ----------
    margin, discount
        Margin a period of a customer who is still there [money], and discount rate a period, above
        -1; 0.1 for 10 %.
    retention
        Share retained from one period to the next, in [0, 1]; an estimate brings its interval.
    first_margin
        "now": the first margin is earned at once and for sure. "end": after one period, by those
        who stayed.
    periods, currency
        Number of margins counted (None: all, for ever), and the unit of the result.

    Returns
    -------
    Estimate
        The value [money]; with the interval of `retention` carried over, if it has one.

    Raises
    ------
    InvalidValue
        If retention lies outside [0, 1], or an endless sum diverges (retention ≥ 1 + discount).

    Notes
    -----
    With the first margin now: m (1 + d) / (1 + d - r); at the end: m r / (1 + d - r). One rate
    understates the value of a mixed base, whose retention rises as the fickle leave first (Fader
    & Hardie 2010): prefer `clv_curve`.

    Examples
    --------
    >>> round(clv_constant(100, 0.8, 0.1).value, 2)
    266.67
    >>> round(clv_constant(100, 0.8, 0.1, first_margin="now").value, 2)
    366.67
    """
    check_choice(first_margin, "first_margin", _FIRST)
    check_number(margin, "margin")
    _check_discount(discount)
    if periods is not None:
        check_count(periods, "periods")

    rate = check_fraction(
        retention.value if isinstance(retention, Estimate) else retention, "retention"
    )
    if periods is None and rate >= 1 + discount:
        rule = f"be below 1 + discount = {1 + discount:g} where periods is None"
        raise InvalidValue.of("retention", rule, rate)

    def worth(share: float) -> float:
        now = margin * _annuity(share / (1 + discount), periods)
        return now if first_margin == "now" else now * share / (1 + discount)

    ends = (retention.low, retention.high) if isinstance(retention, Estimate) else (math.nan,) * 2
    low, high = sorted(worth(min(max(end, 0.0), 1.0)) for end in ends)
    return Estimate(
        value=worth(rate),
        low=low,
        high=high,
        level=retention.level if isinstance(retention, Estimate) else 0.95,
        n=retention.n if isinstance(retention, Estimate) else 0,
        unit=currency,
        method="interval of the retention" if isinstance(retention, Estimate) else "no interval",
        name="clv",
        definition="discounted margins of a customer under one constant retention rate",
        parameters={
            "margin": float(margin),
            "retention": rate,
            "discount": float(discount),
            "first_margin": first_margin,
            "periods": periods,
        },
    )


def _annuity(ratio: float, periods: int | None) -> float:
    """Return the sum of the powers of `ratio`, from 1 on."""
    if periods is None:
        return math.inf if ratio >= 1 else 1 / (1 - ratio)
    return float(periods) if ratio == 1 else (1 - ratio**periods) / (1 - ratio)


def clv_curve(
    curve: SurvivalCurve,
    margin: float,
    discount: float,
    *,
    period: timedelta | str,
    periods: int,
    first_margin: FirstMargin = "end",
    currency: str = "money",
) -> Estimate:
    """Return the lifetime value of a customer from a survival curve.

    Parameters
    ----------
    curve
        Survival of customers: what `kaplan_meier` returns.
    margin, discount, first_margin, currency
        As for `clv_constant`; "now": margins at 0, 1, … periods, "end": at 1, 2, …
    period, periods
        Length of a period, and number of margins counted.

    Returns
    -------
    Estimate
        Σ m S(t) / (1 + d)^t [money]; NaN where the curve ends before the last margin. The interval
        adds up the ends of the curve's pointwise band, which is wider than it need be.

    Raises
    ------
    InvalidValue
        If `curve` is no SurvivalCurve, the discount is -1 or less, or `periods` is not a positive
        whole number.

    Notes
    -----
    Gupta & Lehmann (2003); preferred to one constant rate, since the curve knows that those who
    stayed long leave less. The value stops at the last margin: what comes later is not in it.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from cxjourney.metrics import clv_curve, kaplan_meier
    >>> stays = [timedelta(days=30 * m) for m in (1, 2, 3, 3)]
    >>> curve = kaplan_meier(stays, [True, True, False, False])
    >>> clv_curve(curve, 100, 0.0, period=timedelta(days=30), periods=3).value
    175.0
    """
    check_choice(first_margin, "first_margin", _FIRST)
    check_number(margin, "margin")
    period = check_duration(period, "period")
    _check_discount(discount)
    check_count(periods, "periods")
    check_kind(curve, "curve", SurvivalCurve, "kaplan_meier()")
    value = low = high = 0.0
    notes: tuple[str, ...] = ()
    start = 0 if first_margin == "now" else 1
    for t in range(start, start + periods):
        factor = margin / (1 + discount) ** t
        share = curve.at(t * period) if t else None
        value += factor * (1.0 if share is None else share.value)
        low += factor * (1.0 if share is None else share.low)
        high += factor * (1.0 if share is None else share.high)
        notes = share.notes if share is not None else notes
    return Estimate(
        value=value,
        low=min(low, high),
        high=max(high, low),
        level=curve.level,
        n=curve.n,
        n_missing=curve.n_missing,
        n_censored=curve.n_censored,
        unit=currency,
        method="sum of pointwise intervals",
        notes=notes,
        name="clv",
        definition="discounted margins of a customer along the survival curve",
        parameters={
            "margin": float(margin),
            "discount": float(discount),
            "first_margin": first_margin,
            "periods": periods,
            "period_s": period.total_seconds(),
        },
    )


@attrs.frozen(kw_only=True, repr=False)
class CustomerValues(Result):
    """Expected purchases and value of every customer over a horizon.

    Attributes
    ----------
    customers, alive
        Label of each customer, and the probability that it still buys [fraction, 0-1].
    purchases
        Expected purchases within the horizon.
    spend
        Expected value of one purchase [money].
    value
        Discounted margin within the horizon [money].
    horizon_s, currency
        How far ahead [seconds], and the unit of the money.
    """

    title = "Customer values"

    customers: tuple[str, ...]
    alive: Floats = attrs.field(converter=read_only, eq=array_eq)
    purchases: Floats = attrs.field(converter=read_only, eq=array_eq)
    spend: Floats = attrs.field(converter=read_only, eq=array_eq)
    value: Floats = attrs.field(converter=read_only, eq=array_eq)
    horizon_s: float
    currency: str

    def _table(self) -> Table:
        return Table(
            {
                "customer": self.customers,
                "alive": self.alive,
                "purchases": self.purchases,
                "spend": self.spend,
                "value": self.value,
            },
            formats={"alive": "percent", "spend": "money", "value": "money"},
        )

    def _shown(self) -> Table:
        # tenths of the customers, not who they are: a printed result may travel
        order = np.argsort(-self.value, kind="stable")  # NaN comes last
        tenths = [part for part in np.array_split(order, 10) if len(part)]
        return Table(
            {
                "tenth": np.arange(1, len(tenths) + 1),
                "customers": np.array([len(t) for t in tenths], dtype=np.int64),
                "alive": np.array([self.alive[t].mean() for t in tenths]),
                "purchases": np.array([self.purchases[t].sum() for t in tenths]),
                "value": np.array([np.nansum(self.value[t]) for t in tenths]),
            },
            formats={"alive": "percent", "value": "money"},
        )

    def _notes(self) -> tuple[str, ...]:
        known = ~np.isnan(self.value)
        worth = f"{self.value[known].sum():,.2f} {self.currency}".rstrip()
        notes = [
            (
                f"{np.count_nonzero(known):,} customers are worth {worth} in "
                f"{how_long(self.horizon_s)}."
            ),
            "The uncertainty of the models' parameters is not in it.",
        ]
        if not known.all():
            notes.append(
                f"The worth of {np.count_nonzero(~known):,} others is not known: they bought once, "
                "and the spending model has no population mean."
            )
        return tuple(notes)


def clv_purchases(
    model: BgNbd,
    spending: GammaGamma,
    summary: PurchaseSummary,
    *,
    horizon: timedelta | str,
    period: timedelta | str = timedelta(days=30),
    discount: float = 0.0,
    margin: float = 1.0,
    currency: str = "money",
) -> CustomerValues:
    """Return what each customer will bring within a horizon, without a contract.

    Parameters
    ----------
    model, spending, summary
        What `fit_bg_nbd`, `fit_gamma_gamma` and `purchase_summary` return.
    horizon
        How far ahead.
    period, discount
        Step at whose ends purchases are discounted, and the discount rate a period, above -1.
    margin, currency
        Share of a purchase's value that is margin, and the unit of the money.

    Returns
    -------
    CustomerValues
        A row a customer.

    Raises
    ------
    InvalidValue
        If a model or the summary is something else, a fit that did not converge, a duration is not
        positive, the margin no number or the discount -1 or less.

    Notes
    -----
    margin · E[value] · Σ_k (E[Y(t_k)] - E[Y(t_{k-1})]) / (1 + d)^k, with value and frequency
    independent (Fader, Hardie & Lee 2005). A customer without a repeat purchase counts as alive
    by assumption of the model.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> from cxjourney.metrics import BgNbd, GammaGamma, clv_purchases, purchase_summary
    >>> when = [datetime(2026, 1, d) for d in (1, 15, 29)]
    >>> summary = purchase_summary(["ann"] * 3, when, [20.0, 25.0, 25.0])
    >>> frequency = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> spending = GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> values = clv_purchases(frequency, spending, summary, horizon=timedelta(weeks=39))
    >>> values.spend.round(2)
    array([26.84])
    """
    check_kind(model, "model", BgNbd, "fit_bg_nbd()")
    check_kind(spending, "spending", GammaGamma, "fit_gamma_gamma()")
    for name, fit in (("model", model), ("spending", spending)):
        if not fit.converged:
            raise InvalidValue.of(name, "be a fit that converged", fit.title)
    check_summary(summary)
    check_number(margin, "margin")
    horizon = check_duration(horizon, "horizon")
    period = check_duration(period, "period")
    _check_discount(discount)
    whole, rest = divmod(horizon, period)
    ends = [k * period for k in range(1, whole + 1)] + ([horizon] if rest else [])
    before = np.zeros(len(summary.customers))
    discounted = np.zeros(len(summary.customers))
    for k, end in enumerate(ends, start=1):
        total = model.expected(summary, end)
        discounted += (total - before) / (1 + discount) ** k
        before = total
    spend = spending.expected_value(summary)
    return CustomerValues(
        customers=summary.customers,
        alive=model.alive(summary),
        purchases=before,
        spend=spend,
        value=margin * spend * discounted,
        horizon_s=horizon.total_seconds(),
        currency=currency,
    )


def _check_discount(discount: float) -> None:
    if not (is_number(discount) and math.isfinite(discount) and discount > -1):
        raise InvalidValue.of("discount", "be finite and above -1", discount)
