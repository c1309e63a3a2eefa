"""Tables of the page: headings in words, and the ends of an interval in one column."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney._support.table import breakable
from cxjourney._support.text import visible
from cxjourney.domain import MISSING
from cxjourney.report._catalogue import cell, heading, number, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxjourney._support.table import Table

    Column = tuple[str, Callable[[int], str]]  # its head, and its cells

MOST_ROWS = 400
_MANY = 10  # columns that paper takes in letters of the usual size
_LONGEST = 200  # letters of a cell
_NUMERIC = ' class="n"'


def table_html(table: Table, caption: str) -> str:
    """Return a table as escaped HTML, with headings in words.

    Two columns with the ends of an interval become one, "likely between". A cell whose text is not
    its value carries the value as well: tables are sorted by it, and files of them hold it.
    """
    columns = list(_columns(table))
    n = min(len(table), MOST_ROWS)
    body = "".join(f"<tr>{''.join(made(i) for _, made in columns)}</tr>" for i in range(n))
    if len(table) > n:
        more = _safe(say("page.more_rows", n=len(table) - n))
        body += f'<tr class="more"><td colspan="{len(columns)}">{more}</td></tr>'
    head = "".join(head for head, _ in columns)
    wide = " wide" if len(columns) > _MANY else ""
    title = f"<caption>{_safe(caption)}</caption>" if caption else ""
    return (
        f'<table class="cxjourney sortable{wide}">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _columns(table: Table) -> Iterator[Column]:
    names = table.column_names
    pairs = dict(filter(None, (_pair(name, names) for name in names)))  # base to both ends
    ends = {end for pair in pairs.values() for end in pair}
    for name in names:
        if name not in ends:
            yield _column(table, name)
        base = next((b for b, pair in pairs.items() if name == (b or pair[1])), None)
        if base is not None:
            before = [one for one in names[: names.index(name)] if one not in ends]
            yield _interval(table, pairs[base], base or before[-1] if before or base else "")


def _pair(name: str, names: tuple[str, ...]) -> tuple[str, tuple[str, str]] | None:
    """Return the column whose interval begins in this one, and the two that hold its ends."""
    words = name.split("_")
    if "low" not in words or (high := name.replace("low", "high")) not in names:
        return None
    base = "_".join(word for word in words if word != "low")
    base = next((one for one in (f"{base}_rate", base) if one in names), "")
    return base, (name, high)


def _column(table: Table, name: str) -> Column:
    values, kind = table[name], table.formats.get(name)
    title = heading(name)
    if not isinstance(values, np.ndarray):
        tag = "th" if name == table.column_names[0] else "td"
        scope = ' scope="row"' if tag == "th" else ""
        return _head(title), lambda i: f"<{tag}{scope}>{_safe(cell(str(values[i])))}</{tag}>"

    def made(i: int) -> str:
        return f'<td class="n"{_value("v", values[i])}>{_safe(number(values[i], kind))}</td>'

    file = say("table.seconds", column=title) if kind == "duration" else title
    return _head(title, numeric=True, file=file), made


def _interval(table: Table, ends: tuple[str, str], base: str) -> Column:
    (low, high), kind = (table[end] for end in ends), table.formats.get(ends[0])

    def made(i: int) -> str:
        shown = say("number.none")
        if not (math.isnan(low[i]) or math.isnan(high[i])):  # type: ignore[arg-type]  # numbers
            shown = say("number.span", low=number(low[i], kind), high=number(high[i], kind))
        values = _value("v", low[i]) + _value("w", high[i])
        return f'<td class="n"{values}>{_safe(shown)}</td>'

    of = heading(base)
    file = "|".join(say(f"table.{end}", column=of) for end in ("lower", "upper"))
    return _head(say("table.between"), numeric=True, file=file), made


def _head(title: str, *, numeric: bool = False, file: str = "") -> str:
    further = f' data-file="{html.escape(visible(file))}"' if file and file != title else ""
    return f'<th scope="col"{_NUMERIC if numeric else ""}{further}>{_safe(title)}</th>'


def _value(name: str, value: Any) -> str:
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool) or not math.isfinite(number):
        return ""
    return f' data-{name}="{number:.12g}"'


def _safe(text: str) -> str:
    """Return text that a page can show: what could hide is visible, and long names may break."""
    shown = visible(text).replace(MISSING, say("page.missing"))
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
    return breakable(html.escape(shown))
