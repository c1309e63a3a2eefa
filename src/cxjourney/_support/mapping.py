"""A read-only mapping that hashes, pickles and copies, unlike `types.MappingProxyType`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

V = TypeVar("V")


class FrozenMapping(Mapping[str, V]):
    """A mapping from str that cannot be changed; it hashes if its values do."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __reduce__(self) -> tuple[type[FrozenMapping[V]], tuple[dict[str, V]]]:
        return type(self), (self._items,)

    def __repr__(self) -> str:
        return repr(self._items)


EMPTY: FrozenMapping[str | int | float | bool] = FrozenMapping({})
"""The mapping that objects without attributes share."""
