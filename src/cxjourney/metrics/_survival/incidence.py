"""Aalen-Johansen curves of the cumulative incidence of competing ends.

A journey can be bought, abandoned or switched to another brand: ends that compete. Each gets its
own curve, and the curves and the share still running add up to 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimate import Estimate
from cxjourney._support.array_types import Floats
from cxjourney._support.frozen import array_eq, read_only
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_duration, check_level, duration_us
from cxjourney.exceptions import UnknownName
from cxjourney.metrics._survival.bands import all_survive, effective_at_risk, log_log
from cxjourney.metrics._survival.risk_sets import (
    RiskSets,
    jackknife,
    risk_sets,
    robust_incidence_variance,
)
from cxjourney.metrics._survival.spells import read_spells

if TYPE_CHECKING:
    from datetime import timedelta

    from matplotlib.axes import Axes

    from cxjourney._support.arrays import Values

_SECOND = 1_000_000


@attrs.frozen(kw_only=True, repr=False)
class IncidenceCurves(Result):
    """The share that has ended by each cause as a function of time.

    Attributes
    ----------
    causes
        Labels of the causes, sorted.
    time_s, at_risk, survival
        Distinct durations, increasing [seconds]; rows at risk just before each; share ended by no
        cause yet.
    incidence, std_error, low, high
        Arrays of shape (causes, times): share ended by the cause [fraction, 0-1], its standard
        error and the ends of its pointwise interval.
    n, n_missing, n_censored
        Rows used, left out because a value was missing, and censored.
    level, method
        Confidence level of the intervals; how the variance was estimated.
    """

    title = "Cumulative incidence (Aalen-Johansen)"

    causes: tuple[str, ...]
    time_s: Floats = attrs.field(converter=read_only, eq=array_eq)
    at_risk: Floats = attrs.field(converter=read_only, eq=array_eq)
    survival: Floats = attrs.field(converter=read_only, eq=array_eq)
    incidence: Floats = attrs.field(converter=read_only, eq=array_eq)
    std_error: Floats = attrs.field(converter=read_only, eq=array_eq)
    low: Floats = attrs.field(converter=read_only, eq=array_eq)
    high: Floats = attrs.field(converter=read_only, eq=array_eq)
    n: int
    n_missing: int
    n_censored: int
    level: float
    method: str

    def at(self, cause: str, time: timedelta | str) -> Estimate:
        """Return the share that has ended by `cause` up to and including `time`.

        Parameters
        ----------
        cause
            Label of a cause.
        time
            A positive duration; beyond the longest one the share is NaN, unless nobody was left.

        Raises
        ------
        UnknownName
            If no row ended by the cause.
        """
        if cause not in self.causes:
            raise UnknownName.among("cause", cause, self.causes, where="the curves")
        k = self.causes.index(cause)
        second = duration_us(check_duration(time, "time")) / _SECOND
        row = int(np.searchsorted(self.time_s, second, side="right")) - 1
        value = low = high = math.nan
        notes: tuple[str, ...] = ()
        if row < 0:
            value, low, high = 0.0, 0.0, 1 - all_survive(self.at_risk[0], self.level)
        elif second <= self.time_s[-1] or self.survival[-1] == 0:
            value, low, high = self.incidence[k, row], self.low[k, row], self.high[k, row]
        else:
            notes = ("The time lies beyond the longest observation.",)
        return Estimate(
            value=value,
            low=low,
            high=high,
            level=self.level,
            n=self.n,
            n_missing=self.n_missing,
            n_censored=self.n_censored,
            unit="fraction",
            method=self.method,
            notes=notes,
            name="cumulative_incidence",
            definition="share ended by the cause up to the time, other causes competing",
            parameters={"cause": cause, "time_s": second},
        )

    def plot(
        self,
        *,
        label: str = "share ended by the cause",
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw one curve a cause, with its band.

        Parameters
        ----------
        label
            What the share is.
        title, ax
            The heading (None: that of the result), and where to draw (None: a new figure).

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        heading = self.title if title is None else title
        for k, cause in enumerate(self.causes):
            ax = plot.step_curve(
                self.time_s,
                self.incidence[k],
                self.low[k],
                self.high[k],
                start=0,
                name=str(cause),
                label=label,
                caption="The share that has ended by each cause after so long, with its "
                f"{100 * self.level:g}% band; what is missing to 100% has not ended.",
                title=heading,
                ax=ax,
            )
        if ax is None:  # no cause at all: an empty picture
            ax = plot.step_curve([], [], [], [], start=0, label=label, title=heading)
        return ax

    def _table(self) -> Table:
        size = len(self.time_s)
        return Table(
            {
                "cause": [c for c in self.causes for _ in range(size)],
                "time_s": np.tile(self.time_s, len(self.causes)),
                "at_risk": np.tile(self.at_risk, len(self.causes)),
                "incidence": self.incidence.ravel(),
                "low": self.low.ravel(),
                "high": self.high.ravel(),
            },
            formats={
                "at_risk": "integer",
                "incidence": "percent",
                "low": "percent",
                "high": "percent",
            },
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"Of {self.n:,} durations {self.n_censored:,} are censored.",
            f"{self.n_missing:,} rows are missing.",
            f"The intervals are {100 * self.level:g}% {self.method}.",
        )


def cumulative_incidence(
    durations: Values,
    cause: Values,
    *,
    entry: Values | None = None,
    customer: Values | None = None,
    counts: Values | None = None,
    weights: Values | None = None,
    level: float = 0.95,
) -> IncidenceCurves:
    """Return the share ended by each of several causes (Aalen-Johansen).

    Parameters
    ----------
    durations
        How long each row lasted, or has lasted so far (timedeltas, none negative).
    cause
        Label of the way in which each row ended; missing (None, NaN) where it is censored.
    entry, customer, counts, weights, level
        As for `kaplan_meier`.

    Returns
    -------
    IncidenceCurves
        One curve a cause. The incidences and the survival add up to 1 at every time.

    Raises
    ------
    InvalidData
        If a duration or an entry is negative, or a row enters at or after its end.
    InvalidValue
        If the columns differ in length or a value has the wrong type.

    Notes
    -----
    F_k(t) = Σ S(t-) d_k / n over the event times up to t (Aalen & Johansen 1978). The variance is
    the delta-method one of Marubini and Valsecchi (1995), or as in `kaplan_meier` with `customer`
    or `weights`; the interval F^exp(±z·se / (F ln F)). Where F is 0 or 1 it is that of
    Clopper and Pearson on the rows at risk.

    A cause is taken as given: what would happen if another cause were removed is another
    question, which these data do not answer.

    Examples
    --------
    >>> from datetime import timedelta
    >>> days = [timedelta(days=d) for d in (1, 2, 2, 3, 3, 4, 5, 5)]
    >>> ends = ["bought", "bought", "left", None, "left", "bought", None, "bought"]
    >>> curves = cumulative_incidence(days, ends)
    >>> round(curves.at("bought", timedelta(days=5)).value, 6)
    0.583333
    """
    check_level(level)
    spells = read_spells(
        durations, cause=cause, entry=entry, customer=customer, counts=counts, weights=weights
    )
    sets = risk_sets(
        spells.exit_us,
        spells.cause,
        n_causes=len(spells.causes),
        entry_us=spells.entry_us,
        weights=spells.sizes,
    )
    incidence = _incidence(sets)
    variance = np.empty_like(incidence)
    freedom, how = math.inf, "delta"
    if spells.bucket is not None:
        variance, effective = jackknife(
            sets, spells.cause, spells.masses, spells.bucket, _incidence
        )
        freedom, how = effective - 1, "clustered by customer"
    elif spells.customer is not None:
        how = "robust"
        for k in range(len(spells.causes)):
            variance[k] = robust_incidence_variance(
                sets, spells.cause, k, incidence[k], spells.masses
            )
    else:
        for k in range(len(spells.causes)):
            variance[k] = _delta_variance(sets, k, incidence[k])
    std_error = np.sqrt(np.maximum(variance, 0.0))
    low, high = log_log(
        incidence,
        std_error,
        effective_at_risk(sets, spells),
        start=0.0,
        level=level,
        freedom=freedom,
    )
    return IncidenceCurves(
        causes=spells.causes,
        time_s=sets.times / _SECOND,
        at_risk=sets.at_risk,
        survival=sets.survival,
        incidence=incidence,
        std_error=std_error,
        low=low,
        high=high,
        n=spells.n,
        n_missing=spells.n_missing,
        n_censored=spells.n_censored,
        level=level,
        method=f"Aalen-Johansen, {how}, log-log",
    )


def _incidence(sets: RiskSets) -> Floats:
    before = np.concatenate(([1.0], sets.survival[:-1]))
    share = np.zeros(len(sets.times))
    np.divide(before[: len(share)], sets.at_risk, out=share, where=sets.at_risk > 0)
    return np.cumsum(share * sets.deaths, axis=1)


def _delta_variance(sets: RiskSets, k: int, incidence: Floats) -> Floats:
    n, deaths = sets.at_risk, sets.deaths[k]
    before = np.concatenate(([1.0], sets.survival[:-1]))[: len(n)]
    share = np.zeros(len(n))
    np.divide(before, n, out=share, where=n > 0)
    own = np.zeros(len(n))
    np.divide(share**2 * (n - deaths) * deaths, n, out=own, where=n > 0)
    cross = np.zeros(len(n))
    np.divide(share * deaths, n, out=cross, where=n > 0)
    drift = sets.greenwood
    return (
        incidence**2 * np.cumsum(drift)
        - 2 * incidence * np.cumsum(incidence * drift)
        + np.cumsum(incidence**2 * drift)
        + np.cumsum(own)
        - 2 * (incidence * np.cumsum(cross) - np.cumsum(incidence * cross))
    )
