"""Quality of service: solved at first contact, by the right person, for good, and how often."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np

from cxjourney._stats.estimates import LOGARITHMS, ratio_ends
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    flags,
    is_undefined,
    numbers,
    refuse_rows,
    same_length,
)
from cxjourney._support.validation import check_choice, optional_duration
from cxjourney.metrics._rates import Interval, below, event_rate, flag_share, undefined

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney._stats.estimate import Estimate

_SURE = 1.5
_TOO_FEW = "Too few rows differ to leave one out: the interval takes contacts as independent."
_FEWEST = 10


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
    level, interval, nan_policy
        Confidence level, in (0, 1); how the interval is made; what to do with missing flags:
        "omit", "raise" or "propagate".

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
    window: timedelta | str | None = None,
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
    age, window
        Time from each closing to the end of observation [timedelta]. Cases closed more recently
        than the window may still be reopened: they are left out and counted in `n_censored`.
    customer
        Whose case it is; with it the interval allows for several cases of one customer.
    level, interval, nan_policy
        Confidence level, in (0, 1); how the interval is made; what to do with missing flags:
        "omit", "raise" or "propagate".

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
    window = optional_duration(window, "window")
    hits, missing = flags(reopened, "reopened")
    young = below(age, "age", window, "window", {"reopened": hits})
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
    interval: Literal["jackknife", "garwood"] = "jackknife",
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return how many contacts there are per customer, order or whatever is counted.

    Parameters
    ----------
    contacts
        Number of contacts of each customer (or order, day …), those without any included.
    exposure, per
        What each stands for, its orders or its months (None: one each), and what that is called in
        the unit.
    interval
        "jackknife" (each row left out in turn) allows for customers who call again and again;
        "garwood" (exact Poisson) does not, and is a function of counts alone, which `pool` and
        `Tally` need.
    level, nan_policy
        Confidence level, in (0, 1); what to do with missing numbers: "omit", "raise" or
        "propagate".

    Returns
    -------
    Estimate
        Σ contacts / Σ exposure [contacts per `per`]. Where fewer than two rows have contacts the
        interval is Garwood's, and a note says so, as it says if the counts vary more than Poisson's
        do, since that is too narrow then. For plain totals use `event_rate`.

    Raises
    ------
    InvalidData
        If a number is negative, infinite, or a count is not whole; carries the positions.
    InvalidValue
        If lengths differ or an option is unknown.

    Notes
    -----
    A ratio of sums, not a mean of ratios: large customers weigh more. Where customers differ
    (negative binomial counts) Garwood's interval holds the rate in .56 to .84 of samples, the
    default in .94 and more from 20 rows on.

    Examples
    --------
    >>> contact_rate([0, 2, 1, 0, 1], per="order").value
    0.8
    """
    check_choice(interval, "interval", ("jackknife", "garwood"))
    counts = numbers(contacts, "contacts").astype(np.float64)
    base = (
        np.ones(len(counts))
        if exposure is None
        else numbers(exposure, "exposure").astype(np.float64)
    )
    same_length(contacts=counts, exposure=base)
    broken = ~np.isnan(counts) & ((counts < 0) | (counts != np.rint(counts)))
    refuse_rows(broken, "contacts must be whole and at least 0")
    refuse_rows(base < 0, "exposure must be at least 0")
    missing = np.isnan(counts) | np.isnan(base)
    unit = f"contacts per {per}"
    n_missing = int(missing.sum())
    if is_undefined(missing, nan_policy, "contacts"):
        return undefined(
            name="contact_rate", definition=unit, n_missing=n_missing, unit=unit, level=level
        )
    counts, base = counts[~missing], base[~missing]
    estimate = event_rate(
        int(counts.sum()),
        float(base.sum()),
        unit=unit,
        name="contact_rate",
        definition="contacts / exposure",
        parameters={"per": per, "interval": interval},
        n_missing=n_missing,
        level=level,
    )
    notes = estimate.notes
    if interval == "jackknife":
        low, high, method, doubts = ratio_ends(counts, base, level)
        if method == LOGARITHMS and not math.isnan(low):
            return attrs.evolve(
                estimate, low=low, high=high, method=method, notes=(*notes, *doubts)
            )
        if estimate.denominator:
            notes = (*notes, _TOO_FEW)
    dispersion = _dispersion(counts, base)
    if dispersion > _SURE:
        notes = (
            *notes,
            f"Counts vary {dispersion:.1f} times as much as Poisson's; the interval is too narrow.",
        )
    return attrs.evolve(estimate, notes=notes)


def _dispersion(counts: NDArray[np.float64], exposure: NDArray[np.float64]) -> float:
    """Return Pearson's χ² over its degrees of freedom: 1 for Poisson counts."""
    used = exposure > 0
    n, total = int(used.sum()), counts[used].sum()
    if n < _FEWEST or total == 0:
        return 1.0
    expected = total / exposure[used].sum() * exposure[used]
    return float((((counts[used] - expected) ** 2) / expected).sum()) / (n - 1)
