"""A small frozen table of columns: what every result prints, serialises and hands over."""

from __future__ import annotations

import html
import math
import unicodedata
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cxjourney._support.mapping import FrozenMapping
from cxjourney._support.optional import require
from cxjourney._support.spreadsheet import csv_text
from cxjourney._support.text import visible
from cxjourney.exceptions import InvalidValue, MissingDependency, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Cell = str | int | float | bool | None

_BACKENDS = ("pandas", "polars", "pyarrow")
_MAX_WIDTH = 40
_MAX_PAGE_WIDTH = 200  # a page breaks lines by itself


class Table:
    """Named columns of equal length, read-only.

    Parameters
    ----------
    columns
        Name to values. Numbers become NumPy arrays; anything else stays a tuple of str.
    formats
        Name to kind of display: "percent", "number", "integer", "money", "duration" (of a column
        in seconds); others are guessed.
    backend
        The dataframe library that `to_frame` prefers: that of the input.
    """

    __slots__ = ("_columns", "_formats", "backend")

    def __init__(
        self,
        columns: Mapping[str, Any],
        *,
        formats: Mapping[str, str] | None = None,
        backend: str | None = None,
    ) -> None:
        self._columns: dict[str, NDArray[Any] | tuple[str, ...]] = {
            name: _column(values) for name, values in columns.items()
        }
        if len({len(c) for c in self._columns.values()}) > 1:
            lengths = {name: len(c) for name, c in self._columns.items()}
            raise InvalidValue.of("columns", "have one length", lengths)
        self._formats = dict(formats or {})
        self.backend = backend

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, name: str) -> NDArray[Any] | tuple[str, ...]:
        try:
            return self._columns[name]
        except KeyError:
            raise UnknownName.among("column", name, self._columns, where="the table") from None

    def __iter__(self) -> Iterator[dict[str, Cell]]:
        for i in range(len(self)):
            yield self.row(i)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return NotImplemented
        return self.column_names == other.column_names and all(
            _columns_equal(self[name], other[name]) for name in self._columns
        )

    __hash__ = None  # type: ignore[assignment]  # equality is by value, and values are arrays

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self._columns)

    @property
    def formats(self) -> Mapping[str, str]:
        """Kind of display of each column that has one."""
        return FrozenMapping(self._formats)

    def row(self, i: int) -> dict[str, Cell]:
        """Return row `i` as plain Python values; NaN stays NaN."""
        return {name: _plain(values[i]) for name, values in self._columns.items()}

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> Self:
        """Return the table of these rows, in this order."""
        index = np.asarray(rows, dtype=np.intp)
        columns: dict[str, Any] = {
            name: values[index]
            if isinstance(values, np.ndarray)
            else tuple(values[i] for i in index)
            for name, values in self._columns.items()
        }
        return type(self)(columns, formats=self._formats, backend=self.backend)

    def select(self, names: Sequence[str]) -> Self:
        """Return the table of these columns, in this order."""
        columns = {name: self[name] for name in names}
        return type(self)(columns, formats=self._formats, backend=self.backend)

    def renamed(self, words: Mapping[str, str]) -> Self:
        """Return the table with these strings said in other words, wherever they stand."""
        columns: dict[str, Any] = {
            name: values
            if isinstance(values, np.ndarray)
            else tuple(words.get(text, text) for text in values)
            for name, values in self._columns.items()
        }
        return type(self)(columns, formats=self._formats, backend=self.backend)

    @classmethod
    def below(cls, tables: Sequence[Table], *, leading: Mapping[str, Sequence[Cell]]) -> Table:
        """Return tables of the same columns one below the other, with `leading` ones in front."""
        lengths = [len(table) for table in tables]
        columns: dict[str, Any] = {
            name: [value for value, n in zip(values, lengths, strict=True) for _ in range(n)]
            for name, values in leading.items()
        }
        for name in tables[0].column_names:
            parts = [table[name] for table in tables]
            if any(isinstance(part, tuple) for part in parts):
                columns[name] = tuple(value for part in parts for value in part)
            else:
                columns[name] = np.concatenate(parts)
        return cls(columns, formats=tables[0].formats, backend=tables[0].backend)

    def to_frame(self, backend: str | None = None) -> Any:
        """Return the table as a data frame; see `Result.to_frame`."""
        import narwhals as nw

        if backend is not None and backend not in _BACKENDS:
            rule = f"be one of {', '.join(map(repr, _BACKENDS))}, or None"
            raise InvalidValue.of("backend", rule, backend, choices=_BACKENDS)
        wanted = backend or self.backend
        candidates = (wanted,) if wanted in _BACKENDS else ("pandas", "polars")
        data = {
            name: values if isinstance(values, np.ndarray) else list(values)
            for name, values in self._columns.items()
        }
        for candidate in candidates:
            try:
                require(candidate, extra="test", caller="to_frame()")
            except MissingDependency:
                continue
            return nw.from_dict(data, backend=candidate).to_native()  # type: ignore[arg-type]  # checked above
        raise MissingDependency(
            f"to_frame() needs {' or '.join(map(str, candidates))}: "
            f"python -m pip install {candidates[0]}"
        )

    def to_dict(self) -> dict[str, list[Cell]]:
        """Return columns as lists of plain values; NaN becomes None, as JSON has no NaN."""
        return {name: [_json(_plain(v)) for v in values] for name, values in self._columns.items()}

    @classmethod
    def from_dict(
        cls, columns: Mapping[str, Sequence[Cell]], *, formats: Mapping[str, str] | None = None
    ) -> Self:
        """Return the table whose `to_dict` is `columns`; None among numbers becomes NaN."""
        return cls({n: _from_json(v) for n, v in columns.items()}, formats=formats)

    def to_csv(self) -> str:
        """Return the table as CSV text for a spreadsheet; see `Result.to_csv`."""
        rows = (self.row(i).values() for i in range(len(self)))
        return csv_text(self.column_names, rows)

    def to_text(self, *, max_rows: int = 30) -> str:
        """Return the table as aligned ASCII columns, control characters made visible."""
        names = list(self._columns)
        if not names:
            return ""
        shown = min(len(self), max_rows)
        room = {n: _MAX_PAGE_WIDTH for n, kind in self._formats.items() if kind == "sentence"}
        cells = [
            [_visible(self._cell(name, i), width=room.get(name, _MAX_WIDTH)) for name in names]
            for i in range(shown)
        ]
        widths = [
            max([_width(name), *(_width(row[k]) for row in cells)]) for k, name in enumerate(names)
        ]
        numeric = [isinstance(self._columns[name], np.ndarray) for name in names]
        lines = [_line(names, widths, numeric), "  ".join("-" * w for w in widths)]
        lines += [_line(row, widths, numeric) for row in cells]
        if shown < len(self):
            lines.append(f"... {len(self) - shown:,} more rows")
        return "\n".join(line.rstrip() for line in lines)

    def to_html(self, *, max_rows: int = 60, caption: str = "") -> str:
        """Return the table as escaped HTML."""
        head = "".join(
            f'<th scope="col"{_NUMERIC if isinstance(values, np.ndarray) else ""}>'
            f"{html.escape(_visible(self._heading(name)))}</th>"
            for name, values in self._columns.items()
        )
        body = []
        for i in range(min(len(self), max_rows)):
            cells = "".join(
                f"<td{_NUMERIC if isinstance(values, np.ndarray) else ''}>"
                f"{breakable(html.escape(self._wide_cell(name, i)))}</td>"
                for name, values in self._columns.items()
            )
            body.append(f"<tr>{cells}</tr>")
        if len(self) > max_rows:
            body.append(
                f'<tr><td colspan="{len(self._columns)}">'
                f"… {len(self) - max_rows:,} more rows</td></tr>"
            )
        shown = html.escape(_visible(caption, width=_MAX_PAGE_WIDTH))
        title = f"<caption>{shown}</caption>" if caption else ""
        return (
            f'<table class="cxjourney">{title}<thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def _heading(self, name: str) -> str:
        """Return the heading of a column on a page, which shows times in units of their own."""
        return name.removesuffix("_s") if self._formats.get(name) == "duration" else name

    def _wide_cell(self, name: str, i: int) -> str:
        return _visible(self._cell(name, i), width=_MAX_PAGE_WIDTH)

    def _cell(self, name: str, i: int) -> str:
        return format_value(self._columns[name][i], self._formats.get(name))


_NUMERIC = ' style="text-align:right;white-space:nowrap"'


def breakable(escaped: str) -> str:
    """Return escaped HTML in which a line may break after underscores, as between words."""
    return escaped.replace("_", "_<wbr>")


def format_value(value: Any, kind: str | None = None) -> str:
    """Return a value for display: 3 significant figures, percent where `kind` says so."""
    if value is None:
        return "-"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)) and kind != "duration":
        return f"{int(value):,}"
    if isinstance(value, (int, float, np.number)):
        number = float(value)
        if math.isnan(number):
            return "-"
        if math.isinf(number):
            return "inf" if number > 0 else "-inf"
        if kind == "percent":
            return f"{100 * number:.1f}%".replace("-0.0%", "0.0%")
        if kind == "integer":
            return f"{number:,.0f}"
        if kind == "money":
            return f"{number:,.2f}"
        if kind == "duration":
            return _duration(number)
        if abs(number) >= 1000:
            return f"{number:,.0f}"
        return f"{number:.3g}"
    return str(value)


