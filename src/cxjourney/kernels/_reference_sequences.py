"""Equal sequences in NumPy: found by fingerprints that decide nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers never become 0 modulo 2^64


def group_sequences(
    codes: NDArray[np.signedinteger], begin: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of the distinct sequence that each one is, and the first one of each.

    Sequence i is codes[begin[i]:stop[i]]. They are grouped by a 64-bit polynomial fingerprint of
    fixed constants, so that the answer is the same in every process; then each is compared with the
    first of its group, so that the answer is exact. Where two fingerprints collide, sequences of
    equal length are sorted instead.
    """
    lengths = stop - begin
    rows = ranges(begin, lengths)
    group, first = _groups(_fingerprints(codes[rows], lengths))
    leader = first[group]
    if np.array_equal(lengths, lengths[leader]) and np.array_equal(
        codes[rows], codes[ranges(begin[leader], lengths)]
    ):
        return group, first
    return _groups(_by_sorting(codes, begin, lengths))


def ranges(start: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
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


def _fingerprints(
    codes: NDArray[np.signedinteger], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return a number of each sequence; the sequences stand one after the other."""
    power = np.ones(int(lengths.max(initial=0)) + 1, dtype=np.uint64)
    power[1:] = _BASE
    power = np.multiply.accumulate(power)  # wraps around, as it shall
    value = _scrambled(np.arange(int(codes.max(initial=-1)) + 2, dtype=np.uint64))
    within = ranges(np.zeros_like(lengths), lengths)
    total = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(value[codes] * power[within], out=total[1:])
    stop = np.cumsum(lengths)
    return _scrambled(total[stop] - total[stop - lengths] + lengths.astype(np.uint64))


def _by_sorting(
    codes: NDArray[np.signedinteger], begin: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return a number of each sequence that only equal ones share."""
    key = np.zeros(len(begin), dtype=np.uint64)
    used = np.uint64(0)
    for length in np.unique(lengths).tolist():
        which = np.flatnonzero(lengths == length)
        block = codes[ranges(begin[which], lengths[which])]
        _, inverse = np.unique(block.reshape(len(which), length), axis=0, return_inverse=True)
        key[which] = used + inverse.ravel().astype(np.uint64)
        used = key[which].max() + np.uint64(1)
    return key
