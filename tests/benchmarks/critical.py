"""How long `critical.points` takes on one million interactions. By hand:

python tests/benchmarks/critical.py [interactions]
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

import cxjourney as cx

TOUCHPOINTS = 60


def interactions(n, seed=7):
    """Return a log of customers with eight interactions on average, at sixty touchpoints."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / 8, n // 8)
    total = int(lengths.sum())
    customer = np.repeat(np.arange(len(lengths)), lengths)
    popular = rng.dirichlet(np.full(TOUCHPOINTS, 0.5)).cumsum()
    touchpoint = np.minimum(np.searchsorted(popular, rng.random(total)), TOUCHPOINTS - 1)
    gap_us = (rng.exponential(2 * 86_400e6, total)).astype(np.int64) + 1
    since = np.cumsum(gap_us)
    first = np.cumsum(lengths) - lengths
    begin = rng.integers(0, 90 * 86_400 * 10**6, len(lengths))
    time_us = since - np.repeat(since[first], lengths) + np.repeat(begin, lengths)
    return pl.DataFrame(
        {
            "customer": customer,
            "timestamp": pl.Series(time_us + 1_700_000_000_000_000).cast(pl.Datetime("us", "UTC")),
            "touchpoint": [f"tp_{code}" for code in touchpoint.tolist()],
        }
    )


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    frame = interactions(n)
    log = cx.InteractionLog.from_frame(
        frame,
        customer="customer",
        timestamp="timestamp",
        touchpoint="touchpoint",
        observed_until=datetime(2024, 3, 1, tzinfo=UTC),
    )
    journeys = log.journeys(goal="tp_0", inactivity=timedelta(days=7))
    began, used = time.perf_counter(), time.process_time()
    found = cx.critical.points(journeys)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    print(f"{len(frame):,} interactions: {seconds:.1f} s, {used:.1f} s of CPU time")
    print(found.ranking[:3])


if __name__ == "__main__":
    main()
