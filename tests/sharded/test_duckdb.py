"""Shards by DuckDB: the same bytes as of one log, whatever the way."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cxjourney as cx
from cxjourney.exceptions import (
    DataQualityWarning,
    InputFileError,
    InvalidData,
    InvalidValue,
    UnknownName,
)
from cxjourney.io import connect
from cxjourney.log import in_order_of_names
from cxjourney.sharded import _duckdb

from .engines import KEYS, LIMIT, MADE, REAL, START, big_table, made_table, real_table

if TYPE_CHECKING:
    from pathlib import Path

QUIET = pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")


def in_memory(table: pa.Table, rules: dict[str, Any], **reading: Any) -> bytes:
    grains = {name: reading.pop(name) for name in ("grains", "analyses") if name in reading}
    log, _ = in_order_of_names(cx.InteractionLog.from_frame(table, **KEYS, **reading))
    return log.journeys(**rules).statistics(**grains).to_bytes()


def shard(table: pa.Table, rules: dict[str, Any], most: int, **further: Any) -> bytes:
    """Return the statistics by the way that is taken for so many rows a shard."""
    names = ("own", "map_", "progress")
    how = {name: further.pop(name) for name in names if name in further}
    counting = _duckdb.Counting.of(KEYS, **rules, **further)
    with duckdb.connect() as connection, _duckdb.private_folder() as folder:
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.register("given", table)
        relation = connection.table("given")
        found = _duckdb._counted(counting, relation, folder, most=most, **how)
    assert not folder.exists()
    return found.to_bytes()


@QUIET
@pytest.mark.parametrize(
    ("rules", "reading", "zone"), [*((*made, None) for made in MADE), (*MADE[0], "Asia/Tokyo")]
)
def test_copies_and_filters_give_the_bytes_of_the_whole(rules, reading, zone):
    table = made_table(zone)
    whole = in_memory(table, rules, missing="drop", **reading)
    assert shard(table, rules, 10**6, missing="drop", **reading) == whole
    assert shard(table, rules, 200, missing="drop", **reading, own=True) == whole
    assert shard(table, rules, 200, missing="drop", **reading) == whole
    assert shard(table, rules, 40, missing="drop", **reading, own=True) == whole


@QUIET
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_a_table_that_lacks_nothing_is_read_once(zone, monkeypatch):
    rows = made_table(zone).to_pylist()
    known = [row["at"] and (row["who"] or "").strip() and row["page"] for row in rows]
    table = made_table(zone).filter(pa.array([bool(row) for row in known]))
    rules = {"goal": "buy", "inactivity": LIMIT}
    monkeypatch.setattr(_duckdb, "facts_of", None)
    for reading in ({}, {"observed_until": "2024-04-02"}):
        whole = in_memory(table, rules, **reading)
        assert shard(table, rules, 10**6, **reading) == whole
        assert shard(table, rules, 100, own=True, **reading) == whole
        assert shard(table, rules, 100, **reading) == whole


@QUIET
@pytest.mark.parametrize("name", REAL)
def test_real_logs(shared, name):
    table, rules = real_table(shared, name)
    whole = in_memory(table, rules)
    assert shard(table, rules, len(table) // 3, own=True) == whole
    assert shard(table, rules, len(table) // 12) == whole


def rich_table(n: int = 4000) -> pa.Table:
    """Return interactions with channels, owners, cases and values, a fifth of them tied."""
    numbers = range(n)
    return pa.table(
        {
            "who": [f"c{i * 79 % 53}" for i in numbers],
            "at": [START + timedelta(hours=i * 31 % 61) for i in numbers],
            "page": ["buy" if i % 11 == 0 else f"p{i * i % 5}" for i in numbers],
            "via": [None if i % 13 == 0 else f"ch{i * 3 % 4}" for i in numbers],
            "case": [f"s{i * 17 % 97}" for i in numbers],
            "worth": [i % 7 * 1.25 if i % 11 == 0 else None for i in numbers],
        }
    )


@QUIET
def test_channels_cases_and_values():
    table, rules = rich_table(), {"goal": "buy", "inactivity": LIMIT}
    for columns in (
        {"channel": "via", "value": "worth", "currency": "EUR"},
        {"channel": "via", "journey": "case"},
        {"channel": "via", "grains": [("touchpoint", "channel"), "channel"]},
    ):
        whole = in_memory(table, rules, **columns)
        assert shard(table, rules, 500, **columns) == whole
        assert shard(table, rules, 1000, **columns, own=True) == whole
    window = {"observed_from": "2024-03-30T10:00", "observed_until": "2024-03-31T05:00"}
    assert shard(table, rules, 500, **window) == in_memory(table, rules, **window)
    # the order of the input has no part in it
    backwards = table.take(pa.array(range(len(table) - 1, -1, -1)))
    columns = {"channel": "via", "value": "worth", "currency": "EUR"}
    assert shard(backwards, rules, 500, **columns) == in_memory(table, rules, **columns)


@QUIET
def test_the_big_log_in_a_pool_of_processes(shared):
    table = big_table(shared, 1, 100)
    rules = {"goal": "goal", "inactivity": timedelta(days=30)}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert shard(table, rules, 300, map_=pool.map) == in_memory(table, rules)


def joblib_map(function: Any, shards: Any) -> Any:
    import joblib

    return joblib.Parallel(n_jobs=2)(joblib.delayed(function)(one) for one in shards)


@QUIET
@pytest.mark.parametrize("pool", ["processes", pytest.param("joblib", marks=pytest.mark.spark)])
def test_workers_that_are_other_processes(files, monkeypatch, pool):
    monkeypatch.setattr(_duckdb, "ROWS", 1000)
    rules = {"goal": "buy", "inactivity": LIMIT}
    path = f"{files}/**/*.parquet"
    if pool == "joblib":
        found = cx.sharded.parquet(path, **KEYS, **rules, map=joblib_map)
    else:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
            found = cx.sharded.parquet(path, **KEYS, **rules, map=workers.map)
    assert found.to_bytes() == in_memory(rich_table(), rules)


@QUIET
def test_csv_by_duckdb(tmp_path, monkeypatch):
    monkeypatch.setattr(_duckdb, "ROWS", 1000)
    rules = {"goal": "buy", "inactivity": LIMIT}
    table = rich_table()
    for i, some in enumerate((table.slice(0, 1500), table.slice(1500))):
        duckdb.from_arrow(some).write_csv(str(tmp_path / f"{i}.csv.gz"), compression="gzip")
    types = {"who": "VARCHAR", "at": "TIMESTAMPTZ", "worth": "DOUBLE"}
    rows = duckdb.read_csv(f"{tmp_path}/*.csv.gz", dtype=types)
    columns = {"channel": "via", "value": "worth", "currency": "EUR"}
    found = cx.sharded.relation(rows, **KEYS, **rules, **columns)
    assert found.to_bytes() == in_memory(table, rules, **columns)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    table = rich_table()
    (tmp_path / "a").mkdir()
    pq.write_table(table.slice(0, 1500), tmp_path / "a" / "one's [file].parquet")
    pq.write_table(table.slice(1500), tmp_path / "two.parquet")
    return tmp_path


@QUIET
def test_files_of_parquet(files, monkeypatch):
    rules = {"goal": "buy", "inactivity": LIMIT}
    whole = in_memory(rich_table(), rules, channel="via")
    made = []
    for rows in (10**6, 900, 300):
        monkeypatch.setattr(_duckdb, "ROWS", rows)
        done: list[tuple[int, int]] = []
        found = cx.sharded.parquet(
            f"{files}/**/*.parquet",
            **KEYS,
            channel="via",
            **rules,
            memory="400MB",
            progress=lambda i, n, done=done: done.append((i, n)),
        )
        assert found.to_bytes() == whole
        made.append(done[-1][0])
        assert done == [(i + 1, made[-1]) for i in range(made[-1])]
    assert made == [1, 8, 16]
    assert cx.dropoff.exits(found).n_converted == 4000 // 11 + 1


def test_what_is_wrong_is_said_before_counting(files):
    path = f"{files}/**/*.parquet"
    with pytest.raises(UnknownName, match="goal 'by' is not in the table; did you mean 'buy'"):
        cx.sharded.parquet(path, **KEYS, goal="by")
    with pytest.raises(UnknownName, match="'wo'"):
        cx.sharded.parquet(path, **{**KEYS, "customer": "wo"})
    with pytest.raises(InputFileError, match="no file"):
        cx.sharded.parquet(f"{files}/none/*.parquet", **KEYS)
    with pytest.raises(InvalidValue, match="memory must be a size of at least 400 MB"):
        cx.sharded.parquet(path, **KEYS, memory="4")
    with pytest.raises(InvalidValue, match="since Python and the libraries alone take 200"):
        cx.sharded.parquet(path, **KEYS, memory="399MB")
    with pytest.raises(InvalidValue, match="currency must be a code"):
        cx.sharded.parquet(path, **KEYS, value="worth", currency="via")
    with pytest.raises(InvalidValue, match=r"column of customer= must be of strings"):
        cx.sharded.parquet(path, **{**KEYS, "customer": "worth"}, missing="drop")
    with pytest.raises(InvalidData, match="touchpoint is missing in"):
        cx.sharded.parquet(path, **{**KEYS, "touchpoint": "via"})
    with pytest.raises(InvalidValue, match="observed_from must not lie after observed_until"):
        cx.sharded.parquet(path, **KEYS, observed_from="2025-01-01", observed_until="2024-01-01")
    with pytest.raises(InvalidValue, match="relation must be a relation of DuckDB"):
        cx.sharded.relation(rich_table(), **KEYS)
    with pytest.raises(InvalidValue, match="attributes"):
        cx.sharded.parquet(path, **KEYS, attributes=["via"])


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
@pytest.mark.parametrize(("memory", "most"), [("400MB", 400), ("600MB", 600)])
def test_no_more_memory_is_taken_than_was_given(tmp_path, memory, most):
    rows = 2_500 * most  # which take 580 and 930 MB where nothing is said
    duckdb.sql(
        "SELECT 'c' || (i * 7919 % 125000) AS who, TIMESTAMP '2026-01-01' + INTERVAL 9 SECOND * i"
        " AS at, CASE WHEN i % 37 = 0 THEN 'buy' ELSE 'page ' || (i * i % 61) END AS page,"
        " 'ch' || (i * 31 % 4) AS via FROM range(?) AS r(i)",
        params=[rows],
    ).write_parquet(str(tmp_path / "events.parquet"))
    script = (
        "import cxjourney as cx, pathlib, re\n"
        f"cx.sharded.parquet({str(tmp_path / 'events.parquet')!r}, **{KEYS!r}, channel='via',"
        f" goal='buy', inactivity='3d', memory={memory!r})\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1000 <= most


def test_too_little_memory_is_said(tmp_path, monkeypatch):
    duckdb.sql(
        "SELECT 'c' || i AS who, TIMESTAMP '2026-01-01' AS at, 'page' AS page"
        " FROM range(400000) AS r(i)"
    ).write_parquet(str(tmp_path / "events.parquet"))
    monkeypatch.setattr(_duckdb, "shares_of", lambda *_: (3_000_000, 1_000))
    with pytest.raises(InvalidValue, match="memory must be more for so many interactions") as told:
        cx.sharded.parquet(tmp_path / "events.parquet", **KEYS, memory="500MB")
    assert "500MB" in str(told.value)


def test_ties_are_told(files):
    with pytest.warns(DataQualityWarning, match="interactions have the customer and the timestamp"):
        cx.sharded.parquet(f"{files}/**/*.parquet", **KEYS)


@QUIET
def test_temporary_files_go_whatever_happens(files, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(_duckdb.tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(_duckdb, "ROWS", 100)
    seen = []

    def fail(function: Any, shards: Any) -> Any:
        (folder,) = temporary.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        seen.append(len(list(folder.rglob("*.parquet"))))
        for i, one in enumerate(builtins.map(function, shards)):
            if i == 3:
                raise KeyboardInterrupt
            yield one

    with pytest.raises(KeyboardInterrupt):
        cx.sharded.parquet(f"{files}/**/*.parquet", **KEYS, map=fail)
    assert seen[0] > 30
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(files, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    script = (
        "import os, signal\n"
        "from cxjourney.sharded import _duckdb\n"
        "with _duckdb.private_folder() as folder:\n"
        "    (folder / 'copy').write_text('rows')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert len(list(temporary.glob("*/copy"))) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_duckdb.tempfile, "tempdir", str(temporary))
        with _duckdb.private_folder() as first, _duckdb.private_folder() as second:
            assert set(temporary.iterdir()) == {first, second}
    assert list(temporary.iterdir()) == []


@QUIET
def test_an_empty_table_and_one_customer():
    empty = made_table(None).slice(0, 0)
    rules = {"goal": "buy", "inactivity": LIMIT}
    assert shard(empty, rules, 100) == in_memory(empty, rules)
    table = pa.table(
        {
            "who": ["a"] * 80,
            "page": ["web", "buy"] * 40,
            "at": [START + i * LIMIT / 7 for i in range(80)],
        }
    )
    assert shard(table, rules, 10) == in_memory(table, rules)


@QUIET
@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")  # Dask's own
def test_workers_of_dask(files, monkeypatch):
    import distributed

    monkeypatch.setattr(_duckdb, "ROWS", 1000)
    rules = {"goal": "buy", "inactivity": LIMIT}
    path = f"{files}/**/*.parquet"
    with distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
        found = cx.sharded.parquet(path, **KEYS, **rules, map=client.get_executor().map)
    assert found.to_bytes() == in_memory(rich_table(), rules)


def test_analyses_are_counted_in_shards():
    table = made_table("UTC")
    rules, reading = MADE[0][0], {**MADE[0][1], "missing": "drop"}
    steps = {"steps": ["web", "shop", "buy"], "within": timedelta(days=2)}
    plan = {"analyses": {"funnel": steps, "lifecycle": {"period": "day"}}}
    whole = in_memory(table, rules, **reading, **plan)
    assert shard(table, rules, 100, **reading, **plan) == whole
    found = cx.dropoff.funnel(cx.JourneyStatistics.from_bytes(whole), **steps)
    assert found.n_units > 40
    with pytest.raises(InvalidValue, match="at least one step"):
        shard(table, rules, 100, **reading, analyses={"funnel": {"steps": []}})


def test_an_interrupt_is_one_of_python_and_no_bar_is_drawn():
    with connect("a test") as connection:
        drawn = connection.sql("SELECT current_setting('enable_progress_bar')").fetchall()
    assert drawn == [(False,)]
    # DuckDB takes the interrupt for itself, and raises this in its place
    with pytest.raises(KeyboardInterrupt), connect("a test"):
        raise RuntimeError("Query interrupted")
    with pytest.raises(RuntimeError, match="something else"), connect("a test"):
        raise RuntimeError("something else")


def test_a_misspelt_argument_is_told_with_the_nearest():
    events = duckdb.sql("SELECT 'a' AS who, TIMESTAMP '2026-01-01' AS seen, 'web' AS page")
    with pytest.raises(UnknownName, match=r"argument 'inactivty'.*did you mean 'inactivity'"):
        cx.sharded.relation(
            events, customer="who", timestamp="seen", touchpoint="page", inactivty="7d"
        )
