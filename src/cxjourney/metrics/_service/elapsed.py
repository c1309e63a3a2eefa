"""Waiting times of customers: resolution, first response, and promises kept.

What has not ended is known to have lasted at least so long. It is censored, never dropped: leaving
such cases out makes a service look the faster the more it leaves lying.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.estimate import Estimate, Parameter, estimates_table
from cxjourney._stats.estimates import ratio_ends
from cxjourney._stats.intervals import quantile_type_7
from cxjourney._support.arrays import (
    NanPolicy,
    Values,
    durations,
    flags,
    is_undefined,
    same_length,
)
from cxjourney._support.result import Result
from cxjourney._support.validation import check_count, check_level, check_mapping
from cxjourney._support.words import how_long
from cxjourney.metrics._rates import owners
from cxjourney.metrics._survival.kaplan_meier import kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cxjourney._support.table import Table

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
        The mean [seconds]; with censored cases the restricted mean, up to the longest observation,
        which one case still in progress can set: its notes say how much.
    """

    title = "Elapsed time"

    median: Estimate
    p90: Estimate
    mean: Estimate

    @property
    def n(self) -> int:
        """Number of cases, censored ones included."""
        return self.median.n

    @property
    def n_censored(self) -> int:
        """Number of censored cases."""
        return self.median.n_censored

    @property
    def n_missing(self) -> int:
        """Number of cases left out because something was missing."""
        return self.median.n_missing

    def _table(self) -> Table:
        rows = {"median": self.median, "p90": self.p90, "mean": self.mean}
        columns = {"value_s": "value", "low": "low", "high": "high"}
        return estimates_table("statistic", rows, columns, kind="duration")

    def _notes(self) -> tuple[str, ...]:
        counts = (
            f"Of {self.n:,} cases {self.n_censored:,} are censored; {self.n_missing:,} are missing."
        )
        level = f"{100 * self.median.level:g}%"
        methods = (
            f"The {level} intervals are by {self.median.method}; that of the mean is by "
            f"{self.mean.method}."
        )
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
    elapsed, ended
        How long each case took, or has been running [timedelta, at least 0]; one flag a case, False
        where it is still running (None: all have ended).
    customer
        Whose case it is; with it the intervals allow for several cases of one customer.
    name, definition, parameters, exclusions, n_missing, time_zone
        What the cards of the numbers say.
    level, nan_policy
        Confidence level, in (0, 1); what to do with missing durations: "omit", "raise" or
        "propagate".

    Returns
    -------
    ElapsedTime
        The three statistics [seconds]. All ended and no `customer`: quantiles of type 7 with
        order-statistic intervals, and the mean with Student's interval of its logarithm. Else:
        those of the Kaplan-Meier curve.

    Raises
    ------
    InvalidData
        If a duration is negative; carries the positions.
    InvalidValue
        If the column holds bare numbers, or lengths differ.

    Notes
    -----
    Durations are skewed: with few cases the mean's interval is too short on the right, and a note
    says so.
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
        parameters=dict(check_mapping({} if parameters is None else parameters, "parameters")),
        exclusions=dict(check_mapping({} if exclusions is None else exclusions, "exclusions")),
        n_missing=check_count(n_missing, "n_missing", 0) + int(missing.sum()),
        n_censored=int(np.count_nonzero(kept & ~done)),
        n=int(kept.sum()),
        time_zone=time_zone,
    )
    if done[kept].all() and customer is None:
        result = _complete(us[kept] / _SECOND, card, level)
    else:
        owner = None if customer is None else owners(customer, kept).of
        result = _censored(us[kept], done[kept], owner, card, level)
    if not lost:
        return result
    note = ("Missing values were propagated.",)
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


def _complete(seconds: NDArray[np.float64], card: _Card, level: float) -> ElapsedTime:
    mean = float(seconds.mean()) if card.n else math.nan
    low, high, how, doubts = ratio_ends(seconds, np.ones(card.n), level)
    median, p90 = (
        card.estimate(
            name, quantile_type_7(seconds, q, level=level), level=level, method="order statistics"
        )
        for name, q in (("median", 0.5), ("p90", _P90))
    )
    mean_card = card.estimate("mean", (mean, low, high), level=level, method=how, notes=doubts)
    return ElapsedTime(median=median, p90=p90, mean=mean_card)


def _censored(
    us: NDArray[np.int64],
    done: NDArray[np.bool_],
    owner: NDArray[np.int64] | None,
    card: _Card,
    level: float,
) -> ElapsedTime:
    curve = kaplan_meier(us.astype("timedelta64[us]"), done, customer=owner, level=level)
    mean = curve.restricted_mean
    restricted: tuple[str, ...] = ()
    if card.n_censored:
        seconds, left = float(us.max()) / _SECOND, float(curve.survival[-1])
        ended = us[done]
        tail = left * (seconds - (float(ended.max()) / _SECOND if len(ended) else 0.0))
        share = tail / mean.value if mean.value > 0 else 0.0
        longest = how_long(seconds)
        said = (
            f"The mean is restricted to the longest observation, {longest}: {share:.0%} of it is "
            "time after the last case that ended, which censored cases alone set. Read the median."
        )
        restricted = (said,)
    return ElapsedTime(
        median=_restated(card, "median", curve.median),
        p90=_restated(card, "p90", curve.quantile(_P90)),
        mean=_restated(card, "mean", mean, restricted),
    )


def _restated(
    card: _Card, statistic: str, found: Estimate, notes: tuple[str, ...] = ()
) -> Estimate:
    if math.isnan(found.value) and "not reached" in found.notes:
        notes = (f"The {statistic} is not reached: too many cases are censored.",)
    ends = found.value, found.low, found.high
    return card.estimate(statistic, ends, level=found.level, method=found.method, notes=notes)
