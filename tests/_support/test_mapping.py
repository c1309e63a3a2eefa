from __future__ import annotations

import copy
import pickle

import pytest

from cxjourney._support.mapping import FrozenMapping


def test_it_is_a_mapping_that_compares_by_value():
    assert FrozenMapping({"a": 1, "b": 2}) == {"b": 2, "a": 1}
    assert list(FrozenMapping({"b": 2, "a": 1})) == ["b", "a"]
    assert len(FrozenMapping({})) == 0


def test_it_cannot_be_changed_and_does_not_follow_its_source():
    source = {"a": 1}
    mapping = FrozenMapping(source)
    source["a"] = 2
    assert mapping["a"] == 1
    with pytest.raises(TypeError):
        mapping["a"] = 3


def test_equal_mappings_hash_alike_whatever_their_order():
    assert hash(FrozenMapping({"a": 1, "b": 2})) == hash(FrozenMapping({"b": 2, "a": 1}))


def test_it_survives_pickle_and_copy():
    mapping = FrozenMapping({"a": 1})
    assert pickle.loads(pickle.dumps(mapping)) == copy.deepcopy(mapping) == mapping  # noqa: S301
