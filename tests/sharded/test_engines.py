"""Every engine runs the query for real, and counts what the library counts in memory."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue

from .engines import (
    KEYS,
    MADE,
    REAL,
    START,
    Run,
    big_table,
    by_query,
    facts,
    in_duckdb,
    in_memory,
    in_postgres,
    in_spark,
    made_table,
    real_table,
)

Tables: TypeAlias = Callable[[str, pa.Table, cx.sharded.CountsQuery], list[Any]]
pytestmark = pytest.mark.filterwarnings(
    "ignore::cxjourney.exceptions.DataQualityWarning",
    # pyspark's own, of pandas 3 and of conversions that it does not make here
    "ignore:.*pandas:FutureWarning:pyspark",
    "ignore:.*pandas:UserWarning:pyspark",
)


def check_made(run: Run, dialect: str, zoned: int = len(MADE)) -> None:
    for zone, made in ((None, MADE), ("Asia/Tokyo", MADE[:zoned])):
        table = made_table(zone)
        for rules, reading in made:
            graph = by_query(run, table, rules, dialect, missing="drop", **reading)
            assert facts(graph) == facts(in_memory(table, rules, missing="drop", **reading))


def check_real(
    run: Run, dialect: str, shared: Any, zones: tuple[str, ...] = ("UTC", "Europe/Amsterdam")
) -> None:
    for name in REAL:
        table, rules = real_table(shared, name)
        for tz in zones:
            graph = by_query(run, table, rules, dialect, tz=tz)
            assert facts(graph) == facts(in_memory(table, rules, tz=tz)), name


def check_big(run: Run, dialect: str, shared: Any, customers: int) -> None:
    """Compare with counts that another program made; silences of just 30 days decide among them."""
    cases = json.loads((shared / "oracles" / "big_log.json").read_text())["cases"]
    (case,) = [case for case in cases if case["customers"] == customers]
    table = big_table(shared, case["seed"], customers)
    assert len(table) == case["rows"]
    days, instant = timedelta(days=30), timedelta(microseconds=1)
    for name, rules in {
        "inactivity > 30 days": {"inactivity": days + instant},
        "inactivity > 30 days, goal ends the journey": {
            "goal": "goal",
            "inactivity": days + instant,
        },
        "inactivity >= 30 days (the other boundary rule)": {"inactivity": days},
        "whole history, no split": {},
    }.items():
        told = case["rules"][name]
        graph = by_query(run, table, rules, dialect)
        renamed = {cx.CONVERSION: "goal"}
        edges = {
            f"{u} -> {renamed.get(v, v)}": n
            for u, v, n in graph.edges(data="count")
            if u != cx.START and v != cx.DROPOFF
        }
        starts = {renamed.get(v, v): n for _, v, n in graph.out_edges(cx.START, data="count")}
        assert edges == told["directly_follows"], name
        assert starts == told["starts"], name
        assert graph.graph["n_journeys"] == told["journeys"], name
        ends = {
            v: node["exits"] + node["censored"]
            for v, node in graph.nodes(data=True)
            if v in graph.touchpoints
        }
        if "goal" in rules:
            ends["goal"] = graph.graph["n_converted"]
        assert ends == told["ends"], name


def test_made_logs_in_duckdb():
    check_made(in_duckdb, "duckdb")


def test_real_logs_in_duckdb(shared):
    check_real(in_duckdb, "duckdb", shared)


@pytest.mark.parametrize("customers", [100, 50_000])
def test_the_big_log_in_duckdb(shared, customers):
    check_big(in_duckdb, "duckdb", shared, customers)


def test_made_logs_in_postgres(postgres):
    check_made(in_postgres(postgres), "postgresql")


def test_real_logs_in_postgres(postgres, shared):
    check_real(in_postgres(postgres), "postgresql", shared)


def test_the_big_log_in_postgres(postgres, shared):
    check_big(in_postgres(postgres), "postgresql", shared, 100)


def test_made_logs_in_spark(spark):
    check_made(in_spark(spark), "spark", zoned=1)


def test_real_logs_in_spark(spark, shared):
    check_real(in_spark(spark), "spark", shared, zones=("Europe/Amsterdam",))


def test_the_big_log_in_spark(spark, shared):
    check_big(in_spark(spark), "spark", shared, 100)


# ---------------------------------------------------------------- hostile names and strings

# each query takes Spark a second: its names are few
NAMES = ("x' OR '1'='1", 'we"ird b`tick; -- \\', "\u00fcml\u00e4ut %s :p", "select")


def check_names(tables: Tables, dialect: str, parts: Callable[[str], Any]) -> None:
    """Count in a table and at touchpoints of every odd name at once."""
    for name in NAMES:
        other = f"{name} 2"
        table = pa.table(
            {
                name: ["a"] * (len(NAMES) + 1),
                other: [START + timedelta(hours=i) for i in range(len(NAMES) + 1)],
                "page": ["web", *NAMES],
            }
        )
        query = cx.sharded.counts_query(
            parts(name),
            customer=name,
            timestamp=other,
            touchpoint="page",
            goal=name,
            exit_touchpoints=[one for one in NAMES if one != name],
            dialect=dialect,
        )
        edges, _, told = facts(query.graph(tables(name, table, query)))
        assert edges[cx.START, "web"] == 1
        assert told["n_converted"] == 1
        assert told["n_dropped"] == len(NAMES) - 1


def test_hostile_names_in_postgres(postgres):
    import psycopg

    def tables(name: str, table: pa.Table, query: cx.sharded.CountsQuery) -> list[Any]:
        with psycopg.connect(postgres) as connection, connection.cursor() as cursor:
            quoted = sql.Identifier(name).as_string(connection)
            columns = [
                sql.Identifier(column).as_string(connection) for column in table.column_names
            ]
            cursor.execute("SET standard_conforming_strings = off")
            kinds = ("text", "timestamp", "text")
            given = ", ".join(map(" ".join, zip(columns, kinds, strict=True)))
            cursor.execute(f"CREATE TEMPORARY TABLE {quoted} ({given}) ON COMMIT DROP")
            with cursor.copy(f"COPY {quoted} FROM STDIN") as copy:
                for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                    copy.write_row(row)
            cursor.execute(query.sql)
            return cursor.fetchall()

    from psycopg import sql

    check_names(tables, "postgresql", lambda name: ("pg_temp", name))


def test_hostile_names_in_spark(spark):
    def tables(name: str, table: pa.Table, query: cx.sharded.CountsQuery) -> list[Any]:
        quoted = name.replace("`", "``")
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        frame = spark.createDataFrame(list(rows), table.column_names)
        # as a view is named in Spark: by an identifier, in quotes
        frame.createOrReplaceTempView(f"`{quoted}`")
        return spark.sql(query.sql).collect()

    check_names(tables, "spark", lambda name: name)


# ---------------------------------------------------------------- frames whose rows lie elsewhere


def quietly(call: Callable[[], Any]) -> Any:
    """Call another library, whose warnings of pandas 3 are its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def test_a_frame_of_spark_is_not_fetched_in_silence(spark):
    frame = spark.createDataFrame([("a", START, "web")], ["who", "at", "page"])
    with pytest.raises(
        InvalidValue, match=r"lie elsewhere.*cx\.sharded\.counts_query\(\).*toPandas"
    ):
        cx.InteractionLog.from_frame(frame, **KEYS)
    # nor where it holds what is known of customers
    local = {"who": ["a"], "at": ["2024-01-01"], "page": ["web"]}
    with pytest.raises(InvalidValue, match=r"customers must hold its rows on this machine"):
        cx.InteractionLog.from_frame(local, **KEYS, customers=frame)
    # the sample that is asked for comes in
    assert len(cx.InteractionLog.from_frame(quietly(frame.toPandas), **KEYS)) == 1


@pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")
@pytest.mark.spark
@pytest.mark.parametrize(
    ("library", "bring"), [("ibis", "to_pyarrow"), ("dask.dataframe", "compute")]
)
def test_lazy_frames_of_others_are_not_fetched_in_silence(library, bring):
    module = importlib.import_module(library)
    rows = pd.DataFrame({"who": ["a"], "at": [START], "page": ["web"]})
    frame = quietly(
        lambda: (
            module.memtable(rows) if library == "ibis" else module.from_pandas(rows, npartitions=1)
        )
    )
    with pytest.raises(InvalidValue, match=rf"lie elsewhere.*what {bring}\(\) makes"):
        cx.InteractionLog.from_frame(frame, **KEYS)
    assert len(cx.InteractionLog.from_frame(quietly(getattr(frame, bring)), **KEYS)) == 1
