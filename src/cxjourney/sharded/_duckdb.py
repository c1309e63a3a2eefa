"""Statistics of more interactions than fit into memory: shards by DuckDB, one after the other."""

from __future__ import annotations

import builtins
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.io import connect, find_files, parquet_relation
from cxjourney.sharded._counting import DEEPEST, ROWS, Counting, Plan, depth_for, total_of
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._sql import cleaned, given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from cxjourney.journeys import JourneyStatistics

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""`map` of Python, or of anything that does the same elsewhere."""

_DUCKDB = DIALECTS["duckdb"]
_FEW = 8
"""Shards up to which reading the files once a shard is less work than to copy them."""
_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
_BYTES_A_ROW = 500
"""What counting takes at most, of a shard of millions."""


def parquet(
    path: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    memory: str = "4GB",
    map: Map = builtins.map,  # noqa: A002 - it is what it takes
    progress: Callable[[int, int], None] | None = None,
    **plan: Unpack[Plan],
) -> JourneyStatistics:
    """Count the journeys of Parquet files that need not fit into memory.

    Parameters
    ----------
    path
        A file, a glob (`"events/**/*.parquet"`), or several of them; local only.
    customer, timestamp, touchpoint
        Names of the columns that every log needs: strings or whole numbers, timestamps or dates.
    memory
        About how much memory may be used, such as "4GB". A part of the temporary files is on disk.
    map
        Who counts the shards: `map` itself, one after the other, or the like of a pool, such as
        `ProcessPoolExecutor(...).map`, `Pool.imap` or `dask_client.get_executor().map`, whose
        workers see the same disk and have cxjourney.
    progress
        Called with the number of shards that are counted, and of all.
    **plan
        Further columns and options of `InteractionLog.from_frame` (`channel`, `stage`, `owner`,
        `journey`, `seq`, `value`, `currency`, `tz`, `missing`, `observed_until`, `observed_from`),
        arguments of `InteractionLog.journeys` (`goal`, `inactivity`, `exit_touchpoints`,
        `after_goal`, `all_closed`, `carry_channels`), and `grains` of `Journeys.statistics`.

    Returns
    -------
    JourneyStatistics
        Those of all customers, the same bytes as of `log.journeys(...).statistics()` of the whole,
        where ties of the log are in the order of the names: of touchpoint, channel, stage, owner
        and journey, then of value. Analyses take them in place of journeys.

    Raises
    ------
    InputFileError
        If nothing matches `path`, or a file is no Parquet or damaged.
    UnknownName
        If a file lacks a column, or a goal or an exit touchpoint does not occur.
    InvalidData
        If rows lack a customer, a timestamp or a touchpoint, unless `missing="drop"`.
    InvalidValue
        If an argument breaks its rule, or a column is of another type.
    MissingDependency
        If DuckDB is not installed (extra `files`).

    Warns
    -----
    DataQualityWarning
        If there is no `seq=` and many interactions are tied, or some lie after `observed_until`.

    Notes
    -----
    Customers are divided by the bits of the MD5 digest of their ids into parts of about two
    million interactions. Up to eight of them the files are read once a part; of more, or for the
    workers of another `map`, they are first copied into one folder a part, which takes about their
    own size of disk. Copies lie in a folder of their own, which only this user may read, and are
    removed at the end, whatever that is; what a process that was killed left, by the next one.

    Examples
    --------
    >>> import cxjourney as cx
    >>> import duckdb
    >>> duckdb.sql(
    ...     "SELECT 'c' || i % 50 AS who, TIMESTAMP '2026-01-01' + INTERVAL 1 HOUR * i AS seen, "
    ...     "CASE WHEN i % 7 = 0 THEN 'buy' ELSE 'web' END AS page FROM range(1000) AS r(i)"
    ... ).write_parquet("events.parquet")
    >>> statistics = cx.sharded.parquet(
    ...     "events.parquet", customer="who", timestamp="seen", touchpoint="page", goal="buy",
    ...     all_closed=True,
    ... )
    >>> statistics
    JourneyStatistics: 186 journeys of 50 customers (all customers), by touchpoint
    """
    columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    counting = Counting.of(columns, **plan)
    files, limit = find_files(path), _bytes_of(memory)
    with _folder() as folder, connect("sharded.parquet()") as connection:
        connection.execute(f"SET temp_directory = {_DUCKDB.literal(str(folder / 'spill'))}")
        connection.execute(f"SET memory_limit = '{limit // 2} B'")
        connection.execute("SET preserve_insertion_order = false")
        relation = parquet_relation(connection, files, [*counting.columns.values()])
        return _counted(
            counting,
            relation,
            folder,
            most=max(1, min(ROWS, limit // 2 // _BYTES_A_ROW)),
            own=True,
            map_=map,
            progress=progress,
        )


def relation(
    relation: Any,
    *,
    customer: str,
    timestamp: str,
    touchpoint: str,
    map: Map = builtins.map,  # noqa: A002 - it is what it takes
    progress: Callable[[int, int], None] | None = None,
    **plan: Unpack[Plan],
) -> JourneyStatistics:
    """Count the journeys of a DuckDB relation, a table or a query, that need not fit into memory.

    Parameters
    ----------
    relation
        What `connection.table("events")` or `connection.sql("SELECT ...")` gives; Any, since DuckDB
        is optional. The limits of memory are those of its connection.
    customer, timestamp, touchpoint, map, progress, **plan
        As of `cx.sharded.parquet`.

    Returns
    -------
    JourneyStatistics
        As of `cx.sharded.parquet`.

    Raises
    ------
    InvalidValue, UnknownName, InvalidData
        As of `cx.sharded.parquet`.

    Examples
    --------
    >>> import cxjourney as cx
    >>> import duckdb
    >>> events = duckdb.sql(
    ...     "SELECT 'a' AS who, TIMESTAMP '2026-01-01' AS seen, 'web' AS page "
    ...     "UNION ALL SELECT 'a', TIMESTAMP '2026-01-02', 'buy'"
    ... )
    >>> cx.sharded.relation(
    ...     events, customer="who", timestamp="seen", touchpoint="page", goal="buy"
    ... ).outcomes
    mappingproxy({<Outcome.CONVERTED: 'converted'>: 1, <Outcome.DROPPED: 'dropped'>: 0, \
<Outcome.IN_PROGRESS: 'in_progress'>: 0})
    """
    if not hasattr(relation, "query") or not hasattr(relation, "project"):
        rule = "be a relation of DuckDB, as connection.table() and connection.sql() give it"
        raise InvalidValue.of("relation", rule, type(relation).__name__)
    columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    counting = Counting.of(columns, **plan)
    for role, name in counting.columns.items():
        if name not in relation.columns:
            raise UnknownName.among(f"{role}= column", name, relation.columns, where="the data")
    with _folder() as folder:
        return _counted(counting, relation, folder, map_=map, progress=progress)


def _counted(
    counting: Counting,
    relation: Any,
    folder: Path,
    *,
    most: int = ROWS,
    own: bool = False,
    map_: Map = builtins.map,
    progress: Callable[[int, int], None] | None = None,
) -> JourneyStatistics:
    """Return the statistics of a relation; `own`: its connection may be given a table."""
    counting, told = counting.checked(
        _facts(counting, relation), _DUCKDB, lambda: _touchpoints(counting, relation)
    )
    names = [*dict.fromkeys(counting.columns.values())]
    relation = relation.project(", ".join(map(_DUCKDB.name, names)))
    depth = depth_for(told["rows"], most)
    parts = [(i, 1 << depth) for i in range(1 << depth)]
    if not depth:
        found: Iterable[Any] = [counting.count(relation, (0, 1))]
    elif own and map_ is builtins.map and len(parts) <= _FEW:
        found = _filtered(counting, relation, parts)
    else:
        _copy(counting, relation, folder, depth)
        found = map_(partial(_of_copy, counting, str(folder)), parts)
    return total_of(counting, _reported(found, len(parts), progress), told)


def _reported(
    found: Iterable[Any], n: int, progress: Callable[[int, int], None] | None
) -> Iterator[Any]:
    for i, one in enumerate(found, 1):
        yield one
        if progress is not None:
            progress(i, n)


def _cleaned(counting: Counting) -> str:
    """Return the query of ids, names and times as they count."""
    table = counting.table()
    inner = f"SELECT {', '.join(given(table, _DUCKDB))} FROM cx_source AS source"
    return f"SELECT {', '.join(cleaned(table, _DUCKDB))} FROM ({inner}) AS cx_given"


def _facts(counting: Counting, relation: Any) -> dict[str, Any]:
    asked = ", ".join(counting.facts(_DUCKDB))
    told = relation.query("cx_source", f"SELECT {asked} FROM ({_cleaned(counting)}) AS cx_cleaned")
    (row,) = told.fetchall()
    return dict(zip(told.columns, row, strict=True))


def _touchpoints(counting: Counting, relation: Any) -> list[str]:
    query = f"SELECT DISTINCT touchpoint FROM ({_cleaned(counting)}) AS cx_cleaned LIMIT 10000"
    return [name for (name,) in relation.query("cx_source", query).fetchall() if name is not None]


def _part(customer: str, depth: int) -> str:
    """Return the expression of the part of an id, which is a string as it counts."""
    return f"('0x' || SUBSTR(MD5({customer}), 1, 4))::INTEGER >> {DEEPEST - depth}"


def _filtered(
    counting: Counting, relation: Any, parts: list[tuple[int, int]]
) -> Iterator[tuple[bytes, int]]:
    """Count one part after the other, each of a reading of all; ids are hashed once."""
    name = _DUCKDB.name(counting.columns["customer"])
    depth = len(parts).bit_length() - 1
    ids = f'SELECT DISTINCT CAST({name} AS VARCHAR) COLLATE "C" AS id FROM cx_source'
    hashed = f"SELECT id, {_part(_DUCKDB.canonical('id'), depth)} AS part FROM ({ids}) AS ids"
    relation.query("cx_source", hashed).create("cx_ids")
    for number, of in parts:
        wanted = f"SELECT id FROM cx_ids WHERE part = {number}"
        shard = relation.filter(f"CAST({name} AS VARCHAR) IN ({wanted})")
        yield counting.count(shard, (number, of))


def _copy(counting: Counting, relation: Any, folder: Path, depth: int) -> None:
    """Copy a relation into one folder of Parquet files a part, and an empty file of its columns."""
    name = _DUCKDB.name(counting.columns["customer"])
    customer = f'CAST({name} AS VARCHAR) COLLATE "C"'
    part = _part(_DUCKDB.canonical("cx_id"), depth)
    query = (
        f"SELECT * EXCLUDE (cx_id), {part} AS cx_part"
        f" FROM (SELECT *, {customer} AS cx_id FROM cx_source) AS with_id WHERE cx_part IS NOT NULL"
    )
    # a row without a customer has no part; that it may be left out was checked
    relation.query("cx_source", query).write_parquet(
        str(folder / "parts"), partition_by=["cx_part"], overwrite=True
    )
    relation.limit(0).write_parquet(str(folder / "columns.parquet"))


def _of_copy(counting: Counting, folder: str, part: tuple[int, int]) -> tuple[bytes, int]:
    """Return the statistics of one part that was copied; a pool's worker calls it."""
    files = [f"{folder}/columns.parquet"]
    files += map(str, sorted((Path(folder) / "parts" / f"cx_part={part[0]}").glob("*.parquet")))
    listed = ", ".join(map(_DUCKDB.literal, files))
    with connect("sharded.parquet()") as connection:
        query = f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"
        return counting.count(connection.sql(query), part)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that only this user may read, and remove it whatever happens.

    What a process that was killed has left is removed by the next one: a lock that nobody holds
    tells it.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with (folder / "lock").open("wb") as lock:
            _locked(lock)
            _sweep(folder.parent)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _locked(file: Any) -> bool:
    """Return whether a file could be locked, and by this process it is; where none can be: no."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _sweep(temporary: Path) -> None:
    for lock in temporary.glob(f"{_PREFIX}*/lock"):
        # the folders of others cannot be opened
        with suppress(OSError), lock.open("r+b") as file:
            if _locked(file):
                shutil.rmtree(lock.parent, ignore_errors=True)


_PREFIX = "cxjourney-shards."


def _bytes_of(memory: str) -> int:
    match = (
        re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B)", memory) if isinstance(memory, str) else None
    )
    size = 0 if match is None else int(float(match[1]) * _UNITS.get(match[2], 0))
    if size < _LEAST:
        rule = 'be a size of at least 100 MB, such as "500MB", "4GB" or "4GiB"'
        raise InvalidValue.of("memory", rule, memory)
    return size


_LEAST = 100 * 10**6
