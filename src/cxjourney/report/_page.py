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
from cxjourney._support.words import in_agreement
from cxjourney._support.writing import write_whole
from cxjourney.report._render import asset, fingerprint, render

if TYPE_CHECKING:
    from os import PathLike

    from cxjourney._support.result import Result

TEXT_ROWS = 12
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
    return textwrap.wrap(text, WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet))


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
    """

    name: str
    value: str
    note: str = ""


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
    """

    caption: str
    table: Table
    notes: tuple[str, ...] = ()

    @classmethod
    def of_result(cls, result: Result, *, caption: str = "") -> Self:
        """Return the table and the notes of a result."""
        table, notes = result._shown(), result._notes()  # noqa: SLF001 - one package
        notes = tuple(map(in_agreement, notes))
        return cls(caption=caption or result.title, table=table, notes=notes)


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
    """

    anchor: str
    title: str
    lead: str = attrs.field(converter=in_agreement)
    parts: tuple[Part | Picture, ...] = ()
    ranked: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    absent: str = ""


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

    def to_text(self) -> str:
        """Return the report as plain text."""
        lines = [self.title, self.window, ""]
        width = max((len(figure.name) for figure in self.figures), default=0)
        lines += [
            f"{figure.name:<{width}}  {figure.value}  {figure.note}".rstrip()
            for figure in self.figures
        ]
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

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-ready dictionary, with whole tables, and pictures as text."""
        bare = tuple(attrs.evolve(section, parts=()) for section in self.sections)
        data = to_dict(attrs.evolve(self, sections=bare))
        for section, whole in zip(data["sections"], self.sections, strict=True):
            section["parts"] = [
                to_dict(part)
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
        script = asset("network.js")
        return render(
            "report.html.j2",
            caller="Report.to_html()",
            report=self,
            style=asset("report.css"),
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
        return self.to_text()
