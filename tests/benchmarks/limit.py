"""The time of one pass over the same bytes: what no way from events to a graph can beat.

`python tests/benchmarks/limit.py [interactions]` reads every byte of the three Arrow columns once,
and once the encoded columns that cxjourney makes of them.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from data import columns

import cxjourney as cx

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9


def milliseconds(run: Callable[[], object]) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def main(n: int) -> None:
    """Print bytes and times."""
    customer, stamp, touchpoint = columns(n)
    frame = pl.DataFrame(
        {
            "customer_id": "c" + pl.Series(customer).cast(pl.String).str.zfill(7),
            "timestamp": pl.Series(stamp).cast(pl.Datetime("us")),
            "touchpoint": "tp_" + pl.Series(touchpoint).cast(pl.String),
        }
    )
    buffers = [
        np.frombuffer(buffer, dtype=np.uint8)
        for column in frame.to_arrow().columns
        for chunk in column.chunks
        for buffer in chunk.buffers()
        if buffer is not None
    ]
    raw = sum(len(b) for b in buffers)
    log = cx.InteractionLog.from_frame(
        frame, customer="customer_id", timestamp="timestamp", touchpoint="touchpoint"
    )
    assert log.columns.time is not None
    encoded = [log.columns.time, log.columns.coded["touchpoint"].codes, log.columns.offsets]
    rows = len(log)
    for name, arrays in (("Arrow columns", buffers), ("encoded columns", encoded)):
        size = sum(a.nbytes for a in arrays)
        took = milliseconds(lambda arrays=arrays: [int(a.max(initial=0)) for a in arrays])
        print(f"{name:16} {size / rows:6.1f} bytes an interaction   one pass {took:7.2f} ms")
    print(f"{rows:,} interactions, {raw / 1e6:,.0f} MB of Arrow columns")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
