"""The inspection of a file: its kind, what its columns could be, and the way to read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.result import Result
from cxjourney._support.table import Table
from cxjourney._support.words import counted
from cxjourney.exceptions import InputFileError
from cxjourney.io._column_facts import facts_of
from cxjourney.io._column_roles import may_be_shown, roles_of, row_kind
from cxjourney.io._encodings import check_encoding
from cxjourney.io._file_sample import sample_of
from cxjourney.io._files import find_files
from cxjourney.io._oddities import oddities
from cxjourney.io._proposal import propose
from cxjourney.io._table_edges import why_no_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

    from cxjourney.io._column_facts import ColumnFacts, TimeReading
    from cxjourney.io._column_roles import Roles

    FilePath = str | PathLike[str]

_KINDS = {
    "csv": "a CSV file",
    "excel": "a workbook",
    "json": "a file of JSON",
    "parquet": "a Parquet file",
    "xes": "an XES log",
}
_DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
_SHOWN = 3  # values of a column


@attrs.frozen(kw_only=True, repr=False)
class FileInspection(Result):
    """What a file is, what its columns could be, and how it is read.

    Ids, addresses and what was written freely are told by their form alone.

    Attributes
    ----------
    files
        Path of the file, or of each.
    format
        "csv", "excel", "json", "parquet" or "xes", by content.
    compression
        "none", "gzip" or "zstd".
    encoding, encoding_evidence
        Encoding of a CSV file, and what speaks for it; None and "" for other formats.
    delimiter, decimal
        What stands between the cells of a CSV file, and before the decimals of its numbers.
    skip_rows, header_rows
        Rows above the names of the columns, and rows that these take.
    sheets, sheet
        Sheets of a workbook, and the one that was judged.
    n_rows, n_judged, whole
        Rows below the names, None where they were not counted; rows by which the columns were
        judged; whether these are all.
    row_is, row_evidence
        What a row is ("event", "case", "order line", "order", "answer", "unknown"), and why.
    layouts, near_layouts
        Layouts that the columns follow, and those that they nearly do, with what is missing.
    columns
        One row a column: what it could be, why, the share of its cells that are missing, distinct
        values, what the cells look like.
    roles
        One row a role that is proposed: its column, why, and the columns that could serve too.
    goals
        Touchpoints that look like an end that is wished for: share of the customers that have
        them, rows, and the share of those customers with whom nothing comes later.
    odd
        What is odd, in sentences.
    obstacles
        What stands in the way of a log, in sentences; empty where commands are given.
    commands
        Commands that read it; two where day and month could change places, or where conversions
        may stand in a column of their own.
    python
        Lines of Python that read it in the same way, one string a command.
    """

    title = "Inspection of a file"

    files: tuple[str, ...]
    format: str
    compression: str
    encoding: str | None
    encoding_evidence: str
    delimiter: str | None
    decimal: str
    skip_rows: int
    header_rows: int
    sheets: tuple[str, ...]
    sheet: str | None
    n_rows: int | None
    n_judged: int
    whole: bool
    row_is: str
    row_evidence: str
    layouts: tuple[str, ...]
    near_layouts: tuple[str, ...]
    columns: Table
    roles: Table
    goals: Table
    odd: tuple[str, ...]
    obstacles: tuple[str, ...]
    commands: tuple[str, ...]
    python: tuple[str, ...]

    def _table(self) -> Table:
        return self.columns

    def _lead(self) -> str:
        return "\n".join((self.what(), *self._form()))

    def what(self) -> str:
        """Return what the file is, in a sentence."""
        named = repr(self.files[0])
        if len(self.files) > 1:
            named += f" and {counted(len(self.files) - 1, 'other file')}"
        packed = f", compressed with {self.compression}" if self.compression != "none" else ""
        rows = "rows that were not counted" if self.n_rows is None else counted(self.n_rows, "row")
        kind = {"unknown": "Of what a row is, nothing speaks clearly"}.get(
            self.row_is, f"A row is {'an' if self.row_is[0] in 'aeo' else 'a'} {self.row_is}"
        )
        return (
            f"{named}: {_KINDS[self.format]}{packed} with {rows} and "
            f"{counted(len(self.columns), 'column')}. {kind}: {self.row_evidence}."
        )

    def _form(self) -> list[str]:
        """Return how the file is written, in sentences."""
        said = []
        if self.format == "csv":
            by = _DELIMITERS.get(self.delimiter or "", repr(self.delimiter))
            cells = f"cells are parted by {by}" if self.delimiter else "there is a single column"
            said.append(f"Encoding {self.encoding} ({self.encoding_evidence}); {cells}.")
        if self.decimal == ",":
            said.append("Decimals follow a comma.")
        if self.skip_rows or self.header_rows > 1:
            said.append(
                f"{counted(self.skip_rows, 'row')} above the names of the columns, which take "
                f"{counted(self.header_rows, 'row')}."
            )
        if len(self.sheets) > 1:
            said.append(f"Sheets: {', '.join(map(repr, self.sheets))}; judged is {self.sheet!r}.")
        if not self.whole:
            said.append(
                f"Judged by {self.n_judged:,} rows from the beginning, the middle and the end, "
                "where these can be reached: shares and numbers of values are of those."
            )
        if self.layouts:
            said.append(f"Its columns follow the layout {', '.join(map(repr, self.layouts))}.")
        said += [f"Not quite the layout {near}." for near in self.near_layouts]
        return said

    def _notes(self) -> tuple[str, ...]:
        return self.odd

    def _further(self) -> tuple[tuple[str, Table], ...]:
        parts = (("Proposed", self.roles), ("Goals that suggest themselves", self.goals))
        return tuple((heading, table) for heading, table in parts if len(table))

    def _closing(self) -> str:
        lines = [f"In the way: {obstacle}" for obstacle in self.obstacles]
        ways = ("Read it",) if len(self.commands) < 2 else ("Either", *["Or"] * len(self.commands))
        for way, command, python in zip(ways, self.commands, self.python, strict=False):
            lines += ["", way, command, "", python]
        return "\n".join(lines).strip("\n")


def inspect_file(
    path: FilePath | Iterable[FilePath], *, sheet: str | None = None, encoding: str | None = None
) -> FileInspection:
    r"""Say what a file is, what its columns could be, and how it is read.

    Parameters
    ----------
    path
        A CSV, Excel, JSON, Parquet or XES file, a glob, or several files with the same columns.
        Local only; the format is told by the content.
    sheet
        Sheet of a workbook; None takes the one with most cells, and says so.
    encoding
        Encoding of a CSV file; None finds one that fits its bytes, and says so.

    Returns
    -------
    FileInspection
        Prints what was found and, where nothing is in the way, the command and the Python that
        read the file. Nothing is chosen in silence: other columns that could serve are named, and
        where day and month could change places both readings are given.

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file holds no table: it is empty, a picture, a PDF, a web
        page, an archive, protected by a password, without names of columns; says what to do.
    UnknownName
        If a workbook has no such sheet.
    InvalidValue
        If there is no such encoding.
    MissingDependency
        If the package that the format takes is not installed (extras `files`, `excel`).

    Notes
    -----
    Of a file with more than 99,000 rows, a third of as many at its beginning, middle and end are
    judged; of a large compressed one those at its beginning. A cell counts as a time or a number
    only where the readers read it as such.

    Examples
    --------
    >>> from pathlib import Path
    >>> import cxjourney as cx
    >>> rows = ["7,visit,2026-01-05 10:00", "7,order,2026-01-06 11:30", "8,visit,2026-01-06 09:10"]
    >>> _ = Path("hits.csv").write_text("\n".join(["user_id,event,time", *rows]))
    >>> found = cx.inspect_file("hits.csv")
    >>> found.row_is, dict(zip(found.roles["role"], found.roles["column"]))
    ('event', {'customer': 'user_id', 'timestamp': 'time', 'touchpoint': 'event'})
    """
    files = find_files(path)
    given = os.fspath(path) if isinstance(path, (str, os.PathLike)) else files
    sample = sample_of(files, sheet, None if encoding is None else check_encoding(encoding))
    facts = {
        name: facts_of(name, cells, sample.typed.get(name))
        for name, cells in sample.columns.items()
    }
    if 2 * (n := sum(name in one.counts for name, one in facts.items())) > len(facts):
        raise InputFileError(why_no_names(files[0], n))
    once = {name: one for name, one in facts.items() if name not in sample.repeated}
    roles = roles_of(once, sample.columns)
    kind = row_kind(roles, once, sample)
    proposal = propose(given, sample, once, roles, kind)
    roles = attrs.evolve(roles, of_one=roles.of_one | {*sample.repeated})
    return FileInspection(
        files=files,
        format=sample.kind,
        compression=sample.compression,
        encoding=sample.encoding,
        encoding_evidence=sample.evidence,
        delimiter=sample.delimiter,
        skip_rows=sample.skip_rows,
        header_rows=sample.header_rows,
        sheets=sample.sheets,
        sheet=sample.sheet,
        n_rows=sample.n_rows,
        n_judged=sample.n,
        whole=sample.whole,
        columns=_columns(facts, roles),
        odd=oddities(sample, facts, roles) + proposal.pop("notes"),
        **proposal,
    )


def _columns(facts: Mapping[str, ColumnFacts], roles: Roles) -> Table:
    could: dict[str, list[str]] = {name: [] for name in facts}
    why: dict[str, str] = {}
    for role, found in roles.candidates.items():
        for one in found:
            could[one.column].append(role)
            why.setdefault(one.column, one.reason)
    rows = list(facts.values())
    return Table(
        {
            "column": [one.name for one in rows],
            "could_be": [", ".join(could[one.name]) or _else(one) for one in rows],
            "why": [_why(one, why.get(one.name, "")) for one in rows],
            "missing": np.array([one.missing for one in rows]),
            "distinct": np.array([one.distinct for one in rows], dtype=np.int64),
            "cells": [_cells(one, roles, could[one.name]) for one in rows],
        },
        formats={"missing": "percent", "why": "sentence", "cells": "sentence"},
    )


def _else(one: ColumnFacts) -> str:
    """Return what a column is that could have no role."""
    names = {"time": "another time", "category": "attribute", "number": "attribute"}
    return names.get(one.kind, one.kind)


def _why(one: ColumnFacts, reason: str) -> str:
    if one.time is None:
        return reason
    return "; or ".join(_reading(reading) for reading in one.readings)


def _reading(time: TimeReading) -> str:
    if time.with_zone == 0.0:
        zone = "no zone"
    elif time.with_zone < 1.0:
        zone = f"a zone in {time.with_zone:.0%}"
    else:
        zone = f"zone {', '.join(time.zones)}" if time.zones else "UTC"
    return f"{time.called}, {zone}, to {time.step}, {time.span}"


def _cells(one: ColumnFacts, roles: Roles, could: list[str]) -> str:
    """Return what the cells look like: their form, or values that are of nobody."""
    if one.kind in {"empty", "time"}:
        return ""
    if one.kind == "nested":
        return "lists or objects"
    if one.kind == "free text":
        length = sum(len(value) * n for value, n in one.counts.items()) / one.filled
        return f"about {length:.0f} characters"
    if {"customer", "case"} & {*could} or not may_be_shown(one, roles):
        return one.shape
    if one.numeric > 0.99:
        known = one.kind == "constant" or {"value", "score"} & {*could}
        return f"{one.low:,.6g} to {one.high:,.6g}" if known else one.shape
    if one.kind != "constant" and not {"touchpoint", "channel", "score"} & {*could}:
        return one.shape
    most = sorted(one.counts, key=lambda value: -one.counts[value])[:_SHOWN]
    return ", ".join(map(repr, most)) + ", …" * (one.distinct > len(most))
