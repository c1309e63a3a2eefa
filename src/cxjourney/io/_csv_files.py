"""Columns of CSV files; strings stay in the Arrow buffers of DuckDB where they can."""

from __future__ import annotations

import csv
import glob
import io
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cxjourney._support.parallel import run_parallel
from cxjourney.exceptions import InputFileError, UnknownName
from cxjourney.io._cells import cells_of, columns_by_role, fetched, selected
from cxjourney.io._csv_count import count_records, count_records_slowly
from cxjourney.io._files import compression_of, file_errors, opened, show_path, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DELIMITERS = (",", ";", "\t", "|")
_LONGEST_LINE = 2_000_000  # as DuckDB reads it
_MOST_COLUMNS = 10_000
_UNIT_SEPARATOR = "\x1f"  # no file delimits by it, so that a line comes as one cell
# What must not be left to the sniffer: it guesses comments, quotes and lines to skip from data.
_PLAIN = "auto_detect=false, comment='', nullstr='', hive_partitioning=false, filename=false"


def csv_columns(
    connection: Any,
    files: Sequence[str],
    roles: Mapping[str, str],
    *,
    delimiter: str | None,
    encoding: str,
) -> dict[str, Any]:
    """Return the columns of CSV files by role, one file below the other; Any: see Returns.

    Parameters
    ----------
    connection
        A DuckDB connection.
    files
        The files, read in this order.
    roles
        Name of the column of each role. Roles of numbers and of whole numbers are read as such,
        all others as strings.
    delimiter
        What stands between cells; None takes the one that splits the header into these columns.
    encoding
        "utf-8", "utf-16" or "latin-1".

    Returns
    -------
    dict
        Strings in Arrow buffers, or else as arrays of str; missing (None) where a cell is empty
        and not quoted. Numbers as float64, NaN where a cell is empty or blank; whole numbers as
        int64, masked there.

    Raises
    ------
    InputFileError
        If a file is empty, damaged or no CSV.
    InvalidData
        If a cell of a column of numbers is none; carries the row numbers over all files.
    UnknownName
        If a file lacks a column; names the nearest ones.
    """
    cell_of = cells_of(roles)
    cells = list(dict.fromkeys(cell_of.values()))

    def piece(file: str) -> Any:
        source = _Source(glob.escape(file), compression_of(file), encoding)
        header = _header(connection, file, source, [*roles.values()], delimiter)
        found, records = run_parallel(
            Path(file).stat().st_size,
            partial(_rows, connection, file, source, _query(header, cells), header.delimiter),
            partial(count_records, file, source.compression, encoding),
        )
        if len(header.names) > 1 and records is not None:  # else a blank line is a row
            _reconcile(file, source, header.delimiter, records, len(found["v0"]))
        return found

    return columns_by_role(map(piece, files), cell_of)


def csv_column(
    connection: Any, file: str, name: str, *, delimiter: str | None, encoding: str
) -> Any:
    """Return a column of a CSV file as a DuckDB relation of strings; Any: DuckDB is optional."""
    source = _Source(glob.escape(file), compression_of(file), encoding)
    header = _header(connection, file, source, [name], delimiter)
    parameters = [source.path, header.delimiter, source.compression, source.encoding]
    with file_errors(file):
        return connection.sql(_query(header, [(name, "VARCHAR")]), params=parameters)


def csv_header(
    connection: Any, file: str, *, delimiter: str | None, encoding: str
) -> tuple[str, ...]:
    """Return the names of the columns of a CSV file.

    Parameters
    ----------
    connection
        A DuckDB connection.
    file
        The file.
    delimiter
        What stands between cells; None takes the one that splits the first line most.
    encoding
        "utf-8", "utf-16" or "latin-1".

    Raises
    ------
    InputFileError
        If the file is empty, damaged or no CSV.
    """
    source = _Source(glob.escape(file), compression_of(file), encoding)
    return tuple(_header(connection, file, source, (), delimiter).names)


@attrs.frozen
class _Source:
    """How DuckDB finds the text of a file."""

    path: str
    compression: str
    encoding: str


@attrs.frozen
class _Header:
    """The names in the first record of a file, what delimits them, and how the record ends."""

    names: list[str]
    delimiter: str
    ending: str


