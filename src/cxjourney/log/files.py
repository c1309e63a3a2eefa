"""Local files to columns: DuckDB reads them, each over a private connection in memory."""

from __future__ import annotations

import csv
import difflib
import glob
import gzip
import os
import re
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.optional import require
from cxjourney.exceptions import InputFileError, InvalidData, InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    FilePath = str | os.PathLike[str]

__all__ = [
    "compression_of",
    "connect",
    "csv_columns",
    "csv_header",
    "file_errors",
    "find_files",
    "is_parquet",
    "parquet_header",
    "parquet_relation",
    "show_path",
]

DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "utf-16", "latin-1")
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_UNIT_SEPARATOR = "\x1f"  # no file delimits by it, so that a line comes as one cell
# What must not be left to the sniffer: it guesses comments, quotes and lines to skip from data.
_PLAIN = "auto_detect=false, comment='', nullstr='', hive_partitioning=false, filename=false"


def connect(caller: str) -> Any:
    """Return a private DuckDB connection that loads no extension and fetches nothing.

    Any is the honest type: DuckDB is an optional package.

    Raises
    ------
    MissingDependency
        If DuckDB is not installed.
    """
    duckdb = require("duckdb", extra="files", caller=caller)
    return duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )


def find_files(path: FilePath | Iterable[FilePath]) -> tuple[str, ...]:
    """Return the local files that a path, a glob or several of them name, globs in sorted order.

    Raises
    ------
    InputFileError
        If a path is remote, is a directory, or matches no file; names files of similar name.
    InvalidValue
        If no path is given.
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if not paths:
        raise InvalidValue.of("path", "name at least one file", path)
    return tuple(file for item in paths for file in _matches(os.fspath(item)))


def _matches(path: str) -> list[str]:
    if _SCHEME.match(path):
        raise InputFileError(f"{path!r} is not a local file: download it first")
    if "\x00" in path:
        raise InputFileError(f"{path!r} is no path: it holds a null character")
    named = Path(path).expanduser()
    if named.is_file():  # a name with [ or * in it stands for itself
        return [str(named)]
    if named.is_dir():
        raise InputFileError(f"{path!r} is a directory: give a glob such as '{path}/*.csv'")
    candidates = glob.glob(str(named), recursive=True)  # noqa: PTH207 - Path.glob is relative only
    found = sorted(name for name in candidates if Path(name).is_file())
    if not found:
        folder = named.parent
        siblings = [f.name for f in folder.iterdir()] if folder.is_dir() else []
        near = difflib.get_close_matches(named.name, siblings, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise InputFileError(f"no file matches {path!r}{hint}")
    return found


def show_path(file: str) -> str:
    """Return a path as a message shows it: control characters escaped, in quotes."""
    return repr(file)


@contextmanager
def file_errors(file: str) -> Iterator[None]:
    """Turn what DuckDB says about a file into one line that names it and shows no cell.

    Raises
    ------
    InputFileError
        Instead of any error of DuckDB inside the block.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise InputFileError(f"{show_path(file)} cannot be read: {_reason(str(error))}") from None


def _reason(message: str) -> str:
    line = re.search(r"on Line: (\d+)", message)
    where = f"line {int(line[1]):,}" if line else "it"
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        return f"{where} has {counts[2]} cells where the header has {counts[1]}"
    if "unterminated quote" in message:
        return f"{where} opens a quote that is not closed"
    if "Invalid unicode" in message or "not utf-8" in message or "unicode" in message.lower():
        return f"{where} is not UTF-8 text; encoding= reads {' and '.join(ENCODINGS[1:])}"
    if "Maximum line size" in message:
        return f"{where} is longer than 2,000,000 bytes"
    if "GZIP" in message or "ZSTD" in message or "zstd" in message:
        return "the compressed stream is truncated or damaged"
    return message.partition("\n")[0].partition(": ")[2] or "DuckDB refuses it"


# ---------------------------------------------------------------------- CSV


