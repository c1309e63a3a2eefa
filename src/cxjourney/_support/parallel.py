"""Independent array work on several threads: NumPy and polars let go of the interpreter lock."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_WORTHWHILE = 50_000
_SHARE = 200_000


def portions(
    n_rows: int, offsets: NDArray[np.int64] | None = None, *, at_once: int = 1
) -> list[tuple[int, int]]:
    """Return what each thread works on: rows, or groups of rows, about equally many rows each.

    Rows of group i are [offsets[i], offsets[i + 1]); `at_once` such works share the cores.
    """
    if n_rows < 2 * _SHARE:  # before the system is asked for its cores, which takes longer
        return [(0, n_rows if offsets is None else len(offsets) - 1)]
    n_threads = max(1, min((os.cpu_count() or 1) // at_once, n_rows // _SHARE))
    bounds = np.arange(n_threads + 1) * n_rows // n_threads
    if offsets is not None:
        bounds = np.searchsorted(offsets, bounds)
        bounds[0], bounds[-1] = 0, len(offsets) - 1
    return list(pairwise(bounds.tolist()))


def run_parallel(size: int, *tasks: Callable[[], Any]) -> tuple[Any, ...]:
    """Return the results of tasks that do not touch one another, the longest first.

    Work on few rows is done one after the other. No more threads run than there are cores: a third
    on two cores would take time from the longest.
    """
    if size < _WORTHWHILE:
        return tuple(task() for task in tasks)
    n_others = min(len(tasks), os.cpu_count() or 1) - 1
    if n_others < 1:
        return tuple(task() for task in tasks)
    first, *others = tasks
    with ThreadPoolExecutor(max_workers=n_others) as pool:
        futures = [pool.submit(task) for task in others]
        return first(), *(future.result() for future in futures)
