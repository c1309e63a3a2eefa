from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from cxjourney._support.memo import Memo


def test_a_value_is_computed_once_whatever_the_number_of_threads():
    memo, calls, ready = Memo(), [], Barrier(8)

    def compute() -> object:
        calls.append(1)
        return object()

    def ask(_: int) -> object:
        ready.wait()
        return memo.get("value", compute)

    with ThreadPoolExecutor(8) as pool:
        found = set(map(id, pool.map(ask, range(8))))
    assert len(calls) == 1
    assert len(found) == 1


def test_a_value_may_ask_for_another():
    memo = Memo()
    assert memo.get("double", lambda: 2 * memo.get("one", lambda: 1)) == 2
    assert memo.get("one", lambda: 5) == 1


def test_what_cannot_be_a_name_is_computed_every_time():
    memo, values = Memo(), iter(range(9))
    assert [memo.get(("graph", ["web"]), lambda: next(values)) for _ in range(2)] == [0, 1]


def test_an_error_is_not_kept():
    memo = Memo()

    def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        memo.get("value", fail)
    assert memo.get("value", lambda: 3) == 3


def test_of_what_is_large_only_the_last_is_kept():
    memo, computed = Memo(), []

    def value_of(key: str) -> str:
        def compute() -> str:
            computed.append(key)
            return key.upper()

        return memo.latest("large", key, compute)

    assert [value_of(key) for key in "aabba"] == ["A", "A", "B", "B", "A"]
    assert computed == ["a", "b", "a"]


def test_copies_and_pickles_begin_empty():
    memo = Memo()
    memo.get("value", lambda: 1)
    again = pickle.loads(pickle.dumps(memo))  # noqa: S301 - our own bytes
    for other in (copy.copy(memo), copy.deepcopy(memo), again):
        assert other.get("value", lambda: 2) == 2