def csv_columns(
    connection: Any,
    files: Sequence[str],
    texts: Sequence[str],
    numbers: Sequence[str] = (),
    integers: Sequence[str] = (),
    *,
    delimiter: str | None,
    encoding: str,
) -> dict[str, NDArray[Any]]:
    """Return the named columns of CSV files, one below the other.

    Parameters
    ----------
    connection
        A DuckDB connection.
    files
        The files, read in this order.
    texts
        Columns to return as arrays of str, None where a cell is empty and not quoted.
    numbers
        Columns to return as float64, NaN where a cell is empty or blank.
    integers
        Columns to return as int64, masked where a cell is empty or blank.
    delimiter
        What stands between cells; None takes the one that splits the header into these columns.
    encoding
        "utf-8", "utf-16" or "latin-1".

    Raises
    ------
    InputFileError
        If a file is empty, damaged or no CSV.
    InvalidData
        If a cell of `numbers` or `integers` is none; carries the row numbers over all files.
    UnknownName
        If a file lacks a column; names the nearest ones.
    """
    kinds = dict.fromkeys(integers, "BIGINT") | dict.fromkeys(numbers, "DOUBLE")
    pieces = []
    rows_before = 0
    for file in files:
        source = _Source(glob.escape(file), compression_of(file), encoding)
        header, chosen = _header(connection, file, source, [*texts, *kinds], delimiter)
        query = _query(header, texts, kinds)
        with file_errors(file):
            parameters = [source.path, chosen, source.compression, source.encoding]
            fetched = connection.execute(query, parameters).fetchnumpy()
        piece = {f"text:{name}": _objects(fetched[f"t{i}"]) for i, name in enumerate(texts)}
        for i, (name, kind) in enumerate(kinds.items()):
            _refuse_bad(fetched[f"bad{i}"], name, kind, rows_before)
            numbers_read = fetched[f"n{i}"]
            if kind == "DOUBLE":
                numbers_read = np.ma.filled(numbers_read.astype(np.float64), np.nan)
            piece[f"number:{name}"] = numbers_read
        rows_before += len(next(iter(piece.values())))
        pieces.append(piece)
    joined = pieces[0]
    if len(pieces) > 1:
        joined = {name: _stacked([piece[name] for piece in pieces]) for name in joined}
    return {name.partition(":")[2]: values for name, values in joined.items()}


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
    header, _ = _header(connection, file, source, (), delimiter)
    return tuple(header)


@attrs.frozen
class _Source:
    """How DuckDB finds the text of a file."""

    path: str
    compression: str
    encoding: str


def _query(header: Sequence[str], texts: Sequence[str], kinds: Mapping[str, str]) -> str:
    """Return the SQL that reads cells as text t0, t1 and so on, and as numbers n0 with bad0.

    Cells are numbered, not named: DuckDB's names ignore case and must not repeat.
    """
    schema = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header)))
    wanted = [f"c{header.index(name)} AS t{i}" for i, name in enumerate(texts)]
    for i, (name, kind) in enumerate(kinds.items()):
        cell = f"nullif(trim(c{header.index(name)}), '')"
        number = f"TRY_CAST({cell} AS {kind})"
        bad = f"{cell} IS NOT NULL AND {number} IS NULL"
        if kind == "BIGINT":  # the cast would round 1.5
            bad = f"({bad}) OR NOT regexp_full_match({cell}, '[+-]?[0-9]+(\\.0*)?')"
        wanted += [f"{number} AS n{i}", f"coalesce({bad}, false) AS bad{i}"]
    return (  # the query holds numbers of cells, never a name from outside
        f"SELECT {', '.join(wanted)} FROM read_csv(?, columns={{{schema}}}, header=true, "  # noqa: S608
        "delim=?, quote='\"', escape='\"', allow_quoted_nulls=false, strict_mode=true, "
        f"compression=?, encoding=?, {_PLAIN})"
    )


def _refuse_bad(bad: NDArray[np.bool_], name: str, kind: str, rows_before: int) -> None:
    rows = np.flatnonzero(bad) + rows_before
    if len(rows):
        what = "whole number" if kind == "BIGINT" else "number"
        hint = "an empty cell stands for a missing one"
        raise InvalidData.at_rows(f"{name} is no {what}", rows.tolist(), hint=hint)


def _stacked(columns: list[NDArray[Any]]) -> NDArray[Any]:
    if not any(isinstance(column, np.ma.MaskedArray) for column in columns):
        return np.concatenate(columns)
    stacked: NDArray[Any] = np.ma.concatenate(columns)  # type: ignore[no-untyped-call]  # no stubs
    return stacked


