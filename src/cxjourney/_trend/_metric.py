"""`Metric`: a figure of journeys as rows with a time, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import OPEN
from cxjourney._support.array_types import Bools, Floats, Ints
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import IN_PROGRESS, Journeys, visits_of

if TYPE_CHECKING:
    from cxjourney.journeys import Visits

__all__ = ["FIGURES", "Metric", "Rows", "metric_of"]

DAY_US = 86_400_000_000
_REACHED = 0.9
_LARGEST_PART = 4


@attrs.frozen(kw_only=True, eq=False)
class Rows:
    """Rows whose mean is a figure.

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
    """

    journey: Ints
    time_us: Ints
    value: Floats
    delay_us: Floats
    horizon_us: int

    def take(self, rows: Bools) -> Rows:
        """Return some of the rows."""
        fields = ("journey", "time_us", "value", "delay_us")
        return attrs.evolve(self, **{name: getattr(self, name)[rows] for name in fields})


@attrs.frozen(kw_only=True, eq=False)
class Metric:
    """A figure of journeys: the mean of rows that each have a time.

    Attributes
    ----------
    name
        Its name.
    unit
        "fraction" for a share, else what one of it is.
    higher_is_better
        Which way is good; None where neither is.
    rows
        The rows of journeys.
    """

    name: str
    unit: str
    higher_is_better: bool | None
    rows: Callable[[Journeys], Rows]

    @classmethod
    def of_journeys(
        cls,
        name: str,
        value: Callable[[Journeys], Floats],
        *,
        unit: str = "",
        higher_is_better: bool | None = None,
    ) -> Metric:
        """Return the mean of a value of each journey, by when it began; NaN takes no part.

        Examples
        --------
        >>> visits = Metric.of_journeys("visits", lambda journeys: journeys.lengths.astype(float))
        >>> visits.unit, visits.higher_is_better
        ('', None)
        """

        def rows(journeys: Journeys) -> Rows:
            return _of_values(journeys, np.arange(len(journeys.outcome)), value(journeys))

        return cls(name=name, unit=unit, higher_is_better=higher_is_better, rows=rows)


def _times(journeys: Journeys) -> Ints:
    time = journeys.columns.time
    assert time is not None  # noqa: S101 - a trend asks for times first
    return np.asarray(time)


def _until(journeys: Journeys) -> int:
    until = journeys.log.observed_until_us
    return int(_times(journeys).max(initial=0)) if until is None else int(until)


def _of_values(
    journeys: Journeys, journey: Ints, value: Floats, time_us: Ints | None = None
) -> Rows:
    when = _times(journeys)[journeys.offsets[:-1]][journey] if time_us is None else time_us
    known = ~np.isnan(value)
    rows = Rows(
        journey=journey,
        time_us=when,
        value=np.asarray(value, dtype=np.float64),
        delay_us=np.zeros(len(value)),
        horizon_us=0,
    )
    return rows.take(known)


def _conversions(journeys: Journeys, visits: Visits, chosen: Ints) -> Rows:
    """Return conversions after some visits, within the time in which nine of ten come."""
    time = _times(journeys)
    touchpoint = journeys.columns.coded["touchpoint"]
    is_goal = np.array([name in journeys.rules.goal for name in touchpoint.names], dtype=np.bool_)
    goals = np.flatnonzero(is_goal[touchpoint.codes])
    end = np.full(len(journeys.outcome), np.inf)
    of = np.searchsorted(journeys.offsets, goals, side="right") - 1
    end[of[::-1]] = time[goals[::-1]]  # the earliest is written last
    start = time[visits.row[chosen]]
    journey = visits.journey[chosen]
    delay = end[journey] - start
    took = delay[np.isfinite(delay)]
    span = max(_until(journeys) - int(time.min(initial=0)), DAY_US)
    horizon = float(np.quantile(took, _REACHED)) if len(took) else 0.0
    horizon = min(max(np.ceil(horizon / DAY_US), 1.0) * DAY_US, span / _LARGEST_PART)
    return Rows(
        journey=journey,
        time_us=start,
        value=(delay <= horizon).astype(np.float64),
        delay_us=np.asarray(delay, dtype=np.float64),
        horizon_us=int(horizon),
    )


def _conversion_rate(journeys: Journeys, _: str) -> Rows:
    visits = visits_of(journeys)
    return _conversions(journeys, visits, visits.first)


def _conversion_after(journeys: Journeys, touchpoint: str) -> Rows:
    visits = visits_of(journeys)
    at = np.flatnonzero(visits.node == _node(visits, touchpoint))
    first = np.unique(visits.journey[at], return_index=True)[1]
    return _conversions(journeys, visits, at[first])


def _exit_rate(journeys: Journeys, touchpoint: str) -> Rows:
    visits = visits_of(journeys)
    limit = journeys.rules.inactivity
    horizon = 0 if limit is None or journeys.rules.all_closed else limit.total_seconds() * 1e6
    there = visits.state != OPEN if not horizon else np.ones(len(visits), dtype=np.bool_)
    if touchpoint:
        there &= visits.node == _node(visits, touchpoint)
    rows = np.flatnonzero(there)
    left = (visits.following == visits.dropoff)[rows]
    return Rows(
        journey=visits.journey[rows],
        time_us=_times(journeys)[visits.row[rows]],
        value=left.astype(np.float64),
        delay_us=np.where(left, float(horizon), np.inf),  # silence is known when the limit is over
        horizon_us=int(horizon),
    )


def _visits_per_journey(journeys: Journeys, _: str) -> Rows:
    closed = np.where(journeys.outcome == IN_PROGRESS, np.nan, journeys.lengths)
    rows = _of_values(journeys, np.arange(len(closed)), closed)
    # of journeys that began lately only the short ones are closed
    time, limit = _times(journeys), journeys.rules.inactivity
    took = (time[journeys.offsets[1:] - 1] - time[journeys.offsets[:-1]])[rows.journey]
    longest = float(np.quantile(took, _REACHED)) if len(took) else 0.0
    wait = 0.0 if limit is None else limit.total_seconds() * 1e6
    return attrs.evolve(rows, horizon_us=int(longest + wait))


def _value_per_conversion(journeys: Journeys, _: str) -> Rows:
    return _of_values(journeys, np.arange(len(journeys.value)), journeys.value)


def _measured(column: str) -> Callable[[Journeys, str], Rows]:
    def rows(journeys: Journeys, touchpoint: str) -> Rows:
        numeric = journeys.columns.numeric
        if column not in numeric:
            raise UnknownName.among("figure", column, tuple(numeric), where="the log")
        visits = visits_of(journeys)
        value = numeric[column][visits.row].astype(np.float64)
        if touchpoint:
            value = np.where(visits.node == _node(visits, touchpoint), value, np.nan)
        when = _times(journeys)[visits.row]
        return _of_values(journeys, visits.journey, value, when)

    return rows


def _node(visits: Visits, touchpoint: str) -> int:
    if touchpoint not in visits.names:
        raise UnknownName.among("touchpoint", touchpoint, visits.names, where="the journeys")
    return visits.names.index(touchpoint)


FIGURES: dict[str, tuple[str, bool | None, str, Callable[[Journeys, str], Rows]]] = {
    # name: unit, whether higher is better, whether a touchpoint may, must or must not follow, rows
    "conversion_rate": ("fraction", True, "no", _conversion_rate),
    "conversion_after": ("fraction", True, "must", _conversion_after),
    "exit_rate": ("fraction", False, "may", _exit_rate),
    "visits_per_journey": ("visits", None, "no", _visits_per_journey),
    "value_per_conversion": ("", True, "no", _value_per_conversion),
    "score": ("points", True, "may", _measured("score")),
    "emotion": ("valence", True, "may", _measured("emotion")),
}
"""The headline figures by name; "exit_rate:cart" is that of a touchpoint."""


def metric_of(figure: str | Metric) -> Metric:
    """Return the metric of a name, or the metric itself.

    Raises
    ------
    UnknownName
        If no headline figure has this name.
    InvalidValue
        If the name lacks a touchpoint, or has one where none may stand.

    Examples
    --------
    >>> metric_of("exit_rate:cart").unit
    'fraction'
    """
    if isinstance(figure, Metric):
        return figure
    if not isinstance(figure, str):
        raise InvalidValue.of("figure", "be a name or a Metric", figure)
    name, _, touchpoint = figure.partition(":")
    if name not in FIGURES:
        raise UnknownName.among("figure", name, tuple(FIGURES), where="the headline figures")
    unit, better, rule, rows = FIGURES[name]
    if (rule == "must") > bool(touchpoint) or (rule == "no" and touchpoint):
        said = "name a touchpoint after a colon" if rule == "must" else "have no touchpoint"
        raise InvalidValue.of("figure", said, figure)
    return Metric(
        name=figure,
        unit=unit,
        higher_is_better=better,
        rows=lambda journeys: rows(journeys, touchpoint),
    )
