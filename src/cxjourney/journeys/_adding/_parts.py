"""Parts of all customers: those whose ids have the first bits of their MD5 digests in common."""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.exceptions import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Parts = tuple[tuple[int, int], ...]
"""Ranges [begin, end) of the first 16 bits, ascending, no two of which meet."""

DEEPEST = 16
ALL = 1 << DEEPEST
_BYTE = 8


def part_of(ids: Sequence[str], depth: int) -> NDArray[np.int64]:
    """Return the part of each customer among 2 ** depth, from the distinct ids."""
    if depth <= _BYTE:
        from cxjourney.kernels import md5_first_bytes

        return md5_first_bytes(ids).astype(np.int64) >> (_BYTE - depth)
    digests = (md5(name.encode(), usedforsecurity=False).digest() for name in ids)
    heads = (digest[0] << _BYTE | digest[1] for digest in digests)
    return np.fromiter(heads, dtype=np.int64, count=len(ids)) >> (DEEPEST - depth)


def parts_named(part: Any, ids: Sequence[str]) -> Parts:
    """Return the part `(number, of)`, or raise InvalidValue if it has not all of the customers."""
    good = (
        isinstance(part, tuple)
        and len(part) == 2
        and all(isinstance(x, int) and not isinstance(x, bool) for x in part)
        and part[1] in {1 << depth for depth in range(DEEPEST + 1)}
        and 0 <= part[0] < part[1]
    )
    if not good:
        rule = f"be (number, of), with number from 0 to of - 1 and of a power of 2 up to {ALL:,}"
        raise InvalidValue.of("part", rule, part)
    number, of = part
    strangers = int(np.count_nonzero(part_of(ids, of.bit_length() - 1) != number))
    if strangers:
        raise InvalidValue(
            f"part must hold all customers of the log, but {strangers:,} of {len(ids):,} are not "
            f"in part {number:,} of {of:,}: a customer belongs to the part that the first bits of "
            "the MD5 digest of the id name"
        )
    width = ALL // of
    return ((number * width, (number + 1) * width),)


def joined(several: Iterable[Parts]) -> Parts:
    """Return the parts of several statistics together, or raise InvalidValue where two overlap."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(span for parts in several for span in parts):
        if found and begin < found[-1][1]:
            raise InvalidValue(
                f"these statistics share customers: more than one has {words_of(((begin, end),))}. "
                "A customer belongs to one part alone: divide a log by customers, never by days, "
                "compare two periods by compare.between(), and say which part each log is by "
                "journeys.statistics(part=(number, of))"
            )
        if found and begin == found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return tuple(found)


def checked(spans: Iterable[Iterable[int]]) -> Parts:
    """Return parts that were read from bytes, or raise ValueError."""
    parts = tuple((int(begin), int(end)) for begin, end in spans)
    edges = [edge for span in parts for edge in span]
    if not parts or edges != sorted(set(edges)) or edges[0] < 0 or edges[-1] > ALL:
        raise ValueError("parts are not disjoint and ascending")
    return parts


def words_of(parts: Parts) -> str:
    """Return parts in words."""
    if parts == ((0, ALL),):
        return "all customers"
    named = []
    for begin, end in parts[:3]:
        whole = end - begin
        simple = whole & (whole - 1) == 0 and begin % whole == 0
        share = f"part {begin // whole:,} of {ALL // whole:,}"
        named.append(share if simple else f"parts {begin:,} to {end - 1:,} of {ALL:,}")
    return ", ".join(named) + (f" and {len(parts) - 3:,} more" if len(parts) > 3 else "")


def holds(parts: Parts, bucket: NDArray[np.int64], digests: Iterable[bytes]) -> bool:
    """Return whether the 64 buckets and the customers of these digests meet the parts."""
    width = ALL >> 6
    met = {b for begin, end in parts for b in range(begin // width, -(-end // width))}
    heads = [int.from_bytes(digest[:2], "big") for digest in digests]
    inside = all(any(begin <= head < end for begin, end in parts) for head in heads)
    return inside and set(bucket.tolist()) <= met