def _query(header: _Header, cells: Sequence[tuple[str, str]]) -> str:
    """Return the SQL that reads cells of the file."""
    schema = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.names)))
    places = [f"c{header.names.index(name)}" for name, _ in cells]
    return (  # the query holds numbers of cells, never a name from outside
        f"SELECT {selected(places, cells)} FROM read_csv(?, columns={{{schema}}}, header=true, "  # noqa: S608
        "delim=?, quote='\"', escape='\"', allow_quoted_nulls=false, strict_mode=true, "
        f"compression=?, encoding=?, {_newline(header)}{_PLAIN})"
    )


def _newline(header: _Header) -> str:
    """Return how lines end, where a line break in a name would mislead DuckDB about that."""
    misleading = any({*name} & {*"\r\n"} for name in header.names)
    ending = {"\n": "\\n", "\r": "\\r"}.get(header.ending)
    return f"new_line='{ending}', " if misleading and ending else ""


def _rows(
    connection: Any, file: str, source: _Source, query: str, delimiter: str
) -> dict[str, Any]:
    with file_errors(file):
        parameters = [source.path, delimiter, source.compression, source.encoding]
        return fetched(connection.sql(query, params=parameters))


def _reconcile(file: str, source: _Source, delimiter: str, records: int, rows: int) -> None:
    """Raise InputFileError unless the rows are as many as the records below the header."""
    if records != rows + 1:
        records = count_records_slowly(file, source.compression, source.encoding, delimiter)
    if records != rows + 1:
        raise InputFileError(
            f"{show_path(file)} cannot be read: {rows:,} rows were found where "
            f"{max(records - 1, 0):,} lines stand below the header; write it with one kind of line "
            "break, also within quotes, and no line of more than 2,000,000 bytes"
        )


def _header(
    connection: Any, file: str, source: _Source, names: Sequence[str], delimiter: str | None
) -> _Header:
    """Return the first record, split by the delimiter that makes most sense of it."""
    candidates = DELIMITERS if delimiter is None else (delimiter,)
    headers, refused = [], None
    for one in candidates:
        try:
            headers.append(_first_record(connection, file, source, one))
        except InputFileError as error:
            refused = error
    if refused is not None and not headers:
        raise refused
    header = max(headers, key=lambda h: (len({*h.names} & {*names}), len(h.names)))
    if not any(header.names):
        raise InputFileError(f"{show_path(file)} does not begin with the names of its columns")
    if len(header.names) > _MOST_COLUMNS:
        raise InputFileError(
            f"{show_path(file)} has {len(header.names):,} columns; {_MOST_COLUMNS:,} can be read"
        )
    for name in names:
        if name not in header.names:
            raise UnknownName.among("column", name, header.names, where=show_path(file))
        if (n := header.names.count(name)) > 1:
            raise InputFileError(f"{show_path(file)} has {n} columns {name!r}")
    return header


def _first_record(connection: Any, file: str, source: _Source, delimiter: str) -> _Header:
    seen: list[str] = []
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    try:
        stream = opened(file, source.compression)
        if stream is None:
            stream = io.BytesIO(_first_line(connection, file, source).encode(encoding))
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as lines:
            names = next(
                csv.reader(_short_lines(lines, seen), delimiter=delimiter, strict=True), []
            )
    except UnicodeError:
        reason = why_refused("unicode")
    except (EOFError, zlib.error, OSError):
        reason = why_refused("GZIP")
    except csv.Error as error:
        reason = f"its first line is no CSV ({error})"
    else:
        ending = "".join(seen[-1:])
        return _Header(names, delimiter, ending[len(ending.rstrip("\r\n")) :])
    raise InputFileError(f"{show_path(file)} cannot be read: {reason}")


def _short_lines(lines: io.TextIOWrapper, seen: list[str]) -> Iterator[str]:
    """Yield the lines of a header, which is no longer than any line may be."""
    room = _LONGEST_LINE
    while line := lines.readline(room + 1):
        room -= len(line)
        if room < 0:
            raise csv.Error(f"longer than {_LONGEST_LINE:,} characters")
        seen.append(line)
        yield line


def _first_line(connection: Any, file: str, source: _Source) -> str:
    options = f"delim='{_UNIT_SEPARATOR}', quote='', escape='', strict_mode=false, {_PLAIN}"
    query = (
        "SELECT line FROM read_csv(?, columns={'line': 'VARCHAR'}, header=false, "  # noqa: S608
        f"compression=?, encoding=?, {options}) LIMIT 1"
    )
    with file_errors(file):
        parameters = [source.path, source.compression, source.encoding]
        first = connection.execute(query, parameters).fetchall()
    return (first[0][0] or "") if first else ""
