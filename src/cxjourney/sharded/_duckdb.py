"""Statistics of more interactions than fit into memory: shards by DuckDB, one after the other."""

from __future__ import annotations

import builtins
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from cxjourney.exceptions import CxJourneyError, InvalidValue
from cxjourney.io import connect, find_files, parquet_relation
from cxjourney.journeys import of_own_bytes, quick_bytes
from cxjourney.sharded._counting import DEEPEST, ROWS, Counting, Plan, depth_for, total_of, warn_of
from cxjourney.sharded._dialects import DIALECTS
from cxjourney.sharded._sql import COMPLETE, cleaned, given, last_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from cxjourney.journeys import JourneyStatistics

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""`map` of Python, or of anything that does the same elsewhere."""

_DUCKDB = DIALECTS["duckdb"]
COLUMNS = "columns.parquet"
_FEW = 8
_OF_A_THREAD = 300_000_000
"""Bytes of DuckDB for each of its threads."""
"""Shards up to which reading the files once a shard is less work than to copy them."""
_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_BYTES_A_ROW = 500
"""What counting takes at most, of a shard of millions."""
_OWN = 200 * 10**6
"""What Python, the libraries and an idle DuckDB take."""
_LEAST = 400 * 10**6


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
        How much memory the process may take while it counts shards itself, such as "4GB"; at least
        "400MB", of which Python and the libraries take a half. The sum counts towards it up to a
        half of the rest: of sixty touchpoints 40 MB for the graph of ten million interactions,
        and 120 MB with channels, hand-offs and a funnel.
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
        `after_goal`, `all_closed`, `carry_channels`), and `grains` and
        `analyses` of `Journeys.statistics`. `since` and `until` are the period of a comparison:
        journeys that begin at `since` or later and before `until` count, observed until then, as of
        `log.between(None, until).journeys(...).where(since=since)`; what comes at `until` or later
        is left out. Closed cases (`all_closed=True`) are taken whole.

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
        If there is no `seq=` and many interactions are tied, or some lie after `observed_until`
        or before `observed_from` and count.

    Notes
    -----
    Customers are divided by the bits of the MD5 digest of their ids into parts of about two
    million interactions. Up to eight of them the files are read once a part; of more, or for the
    workers of another `map`, they are first copied into one folder a part, which takes up to twice
    their own size of disk. Copies lie in a folder of their own, which only this user may read, and
    are removed at the end, whatever that is; what a process that was killed left, by the next one.

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
    files, (limit, most) = find_files(path), shares_of(memory, ROWS)
    with (
        private_folder() as folder,
        connected("sharded.parquet()", folder, limit) as connection,
        _enough(memory),
    ):
        relation = parquet_relation(connection, files, [*counting.columns.values()])
        return _counted(
            counting,
            relation,
            folder,
            most=most,
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
    if not is_relation(relation):
        rule = "be a relation of DuckDB, as connection.table() and connection.sql() give it"
        raise InvalidValue.of("relation", rule, type(relation).__name__)
    columns = {"customer": customer, "timestamp": timestamp, "touchpoint": touchpoint}
    counting = Counting.of(columns, **plan)
    counting.check_columns(relation.columns)
    with private_folder() as folder:
        return _counted(counting, relation, folder, map_=map, progress=progress)


def is_relation(given: Any) -> bool:
    """Return whether this is a relation of DuckDB, of whatever release."""
    return hasattr(given, "query") and hasattr(given, "project")


@contextmanager
def connected(caller: str, folder: Path, limit: int) -> Iterator[Any]:
    """Connect to DuckDB, which takes so many bytes of memory and spills the rest into a folder.

    What a thread writes into many files at once it holds apart from the others: with too little for
    each of them DuckDB runs out of memory.
    """
    with connect(caller) as connection:
        connection.execute(f"SET temp_directory = {_DUCKDB.literal(str(folder / 'spill'))}")
        connection.execute(f"SET memory_limit = '{limit} B'")
        connection.execute("SET preserve_insertion_order = false")
        threads = max(1, min(limit // _OF_A_THREAD, os.cpu_count() or 1))
        connection.execute(f"SET threads = {threads}")
        yield connection


@contextmanager
def _enough(memory: str) -> Iterator[None]:
    """Raise InvalidValue where DuckDB runs out of its share of the memory."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        rule = "be more for so many interactions, of which DuckDB has a part: try twice as much"
        raise InvalidValue.of("memory", rule, memory) from None


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
    names = [*dict.fromkeys(counting.columns.values())]
    of_roles = relation.project(", ".join(map(_DUCKDB.name, names)))

    def summed(counting: Counting, rows: int) -> tuple[JourneyStatistics, dict[str, int]]:
        depth = depth_for(rows, most)
        found = _shards(counting, of_roles, folder, depth, own=own, map_=map_)
        return total_of(_reported(found, 1 << depth, progress))

    if end := _end_of(counting, relation):
        rows, last = end
        ended = counting.ended(last)
        with suppress(CxJourneyError):  # the facts say what is wrong
            whole, told = summed(ended, rows)
            if ended.told_by_all(told, rows):
                warn_of(ended, told)
                return whole
    counting, facts = counting.checked(
        facts_of(counting, relation), _DUCKDB, lambda: touchpoints_of(counting, relation)
    )
    whole, told = summed(counting, facts["rows"])
    warn_of(counting, facts | {"ties": told["ties"]})
    return whole


