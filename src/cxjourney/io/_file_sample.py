"""Samples of files: how they are written, and all rows, or those of three places."""

from __future__ import annotations

import csv
import glob
import io
import json
import re
import warnings
from collections import Counter
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.words import counted
from cxjourney.exceptions import DataQualityWarning, InputFileError, UnknownName
from cxjourney.io._csv_count import count_records
from cxjourney.io._csv_form import DELIMITERS, sep_line
from cxjourney.io._encodings import COMMON, fits, marked_as
from cxjourney.io._excel import workbook_rows
from cxjourney.io._files import compression_of, connect, format_of, opened, read_errors, show_path
from cxjourney.io._json import json_rows, leaves
from cxjourney.io._no_table import refuse_no_table
from cxjourney.io._parquet import parquet_header
from cxjourney.io._refusals import file_errors
from cxjourney.io._table_edges import below_table, like_data, own_names, why_no_names
from cxjourney.io._xes import read_xes

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ROWS = 99_000
"""So many rows of a file are looked at, a third each at its beginning, middle and end."""
_BLOCK = 8_000_000  # bytes at each place
_MOST_COUNTED = 150_000_000  # bytes of a compressed file, to read which takes seconds
_PLAIN = re.compile(
    r"\s*[+-]?[0-9]+(?:[.,][0-9]+)?\s*$|\s*[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}\b"
)
_HEADER_WITHIN = 60  # records
_JUDGED = 100  # rows, with which the first is compared

Cells = list[str | None]


@attrs.frozen(kw_only=True)
class FileSample:
    """A file, and cells of it as strings, None where there is none.

    `typed` names the columns whose cells are no strings: "time", "number" or "nested"; `skipped`
    is what `skip_rows=` takes, and `below` the rows below the table, which it takes too. `repeated`
    are the columns whose name in the file is that of others.
    """

    kind: str
    columns: dict[str, Cells]
    n_rows: int | None
    whole: bool
    typed: dict[str, str] = attrs.field(factory=dict)
    compression: str = "none"
    encoding: str | None = None
    evidence: str = ""
    delimiter: str | None = None
    skip_rows: int = 0
    header_rows: int = 1
    skipped: int | tuple[int, ...] = 0
    below: tuple[int, ...] = ()
    repeated: tuple[str, ...] = ()
    n_ragged: int = 0
    sheets: tuple[str, ...] = ()
    sheet: str | None = None

    @property
    def n(self) -> int:
        """Number of the rows."""
        return len(next(iter(self.columns.values()), ()))


