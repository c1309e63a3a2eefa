"""What large logs cost: `python tests/benchmarks/scale.py --rows 1000000 10000000`.

CPU seconds of the process and its children, and the most memory that they held at once, of one work
a process; `--only exits handoff` chooses works, `--folder` keeps the data. Memory is that of the
process by the kernel, and what its children (Spark) held at most, sampled. The log has been read
before, except for "memory", which reads files and makes a graph as "graph" does in shards. "plan"
counts and finishes what statistics make, "total" adds up 1,024 parts, and "read" reads them from
bytes. The bars are of 1, 10 and 100 million interactions.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.compute as pc

import cxjourney as cx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from once import memory  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = {
    "customer": "customer_id",
    "timestamp": "timestamp",
    "touchpoint": "touchpoint",
    "channel": "channel",
}
RULES = {"goal": "tp_0", "inactivity": timedelta(days=14)}
STEPS, WEEK = ["tp_1", "tp_2", "tp_3"], timedelta(days=7)
PARTS = 1024
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE") / 1e9
BLOCK = 10_000_000
MILLION = 1_000_000
BARS = {  # rows, CPU seconds, gigabytes
    "exits": {1: (0.3, None), 10: (3, 1.3)},
    "handoff": {1: (0.6, None), 10: (6, 1.6)},
    "points": {1: (1, None)},
    "graph": {10: (None, 0.5), 100: (320, 2)},
    "plan": {100: (600, 4)},
    "total": dict.fromkeys((1, 10, 100), (5, None)),
}
RATIOS = {  # the first by the second, at most
    ("graph", "memory"): 3.5,
    ("spark-graph", "spark-lead"): 1.3,
    ("spark-plan", "spark-lead"): 2.5,
}
GROWTH = {"exits": 11, "markov": 11, "handoff": 11}  # from 1 to 10 million
MADE = """
COPY (
  SELECT 'c' || lpad(customer::VARCHAR, 8, '0') AS customer_id,
    make_timestamp((1700000000000000 + sum(wait) OVER of_customer)::BIGINT) AS timestamp,
    'tp_' || touchpoint AS touchpoint,
    ['web', 'app', 'store', 'call'][1 + channel] AS channel
  FROM (
    SELECT customer, step, (random() ** 2 * 60)::INTEGER % 60 AS touchpoint,
      (random() * 4)::INTEGER % 4 AS channel,
      CASE WHEN step = 0 THEN (random() * 90 * 86400e6)::BIGINT
        ELSE 1 + (-ln(1 - random()) * 2 * 86400e6)::BIGINT END AS wait
    FROM (
      SELECT customer, unnest(range(1 + floor(ln(1 - random()) / ln(1 - 1 / 8.0))::INTEGER)) AS step
      FROM range({first}, {stop}) AS people(customer)
    )
  )
  WINDOW of_customer AS (PARTITION BY customer ORDER BY step)
  ORDER BY timestamp
) TO '{file}' (FORMAT parquet)
"""


def write(folder: Path, rows: int) -> None:
    """Write about so many interactions, in files of ten million in the order of time."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    people, block = rows // 8, BLOCK // 8
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '4GB'; SET threads = 1")
        connection.execute(f"SET temp_directory = '{folder / 'spill'}'")
        for first in range(0, people, block):
            stop = min(first + block, people)
            connection.execute(f"SELECT setseed({0.1 + first / people / 2})")
            file = folder / f"events{first // block:03}.parquet"
            connection.execute(MADE.format(first=first, stop=stop, file=file))


# ---------------------------------------------------------------------------- the works


def in_memory(folder: Path, run: Callable[[Any], object]) -> Callable[[], object]:
    """Return a work on journeys of a log that has been read."""
    log = cx.io.read_parquet(str(folder / "*.parquet"), **COLUMNS)
    run(log.filter(customers=log.customer_ids[:100]).journeys(**RULES))  # loads what is lazy
    return lambda: run(log.journeys(**RULES))


def from_files(folder: Path) -> object:
    """Read files, cut journeys and make their graph."""
    log = cx.io.read_parquet(str(folder / "*.parquet"), **COLUMNS)
    return len(log.journeys(**RULES).graph(times=True))


