"""Strings behave as the tuple that they stand for."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cxjourney._support.strings import Strings


def strings_of(*strings: str) -> Strings:
    encoded = [text.encode() for text in strings]
    offsets = np.cumsum([0, *map(len, encoded)])
    return Strings(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)


@pytest.mark.parametrize("names", [(), ("",), ("a", "", "żółć", "a\x00b")])
def test_all_that_can_be_seen_is_that_of_a_tuple(names):
    strings = strings_of(*names)
    assert len(strings) == len(names)
    assert strings == names
    assert names == strings
    assert hash(strings) == hash(names)
    assert tuple(strings) == names
    assert repr(strings) == repr(names)
    assert strings[1:] == names[1:]
    assert pickle.loads(pickle.dumps(strings)) == names  # noqa: S301 - our own bytes
    assert "b" not in strings


def test_a_list_or_another_tuple_is_something_else():
    strings = strings_of("a", "b")
    assert strings != ["a", "b"]
    assert strings != ("a",)
    assert strings[-1] == "b"
    with pytest.raises(IndexError):
        strings[2]
