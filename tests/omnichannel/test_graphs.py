"""Graphs in place of journeys: the same points at the graph's own grain, or words that say why."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.attribution import markov
from cxjourney.exceptions import InvalidValue, NotAFlow, OutcomeUndetermined
from cxjourney.metrics import wilson
from cxjourney.omnichannel import affinity, channel_entropy, transitions

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "mail", "buy", "bye")
RULES = {
    "goal": "buy",
    "exit_touchpoints": "bye",
    "inactivity": timedelta(days=2),
    "touchpoints": NAMES,
}
GRAINS = ("channel", "touchpoint")


def log_of(seed=3, customers=150):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = BEGIN + timedelta(hours=rng.randrange(400))
        for _ in range(rng.randrange(1, 9)):
            name = rng.choices(NAMES, (4, 4, 3, 3, 2, 1))[0]
            value = rng.choice((20.0, 3.0, None)) if name == "buy" else None
            rows.append((f"c{number}", at, name, rng.choice(("web", "store", "app", None)), value))
            at += timedelta(hours=rng.choice((0, 1, 9, 30, 60)))
    until = BEGIN + timedelta(hours=480)
    rows = [row for row in rows if row[1] < until]
    columns = ("who", "when", "what", "where", "value")
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(columns)},
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
        value="value",
        currency="EUR",
        observed_until=until,
    )


@pytest.fixture(scope="module")
def log():
    return log_of()


@pytest.fixture(scope="module")
def journeys(log):
    return log.journeys(**RULES)


def points(table, *names):
    """Return the rows of a table by its two leading columns, without intervals."""
    keys = zip(*(table[name] for name in table.column_names[:2]), strict=True)
    return dict(zip(keys, zip(*(table[name] for name in names), strict=True), strict=True))


@pytest.mark.parametrize("by", GRAINS)
def test_transitions_of_a_graph_are_those_of_the_journeys_before_their_end(journeys, by):
    graph = journeys.graph(by=by)
    found = transitions(graph, by=by, closing=False)
    counted = journeys.statistics(grains=[by])
    for source in (journeys, counted):
        asked = transitions(source, by=by, closing=False)
        assert found.n == asked.n
        assert points(found.table, "count", "probability") == points(
            asked.table, "count", "probability"
        )
        assert set(found.names) <= set(asked.names)
    assert transitions(counted.graph(by=by), by=by, closing=False).table == found.table
    assert [note for note in found.notes if "without a recorded" in note] == [
        note for note in asked.notes if "without a recorded" in note
    ]


def test_visits_of_a_graph_are_taken_as_independent(journeys):
    found = transitions(journeys.graph(by="channel"), closing=False)
    square = found.matrix()
    for row in map(found.table.row, range(len(found.table))):
        base = square[found.names.index(row["from_channel"])].sum()
        assert (row["low"], row["high"]) == pytest.approx(wilson(row["count"], base))
        assert np.isnan(row["customers"])
    assert "visits taken as independent" in str(found)
    assert "clustered" not in str(found)
    assert len(found.ends) == 0


@pytest.mark.parametrize("by", GRAINS)
@pytest.mark.parametrize("of", ["conversions", "value"])
def test_credits_of_a_graph_are_those_of_the_journeys(journeys, by, of):
    found = markov(journeys.graph(by=by), by=by, of=of, costs={"web": 5.0})
    counted = journeys.statistics(grains=[by])
    for source in (journeys, counted, counted.graph(by=by)):
        asked = markov(source, by=by, of=of, costs={"web": 5.0})
        assert found.credit == pytest.approx(asked.credit)
        assert found.removal_effect == pytest.approx(asked.removal_effect)
        assert found.total == pytest.approx(asked.total)
        assert found.base_rate == pytest.approx(asked.base_rate)
        assert found.unattributed == pytest.approx(asked.unattributed)
    unknown = ("low", "high", "rank_low", "removal_low", "removal_high", "touch_share")
    assert all(np.isnan(found.table[name]).all() for name in unknown)
    assert "clustered" not in str(found)


def test_a_goal_that_ends_no_journey_is_a_touch_of_the_graph_too(log):
    journeys = log.journeys(goal="buy", after_goal="keep", inactivity=timedelta(days=2))
    asked = markov(journeys, by="touchpoint")
    found = markov(journeys.graph(), by="touchpoint")
    assert found.credit == pytest.approx(asked.credit)
    assert found.total == pytest.approx(asked.total)


def test_merged_graphs_give_what_the_whole_graph_gives(log, journeys):
    ids = log.customer_ids
    a, b, c = (
        log.filter(customers=ids[part::3]).journeys(**RULES).graph(by="channel", times=True)
        for part in range(3)
    )
    whole = journeys.graph(by="channel", times=True)
    merged = c + (a + b)
    assert transitions(merged, closing=False).table == transitions(whole, closing=False).table
    assert affinity(merged, closing=False).pairs == affinity(whole, closing=False).pairs
    one, other = (channel_entropy(graph, closing=False) for graph in (merged, whole))
    assert one.transitions.value == other.transitions.value
    one, other = markov(merged), markov(whole)
    assert one.credit == pytest.approx(other.credit)
    assert one.removal_effect == pytest.approx(other.removal_effect)


def test_what_a_graph_does_not_know_is_refused_by_name(journeys):
    graph = journeys.graph(by="channel")
    for count in (transitions, affinity, channel_entropy):
        with pytest.raises(InvalidValue, match="closing must be False for a graph"):
            count(graph)
        for by in ("touchpoint", "kind"):
            with pytest.raises(InvalidValue, match="by must be the graph's own grain 'channel'"):
                count(graph, by=by, closing=False)
        with pytest.raises(InvalidValue, match="segment must be left out for a graph"):
            count(graph, closing=False, segment="country")
    with pytest.raises(InvalidValue, match="max_lag must be left out for a graph"):
        transitions(graph, closing=False, max_lag="1h")
    rows = {"look_back": "1d", "ignore": ["web"], "order": 2, "states": "touchpoint"}
    for name, value in {**rows, "segment": "country"}.items():
        with pytest.raises(InvalidValue, match=f"{name} must be left out for a graph"):
            markov(graph, **{name: value})
    with pytest.raises(InvalidValue, match="by must be the graph's own grain 'channel'"):
        markov(graph, by=("channel", "touchpoint"))
    part = graph.subgraph(list(graph)[:3])
    for refused in (lambda: transitions(part, closing=False), lambda: markov(part)):
        with pytest.raises((NotAFlow, InvalidValue)):
            refused()


def test_values_and_ends_that_a_graph_does_not_carry_are_no_zeros(log):
    counts = {(cx.START, "web"): 10, ("web", cx.CONVERSION): 4, ("web", cx.DROPOFF): 6}
    graph = cx.JourneyGraph.from_counts(counts)
    with pytest.raises(InvalidValue, match="of must be 'conversions' for a graph"):
        markov(graph, by="touchpoint", of="value")
    assert markov(graph, by="touchpoint").credit == {"web": 4.0}
    assert transitions(graph, by="touchpoint", closing=False).n == 0
    with pytest.raises(OutcomeUndetermined):
        markov(log.journeys(goal="buy").graph(by="channel"))


def test_graphs_without_visits_have_nothing_to_count():
    for counts in ({}, {(cx.START, cx.CONVERSION): 3}):
        graph = cx.JourneyGraph.from_counts(counts)
        assert transitions(graph, by="touchpoint", closing=False).n == 0
        assert not markov(graph, by="touchpoint").credit
        assert affinity(graph, by="touchpoint", closing=False).n == 0
        assert np.isnan(channel_entropy(graph, by="touchpoint", closing=False).interactions.value)


@pytest.mark.parametrize("by", GRAINS)
def test_affinity_of_a_graph_is_that_of_the_journeys_without_intervals(journeys, by):
    found = affinity(journeys.graph(by=by), by=by, closing=False)
    for source in (journeys, journeys.statistics(grains=[by])):
        asked = affinity(source, by=by, closing=False)
        assert (found.n, found.free) == (asked.n, asked.free)
        one, other = (
            points(result.pairs, "count", "expected", "lift", "residual")
            for result in (found, asked)
        )
        assert one.keys() == other.keys()
        for pair, row in one.items():
            assert row == pytest.approx(other[pair], nan_ok=True)
    unknown = ("low", "high", "shrunken", "p", "adjusted_p")
    assert all(np.isnan(found.pairs[name]).all() for name in unknown)
    assert (np.diff(found.pairs["lift"]) <= 0).all()
    assert "ranked by the raw lift" in str(found)


@pytest.mark.parametrize("by", GRAINS)
def test_entropies_of_a_graph_are_those_of_the_journeys_without_intervals(journeys, by):
    found = channel_entropy(journeys.graph(by=by), by=by, closing=False)
    for source in (journeys, journeys.statistics(grains=[by])):
        asked = channel_entropy(source, by=by, closing=False)
        for one in ("interactions", "transitions"):
            estimate, other = getattr(found, one), getattr(asked, one)
            assert (estimate.value, estimate.n) == (pytest.approx(other.value), other.n)
            assert np.isnan([estimate.low, estimate.high]).all()
    assert np.isnan(found.within_journeys.value)
    assert "clustered" not in str(found)
    assert "customers or so" not in repr(found.transitions)


def test_a_channel_in_which_journeys_only_end_is_said_not_to_be_counted():
    log = cx.InteractionLog.from_frame(
        {
            "who": ["a", "a", "a", "b"],
            "when": [BEGIN + timedelta(hours=hour) for hour in range(4)],
            "what": ["look", "ask", "buy", "look"],
            "where": ["web", "phone", "store", "web"],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=1))
    found = transitions(journeys.graph(by="channel"), closing=False)
    assert transitions(journeys, closing=False).names == ("phone", "store", "web")
    assert found.names == ("phone", "web")
    assert "A channel in which journeys only end is not counted." in found.notes[0]
