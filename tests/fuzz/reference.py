"""The rows of a CSV file by a plain walk over its characters, and the text of ids."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

BREAKS = "\r\n"


class MalformedError(Exception):
    """A text that is no CSV with this delimiter."""


def records(text: str, delimiter: str) -> list[list[str | None]]:
    """Return the cells of each record that is no blank line; None where one is empty, unquoted."""
    rows: list[list[str | None]] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in BREAKS:
            at += 1
            continue
        row: list[str | None] = []
        while True:
            start = at
            while at < end and text[at] == " " != delimiter:
                at += 1
            if at < end and text[at] == '"':
                cell, at = _quoted(text, at + 1)
                while at < end and text[at] == " " != delimiter:
                    at += 1
                if at < end and text[at] not in BREAKS + delimiter:
                    raise MalformedError("text after a closing quote")
                row.append(cell)
            else:
                while at < end and text[at] not in BREAKS + delimiter:
                    at += 1
                row.append(text[start:at] or None)
            if at < end and text[at] == delimiter:
                at += 1
                if at == end:
                    row.append(None)
                    break
                continue
            break
        rows.append(row)
    return rows


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts = []
    while True:
        close = text.find('"', at)
        if close < 0:
            raise MalformedError("a quote that is not closed")
        parts.append(text[at:close])
        if text[close + 1 : close + 2] != '"':
            return "".join(parts), close + 1
        parts.append('"')
        at = close + 2


def id_of(value: Any) -> str | None:
    """Return the text of an id, None where it is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return str(value)
    text = str(value)
    return text if text.strip() else None
