"""Random logs through the library and through a plain recount: what must be equal is equal.

`CXJOURNEY_DIFFERENTIAL_LOGS=100000 python -m pytest tests/differential` runs many more of them.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

import cxjourney as cx

from . import reference as ref

LOGS = int(os.environ.get("CXJOURNEY_DIFFERENTIAL_LOGS", "400"))
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ["a", "b", "c", "goal", "goal 2", "exit"]


def draw(rng: np.random.Generator) -> tuple[list[ref.Row], dict[str, Any]]:
    """Return a log and the rules by which it is cut; ties and gaps of just the limit are common."""
    n, customers = int(rng.integers(1, 30)), int(rng.integers(1, 6))
    weights = rng.dirichlet(np.ones(len(NAMES)))
    rows = [
        (f"k{rng.integers(customers)}", int(rng.integers(0, 16)), str(rng.choice(NAMES, p=weights)))
        for _ in range(n)
    ]
    used = {touchpoint for *_, touchpoint in rows}
    goal = {name for name in ("goal", "goal 2") if name in used and rng.random() < 0.8}
    exits = {"exit"} & used if rng.random() < 0.5 else set()
    limit = int(rng.integers(1, 6)) if rng.random() < 0.8 else None
    until = max(day for _, day, _ in rows) + int(rng.choice([0, 0, 1, 4]))
    return rows, {
        "goal": goal,
        "exits": exits,
        "limit": limit,
        "after_goal": str(rng.choice(["new_journey", "discard", "keep"])),
        "all_closed": bool(rng.random() < 0.2),
        "until": until,
    }


def of_library(rows: list[ref.Row], rules: dict[str, Any]) -> cx.Journeys:
    log = cx.InteractionLog.from_frame(
        {
            "who": [who for who, *_ in rows],
            "when": [BEGIN + timedelta(days=day) for _, day, _ in rows],
            "what": [what for *_, what in rows],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until=BEGIN + timedelta(days=rules["until"]),
    )
    limit = rules["limit"]
    return log.journeys(
        goal=sorted(rules["goal"]),
        exit_touchpoints=sorted(rules["exits"]),
        inactivity=None if limit is None else timedelta(days=limit),
        after_goal=rules["after_goal"],
        all_closed=rules["all_closed"],
    )


def compare(rows: list[ref.Row], rules: dict[str, Any]) -> None:
    journeys = of_library(rows, rules)
    expected = ref.journeys_of(rows, **rules)
    ours = Counter(
        (
            journey.customer.id,
            tuple(((i.timestamp - BEGIN).days, i.touchpoint.name) for i in journey.interactions),
            journey.outcome.value,
        )
        for journey in journeys
    )
    theirs = Counter((j.customer, tuple(j.rows), j.outcome) for j in expected)
    assert ours == theirs
    if rules["after_goal"] == "keep":
        return
    visits = ref.visits_of(expected, rules["goal"], rules["exits"], rules["until"])
    counts, probability = ref.transitions_of(visits, timed=rules["limit"] is not None)
    graph = journeys.graph()
    ends = {ref.GOAL: cx.CONVERSION, ref.EXIT: cx.DROPOFF, ref.SILENCE: cx.DROPOFF}
    expected_counts: Counter[tuple[str, str]] = Counter()
    for (source, target), count in counts.items():
        expected_counts[source, ends.get(target, target)] += count
    found = {
        (u, v): data["count"]
        for u, v, data in graph.edges(data=True)
        if u != cx.START and data["count"]
    }
    assert found == dict(expected_counts)
    chances: Counter[tuple[str, str]] = Counter()
    for (source, target), share in probability.items():
        chances[source, ends.get(target, target)] += float(share)
    for edge, share in chances.items():
        assert graph.edges[edge]["probability"] == pytest.approx(share, abs=1e-12)
    for u, v, data in graph.edges(data=True):
        if u != cx.START:
            assert data.get("probability", 0.0) == pytest.approx(chances[u, v], abs=1e-12)


def test_random_logs_are_cut_counted_and_estimated_alike():
    for seed in range(LOGS):
        rows, rules = draw(np.random.default_rng(seed))
        try:
            compare(rows, rules)
        except AssertionError as error:
            error.add_note(f"seed {seed}: {rows} {rules}")
            raise
