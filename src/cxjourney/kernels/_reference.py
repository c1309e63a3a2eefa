"""The kernels in NumPy: always there, and the definition of what a compiled one must return.

All work on plain arrays. Rows are interactions; codes are small non-negative integers.
"""

from __future__ import annotations

from hashlib import md5
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

from cxjourney._support.parallel import run_parallel
from cxjourney.kernels._reference_funnel import Attempts, Pattern, match_funnel
from cxjourney.kernels._reference_sequences import group_sequences, ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Attempts",
    "Follows",
    "Ordered",
    "Pattern",
    "Waits",
    "cut_journeys",
    "directly_follows",
    "encode_strings",
    "gather",
    "group_sequences",
    "match_funnel",
    "md5_first_bytes",
    "order_rows",
    "ranges",
    "segment_starts",
    "waits_of_transitions",
]

_T = TypeVar("_T", bound=np.generic)
_KEY_BITS = 62
_DENSE = 4_000_000


def encode_strings(strings: Sequence[str | None]) -> tuple[NDArray[np.int32], list[str]]:
    """Return codes in order of appearance (-1 missing) and the distinct strings."""
    distinct = [text for text in dict.fromkeys(strings) if text is not None]
    place: dict[str | None, int] = {text: code for code, text in enumerate(distinct)}
    place[None] = -1
    codes = np.fromiter(map(place.__getitem__, strings), dtype=np.int32, count=len(strings))
    return codes, distinct


def md5_first_bytes(names: Iterable[str]) -> NDArray[np.uint8]:
    """Return the first byte of the MD5 digest of each string in UTF-8."""
    digests = [md5(name.encode(), usedforsecurity=False).digest() for name in names]
    return np.array([digest[0] for digest in digests], dtype=np.uint8)


class Ordered(NamedTuple):
    """Rows by customer, then time.

    `order` has row numbers (None where the input is in order already); rows of customer i are
    [offsets[i], offsets[i + 1]); before `n_backward` rows there now is a later row of the input.
    """

    order: NDArray[np.int32] | NDArray[np.intp] | None
    time: NDArray[np.int64]
    offsets: NDArray[np.int64]
    n_backward: int


def order_rows(
    customer: NDArray[np.integer],
    time: NDArray[np.int64],
    n_customers: int,
    seq: NDArray[np.int64] | None = None,
) -> Ordered:
    """Order rows by customer (codes), then time [µs], then `seq` if given, then input order."""
    n = len(customer)
    if n and not 0 <= customer.min() <= customer.max() < n_customers:
        raise ValueError("a customer code is out of range")
    counts = np.bincount(customer, minlength=n_customers)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    if n < 2 or _in_order(customer, time, seq):
        return Ordered(None, time, offsets, 0)
    bits = int(n - 1).bit_length()
    if n_customers.bit_length() + bits <= _KEY_BITS:
        # one sort of (customer, row) keys; most logs then have each customer in time order already
        key = customer.astype(np.int64) << bits
        key |= np.arange(n, dtype=np.int64)
        key.sort()
        order = key & ((1 << bits) - 1)
        by_time = time[order]
        if _in_order(key >> bits, by_time, None if seq is None else seq[order]):
            return Ordered(order, by_time, offsets, 0)
    order = np.lexsort((time, customer) if seq is None else (seq, time, customer))
    backward = order[1:] < order[:-1]
    begin = offsets[(offsets > 0) & (offsets < n)]
    backward[begin - 1] = False  # a later customer may begin on an earlier row
    return Ordered(order, time[order], offsets, int(np.count_nonzero(backward)))


def _in_order(
    customer: NDArray[np.integer], time: NDArray[np.int64], seq: NDArray[np.int64] | None
) -> bool:
    before, after = customer[:-1], customer[1:]
    if np.any(before > after):
        return False
    same = before == after
    if np.any(same & (time[:-1] > time[1:])):
        return False
    if seq is None:
        return True
    tied = same & (time[:-1] == time[1:])
    return not np.any(tied & (seq[:-1] > seq[1:]))


def gather(values: NDArray[_T], rows: NDArray[np.integer] | NDArray[np.bool_]) -> NDArray[_T]:
    """Return the values of these rows, given by number or as a mask."""
    if rows.dtype != np.bool_ and len(rows) and not 0 <= rows.min() <= rows.max() < len(values):
        raise ValueError("a row is out of range")
    return values[rows]


