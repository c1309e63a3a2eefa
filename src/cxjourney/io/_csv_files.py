"""Columns of CSV files; strings stay in the Arrow buffers of DuckDB where they can."""

from __future__ import annotations

import csv
import glob
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from cxjourney._support.parallel import run_parallel
from cxjourney.exceptions import InputFileError, UnknownName
from cxjourney.io._cells import cells_of, columns_by_role, fetched, selected
from cxjourney.io._csv_count import check_count_of_rows, count_records, count_records_slowly
from cxjourney.io._csv_form import DELIMITERS
from cxjourney.io._csv_text import csv_text, filled_columns, text_relation
from cxjourney.io._encodings import why_not
from cxjourney.io._files import compression_of, opened, read_errors, show_path
from cxjourney.io._places import json_of_text, json_text, split_place
from cxjourney.io._refusals import file_errors
from cxjourney.io._table_edges import check_asked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cxjourney.io._csv_form import CsvForm

_LONGEST_LINE = 2_000_000  # as DuckDB reads it
_MOST_COLUMNS = 10_000
_UNIT_SEPARATOR = "\x1f"  # no file delimits by it, so that a line comes as one cell
# What must not be left to the sniffer: it guesses comments, quotes and lines to skip from data.
_PLAIN = "auto_detect=false, comment='', nullstr='', hive_partitioning=false, filename=false"


class _Headed(Protocol):
    @property
    def names(self) -> list[str]: ...


H = TypeVar("H", bound=_Headed)


def csv_columns(
    connection: Any, files: Sequence[str], roles: Mapping[str, str], form: CsvForm
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
    form
        How the files are written.

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
    places = _places(connection, files[0], [name for name, _ in cells], form)
    names = [name for name, _ in places]
    values = [
        json_text(json_of_text(f"c{i}"), at) if at else f"c{i}" for i, (_, at) in enumerate(places)
    ]
    wanted = selected(values, cells, form.decimal)

    def piece(file: str) -> Any:
        if form.is_plain(file):
            return _counted_rows(connection, file, names, form.delimiter, wanted)
        with file_errors(file):
            return fetched(csv_relation(connection, file, names, form).project(wanted))

    other = "," if form.decimal == "." else "."
    return columns_by_role(map(piece, files), cell_of, f"; decimal={other!r} reads 12{other}5")


def _places(
    connection: Any, file: str, names: Sequence[str], form: CsvForm
) -> list[tuple[str, str]]:
    """Return the columns that names begin with, and the paths within their cells."""
    if not any({*name} & {*".["} for name in names):
        return [(name, "") for name in names]
    header = csv_header(connection, file, form)
    return [split_place(name, header) or (name, "") for name in names]


def csv_relation(connection: Any, file: str, names: Sequence[str], form: CsvForm) -> Any:
    """Return columns of a CSV file as strings c0, c1 and so on in a DuckDB relation; hence Any."""
    if form.is_plain(file):
        header = _header(connection, file, names, form.delimiter)
        with file_errors(file):
            return _plain_relation(connection, file, names, header)
    text = csv_text(file, form, partial(_chosen, file, names))
    return text_relation(connection, text, names)


def csv_text_filled(file: str, names: Collection[str], form: CsvForm) -> list[str]:
    """Return those of the columns that a file which is not plain has, and that hold something."""
    text = csv_text(file, form, partial(_chosen, file, ()))
    there = [name for name in names if name in text.names]
    check_asked(file, there, text.names)
    return filled_columns(text, there) if there else []


def csv_header(connection: Any, file: str, form: CsvForm) -> tuple[str, ...]:
    """Return the names of the columns of a CSV file.

    Raises
    ------
    InputFileError
        If the file is empty, damaged or no CSV.
    """
    if form.is_plain(file):
        return tuple(_header(connection, file, (), form.delimiter).names)
    return tuple(csv_text(file, form, partial(_chosen, file, ())).names)


@attrs.frozen
class _Header:
    """The names in the first record of a file, what delimits them, and how the record ends."""

    names: list[str]
    delimiter: str
    ending: str


def _counted_rows(
    connection: Any, file: str, names: Sequence[str], delimiter: str | None, wanted: str
) -> dict[str, Any]:
    """Return columns of a file whose rows are as many as its lines, which are counted meanwhile."""
    header, compression = _header(connection, file, names, delimiter), compression_of(file)

    def rows() -> dict[str, Any]:
        with file_errors(file):
            return fetched(_plain_relation(connection, file, names, header).project(wanted))

    found: dict[str, Any]
    found, records = run_parallel(
        Path(file).stat().st_size, rows, partial(count_records, file, compression)
    )
    if len(header.names) > 1 and records is not None:  # else a blank line is a row
        n = len(found["v0"])
        if records != n + 1:
            records = count_records_slowly(file, compression, header.delimiter)
        check_count_of_rows(file, records - 1, n)
    return found


def _plain_relation(connection: Any, file: str, names: Sequence[str], header: _Header) -> Any:
    schema = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.names)))
    places = [f"c{header.names.index(name)}" for name in names]
    columns = ", ".join(f"{place} AS c{i}" for i, place in enumerate(places))
    query = (  # the query holds numbers of cells, never a name from outside
        f"SELECT {columns} FROM read_csv(?, columns={{{schema}}}, header=true, "  # noqa: S608
        "delim=?, quote='\"', escape='\"', allow_quoted_nulls=false, strict_mode=true, "
        f"compression=?, encoding='utf-8', {_newline(header)}{_PLAIN})"
    )
    parameters = [glob.escape(file), header.delimiter, compression_of(file)]
    return connection.sql(query, params=parameters)


