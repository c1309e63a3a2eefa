"""Reader of what a query of a database returns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney._support.validation import check_name
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.log import InteractionLog

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney.log import FurtherColumns

__all__ = ["read_sql"]

_BLOCK = 50_000


def read_sql(
    query: str,
    connection: Any,
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    parameters: Sequence[object] | Mapping[str, object] | None = None,
    timestamp_format: str | None = None,
    **columns: Unpack[FurtherColumns],
) -> InteractionLog:
    """Read a log from a database: one row of the query an interaction, in any order.

    Parameters
    ----------
    query
        The query, in the language of the database.
    connection
        An open connection of ADBC, of DuckDB, or of any driver that follows PEP 249 (sqlite3,
        psycopg and others); hence Any. It stays open.
    customer, timestamp, touchpoint
        Names of the columns that every log needs.
    parameters
        Values for the placeholders of the query, as the driver takes them.
    timestamp_format
        `strptime` format of timestamps that are text; None reads ISO 8601.
    **columns
        Further columns and options: see `InteractionLog.from_frame`. Numbers need units,
        `timestamp_unit` and `duration_unit`.

    Returns
    -------
    InteractionLog

    Raises
    ------
    InvalidValue
        If `connection` is none, or the query returns no rows of columns.
    UnknownName
        If the query returns no such column; the nearest names are in the message.
    InvalidData
        If values cannot be read, with their row numbers, or two columns have one name.

    Notes
    -----
    ADBC and DuckDB hand over Arrow tables; other drivers hand over rows, which take a few times as
    long. What the driver raises about the query itself is passed on as it is.

    Examples
    --------
    >>> import sqlite3
    >>> import cxjourney as cx
    >>> connection = sqlite3.connect(":memory:")
    >>> _ = connection.execute("CREATE TABLE hits (who TEXT, at TEXT, page TEXT)")
    >>> _ = connection.execute("INSERT INTO hits VALUES ('a', '2026-01-05', 'home')")
    >>> cx.read_sql(
    ...     "SELECT * FROM hits", connection, customer="who", timestamp="at", touchpoint="page"
    ... )
    InteractionLog: 1 interaction of 1 customer at 1 touchpoint, 2026-01-05 to 2026-01-05
    """
    check_name(query, "query")
    if not hasattr(connection, "cursor"):
        rule = "be an open connection of ADBC, DuckDB or a driver that follows PEP 249"
        raise InvalidValue.of("connection", rule, type(connection).__name__)
    cursor = connection.cursor()
    try:
        if parameters is None:
            cursor.execute(query)
        else:
            cursor.execute(query, parameters)
        frame = _table(cursor)
    finally:
        cursor.close()
    return InteractionLog.from_frame(
        frame,
        customer=customer,
        timestamp=timestamp,
        touchpoint=touchpoint,
        timestamp_format=timestamp_format,
        **columns,
    )


def _table(cursor: Any) -> Any:
    """Return what a cursor found: an Arrow table where it hands one over, else lists by name."""
    if cursor.description is None:
        raise InvalidValue("query must return rows, as a SELECT does")
    names = [str(column[0]) for column in cursor.description]
    for name, n in Counter(names).items():
        if n > 1:
            raise InvalidData(f"the query returns {n} columns {name!r}: name them apart with AS")
    for fetch in ("fetch_arrow_table", "to_arrow_table"):
        if hasattr(cursor, fetch):
            return getattr(cursor, fetch)()
    columns: list[list[object]] = [[] for _ in names]
    while rows := cursor.fetchmany(_BLOCK):
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(values)
    return dict(zip(names, columns, strict=True))
