"""Sensitivity of outcomes and exits to the inactivity limit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, overload

import attrs
import numpy as np

from cxjourney import plot
from cxjourney._stats.estimates import CLUSTERED
from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.validation import check_duration, check_level, check_names, duration_us
from cxjourney._support.words import how_long
from cxjourney.dropoff._exits import exits
from cxjourney.dropoff._funnel_rules import Subject
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    IN_PROGRESS,
    BySegment,
    SegmentBy,
    by_segment,
    chain_figures,
    chain_of,
    check_log,
    missing_note_of,
    planned_touchpoints,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from cxjourney.domain import JourneyBlueprint, Touchpoint
    from cxjourney.journeys import By, Journeys
    from cxjourney.log import InteractionLog

_FACTORS = (0.5, 1, 2)
_PERCENT = ("conversion", "low", "high", "dropoff")


@attrs.frozen(kw_only=True, repr=False)
class Sensitivity(Result):
    """How journeys and their outcomes move with the inactivity limit.

    Attributes
    ----------
    table
        One row a limit; see `sensitivity` for the columns.
    exits
        One row a limit and node: `limit_s`, the node, `exit_probability`, `low`, `high`,
        `lost_conversions`.
    goal
        The goal.
    level
        Confidence level of the intervals.
    caveats
        What a reader must know beside what is true of every such table.
    """

    title: ClassVar[str] = "What depends on the inactivity limit"

    table: Table
    exits: Table
    goal: tuple[str, ...]
    level: float
    caveats: tuple[str, ...] = ()

    def plot(
        self, *, max_rows: int | None = 15, title: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the exit probability of each node under every limit, with intervals.

        Parameters
        ----------
        max_rows
            Only so many nodes are drawn, the costliest under the first limit; None draws all.
        title
            The heading; None takes that of the result.
        ax
            Where to draw; None makes a figure of its own.

        Raises
        ------
        MissingDependency
            If matplotlib is not installed.
        """
        heading = self.title if title is None else title
        if not len(self.exits):
            return plot.forest([], [], [], [], title=heading, ax=ax)
        columns = self.exits.column_names
        grain = columns[1 : columns.index("exit_probability")]
        nodes = plot.joined(*(self.exits[g] for g in grain), by=" @ ")
        kept = set(list(dict.fromkeys(nodes))[:max_rows])
        rows = [i for i, node in enumerate(nodes) if node in kept]
        table = self.exits.take(rows)
        return plot.forest(
            [nodes[i] for i in rows],
            table["exit_probability"],
            table["low"],
            table["high"],
            group=[how_long(float(s)) for s in table["limit_s"]],
            group_label="inactivity limit",
            percent=True,
            label=f"exit probability, {100 * self.level:g}% interval",
            caption="How likely a visit is the last one, under each limit; where the points of a "
            "row lie far apart, the choice of the limit matters. The costliest stand on top."
            + plot.drawn_of(len(kept), len(set(nodes)), "nodes"),
            title=heading,
            ax=ax,
        )

    def _notes(self) -> tuple[str, ...]:
        notes = [
            "Conversion and drop-off are those of the absorbing chain, which knows of censoring.",
            f"They have {100 * self.level:g}% intervals (Wilson, {CLUSTERED}).",
            "A longer limit joins journeys, so that the same customers make fewer of them.",
        ]
        first = set(self.table["costliest"])
        if len(first) > 1:
            notes.append("Which node costs most depends on the limit: do not build on its rank.")
        return (*notes, *self.caveats)


@overload
def sensitivity(
    log: InteractionLog,
    *,
    goal: str | Iterable[str],
    limits: Sequence[timedelta | str] | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    by: By = "touchpoint",
    segment: None = None,
    level: float = 0.95,
    touchpoints: Iterable[str | Touchpoint] | None = None,
    blueprint: JourneyBlueprint | None = None,
) -> Sensitivity: ...


@overload
def sensitivity(
    log: InteractionLog,
    *,
    goal: str | Iterable[str],
    limits: Sequence[timedelta | str] | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    by: By = "touchpoint",
    segment: SegmentBy,
    level: float = 0.95,
    touchpoints: Iterable[str | Touchpoint] | None = None,
    blueprint: JourneyBlueprint | None = None,
) -> BySegment[Sensitivity]: ...