def in_shards(folder: Path, limit: str, *, full: bool) -> object:
    """Count files in shards, and finish the graph or all that the full plan has."""
    source = str(folder / "*.parquet")
    plan = full_plan() if full else {"grains": "touchpoint"}
    return finished(cx.sharded.parquet(source, **COLUMNS, **RULES, **plan, memory=limit), full=full)


def full_plan() -> dict[str, object]:
    """Return what must be asked for."""
    analyses = {"funnel": {"steps": STEPS, "within": WEEK}, "handoff_loss": {}}
    return {"grains": ["touchpoint", "channel"], "analyses": analyses}


def finished(statistics: cx.JourneyStatistics, *, full: bool) -> object:
    """Return the size of the statistics; make the graph, or all that the full plan counts."""
    statistics.graph()
    if full:
        cx.dropoff.exits(statistics)
        cx.dropoff.funnel(statistics, STEPS, within=WEEK)
        cx.omnichannel.handoff_loss(statistics)
        cx.omnichannel.transitions(statistics)
        cx.attribution.markov(statistics)
        cx.attribution.linear(statistics)
    return len(statistics.to_bytes())


def total_of_parts(folder: Path, *, read: bool = False) -> Callable[[], object]:
    """Return the work of adding up what 1,024 parts of two thousand interactions counted.

    Or that of reading them from their bytes, which are checked.
    """
    with duckdb.connect() as connection:
        hashed = "('0x' || substr(md5(customer_id), 1, 4))::INTEGER"
        share = max(1, round(64 * min(1.0, 2_000 * PARTS / size(folder))))
        rows = connection.read_parquet(f"{folder}/*.parquet").filter(f"{hashed} % 64 < {share}")
        table = rows.project(f"*, {hashed} >> 6 AS part").to_arrow_table()
    until = table["timestamp"].to_numpy().max()
    parts = []
    for number in range(PARTS):
        rows = table.filter(pc.equal(table["part"], number))
        log = cx.InteractionLog.from_frame(rows, **COLUMNS, observed_until=str(until))
        journeys = log.journeys(**RULES, touchpoints=["tp_0"])
        parts.append(journeys.statistics(part=(number, PARTS)).to_bytes())
    make = cx.JourneyStatistics
    if read:
        return lambda: len([make.from_bytes(part) for part in parts])
    some = [make.from_bytes(part) for part in parts]
    return lambda: len(make.total(some))


def size(folder: Path) -> int:
    """Return the number of interactions."""
    with duckdb.connect() as connection:
        return len(connection.read_parquet(f"{folder}/*.parquet"))


def in_spark(folder: Path, run: Callable[[Any], object]) -> Callable[[], object]:
    """Return a work on a frame of a session on two cores that has done the same work before.

    Java compiles while it runs: each work, not only that of `with_lead`, finds its own code warm.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from pyspark.sql import SparkSession

    made = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    made = made.config("spark.driver.memory", "3g").config("spark.ui.showConsoleProgress", "false")
    session = made.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    frame = session.read.parquet(str(folder))
    run(frame)
    return lambda: run(frame)


def with_lead(frame: Any) -> object:
    """Count what directly follows what, and how long it took, by plain SQL."""
    window = "OVER (PARTITION BY customer_id ORDER BY timestamp)"
    moves = frame.selectExpr(
        "touchpoint AS source",
        f"lead(touchpoint) {window} AS target",
        f"timestampdiff(MICROSECOND, timestamp, lead(timestamp) {window}) AS took",
    )
    pairs = moves.where("target IS NOT NULL").groupBy("source", "target")
    return len(pairs.agg({"*": "count", "took": "sum"}).collect())


def by_spark(frame: Any, *, full: bool) -> object:
    """Count on executors, and finish what `in_shards` does."""
    plan = full_plan() if full else {"grains": "touchpoint"}
    return finished(cx.sharded.spark(frame, **COLUMNS, **RULES, **plan), full=full)


WORKS: dict[str, Callable[[Path, str], Callable[[], object]]] = {
    "exits": lambda folder, _: in_memory(folder, lambda j: len(cx.dropoff.exits(j).table)),
    "handoff": lambda folder, _: in_memory(
        folder, lambda j: len(cx.omnichannel.handoff_loss(j).pairs)
    ),
    "points": lambda folder, _: in_memory(folder, lambda j: len(cx.critical.points(j).table)),
    "markov": lambda folder, _: in_memory(folder, lambda j: len(cx.attribution.markov(j).table)),
    "memory": lambda folder, _: partial(from_files, folder),
    "graph": lambda folder, limit: partial(in_shards, folder, limit, full=False),
    "plan": lambda folder, limit: partial(in_shards, folder, limit, full=True),
    "total": lambda folder, _: total_of_parts(folder),
    "read": lambda folder, _: total_of_parts(folder, read=True),
    "spark-lead": lambda folder, _: in_spark(folder, with_lead),
    "spark-graph": lambda folder, _: in_spark(folder, partial(by_spark, full=False)),
    "spark-plan": lambda folder, _: in_spark(folder, partial(by_spark, full=True)),
}


# ---------------------------------------------------------------------------- measuring


def processes() -> list[tuple[float, float]]:
    """Return CPU seconds and resident gigabytes of this process and of all below it."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):  # it has ended
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            found[int(folder.name)] = (int(words[1]), sum(map(int, words[11:15])), int(words[21]))
    mine, more = {os.getpid()}, True
    while more:
        below = {pid for pid, (parent, *_) in found.items() if parent in mine}
        more = not below <= mine
        mine |= below
    first = os.getpid()
    mine = [first, *(pid for pid in mine if pid != first and pid in found)]
    return [(found[pid][1] / TICK, found[pid][2] * PAGE) for pid in mine]


