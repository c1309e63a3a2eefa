"""CSV for spreadsheets, which run what looks like a formula: names from data must not."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Cell = str | int | float | bool | None

# What begins a formula in some spreadsheet (OWASP), at the start of a cell or of what another
# choice of separator would make one. Full-width forms count as well.
_FORMULA = re.compile(r"""(^|[;,\t\r\n|"'])(\s*)(?=[=+\-@\t\r\n＝＋－＠])""")


def defused(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: an apostrophe stands before it."""
    return _FORMULA.sub(r"\1'\2", text)


def csv_text(names: Sequence[str], rows: Iterable[Iterable[Cell]]) -> str:
    """Return a table as CSV: a header, text in quotes, numbers without, missing ones empty."""
    lines = [names, *rows]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines)


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return '"' + defused(value).replace('"', '""') + '"'
    if value is None or math.isnan(value):
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value)