def sensitivity(
    log: InteractionLog,
    *,
    goal: str | Iterable[str],
    limits: Sequence[timedelta | str] | None = None,
    exit_touchpoints: str | Iterable[str] = (),
    by: By = "touchpoint",
    segment: SegmentBy | None = None,
    level: float = 0.95,
    touchpoints: Iterable[str | Touchpoint] | None = None,
    blueprint: JourneyBlueprint | None = None,
) -> Sensitivity | BySegment[Sensitivity]:
    """Return how outcomes, exits and lengths of journeys move with the inactivity limit.

    Parameters
    ----------
    log
        The log.
    goal, exit_touchpoints
        As in `log.journeys`.
    limits
        The limits to compare; None takes half, once and twice the limit of
        `log.suggest_inactivity()`, and the others that it finds plausible.
    by
        What a node is, for the exit probabilities.
    segment
        An attribute of customers or interactions; the result is then one of each segment. A
        customer has the first known value.
    level
        Confidence level, in (0, 1).
    touchpoints, blueprint
        As in `log.journeys`.

    Returns
    -------
    Sensitivity
        One row a limit, with the columns

        | column | what it is |
        |---|---|
        | `limit_s` | the inactivity limit [s] |
        | `journeys`, `converted`, `dropped`, `in_progress` | journeys by outcome |
        | `conversion`, `low`, `high` | probability of conversion [fraction], its interval |
        | `dropoff` | probability of drop-off [fraction] |
        | `mean_length` | mean number of visits of the journeys that have ended |
        | `costliest` | the node with most lost conversions |
    BySegment
        One such result a segment, where `segment` is given.

    Raises
    ------
    InvalidValue
        If a limit is no positive length of time, or none is given and no customer came twice.
    UnknownName
        If a goal or exit touchpoint is not in the log.

    Notes
    -----
    The limit is part of the definition of "lost": no number is the right one. What changes little
    between half and twice the limit can be told without it; what changes must be told with it.
    `log.journeys(gaps=TransitionGaps())` needs no limit to tell one journey from the next.

    Examples
    --------
    >>> from datetime import datetime, timedelta, timezone
    >>> import cxjourney as cx
    >>> from cxjourney.dropoff import sensitivity
    >>> def at(customer, touchpoint, day):
    ...     timestamp = datetime(2026, 1, day, tzinfo=timezone.utc)
    ...     return cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=timestamp)
    >>> log = cx.InteractionLog.from_interactions(
    ...     [at("a", "web", 1), at("a", "buy", 5), at("b", "web", 1), at("c", "web", 27)],
    ...     observed_until=datetime(2026, 1, 31, tzinfo=timezone.utc),
    ... )
    >>> days = [timedelta(days=3), timedelta(days=7)]
    >>> sensitivity(log, goal="buy", limits=days).table["dropped"].tolist()
    [3, 1]
    """
    check_log(log)
    check_level(level)
    goals = check_names(goal, "goal")
    ends = check_names(exit_touchpoints, "exit_touchpoints")
    planned = planned_touchpoints(touchpoints, blueprint)
    if limits is None:
        found = log.suggest_inactivity(
            goal=goals, exit_touchpoints=ends, limits=(), touchpoints=planned
        )
        if found.suggested is None:
            raise InvalidValue("limits must be given: no customer came twice to suggest one by")
        limits = [*found.plausible, *(found.suggested * factor for factor in _FACTORS)]
    if isinstance(limits, (str, timedelta)) or not isinstance(limits, Iterable):
        raise InvalidValue.of("limits", "be a list of timedeltas", limits)
    ordered = sorted({check_duration(limit, "limits") for limit in limits})
    cuts: Iterable[tuple[timedelta, Journeys]] = (
        (
            limit,
            log.journeys(goal=goals, inactivity=limit, exit_touchpoints=ends, touchpoints=planned),
        )
        for limit in ordered
    )
    if segment is None:
        return _sensitivity(cuts, goals, by, level)
    kept = tuple(cuts)  # cut once for all segments

    def measured(part: Subject) -> Sensitivity:
        inside = np.zeros(log.n_customers, dtype=np.bool_)
        inside[part.customer] = True
        some = ((limit, whole.where(inside[whole.customer])) for limit, whole in kept)
        return _sensitivity(some, goals, by, level)

    return by_segment(Subject.of(log), segment, measured, unit="customer")


def _sensitivity(
    cuts: Iterable[tuple[timedelta, Journeys]], goal: tuple[str, ...], by: By, level: float
) -> Sensitivity:
    rows, parts, backend = [], [], None
    missing: tuple[str, ...] = ()
    for limit, journeys in cuts:
        row, part = _at(journeys, by, level)
        rows.append({"limit_s": duration_us(limit) / 1e6, **row})
        size = len(next(iter(part.values())))
        parts.append({"limit_s": np.full(size, duration_us(limit) / 1e6), **part})
        backend = journeys.log.backend
        missing = missing or missing_note_of(journeys, by)
    table = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    below = {
        name: [value for part in parts for value in part[name]]
        for name in (parts[0] if parts else ())
    }
    shares = dict.fromkeys((*_PERCENT, "exit_probability"), "percent")
    formats = {**shares, "limit_s": "duration", "mean_length": "number"}
    return Sensitivity(
        table=Table(table, formats=formats, backend=backend),
        exits=Table(below, formats=formats, backend=backend),
        goal=goal,
        level=level,
        caveats=missing,
    )


def _at(journeys: Journeys, by: By, level: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the row of one limit, and the columns of its nodes."""
    chain = chain_of(journeys, by)
    found = exits(journeys, by=by, level=level)
    low, high = chain_figures(journeys, by).conversion.wilson(level)
    over = journeys.outcome != IN_PROGRESS
    lengths = journeys.lengths[over]
    row = {
        "journeys": found.n_journeys,
        "converted": found.n_converted,
        "dropped": found.n_dropped,
        "in_progress": found.n_in_progress,
        "conversion": chain.conversion_probability,
        "low": float(low),
        "high": float(high),
        "dropoff": chain.dropoff_probability,
        "mean_length": float(lengths.mean()) if len(lengths) else math.nan,
        "costliest": " @ ".join(found.table[name][0] for name in found.grain)
        if len(found.table)
        else "",
    }
    columns = ("exit_probability", "low", "high", "lost_conversions")
    return row, {name: found.table[name] for name in (*found.grain, *columns)}
