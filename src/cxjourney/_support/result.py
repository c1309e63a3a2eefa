"""The base of every result: it prints as a table, and turns into a frame or a dictionary.

A result is an `attrs.frozen(kw_only=True, repr=False)` class beside the function that returns it.
It inherits `Result`, sets `title`, and says in `_table()` and `_notes()` what to show.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cxjourney._support import serialize
from cxjourney._support.validation import check_flag, check_mapping
from cxjourney._support.words import in_agreement
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._support.table import Table


class Result:
    """Base of the frozen results: text, HTML, frame and dictionary from one table."""

    __slots__ = ()

    title: ClassVar[str] = ""

    def _table(self) -> Table:
        """Return the table that the result prints and hands over: its `table`, if it has one."""
        table: Table = self.table  # type: ignore[attr-defined]  # a field of most results
        return table

    def _shown(self) -> Table:
        """Return the table that it prints, where a wider one reads better than `_table()`."""
        return self._table()

    def _notes(self) -> tuple[str, ...]:
        """Return the assumptions and caveats that belong under the table."""
        return ()

    def _lead(self) -> str:
        """Return the answer that stands above the table; "" where the table is the answer."""
        return ""

    def _further(self) -> tuple[tuple[str, Table], ...]:
        """Return the tables that stand apart, below the notes, each with its heading."""
        return ()

    def _closing(self) -> str:
        """Return the lines that stand at the end as they are, to be copied; "" for none."""
        return ""

    def _shareable(self) -> Table:
        """Return the table without what is about few customers, where it knows them."""
        raise InvalidValue(
            "share=True needs the customers behind each row, which this result does not know; "
            "exits, transitions and paths of journeys do; journeys.graph(share=True) and "
            "cxjourney.report.journey_map(journeys, share=True) make a graph and a map of others, "
            "and cxjourney.report.build(journeys, share=True) a whole report"
        )

    def to_frame(self, backend: str | None = None, *, share: bool = False) -> Any:
        """Return the result's table as a data frame.

        The type depends on what is installed, hence Any.

        Parameters
        ----------
        backend
            "pandas", "polars" or "pyarrow"; None takes the library of the input, else pandas,
            else polars.
        share
            Whether it is to leave the house: rows that tell of fewer than five customers, or of
            all but fewer than five, become one row "other" without numbers, and columns are left
            out that could give theirs back.

        Raises
        ------
        MissingDependency
            If no data-frame library is installed.
        InvalidValue
            If `share` is asked of a result that does not know the customers behind its rows.
        """
        table = self._shareable() if check_flag(share, "share") else self._table()
        return table.to_frame(backend)

    def to_csv(self, *, share: bool = False) -> str:
        """Return the result's table as CSV text for a spreadsheet.

        Parameters
        ----------
        share
            Whether it is to leave the house, as in `to_frame`.

        Returns
        -------
        str
            What `to_frame` holds. Text stands in quotes, NaN is empty. In text that a spreadsheet
            would run as a formula, an apostrophe stands before it.

        Raises
        ------
        InvalidValue
            If `share` is asked of a result that does not know the customers behind its rows.
        """
        table = self._shareable() if check_flag(share, "share") else self._table()
        return table.to_csv()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema (draft 2020-12) of what `to_dict` returns."""
        from cxjourney._support.schema import schema_of

        return schema_of(cls)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-ready dictionary with its schema version.

        It has every field, so that it is for the house; `to_csv(share=True)` is for others.
        """
        return serialize.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the result whose `to_dict` is `data`.

        Raises
        ------
        InvalidValue
            If the dictionary is of another type or a later schema.
        """
        return serialize.from_dict(cls, data)

    def __repr__(self) -> str:
        notes = map(in_agreement, self._notes())
        parts = [
            self.title,
            in_agreement(self._lead()),
            self._shown().to_text(),
            *(f"* {note}" for note in notes),
            *(f"\n{heading}\n{table.to_text()}" for heading, table in self._further()),
            (closing := self._closing()) and f"\n{closing}",
        ]
        return "\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(in_agreement(note))}</li>" for note in self._notes())
        lead = html.escape(in_agreement(self._lead()))
        further = (table.to_html(caption=heading) for heading, table in self._further())
        closing = html.escape(self._closing())
        return (
            f"<div><p><strong>{html.escape(self.title)}</strong></p>{lead and f'<p>{lead}</p>'}"
            f"{self._shown().to_html()}{f'<ul>{notes}</ul>' if notes else ''}"
            f"{''.join(further)}{closing and f'<pre>{closing}</pre>'}</div>"
        )


def result_from_dict(data: Mapping[str, Any]) -> Result:
    """Return the result whose `to_dict` is `data`, whatever its class.

    Raises
    ------
    InvalidValue
        If no result that has been imported is of the type that it names.
    """
    name = check_mapping(data, "data").get("type")
    cls = serialize.subclass_named(Result, name)
    if cls is not None:
        return cls.from_dict(data)
    raise InvalidValue.of("type", "be that of a result", name)
