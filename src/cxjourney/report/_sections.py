"""Sections of the report, each with its analysis and the sentences around it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

from cxjourney._findings import STEPS as FINDING_STEPS
from cxjourney._support.table import Table
from cxjourney._support.words import counted
from cxjourney.domain import Outcome
from cxjourney.exceptions import NotAbsorbing, OutcomeUndetermined, TimesRequired
from cxjourney.journeys import FEWEST, Journeys, JourneyStatistics, grain_name, graph_of, words_of
from cxjourney.report._catalogue import cell, number, percent, rounded, say, say_of
from cxjourney.report._charts import Bar, Bars, Matrix
from cxjourney.report._further import feelings, segments, trends
from cxjourney.report._journey_map import by_day, journey_map
from cxjourney.report._metrics_table import metrics_table
from cxjourney.report._network import TERMINALS, Network, network
from cxjourney.report._page import Part, Picture, Section
from cxjourney.report._sharing import (
    shared_remarks,
    tells_of_few,
    ways,
)
from cxjourney.report._stages import stages_in_order
from cxjourney.report._steps import default_steps, stage_steps
from cxjourney.report._words import card_of, caveats, overview, worth_of
from cxjourney.report._work import LOOKING, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cxjourney.dropoff import Funnel, StepLike
    from cxjourney.graph import JourneyGraph

WORST = 10  # touchpoints in the picture of exits
_LATER = "conversion_after"
TRANSITIONS = 20  # rows of their table; the rest is in the graph


def _left_out(
    anchor: str, title: str, section: Callable[[Work], Section]
) -> Callable[[Work], Section]:
    """Return what makes a section of rows, or says that statistics have none."""

    def made(work: Work) -> Section:
        if isinstance(work.journeys, Journeys):
            return section(work)
        return Section(anchor=anchor, title=say(title), lead="", absent=say("rows.needed"))

    return made


def _findings(work: Work) -> Section:
    found, ranked, parts, cards = work.findings, [], [], []
    if isinstance(found, str):
        said: tuple[str, ...] = (say("finding.untold", why=found),)
    else:
        unsure = f" {say('finding.unsure')}" if work.unchosen else ""
        ranked = [
            (f"{one.where} {one.who}".strip(), f"{one.sentence} {worth_of(one)}{unsure}")
            for one in found
        ]
        goal = work.journeys.rules.goal
        cards = [
            card_of(one, goal=goal, unsure=bool(work.unchosen), share=work.share) for one in found
        ]
        said = (found.headline.partition(" The first: ")[0], *found.notes)
        sure = say("finding.sure")
        if unsure:
            sure, said = say("finding.sure_if"), _if_chosen(said)
        further = found._further(option=work.command)  # noqa: SLF001 - one package
        tables = ((sure, found._shown()), *further)  # noqa: SLF001 - one package
        parts = [_folded(name, table) for name, table in tables if len(table)]
    return Section(
        anchor="findings",
        title=say("finding.title"),
        lead=overview(work.journeys),
        parts=tuple(parts),
        ranked=tuple(ranked),
        remarks=(*work.unchosen, *said),
        brief=" ".join((*work.unchosen, *said[:1])),
        n_warnings=len(work.unchosen),
        cards=tuple(cards),
    )


def _folded(name: str, table: Table) -> Part:
    """Return a table that is shown when asked for; what else its name says is a note."""
    head, more, _ = name.partition(": ")
    return Part(caption=cell(head), table=table, notes=(name,) if more else (), folded=True)


def _if_chosen(said: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is said of findings, as it would be if somebody had chosen the limit."""
    words = {" are sure,": " would be sure,", " is sure,": " would be sure,", " surely ": " then "}
    for claimed, supposed in words.items():
        said = tuple(one.replace(claimed, supposed) for one in said)
    return said


