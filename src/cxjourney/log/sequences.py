"""Journeys as sequences of codes: which are the same, found without a loop over interactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cxjourney.kernels import group_sequences
from cxjourney.log.visits import touches_of

if TYPE_CHECKING:
    from cxjourney.log.journeys import Journeys
    from cxjourney.log.visits import By

__all__ = ["Sequences", "distinct_sequences", "sequences_of"]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers never become 0 modulo 2^64


@attrs.frozen(kw_only=True)
class Sequences:
    """Sequences of codes, one after the other.

    Attributes
    ----------
    names
        Name of each code.
    codes
        All codes, sequence by sequence.
    offsets
        Sequence i is codes[offsets[i]:offsets[i + 1]]; it may be empty.
    rows
        Place of each code in the columns of the journeys.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of codes of each sequence."""
        return np.diff(self.offsets)

    def path(self, i: int) -> tuple[str, ...]:
        """Return sequence `i` as names."""
        codes = self.codes[self.offsets[i] : self.offsets[i + 1]]
        return tuple(self.names[code] for code in codes.tolist())

    def collapsed(self) -> Sequences:
        """Return the sequences with repeats that follow each other as one."""
        keep = np.append(True, self.codes[1:] != self.codes[:-1])[: len(self.codes)]
        keep[self.offsets[:-1][self.lengths > 0]] = True
        kept = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
        return attrs.evolve(
            self, codes=self.codes[keep], offsets=kept[self.offsets], rows=self.rows[keep]
        )

    def take(self, which: NDArray[np.int64]) -> Sequences:
        """Return some of the sequences."""
        lengths = self.lengths[which]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        place = _flat(self.offsets[which], lengths)
        return attrs.evolve(self, codes=self.codes[place], offsets=offsets, rows=self.rows[place])


def sequences_of(journeys: Journeys, by: By = "touchpoint") -> Sequences:
    """Return the touches of each journey; the goal or exit that ends it is none."""
    coded, rows = touches_of(journeys, by)
    offsets = np.concatenate([[0], np.cumsum(journeys.lengths)]).astype(np.int64)
    return Sequences(
        names=coded.names, codes=coded.codes.astype(np.int64), offsets=offsets, rows=rows
    )


def distinct_sequences(sequences: Sequences) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which sequences are the same.

    Returns
    -------
    group
        Number of the distinct sequence that each one is, in order of first appearance.
    first
        The first sequence of each group.

    Notes
    -----
    The compiled kernel looks each sequence up in a table. Without it they are grouped by a 64-bit
    polynomial fingerprint of fixed constants, so that the answer is the same in every process; then
    each is compared with the first of its group, so that the answer is exact. Where two
    fingerprints collide, sequences of equal length are sorted instead.
    """
    grouped = group_sequences(sequences.codes, sequences.offsets)
    if grouped is not None:
        return grouped
    group, first = _groups(_fingerprints(sequences))
    if not _verified(sequences, group, first):
        group, first = _groups(_by_sorting(sequences))
    return group, first


def _flat(start: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places start[i] … start[i] + lengths[i] - 1 of all i, one after the other."""
    before = np.cumsum(lengths) - lengths
    place: NDArray[np.int64] = np.arange(int(lengths.sum())) + np.repeat(start - before, lengths)
    return place


def _groups(key: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(first), dtype=np.int64)
    number[order] = np.arange(len(first))
    return number[inverse], first[order]


def _scrambled(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a fixed pseudo-random value of each number (the finaliser of splitmix64)."""
    z = (number + np.uint64(1)) * _BASE
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _fingerprints(sequences: Sequences) -> NDArray[np.uint64]:
    lengths = sequences.lengths
    longest = int(lengths.max(initial=0))
    power = np.ones(longest + 1, dtype=np.uint64)
    power[1:] = _BASE
    power = np.multiply.accumulate(power)  # wraps around, as it shall
    value = _scrambled(np.arange(len(sequences.names), dtype=np.uint64))
    within = _flat(np.zeros(len(lengths), dtype=np.int64), lengths)
    total = np.zeros(len(within) + 1, dtype=np.uint64)
    np.cumsum(value[sequences.codes] * power[within], out=total[1:])
    sums = total[sequences.offsets[1:]] - total[sequences.offsets[:-1]]
    return _scrambled(sums + lengths.astype(np.uint64))


def _verified(sequences: Sequences, group: NDArray[np.int64], first: NDArray[np.int64]) -> bool:
    leader = first[group]
    lengths = sequences.lengths
    if not np.array_equal(lengths, lengths[leader]):
        return False
    place = _flat(sequences.offsets[leader], lengths)
    return np.array_equal(sequences.codes, sequences.codes[place])


def _by_sorting(sequences: Sequences) -> NDArray[np.uint64]:
    """Return a number of each sequence that only equal ones share."""
    lengths = sequences.lengths
    key = np.zeros(len(sequences), dtype=np.uint64)
    used = np.uint64(0)
    for length in np.unique(lengths).tolist():
        which = np.flatnonzero(lengths == length)
        block = sequences.codes[_flat(sequences.offsets[which], lengths[which])]
        _, inverse = np.unique(block.reshape(-1, length), axis=0, return_inverse=True)
        key[which] = used + inverse.ravel().astype(np.uint64)
        used = key[which].max() + np.uint64(1)
    return key
