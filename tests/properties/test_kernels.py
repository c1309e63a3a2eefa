"""The compiled kernels return what the reference returns, to the bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney import kernels
from cxjourney._support import parallel
from cxjourney.kernels import _reference as reference
from cxjourney.kernels import _reference_funnel as reference_funnel
from cxjourney.kernels import _reference_groups as reference_groups
from cxjourney.kernels import _reference_visits as reference_visits

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True, scope="module")
def _threads_for_a_few_rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "_SHARE", 3)
        yield


STRINGS = st.lists(
    st.none()
    | st.sampled_from(["", "NA", "a", "b" * 12, "b" * 13, "żółć", "\U0001f6d2", "c\x00d", "é" * 40])
    | st.text(max_size=20).filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t)),
    max_size=60,
)


def equal(a: tuple, b: tuple) -> bool:
    return all(
        x is y or (x is not None and np.array_equal(x, y) and np.asarray(x).dtype == y.dtype)
        if isinstance(y, np.ndarray)
        else x == y
        for x, y in zip(a, b, strict=True)
    )


@given(STRINGS, st.integers(1, 5), st.integers(0, 5))
def test_strings_of_every_layout_have_the_codes_of_the_reference(strings, chunk, offset):
    expected = reference.encode_strings(strings)
    small = pa.array(strings, pa.string())
    columns = [
        small,
        pa.array(strings, pa.large_string()),
        pa.array(strings, pa.string_view()),
        pa.chunked_array(
            [small[i : i + chunk] for i in range(0, len(strings), chunk)], pa.string()
        ),
        pl.Series(strings, dtype=pl.String),
        pa.array(["x"] * offset + strings, pa.string())[offset:],
    ]
    for column in columns:
        stream = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
        codes, names = kernels.encode_strings(stream)
        assert list(names) == expected[1]
        assert np.array_equal(codes, expected[0])


@given(STRINGS, st.sampled_from([0, 120, 127, 128, 300]))
def test_names_are_sorted_whether_or_not_their_codes_are_bytes(strings, more):
    strings = [*(f"n{i}" for i in range(more)), *strings]
    codes, names = kernels.arrow_strings(pl.Series(strings, dtype=pl.String)).names()
    assert list(names) == sorted({text for text in strings if text})
    assert codes.dtype == (np.int8 if len(set(strings) - {None}) <= 127 else np.int32)
    assert [(*names, None)[code] for code in codes] == [text or None for text in strings]


def test_many_distinct_strings_outgrow_the_first_table():
    strings = [f"customer-{i % 70_001:07d}" for i in range(200_000)]
    codes, names = kernels.encode_strings(pl.Series(strings))
    expected = reference.encode_strings(strings)
    assert list(names) == expected[1]
    assert np.array_equal(codes, expected[0])


def test_columns_that_are_no_strings_are_left_to_their_library():
    assert kernels.encode_strings(pl.Series([1, 2])) is None
    assert kernels.encode_strings([1, 2]) is None


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=60), st.booleans())
def test_rows_are_ordered_alike(rows, in_time_order):
    if in_time_order:
        rows = sorted(rows, key=lambda r: r[1])
    customer = np.array([c for c, _ in rows], dtype=np.int32)
    time = np.array([t for _, t in rows], dtype=np.int64)
    found = kernels.order_rows(customer, time, 7)
    expected = reference.order_rows(customer, time, 7)
    if found.order is not None:
        found = found._replace(order=found.order.astype(np.intp))
    assert equal(found, expected)


@given(
    st.sampled_from(["int8", "int16", "int32", "int64", "float64", "bool", "M8[us]"]),
    st.sampled_from([np.int32, np.int64, np.uint8]),
    st.lists(st.integers(0, 9), max_size=30),
)
def test_rows_are_gathered_alike(kind, row_kind, rows):
    values = np.arange(10).astype(kind)
    rows = np.array(rows, dtype=row_kind)
    expected = np.array([values[row] for row in rows.tolist()], dtype=kind)
    for module in (kernels, reference):
        assert equal([module.gather(values, rows)], [expected])
    chosen = np.isin(np.arange(10), rows)
    assert np.array_equal(kernels.gather(values, chosen), values[chosen])


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_that_is_not_there_is_refused(row):
    for module in (kernels, reference):
        with pytest.raises(ValueError, match="a row is out of range"):
            module.gather(np.arange(3), np.array([0, row]))


@st.composite
def journeys(draw):
    lengths = draw(st.lists(st.integers(1, 6), max_size=12))
    n, rows = len(lengths), sum(lengths)
    outcome = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), dtype=np.int8)
    absorbed = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    absorbed &= outcome < 2  # what is still open has no end
    n_codes = draw(st.sampled_from([3, 200, 40_000]))
    dtype = {3: np.int8, 200: np.int16, 40_000: np.int32}[n_codes]
    top = st.integers(0, n_codes - 1)
    codes = np.array(draw(st.lists(top, min_size=rows, max_size=rows)), dtype=dtype)
    gaps = draw(st.lists(st.integers(0, 2**40), min_size=rows, max_size=rows))
    time = np.cumsum(np.array(gaps, dtype=np.int64)) if draw(st.booleans()) else None
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return codes, offsets, absorbed, outcome, time, n_codes


@given(journeys())
def test_what_follows_what_is_counted_alike(arguments):
    *journeys, time, n_codes = arguments
    found = kernels.directly_follows(*journeys, n_codes, time=time)
    expected = reference.directly_follows(*journeys, n_codes, time=time)
    assert equal(found[:-1], expected[:-1])
    if time is not None:
        timed = *journeys, time, n_codes, found
        found, expected = (
            kernels.waits_of_transitions(*timed),
            reference.waits_of_transitions(*timed),
        )
        assert all(
            a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
            for a, b in zip(found, expected, strict=True)
        )


@given(st.data(), st.integers(1, 4))
def test_medians_are_weighed_alike(data, size):
    n = data.draw(st.integers(0, 30))
    columns = (
        np.array(data.draw(st.lists(one, min_size=n, max_size=n)), dtype=dtype)
        for one, dtype in (
            (st.integers(0, size - 1), np.int64),
            (st.integers(0, 5), np.float64),
            (st.sampled_from([0.0, 0.25, 0.5, 1.0, 1 / 3]), np.float64),
        )
    )
    arguments = *columns, size
    found, expected = (
        kernels.weighted_medians(*arguments),
        reference_groups.weighted_medians(*arguments),
    )
    assert np.array_equal(found, expected, equal_nan=True)


def test_a_weighted_median_by_hand():
    group, values = np.array([0, 0, 0, 2, 2]), np.array([5.0, 1.0, 3.0, 4.0, 8.0])
    mass = np.array([0.2, 0.5, 0.4, 0.5, 0.5])  # of 1.1 half is .55: beyond the 1, at the 3
    for one in (kernels, reference_groups):
        found = one.weighted_medians(group, values, mass, 3)
        assert np.array_equal(found, [3.0, np.nan, 6.0], equal_nan=True)


@given(st.data(), st.sampled_from([np.int8, np.int16, np.int32, np.int64]))
def test_the_first_of_each_code_and_times_before_waits_are_found_alike(data, dtype):
    n = data.draw(st.integers(0, 20))
    codes = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=dtype)
    steps = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    group = np.cumsum(np.array(steps, dtype=np.int64))
    first = kernels.first_of_each(group, codes, 4)
    assert np.array_equal(first, reference_groups.first_of_each(group, codes, 4))
    seen, by_hand = set(), []
    for pair in zip(group.tolist(), codes.tolist(), strict=True):
        by_hand.append(pair not in seen)
        seen.add(pair)
    assert first.tolist() == by_hand

    times = [sorted(data.draw(st.sets(st.integers(0, 9), max_size=6))) for _ in range(4)]
    bounds = np.cumsum([0, *map(len, times)])
    wait = np.array(data.draw(st.lists(st.integers(0, 10), min_size=n, max_size=n)), dtype=np.int64)
    arguments = codes, wait, np.array(sum(times, []), dtype=np.int64), bounds  # noqa: RUF017
    found = kernels.count_before(*arguments)
    assert np.array_equal(found, reference_groups.count_before(*arguments))
    pairs = zip(codes.tolist(), wait.tolist(), strict=True)
    assert found.tolist() == [sum(time < w for time in times[c]) for c, w in pairs]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.integers(0, 2)), max_size=8),
    st.data(),
    st.sampled_from([np.uint8, np.uint16, np.uint32, np.int64]),
)
def test_visits_end_and_move_alike(journeys, data, dtype):
    outcome = np.array([how for *_, how in journeys], dtype=np.int8)
    absorbed = np.array([ends for _, ends, _ in journeys], dtype=bool) & (outcome < 2)
    offsets = np.cumsum([0, *(n_rows for n_rows, *_ in journeys)])
    n = int(offsets[-1])
    gaps = st.lists(st.integers(0, 6), min_size=n, max_size=n)
    time = np.cumsum(np.array(data.draw(gaps), dtype=np.int64))
    until = data.draw(st.integers(0, 40))
    ways = time, offsets, absorbed, outcome, until
    assert equal(kernels.waits_of_visits(*ways), reference_visits.waits_of_visits(*ways))

    by_hand = []
    for j, (n_rows, _, how) in enumerate(journeys):
        rows = range(offsets[j], offsets[j + 1] - absorbed[j])
        for i in rows:
            if i + 1 < offsets[j] + n_rows:
                by_hand.append((time[i + 1] - time[i], 0))
            else:  # the last row of a journey without an end of its own
                wait = [0, np.iinfo(np.int64).max, max(until - time[i], 0)][how]
                by_hand.append((wait, how))
    wait, state = kernels.waits_of_visits(*ways)
    assert list(zip(wait.tolist(), state.tolist(), strict=True)) == by_hand

    n = len(wait)
    node = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), dtype=dtype)
    times = [sorted(data.draw(st.sets(st.integers(0, 9), max_size=5))) for _ in range(3)]
    bounds = np.cumsum([0, *map(len, times)])
    arguments = node, *ways, np.array(sum(times, []), dtype=np.int64), bounds  # noqa: RUF017
    cell = kernels.cells_of_visits(*arguments)
    assert equal((cell,), (reference_visits.cells_of_visits(*arguments),))
    before = [sum(t < w for t in times[x]) for x, w in zip(node.tolist(), wait, strict=True)]
    first = bounds[:-1] + np.arange(3)
    assert (cell - first[node]).tolist() == before

    ends = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(outcome), max_size=8)))
    ends = np.where(ends[: len(outcome)] < 0, -1, ends[: len(outcome)] + 3).astype(np.int64)
    lengths = np.diff(offsets) - absorbed
    key, count, move = found = kernels.moves_of_visits(node, lengths, ends, 3)
    assert equal(found, reference_visits.moves_of_visits(node, lengths, ends, 3))
    told, at = [], 0
    for length, end in zip(lengths.tolist(), ends.tolist(), strict=True):
        path = [*node[at : at + length].tolist(), end]
        told += [-1 if b < 0 else a * 6 + b for a, b in pairwise(path)]
        at += length
    assert [-1 if place < 0 else int(key[place]) for place in move] == told
    assert count.tolist() == [told.count(one) for one in key.tolist()]

    unit = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(outcome), max_size=8)))
    unit = unit[: len(outcome)].astype(np.int64)
    target = np.array(data.draw(st.lists(st.booleans(), min_size=len(time), max_size=60)))
    target = data.draw(st.sampled_from([None, target[: len(time)].astype(bool)]))
    day = 86_400_000_000
    ways = time * day, offsets, absorbed, unit, outcome == 0, target
    seen = data.draw(st.none() | st.just(until * day)), data.draw(st.integers(0, 9)) / 2, (3, 3)
    found = kernels.after_first_visits(node, *ways, *seen)
    expected = reference_visits.after_first_visits(node, *ways, *seen)
    assert equal(found[:1], expected[:1])
    for mine, theirs in zip(found[1:], expected[1:], strict=True):
        assert equal(mine, theirs)
    told, at = np.zeros((3, 3, 4), dtype=int), 0
    for j, length in enumerate(lengths.tolist()):
        path, stop = node[at : at + length].tolist(), int(offsets[j + 1])
        at += length
        for x in set(path) if unit[j] >= 0 else ():
            row = int(offsets[j]) + path.index(x)
            later = [r for r in range(row + 1, stop) if target is not None and target[r]]
            if target is None and outcome[j] == 0:
                later = [stop - 1]
            left = np.inf if seen[0] is None else float(until - time[row])
            won = bool(later) and time[later[0]] - time[row] <= min(left, seen[1])
            told[unit[j], x, (left >= seen[1]) + 2 * won] += 1
    assert np.array_equal(found[0], told)

    values = np.linspace(0.1, 0.7, int(bounds[-1]) + 3)
    sums = kernels.sums_by_cell(move, cell, values, len(key))
    assert equal((sums,), (reference_visits.sums_by_cell(move, cell, values, len(key)),))


def test_codes_out_of_range_are_refused():
    native = kernels._compiled
    codes, offsets = np.array([5], dtype=np.int8), np.array([0, 1])
    ends = np.zeros(1, dtype=np.uint8), np.zeros(1, dtype=np.int8)
    with pytest.raises(ValueError, match="out of range"):
        native.directly_follows(codes, offsets, *ends, offsets[:0], 2, 0, 1)
    with pytest.raises(ValueError, match="out of range"):
        native.count_rows(np.array([7], dtype=np.int32), 2)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=6)),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.integers(0, 4),
)
def test_customers_are_cut_alike(customers, ends, limit):
    lengths = [len(rows) for rows in customers]
    rows = [row for customer in customers for row in customer]
    codes = np.array([code for code, _ in rows], dtype=np.int8)
    time = np.concatenate([np.cumsum([gap for _, gap in c]) for c in [*customers, []]])
    arguments = (
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        time.astype(np.int64),
        codes,
        np.array(ends),
        limit,
    )
    assert equal(kernels.cut_journeys(*arguments), reference.cut_journeys(*arguments))


def test_rows_of_no_customer_are_refused():
    native = kernels._compiled
    codes, ends = np.zeros(2, dtype=np.int8), np.zeros(1, dtype=np.uint8)
    time = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match="not these rows"):
        native.cut_journeys(np.array([0, 3]), time, codes, ends, 0)
    with pytest.raises(ValueError, match="out of range"):
        native.cut_journeys(np.array([0, 2]), time, codes + 1, ends + 1, 0)


@given(
    st.lists(st.tuples(st.lists(st.integers(-1, 2), max_size=12), st.integers(0, 2)), max_size=60),
    st.sampled_from([np.int8, np.int16, np.int32, np.int64]),
)
def test_sequences_are_grouped_alike(sequences, dtype):
    # after each sequence come rows that belong to none
    lengths = np.array([len(one) for one, _ in sequences], dtype=np.int64)
    after = np.array([spare for _, spare in sequences], dtype=np.int64)
    codes = np.array([c for one, spare in sequences for c in [*one, *[1] * spare]], dtype=dtype)
    begin = np.cumsum(lengths + after) - lengths - after
    arguments = codes, begin, begin + lengths
    assert equal(kernels.group_sequences(*arguments), reference.group_sequences(*arguments))


def test_many_distinct_sequences_of_any_length_are_grouped_alike():
    rng = np.random.default_rng(5)
    lengths = rng.geometric(1 / 8, 50_000)
    codes = rng.integers(0, 4, lengths.sum()).astype(np.int16)
    stop = np.cumsum(lengths)
    arguments = codes, stop - lengths, stop
    assert equal(kernels.group_sequences(*arguments), reference.group_sequences(*arguments))


def test_sequences_out_of_range_are_refused():
    codes, one = np.zeros(2, dtype=np.int8), np.array([1])
    for begin, stop in ((-one, one), (one, 3 * one), (2 * one, one)):
        with pytest.raises(ValueError, match="out of range"):
            kernels.group_sequences(codes, begin, stop)
    with pytest.raises(ValueError, match="differ in length"):
        kernels.group_sequences(codes, one, one[:0])


@given(
    st.lists(
        st.tuples(
            st.none() | st.text("aż", max_size=20),
            st.none() | st.integers(0, 9),
            st.none() | st.floats(allow_nan=False),
        )
    )
)
def test_records_are_read_as_their_columns_are(rows):
    strings, whole, real = ([row[i] for row in rows] for i in range(3))
    table = pa.table(
        {
            "a": pa.array(strings, pa.string()),
            "b": pa.array(whole, pa.int64()),
            "c": pa.array(real, pa.float64()),
        }
    )
    sliced = pa.concat_tables([table.slice(0, 3), table.slice(3)])
    column, *numbers = kernels.record_columns(sliced)
    codes, names = column.encoded()
    expected = reference.encode_strings(strings)
    assert np.array_equal(codes, expected[0])
    assert list(names) == expected[1]
    assert column.objects().tolist() == strings
    for (values, missing), given_values in zip(numbers, [whole, real], strict=True):
        assert np.ma.MaskedArray(values, missing).tolist() == given_values


def test_records_of_other_kinds_are_left_to_their_library():
    assert kernels.record_columns(pa.table({"a": [True]})) is None
    assert kernels.record_columns(None) is None


@st.composite
def funnels(draw):
    n_codes, n_steps, n_exclusions = (draw(st.integers(*ends)) for ends in ((1, 5), (1, 4), (0, 2)))
    units = draw(st.lists(st.lists(st.integers(0, n_codes - 1), max_size=9), max_size=8))
    codes = [code for unit in units for code in unit]
    gaps = draw(st.lists(st.integers(0, 3), min_size=len(codes), max_size=len(codes)))
    dtype = draw(st.sampled_from([np.int8, np.int16, np.int32, np.int64]))

    def flags(n, size):
        drawn = draw(st.lists(st.booleans(), min_size=n * size, max_size=n * size))
        return np.array(drawn, dtype=np.bool_).reshape(n, size)

    limit = st.sampled_from([0, 2, 5, reference_funnel.NEVER])
    spans = [
        sorted(draw(st.lists(st.integers(0, n_steps), min_size=2, max_size=2, unique=True)))
        for _ in range(n_exclusions)
    ]
    optional = flags(1, n_steps)[0]
    optional[[0, -1]] = False
    pattern = reference_funnel.Pattern(
        matches=flags(n_steps + n_exclusions, n_codes),
        optional=optional,
        limits=np.array([draw(limit) for _ in range(n_steps)], dtype=np.int64),
        spans=np.array(spans, dtype=np.int64).reshape(n_exclusions, 2),
        within=draw(limit),
        mature_until=draw(st.sampled_from([6, reference_funnel.NEVER])),
        strict=draw(st.booleans()),
        either=False,
        first=draw(st.booleans()),
    )
    offsets = np.concatenate([[0], np.cumsum([len(unit) for unit in units])]).astype(np.int64)
    time = np.array(gaps, dtype=np.int64)
    for begin, stop in pairwise(offsets):
        time[begin:stop] = np.cumsum(time[begin:stop])
    return np.array(codes, dtype=dtype), offsets, time if draw(st.booleans()) else None, pattern


@given(funnels())
def test_funnels_are_matched_alike(arguments):
    assert equal_attempts(kernels.match_funnel(*arguments), reference.match_funnel(*arguments))


def test_funnels_of_many_customers_are_matched_alike():
    rng = np.random.default_rng(3)
    lengths = rng.geometric(1 / 8, 60_000)  # enough for two threads
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    codes = rng.integers(0, 9, offsets[-1]).astype(np.int8)
    time = np.cumsum(rng.integers(0, 9, len(codes)))
    pattern = reference_funnel.Pattern(
        matches=np.eye(5, 9, dtype=np.bool_),
        optional=np.array([False, False, True, False]),
        limits=np.array([reference_funnel.NEVER, 30, 30, reference_funnel.NEVER]),
        spans=np.array([[1, 3]]),
        within=40,
        mature_until=int(time[-1000]),
        strict=False,
        either=False,
        first=False,
    )
    arguments = codes, offsets, time, pattern
    found = kernels.match_funnel(*arguments)
    assert found.kept_back > 0
    assert np.all((found.row >= 0).sum(axis=1) > 0)
    assert equal_attempts(found, reference.match_funnel(*arguments))


def equal_attempts(a: reference.Attempts, b: reference.Attempts) -> bool:
    return equal(a[:2], b[:2]) and a[2:] == b[2:]


def test_funnels_of_rows_or_codes_out_of_range_are_refused():
    codes, time = np.zeros(2, dtype=np.int8), np.zeros(2, dtype=np.int64)
    never = np.full(1, reference_funnel.NEVER)
    pattern = reference_funnel.Pattern(
        np.ones((1, 1), dtype=np.bool_), np.zeros(1, dtype=np.bool_), never,
        np.zeros((0, 2), dtype=np.int64), 1, 1, False, False, False,
    )  # fmt: skip
    for offsets in ([0, 3], [-1, 2], [0, 2, 1]):
        with pytest.raises(ValueError, match="out of range"):
            kernels.match_funnel(codes, np.array(offsets), time, pattern)
    for code in (-1, 1):
        with pytest.raises(ValueError, match="out of range"):
            kernels.match_funnel(codes + np.int8(code), np.array([0, 2]), time, pattern)
    with pytest.raises(ValueError, match="differ in length"):
        kernels.match_funnel(codes, np.array([0, 2]), time[:1], pattern)
