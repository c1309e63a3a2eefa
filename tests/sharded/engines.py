"""The engines that run the query of counts, each on a table of its own, and the logs."""

from __future__ import annotations

import importlib.util
import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import cxjourney as cx

if TYPE_CHECKING:
    from pathlib import Path

KEYS = {"customer": "who", "timestamp": "at", "touchpoint": "page"}
OF_NODES = ("kind", "visits", "journeys", "starts", "conversions", "exits", "censored")
OF_GRAPHS = (
    "grain", "goal", "inactivity_us", "observed_until", "absorbing", "determined", "n_journeys",
    "n_converted", "n_dropped", "n_in_progress",
)  # fmt: skip
Run = Callable[[pa.Table, cx.sharded.CountsQuery], Iterable[Sequence[Any]]]


def facts(graph: cx.JourneyGraph) -> tuple[dict[Any, Any], ...]:
    """Return all that a graph says of counts; edges that nobody took are left out."""
    return (
        {(u, v): count for u, v, count in graph.edges(data="count") if count},
        {name: {key: node.get(key) for key in OF_NODES} for name, node in graph.nodes(data=True)},
        {key: graph.graph.get(key) for key in OF_GRAPHS},
    )


def in_memory(table: pa.Table, rules: dict[str, Any], **reading: Any) -> cx.JourneyGraph:
    """Return the library's graph of interactions that ties leave in the order of their names."""
    names = [str(name) for name in table["page"].to_pylist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    log = cx.InteractionLog.from_frame(table.take(pa.array(order, pa.int64())), **KEYS, **reading)
    return log.journeys(**rules).graph()


def by_query(
    run: Run, table: pa.Table, rules: dict[str, Any], dialect: Any = "duckdb", **reading: Any
) -> cx.JourneyGraph:
    query = cx.sharded.counts_query("events", **KEYS, **rules, **reading, dialect=dialect)
    return query.graph(run(table, query))


# ---------------------------------------------------------------- engines


def in_duckdb(table: pa.Table, query: cx.sharded.CountsQuery) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.register("given", table)
        connection.execute("CREATE TABLE events AS FROM given")
        return connection.execute(query.sql).fetchall()


def in_postgres(address: str) -> Run:
    import psycopg

    kinds = {pa.string(): "text", pa.int64(): "bigint", pa.date32(): "date"}

    def kind(of: pa.DataType) -> str:
        if pa.types.is_timestamp(of):
            return "timestamp" if of.tz is None else "timestamptz"
        return kinds[of]

    def run(table: pa.Table, query: cx.sharded.CountsQuery) -> list[tuple[Any, ...]]:
        with psycopg.connect(address) as connection, connection.cursor() as cursor:
            columns = ", ".join(f'"{field.name}" {kind(field.type)}' for field in table.schema)
            cursor.execute(f"CREATE TEMPORARY TABLE events ({columns}) ON COMMIT DROP")
            with cursor.copy("COPY events FROM STDIN") as copy:
                for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    copy.write_row(row)
            cursor.execute(query.sql)
            return cursor.fetchall()

    return run


def in_two_files(table: pa.Table, folder: str) -> None:
    """Write a table as Parquet of two partitions, which Spark has to shuffle."""
    half = len(table) // 2
    for i, part in enumerate((table.slice(half), table.slice(0, half))):
        pyarrow.parquet.write_table(part, f"{folder}/{i}.parquet", coerce_timestamps="us")


def in_spark(session: Any) -> Run:
    def run(table: pa.Table, query: cx.sharded.CountsQuery) -> list[Any]:
        with tempfile.TemporaryDirectory() as folder:
            in_two_files(table, folder)
            session.read.parquet(folder).createOrReplaceTempView("events")
            return session.sql(query.sql).collect()

    return run


# ---------------------------------------------------------------- logs

START = datetime(2024, 3, 29)  # noqa: DTZ001 - read in a zone: Prague's clock skips an hour on the 31st
AUTUMN = timedelta(days=210)  # 25 October, before the clock shows an hour twice
PAGES = ("web", "cart", "buy", "leave", "0.0", "12", "\u00e9t\u00e9", "Z", "it's \\ \"; --", None)
CUSTOMERS = (
    "a",
    "A",
    "b",
    "7",
    "7.0",
    "-0.0",
    "0",
    "NA",
    " ",
    "",
    "\u2003",
    "\n",
    "~x",
    "7.0\n",
    None,
)
HOURS = (0, 0.5, 1, 23.999, 24, 49.5, 50, 50.5, 51, 71, 72, 73, 96, 144)
LIMIT = timedelta(days=3)
MADE = (
    (
        {"goal": "buy", "inactivity": LIMIT, "exit_touchpoints": ["leave", "it's \\ \"; --"]},
        {"seq": "n"},
    ),
    ({"goal": ["buy", "\u00e9t\u00e9"], "inactivity": timedelta(hours=1)}, {"tz": "Europe/Prague"}),
    ({"all_closed": True}, {"tz": "Australia/Lord_Howe", "observed_until": "2024-04-02"}),
    (
        {"goal": "0", "inactivity": LIMIT},
        {"observed_until": "2025-01-01", "tz": "America/New_York"},
    ),
)
"""Rules and readings for `made_table`."""


def made_table(zone: str | None, n: int = 600) -> pa.Table:
    """Return odd ids and names at odd hours, with many ties; naive ones without a zone."""
    rng = random.Random(17)  # noqa: S311 - test data
    hours = [rng.choice([*HOURS, None]) for _ in range(n)]
    at = [
        None
        if h is None
        else START
        + rng.choice([timedelta(), AUTUMN])
        + timedelta(hours=h, microseconds=rng.choice([0, 0, 1]))
        for h in hours
    ]
    return pa.table(
        {
            "who": pa.array(rng.choices([*CUSTOMERS, *map(str, range(40))], k=n), pa.string()),
            "at": pa.array(at, pa.timestamp("us", zone)),
            "page": pa.array(rng.choices(PAGES, k=n), pa.string()),
            "n": pa.array(rng.choices([None, -1, 0, 2], k=n), pa.int64()),
        }
    )


REAL = {
    "shop": (
        "retentioneering_simple_shop/simple-onlineshop.csv",
        {"who": "user_id", "at": "timestamp", "page": "event"},
        {"goal": "payment_done", "inactivity": timedelta(hours=1), "exit_touchpoints": "lost"},
    ),
    "receipt": (
        "pm4py_receipt/receipt.csv",
        {"who": "case:concept:name", "at": "time:timestamp", "page": "concept:name"},
        {"goal": "T10 Determine necessity to stop indication", "inactivity": timedelta(days=7)},
    ),
    "sepsis": (
        "bupar_sepsis/sepsis.csv.gz",
        {"who": "case_id", "at": "timestamp", "page": "activity"},
        {"goal": "Release A", "inactivity": timedelta(days=2), "exit_touchpoints": ["Return ER"]},
    ),
}


def real_table(shared: Path, name: str) -> tuple[pa.Table, dict[str, Any]]:
    """Return a real log, and rules for its journeys."""
    path, columns, rules = REAL[name]
    strings = {
        "column_types": dict.fromkeys(columns.values(), pa.string()),
        "strings_can_be_null": False,
    }
    options = pyarrow.csv.ConvertOptions(include_columns=list(columns.values()), **strings)
    table = pyarrow.csv.read_csv(shared / "data" / path, convert_options=options)
    table = table.rename_columns(list(columns))
    moments = [datetime.fromisoformat(text) for text in table["at"].to_pylist()]
    zone = "UTC" if moments[0].tzinfo is not None else None
    at = pa.array(moments, pa.timestamp("us", zone))
    return table.set_column(table.schema.get_field_index("at"), "at", at), rules


def big_table(shared: Path, seed: int, customers: int) -> pa.Table:
    """Return the log whose counts are known."""
    file = shared / "oracles" / "big_log_spec.py"
    spec = importlib.util.spec_from_file_location("big_log_spec", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.make(seed, customers)
    hours = made["hour"].astype("timedelta64[h]").astype("timedelta64[us]")
    return pa.table(
        {
            "who": np.char.add("c", made["c"].astype(str)),
            "page": np.array([*(f"T{i}" for i in range(9)), "goal"])[made["v"]],
            "at": np.datetime64("2024-01-01", "us") + hours,
        }
    )
