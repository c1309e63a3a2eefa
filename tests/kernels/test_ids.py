"""Tables of ids: the compiled one equals the one of dictionaries, and both a walk by hand."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney import kernels
from cxjourney._support.strings import Strings
from cxjourney.kernels import _reference_ids as reference

PLAIN = ("", "a", "b", "ab", "abc", "abcd", "1234567", "12345678", "123456789", "x" * 17)
ODD = ("x" * 5000, "\0", "a\0", "\0a", "é", "e\u0301", "日本", "🙂", "NA", "7", "007")
NAMES = st.sampled_from([*PLAIN, *ODD]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=6
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES),
        st.tuples(st.just("find"), NAMES),
        st.tuples(st.just("codes"), st.lists(NAMES, max_size=8)),
        st.tuples(st.just("release"), st.integers(0, 2**16)),
    ),
    max_size=30,
)
TABLES = [
    pytest.param(reference.IdTable, id="reference"),
    pytest.param(kernels._ids and kernels._ids.IdTable, marks=pytest.mark.native, id="native"),
]


@pytest.mark.parametrize("made", TABLES)
@given(steps=STEPS, seed=st.integers(0, 2**64 - 1))
def test_a_table_is_a_dictionary_that_gives_codes_again(made, steps, seed):
    table = made(seed)
    code_of: dict[str, int] = {}
    free: list[int] = []

    def expected(name: str) -> int:
        if name not in code_of:
            code_of[name] = free.pop() if free else len(code_of)
        return code_of[name]

    for kind, what in steps:
        if kind == "add":
            assert table.code(what, True) == expected(what)
        elif kind == "find":
            assert table.code(what, False) == code_of.get(what, -1)
        elif kind == "codes":
            found = table.codes(what)
            assert found.dtype == np.int32
            assert found.tolist() == [expected(name) for name in what]
        elif code_of:
            gone = sorted(code_of.values())[: 1 + what % len(code_of)]
            table.release(np.array(gone))
            free += gone
            code_of = {name: code for name, code in code_of.items() if code not in gone}
        assert len(table) == len(code_of)
        assert table.size == len(code_of) + len(free)
        codes = np.array(list(code_of.values()), dtype=np.int64)
        assert tuple(table.strings(codes)) == tuple(code_of)


@pytest.mark.parametrize("made", TABLES)
def test_many_ids_come_and_go(made):
    table, rng = made(7), np.random.default_rng(0)
    kept: dict[str, int] = {}
    for _ in range(30):
        names = [f"customer {i}" for i in rng.integers(0, 40_000, 3_000).tolist()]
        kept |= dict(zip(names, table.codes(names).tolist(), strict=True))
        gone = [name for name in kept if rng.random() < 0.4]
        table.release(np.array([kept.pop(name) for name in gone]))
        assert len(table) == len(kept)
        assert [table.code(name, False) for name in gone[:50]] == [-1] * len(gone[:50])
    assert table.codes(list(kept)).tolist() == list(kept.values())
    assert tuple(table.strings(np.array(list(kept.values())))) == tuple(kept)
    assert table.size < 40_000  # codes that are free are taken first


@pytest.mark.parametrize("made", TABLES)
def test_codes_that_are_not_in_use_are_refused(made):
    table = made(1)
    table.codes(["a", "b"])
    table.release(np.array([0]))
    for wrong in (0, 2, -1, 2**40):
        with pytest.raises(ValueError, match="not in use"):
            table.strings(np.array([wrong]))
        with pytest.raises(ValueError, match="not in use"):
            table.release(np.array([wrong]))
    assert tuple(table.strings(np.array([1]))) == ("b",)


@pytest.mark.native
@given(
    offsets=st.lists(st.sampled_from([-1, 0, 1, 2, 3, 4, 2**40]), min_size=1, max_size=5),
)
def test_damaged_offsets_are_refused(offsets):
    table = kernels._ids.IdTable(3)
    given_ = np.array(offsets, dtype=np.int64)
    good = (np.diff(given_) >= 0).all() and given_[0] >= 0 and given_[-1] <= 3
    strings = Strings(np.frombuffer(b"abc", dtype=np.uint8), given_)
    if good or len(offsets) == 1:
        assert len(table.codes(strings)) == len(offsets) - 1
    else:
        with pytest.raises(ValueError, match="offsets"):
            table.codes(strings)


@pytest.mark.native
def test_tables_have_secrets_of_their_own():
    names = [f"c{i}" for i in range(100)]
    first, second = kernels.id_table(), kernels.id_table()
    assert first.codes(names).tolist() == second.codes(names).tolist() == list(range(100))


@pytest.mark.native
def test_ids_that_were_made_to_collide_take_no_longer():
    """A hash by shifts and products hands on some differences, whatever its seed."""
    pairs = ("abc!efg1hij!lmn1", "abcaefgqhijalmnq")  # bits 30 and 62 of both words differ
    made = ["".join(parts) for parts in product(pairs, repeat=14)]
    rng = np.random.default_rng(0)
    others = ["".join(map(chr, row)) for row in rng.integers(97, 123, (len(made), 224)).tolist()]

    def took(names: list[str]) -> float:
        times = []
        for _ in range(3):
            table, begin = kernels.id_table(), time.process_time()
            assert len(np.unique(table.codes(names))) == len(names)
            times.append(time.process_time() - begin)
        return min(times)

    assert took(made) < 10 * took(others)
