"""Limits of charts over periods, and what is to be expected of periods that are too young."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Bools, Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_PERIODS = 8
"""Mature periods below which a chart has no limits."""

_TO_SD = 2 / np.sqrt(np.pi)  # mean moving range of two to the standard deviation of a normal
_SIGMAS = 3.0


@attrs.frozen(kw_only=True, eq=False)
class Limits:
    """Limits of a chart, one a period.

    Attributes
    ----------
    center
        Mean over all periods.
    spread
        How much more the periods vary than chance within them would make them.
    z
        Distance of each period from the mean, in standard errors of chance within it.
    low, high
        The limits; NaN where there are fewer than eight periods.
    outside
        Which periods lie beyond them.
    """

    center: float
    spread: float
    z: Floats
    low: Floats
    high: Floats
    outside: Bools


def limits_of_shares(events: Floats, trials: Floats) -> Limits:
    """Return the limits of a p′ chart (Laney 2002), for the picture.

    Parameters
    ----------
    events, trials
        Of each mature period; a period without trials has no limits and takes no part.

    Examples
    --------
    >>> events = np.array([31, 28, 40, 22, 35, 30, 52, 29.0])
    >>> limits = limits_of_shares(events, np.array([100, 110, 120, 90, 105, 100, 100, 95.0]))
    >>> round(limits.center, 6), round(limits.spread, 6), round(float(limits.z[6]), 6)
    (0.32561, 2.107455, 4.1483)
    """
    center = _share(events, trials)
    return _limits(events, trials, center, center * (1 - center), most=1.0)


def limits_of_counts(events: Floats, trials: Floats) -> Limits:
    """Return the limits of a u′ chart: events per trial, which may be above 1."""
    center = _share(events, trials)
    return _limits(events, trials, center, center)


def limits_of_means(sums: Floats, trials: Floats, variance: float) -> Limits:
    """Return the same limits of means of values that vary by so much."""
    return _limits(sums, trials, _share(sums, trials), variance, lowest=-np.inf)


def _share(events: Floats, trials: Floats) -> float:
    total = float(np.sum(trials))
    return float(np.sum(events)) / total if total > 0 else np.nan


def _limits(
    events: Floats,
    trials: Floats,
    center: float,
    unit: float,
    *,
    lowest: float = 0.0,
    most: float = np.inf,
) -> Limits:
    known = np.asarray(trials) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(known, np.sqrt(unit / trials), np.nan)
        z = np.where(error > 0, (events / trials - center) / error, 0.0)
    moving = np.abs(np.diff(z[known]))
    spread = float(moving.mean() / _TO_SD) if len(moving) else np.nan
    half = _SIGMAS * error * spread
    enough = int(known.sum()) >= FEWEST_PERIODS
    low = np.where(enough, np.maximum(center - half, lowest), np.nan)
    high = np.where(enough, np.minimum(center + half, most), np.nan)
    with np.errstate(invalid="ignore"):
        outside = known & (np.abs(z) > _SIGMAS * spread) & enough
    return Limits(
        center=center,
        spread=spread,
        z=np.where(known, z, np.nan),
        low=low,
        high=high,
        outside=outside,
    )


def reached_at_age(
    reached: Floats,
    period: NDArray[np.integer],
    n_periods: int,
    center: float,
    weight: NDArray[np.integer] | None = None,
) -> tuple[Floats, Floats]:
    """Return the events that periods which are too young should have by now, and their variance.

    Parameters
    ----------
    reached
        Share of the events of mature periods that come within the age of each trial.
    period, n_periods
        Period of each trial.
    center
        Share of the trials of mature periods that become events.
    weight
        How many trials each of them stands for; None for one.

    Returns
    -------
    expected, variance
        Σ q and Σ q (1 - q) with q = p̄ F(age), by period.

    Examples
    --------
    >>> expected, variance = reached_at_age(np.array([0.5, 1.0]), np.array([0, 0]), 1, 0.4)
    >>> round(float(expected[0]), 6), round(float(variance[0]), 6)
    (0.6, 0.4)
    """
    q = center * np.asarray(reached, dtype=np.float64)
    each = 1 if weight is None else weight
    expected = np.bincount(period, each * q, minlength=n_periods)
    variance = np.bincount(period, each * q * (1 - q), minlength=n_periods)
    return np.asarray(expected, dtype=np.float64), np.asarray(variance, dtype=np.float64)