def _map(work: Work) -> Section:
    drawn = journey_map(work.rows, blueprint=work.blueprint, expected_exits=work.expected_exits)
    if work.share:
        drawn = by_day(drawn)
    stages, lanes = counted(len(drawn.stages), "stage"), counted(len(drawn.lanes), "lane")
    brief = say("map.brief", stages=stages, lanes=lanes)
    picture = Picture(caption=say("map.picture"), drawing=drawn, notes=drawn.notes, brief=brief)
    return Section(
        anchor="map",
        title=say("map.title"),
        lead=say("map.lead"),
        parts=(picture,),
        remarks=work.uncertain,
        brief=brief,
    )


def _audit(work: Work) -> Section:
    journeys, title = work.journeys, say("audit.title")
    if isinstance(journeys, Journeys):
        lead = say("audit.lead")
        audit = journeys.log.audit(inactivity=journeys.rules.inactivity)
        part = Part.of_result(audit, caption=title)
        size = f"{audit.rows:,} interactions of {counted(audit.customers, 'customer')}"
        brief = " ".join((*audit.odd, size))
    else:
        lead = say("audit.lead_counted")
        plain = journeys.plan.key_id is None
        facts = {
            "customers": f"{journeys.n_customers:,}",
            "journeys": f"{len(journeys):,}",
            "grains": say("audit.grains_and").join(map(grain_name, journeys.grains)),
            "parts": words_of(journeys.parts),
            "ids": say("audit.ids_plain" if plain else "audit.ids_pseudonyms"),
        }
        names = [say(f"audit.{name}") for name in facts]
        part = Part(caption=title, table=Table({"fact": names, "value": [*facts.values()]}))
        brief = f"{counted(len(journeys), 'journey')}, {facts['parts']}"
    return Section(anchor="audit", title=title, lead=lead, parts=(part,), brief=brief)


def _graph(work: Work) -> Section:
    journeys = work.journeys
    graph = graph_of(journeys)
    touchpoints = graph.touchpoints
    between = sum(1 for u, v in graph.edges if u in touchpoints and v in touchpoints)
    stages = stages_in_order(journeys)[0] if isinstance(journeys, Journeys) else ()
    drawing = network(graph, stages=stages)
    notes = _drawing_notes(drawing, journeys)
    n = min(TRANSITIONS, graph.number_of_edges())
    return Section(
        anchor="graph",
        title=say("graph.title"),
        lead=say("graph.lead", touchpoints=len(touchpoints), transitions=between),
        brief=say("graph.size", touchpoints=len(touchpoints), transitions=between),
        parts=(
            Picture(caption=say("graph.picture"), drawing=drawing, notes=notes),
            Part(caption=say("graph.touchpoints"), table=_touchpoints(graph), folded=True),
            Part(caption=say("graph.transitions", n=n), table=_transitions(graph), folded=True),
        ),
    )


def _drawing_notes(drawing: Network, journeys: Journeys | JourneyStatistics) -> tuple[str, ...]:
    notes = [say("graph.slider"), say("graph.width")]
    if silent := journeys.n_dropped_after_goal:
        lost = journeys.outcomes[Outcome.DROPPED] - silent
        both = say_of("count.journeys", lost + silent)
        notes.append(say("graph.silent", journeys=both, lost=lost, silent=silent))
    if drawing.left_out:
        notes.append(say("graph.left_out", left_out=drawing.left_out))
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
            "from": [cell(TERMINALS[u]) if u in TERMINALS else u for u, _, _ in edges],
            "to": [cell(TERMINALS[v]) if v in TERMINALS else v for _, v, _ in edges],
            "count": np.array([data["count"] for _, _, data in edges], dtype=np.int64),
            "probability": np.array([data.get("probability", np.nan) for _, _, data in edges]),
            "median wait": np.array([data.get("dwell_median_s", np.nan) for _, _, data in edges]),
        },
        formats={"probability": "percent", "median wait": "duration"},
    )


