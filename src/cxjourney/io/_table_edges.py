"""Edges of a table: the row that names the columns, and rows below the last one."""

from __future__ import annotations

import csv
import re
import shlex
from collections import Counter, deque
from itertools import pairwise
from typing import TYPE_CHECKING

from cxjourney._support.words import counted
from cxjourney.exceptions import InputFileError
from cxjourney.io._files import compression_of, format_of, show_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    Row = Sequence[str | None]

MOST_BELOW = 12
"""So many rows below a table are told from it, and listed in full."""
_TOTAL = re.compile(
    r"\s*(?:#|(?:(?:grand )?totals?|gesamt(?:summe|ergebnis)?|summe)\s*(?:[:(]|$))", re.IGNORECASE
)
_PLAIN = re.compile(r"\s*[+-]?\d[\d\s.,:/TZ+-]*")


def check_asked(file: str, asked: Collection[str], header: Sequence[str]) -> None:
    """Raise InputFileError where a column that is asked for is one of several of its name.

    So it is where the header has none of them and looks like a row of data.
    """
    for name in asked:
        places = [i for i, other in enumerate(header, 1) if other == name]
        if len(places) > 1:
            shown = f"{', '.join(map(str, places[:-1]))} and {places[-1]}"
            raise InputFileError(
                f"{show_path(file)} has {len(places)} columns {name!r} (numbers {shown}), and "
                "nothing says which is meant: give the one to read a name of its own in the file"
            )
    if asked and not {*asked} & {*header} and (n := like_data(header)):
        raise InputFileError(why_no_names(file, n))


def own_names(header: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return names that tell columns apart, as "Labels (2)" does, and those of repeated ones."""
    several = {name for name, n in Counter(header).items() if n > 1 and name}
    names: list[str] = []
    seen = Counter[str]()
    for own in header:
        name, n = own, seen[own] + 1
        seen[own] += 1
        while n > 1 and own and name in {*names, *header}:
            name, n = f"{own} ({n})", n + 1
        names.append(name)
    return names, tuple(name for name, own in zip(names, header, strict=True) if own in several)


def like_data(header: Row, below: Sequence[Row] | None = None) -> int:
    """Return how many cells of a header are numbers, times or ids like those below; 0 for names.

    Names above such columns speak against it, and numbers that count, such as years, are names.
    Where the rows below are not known, numbers and times must be a third of the header.
    """
    cells = [(i, cell) for i, cell in enumerate(header) if cell and cell.strip()]
    if below is None:
        alike = [cell for _, cell in cells if _PLAIN.fullmatch(cell)]
        names = 0 if 3 * len(alike) >= len(cells) else len(alike)
    else:
        shapes = [{_shape(row[i] or "") for row in below if i < len(row)} - {""} for i, _ in cells]
        alike = [
            cell
            for (_, cell), found in zip(cells, shapes, strict=True)
            if found == {_shape(cell)} and "9" in _shape(cell)
        ]
        names = sum(len(found) == 1 and "9" in "".join(found) for found in shapes) - len(alike)
    whole = [int(cell) for cell in alike if cell.strip().isdecimal()]
    steps = {later - cell for cell, later in pairwise(whole)}
    counting = len(whole) == len(alike) and steps in ({1}, {-1})
    return len(alike) if len(alike) > 1 and len(alike) > 3 * names and not counting else 0


def _shape(cell: str) -> str:
    number = re.sub(r"^[+-]?\d[\d.,]*$", "9", cell.strip())
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", number))


def why_no_names(file: str, n: int) -> str:
    """Return that a file begins with data, and how names come in front of it."""
    said = (
        f"{show_path(file)}: the first row looks like data, not names ({counted(n, 'cell')} of it "
        "could stand in the rows below as well). Put a row with the names of the columns on top"
    )
    if format_of(file) != "csv":
        return said
    ending = ".tsv" if ".tsv" in file else ".csv"
    cat = {"gzip": "gzip -dc", "zstd": "zstd -dc"}.get(compression_of(file), "cat")
    joined = f"(cat names{ending}; echo; {cat} {shlex.quote(file)}) > with-names{ending}"
    return f"{said}; where they stand in a file of their own: {joined}"


def below_table(rows: Iterable[Row], width: int) -> list[int]:
    """Return the numbers of the last rows that are none of the table.

    Such a row has fewer cells than there are names, or is a total, or a comment, or has a single
    filled cell and stands below a blank row or such a one.
    """
    last = deque(enumerate(rows), maxlen=3 * MOST_BELOW)
    n = last[-1][0] + 1 if last else 0
    found: list[int] = []
    waiting: list[int] = []
    for number, row in reversed(last):
        filled = [cell for cell in row if cell and cell.strip()]
        short = len(row) < width or (len(filled) < width and filled and _TOTAL.match(filled[0]))
        if len(filled) > 1 and not short:
            break
        waiting += [number] * bool(filled)
        if short or not filled:
            found, waiting = found + waiting, []
    few = width > 1 and len(found) <= MOST_BELOW and n > 2 * len(found)
    return sorted(found) if few else []


def short_rows(lines: Iterable[str], delimiter: str, width: int, skipped: Iterable[int]) -> str:
    """Return which `skip_rows=` leaves out the rows that are too short; "" where they are many."""
    reader = enumerate(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    try:
        short = [i for i, row in reader if row and len(row) < width]
    except (csv.Error, EOFError, OSError, ValueError):
        return ""
    short = [i for i in short if i not in {*skipped}]
    if not 0 < len(short) <= MOST_BELOW:
        return ""
    rows = "such rows" if len(short) > 1 else "that row"
    return f"; skip_rows={sorted({*skipped, *short})} leaves out {rows}"
