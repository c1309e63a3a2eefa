"""How well a service answers: at first contact, by the right person, for good, and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._support.validation import check_choice, check_duration, check_rng, duration_us
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics._calendar import instant, instants
from cxjourney.metrics.arrays import (
    NanPolicy,
    Values,
    codes,
    durations,
    flags,
    is_undefined,
    numbers,
    same_length,
)
from cxjourney.metrics.rates import Interval, event_rate, flag_share, undefined
from cxjourney.metrics.resampling import resampled_ratio

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from cxjourney.metrics.estimate import Estimate

__all__ = ["contact_rate", "first_contact_resolution", "reopen_rate", "transfer_rate"]

_FCR = "issues with one contact and none within the window after / issues"
_SECOND = 1_000_000
_SURE = 1.5
_FEWEST = 10
_RESAMPLES = 9_999


def first_contact_resolution(
    contacted: Values,
    *,
    issue: Values | None = None,
    customer: Values | None = None,
    category: Values | None = None,
    closed: Values | None = None,
    observed_until: datetime,
    window: timedelta = timedelta(days=7),
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
        When each inbound contact happened, in whatever channel (stamps; those without a zone are
        UTC). One row a contact, in any order.
    issue
        Which issue the contact was about. Without it, contacts of one customer (and category) that
        follow each other within the window are one issue.
    customer, category
        Whose contact it was and what about; `customer` is needed where `issue` is not given.
    closed
        When the issue of the contact was closed; missing: still open. Rows of one issue must agree.
        With `issue` only.
    observed_until
        The end of observation.
    window
        How long it must stay quiet: after closing if `closed` is given, else after the first
        contact. A silence of exactly the window is quiet.
    not_resolvable
        One flag a contact: True where it could not be resolved at the first level; such an issue is
        left out (net rate).
    clustered
        Whether the interval allows for several issues of one customer; needs `customer`.
    level
        Confidence level, in (0, 1).
    interval
        How the interval is made.
    nan_policy
        What to do with contacts whose time or issue is missing: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The share [fraction]. Issues still open, or whose window had not passed when observation
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
    50.0% [9.5%, 90.5%] (95% Wilson, n=2, open=1)
    """
    span = duration_us(check_duration(window, "window"))
    until = instant(observed_until, "observed_until")
    at, missing = instants(contacted, "contacted")
    group, unknown = _groups(issue, customer, category, len(at))
    missing = missing | unknown
    _refuse(~missing & (at > until), "contacted lies after observed_until")
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
        owner = codes(customer, "customer")[0][rows[starts]]
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
    """Return how many stamps of each group lie from its `low` to before its `high`."""
    if not len(starts):
        return np.zeros(0, dtype=np.int64)
    sizes = np.diff(np.r_[starts, len(at)])
    inside = (at >= np.repeat(low, sizes)) & (at < np.repeat(high, sizes))
    return np.add.reduceat(inside.astype(np.int64), starts)


