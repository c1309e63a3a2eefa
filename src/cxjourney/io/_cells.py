"""Cells of files as DuckDB reads them: strings, and numbers beside whether a cell is none."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.kernels import ArrowStrings, record_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from cxjourney.log import Reading

    Cell = tuple[str, str]

_KINDS = dict.fromkeys(("score", "emotion", "expectation", "value", "duration"), "DOUBLE")
_BLANKS = "[ \u00a0\u202f’]"  # which part thousands, and nothing else
_TO_POINT = {ord(","): ".", ord("."): "!"}
_KINDS["seq"] = "BIGINT"  # all other roles are strings
NUMBERS = frozenset(_KINDS)
"""Roles of numbers."""


def check_duration_unit(reading: Reading) -> None:
    """Raise InvalidValue where durations, which are numbers in text, have no unit."""
    if "duration" in reading.roles and reading.duration_unit is None:
        raise InvalidValue.of(
            "duration_unit", "say what 1 means in the duration column, as a timedelta", None
        )


def cells_of(roles: Mapping[str, str]) -> dict[str, Cell]:
    """Return the column of each role and the type as which its cells are read."""
    return {role: (name, _KINDS.get(role, "VARCHAR")) for role, name in roles.items()}


def selected(places: Iterable[str], cells: Iterable[Cell], decimal: str = ".") -> str:
    """Return the SQL that reads cells as values v0, v1 and so on, and bad0 where numbers are none.

    Cells are numbered, not named: DuckDB's names ignore case and must not repeat. Marks of
    thousands are understood where they can be nothing else: 1,234.50 and 1 234, never 1,234.
    """
    wanted = []
    for i, (place, (_, kind)) in enumerate(zip(places, cells, strict=True)):
        if kind == "VARCHAR":
            wanted.append(f"{place} AS v{i}")
            continue
        cell = f"nullif(trim({place}), '')"
        plain = _plain_number(cell, decimal)
        number = f"TRY_CAST({plain} AS {kind})"
        bad = f"{cell} IS NOT NULL AND ({number} IS NULL OR contains({cell}, '_'))"  # 1_000 is SQL
        if kind == "BIGINT":  # the cast would round 1.5
            bad = f"({bad}) OR NOT regexp_full_match({plain}, '[+-]?[0-9]+(\\.0*)?')"
        wanted += [f"{number} AS v{i}", f"coalesce({bad}, false)::BIGINT AS bad{i}"]
    return ", ".join(wanted)


def _plain_number(cell: str, decimal: str) -> str:
    """Return the SQL of a number without marks of thousands, and with a point if any."""
    grouped, marks = _marks_of(decimal)
    digits = f"regexp_replace({cell}, '{marks}', '', 'g')"
    number = f"CASE WHEN regexp_full_match({cell}, '{grouped}') THEN {digits} ELSE {cell} END"
    return number if decimal == "." else f"translate({number}, ',.', '.!')"


def number_of(text: str, decimal: str) -> float:
    """Return the number that a cell holds, as `selected` reads it; NaN where it is none."""
    if "_" in text:
        return math.nan
    try:
        return float(text if decimal == "." else text.translate(_TO_POINT))
    except ValueError:
        grouped, marks = _marks_of(decimal)
    return number_of(re.sub(marks, "", text), decimal) if re.fullmatch(grouped, text) else math.nan


@cache
def _marks_of(decimal: str) -> tuple[str, str]:
    """Return the patterns of a number with marks of thousands, and of such a mark."""
    mark, point = (",", "[.]") if decimal == "." else ("[.]", ",")
    grouped = (
        rf"[+-]?\d{{1,3}}((({mark}\d{{3}})+{point}|({mark}\d{{3}}){{2}}({mark}\d{{3}})*{point}?)"
        rf"\d*|({_BLANKS}\d{{3}})+({point}\d*)?)"
    )
    return grouped, f"{mark}|{_BLANKS}"


def columns_by_role(
    pieces: Iterable[Mapping[str, Any]], cell_of: Mapping[str, Cell], hint: str = ""
) -> dict[str, Any]:
    """Return the columns of files by role, one file below the other, from what each file held.

    `hint` follows what is said of cells that are no numbers.

    Raises
    ------
    InvalidData
        If a cell of a column of numbers is none; carries the row numbers over all files.
    """
    cells = list(dict.fromkeys(cell_of.values()))
    columns: list[list[Any]] = [[] for _ in cells]
    rows_before = 0
    for piece in pieces:
        for i, (name, kind) in enumerate(cells):
            column = piece[f"v{i}"]
            if kind != "VARCHAR":
                _refuse_bad(piece[f"bad{i}"], name, kind, rows_before, hint)
            if kind == "DOUBLE":
                column = np.ma.filled(column.astype(np.float64), np.nan)
            columns[i].append(column)
        rows_before += len(columns[0][-1])
    of_cell = dict(zip(cells, map(_stacked, columns), strict=True))
    return {role: of_cell[cell] for role, cell in cell_of.items()}


def fetched(relation: Any) -> dict[str, Any]:
    """Return the columns of a query: strings as `ArrowStrings` where kernels are compiled.

    A stream that breaks off is read again, to hear why.
    """
    found = record_columns(relation)
    if found is None:
        fetched = relation.fetchnumpy()
        return {name: _objects(values) for name, values in fetched.items()}
    return {
        name: np.ma.MaskedArray(*column) if isinstance(column, tuple) else column
        for name, column in zip(relation.columns, found, strict=True)
    }


def _refuse_bad(bad: NDArray[np.int64], name: str, kind: str, rows_before: int, hint: str) -> None:
    rows = np.flatnonzero(bad) + rows_before
    if len(rows):
        what = "whole number" if kind == "BIGINT" else "number"
        hint = f"an empty cell stands for a missing one{hint}"
        raise InvalidData.at_rows(f"{name} is no {what}", rows.tolist(), hint=hint)


def _stacked(columns: list[Any]) -> Any:
    if len(columns) == 1:
        return columns[0]
    if all(isinstance(column, ArrowStrings) for column in columns):
        return ArrowStrings.stacked(columns)
    if any(isinstance(column, np.ma.MaskedArray) for column in columns):
        return np.ma.concatenate(columns)  # type: ignore[no-untyped-call]  # no stubs
    return np.concatenate(columns)


def _objects(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column of text with None where it is masked; numbers as they are."""
    if column.dtype != object or not isinstance(column, np.ma.MaskedArray):
        return column
    strings: NDArray[Any] = np.ma.getdata(column).copy()
    strings[np.ma.getmaskarray(column)] = None
    return strings
