"""How often deviations occur, and what conversion, duration and score they go with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from cxjourney._stats.significance import false_discovery
from cxjourney._support.table import Table
from cxjourney.journeys import (
    CONVERTED,
    IN_PROGRESS,
    Comparison,
    Sample,
    compare_means,
    compare_shares,
    share_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cxjourney.blueprint._deviations import Deviation
    from cxjourney.journeys import Journeys

__all__ = ["associations", "frequencies", "occurrences"]

Outcome = Literal["conversion", "duration", "score"]
_OUTCOMES: tuple[Outcome, ...] = ("conversion", "duration", "score")
_NUMBERS = ("difference", "low", "high", "with_it", "without_it")
_DISPLAY = {"conversion": "percent", "duration": "duration", "score": "number"}


def associations(
    journeys: Journeys, shown: Sequence[Deviation], *, min_journeys: int, level: float
) -> dict[Outcome, Table]:
    """Return what each deviation goes with, p-values adjusted over all three outcomes."""
    compared = {}
    for name in _OUTCOMES:
        sample = Sample.of(journeys, _values(journeys, name))
        compared[name] = [
            _compared(d, sample, name, min_journeys=min_journeys, level=level) for d in shown
        ]
    p = np.array([c.p for name in _OUTCOMES for c in compared[name]], dtype=np.float64)
    parts = np.split(false_discovery(p), len(_OUTCOMES))
    return {
        name: _associations(shown, compared[name], q, name, backend=journeys.log.backend)
        for name, q in zip(_OUTCOMES, parts, strict=True)
    }


def _values(journeys: Journeys, name: Outcome) -> NDArray[np.float64]:
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
        sums: NDArray[np.float64] = np.add.reduceat(np.where(known_score, score, 0.0), first)
        return sums / np.add.reduceat(known_score.astype(np.float64), first)


def _compared(
    deviation: Deviation,
    sample: Sample,
    outcome: Outcome,
    *,
    min_journeys: int,
    level: float,
) -> Comparison:
    if deviation.possible is None:
        return Comparison()
    present, possible = deviation.present, deviation.possible[deviation.path]
    one, other = sample.where(present & possible), sample.where(~present & possible)
    n_one, n_other = round(float(one.weight.sum())), round(float(other.weight.sum()))
    if min(n_one, n_other) < min_journeys:
        return Comparison(n_one=n_one, n_other=n_other)
    compare = compare_shares if outcome == "conversion" else compare_means
    return compare(one, other, level=level)


def _associations(
    shown: Sequence[Deviation],
    compared: list[Comparison],
    adjusted: NDArray[np.float64],
    outcome: Outcome,
    *,
    backend: str | None,
) -> Table:
    def column(name: str) -> NDArray[np.float64]:
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


def frequencies(
    shown: Sequence[Deviation],
    everyone: Sample,
    *,
    level: float,
    backend: str | None,
) -> Table:
    """Return how often each deviation occurs."""
    shares = [
        share_interval(attrs.evolve(everyone, value=d.present.astype(np.float64)), level=level)
        for d in shown
    ]
    share, low, high = np.array(shares, dtype=np.float64).reshape(-1, 3).T
    journeys, times = np.array([occurrences(d, everyone) for d in shown]).reshape(-1, 2).T
    return Table(
        {
            "deviation": [d.kind for d in shown],
            "step": [d.label for d in shown],
            "journeys": journeys.astype(np.int64),
            "share": share,
            "low": low,
            "high": high,
            "times": times.astype(np.int64),
        },
        formats=dict.fromkeys(("share", "low", "high"), "percent"),
        backend=backend,
    )


def occurrences(deviation: Deviation, everyone: Sample) -> tuple[float, float]:
    """Return how many journeys show a deviation, and how often in all, weights counted."""
    weight = np.bincount(deviation.path, everyone.weight, minlength=len(deviation.per_path))
    shows = deviation.per_path > 0
    return float(weight[shows].sum()), float(np.sum(weight * deviation.per_path))
