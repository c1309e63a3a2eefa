"""How many interactions a second a tracker takes, one by one and in frames, by CPU time.

    python tests/benchmarks/tracker.py [--frames 100] [--customers 60000] [--minutes 1]
    python tests/benchmarks/tracker.py --memory

Frames have 10,000 rows. With many customers (3000000) most rows of a frame bring a new one. With
many minutes between frames (1440) journeys end and are settled on the way: customers are let go
after 30 days of silence. What other threads do counts. `--memory` says what a million open journeys
of three interactions hold.
"""

from __future__ import annotations

import argparse
import gc
import resource
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cxjourney as cx

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 10_000
BEGIN = 1_700_000_000_000_000
NAMES = np.array(["web", "app", "cart", "help", "buy"])


def columns(frames: int, customers: int, minutes: int = 1) -> list[dict[str, Any]]:
    """Return the columns of frames of a minute, which begin so many minutes apart."""
    rng = np.random.default_rng(0)
    found = []
    for k in range(frames):
        when = BEGIN + k * minutes * 60_000_000 + np.sort(rng.integers(0, 60_000_000, ROWS))
        found.append(
            {
                "c": [f"c{one}" for one in rng.integers(0, customers, ROWS).tolist()],
                "t": when.astype("datetime64[us]"),
                "p": NAMES[rng.choice(5, ROWS, p=[0.4, 0.3, 0.15, 0.1, 0.05])],
            }
        )
    return found


def tracker() -> cx.live.JourneyTracker:
    return cx.live.JourneyTracker(
        goal="buy", inactivity=timedelta(days=30), max_lateness=timedelta(minutes=5)
    )


def of_frames(made: list[Any]) -> float:
    """Return interactions a second of CPU time; a tenth of the frames is there before."""
    tracked, warm = tracker(), max(1, len(made) // 10)
    roles = {"customer": "c", "timestamp": "t", "touchpoint": "p"}
    for frame in made[:warm]:
        tracked.add_frame(frame, **roles)
    begin = time.process_time()
    for frame in made[warm:]:
        tracked.add_frame(frame, **roles)
    return (len(made) - warm) * ROWS / (time.process_time() - begin)


def one_by_one(made: list[dict[str, Any]]) -> tuple[float, float]:
    """Return interactions a second, and microseconds of a state."""
    log = cx.InteractionLog.concat(
        [
            cx.InteractionLog.from_frame(part, customer="c", timestamp="t", touchpoint="p")
            for part in made[:10]
        ],
        duplicates="keep",
    )
    interactions = sorted(log.interactions(), key=lambda one: one.timestamp)
    tracked = tracker()
    begin = time.process_time()
    for one in interactions:
        tracked.add(one)
    took = time.process_time() - begin
    asked = [one.customer.id for one in interactions[::100]]
    begin = time.process_time()
    for customer in asked:
        tracked.state(customer)
    return len(interactions) / took, 1e6 * (time.process_time() - begin) / len(asked)


def memory() -> None:
    """Print what a million open journeys of three interactions hold, on Linux."""

    def resident() -> float:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    def added(tracked: cx.live.JourneyTracker, first: int, k: int) -> None:
        frame = {
            "c": [f"c{first + i}" for i in range(ROWS)],
            "t": (BEGIN + k * 60_000_000 + np.arange(ROWS)).astype("datetime64[us]"),
            "p": NAMES[np.arange(ROWS) % 4],
        }
        tracked.add_frame(frame, customer="c", timestamp="t", touchpoint="p")

    added(tracker(), 0, 0)  # what is imported is there before
    tracked, before = tracker(), resident()
    for k in range(300):
        added(tracked, k % 100 * ROWS, k)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{resident() - before:.0f} MB, {peak - before:.0f} MB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--customers", type=int, default=60_000)
    parser.add_argument("--minutes", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    arguments = parser.parse_args()
    if arguments.memory:
        memory()
        return
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    made = columns(arguments.frames, arguments.customers, arguments.minutes)
    doors: dict[str, Callable[[dict[str, Any]], Any]] = {
        "polars": pl.DataFrame,
        "pandas": pd.DataFrame,
        "pyarrow": pa.table,
    }
    for name, door in doors.items():
        best = max(of_frames([door(part) for part in made]) for _ in range(3))
        print(f"{name:8} {best / 1e6:.2f} M interactions a second in frames of {ROWS:,}")
    single, state = one_by_one(made)
    print(f"one by one {single:,.0f} a second; a state takes {state:.0f} microseconds")


if __name__ == "__main__":
    main()
