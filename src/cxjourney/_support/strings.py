"""Sequences of strings that are kept as one run of bytes until they are used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Self, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,15})\.0", re.ASCII)


def canonical(text: str) -> str | None:
    """Return an id or a name as it counts: None where blank, a whole number without its ".0".

    Missing values turn a column of whole numbers into floats, which a file then holds as "17851.0".
    """
    if text.endswith(".0") and _FLOAT.fullmatch(text):
        return str(int(text[:-2]))
    return text if text.strip() else None


class Strings(Sequence[str]):
    """A sequence of strings that acts as a tuple of them and makes Python objects only once used.

    Text i is `data[offsets[i]:offsets[i + 1]]`, in UTF-8.
    """

    __slots__ = ("_data", "_offsets", "_strings")

    def __init__(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self._data: NDArray[np.uint8] | None = data
        self._offsets: NDArray[np.int64] | None = offsets
        self._strings: tuple[str, ...] | None = None

    def _decoded(self) -> tuple[str, ...]:
        data, offsets = self._data, self._offsets
        if self._strings is None and data is not None and offsets is not None:
            every = data.tobytes()
            pairs = pairwise(offsets.tolist())
            if every.isascii():  # characters lie where bytes do
                text = every.decode("ascii")
                self._strings = tuple([text[begin:end] for begin, end in pairs])
            else:
                self._strings = tuple([every[begin:end].decode() for begin, end in pairs])
            self._data = self._offsets = None
        return self._strings or ()

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Return strings as one run of bytes, those of the same class as they are."""
        if isinstance(strings, cls):
            return strings
        texts = tuple(strings)
        data = "".join(texts).encode()
        offsets = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=offsets[1:])
        if len(data) > offsets[-1]:  # some characters take several bytes
            np.cumsum([len(text.encode()) for text in texts], out=offsets[1:])
        return cls(np.frombuffer(data, dtype=np.uint8), offsets)

    def utf8(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the strings in UTF-8, one after the other, and where each begins and ends."""
        data, offsets = self._data, self._offsets
        if data is None or offsets is None:
            return type(self).of(tuple(self)).utf8()
        return data, offsets

    def all_canonical(self) -> bool:
        """Return whether `canonical` leaves all of them as they are; most are seen by two bytes."""
        data, offsets = self.utf8()
        begin, end = offsets[:-1], offsets[1:]
        if (begin == end).any():
            return False
        first, last = data[begin], data[end - 1]
        doubtful = (
            (first <= 32) | (first >= 128) | (last == 48) & (data[np.maximum(end - 2, 0)] == 46)
        )
        return all(
            text == canonical(text)
            for a, b in zip(begin[doubtful].tolist(), end[doubtful].tolist(), strict=True)
            for text in (data[a:b].tobytes().decode(),)
        )

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self._decoded()[index]

    def __len__(self) -> int:
        return len(self._decoded()) if self._offsets is None else len(self._offsets) - 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __contains__(self, text: object) -> bool:
        return text in self._decoded()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, Strings)):
            return NotImplemented
        return self._decoded() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._decoded())

    def __repr__(self) -> str:
        return repr(self._decoded())