def _funnel(work: Work) -> Section:
    from cxjourney.dropoff import funnel

    section = partial(Section, anchor="funnel", title=say("funnel.title"))
    steps: Sequence[StepLike] = work.steps or ()
    if not steps and isinstance(work.journeys, JourneyStatistics):
        return section(absent=say("funnel.named"), lead="")
    lead = say("funnel.lead")
    # whether steps tell of few customers is known of single touchpoints
    if not (steps or work.share) and (stages := stage_steps(work.rows)):
        steps, lead = stages, f"{lead} {say('funnel.stages')}"
    elif not steps:
        steps, lead = default_steps(work.rows), f"{lead} {say('funnel.chosen')}"
    if len(steps) < 2:
        return section(lead=lead, absent=say("funnel.few"))
    found = funnel(work.journeys, steps)
    if work.share:
        each = (funnel(work.journeys, some) for some in ways(steps))
        safe = next((one for one in each if not tells_of_few(one, work.rows)), None)
        if safe is None:
            return section(lead=lead, absent=say("shared.steps", n=FEWEST))
        found = safe
    bars = Bars(
        kind="percent",
        full=1.0,
        rows=tuple(
            Bar(
                name=name,
                value=rate,
                low=float(found.table["low"][i]) if i else np.nan,  # the base is no estimate
                high=float(found.table["high"][i]) if i else np.nan,
                note=say_of(f"count.{found.unit}s", found.counts[i]),
            )
            for i, (name, rate) in enumerate(zip(found.steps, found.rates, strict=True))
        ),
    )
    shares = [percent(float(rate)) for rate in found.rates[1:]]
    return section(
        lead=lead,
        parts=(
            Picture(caption=say("funnel.picture"), drawing=bars),
            Part.of_result(found, caption=say("funnel.table"), folded=True),
        ),
        remarks=(*_said_of(found), *work.uncertain),
        brief=" → ".join((found.steps[0], *map("{} {}".format, found.steps[1:], shares))),
    )


def _said_of(found: Funnel) -> tuple[str, ...]:
    """Return how many get through, and where most are lost, in a sentence each."""
    names, n = found.steps, found.counts[0]
    if not n or not found.counts[-1]:
        return ()
    whole = say(
        "funnel.said", n=n, first=names[0], last=names[-1], rate=percent(float(found.rates[-1]))
    )
    if len(names) < 3:
        return (whole,)
    lost = np.nan_to_num(1 - np.asarray(found.table["step_rate"], dtype=np.float64))
    k = int(np.argmax(lost))
    before, after, share = names[k - 1], names[k], percent(float(lost[k]))
    return (f"{whole} {say('funnel.worst', before=before, after=after, lost=share)}",)


def _exits(work: Work) -> Section:
    from cxjourney.dropoff import exits

    anchor, title, lead = "exits", say("exits.title"), say("exits.lead")
    try:
        found = exits(work.journeys, expected_exits=work.expected_exits)
    except (OutcomeUndetermined, TimesRequired, NotAbsorbing) as error:
        return Section(anchor=anchor, title=title, lead=lead, absent=str(error))
    part, brief, answer = Part.of_result(found, caption=title, folded=True), "", ""
    if len(found.table):
        names, rates = found.table["touchpoint"], np.asarray(found.table["exit_probability"])
        worst = int(np.nanargmax(np.nan_to_num(np.asarray(found.table["low"], dtype=np.float64))))
        brief = say("exits.brief", touchpoint=names[worst], rate=percent(float(rates[worst])))
        answer = say("exits.answer", touchpoint=names[0], rate=percent(float(rates[0])))
    if work.share:  # who converted later is counted by touchpoint nowhere else
        kept = [name for name in part.table.column_names if name != _LATER]
        notes = tuple(note for note in part.notes if _LATER not in note)
        part = attrs.evolve(part, table=part.table.select(kept), notes=notes)
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=(*_worst_exits(part.table), part),
        remarks=(*work.uncertain, say("exits.other_share")),
        brief=brief or say("rule.none"),
        answer=answer,
    )


