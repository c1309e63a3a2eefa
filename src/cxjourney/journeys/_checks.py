"""Errors of functions that take a log or journeys and are handed something else."""

from __future__ import annotations

from cxjourney._support.validation import check_names
from cxjourney.exceptions import InvalidValue
from cxjourney.graph import JourneyGraph
from cxjourney.journeys._adding import JourneyStatistics
from cxjourney.journeys._journeys import Journeys
from cxjourney.log import InteractionLog

_HOW = "InteractionLog.from_frame(frame, customer=..., timestamp=..., touchpoint=...)"


def check_journeys(journeys: object, name: str = "journeys") -> Journeys:
    """Return the journeys, or raise InvalidValue that says how to make them."""
    if isinstance(journeys, Journeys):
        return journeys
    kind = type(journeys).__name__
    if isinstance(journeys, InteractionLog):
        how = "cut the log first, as in log.journeys(goal=..., inactivity=timedelta(...))"
    elif isinstance(journeys, JourneyStatistics):
        how = "this analysis needs rows, which statistics that add up do not have"
    elif isinstance(journeys, JourneyGraph):
        how = "a graph does not know them, hand over those that it was made of"
    elif callable(getattr(journeys, "journeys", None)):
        how = "hand over what its journeys() returns"
    else:
        how = f"read the data first, as in {_HOW}.journeys(goal=...)"
    raise InvalidValue(f"{name} must be Journeys, not {kind}: {how}")


def check_counted(journeys: object, **of_rows: object) -> Journeys | JourneyStatistics:
    """Return journeys or statistics of them, or raise InvalidValue that says how to make them.

    `of_rows` are arguments that need the rows of journeys: with statistics they must be None.
    """
    if not isinstance(journeys, JourneyStatistics):
        return check_journeys(journeys)
    for name, value in of_rows.items():
        if value is not None:
            rule = "be left out for statistics that add up: it needs the rows of journeys"
            raise InvalidValue.of(name, rule, value)
    return journeys


def check_source(
    journeys: object, by: str | tuple[str, ...], **of_rows: object
) -> Journeys | JourneyStatistics | JourneyGraph:
    """Return journeys, statistics of them, or a whole graph of the grain `by`, or raise.

    `of_rows` are arguments that need the rows of journeys: with the others they must be None.
    """
    if not isinstance(journeys, JourneyGraph):
        return check_counted(journeys, **of_rows)
    for name, value in of_rows.items():
        if value is not None:
            rule = "be left out for a graph: it needs the rows of journeys"
            raise InvalidValue.of(name, rule, value)
    check_own_grain(journeys, by)
    journeys.check_flow()
    return journeys


def check_own_grain(graph: JourneyGraph, by: str | tuple[str, ...] | None) -> None:
    """Raise InvalidValue if a graph is asked for another grain than its own; None asks for none."""
    own = str(graph.graph.get("grain", "touchpoint"))
    if by is not None and ", ".join(check_names(by, "by")) != own:
        raise InvalidValue.of("by", f"be the graph's own grain {own!r}", by)


def check_log(log: InteractionLog, name: str = "log") -> InteractionLog:
    """Return the log, or raise InvalidValue that says how to make one."""
    if isinstance(log, InteractionLog):
        return log
    kind = type(log).__name__
    has_one = isinstance(getattr(log, "log", None), InteractionLog)
    how = "hand over its .log" if has_one else f"read the data first, as in {_HOW}"
    raise InvalidValue(f"{name} must be an InteractionLog, not {kind}: {how}")
