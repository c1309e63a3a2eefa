"""Metrics of the report, each with its interval and its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjourney._stats.estimates import mean_estimate
from cxjourney._support.table import Table, format_value
from cxjourney.journeys import conversion_rate_of, units_of
from cxjourney.metrics import (
    Estimate,
    Scale,
    csat,
    elapsed_time,
    mean_score,
    nps,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cxjourney.journeys import Journeys

_ENOUGH = 30  # answers from which their range tells a scale
_SHARE = 0.5  # of the converted journeys that come by a touchpoint of the usual way


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
                "-" if np.isnan(e.low) else f"{_shown(e.low, e)} to {_shown(e.high, e)}"
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
        return format_value(value, "percent")
    if estimate.unit == "seconds":
        return format_value(value, "duration")
    text = format_value(value)
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
        yield elapsed_time(
            took,
            name="time_to_conversion",
            definition="time from the first interaction to the goal, of journeys that converted",
        ).median
    yield mean_estimate(
        journeys.lengths.astype(np.float64),
        units,
        level=0.95,
        name="interactions per journey",
        definition="mean number of interactions of a journey, without its goal",
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
            name="value of a conversion",
            definition="mean value of the goal interactions of a converted journey",
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
        notes.append("The intervals of scores take the answers as independent of each other.")
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
                name="emotion",
                definition="mean valence, from -1 (unpleasant) to 1 (pleasant)",
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
    seen = f"range from {known.min():g} to {known.max():g}" if len(known) else "are all missing"
    if scale is None:
        return (
            f"The scores {seen}, which does not tell their scale. Name it with scale= to have NPS "
            "or CSAT."
        )
    return f"The scores {seen} and were read as a scale from {scale.low:g} to {scale.high:g}."


def default_steps(journeys: Journeys) -> tuple[str | tuple[str, ...], ...]:
    """Return the usual way to the goal: where most of those who converted came by, in order.

    Touchpoints by the mean place of their first visit, then the goal. The most usual are taken
    first; a further one is while at least half of the converted journeys come by all of them in
    this order. Of alternatives no two stand in series.
    """
    columns = journeys.columns
    goal = tuple(x for x in journeys.rules.goal if x in columns.coded["touchpoint"].names)
    won = np.flatnonzero(journeys.converted)
    if not len(won) or not goal:
        return ()
    coded = columns.coded["touchpoint"]
    journey = np.repeat(np.arange(len(journeys.outcome)), np.diff(journeys.offsets))
    rows = np.flatnonzero(journeys.converted[journey])
    key = journey[rows] * len(coded.names) + coded.codes[rows].astype(np.int64)
    _, first = np.unique(key, return_index=True)
    rows = rows[first]
    place = rows - journeys.offsets[:-1][journey[rows]]
    share = np.bincount(coded.codes[rows], minlength=len(coded.names)) / len(won)
    mean = np.bincount(coded.codes[rows], place, minlength=len(coded.names)) / np.maximum(
        share * len(won), 1
    )
    usual: list[int] = []
    for k in np.argsort(-share, kind="stable").tolist():
        if share[k] < _SHARE or coded.names[k] in goal:
            continue
        way = sorted([*usual, k], key=mean.__getitem__)
        reached, in_order = np.full(len(journeys.outcome), -1), np.ones(len(journeys.outcome), bool)
        for x in way:
            here = np.full(len(reached), -1)
            here[journey[rows[coded.codes[rows] == x]]] = place[coded.codes[rows] == x]
            in_order &= here > reached
            reached = here
        if in_order.sum() >= _SHARE * len(won):
            usual = way
    return (*(str(coded.names[k]) for k in usual), goal[0] if len(goal) == 1 else goal)
