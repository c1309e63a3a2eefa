"""Sparse tables of whole numbers: what they hold, and their sums against those of dictionaries."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from cxjourney.journeys._adding._tables import Counts, Kind, added

KIND = Kind(axes=("unit", "node"), columns=("here", "there"), signed=True)
SIZES = {"unit": 64, "node": 5}
NUMBERS = st.sampled_from([0, 1, -1, 255, 256, 65_535, 65_536, 1 << 32, 1 << 40, -(1 << 40)])
ROWS = st.dictionaries(
    st.tuples(st.integers(0, 63), st.integers(0, 4)),
    st.tuples(NUMBERS, NUMBERS).filter(any),
    max_size=12,
)
APART = [{(3, 4): (1, 0), (3, 0): (2, 2)}, {}, {(4, 0): (1 << 40, 0)}, {(0, 1): (0, 300)}]


def table_of(rows, width=5):
    places = sorted(rows)
    key = np.array([unit * width + node for unit, node in places], dtype=np.int64)
    values = np.array([rows[place] for place in places], dtype=np.int64).reshape(-1, 2)
    return Counts.of(key, values)


def rows_of(counts, sizes):
    axes = counts.axis(KIND, sizes)
    places = zip(axes["unit"].tolist(), axes["node"].tolist(), strict=True)
    return dict(zip(places, map(tuple, counts.values.tolist()), strict=True))


def summed(parts):
    here, there = Counter(), Counter()
    for rows in parts:
        for place, (a, b) in rows.items():
            here[place] += a
            there[place] += b
    both = {place: (here[place], there[place]) for place in here}
    return {place: numbers for place, numbers in both.items() if any(numbers)}


@given(rows=ROWS)
def test_a_table_gives_back_what_it_holds_and_is_smallest_in_one_way(rows):
    counts = table_of(rows)
    assert rows_of(counts, SIZES) == rows
    assert counts.column(KIND, "there").tolist() == counts.values[:, 1].tolist()
    again = Counts.of(counts.key, counts.values)
    assert again == counts
    assert [x.dtype for x in again.columns] == [x.dtype for x in counts.columns]
    assert counts.filled.all()


@given(parts=st.lists(ROWS, min_size=1, max_size=5))
@example(parts=APART)
@example(parts=APART[::-1])
@example(parts=[{}, {}])
def test_the_sum_is_that_of_dictionaries(parts):
    total = added(KIND, [(table_of(rows), {}, SIZES) for rows in parts], SIZES)
    assert rows_of(total, SIZES) == summed(parts)
    assert total == table_of(summed(parts))


@given(parts=st.lists(ROWS, min_size=1, max_size=3))
@example(parts=APART)
def test_codes_that_change_are_changed_before_the_sum(parts):
    place = np.array([1, 2, 3, 5, 6])  # where the five names are among seven
    sizes = {"unit": 64, "node": 7}
    total = added(KIND, [(table_of(rows), {"node": place}, SIZES) for rows in parts], sizes)
    renamed = {(unit, int(place[node])): n for (unit, node), n in summed(parts).items()}
    assert rows_of(total, sizes) == renamed
    assert total == table_of(renamed, 7)


@given(rows=ROWS)
@example(rows={(0, 1): (1, 2), (1, 1): (-1, -2), (2, 0): (3, 0)})
def test_units_may_come_together(rows):
    fewer = np.arange(64) // 2
    total = added(KIND, [(table_of(rows), {"unit": fewer}, SIZES)], SIZES)
    joined = summed([{(unit // 2, node): n} for (unit, node), n in rows.items()])
    assert rows_of(total, SIZES) == joined
