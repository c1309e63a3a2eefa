"""Texts behave as the tuple that they stand for."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from cxjourney._support.texts import Texts


def texts_of(*texts: str) -> Texts:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    return Texts(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)


@pytest.mark.parametrize("names", [(), ("",), ("a", "", "żółć", "a\x00b")])
def test_all_that_can_be_seen_is_that_of_a_tuple(names):
    texts = texts_of(*names)
    assert len(texts) == len(names)
    assert texts == names
    assert names == texts
    assert hash(texts) == hash(names)
    assert tuple(texts) == names
    assert repr(texts) == repr(names)
    assert texts[1:] == names[1:]
    assert pickle.loads(pickle.dumps(texts)) == names  # noqa: S301 - our own bytes
    assert "b" not in texts


def test_a_list_or_another_tuple_is_something_else():
    texts = texts_of("a", "b")
    assert texts != ["a", "b"]
    assert texts != ("a",)
    assert texts[-1] == "b"
    with pytest.raises(IndexError):
        texts[2]
