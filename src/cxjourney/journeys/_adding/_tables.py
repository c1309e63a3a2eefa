"""Sparse tables of whole numbers that add up exactly, whatever the order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._support.array_types import Ints
from cxjourney._support.frozen import seal
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMB = 32
"""Bits of a word of a number that is kept in several, the lowest first."""

_MASK = (1 << LIMB) - 1
_DENSE = 1 << 25
_LARGEST = 1 << 62
_EXACT = 1 << 18


@attrs.frozen(kw_only=True)
class Kind:
    """What a table holds: the axes that its rows are counted by, and its columns.

    `wide` are the columns, first and behind last, of numbers that are kept in words of 32 bits;
    `signed` says whether a number may be negative.
    """

    axes: tuple[str, ...]
    columns: tuple[str, ...] = ("count",)
    wide: tuple[tuple[int, int], ...] = ()
    signed: bool = False


@attrs.frozen(kw_only=True, eq=False)
class Counts:
    """Whole numbers by the place of a row among all that the axes span, ascending, none twice.

    Attributes
    ----------
    key
        Places, row-major over the sizes of the axes, shape (rows,).
    values
        One row of numbers each, not all 0, shape (rows, columns).
    """

    key: Ints
    values: Ints

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return NotImplemented
        return np.array_equal(self.key, other.key) and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def axis(self, kind: Kind, sizes: Mapping[str, int]) -> dict[str, Ints]:
        """Return the code of each row on each axis."""
        codes = np.unravel_index(self.key, shape_of(kind, sizes)) if kind.axes else ()
        return dict(zip(kind.axes, codes, strict=True))

    def column(self, kind: Kind, name: str) -> Ints:
        """Return one column."""
        return self.values[:, kind.columns.index(name)]


def shape_of(kind: Kind, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the sizes of the axes, or raise InvalidValue if they span too much."""
    shape = tuple(sizes[axis] for axis in kind.axes)
    if math.prod(shape) > _LARGEST:
        raise InvalidValue(
            f"the names must be fewer: {' x '.join(f'{n:,}' for n in shape)} cells are too many"
        )
    return shape


def counted(
    kind: Kind, sizes: Mapping[str, int], codes: Sequence[Ints], values: Sequence[Ints] | None
) -> Counts:
    """Return the sums of values, below 2 ** 35, by codes; of 1 each where there are no values."""
    key = _keys(kind, sizes, codes)
    low = int(key.min()) if len(key) else 0
    span = int(key.max(initial=0)) + 1 - low
    used = None
    if span > min(_DENSE, 16 * len(key) + 1024):
        used = _distinct(key)
        key, low, span = np.searchsorted(used, key), 0, len(used)
    place = key - low
    columns = [np.bincount(place, minlength=span)] if values is None else []
    columns += [sums(place, column, span) for column in values or ()]
    return _found(kind, columns, low, used)


def counted_apart(
    kind: Kind, sizes: Mapping[str, int], columns: Sequence[Sequence[Ints]]
) -> Counts:
    """Return how often each place occurs, given the codes of what each column counts."""
    keys = [_keys(kind, sizes, codes) for codes in columns]
    low = min((int(key.min()) for key in keys if len(key)), default=0)
    span = max((int(key.max()) + 1 for key in keys if len(key)), default=0) - low
    used = None
    if span > min(_DENSE, 16 * max(map(len, keys), default=0) + 1024):
        used = _distinct(np.concatenate(keys))
        keys, low, span = [np.searchsorted(used, key) for key in keys], 0, len(used)
    return _found(kind, [np.bincount(key - low, minlength=span) for key in keys], low, used)


def _distinct(key: Ints) -> Ints:
    ordered = np.sort(key)
    used: Ints = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return used


def _found(kind: Kind, columns: Sequence[Ints], low: int, used: Ints | None) -> Counts:
    """Return the table of columns by place from `low` on, or among the keys in use."""
    some = columns[0] != 0
    for column in columns[1:]:
        some |= column != 0
    place = np.flatnonzero(some)
    total = np.stack([column[place] for column in columns], axis=1)
    return _carried(kind, place + low if used is None else used[place], total)


