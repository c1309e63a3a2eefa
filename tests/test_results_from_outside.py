"""Dictionaries that are no results: each is refused with the path of what is wrong."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

import cxjourney as cx
from cxjourney._support.result import result_from_dict
from cxjourney.exceptions import InvalidValue

DAY = timedelta(days=1)


def plain(result):
    return json.loads(json.dumps(result.to_dict()))


@pytest.fixture(scope="module")
def exits():
    paths = [["ad", "web"], ["web"]]
    return plain(cx.dropoff.exits(cx.Journeys.from_paths(paths, converted=[3, 5], dropped=[10, 4])))


@pytest.fixture(scope="module")
def curve():
    return plain(cx.metrics.kaplan_meier([DAY, 2 * DAY], [True, False]))


def test_what_is_right_comes_back(exits, curve):
    for data in (exits, curve):
        assert plain(result_from_dict(data)) == data


@pytest.mark.parametrize("value", [None, 3, "x", {"a": 1}, [[1]], ["x"], [True], [10**30], {}])
def test_a_field_of_another_type_is_named(exits, curve, value):
    for data in (exits, curve):
        for field in sorted(set(data) - {"schema", "type"}):
            kept = data[field]
            number = isinstance(value, (int, type(None))) and isinstance(kept, (float, type(None)))
            if field == "reaching" and isinstance(value, str):  # None, or the name of a node
                continue
            if number or type(value) is type(kept) or (kept == {} and isinstance(value, list)):
                continue
            with pytest.raises(InvalidValue, match=field):
                result_from_dict(data | {field: value})


def test_a_missing_field_is_named(exits):
    for field in sorted(set(exits) - {"schema", "type"}):
        with pytest.raises(InvalidValue, match=field):
            result_from_dict({key: value for key, value in exits.items() if key != field})


@pytest.mark.parametrize("data", [None, 3, "x", [], {}, {"type": []}, {"type": "Exits"}, {3: 4}])
def test_what_is_no_dictionary_of_a_result_is_refused(data):
    with pytest.raises(InvalidValue):
        result_from_dict(data)
    with pytest.raises(InvalidValue):
        cx.dropoff.Exits.from_dict(data)


def test_arrays_of_a_shape_hold_as_many_values(curve):
    name = next(key for key, value in curve.items() if isinstance(value, list) and value)
    n = len(curve[name])
    for shape in ([n, 2], [-1], [n + 1], ["x"], n, [10**30]):
        with pytest.raises(InvalidValue, match=name):
            result_from_dict(curve | {name: {"shape": shape, "values": curve[name]}})


def test_results_by_segment_are_checked_too():
    days = [DAY * i for i in range(4)]
    rows = {"who": list("aabb"), "what": ["x", "y"] * 2}
    log = cx.InteractionLog.from_frame(
        rows | {"when": [f"2026-01-0{1 + day.days}" for day in days], "kind": list("ppqq")},
        customer="who", timestamp="when", touchpoint="what", attributes=["kind"],
    )  # fmt: skip
    data = plain(cx.dropoff.exits(log.journeys(goal="y", all_closed=True), segment="kind"))
    assert plain(result_from_dict(data)) == data
    for field, value in [("results", 3), ("results", [3]), ("results", [data]), ("values", None),
                         ("n_missing", "x"), ("rule", 3)]:  # fmt: skip
        with pytest.raises(InvalidValue):
            result_from_dict(data | {field: value})
