"""Figures of journeys as rows with a time, whatever is asked of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import OPEN
from cxjourney._stats.landmark import LARGEST_PART, usual_window
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney._time.calendar import DAY_US
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName
from cxjourney.journeys import until_goal_us, visits_of
from cxjourney.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxjourney.journeys import Journeys, Visits

_OVER = 0.99


@attrs.frozen(kw_only=True)
class Facts:
    """What a chart must know of a figure.

    Attributes
    ----------
    unit, horizon_us, counted, share
        As of `Rows`.
    delayed
        Whether events take time to be seen.
    """

    unit: str
    horizon_us: int
    counted: bool
    share: bool
    delayed: bool


@attrs.frozen(kw_only=True, eq=False)
class Rows:
    """Rows whose mean, or number a day, is a figure.

    Attributes
    ----------
    journey
        Journey of each row.
    time_us
        When each row begins [µs]: it belongs to the period of that time.
    value
        Its value; of a share 1 where the event has been seen.
    delay_us
        How long after its beginning the event was seen [µs]; of rows without one it says nothing.
    horizon_us
        How long a row has to be followed before its value is final [µs].
    unit
        What one of it is; "fraction" for a share.
    counted
        Whether the figure is the number of rows a day.
    """

    journey: Ints
    time_us: Ints
    value: Floats
    delay_us: Floats = attrs.field()
    horizon_us: int = 0
    unit: str = ""
    counted: bool = False

    @delay_us.default
    def _at_once(self) -> Floats:
        return np.zeros(len(self.value))

    @property
    def share(self) -> bool:
        """Whether it is a share of rows."""
        return self.unit == "fraction" and bool(np.isin(self.value, (0.0, 1.0)).all())

    @property
    def facts(self) -> Facts:
        """What the chart must know of the figure."""
        return Facts(
            unit=self.unit,
            horizon_us=self.horizon_us,
            counted=self.counted,
            share=self.share,
            delayed=bool(self.delay_us.any()),
        )

    def take(self, rows: Bools) -> Rows:
        """Return some of the rows."""
        fields = ("journey", "time_us", "value", "delay_us")
        return attrs.evolve(self, **{name: getattr(self, name)[rows] for name in fields})


def until_us(journeys: Journeys) -> int:
    """Return until when journeys were observed [µs]."""
    until = journeys.log.observed_until_us
    return int(_times(journeys).max(initial=0)) if until is None else int(until)


def since_us(journeys: Journeys) -> int:
    """Return since when journeys were observed [µs]."""
    log = journeys.log
    if log.observed_from_us is not None or log.columns.time is None:
        return log.observed_from_us or 0
    return int(log.columns.time.min(initial=until_us(journeys)))


def _times(journeys: Journeys) -> Ints:
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - a trend asks for times first
    return np.asarray(time)


def _starts(journeys: Journeys) -> Ints:
    return _times(journeys)[journeys.offsets[:-1]]


def _horizon(journeys: Journeys, took: Floats | Ints, reached: float = 0.9) -> int:
    """Return the time in which most of what takes some time is over, in whole days [µs]."""
    span = max(until_us(journeys) - int(_times(journeys).min(initial=0)), DAY_US)
    took = took if len(took) else np.zeros(1)
    usual = usual_window(took, span, reached, day=DAY_US)
    return int(min(usual, span / LARGEST_PART))  # also where less than four days were observed


def _known(
    journey: Ints, time_us: Ints, value: Floats, *, unit: str = "", horizon_us: int = 0
) -> Rows:
    """Return rows of values that are known."""
    rows = Rows(
        journey=journey,
        time_us=time_us,
        value=np.asarray(value, dtype=np.float64),
        unit=unit,
        horizon_us=horizon_us,
    )
    return rows.take(~np.isnan(rows.value))


def _counted(journey: Ints, time_us: Ints, unit: str) -> Rows:
    ones = np.ones(len(journey))
    return Rows(journey=journey, time_us=time_us, value=ones, unit=f"{unit} a day", counted=True)


def _before(journeys: Journeys) -> Ints:
    """Return the row before the first of each journey: its beginning."""
    return np.asarray(journeys.offsets[:-1] - 1)


def _until_goal_us(journeys: Journeys, row: Ints, journey: Ints) -> Floats:
    if not journeys.rules.goal:
        raise InvalidValue(
            "a trend of conversions needs a goal: give goal= where the journeys are made"
        )
    return until_goal_us(journeys, row, journey)


def _conversions(journeys: Journeys, row: Ints, journey: Ints, time_us: Ints) -> Rows:
    """Return conversions after some rows, within the time in which nine of ten come."""
    delay = _until_goal_us(journeys, row, journey)
    horizon = _horizon(journeys, delay[np.isfinite(delay)])
    return Rows(
        journey=journey,
        time_us=time_us,
        value=(delay <= horizon).astype(np.float64),
        delay_us=delay,
        horizon_us=horizon,
        unit="fraction",
    )


def _conversion_rate(journeys: Journeys, _: str) -> Rows:
    every = np.arange(len(journeys.outcome))
    return _conversions(journeys, _before(journeys), every, _starts(journeys))


def _conversion_after(journeys: Journeys, touchpoint: str) -> Rows:
    visits = visits_of(journeys)
    at = np.flatnonzero(_there(visits, touchpoint))
    journey, first = np.unique(visits.journey[at], return_index=True)
    row = visits.row[at[first]]
    return _conversions(journeys, row, journey, _times(journeys)[row])


def _exit_rate(journeys: Journeys, touchpoint: str) -> Rows:
    rules = journeys.rules
    if not (rules.inactivity or rules.exit_touchpoints or rules.all_closed):
        raise OutcomeUndetermined(
            "exit_rate needs to know when a journey is over: give trend() journeys with "
            "inactivity=, exit_touchpoints= or all_closed=True"
        )
    visits, limit = visits_of(journeys), journeys.rules.inactivity
    horizon = 0 if limit is None or journeys.rules.all_closed else limit.total_seconds() * 1e6
    known = horizon > 0 or visits.state != OPEN
    rows = np.flatnonzero(_there(visits, touchpoint) & known)
    left = (visits.following == visits.dropoff)[rows]
    return Rows(
        journey=visits.journey[rows],
        time_us=_times(journeys)[visits.row[rows]],
        value=left.astype(np.float64),
        delay_us=np.where(left, float(horizon), np.inf),  # silence is known when the limit is over
        horizon_us=int(horizon),
        unit="fraction",
    )


def _visits_per_journey(journeys: Journeys, _: str) -> Rows:
    """Return visits within the time in which nine of ten journeys are over."""
    time, visits, start = _times(journeys), visits_of(journeys), _starts(journeys)
    horizon = _horizon(journeys, time[journeys.offsets[1:] - 1] - start)
    early = time[visits.row] - start[visits.journey] <= horizon
    n = np.bincount(visits.journey[early], minlength=len(start)).astype(np.float64)
    return _known(np.arange(len(start)), start, n, unit="visits", horizon_us=horizon)


def _value_per_conversion(journeys: Journeys, _: str) -> Rows:
    rows = _conversion_rate(journeys, "")
    soon = np.where(rows.value > 0, journeys.value, np.nan)
    return _known(rows.journey, rows.time_us, soon, horizon_us=rows.horizon_us)


def _measured(column: str, unit: str) -> Callable[[Journeys, str], Rows]:
    def rows(journeys: Journeys, touchpoint: str) -> Rows:
        numeric = journeys.columns.numeric
        if column not in numeric:
            raise UnknownName.among("figure", column, tuple(numeric), where="the log")
        visits = visits_of(journeys)
        there = np.flatnonzero(_there(visits, touchpoint))
        row = visits.row[there]
        return _known(visits.journey[there], _times(journeys)[row], numeric[column][row], unit=unit)

    return rows


def _begun(journeys: Journeys, _: str) -> Rows:
    return _counted(np.arange(len(journeys.outcome)), _starts(journeys), "journeys")


def _converted(journeys: Journeys, _: str) -> Rows:
    took = _until_goal_us(journeys, _before(journeys), np.arange(len(journeys.outcome)))
    won = np.flatnonzero(np.isfinite(took))
    when = _starts(journeys)[won] + took[won].astype(np.int64)
    return _counted(won, when, "conversions")


def _visited(journeys: Journeys, touchpoint: str) -> Rows:
    visits = visits_of(journeys)
    there = np.flatnonzero(_there(visits, touchpoint))
    return _counted(visits.journey[there], _times(journeys)[visits.row[there]], "visits")


def _there(visits: Visits, touchpoint: str) -> Bools:
    """Return which visits are at a touchpoint; all where it is empty."""
    if not touchpoint:
        return np.ones(len(visits), dtype=np.bool_)
    if touchpoint not in visits.names:
        raise UnknownName.among("touchpoint", touchpoint, visits.names, where="the journeys")
    return np.asarray(visits.node == visits.names.index(touchpoint))


FIGURES: dict[str, tuple[str, Callable[[Journeys, str], Rows]]] = {
    # name: whether a touchpoint may, must or must not follow; rows
    "conversion_rate": ("no", _conversion_rate),
    "conversion_after": ("must", _conversion_after),
    "exit_rate": ("may", _exit_rate),
    "visits_per_journey": ("no", _visits_per_journey),
    "value_per_conversion": ("no", _value_per_conversion),
    "score": ("may", _measured("score", "points")),
    "emotion": ("may", _measured("emotion", "valence")),
    "journeys": ("no", _begun),
    "conversions": ("no", _converted),
    "visits": ("may", _visited),
}
"""The headline figures by name; "exit_rate:cart" is that of a touchpoint."""


def rows_of(journeys: Journeys, figure: str | Metric) -> Rows:
    """Return the rows of a headline figure, or of a metric with one value a journey.

    Raises
    ------
    UnknownName
        If no headline figure has this name.
    InvalidValue
        If the name lacks a touchpoint, or has one where none may stand; if the metric says nothing
        of journeys, or not one number each.
    """
    if isinstance(figure, Metric):
        return _of_metric(journeys, figure)
    name, touchpoint = parts_of_figure(figure)
    return FIGURES[name][1](journeys, touchpoint)


def parts_of_figure(figure: object) -> tuple[str, str]:
    """Return the name of a headline figure, and its touchpoint or nothing; see `rows_of`."""
    if not isinstance(figure, str):
        raise InvalidValue.of("figure", "be a name or a cxjourney.metrics.Metric", figure)
    name, _, touchpoint = figure.partition(":")
    if name not in FIGURES:
        raise UnknownName.among("figure", name, tuple(FIGURES), where="the headline figures")
    rule, _ = FIGURES[name]
    if (rule == "must") > bool(touchpoint) or (rule == "no" and touchpoint):
        said = "name a touchpoint after a colon" if rule == "must" else "have no touchpoint"
        raise InvalidValue.of("figure", said, figure)
    return name, touchpoint


def _of_metric(journeys: Journeys, metric: Metric) -> Rows:
    if metric.per_journey is None:
        rule = "have per_journey, a function from journeys to one value each"
        raise InvalidValue.of("figure", rule, metric.name)
    start = _starts(journeys)
    value = np.asarray(metric.per_journey(journeys))
    if value.shape != start.shape or value.dtype.kind not in "biuf" or np.isinf(value).any():
        rule = f"return {len(start):,} finite numbers or NaN, one a journey"
        raise InvalidValue.of(f"per_journey of {metric.name!r}", rule, value)
    limit = journeys.rules.inactivity
    took = _times(journeys)[journeys.offsets[1:] - 1] - start
    if limit is not None and not journeys.rules.all_closed:
        took = took + int(limit.total_seconds() * 1e6)
    horizon = _horizon(journeys, took, _OVER)  # until then a journey may still be under way
    return _known(np.arange(len(start)), start, value, unit=metric.unit, horizon_us=horizon)
