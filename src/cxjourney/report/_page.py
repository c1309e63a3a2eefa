"""Report of sections: plain text for a terminal, and one HTML page that is complete in itself."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import attrs

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.serialize import to_dict
from cxjourney._support.table import Table
from cxjourney._support.text import visible
from cxjourney._support.validation import check_flag
from cxjourney._support.words import in_agreement
from cxjourney._support.writing import write_whole
from cxjourney.report._charts import Bars, Line
from cxjourney.report._journey_map import JourneyMap
from cxjourney.report._map_views import map_overview
from cxjourney.report._render import asset, fingerprint, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from cxjourney._support.result import Result

TEXT_ROWS = 12
MOST_RANKED = 6  # of what is ranked, in a text of about one screen
_OVERVIEW = 7  # bars in the small picture at the top
WIDTH = 100  # of a line in a terminal; tables leave out their last columns to fit


def _shown(part: Part | Picture) -> str:
    if isinstance(part, Picture):
        return part.brief or part.drawing.to_text()
    names = list(part.table.column_names)
    text = part.table.to_text(max_rows=TEXT_ROWS)
    while len(names) > 1 and max(map(len, text.splitlines()), default=0) > WIDTH:
        names.pop()
        text = part.table.select(names).to_text(max_rows=TEXT_ROWS)
    further = part.table.column_names[len(names) :]
    return "\n".join([text, *(_wrapped(f"on the page: {', '.join(further)}") if further else [])])


def _wrapped(text: str, bullet: str = "") -> list[str]:
    indent = " " * len(bullet)
    return textwrap.wrap(
        text, WIDTH, initial_indent=bullet, subsequent_indent=indent, break_on_hyphens=False
    )


@attrs.frozen(kw_only=True)
class Figure:
    """One of the few numbers at the top.

    Attributes
    ----------
    name
        What it is.
    value
        The number, ready to print.
    note
        Its interval, share or caveat.
    trace
        The same over time; None where it is not known.
    """

    name: str
    value: str
    note: str = ""
    trace: Line | None = attrs.field(default=None, eq=False)


@attrs.frozen(kw_only=True)
class Part:
    """A table of a section.

    Attributes
    ----------
    caption
        What the table shows.
    table
        The table.
    notes
        What a reader must know about it.
    folded
        Whether the page shows it only when asked.
    """

    caption: str
    table: Table
    notes: tuple[str, ...] = ()
    folded: bool = False

    @classmethod
    def of_result(cls, result: Result, *, caption: str = "", folded: bool = False) -> Self:
        """Return the table and the notes of a result."""
        table, notes = result._shown(), result._notes()  # noqa: SLF001 - one package
        notes = tuple(map(in_agreement, notes))
        return cls(caption=caption or result.title, table=table, notes=notes, folded=folded)


class Drawing(Protocol):
    """What can show itself on a page and in a terminal."""

    def to_html(self) -> str:
        """Return it as escaped HTML."""
        ...

    def to_text(self) -> str:
        """Return it as plain text."""
        ...


@attrs.frozen(kw_only=True)
class Picture:
    """A drawing of a section.

    Attributes
    ----------
    caption
        What it shows.
    drawing
        The drawing.
    notes
        What a reader must know about it.
    brief
        What a terminal shows in its place; empty for the drawing's own text.
    """

    caption: str
    drawing: Drawing
    notes: tuple[str, ...] = ()
    brief: str = ""


@attrs.frozen(kw_only=True)
class Card:
    """A finding as the page shows it: the answer, its picture, and what stands behind it.

    Attributes
    ----------
    sentence, gain, hit
        What is wrong, what fixing it could bring, and who is hit, each in a sentence.
    unsure
        Why it is not certain; empty where it is.
    pictures
        The share against what it is held against, and the gain with its interval.
    exact
        The finding in all its numbers.
    reasons, doubts, next_steps
        What speaks for it, what could make it wrong, and what to look at next.
    """

    sentence: str
    gain: str
    hit: str
    unsure: str
    pictures: tuple[Picture, ...]
    exact: str
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    next_steps: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Section:
    """A part of the report under one heading.

    Attributes
    ----------
    anchor
        Its name in links.
    title
        Its heading.
    lead
        What the section answers, in a sentence or two.
    parts
        Its tables and pictures.
    ranked
        Names in their order, each with what is to be said of it.
    remarks
        Further sentences, as a list.
    absent
        Why there is none; empty where there is one.
    brief
        The section in a line, for the first look in a terminal.
    n_warnings
        How many of the remarks come first, because nothing is certain before they are heeded.
    cards
        The names in their order as the page shows them.
    answer
        What the first screen says of it where nothing is wrong.
    """

    anchor: str
    title: str
    lead: str = attrs.field(converter=in_agreement)
    parts: tuple[Part | Picture, ...] = ()
    ranked: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    absent: str = ""
    brief: str = attrs.field(default="", converter=in_agreement)
    n_warnings: int = 0
    cards: tuple[Card, ...] = ()
    answer: str = ""


def _overview(maps: list[JourneyMap], sections: tuple[Section, ...]) -> tuple[str, str, str]:
    """Return the small picture at the top: where it leads to, itself, and its caption.

    It is the map where that has stages, else the funnel, else where most are lost.
    """
    if maps and len(maps[0].stages) > 1:
        return "map", map_overview(maps[0]), ""
    for anchor in ("funnel", "exits"):
        for part in next((one.parts for one in sections if one.anchor == anchor), ()):
            if isinstance(part, Picture) and isinstance(part.drawing, Bars):
                first = attrs.evolve(part.drawing, rows=part.drawing.rows[:_OVERVIEW])
                return anchor, first.to_html(), part.caption
    return "", "", ""


@attrs.frozen(kw_only=True, repr=False)
class Report:
    """A report on journeys: key figures, sections of tables, and what it takes to repeat it.

    Attributes
    ----------
    title
        The heading of the page.
    source
        Where the data came from.
    window
        How much there was, and from when to when.
    figures
        The few numbers at the top.
    sections
        The sections, in order.
    parameters
        The choices that the numbers depend on.
    python, command
        What makes the report again, in Python and on the command line; empty where not known.
    """

    title: str
    source: str
    window: str
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    parameters: Mapping[str, str] = attrs.field(converter=FrozenMapping[str])
    python: str = ""
    command: str = ""

    def to_text(self, *, full: bool = True) -> str:
        """Return the report as plain text.

        Parameters
        ----------
        full
            False prints what is wrong and a line for each further section, which is about one
            screen.

        Raises
        ------
        InvalidValue
            If `full` is neither True nor False.
        """
        check_flag(full, "full")
        lines = [self.title, self.window, ""] if full else [f"{self.title}, {self.window}", ""]
        width = max((len(figure.name) for figure in self.figures), default=0)
        lines += [
            f"{figure.name:<{width}}  {figure.value}  {figure.note}".rstrip()
            for figure in self.figures
        ]
        if not full:
            return "\n".join([*lines, *self._outline()])
        for section in self.sections:
            lines += ["", f"== {section.title} ==", *_wrapped(section.lead)]
            for i, (name, said) in enumerate(section.ranked, start=1):
                lines += ["", *_wrapped(f"{i}. {visible(name)}: {said}")]
            if section.remarks:
                lines += ["", *(line for said in section.remarks for line in _wrapped(said, "* "))]
            for part in section.parts:
                caption = [part.caption] if part.caption != section.title else []
                lines += ["", *caption, _shown(part)]
                lines += [line for note in part.notes for line in _wrapped(note, "* ")]
            if section.absent:
                lines += ["", *_wrapped(section.absent)]
        return "\n".join(lines)

    def _outline(self) -> Iterator[str]:
        """Yield the first section, with what is ranked, and a line of each further one."""
        first, *others = self.sections
        yield from ("", f"== {first.title} ==", *_wrapped(first.brief))
        for i, (name, said) in enumerate(first.ranked[:MOST_RANKED], start=1):
            yield from _wrapped(f"{i}. {visible(name)}: {said}")
        if (more := len(first.ranked) - MOST_RANKED) > 0:
            yield f"and {more:,} more on the page"
        width = max((len(section.title) for section in others), default=0)
        yield ""
        for section in others:
            said = visible(section.absent or section.brief)
            room = max(WIDTH - width - 2, 20)
            brief = textwrap.shorten(said, room, placeholder=" …")
            yield f"{section.title:<{width}}  {brief}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-ready dictionary, with whole tables, and pictures as text."""
        bare = tuple(attrs.evolve(one, parts=(), cards=()) for one in self.sections)
        figures = tuple(attrs.evolve(one, trace=None) for one in self.figures)
        data = to_dict(attrs.evolve(self, sections=bare, figures=figures))
        for figure in data["figures"]:
            del figure["trace"]  # the trend has it
        for section, whole in zip(data["sections"], self.sections, strict=True):
            del section["cards"], section["n_warnings"], section["answer"]
            section["parts"] = [
                {k: v for k, v in to_dict(part).items() if k != "folded"}
                if isinstance(part, Part)
                else {"caption": part.caption, "picture": _shown(part), "notes": list(part.notes)}
                for part in whole.parts
            ]
        return data

    def to_html(self) -> str:
        """Return the report as one HTML page that loads nothing from anywhere.

        Raises
        ------
        MissingDependency
            If jinja2 is not installed.
        """
        script = asset("network.js") + asset("tables.js")
        first = [one for one in self.sections if one.anchor == "map"]
        pictures = [part for one in first for part in one.parts if isinstance(part, Picture)]
        maps = [one.drawing for one in pictures if isinstance(one.drawing, JourneyMap)]
        return render(
            "report.html.j2",
            caller="Report.to_html()",
            report=self,
            findings=next((one for one in self.sections if one.anchor == "findings"), None),
            sections=[*first, *(one for one in self.sections if one not in first)],
            absent=[one for one in self.sections if one.absent],
            overview=_overview(maps, self.sections),
            worst=next((one.answer for one in self.sections if one.anchor == "exits"), ""),
            style=asset("report.css") + asset("network.css"),
            script=script,
            script_source=fingerprint(script),
            version=version("cxjourney"),
        )

    def write(self, path: str | PathLike[str]) -> Path:
        """Write the page to a file, in UTF-8, and return its path.

        It takes its name once it is complete: what stood there before stays until then.

        Raises
        ------
        MissingDependency
            If jinja2 is not installed.
        """
        target = Path(path)
        write_whole(target, self.to_html().encode("utf-8", errors="backslashreplace"))
        return target

    def __repr__(self) -> str:
        return self.to_text(full=False)
