"""Waiting times for a resolution or an answer, and promises kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    durations,
    flags,
    is_undefined,
    refuse_rows,
    same_length,
)
from cxjourney._support.validation import check_choice, check_duration, duration_us
from cxjourney._time.business_hours import BusinessHours
from cxjourney._time.calendar import instant, instants
from cxjourney.exceptions import InvalidValue
from cxjourney.metrics._rates import Interval, flag_share

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from cxjourney._stats.estimate import Estimate

from cxjourney.metrics._service.elapsed import ElapsedTime, elapsed_time

_SECOND = 1_000_000


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
    """Return how long cases take to be resolved, those in progress included.

    Parameters
    ----------
    opened, resolved
        When each case was opened and resolved (timestamps; those without a zone are UTC); missing:
        not yet.
    observed_until
        The end of observation, in UTC if it has no zone; the card says it. Needed where a case is
        open. A case resolved after it counts as
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
    level, nan_policy
        Confidence level, in (0, 1); what to do with cases whose opening is missing: "omit", "raise"
        or "propagate".

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
        refuse_rows((waited > us) & ~missing, "paused for longer than it took")
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
            "observed_until": _shown(observed_until),
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
        When each request came in (timestamps; those without a zone are UTC).
    responded
        When it was first answered by a person; missing: not yet.
    automatic
        One flag a request: True where `responded` is an automatic reply and no person has answered
        yet. It counts as unanswered.
    observed_until, business_hours
        As for `resolution_time`.
    customer
        Whose request it is; with it the intervals allow for several requests of one customer.
    level, nan_policy
        Confidence level, in (0, 1); what to do with requests whose time is missing: "omit", "raise"
        or "propagate".

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
        timestamps, absent = instants(responded, "responded")
        same_length(responded=timestamps, automatic=robot)
        responded = np.where(
            absent | robot, np.datetime64("NaT"), timestamps.astype("datetime64[us]")
        )
    us, ended, missing = _between(
        received, responded, ("received", "responded"), observed_until, business_hours
    )
    return elapsed_time(
        _timedeltas(us, missing),
        ended=ended,
        customer=customer,
        name="first_response_time",
        definition="time from request to first human answer",
        parameters={
            "clock": "business hours" if business_hours else "all time",
            "observed_until": _shown(observed_until),
        },
        time_zone=None if business_hours is None else business_hours.time_zone,
        level=level,
        nan_policy=nan_policy,
    )


def _shown(observed_until: datetime | None) -> str | None:
    """Return the end of observation as the instant that it was taken for."""
    if observed_until is None:
        return None
    us = instant(observed_until, "observed_until")
    return f"{np.datetime64(us, 'us').astype('datetime64[s]')}Z"


def _timedeltas(us: NDArray[np.int64], missing: NDArray[np.bool_]) -> NDArray[np.timedelta64]:
    return np.where(missing, np.timedelta64("NaT"), us.astype("timedelta64[us]"))


def _between(
    start: Values,
    end: Values,
    names: tuple[str, str],
    observed_until: datetime | None,
    business_hours: BusinessHours | None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return microseconds from start to end or snapshot, whether it ended, and what is missing."""
    if business_hours is not None and not isinstance(business_hours, BusinessHours):
        raise InvalidValue.of("business_hours", "be a BusinessHours or None", business_hours)
    start_us, missing = instants(start, names[0])
    end_us, open_ = instants(end, names[1])
    same_length(**{names[0]: start_us, names[1]: end_us})
    ended = ~open_
    refuse_rows(~missing & ended & (end_us < start_us), f"{names[1]} lies before {names[0]}")
    if observed_until is not None:
        until = instant(observed_until, "observed_until")
        refuse_rows(~missing & (start_us > until), f"{names[0]} lies after observed_until")
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
    target: timedelta | str,
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
    elapsed, target
        How long each case took, or has been running [timedelta, at least 0]; the promise: within
        this time, itself included.
    ended
        One flag a case: False where it is still running. Running past the target it is breached;
        running within it, it is censored, left out and counted in `n_censored`. None: all ended.
    abandoned, abandoned_counts_as
        One flag a case, True where the customer gave up before an answer, and whether that is
        "missed" or "excluded"; a service level such as 80/20 means little without it.
    customer
        Whose case it is; with it the interval allows for several cases of one customer.
    level, interval, nan_policy
        Confidence level, in (0, 1); how the interval is made; what to do with missing durations:
        "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The share [fraction].

    Raises
    ------
    InvalidData
        If a duration is negative; carries the positions.
    InvalidValue
        If the target is no positive length of time, or lengths differ.

    Notes
    -----
    met / (met + breached). Censored cases are young, and some will breach: with many of them
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
