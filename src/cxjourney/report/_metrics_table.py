"""Metrics of the report, each with its interval and its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.estimates import mean_estimate
from cxjourney._support.table import Table
from cxjourney.journeys import conversion_rate_of, units_of
from cxjourney.metrics import (
    Estimate,
    Scale,
    csat,
    elapsed_time,
    mean_score,
    nps,
)
from cxjourney.report._catalogue import number, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

_ENOUGH = 30  # answers from which their range tells a scale


def metrics_table(journeys: Journeys, scale: Scale | None) -> tuple[Table, tuple[str, ...]]:
    """Return the metrics that the log allows, and how its scores were read."""
    found = list(_of_journeys(journeys))
    answers, note = _of_answers(journeys, scale)
    found += answers
    table = Table(
        {
            "metric": [e.name.replace("_", " ") for e in found],
            "value": [_shown(e.value, e) for e in found],
            "interval": [
                say("number.none")
                if np.isnan(e.low)
                else say("number.span", low=_shown(e.low, e), high=_shown(e.high, e))
                for e in found
            ],
            "n": np.array([e.n for e in found], dtype=np.int64),
            "censored": np.array([e.n_censored for e in found], dtype=np.int64),
            "definition": [e.definition for e in found],
        }
    )
    return table, note


def _shown(value: float, estimate: Estimate) -> str:
    if estimate.unit == "fraction":
        return number(value, "percent")
    if estimate.unit == "seconds":
        return number(value, "duration")
    text = number(value)
    return f"{text} {estimate.unit}" if len(estimate.unit) == 3 else text


def _of_journeys(journeys: Journeys) -> Iterator[Estimate]:
    if journeys.weight is not None:
        return  # aggregated paths: the other sections have their rates
    won, units = journeys.converted, units_of(journeys)
    if (rate := conversion_rate_of(journeys)) is not None:
        yield rate
    time = journeys.columns.time
    if time is not None and won.any():
        last = journeys.offsets[1:][won] - 1
        took = (time[last] - time[journeys.offsets[:-1][won]]).astype("timedelta64[us]")
        yield attrs.evolve(
            elapsed_time(took).median, name=say("metrics.time"), definition=say("metrics.time_is")
        )
    yield mean_estimate(
        journeys.lengths.astype(np.float64),
        units,
        level=0.95,
        name=say("metrics.interactions"),
        definition=say("metrics.interactions_is"),
        unit="interactions",
    )
    worth = journeys.value[won]
    known = ~np.isnan(worth)
    if known.any():
        yield mean_estimate(
            worth[known],
            units,
            item=np.flatnonzero(won)[known],
            level=0.95,
            name=say("metrics.value"),
            definition=say("metrics.value_is"),
            unit=journeys.log.currency or "value",
            n_missing=int(np.count_nonzero(~known)),
        )


def _of_answers(journeys: Journeys, scale: Scale | None) -> tuple[list[Estimate], tuple[str, ...]]:
    numeric = journeys.columns.numeric
    found: list[Estimate] = []
    notes: list[str] = []
    if "score" in numeric:
        scores = np.asarray(numeric["score"], dtype=np.float64)
        known = scores[~np.isnan(scores)]
        if scale is None:
            scale = _scale_of(known)
            notes.append(_how_read(scale, known))
        if scale == Scale.ZERO_TO_TEN:
            found.append(nps(scores))
        elif scale is not None and scale.integer and len(scale.answers) <= 7:
            found.append(csat(scores, scale=scale))
        found.append(mean_score(scores, scale=scale))
        notes.append(say("metrics.independent"))
    if "emotion" in numeric:
        emotion = np.asarray(numeric["emotion"], dtype=np.float64)
        known = ~np.isnan(emotion)
        journey = np.repeat(np.arange(len(journeys.customer)), np.diff(journeys.offsets))
        found.append(
            mean_estimate(
                emotion[known],
                units_of(journeys),
                item=journey[known],
                level=0.95,
                name=say("metrics.emotion"),
                definition=say("metrics.emotion_is"),
                unit="valence",
            )
        )
    return found, tuple(notes)


def _scale_of(known: NDArray[np.float64]) -> Scale | None:
    """Return the scale that so many whole answers leave no doubt of, else None."""
    if len(known) < _ENOUGH or not np.array_equal(known, np.round(known)):
        return None
    lowest, highest = known.min(), known.max()
    if lowest == 0 and 7 < highest <= 10:
        return Scale.ZERO_TO_TEN
    return Scale.FIVE_POINT if lowest >= 1 and highest == 5 else None


def _how_read(scale: Scale | None, known: NDArray[np.float64]) -> str:
    seen = say("metrics.all_missing")
    if len(known):
        seen = say("metrics.range", low=known.min(), high=known.max())
    if scale is None:
        return say("metrics.no_scale", seen=seen)
    return say("metrics.scale", seen=seen, low=scale.low, high=scale.high)
