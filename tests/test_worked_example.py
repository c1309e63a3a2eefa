"""The worked example of the architecture page: every figure, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

import cxjourney as cx

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return BEGIN + timedelta(days=number)


@pytest.fixture(scope="module")
def log(worked_days) -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(customer=customer, touchpoint=touchpoint, timestamp=day(when))
            for customer, touches in worked_days.items()
            for touchpoint, when in touches
        ],
        observed_until=day(20),
    )


@pytest.fixture(scope="module")
def journeys(log: cx.InteractionLog) -> cx.Journeys:
    return log.journeys(goal="buy", inactivity=timedelta(days=7))


@pytest.fixture(scope="module")
def graph(journeys: cx.Journeys) -> cx.JourneyGraph:
    return journeys.graph()


def test_eight_journeys_have_the_outcomes_of_the_example(journeys):
    told = [(j.customer.id, j.touchpoints, j.outcome.value) for j in journeys]
    assert told == [
        ("a", ("ad", "web", "buy"), "converted"),
        ("a", ("web",), "dropped"),
        ("b", ("web", "web"), "dropped"),
        ("b", ("store",), "dropped"),
        ("c", ("ad", "web"), "in_progress"),
        ("d", ("web", "buy"), "converted"),
        ("d", ("buy",), "converted"),
        ("e", ("store",), "in_progress"),
    ]
    assert journeys.outcomes == {
        cx.Outcome.CONVERTED: 3,
        cx.Outcome.DROPPED: 3,
        cx.Outcome.IN_PROGRESS: 2,
    }
    assert len(journeys) == 8


def test_edges_carry_the_counts_of_the_example(graph):
    counts = {(u, v): c for u, v, c in graph.edges(data="count")}
    assert counts == {
        (cx.START, "ad"): 2,
        (cx.START, "web"): 3,
        (cx.START, "store"): 2,
        (cx.START, cx.CONVERSION): 1,
        ("ad", "web"): 2,
        ("web", "web"): 1,
        ("web", cx.CONVERSION): 2,
        ("web", cx.DROPOFF): 2,
        ("store", cx.DROPOFF): 1,
    }
    assert dict(graph.nodes(data="censored"))["web"] == 1
    assert dict(graph.nodes(data="censored"))["store"] == 1
    assert dict(graph.nodes(data="visits"))["web"] == 6
    assert "buy" not in graph
    graph.check_flow()


def test_probabilities_are_those_of_aalen_and_johansen(graph):
    expected = {
        ("web", cx.DROPOFF): Fraction(4, 9),
        ("web", "web"): Fraction(1, 6),
        ("web", cx.CONVERSION): Fraction(7, 18),
        ("store", cx.DROPOFF): Fraction(1),
        ("ad", "web"): Fraction(1),
    }
    for (u, v), probability in expected.items():
        assert graph.edges[u, v]["probability"] == pytest.approx(float(probability), abs=1e-15)
    assert not graph.has_edge("ad", cx.DROPOFF)
    assert graph.graph["estimator"] == "aalen-johansen"


def test_dwell_is_the_time_to_the_next_touch(graph):
    edge = graph.edges["web", cx.CONVERSION]
    # after 1 day with a mass of 1/6 and after 5 with 2/9: a visit of c still waits after 4
    mean = (1 / 6 + 5 * 2 / 9) / (7 / 18) * 86_400
    assert edge["dwell_mean_s"] == pytest.approx(mean, rel=1e-12)
    spread = (1 / 6 + 25 * 2 / 9) / (7 / 18) * 86_400**2 - mean**2
    assert edge["dwell_sd_s"] == pytest.approx(spread**0.5, rel=1e-9)
    assert edge["dwell_median_s"] == timedelta(days=5).total_seconds()
    assert edge["dwell_sum_us"] == 6 * 86_400 * 10**6
    assert "dwell_mean_s" not in graph.edges["web", cx.DROPOFF]


def test_one_line_leads_from_objects_to_the_graph(log, graph):
    again = cx.journey_graph(
        list(log.interactions()),
        goal="buy",
        inactivity=timedelta(days=7),
        observed_until=day(20),
    )
    assert again.nodes(data=True) == graph.nodes(data=True)
    assert set(again.edges) == set(graph.edges)
    assert all(again.edges[e] == graph.edges[e] for e in graph.edges)
