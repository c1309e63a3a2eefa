"""Reader of what a query of a database returns."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from json import loads
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney._support.validation import check_name
from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.log import InteractionLog
from cxjourney.privacy import forgetting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjourney.log import FurtherColumns

_BLOCK = 50_000
_NO_ROWS = "query must return rows, as a SELECT does"


@forgetting
def read_sql(
    query: str,
    connection: Any,
    *,
    customer: str,
    timestamp: str | None,
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
        rule = "be a connection of ADBC, of DuckDB or of a driver that follows PEP 249"
        raise InvalidValue.of("connection", rule, type(connection).__name__)
    frame = _of_duckdb if hasattr(connection, "sql") else _of_cursor
    return InteractionLog.from_frame(
        frame(query, connection, parameters),
        customer=customer,
        timestamp=timestamp,
        touchpoint=touchpoint,
        timestamp_format=timestamp_format,
        **columns,
    )


def _of_duckdb(query: str, connection: Any, parameters: Any) -> Any:
    relation = connection.sql(query, params=parameters)
    if relation is None:
        raise InvalidValue(_NO_ROWS)
    _refuse_repeated(relation.columns)
    return relation


def _of_cursor(query: str, connection: Any, parameters: Any) -> Any:
    """Return what a cursor finds: an Arrow table where it hands one over, else lists by name."""
    cursor = connection.cursor()
    try:
        cursor.execute(query, *(() if parameters is None else (parameters,)))
        if cursor.description is None:
            raise InvalidValue(_NO_ROWS)
        names = [str(column[0]) for column in cursor.description]
        _refuse_repeated(names)
        if hasattr(cursor, "fetch_arrow_table"):
            return _plain(cursor.fetch_arrow_table())
        columns: list[list[object]] = [[] for _ in names]
        while rows := cursor.fetchmany(_BLOCK):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
    finally:
        cursor.close()
    return dict(zip(names, columns, strict=True))


def _plain(table: Any) -> Any:
    """Return an Arrow table whose numerics of PostgreSQL are numbers, and intervals durations."""
    import pyarrow as pa

    for i, field in enumerate(table.schema):
        if _type_name(field) == "numeric":  # ADBC hands over its digits as a string
            column = table.column(i).cast(pa.string()).cast(pa.float64())
        elif field.type == pa.month_day_nano_interval():
            column = pa.array(map(_length, table.column(i).to_pylist()), pa.duration("us"))
        else:
            continue
        table = table.set_column(i, field.name, column)
    return table


def _type_name(field: Any) -> str | None:
    """Return what a database calls the type of an Arrow field that is opaque to Arrow."""
    if hasattr(field.type, "type_name"):
        return str(field.type.type_name)
    told = (field.metadata or {}).get(b"ARROW:extension:metadata")  # before pyarrow 18
    return loads(told).get("type_name") if told and told.startswith(b"{") else None


def _length(interval: Any) -> timedelta | None:
    if interval is None:
        return None
    if interval.months:
        raise InvalidValue.of(
            "an interval", "have no months or years, which have no length", "INTERVAL"
        )
    return timedelta(days=interval.days, microseconds=interval.nanoseconds // 1000)


def _refuse_repeated(names: Sequence[str]) -> None:
    for name, n in Counter(names).items():
        if n > 1:
            raise InvalidData(f"the query returns {n} columns {name!r}: name them apart with AS")