def _newline(header: _Header) -> str:
    """Return how lines end, where a line break in a name would mislead DuckDB about that."""
    misleading = any({*name} & {*"\r\n"} for name in header.names)
    ending = {"\n": "\\n", "\r": "\\r"}.get(header.ending)
    return f"new_line='{ending}', " if misleading and ending else ""


def _header(connection: Any, file: str, names: Sequence[str], delimiter: str | None) -> _Header:
    """Return the first record, split by the delimiter that makes most sense of it."""
    candidates = DELIMITERS if delimiter is None else (delimiter,)
    headers, refused = [], None
    for one in candidates:
        try:
            headers.append(_first_record(connection, file, one))
        except InputFileError as error:
            refused = error
    if refused is not None and not headers:
        raise refused
    return _chosen(file, names, headers)


def _chosen(file: str, names: Sequence[str], headers: Sequence[H]) -> H:
    """Return the header that has most of the names, else most columns; refuse what it lacks."""
    header = max(headers, key=lambda h: (len({*h.names} & {*names}), len(h.names)))
    if not any(header.names):
        raise InputFileError(f"{show_path(file)} does not begin with the names of its columns")
    if len(header.names) > _MOST_COLUMNS:
        raise InputFileError(
            f"{show_path(file)} has {len(header.names):,} columns; {_MOST_COLUMNS:,} can be read"
        )
    check_asked(file, names, header.names)
    for name in names:
        if name not in header.names:
            raise UnknownName.among("column", name, header.names, where=show_path(file))
    return header


def _first_record(connection: Any, file: str, delimiter: str) -> _Header:
    seen: list[str] = []
    compression = compression_of(file)
    with read_errors(file, compression):
        try:
            stream = opened(file, compression)
            if stream is None:
                stream = io.BytesIO(_first_line(connection, file, compression).encode())
            with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as lines:
                short = _short_lines(lines, seen)
                names = next(csv.reader(short, delimiter=delimiter, strict=True), [])
        except UnicodeError:
            raise InputFileError(why_not(file, "utf-8")) from None
        except csv.Error as error:
            raise InputFileError(
                f"{show_path(file)} cannot be read: its first line is no CSV ({error})"
            ) from None
    ending = "".join(seen[-1:])
    return _Header(names, delimiter, ending[len(ending.rstrip("\r\n")) :])


def _short_lines(lines: io.TextIOWrapper, seen: list[str]) -> Iterator[str]:
    """Yield the lines of a header, which is no longer than any line may be."""
    room = _LONGEST_LINE
    while line := lines.readline(room + 1):
        room -= len(line)
        if room < 0:
            raise csv.Error(f"longer than {_LONGEST_LINE:,} characters")
        seen.append(line)
        yield line


def _first_line(connection: Any, file: str, compression: str) -> str:
    options = f"delim='{_UNIT_SEPARATOR}', quote='', escape='', strict_mode=false, {_PLAIN}"
    query = (
        "SELECT line FROM read_csv(?, columns={'line': 'VARCHAR'}, header=false, "  # noqa: S608
        f"compression=?, encoding='utf-8', {options}) LIMIT 1"
    )
    with file_errors(file):
        first = connection.execute(query, [glob.escape(file), compression]).fetchall()
    return (first[0][0] or "") if first else ""
