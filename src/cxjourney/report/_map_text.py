"""The journey map as text for other tools: Markdown and Mermaid."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cxjourney._support.text import visible

if TYPE_CHECKING:
    from cxjourney.report._journey_map import JourneyMap
    from cxjourney.report._lanes import MapEntry

# what begins or ends something in the grammar of Mermaid's journey
_MERMAID = re.compile(r"[:;,#%`\"<>{}\[\]\\]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~-])")
_NEUTRAL = 3


def map_markdown(drawn: JourneyMap) -> str:
    """Return the map as a Markdown table."""
    head = ["lane", *map(_plain, drawn.stages)]
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for lane in drawn.lanes:
        cells = ["<br>".join(map(_entry, drawn.cell(lane, stage))) for stage in drawn.stages]
        lines.append(f"| {' | '.join([f'**{lane}**', *cells])} |")
    notes = [f"- {_plain(note)}" for note in drawn.notes]
    return "\n".join([f"**{_plain(drawn.name)}**", "", *lines, "", *notes, ""])


def _entry(entry: MapEntry) -> str:
    text = _plain(str(entry))
    return text if entry.basis == "data" else f"*{text}* (assumed)"


def _plain(text: str) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", visible(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def map_mermaid(drawn: JourneyMap) -> str:
    """Return the map as a Mermaid journey: sections are stages, tasks are touchpoints."""
    lines = ["journey", f"    title {_word(drawn.name)}"]
    for stage in drawn.stages:
        lines.append(f"    section {_word(stage)}")
        known = [e for e in drawn.cell("emotion", stage) if e.basis == "data"]
        known = known or list(drawn.cell("emotion", stage))
        score = round(3 + 2 * known[0].value) if known else _NEUTRAL
        if not known:
            lines.append("    %% no emotion is known here: 3 stands for unknown")
        actors = ", ".join(_word(e.text) for e in drawn.cell("channels", stage)[:3])
        tail = f": {actors}" if actors else ""
        tasks = drawn.cell("touchpoints", stage)
        lines += [f"      {_word(entry.text)}: {score}{tail}" for entry in tasks]
    return "\n".join([*lines, ""])


def _word(text: str) -> str:
    return " ".join(_MERMAID.sub(" ", visible(text)).split()) or "-"
