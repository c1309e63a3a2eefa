"""All numbers that process miners have of times and repeats, by the library or a few lines on it.

The meanings are those of the definitions of the oracle.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidValue
from cxjourney.omnichannel import transitions

CASE, WHAT, WHEN = "case:concept:name", "concept:name", "time:timestamp"
COMPLETE = {
    "running_example": "pm4py_running_example/running-example.csv",
    "receipt": "pm4py_receipt/receipt.csv",
    "reviewing_complete": "pm4py_reviewing/reviewing.csv",
}


@pytest.fixture(scope="module")
def answers(shared):
    stored = json.loads((shared / "oracles" / "process_extras.json").read_text())
    return {case["name"]: case["answer"] for case in stored["cases"]}


@pytest.fixture(scope="module", params=COMPLETE)
def complete(request, shared, answers):
    options = {"attributes": ["lifecycle:transition"]} if "review" in request.param else {}
    log = cx.read_csv(
        shared / "data" / COMPLETE[request.param],
        customer=CASE,
        touchpoint=WHAT,
        timestamp=WHEN,
        **options,
    )
    if options:
        log = log.filter(where={"lifecycle:transition": "complete"})
    return log.journeys(goal=(), all_closed=True), answers[request.param]


def ends_of(journeys):
    """Return the first and the last time of each journey [s]."""
    time = journeys.columns.time / 1e6
    return time[journeys.offsets[:-1]], time[journeys.offsets[1:] - 1]


def test_cases_their_durations_arrivals_and_overlap(complete):
    journeys, told = complete
    assert (len(journeys), len(journeys.log)) == (told["cases"], told["events"])
    first, last = ends_of(journeys)
    took = last - first
    assert took.mean() == pytest.approx(told["case_durations"]["mean"])
    assert np.median(took) == pytest.approx(told["case_durations"]["median"])
    assert took.max() == pytest.approx(told["case_durations"]["max"])
    assert [one.duration.total_seconds() for one in journeys] == pytest.approx(took.tolist())
    arrivals = np.diff(np.sort(first)).mean()
    assert arrivals == pytest.approx(told["case_arrival_average_s"])
    begun = np.searchsorted(np.sort(first), last, side="right")  # no later than its end
    over = np.searchsorted(np.sort(last), first, side="left")  # before its beginning
    meet = begun - over
    own = told["case_overlap"]["own_closed_intervals_incl_self"]
    for names in (own, {k.removeprefix("pm4py_"): v for k, v in told["case_overlap"].items()}):
        for name in ("sum", "max", "min", "mean"):
            assert getattr(meet, name)() == pytest.approx(names[name], abs=1e-5)


def test_cases_that_do_something_again(complete):
    journeys, told = complete
    found = transitions(journeys, by="touchpoint", follows="eventually").table
    pairs = zip(found["from_touchpoint"], found["to_touchpoint"], found["customers"], strict=True)
    assert {a: int(n) for a, b, n in pairs if a == b} == told["rework_cases"]["answer"]
    again = cx.critical.rework(journeys)
    repeats = dict(zip(again.table["touchpoint"], again.table["repeats"], strict=True))
    assert {name for name, n in repeats.items() if n} == set(told["rework_cases"]["answer"])


@pytest.fixture(scope="module", params=["interval_log", "reviewing start/complete"])
def lasting(request, shared, answers):
    """Return a log whose interactions have durations, and what is told of it."""
    if request.param == "interval_log":
        pandas = pytest.importorskip("pandas")
        frame = pandas.read_csv(shared / "data" / "pm4py_interval_log" / "interval_event_log.csv")
        begin, end = (pandas.to_datetime(frame[x]) for x in ("start_timestamp", WHEN))
        frame = frame.assign(begin=begin, took=(end - begin).dt.total_seconds())
        log = cx.InteractionLog.from_frame(
            frame,
            customer=CASE,
            touchpoint=WHAT,
            timestamp="begin",
            duration="took",
            duration_unit="1s",
        )
    else:
        log = cx.read_csv(
            shared / "data" / "pm4py_reviewing" / "reviewing.csv",
            customer=CASE,
            timestamp=WHEN,
            touchpoint=WHAT,
            attributes=["lifecycle:transition"],
            tz="UTC",
        ).paired("lifecycle:transition")
    return log.journeys(goal=(), all_closed=True), answers[request.param]


def rows_of(journeys):
    """Return touchpoint, case, begin and end [s] of each interaction, by begin, end and place."""
    columns = journeys.columns
    case = np.repeat(np.arange(len(journeys)), np.diff(journeys.offsets))
    begin = columns.time / 1e6
    end = begin + np.nan_to_num(columns.numeric["duration_us"]) / 1e6
    order = np.lexsort((end, begin, case))
    names = np.asarray(columns.coded["touchpoint"].names)[columns.coded["touchpoint"].codes]
    return names[order], case[order], begin[order], end[order]


def check(values, told):
    assert len(values) == told["n"]
    assert values.sum() == pytest.approx(told["sum"])
    assert values.mean() == pytest.approx(told["mean"])
    assert np.median(values) == pytest.approx(told["median"])
    assert values.max() == pytest.approx(told["max"])


def test_service_and_waiting_times(lasting):
    journeys, told = lasting
    names, case, begin, end = rows_of(journeys)
    assert (len(names), len(journeys)) == (told["rows"], told["cases"])
    took = end - begin
    assert (took < 0).sum() == told["negative_service_rows"]
    assert set(told["service_time_s"]) == set(told["pm4py_service_time_mean_s"]) == set(names)
    for name, one in told["service_time_s"].items():
        check(took[names == name], one)
        assert took[names == name].mean() == pytest.approx(told["pm4py_service_time_mean_s"][name])
    later = np.flatnonzero(case[1:] == case[:-1]) + 1
    gap = begin[later] - end[later - 1]
    assert (gap < 0).sum() == told["negative_gap_rows"]
    for name, one in told["waiting_time_s_by_activity"].items():
        check(np.maximum(gap, 0)[names[later] == name], one)
    far = end.max() + 1 - end.min()  # cases apart, so that one running maximum serves them all
    so_far = np.maximum.accumulate(end + far * case)[later - 1] - far * case[later]
    waited = np.maximum(begin[later] - so_far, 0)
    for name, one in told["waiting_time_vs_latest_end_so_far_s"].items():
        check(waited[names[later] == name], one)


def test_queues_between_activities(lasting):
    journeys, told = lasting
    found = transitions(journeys, by="touchpoint", times="queue").table
    pairs = zip(found["from_touchpoint"], found["to_touchpoint"], strict=True)
    place = {" -> ".join(pair): i for i, pair in enumerate(pairs)}
    for pair, one in told["performance_dfg_end_to_next_start_s"].items():
        at = place[pair]
        assert found["count"][at] == one["n"]
        assert found["mean_s"][at] == pytest.approx(one["pm4py_mean"], abs=1e-5)
        assert found["mean_s"][at] == pytest.approx(one["own_mean"], abs=1e-5)
    names, case, begin, end = rows_of(journeys)
    later = np.flatnonzero(case[1:] == case[:-1]) + 1
    waited = np.maximum(begin[later] - end[later - 1], 0)
    moves = np.char.add(np.char.add(names[later - 1].astype(str), " -> "), names[later].astype(str))
    for pair, one in told["performance_dfg_end_to_next_start_s"].items():
        mean = waited[moves == pair].mean()
        assert mean == pytest.approx(one["own_mean_negatives_set_to_0"], abs=1e-5)


def test_time_of_cases_that_something_covers(lasting):
    journeys, told = lasting
    _, case, begin, end = rows_of(journeys)
    n, told = len(journeys), told["per_case"]
    first = np.flatnonzero(np.append(True, case[1:] != case[:-1]))
    check(np.bincount(case, end - begin, minlength=n), told["sum_service"])
    duration = np.maximum.reduceat(end, first) - begin[first]
    check(duration, told["duration"])
    far = end.max() + 1 - end.min()
    before = np.append(-np.inf, np.maximum.accumulate(end + far * case)[:-1]) - far * case
    covered = np.maximum(end - np.maximum(begin, before), 0)
    union = np.bincount(case, covered, minlength=n)
    for name, values in (
        ("union_of_activity_intervals", union),
        ("idle_duration_minus_union", duration - union),
    ):
        one = told[name]
        assert (len(values), values.sum()) == (one["n"], pytest.approx(one["sum"]))
        assert values.mean() == pytest.approx(one["mean"], abs=1e-3)
        assert values.max() == pytest.approx(one["max"], abs=1e-3)
        assert np.median(values) == pytest.approx(one["median"], abs=1e-3)
    assert (union / duration).mean() == pytest.approx(told["flow_rate_mean"], abs=1e-6)


def test_pairs_of_starts_and_completions(shared, answers):
    told = answers["reviewing start/complete"]["pairing"]
    log = cx.read_csv(
        shared / "data" / "pm4py_reviewing" / "reviewing.csv",
        customer=CASE,
        timestamp=WHEN,
        touchpoint=WHAT,
        attributes=["lifecycle:transition"],
        tz="UTC",
    )
    state = log.columns.attributes["lifecycle:transition"]
    counts = {name: int((state.codes == i).sum()) for i, name in enumerate(state.names)}
    paired = log.paired("lifecycle:transition")
    assert len(paired) == told["pairs"] == told["pm4py_pairs"]
    assert len(paired) - counts["start"] == told["completes_without_start"]
    assert counts["complete"] - len(paired) == told["starts_never_completed"]


def test_pairing_is_first_in_first_out(answers):
    told = answers["tiny pairing"]
    nine = datetime(2026, 1, 5, 9, tzinfo=UTC)
    rows = [
        ("A", "start", 0),
        ("A", "start", 10),
        ("A", "complete", 20),
        ("A", "complete", 50),
        ("B", "complete", 60),
        ("C", "start", 65),
    ]
    log = cx.InteractionLog.from_frame(
        {
            "who": ["one"] * len(rows),
            "what": [what for what, *_ in rows],
            "state": [state for _, state, _ in rows],
            "when": [nine + timedelta(minutes=minute) for *_, minute in rows],
        },
        customer="who",
        touchpoint="what",
        timestamp="when",
        attributes=["state"],
    )
    found: dict[str, list[float]] = {}
    going_on = set()
    for one in log.paired("state").interactions():
        if one.duration is None:
            going_on.add(one.touchpoint.name)
        else:
            found.setdefault(one.touchpoint.name, []).append(one.duration / timedelta(minutes=1))
    assert {name: sorted(some) for name, some in found.items()} == told["FIFO_durations_min"]
    assert sorted(found["A"]) != told["LIFO_durations_min"]["A"]
    assert told["sum_is_the_same_60_min_either_way"]
    assert sum(found["A"]) == sum(told["LIFO_durations_min"]["A"]) == 60
    assert going_on == set(told["open"])  # pm4py drops them; here they may go on


def test_queues_need_durations_and_direct_followers():
    start = datetime(2026, 1, 5, tzinfo=UTC)
    frame = {"c": ["a", "a", "a"], "w": [start + timedelta(hours=h) for h in (0, 2, 3)]}
    frame |= {"t": ["x", "y", "z"], "d": [3600.0, None, 60.0]}
    names = {"customer": "c", "timestamp": "w", "touchpoint": "t"}
    log = cx.InteractionLog.from_frame(frame, **names, duration="d", duration_unit="1s")
    journeys = log.journeys(goal=(), all_closed=True)
    found = transitions(journeys, by="touchpoint", times="queue").table
    assert found["mean_s"].tolist() == [3600.0, 3600.0]
    with pytest.raises(InvalidValue, match="follows='directly'"):
        transitions(journeys, by="touchpoint", times="queue", follows="eventually")
    plain = cx.InteractionLog.from_frame(frame, **names).journeys(goal=(), all_closed=True)
    with pytest.raises(InvalidValue, match="needs durations"):
        transitions(plain, by="touchpoint", times="queue")
    with pytest.raises(InvalidValue, match="times must be one of 'queue'"):
        transitions(journeys, by="touchpoint", times="idle")
