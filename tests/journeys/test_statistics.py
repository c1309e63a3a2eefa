"""The statistics that all analyses read: equal to those of the journeys that are left."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.journeys import (
    graph_of,
    left_out,
    statistics_of,
    units_of,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

rows = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 20), st.sampled_from("abcg")),
    min_size=1,
    max_size=120,
)


def journeys_of(rows, *, inactivity=timedelta(days=3), **rules) -> cx.Journeys:
    log = cx.InteractionLog.from_frame(
        {
            "who": [f"c{who}" for who, _, _ in rows],
            "when": [BEGIN + timedelta(days=day) for _, day, _ in rows],
            "what": [what for *_, what in rows],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    goal = "g" if any(what == "g" for *_, what in rows) else None
    return log.journeys(goal=goal, inactivity=inactivity, **rules)


def by_names(found, probability):
    return {
        (found.names[s], int(t) - len(found.names) if t >= len(found.names) else found.names[t]): p
        for s, t, p in zip(found.source, found.target, probability, strict=True)
        if not np.isnan(p)
    }


@given(rows, st.sampled_from([timedelta(days=3), None]))
def test_without_a_bucket_is_what_the_others_alone_give(rows, inactivity):
    journeys = journeys_of(rows, inactivity=inactivity)
    units = units_of(journeys).of
    found = left_out(journeys)
    for bucket in np.unique(units).tolist():
        alone = statistics_of(journeys.where(units != bucket))
        whole = by_names(found.whole, found.probability[bucket])
        some = by_names(alone, alone.probability)
        for move, p in whole.items():
            # a move that only this bucket made, from a node that others visit too
            assert some.get(move, 0.0) == pytest.approx(p, abs=1e-10)
        assert some.keys() <= whole.keys() | {move for move, p in some.items() if p == 0}
        assert found.first[bucket].sum() == alone.first.sum()
        silence = dict(zip(found.whole.names, found.silence[bucket], strict=True))
        for name, p in zip(alone.names, alone.silence, strict=True):
            assert silence[name] == pytest.approx(p, abs=1e-10)


@given(rows)
def test_the_graph_carries_the_probabilities_of_the_statistics(rows):
    journeys = journeys_of(rows)
    found, graph = statistics_of(journeys), graph_of(journeys)
    ends = (*found.names, cx.START, cx.CONVERSION, cx.DROPOFF)
    for i, row in enumerate(found.matrix):
        for name, p in zip(ends, row, strict=True):
            edge = graph.get_edge_data(found.names[i], name, {})
            assert edge.get("probability", 0.0) == pytest.approx(p, abs=1e-12)


def test_aggregated_paths_are_dealt_to_buckets_one_journey_at_a_time():
    journeys = cx.Journeys.from_paths([["a", "b"], ["b"]], converted=[640, 64], dropped=[0, 6400])
    split = units_of(journeys).split
    assert split.sum(axis=1).tolist() == journeys.weight.tolist()
    # as chance deals them: the variance over buckets is that of a multinomial, not 0
    even = journeys.weight / 64
    assert np.all(np.abs(split.mean(axis=1) - even) < 1e-9)
    assert 0.5 < split[-1].var(ddof=1) / even[-1] < 1.7
    found = left_out(journeys)
    b = found.whole.names.index("b")
    conversions = journeys.outcome == 0
    for bucket in (0, 7, 63):
        others = split.sum(axis=1) - split[:, bucket]
        k = len(found.whole.names)
        place = np.flatnonzero((found.whole.source == b) & (found.whole.target == k + 1))
        expected = others[conversions].sum() / others.sum()
        assert found.probability[bucket, place[0]] == pytest.approx(expected, rel=1e-12)


def test_paths_do_not_depend_on_their_order():
    one = cx.Journeys.from_paths([["a"], ["b"]], converted=[100, 300])
    other = cx.Journeys.from_paths([["b"], ["a"]], converted=[300, 100])
    assert units_of(one).split.tolist() == units_of(other).split[::-1].tolist()


def test_what_is_shared_is_computed_once_and_not_pickled(monkeypatch):
    journeys = journeys_of([(i % 70, i % 13, "abcg"[i % 4]) for i in range(400)])
    assert statistics_of(journeys) is statistics_of(journeys)
    assert graph_of(journeys) is graph_of(journeys)
    assert journeys.graph() is not graph_of(journeys)
    again = pickle.loads(pickle.dumps(journeys))  # noqa: S301 - our own bytes
    assert statistics_of(again) is not statistics_of(journeys)
    assert np.array_equal(statistics_of(again).probability, statistics_of(journeys).probability)


def test_the_shared_graph_cannot_be_changed():
    journeys = journeys_of([(0, 0, "a"), (1, 1, "b")])
    with pytest.raises(Exception, match="Frozen graph"):
        graph_of(journeys).add_edge("x", "y")
    journeys.graph().add_edge("x", "y")


def test_paths_count_with_their_weight():
    paths = cx.Journeys.from_paths([["ad", "web"], ["ad"]], converted=[3, 0], dropped=[1, 4])
    found = statistics_of(paths)
    assert found.names == ("ad", "web")
    assert (found.visits.tolist(), found.exits.tolist()) == ([8, 4], [4, 1])
    assert found.matrix.tolist() == [[0, 0.5, 0, 0, 0.5], [0, 0, 0, 0.75, 0.25]]
    assert found.start.tolist() == [1, 0, 0, 0, 0]


def test_a_path_that_comes_twice_is_dealt_to_buckets_twice():
    twice = units_of(cx.Journeys.from_paths([["a"], ["a"]], converted=[200, 200])).split
    assert twice[0].tolist() != twice[1].tolist()
    assert twice.sum(axis=1).tolist() == [200, 200]


def test_journeys_without_a_visit_begin_with_their_end():
    # whoever buys or leaves at once has no visit
    rows = {"who": ["a", "b", "c"], "when": ["2026-01-01"] * 3, "what": ["buy", "leave", "buy"]}
    log = cx.InteractionLog.from_frame(rows, customer="who", timestamp="when", touchpoint="what")
    found = statistics_of(log.journeys(goal="buy", exit_touchpoints="leave"))
    assert found.first.tolist()[-3:] == [0, 2, 1]  # START, CONVERSION, DROPOFF
    assert found.names == ()
