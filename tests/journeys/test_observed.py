"""Journeys as they are: the graph's probabilities, and those of an unchanged replicate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.journeys._observed import as_observed
from cxjourney.journeys._replicates import tally_of
from cxjourney.journeys._visits import grain_codes, visits_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def journeys(draw):
    touches = st.lists(
        st.tuples(st.sampled_from(["ad", "web", "cart", "pay", "leave"]), st.integers(0, 6)),
        min_size=1,
        max_size=8,
    )
    interactions = []
    for customer, rows in enumerate(draw(st.lists(touches, min_size=1, max_size=8))):
        days = np.cumsum([gap for _, gap in rows]).tolist()
        for (name, _), day in zip(rows, days, strict=True):
            when = BEGIN + timedelta(days=day)
            interactions.append(
                cx.Interaction(customer=str(customer), touchpoint=name, timestamp=when)
            )
    log = cx.InteractionLog.from_interactions(interactions)
    known = {i.touchpoint.name for i in interactions}
    return log.journeys(
        goal="pay" if "pay" in known else None,
        exit_touchpoints=["leave"] if "leave" in known else (),
        after_goal=draw(st.sampled_from(["new_journey", "discard", "keep"])),
        inactivity=draw(st.sampled_from([None, timedelta(days=5)])),
        all_closed=draw(st.booleans()),
    )


@given(journeys())
def test_the_probabilities_are_those_of_the_graph(journeys):
    block = as_observed(journeys, grain_codes(journeys.columns, "touchpoint"))
    graph = journeys.graph()
    names = [*block.names, cx.START, cx.CONVERSION, cx.DROPOFF]
    found = np.vstack([block.probability[0], block.start])
    expected = np.zeros_like(found)
    for source, target, probability in graph.edges(data="probability"):
        expected[names.index(source), names.index(target)] = probability or 0.0
    assert found == pytest.approx(expected, abs=1e-9)
    assert [graph.nodes[name]["visits"] for name in block.names] == block.visits[0].tolist()


@given(journeys())
def test_they_are_those_of_a_replicate_with_everybody_once(journeys):
    tally = tally_of(journeys, visits_of(journeys))
    once = tally.block(tally.weight[:, None])
    block = as_observed(journeys, grain_codes(journeys.columns, "touchpoint"))
    assert block.names == once.names
    for field in ("probability", "start", "visits", "at_risk", "n_journeys"):
        assert getattr(block, field) == pytest.approx(getattr(once, field), abs=1e-9)


def test_paths_count_with_their_weight():
    paths = cx.Journeys.from_paths([["ad", "web"], ["ad"]], converted=[3, 0], dropped=[1, 4])
    block = as_observed(paths, grain_codes(paths.columns, "touchpoint"))
    assert block.names == ("ad", "web")
    assert block.visits.tolist() == [[8, 4]]
    assert block.probability[0].tolist() == [[0, 0.5, 0, 0, 0.5], [0, 0, 0, 0.75, 0.25]]
    assert block.start.tolist() == [[1, 0, 0, 0, 0]]
