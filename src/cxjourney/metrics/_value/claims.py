"""Claims about customers put to the test, and what a better retention would be worth.

Marketing repeats numbers: "45 % give up if nobody answers", "5 times as likely to recommend". Here
they are hypotheses. Data can contradict a claim or fail to; they never make it true.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import katz, normal_quantile
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_fraction,
    check_level,
    check_number,
    is_number,
)
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import proportion
from cxjourney.metrics._value.clv import FirstMargin, clv_constant

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClaimTest", "RetentionValue", "claim_ratio", "claim_test", "retention_value"]

Alternative = Literal["two-sided", "less", "greater"]
Verdict = Literal["consistent", "not consistent", "too few data"]

_ALTERNATIVES = ("two-sided", "less", "greater")
_ENOUGH_POWER = 0.5
# pmf values that differ by rounding only count as equal, as in R and SciPy
_TIE = 1 + 1e-7


@attrs.frozen(kw_only=True, repr=False)
class ClaimTest(Result):
    """What data say about a claimed number.

    Attributes
    ----------
    claimed
        The claimed share or ratio.
    observed
        The estimate from the data.
    p_value
        Probability, if the claim holds, of data at least as far from it.
    power
        Probability of contradicting the claim if the truth were `effect` away from it.
    effect
        The difference that must not go unnoticed.
    verdict
        "not consistent" if p < 1 - level; else "too few data" if the power is below one half;
        else "consistent".
    alternative
        On which side of the claim the truth is suspected.
    """

    title = "Claim test"

    claimed: float
    observed: Estimate
    p_value: float
    power: float
    effect: float
    verdict: Verdict
    alternative: Alternative

    def _table(self) -> Table:
        return Table(
            {
                "claimed": np.array([self.claimed]),
                "observed": np.array([self.observed.value]),
                "low": np.array([self.observed.low]),
                "high": np.array([self.observed.high]),
                "p_value": np.array([self.p_value]),
                "power": np.array([self.power]),
                "verdict": (self.verdict,),
            }
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"{self.observed.n:,} observations, {self.alternative}, {self.observed.method}",
            f"power for a difference of {self.effect:g}",
            "consistent does not mean true: other numbers are consistent with these data too",
        )


def _verdict(p_value: float, power: float, level: float) -> Verdict:
    if p_value < 1 - level:
        return "not consistent"
    # no data: p and power are NaN
    return "consistent" if power >= _ENOUGH_POWER else "too few data"


def claim_test(
    count: int,
    n: int,
    claimed: float,
    *,
    alternative: Alternative = "two-sided",
    effect: float = 0.1,
    level: float = 0.95,
) -> ClaimTest:
    """Test a claimed share against counts.

    Parameters
    ----------
    count, n
        Successes and independent trials.
    claimed
        The claimed share, in [0, 1].
    alternative
        "two-sided": the truth may lie on either side. "greater": above the claim, as for a claim
        of "at most" or "up to". "less": below it, as for "at least".
    effect
        Difference from the claim that must not go unnoticed, in (0, 1).
    level
        Confidence level of the test and the interval, in (0, 1).

    Returns
    -------
    ClaimTest
        Wilson interval, exact binomial p-value, power and verdict.

    Raises
    ------
    InvalidValue
        If the count lies outside [0, n] or an argument outside its range.

    Notes
    -----
    The exact binomial test; two-sided, the outcomes that are no more probable than the observed
    one. The power is exact too, at claimed ± effect, the lower of the two where both are shares.
    Trials of one customer are not independent: count customers.

    Examples
    --------
    >>> from cxjourney.metrics import claim_test
    >>> claim_test(61, 100, 0.45).verdict
    'not consistent'
    >>> claim_test(4, 10, 0.45).verdict
    'too few data'
    """
    check_choice(alternative, "alternative", _ALTERNATIVES)
    check_fraction(claimed, "claimed")
    if not is_number(effect) or not 0 < effect < 1:
        raise InvalidValue.of("effect", "be a difference in (0, 1)", effect)
    observed = proportion(
        check_count(count, "count", 0),
        n,
        level=level,
        name="claim_test",
        definition="observed share beside the claimed one",
        parameters={"claimed": float(claimed), "alternative": alternative},
    )
    p_values = _binomial_p_values(n, claimed, alternative)
    rejected = p_values < 1 - check_level(level)
    sides = {"two-sided": (-effect, effect), "less": (-effect,), "greater": (effect,)}[alternative]
    powers = [
        float(_binomial(n, claimed + side)[rejected].sum())
        for side in sides
        if 0 <= claimed + side <= 1
    ]
    power = min(powers, default=math.nan) if n else math.nan
    p_value = float(p_values[count]) if n else math.nan
    return ClaimTest(
        claimed=float(claimed),
        observed=observed,
        p_value=p_value,
        power=power,
        effect=float(effect),
        verdict=_verdict(p_value, power, level),
        alternative=alternative,
    )


def _binomial(n: int, p: float) -> NDArray[np.float64]:
    """Return the probabilities of 0 … n successes."""
    from scipy.special import gammaln, xlog1py, xlogy

    k = np.arange(n + 1)
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(choose + xlogy(k, p) + xlog1py(n - k, -p)))


def _binomial_p_values(n: int, p: float, alternative: str) -> NDArray[np.float64]:
    """Return the p-value of every possible count."""
    mass = _binomial(n, p)
    if alternative == "less":
        return np.minimum(np.cumsum(mass), 1.0)
    if alternative == "greater":
        return np.minimum(np.cumsum(mass[::-1])[::-1], 1.0)
    order = np.argsort(mass, kind="stable")
    below = np.cumsum(mass[order])
    last = np.searchsorted(mass[order], mass * _TIE, side="right") - 1
    return np.minimum(below[last], 1.0)


def claim_ratio(
    count1: int,
    n1: int,
    count2: int,
    n2: int,
    claimed: float,
    *,
    alternative: Alternative = "two-sided",
    effect: float = 1.5,
    level: float = 0.95,
) -> ClaimTest:
    """Test a claimed ratio of two shares ("twice as often").

    Parameters
    ----------
    count1, n1, count2, n2
        Successes and independent trials of the group said to have more, and of the other one.
    claimed
        The claimed ratio of the first share to the second, above 0.
    alternative
        "two-sided", or the side of the claim on which the truth is suspected.
    effect
        Factor between claim and truth that must not go unnoticed, above 1.
    level
        Confidence level of the test and the interval, in (0, 1).

    Returns
    -------
    ClaimTest
        Katz interval, p-value, power and verdict; NaN and "too few data" without successes in
        both groups.

    Raises
    ------
    InvalidValue
        If a count lies outside its range, or `claimed` or `effect` does.

    Notes
    -----
    z = (ln RR - ln claimed) / se with Katz's se² = 1/x₁ - 1/n₁ + 1/x₂ - 1/n₂. A ratio of shares
    is not an odds ratio: where the outcome is common the latter is much larger. Groups that chose
    themselves (the satisfied and the rest) differ in more than what divides them.

    Examples
    --------
    >>> from cxjourney.metrics import claim_ratio
    >>> test = claim_ratio(60, 200, 20, 200, 5)
    >>> round(test.observed.value, 3), test.verdict
    (3.0, 'not consistent')
    """
    check_choice(alternative, "alternative", _ALTERNATIVES)
    if not is_number(claimed) or not claimed > 0 or math.isinf(claimed):
        raise InvalidValue.of("claimed", "be a ratio above 0", claimed)
    if not is_number(effect) or not effect > 1 or math.isinf(effect):
        raise InvalidValue.of("effect", "be a factor above 1", effect)
    low, high = katz(count1, n1, count2, n2, level=level)
    known = count1 > 0 and count2 > 0
    value = (count1 / n1) / (count2 / n2) if known else math.nan
    p_value = power = math.nan
    error = 0.0
    if known:
        error = math.sqrt(1 / count1 - 1 / n1 + 1 / count2 - 1 / n2)
    if error > 0:
        from scipy.special import ndtr

        z = math.log(value / claimed) / error
        tails = {"less": ndtr(z), "greater": ndtr(-z), "two-sided": 2 * ndtr(-abs(z))}
        p_value = float(tails[alternative])
        one_sided = alternative != "two-sided"
        limit = normal_quantile(2 * level - 1 if one_sided and level > 0.5 else level)
        power = float(ndtr(math.log(effect) / error - limit))
    return ClaimTest(
        claimed=float(claimed),
        observed=Estimate(
            value=value,
            low=low,
            high=high,
            level=check_level(level),
            n=n1 + n2,
            unit="ratio",
            method="Katz",
            notes=() if known else ("no successes in one of the groups",),
            name="claim_ratio",
            definition="ratio of the observed shares beside the claimed one",
            parameters={"claimed": float(claimed), "alternative": alternative},
        ),
        p_value=p_value,
        power=power,
        effect=float(effect),
        verdict=_verdict(p_value, power, level),
        alternative=alternative,
    )


@attrs.frozen(kw_only=True, repr=False)
class RetentionValue(Result):
    """What a change of the retention rate does to the value of a customer.

    Attributes
    ----------
    gain
        Relative change of the lifetime value [fraction].
    retention, changed
        Retention now and after the change.
    elasticity
        Relative change of value for a small relative change of retention.
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
        notes = [
            f"a change of {100 * self.change:g}{kind}, first margin {self.first_margin}",
            "one constant rate, nothing spent on the change",
        ]
        if self.claimed_gain is not None:
            where = " and ".join(f"{100 * rate:.1f}%" for rate in self.holds_at)
            gain = f"a gain of {100 * self.claimed_gain:g}%"
            notes.append(f"{gain} is exact at {where or 'no retention'}")
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
    discount
        Discount rate a period, above -1.
    change
        The change: 0.1 is 10 % of the rate, or 10 percentage points.
    relative
        Which of the two. They are different questions.
    first_margin
        "now" or "end", as in `clv_constant`.
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
    >>> from cxjourney.metrics import retention_value
    >>> result = retention_value(0.8, 0.1, claimed_gain=0.3)
    >>> round(result.gain.value, 3), round(result.holds_at[0], 3)
    (0.5, 0.667)
    """
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
