"""Conversion, abandonment and bounces: shares of units, those in progress apart."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    durations,
    flags,
    is_undefined,
    numbers,
    refuse_rows,
    same_length,
)
from cxjourney._support.validation import check_choice, duration_us, optional_duration
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._stats.estimate import Estimate

from cxjourney.metrics._rates import Interval, below, flag_share

_GA4_ENGAGED_US = duration_us(timedelta(seconds=10))


def conversion_rate(
    converted: Values,
    *,
    eligible: Values | None = None,
    in_progress: Values | None = None,
    customer: Values | None = None,
    unit: Literal["user", "session", "journey"] = "journey",
    nan_policy: NanPolicy = "omit",
    level: float = 0.95,
    interval: Interval = "wilson",
) -> Estimate:
    """Return the share of eligible units that converted.

    Parameters
    ----------
    converted, eligible
        One flag a unit (true, false, 0, 1); those not eligible, such as users who had converted
        before, are left out.
    in_progress
        One flag a unit: True where it is still running. Such a unit without a conversion is neither
        converted nor lost: it is left out and counted in `n_censored`.
    customer
        Whose unit it is; with it the interval allows for several units of one customer.
    unit
        What is counted; rates of users, sessions and journeys are different numbers.
    nan_policy, level, interval
        Missing flags: "omit", "raise" or "propagate"; confidence level, in (0, 1); how the
        interval is made.

    Returns
    -------
    Estimate
        The rate [fraction].

    Raises
    ------
    InvalidData
        If a flag is not one, or missing where the policy is "raise".
    InvalidValue
        If lengths differ or an option is unknown.

    Notes
    -----
    converted / eligible (Farris et al. 2010). Leaving out units in progress favours quick ones:
    where many are open, use the cumulative incidence of conversion at a horizon.

    Examples
    --------
    >>> conversion_rate([1, 0, 0, 1, 0, 0, 0, 0])
    25.0% [7.1%, 59.1%] (95% Wilson, n=8)
    """
    check_choice(unit, "unit", ("user", "session", "journey"))
    hits, missing = flags(converted, "converted")
    units = {"converted": hits}
    usable = _mask(eligible, "eligible", units)
    running = _mask(in_progress, "in_progress", units)
    censored = None if running is None else running & ~hits
    notes: tuple[str, ...] = ()
    if censored is not None and censored.any():
        notes = ("Units in progress are left out, which favours quick conversions.",)
    return flag_share(
        np.ma.MaskedArray(hits, missing),
        argument="converted",
        name="conversion_rate",
        definition=f"converted {unit}s / eligible {unit}s",
        exclude={} if usable is None else {"not eligible": ~usable},
        censored=censored,
        customer=customer,
        parameters={"unit": unit},
        notes=notes,
        nan_policy=nan_policy,
        level=level,
        interval=interval,
    )


def abandonment_rate(
    completed: Values,
    *,
    age: Values | None = None,
    horizon: timedelta | str | None = None,
    waited: Values | None = None,
    short: timedelta | str | None = None,
    customer: Values | None = None,
    nan_policy: NanPolicy = "omit",
    level: float = 0.95,
    interval: Interval = "wilson",
) -> Estimate:
    """Return the share of starts (carts, forms, calls) that were not completed.

    Parameters
    ----------
    completed
        One flag a start (true, false, 0, 1).
    age, horizon
        Time from each start to the end of observation [timedelta]. Starts younger than the horizon
        may still be completed: they are left out, completed or not, and counted in `n_censored`.
    waited, short
        Time until each caller hung up or was answered [timedelta]. Abandoned calls that waited less
        than `short` are left out, as call centres do (5 s is usual).
    customer
        Whose start it is; with it the interval allows for several starts of one customer.
    nan_policy, level, interval
        Missing flags: "omit", "raise" or "propagate"; confidence level, in (0, 1); how the
        interval is made.

    Returns
    -------
    Estimate
        1 - completed / starts [fraction], among starts at least `horizon` old.

    Raises
    ------
    InvalidData
        If a flag is not one, a duration is negative or missing.
    InvalidValue
        If `age` comes without `horizon`, `waited` without `short`, or lengths differ.

    Notes
    -----
    A start completed after the horizon counts as completed: pass flags of completion within the
    horizon if that matters.

    Examples
    --------
    >>> abandonment_rate([True, False, False, True, False])
    60.0% [23.1%, 88.2%] (95% Wilson, n=5)
    """
    horizon, short = optional_duration(horizon, "horizon"), optional_duration(short, "short")
    done, missing = flags(completed, "completed")
    young = below(age, "age", horizon, "horizon", {"completed": done})
    brief = below(waited, "waited", short, "short", {"completed": done})
    exclude = {} if brief is None else {"short": brief & ~done & ~missing}
    return flag_share(
        np.ma.MaskedArray(~done, missing),
        argument="completed",
        name="abandonment_rate",
        definition="starts not completed / starts",
        exclude=exclude,
        censored=young,
        customer=customer,
        parameters={
            "horizon_s": None if horizon is None else horizon.total_seconds(),
            "short_s": None if short is None else short.total_seconds(),
        },
        nan_policy=nan_policy,
        level=level,
        interval=interval,
    )


def bounce_rate(
    views: Values,
    *,
    definition: Literal["classic", "ga4"] = "classic",
    engaged_time: Values | None = None,
    key_event: Values | None = None,
    customer: Values | None = None,
    nan_policy: NanPolicy = "omit",
    level: float = 0.95,
    interval: Interval = "wilson",
) -> Estimate:
    """Return the share of sessions that bounced.

    Parameters
    ----------
    views
        Number of page views (or interactions) of each session, at least 1.
    definition
        "classic": one view only. "ga4": not engaged, where engaged means two views, a key event or
        more than 10 seconds in the foreground. The two are not comparable.
    engaged_time, key_event
        For "ga4": foreground time of each session [timedelta], required, and one flag each; None
        means that none had a key event.
    customer
        Whose session it is; with it the interval allows for several sessions of one customer.
    nan_policy, level, interval
        Missing view counts or times: "omit", "raise" or "propagate"; confidence level, in (0, 1);
        how the interval is made.

    Returns
    -------
    Estimate
        The rate [fraction].

    Raises
    ------
    InvalidData
        If a session has less than one view, or a fraction of one.
    InvalidValue
        If the arguments do not belong to the definition, or lengths differ.

    Notes
    -----
    A bounce is not a failure where one page holds the answer. The GA4 rule is that of Google
    Analytics 4 at its default of 10 seconds.

    Examples
    --------
    >>> bounce_rate([1, 3, 1, 2])
    50.0% [15.0%, 85.0%] (95% Wilson, n=4)
    """
    check_choice(definition, "definition", ("classic", "ga4"))
    counts = numbers(views, "views").astype(np.float64)
    missing = np.isnan(counts)
    refuse_rows(
        ~missing & ((counts < 1) | (counts != np.rint(counts))),
        "views must be whole and at least 1",
    )
    bounced = counts == 1
    if definition == "classic":
        if engaged_time is not None or key_event is not None:
            raise InvalidValue.of(
                "definition", 'be "ga4" where engaged_time or key_event is given', definition
            )
    else:
        if engaged_time is None:
            raise InvalidValue.of("engaged_time", 'be given for definition="ga4"', None)
        us, unknown = durations(engaged_time, "engaged_time")
        same_length(views=counts, engaged_time=us)
        keyed = _mask(key_event, "key_event", {"views": counts})
        bounced &= us <= _GA4_ENGAGED_US
        if keyed is not None:
            bounced &= ~keyed
            unknown &= ~keyed
        missing |= unknown & (counts == 1)
    return flag_share(
        np.ma.MaskedArray(bounced, missing),
        argument="views",
        name="bounce_rate",
        definition="sessions that bounced / sessions",
        customer=customer,
        parameters={"definition": definition},
        nan_policy=nan_policy,
        level=level,
        interval=interval,
    )


def _mask(
    values: Values | None, argument: str, units: dict[str, NDArray[Any]]
) -> NDArray[np.bool_] | None:
    if values is None:
        return None
    mask, missing = flags(values, argument)
    same_length(**units, **{argument: mask})
    is_undefined(missing, "raise", argument)
    return mask
