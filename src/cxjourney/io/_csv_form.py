"""The form of a CSV file: its delimiter, its encoding, the rows that are left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal, Self, TypedDict

import attrs

from cxjourney._support.validation import check_choice, check_count
from cxjourney.exceptions import InvalidValue
from cxjourney.io._encodings import check_encoding, encoding_of, first_bytes

DELIMITERS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r'"?sep=([^"\r\n])"?(?=[\r\n]|\Z)', re.IGNORECASE)


class FileForm(TypedDict, total=False):
    """The arguments of `read_csv` that say how a file is written, and the sheet of a workbook."""

    delimiter: str | None
    encoding: str
    skip_rows: int | Sequence[int]
    decimal: Literal[".", ","]
    sheet: str | None


@attrs.frozen
class CsvForm:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter
        What stands between cells; None takes the one that splits the header best.
    encoding
        The encoding, as `check_encoding` names it.
    skip_rows
        Numbers of the rows that are left out, from 0 at the first of the file.
    decimal
        What stands before the fraction of a number.
    sheet
        The sheet of a workbook; None takes the only one.
    """

    delimiter: str | None = None
    encoding: str = "utf-8"
    skip_rows: Collection[int] = ()
    decimal: str = "."
    sheet: str | None = None

    @classmethod
    def of(
        cls,
        *,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        skip_rows: int | Sequence[int] = 0,
        decimal: str = ".",
        sheet: str | None = None,
    ) -> Self:
        """Return the form that the arguments of `read_csv` describe; raise where one is wrong."""
        if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
            raise InvalidValue.of("delimiter", "be a single character", delimiter)
        return cls(
            delimiter,
            check_encoding(encoding),
            rows_to_skip(skip_rows),
            check_choice(decimal, "decimal", (".", ",")),
            sheet,
        )

    def is_plain(self, file: str) -> bool:
        """Return whether DuckDB reads a file as it is: UTF-8, and a header in its first line."""
        if self.skip_rows or encoding_of(file, self.encoding) != "utf-8":
            return False
        return sep_line(first_bytes(file).decode("utf-8-sig", errors="replace")) is None


def rows_to_skip(skip_rows: int | Sequence[int]) -> Collection[int]:
    """Return the numbers of the rows that `skip_rows=` leaves out."""
    if isinstance(skip_rows, str) or not isinstance(skip_rows, Sequence):
        return range(check_count(skip_rows, "skip_rows", least=0))
    return frozenset(check_count(row, "skip_rows", least=0) for row in skip_rows)


def sep_line(text: str) -> str | None:
    """Return the delimiter that the first line of Excel names, such as `sep=;`; None without."""
    found = _SEP_LINE.match(text)
    return None if found is None else found[1]
