"""Access to local files through private connections of DuckDB in memory."""

from __future__ import annotations

import difflib
import glob
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxjourney._support.optional import require
from cxjourney.exceptions import InputFileError, InvalidValue, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    FilePath = str | os.PathLike[str]

__all__ = [
    "check_encoding",
    "compression_of",
    "connect",
    "file_errors",
    "find_files",
    "is_parquet",
    "parquet_header",
    "parquet_relation",
    "show_path",
    "why_refused",
]

ENCODINGS = ("utf-8", "utf-16", "latin-1")
_CONVERT = "convert others first, as in: iconv -f cp1252 -t utf-8 old.csv > new.csv"
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


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


def check_encoding(encoding: str) -> str:
    """Return `encoding` if files can be read in it, else raise InvalidValue naming the way out."""
    if encoding not in ENCODINGS:
        rule = f"be one of {', '.join(map(repr, ENCODINGS))} ({_CONVERT})"
        raise InvalidValue.of("encoding", rule, encoding, choices=ENCODINGS)
    return encoding


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
        raise InputFileError(
            f"{show_path(file)} cannot be read: {why_refused(str(error))}"
        ) from None


def why_refused(message: str) -> str:
    """Return what DuckDB says about a file, without its cells."""
    line = re.search(r"on Line: (\d+)", message)
    where = f"line {int(line[1]):,}" if line else "it"
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        return f"{where} has {counts[2]} cells where the header has {counts[1]}"
    if "unterminated quote" in message:
        return f"{where} opens a quote that is not closed"
    if "Invalid unicode" in message or "not utf-8" in message or "unicode" in message.lower():
        return (
            f"{where} is not UTF-8 text; encoding= reads {' and '.join(ENCODINGS[1:])}; {_CONVERT}"
        )
    if "not latin-1" in message:
        return f"{where} is not latin-1 text, which has no € and no curly quotes; {_CONVERT}"
    if "Maximum line size" in message:
        return f"{where} is longer than 2,000,000 bytes"
    if "GZIP" in message or "ZSTD" in message or "zstd" in message:
        return "the compressed stream is truncated or damaged"
    return message.partition("\n")[0].partition(": ")[2] or "DuckDB refuses it"


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
    names = list(dict.fromkeys(names))
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
