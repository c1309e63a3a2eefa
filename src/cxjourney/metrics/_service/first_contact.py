"""Resolution at first contact."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    codes,
    flags,
    is_undefined,
    refuse_rows,
    same_length,
)
from cxjourney._support.validation import check_duration, check_flag, duration_us
from cxjourney._time.calendar import instant, instants
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics._rates import Interval, flag_share, undefined

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from cxjourney._stats.estimate import Estimate

_FCR = "issues with one contact and none within the window after / issues"

_SECOND = 1_000_000


def first_contact_resolution(
    contacted: Values,
    *,
    issue: Values | None = None,
    customer: Values | None = None,
    category: Values | None = None,
    closed: Values | None = None,
    observed_until: datetime,
    window: timedelta | str = timedelta(days=7),
    not_resolvable: Values | None = None,
    clustered: bool = False,
    level: float = 0.95,
    interval: Interval = "wilson",
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return the share of issues that needed one contact and no second within a window.

    Parameters
    ----------
    contacted
        When each inbound contact happened, in whatever channel (timestamps; those without a zone
        are UTC). One row a contact, in any order.
    issue
        Which issue the contact was about. Without it, contacts of one customer (and category) that
        follow each other within the window are one issue.
    customer, category
        Whose contact it was and what about; `customer` is needed where `issue` is not given.
    closed
        When the issue of the contact was closed; missing: not yet. Rows of one issue must agree.
        With `issue` only.
    observed_until, window
        The end of observation, and how long it must stay quiet: after closing if `closed` is given,
        else after the first contact. A silence of exactly the window is quiet.
    not_resolvable
        One flag a contact: True where it could not be resolved at the first level; such an issue is
        left out (net rate).
    clustered
        Whether the interval allows for several issues of one customer; needs `customer`.
    level, interval, nan_policy
        Confidence level, in (0, 1); how the interval is made; what to do with contacts whose time
        or issue is missing: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The share [fraction]. Issues in progress, or whose window had not passed when observation
        ended, are counted in `n_censored`, whatever had happened to them by then.

    Raises
    ------
    InvalidData
        If a contact lies after the end of observation, an issue closed before its first contact, or
        the rows of one issue disagree about its closing; carries the positions.
    InvalidValue
        If neither `issue` nor `customer` is given, or arguments do not belong together.

    Notes
    -----
    Tools differ: windows from a day to 30 days, contacts or a survey's yes and no. Compare only
    what was measured alike. It is gamed by not recording second contacts. From a survey it is a
    plain share: use `proportion`.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> day = lambda d: datetime(2026, 1, d, tzinfo=UTC)
    >>> first_contact_resolution(
    ...     [day(1), day(2), day(4), day(20)], customer=["a", "b", "b", "c"],
    ...     observed_until=day(22),
    ... )
    50.0% [9.5%, 90.5%] (95% Wilson, n=2, censored=1)
    """
    check_flag(clustered, "clustered")
    span = duration_us(check_duration(window, "window"))
    until = instant(observed_until, "observed_until")
    at, missing = instants(contacted, "contacted")
    group, unknown = _groups(issue, customer, category, len(at))
    missing = missing | unknown
    refuse_rows(~missing & (at > until), "contacted lies after observed_until")
    given = {"closed": closed, "customer": customer, "not_resolvable": not_resolvable}
    for argument, column in given.items():
        if column is not None:
            same_length(contacted=at, **{argument: codes(column, argument)[0]})
    if closed is not None and issue is None:
        raise InvalidValue.of("closed", "come with issue", "no issue")
    if clustered and customer is None:
        raise InvalidValue.of("customer", "be given for clustered=True", None)
    parameters = {
        "window_s": span / _SECOND,
        "issues": "given" if issue is not None else "contacts within the window",
        "closing": "given" if closed is not None else "first contact",
        "net": not_resolvable is not None,
    }
    if is_undefined(missing, nan_policy, "contacted"):
        return undefined(
            name="first_contact_resolution",
            definition=_FCR,
            parameters=parameters,
            n_missing=int(missing.sum()),
            level=level,
        )
    rows = np.flatnonzero(~missing)
    rows = rows[np.lexsort((at[rows], group[rows]))]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = group[rows][1:] != group[rows][:-1]
    if issue is None:
        new[1:] |= np.diff(at[rows]) >= span
    starts = np.flatnonzero(new)
    first = at[rows[starts]]
    sizes = np.diff(np.r_[starts, len(rows)])
    if closed is None:
        quiet_from, open_ = first, np.zeros(len(first), dtype=bool)
        repeated = _within(at[rows], starts, first, first + span) > 1
    else:
        quiet_from, open_ = _closings(closed, rows, starts, sizes)
        early = ~open_ & (quiet_from < first)
        _refuse_at(rows[starts[early]], "an issue is closed before its first contact")
        open_ |= quiet_from > until
        repeated = _within(at[rows], starts, first, quiet_from + span) > 1
    hard = np.zeros(len(starts), dtype=bool)
    if not_resolvable is not None:
        flagged, blank = flags(not_resolvable, "not_resolvable")
        is_undefined(blank & ~missing, "raise", "not_resolvable")
        hard = np.add.reduceat(flagged[rows], starts) > 0 if len(starts) else hard
    owner = None
    if clustered and customer is not None:
        owner, _, nobody = codes(customer, "customer")
        is_undefined(nobody & ~missing, "raise", "customer")
        owner = owner[rows[starts]]
    estimate = flag_share(
        ~repeated,
        argument="contacted",
        name="first_contact_resolution",
        definition=_FCR,
        exclude={"not resolvable": hard} if not_resolvable is not None else {},
        censored=open_ | (quiet_from + span > until),
        customer=owner,
        parameters=parameters,
        level=level,
        interval=interval,
    )
    return attrs.evolve(estimate, n_missing=int(missing.sum()))


def _groups(
    issue: Values | None, customer: Values | None, category: Values | None, n: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    if issue is not None:
        if category is not None:
            raise InvalidValue.of("category", "not come with issue", "both")
        group, _, unknown = codes(issue, "issue")
        same_length(contacted=range(n), issue=group)
        return group, unknown
    if customer is None:
        raise InvalidValue.of("issue or customer", "be given", None)
    group, _, unknown = codes(customer, "customer")
    same_length(contacted=range(n), customer=group)
    if category is not None:
        about, n_categories, blank = codes(category, "category")
        same_length(contacted=range(n), category=about)
        group, unknown = group * n_categories + about, unknown | blank
    return group, unknown


def _within(
    at: NDArray[np.int64],
    starts: NDArray[np.intp],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how many timestamps of each group lie from its `low` to before its `high`."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    sizes = np.diff(np.r_[starts, len(at)])
    inside = (at >= np.repeat(low, sizes)) & (at < np.repeat(high, sizes))
    return np.add.reduceat(inside.astype(np.int64), starts)


def _closings(
    closed: Values, rows: NDArray[np.intp], starts: NDArray[np.intp], sizes: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    timestamps, blank = instants(closed, "closed")
    timestamps, blank = timestamps[rows], blank[rows]
    differs = (timestamps != np.repeat(timestamps[starts], sizes)) | (
        blank != np.repeat(blank[starts], sizes)
    )
    _refuse_at(rows[differs], "rows of one issue disagree about closed")
    return timestamps[starts], blank[starts].copy()


def _refuse_at(rows: NDArray[np.intp], problem: str) -> None:
    if len(rows):
        raise InvalidData.at_rows(problem, np.sort(rows).tolist())
