"""How long `nps` takes over ten million scores, in NumPy sums over the same scores.

Run by hand: `python tests/benchmarks/nps.py`. Best of several rounds.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from cxjourney.metrics import csat, nps

if TYPE_CHECKING:
    from collections.abc import Callable

N = 10_000_000
ROUNDS = 25
LIMITS = {"integers": 5.0, "floats with missing": 10.0}


def fastest(*functions: Callable[[], object]) -> list[float]:
    """Return the shortest run of each [s]; they take turns, so that a busy machine slows all."""
    times = [float("inf")] * len(functions)
    for _ in range(ROUNDS):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function()
            times[i] = min(times[i], time.perf_counter() - start)
    return times


def main() -> None:
    """Print one row a case."""
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 11, N)
    floats = scores.astype(np.float64)
    floats[rng.random(N) < 0.1] = np.nan
    stars = np.clip(scores, 1, 5)
    cases = {
        "integers": (scores, nps),
        "floats with missing": (floats, nps),
        "bytes": (scores.astype(np.int8), nps),
        "32-bit floats with missing": (floats.astype(np.float32), nps),
        "csat of integers": (stars, csat),
    }
    for name, (column, metric) in cases.items():
        one_sum, ours = fastest(column.sum, partial(metric, column))
        limit = f"  (limit {LIMITS[name]:g})" if name in LIMITS else ""
        print(
            f"{name:28} sum {one_sum * 1e3:6.2f} ms  {metric.__name__} {ours * 1e3:7.2f} ms  "
            f"ratio {ours / one_sum:5.2f}{limit}"
        )


if __name__ == "__main__":
    main()
