"""What no way from events to a graph can beat: one pass over the same bytes.

`python tests/benchmarks/limit.py [interactions]` reads every byte of the three Arrow columns once,
then every byte of the encoded columns that cxjourney makes of them, and counts the latter in one
fused loop in C (moves, their durations, starts, ends), which needs a C compiler. Beside these, from
the same encoded columns: the kernel that counts the same, and journeys by move; and the whole graph
with medians, deviations and its objects. Last, the memory that `from_frame` takes on the way.
"""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from data import columns

import cxjourney as cx
from cxjourney import kernels

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 15
FUSED = """
#include <stdint.h>
void fused(const int8_t* code, const int64_t* time, const int64_t* offsets, int64_t journeys,
           int64_t k, int64_t* count, int64_t* total, int64_t* starts, int64_t* ends) {
  for (int64_t j = 0; j < journeys; j++) {
    starts[code[offsets[j]]]++;
    for (int64_t i = offsets[j]; i + 1 < offsets[j + 1]; i++) {
      int64_t edge = code[i] * k + code[i + 1];
      count[edge]++;
      total[edge] += time[i + 1] - time[i];
    }
    ends[code[offsets[j + 1] - 1]]++;
  }
}
"""


def milliseconds(run: Callable[[], object]) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def fused_pass(journeys: Any) -> Callable[[], object]:
    """Return the loop in C over the columns of journeys, one a customer."""
    folder = Path(tempfile.mkdtemp())
    (folder / "fused.c").write_text(FUSED)
    compiler = shutil.which("cc") or "cc"
    command = [compiler, "-O3", "-shared", "-fPIC", folder / "fused.c", "-o", folder / "fused.so"]
    subprocess.run(command, check=True)
    run = ctypes.CDLL(str(folder / "fused.so")).fused
    touchpoint = journeys.columns.coded["touchpoint"]
    k = len(touchpoint.names)
    found = np.zeros((2 * k + 2, k), dtype=np.int64)
    arrays = touchpoint.codes, journeys.columns.time, journeys.offsets
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
    parts = found[:k], found[k : 2 * k], found[-2], found[-1]
    results = [part.ctypes.data_as(ctypes.c_void_p) for part in parts]
    n, size = ctypes.c_int64(len(journeys)), ctypes.c_int64(k)
    run(*pointers, n, size, *results)
    graph = journeys.graph()
    moves = sum(d["count"] for a, b, d in graph.edges(data=True) if {a, b} <= {*touchpoint.names})
    if touchpoint.codes.dtype != np.int8 or found[:k].sum() != moves:
        raise SystemExit("the loop in C and the graph do not count alike")
    return lambda: run(*pointers, n, size, *results)


def kernel_pass(journeys: Any) -> Callable[[], object]:
    """Return the kernel that counts the same, and journeys by move and touchpoint."""
    touchpoint = journeys.columns.coded["touchpoint"]
    ends = journeys.offsets, journeys.absorbed, journeys.outcome
    k, time_us = len(touchpoint.names), journeys.columns.time
    return lambda: kernels.directly_follows(touchpoint.codes, *ends, k, time=time_us)


def from_frame(frame: pl.DataFrame) -> cx.InteractionLog:
    return cx.InteractionLog.from_frame(
        frame, customer="customer_id", timestamp="timestamp", touchpoint="touchpoint"
    )


def bytes_of_a_row(frame: pl.DataFrame) -> tuple[float, float]:
    """Return the bytes an interaction that `from_frame` allocates at most, and that remain."""
    tracemalloc.start()
    log = from_frame(frame)
    remaining, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / len(log), remaining / len(log)


def main(n: int) -> None:
    """Print bytes and times."""
    customer, timestamp, touchpoint = columns(n)
    frame = pl.DataFrame(
        {
            "customer_id": "c" + pl.Series(customer).cast(pl.String).str.zfill(7),
            "timestamp": pl.Series(timestamp).cast(pl.Datetime("us")),
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
    log = from_frame(frame)
    journeys = log.journeys(all_closed=True)
    assert log.columns.time is not None
    encoded = [log.columns.time, log.columns.coded["touchpoint"].codes, log.columns.offsets]
    rows = len(log)
    for name, arrays in (("Arrow columns", buffers), ("encoded columns", encoded)):
        size = sum(a.nbytes for a in arrays)
        took = milliseconds(lambda arrays=arrays: [int(a.max(initial=0)) for a in arrays])
        print(f"read {name:24} {took:8.2f} ms  {size / rows:5.1f} bytes an interaction")
    fused = milliseconds(fused_pass(journeys))
    print(f"{'one fused pass in C':29} {fused:8.2f} ms")
    for name, run in (("kernel", kernel_pass(journeys)), ("graph", journeys.graph)):
        took = milliseconds(run)
        print(f"{name:29} {took:8.2f} ms  {took / fused:5.1f} times the fused pass")
    most, remaining = bytes_of_a_row(frame)
    print(f"from_frame: {most:.0f} bytes an interaction at most, of which {remaining:.0f} remain")
    print(f"{rows:,} interactions, kernels: {kernels.ACTIVE}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
