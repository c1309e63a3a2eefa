"""Sparse tables of whole numbers that add up exactly, whatever the order."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

from cxjourney._stats.buckets import N_BUCKETS
from cxjourney._support.array_types import Bools, Ints
from cxjourney._support.frozen import seal
from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMB = 32
"""Bits of a word of a number that is kept in several, the lowest first."""

TYPES = {"u1": 8, "u2": 16, "u4": 32, "i8": 63}
"""Types of columns, and how many bits of a number that is not negative they hold."""

_MASK = (1 << LIMB) - 1
_DENSE = 1 << 25
_LARGEST = 1 << 62
_EXACT = 1 << 18
_LITTLE = 1.25
"""How many times as many rows as the largest table all may have to be put into it."""


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


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Counts:
    """Whole numbers by the place of a row among all that the axes span, ascending, none twice.

    They lie in a sixth of the memory that they take in words of 64 bits, in which they are handed
    out.

    Attributes
    ----------
    columns
        Steps from each place to the next, from 0 on, then the numbers, each of shape (rows,) and of
        the smallest type that holds it.
    """

    columns: tuple[Ints, ...]

    @classmethod
    def of(cls, key: Ints, values: Ints) -> Self:
        """Return the numbers of the rows at these places, as `key` and `values` have them."""
        return cls(columns=tuple(map(small, (np.diff(key, prepend=0), *values.T))))

    def __len__(self) -> int:
        return len(self.columns[0])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return NotImplemented
        return len(self.columns) == len(other.columns) and all(
            map(np.array_equal, self.columns, other.columns)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def key(self) -> Ints:
        """Places, row-major over the sizes of the axes, shape (rows,)."""
        return np.cumsum(self.columns[0], dtype=np.int64)

    @property
    def values(self) -> Ints:
        """One row of numbers each, not all 0, shape (rows, columns)."""
        return np.stack(self.columns[1:], axis=1, dtype=np.int64)

    @property
    def filled(self) -> Bools:
        """Which rows have a number other than 0: all, where nothing is damaged."""
        return _filled(self.columns[1:])

    def axis(self, kind: Kind, sizes: Mapping[str, int]) -> dict[str, Ints]:
        """Return the code of each row on each axis."""
        codes = np.unravel_index(self.key, shape_of(kind, sizes)) if kind.axes else ()
        return dict(zip(kind.axes, codes, strict=True))

    def column(self, kind: Kind, name: str) -> Ints:
        """Return one column."""
        return self.columns[kind.columns.index(name) + 1].astype(np.int64)


def small(numbers: Ints) -> Ints:
    """Return whole numbers in the smallest type that holds them all, of those that bytes know."""
    top = int(numbers.max(initial=0)) if numbers.min(initial=0) >= 0 else _LARGEST
    kind = next(kind for kind, bits in TYPES.items() if top >> bits == 0)
    return seal(numbers.astype(f"<{kind}"))


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
    key = places(kind, sizes, codes)
    low, span, used = _span_of([key])
    place = _placed(key, low, used)
    columns = [np.bincount(place, minlength=span)] if values is None else []
    columns += [sums(place, column, span) for column in values or ()]
    return _found(kind, columns, low, used)


def counted_apart(
    kind: Kind, sizes: Mapping[str, int], columns: Sequence[Sequence[Ints]]
) -> Counts:
    """Return how often each place occurs, given the codes of what each column counts."""
    keys = [places(kind, sizes, codes) for codes in columns]
    low, span, used = _span_of(keys)
    totals = [np.bincount(_placed(key, low, used), minlength=span) for key in keys]
    return _found(kind, totals, low, used)


def _span_of(keys: Sequence[Ints]) -> tuple[int, int, Ints | None]:
    """Return the lowest key, how many places keys span, and the keys in use if they lie far apart.

    Places are then those among the keys in use.
    """
    low = min((int(key.min()) for key in keys if len(key)), default=0)
    span = max((int(key.max()) + 1 for key in keys if len(key)), default=low) - low
    if span <= min(_DENSE, 16 * max(map(len, keys)) + 1024):
        return low, span, None
    ordered = np.concatenate(keys)
    ordered.sort()
    used = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return low, len(used), used


def _placed(key: Ints, low: int, used: Ints | None) -> Ints:
    return key - low if used is None else np.searchsorted(used, key)


def _found(kind: Kind, columns: Sequence[Ints], low: int, used: Ints | None) -> Counts:
    """Return the table of columns by place from `low` on, or among the keys in use."""
    place = np.flatnonzero(_filled(columns))
    total = np.stack([column[place] for column in columns], axis=1)
    return _carried(kind, place + low if used is None else used[place], total)


def _filled(columns: Sequence[Ints]) -> Bools:
    """Return the rows in which not every column is 0."""
    some: Bools = columns[0] != 0
    for column in columns[1:]:
        some |= column != 0
    return some


def places(kind: Kind, sizes: Mapping[str, int], codes: Sequence[Ints]) -> Ints:
    """Return the place of each row among all that the axes span."""
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


def sums_by_unit(unit: Ints, place: Ints, values: Ints, size: int) -> Ints:
    """Return the exact sums of values, below 2 ** 35, by unit and place, shape (64, size)."""
    return sums(unit * size + place, values, N_BUCKETS * size).reshape(N_BUCKETS, size)


def added(
    kind: Kind,
    parts: Sequence[tuple[Counts, Mapping[str, Ints], Mapping[str, int]]],
    sizes: Mapping[str, int],
) -> Counts:
    """Return the sum of tables, given what each code of theirs is now, and their own sizes.

    An axis without new codes keeps those that it has.
    """
    shape = shape_of(kind, sizes)
    found = []
    for counts, renumbered, own in parts:
        before = shape_of(kind, own)
        if before == shape and not any(axis in renumbered for axis in kind.axes):
            found.append(counts)
            continue
        key, rest = np.zeros(len(counts), dtype=np.int64), counts.key
        stride = 1
        for axis, old, new in reversed(list(zip(kind.axes, before, shape, strict=True))):
            rest, code = np.divmod(rest, old)
            key += (renumbered[axis][code] if axis in renumbered else code) * stride
            stride *= new
        steps = np.diff(key, prepend=0)
        if (steps[1:] > 0).all():
            found.append(Counts(columns=(small(steps), *counts.columns[1:])))
        else:  # customers come in another order, and may come together
            found.append(_summed(kind, [(key, counts.values, True)]))
    some = [counts for counts in found if len(counts)]
    return _end_to_end(some) or _summed(kind, [(one.key, one.values, False) for one in some])


def _end_to_end(some: Sequence[Counts]) -> Counts | None:
    """Return tables one behind the other; None if the places of one do not follow another's.

    Parts of buckets have places of their own in most tables, so that nothing is unpacked.
    """
    ranges = [(int(one.columns[0][0]), int(one.columns[0].sum(dtype=np.int64))) for one in some]
    order = sorted(range(len(some)), key=ranges.__getitem__)
    if not some or any(ranges[a][1] >= ranges[b][0] for a, b in pairwise(order)):
        return None
    steps, *rest = (
        np.concatenate([some[i].columns[column] for i in order])
        for column in range(len(some[0].columns))
    )
    begin = np.cumsum([len(some[i]) for i in order])[:-1]
    steps[begin] = [ranges[b][0] - ranges[a][1] for a, b in pairwise(order)]
    return Counts(columns=(small(steps), *map(small, rest)))


def _summed(kind: Kind, blocks: Sequence[tuple[Ints, Ints, bool]]) -> Counts:
    """Return the sum of keys with values, of which some may have a key twice."""
    width = len(kind.columns)
    some = [block for block in blocks if len(block[0])]
    if not some:
        return _carried(kind, np.zeros(0, dtype=np.int64), np.zeros((0, width), dtype=np.int64))
    rows = sum(len(key) for key, *_ in some)
    largest = max(some, key=lambda block: len(block[0]))
    if len(some) > 1 and not largest[2] and rows < _LITTLE * len(largest[0]):
        rest = _summed(kind, [block for block in some if block is not largest])
        return _put_in(kind, largest[0], largest[1], rest)
    low = min(int(key.min()) for key, *_ in some)
    span = max(int(key.max()) for key, *_ in some) + 1 - low
    if span * width <= min(_DENSE, 4 * rows + 1024):
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
    total = np.add.reduceat(values[order], begin, axis=0)
    some_left = total.any(axis=1)  # what is taken away leaves nothing
    return _carried(kind, key[begin][some_left], total[some_left])


def _put_in(kind: Kind, key: Ints, values: Ints, few: Counts) -> Counts:
    """Return the sum of a table and of a much smaller one."""
    place, more = few.key, few.values
    at = np.searchsorted(key, place)
    there = at < len(key)
    there[there] = key[at[there]] == place[there]
    total = values.copy()
    total[at[there]] += more[there]
    emptied = at[there][~total[at[there]].any(axis=1)]
    if len(emptied):
        keep = np.ones(len(key), dtype=np.bool_)
        keep[emptied] = False
        at, key, total = np.cumsum(np.append(0, keep))[at], key[keep], total[keep]
    new = ~there
    key = np.insert(key, at[new], place[new])
    return _carried(kind, key, np.insert(total, at[new], more[new], axis=0))


def _carried(kind: Kind, key: Ints, values: Ints) -> Counts:
    """Return the table with the words of wide numbers below 2 ** 32, but for the highest."""
    values = np.ascontiguousarray(values)
    for first, stop in kind.wide:
        for word in range(first, stop - 1):
            values[:, word + 1] += values[:, word] >> LIMB
            values[:, word] &= _MASK
    if kind.wide:  # the words of what is taken away may cancel only once they are carried
        some = values.any(axis=1)
        key, values = (key, values) if some.all() else (key[some], values[some])
    return Counts.of(key, values)


def whole_number(words: Ints) -> list[int]:
    """Return numbers that are kept in words of 32 bits, shape (rows, words)."""
    return [sum(word << (LIMB * i) for i, word in enumerate(row)) for row in words.tolist()]


def low_and_high(values: Ints) -> tuple[Ints, Ints]:
    """Return whole numbers in two words, of which the high one has the sign."""
    return values & _MASK, values >> LIMB


def words_of_squares(wait: Ints) -> list[Ints]:
    """Return the square of each whole number below 2 ** 63 in four words."""
    low, high = (word.astype(np.uint64) for word in low_and_high(wait))
    mask, bits = np.uint64(_MASK), np.uint64(LIMB)
    low2, cross, high2 = low * low, high * low, high * high
    words = (
        low2 & mask,
        (low2 >> bits) + ((cross & mask) << np.uint64(1)),
        ((cross >> bits) << np.uint64(1)) + (high2 & mask),
        high2 >> bits,
    )
    return [word.astype(np.int64) for word in words]
