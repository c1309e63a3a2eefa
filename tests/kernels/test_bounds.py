"""No kernel reads or writes beyond its columns, whatever stands in them.

Refused or not: what counts is that nothing but ValueError comes out. On the ordinary build a read
beyond an end may go unseen; `checked_build.py` runs these tests where it cannot.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney import kernels
from cxjourney.kernels import _reference as reference

pytestmark = pytest.mark.native

HOSTILE = (-(2**62), -(2**31), -200, -2, -1, 1, 2, 3, 5, 100, 127, 2**31 - 1, 2**62)
DTYPES = st.sampled_from([np.int8, np.int16, np.int32, np.int64])
LENGTHS = st.lists(st.integers(1, 4), min_size=1, max_size=5)


def spoil(data: st.DataObject, *columns: np.ndarray) -> None:
    """Put a wrong value somewhere, once or twice."""
    for _ in range(data.draw(st.integers(1, 2))):
        column = data.draw(st.sampled_from([column for column in columns if column.size]))
        info = np.iinfo(column.dtype)
        wrong = [value for value in HOSTILE if info.min <= value <= info.max]
        at = data.draw(st.integers(0, column.size - 1))
        column.reshape(-1)[at] = data.draw(st.sampled_from(wrong))


def offsets_of(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@given(st.data(), LENGTHS)
def test_rows_are_ordered_within_bounds(data, lengths):
    customer = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    time = np.zeros(len(customer), dtype=np.int64)
    spoil(data, customer)
    with suppress(ValueError):
        kernels.order_rows(customer, time, len(lengths))


@given(st.data(), LENGTHS, DTYPES, st.integers(0, 1))
def test_customers_are_cut_within_bounds(data, lengths, dtype, limit):
    customers = offsets_of(lengths)
    codes = np.zeros(sum(lengths), dtype=dtype)
    time = np.arange(sum(lengths), dtype=np.int64)
    spoil(data, customers, codes)
    with suppress(ValueError):
        kernels.cut_journeys(customers, time, codes, np.array([True, False]), limit)


def test_no_customers_at_all_are_refused():
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="not these rows"):
        kernels.cut_journeys(none, none, none, np.zeros(1, dtype=bool), 0)


@given(st.data(), LENGTHS, DTYPES)
def test_moves_are_counted_within_bounds(data, lengths, dtype):
    offsets = offsets_of(lengths)
    codes = np.zeros(sum(lengths), dtype=dtype)
    outcome = np.array([i % 3 for i in range(len(lengths))], dtype=np.int8)
    time = np.arange(sum(lengths), dtype=np.int64)
    absorbed = outcome == 0
    follows = kernels.directly_follows(codes, offsets, absorbed, outcome, 3, time=time)
    spoil(data, offsets, codes, outcome, *follows.timed)
    with suppress(ValueError):
        kernels.directly_follows(codes, offsets, absorbed, outcome, 3)
    with suppress(ValueError):
        kernels.waits_of_transitions(codes, offsets, absorbed, outcome, time, 3, follows)


def test_no_room_is_made_for_more_waits_than_rows():
    codes, offsets = np.zeros(4, dtype=np.int8), np.array([0, 4])
    outcome, absorbed = np.zeros(1, dtype=np.int8), np.array([True])
    time = np.arange(4)
    follows = kernels.directly_follows(codes, offsets, absorbed, outcome, 1, time=time)
    follows.timed[0][0] = 2**31 - 1  # would take 16 GB
    with pytest.raises(ValueError, match="more transitions with times than there are rows"):
        kernels.waits_of_transitions(codes, offsets, absorbed, outcome, time, 1, follows)


@given(st.data(), st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_rows_are_gathered_within_bounds(data, rows):
    rows = np.array(rows, dtype=np.int64)
    spoil(data, rows)
    with suppress(ValueError):
        kernels.gather(np.arange(5), rows)


@given(st.data(), st.lists(st.integers(0, 2), min_size=1, max_size=9), DTYPES)
def test_groups_and_times_are_read_within_bounds(data, groups, dtype):
    native, n = kernels._groups, len(groups)
    group, codes = np.array(sorted(groups)), np.array(groups, dtype=dtype)
    bounds = np.array([0, 1, 1, 3])
    spoil(data, group, codes, bounds)
    place, placed = np.cumsum([0, *np.bincount(groups)])[:-1], np.zeros((n, 2))
    spoil(data, place)
    values, found = np.ones(n), np.zeros(n, dtype=np.int32)
    with suppress(ValueError):
        native.first_of_each(group, codes, 3)
    with suppress(ValueError):
        native.count_before(codes, group, np.arange(3), bounds, found)
    with suppress(ValueError):
        native.place_weighted(group, values, values, place, placed)
    with suppress(ValueError):
        native.weighted_medians(placed, bounds, np.zeros(3))


@given(st.data(), LENGTHS, st.sampled_from([np.uint8, np.uint16, np.uint32, np.int64]))
def test_visits_are_read_within_bounds(data, lengths, dtype):
    offsets, n = offsets_of(lengths), sum(lengths)
    outcome = np.array([i % 3 for i in range(len(lengths))], dtype=np.int8)
    absorbed, time = outcome == 0, np.arange(n)
    visits = np.diff(offsets) - absorbed
    node = np.zeros(int(visits.sum()), dtype=dtype)
    ends, bounds, times = np.full(len(lengths), 4), np.array([0, 2, 2]), np.array([1, 3])
    cell, group = np.zeros((2, len(node)), dtype=np.int32)
    unit, target = np.zeros(len(lengths), dtype=np.int64), np.arange(n) % 2 > 0
    spoil(data, offsets, outcome, visits, node, ends, bounds, cell, group, unit)
    for targets in (None, target):
        with suppress(ValueError):
            ways = offsets, absorbed, unit, absorbed, targets
            kernels.after_first_visits(node, time, *ways, 9, 1.0, (2, 2))
    with suppress(ValueError):
        kernels.waits_of_visits(time, offsets, absorbed, outcome, 9)
    with suppress(ValueError):
        kernels.cells_of_visits(node, time, offsets, absorbed, outcome, 9, times, bounds)
    with suppress(ValueError):
        kernels.moves_of_visits(node, visits, ends, 2)
    with suppress(ValueError):
        kernels.sums_by_cell(group, cell, np.ones(3), 2)


@pytest.mark.parametrize("outcome", [-1, 3])
def test_an_unknown_outcome_is_refused(outcome):
    one = np.zeros(1, dtype=np.int8)
    with pytest.raises(ValueError, match="out of range"):
        kernels.directly_follows(one, np.array([0, 1]), one > 0, one + np.int8(outcome), 1)


@given(st.data(), LENGTHS, DTYPES)
def test_sequences_are_grouped_within_bounds(data, lengths, dtype):
    offsets = offsets_of(lengths)
    begin, stop = offsets[:-1].copy(), offsets[1:].copy()
    spoil(data, begin, stop)
    with suppress(ValueError):
        kernels.group_sequences(np.zeros(sum(lengths), dtype=dtype), begin, stop)


def test_sequences_without_a_row_are_all_the_same():
    none = np.zeros(3, dtype=np.int64)
    group, first = kernels.group_sequences(none[:0], none, none)
    assert (group.tolist(), first.tolist()) == ([0, 0, 0], [0])


@given(
    st.lists(st.none() | st.text(max_size=20), max_size=8), st.sampled_from([np.int32, np.int64])
)
def test_strings_are_read_to_the_last_byte_of_their_buffer_and_no_further(strings, offset):
    # Arrow's own buffers are padded to 64 bytes, which would hide a read beyond the end
    encoded = [b"" if text is None else text.encode() for text in strings]
    there = np.array([text is not None for text in strings], dtype=bool)
    column = pa.Array.from_buffers(
        pa.string() if offset is np.int32 else pa.large_string(),
        len(strings),
        [
            pa.py_buffer(np.packbits(there, bitorder="little")),
            pa.py_buffer(offsets_of([len(text) for text in encoded]).astype(offset)),
            pa.py_buffer(np.frombuffer(b"".join(encoded), dtype=np.uint8).copy()),
        ],
    )
    codes, names = kernels.encode_strings(pa.chunked_array([column]))
    expected = reference.encode_strings(strings)
    assert np.array_equal(codes, expected[0])
    assert list(names) == expected[1]


def test_a_journey_without_a_touch_or_an_end_is_refused():
    none = np.zeros(0, dtype=np.int8)
    with pytest.raises(ValueError, match="out of range"):
        kernels.directly_follows(
            none, np.array([0, 0]), np.array([False]), np.array([2], dtype=np.int8), 1
        )


@given(st.data(), LENGTHS)
def test_strings_are_digested_within_bounds(data, lengths):
    offsets = offsets_of(lengths)
    strings = np.zeros(sum(lengths), dtype=np.uint8)
    spoil(data, offsets)
    digest = kernels._strings.md5_first_bytes
    stop = data.draw(st.integers(-2, len(lengths) + 2))
    with suppress(ValueError):
        digest(strings, offsets, np.zeros(64, dtype=np.uint32), 0, stop)
    with pytest.raises(ValueError, match="not 64"):
        digest(strings, offsets, np.zeros(63, dtype=np.uint32), 0, 1)
