"""The 20 most frequent paths of a million interactions, against the same by hand in polars.

Run by hand: `python tests/benchmarks/variants.py [interactions]`. Both start from their own table
of the log, built beforehand; the counts must agree, or it stops. Ours also returns the shares,
the coverage of all paths and the unseen mass. Medians over interleaved rounds, so that a busy
machine slows all alike.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
import polars as pl

import cxjourney as cx
from cxjourney.sequences import complexity, paths, turbulence

ROUNDS = 7
TOUCHPOINTS = 60


def make(n: int, seed: int = 7) -> pl.DataFrame:
    """Return about n interactions of n/8 customers from a Markov chain, in order of time."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / 8, n // 8)
    customer = np.repeat(np.arange(n // 8), lengths)
    next_of = np.cumsum(rng.dirichlet(np.full(TOUCHPOINTS, 0.15), TOUCHPOINTS), axis=1)
    draw = rng.random(len(customer))
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    touch = np.zeros(len(customer), dtype=np.int64)
    touch[first] = rng.integers(0, TOUCHPOINTS, len(lengths))
    for step in range(1, int(lengths.max())):
        row = first[lengths > step] + step
        touch[row] = np.minimum((next_of[touch[row - 1]] < draw[row, None]).sum(axis=1), 59)
    gap = rng.exponential(2 * 86_400e6, len(customer)).astype(np.int64) + 1
    total = np.cumsum(gap)
    timestamp = total - np.repeat(total[first], lengths) + 1_700_000_000_000_000
    order = np.argsort(timestamp, kind="stable")
    return pl.DataFrame(
        {
            "customer_id": [f"c{i:07}" for i in customer[order].tolist()],
            "timestamp": pl.Series(timestamp[order]).cast(pl.Datetime("us")),
            "touchpoint": [f"tp_{i}" for i in touch[order].tolist()],
        }
    )


def in_polars(frame: pl.DataFrame) -> list[int]:
    """Join the touchpoints of each customer and count the strings."""
    return (
        frame.lazy()
        .sort("timestamp")
        .group_by("customer_id")
        .agg("touchpoint")
        .group_by(pl.col("touchpoint").list.join(">"))
        .len()
        .top_k(20, by="len")
        .collect()["len"]
        .sort(descending=True)
        .to_list()
    )


def most_frequent(journeys: cx.Journeys) -> list[int]:
    return [int(n) for n in paths(journeys, top=20).counts[:20]]


def main(n: int) -> None:
    frame = make(n)
    log = cx.InteractionLog.from_frame(
        frame, customer="customer_id", timestamp="timestamp", touchpoint="touchpoint"
    )
    journeys = log.journeys()
    cases = {
        "cxjourney": lambda: most_frequent(journeys),
        "cxjourney, journeys cut anew": lambda: most_frequent(log.journeys()),
        "polars": lambda: in_polars(frame),
    }
    answers: dict[str, list[int]] = {}
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, run in cases.items():
            begin = time.perf_counter()
            answers[name] = run()
            times.setdefault(name, []).append(1000 * (time.perf_counter() - begin))
    if len({tuple(answer) for answer in answers.values()}) > 1:
        raise SystemExit(f"the counts differ: {answers}")
    ours = statistics.median(times["cxjourney"])
    print(
        f"{len(frame):,} interactions, {len(paths(journeys).counts):,} paths; medians of {ROUNDS}"
    )
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:32} {median:8.1f} ms   {median / ours:5.2f}x")
    for measure in (turbulence, complexity):
        begin = time.perf_counter()
        measure(journeys)
        print(f"{measure.__name__:32} {1000 * (time.perf_counter() - begin):8.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
