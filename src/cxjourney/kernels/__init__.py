"""Loops over integer columns: the few functions in which nearly all time is spent.

`reference` has them in NumPy; it is always there and defines what they return. `native` has them
compiled, and `native_strings` reads columns from Arrow buffers, where a compiler was at hand when
the package was built. Equal sequences, funnels and groups have modules of their own, by two and
two: `reference_sequences` and `native_sequences`, and so on.
The environment variable `CXJOURNEY_KERNELS` chooses between "native" and "reference" before the
first import, for tests.
"""

from __future__ import annotations

import importlib
import os
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from cxjourney._support.parallel import portions, run_parallel
from cxjourney._support.strings import Strings
from cxjourney._support.validation import check_choice, check_flag
from cxjourney.exceptions import InvalidValue, MissingDependency
from cxjourney.kernels import _reference as reference
from cxjourney.kernels import _reference_groups as reference_groups
from cxjourney.kernels import _reference_ids as reference_ids
from cxjourney.kernels import _reference_patterns as reference_patterns
from cxjourney.kernels import _reference_visits as reference_visits
from cxjourney.kernels._arrow import ArrowStrings
from cxjourney.kernels._reference import (
    Attempts,
    Follows,
    Ordered,
    Waits,
    ranges,
    segment_starts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from numpy.typing import NDArray

    from cxjourney.kernels._reference_visits import Grouped

from cxjourney.kernels._reference_funnel import NEVER as NEVER
from cxjourney.kernels._reference_funnel import Candidates as Candidates
from cxjourney.kernels._reference_funnel import Pattern as Pattern  # noqa: TC001  (re-exported)
from cxjourney.kernels._reference_funnel import Reached as Reached
from cxjourney.kernels._reference_funnel import StepReason as StepReason
from cxjourney.kernels._reference_funnel import best_attempts as best_attempts
from cxjourney.kernels._reference_funnel import candidates_of as candidates_of
from cxjourney.kernels._reference_funnel import first_of_unit as first_of_unit
from cxjourney.kernels._reference_funnel import follow as follow
from cxjourney.kernels._reference_funnel import followed as followed
from cxjourney.kernels._reference_funnel import kept_back as kept_back
from cxjourney.kernels._reference_funnel import rank_of as rank_of
from cxjourney.kernels._reference_patterns import Automaton as Automaton
from cxjourney.kernels._reference_patterns import Matches as Matches

__all__ = [
    "ACTIVE",
    "ArrowStrings",
    "Follows",
    "Ordered",
    "Waits",
    "after_first_visits",
    "arrow_strings",
    "cells_of_visits",
    "count_before",
    "cut_journeys",
    "directly_follows",
    "encode_strings",
    "first_of_each",
    "gather",
    "group_sequences",
    "holds_strings",
    "match_funnel",
    "match_pattern",
    "md5_first_bytes",
    "moves_of_visits",
    "order_rows",
    "ranges",
    "record_columns",
    "segment_starts",
    "sums_by_cell",
    "waits_of_transitions",
    "waits_of_visits",
    "weighted_medians",
]

_T = TypeVar("_T", bound=np.generic)
_DENSE = 4_000_000
_MOST_ROWS = np.iinfo(np.int32).max
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_NODES = {np.dtype(kind) for kind in (np.uint8, np.uint16, np.uint32, np.int64)}
_NO_TIME = np.zeros(0, dtype=np.int64)


def _loaded(name: str) -> ModuleType | None:
    wanted = os.environ.get("CXJOURNEY_KERNELS", "")
    if wanted not in {"", "native", "reference"}:
        raise InvalidValue.of("CXJOURNEY_KERNELS", "be 'native' or 'reference'", wanted)
    if wanted == "reference":
        return None
    try:
        return importlib.import_module(f"cxjourney.kernels.{name}")
    except ImportError as error:
        if wanted == "native":
            raise MissingDependency("the compiled kernels were not built") from error
        return None


_compiled = _loaded("_native")
_strings = None if _compiled is None else _loaded("_native_strings")
_sequences = None if _compiled is None else _loaded("_native_sequences")
_funnel = None if _compiled is None else _loaded("_native_funnel")
_groups = None if _compiled is None else _loaded("_native_groups")
_ids = None if _compiled is None else _loaded("_native_ids")
_visits = None if _compiled is None else _loaded("_native_visits")
_patterns = None if _compiled is None else _loaded("_native_patterns")

ACTIVE = "reference" if _compiled is None else "native"
"""Which kernels run: "native" or "reference"."""


def id_table() -> reference_ids.IdTable:
    """Return an empty table of ids and codes, with a secret of its own."""
    seed = int.from_bytes(os.urandom(16), "little")
    table = reference_ids.IdTable if _ids is None else _ids.IdTable
    return cast(reference_ids.IdTable, table(seed))


def arrow_strings(column: Any) -> ArrowStrings | None:
    """Return a column of strings to be read from its Arrow buffers.

    None where the column offers no Arrow stream of strings, or nothing is compiled.
    """
    if _strings is None or not hasattr(column, "__arrow_c_stream__"):
        return None
    kind = str(getattr(column, "dtype", ""))
    if kind == "category" or (kind == "object" and not holds_strings(column)):
        return None  # pyarrow dies of some mixtures of objects
    try:
        strings = _strings.string_column(column)
    except (ImportError, TypeError, ValueError):  # pandas: no pyarrow, or objects of many kinds
        return None
    return None if strings is None else ArrowStrings((strings,))


def holds_strings(column: Any) -> bool:
    """Return whether a pandas column of objects holds strings, and beside them nothing at all."""
    from pandas.api.types import infer_dtype

    return infer_dtype(column, skipna=True) == "string"


def encode_strings(column: Any) -> tuple[NDArray[np.int32], Strings] | None:
    """Return codes in order of appearance (-1 missing) and the distinct strings of a column.

    None as for `arrow_strings`: then the column's own library is the fastest way.
    """
    strings = arrow_strings(column)
    return None if strings is None else strings.encoded()


def md5_first_bytes(names: Iterable[str]) -> NDArray[np.uint8]:
    """Return the first byte of the MD5 digest of each string in UTF-8."""
    if _strings is None:
        return reference.md5_first_bytes(names)
    data, offsets = Strings.of(names).utf8()
    sines = np.floor(np.abs(np.sin(np.arange(1.0, 65.0))) * 2.0**32).astype(np.uint32)
    digest, n = partial(_strings.md5_first_bytes, data, offsets, sines), len(offsets) - 1
    return np.concatenate(run_parallel(n, *[partial(digest, *part) for part in portions(n)]))


def record_columns(
    table: Any,
) -> list[ArrowStrings | tuple[NDArray[Any], NDArray[np.bool_]]] | None:
    """Return the columns of a table, such as a DuckDB relation, of strings and 64-bit numbers.

    Strings are to be read from their buffers; numbers, 0 where missing, come with a mask. None
    where nothing is compiled, a column is of another kind, or the stream breaks off.
    """
    if _strings is None or not hasattr(table, "__arrow_c_stream__"):
        return None
    columns = _strings.record_columns(table)
    if columns is None:
        return None
    return [column if isinstance(column, tuple) else ArrowStrings((column,)) for column in columns]


def order_rows(
    customer: NDArray[np.integer],
    time: NDArray[np.int64],
    n_customers: int,
    seq: NDArray[np.int64] | None = None,
) -> Ordered:
    """Order rows by customer, then time, then `seq`, then input order; see `reference.order_rows`.

    Compiled, it is a stable counting sort by customer, each thread with rows of its own; where a
    customer's rows are not in the order of time, the reference sorts.
    """
    n = len(customer)
    if _compiled is None or seq is not None or not 0 < n <= _MOST_ROWS:
        return reference.order_rows(customer, time, n_customers, seq)
    codes = np.ascontiguousarray(customer, dtype=np.int32)
    time = np.ascontiguousarray(time)
    rows = [slice(*share) for share in portions(n)]
    counts = run_parallel(n, *[partial(_compiled.count_rows, codes[r], n_customers) for r in rows])
    offsets, places = _places(counts)
    order, by_time = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int64)
    place = _compiled.place_rows
    moved = run_parallel(
        n,
        *[
            partial(place, codes[r], time[r], r.start, at, order, by_time)
            for r, at in zip(rows, places, strict=True)
        ],
    )
    ordered = run_parallel(
        n,
        *[partial(_compiled.in_time_order, by_time, offsets, *s) for s in portions(n, offsets)],
    )
    if not all(ordered):
        return reference.order_rows(customer, time, n_customers)
    return Ordered(order if any(moved) else None, by_time, offsets, 0)