def _closings(
    closed: Values, rows: NDArray[np.intp], starts: NDArray[np.intp], sizes: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    stamps, blank = instants(closed, "closed")
    stamps, blank = stamps[rows], blank[rows]
    differs = (stamps != np.repeat(stamps[starts], sizes)) | (
        blank != np.repeat(blank[starts], sizes)
    )
    _refuse_at(rows[differs], "rows of one issue disagree about closed")
    return stamps[starts], blank[starts].copy()


def _refuse(bad: NDArray[np.bool_], problem: str) -> None:
    _refuse_at(np.flatnonzero(bad), problem)


def _refuse_at(rows: NDArray[np.intp], problem: str) -> None:
    if len(rows):
        raise InvalidData.at_rows(problem, np.sort(rows).tolist())


def transfer_rate(
    transferred: Values,
    *,
    customer: Values | None = None,
    level: float = 0.95,
    interval: Interval = "wilson",
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return the share of contacts that were handed to someone else.

    Parameters
    ----------
    transferred
        One flag a contact.
    customer
        Whose contact it is; with it the interval allows for several contacts of one customer.
    level
        Confidence level, in (0, 1).
    interval
        How the interval is made.
    nan_policy
        What to do with missing flags: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The share [fraction]; a contact handed on twice counts once.

    Raises
    ------
    InvalidData
        If a flag is not one; carries the positions.

    Notes
    -----
    A transfer to the right specialist may serve the customer better than none: read it beside the
    resolution at first contact.

    Examples
    --------
    >>> transfer_rate([True, False, False, False]).value
    0.25
    """
    return flag_share(
        transferred,
        argument="transferred",
        name="transfer_rate",
        definition="contacts transferred / contacts",
        customer=customer,
        level=level,
        interval=interval,
        nan_policy=nan_policy,
    )


def reopen_rate(
    reopened: Values,
    *,
    age: Values | None = None,
    window: timedelta | None = None,
    customer: Values | None = None,
    level: float = 0.95,
    interval: Interval = "wilson",
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return the share of closed cases that were opened again.

    Parameters
    ----------
    reopened
        One flag a closed case: True where it was reopened (within the window, if there is one).
    age
        Time from closing to the end of observation [timedelta]. With `window`.
    window
        Cases closed more recently may still be reopened: they are left out, reopened or not, and
        counted in `n_censored`.
    customer
        Whose case it is; with it the interval allows for several cases of one customer.
    level
        Confidence level, in (0, 1).
    interval
        How the interval is made.
    nan_policy
        What to do with missing flags: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        The share [fraction]; a case reopened twice counts once.

    Raises
    ------
    InvalidData
        If a flag is not one, an age is negative or missing; carries the positions.
    InvalidValue
        If `age` comes without `window`, or lengths differ.

    Examples
    --------
    >>> from datetime import timedelta
    >>> ages = [timedelta(days=d) for d in (30, 30, 30, 2)]
    >>> reopen_rate([True, False, False, False], age=ages, window=timedelta(days=7)).denominator
    3
    """
    hits, missing = flags(reopened, "reopened")
    young = None
    if age is not None or window is not None:
        if age is None or window is None:
            given, lacking = ("age", "window") if window is None else ("window", "age")
            raise InvalidValue.of(lacking, f"be given together with {given}", None)
        us, unknown = durations(age, "age")
        same_length(reopened=hits, age=us)
        is_undefined(unknown, "raise", "age")
        young = us < duration_us(check_duration(window, "window"))
    return flag_share(
        np.ma.MaskedArray(hits, missing),
        argument="reopened",
        name="reopen_rate",
        definition="closed cases reopened / closed cases",
        censored=young,
        customer=customer,
        parameters={"window_s": None if window is None else window.total_seconds()},
        level=level,
        interval=interval,
        nan_policy=nan_policy,
    )


def contact_rate(
    contacts: Values,
    *,
    exposure: Values | None = None,
    per: str = "customer",
    interval: Literal["garwood", "bootstrap"] = "garwood",
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
    rng: np.random.Generator | int | None = None,
) -> Estimate:
    """Return how many contacts there are per customer, order or whatever is counted.

    Parameters
    ----------
    contacts
        Number of contacts of each customer (or order, day …), those without any included.
    exposure
        What each stands for: its orders, its months. None: one each.
    per
        What the exposure is counted in, for the unit.
    interval
        "garwood" (exact Poisson) or "bootstrap" (rows resampled), which allows for customers who
        call again and again.
    level
        Confidence level, in (0, 1).
    nan_policy
        What to do with missing numbers: "omit", "raise" or "propagate".
    rng
        Generator or seed of the bootstrap.

    Returns
    -------
    Estimate
        Σ contacts / Σ exposure [contacts per `per`]; a note says if the counts vary more than
        Poisson's do, since Garwood's interval is too narrow then. For plain totals use
        `event_rate`.

    Raises
    ------
    InvalidData
        If a number is negative, infinite, or a count is not whole; carries the positions.
    InvalidValue
        If lengths differ or an option is unknown.

    Notes
    -----
    A ratio of sums, not a mean of ratios: large customers weigh more.

    Examples
    --------
    >>> contact_rate([0, 2, 1, 0, 1], per="order").value
    0.8
    """
    check_choice(interval, "interval", ("garwood", "bootstrap"))
    counts = numbers(contacts, "contacts").astype(np.float64)
    base = (
        np.ones(len(counts))
        if exposure is None
        else numbers(exposure, "exposure").astype(np.float64)
    )
    same_length(contacts=counts, exposure=base)
    broken = ~np.isnan(counts) & ((counts < 0) | (counts != np.rint(counts)))
    _refuse(broken, "contacts must be whole and at least 0")
    _refuse(base < 0, "exposure must be at least 0")
    missing = np.isnan(counts) | np.isnan(base)
    unit = f"contacts per {per}"
    n_missing = int(missing.sum())
    if is_undefined(missing, nan_policy, "contacts"):
        return undefined(
            name="contact_rate", definition=unit, n_missing=n_missing, unit=unit, level=level
        )
    counts, base = counts[~missing], base[~missing]
    dispersion = _dispersion(counts, base)
    notes: tuple[str, ...] = ()
    if dispersion > _SURE and interval == "garwood":
        notes = (f"counts vary {dispersion:.1f} times as much as Poisson's: too narrow",)
    estimate = event_rate(
        int(counts.sum()),
        float(base.sum()),
        unit=unit,
        name="contact_rate",
        definition="contacts / exposure",
        parameters={"per": per, "interval": interval},
        n_missing=n_missing,
        notes=notes,
        level=level,
    )
    if interval == "garwood":
        return estimate
    return _resampled(estimate, counts, base, rng)


def _dispersion(counts: NDArray[np.float64], exposure: NDArray[np.float64]) -> float:
    """Return Pearson's χ² over its degrees of freedom: 1 for Poisson counts."""
    used = exposure > 0
    n, total = int(used.sum()), counts[used].sum()
    if n < _FEWEST or total == 0:
        return 1.0
    expected = total / exposure[used].sum() * exposure[used]
    return float((((counts[used] - expected) ** 2) / expected).sum()) / (n - 1)


def _resampled(
    estimate: Estimate,
    counts: NDArray[np.float64],
    exposure: NDArray[np.float64],
    rng: np.random.Generator | int | None,
) -> Estimate:
    low = high = float("nan")
    notes = estimate.notes
    if len(counts) >= _FEWEST:
        replicates = resampled_ratio(counts, exposure, n_resamples=_RESAMPLES, rng=check_rng(rng))
        tail = (1 - estimate.level) / 2
        low, high = map(float, np.nanquantile(replicates, [tail, 1 - tail]))
    else:
        notes = (*notes, f"too few rows to resample (fewer than {_FEWEST})")
    return attrs.evolve(estimate, low=low, high=high, method="bootstrap percentile", notes=notes)
