"""Findings at the edges of the record, and which of them is surely the first."""

from __future__ import annotations

import runpy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cxjourney as cx
from cxjourney._findings._findings import _first
from cxjourney._findings._trials import Trials

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
STUDY = runpy.run_path(str(Path(__file__).parents[1] / "calibration/findings.py"))
World, simulate = STUDY["World"], STUDY["simulate"]
ATTRIBUTES = [f"a{a}" for a in range(5)]


def log_of(
    rows: list[tuple[str, str, float]], *, score: list[float | None] | None = None, **reading: Any
) -> cx.InteractionLog:
    """Return the log of customers, touchpoints and days since `BEGIN`."""
    customer, touchpoint, day = zip(*rows, strict=True)
    return cx.InteractionLog.from_frame(
        {
            "customer": customer,
            "touchpoint": touchpoint,
            "time": [BEGIN + timedelta(days=float(x)) for x in day],
            **({} if score is None else {"score": score}),
        },
        customer="customer",
        touchpoint="touchpoint",
        timestamp="time",
        score=None if score is None else "score",
        **reading,
    )


def deals(closed_from: int, *, rng: int = 0, days: int = 300) -> Journeys:
    """Return deals that are won or lost after a month on average, known if closed by a day."""
    draw = np.random.default_rng(rng)
    n = 3_000
    entry, took = draw.uniform(0, days, n), draw.gamma(2, 15, n)
    won = draw.random(n) < np.exp(-took / 60)  # the longer, the more often lost
    rows = []
    for i in range(n):
        if entry[i] + took[i] < closed_from:
            continue
        rows.append((f"d{i}", "engaged", entry[i]))
        if entry[i] + took[i] < days:
            rows.append((f"d{i}", "won" if won[i] else "lost", entry[i] + took[i]))
    log = log_of(rows, observed_until=BEGIN + timedelta(days=days))
    return log.journeys(goal="won", exit_touchpoints=["lost"])


def test_whole_record_begins_with_its_first_visit() -> None:
    for seed in range(5):
        trials = Trials.of(deals(0, rng=seed), ())
        assert trials.begin_us == trials.first_us


def test_extract_by_day_of_closing_begins_when_it_is_complete() -> None:
    journeys = deals(90)
    trials = Trials.of(journeys, ())
    assert 85 < (trials.begin_us / 1e6 - BEGIN.timestamp()) / 86_400 < 130
    assert not trials.known[trials.time_us < trials.begin_us].any()
    found = cx.findings(journeys)
    assert not [one for one in found if one.kind in {"change since a date", "incident"}]
    assert any("complete from" in note for note in found.notes)


def test_record_may_be_complete_only_late() -> None:
    trials = Trials.of(deals(200), ())
    assert 195 < (trials.begin_us / 1e6 - BEGIN.timestamp()) / 86_400 < 250


def test_last_cases_of_a_log_that_was_cut_take_no_part() -> None:
    draw = np.random.default_rng(1)
    n = 2_000
    entry, took = draw.uniform(0, 300, n), draw.uniform(5, 40, n)
    goes_on = draw.random(n) < 0.7
    rows = [(f"c{i}", "begin", entry[i]) for i in range(n)]
    rows += [
        (f"c{i}", "goal", entry[i] + took[i])
        for i in np.flatnonzero(goes_on & (entry + took < 300)).tolist()
    ]
    journeys = log_of(rows).journeys(goal="goal", all_closed=True)
    trials = Trials.of(journeys, ())
    last = trials.time_us.max()
    young = (last - trials.time_us) / 86_400e6 < 35
    begins = trials.touchpoint == trials.names.index("begin")
    assert trials.event[begins & young].mean() > 0.55  # most of them were not yet over
    assert not trials.known[begins & young].any()
    assert trials.event[begins & trials.known].mean() == pytest.approx(0.3, abs=0.03)
    assert not len(cx.findings(journeys))


