"""Beyond one machine: statistics of shards, and counts from where the interactions lie."""

from __future__ import annotations

from cxjourney.sharded._counts_query import CountsQuery as CountsQuery
from cxjourney.sharded._counts_query import counts_query
from cxjourney.sharded._duckdb import parquet, relation
from cxjourney.sharded._spark import spark
from cxjourney.sharded._store import Erasure as Erasure
from cxjourney.sharded._store import Store

__all__ = ["Store", "counts_query", "parquet", "relation", "spark"]


def __dir__() -> list[str]:
    return list(__all__)