def _end_of(counting: Counting, relation: Any) -> tuple[int, int | None] | None:
    """Return how many rows there are, and the last time, where shards tell the other facts."""
    table, kinds = counting.table(), map(str, relation.types)
    kind = dict(zip(relation.columns, kinds, strict=True))
    types = {role: kind[name].lower() for role, name in table.columns.items()}
    last = last_us(table, types["timestamp"], _DUCKDB)
    if last is None or not counting.tells(types, _DUCKDB):
        return None
    ((rows, end),) = relation.aggregate(f"COUNT(*), {last}").fetchall()
    return rows, end


def _shards(
    counting: Counting, relation: Any, folder: Path, depth: int, *, own: bool, map_: Map
) -> Iterable[tuple[JourneyStatistics, dict[str, int]]]:
    """Return the statistics of all parts, and what is told of them."""
    parts = [(i, 1 << depth) for i in range(1 << depth)]
    if not depth:
        return [counting.count(relation, (0, 1))]
    if own and map_ is builtins.map and len(parts) <= _FEW:
        return _filtered(counting, relation, folder, parts)
    _copy(counting, relation, folder, depth)
    if map_ is builtins.map:
        return map_(partial(_of_copy, counting, str(folder)), parts)
    # what comes from elsewhere comes in bytes
    sent = map_(partial(_sent_of_copy, counting, str(folder)), parts)
    return ((of_own_bytes(data), told) for data, told in sent)


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


def facts_of(counting: Counting, relation: Any) -> dict[str, Any]:
    asked = ", ".join(counting.facts(_DUCKDB))
    told = relation.query("cx_source", f"SELECT {asked} FROM ({_cleaned(counting)}) AS cx_cleaned")
    (row,) = told.fetchall()
    return dict(zip(told.columns, row, strict=True))


def touchpoints_of(counting: Counting, relation: Any) -> list[str]:
    query = f"SELECT DISTINCT touchpoint FROM ({_cleaned(counting)}) AS cx_cleaned LIMIT 10000"
    return [name for (name,) in relation.query("cx_source", query).fetchall() if name is not None]


def ties_of(counting: Counting, relation: Any) -> int:
    """Return how many interactions have the customer and the timestamp of another one."""
    query = (
        "SELECT COUNT(*) - COUNT(DISTINCT (customer, us))"
        f" FROM ({_cleaned(counting)}) AS cx_cleaned WHERE {COMPLETE}"
    )
    ((ties,),) = relation.query("cx_source", query).fetchall()
    return int(ties)


def part_in_sql(customer: str, depth: int) -> str:
    """Return the expression of the part of an id, which is a string as it counts."""
    return f"('0x' || SUBSTR(MD5({customer}), 1, 4))::INTEGER >> {DEEPEST - depth}"


def _id_in_sql(counting: Counting) -> str:
    """Return the expression of the id of a row as it is, compared by its bytes."""
    return f'CAST({_DUCKDB.name(counting.columns["customer"])} AS VARCHAR) COLLATE "C"'


