"""Reader of Excel workbooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import attrs
import numpy as np

from cxjourney._support.foreign import foreign
from cxjourney._support.optional import require
from cxjourney.exceptions import InputFileError, UnknownName
from cxjourney.io._csv_form import rows_to_skip
from cxjourney.io._files import find_files, show_path, unchanged
from cxjourney.io._shaping import Plan
from cxjourney.io._table_edges import check_asked
from cxjourney.log import InteractionLog, Reading
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from cxjourney.log import FurtherColumns

    FilePath = str | PathLike[str]


@forgetting
def read_excel(
    path: FilePath,
    *,
    customer: str | None = None,
    timestamp: str | None = None,
    touchpoint: str | None = None,
    layout: FilePath | None = None,
    sheet: str | None = None,
    skip_rows: int | Sequence[int] = 0,
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from a sheet of an Excel workbook with one row an interaction, in any order.

    Parameters
    ----------
    path
        The workbook: .xlsx, .xlsb, .xls or .ods. Local only.
    customer, timestamp, touchpoint
        Names of the columns that every log needs.
    layout
        As for `read_csv`.
    sheet
        Name of the sheet; None takes the only one, and refuses a workbook of several.
    skip_rows
        How many rows stand above the one that names the columns; or the numbers of the rows to
        leave out, from 0 at the first of the sheet, such as `[1]`. An empty row counts as one.
    timestamp_format
        `strptime` format of timestamps that are text; None reads ISO 8601. Cells that Excel keeps
        as dates need none.
    **columns
        Further columns and options: see `InteractionLog.from_frame`. Other columns are not read.

    Returns
    -------
    InteractionLog
        An empty cell is missing; a row of empty cells is none.

    Raises
    ------
    InputFileError
        If there is no such file, it is no workbook, or changes while it is read.
    UnknownName
        If there is no such sheet or column; the nearest names are in the message.
    InvalidData
        If cells cannot be read; rows count from 0 below the names.
    MissingDependency
        If python-calamine is not installed (extra `excel`).
    """
    (file,) = find_files(path)[:1]
    found = excel_sheet(file, sheet=sheet, skip_rows=rows_to_skip(skip_rows))
    needed: Any = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    if layout is not None:
        plan = Plan.of(layout, **needed, timestamp_format=timestamp_format, **columns)
        plan, roles = plan.for_header(found.header, show_path(file))
        table = found.columns(roles.values())
        return plan.log({role: _texts(table[name]) for role, name in roles.items()})
    reading = Reading.of(**needed, timestamp_format=timestamp_format, **columns)
    table = found.columns(reading.roles.values())
    return InteractionLog.from_frame(table, **needed, timestamp_format=timestamp_format, **columns)


def _texts(cells: list[Any]) -> NDArray[np.object_]:
    """Return cells as strings: whole numbers without a fraction, dates in ISO form."""
    whole = (int(c) if isinstance(c, float) and c.is_integer() else c for c in cells)
    return np.array([None if cell is None else str(cell) for cell in whole], dtype=object)


@attrs.frozen
class ExcelSheet:
    """The names in the first row of a sheet, "" where a cell is empty, and the rows below.

    Any: cells are strings, numbers, truth values, dates, times or durations, None where empty.
    """

    file: str
    header: tuple[str, ...]
    rows: list[list[Any]]

    def columns(self, asked: Collection[str] = ()) -> dict[str, list[Any]]:
        """Return the columns whose name is no other's, which those asked for must not be."""
        check_asked(self.file, asked, self.header)
        once = [(i, n) for i, n in enumerate(self.header) if n and self.header.count(n) == 1]
        return {name: [row[i] for row in self.rows] for i, name in once}


def excel_sheet(
    file: str, *, sheet: str | None = None, skip_rows: Collection[int] = ()
) -> ExcelSheet:
    """Return a sheet without some rows, and without the empty ones."""
    sheets = workbook_rows(file, sheet)
    if len(sheets) != 1:
        shown = ", ".join(map(repr, sheets))
        raise InputFileError(
            f"{show_path(file)} has {len(sheets)} sheets: give sheet=, one of {shown}"
        )
    ((sheet, rows),) = sheets.items()
    kept = (row for number, row in enumerate(rows) if number not in skip_rows)
    filled = [row for row in kept if any(cell is not None for cell in row)]
    if not filled:
        raise InputFileError(f"{show_path(file)} has no row that names columns in sheet {sheet!r}")
    header, *body = filled
    return ExcelSheet(file, tuple("" if name is None else str(name) for name in header), body)


def workbook_rows(file: str, sheet: str | None = None) -> dict[str, list[list[Any]]]:
    """Return the rows of each sheet, or of one; None where a cell is empty. Any: see `ExcelSheet`.

    Raises
    ------
    InputFileError
        If the file is no workbook.
    UnknownName
        If there is no such sheet.
    """
    calamine = require("python_calamine", extra="excel", caller="read_excel()")
    with unchanged([file]):
        with foreign(show_path(file)):
            book = calamine.CalamineWorkbook.from_path(file)
            names = list(book.sheet_names)
        if sheet is not None and sheet not in names:
            raise UnknownName.among("sheet", sheet, names, where=show_path(file))
        found = {}
        for name in names if sheet is None else [sheet]:
            with foreign(show_path(file)):
                rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            found[name] = [[None if cell == "" else cell for cell in row] for row in rows]
    return found
