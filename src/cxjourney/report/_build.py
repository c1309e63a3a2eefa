"""Report on journeys: key figures, sections, and what it takes to repeat it."""

from __future__ import annotations

from collections.abc import Iterable
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.validation import check_names
from cxjourney._support.words import how_long
from cxjourney.domain import Outcome, check_blueprint
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import InactivitySuggestion, check_journeys, conversion_rate_of
from cxjourney.metrics import Scale
from cxjourney.report._page import Figure, Report
from cxjourney.report._sections import SECTIONS, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxjourney.domain import JourneyBlueprint
    from cxjourney.dropoff import StepLike
    from cxjourney.journeys import Journeys


def build(
    journeys: Journeys,
    *,
    title: str = "Customer journeys",
    source: str = "",
    steps: Sequence[StepLike] | None = None,
    blueprint: JourneyBlueprint | None = None,
    scale: Scale | None = None,
    python: str = "",
    command: str = "",
    suggestion: InactivitySuggestion | None = None,
    expected_exits: str | Iterable[str] = (),
    begin: Callable[[str], None] | None = None,
) -> Report:
    """Return the report on journeys: what is wrong, the journey map, the graph, and all else.

    Parameters
    ----------
    journeys
        The journeys, cut with a goal and an inactivity limit; what cannot be computed without
        one of them is left out, and the section says so.
    title
        The heading of the page.
    source
        Where the data came from, for the reader.
    steps
        The steps of the funnel; None takes touchpoints that at least half of the converted
        journeys come by, all of them in one order, and the goal.
    blueprint
        The journey as designed, for the journey map.
    scale
        What may be answered where the log has scores; None takes the scale of the log, or else the
        one of which the answers leave no doubt, and says so.
    python, command
        What reads the log, in Python, and what makes the report on the command line, for those who
        want to repeat it; empty where not known.
    suggestion
        What the inactivity limit was taken from, where nobody chose it: with several plausible
        limits the report then calls nothing sure that hangs on it.
    expected_exits
        Touchpoints at which it is no fault that journeys end: see `cxjourney.findings`.
    begin
        Called with the name of each step as it begins, to show progress.

    Returns
    -------
    Report
        Prints as text; `write("report.html")` writes the page. The same journeys make the same
        report.

    Raises
    ------
    UnknownName
        If a step names no touchpoint of the log but nearly does.
    InvalidValue
        If an argument breaks its rule, or `scale` is another than that of the log.
    OutOfScale
        If a score is off the scale.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> import cxjourney as cx
    >>> def at(who, what, day):
    ...     moment = datetime(2026, 1, day, tzinfo=UTC)
    ...     return cx.Interaction(customer=who, touchpoint=what, timestamp=moment)
    >>> interactions = [at("a", "web", 1), at("a", "buy", 2), at("b", "web", 9)]
    >>> log = cx.InteractionLog.from_interactions(interactions)
    >>> journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    >>> report = cx.report.build(journeys)
    >>> [figure.value for figure in report.figures][:4]
    ['2', '3', '2', '1']
    """
    check_journeys(journeys)
    if isinstance(steps, str) or not isinstance(steps, (Iterable, NoneType)):
        raise InvalidValue.of("steps", "be a list of steps or None", steps)
    if blueprint is not None:
        check_blueprint(blueprint)
    if not isinstance(scale, (Scale, NoneType)):
        raise InvalidValue.of("scale", "be a cxjourney.metrics.Scale or None", scale)
    named = journeys.log.scale
    if scale is not None and named not in {None, scale}:
        raise InvalidValue.of("scale", f"be the one of the log ({named}), or None", str(scale))
    if not isinstance(python, str):
        raise InvalidValue.of("python", "be a string", python)
    if not isinstance(suggestion, (InactivitySuggestion, NoneType)):
        rule = "be the result of log.suggest_inactivity(), or None"
        raise InvalidValue.of("suggestion", rule, suggestion)
    steps = None if steps is None else tuple(steps)
    expected = check_names(expected_exits, "expected_exits")
    work = Work(
        journeys=journeys,
        steps=steps,
        blueprint=blueprint,
        scale=named if scale is None else scale,
        suggestion=suggestion,
        expected_exits=expected,
        command=bool(command),
        begin=begin,
    )
    sections = []
    for step, section in SECTIONS.items():
        if begin is not None:
            begin(step)
        sections.append(section(work))
    return Report(
        title=title,
        source=source,
        window=_window(journeys),
        figures=(*_figures(journeys), *_limit(journeys, chosen=not work.unchosen)),
        sections=tuple(sections),
        parameters=_rules(journeys) | {"expected exits": ", ".join(expected) or "none"},
        python=_python(journeys, python, suggested=bool(work.unchosen), expected=expected),
        command=command,
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
    counts, silent = journeys.outcomes, journeys.n_dropped_after_goal
    rate, said = conversion_rate_of(journeys), ""
    if rate is not None:
        said = f"conversion rate {rate.value:.1%}"
        if np.isfinite(rate.low):
            said += f" [{rate.low:.1%}, {rate.high:.1%}]"
    served = (Figure(name="Silent after a goal", value=f"{silent:,}", note="served, not lost"),)
    return (
        Figure(name="Customers", value=f"{journeys.log.n_customers:,}"),
        Figure(name="Interactions", value=f"{len(journeys.log):,}"),
        Figure(name="Journeys", value=f"{len(journeys):,}"),
        Figure(name="Converted", value=f"{counts[Outcome.CONVERTED]:,}", note=said),
        Figure(name="Dropped", value=f"{counts[Outcome.DROPPED] - silent:,}"),
        *(served if silent else ()),
        Figure(name="In progress", value=f"{counts[Outcome.IN_PROGRESS]:,}"),
    )


def _limit(journeys: Journeys, *, chosen: bool) -> tuple[Figure, ...]:
    """Return the inactivity limit as a figure of its own where nobody chose it."""
    limit = journeys.rules.inactivity
    if chosen or limit is None:
        return ()
    note = "suggested by the data, not chosen: the numbers are not certain"
    return (Figure(name="Inactivity limit", value=how_long(limit), note=note),)


def _rules(journeys: Journeys) -> dict[str, str]:
    rules = journeys.rules
    return {
        "goal": ", ".join(rules.goal) or "none, so no journey counts as converted",
        "exit touchpoints": ", ".join(rules.exit_touchpoints) or "none",
        "inactivity": "none" if rules.inactivity is None else how_long(rules.inactivity),
        "after the goal": rules.after_goal,
        "all closed": "yes" if rules.all_closed else "no",
        "cut by": "a journey column"
        if rules.by_journey_column
        else "silence and gaps that are unusual for their transition"
        if rules.gaps
        else "silence",
        "observed until": str(journeys.log.observed_until or "no times"),
    }


def _python(journeys: Journeys, reading: str, *, suggested: bool, expected: tuple[str, ...]) -> str:
    """Return the code that makes the report again."""
    if journeys.columns.time is None:
        return ""
    rules = journeys.rules
    goal = rules.goal[0] if len(rules.goal) == 1 else rules.goal or None
    choices = [f"goal={goal!r}"]
    if rules.inactivity is not None:
        choices.append(f"inactivity=timedelta(seconds={rules.inactivity.total_seconds():.15g})")
    if rules.exit_touchpoints:
        choices.append(f"exit_touchpoints={rules.exit_touchpoints!r}")
    if rules.after_goal != "new_journey":
        choices.append(f"after_goal={rules.after_goal!r}")
    if rules.all_closed:
        choices.append("all_closed=True")
    if rules.gaps:
        choices.append("gaps=cx.TransitionGaps()")
    further = f", suggestion=log.suggest_inactivity(goal={goal!r})" if suggested else ""
    further += f", expected_exits={list(expected)!r}" if expected else ""
    if rules.carry_channels is not None:
        seconds = rules.carry_channels.total_seconds()
        choices.append(f"carry_channels=timedelta(seconds={seconds:.15g})")
    lines = [
        "from datetime import timedelta",
        "",
        "import cxjourney as cx",
        "",
        reading or "log = ...  # the InteractionLog",
        f"journeys = log.journeys({', '.join(choices)})",
        f'cx.report.build(journeys{further}).write("report.html")',
    ]
    return "\n".join(lines)
