"""The Gamma-Gamma model of the value of a purchase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_level
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics._value.likelihood import UNCONVERGED, Fit, maximise
from cxjourney.metrics._value.purchases import PurchaseSummary, check_summary

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats


@attrs.frozen(kw_only=True, repr=False)
class GammaGamma(Result):
    """A Gamma-Gamma model: a purchase's value is Gamma(p, ν), and ν varies as Gamma(q, v).

    Attributes
    ----------
    p, q, v
        The parameters; `v` in money.
    log_likelihood, n
        On the data of the fit (NaN where not fitted), and its number of customers, those with a
        repeat purchase.
    correlation
        Of frequency and mean value in the data; the model takes it as 0. NaN where not fitted.
    errors, level
        Standard errors of the logarithms of p, q and v (NaN where not fitted), and the level of
        their intervals.
    converged
        Whether the fit reached a maximum at which the data tell every parameter from 0 and
        infinity. It does not where all customers buy alike, or none ever stops.
    """

    title = "Gamma-Gamma"

    p: float
    q: float
    v: float
    log_likelihood: float = math.nan
    n: int = 0
    correlation: float = math.nan
    errors: tuple[float, ...] = (math.nan,) * 3
    level: float = 0.95
    converged: bool = True

    def __attrs_post_init__(self) -> None:
        for name in ("p", "q", "v"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InvalidValue.of(name, "be positive and finite", value)

    @property
    def population_mean(self) -> float:
        """The mean value of a purchase over all customers, p v / (q - 1); NaN if q ≤ 1."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else math.nan

    def expected_value(self, summary: PurchaseSummary) -> Floats:
        """Return the expected value of a purchase of each customer.

        The customer's own mean, pulled to that of the population, the more the fewer the
        purchases; the population's where there is no repeat purchase.
        """
        x = check_summary(summary).frequency.astype(np.float64)
        mean = np.where(x > 0, summary.mean_value, 0.0)
        if self.q <= 1:
            return np.where(x > 0, self._pulled(x, mean), math.nan)
        return self._pulled(x, mean)

    def _pulled(self, x: Floats, mean: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(self.p * (self.v + x * mean) / (self.p * x + self.q - 1))

    def _table(self) -> Table:
        values = np.array([self.p, self.q, self.v])
        low, high = Fit.band(values, np.array(self.errors), self.level)
        return Table({"parameter": ("p", "q", "v"), "value": values, "low": low, "high": high})

    def _notes(self) -> tuple[str, ...]:
        notes = [f"The mean value of a purchase is {self.population_mean:.4g}."]
        if self.n:
            notes.append(
                f"Fitted to {self.n:,} customers; the log-likelihood is {self.log_likelihood:.1f}."
            )
            notes.append(
                f"Frequency and value correlate at {self.correlation:.2f}; the model takes 0."
            )
        if self.q <= 1:
            notes.append("The population has no mean, since q is 1 or less.")
        if not self.converged:
            notes.append(UNCONVERGED)
        return tuple(notes)


def fit_gamma_gamma(summary: PurchaseSummary, *, level: float = 0.95) -> GammaGamma:
    """Fit Gamma-Gamma to the mean values of repeat purchases by maximum likelihood.

    Parameters
    ----------
    summary
        What `purchase_summary` returns, with values; customers without a repeat purchase, or
        whose mean is not positive, are left out.
    level
        Confidence level of the parameters' intervals, in (0, 1).

    Returns
    -------
    GammaGamma
        The model, with intervals from the curvature of the log-likelihood in log parameters.

    Raises
    ------
    InvalidData
        If fewer than two customers with a repeat purchase differ in mean value.
    InvalidValue
        If `summary` is no PurchaseSummary.

    Notes
    -----
    Fader, Hardie & Lee (2005) and Fader & Hardie (2013). What a customer spends must not depend
    on how often: look at `correlation` first. Not for values that can be negative, such as
    margins after returns.

    Examples
    --------
    >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> round(model.population_mean, 2)
    35.22
    """
    check_level(level)
    check_summary(summary)
    use = (summary.frequency > 0) & (summary.mean_value > 0)
    x, mean = summary.frequency[use].astype(np.float64), summary.mean_value[use]
    if len(np.unique(mean)) < 2:
        raise InvalidData(
            "fit_gamma_gamma() needs customers with repeat purchases of different mean values"
        )
    rows, weight = np.unique(np.stack((x, mean)), axis=1, return_counts=True)
    scale = float(np.average(rows[1], weights=weight))  # so that v is moderate in any currency
    likelihood = _Likelihood(rows[0], rows[1] / scale, weight.astype(np.float64))
    fit = maximise(likelihood, start=np.log([2.0, 3.0, 1.0]))
    p, q, v = (float(value) for value in fit.parameters)
    spread = np.std(x) * np.std(mean)
    return GammaGamma(
        p=p,
        q=q,
        v=v * scale,
        # a density in another currency differs by its rate, once a customer
        log_likelihood=fit.value - float(weight.sum()) * math.log(scale),
        n=int(weight.sum()),
        correlation=float(np.mean((x - x.mean()) * (mean - mean.mean())) / spread)
        if spread > 0
        else math.nan,
        errors=tuple(fit.errors.tolist()),
        level=level,
        converged=fit.converged,
    )


class _Likelihood:
    """The log-likelihood of Gamma-Gamma in log parameters, with its gradient."""

    def __init__(self, x: Floats, mean: Floats, weight: Floats) -> None:
        self.x, self.mean, self.weight = x, mean, weight

    def __call__(self, log_parameters: Floats) -> tuple[float, Floats]:
        from scipy.special import digamma, gammaln

        p, q, v = np.exp(log_parameters)
        x, mean, w = self.x, self.mean, self.weight
        total = v + x * mean
        share = np.log(x * mean / total)
        each = gammaln(p * x + q) - gammaln(p * x) - gammaln(q)
        each += q * np.log(v / total) + p * x * share - np.log(mean)
        top = digamma(p * x + q)
        gradient = np.array(
            [
                w @ (x * (top - digamma(p * x) + share)),
                w @ (top - digamma(q) + np.log(v / total)),
                w @ (q / v - (p * x + q) / total),
            ]
        )
        return float(w @ each), gradient * np.exp(log_parameters)
