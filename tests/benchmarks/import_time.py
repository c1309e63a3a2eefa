"""What importing costs, in fresh interpreters.

Run by hand: `python tests/benchmarks/import_time.py`. Own cost is what a statement takes over the
packages that it cannot do without; both are medians over interleaved rounds, so that a busy machine
slows both alike. The bound is 50 ms over NumPy.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 15
CASES = [
    # what is imported, over what
    ("import cxjourney", "pass"),
    ("from cxjourney import Estimate", "import attrs, numpy"),
    ("import cxjourney.metrics", "import attrs, numpy"),
    ("from cxjourney import *", "import attrs, networkx, numpy"),
]
TIMER = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def milliseconds(statement: str) -> float:
    """Return the time of one statement in a fresh interpreter."""
    command = [sys.executable, "-c", TIMER.format(statement)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1000 * float(done.stdout)


def main() -> None:
    """Print a table: whole cost, cost of what it stands on, own cost."""
    times: dict[str, list[float]] = {s: [] for case in CASES for s in case}
    for statement in times:
        milliseconds(statement)  # compiles what is not yet compiled
    for _ in range(ROUNDS):
        for statement, values in times.items():
            values.append(milliseconds(statement))
    median = {s: statistics.median(values) for s, values in times.items()}
    print(f"| statement | over | all | base | own | (ms, median of {ROUNDS})")
    for statement, base in CASES:
        whole, floor = median[statement], median[base]
        print(f"| `{statement}` | `{base}` | {whole:.1f} | {floor:.1f} | {whole - floor:.1f} |")


if __name__ == "__main__":
    main()
