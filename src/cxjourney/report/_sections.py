"""Sections of the report, each with its analysis and the sentences around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._findings import STEPS as FINDING_STEPS
from cxjourney._findings import Findings, findings
from cxjourney._support.table import Table
from cxjourney._support.words import counted, how_long
from cxjourney.domain import JourneyBlueprint
from cxjourney.dropoff import StepLike
from cxjourney.exceptions import NotAbsorbing, OutcomeUndetermined, TimesRequired
from cxjourney.journeys import InactivitySuggestion, Journeys, graph_of
from cxjourney.metrics import Scale
from cxjourney.report._charts import Bar, Bars, Matrix
from cxjourney.report._journey_map import journey_map
from cxjourney.report._metrics_table import default_steps, metrics_table
from cxjourney.report._network import TERMINALS, Network, network
from cxjourney.report._page import Part, Picture, Section
from cxjourney.report._stages import stages_in_order
from cxjourney.report._words import UNSURE, caveats, overview, worth_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.result import Result
    from cxjourney.graph import JourneyGraph

TRANSITIONS = 20  # rows of their table; the rest is in the graph
_LOOKING = "what is wrong: "
_OTHER_SHARE = (
    "Visits that were not followed for the whole inactivity limit count here for as long as they "
    "were; the shares of exits of findings leave them out, so they can differ a little."
)


@attrs.define(kw_only=True, slots=False)  # slots would leave no room for the cached findings
class Work:
    """What the sections are made from; what two of them need is computed once."""

    journeys: Journeys
    steps: Sequence[StepLike] | None
    blueprint: JourneyBlueprint | None
    scale: Scale | None
    suggestion: InactivitySuggestion | None
    expected_exits: tuple[str, ...] = ()
    command: bool = False  # whether the command is what asks
    begin: Callable[[str], None] | None = None

    @property
    def unchosen(self) -> tuple[str, ...]:
        """What to say first where nobody chose the limit and several are plausible."""
        found = self.suggestion
        if found is None or len(found.plausible) < 2:
            return ()
        limit, *others = (
            how_long(limit)
            for limit in sorted(found.plausible, key=lambda limit: limit != found.suggested)
        )
        said = (
            f"Nobody has chosen the inactivity limit. {limit.capitalize()} was taken, but "
            f"{' and '.join(others)} would be plausible as well, and nothing that depends on the "
            "limit is certain until inactivity= chooses one."
        )
        return (said,)

    @property
    def uncertain(self) -> tuple[str, ...]:
        """The same, briefly, for what is further down."""
        said = "These numbers depend on the inactivity limit, which nobody has chosen."
        return (said,) if self.unchosen else ()

    @cached_property
    def findings(self) -> Findings | str:
        """What is wrong, or why that cannot be told."""
        rules = self.journeys.rules
        if not rules.goal and self.journeys.columns.time is not None:
            return "without a goal no journey converts, so nothing can cost conversions."
        try:
            return findings(self.journeys, expected_exits=self.expected_exits, begin=self._begin)
        except (OutcomeUndetermined, TimesRequired, NotAbsorbing) as error:
            return str(error)

    def _begin(self, step: str) -> None:
        if self.begin is not None:
            self.begin(f"{_LOOKING}{step}")


def _findings(work: Work) -> Section:
    found, ranked, parts = work.findings, [], []
    if isinstance(found, str):
        said: tuple[str, ...] = (f"What is wrong cannot be told: {found}",)
    else:
        unsure = f" {UNSURE}" if work.unchosen else ""
        ranked = [
            (f"{one.where} {one.who}".strip(), f"{one.sentence} {worth_of(one)}{unsure}")
            for one in found
        ]
        said = (found.headline.partition(" The first: ")[0], *found.notes)
        sure = "What is sure"
        if unsure:
            sure, said = "What would be sure if that limit were chosen", _if_chosen(said)
        further = found._further(option=work.command)  # noqa: SLF001 - one package
        tables = ((f"{sure}, sorted by gain_low", found._shown()), *further)  # noqa: SLF001 - one package
        parts = [Part(caption=caption, table=table) for caption, table in tables if len(table)]
    return Section(
        anchor="findings",
        title="What is wrong",
        lead=overview(work.journeys),
        parts=tuple(parts),
        ranked=tuple(ranked),
        remarks=(*work.unchosen, *said),
    )


def _if_chosen(said: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is said of findings, as it would be if somebody had chosen the limit."""
    words = {" are sure,": " would be sure,", " is sure,": " would be sure,", " surely ": " then "}
    for claimed, supposed in words.items():
        said = tuple(one.replace(claimed, supposed) for one in said)
    return said


def _map(work: Work) -> Section:
    drawn = journey_map(work.journeys, blueprint=work.blueprint, expected_exits=work.expected_exits)
    stages, lanes = counted(len(drawn.stages), "stage"), counted(len(drawn.lanes), "lane")
    brief = f"drawn on the page: {stages}, {lanes}"
    return Section(
        anchor="map",
        title="The journey map",
        lead="What happens in each stage, how it feels, where it hurts, and what could be gained.",
        parts=(Picture(caption="The map", drawing=drawn, notes=drawn.notes, brief=brief),),
        remarks=work.uncertain,
    )


def _audit(work: Work) -> Section:
    journeys = work.journeys
    audit = journeys.log.audit(inactivity=journeys.rules.inactivity)
    return Section(
        anchor="audit",
        title="The data",
        lead="What was read, and what to check before believing the results.",
        parts=(Part.of_result(audit, caption="The data"),),
    )


