"""The BG/NBD model of purchases of customers without a contract."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_duration, check_level
from cxjourney._support.words import how_long
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics._value.likelihood import UNCONVERGED, Fit, maximise
from cxjourney.metrics._value.purchases import PurchaseSummary, check_summary

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats

_NEAR_ONE = 1e-7


@attrs.frozen(kw_only=True, repr=False)
class BgNbd(Result):
    """A BG/NBD model: purchases while alive are Poisson, and each may be the last.

    Purchase rates vary between customers as Gamma(r, α), the probability of stopping after a
    purchase as Beta(a, b) (Fader, Hardie & Lee 2005).

    Attributes
    ----------
    r, alpha, a, b
        The parameters; `alpha` in units of time.
    unit_s
        The unit of time [seconds].
    log_likelihood, n
        On the data of the fit, in the unit of time (NaN where not fitted), and its number of
        customers.
    errors, level
        Standard errors of the logarithms of r, α, a and b (NaN where not fitted), and the level of
        their intervals.
    converged
        Whether the fit reached a maximum at which the data tell every parameter from 0 and
        infinity. It does not where all customers buy alike, or none ever stops.
    """

    title = "BG/NBD"

    r: float
    alpha: float
    a: float
    b: float
    unit_s: float = 7 * 86_400.0
    log_likelihood: float = math.nan
    n: int = 0
    errors: tuple[float, ...] = (math.nan,) * 4
    level: float = 0.95
    converged: bool = True

    def __attrs_post_init__(self) -> None:
        for name in ("r", "alpha", "a", "b", "unit_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidValue.of(name, "be positive and finite", value)

    def expected_purchases(self, horizon: timedelta | str) -> float:
        """Return the purchases expected of a new customer within `horizon` after the first."""
        zero = np.zeros(1)
        return float(self._repeats(zero, zero, _units(horizon, self.unit_s))[0])

    def alive(self, summary: PurchaseSummary) -> Floats:
        """Return the probability that each customer still buys.

        Without a repeat purchase it is 1: the model lets a customer stop only after one.
        """
        from scipy.special import expit

        return np.asarray(expit(-self._log_odds_of_stopped(*self._columns(summary))))

    def expected(self, summary: PurchaseSummary, horizon: timedelta | str) -> Floats:
        """Return the purchases expected of each customer within `horizon` from now."""
        x, _, age = self._columns(summary)
        return self._repeats(x, age, _units(horizon, self.unit_s)) * self.alive(summary)

    def _columns(self, summary: PurchaseSummary) -> tuple[Floats, Floats, Floats]:
        check_summary(summary)
        return (
            summary.frequency.astype(np.float64),
            summary.recency_s / self.unit_s,
            summary.age_s / self.unit_s,
        )

    def _log_odds_of_stopped(self, x: Floats, recency: Floats, age: Floats) -> Floats:
        # in logarithms: the power overflows for frequent buyers
        with np.errstate(divide="ignore"):
            odds = math.log(self.a) - np.log(np.maximum(self.b + x - 1, 0))
        odds = odds + (self.r + x) * np.log((self.alpha + age) / (self.alpha + recency))
        return np.where(x > 0, odds, -np.inf)

    def _repeats(self, x: Floats, age: Floats, ahead: float) -> Floats:
        """Return expected purchases in the time ahead of customers who are alive.

        Euler's transformation of the hypergeometric function keeps both factors moderate where
        the published form multiplies a huge one by a tiny one.
        """
        from scipy.special import hyp2f1

        a = self.a if abs(self.a - 1) > _NEAR_ONE else 1 + _NEAR_ONE
        z = ahead / (self.alpha + age + ahead)
        c = a + self.b + x - 1
        tail = (1 - z) ** (a - 1) * hyp2f1(a + self.b - 1 - self.r, a - 1, c, z)
        return np.asarray(c / (a - 1) * (1 - tail))

    def _table(self) -> Table:
        names = ("r", "alpha", "a", "b")
        values = np.array([self.r, self.alpha, self.a, self.b])
        low, high = Fit.band(values, np.array(self.errors), self.level)
        return Table({"parameter": names, "value": values, "low": low, "high": high})

    def _notes(self) -> tuple[str, ...]:
        notes = [f"Alpha is in units of {how_long(self.unit_s)}."]
        if self.n:
            notes.append(
                f"Fitted to {self.n:,} customers; the log-likelihood is {self.log_likelihood:.1f}."
            )
        if not self.converged:
            notes.append(UNCONVERGED)
        notes.append("A customer without a repeat purchase is alive by assumption.")
        return tuple(notes)


def fit_bg_nbd(
    summary: PurchaseSummary, *, unit: timedelta | str = timedelta(days=7), level: float = 0.95
) -> BgNbd:
    """Fit BG/NBD to purchases by maximum likelihood.

    Parameters
    ----------
    summary
        What `purchase_summary` returns.
    unit, level
        The unit of time, in which `alpha` and the log-likelihood are stated; confidence level of
        the parameters' intervals, in (0, 1).

    Returns
    -------
    BgNbd
        The model, with intervals from the curvature of the log-likelihood in log parameters.

    Raises
    ------
    InvalidData
        If no customer bought twice: nothing tells the parameters apart.
    InvalidValue
        If `summary` is no PurchaseSummary.

    Notes
    -----
    The log-likelihood and its gradient are closed (Fader, Hardie & Lee 2005, equation 6);
    customers with the same frequency, recency and age are counted once, with a weight.

    Purchases of one day are one (see `purchase_summary`), which biases α upward where customers buy
    more than once a week. The model has no seasons, no trend and no covariates, and lets nobody
    stop before the first repeat. Not for contracts, where leaving is observed: use `kaplan_meier`.
    Check it on purchases that it has not seen before believing it.

    Examples
    --------
    >>> from datetime import timedelta
    >>> model = BgNbd(r=0.2426, alpha=4.4136, a=0.7929, b=2.4259)  # CDNOW, weeks
    >>> round(model.expected_purchases(timedelta(weeks=32)), 3)
    1.044
    """
    check_level(level)
    unit_s = check_duration(unit, "unit").total_seconds()
    if not np.any(check_summary(summary).frequency > 0):
        raise InvalidData("fit_bg_nbd() needs customers who bought twice; there are none")
    rows = np.stack((summary.frequency, summary.recency_s, summary.age_s))
    (x, recency, age), weight = np.unique(rows, axis=1, return_counts=True)
    scale = float(np.average(age, weights=weight))  # a time scale on which alpha is moderate
    likelihood = _Likelihood(x, recency / scale, age / scale, weight.astype(np.float64))
    fit = maximise(likelihood, start=np.zeros(4))
    r, alpha, a, b = fit.parameters
    return BgNbd(
        r=float(r),
        alpha=float(alpha) * scale / unit_s,
        a=float(a),
        b=float(b),
        unit_s=unit_s,
        # the density of x purchases in another unit of time differs by that unit to the x
        log_likelihood=fit.value + float(weight @ x) * math.log(unit_s / scale),
        n=int(weight.sum()),
        errors=tuple(fit.errors.tolist()),
        level=level,
        converged=fit.converged,
    )


class _Likelihood:
    """The log-likelihood of BG/NBD in log parameters, with its gradient."""

    def __init__(self, x: Floats, recency: Floats, age: Floats, weight: Floats) -> None:
        self.recency, self.age, self.weight = recency, age, weight
        self.x = x
        # few distinct frequencies, many customers: the special functions are taken once each
        self.distinct, self.index = np.unique(x, return_inverse=True)

    def __call__(self, log_parameters: Floats) -> tuple[float, Floats]:
        from scipy.special import digamma, gammaln

        r, alpha, a, b = np.exp(log_parameters)
        k, x, w = self.distinct, self.x, self.weight
        ratio = gammaln(r + k) - gammaln(r) + gammaln(a + b) - gammaln(a + b + k)
        ratio += gammaln(b + k) - gammaln(b) + r * math.log(alpha)
        with np.errstate(divide="ignore"):
            stop = np.where(k > 0, math.log(a) - np.log(np.maximum(b + k - 1, 0)), -np.inf)
        log_age, log_last = np.log(alpha + self.age), np.log(alpha + self.recency)
        still = -(r + x) * log_age
        gone = stop[self.index] - (r + x) * log_last
        both = np.logaddexp(still, gone)
        share = np.exp(gone - both)  # posterior probability of having stopped
        value = float(w @ (ratio[self.index] + both))
        ends = share * log_last + (1 - share) * log_age
        rate = share / (alpha + self.recency) + (1 - share) / (alpha + self.age)
        per_count = np.bincount(self.index, weights=w, minlength=len(k))
        stopped = np.bincount(self.index, weights=w * share, minlength=len(k))
        common = digamma(a + b) - digamma(a + b + k)
        later = np.divide(1.0, b + k - 1, out=np.zeros(len(k)), where=k > 0)
        n = per_count.sum()
        gradient = np.array(
            [
                per_count @ (digamma(r + k) - digamma(r)) + n * math.log(alpha) - w @ ends,
                n * r / alpha - w @ ((r + x) * rate),
                per_count @ common + stopped.sum() / a,
                per_count @ (common + digamma(b + k) - digamma(b)) - stopped @ later,
            ]
        )
        return value, gradient * np.exp(log_parameters)


def _units(horizon: timedelta | str, unit_s: float) -> float:
    return check_duration(horizon, "horizon").total_seconds() / unit_s
