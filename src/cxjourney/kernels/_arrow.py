"""A column of strings where Arrow has them: its codes, its timestamps, or its Python strings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np

from cxjourney._support.parallel import portions, run_parallel
from cxjourney._support.strings import Strings, canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

_NAIVE, _MISSING = 0, 2  # of `Reading` in iso_timestamp.pxd


@attrs.frozen(eq=False, repr=False)
class ArrowStrings:
    """A column of strings in the buffers of Arrow streams: `pieces` of `native_strings`."""

    pieces: tuple[Any, ...]

    @classmethod
    def stacked(cls, columns: Iterable[Self]) -> Self:
        """Return columns below one another as one."""
        return cls(tuple(piece for column in columns for piece in column.pieces))

    def __len__(self) -> int:
        return sum(piece.length for piece in self.pieces)

    def encoded(self) -> tuple[NDArray[np.int32], Strings]:
        """Return codes in order of appearance (-1 missing) and the distinct strings."""
        codes, table = self._encoded(np.empty(len(self), dtype=np.int32))
        return codes, Strings(*table.strings_utf8())

    def names(self) -> tuple[NDArray[np.int8] | NDArray[np.int32], tuple[str, ...]]:
        """Return codes, of one byte if that does, into the sorted distinct strings; blank is -1."""
        codes, table = self._encoded(np.empty(len(self), dtype=np.int8))
        if table is None:
            codes, table = self._encoded(np.empty(len(self), dtype=np.int32))
        strings = [canonical(text) for text in Strings(*table.strings_utf8())]
        names = tuple(sorted({text for text in strings if text is not None}))
        place = {name: code for code, name in enumerate(names)}
        rank = np.array([place.get(text or "", -1) for text in strings], dtype=np.int32)
        rows = [slice(*share) for share in portions(len(codes))]
        run_parallel(len(codes), *[partial(table.renumber, codes[r], rank) for r in rows])
        return codes, names

    def _encoded(self, codes: NDArray[Any]) -> tuple[NDArray[Any], Any]:
        """Fill in the codes; return them and their table, None where it outgrows the codes."""
        parts = self._parts()
        first, *later = run_parallel(
            len(codes),
            *[partial(piece.encode, begin, codes[rows]) for piece, begin, rows in parts],
        )
        if first is None:
            return codes, None
        for (_, _, rows), table in zip(parts[1:], later, strict=True):
            if table is None or not first.absorb(table, codes[rows]):
                return codes, None
        return codes, first

    def timestamps(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Read ISO 8601 as `cxjourney._time.timestamps` does; None where a text has another form.

        Returns microseconds since 1970-01-01 of UTC or as the clock showed, 0 where missing; which
        rows have none; and which are of the clock.
        """
        us = np.zeros(len(self), dtype=np.int64)
        reading = np.full(len(self), _MISSING, dtype=np.uint8)
        tasks: list[Callable[[], bool]] = [
            partial(piece.timestamps, begin, us[rows], reading[rows])
            for piece, begin, rows in self._parts()
        ]
        if not all(run_parallel(len(us), *tasks)):
            return None
        return us, np.equal(reading, _MISSING), np.equal(reading, _NAIVE)

    def objects(self) -> NDArray[np.object_]:
        """Return the strings as an array of str, None where missing."""
        codes, strings = self.encoded()
        return np.array([*strings, None], dtype=object)[codes]

    def _parts(self) -> list[tuple[Any, int, slice]]:
        """Return work for half of the cores: a piece, its first row, and the rows of the column."""
        parts, done = [], 0
        for piece in self.pieces:
            parts += [
                (piece, a, slice(done + a, done + b)) for a, b in portions(piece.length, at_once=2)
            ]
            done += piece.length
        return parts