def _filtered(
    counting: Counting, relation: Any, folder: Path, parts: list[tuple[int, int]]
) -> Iterator[tuple[JourneyStatistics, dict[str, int]]]:
    """Count one part after the other, each of a reading of all; ids are hashed once."""
    raw = _id_in_sql(counting)
    part = part_in_sql(_DUCKDB.canonical("cx_id"), len(parts).bit_length() - 1)
    distinct = f"SELECT DISTINCT {raw} AS cx_id FROM cx_source"
    query = f"SELECT cx_id, {part} AS cx_part FROM ({distinct}) AS ids WHERE cx_part IS NOT NULL"
    relation.query("cx_source", query).write_parquet(str(folder / "ids.parquet"))
    ids = read_query(folder / "ids.parquet")
    for number, of in parts:
        wanted = f"SELECT cx_id FROM ({ids}) AS ids WHERE cx_part = {number}"
        yield counting.count(relation.filter(f"{raw} IN ({wanted})"), (number, of))


def _copy(counting: Counting, relation: Any, folder: Path, depth: int) -> None:
    """Copy a relation into one folder of Parquet files a part, and an empty file of its columns."""
    part = part_in_sql(_DUCKDB.canonical(_id_in_sql(counting)), depth)
    # a row without a customer has no part; that it may be left out was checked
    rows = f"SELECT *, {part} AS cx_part FROM cx_source WHERE cx_part IS NOT NULL"
    # uncompressed, since they are read once; filters of all row groups would stay in memory
    how = "FORMAT parquet, PARTITION_BY (cx_part), OVERWRITE, COMPRESSION uncompressed"
    to = f"{_DUCKDB.literal(str(folder / 'parts'))} ({how}, WRITE_BLOOM_FILTER false)"
    relation.query("cx_source", f"COPY ({rows}) TO {to}")
    relation.limit(0).write_parquet(str(folder / COLUMNS))


def _sent_of_copy(
    counting: Counting, folder: str, part: tuple[int, int]
) -> tuple[bytes, dict[str, int]]:
    """Return what `_of_copy` does in bytes; a pool's worker calls it."""
    statistics, told = _of_copy(counting, folder, part)
    return quick_bytes(statistics), told


def _of_copy(
    counting: Counting, folder: str, part: tuple[int, int]
) -> tuple[JourneyStatistics, dict[str, int]]:
    """Return the statistics of one part that was copied."""
    query = read_query(*files_of(Path(folder), part[0]))
    with connect("sharded.parquet()") as connection:
        return counting.count(connection.sql(query), part)


def files_of(folder: Path, part: int) -> list[Path]:
    """Return the files of the copy of a part, first the empty one of its columns."""
    return [
        folder / COLUMNS,
        *sorted((folder / "parts" / f"cx_part={part}").glob("*.parquet")),
    ]


def read_query(*paths: Path) -> str:
    """Return the query of the rows of Parquet files."""
    listed = ", ".join(_DUCKDB.literal(str(path)) for path in paths)
    return f"SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user may read, and remove it whatever happens.

    What a process that was killed has left is removed by the next one: a lock that nobody holds
    tells it.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with (folder / "lock").open("wb") as lock:
            only_here(lock)
            _sweep(folder.parent)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def only_here(file: Any) -> bool:
    """Lock a file until it is closed, and return whether that could be done."""
    try:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(temporary: Path) -> None:
    for lock in temporary.glob(f"{_PREFIX}*/lock"):
        # the folders of others cannot be opened
        with suppress(OSError), lock.open("r+b") as file:
            if only_here(file):
                shutil.rmtree(lock.parent, ignore_errors=True)


_PREFIX = "cxjourney-shards."


def shares_of(memory: str, rows: int) -> tuple[int, int]:
    """Return the bytes that DuckDB may take, and how many of so many rows a shard may have.

    One half of what Python and the libraries leave is for DuckDB while it copies, and then for the
    sum; the other one for a shard.
    """
    size_and_unit = r"(\d+(?:\.\d+)?)\s*([KMGT]I?B)"
    match = re.fullmatch(size_and_unit, memory.upper()) if isinstance(memory, str) else None
    size = 0 if match is None else int(float(match[1]) * _UNITS.get(match[2], 0))
    if size < _LEAST:
        least, own = _LEAST // 10**6, _OWN // 10**6
        rule = f'be a size of at least {least} MB, such as "500MB", "4GB" or "4GiB"'
        rule += f", since Python and the libraries alone take {own}"
        raise InvalidValue.of("memory", rule, memory)
    half = (size - _OWN) // 2
    return half, min(rows, half // _BYTES_A_ROW)
