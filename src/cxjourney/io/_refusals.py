"""Refusals of files by DuckDB and Python, told in one line that shows no cell."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cxjourney._support.words import counted
from cxjourney.exceptions import InputFileError
from cxjourney.io._encodings import check_gzip, why_not
from cxjourney.io._files import compression_of, format_of, opened, show_path
from cxjourney.io._table_edges import short_rows

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        raise InputFileError(_why_refused(file, str(error))) from None


def _why_refused(file: str, message: str) -> str:
    """Return what DuckDB says about a file, without its cells."""
    if Path(file).is_file():
        check_gzip(file)
        not_text = re.search("unicode|utf-8", message, re.IGNORECASE)
        if not_text and format_of(file) in {"csv", "json"}:
            return why_not(file, "utf-8")
        counts = re.search(r"Expected Number of Columns: (\d+)", message)
        delimiter = re.search(r"^ *delimiter = (\\t|.)", message, re.MULTILINE)
        if counts and delimiter and (stream := opened(file, compression_of(file))) is not None:
            by = delimiter[1].replace("\\t", "\t")
            with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as lines:
                remedy = short_rows(lines, by, int(counts[1]), ())
            return f"{show_path(file)} cannot be read: {_reason(message)}{remedy}"
    return f"{show_path(file)} cannot be read: {_reason(message)}"


def _reason(message: str) -> str:
    line = re.search(r"on Line: (\d+)", message)
    where = f"line {int(line[1]):,}" if line else "it"
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        cells = counted(int(counts[2]), "cell")
        return f"{where} has {cells} where the header has {counts[1]}"
    if "unterminated quote" in message:
        return f"{where} opens a quote that is not closed"
    if "state machine reached an invalid state" in message:
        return "its lines end in different ways (\\n, \\r\\n, \\r): let them all end alike"
    if "Maximum line size" in message:
        return f"{where} is longer than 2,000,000 bytes"
    if "GZIP" in message or "ZSTD" in message or "zstd" in message:
        return "the compressed stream is truncated or damaged"
    return message.partition("\n")[0].partition(": ")[2] or "DuckDB refuses it"
