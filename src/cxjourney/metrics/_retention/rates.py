"""Retention and churn of a customer base over a period."""

from __future__ import annotations

import math
import warnings
from datetime import timedelta
from numbers import Number
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate
from cxjourney._stats.intervals import garwood, wilson
from cxjourney._support.arrays import codes, to_array
from cxjourney._support.validation import (
    check_choice,
    check_count,
    check_duration,
    check_level,
    duration_us,
)
from cxjourney._support.words import how_long
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.metrics._rates import proportion
from cxjourney.metrics._survival.spells import read_spells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.arrays import Values


def retention_rate(
    start: Values | int, end: Values | int, *, acquired: int | None = None, level: float = 0.95
) -> Estimate:
    """Return the share of the customers at the start who are customers at the end.

    Parameters
    ----------
    start, end
        Labels of the customers at the start and at the end of the period, S and E; repeats count
        once. Two whole numbers, with `acquired`, where only counts are known.
    acquired
        Customers won during the period, N, where `start` and `end` are counts; those of them who
        left again count in N only if they count nowhere else.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    Estimate
        |start ∩ end| / |start|, or (E - N) / S from counts [fraction, 0-1]; NaN and "empty" if
        nobody was there at the start. Counts that give a share outside [0, 1] give no interval, and
        issue a `DataQualityWarning`.

    Raises
    ------
    InvalidValue
        If a column is not a column of labels, a count is negative or not whole, or labels and
        counts are mixed.

    Notes
    -----
    The set form is exact: customers won during the period do not enter it, and those who left and
    came back count as retained. Where there is no contract, say what makes a customer "active"
    first: the rate depends on it more than on anything else. Periods of different length do not
    compare; see `kaplan_meier`. Counts equal the set form only if the customers won are exactly
    those at the end who were not there at the start; prefer labels.

    Examples
    --------
    >>> retention_rate(["ann", "ben", "cid", "dan"], ["ann", "cid", "dan", "eve"])
    75.0% [30.1%, 95.4%] (95% Wilson, n=4)
    >>> retention_rate(200, 210, acquired=40)
    85.0% [79.4%, 89.3%] (95% Wilson, n=200)
    """
    if _are_counts(start, end, acquired):
        first, last, won = _counts(start, end, acquired)
        return _from_counts(
            last - won,
            first,
            level=level,
            name="retention_rate",
            definition="(customers at the end - customers won) / customers at the start",
            parameters={"form": "counts", "start": first, "end": last, "acquired": won},
        )
    kept, n, n_missing = _kept(start, end)
    return proportion(
        kept,
        n,
        level=level,
        name="retention_rate",
        definition="customers at the start who are still there at the end / customers at the start",
        parameters={"form": "sets"},
        n_missing=n_missing,
    )


def churn_rate(
    start: Values | int,
    end: Values | int,
    *,
    acquired: int | None = None,
    base: Literal["start", "average"] = "start",
    level: float = 0.95,
) -> Estimate:
    """Return the share of the customers at the start who are not customers at the end.

    Parameters
    ----------
    start, end, acquired, level
        As for `retention_rate`.
    base
        What counts of customers lost are divided by: S, or the average (S + E) / 2, which some
        reports use. The two are not comparable, and the average gives no share of anybody: no
        interval. Labels are always divided by those at the start.

    Returns
    -------
    Estimate
        1 - retention, or (S + N - E) / `base` from counts [fraction, 0-1]; NaN and "empty" if
        nobody was there at the start.

    Raises
    ------
    InvalidValue
        If a column is not a column of labels, a count is negative or not whole, labels and counts
        are mixed, or labels are to be divided by the average.

    Notes
    -----
    Customers, not revenue: see `nrr_grr` for the latter. A monthly rate c compounds to
    1 - (1 - c)¹² a year only if the hazard is constant; a mixed base decays more slowly, since
    those who leave easily leave first.

    Examples
    --------
    >>> churn_rate(["ann", "ben", "cid", "dan"], ["ann", "cid", "dan", "eve"])
    25.0% [4.6%, 69.9%] (95% Wilson, n=4)
    >>> churn_rate(200, 210, acquired=40)
    15.0% [10.7%, 20.6%] (95% Wilson, n=200)
    """
    check_choice(base, "base", ("start", "average"))
    if _are_counts(start, end, acquired):
        first, last, won = _counts(start, end, acquired)
        whole, of = (first, "start") if base == "start" else ((first + last) / 2, "average base")
        estimate = _from_counts(
            first + won - last,
            whole,
            level=level,
            name="churn_rate",
            definition=f"(start + acquired - end) / {of}",
            parameters={
                "form": "counts",
                "start": first,
                "end": last,
                "acquired": won,
                "base": base,
            },
        )
        if base == "start":
            return estimate
        return attrs.evolve(estimate, low=math.nan, high=math.nan, method="no interval")
    if base != "start":
        raise InvalidValue.of("base", 'be "start" where customers are given by label', base)
    kept, n, n_missing = _kept(start, end)
    return proportion(
        n - kept,
        n,
        level=level,
        name="churn_rate",
        definition="customers at the start who are gone at the end / customers at the start",
        parameters={"form": "sets"},
        n_missing=n_missing,
    )


