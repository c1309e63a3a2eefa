"""Statistics of a table of Spark: its executors count the parts of all customers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney._support.optional import require
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.sharded._counting import DEEPEST, ROWS, Counting, Plan, depth_for, total_of
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._sql import cleaned, given

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cxjourney.journeys import JourneyStatistics

_SPARK = DIALECTS["spark"]
_PART = "cx_part"
_FINER = 2
"""Bits by which parts are finer than partitions: several fall on each, and no one has many."""


def spark(
    frame: Any,
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    **plan: Unpack[Plan],
) -> JourneyStatistics:
    """Count the journeys of a Spark data frame on its executors.

    Parameters
    ----------
    frame
        A data frame of Spark, classic or Connect; Any, since Spark is optional. It is read twice:
        for the end of the observation, and to be counted.
    customer, timestamp, touchpoint
        Names of the columns that every log needs: strings or whole numbers, timestamps or dates.
    **plan
        Further columns and options, as of `cx.sharded.parquet`. A `TIMESTAMP_NTZ` is read in `tz`,
        a `TIMESTAMP` is a moment; the zone of the session is not used.

    Returns
    -------
    JourneyStatistics
        The same bytes as of `cx.sharded.parquet`, or of one log whose ties are in the order of the
        names.

    Raises
    ------
    UnknownName
        If a column is not there, or a goal or an exit touchpoint does not occur.
    InvalidData
        If rows lack a customer, a timestamp or a touchpoint, unless `missing="drop"`.
    InvalidValue
        If an argument breaks its rule, or a column is of another type.
    MissingDependency
        If pyspark is not installed (extra `spark`).

    Warns
    -----
    DataQualityWarning
        If there is no `seq=` and many interactions are tied, or some lie after `observed_until`.

    Notes
    -----
    Interactions are repartitioned by the first bits of the MD5 digest of the customer's id, in
    shards of about two million. Every executor needs cxjourney: `%pip install cxjourney` in
    Databricks, an image or a cluster library elsewhere. A task that fails and is repeated, or runs
    twice, gives the same bytes. All interactions of a customer are in one task; leave out robots
    before.
    """
    require("pyspark", extra="spark", caller="sharded.spark()")
    from pyspark.sql import functions as f

    if not hasattr(frame, "mapInArrow"):
        rule = "be a data frame of Spark 3.3 or later"
        raise InvalidValue.of("frame", rule, type(frame).__name__)
    columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    counting = Counting.of(columns, **plan)
    for role, name in counting.columns.items():
        if name not in frame.columns:
            raise UnknownName.among(f"{role}= column", name, frame.columns, where="the data")
    table = counting.table()
    ids = frame.alias("source").selectExpr(*given(table, _SPARK))
    named = ids.selectExpr(*cleaned(table, _SPARK))
    (row,) = named.agg(*map(f.expr, counting.facts(_SPARK))).collect()
    counting, told = counting.checked(row.asDict(), _SPARK, lambda: _touchpoints(named))
    partitions = 1 << depth_for(told["rows"], ROWS)
    depth = min(partitions.bit_length() - 1 + _FINER, DEEPEST) if partitions > 1 else 0
    customer_id = f"CAST({_SPARK.name(customer)} AS STRING)"
    part = f"CAST(CONV(SUBSTR(MD5({_SPARK.canonical('cx_id')}), 1, 4), 16, 10) AS INT)"
    names = [f.col(_SPARK.name(name)) for name in dict.fromkeys(counting.columns.values())]
    shards = (
        frame.select(*names, f.expr(customer_id).alias("cx_id"))
        .withColumn(_PART, f.expr(f"SHIFTRIGHT({part}, {DEEPEST - depth})"))
        .where(f"{_PART} IS NOT NULL")
        .drop("cx_id")
        .repartition(partitions, _PART)
        .mapInArrow(partial(_of_batches, counting, 1 << depth), _SCHEMA)
    )
    found = {
        int(one["part"]): (bytes(one["statistics"]), int(one["ties"])) for one in shards.collect()
    }
    return total_of(counting, _with_empty(counting, found, 1 << depth), told)


_SCHEMA = "part int, statistics binary, ties bigint"


def _touchpoints(named: Any) -> list[str]:
    rows = named.select("touchpoint").distinct().limit(10_000).collect()
    return [row["touchpoint"] for row in rows if row["touchpoint"] is not None]


def _of_batches(counting: Counting, of: int, batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the statistics of every part among the batches of one partition."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = [batch for batch in batches if batch.num_rows]
    if not kept:
        return
    table = pa.Table.from_batches(kept)
    del kept
    for number in sorted(pc.unique(table[_PART]).to_pylist()):
        shard = table.filter(pc.equal(table[_PART], number)).drop_columns([_PART])
        statistics, ties = counting.count(shard, (number, of))
        yield pa.RecordBatch.from_pydict(
            {"part": pa.array([number], pa.int32()), "statistics": [statistics], "ties": [ties]}
        )


def _with_empty(
    counting: Counting, found: dict[int, tuple[bytes, int]], of: int
) -> Iterator[tuple[bytes, int]]:
    """Yield the statistics of all parts; those without a customer are nowhere counted."""
    nothing: dict[str, list[str]] = {name: [] for name in counting.columns.values()}
    for number in range(of):
        part = found.pop(number) if number in found else None
        yield part or counting.count(nothing, (number, of))
