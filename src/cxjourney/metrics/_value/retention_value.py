"""The worth of a better retention rate."""

from __future__ import annotations

import math

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_flag, check_number
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._value.clv import FirstMargin, clv_constant


@attrs.frozen(kw_only=True, repr=False)
class RetentionValue(Result):
    """What a change of the retention rate does to the value of a customer.

    Attributes
    ----------
    gain
        Relative change of the lifetime value [fraction].
    retention, changed, elasticity
        Retention now and after the change; relative change of value for a small relative change of
        retention.
    change, relative
        The change, of the rate itself (relative) or in percentage points.
    first_margin
        When the first margin is earned.
    claimed_gain, holds_at
        A claimed gain (None: no claim), and the retention rates at which it is exactly right:
        none, one or two.
    """

    title = "Value of retention"

    gain: Estimate
    retention: float
    changed: float
    elasticity: float
    change: float
    relative: bool
    first_margin: FirstMargin
    claimed_gain: float | None
    holds_at: tuple[float, ...]

    def _table(self) -> Table:
        return Table(
            {
                "retention": np.array([self.retention]),
                "changed": np.array([self.changed]),
                "gain": np.array([self.gain.value]),
                "low": np.array([self.gain.low]),
                "high": np.array([self.gain.high]),
                "elasticity": np.array([self.elasticity]),
            },
            formats=dict.fromkeys(("retention", "changed", "gain", "low", "high"), "percent"),
        )

    def _notes(self) -> tuple[str, ...]:
        kind = "% of the rate" if self.relative else " percentage points"
        first = "now" if self.first_margin == "now" else "at the end of a period"
        notes = [
            f"Retention changes by {100 * self.change:g}{kind}; the first margin comes {first}.",
            "One rate holds for ever, and the change costs nothing.",
        ]
        if self.claimed_gain is not None:
            where = " and ".join(f"{100 * rate:.1f}%" for rate in self.holds_at)
            gain = f"A gain of {100 * self.claimed_gain:g}%"
            notes.append(f"{gain} is exact at {where or 'no retention'}.")
        return tuple(notes)


def retention_value(
    retention: float | Estimate,
    discount: float,
    *,
    change: float = 0.1,
    relative: bool = True,
    first_margin: FirstMargin = "end",
    claimed_gain: float | None = None,
) -> RetentionValue:
    """Return how much more a customer is worth if retention changes.

    Parameters
    ----------
    retention
        Share retained from one period to the next, in (0, 1); an estimate brings its interval.
    discount, first_margin
        As in `clv_constant`.
    change, relative
        The change: 0.1 is 10 % of the rate, or 10 percentage points, as `relative` says. They are
        different questions.
    claimed_gain
        A gain that somebody claims for this change, such as 0.3: the result then says at which
        retention it is right. None: no claim.

    Returns
    -------
    RetentionValue
        The relative gain in value, the elasticity, and where the claim holds.

    Raises
    ------
    InvalidValue
        If the rate, before or after the change, lies outside [0, 1] or at 1 + discount or above.

    Notes
    -----
    With D = 1 + discount, value is r / (D - r) if the first margin comes after one period, and
    D / (D - r) if it comes now; elasticities D / (D - r) and r / (D - r). "10 % more retention,
    30 % more value" is exact at r = .61 D or .70 D, and wrong elsewhere; Gupta, Lehmann & Stuart
    (2004) found 3 to 7 % of value for 1 % of retention.

    Examples
    --------
    >>> result = retention_value(0.8, 0.1, claimed_gain=0.3)
    >>> round(result.gain.value, 3), round(result.holds_at[0], 3)
    (0.5, 0.667)
    """
    check_flag(relative, "relative")
    check_choice(first_margin, "first_margin", ("now", "end"))
    rate = retention.value if isinstance(retention, Estimate) else retention
    check_number(rate, "retention")
    check_number(discount, "discount")
    check_number(change, "change")
    if claimed_gain is not None:
        check_number(claimed_gain, "claimed_gain")
    growth = 1 + discount

    def after(share: float) -> float:
        return share * (1 + change) if relative else share + change

    def gain(share: float) -> float:
        if math.isnan(share) or not 0 < after(share) < min(growth, 1 + 1e-12) or share <= 0:
            return math.nan
        values = [
            clv_constant(1.0, min(s, 1.0), discount, first_margin=first_margin).value
            for s in (share, after(share))
        ]
        return values[1] / values[0] - 1

    if not (0 < rate < min(1.0, growth)):
        rule = f"lie strictly between 0 and {min(1.0, growth):g}"
        raise InvalidValue.of("retention", rule, rate)
    if not (0 <= after(rate) <= 1 and after(rate) < growth):
        rule = f"leave retention in [0, 1] and below {growth:g}"
        raise InvalidValue.of("change", rule, change)
    ends = (retention.low, retention.high) if isinstance(retention, Estimate) else (math.nan,) * 2
    low, high = sorted(gain(end) for end in ends)
    now = first_margin == "now"
    return RetentionValue(
        gain=Estimate(
            value=gain(rate),
            low=low,
            high=high,
            level=retention.level if isinstance(retention, Estimate) else 0.95,
            n=retention.n if isinstance(retention, Estimate) else 0,
            unit="fraction",
            method="interval of the retention" if isinstance(retention, Estimate) else "none",
            name="retention_value",
            definition="lifetime value after the change / before it, less 1",
            parameters={
                "retention": rate,
                "discount": float(discount),
                "change": float(change),
                "relative": relative,
                "first_margin": first_margin,
            },
        ),
        retention=rate,
        changed=after(rate),
        elasticity=(rate if now else growth) / (growth - rate),
        change=float(change),
        relative=relative,
        first_margin=first_margin,
        claimed_gain=claimed_gain,
        holds_at=()
        if claimed_gain is None
        else _holds_at(claimed_gain, change, growth, relative=relative, now=now),
    )


def _holds_at(
    gain: float, change: float, growth: float, *, relative: bool, now: bool
) -> tuple[float, ...]:
    """Return the rates of retention at which a change brings exactly this gain.

    With the first margin now, value is proportional to 1 / (D - r): a gain g takes
    D - r' = (D - r) / (1 + g). With the margin at the end it is r / (D - r).
    """
    if gain == 0 or change == 0 or not math.isfinite(gain):
        return ()
    roots: list[float]
    if now and relative:
        growth_of_both = (1 + gain) * (1 + change) - 1
        roots = [gain * growth / growth_of_both] if growth_of_both else []
    elif now:
        roots = [growth - change * (1 + gain) / gain]
    elif relative:
        roots = [(gain - change) * growth / ((1 + change) * gain)] if change != -1 else []
    else:
        # (r + c)(D - r) = (1 + g) r (D - r - c), a quadratic in r
        coefficients = [gain, change * gain - gain * growth, change * growth]
        roots = [float(r.real) for r in np.roots(coefficients) if abs(r.imag) < 1e-12]

    def possible(r: float) -> bool:
        then = r * (1 + change) if relative else r + change
        return 0 < r < growth and r <= 1 and 0 <= then <= 1 and then < growth

    return tuple(r for r in sorted(roots) if possible(r))
