"""Independent array work on several threads: NumPy and polars let go of the interpreter lock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["side_by_side"]

_WORTHWHILE = 50_000


def side_by_side(size: int, *tasks: Callable[[], Any]) -> tuple[Any, ...]:
    """Return the results of tasks that do not touch one another, Any as each has its own type.

    Parameters
    ----------
    size
        Number of rows that each works on; few are done one after the other.
    tasks
        Functions without arguments. The first error in their order is raised.
    """
    if size < _WORTHWHILE or len(tasks) < 2:
        return tuple(task() for task in tasks)
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        futures = [pool.submit(task) for task in tasks]
        return tuple(future.result() for future in futures)
