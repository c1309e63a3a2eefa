"""Statistics of a table of Spark: its executors count the parts of all customers."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney._support.optional import require
from cxjourney.exceptions import CxJourneyError, InvalidValue
from cxjourney.journeys import of_own_bytes, quick_bytes, together
from cxjourney.sharded._counting import ROWS, Counting, Plan, depth_for, total_of, warn_of
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._sql import cleaned, given, last_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cxjourney.journeys import JourneyStatistics

_SPARK = DIALECTS["spark"]


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
        A data frame of Spark, classic or Connect; Any, since Spark is optional. It is read once to
        be counted. Before, only its times are read, for the end of the observation, and of
        `missing="drop"` what else tells which rows count.
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
        If there is no `seq=` and many interactions are tied, or some lie after `observed_until`
        or before `observed_from` and count.

    Notes
    -----
    Interactions are repartitioned by customer, in shards of about two million. Every executor needs
    cxjourney: `%pip install cxjourney` in Databricks, an image or a cluster library elsewhere. A
    task that fails and is repeated, or runs twice, gives the same bytes. All interactions of a
    customer are in one task; leave out robots before.
    """
    require("pyspark", extra="spark", caller="sharded.spark()")
    from pyspark.sql import functions as f

    if not hasattr(frame, "mapInArrow"):
        rule = "be a data frame of Spark 3.3 or later"
        raise InvalidValue.of("frame", rule, type(frame).__name__)
    columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    counting = Counting.of(columns, **plan)
    counting.check_columns(frame.columns)
    table = counting.table()
    types = {x: frame.schema[name].dataType.simpleString() for x, name in table.columns.items()}
    last = last_us(table, types["timestamp"], _SPARK)
    if counting.tells(types, _SPARK):
        (row,) = frame.agg(f.expr("COUNT(*) AS n"), f.expr(f"{last} AS last_us")).collect()
        ended = counting.ended(row["last_us"])
        whole, told = _counted(frame, ended, row["n"], sure=False)
        if ended.told_by_all(told, row["n"]):
            warn_of(ended, told)
            return whole
    ids = frame.alias("source").selectExpr(*given(table, _SPARK))
    named = ids.selectExpr(*cleaned(table, _SPARK))
    (row,) = named.agg(*map(f.expr, counting.facts(_SPARK))).collect()
    counting, facts = counting.checked(row.asDict(), _SPARK, lambda: _touchpoints(named))
    whole, told = _counted(frame, counting, facts["rows"], sure=True)
    warn_of(counting, facts | {"ties": told["ties"]})
    return whole


def _counted(
    frame: Any, counting: Counting, rows: int, *, sure: bool
) -> tuple[JourneyStatistics, dict[str, int]]:
    """Return the statistics of so many rows, and what is told of them.

    `sure`: that the rows are right has been checked. Else what cannot be counted tells nothing.
    """
    from pyspark.sql import functions as f

    text = f"CAST({_SPARK.name(counting.columns['customer'])} AS STRING)"
    names = [f.col(_SPARK.name(name)) for name in dict.fromkeys(counting.columns.values())]
    # customers need no part of their own here: Spark's hash is cheaper than MD5 of every row
    partitions = 1 << depth_for(rows, ROWS)
    part = (0, 1) if partitions == 1 else None
    shards = (
        frame.select(*names)
        .repartition(partitions, f.expr(_SPARK.canonical(text)))
        .mapInArrow(partial(_of_batches, counting, part, sure=sure), _SCHEMA)
    )
    found = [(one["statistics"], json.loads(one["told"])) for one in shards.collect()]
    nothing: dict[str, list[str]] = {name: [] for name in counting.columns.values()}
    counted = (
        counting.count(nothing, part) if data is None else (of_own_bytes(bytes(data)), told)
        for data, told in found or [(None, {})]
    )
    return total_of(counted, together)


_SCHEMA = "statistics binary, told string"


def _touchpoints(named: Any) -> list[str]:
    rows = named.select("touchpoint").distinct().limit(10_000).collect()
    return [row["touchpoint"] for row in rows if row["touchpoint"] is not None]


def _of_batches(
    counting: Counting, part: tuple[int, int] | None, batches: Iterable[Any], *, sure: bool
) -> Iterator[Any]:
    """Yield the statistics of the batches of one partition."""
    import pyarrow as pa

    kept = [batch for batch in batches if batch.num_rows]
    if not kept:
        return
    try:
        statistics, told = counting.count(pa.Table.from_batches(kept), part)
        data = quick_bytes(statistics)
    except CxJourneyError:
        if sure:
            raise
        data, told = None, {}
    yield pa.RecordBatch.from_pydict(
        {"statistics": pa.array([data], pa.binary()), "told": [json.dumps(told)]}
    )
