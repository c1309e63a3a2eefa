"""CSV that DuckDB does not read: other encodings, rows to leave out, the first line of Excel.

The grammar is that of DuckDB: a cell may stand in quotes, which are doubled within, with blanks
before and after them; delimiters may end a line; blank lines are none.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Collection
from functools import cached_property
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney._support.words import counted
from cxjourney.exceptions import InputFileError
from cxjourney.io._csv_count import check_count_of_rows, count_in_blocks
from cxjourney.io._csv_form import DELIMITERS, sep_line
from cxjourney.io._encodings import decoded, encoding_of, line_at
from cxjourney.io._files import show_path
from cxjourney.io._table_edges import short_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from cxjourney.io._csv_form import CsvForm

_BLOCK = 20_000  # records
_CHARACTERS = 1 << 20
_BLANKS = " \t\n\f\r"  # as DuckDB's patterns have them
_END = r"(?:\r\n|\r|\n|\Z)"
_LINE = re.compile(rf"[^\r\n]*{_END}")


@attrs.frozen
class CsvText:
    """The text of a CSV file, its header found.

    Attributes
    ----------
    file
        The file.
    names
        What the header holds.
    delimiter
        What stands between cells.
    pieces
        Where each part of the body begins, in it and in `text`.
    text
        The whole text.
    skipped
        Numbers of the rows that are left out.
    """

    file: str
    names: list[str]
    delimiter: str
    pieces: list[tuple[int, int]]
    text: str
    skipped: Collection[int]

    @cached_property
    def body(self) -> str:
        """What stands below the header, without the rows that are left out."""
        between = pairwise(self.pieces)
        parts = (self.text[at : at + later - begin] for (begin, at), (later, _) in between)
        return "".join([*parts, self.text[self.pieces[-1][1] :]])

    def refuse(self, place: int, why: str) -> InputFileError:
        """Return the error of a place in the body."""
        begin, at = self.pieces[bisect_right(self.pieces, place, key=lambda piece: piece[0]) - 1]
        line = line_at(self.text, place - begin + at)
        return InputFileError(f"{show_path(self.file)} cannot be read: line {line:,} {why}")


def csv_text(file: str, form: CsvForm, choose: Callable[[list[CsvText]], CsvText]) -> CsvText:
    """Return the text of a file, split by the delimiter that `choose` takes.

    Raises
    ------
    InputFileError
        If the file is damaged, or its bytes do not fit the encoding.
    """
    text = decoded(file, encoding_of(file, form.encoding))
    named = sep_line(text)
    delimiter = form.delimiter or named
    skipped = form.skip_rows
    if named is not None and 0 not in skipped:
        skipped = {0, *skipped}
    candidates = DELIMITERS if delimiter is None else (delimiter,)
    return choose([_headed(file, text, one, skipped) for one in candidates])


def _headed(file: str, text: str, delimiter: str, skipped: Collection[int]) -> CsvText:
    """Return the text with the first row that is not left out as its header."""
    record = _record(delimiter)
    last = skipped[-1] if isinstance(skipped, range) and skipped else max(skipped, default=-1)
    names: list[str] | None = None
    pieces, size, row, at = [], 0, 0, 0
    while at < len(text) and (names is None or row <= last):
        found = record.match(text, at)
        if row in skipped:
            end = (found or _LINE.match(text, at)).end()  # type: ignore[union-attr]  # a line is there
        elif found is None:
            break
        else:
            end = found.end()
            if names is None:
                names = [_value(cell) for cell in _cells(found[1], delimiter)]
            else:
                pieces.append((size, at))
                size += end - at
        row, at = row + 1, end
    pieces.append((size, at))
    return CsvText(file, names or [], delimiter, pieces, text, skipped)


def text_relation(connection: Any, source: CsvText, names: Sequence[str]) -> Any:
    """Return columns of a text as strings c0, c1 and so on, in a relation of DuckDB; hence Any.

    Raises
    ------
    InputFileError
        If a line has too many or too few cells, or a quote is not closed.
    """
    wanted = [source.names.index(name) for name in names]
    places = sorted(set(wanted))
    columns = ", ".join(f"c{place} VARCHAR" for place in places)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE cells ({columns})")
    rows = 0
    for n, block in _blocks(source, places):
        connection.register("block", block)
        connection.execute("INSERT INTO cells SELECT * FROM block")
        connection.unregister("block")
        rows += n
    _check_rows(source, rows)
    return connection.table("cells").project(
        ", ".join(f"c{place} AS c{i}" for i, place in enumerate(wanted))
    )


def filled_columns(source: CsvText, names: Collection[str]) -> list[str]:
    """Return those of the columns that hold more than blanks; read no further than that takes.

    Raises
    ------
    InputFileError
        If a line that is read has too many or too few cells, or a quote is not closed.
    """
    waiting = {source.names.index(name): name for name in names}
    for _, block in _blocks(source, sorted(waiting)):
        for place in [*waiting]:
            if any(cell and cell.strip(_BLANKS) for cell in block[f"c{place}"]):
                del waiting[place]
        if not waiting:
            break
    return [name for name in names if name not in waiting.values()]


def _blocks(
    source: CsvText, places: Sequence[int]
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """Yield the cells at some places of many records at a time, and how many records it is."""
    found = _record_of(source, places).finditer(source.body)
    while matches := list(islice(found, _BLOCK)):
        *cells, broken = zip(*map(re.Match.groups, matches), strict=True)
        if any(broken):
            place = next(m.start() for m, b in zip(matches, broken, strict=True) if b)
            raise source.refuse(place, _why_broken(source, place))
        yield (
            len(matches),
            {f"c{place}": _values(column) for place, column in zip(places, cells, strict=True)},
        )


def _cell(delimiter: str) -> str:
    """Return the pattern of a cell, quotes included, which gives nothing back once it is found."""
    blanks = "" if delimiter == " " else " *+"
    quoted = rf'{blanks}"[^"]*+(?:""[^"]*+)*+"(?!"){blanks}'
    return rf'(?>{quoted}|(?!{blanks}")[^{re.escape(delimiter)}\r\n]*+)'


def _record(delimiter: str) -> re.Pattern[str]:
    cell = _cell(delimiter)
    return re.compile(rf"({cell}(?:{re.escape(delimiter)}{cell})*+){_END}")


def _record_of(source: CsvText, places: Sequence[int]) -> re.Pattern[str]:
    """Return the pattern of a record with the cells at these places, or of a character of none."""
    cell, by, n = _cell(source.delimiter), re.escape(source.delimiter), len(source.names)
    cells = by.join(f"({cell})" if place in places else cell for place in range(n))
    end = _END if n == 1 else r"(?:[\r\n]++|\Z)"  # of a single column, a blank line is a row
    return re.compile(rf"(?!\Z){cells}(?:{by})*+{end}|([\s\S])")


def _cells(record: str, delimiter: str) -> list[str]:
    """Return the cells of a record, quotes included."""
    cell, by = _cell(delimiter), re.escape(delimiter)
    return re.findall(rf"(?:\A|{by})({cell})", record)


def _values(cells: Sequence[str]) -> NDArray[Any]:
    """Return what cells say, None where one is empty and not quoted."""
    return np.array([_value(cell) if '"' in cell else cell or None for cell in cells], dtype=object)


def _value(cell: str) -> str:
    """Return what a cell says, without the quotes around it."""
    bare = cell.strip(" ")
    return bare[1:-1].replace('""', '"') if bare.startswith('"') else cell


def _why_broken(source: CsvText, place: int) -> str:
    found = _record(source.delimiter).match(source.body, place)
    if found is None:
        return "opens a quote that is not closed"
    cells = counted(len(_cells(found[1], source.delimiter)), "cell")
    lines = io.StringIO(source.text, newline="")
    remedy = short_rows(lines, source.delimiter, len(source.names), source.skipped)
    return f"has {cells} where the header has {len(source.names)}{remedy}"


def _check_rows(source: CsvText, rows: int) -> None:
    """Raise InputFileError unless the rows are as many as the records that are counted apart."""
    body = source.body
    records = count_in_blocks(
        np.frombuffer(body[at : at + _CHARACTERS].encode(errors="replace"), np.uint8)
        for at in range(0, len(body), _CHARACTERS)
    )
    if len(source.names) > 1 and records != rows:
        lines = io.StringIO(body, newline="")
        reader = csv.reader(lines, delimiter=source.delimiter, skipinitialspace=True)
        check_count_of_rows(source.file, sum(map(bool, reader)), rows)
