"""Readers of CSV and Parquet files, compressed or not, one file or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from cxjourney.exceptions import InputFileError
from cxjourney.io._cells import check_duration_unit
from cxjourney.io._csv_files import csv_columns, csv_header, csv_relation, csv_text_filled
from cxjourney.io._csv_form import CsvForm
from cxjourney.io._excel import excel_sheet
from cxjourney.io._files import connect, find_files, format_of, show_path, unchanged
from cxjourney.io._json import json_columns, json_header, json_relation
from cxjourney.io._parquet import check_parquet_rows, parquet_header, parquet_relation, parquet_text
from cxjourney.io._refusals import file_errors
from cxjourney.io._shaping import Plan
from cxjourney.log import (
    InteractionLog,
    Reading,
    check_no_column,
    columns_of,
    log_of_columns,
    relation_columns,
)
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from os import PathLike

    from cxjourney.io._csv_form import FileForm
    from cxjourney.log import FurtherColumns

    FilePath = str | PathLike[str]


@forgetting
def read_csv(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str | None = None,
    timestamp: str | None = None,
    touchpoint: str | None = None,
    layout: FilePath | None = None,
    delimiter: str | None = None,
    decimal: Literal[".", ","] = ".",
    skip_rows: int | Sequence[int] = 0,
    encoding: str = "utf-8",
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from CSV files with one line an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob (`"events-*.csv.gz"`, `"**/*.csv"`), or several of them; a file that is
        named twice is read once. Local only; gzip and Zstandard are recognised by content.
    customer, timestamp, touchpoint
        Names of the columns that every log needs; with a layout, of those that it shall not choose.
        `properties.source` is the key `source` within the JSON of the column `properties`, and
        `params[source]` what a list `params` of records with a `key` and a `value` has for it.
    layout
        Name of the layout of another tool's export, as `cxjourney layouts` lists them, or path of
        a TOML file that describes one. Whatever else is given takes the place of what it says.
    delimiter
        What stands between cells; None takes what a first line such as `sep=;` names, else the one
        of `,` `;` tab `|` that splits the header into the columns asked for.
    decimal
        What stands before the fraction of a number. Marks of thousands are read where they can be
        nothing else, as in 1,234.50; 1,234 is refused.
    skip_rows
        How many rows stand above the one that names the columns; or the numbers of the rows to
        leave out, from 0 at the first of the file, such as `[1, 2]` for two lines of explanation
        below the names. A blank line counts as a row, a line break in quotes ends none.
    encoding
        An encoding that Python knows, such as "cp1252". A byte order mark is understood.
    timestamp_format
        `strptime` format of the timestamps; None reads ISO 8601 (see `cxjourney._time.timestamps`).
    **columns
        Further columns and options: see `InteractionLog.from_frame`. Numbers need units,
        `timestamp_unit` and `duration_unit`. Other columns of the file are not read.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is empty, damaged, or changes while it is read, or a
        line has too many cells, or bytes that are not in the encoding.
    UnknownName
        If a file lacks a column; the nearest names are in the message.
    InvalidData
        If cells cannot be read, with their row numbers: data rows from 0, over all files, blank
        lines not counted.
    MissingDependency
        If DuckDB is not installed (extra `files`).

    Notes
    -----
    The first line names the columns. Cells are text until they are read as what they should be:
    the ids "NA" and "007" survive; "17851.0" is 17851, which missing values had turned into a
    float; a blank cell is missing, in quotes (`""`) or without. Quotes are `"`, doubled inside a
    quoted cell; blanks around a cell belong to it; no line is taken for a comment.

    The lines of each file are counted a second time, without DuckDB, and must be as many as its
    rows: a file in which line breaks of two kinds or an endless line would hide rows is refused.
    The checksum of gzip is read in the same pass. Zstandard takes Python 3.14 or pyarrow for that.

    The work is done by DuckDB on a private connection in memory, which loads no extension, opens
    no network address and leaves no trace.
    """
    form = CsvForm.of(delimiter=delimiter, decimal=decimal, skip_rows=skip_rows, encoding=encoding)
    needed: Any = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    if layout is not None:
        plan = Plan.of(layout, **needed, timestamp_format=timestamp_format, **columns)
        files = find_files(path)
        with connect("read_csv()") as connection, unchanged(files):
            header = csv_header(connection, files[0], form)
            plan, roles = plan.for_header(header, show_path(files[0]))
            found = csv_columns(connection, files, roles, form)
        return plan.log(found, decimal)
    reading = Reading.of(**needed, timestamp_format=timestamp_format, **columns)
    files = find_files(path)
    check_duration_unit(reading)
    with connect("read_csv()") as connection, unchanged(files):
        if reading.currency is not None:
            check_no_column(reading.currency, "currency", csv_header(connection, files[0], form))
        found = csv_columns(connection, files, reading.roles, form)
    return log_of_columns(InteractionLog, found, reading)