def _graph(work: Work) -> Section:
    journeys = work.journeys
    graph = graph_of(journeys)
    touchpoints = graph.touchpoints
    between = sum(1 for u, v in graph.edges if u in touchpoints and v in touchpoints)
    drawing = network(graph, stages=stages_in_order(journeys)[0])
    return Section(
        anchor="graph",
        title="The journey graph",
        lead=(
            f"{len(touchpoints):,} touchpoints and {between:,} transitions between them. A visit "
            "is censored if its journey is still in progress there."
        ),
        parts=(
            Picture(caption="The graph", drawing=drawing, notes=_drawing_notes(drawing)),
            Part(caption="The busiest touchpoints", table=_touchpoints(graph)),
            Part(
                caption=f"The {min(TRANSITIONS, graph.number_of_edges())} busiest transitions",
                table=_transitions(graph),
            ),
        ),
    )


def _drawing_notes(drawing: Network) -> tuple[str, ...]:
    notes = [
        "The slider hides rare transitions in the drawing; the numbers always count all of them.",
        "The width of a line is proportional to the square root of its count.",
    ]
    if drawing.left_out:
        notes.append(f"Not drawn, because there are too many: {drawing.left_out}.")
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
        ("censored", "censored"),
    ):
        columns[title] = np.array([graph.nodes[name].get(key, 0) for name in names], dtype=np.int64)
    return Table(columns)


def _transitions(graph: JourneyGraph) -> Table:
    edges = sorted(graph.edges(data=True), key=lambda edge: -edge[2]["count"])[:TRANSITIONS]
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


def _funnel(work: Work) -> Section:
    from cxjourney.dropoff import funnel

    anchor, title = "funnel", "The funnel"
    steps = work.steps or default_steps(work.journeys)
    lead = (
        "How many journeys get from step to step in this order. Other interactions may lie between "
        "the steps."
    )
    if work.steps is None:
        lead += (
            " These steps were chosen from the data: at least half of the converted journeys come "
            "by all of them in this order."
        )
    if len(steps) < 2:
        absent = (
            "Fewer than two steps are common to most converted journeys. Name the steps yourself."
        )
        return Section(anchor=anchor, title=title, lead=lead, absent=absent)
    found = funnel(work.journeys, steps)
    bars = Bars(
        kind="percent",
        full=1.0,
        rows=tuple(
            Bar(
                name=name,
                value=rate,
                low=float(found.table["low"][i]) if i else np.nan,  # the base is no estimate
                high=float(found.table["high"][i]) if i else np.nan,
                note=counted(found.counts[i], found.unit),
            )
            for i, (name, rate) in enumerate(zip(found.steps, found.rates, strict=True))
        ),
    )
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=(
            Picture(caption="Share of the journeys that reached the first step", drawing=bars),
            Part.of_result(found, caption="Step by step"),
        ),
        remarks=work.uncertain,
    )


def _exits(work: Work) -> Section:
    from cxjourney.dropoff import exits

    return _answer(
        lambda: exits(work.journeys, expected_exits=work.expected_exits),
        anchor="exits",
        title="Where customers drop off",
        lead=(
            "The exit probability of a touchpoint is the probability that a visit there is the "
            "last of a dropped journey. Lost conversions are what would be gained if nobody left "
            "there and those who now leave went on like those who stay: an upper bound."
        ),
        remarks=(*work.uncertain, _OTHER_SHARE),
    )


def _channels(work: Work) -> Section:
    from cxjourney.omnichannel import switching, transitions

    anchor, title = "channels", "How customers move between channels"
    lead = "In which channel the next interaction takes place, if there is one."
    if not work.journeys.log.channels:
        absent = "The log has no channel column."
        return Section(anchor=anchor, title=title, lead=lead, absent=absent)
    found = transitions(work.journeys)
    matrix = Matrix(
        names=found.names, values=found.matrix("probability"), counts=found.matrix("count")
    )
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=(
            Picture(caption="From channel to channel", drawing=matrix),
            Part.of_result(switching(work.journeys), caption="How often they switch"),
            Part.of_result(found, caption="Transitions, the most frequent first"),
        ),
    )


def _metrics(work: Work) -> Section:
    table, notes = metrics_table(work.journeys, work.scale)
    anchor, title = "metrics", "Metrics"
    lead = "The usual metrics, each with its interval and definition."
    if not len(table):
        absent = "Aggregated paths have no times, values or answers."
        return Section(anchor=anchor, title=title, lead=lead, absent=absent)
    part = Part(
        caption=title, table=table, notes=("Intervals have a confidence level of 95%.", *notes)
    )
    return Section(anchor=anchor, title=title, lead=lead, parts=(part,), remarks=work.uncertain)


def _caveats(work: Work) -> Section:
    return Section(
        anchor="caveats",
        title="Assumptions and caveats",
        lead="What an expert would ask before believing the numbers above.",
        remarks=tuple(caveats(work.journeys)),
    )


def _answer(
    analysis: Callable[[], Result],
    *,
    anchor: str,
    title: str,
    lead: str,
    remarks: tuple[str, ...] = (),
) -> Section:
    """Return the section of one analysis, or why there is none."""
    try:
        result = analysis()
    except (OutcomeUndetermined, TimesRequired, NotAbsorbing) as error:
        return Section(anchor=anchor, title=title, lead=lead, absent=str(error))
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=(Part.of_result(result, caption=title),),
        remarks=remarks,
    )


# What is in a report, in order: the name of each step while it is worked on, and its section.
SECTIONS: Mapping[str, Callable[[Work], Section]] = {
    "what is wrong": _findings,
    "the journey map": _map,
    "the journey graph": _graph,
    "the funnel": _funnel,
    "exits": _exits,
    "channels": _channels,
    "metrics": _metrics,
    "the audit": _audit,
    "caveats": _caveats,
}
STEPS = (*(f"{_LOOKING}{step}" for step in FINDING_STEPS), *SECTIONS)
