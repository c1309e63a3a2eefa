from __future__ import annotations

import sqlite3
from datetime import timedelta
from types import SimpleNamespace

import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName

ROWS = [
    ("7", "2026-01-05 09:00:00", "view", 1.5, None),
    ("a", "2026-01-05 10:00:00", "buy", None, "web"),
    ("7", "2026-01-06 00:00:00", "view", None, "web"),
]
ROLES = {"customer": "who", "timestamp": "at", "touchpoint": "what"}
NAMES = ("who", "at", "what", "worth", "channel")
EXPECTED = cx.InteractionLog.from_frame(
    {name: [row[i] for row in ROWS] for i, name in enumerate(NAMES)},
    **ROLES,
    value="worth",
    channel="channel",
)
QUERY = "SELECT * FROM hits"


@pytest.fixture
def database(tmp_path):
    file = tmp_path / "shop.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE hits (who TEXT, at TEXT, what TEXT, worth REAL, channel TEXT)")
    connection.executemany("INSERT INTO hits VALUES (?, ?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    return file


def test_a_driver_of_rows_gives_the_log_of_the_frame(database):
    connection = sqlite3.connect(database)
    assert cx.read_sql(QUERY, connection, **ROLES, value="worth", channel="channel") == EXPECTED
    assert connection.execute("SELECT count(*) FROM hits").fetchone() == (3,)  # still open
    some = cx.read_sql(f"{QUERY} WHERE who = ?", connection, parameters=("a",), **ROLES)
    assert some.customer_ids == ("a",)
    none = cx.read_sql(f"{QUERY} WHERE who = 'z'", connection, **ROLES)
    assert len(none) == 0


def test_adbc_gives_the_same(database):
    from adbc_driver_sqlite import dbapi

    with dbapi.connect(str(database)) as connection:
        assert cx.read_sql(QUERY, connection, **ROLES, value="worth", channel="channel") == EXPECTED
        some = cx.read_sql(f"{QUERY} WHERE who = ?", connection, parameters=("a",), **ROLES)
    assert some.customer_ids == ("a",)


def test_duckdb_gives_the_same(database):
    import duckdb

    connection = duckdb.connect()
    connection.execute(
        'CREATE TABLE hits (who TEXT, "at" TIMESTAMP, what TEXT, worth DOUBLE, channel TEXT)'
    )
    connection.executemany("INSERT INTO hits VALUES (?, ?, ?, ?, ?)", ROWS)
    assert cx.read_sql(QUERY, connection, **ROLES, value="worth", channel="channel") == EXPECTED


def test_what_is_no_table_is_refused(database):
    connection = sqlite3.connect(database)
    with pytest.raises(UnknownName, match="did you mean 'who' or 'what'"):
        cx.read_sql(QUERY, connection, customer="who", timestamp="at", touchpoint="whot")
    with pytest.raises(InvalidData, match="2 columns 'who'"):
        cx.read_sql("SELECT who, at, what, who FROM hits", connection, **ROLES)
    with pytest.raises(InvalidValue, match="query must return rows"):
        cx.read_sql("DELETE FROM hits WHERE who = 'z'", connection, **ROLES)
    with pytest.raises(InvalidValue, match="connection must be a connection of ADBC"):
        cx.read_sql(QUERY, "shop.db", **ROLES)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        cx.read_sql("SELECT * FROM visits", connection, **ROLES)


class _Cursor:
    """A cursor that hands over an Arrow table, as one of ADBC does."""

    def __init__(self, table):
        self.table = table
        self.description = [(name,) for name in table.column_names]

    def execute(self, *_): ...

    def close(self): ...

    def fetch_arrow_table(self):
        return self.table


@pytest.mark.parametrize("known", [True, False])
def test_what_adbc_hands_over_of_postgresql_is_read(known):
    import pyarrow as pa

    digits = pa.array(["1234.50", None])
    told = None
    if known and hasattr(pa, "opaque"):
        digits = pa.ExtensionArray.from_storage(
            pa.opaque(pa.string(), "numeric", "PostgreSQL"), digits
        )
    else:  # as before pyarrow 18, which does not know the extension
        told = {"ARROW:extension:name": "arrow.opaque",
                "ARROW:extension:metadata": '{"type_name": "numeric"}'}  # fmt: skip
    lengths = pa.array(
        [pa.MonthDayNano([0, 1, 90_000_000_000]), None], pa.month_day_nano_interval()
    )
    schema = pa.schema(
        [("who", pa.string()), ("at", pa.string()), ("what", pa.string()),
         pa.field("worth", digits.type, metadata=told), ("took", lengths.type)]
    )  # fmt: skip
    names = [["a", "b"], ["2026-01-01", "2026-01-02"], ["x", "y"]]
    table = pa.table([*map(pa.array, names), digits, lengths], schema=schema)
    connection = SimpleNamespace(cursor=lambda: _Cursor(table))
    log = cx.read_sql(QUERY, connection, **ROLES, value="worth", duration="took")
    assert [(i.value, i.duration) for i in log.interactions()] == [
        (1234.5, timedelta(days=1, seconds=90)), (None, None)
    ]  # fmt: skip
    months = pa.array([pa.MonthDayNano([1, 0, 0]), None], pa.month_day_nano_interval())
    table = table.set_column(4, "took", months)
    with pytest.raises(InvalidValue, match="have no months or years"):
        cx.read_sql(QUERY, connection, **ROLES, duration="took")