@forgetting
def read_parquet(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str | None = None,
    timestamp: str | None = None,
    touchpoint: str | None = None,
    layout: FilePath | None = None,
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from Parquet files with one row an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob, or several of them. Local only.
    customer, timestamp, touchpoint
        Names of the columns that every log needs; `traffic.source` is the field `source` of the
        column `traffic`, and `params[source]` is as for `read_csv`.
    layout
        As for `read_csv`.
    timestamp_format
        `strptime` format of timestamps that are text; None reads ISO 8601.
    **columns
        Further columns and options: see `InteractionLog.from_frame`. Other columns of the file
        are not read.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is no Parquet, damaged, or changes while it is read.
    UnknownName
        If a file lacks a column; the nearest names are in the message.
    InvalidData
        If cells cannot be read, with their row numbers over all files.
    MissingDependency
        If DuckDB is not installed (extra `files`).

    Notes
    -----
    Timestamps with a zone are instants already; timestamps without one are read in `tz`. A column
    of durations holds intervals, or numbers of a `duration_unit`. See `read_csv` for what DuckDB
    may do.
    """
    needed: Any = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    files = find_files(path)
    if layout is not None:
        plan = Plan.of(layout, **needed, timestamp_format=timestamp_format, **columns)
        with connect("read_parquet()") as connection, unchanged(files), file_errors(_shown(files)):
            header = parquet_header(connection, files[0])
            plan, roles = plan.for_header(header, show_path(files[0]))
            found = parquet_text(connection, files, roles)
        return plan.log(found)
    reading = Reading.of(**needed, timestamp_format=timestamp_format, **columns)
    with connect("read_parquet()") as connection, unchanged(files):
        if reading.currency is not None:
            present = parquet_header(connection, files[0])
            check_no_column(reading.currency, "currency", present)
        found = _parquet_columns(connection, files, reading.roles)
    # DuckDB has let go of its memory before the columns are encoded
    return log_of_columns(InteractionLog, found, reading)


def _parquet_columns(
    connection: Any, files: Sequence[str], roles: Mapping[str, str]
) -> dict[str, Any]:
    with file_errors(_shown(files)):
        relation = parquet_relation(connection, files, [*roles.values()])
        found = relation_columns(relation, roles)
        check_parquet_rows(connection, files, len(found["customer"]))
    return found


def columns_by_content(
    path: FilePath | Iterable[FilePath], roles: Mapping[str, str], **form: Unpack[FileForm]
) -> dict[str, Any]:
    """Return columns of a CSV, Parquet, JSON or Excel file by role, to be encoded.

    Any: as for `log_of_columns`. One of the roles is "customer". `form` is that of `file_columns`.

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is empty, damaged or of another format.
    UnknownName
        If a file lacks a column; the nearest names are in the message.
    InvalidData
        If cells cannot be read, with their row numbers.
    MissingDependency
        If DuckDB is not installed (extra `files`).
    """
    written = CsvForm.of(**form)
    files = find_files(path)
    kind = format_of(files[0])
    if kind == "xes":
        raise InputFileError(f"{show_path(files[0])} is no table of columns")
    with connect("columns_by_content()") as connection, unchanged(files):
        if kind == "excel":
            found = excel_sheet(files[0], sheet=written.sheet, skip_rows=written.skip_rows)
            return columns_of(found.columns(roles.values()), roles)[0]
        if kind == "parquet":
            return _parquet_columns(connection, files, roles)
        if kind == "json":
            return json_columns(connection, files, roles, written.encoding)
        return csv_columns(connection, files, roles, written)


def file_columns(path: FilePath | Iterable[FilePath], **form: Unpack[FileForm]) -> tuple[str, ...]:
    """Return the names of the columns of a CSV, Parquet, JSON or Excel file, to choose from.

    Parameters
    ----------
    path
        A file, a glob, or several of them, of which the first is read. Local only.
    **form
        How a CSV is written, as `read_csv` takes it; the encoding holds for JSON too, the rows to
        skip for Excel.

    Returns
    -------
    tuple of str

    Raises
    ------
    InputFileError
        If nothing matches `path`, or the file is empty or damaged.
    InvalidValue
        If an argument breaks its rule.
    MissingDependency
        If DuckDB is not installed (extra `files`).
    """
    written = CsvForm.of(**form)
    with connect("file_columns()") as connection:
        file = find_files(path)[0]
        return _header_of(format_of(file), connection, file, written)


def empty_columns(
    path: FilePath | Iterable[FilePath], names: Collection[str], **form: Unpack[FileForm]
) -> tuple[str, ...]:
    """Return those of the columns that hold nothing, or blanks alone, in all of the files.

    Parameters
    ----------
    path
        A CSV, Parquet, JSON or Excel file, a glob, or several of them. Local only.
    names
        The columns to look at; one that a file lacks is empty there.
    **form
        As for `file_columns`.

    Raises
    ------
    InputFileError, InvalidValue, MissingDependency
        As for `file_columns`.
    """
    written = CsvForm.of(**form)
    empty = list(names)
    with connect("empty_columns()") as connection:
        for file in find_files(path):
            filled = _filled(connection, file, empty, written)
            empty = [name for name in empty if name not in filled]
    return tuple(empty)


def _filled(connection: Any, file: str, names: Collection[str], form: CsvForm) -> list[str]:
    """Return those of the columns that a file has and that hold more than blanks."""
    kind = format_of(file)
    if kind == "excel":
        table = excel_sheet(file, sheet=form.sheet, skip_rows=form.skip_rows).columns()
        cells = {name: table.get(name, []) for name in names}
        return [n for n in names if any(str(cell).strip() for cell in cells[n] if cell is not None)]
    if kind == "csv" and not form.is_plain(file):
        return csv_text_filled(file, names, form)
    present = _header_of(kind, connection, file, form)
    there = [name for name in names if name in present]
    if not there:
        return []
    with file_errors(file):
        if kind == "parquet":
            table = parquet_relation(connection, [file], there)
        elif kind == "json":
            table = json_relation(connection, file, there, form.encoding)
        else:
            table = csv_relation(connection, file, there, form)
        columns = [table.project(f"#{i}::VARCHAR AS c") for i in range(1, len(there) + 1)]
        filled = r"regexp_matches(c, '\S')"
        return [
            name
            for name, column in zip(there, columns, strict=True)
            if column.filter(filled).limit(1).fetchall()
        ]


def _header_of(kind: str, connection: Any, file: str, form: CsvForm) -> tuple[str, ...]:
    if kind == "parquet":
        return parquet_header(connection, file)
    if kind == "json":
        return json_header(connection, file, form.encoding)
    if kind == "excel":
        found = excel_sheet(file, sheet=form.sheet, skip_rows=form.skip_rows)
        return tuple(filter(None, found.header))
    return csv_header(connection, file, form)


def _shown(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} … {files[-1]}"
