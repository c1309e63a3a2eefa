"""The columns of `funnel`: counts, rates, intervals and times of the steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._stats.intervals import quantile_type_7, wilson
from cxjourney._stats.significance import false_discovery, fisher_p
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._support.table import Table
from cxjourney.domain import MISSING
from cxjourney.metrics import effective_n, kaplan_meier

if TYPE_CHECKING:
    from cxjourney.dropoff._steps import Step

__all__ = ["FORMATS", "Entrants", "segment_table", "step_columns"]

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
    followed_us
        How long each unit was followed from its entry, at most the window [µs].
    """

    reached: Bools
    time: Ints | None
    weight: Floats | None
    customer: Ints | None
    followed_us: Ints

    def take(self, units: Bools) -> Entrants:
        """Return some of the units."""
        return Entrants(
            reached=self.reached[:, units],
            time=None if self.time is None else self.time[:, units],
            weight=None if self.weight is None else self.weight[units],
            customer=None if self.customer is None else self.customer[units],
            followed_us=self.followed_us[units],
        )

    def number(self, of: Bools) -> int:
        """Return the number of units that a mask holds for, weights counted."""
        return int(np.count_nonzero(of) if self.weight is None else self.weight[of].sum())

    def counts(self) -> tuple[int, ...]:
        """Return the number of units that reached each step."""
        return tuple(self.number(row) for row in self.reached)

    def share(self, of: Bools, hits: Bools, level: float) -> _Band:
        """Return the share of the units `of` that `hits` holds for, with its interval."""
        n, count = float(self.number(of)), float(self.number(hits & of))
        if n == 0:
            return math.nan, math.nan, math.nan
        trials = n
        if self.customer is not None:
            trials = effective_n(hits[of], self.customer[of])
            if math.isnan(trials):
                return count / n, math.nan, math.nan
        return count / n, *wilson(min(count / n * trials, trials), trials, level=level)

    def incidence(self, k: int, level: float) -> _Band:
        """Return the share that reaches step k by the end of the window, open ones censored."""
        if not self.reached.shape[1]:
            return math.nan, math.nan, math.nan
        curve = self.curve(k, level)
        return (
            float(1 - curve.survival[-1]),
            float(1 - curve.high[-1]),
            float(1 - curve.low[-1]),
        )

    def curve(self, k: int, level: float) -> Any:
        """Return the survival curve of the time from entry to step k."""
        assert self.time is not None  # noqa: S101 - the caller has looked
        done = self.reached[k]
        waited = np.where(done, self.time[k] - self.time[0], self.followed_us)
        customer = self.customer
        return kaplan_meier(waited.astype("timedelta64[us]"), done, customer=customer, level=level)


_Band = tuple[float, float, float]


def step_columns(
    entrants: Entrants,
    steps: tuple[Step, ...],
    *,
    n_base: float | None,
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
    n_base
        Number of units that rates are shares of; None where it is those that entered.
    survival
        Whether rates are incidences at the end of the window.
    level
        Confidence level.
    """
    reached = entrants.reached
    counts = entrants.counts()
    whole = reached[0]
    overall: list[_Band] = []
    stepwise: list[_Band] = []
    dropped = []
    times = []
    before = 0
    for k, step in enumerate(steps):
        if n_base is not None:
            share = counts[k] / n_base if n_base else math.nan
            ends = wilson(counts[k], n_base, level=level)
            overall.append((share, *ends))
        elif survival and k:
            overall.append(entrants.incidence(k, level))
        else:
            overall.append(entrants.share(whole, reached[k], level))
        if k == 0:
            stepwise.append(overall[0])
        elif survival:
            ratio = overall[k][0] / overall[before][0] if overall[before][0] > 0 else math.nan
            stepwise.append((ratio, math.nan, math.nan))
        else:
            stepwise.append(entrants.share(reached[before], reached[k], level))
        dropped.append(0 if step.optional or not k else counts[before] - counts[k])
        times.append(_times(entrants, k, before, level))
        before = before if step.optional else k
    columns: dict[str, Any] = {
        "step": tuple(step.label for step in steps),
        "count": np.array(counts, dtype=np.int64),
    }
    columns |= _split(("rate", "low", "high"), overall)
    columns |= _split(("step_rate", "step_low", "step_high"), stepwise)
    columns["dropped"] = np.array(dropped, dtype=np.int64)
    if entrants.time is not None:
        columns |= _split(_TIMES, times)
    return columns


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


def _times(entrants: Entrants, k: int, before: int, level: float) -> tuple[float, ...]:
    """Return the times to a step of those who reached it, from the entry and the step before."""
    if entrants.time is None or k == 0 or not entrants.reached[k].any():
        return (math.nan,) * len(_TIMES)
    time, done = entrants.time, np.flatnonzero(entrants.reached[k])
    earlier = np.stack([time[0, done], time[before, done]])
    since_entry, since_step = since = (time[k, done] - earlier) / _SECOND
    median, low, high = quantile_type_7(since_entry, 0.5, level=level)
    (_, step_median), (p90, step_p90) = np.quantile(since, [0.5, 0.9], axis=1).tolist()
    return median, low, high, p90, float(since_step.mean()), step_median, step_p90


def segment_table(
    entrants: Entrants,
    steps: tuple[Step, ...],
    codes: Ints,
    names: tuple[str, ...],
    *,
    column: str,
    survival: bool,
    level: float,
) -> Table:
    """Return the funnel of every segment, and how its conversion differs from all others.

    Fisher's exact test compares a segment with all others; the q-values are those of Benjamini
    and Hochberg over the segments.
    """
    labels = (*names, MISSING)
    present = np.unique(codes).tolist()
    rows: dict[str, list[Any]] = {}
    won = entrants.reached[-1]
    p_values = []
    for code in present:
        inside = codes == code
        a, n = (float(entrants.number(m)) for m in (inside & won, inside))
        c, m = (float(entrants.number(m)) for m in (~inside & won, ~inside))
        p_values.append(fisher_p(a, n, c, m))
    q_values = false_discovery(np.array(p_values))
    for code, p, q in zip(present, p_values, q_values.tolist(), strict=True):
        part = step_columns(
            entrants.take(codes == code), steps, n_base=None, survival=survival, level=level
        )
        size = len(steps)
        part = {column: (str(labels[code]),) * size, **part}
        part |= {"p_value": np.full(size, np.nan), "q_value": np.full(size, np.nan)}
        part["p_value"][-1], part["q_value"][-1] = p, q
        for name, values in part.items():
            rows.setdefault(name, []).extend(values)
    return Table(rows, formats=FORMATS)
