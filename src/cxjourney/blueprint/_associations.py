"""Frequencies of deviations, and the conversion, duration and score that they go with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney._stats.buckets import difference_of_means, difference_of_shares
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.significance import false_discovery
from cxjourney._support.table import Table
from cxjourney.journeys import CONVERTED, IN_PROGRESS, units_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjourney._stats.units import Units
    from cxjourney._support.array_types import Floats, Ints
    from cxjourney.blueprint._deviations import Deviation
    from cxjourney.journeys import Journeys

Outcome = Literal["conversion", "duration", "score"]
_OUTCOMES: tuple[Outcome, ...] = ("conversion", "duration", "score")
_NUMBERS = ("difference", "low", "high", "with_it", "without_it")
_DISPLAY = {"conversion": "percent", "duration": "duration", "score": "number"}


@attrs.frozen(kw_only=True)
class _Comparison:
    """The mean or share of one group of journeys minus that of another.

    Attributes
    ----------
    value, low, high
        The difference and its interval; NaN where a group is empty, the ends also where one has
        too few customers.
    p
        Two-sided p-value of no difference; NaN where there is no interval.
    one, other
        The two means or shares.
    n_one, n_other
        Journeys of each, weights counted.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    one: float = math.nan
    other: float = math.nan
    n_one: int = 0
    n_other: int = 0


def associations(
    journeys: Journeys, shown: Sequence[Deviation], *, min_journeys: int, level: float
) -> dict[Outcome, Table]:
    """Return what each deviation goes with, p-values adjusted over all three outcomes."""
    units, weight = units_of(journeys), weights_of(journeys)
    compared = {}
    for name in _OUTCOMES:
        values = _values(journeys, name)
        compared[name] = [
            _compared(d, values, name, units, weight, min_journeys=min_journeys, level=level)
            for d in shown
        ]
    p = np.array([c.p for name in _OUTCOMES for c in compared[name]], dtype=np.float64)
    parts = np.split(false_discovery(p), len(_OUTCOMES))
    return {
        name: _associations(shown, compared[name], q, name, backend=journeys.log.backend)
        for name, q in zip(_OUTCOMES, parts, strict=True)
    }


def weights_of(journeys: Journeys) -> Ints:
    """Return how often each journey counts."""
    n = len(journeys.outcome)
    return np.ones(n, dtype=np.int64) if journeys.weight is None else journeys.weight


def _values(journeys: Journeys, name: Outcome) -> Floats:
    """Return an outcome of each journey; NaN where it has none."""
    n = len(journeys.outcome)
    over = journeys.outcome != IN_PROGRESS
    if name == "conversion":
        known = journeys.rules.determined and bool(journeys.converted.any())
        return np.where(over & known, journeys.outcome == CONVERTED, np.nan)
    if name == "duration":
        time = journeys.columns.time
        if time is None or not n:
            return np.full(n, np.nan)
        lasted = (time[journeys.offsets[1:] - 1] - time[journeys.offsets[:-1]]) / 1e6
        return np.where(over, lasted, np.nan)
    score = journeys.columns.numeric.get("score")
    if score is None or not n:
        return np.full(n, np.nan)
    known_score = ~np.isnan(score)
    first = journeys.offsets[:-1]
    with np.errstate(invalid="ignore"):
        sums: Floats = np.add.reduceat(np.where(known_score, score, 0.0), first)
        return sums / np.add.reduceat(known_score.astype(np.float64), first)


def _compared(
    deviation: Deviation,
    values: Floats,
    outcome: Outcome,
    units: Units,
    weight: Ints,
    *,
    min_journeys: int,
    level: float,
) -> _Comparison:
    if deviation.possible is None:
        return _Comparison()
    comparable = deviation.possible[deviation.path] & ~np.isnan(values)
    rows = [np.flatnonzero(deviation.present & comparable)]
    rows.append(np.flatnonzero(~deviation.present & comparable))
    n_one, n_other = (int(weight[chosen].sum()) for chosen in rows)
    if min(n_one, n_other) < min_journeys:
        return _Comparison(n_one=n_one, n_other=n_other)
    one, other = (mean_figures(values[chosen], units.take(chosen)) for chosen in rows)
    difference = difference_of_shares if outcome == "conversion" else difference_of_means
    (low,), (high,), (p,) = difference(one, other, level=level)
    return _Comparison(
        value=float(one.whole[0] - other.whole[0]),
        low=float(low),
        high=float(high),
        p=float(p),
        one=float(one.whole[0]),
        other=float(other.whole[0]),
        n_one=n_one,
        n_other=n_other,
    )


def _associations(
    shown: Sequence[Deviation],
    compared: list[_Comparison],
    adjusted: Floats,
    outcome: Outcome,
    *,
    backend: str | None,
) -> Table:
    def column(name: str) -> Floats:
        return np.array([getattr(c, name) for c in compared], dtype=np.float64)

    columns: dict[str, Any] = {
        "deviation": [d.kind for d in shown],
        "step": [d.label for d in shown],
        "difference": column("value"),
        "low": column("low"),
        "high": column("high"),
        "p": column("p"),
        "adjusted_p": adjusted,
        "with_it": column("one"),
        "without_it": column("other"),
        "n_with": np.array([c.n_one for c in compared], dtype=np.int64),
        "n_without": np.array([c.n_other for c in compared], dtype=np.int64),
    }
    return Table(columns, formats=dict.fromkeys(_NUMBERS, _DISPLAY[outcome]), backend=backend)


def frequencies(journeys: Journeys, shown: Sequence[Deviation], *, level: float) -> Table:
    """Return how often each deviation occurs."""
    units, weight = units_of(journeys), weights_of(journeys)
    shares = []
    for deviation in shown:
        found = mean_figures(deviation.present.astype(np.float64), units)
        shares.append((found.whole[0], *(end[0] for end in found.wilson(level))))
    share, low, high = np.array(shares, dtype=np.float64).reshape(-1, 3).T
    counts, times = np.array([occurrences(d, weight) for d in shown]).reshape(-1, 2).T
    return Table(
        {
            "deviation": [d.kind for d in shown],
            "step": [d.label for d in shown],
            "journeys": counts.astype(np.int64),
            "share": share,
            "low": low,
            "high": high,
            "times": times.astype(np.int64),
        },
        formats=dict.fromkeys(("share", "low", "high"), "percent"),
        backend=journeys.log.backend,
    )


def occurrences(deviation: Deviation, weight: Ints) -> tuple[float, float]:
    """Return how many journeys show a deviation, and how often in all, weights counted."""
    count = np.bincount(deviation.path, weight, minlength=len(deviation.per_path))
    shows = deviation.per_path > 0
    return float(count[shows].sum()), float(np.sum(count * deviation.per_path))