def _places(
    counts: tuple[NDArray[np.int64], ...],
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return where groups begin; counts by thread become where each thread's part of them does."""
    offsets = np.zeros(len(counts[0]) + 1, dtype=np.int64)
    for count in counts:
        offsets[1:] += count
    np.cumsum(offsets, out=offsets)
    places = [offsets[:-1].copy(), *counts[:-1]]
    for before, place in pairwise(places):
        place += before
    return offsets, places


def gather(values: NDArray[_T], rows: NDArray[np.integer] | NDArray[np.bool_]) -> NDArray[_T]:
    """Return the values of these rows; see `reference.gather`."""
    word = _WORDS.get(values.dtype.itemsize)
    row_numbers = rows.dtype in {np.dtype(np.int32), np.dtype(np.int64)}
    if _compiled is None or word is None or values.dtype.kind not in "biufMm" or not row_numbers:
        return reference.gather(values, rows)
    found = np.empty(len(rows), dtype=values.dtype)
    words, into = np.ascontiguousarray(values).view(word), found.view(word)
    rows = np.ascontiguousarray(rows)
    run_parallel(
        len(rows),
        *[partial(_compiled.gather, words, rows[a:b], into[a:b]) for a, b in portions(len(rows))],
    )
    return found


def cut_journeys(
    customers: NDArray[np.int64],
    time: NDArray[np.int64] | None,
    codes: NDArray[np.signedinteger],
    ends: NDArray[np.bool_],
    limit: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Cut the rows of customers where a silence or an end is; see `reference.cut_journeys`."""
    if _compiled is None:
        return reference.cut_journeys(customers, time, codes, ends, limit)
    timestamps = _NO_TIME if time is None else time
    journeys: tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]
    journeys = _compiled.cut_journeys(customers, timestamps, codes, ends.view(np.uint8), limit)
    return journeys


def directly_follows(
    codes: NDArray[np.signedinteger],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    n_codes: int,
    weight: NDArray[np.int64] | None = None,
    time: NDArray[np.int64] | None = None,
) -> Follows:
    """Count what directly follows what; see `reference.directly_follows`."""
    size = n_codes + 3
    if _compiled is None or weight is not None or size * size > _DENSE:
        return reference.directly_follows(codes, offsets, absorbed, outcome, n_codes, weight, time)
    timestamps = _NO_TIME if time is None else time
    arguments = codes, offsets, absorbed.view(np.uint8), outcome, timestamps, n_codes
    n, count = len(codes), _compiled.directly_follows
    parts = run_parallel(n, *[partial(count, *arguments, *s) for s in portions(n, offsets)])
    sums = (np.add.reduce(arrays) for arrays in zip(*parts, strict=True))
    counts, journeys, first, visits, visiting, censored, untimed, waited = sums
    keys = np.flatnonzero(counts)
    counts, waited = counts[keys], waited[keys]
    waited[counts == untimed[keys]] = -1
    timed = tuple(part[0] - part[6] for part in parts)  # of its counts, those that are not untimed
    return Follows(keys, counts, journeys[keys], first, visits, visiting, censored, waited, timed)


def waits_of_transitions(
    codes: NDArray[np.signedinteger],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    time: NDArray[np.int64],
    n_codes: int,
    follows: Follows,
) -> Waits:
    """Return how long transitions took; see `reference.waits_of_transitions`.

    Compiled, each thread puts the times of journeys of its own together by transition, in the order
    of rows, and then sums up transitions of its own.
    """
    if _compiled is None or not follows.timed:
        return reference.waits_of_transitions(
            codes, offsets, absorbed, outcome, time, n_codes, follows
        )
    n, keys = len(codes), follows.keys
    journeys = codes, offsets, absorbed.view(np.uint8), outcome
    parts = portions(n, offsets)
    bounds, places = _places(tuple(part.copy() for part in follows.timed))
    if bounds[-1] > n:
        raise ValueError("follows counts more transitions with times than there are rows")
    waits = np.empty(bounds[-1], dtype=np.int64)
    place = _compiled.place_waits
    run_parallel(
        n,
        *[
            partial(place, *journeys, time, n_codes, *part, at, waits)
            for part, at in zip(parts, places, strict=True)
        ],
    )
    median, squares = np.full((2, len(keys)), np.nan)
    of_keys = np.append(bounds[keys], bounds[-1])
    summarise = _compiled.summarise_waits
    run_parallel(
        n,
        *[
            partial(summarise, waits, of_keys, *part, median, squares)
            for part in portions(len(waits), of_keys)
        ],
    )
    return Waits(median, squares)


def weighted_medians(
    group: NDArray[np.int64],
    values: NDArray[np.float64],
    mass: NDArray[np.float64],
    size: int,
) -> NDArray[np.float64]:
    """Return the weighted median of each group; see `reference_groups.weighted_medians`.

    Compiled, values are put together by group, and no group is sorted.
    """
    if _groups is None:
        return reference_groups.weighted_medians(group, values, mass, size)
    bounds = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(group, minlength=size), out=bounds[1:])
    placed, median = np.empty((len(group), 2)), np.full(size, np.nan)
    _groups.place_weighted(group, values, mass, bounds[:-1].copy(), placed)
    _groups.weighted_medians(placed, bounds, median)
    return median


def first_of_each(
    group: NDArray[np.int64], codes: NDArray[np.signedinteger], n_codes: int
) -> NDArray[np.bool_]:
    """Return whether each code is the first in its group; see `reference_groups.first_of_each`."""
    if _groups is None:
        return reference_groups.first_of_each(group, codes, n_codes)
    first: NDArray[np.bool_] = _groups.first_of_each(group, codes, n_codes)
    return first


def count_before(
    node: NDArray[np.integer],
    wait: NDArray[np.int64],
    times: NDArray[np.int64],
    bounds: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return how many times are before each wait; see `reference_groups.count_before`."""
    if _groups is None:
        return reference_groups.count_before(node, wait, times, bounds)
    found = np.empty(len(node), dtype=np.int32)
    _groups.count_before(node, wait, times, bounds, found)
    return found


def waits_of_visits(
    time: NDArray[np.int64],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    until: int,
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Return how long visits lasted and how they ended; see `reference_visits.waits_of_visits`."""
    if _visits is None:
        return reference_visits.waits_of_visits(time, offsets, absorbed, outcome, until)
    n = len(time) - int(np.count_nonzero(absorbed))
    wait, state = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int8)
    _visits.waits_of_visits(time, offsets, absorbed.view(np.uint8), outcome, until, wait, state)
    return wait, state


def cells_of_visits(
    at: NDArray[np.integer],
    time: NDArray[np.int64],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    outcome: NDArray[np.int8],
    until: int,
    times: NDArray[np.int64],
    bounds: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return the cell of each visit; see `reference_visits.cells_of_visits`."""
    journeys = time, offsets, absorbed, outcome, until
    if _visits is None or at.dtype not in _NODES:
        return reference_visits.cells_of_visits(at, *journeys, times, bounds)
    cell = np.empty(len(at), dtype=np.int32)
    journeys = time, offsets, absorbed.view(np.uint8), outcome, until
    _visits.cells_of_visits(at, *journeys, times, bounds, cell)
    return cell


def moves_of_visits(
    node: NDArray[np.integer], lengths: NDArray[np.int64], ends: NDArray[np.int64], n_nodes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct moves of visits; see `reference_visits.moves_of_visits`.

    Compiled, they are counted by a table of every pair of nodes, unless these are many.
    """
    if _visits is None or node.dtype not in _NODES or (n_nodes + 3) ** 2 > _DENSE:
        return reference_visits.moves_of_visits(node, lengths, ends, n_nodes)
    count = _visits.count_moves(node, lengths, ends, n_nodes)
    place, move = np.full(len(count), -1, dtype=np.int32), np.empty(len(node), dtype=np.int32)
    key = np.flatnonzero(count)
    place[key] = np.arange(len(key))
    _visits.place_moves(node, lengths, ends, n_nodes, place, move)
    return key, count[key], move


def after_first_visits(
    node: NDArray[np.integer],
    time: NDArray[np.int64],
    offsets: NDArray[np.int64],
    absorbed: NDArray[np.bool_],
    unit: NDArray[np.int64],
    reached: NDArray[np.bool_],
    target: NDArray[np.bool_] | None,
    until: int | None,
    window: float,
    shape: tuple[int, int],
) -> tuple[NDArray[np.int64], Grouped, Grouped]:
    """Return what was seen after first visits; see `reference_visits.after_first_visits`.

    Compiled, the first pass over the rows counts, so that the second knows where to write.
    """
    if _visits is None or node.dtype not in _NODES:
        journeys = time, offsets, absorbed, unit, reached, target, until, window
        return reference_visits.after_first_visits(node, *journeys, shape)
    counts = np.zeros((*shape, 4), dtype=np.int64)
    targets = np.zeros(0, dtype=np.uint8) if target is None else target.view(np.uint8)
    ways = time, offsets, absorbed.view(np.uint8), unit, reached.view(np.uint8), targets
    observed = until or 0, until is None, window
    nothing = np.zeros(0), np.zeros(0, dtype=np.uint8)
    follow = partial(_visits.events_after, node, *ways, *observed, counts)
    follow(np.zeros((0, 0), dtype=np.int64), *nothing, *nothing)
    bounds = np.zeros((2, shape[1] + 1), dtype=np.int64)
    by_node = counts.sum(axis=0)
    np.cumsum([by_node[:, 2] + by_node[:, 3], by_node[:, 0]], axis=1, out=bounds[:, 1:])
    events, open_ones = ((np.empty(n), np.empty(n, dtype=np.uint8)) for n in bounds[:, -1])
    follow(bounds[:, :-1].copy(), *events, *open_ones)
    return counts, (bounds[0], *events), (bounds[1], *open_ones)


def sums_by_cell(
    group: NDArray[np.int32], cell: NDArray[np.int32], values: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return sums of the values of cells by group; see `reference_visits.sums_by_cell`."""
    if _visits is None:
        return reference_visits.sums_by_cell(group, cell, values, size)
    sums = np.zeros(size)
    _visits.sums_by_cell(group, cell, values, sums)
    return sums


def group_sequences(
    codes: NDArray[np.signedinteger], begin: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which sequences of codes are the same; see `reference.group_sequences`."""
    if _sequences is None:
        return reference.group_sequences(codes, begin, stop)
    grouped: tuple[NDArray[np.int64], NDArray[np.int64]]
    grouped = _sequences.group_sequences(codes, begin, stop)
    return grouped


def match_funnel(
    codes: NDArray[np.signedinteger],
    offsets: NDArray[np.int64],
    time: NDArray[np.int64] | None,
    pattern: Pattern,
) -> Attempts:
    """Return which steps every unit has reached; see `reference.match_funnel`."""
    if _funnel is None or pattern.either:
        return reference.match_funnel(codes, offsets, time, pattern)
    arguments = (
        codes,
        offsets,
        np.zeros(len(codes), dtype=np.int64) if time is None else time,
        np.ascontiguousarray(pattern.matches.T).view(np.uint8),
        pattern.optional.view(np.uint8),
        pattern.limits,
        pattern.spans,
        pattern.within,
        pattern.mature_until,
        pattern.strict,
        pattern.first,
    )
    n = len(codes)
    parts = run_parallel(
        n, *[partial(_funnel.funnel, *arguments, *share) for share in portions(n, offsets)]
    )
    unit, row, entered, kept_back = zip(*parts, strict=True)
    return Attempts(np.concatenate(unit), np.concatenate(row, axis=1), sum(entered), sum(kept_back))


def match_pattern(
    codes: NDArray[np.signedinteger],
    offsets: NDArray[np.int64],
    time: NDArray[np.int64] | None,
    outcome: NDArray[np.int8],
    automaton: Automaton,
    *,
    rows: Literal["none", "ends", "all", "every"] = "none",
    last: bool = False,
) -> Matches:
    """Return which journeys match a pattern; see `reference_patterns.match_pattern`."""
    check_choice(rows, "rows", ("none", "ends", "all", "every"))
    check_flag(last, "last")
    if _patterns is None:
        return reference_patterns.match_pattern(
            codes, offsets, time, outcome, automaton, rows=rows, last=last
        )
    a, n, n_units = automaton, len(codes), len(offsets) - 1
    n_places = len(a.options)
    links = np.zeros((len(a.links), 5), dtype=np.int64)
    before = np.zeros((n_places, n_places), dtype=np.bool_)
    accepting = np.zeros((4, n_places), dtype=np.bool_)
    for place, options in enumerate(a.options):
        for option in options:
            if option >= 0:
                before[option, place] = True
            elif option == -1:
                accepting[:3, place] = a.ends if a.at_end else True
                accepting[3, place] = not a.at_end
            else:
                links[-2 - option] = (*a.links[-2 - option], place)
    words = _words_of(before)
    n_words = words.shape[1]
    table = np.zeros((8 * n_words, 256, n_words), dtype=np.uint64)
    for place in range(n_places):  # what a byte says, bit by bit
        has_bit = (np.arange(256) >> (place % 8) & 1).astype(np.bool_)
        table[place // 8, has_bit] |= words[place]
    found, row = np.zeros(n_units, dtype=np.bool_), np.full((3, n_units), -1, dtype=np.int64)
    noted = np.full(n if rows in {"all", "every"} else 0, -1, dtype=np.int16)
    arguments = (
        codes,
        offsets,
        np.zeros(n, dtype=np.int64) if time is None else time,
        outcome,
        np.zeros(0, dtype=np.uint16) if a.case is None else a.case,
        _words_of(a.by_code),
        _words_of(a.by_case),
        table.reshape(-1, n_words),
        _words_of(accepting),
        np.array(a.starts, dtype=np.int64),
        np.cumsum([0, *map(len, a.options)], dtype=np.int64),
        np.array([option for options in a.options for option in options], dtype=np.int64),
        links,
        a.point.view(np.uint8),
        a.begins,
        a.sense,
        a.duration,
        rows != "none",
        last and rows != "every",
        rows == "every",
        found.view(np.uint8),
        row,
        noted,
    )
    run_parallel(n, *[partial(_patterns.match, *arguments, *part) for part in portions(n, offsets)])
    if a.empty:
        found |= (offsets[1:] == offsets[:-1]) & a.ends[outcome]
    return Matches(found, row, noted if rows in {"all", "every"} else None)


def _words_of(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return flags as bits of words, shape (lines, words)."""
    n_bytes = -(-flags.shape[1] // 64) * 8
    packed = np.zeros((len(flags), n_bytes), dtype=np.uint8)
    bits = np.packbits(flags, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return packed.view("<u8").astype(np.uint64)