def _worst_exits(table: Table) -> tuple[Picture, ...]:
    """Return the touchpoints of a table that lose most, as a picture; none where none loses."""
    rows = [row for row in table.take(range(min(len(table), WORST))) if row["exits"]]
    if not rows:
        return ()
    bars = tuple(
        Bar(
            name=str(row["touchpoint"]),
            value=cast("float", row["exit_probability"]),
            low=cast("float", row["low"]),
            high=cast("float", row["high"]),
            note=_lost(cast("float", row["lost_conversions"]))
            if isinstance(row.get("lost_conversions"), float)
            and not np.isnan(cast("float", row["lost_conversions"]))
            else "",
        )
        for row in rows
    )
    return (Picture(caption=say("exits.picture"), drawing=Bars(rows=bars, kind="percent")),)


def _lost(conversions: float) -> str:
    """Return how many conversions are lost at most; "" where it is less than one."""
    n = round(conversions)
    return say_of("exits.note", n, about=rounded(conversions)) if n else ""


def _channels(work: Work) -> Section:
    from cxjourney.attribution import markov
    from cxjourney.omnichannel import switching, transitions

    anchor, title, lead = "channels", say("channels.title"), say("channels.lead")
    journeys = work.journeys
    if isinstance(journeys, Journeys):
        absent = "" if journeys.log.channels else say("channels.no_column")
    else:
        absent = "" if "channel" in journeys.grains else say("channels.not_counted")
    if absent:
        return Section(anchor=anchor, title=title, lead=lead, absent=absent)
    found = transitions(journeys)
    further = [Part.of_result(switching(journeys), caption=say("channels.switching"))]
    if work.share:  # journeys with several channels are counted nowhere else
        further = [attrs.evolve(further[0], table=further[0].table.take([0]))]
    counted = not isinstance(journeys, Journeys) and journeys.rules.determined
    if counted and journeys.outcomes[Outcome.CONVERTED]:
        further.append(Part.of_result(markov(journeys), caption=say("channels.credit")))
    matrix = Matrix(
        names=found.names, values=found.matrix("probability"), counts=found.matrix("count")
    )
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=(
            Picture(caption=say("channels.picture"), drawing=matrix),
            *further,
            Part.of_result(found, caption=say("channels.transitions"), folded=True),
        ),
        brief=_first(further[0].table, "measure", "value"),
    )


def _metrics(work: Work) -> Section:
    table, notes = metrics_table(work.rows, work.scale)
    section = partial(
        Section, anchor="metrics", title=say("metrics.title"), lead=say("metrics.lead")
    )
    if not len(table):
        return section(absent=say("metrics.absent"))
    part = Part(caption=say("metrics.title"), table=table, notes=(say("metrics.level"), *notes))
    said = ", ".join(f"{cell(str(row['metric']))} {row['value']}" for row in table)
    return section(parts=(part,), remarks=work.uncertain, brief=said)


def _caveats(work: Work) -> Section:
    remarks = (*(shared_remarks() if work.share else ()), *caveats(work.journeys))
    return Section(
        anchor="caveats",
        title=say("caveats.title"),
        lead=say("caveats.lead"),
        remarks=remarks,
        brief=say("caveats.brief", n=len(remarks)),
    )


def _first(table: Table, name: str, value: str) -> str:
    """Return what the first row of a table says."""
    if not len(table):
        return say("rule.none")
    return f"{cell(str(table[name][0]))}: {number(table[value][0], table.formats.get(value))}"


# What is in a report, in order: the name of each step while it is worked on, and its section.
SECTIONS: Mapping[str, Callable[[Work], Section]] = {
    "what is wrong": _findings,
    "the journey map": _left_out("map", "map.title", _map),
    "the trend": trends,
    "the funnel": _funnel,
    "exits": _exits,
    "the journey graph": _graph,
    "channels": _channels,
    "feelings": _left_out("feelings", "feelings.title", feelings),
    "segments": _left_out("segments", "segments.title", segments),
    "metrics": _left_out("metrics", "metrics.title", _metrics),
    "the audit": _audit,
    "caveats": _caveats,
}
STEPS = (*(f"{LOOKING}{step}" for step in FINDING_STEPS), *SECTIONS)