def _are_counts(start: object, end: object, acquired: object) -> bool:
    """Return whether a rate is asked for from counts: three numbers, not two columns."""
    if acquired is None and (isinstance(start, Number) or isinstance(end, Number)):
        raise InvalidValue.of("acquired", "be given where start and end are counts", None)
    return acquired is not None


def _counts(start: Any, end: Any, acquired: Any) -> tuple[int, int, int]:
    return (
        check_count(start, "start", least=0),
        check_count(end, "end", least=0),
        check_count(acquired, "acquired", least=0),
    )


def _kept(start: Values, end: Values) -> tuple[int, int, int]:
    """Return how many of the first labels are among the second, how many there are, and missing."""
    first, second = _objects(start, "start"), _objects(end, "end")
    code, n_codes, missing = codes(np.concatenate((first, second)), "start and end")
    split = len(first)
    present = ~missing
    before = np.zeros(n_codes, dtype=bool)
    after = np.zeros(n_codes, dtype=bool)
    before[code[:split][present[:split]]] = True
    after[code[split:][present[split:]]] = True
    n = int(np.count_nonzero(before))
    return int(np.count_nonzero(before & after)), n, int(np.count_nonzero(missing))


def _objects(values: Values, name: str) -> NDArray[np.object_]:
    array, mask = to_array(values, name)
    # as objects: NumPy would turn the number 1 beside the text "1" into text
    out = array.astype(object)
    if mask is not None:
        out[mask] = None
    return out


def _from_counts(
    part: int,
    whole: float,
    *,
    level: float,
    name: str,
    definition: str,
    parameters: dict[str, str | int],
) -> Estimate:
    notes: tuple[str, ...] = () if whole else ("empty",)
    inside = 0 <= part <= whole
    low, high = wilson(part, whole, level=level) if inside else (math.nan, math.nan)
    if whole and not inside:
        notes = ("The rate lies outside [0, 1]: the counts do not belong to one closed base.",)
        warnings.warn(
            f"{name} is {part / whole:.3g}, outside [0, 1]: the counts do not belong to one closed "
            "base (customers who came back, or were won and lost again)",
            DataQualityWarning,
            stacklevel=3,
        )
    return Estimate(
        value=part / whole if whole else math.nan,
        low=low,
        high=high,
        level=check_level(level),
        n=round(whole),
        unit="fraction",
        method="Wilson" if inside else "no interval",
        notes=notes,
        name=name,
        definition=definition,
        parameters=dict(parameters),
        numerator=part,
        denominator=whole,
    )


def churn_hazard(
    durations: Values,
    observed: Values,
    *,
    entry: Values | None = None,
    per: timedelta | str = timedelta(days=30),
    level: float = 0.95,
) -> Estimate:
    """Return how many customers leave per unit of time under observation.

    Parameters
    ----------
    durations, observed, entry
        How long each customer stayed, or has stayed so far (timedeltas, none negative); True where
        the customer left; duration at which each came under observation, None: from the beginning.
    per, level
        The unit of time; confidence level, in (0, 1).

    Returns
    -------
    Estimate
        Departures per customer and `per`, with Garwood's exact Poisson interval; NaN and "empty"
        without any time under observation.

    Raises
    ------
    InvalidData
        If a duration or an entry is negative, or a customer enters at or after the end.
    InvalidValue
        If the columns differ in length or a value has the wrong type.

    Notes
    -----
    D / T with D departures in T of observed time. It uses censored customers correctly and can
    compare periods of any length; where the hazard falls with tenure, as it mostly does, it is an
    average over the tenures that happen to be in the data. `kaplan_meier` shows the fall.

    Examples
    --------
    >>> from datetime import timedelta
    >>> stays = [timedelta(days=30 * m) for m in (10, 20, 40, 50)]
    >>> churn_hazard(stays, [True, True, True, False])
    0.025 departures per 30 days [0.00516, 0.0731] (95% Garwood, n=4, censored=1)
    """
    per = check_duration(per, "per")
    spells = read_spells(durations, observed=observed, entry=entry)
    lasted = spells.exit_us if spells.entry_us is None else spells.exit_us - spells.entry_us
    time_us = sum(lasted.tolist())  # a sum of centuries is more than 64 bits hold
    exposure = time_us / duration_us(per)
    departures = spells.n - spells.n_censored
    low, high = garwood(departures, exposure, level=level) if exposure else (math.nan, math.nan)
    return Estimate(
        value=departures / exposure if exposure else math.nan,
        low=low,
        high=high,
        level=check_level(level),
        n=spells.n,
        n_missing=spells.n_missing,
        n_censored=spells.n_censored,
        unit=f"departures per {how_long(per)}",
        method="Garwood",
        notes=() if exposure else ("empty",),
        name="churn_hazard",
        definition="customers who left / time under observation",
        parameters={"per_s": per.total_seconds()},
        numerator=departures,
        denominator=exposure,
    )
