"""Counts by SQL against the library's own, on the same interactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import (
    CxJourneyError,
    DataQualityWarning,
    InvalidData,
    InvalidValue,
    NotAFlow,
    ReservedName,
    UnknownName,
)

from .engines import (
    AUTUMN,
    CUSTOMERS,
    HOURS,
    KEYS,
    LIMIT,
    PAGES,
    START,
    by_query,
    facts,
    in_duckdb,
    in_memory,
)

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")


def outcome_of(make: Callable[[], cx.JourneyGraph]) -> Any:
    """Return what a graph says, or the kind of error that came instead of it."""
    try:
        return facts(make())
    except CxJourneyError as error:
        return type(error)


# ---------------------------------------------------------------- made logs


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(0, 25))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    hours = column(st.sampled_from([*HOURS, None]))
    season = draw(st.sampled_from([timedelta(), AUTUMN]))
    zone = draw(st.sampled_from([None, "UTC", "Asia/Tokyo"]))
    at = [None if h is None else START + season + timedelta(hours=h) for h in hours]
    return pa.table(
        {
            "who": pa.array(column(st.sampled_from(CUSTOMERS)), pa.string()),
            "at": pa.array(at, pa.timestamp("us", zone)),
            "page": pa.array(column(st.sampled_from(PAGES)), pa.string()),
            "n": pa.array(column(st.sampled_from([None, -1, 0, 2])), pa.int64()),
        }
    )


RULES = st.fixed_dictionaries(
    {
        "goal": st.sampled_from([None, "buy", ["buy", "cart"], "\u00e9t\u00e9"]),
        "inactivity": st.sampled_from([None, LIMIT, timedelta(hours=1)]),
        "exit_touchpoints": st.sampled_from([(), "leave", ["leave", "it's \\ \"; --", "0"]]),
        "all_closed": st.booleans(),
    }
)
READING = st.fixed_dictionaries(
    {
        "seq": st.sampled_from([None, "n"]),
        "missing": st.sampled_from(["drop", "drop", "drop", "refuse"]),
        "tz": st.sampled_from(["UTC", "Europe/Prague", "Australia/Lord_Howe"]),
        "observed_until": st.sampled_from([None, "2024-04-02", "2024-11-02T00:30"]),
    }
)


@QUIET
@given(table=tables(), rules=RULES, reading=READING)
def test_counts_of_made_logs_are_those_of_the_library(table, rules, reading):
    expected = outcome_of(lambda: in_memory(table, rules, **reading))
    assert outcome_of(lambda: by_query(in_duckdb, table, rules, **reading)) == expected


def test_a_sum_by_hand(worked_days):
    rows = [(who, page, day) for who, visits in worked_days.items() for page, day in visits]
    first = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "who": [who for who, _, _ in rows],
            "page": [page for _, page, _ in rows],
            "at": [first + timedelta(days=day) for _, _, day in rows],
        }
    )
    rules = {"goal": "buy", "inactivity": timedelta(days=7)}
    graph = by_query(in_duckdb, table, rules, observed_until="2026-01-21")
    edges, nodes, told = facts(graph)
    assert edges == {
        (cx.START, "ad"): 2, (cx.START, "web"): 3, (cx.START, "store"): 2,
        (cx.START, cx.CONVERSION): 1, ("ad", "web"): 2, ("web", "web"): 1,
        ("web", cx.CONVERSION): 2, ("web", cx.DROPOFF): 2, ("store", cx.DROPOFF): 1,
    }  # fmt: skip
    assert {name: nodes[name]["censored"] for name in ("ad", "web", "store")} == {
        "ad": 0, "web": 1, "store": 1,
    }  # fmt: skip
    assert nodes["web"]["journeys"] == 5
    assert [told[f"n_{end}"] for end in ("converted", "dropped", "in_progress")] == [3, 3, 2]


# ---------------------------------------------------------------- hostile names

NAMES = (
    'we"ird',
    "b`tick",
    "a;--",
    "select",
    "with space",
    "x' OR '1'='1",
    "semi\\",
    "\u00fcml\u00e4ut",
    "%s :p",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_tables_and_columns_are_quoted(name):
    other = f"{name} 2"
    table = pa.table({name: ["a", "a"], other: [START, START + LIMIT], "page": ["web", name]})
    query = cx.sharded.counts_query(
        ("main", name),
        customer=name,
        timestamp=other,
        touchpoint="page",
        goal=name,
        dialect="duckdb",
    )
    with duckdb.connect() as connection:
        quoted = name.replace('"', '""')
        connection.register("given", table)
        connection.execute(f'CREATE TABLE "{quoted}" AS FROM given')
        graph = query.graph(connection.execute(query.sql).fetchall())
        assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchone() == (1,)
    assert facts(graph)[0] == {(cx.START, "web"): 1, ("web", cx.CONVERSION): 1}


def test_collations_of_the_database_change_nothing():
    table = pa.table(
        {"who": ["a", "A", "a"], "page": ["Web", "web", "web"], "at": [START, START, START + LIMIT]}
    )

    def run(table: pa.Table, query: cx.sharded.CountsQuery) -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            connection.execute("SET default_collation = 'nocase'")
            columns = '"who" VARCHAR COLLATE nocase, "page" VARCHAR, "at" TIMESTAMP'
            connection.execute(f"CREATE TABLE events ({columns})")
            connection.register("given", table)
            connection.execute('INSERT INTO events SELECT who, page, "at" FROM given')
            return connection.execute(query.sql).fetchall()

    rules = {"goal": "web"}
    assert facts(by_query(run, table, rules)) == facts(in_memory(table, rules))


# ---------------------------------------------------------------- what is refused


def query_of(**arguments: Any) -> cx.sharded.CountsQuery:
    return cx.sharded.counts_query("events", **(KEYS | {"dialect": "duckdb"} | arguments))


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (
            {"dialect": "mysql"},
            InvalidValue,
            "dialect must be one of 'duckdb', 'postgresql', 'spark'",
        ),
        ({"customer": ""}, InvalidValue, "non-empty str"),
        ({"touchpoint": "a\0b"}, InvalidValue, "without NUL"),
        ({"timestamp": 3}, InvalidValue, "timestamp= must be a name"),
        ({"tz": "Mars"}, UnknownName, "time zone 'Mars'"),
        ({"inactivity": 3}, InvalidValue, "inactivity must be a timedelta"),
        ({"goal": "a", "exit_touchpoints": "a"}, InvalidValue, "not name a goal"),
        ({"missing": "keep"}, InvalidValue, "missing must be one of"),
        ({"all_closed": 1}, InvalidValue, "all_closed must be True or False"),
    ],
)
def test_wrong_arguments_are_refused(wrong, error, says):
    with pytest.raises(error, match=says):
        query_of(**wrong)


@pytest.mark.parametrize("parts", [(), 3, ("main", 3)])
def test_a_table_has_a_name(parts):
    with pytest.raises(InvalidValue, match="table"):
        cx.sharded.counts_query(parts, **KEYS, dialect="duckdb")


@pytest.mark.parametrize(
    ("columns", "role"),
    [
        ({"who": [1.5, 2.0]}, "customer"),
        ({"who": [True, False]}, "customer"),
        ({"page": [1.5, 2.0]}, "touchpoint"),
        ({"at": ["2024-01-01", "2024-01-02"]}, "timestamp"),
        ({"n": [1.0, 2.0]}, "seq"),
    ],
)
def test_types_that_sql_reads_otherwise_are_refused(columns, role):
    given = {"who": ["a", "a"], "page": ["x", "y"], "at": [START, START + LIMIT], "n": [1, 2]}
    with pytest.raises(InvalidValue, match=f"the column of {role}= must be of"):
        by_query(in_duckdb, pa.table(given | columns), {}, seq="n")


def test_whole_numbers_days_and_categories_are_read_as_the_library_reads_them():
    days = pa.array([START, START + LIMIT, START], pa.timestamp("us")).cast(pa.date32())
    table = pa.table({"who": [7, 7, 12], "page": [1, 2, 1], "at": days})
    assert facts(by_query(in_duckdb, table, {"inactivity": LIMIT})) == facts(
        in_memory(table, {"inactivity": LIMIT})
    )


def test_missing_unknown_and_reserved_names_are_said():
    table = pa.table({"who": ["a", None], "page": ["web", "web"], "at": [START, START]})
    with pytest.raises(InvalidData, match="customer is missing in 1 row"):
        by_query(in_duckdb, table, {})
    with pytest.raises(UnknownName, match="goal 'wev' is not in the table; did you mean 'web'"):
        by_query(in_duckdb, table, {"goal": "wev"}, missing="drop")
    with pytest.raises(ReservedName, match="__start__"):
        by_query(in_duckdb, table.set_column(1, "page", [["__start__", "web"]]), {}, missing="drop")


def test_ties_and_late_interactions_are_told():
    table = pa.table({"who": ["a", "a"], "page": ["web", "app"], "at": [START, START]})
    with pytest.warns(DataQualityWarning, match="1 of 2 interactions have the customer and the"):
        by_query(in_duckdb, table, {})
    with pytest.warns(DataQualityWarning, match="2 interactions lie after observed_until"):
        by_query(
            in_duckdb, table.append_column("n", [[1, 2]]), {}, seq="n", observed_until="2023-01-01"
        )


def test_rows_that_are_not_those_of_the_query_are_refused():
    table = pa.table({"who": ["a", "a"], "page": ["web", "app"], "at": [START, START + LIMIT]})
    query = query_of()
    rows = in_duckdb(table, query)
    as_text = [["" if cell is None else str(cell) for cell in row] for row in reversed(rows)]
    assert facts(query.graph(as_text)) == facts(query.graph(rows))  # as a CSV file has them
    with pytest.raises(InvalidValue, match="the number of interactions is not there"):
        query.graph([])
    with pytest.raises(InvalidValue, match="hold each count once"):
        query.graph([*rows, rows[0]])
    with pytest.raises(InvalidValue, match="be those of the query"):
        query.graph([("edge", "web")])
    with pytest.raises(NotAFlow):
        query.graph([row for row in rows if row[:3] != ("edge", cx.START, "web")])
