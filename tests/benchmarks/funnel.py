"""An ordered funnel of five steps within seven days, against the same by hand in polars and DuckDB.

Run by hand: `python tests/benchmarks/funnel.py [interactions]`. All start from their own table of
the log, built beforehand; the counts must agree, or it stops. By hand the window begins with the
first step 1 of a customer, so that is what is asked for. Medians over interleaved rounds, so that
a busy machine slows all alike.
"""

from __future__ import annotations

# ruff: noqa: S608 - the names in the queries are our own
import statistics
import sys
import time
from datetime import timedelta

import duckdb
import numpy as np
import polars as pl

import cxjourney as cx
from cxjourney.dropoff import funnel

ROUNDS = 9
TOUCHPOINTS = 60
WEEK = timedelta(days=7)
STEPS = [f"tp_{i}" for i in range(5)]


def make(n: int, seed: int = 7) -> pl.DataFrame:
    """Return about n interactions of n/8 customers, in order of time."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / 8, n // 8)
    customer = np.repeat(np.arange(n // 8), lengths)
    begin = np.repeat(rng.integers(0, 90 * 86_400 * 10**6, n // 8), lengths)
    gap = rng.exponential(0.7 * 86_400e6, len(customer)).astype(np.int64) + 1
    total = np.cumsum(gap)
    first = np.repeat(np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    timestamp = begin + total - total[first]
    # a third of the touches are at the five steps
    touch = np.where(
        rng.random(len(customer)) < 1 / 3,
        rng.integers(0, 5, len(customer)),
        rng.integers(5, TOUCHPOINTS, len(customer)),
    )
    order = np.argsort(timestamp, kind="stable")
    return pl.DataFrame(
        {
            "customer_id": [f"c{i:07}" for i in customer[order].tolist()],
            "timestamp": pl.Series(timestamp[order] + 1_700_000_000_000_000).cast(
                pl.Datetime("us")
            ),
            "touchpoint": [f"tp_{i}" for i in touch[order].tolist()],
        }
    )


def in_polars(frame: pl.DataFrame) -> list[int]:
    """Chain lazy joins, each with the first time at the next step."""
    lazy = frame.lazy()

    def at(step: str) -> pl.LazyFrame:
        return lazy.filter(pl.col("touchpoint") == step).select("customer_id", "timestamp")

    level = at(STEPS[0]).group_by("customer_id").agg(t1=pl.col("timestamp").min())
    level = level.with_columns(t=pl.col("t1"))
    levels = [level]
    for step in STEPS[1:]:
        level = (
            at(step)
            .join(level, on="customer_id")
            .filter(
                (pl.col("timestamp") > pl.col("t")) & (pl.col("timestamp") <= pl.col("t1") + WEEK)
            )
            .group_by("customer_id")
            .agg(t1=pl.col("t1").first(), t=pl.col("timestamp").min())
        )
        levels.append(level)
    return [part.item() for part in pl.collect_all([one.select(pl.len()) for one in levels])]


def in_duckdb(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """Chain materialised joins, each with the first time at the next step."""
    first = "select customer_id, min(timestamp) t1, min(timestamp) t from ev where touchpoint = "
    parts = [f"s1 as materialized ({first} '{STEPS[0]}' group by customer_id)"]
    parts += [
        f"s{k} as materialized (select e.customer_id, any_value(p.t1) t1, min(e.timestamp) t "
        f"from ev e join s{k - 1} p on e.customer_id = p.customer_id "
        f"where e.touchpoint = '{STEPS[k - 1]}' and e.timestamp > p.t "
        f"and e.timestamp <= p.t1 + interval 7 day group by e.customer_id)"
        for k in range(2, len(STEPS) + 1)
    ]
    counts = " union all ".join(
        f"select {k} k, count(*) n from s{k}" for k in range(1, len(STEPS) + 1)
    )
    rows = connection.execute(f"with {', '.join(parts)} {counts} order by k").fetchall()
    return [n for _, n in rows]


def main(n: int) -> None:
    frame = make(n)
    log = cx.InteractionLog.from_frame(
        frame, customer="customer_id", timestamp="timestamp", touchpoint="touchpoint"
    )
    connection = duckdb.connect()
    connection.register("frame", frame)
    connection.execute("create table ev as select * from frame")
    answers: dict[str, list[int]] = {}
    times: dict[str, list[float]] = {}
    cases = {
        "cxjourney": lambda: funnel(log, STEPS, within=WEEK, entry="first", censored="keep").counts,
        "cxjourney, any entry": lambda: funnel(log, STEPS, within=WEEK, censored="keep").counts,
        "polars": lambda: in_polars(frame),
        "DuckDB": lambda: in_duckdb(connection),
    }
    for _ in range(ROUNDS):
        for name, run in cases.items():
            begin = time.perf_counter()
            answers[name] = list(run())
            times.setdefault(name, []).append(1000 * (time.perf_counter() - begin))
    for name in ("polars", "DuckDB"):
        if answers[name] != answers["cxjourney"]:
            raise SystemExit(f"{name} counts {answers[name]}, not {answers['cxjourney']}")
    ours = statistics.median(times["cxjourney"])
    print(f"{len(log):,} interactions of {log.n_customers:,} customers: {answers['cxjourney']}")
    for name, rounds in times.items():
        median = statistics.median(rounds)
        print(f"{name:22} {median:8.1f} ms   {median / ours:5.1f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
