"""Readers of CSV and Parquet files, compressed or not, one file or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from cxjourney.exceptions import InputFileError, InvalidValue
from cxjourney.io._cells import check_duration_unit
from cxjourney.io._csv_files import csv_column, csv_columns, csv_header
from cxjourney.io._excel import excel_table
from cxjourney.io._files import (
    check_encoding,
    check_parquet_rows,
    connect,
    file_errors,
    find_files,
    format_of,
    parquet_header,
    parquet_relation,
    show_path,
    unchanged,
)
from cxjourney.io._json import json_column, json_columns, json_header
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

    from cxjourney.log import FurtherColumns

    FilePath = str | PathLike[str]


@forgetting
def read_csv(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    delimiter: str | None = None,
    timestamp_format: str | None = None,
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8",
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from CSV files with one line an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob (`"events-*.csv.gz"`, `"**/*.csv"`), or several of them; a file that is
        named twice is read once. Local only; gzip and Zstandard are recognised by content.
    customer, timestamp, touchpoint
        Names of the columns that every log needs.
    delimiter
        What stands between cells; None takes the one of `,` `;` tab `|` that splits the header
        into the columns asked for.
    timestamp_format
        `strptime` format of the timestamps; None reads ISO 8601 (see `cxjourney._time.timestamps`).
    encoding
        How the characters are stored.
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
        line has too many cells.
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
    _check_shape(delimiter, encoding)
    reading = Reading.of(
        customer=customer,
        timestamp=timestamp,
        touchpoint=touchpoint,
        timestamp_format=timestamp_format,
        **columns,
    )
    files = find_files(path)
    _check_currency(reading, files, delimiter=delimiter, encoding=encoding)
    check_duration_unit(reading)
    with connect("read_csv()") as connection, unchanged(files):
        found = csv_columns(
            connection, files, reading.roles, delimiter=delimiter, encoding=encoding
        )
    return log_of_columns(InteractionLog, found, reading)


@forgetting
def read_parquet(
    path: FilePath | Iterable[FilePath],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from Parquet files with one row an interaction, in any order.

    Parameters
    ----------
    path
        A file, a glob, or several of them. Local only.
    customer, timestamp, touchpoint
        Names of the columns that every log needs.
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
    reading = Reading.of(
        customer=customer,
        timestamp=timestamp,
        touchpoint=touchpoint,
        timestamp_format=timestamp_format,
        **columns,
    )
    files = find_files(path)
    _check_currency(reading, files)
    with connect("read_parquet()") as connection, unchanged(files):
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
    path: FilePath | Iterable[FilePath],
    roles: Mapping[str, str],
    *,
    delimiter: str | None = None,
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8",
) -> dict[str, Any]:
    """Return columns of a CSV, Parquet, JSON or Excel file by role, to be encoded.

    Any: as for `log_of_columns`. One of the roles is "customer".

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
    _check_shape(delimiter, encoding)
    files = find_files(path)
    kind = format_of(files[0])
    if kind == "xes":
        raise InputFileError(f"{show_path(files[0])} is no table of columns")
    with connect("columns_by_content()") as connection, unchanged(files):
        if kind == "excel":
            return columns_of(excel_table(files[0]), roles)[0]
        if kind == "parquet":
            return _parquet_columns(connection, files, roles)
        if kind == "json":
            return json_columns(connection, files, roles)
        return csv_columns(connection, files, roles, delimiter=delimiter, encoding=encoding)


def file_columns(
    path: FilePath | Iterable[FilePath],
    *,
    delimiter: str | None = None,
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8",
) -> tuple[str, ...]:
    """Return the names of the columns of a CSV, Parquet, JSON or Excel file, to choose from.

    Parameters
    ----------
    path
        A file, a glob, or several of them, of which the first is read. Local only.
    delimiter
        What stands between the cells of a CSV; None takes the one of `,` `;` tab `|` that splits
        the first line most.
    encoding
        How the characters of a CSV are stored.

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
    _check_shape(delimiter, encoding)
    with connect("file_columns()") as connection:
        file = find_files(path)[0]
        return _header_of(format_of(file), connection, file, delimiter, encoding)


def empty_columns(
    path: FilePath | Iterable[FilePath],
    names: Collection[str],
    *,
    delimiter: str | None = None,
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8",
) -> tuple[str, ...]:
    """Return those of the columns that hold nothing, or blanks alone, in all of the files.

    Parameters
    ----------
    path
        A CSV, Parquet, JSON or Excel file, a glob, or several of them. Local only.
    names
        The columns to look at; one that a file lacks is empty there.
    delimiter, encoding
        As for `file_columns`.

    Raises
    ------
    InputFileError, InvalidValue, MissingDependency
        As for `file_columns`.
    """
    _check_shape(delimiter, encoding)
    empty = list(names)
    with connect("empty_columns()") as connection:
        for file in find_files(path):
            filled = _filled(connection, file, empty, delimiter, encoding)
            empty = [name for name in empty if name not in filled]
    return tuple(empty)


def _filled(
    connection: Any, file: str, names: Collection[str], delimiter: str | None, encoding: str
) -> list[str]:
    """Return those of the columns that a file has and that hold more than blanks."""
    kind = format_of(file)
    if kind == "excel":
        table = excel_table(file)
        cells = {name: table.get(name, []) for name in names}
        return [n for n in names if any(str(cell).strip() for cell in cells[n] if cell is not None)]
    present = _header_of(kind, connection, file, delimiter, encoding)
    filled = []
    for name in (name for name in names if name in present):
        with file_errors(file):
            if kind == "parquet":
                column = parquet_relation(connection, [file], [name])
            elif kind == "json":
                column = json_column(connection, file, name)
            else:
                column = csv_column(connection, file, name, delimiter=delimiter, encoding=encoding)
            column = column.project("COLUMNS(*)::VARCHAR AS c")
            if column.filter(r"regexp_matches(c, '\S')").limit(1).fetchall():
                filled.append(name)
    return filled


def _header_of(
    kind: str, connection: Any, file: str, delimiter: str | None, encoding: str
) -> tuple[str, ...]:
    if kind == "parquet":
        return parquet_header(connection, file)
    if kind == "json":
        return json_header(connection, file)
    if kind == "excel":
        return tuple(excel_table(file))
    return csv_header(connection, file, delimiter=delimiter, encoding=encoding)


def _check_currency(reading: Reading, files: Sequence[str], **shape: Any) -> None:
    if reading.currency is not None:
        check_no_column(reading.currency, "currency", file_columns(files, **shape))


def _check_shape(delimiter: str | None, encoding: str) -> None:
    check_encoding(encoding)
    if delimiter is not None and len(delimiter) != 1:
        raise InvalidValue.of("delimiter", "be a single character", delimiter)


def _shown(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} … {files[-1]}"