def segment_starts(*boundaries: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return CSR offsets of the segments that begin at row 0 and where any of the masks is true."""
    n = len(boundaries[0])
    begin = np.zeros(n, dtype=np.bool_)
    for mask in boundaries:
        begin |= mask
    if n:
        begin[0] = True
    return np.append(np.flatnonzero(begin), n).astype(np.int64, copy=False)


def cut_journeys(
    customers: NDArray[np.int64],
    time: NDArray[np.int64] | None,
    codes: NDArray[np.signedinteger],
    ends: NDArray[np.bool_],
    limit: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Cut the rows of customers where a silence of `limit` µs (0: none) or an end is.

    Rows of customer i are [customers[i], customers[i + 1]), none empty; `ends` says of each code
    whether a journey ends with it.

    Returns
    -------
    offsets, silent, customer
        Rows of journey i are [offsets[i], offsets[i + 1]); whether a later row of the customer came
        after the limit; the customer of each journey.
    """
    n = len(codes)
    first_of_customer = np.zeros(n, dtype=np.bool_)
    first_of_customer[customers[:-1]] = True
    silence = np.zeros(n, dtype=np.bool_)
    after_end = np.zeros(n, dtype=np.bool_)
    if limit and time is not None:
        silence[1:] = np.diff(time) >= limit
        silence &= ~first_of_customer
    if ends.any():
        after_end[1:] = ends[codes[:-1]]
    offsets = segment_starts(first_of_customer, silence, after_end)
    begin = offsets[:-1]
    silent = np.zeros(len(begin), dtype=np.bool_)
    silent[:-1] = silence[begin[1:]]
    customer = np.cumsum(first_of_customer[begin], dtype=np.int64) - 1
    return offsets, silent, customer


def _sort_pairs(
    group: NDArray[np.int64], value: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs of integers from 0, small and large ones, sorted by group, then value."""
    if not len(group):
        return group, value
    bits = int(value.max()).bit_length()
    if int(group.max()).bit_length() + bits > _KEY_BITS:
        order = np.lexsort((value, group))
        return group[order], value[order]
    key = group << bits
    key |= value
    key.sort()
    return key >> bits, key & ((1 << bits) - 1)


class Follows(NamedTuple):
    """What directly follows what, counted over journeys.

    With K codes, K is START, K + 1 CONVERSION, K + 2 DROPOFF; the key of a transition from a to b
    is a (K + 3) + b.

    Attributes
    ----------
    keys, counts, journeys
        Transitions that occur, ascending; how often each does, and in how many journeys.
    first
        Journeys by their first visit, or by their end where they have no visit, shape (K + 3,).
    visits, visiting, censored
        Visits of each code, journeys that come by, and visits that nothing has followed yet.
    waited
        Total time from visits to the row after [µs] by transition; -1 where no time is known.
    timed
        Transitions with a time by key, for the journeys of each thread; empty unless compiled.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    journeys: NDArray[np.int64]
    first: NDArray[np.int64]
    visits: NDArray[np.int64]
    visiting: NDArray[np.int64]
    censored: NDArray[np.int64]
    waited: NDArray[np.int64]
    timed: tuple[NDArray[np.int64], ...] = ()


def directly_follows(
    codes: NDArray[np.signedinteger],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    n_codes: int,
    weight: NDArray[np.int64] | None = None,
    time: NDArray[np.int64] | None = None,
) -> Follows:
    """Count what directly follows what, in rows that stand journey by journey.

    `absorbed` says whether the last row of a journey is its end itself, and no visit; `outcome` is
    0 CONVERSION, 1 DROPOFF, 2 not yet; `weight` how often each journey counts. A journey that ended
    without a row of its own has no time of that end.
    """
    size = n_codes + 3
    lengths = np.diff(offsets) - absorbed
    is_touch = np.ones(len(codes), dtype=np.bool_)
    is_touch[offsets[1:][absorbed] - 1] = False
    row = np.flatnonzero(is_touch)
    here = codes[row].astype(np.int64)
    journey = np.repeat(np.arange(len(lengths)), lengths)
    stop = np.cumsum(lengths)
    touched = lengths > 0
    last = stop[touched] - 1
    after = np.append(here[1:], 0)[: len(here)]
    end = n_codes + 1 + outcome.astype(np.int64)
    after[last] = end[touched]
    still_open = after == n_codes + 3
    first = end.copy()
    first[touched] = here[(stop - lengths)[touched]]
    moved = ~still_open
    key = here * size + after
    moved_key, moved_journey = (key, journey) if moved.all() else (key[moved], journey[moved])
    keys, counts = _weighted_counts(moved_key, moved_journey, weight, size * size)
    censored = _bincount(here[still_open], journey[still_open], weight, n_codes)
    move = _places(keys, moved_key, size)
    waited = np.full(len(keys), -1, dtype=np.int64)
    if time is not None:
        timed = keys % size < n_codes
        timed[_places(keys, key[last[absorbed[touched]]], size)] = True
        wait = np.append(np.diff(time), 0)[row]
        wait[last[~absorbed[touched]]] = 0
        total = np.zeros(len(keys), dtype=np.int64)
        np.add.at(total, move, wait if moved.all() else wait[moved])
        waited[timed] = total[timed]
    journeys, visiting = run_parallel(
        len(codes),
        lambda: _distinct(moved_journey, move, len(keys), weight),
        lambda: _distinct(journey, here, n_codes, weight),
    )
    return Follows(
        keys=keys,
        counts=counts,
        journeys=journeys,
        first=_bincount(first, np.arange(len(first)), weight, size),
        visits=_bincount(here, journey, weight, n_codes),
        visiting=visiting,
        censored=censored,
        waited=waited,
    )


class Waits(NamedTuple):
    """Median [µs] and sum of squared deviations [s²] of the times of transitions, or NaN."""

    median: NDArray[np.float64]
    squares: NDArray[np.float64]


def waits_of_transitions(
    codes: NDArray[np.signedinteger],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    time: NDArray[np.int64],
    n_codes: int,
    follows: Follows,
) -> Waits:
    """Return how long the transitions of `follows` took, from rows in order of time."""
    size, keys = n_codes + 3, follows.keys
    is_last = np.zeros(len(codes) + 1, dtype=np.bool_)
    is_last[offsets[1:] - 1] = True
    row = np.flatnonzero(~is_last[: len(codes)])
    after = codes.astype(np.int64)
    after[offsets[1:][absorbed] - 1] = (n_codes + 1 + outcome.astype(np.int64))[absorbed]
    move = _places(keys, codes[row].astype(np.int64) * size + after[row + 1], size)
    wait = np.diff(time)[row]
    median = np.full(len(keys), np.nan)
    squares = np.full(len(keys), np.nan)
    count = np.bincount(move, minlength=len(keys))
    has = np.flatnonzero(count)
    if len(has):
        _, ascending = _sort_pairs(move, wait)
        n = count[has]
        first = np.cumsum(n) - n
        low, high = ascending[first + (n - 1) // 2], ascending[first + n // 2]
        median[has] = low / 2 + high / 2
        mean = np.zeros(len(keys))
        mean[has] = np.add.reduceat(ascending, first) / n / 1e6
        deviation = wait / 1e6 - mean[move]
        squares[has] = np.bincount(move, deviation * deviation, minlength=len(keys))[has]
    return Waits(median, squares)


def _bincount(
    codes: NDArray[np.int64],
    journey: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
    n_codes: int,
) -> NDArray[np.int64]:
    weights = None if weight is None else weight[journey]
    return np.bincount(codes, weights, minlength=n_codes).astype(np.int64)


def _weighted_counts(
    key: NDArray[np.int64],
    journey: NDArray[np.int64],
    weight: NDArray[np.int64] | None,
    size: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct keys and their counts."""
    if size <= _DENSE:
        counts = _bincount(key, journey, weight, size)
        keys = np.flatnonzero(np.bincount(key, minlength=size))
        return keys, counts[keys]
    keys, place = np.unique(key, return_inverse=True)
    return keys, _bincount(place, journey, weight, len(keys))


def _places(keys: NDArray[np.int64], wanted: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return where each wanted key stands among the keys, by table where they are small."""
    if size * size > _DENSE:
        return np.searchsorted(keys, wanted)
    place = np.zeros(size * size, dtype=np.int64)
    place[keys] = np.arange(len(keys))
    return place[wanted]


def _distinct(
    journey: NDArray[np.int64],
    group: NDArray[np.int64],
    n_groups: int,
    weight: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """Return the number of distinct journeys in each group."""
    bits = max(n_groups - 1, 0).bit_length()
    key = journey << bits
    key |= group
    key.sort()
    key = key[np.append(True, key[1:] != key[:-1])[: len(key)]]
    return _bincount(key & ((1 << bits) - 1), key >> bits, weight, n_groups)
