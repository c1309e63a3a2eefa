"""Sessions, starts and completions in pairs, and duplicates by key or near time."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import DataQualityWarning, InvalidValue, UnknownName

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def log_of(rows, **names):
    """`rows` are (customer, minute, touchpoint, further columns in the order of `names`)."""
    frame = {"who": [r[0] for r in rows], "what": [r[2] for r in rows]}
    frame["when"] = [BEGIN + r[1] * MINUTE for r in rows]
    frame |= {name: [r[3 + i] for r in rows] for i, name in enumerate(names)}
    return cx.InteractionLog.from_frame(
        frame,
        customer="who",
        timestamp="when",
        touchpoint="what",
        attributes=[name for name, role in names.items() if not role],
        **{role: name for name, role in names.items() if role},
    )


def ids(log):
    return [i.journey for i in log.interactions()]


WEB = [("a", 0, "home"), ("a", 1, "look"), ("a", 50, "home"), ("a", 51, "home"), ("b", 9, "look")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"gap": "30min"}, ["1", "1", "2", "2", "1"]),
        ({"start": "home"}, ["1", "1", "2", "3", "1"]),
        ({"start": "look", "gap": "30min"}, ["1", "2", "3", "3", "1"]),
        ({"separator": "look"}, ["1", "2", "2"]),
        ({"separator": "home"}, ["1", "1"]),
    ],
)
def test_what_begins_a_session(options, expected):
    assert ids(log_of(WEB).sessions(**options)) == expected


def test_an_attribute_that_changes_begins_a_session():
    rows = [("a", 0, "w", "x"), ("a", 1, "w", None), ("a", 2, "w", "x"), ("a", 3, "w", "y"),
            ("b", 0, "w", "y")]  # fmt: skip
    assert ids(log_of(rows, source=None).sessions(attribute="source")) == ["1", "1", "1", "2", "1"]


def test_sessions_are_nested_in_cases_whose_ids_are_kept():
    rows = [("a", 0, "w", "k1"), ("a", 1, "w", "k2"), ("a", 2, "w", "k1"), ("a", 60, "w", "k1"),
            ("a", 61, "w", None), ("b", 0, "w", "k1")]  # fmt: skip
    log = log_of(rows, case="journey").sessions(gap="30min", cases="case")
    assert ids(log) == ["k1/1", "k2/1", "k1/1", "k1/2", "1", "k1/1"]
    assert log.attribute("case").values() == ["k1", "k2", "k1", "k1", None, "k1"]
    assert ids(log_of(rows, case="journey").sessions(gap="30min")) == ["1"] * 3 + ["2"] * 2 + ["1"]


def test_wrong_sessions_are_refused():
    log = log_of(WEB)
    with pytest.raises(InvalidValue, match="must say what begins a session"):
        log.sessions()
    with pytest.raises(UnknownName):
        log.sessions(start="nowhere")
    with pytest.raises(UnknownName, match="no journey ids"):
        log.sessions(gap="1h", cases="case")
    with pytest.raises(InvalidValue, match="name"):
        log.sessions(gap="1h", cases="touchpoint")


some_rows = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.integers(0, 30), st.sampled_from("xys"),
        st.sampled_from(["k", "l", None]),
    ),
    max_size=14,
)  # fmt: skip


@given(some_rows, st.integers(1, 12))
def test_sessions_equal_a_walk_along_the_rows(rows, gap):
    if not rows:
        return
    ordered = sorted(rows, key=lambda r: (r[0], r[1]))
    log = log_of(ordered, case="journey")
    state: dict = {}
    expected = []
    for who, minute, what, case in ordered:
        number, last, after = state.get((who, case), (0, None, True))
        if what == "s":
            state[who, case] = (number, minute, True)
            continue
        number += after or minute - last >= gap
        expected.append(f"{case}/{number}" if case else str(number))
        state[who, case] = (number, minute, False)
    found = (
        log.sessions(gap=gap * MINUTE, separator="s", cases="case")
        if any(r[2] == "s" for r in rows)
        else log.sessions(gap=gap * MINUTE, cases="case")
    )
    assert ids(found) == expected


# ---------------------------------------------------------------- starts and completions


def pairs_by_queue(rows):
    """Return (minute, touchpoint, minutes taken or None) as queues of open starts give them."""
    waiting, found = defaultdict(deque), []
    for who, minute, what, state in rows:
        if state == "start":
            found.append([who, minute, what, None])
            waiting[who, what].append(found[-1])
        elif waiting[who, what]:
            one = waiting[who, what].popleft()
            one[3] = minute - one[1]
        else:
            found.append([who, minute, what, 0])
    return found


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(0, 20), st.sampled_from("xy"),
            st.sampled_from(["start", "complete"]),
        ),
        min_size=1,
        max_size=16,
    )
)  # fmt: skip
def test_pairs_equal_queues_of_open_starts(rows):
    rows = sorted(rows, key=lambda row: row[:2])
    log = log_of(rows, state=None)
    found = [
        [i.customer.id, (i.timestamp - BEGIN) / MINUTE, i.touchpoint.name,
         None if i.duration is None else i.duration / MINUTE]
        for i in log.paired("state").interactions()
    ]  # fmt: skip
    assert found == pairs_by_queue(rows)


def test_pairs_of_the_tiny_oracle():
    rows = [("c", 540, "A", "start"), ("c", 550, "A", "start"), ("c", 560, "A", "complete"),
            ("c", 590, "A", "COMPLETE"), ("c", 600, "B", "complete"), ("c", 605, "C", "start"),
            ("c", 1, "A", "schedule")]  # fmt: skip
    with pytest.warns(DataQualityWarning, match="1 interactions are neither"):
        found = log_of(rows, state=None).paired("state")
    took = [None if i.duration is None else i.duration / MINUTE for i in found.interactions()]
    assert took == [20, 40, 0, None]


def test_an_instance_tells_activities_apart():
    rows = [("c", 0, "A", "start", "1"), ("c", 1, "A", "start", "2"),
            ("c", 5, "A", "complete", "2"), ("c", 9, "A", "complete", "1")]  # fmt: skip
    log = log_of(rows, state=None, ticket=None)
    took = [i.duration / MINUTE for i in log.paired("state", instance="ticket").interactions()]
    assert took == [9, 4]
    with pytest.raises(InvalidValue, match="differ"):
        log.paired("state", complete="START")


def test_pairs_of_the_reviewing_log(shared):
    cases = json.loads((shared / "oracles" / "process_extras.json").read_text())["cases"]
    answer = next(c for c in cases if c["name"] == "reviewing start/complete")["answer"]
    log = cx.read_csv(
        shared / "data" / "pm4py_reviewing" / "reviewing.csv",
        customer="case:concept:name",
        timestamp="time:timestamp",
        touchpoint="concept:name",
        attributes=["lifecycle:transition"],
        tz="UTC",
    ).paired("lifecycle:transition")
    assert len(log) == answer["rows"]
    took = log.columns.numeric["duration_us"] / 1e6
    coded = log.columns.coded["touchpoint"]
    for name, told in answer["service_time_s"].items():
        own = took[coded.codes == coded.names.index(name)]
        assert (len(own), own.sum()) == (told["n"], told["sum"])
        assert own.mean() == pytest.approx(told["mean"])
        assert np.median(own) == told["median"]


def test_pairs_of_the_patients(shared):
    stored = json.loads((shared / "oracles" / "throughput_processing_edeaR.json").read_text())
    frame = {k: [row[k] for row in stored["rows"]] for k in ("patient", "activity", "status")}
    frame["when"] = [row["timestamp"] + "+00:00" for row in stored["rows"]]
    frame["instance"] = [str(row["activity_instance"]) for row in stored["rows"]]
    log = cx.InteractionLog.from_frame(
        frame,
        customer="patient",
        timestamp="when",
        touchpoint="activity",
        attributes=["status", "instance"],
    )
    with pytest.warns(DataQualityWarning):
        found = log.paired("status", instance="instance")
    minutes = defaultdict(float)
    for one in found.interactions():
        minutes[one.customer.id] += 0.0 if one.duration is None else one.duration / MINUTE
    expected = stored["expected_minutes"]["processing_by_case"]
    assert sorted(minutes.values(), reverse=True) == pytest.approx(expected, abs=1e-4)


# ---------------------------------------------------------------- duplicates


@given(some_rows, st.one_of(st.none(), st.integers(1, 9)), st.booleans())
def test_duplicates_equal_a_walk_along_the_rows(rows, within, keyed):
    if not rows or (within is None and not keyed):
        return
    rows = sorted(rows, key=lambda row: row[:2])
    log = log_of(rows, id=None)
    last: dict = {}
    expected = []
    for who, minute, what, name in rows:
        key = (who, name) if keyed else (who, what, name)
        before = last.get(key)
        near = before is not None and (within is None or minute - before <= within)
        if not near or (keyed and name is None):
            expected.append((who, minute, what, name))
        last[key] = minute
    if keyed and all(r[3] is None for r in rows):
        return
    found = log.drop_duplicates(key="id" if keyed else None, within=within and within * MINUTE)
    assert [
        (i.customer.id, (i.timestamp - BEGIN) / MINUTE, i.touchpoint.name, i.attributes.get("id"))
        for i in found.interactions()
    ] == expected


def test_duplicates_within_a_time_include_those_at_one_time():
    rows = [("a", 0, "x"), ("a", 0, "x"), ("a", 1, "x"), ("a", 2, "x"), ("a", 9, "x")]
    log = log_of(rows)
    assert len(log.drop_duplicates()) == 4
    assert len(log.drop_duplicates(within="1min")) == 2
    with pytest.raises(UnknownName):
        log.drop_duplicates(key="nothing")