def _keys(kind: Kind, sizes: Mapping[str, int], codes: Sequence[Ints]) -> Ints:
    key = np.zeros(len(codes[0]), dtype=np.int64)
    for size, code in zip(shape_of(kind, sizes), codes, strict=True):
        key *= size
        key += code
    return key


def sums(place: Ints, values: Ints, size: int) -> Ints:
    """Return the exact sums of values, below 2 ** 35, by place."""
    total = np.zeros(size, dtype=np.int64)
    step = _EXACT if size <= _EXACT else max(len(place), 1)
    for begin in range(0, len(place), step):
        some = slice(begin, begin + step)
        if step > _EXACT:
            np.add.at(total, place[some], values[some])
        else:  # floats hold the sums of so few
            total += np.bincount(place[some], values[some], minlength=size).astype(np.int64)
    return total


def added(
    kind: Kind,
    parts: Sequence[tuple[Counts, Mapping[str, Ints], Mapping[str, int]]],
    sizes: Mapping[str, int],
) -> Counts:
    """Return the sum of tables, given what each code of theirs is now, and their own sizes.

    An axis without new codes keeps those that it has.
    """
    shape = shape_of(kind, sizes)
    blocks = []
    for counts, renumbered, own in parts:
        key = counts.key
        before = shape_of(kind, own)
        if before != shape or any(axis in renumbered for axis in kind.axes):
            key, rest = np.zeros_like(key), key
            stride = 1
            for axis, old, new in reversed(list(zip(kind.axes, before, shape, strict=True))):
                rest, code = np.divmod(rest, old)
                key += (renumbered[axis][code] if axis in renumbered else code) * stride
                stride *= new
        blocks.append((key, counts.values, "unit" in renumbered))
    return _summed(kind, blocks)


def _summed(kind: Kind, blocks: Sequence[tuple[Ints, Ints, bool]]) -> Counts:
    """Return the sum of keys with values, of which some may have a key twice."""
    width = len(kind.columns)
    some = [block for block in blocks if len(block[0])]
    if not some:
        return _carried(kind, np.zeros(0, dtype=np.int64), np.zeros((0, width), dtype=np.int64))
    rows = sum(len(key) for key, *_ in some)
    low = min(int(key.min()) for key, *_ in some)
    span = max(int(key.max()) for key, *_ in some) + 1 - low
    if span <= min(_DENSE, 16 * rows + 1024):
        total = np.zeros((width, span), dtype=np.int64)
        for key, values, twice in some:
            place = key - low
            for column in range(width):
                if twice:
                    np.add.at(total[column], place, values[:, column])
                else:
                    total[column][place] += values[:, column]
        return _found(kind, list(total), low, None)
    key = np.concatenate([key for key, *_ in some])
    values = np.concatenate([values for _, values, _ in some])
    order = np.argsort(key, kind="stable")
    key = key[order]
    begin = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    return _carried(kind, key[begin], np.add.reduceat(values[order], begin, axis=0))


def _carried(kind: Kind, key: Ints, values: Ints) -> Counts:
    """Return the table with the words of wide numbers below 2 ** 32, but for the highest."""
    values = np.ascontiguousarray(values)
    for first, stop in kind.wide:
        for word in range(first, stop - 1):
            values[:, word + 1] += values[:, word] >> LIMB
            values[:, word] &= _MASK
    return Counts(key=seal(np.ascontiguousarray(key)), values=seal(np.ascontiguousarray(values)))


def whole_number(words: Ints) -> list[int]:
    """Return numbers that are kept in words of 32 bits, shape (rows, words)."""
    return [sum(word << (LIMB * i) for i, word in enumerate(row)) for row in words.tolist()]


def words_of_squares(wait: Ints) -> list[Ints]:
    """Return the square of each whole number below 2 ** 63 in four words."""
    high, low = (wait >> LIMB).astype(np.uint64), (wait & _MASK).astype(np.uint64)
    mask, bits = np.uint64(_MASK), np.uint64(LIMB)
    low2, cross, high2 = low * low, high * low, high * high
    words = (
        low2 & mask,
        (low2 >> bits) + ((cross & mask) << np.uint64(1)),
        ((cross >> bits) << np.uint64(1)) + (high2 & mask),
        high2 >> bits,
    )
    return [word.astype(np.int64) for word in words]
