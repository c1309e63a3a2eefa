"""Kaplan-Meier curves of right-censored durations.

A journey that is still running, an open ticket, a customer who has not left yet: their durations
are known to be at least so long. The estimator uses them; leaving them out, or counting them as
ended, is wrong in opposite directions.
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
from cxjourney._support.validation import check_duration, check_fraction, check_level, duration_us
from cxjourney.metrics._survival.bands import (
    ROUNDING,
    all_survive,
    effective_at_risk,
    log_log,
    quantile_of,
)
from cxjourney.metrics._survival.risk_sets import (
    RiskSets,
    corrected,
    jackknife,
    risk_sets,
    robust_survival_variance,
    row_influences,
)
from cxjourney.metrics._survival.spells import Spells, read_spells

if TYPE_CHECKING:
    from datetime import timedelta

    from matplotlib.axes import Axes

    from cxjourney._support.arrays import Values

_SECOND = 1_000_000
_MEDIAN = 0.5


@attrs.frozen(kw_only=True, repr=False)
class SurvivalCurve(Result):
    """The share not yet ended as a function of time, one row for every distinct duration.

    Attributes
    ----------
    time_s
        Distinct durations, increasing [seconds].
    at_risk, events, censored
        Rows at risk just before each time (weights, if given), and those that end by the event and
        open there.
    survival, std_error, low, high
        Share that lasts longer than each time [fraction, 0-1], its standard error, and the ends of
        its pointwise interval.
    median, restricted_mean
        The time by which half have ended (NaN where it is not reached), and the mean duration up to
        the horizon [seconds].
    n, n_missing, n_censored
        Rows used, left out because a value was missing, and censored.
    level, method
        Confidence level of the intervals; how the variance was estimated.
    """

    title = "Kaplan-Meier survival"

    time_s: Floats = attrs.field(converter=read_only, eq=array_eq)
    at_risk: Floats = attrs.field(converter=read_only, eq=array_eq)
    events: Floats = attrs.field(converter=read_only, eq=array_eq)
    censored: Floats = attrs.field(converter=read_only, eq=array_eq)
    survival: Floats = attrs.field(converter=read_only, eq=array_eq)
    std_error: Floats = attrs.field(converter=read_only, eq=array_eq)
    low: Floats = attrs.field(converter=read_only, eq=array_eq)
    high: Floats = attrs.field(converter=read_only, eq=array_eq)
    median: Estimate
    restricted_mean: Estimate
    n: int
    n_missing: int
    n_censored: int
    level: float
    method: str

    def at(self, time: timedelta | str) -> Estimate:
        """Return the share that lasts longer than `time`.

        Parameters
        ----------
        time
            A positive duration; beyond the longest one the share is NaN, unless nobody was left.
        """
        second = duration_us(check_duration(time, "time")) / _SECOND
        row = int(np.searchsorted(self.time_s, second, side="right")) - 1
        notes: tuple[str, ...] = ("empty",) if not len(self.time_s) else ()
        value = low = high = math.nan
        if len(self.time_s) and row < 0:
            value, high = 1.0, 1.0
            low = all_survive(self.at_risk[0], self.level)
        elif len(self.time_s) and (second <= self.time_s[-1] or self.survival[-1] == 0):
            value, low, high = self.survival[row], self.low[row], self.high[row]
        elif len(self.time_s):
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
            name="survival",
            definition="share of durations longer than the time, those without an end censored",
            parameters={"time_s": second},
        )

    def quantile(self, share: float) -> Estimate:
        """Return the first time by which `share` have ended.

        Parameters
        ----------
        share
            A fraction in (0, 1).

        Returns
        -------
        Estimate
            The time [seconds]; NaN where the share is not reached. The interval holds the times
            at which the band of the curve crosses 1 - share (Brookmeyer & Crowley 1982).
        """
        check_fraction(share, "share")
        value = _crossing(self.time_s, self.survival, 1 - share)
        notes: tuple[str, ...] = ()
        if math.isnan(value):
            notes = ("not reached",) if len(self.time_s) else ("empty",)
        return Estimate(
            value=value,
            low=_crossing(self.time_s, self.low, 1 - share),
            high=_crossing(self.time_s, self.high, 1 - share),
            level=self.level,
            n=self.n,
            n_missing=self.n_missing,
            n_censored=self.n_censored,
            unit="seconds",
            method=self.method,
            notes=notes,
            name="survival_quantile",
            definition="first time at which the survival curve is at or below 1 - share",
            parameters={"share": share},
        )

    def plot(
        self,
        *,
        name: str = "",
        label: str = "share not yet ended",
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the curve with its band; times at which rows end open are ticked.

        Parameters
        ----------
        name
            Name of the curve, for the legend.
        label
            What the share is.
        title
            The heading; None takes that of the result.
        ax
            Where to draw, such as the axes of another curve; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        return plot.step_curve(
            self.time_s,
            self.survival,
            self.low,
            self.high,
            start=1,
            censored=self.censored,
            name=name,
            label=label,
            caption="The share that has not ended after so long, with its "
            f"{100 * self.level:g}% band; ticks are rows whose end is not known yet.",
            title=self.title if title is None else title,
            ax=ax,
        )

    def _table(self) -> Table:
        return Table(
            {
                "time_s": self.time_s,
                "at_risk": self.at_risk,
                "events": self.events,
                "censored": self.censored,
                "survival": self.survival,
                "low": self.low,
                "high": self.high,
            },
            formats={
                "at_risk": "integer",
                "events": "integer",
                "censored": "integer",
                "survival": "percent",
                "low": "percent",
                "high": "percent",
            },
        )

    def _notes(self) -> tuple[str, ...]:
        return (
            f"The median is {self.median!r}.",
            f"The restricted mean is {self.restricted_mean!r}.",
            f"Of {self.n:,} durations {self.n_censored:,} are censored.",
            f"{self.n_missing:,} rows are missing.",
            f"The intervals are {100 * self.level:g}% {self.method}.",
        )


def kaplan_meier(
    durations: Values,
    observed: Values,
    *,
    entry: Values | None = None,
    customer: Values | None = None,
    counts: Values | None = None,
    weights: Values | None = None,
    horizon: timedelta | str | None = None,
    level: float = 0.95,
) -> SurvivalCurve:
    """Return the Kaplan-Meier survival curve of durations, some of which are censored.

    Parameters
    ----------
    durations, observed
        How long each row lasted, or has lasted so far (timedeltas, none negative); True where it
        ended by the event, False where it is censored.
    entry
        Duration at which each row came under observation (late entry, left truncation); it is at
        risk in (entry, duration]. None: from the beginning.
    customer
        Label of each row's customer. If given, the variance is clustered by customer, since rows
        of one customer are not independent; else it is Greenwood's.
    counts
        How many equal rows each row stands for: whole numbers; alone, without `customer` or
        `weights`.
    weights
        One weight a row, at least 0, as of a survey; the variance is then robust (each row, or
        each customer, is left out), and does not depend on the scale of the weights.
    horizon, level
        Up to where the restricted mean is taken (None: the longest duration); confidence level, in
        (0, 1).

    Returns
    -------
    SurvivalCurve
        The curve with its band, median and restricted mean. An empty input gives empty columns.

    Raises
    ------
    InvalidData
        If a duration or an entry is negative, or a row enters at or after its end.
    InvalidValue
        If the columns differ in length or a value has the wrong type.

    Notes
    -----
    S(t) = Π (1 - d/n) over the event times up to t, events before censorings at ties (Kaplan &
    Meier 1958). Greenwood's variance is S² Σ d / (n (n - d)). With `customer` the curve is computed
    again without each of 64 buckets of customers (without each customer where there are at most
    64), and the quantile is Student's; there is no interval where the rows are of fewer than three
    customers or so. With `weights` alone the variance is the infinitesimal jackknife. The interval
    is S^exp(±z·se / (S ln S)) (log-log); where S is 1 or 0 it is that of Clopper and Pearson on the
    rows at risk (for clusters, on the effective number (Σ Y)² / Σ Y² of them).

    Rows open at the end must be open for reasons that have nothing to do with the event. With
    several ways to end use `cumulative_incidence`: 1 - S with the others as censored overstates.
    With late entry the curve may reach 0 early, when few are at risk; it stays there.

    Examples
    --------
    >>> from datetime import timedelta
    >>> days = [timedelta(days=d) for d in (1, 2, 3, 3, 2, 4, 5)]
    >>> curve = kaplan_meier(days, [True, True, True, True, False, False, False])
    >>> [round(float(s), 6) for s in curve.survival]
    [0.857143, 0.714286, 0.357143, 0.357143, 0.357143]
    >>> curve.median.value / 86400
    3.0
    """
    check_level(level)
    spells = read_spells(
        durations,
        observed=observed,
        entry=entry,
        customer=customer,
        counts=counts,
        weights=weights,
    )
    sets = risk_sets(spells.exit_us, spells.cause, entry_us=spells.entry_us, weights=spells.sizes)
    survival = sets.survival
    freedom = math.inf
    if spells.bucket is not None:
        variance, effective = jackknife(
            sets, spells.cause, spells.masses, spells.bucket, lambda others: others.survival
        )
        freedom = effective - 1
        method = "Kaplan-Meier, clustered by customer, log-log"
    elif spells.customer is not None:
        variance = robust_survival_variance(sets, spells.cause, spells.masses)
        method = "Kaplan-Meier, robust, log-log"
    else:
        variance = survival**2 * np.cumsum(sets.greenwood)
        method = "Kaplan-Meier, Greenwood, log-log"
    std_error = np.sqrt(variance)
    low, high = log_log(
        survival,
        std_error,
        effective_at_risk(sets, spells),
        start=1.0,
        level=level,
        freedom=freedom,
    )
    time_s = sets.times / _SECOND
    median = _crossing(time_s, survival, _MEDIAN)
    unreached = "not reached" if len(time_s) else "empty"
    return SurvivalCurve(
        time_s=time_s,
        at_risk=sets.at_risk,
        events=sets.events,
        censored=sets.censored,
        survival=survival,
        std_error=std_error,
        low=low,
        high=high,
        median=Estimate(
            value=median,
            low=_crossing(time_s, low, _MEDIAN),
            high=_crossing(time_s, high, _MEDIAN),
            level=level,
            n=spells.n,
            n_missing=spells.n_missing,
            n_censored=spells.n_censored,
            unit="seconds",
            method=method,
            notes=(unreached,) if math.isnan(median) else (),
            name="median_survival",
            definition="first time at which the survival curve is at or below one half",
        ),
        restricted_mean=_restricted_mean(sets, spells, horizon, level, method),
        n=spells.n,
        n_missing=spells.n_missing,
        n_censored=spells.n_censored,
        level=level,
        method=method,
    )


def _crossing(time_s: Floats, share: Floats, limit: float) -> float:
    """Return the first time at which `share` is at or below `limit`, NaN if it never is."""
    reached = np.flatnonzero(share <= limit + ROUNDING)
    return float(time_s[reached[0]]) if reached.size else math.nan


def _restricted_mean(
    sets: RiskSets, spells: Spells, horizon: timedelta | str | None, level: float, method: str
) -> Estimate:
    time = sets.times / _SECOND
    end = time[-1] if len(time) else math.nan
    if horizon is not None:
        end = duration_us(check_duration(horizon, "horizon")) / _SECOND
    value = half = math.nan
    notes: tuple[str, ...] = ()
    if not len(time):
        notes = ("empty",)
    elif end > time[-1] and sets.survival[-1] > 0:
        notes = ("The horizon lies beyond the longest observation.",)
    else:
        edges = np.concatenate(([0.0], np.minimum(time, end), [max(end, time[-1])]))
        steps = np.diff(edges)
        area = np.concatenate(([1.0], sets.survival)) * steps
        value = float(area.sum())
        if spells.bucket is not None:
            spread, effective = jackknife(
                sets,
                spells.cause,
                spells.masses,
                spells.bucket,
                lambda others: np.array([1.0, *others.survival]) @ steps,
            )
            variance, freedom = float(spread), effective - 1
        else:
            beyond = value - np.cumsum(area)[:-1]  # area under the curve after each time
            variance, freedom = _mean_variance(sets, spells, beyond), math.inf
        # no event before the end, or all at once: the data do not show any variation
        half = quantile_of(level, freedom) * math.sqrt(variance) if variance > 0 else math.nan
    return Estimate(
        value=value,
        low=max(value - half, 0.0),  # NaN stays NaN: max and min return their first argument
        high=min(value + half, end),
        level=level,
        n=spells.n,
        n_missing=spells.n_missing,
        n_censored=spells.n_censored,
        unit="seconds",
        method=method.replace("log-log", "normal"),
        notes=notes,
        name="restricted_mean",
        definition="area under the survival curve up to the horizon",
        parameters={"horizon_s": float(end)},
    )


def _mean_variance(sets: RiskSets, spells: Spells, beyond: Floats) -> float:
    drift = beyond * sets.greenwood
    if spells.customer is None:
        return float(beyond @ drift)
    entry, leave = row_influences(sets, spells.cause, beyond, drift, spells.masses)
    return float(corrected(np.array([((entry + leave) ** 2).sum()]), len(entry))[0])