def _objects(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column of text with None where it is masked."""
    if not isinstance(column, np.ma.MaskedArray):
        return column
    texts: NDArray[Any] = np.ma.getdata(column).copy()
    texts[np.ma.getmaskarray(column)] = None
    return texts


def compression_of(file: str) -> str:
    """Return what the first bytes say; names lie."""
    start = _first_bytes(file)
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "none")


def _first_bytes(file: str) -> bytes:
    try:
        with Path(file).open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise InputFileError(f"{show_path(file)} cannot be read: {error.strerror}") from None
    if not start:
        raise InputFileError(f"{show_path(file)} is empty")
    return start


def _header(
    connection: Any, file: str, source: _Source, names: Sequence[str], delimiter: str | None
) -> tuple[list[str], str]:
    """Return the names in the first record and the delimiter that makes most sense of it."""
    candidates = DELIMITERS if delimiter is None else (delimiter,)
    headers = [(_first_record(connection, file, source, d), d) for d in candidates]
    header, chosen = max(headers, key=lambda pair: (len({*pair[0]} & {*names}), len(pair[0])))
    if not any(header):
        raise InputFileError(f"{show_path(file)} does not begin with the names of its columns")
    for name in names:
        if name not in header:
            raise UnknownName.among("column", name, header, where=show_path(file))
        if header.count(name) > 1:
            raise InputFileError(f"{show_path(file)} has {header.count(name)} columns {name!r}")
    return header, chosen


def _first_record(connection: Any, file: str, source: _Source, delimiter: str) -> list[str]:
    try:
        if source.compression == "zstd":  # the standard library reads it from Python 3.14 on
            return next(
                csv.reader([_first_line(connection, file, source)], delimiter=delimiter), []
            )
        opener = gzip.open if source.compression == "gzip" else open
        encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
        with opener(file, "rt", encoding=encoding, newline="") as lines:
            return next(csv.reader(lines, delimiter=delimiter), [])
    except UnicodeError:
        reason = _reason("unicode")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        reason = _reason("GZIP")
    except csv.Error as error:
        reason = f"its first line is no CSV ({error})"
    raise InputFileError(f"{show_path(file)} cannot be read: {reason}")


def _first_line(connection: Any, file: str, source: _Source) -> str:
    options = f"delim='{_UNIT_SEPARATOR}', quote='', escape='', strict_mode=false, {_PLAIN}"
    query = (
        "SELECT line FROM read_csv(?, columns={'line': 'VARCHAR'}, header=false, "  # noqa: S608
        f"compression=?, encoding=?, {options}) LIMIT 1"
    )
    with file_errors(file):
        parameters = [source.path, source.compression, source.encoding]
        first = connection.execute(query, parameters).fetchone()
    return (first[0] or "") if first else ""


# ---------------------------------------------------------------------- Parquet


def is_parquet(file: str) -> bool:
    """Return whether a file begins as Parquet does, whatever its name.

    Raises
    ------
    InputFileError
        If the file cannot be opened.
    """
    return _first_bytes(file) == b"PAR1"


def parquet_header(connection: Any, file: str) -> tuple[str, ...]:
    """Return the names of the columns of a Parquet file.

    Raises
    ------
    InputFileError
        If the file is no Parquet or damaged.
    """
    with file_errors(file):
        query = "SELECT * FROM read_parquet(?, hive_partitioning=false) LIMIT 0"
        described = connection.execute(query, [glob.escape(file)]).description
    return tuple(column[0] for column in described)


def parquet_relation(connection: Any, files: Sequence[str], names: Sequence[str]) -> Any:
    """Return the named columns of Parquet files as a DuckDB relation; Any: DuckDB is optional.

    Raises
    ------
    InputFileError
        If a file is no Parquet or damaged.
    UnknownName
        If a file lacks a column; names the nearest ones.
    """
    for file in files:
        present = parquet_header(connection, file)
        for name in names:
            if name not in present:
                raise UnknownName.among("column", name, present, where=show_path(file))
    paths = [glob.escape(file) for file in files]
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    options = "hive_partitioning=false, union_by_name=true"
    query = f"SELECT {quoted} FROM read_parquet(?, {options})"  # noqa: S608 - names are quoted
    return connection.sql(query, params=[paths])
