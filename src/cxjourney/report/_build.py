"""Report on journeys: key figures, sections, and what it takes to repeat it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from types import NoneType
from typing import TYPE_CHECKING

import numpy as np

from cxjourney._support.table import format_value
from cxjourney._support.validation import check_flag, check_names
from cxjourney.domain import Outcome, check_blueprint
from cxjourney.exceptions import InvalidValue
from cxjourney.journeys import (
    InactivitySuggestion,
    Journeys,
    check_counted,
    conversion_rate_of,
    shareable,
)
from cxjourney.metrics import Scale
from cxjourney.report._catalogue import between, date_in_words, how_long_in_words, say
from cxjourney.report._page import Figure, Report
from cxjourney.report._sections import SECTIONS
from cxjourney.report._sharing import SHARED, shared_steps
from cxjourney.report._work import Work, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cxjourney.domain import JourneyBlueprint
    from cxjourney.dropoff import StepLike
    from cxjourney.journeys import JourneyStatistics


def build(
    journeys: Journeys | JourneyStatistics,
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
    share: bool = False,
    begin: Callable[[str], None] | None = None,
) -> Report:
    """Return the report on journeys: what is wrong, the journey map, the graph, and all else.

    Parameters
    ----------
    journeys
        The journeys, cut with a goal and an inactivity limit, or statistics of them that add up;
        what cannot be computed without one of them, or without the rows, is left out, and the
        section says so.
    title
        The heading of the page.
    source
        Where the data came from, for the reader.
    steps
        The steps of the funnel; None takes the stages up to that of the goal, and the goal;
        without stages, touchpoints that at least half of the converted journeys come by, all of
        them in one order. Statistics must have counted it,
        `analyses={"funnel": {"steps": steps}}`.
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
    share
        Whether the report is to leave the house: nothing in it is about fewer than five customers,
        or all but fewer than five, nor names a file. See *What is kept where*.
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
        If an argument breaks its rule, or `scale` is another than that of the log; or if `share` is
        asked of journeys that have no customers, of statistics, or of too few customers.
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
    >>> [(figure.name, figure.value) for figure in report.figures][:2]
    [('Conversion rate', '100.0%'), ('Converted', '1')]
    """
    check_counted(journeys, blueprint=blueprint, scale=scale)
    if isinstance(steps, str) or not isinstance(steps, (Iterable, NoneType)):
        raise InvalidValue.of("steps", "be a list of steps or None", steps)
    if blueprint is not None:
        check_blueprint(blueprint)
    if not isinstance(scale, (Scale, NoneType)):
        raise InvalidValue.of("scale", "be a cxjourney.metrics.Scale or None", scale)
    named = journeys.log.scale if isinstance(journeys, Journeys) else None
    if scale is not None and named not in {None, scale}:
        raise InvalidValue.of("scale", f"be the one of the log ({named}), or None", str(scale))
    if not isinstance(python, str):
        raise InvalidValue.of("python", "be a string", python)
    if not isinstance(suggestion, (InactivitySuggestion, NoneType)):
        rule = "be the result of log.suggest_inactivity(), or None"
        raise InvalidValue.of("suggestion", rule, suggestion)
    steps = None if steps is None else tuple(steps)
    expected = check_names(expected_exits, "expected_exits")
    if check_flag(share, "share"):
        if not isinstance(journeys, Journeys):
            raise InvalidValue(
                "share=True needs the rows of journeys, which statistics do not have"
            )
        journeys = shareable(journeys)
        steps = shared_steps(steps, journeys) or None
        expected = tuple(name for name in expected if name in journeys.log.touchpoints)
        source = python = command = ""
    work = Work(
        journeys=journeys,
        steps=steps,
        blueprint=blueprint,
        scale=named if scale is None else scale,
        suggestion=suggestion,
        expected_exits=expected,
        command=bool(command),
        share=share,
        begin=begin,
    )
    sections = []
    for step, section in SECTIONS.items():
        if share and step not in SHARED:
            continue
        if begin is not None:
            begin(step)
        sections.append(section(work))
    return Report(
        title=title,
        source=source,
        window=_window(journeys),
        figures=(*_figures(work), *_limit(journeys, chosen=not work.unchosen)),
        sections=tuple(sections),
        parameters=_rules(journeys, share=share)
        | {say("rule.expected_exits"): ", ".join(expected) or say("rule.none")},
        python=""
        if share
        else _python(journeys, python, suggested=bool(work.unchosen), expected=expected),
        command=command,
    )


# ---------------------------------------------------------------------- the top


def _window(journeys: Journeys | JourneyStatistics) -> str:
    """Return from which day to which there are journeys, and their goal."""
    if not isinstance(journeys, Journeys):
        until = journeys.observed_until
        days = say("window.none") if until is None else say("window.until", until=_day(until))
    elif journeys.columns.time is None or not len(journeys.log):
        days = say("window.none")
    else:
        ends = (journeys.columns.time.min(), journeys.columns.time.max())
        first, last = (np.datetime64(int(end), "us").item() for end in ends)
        if (observed := journeys.log.observed_until) is not None:  # midnight ends a day
            last = max(last, observed.replace(tzinfo=None) - timedelta(microseconds=1))
        begun, ended = _day(first), _day(last)
        days = begun if begun == ended else say("window.days", begun=begun, until=ended)
    goal = ", ".join(journeys.rules.goal)
    return say("window.with_goal", window=days, goal=goal) if goal else days


def _day(moment: datetime) -> str:
    return date_in_words(f"{moment:%Y-%m-%d}")


_TRACES = {  # figures that have a trend
    "conversion_rate": "conversion_rate",
    "journeys": "journeys",
    "converted": "conversions",
    "dropped": "exit_rate",
    "interactions": "visits",
}


def _figures(work: Work) -> tuple[Figure, ...]:
    journeys = work.journeys
    counts, silent = journeys.outcomes, journeys.n_dropped_after_goal
    log = journeys.log if isinstance(journeys, Journeys) else journeys

    def figure(name: str, value: str, note: str = "") -> Figure:
        found, trace = work.trends.get(_TRACES.get(name, "")), None
        if found is not None and len(found.periods) > 2:
            period = say(f"period.{found.by}")
            words = say("trace.by", what=say(f"trace.{name}"), period=period)
            trace = line_of(found, words).final
        return Figure(name=say(f"figure.{name}"), value=value, note=note, trace=trace)

    rate = conversion_rate_of(journeys)
    headline: tuple[Figure, ...] = ()
    if rate is not None:
        value = format_value(rate.value, "percent")
        headline = (figure("conversion_rate", value, between(rate.low, rate.high, "percent")),)
    served = figure("silent", f"{silent:,}", say("figure.silent_note"))
    return (
        *headline,
        figure("converted", f"{counts[Outcome.CONVERTED]:,}"),
        figure("dropped", f"{counts[Outcome.DROPPED] - silent:,}"),
        figure("journeys", f"{len(journeys):,}"),
        figure("customers", f"{log.n_customers:,}"),
        *((figure("interactions", f"{len(log):,}"),) if log is not journeys else ()),
        *((served,) if silent else ()),
        figure("in_progress", f"{counts[Outcome.IN_PROGRESS]:,}"),
    )


def _limit(journeys: Journeys | JourneyStatistics, *, chosen: bool) -> tuple[Figure, ...]:
    """Return the inactivity limit as a figure of its own where nobody chose it."""
    limit = journeys.rules.inactivity
    if chosen or limit is None:
        return ()
    name, note = say("figure.limit"), say("figure.limit_note")
    return (Figure(name=name, value=how_long_in_words(limit), note=note),)


def _rules(journeys: Journeys | JourneyStatistics, *, share: bool) -> dict[str, str]:
    rules = journeys.rules
    seen = journeys.log if isinstance(journeys, Journeys) else journeys
    cut = "journey_column" if rules.by_journey_column else "gaps" if rules.gaps else "silence"
    values = {
        "goal": ", ".join(rules.goal) or say("rule.goal_none"),
        "exit_touchpoints": ", ".join(rules.exit_touchpoints) or say("rule.none"),
        "inactivity": say("rule.none")
        if rules.inactivity is None
        else how_long_in_words(rules.inactivity),
        "after_goal": say(f"rule.{rules.after_goal}"),
        "all_closed": say("rule.yes" if rules.all_closed else "rule.no"),
        "cut_by": say(f"rule.{cut}"),
        "observed_until": str(seen.observed_until or say("rule.no_times"))[: 10 if share else None],
    }
    return {say(f"rule.{name}"): value for name, value in values.items()}


def _python(
    journeys: Journeys | JourneyStatistics,
    reading: str,
    *,
    suggested: bool,
    expected: tuple[str, ...],
) -> str:
    """Return the code that makes the report again."""
    expecting = f", expected_exits={list(expected)!r}" if expected else ""
    if not isinstance(journeys, Journeys):
        counting = reading or "statistics = ...  # the JourneyStatistics"
        expecting += ", suggestion=suggestion" if suggested else ""
        building = f'cx.report.build(statistics{expecting}).write("report.html")'
        return f"import cxjourney as cx\n\n{counting}\n{building}"
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
    if rules.unit != "customer":
        choices.append(f"unit={rules.unit!r}")
    if rules.gaps:
        choices.append("gaps=cx.TransitionGaps()")
    further = f", suggestion=log.suggest_inactivity(goal={goal!r})" if suggested else ""
    further += expecting
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
