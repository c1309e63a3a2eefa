"""How long customers wait: resolution, first response, and whether a promise was kept.

What is still open is known to have lasted at least so long. It is censored, never dropped: leaving
open cases out makes a service look the faster the more it leaves lying.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_choice, check_duration, check_level, duration_us
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics._calendar import instant, instants
from cxjourney.metrics.arrays import (
    NanPolicy,
    Values,
    durations,
    flags,
    is_undefined,
    same_length,
)
from cxjourney.metrics.estimate import Estimate, Parameter
from cxjourney.metrics.intervals import mean_t, quantile_type_7
from cxjourney.metrics.rates import Interval, flag_share
from cxjourney.metrics.survival import kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from cxjourney.metrics.business_hours import BusinessHours

__all__ = [
    "ElapsedTime",
    "elapsed_time",
    "first_response_time",
    "resolution_time",
    "sla_attainment",
]

_SECOND = 1_000_000
_P90 = 0.9


@attrs.frozen(kw_only=True, repr=False)
class ElapsedTime(Result):
    """How long something took: the typical case, the slow one, and the mean.

    Attributes
    ----------
    median, p90
        The time within which half and nine tenths are done [seconds]; NaN where it is not reached.
    mean
        The mean [seconds]; with open cases the restricted mean, up to the longest observation.
    """

    title = "Elapsed time"

    median: Estimate
    p90: Estimate
    mean: Estimate

    @property
    def n(self) -> int:
        """Number of cases, open ones included."""
        return self.median.n

    @property
    def n_censored(self) -> int:
        """Number of cases still open."""
        return self.median.n_censored

    @property
    def n_missing(self) -> int:
        """Number of cases left out because something was missing."""
        return self.median.n_missing

    def _table(self) -> Table:
        rows = {"median": self.median, "p90": self.p90, "mean": self.mean}
        return Table(
            {
                "statistic": list(rows),
                "value_s": [e.value for e in rows.values()],
                "low": [e.low for e in rows.values()],
                "high": [e.high for e in rows.values()],
            }
        )

    def _notes(self) -> tuple[str, ...]:
        counts = f"{self.n:,} cases, {self.n_censored:,} open, {self.n_missing:,} missing"
        methods = f"{100 * self.median.level:g}% {self.median.method}; mean: {self.mean.method}"
        estimates = (self.median, self.p90, self.mean)
        notes = dict.fromkeys(note for e in estimates for note in e.notes)
        return (counts, methods, *notes)


def elapsed_time(
    elapsed: Values,
    *,
    ended: Values | None = None,
    customer: Values | None = None,
    name: str = "elapsed_time",
    definition: str = "time from start to end",
    parameters: Mapping[str, Parameter] | None = None,
    exclusions: Mapping[str, int] | None = None,
    n_missing: int = 0,
    time_zone: str | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> ElapsedTime:
    """Return median, 90th percentile and mean of durations, some of which are still running.

    Parameters
    ----------
    elapsed
        How long each case took, or has been running [timedelta, at least 0].
    ended
        One flag a case: False where it is still running. None: all have ended.
    customer
        Whose case it is; with it the intervals allow for several cases of one customer.
    name, definition, parameters, exclusions, n_missing, time_zone
        What the cards of the numbers say.
    level
        Confidence level, in (0, 1).
    nan_policy
        What to do with missing durations: "omit", "raise" or "propagate".

    Returns
    -------
    ElapsedTime
        The three statistics [seconds]. All ended and no `customer`: quantiles of type 7 with
        order-statistic intervals, and the mean with Student's. Else: those of the Kaplan-Meier
        curve.

    Raises
    ------
    InvalidData
        If a duration is negative; carries the positions.
    InvalidValue
        If the column holds bare numbers, or lengths differ.

    Notes
    -----
    Durations are skewed: below some dozens of cases the mean's interval is too short on the right.
    Never average the quantiles of groups.

    Examples
    --------
    >>> from datetime import timedelta
    >>> minutes = [timedelta(minutes=m) for m in range(1, 21)]
    >>> half = elapsed_time(minutes).median
    >>> half.value, half.low, half.high
    (630.0, 360.0, 900.0)
    """
    check_level(level)
    us, missing = durations(elapsed, "elapsed")
    done = np.ones(len(us), dtype=bool)
    if ended is not None:
        done, unknown = flags(ended, "ended")
        same_length(elapsed=us, ended=done)
        missing = missing | unknown
    lost = is_undefined(missing, nan_policy, "elapsed")
    kept = ~missing if not lost else np.zeros(len(us), dtype=bool)
    card = _Card(
        name=name,
        definition=definition,
        parameters=dict(parameters or {}),
        exclusions=dict(exclusions or {}),
        n_missing=n_missing + int(missing.sum()),
        n_censored=int(np.count_nonzero(kept & ~done)),
        n=int(kept.sum()),
        time_zone=time_zone,
    )
    if done[kept].all() and customer is None:
        result = _complete(us[kept] / _SECOND, card, level)
    else:
        owner = None if customer is None else _rows(customer, kept)
        result = _censored(us[kept], done[kept], owner, card, level)
    if not lost:
        return result
    note = ("missing values propagated",)
    return ElapsedTime(
        median=attrs.evolve(result.median, notes=note),
        p90=attrs.evolve(result.p90, notes=note),
        mean=attrs.evolve(result.mean, notes=note),
    )


@attrs.frozen(kw_only=True)
class _Card:
    """What the three estimates of a result say alike."""

    name: str
    definition: str
    parameters: dict[str, Parameter]
    exclusions: dict[str, int]
    n: int
    n_missing: int
    n_censored: int
    time_zone: str | None

    def estimate(
        self,
        statistic: str,
        ends: tuple[float, float, float],
        *,
        level: float,
        method: str,
        notes: tuple[str, ...] = (),
    ) -> Estimate:
        return Estimate(
            value=ends[0],
            low=ends[1],
            high=ends[2],
            level=level,
            n=self.n,
            n_missing=self.n_missing,
            n_censored=self.n_censored,
            unit="seconds",
            method=method,
            notes=notes if self.n else ("empty",),
            name=f"{self.name}_{statistic}",
            definition=f"{statistic} of {self.definition}",
            parameters=self.parameters,
            exclusions=self.exclusions,
            time_zone=self.time_zone,
        )


def _rows(values: Values, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    from cxjourney.metrics.arrays import codes

    owner, _, unknown = codes(values, "customer")
    same_length(elapsed=kept, customer=owner)
    is_undefined(unknown & kept, "raise", "customer")
    return owner[kept]


def _complete(seconds: NDArray[np.float64], card: _Card, level: float) -> ElapsedTime:
    mean = float(seconds.mean()) if card.n else math.nan
    sd = float(seconds.std(ddof=1)) if card.n > 1 else math.nan
    low, high = mean_t(mean, sd, card.n, level=level)
    method = "order statistics"
    return ElapsedTime(
        median=card.estimate(
            "median", quantile_type_7(seconds, 0.5, level=level), level=level, method=method
        ),
        p90=card.estimate(
            "p90", quantile_type_7(seconds, _P90, level=level), level=level, method=method
        ),
        mean=card.estimate("mean", (mean, max(low, 0.0), high), level=level, method="Student's t"),
    )


def _censored(
    us: NDArray[np.int64],
    done: NDArray[np.bool_],
    owner: NDArray[np.int64] | None,
    card: _Card,
    level: float,
) -> ElapsedTime:
    curve = kaplan_meier(us.astype("timedelta64[us]"), done, customer=owner, level=level)
    half, slow, mean = curve.median, curve.quantile(_P90), curve.restricted_mean
    restricted = ("restricted mean: up to the longest observation",) if card.n_censored else ()
    return ElapsedTime(
        median=_restated(card, "median", half),
        p90=_restated(card, "p90", slow),
        mean=_restated(card, "mean", mean, restricted),
    )


def _restated(
    card: _Card, statistic: str, found: Estimate, notes: tuple[str, ...] = ()
) -> Estimate:
    if math.isnan(found.value) and "not reached" in found.notes:
        notes = (f"{statistic} not reached: too many are open",)
    ends = found.value, found.low, found.high
    return card.estimate(statistic, ends, level=found.level, method=found.method, notes=notes)


def resolution_time(
    opened: Values,
    resolved: Values,
    *,
    observed_until: datetime | None = None,
    business_hours: BusinessHours | None = None,
    paused: Values | None = None,
    which: Literal["first", "final"] = "final",
    customer: Values | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> ElapsedTime:
    """Return how long cases take to be resolved, the open ones included.

    Parameters
    ----------
    opened
        When each case was opened (stamps; those without a zone are UTC).
    resolved
        When it was resolved; missing: still open.
    observed_until
        The end of observation; needed where a case is open. A case resolved after it counts as
        open, since that was not yet known.
    business_hours
        Count only the time in which the service is open; None counts all time.
    paused
        How long each case waited for the customer [timedelta], to be subtracted.
    which
        Whether `resolved` holds the first or the final resolution of reopened cases; the card says
        it.
    customer
        Whose case it is; with it the intervals allow for several cases of one customer.
    level
        Confidence level, in (0, 1).
    nan_policy
        What to do with cases whose opening is missing: "omit", "raise" or "propagate".

    Returns
    -------
    ElapsedTime
        Median, 90th percentile and mean [seconds].

    Raises
    ------
    InvalidData
        If a case is resolved before it is opened, opened after the end of observation, or paused
        for longer than it took; carries the positions.
    InvalidValue
        If a case is open and `observed_until` is not given.

    Notes
    -----
    Statistics of all cases opened, not of those closed in a period: the latter are a biased choice.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> day = lambda d: datetime(2026, 1, d, tzinfo=UTC)
    >>> times = resolution_time(
    ...     [day(1), day(1), day(2), day(3)], [day(2), day(4), None, day(5)],
    ...     observed_until=day(10),
    ... )
    >>> times.median.value / 86400, times.n_censored
    (2.0, 1)
    """
    check_choice(which, "which", ("first", "final"))
    us, ended, missing = _between(
        opened, resolved, ("opened", "resolved"), observed_until, business_hours
    )
    if paused is not None:
        waited, unknown = durations(paused, "paused")
        same_length(opened=us, paused=waited)
        missing = missing | unknown
        _refuse((waited > us) & ~missing, "paused for longer than it took")
        us = us - np.where(missing, 0, waited)
    return elapsed_time(
        _timedeltas(us, missing),
        ended=ended,
        customer=customer,
        name="resolution_time",
        definition="time from opening to resolution",
        parameters={
            "which": which,
            "clock": "business hours" if business_hours else "all time",
            "pauses_subtracted": paused is not None,
        },
        time_zone=None if business_hours is None else business_hours.time_zone,
        level=level,
        nan_policy=nan_policy,
    )


def first_response_time(
    received: Values,
    responded: Values,
    *,
    automatic: Values | None = None,
    observed_until: datetime | None = None,
    business_hours: BusinessHours | None = None,
    customer: Values | None = None,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> ElapsedTime:
    """Return how long customers wait for the first human answer, the unanswered included.

    Parameters
    ----------
    received
        When each request came in (stamps; those without a zone are UTC).
    responded
        When it was first answered by a person; missing: not yet.
    automatic
        One flag a request: True where `responded` is an automatic reply and no person has answered
        yet. It counts as unanswered.
    observed_until
        The end of observation; needed where a request is unanswered.
    business_hours
        Count only the time in which the service is open; None counts all time.
    customer
        Whose request it is; with it the intervals allow for several requests of one customer.
    level
        Confidence level, in (0, 1).
    nan_policy
        What to do with requests whose time is missing: "omit", "raise" or "propagate".

    Returns
    -------
    ElapsedTime
        Median, 90th percentile and mean [seconds].

    Raises
    ------
    InvalidData
        If an answer precedes its request; carries the positions.
    InvalidValue
        If a request is unanswered and `observed_until` is not given.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> minute = lambda m: datetime(2026, 1, 1, 9, m, tzinfo=UTC)
    >>> first_response_time([minute(0), minute(5)], [minute(2), minute(9)]).mean.value
    180.0
    """
    if automatic is not None:
        robot, unknown = flags(automatic, "automatic")
        is_undefined(unknown, "raise", "automatic")
        stamps, absent = instants(responded, "responded")
        same_length(responded=stamps, automatic=robot)
        responded = np.where(absent | robot, np.datetime64("NaT"), stamps.astype("datetime64[us]"))
    us, ended, missing = _between(
        received, responded, ("received", "responded"), observed_until, business_hours
    )
    return elapsed_time(
        _timedeltas(us, missing),
        ended=ended,
        customer=customer,
        name="first_response_time",
        definition="time from request to first human answer",
        parameters={"clock": "business hours" if business_hours else "all time"},
        time_zone=None if business_hours is None else business_hours.time_zone,
        level=level,
        nan_policy=nan_policy,
    )


def _timedeltas(us: NDArray[np.int64], missing: NDArray[np.bool_]) -> NDArray[np.timedelta64]:
    return np.where(missing, np.timedelta64("NaT"), us.astype("timedelta64[us]"))


def _refuse(bad: NDArray[np.bool_], problem: str) -> None:
    if bad.any():
        raise InvalidData.at_rows(problem, np.flatnonzero(bad).tolist())


def _between(
    start: Values,
    end: Values,
    names: tuple[str, str],
    observed_until: datetime | None,
    business_hours: BusinessHours | None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return microseconds from start to end or snapshot, whether it ended, and what is missing."""
    start_us, missing = instants(start, names[0])
    end_us, open_ = instants(end, names[1])
    same_length(**{names[0]: start_us, names[1]: end_us})
    ended = ~open_
    _refuse(~missing & ended & (end_us < start_us), f"{names[1]} lies before {names[0]}")
    if observed_until is not None:
        until = instant(observed_until, "observed_until")
        _refuse(~missing & (start_us > until), f"{names[0]} lies after observed_until")
        ended = ended & (end_us <= until)
        end_us = np.where(ended, end_us, until)
    elif (open_ & ~missing).any():
        raise InvalidValue.of("observed_until", f"be given where {names[1]} is missing", None)
    start_us, end_us = np.where(missing, 0, start_us), np.where(missing, 0, end_us)
    if business_hours is None:
        return end_us - start_us, ended, missing
    us = np.zeros(len(start_us), dtype=np.int64)
    us[~missing] = business_hours.elapsed_us(start_us[~missing], end_us[~missing])
    return us, ended, missing


