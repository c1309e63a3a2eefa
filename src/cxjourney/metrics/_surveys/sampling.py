"""Samples of respondents: response rate, weights, effective size, and reliability."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    flags,
    is_undefined,
    numbers,
    same_length,
    to_array,
)
from cxjourney._support.validation import check_level, is_number
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.metrics._rates import Interval, flag_share, undefined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def response_rate(
    completed: Values,
    *,
    undelivered: Values | None = None,
    customer: Values | None = None,
    nan_policy: NanPolicy = "omit",
    level: float = 0.95,
    interval: Interval = "wilson",
) -> Estimate:
    """Return the share of eligible invitations that led to a complete answer.

    Parameters
    ----------
    completed, undelivered
        One flag an invitation: partial answers are not complete. Only one that is known not to
        have arrived is undelivered, and not eligible; one of unknown fate is.
    customer
        Whom it went to; with it the interval allows for several invitations of one customer.
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
        If a flag is not one.
    InvalidValue
        If lengths differ.

    Notes
    -----
    Completes / eligible: response rate 1 of AAPOR's standard definitions. A high rate does not rule
    out that those who did not answer think otherwise.

    Examples
    --------
    >>> response_rate([1, 0, 0, 1, 0], undelivered=[0, 0, 0, 0, 1]).value
    0.5
    """
    exclude: dict[str, NDArray[np.bool_]] = {}
    if undelivered is not None:
        lost, missing = flags(undelivered, "undelivered")
        same_length(completed=to_array(completed, "completed")[0], undelivered=lost)
        exclude["undelivered"] = lost & ~missing
    return flag_share(
        completed,
        argument="completed",
        name="response_rate",
        definition="complete answers / eligible invitations",
        exclude=exclude,
        customer=customer,
        nan_policy=nan_policy,
        level=level,
        interval=interval,
    )


def poststratification_weights(
    group: Values, population: Mapping[Any, float]
) -> NDArray[np.float64]:
    """Return the weight of each respondent that gives the groups their shares of the population.

    Parameters
    ----------
    group, population
        Group of each respondent, such as an age band; group to its size or share in the population,
        above 0. Any is the type of the labels.

    Returns
    -------
    array of float
        One weight a respondent, 1 on average: w_g = (N_g / N) / (n_g / n).

    Raises
    ------
    UnknownName
        If a respondent's group is not in `population`.
    InvalidValue
        If a size is not positive, or a group of the population has no respondent: nobody can speak
        for it, so merge it with another.

    Notes
    -----
    It removes the bias of who answered only as far as the groups explain it, and it costs
    precision: they are worth (Σw)² / Σw² equal respondents (Kish 1965).

    Examples
    --------
    >>> poststratification_weights(["young", "old", "old", "old"], {"young": 50, "old": 50})
    array([2.        , 0.66666667, 0.66666667, 0.66666667])
    """
    labels, mask = to_array(group, "group")
    if mask is not None and mask.any():
        rows = np.flatnonzero(mask).tolist()
        raise InvalidData.at_rows("group must not be missing", rows)
    if not len(labels):
        return np.empty(0)
    if not isinstance(population, Mapping):
        raise InvalidValue.of("population", "map each group to its size", population)
    for label, size in population.items():
        if isinstance(size, bool) or not is_number(size) or not 0 < size < math.inf:
            raise InvalidValue.of(f"population[{label!r}]", "be positive and finite", size)
    index = {label: i for i, label in enumerate(population)}
    plain = labels.tolist()
    unknown = next((label for label in plain if label not in index), None)
    if unknown is not None or None in plain:
        names = [str(label) for label in index]
        raise UnknownName.among("group", str(unknown), names, where="population")
    owner = np.fromiter((index[label] for label in plain), np.intp, len(plain))
    counts = np.bincount(owner, minlength=len(index))
    empty = [label for label, i in index.items() if counts[i] == 0]
    if empty:
        raise InvalidValue.of("population", "have a respondent in each group; none in", empty)
    sizes = np.array([population[label] for label in index], dtype=np.float64)
    weights: NDArray[np.float64] = (sizes / sizes.sum() / (counts / len(plain)))[owner]
    return weights


def cronbach_alpha(
    items: Sequence[Values] | NDArray[Any],
    *,
    level: float = 0.95,
    nan_policy: NanPolicy = "omit",
) -> Estimate:
    """Return Cronbach's alpha of the items of a scale, with Feldt's interval.

    Parameters
    ----------
    items
        One column an item, respondents position by position; or an array whose columns are the
        items.
    level, nan_policy
        Confidence level, in (0, 1); respondents that miss an item: "omit", "raise" or "propagate".

    Returns
    -------
    Estimate
        Alpha [at most 1]. NaN with fewer than two items or respondents, or where the totals do not
        vary. A negative value is returned: an item is probably coded the wrong way round.

    Raises
    ------
    InvalidValue
        If the columns differ in length.

    Notes
    -----
    k/(k-1) (1 - Σσ²_i / σ²_total) (Cronbach 1951); interval from F quantiles with n-1 and
    (n-1)(k-1) degrees of freedom (Feldt 1965). High alpha does not show that the items measure one
    thing: many items suffice for it.

    Examples
    --------
    >>> round(cronbach_alpha([[1, 2, 3, 4], [2, 2, 4, 5], [1, 3, 3, 5]]).value, 4)
    0.9589
    """
    check_level(level)
    if getattr(items, "ndim", 1) == 2:
        items = list(np.asarray(items).T)
    if not isinstance(items, Iterable):
        raise InvalidValue.of("items", "be a list of columns, one an item", items)
    columns = [numbers(item, f"items[{i}]").astype(np.float64) for i, item in enumerate(items)]
    same_length(**{f"items[{i}]": column for i, column in enumerate(columns)})
    table = np.column_stack(columns) if columns else np.empty((0, 0))
    missing = np.isnan(table.sum(axis=1))
    definition = "k/(k-1) × (1 - sum of item variances / variance of the totals)"
    parameters = {"items": len(columns)}
    if is_undefined(missing, nan_policy, "items"):
        return undefined(
            name="cronbach_alpha",
            definition=definition,
            n_missing=int(missing.sum()),
            unit="alpha",
            level=level,
            parameters=parameters,
        )
    table = table[~missing]
    n, k = table.shape
    value = low = high = math.nan
    notes = [] if n else ["empty"]
    if n > 1 and k > 1:
        total = float(table.sum(axis=1).var(ddof=1))
        if total > 0:
            value = k / (k - 1) * (1 - float(table.var(axis=0, ddof=1).sum()) / total)
            low, high = _feldt(value, n, k, level)
        else:
            notes.append("The totals do not vary.")
    if value < 0:
        notes.append("Alpha is negative: is an item coded the wrong way round?")
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        n_missing=int(missing.sum()),
        unit="alpha",
        method="Feldt",
        notes=notes,
        name="cronbach_alpha",
        definition=definition,
        parameters=parameters,
    )


def _feldt(alpha: float, n: int, k: int, level: float) -> tuple[float, float]:
    from scipy.special import fdtri

    tail = (1 - level) / 2
    freedom = n - 1, (n - 1) * (k - 1)
    return (
        1 - (1 - alpha) * float(fdtri(*freedom, 1 - tail)),
        1 - (1 - alpha) * float(fdtri(*freedom, tail)),
    )
