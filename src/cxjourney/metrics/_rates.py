"""Shares and rates of counts, as estimates."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import numpy as np

from cxjourney._stats.buckets import t_quantile
from cxjourney._stats.estimate import Estimate, Parameter, note_strings
from cxjourney._stats.estimates import CLUSTERED, why_no_interval
from cxjourney._stats.intervals import agresti_coull, clopper_pearson, garwood, jeffreys, wilson
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.units import Units
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    codes,
    durations,
    flags,
    is_undefined,
    same_length,
    to_array,
)
from cxjourney._support.validation import (
    check_choice,
    check_duration,
    check_number,
    duration_us,
)
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from cxjourney._stats.buckets import BucketFigures
    from cxjourney._support.array_types import Ints

Interval = Literal["wilson", "agresti_coull", "clopper_pearson", "jeffreys"]
"""How the interval of a proportion is made."""

_INTERVALS = {
    "wilson": ("Wilson", wilson),
    "agresti_coull": ("Agresti-Coull", agresti_coull),
    "clopper_pearson": ("Clopper-Pearson", clopper_pearson),
    "jeffreys": ("Jeffreys", jeffreys),
}

E = TypeVar("E", bound=Estimate)

_METHODS = frozenset(method for method, _ in _INTERVALS.values())


def proportion(
    count: float,
    n: float,
    *,
    name: str = "proportion",
    definition: str = "count / n",
    parameters: Mapping[str, Parameter] | None = None,
    exclusions: Mapping[str, int] | None = None,
    n_missing: int = 0,
    n_censored: int = 0,
    notes: tuple[str, ...] = (),
    level: float = 0.95,
    interval: Interval = "wilson",
) -> Estimate:
    """Return a share of counts as an estimate with its interval and card.

    Parameters
    ----------
    count, n
        Successes and trials.
    name, definition, parameters, exclusions, n_missing, n_censored, notes
        What the card of the number says.
    level, interval
        Confidence level, in (0, 1); how the interval is made.

    Returns
    -------
    Estimate
        The share [fraction]; NaN with the note "empty" if `n` is 0.

    Raises
    ------
    InvalidValue
        If `count` lies outside [0, n], or something of the card is of another kind.

    Examples
    --------
    >>> proportion(7, 50)
    14.0% [7.0%, 26.2%] (95% Wilson, n=50)
    """
    check_choice(interval, "interval", _INTERVALS)
    method, function = _INTERVALS[interval]
    low, high = function(count, n, level=level)
    return Estimate(
        value=count / n if n else math.nan,
        low=low,
        high=high,
        level=level,
        n=round(n),
        n_missing=n_missing,
        n_censored=n_censored,
        unit="fraction",
        method=method,
        notes=notes if n else ("empty", *note_strings(notes)),
        name=name,
        definition=definition,
        parameters={} if parameters is None else parameters,
        numerator=count,
        denominator=n,
        exclusions={} if exclusions is None else exclusions,
    )


def event_rate(
    count: float,
    exposure: float,
    *,
    unit: str,
    name: str = "event_rate",
    definition: str = "events / exposure",
    parameters: Mapping[str, Parameter] | None = None,
    exclusions: Mapping[str, int] | None = None,
    n_missing: int = 0,
    notes: tuple[str, ...] = (),
    level: float = 0.95,
) -> Estimate:
    """Return events per unit of exposure as an estimate with Garwood's exact interval.

    Parameters
    ----------
    count, exposure
        Number of events, and what they are counted over.
    unit
        What one of the value is, such as "contacts per order".
    name, definition, parameters, exclusions, n_missing, notes
        What the card of the number says.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Estimate
        The rate [`unit`]; NaN with the note "empty" if the exposure is 0.

    Raises
    ------
    InvalidValue
        If the count or the exposure is negative, or something of the card is of another kind.

    Examples
    --------
    >>> event_rate(3, 120, unit="per month")
    0.025 per month [0.00516, 0.0731] (95% Garwood, n=3)
    """
    low, high = garwood(count, exposure, level=level)
    return Estimate(
        value=count / exposure if exposure else math.nan,
        low=low,
        high=high,
        level=level,
        n=round(count),
        n_missing=n_missing,
        unit=unit,
        method="Garwood",
        notes=notes if exposure else ("empty", *note_strings(notes)),
        name=name,
        definition=definition,
        parameters={} if parameters is None else parameters,
        numerator=count,
        denominator=exposure,
        exclusions={} if exclusions is None else exclusions,
    )


def is_share_of_counts(estimate: Estimate) -> bool:
    """Return whether an estimate is a plain share: successes of independent trials, unweighted."""
    return (
        estimate.unit == "fraction"
        and estimate.method in _METHODS
        and not estimate.parameters.get("weighted")
        and None not in {estimate.numerator, estimate.denominator}
    )


def check_sizes(n: float | None, n_effective: float | None) -> None:
    """Raise where the numbers of answers that counts stand for are given, and are none."""
    for name, size in (("n", n), ("n_effective", n_effective)):
        if size is not None:
            check_number(size, name)


def undefined(
    *,
    name: str,
    definition: str,
    n_missing: int,
    unit: str = "fraction",
    level: float = 0.95,
    parameters: Mapping[str, Parameter] | None = None,
) -> Estimate:
    """Return the NaN that `nan_policy="propagate"` asks for where something is missing."""
    return Estimate(
        value=math.nan,
        level=level,
        n_missing=n_missing,
        unit=unit,
        method="none",
        notes=("Missing values were propagated.",),
        name=name,
        definition=definition,
        parameters={} if parameters is None else parameters,
    )


def flag_share(
    values: Values,
    *,
    argument: str,
    name: str,
    definition: str,
    exclude: Mapping[str, NDArray[np.bool_]] | None = None,
    censored: NDArray[np.bool_] | None = None,
    customer: Values | None = None,
    parameters: Mapping[str, Parameter] | None = None,
    notes: tuple[str, ...] = (),
    nan_policy: NanPolicy = "omit",
    level: float = 0.95,
    interval: Interval = "wilson",
) -> Estimate:
    """Return the share of true flags: missing, excluded and censored ones left out and counted.

    A unit counts under the first reason that holds: excluded (in the order given), missing,
    censored. With `customer` the interval allows for several units of one customer.
    """
    hits, missing = flags(values, argument)
    kept = np.ones(len(hits), dtype=bool)
    exclusions = {}
    for reason, mask in (exclude or {}).items():
        exclusions[reason] = int(np.count_nonzero(mask & kept))
        kept &= ~mask
    missing = missing & kept
    if is_undefined(missing, nan_policy, argument):
        return undefined(
            name=name,
            definition=definition,
            n_missing=int(missing.sum()),
            level=level,
            parameters=parameters,
        )
    kept &= ~missing
    n_censored = 0
    if censored is not None:
        n_censored = int(np.count_nonzero(censored & kept))
        kept &= ~censored
    count, n = int(np.count_nonzero(hits & kept)), int(np.count_nonzero(kept))
    estimate = proportion(
        count,
        n,
        name=name,
        definition=definition,
        parameters=parameters,
        exclusions=exclusions,
        n_missing=int(np.count_nonzero(missing)),
        n_censored=n_censored,
        notes=notes,
        level=level,
        interval=interval,
    )
    if customer is None:
        return estimate
    figures = mean_figures(hits[kept].astype(np.float64), owners(customer, kept))
    return clustered_share(estimate, figures, interval)


def below(
    values: Values | None,
    argument: str,
    limit: timedelta | str | None,
    limit_name: str,
    units: dict[str, NDArray[Any]],
) -> NDArray[np.bool_] | None:
    """Return which durations lie below a limit; both are given, or None is returned."""
    if values is None and limit is None:
        return None
    if values is None or limit is None:
        given, lacking = (argument, limit_name) if limit is None else (limit_name, argument)
        raise InvalidValue.of(lacking, f"be given together with {given}", None)
    us, missing = durations(values, argument)
    same_length(**units, **{argument: us})
    is_undefined(missing, "raise", argument)
    return us < duration_us(check_duration(limit, limit_name))


def owners(customer: Values, kept: NDArray[np.bool_]) -> Units:
    """Return the customers of the rows that are kept, each known and a unit of variance."""
    owner, _, unknown = codes(customer, "customer")
    same_length(values=kept, customer=owner)
    if (unknown & kept).any():
        raise InvalidValue.of("customer", "not be missing where a unit counts", None)
    return Units.of_customers(np.unique(owner[kept], return_inverse=True)[1])


def owners_of_both(
    customer: Any, missing: Sequence[NDArray[np.bool_]], *, paired: bool = False
) -> tuple[tuple[Ints, Ints], int]:
    """Return the customer of each value that counts, of two columns, and how many there are.

    `customer` has two columns of labels, or one where position i of both columns belongs together
    (`paired`); None: each value, or pair, is of a customer of its own.
    """
    sizes = [int(np.count_nonzero(~mask)) for mask in missing]
    start = 0 if paired else sizes[0]
    if customer is None:
        own = np.arange(sizes[0]), np.arange(start, start + sizes[1])
        return own, start + sizes[1]
    if paired:
        columns = [customer]
    elif isinstance(customer, (tuple, list)) and len(customer) == 2:
        columns = [customer[0], customer[1]]
    else:
        raise InvalidValue.of("customer", "be two columns, one for each of both", customer)
    read = [to_array(column, "customer")[0].astype(object) for column in columns]
    for column, mask in zip(read, missing, strict=False):
        same_length(customer=column, values=mask)
    units = owners(np.concatenate(read), ~np.concatenate(missing[: len(read)]))
    assert units.of is not None  # noqa: S101 - made of customers
    return (units.of[: sizes[0]], units.of[start:]), units.n


def clustered_share(estimate: E, figures: BucketFigures, interval: Interval) -> E:
    """Return a share with the interval that its figures without each customer give."""
    method, function = _INTERVALS[interval]
    if interval == "wilson":
        low, high = (float(end.item()) for end in figures.wilson(estimate.level))
    else:
        low, high = _of_trials(function, figures, estimate.level)
    return clustered(estimate, figures, low, high, method)


def _of_trials(
    function: Callable[..., tuple[float, float]], figures: BucketFigures, level: float
) -> tuple[float, float]:
    """Return an interval of counts on as many trials as say as much, with Student's quantile."""
    n, freedom = float(figures.trials.item()), float(figures.freedom.item())
    if math.isnan(n):
        return math.nan, math.nan
    normal = 2 * NormalDist().cdf(float(t_quantile(level, np.array(freedom)))) - 1
    return function(float(figures.whole.item()) * n, n, level=normal)


def clustered(
    estimate: E,
    figures: BucketFigures,
    low: float,
    high: float,
    method: str,
    *,
    drawn: bool = False,
) -> E:
    """Return an estimate with an interval over customers, left out in turn or drawn."""
    n = len(figures.without)
    how = f"draws from {n:,} customers" if drawn else f"leaves out each of {n:,} customers in turn"
    note = (
        f"The interval {how}; they are worth "
        f"{float(figures.effective.item()):,.0f} customers of equal weight."
    )
    return attrs.evolve(
        estimate,
        low=low,
        high=high,
        method=f"{method}, {CLUSTERED}",
        notes=(
            *estimate.notes,
            *((note,) if len(figures.without) else ()),
            *why_no_interval(figures),
        ),
    )
