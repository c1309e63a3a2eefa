"""`Report`: a sequence of sections, as text for a terminal and as one self-contained HTML page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.optional import require
from cxjourney._support.table import Table

if TYPE_CHECKING:
    from os import PathLike

    from cxjourney._support.result import Result

__all__ = ["Figure", "Part", "Report", "Section"]

TEXT_ROWS = 15
HTML_ROWS = 60
WIDTH = 100  # of running text in a terminal; tables are as wide as they are


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
        table, notes = result._table(), result._notes()  # noqa: SLF001 - one package
        return cls(caption=caption or result.title, table=table, notes=notes)


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
        Its tables.
    absent
        Why there is none; empty where there is one.
    """

    anchor: str
    title: str
    lead: str
    parts: tuple[Part, ...] = ()
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
    """

    title: str
    source: str
    window: str
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    parameters: Mapping[str, str] = attrs.field(converter=FrozenMapping[str])

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
            for part in section.parts:
                caption = [part.caption] if part.caption != section.title else []
                lines += ["", *caption, part.table.to_text(max_rows=TEXT_ROWS)]
                lines += [line for note in part.notes for line in _wrapped(note, "* ")]
            if section.absent:
                lines += ["", *_wrapped(section.absent)]
        return "\n".join(lines)

    def to_html(self) -> str:
        """Return the report as one HTML page that loads nothing from anywhere.

        Raises
        ------
        MissingDependency
            If jinja2 is not installed.
        """
        jinja2 = require("jinja2", extra="report", caller="Report.to_html()")
        here = files("cxjourney.report")
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        # a table escapes its own cells; everything else is escaped by the template
        environment.filters["table"] = lambda table: jinja2.filters.Markup(
            table.to_html(max_rows=HTML_ROWS)
        )
        template = (here / "templates" / "report.html.j2").read_text(encoding="utf-8")
        style = (here / "static" / "report.css").read_text(encoding="utf-8")
        page: str = environment.from_string(template).render(
            report=self, style=jinja2.filters.Markup(style), version=version("cxjourney")
        )
        return page

    def write(self, path: str | PathLike[str]) -> Path:
        """Write the page to a file, in UTF-8, and return its path.

        Raises
        ------
        MissingDependency
            If jinja2 is not installed.
        """
        target = Path(path)
        target.write_text(self.to_html(), encoding="utf-8", errors="backslashreplace")
        return target

    def __repr__(self) -> str:
        return self.to_text()