def sla_attainment(
    elapsed: Values,
    target: timedelta,
    *,
    ended: Values | None = None,
    abandoned: Values | None = None,
    abandoned_counts_as: Literal["missed", "excluded"] = "missed",
    customer: Values | None = None,
    level: float = 0.95,
    interval: Interval = "wilson",
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return the share of cases done within the promised time.

    Parameters
    ----------
    elapsed
        How long each case took, or has been running [timedelta, at least 0].
    target
        The promise: within this time, itself included.
    ended
        One flag a case: False where it is still running. Running past the target it is breached;
        running within it, it is pending, left out and counted in `n_censored`. None: all ended.
    abandoned
        One flag a case: True where the customer gave up before an answer.
    abandoned_counts_as
        "missed" or "excluded"; a service level such as 80/20 means little without it.
    customer
        Whose case it is; with it the interval allows for several cases of one customer.
    level
        Confidence level, in (0, 1).
    interval
        How the interval is made.
    nan_policy
        What to do with missing durations: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The share [fraction].

    Raises
    ------
    InvalidData
        If a duration is negative; carries the positions.
    InvalidValue
        If the target is not a positive timedelta, or lengths differ.

    Notes
    -----
    met / (met + breached). Pending cases are young, and some of them will breach: with many of them
    read `1 - kaplan_meier(elapsed, ended).at(target)` instead.

    Examples
    --------
    >>> from datetime import timedelta
    >>> waits = [timedelta(seconds=s) for s in (5, 12, 20, 45)]
    >>> sla_attainment(waits, timedelta(seconds=20)).value
    0.75
    """
    check_choice(abandoned_counts_as, "abandoned_counts_as", ("missed", "excluded"))
    limit = duration_us(check_duration(target, "target"))
    us, missing = durations(elapsed, "elapsed")
    done, gave_up = np.ones(len(us), dtype=bool), np.zeros(len(us), dtype=bool)
    if ended is not None:
        done, unknown = flags(ended, "ended")
        same_length(elapsed=us, ended=done)
        missing = missing | unknown
    if abandoned is not None:
        gave_up, unknown = flags(abandoned, "abandoned")
        same_length(elapsed=us, abandoned=gave_up)
        missing = missing | unknown
    met = done & (us <= limit) & ~gave_up
    excluded = {"abandoned": gave_up & ~missing} if abandoned_counts_as == "excluded" else {}
    return flag_share(
        np.ma.MaskedArray(met, missing),
        argument="elapsed",
        name="sla_attainment",
        definition="cases within the target / cases within or past it",
        exclude=excluded,
        censored=~done & (us <= limit) & ~gave_up,
        customer=customer,
        parameters={
            "target_s": limit / _SECOND,
            "abandoned_counts_as": abandoned_counts_as if abandoned is not None else None,
        },
        nan_policy=nan_policy,
        level=level,
        interval=interval,
    )
