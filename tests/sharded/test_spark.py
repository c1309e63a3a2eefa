"""Shards by Spark: the same bytes as of one log."""

from __future__ import annotations

import inspect
import tempfile
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName
from cxjourney.sharded import _spark

from .engines import KEYS, LIMIT, MADE, START, big_table, in_two_files, made_table
from .test_duckdb import in_memory, rich_table

pytestmark = pytest.mark.filterwarnings(
    "ignore::cxjourney.exceptions.DataQualityWarning",
    # pyspark's own, of pandas 3
    "ignore:.*pandas:FutureWarning:pyspark",
    "ignore:.*pandas:UserWarning:pyspark",
)


def frame_of(session: Any, table: pa.Table) -> Any:
    folder = tempfile.mkdtemp()
    in_two_files(table, folder)
    return session.read.parquet(folder)


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_made_logs(spark, zone, monkeypatch):
    monkeypatch.setattr(_spark, "ROWS", 100)
    table = made_table(zone)
    rules, reading = MADE[0 if zone else 1]
    found = cx.sharded.spark(frame_of(spark, table), **KEYS, **rules, missing="drop", **reading)
    assert found.to_bytes() == in_memory(table, rules, missing="drop", **reading)


def test_channels_and_values(spark, monkeypatch):
    table, rules = rich_table(), {"goal": "buy", "inactivity": LIMIT}
    columns = {"channel": "via", "value": "worth", "currency": "EUR"}
    whole = in_memory(table, rules, **columns)
    frame = frame_of(spark, table)
    for rows in (10**6, 700):
        monkeypatch.setattr(_spark, "ROWS", rows)
        assert cx.sharded.spark(frame, **KEYS, **rules, **columns).to_bytes() == whole


def test_the_big_log(spark, shared, monkeypatch):
    monkeypatch.setattr(_spark, "ROWS", 300)
    table = big_table(shared, 1, 100)
    rules = {"goal": "goal", "inactivity": timedelta(days=30)}
    assert cx.sharded.spark(frame_of(spark, table), **KEYS, **rules).to_bytes() == in_memory(
        table, rules
    )


def test_a_task_that_fails_is_repeated_and_changes_nothing(spark, monkeypatch):
    of_batches = _spark._of_batches

    def at_second_attempt(counting: Any, part: Any, batches: Any, *, sure: bool) -> Any:
        from pyspark import TaskContext

        if TaskContext.get().attemptNumber() == 0:
            raise RuntimeError("the machine is gone")
        yield from of_batches(counting, part, batches, sure=sure)

    monkeypatch.setattr(_spark, "_of_batches", at_second_attempt)
    # all but a few interactions are of one customer
    table = pa.table(
        {
            "who": ["robot"] * 900 + ["a", "b", "c"],
            "page": [f"p{i % 4}" for i in range(903)],
            "at": [START + timedelta(hours=i) for i in range(903)],
        }
    )
    monkeypatch.setattr(_spark, "ROWS", 200)
    found = cx.sharded.spark(frame_of(spark, table), **KEYS, inactivity=LIMIT)
    assert found.to_bytes() == in_memory(table, {"inactivity": LIMIT})


def test_what_is_wrong_is_said(spark):
    frame = frame_of(spark, rich_table(50))
    with pytest.raises(UnknownName, match="goal 'by' is not in the table; did you mean 'buy'"):
        cx.sharded.spark(frame, **KEYS, goal="by")
    with pytest.raises(InvalidData, match="touchpoint is missing in"):
        cx.sharded.spark(frame, **{**KEYS, "touchpoint": "via"})
    with pytest.raises(InvalidValue, match="column of customer= must be of strings"):
        cx.sharded.spark(frame, **{**KEYS, "customer": "worth"}, missing="drop")
    with pytest.raises(UnknownName, match="did you mean 'who'"):
        cx.sharded.spark(frame, **{**KEYS, "customer": "wo"})


@pytest.mark.spark
def test_no_frame_of_spark_is_refused():
    with pytest.raises(InvalidValue, match="be a data frame of Spark"):
        cx.sharded.spark({"who": []}, **KEYS)


def test_nothing_is_used_that_connect_lacks():
    source = inspect.getsource(_spark)
    assert not {".rdd", "sparkContext", "SparkContext", "_jdf", "_jvm"} & set(source.split())
    assert ".rdd" not in source
    assert "sparkContext" not in source
