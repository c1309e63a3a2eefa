"""Feelings at the goal and at exit touchpoints, which count wherever feelings are measured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.critical import drivers
from cxjourney.experience import emotion_curve, expectation_gaps, peak_end, scores

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STAGE = {"web": "look", "help": "look", "buy": "act", "call": "leave"}


@pytest.fixture(scope="module")
def log():
    """200 customers feel +.1 twice; 20 of them then call to leave, furious, and 100 buy."""
    contacts = []
    for i in range(200):
        contacts += [(i, "web", 0.1, 6), (i, "help", 0.1, 6)]
        if i < 20:
            contacts.append((i, "call", -0.9, 1))
        elif i < 120:
            contacts.append((i, "buy", 0.4, 9))
    return cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=f"c{i}",
            touchpoint=touchpoint,
            stage=STAGE[touchpoint],
            timestamp=BEGIN + timedelta(minutes=k),
            emotion=emotion,
            score=score,
            expectation=5,
        )
        for k, (i, touchpoint, emotion, score) in enumerate(contacts)
    )


@pytest.fixture(scope="module")
def journeys(log):
    return log.journeys(goal="buy", exit_touchpoints="call", all_closed=True)


def row(table, **wanted):
    (found,) = (row for row in table if all(row[k] == v for k, v in wanted.items()))
    return found


def test_declaring_the_call_an_exit_leaves_what_is_remembered(log, journeys):
    undeclared = log.journeys(goal="buy", all_closed=True)
    for found in (peak_end(journeys), peak_end(undeclared)):
        memory = np.array(found.scores)
        # peak and end are the call (-.9), the purchase (.4), or one of two equal moments (.1)
        assert memory[:20] == pytest.approx(-0.9)
        assert memory[20:120] == pytest.approx(0.4)
        assert memory[120:] == pytest.approx(0.1)
        end = row(found.table, outcome="dropped", summary="end")
        assert end["value"] == pytest.approx((20 * -0.9 + 80 * 0.1) / 100)


@pytest.mark.parametrize("options", [{}, {"exit_touchpoints": "call"}, {"after_goal": "keep"}])
def test_means_do_not_depend_on_what_ends_a_journey(log, options):
    found = log.journeys(goal="buy", all_closed=True, **options)
    felt = scores(found)
    means = dict(zip(felt.table["touchpoint"], felt.table["mean"], strict=True))
    assert means == pytest.approx({"web": 0.1, "help": 0.1, "call": -0.9, "buy": 0.4})
    assert felt.overall == pytest.approx((400 * 0.1 + 20 * -0.9 + 100 * 0.4) / 520)
    call = row(expectation_gaps(found).table, touchpoint="call")
    assert (call["pairs"], call["gap"], call["missed"]) == (20, -4, 1)


@pytest.mark.parametrize(
    ("over", "point", "n", "mean"),
    [
        ("stage", "leave", 20, -0.9),
        ("stage", "act", 100, 0.4),
        ("position", "3", 120, (20 * -0.9 + 100 * 0.4) / 120),
        # the last contact of everybody, which is the goal or exit where there is one
        ("time", "90%-100%", 200, (20 * -0.9 + 100 * 0.4 + 80 * 0.1) / 200),
    ],
)
def test_the_curve_goes_to_the_very_end(journeys, over, point, n, mean):
    stages = ("look", "act", "leave") if over == "stage" else None
    curve = emotion_curve(journeys, over=over, stages=stages)
    found = row(curve.table, outcome="all", **{over: point})
    assert (found["n"], found["mean"]) == (n, pytest.approx(mean))


def test_the_map_shows_them_where_they_are(journeys):
    drawn = cx.report.journey_map(journeys, stages=("look", "act", "leave"))
    (felt,) = drawn.cell("emotion", "leave")
    assert (felt.n, felt.value) == (20, pytest.approx(-0.9))
    (pain,) = drawn.cell("pain points", "leave")
    assert (pain.text, pain.n) == ("call: emotion", 20)
    assert [(e.text, e.n) for e in drawn.cell("touchpoints", "act")] == [("buy", 100)]
    (gap,) = drawn.cell("expectation gap", "act")
    assert (gap.n, gap.value) == (100, 4)
    # those who feel well have no pain, however much better others feel
    assert not any("emotion" in e.text for e in drawn.cell("pain points", "look"))


def test_what_explains_conversion_never_asks_how_the_goal_was(journeys):
    assert set(drivers(journeys, measure="score").table["driver"]) == {"web", "help"}


def test_every_feeling_of_the_sample_is_counted():
    journeys = cx.datasets.sample(seed=1, customers=800).journeys()
    columns = journeys.columns
    stage, known = columns.coded["stage"], ~np.isnan(columns.numeric["emotion"])
    assert journeys.absorbed.any()
    expected = {
        name: int(np.count_nonzero(known & (stage.codes == code)))
        for code, name in enumerate(stage.names)
    }
    felt = scores(journeys, by="stage").table
    assert dict(zip(felt["stage"], felt["n"].tolist(), strict=True)) == expected
    curve = emotion_curve(journeys).table
    rows = [i for i, name in enumerate(curve["outcome"]) if name == "all"]
    assert {curve["stage"][i]: int(curve["n"][i]) for i in rows} == expected
    drawn = cx.report.journey_map(journeys)
    of_map = {e.stage: e.n for e in drawn.entries if e.lane == "emotion"}
    assert of_map == {name: n for name, n in expected.items() if n}