def sample_of(
    files: Sequence[str], sheet: str | None = None, encoding: str | None = None
) -> FileSample:
    """Return the sample of a file, or of several with the same columns.

    `encoding` is that of CSV files, None where their bytes shall tell. Of many files three are
    looked at, the first, one in the middle and the last.

    Raises
    ------
    InputFileError
        If a file is empty, holds no table, or has other columns than the first.
    MissingDependency
        If the package that its format takes is not installed.
    """
    chosen = [files[i] for i in sorted({0, len(files) // 2, len(files) - 1})]
    samples = [_sample(file, sheet, encoding) for file in chosen]
    first = samples[0]
    if len(files) == 1:
        return first
    for file, one in zip(chosen, samples, strict=True):
        other = [*({*one.columns} ^ {*first.columns})]
        if one.kind != first.kind or other:
            raise InputFileError(
                f"{show_path(file)} and {show_path(chosen[0])} are tables of different columns: "
                "inspect them one at a time"
            )
    counts = [one.n_rows for one in samples]
    alike = len(files) == len(samples) and len({one.below for one in samples}) == 1
    known = len(files) <= 3 and None not in counts
    return attrs.evolve(
        first,
        columns={name: [c for one in samples for c in one.columns[name]] for name in first.columns},
        n_rows=sum(n for n in counts if n is not None) if known else None,
        whole=known and all(one.whole for one in samples),
        below=first.below if alike else (),
        n_ragged=sum(one.n_ragged + len(one.below) * (not alike) for one in samples),
    )


def _sample(file: str, sheet: str | None, encoding: str | None) -> FileSample:
    refuse_no_table(file)
    kind = format_of(file)
    if kind == "excel":
        return _of_workbook(file, sheet)
    if kind == "xes":
        return _of_xes(file)
    if kind == "csv":
        return _of_csv(file, encoding)
    with connect("inspect_file()") as connection, file_errors(file):
        return (_of_parquet if kind == "parquet" else _of_json)(connection, file)


def _of_csv(file: str, given: str | None) -> FileSample:
    compression = compression_of(file)
    blocks, whole = _blocks(file, compression)
    encoding, evidence = (given, "as given") if given else encoding_of(blocks)
    texts = [block.decode(encoding, errors="replace").lstrip("\ufeff") for block in blocks]
    said = sep_line(texts[0])
    if said:
        texts[0] = texts[0].partition("\n")[2]
    delimiter = said or _delimiter_of(texts[0])
    parts = [_records(file, text, delimiter) for text in texts]
    if not any(map(_is_filled, parts[0])):
        raise InputFileError(f"{show_path(file)} holds blank lines only")
    above = _rows_above(parts[0][:_HEADER_WITHIN])
    names, repeated = _names(file, parts[0][above], parts[0][above + 1 :])
    below = below_table(parts[-1], len(names)) if whole or len(parts) > 1 else []
    parts[-1] = [row for i, row in enumerate(parts[-1]) if i not in {*below}]
    if below and not whole:
        below = _below_large(file, encoding, delimiter or ",", len(names))
    elif said:
        below = [i + 1 for i in below]
    parts[0] = parts[0][above + 1 :]
    parts = [list(filter(_is_filled, part)) for part in parts]
    for part in parts[1:]:  # which may begin and end within a cell
        whole_ones = [i for i, row in enumerate(part) if len(row) == len(names)]
        part[:] = part[whole_ones[0] : whole_ones[-1] + 1] if whole_ones else []
    further = _rows_of_header(parts[0])
    parts[0] = parts[0][further:]
    rows = _looked_at(parts)
    kept = [row for row in rows if len(row) == len(names)]
    first = above + bool(said and (above or further))  # the line that names the delimiter is a row
    skipped = (*range(first), *range(first + 1, first + 1 + further)) if further else first
    n: int | None = sum(map(len, parts))
    if not whole:
        lines = above + further + 1 + bool(said)
        n = _count(file, compression, lines + len(below)) if encoding == "utf-8" else None
    return FileSample(
        kind="csv",
        columns={name: [row[i] or None for row in kept] for i, name in enumerate(names) if name},
        n_rows=n,
        whole=len(rows) == n,
        compression=compression,
        encoding=encoding,
        evidence=evidence,
        delimiter=delimiter,
        skip_rows=above,
        header_rows=1 + further,
        skipped=skipped,
        below=tuple(below),
        repeated=repeated,
        n_ragged=len(rows) - len(kept),
    )


def _blocks(file: str, compression: str) -> tuple[list[bytes], bool]:
    """Return the bytes of a file, or of its beginning, middle and end in whole lines.

    Of a compressed file, or one in UTF-16, there is the beginning alone.
    """
    size = Path(file).stat().st_size
    stream = opened(file, compression)
    if stream is None:
        raise InputFileError(f"{show_path(file)} takes Python 3.14 or pyarrow to be looked into")
    with stream, read_errors(file, compression):
        start = stream.read(3 * _BLOCK)
        if not stream.read(1):
            return [start], True
        if compression != "none" or start[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in start:
            end = start.rfind(b"\n") + 1
            return [start[: end + (start[end : end + 1] == b"\0")]], False
        blocks = [start[:_BLOCK]]
        for place in (size // 2 - _BLOCK // 2, size - _BLOCK):
            stream.seek(place)
            blocks.append(stream.read(_BLOCK).partition(b"\n")[2])
    return [block[: block.rfind(b"\n") + 1] or block for block in blocks], False


def encoding_of(blocks: Sequence[bytes]) -> tuple[str, str]:
    """Return the encoding that bytes speak for, and what speaks for it."""
    if marked := marked_as(blocks[0]):
        return marked, "a byte-order mark stands at its beginning"
    head = blocks[0][:4_000]
    for place, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[place::2].count(0) > 0.3 * len(head) / 2:
            return name, "every other byte is zero, without a byte-order mark"
    try:
        for block in blocks:
            block.decode()
    except UnicodeDecodeError:
        fitting = [name for name in COMMON[1:] if all(fits(block, name) for block in blocks)]
        name = next(iter(fitting), "latin-1")
        texts = (block.decode(name, errors="replace") for block in blocks)
        high = Counter(c for text in texts for c in text if not c.isascii())
        shown = ", ".join(
            f"0x{character.encode(name, errors='replace').hex().upper()} reads as {character!r} "
            f"({counted(n, 'time')})"
            for character, n in high.most_common(4)
        )
        others = f"; {', '.join(fitting[1:])} would fit too" if fitting[1:] else ""
        return name, f"a proposal, since it is not valid UTF-8: {shown}{others}"
    plain = all(block.isascii() for block in blocks)
    return "utf-8", "plain ASCII" if plain else "valid UTF-8"


def _delimiter_of(text: str) -> str | None:
    """Return the delimiter that cuts most records into equally many cells; None for one column."""
    best, found = 0, None
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text[:400_000], newline=""), delimiter=delimiter)
        try:
            widths = Counter(len(row) for row in islice(reader, 200) if row)
        except csv.Error:
            continue
        score = max(((width - 1) * n for width, n in widths.items()), default=0)
        if score > best:
            best, found = score, delimiter
    return found


def _records(file: str, text: str, delimiter: str | None) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or ",")
    try:
        return list(reader)
    except csv.Error as error:
        raise InputFileError(f"{show_path(file)} cannot be read: {error}") from None


def _is_filled(record: Sequence[str]) -> bool:
    return any(cell.strip() for cell in record)


def _rows_above(records: Sequence[Sequence[str]]) -> int:
    """Return how many records stand above the one that names the columns."""
    widths = Counter(len(record) for record in records if _is_filled(record))
    width = max(widths, key=lambda w: (widths[w] * (w > 1), w))
    for fullest in (0.8, 0.0):
        for i, record in enumerate(records):
            if len(record) == width and sum(map(bool, record)) >= fullest * width:
                return i
    return 0


def _rows_of_header(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows below the names belong to these.

    No cell of them is a number or a time, where columns of these begin below.
    """
    if any('{"ImportId"' in cell for cell in rows[1:2] and rows[1]):
        return 2
    for n in (2, 1):
        heads, body = rows[:n], rows[n : n + 100]
        plain = [
            i for i, column in enumerate(zip(*body, strict=False)) if all(map(_PLAIN.match, column))
        ]
        if plain and len(body) > 1:
            fits = [bool(_PLAIN.match(row[i])) for row in heads for i in plain if i < len(row)]
            if fits and not any(fits):
                return n
    return 0


def _names(
    file: str, header: Sequence[str], body: Sequence[Sequence[str | None]]
) -> tuple[list[str], tuple[str, ...]]:
    """Return names of the columns that tell them apart, and which of them are repeated."""
    if n := like_data(header, body[:_JUDGED]):
        raise InputFileError(why_no_names(file, n))
    return own_names([name.strip("\ufeff") for name in header])


def _below_large(file: str, encoding: str, delimiter: str, width: int) -> list[int]:
    """Return the numbers of the rows below the table of a file that is not held as a whole."""
    with Path(file).open(encoding=encoding, errors="replace", newline="") as lines:
        return below_table(csv.reader(lines, delimiter=delimiter), width)


def _looked_at(parts: list[list[Any]]) -> list[Any]:
    """Return rows of the parts, no more than are looked at."""
    if len(parts) == 1:
        (rows,) = parts
        return [row for place, most in _places(len(rows)) for row in rows[place : place + most]]
    third, (first, middle, last) = MOST_ROWS // 3, parts
    return first[:third] + middle[:third] + last[-third:]


def _count(file: str, compression: str, above: int) -> int | None:
    """Return the number of rows below the names; None where counting them would take long."""
    if compression != "none" and Path(file).stat().st_size > _MOST_COUNTED:
        return None
    found = count_records(file, compression)
    return None if found is None else found - above


def _of_parquet(connection: Any, file: str) -> FileSample:
    names, repeated = own_names(parquet_header(connection, file))
    query = "SELECT * FROM read_parquet(?, hive_partitioning=false)"
    relation = connection.sql(query, params=[glob.escape(file)])
    lowered = [name.lower() for name in names]  # which are one name to DuckDB
    repeated += tuple(n for i, n in enumerate(names) if lowered[i] in lowered[:i])
    kinds = dict(zip(names, map(str, relation.types), strict=True))
    footer = "SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata(?)"
    ((n,),) = connection.execute(footer, [[glob.escape(file)]]).fetchall()
    strings = relation.project("COLUMNS(*)::VARCHAR")
    typed = {name: word for name, kind in kinds.items() if (word := _word_of(kind))}
    rows = [row for place, most in _places(n) for row in strings.limit(most, place).fetchall()]
    columns = {name: [row[i] or None for row in rows] for i, name in enumerate(kinds)}
    whole = len(rows) == n
    return FileSample(
        kind="parquet", columns=columns, typed=typed, n_rows=n, whole=whole, repeated=repeated
    )


def _word_of(kind: str) -> str | None:
    if kind.startswith(("STRUCT", "MAP", "UNION")) or kind.endswith("]"):
        return "nested"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return "time"
    return None if kind in {"VARCHAR", "BOOLEAN", "UUID", "BLOB"} else "number"


def _places(n: int) -> list[tuple[int, int]]:
    """Return where rows are taken, and how many at each place."""
    if n <= MOST_ROWS:
        return [(0, n)]
    third = MOST_ROWS // 3
    return [(0, third), (n // 2, third), (n - third, third)]


def _of_json(connection: Any, file: str) -> FileSample:
    relation = json_rows(connection, file)
    ((n,),) = relation.aggregate("count(*)").fetchall()
    texts = [row for place, most in _places(n) for row in relation.limit(most, place).fetchall()]
    typed: dict[str, str] = {}
    rows: list[dict[str, str | None]] = []
    for (text,) in texts:
        value = json.loads(text, parse_float=str, parse_int=str)
        if not isinstance(value, dict):
            raise InputFileError(f"{show_path(file)} holds values that are no objects")
        row: dict[str, str | None] = {}
        for name, cell in leaves(value):
            if isinstance(cell, (dict, list)):
                typed[name], row[name] = "nested", json.dumps(cell)
            else:
                row[name] = None if cell in {None, ""} else str(cell)
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return FileSample(
        kind="json",
        columns=columns,
        typed=typed,
        n_rows=n,
        whole=len(rows) == n,
        compression=compression_of(file),
    )


def _of_workbook(file: str, sheet: str | None) -> FileSample:
    """Return the sample of a sheet: the one that is named, or else the one with most cells."""
    tables = workbook_rows(file)
    if sheet is not None and sheet not in tables:
        raise UnknownName.among("sheet", sheet, tables, where=show_path(file))
    sizes = {name: sum(cell is not None for row in r for cell in row) for name, r in tables.items()}
    chosen = max(tables, key=lambda name: sizes[name]) if sheet is None else sheet
    rows = tables[chosen]
    if not sizes[chosen]:
        raise InputFileError(f"{show_path(file)} holds no table: sheet {chosen!r} is empty")
    filled = [["" if cell is None else str(cell) for cell in row] for row in rows[:_HEADER_WITHIN]]
    skip = _rows_above(filled)
    first, last = rows[skip + 1 : skip + 1 + _JUDGED], max(skip + 1, len(rows) - _JUDGED)
    header, repeated = _names(file, filled[skip], [list(map(_as_string, row)) for row in first])
    texts = [list(map(_as_string, row)) for row in rows[last:]]
    below = [last + i for i in below_table(texts, len(header))]
    listed = [row for i, row in enumerate(rows) if i > skip and i not in {*below}]
    body = [row for row in listed if any(cell is not None for cell in row)]
    looked_at = _looked_at([body])
    typed: dict[str, str] = {}
    columns: dict[str, Cells] = {}
    for i, name in enumerate(header):
        cells = [row[i] for row in looked_at]
        known = [cell for cell in cells if cell is not None]
        if known and all(isinstance(cell, date) for cell in known):
            typed[name] = "time"
        elif known and all(isinstance(cell, (int, float)) for cell in known):
            typed[name] = "number"
        if name:
            columns[name] = list(map(_as_string, cells))
    return FileSample(
        kind="excel",
        columns=columns,
        typed=typed,
        n_rows=len(body),
        whole=len(looked_at) == len(body),
        skip_rows=skip,
        sheets=tuple(tables),
        sheet=chosen,
        skipped=skip,
        below=tuple(below),
        repeated=repeated,
    )


def _as_string(cell: object) -> str | None:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else None if cell is None else str(cell)


def _of_xes(file: str) -> FileSample:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataQualityWarning)  # the reader says it again
        log = read_xes(file)
    n = len(log)
    rows = np.concatenate([np.arange(place, place + most) for place, most in _places(n)])
    taken = log.columns
    times = np.zeros(0) if taken.time is None else taken.time[rows].view("M8[us]")
    ids = log.customer_ids
    columns: dict[str, Cells] = {
        "case:concept:name": [ids[i] for i in taken.customer[rows].tolist()],
        "time:timestamp": [f"{time}Z" for time in times.tolist()],
        "concept:name": taken.coded["touchpoint"].take(rows).values(),
    }
    return FileSample(
        kind="xes",
        columns=columns,
        n_rows=len(log),
        whole=len(log) <= MOST_ROWS,
        compression=compression_of(file),
    )
