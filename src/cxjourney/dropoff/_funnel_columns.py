"""Columns of `funnel`: counts, rates, intervals and times of the steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import (
    MOVED,
    OPEN,
    STAYED,
    left_out_probabilities,
    move_mass,
)
from cxjourney._stats.buckets import BucketFigures
from cxjourney._stats.ratios import mean_figures, ratio_of_sums
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.journeys import IN_PROGRESS
from cxjourney.metrics import kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney.dropoff._funnel_rules import Subject
    from cxjourney.dropoff._matching import Matched, Rules
    from cxjourney.dropoff._steps import Step

_SECOND = 1e6


@attrs.frozen(kw_only=True, eq=False)
class Entrants:
    """The units that entered a funnel, and when they reached its steps.

    Attributes
    ----------
    reached
        Whether each step was reached, shape (steps, units).
    time
        When [µs], shape (steps, units); None for aggregated paths.
    weight
        How often each unit counts; None where once.
    customer
        Customer of each unit; None where a unit is a customer.
    units
        The units of variance.
    everyone
        How many units of the base each unit of variance has; None where the base is who entered.
    followed_us
        How long each unit was followed from its entry, at most the window [µs].
    within_us
        The window [µs]; None for none.
    running
        Whether each unit may still go on.
    went_on
        Whether each step was reached from the one before; None where nobody enters later.
    interpolated
        Whether quantiles of times may lie between two of them.
    """

    reached: Bools
    time: Ints | None
    weight: Ints | None
    customer: Ints | None
    units: Units
    everyone: Floats | None
    followed_us: Ints
    within_us: int | None
    running: Bools
    interpolated: bool = False
    went_on: Bools | None = None

    @property
    def timed(self) -> bool:
        """Whether times are known."""
        return self.time is not None

    def number(self, of: Bools) -> int:
        """Return the number of units that a mask holds for, weights counted."""
        return int(np.count_nonzero(of) if self.weight is None else self.weight[of].sum())

    def counts(self) -> tuple[int, ...]:
        """Return the number of units that reached each step."""
        return tuple(self.number(row) for row in self.reached)

    def before(self, steps: Sequence[Step], k: int) -> int:
        """Return the step before step k that is not optional; k itself where there is none."""
        return next((j for j in range(k - 1, -1, -1) if not steps[j].optional), k)

    def left(self, steps: Sequence[Step], k: int) -> Bools:
        """Return the units at the step before that did not reach step k, if that is required."""
        required = not steps[k].optional
        return np.asarray(self.reached[self.before(steps, k)] & ~self.came(k) & required)

    def came(self, k: int) -> Bools:
        """Return the units that reached step k from the one before."""
        return np.asarray((self.reached if self.went_on is None else self.went_on)[k])

    def share(self, base: Bools | None, hits: Bools) -> BucketFigures:
        """Return the share that `hits` have in `base`, of which they are; None means everyone."""
        if base is None:
            assert self.everyone is not None  # noqa: S101 - the caller has looked
            return ratio_of_sums(self._number(hits), self.everyone)
        return ratio_of_sums(self._number(hits), self._number(base))

    def incidence(self, k: int) -> BucketFigures:
        """Return the share that reaches step k by the end of the window, the others censored."""
        assert self.time is not None  # noqa: S101 - the caller has looked
        assert self.units.of is not None  # noqa: S101 - what has times has customers
        n = len(self.followed_us)
        done = self.reached[k]
        over = np.zeros(n, dtype=np.bool_)
        if self.within_us is not None:
            over = self.followed_us >= self.within_us
        wait = np.where(done, self.time[k] - self.time[0], self.followed_us)
        state = np.where(done, MOVED, np.where(over, STAYED, OPEN))
        one = np.zeros(n, dtype=np.int64)
        mass = move_mass(one, wait, state, 1)
        without = left_out_probabilities(
            one,
            wait,
            state,
            np.where(done, 0, -1),
            self.units.of,
            source=np.zeros(1, dtype=np.int64),
            n_nodes=1,
            n_units=self.units.n,
        )
        whole = float(mass.sum()) if n else math.nan
        present = self._number(np.ones(n, dtype=np.bool_))
        return BucketFigures(whole=np.array(whole), without=without[:, 0], units=present)

    def curve(self, k: int, level: float) -> Any:
        """Return the survival curve of the time from entry to step k."""
        assert self.time is not None  # noqa: S101 - the caller has looked
        done = self.reached[k]
        waited = np.where(done, self.time[k] - self.time[0], self.followed_us)
        customer = self.customer
        return kaplan_meier(waited.astype("timedelta64[us]"), done, customer=customer, level=level)

    def quantiles(self, values: Floats, *at: float) -> list[float]:
        """Return the first time by which each share has come, or the time between two."""
        method: Literal["linear", "inverted_cdf"]
        method = "linear" if self.interpolated else "inverted_cdf"
        found: list[float] = np.quantile(values, at, method=method).tolist()
        return found

    def median(self, values: Floats, of: Bools, level: float) -> Band:
        """Return the median of values of the units `of`, with Woodruff's interval.

        Its ends are the quantiles at the ends of the interval of the share that is not above it.
        """
        (middle,) = self.quantiles(values, 0.5)
        below = mean_figures(
            (values <= middle).astype(np.float64), self.units.take(np.flatnonzero(of))
        )
        ends = np.array([float(end[0]) for end in below.wilson(level)])
        if np.isnan(ends).any():
            return middle, math.nan, math.nan
        low, high = np.quantile(values, ends).tolist()
        return middle, min(low, middle), max(high, middle)

    def times(self, k: int, before: int, level: float) -> tuple[float, ...]:
        """Return the times to a step of those who reached it, from entering and the step before."""
        if self.time is None or k == 0 or not self.reached[k].any():
            return (math.nan,) * len(_TIMES)
        time, done = self.time, np.flatnonzero(self.reached[k])
        earlier = np.stack([time[0, done], time[before, done]])
        since_entry, since_step = (time[k, done] - earlier) / _SECOND
        median, low, high = self.median(since_entry, self.reached[k], level)
        (p90,), step = self.quantiles(since_entry, 0.9), self.quantiles(since_step, 0.5, 0.9)
        return median, low, high, p90, float(since_step.mean()), *step

    def waits(self, k: int) -> Floats:
        """Return the times from entering to step k of those who reached it [s]."""
        assert self.time is not None  # noqa: S101 - the caller has looked
        done = self.reached[k]
        return np.asarray((self.time[k, done] - self.time[0, done]) / _SECOND)

    def _number(self, of: Bools) -> Floats:
        """Return how many units a mask holds for in each unit of variance."""
        return self.units.sums(np.where(of, 0, -1), 1)[:, 0]


Band = tuple[float, float, float]


def entrants_of(subject: Subject, rules: Rules, matched: Matched) -> Entrants:
    """Return the units that entered, from what every unit has reached."""
    time = None
    followed = np.zeros(len(matched.unit), dtype=np.int64)
    if subject.time is not None and matched.went_on is None:
        time = subject.time[matched.hit] if len(subject.time) else matched.hit
        until = subject.log.observed_until_us
        if until is not None:
            followed = np.maximum(until - time[0], 0)
        if rules.within_us is not None:
            followed = np.minimum(followed, rules.within_us)
    weight = subject.weight
    weight = None if weight is None else weight[matched.unit]
    customer = None
    alone = subject.journeys is None and subject.part_of is None and not rules.attempts
    if not alone and weight is None:
        customer = subject.customer[matched.unit]
    units = subject.units
    everyone = None
    if rules.semantics.base == "all":
        everyone = units.total()
    reached = matched.hit >= 0
    running = np.zeros(len(matched.unit), dtype=np.bool_)
    if rules.within_us is not None:
        running = followed < rules.within_us
    elif subject.journeys is not None:
        running = subject.journeys.outcome[subject.whole(matched.unit)] == IN_PROGRESS
    return Entrants(
        reached=reached,
        time=time,
        weight=weight,
        customer=customer,
        units=units.take(matched.unit),
        everyone=everyone,
        followed_us=followed,
        within_us=rules.within_us,
        running=running & ~reached[-1],
        interpolated=rules.semantics.quantiles == "interpolated",
        went_on=matched.went_on,
    )


def step_columns(
    entrants: Entrants,
    steps: tuple[Step, ...],
    *,
    survival: bool,
    level: float,
) -> dict[str, Any]:
    """Return the columns of a funnel.

    Parameters
    ----------
    entrants
        The units that entered.
    steps
        The steps.
    survival
        Whether rates are incidences at the end of the window.
    level
        Confidence level.
    """
    reached = entrants.reached
    counts = entrants.counts()
    whole = np.ones(reached.shape[1], dtype=np.bool_)
    overall: list[BucketFigures] = []
    bands: list[Band] = []
    stepwise: list[Band] = []
    left = [entrants.left(steps, k) for k in range(len(steps))]
    times = []
    for k in range(len(steps)):
        before = entrants.before(steps, k)
        if entrants.everyone is not None:
            overall.append(entrants.share(None, reached[k]))
        elif survival and k:
            overall.append(entrants.incidence(k))
        else:
            overall.append(entrants.share(whole, reached[k]))
        bands.append(_wilson(overall[k], level))
        if k == 0 and entrants.everyone is None and counts[0] and reached[0].all():
            bands[0] = (1.0, 1.0, 1.0)  # of those who entered, all did
        if k == 0:
            stepwise.append(bands[0])
        elif survival:
            stepwise.append(_quotient(overall[k], overall[before], level))
        else:
            stepwise.append(_wilson(entrants.share(reached[before], entrants.came(k)), level))
        times.append(entrants.times(k, before, level))
    columns: dict[str, Any] = {
        "step": tuple(step.label for step in steps),
        "count": np.array(counts, dtype=np.int64),
    }
    columns |= _split(("rate", "low", "high"), bands)
    columns |= _split(("step_rate", "step_low", "step_high"), stepwise)
    for name, of in (("dropped", ~entrants.running), ("censored", entrants.running)):
        columns[name] = np.array([entrants.number(one & of) for one in left], dtype=np.int64)
    if entrants.timed:
        columns |= _split(_TIMES, times)
    return columns


def _wilson(share: BucketFigures, level: float) -> Band:
    low, high = share.wilson(level)
    return float(share.whole), float(low), float(high)


def _quotient(share: BucketFigures, before: BucketFigures, level: float) -> Band:
    """Return the ratio of two incidences, with its interval on the scale of logarithms."""
    whole, without = (
        np.divide(own, base, out=np.full(np.shape(own), np.nan), where=base > 0)
        for own, base in ((share.whole, before.whole), (share.without, before.without))
    )
    ratio = BucketFigures(whole=whole, without=without, units=share.units)
    low, high = ratio.positive(level)
    return float(whole), float(low), float(high)


_TIMES = (
    "median_s",
    "median_low_s",
    "median_high_s",
    "p90_s",
    "step_mean_s",
    "step_median_s",
    "step_p90_s",
)
_PERCENT = ("rate", "low", "high", "step_rate", "step_low", "step_high")
FORMATS = dict.fromkeys(_PERCENT, "percent") | dict.fromkeys(_TIMES, "duration")


def _split(names: tuple[str, ...], rows: list[Any]) -> dict[str, Floats]:
    parts = np.array(rows, dtype=np.float64).reshape(len(rows), len(names)).T
    return dict(zip(names, parts, strict=True))