def once(work: str, folder: Path, limit: str) -> dict[str, object]:
    """Return CPU seconds, most memory [GB] and the answer of a work in this process."""
    run = WORKS[work](folder, limit)
    most, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            most[0] = max(most[0], sum(memory for _, memory in processes()[1:]))

    watcher = threading.Thread(target=watch)
    if "spark" in work:  # the others are one process
        watcher.start()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before, begin = sum(cpu for cpu, _ in processes()), time.perf_counter()
    answer = run()
    took = time.perf_counter() - begin
    cpu = sum(cpu for cpu, _ in processes()) - before
    over.set()
    peak = memory("VmHWM") / 1000 + most[0]
    return {"cpu": cpu, "seconds": took, "gb": peak, "answer": answer}


def in_its_own_process(work: str, folder: Path, limit: str) -> dict[str, Any] | None:
    command = [sys.executable, __file__, "--once", work, "--folder", str(folder), "--memory", limit]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{work} failed", flush=True)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(results: dict[tuple[str, int], dict[str, Any]]) -> list[str]:
    """Return ratios of works, and growth from one to ten million."""
    cpu = {key: found["cpu"] for key, found in results.items()}
    lines = []
    for (work, by), bar in RATIOS.items():
        for rows in sorted({rows for _, rows in cpu}):
            if (work, rows) in cpu and (by, rows) in cpu:
                ratio = cpu[work, rows] / cpu[by, rows]
                lines.append(f"{work} by {by}, {rows:,} rows: {ratio:.2f} (at most {bar})")
    for work, bar in GROWTH.items():
        if {(work, MILLION), (work, 10 * MILLION)} <= cpu.keys():
            ratio = cpu[work, 10 * MILLION] / cpu[work, MILLION]
            lines.append(f"{work}, growth from 1 to 10 million rows: {ratio:.1f} (at most {bar})")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[MILLION])
    parser.add_argument("--only", nargs="+", default=[*WORKS], choices=WORKS)
    parser.add_argument("--folder", type=Path, help="of the data; a temporary one by default")
    parser.add_argument("--memory", default="1GB", help="of works in shards")
    parser.add_argument("--once", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = once(options.once, options.folder, options.memory)
        print(json.dumps(found))
        sys.stdout.flush()
        os._exit(0)  # Spark takes its time
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        base = options.folder or Path(temporary)
        for rows in options.rows:
            folder = base / str(rows)
            write(folder, rows)
            print(f"{size(folder):,} rows: CPU s, seconds, GB at most; the bars", flush=True)
            for work in options.only:
                found = in_its_own_process(work, folder, options.memory)
                if found is not None:
                    results[work, rows] = found
                    bars = BARS.get(work, {}).get(rows // MILLION, "")
                    told = f"{found['cpu']:8.2f} {found['seconds']:8.2f} {found['gb']:6.2f}"
                    print(f"{work:12} {told}  {bars}  -> {found['answer']}", flush=True)
    print(*compared(results), sep="\n")


if __name__ == "__main__":
    main()
