"""Values that an object computes once and keeps."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Memo:
    """Results by name, each computed at most once, whatever the number of threads.

    What is kept can always be computed again: a copy or a pickle begins empty.
    """

    __slots__ = ("_lock", "_values")

    def __init__(self) -> None:
        self._lock = RLock()
        self._values: dict[Hashable, Any] = {}

    def get(self, name: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of this name, which says all that it depends on; compute it if need be.

        What is no name, a list for one, is not kept: the function that computes refuses it.
        """
        if not _hashable(name):
            return compute()
        with self._lock:
            if name not in self._values:
                self._values[name] = compute()
            return cast(T, self._values[name])

    def latest(self, name: Hashable, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the value of this name and key; only that of the last key is kept."""
        with self._lock:
            kept = self._values.get(name)
            if kept is None or kept[0] != key:
                kept = self._values[name] = (key, compute())
            return cast(T, kept[1])

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        return Memo, ()


def _hashable(name: object) -> bool:
    try:
        hash(name)
    except TypeError:
        return False
    return True
