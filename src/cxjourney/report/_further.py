"""Further sections of the report: figures over time, feelings, and segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from cxjourney.exceptions import NotAbsorbing, OutcomeUndetermined
from cxjourney.journeys import conversion_rate_of, segments_of
from cxjourney.report._catalogue import cell, date_in_words, number, say, say_of
from cxjourney.report._charts import Bar, Bars
from cxjourney.report._page import Part, Picture, Section
from cxjourney.report._work import FEWEST, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjourney._trend import Trend
    from cxjourney.journeys import Journeys
    from cxjourney.report._work import Work

_DRAWN = ("conversion_rate", "conversions", "exit_rate", "journeys")
_LOWEST = 8  # touchpoints in the picture of feelings
_MOST_GROUPS = 8  # of an attribute that is shown
_MOST_ATTRIBUTES = 3
_FEWEST_ANSWERS = 5


def trends(work: Work) -> Section:
    """Return the section of figures over time."""
    anchor, title = "trend", say("trend.title")
    shown = [(name, work.trends[name]) for name in _DRAWN if name in work.trends]
    if not shown:
        return Section(anchor=anchor, title=title, lead="", absent=say("trend.absent"))
    parts: list[Part | Picture] = []
    for name, found in shown:
        figure = say(f"trend.{name}")
        caption = say("trend.caption", figure=figure, period=say(f"period.{found.by}"))
        drawing = line_of(found, figure)
        young = int(np.count_nonzero(drawing.young)) - int(np.count_nonzero(drawing.final.young))
        notes = [_change(found), *((say_of(f"period.young_{found.by}", young),) if young else ())]
        if drawing.few:
            notes.append(say(f"period.few_{name}", period=drawing.by, n=FEWEST))
        parts.append(Picture(caption=caption, drawing=drawing.final, notes=tuple(notes)))
    for name, found in shown[:1]:
        table = found.periods.select(("period", "n", "value", "low", "high", "expected"))
        caption = say("trend.table", figure=say(f"trend.{name}"))
        parts.append(Part(caption=caption, table=table, folded=True))
    lead = say("trend.lead")
    name, found = shown[0]
    brief = say("trend.line", figure=say(f"trend.{name}"), said=_change(found))
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=tuple(parts),
        remarks=work.uncertain,
        brief=brief,
    )


def _change(found: Trend) -> str:
    if not found.since:
        return say("trend.steady")
    kind = found.periods.formats["value"]
    return say(
        "trend.changed",
        since=date_in_words(found.since),
        low=date_in_words(found.since_low),
        high=date_in_words(found.since_high),
        before=number(found.before, kind),
        after=number(found.after, kind),
    )


def feelings(work: Work) -> Section:
    """Return the section of how touchpoints are felt, the lowest first."""
    from cxjourney.experience import scores

    anchor, title, numeric = "feelings", say("feelings.title"), work.rows.columns.numeric
    measure = next((name for name in ("emotion", "score") if name in numeric), None)
    if measure is None:
        return Section(anchor=anchor, title=title, lead="", absent=say("feelings.absent"))
    found = scores(work.rows, measure="emotion" if measure == "emotion" else "score")
    known = np.flatnonzero(np.asarray(found.table["n"]) >= _FEWEST_ANSWERS)[:_LOWEST]
    bars = tuple(
        Bar(
            name=str(row["touchpoint"]),
            value=cast("float", row["mean"]),
            low=cast("float", row["low"]),
            high=cast("float", row["high"]),
            note=say_of("count.answers", cast("int", row["n"])),
        )
        for row in found.table.take(known)
    )
    if not bars:
        return Section(anchor=anchor, title=title, lead="", absent=say("feelings.absent"))
    ends = [end for bar in bars for end in (bar.low, bar.value) if not np.isnan(end)]
    drawing = Bars(
        rows=bars,
        kind="hundredths",
        least=min(0.0, *ends),
        full=max(found.overall, *(max(bar.value, bar.high) for bar in bars)),
        reference=found.overall,
    )
    return Section(
        anchor=anchor,
        title=title,
        lead=say(f"feelings.{measure}"),
        parts=(
            Picture(caption=say("feelings.picture"), drawing=drawing),
            Part.of_result(found, caption=say("feelings.table"), folded=True),
        ),
        brief=f"{bars[0].name}: {number(bars[0].value, 'hundredths')}",
    )


def segments(work: Work) -> Section:
    """Return the section of the conversion rate of each segment."""
    anchor, title = "segments", say("segments.title")
    parts = tuple(_rates(work.rows))
    if not parts:
        return Section(anchor=anchor, title=title, lead="", absent=say("segments.absent"))
    lead = say("segments.lead")
    return Section(
        anchor=anchor,
        title=title,
        lead=lead,
        parts=parts,
        remarks=work.uncertain,
        brief=", ".join(part.caption for part in parts),
    )


def _rates(journeys: Journeys) -> Iterator[Picture]:
    """Yield the conversion rate by each attribute that has a few values."""
    if not journeys.rules.goal or journeys.weight is not None:
        return
    given = {**journeys.log.customer_attributes, **journeys.log.columns.attributes}
    few = [name for name, coded in given.items() if 2 <= len(coded.names) <= _MOST_GROUPS]
    for name in few[:_MOST_ATTRIBUTES]:
        found = segments_of(journeys, name)
        bars = []
        for i, value in enumerate(found.values):
            part = journeys.where(found.code == i)
            try:
                rate = conversion_rate_of(part)
            except (NotAbsorbing, OutcomeUndetermined):
                continue
            if rate is not None and not np.isnan(rate.value):
                note = say_of("count.journeys", len(part))
                bars.append(
                    Bar(name=cell(value), value=rate.value, low=rate.low, high=rate.high, note=note)
                )
        if bars:
            caption = say("segments.picture", attribute=name)
            yield Picture(caption=caption, drawing=Bars(rows=tuple(bars), kind="percent"))