def visits_of_a_shop(*, labels: bool) -> Journeys:
    """Return visits of customers who come back after weeks; whoever did not is `lost`."""
    draw = np.random.default_rng(4)
    rows = []
    for i in range(1_500):
        when = draw.uniform(0, 200)
        while when < 200:
            rows.append((f"c{i}", "shop", when))
            if draw.random() < 0.3:
                rows.append((f"c{i}", "buy", when + 0.01))
                break
            last, when = when, when + draw.exponential(30)
        else:
            after = 1e-5 if labels else draw.uniform(0.1, 3)
            rows.append((f"c{i}", "lost", last + after))
    return log_of(rows).journeys(goal="buy", exit_touchpoints=["lost"])


def test_exits_that_were_written_afterwards_tell_of_no_time() -> None:
    journeys = visits_of_a_shop(labels=True)
    assert Trials.of(journeys, ()).exits_are_labels
    assert not Trials.of(visits_of_a_shop(labels=False), ()).exits_are_labels
    found = cx.findings(journeys)
    tests = dict(zip(found.tests["kind"], found.tests["tests"].tolist(), strict=True))
    assert tests["change since a date"] == tests["incident or slow change"] == 0
    assert not len(found)
    assert "written afterwards" in repr(found)
    # counted as they are, many more leave in the last quarter: nobody had the time to come back
    trials = Trials.of(journeys, ())
    late = trials.day >= 150
    assert trials.event[late].mean() > trials.event[~late].mean() + 0.2


def test_first_is_surely_the_first_only_where_its_gain_is_far_above_the_others() -> None:
    found = cx.findings(cx.datasets.sample(seed=2).journeys())
    first, second = found[0], found[1]
    # 3 pairs, both sides: the normal quantile of 1 - .05/6 is 2.394
    gap = first.gain.value - second.gain.value
    for share, sure in ((2.40, True), (2.39, False)):
        error = gap / share / np.sqrt(2)
        told = _first([(first, error), (second, error), (second, error)], 0.95)
        assert bool(told) == sure
    assert not _first([(first, 1.0)], 0.95)
    assert not _first([(found.watching[0], 0.0), (second, 0.0)], 0.95)


def test_findings_do_not_depend_on_the_order_of_rows() -> None:
    """Times are apart, so that a log says the same in whatever order its rows come."""
    journeys = simulate(World(customers=1_500, change=2.0, segment=2.0), 3)
    columns = journeys.log.to_frame("pandas")
    mixed = columns.sample(frac=1.0, random_state=1)
    made = [
        cx.InteractionLog.from_frame(
            frame,
            customer="customer",
            touchpoint="touchpoint",
            timestamp="timestamp",
            channel="channel",
            stage="stage",
            attributes=ATTRIBUTES,
            observed_until=journeys.log.observed_until,
        )
        for frame in (columns, mixed)
    ]
    first, second = (
        cx.findings(log.journeys(goal="goal", inactivity=timedelta(days=14)), segments=ATTRIBUTES)
        for log in made
    )
    assert len(first)
    assert {one.kind for one in first} >= {"change since a date", "segment that fares worse"}
    assert repr(first) == repr(second)
    assert [one.reasons for one in first] == [one.reasons for one in second]
    for name in ("adjusted_p", "gain_low", "gain", "gain_high", "low", "high"):
        a, b = (found.to_frame("pandas")[name] for found in (first, second))
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_scores_of_goals_alone_are_no_low_points() -> None:
    # the warning of a quantile of nothing would be an error here
    rows = [(f"c{i // 2}", ("asked", "solved")[i % 2], i / 24) for i in range(400)]
    score = [None if i % 2 == 0 else float(i % 3 > 0) for i in range(400)]
    log = log_of(rows, score=score)
    found = cx.findings(log.journeys(goal="solved", inactivity=timedelta(days=4)))
    assert "low point" not in str(found)