_LONGEST = (("d", 86_400), ("h", 3_600), ("min", 60))


def _duration(seconds: float) -> str:
    """Return seconds in the largest unit of which there are two, to three figures."""
    unit, size = next((u for u in _LONGEST if abs(seconds) >= 2 * u[1]), ("s", 1))
    return f"{format_value(seconds / size)} {unit}"


def _column(values: Any) -> NDArray[Any] | tuple[str, ...]:
    if not isinstance(values, np.ndarray):
        values = list(values)
        if not values or any(isinstance(v, str) or v is None for v in values):
            return tuple("" if v is None else str(v) for v in values)
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        return tuple("" if v is None else str(v) for v in array.tolist())
    if array.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    return array


def _columns_equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        floats = a.dtype.kind == "f" and b.dtype.kind == "f"
        return bool(np.array_equal(a, b, equal_nan=floats))
    return len(a) == len(b) and tuple(a) == tuple(b)


def _plain(value: Any) -> Cell:
    plain: Cell = value.item() if isinstance(value, np.generic) else value
    return plain


def _json(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _from_json(values: Sequence[Cell]) -> Any:
    if any(isinstance(v, str) for v in values):
        return tuple("" if v is None else str(v) for v in values)
    if any(v is None or isinstance(v, float) for v in values):
        return np.array([math.nan if v is None else float(v) for v in values])
    return np.array(values) if values else ()


def _visible(text: str, *, width: int = _MAX_WIDTH) -> str:
    """Return text that is safe to print, cut to a width."""
    out = visible(text)
    return out if len(out) <= width else out[: width - 1] + "…"


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    out = []
    for text, width, right in zip(cells, widths, numeric, strict=True):
        pad = " " * (width - _width(text))
        out.append(pad + text if right else text + pad)
    return "  ".join(out)
