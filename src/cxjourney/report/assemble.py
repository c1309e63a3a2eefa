"""From journeys to a report: which analyses it holds, and the words around them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.table import Table, format_value
from cxjourney.domain import Outcome
from cxjourney.exceptions import NotAbsorbing, OutcomeUndetermined, TimesRequired
from cxjourney.report._stages import stages_in_order
from cxjourney.report.network import TERMINALS, Network, network
from cxjourney.report.page import Figure, Part, Picture, Report, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cxjourney._support.result import Result
    from cxjourney.graph import JourneyGraph
    from cxjourney.log import Journeys

__all__ = ["STEPS", "build"]

MOVES = 20  # rows of the table of moves; the rest is in the graph


def build(
    journeys: Journeys,
    *,
    title: str = "Customer journeys",
    source: str = "",
    begin: Callable[[str], None] | None = None,
) -> Report:
    """Return the report on journeys: audit, graph, exits, channel transitions, critical points.

    Parameters
    ----------
    journeys
        The journeys, cut with a goal and an inactivity limit; what cannot be computed without
        one of them is left out, and the section says so.
    title
        The heading of the page.
    source
        Where the data came from, for the reader.
    begin
        Called with the name of each of the `STEPS` as it begins, to show progress.

    Returns
    -------
    Report
        Prints as text; `write("report.html")` writes the page.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> import cxjourney as cx
    >>> def touch(who, what, day):
    ...     moment = datetime(2026, 1, day, tzinfo=UTC)
    ...     return cx.Interaction(customer=who, touchpoint=what, timestamp=moment)
    >>> touches = [touch("a", "web", 1), touch("a", "buy", 2), touch("b", "web", 9)]
    >>> log = cx.InteractionLog.from_interactions(touches)
    >>> journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    >>> report = cx.report.build(journeys)
    >>> [figure.value for figure in report.figures][:4]
    ['2', '3', '2', '1']
    """
    sections = []
    for step, section in STEPS.items():
        if begin is not None:
            begin(step)
        sections.append(section(journeys))
    return Report(
        title=title,
        source=source,
        window=_window(journeys),
        figures=_figures(journeys),
        sections=tuple(sections),
        parameters=_rules(journeys),
    )


# ---------------------------------------------------------------------- the top


def _window(journeys: Journeys) -> str:
    log = journeys.log
    if log.columns.time is None or not len(log):
        return "no times"
    first = np.datetime64(int(log.columns.time.min()), "us")
    begun = str(first)[:16].replace("T", " ")
    return f"from {begun} to {log.observed_until:%Y-%m-%d %H:%M} UTC"


def _figures(journeys: Journeys) -> tuple[Figure, ...]:
    total = len(journeys)
    shares = {
        outcome: f"{count / total:.1%} of journeys" if total else ""
        for outcome, count in journeys.outcomes.items()
    }
    counts = journeys.outcomes
    return (
        Figure(name="Customers", value=f"{journeys.log.n_customers:,}"),
        Figure(name="Interactions", value=f"{len(journeys.log):,}"),
        Figure(name="Journeys", value=f"{total:,}"),
        *(
            Figure(name=name, value=f"{counts[outcome]:,}", note=shares[outcome])
            for name, outcome in (
                ("Converted", Outcome.CONVERTED),
                ("Dropped", Outcome.DROPPED),
                ("In progress", Outcome.IN_PROGRESS),
            )
        ),
    )


def _rules(journeys: Journeys) -> dict[str, str]:
    rules = journeys.rules
    return {
        "goal": ", ".join(rules.goal) or "none: nothing counts as converted",
        "exit touchpoints": ", ".join(rules.exit_touchpoints) or "none",
        "inactivity": "none" if rules.inactivity is None else _limit(rules.inactivity),
        "after the goal": rules.after_goal,
        "unfinished journeys": rules.unfinished,
        "cut by": "a journey column"
        if rules.by_journey_column
        else "silence and gaps that are unusual for their transition"
        if rules.gaps
        else "silence",
        "observed until": str(journeys.log.observed_until or "no times"),
    }


def _limit(limit: timedelta) -> str:
    return format_value(limit / timedelta(seconds=1), "duration")


# ---------------------------------------------------------------------- sections


def _audit(journeys: Journeys) -> Section:
    audit = journeys.log.audit(inactivity=journeys.rules.inactivity)
    return Section(
        anchor="audit",
        title="The data",
        lead="What came in, and what about it deserves a look before the results are believed.",
        parts=(Part.of_result(audit, caption="The data"),),
    )


def _graph(journeys: Journeys) -> Section:
    graph = journeys.graph()
    touchpoints = graph.touchpoints
    moves = sum(1 for u, v in graph.edges if u in touchpoints and v in touchpoints)
    drawing = network(graph, stages=stages_in_order(journeys)[0])
    return Section(
        anchor="graph",
        title="The journey graph",
        lead=(
            f"{len(touchpoints):,} touchpoints and {moves:,} moves between them. A visit is open "
            "where the journey is still in progress."
        ),
        parts=(
            Picture(caption="The graph", drawing=drawing, notes=_drawing_notes(drawing)),
            Part(caption="The busiest touchpoints", table=_touchpoints(graph)),
            Part(
                caption=f"The {min(MOVES, graph.number_of_edges())} busiest moves",
                table=_moves(graph),
            ),
        ),
    )


def _drawing_notes(drawing: Network) -> tuple[str, ...]:
    notes = [
        "what the slider hides is left out of the drawing, never of the numbers",
        "a line is as wide as the square root of its count",
    ]
    if drawing.left_out:
        notes.append(f"too much to draw: {drawing.left_out}")
    return tuple(notes)


def _touchpoints(graph: JourneyGraph) -> Table:
    names = sorted(graph.touchpoints, key=lambda name: -graph.nodes[name]["visits"])
    columns: dict[str, Any] = {"touchpoint": names}
    for title, key in (
        ("visits", "visits"),
        ("journeys", "journeys"),
        ("starts", "starts"),
        ("conversions", "conversions"),
        ("exits", "exits"),
        ("open", "pending"),
    ):
        columns[title] = np.array([graph.nodes[name].get(key, 0) for name in names], dtype=np.int64)
    return Table(columns)


def _moves(graph: JourneyGraph) -> Table:
    edges = sorted(graph.edges(data=True), key=lambda edge: -edge[2]["count"])[:MOVES]
    return Table(
        {
            "from": [TERMINALS.get(u, u) for u, _, _ in edges],
            "to": [TERMINALS.get(v, v) for _, v, _ in edges],
            "count": np.array([data["count"] for _, _, data in edges], dtype=np.int64),
            "probability": np.array([data.get("probability", np.nan) for _, _, data in edges]),
            "median wait": np.array([data.get("dwell_median_s", np.nan) for _, _, data in edges]),
        },
        formats={"probability": "percent", "median wait": "duration"},
    )


def _exits(journeys: Journeys) -> Section:
    from cxjourney.dropoff import exits

    return _answer(
        lambda: exits(journeys),
        anchor="exits",
        title="Where customers are lost",
        lead=(
            "The exit probability of a touchpoint is the chance that a visit there is followed by "
            "silence for the inactivity limit. Lost conversions are what would be gained if nobody "
            "left there and those who now leave went on like those who stay: an upper bound."
        ),
    )


def _channels(journeys: Journeys) -> Section:
    from cxjourney.omnichannel import transitions

    anchor, title = "channels", "How customers move between channels"
    lead = "What follows a contact in a channel, among those that were followed by another."
    if not journeys.log.channels:
        absent = "The log has no channel column."
        return Section(anchor=anchor, title=title, lead=lead, absent=absent)
    return _answer(lambda: transitions(journeys), anchor=anchor, title=title, lead=lead)


def _critical(journeys: Journeys) -> Section:
    from cxjourney.critical import points

    anchor, title = "critical", "What to mend first"
    lead = (
        "Touchpoints by the conversions that fewer exits would bring: as few as at their peers. "
        "Reach is the share of the journeys that come by; the removal effect is the share of "
        "conversions that go through the touchpoint."
    )
    if not journeys.rules.goal:
        absent = "Without a goal nothing converts, and no touchpoint costs conversions."
        return Section(anchor=anchor, title=title, lead=lead, absent=absent)
    return _answer(lambda: points(journeys, rng=0), anchor=anchor, title=title, lead=lead)


def _answer(analysis: Callable[[], Result], *, anchor: str, title: str, lead: str) -> Section:
    """Return the section of one analysis, or why there is none."""
    try:
        result = analysis()
    except (OutcomeUndetermined, TimesRequired, NotAbsorbing) as error:
        return Section(anchor=anchor, title=title, lead=lead, absent=str(error))
    return Section(
        anchor=anchor, title=title, lead=lead, parts=(Part.of_result(result, caption=title),)
    )


# What is in a report, in order: the name of each step while it is worked on, and its section.
STEPS: Mapping[str, Callable[[Journeys], Section]] = {
    "the audit": _audit,
    "the journey graph": _graph,
    "exits": _exits,
    "channels": _channels,
    "critical points": _critical,
}
