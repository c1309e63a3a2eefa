"""Random logs through the library and through a plain recount: what must be equal is equal.

Journeys, outcomes, counts, probabilities and mean times of transitions, funnels, and survival.

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


def compare(journeys: cx.Journeys, rows: list[ref.Row], rules: dict[str, Any]) -> None:
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
    if rules["limit"] is not None:
        _compare_times(graph, ref.mean_waits_of(visits))
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


def _compare_times(graph: cx.JourneyGraph, means: dict[tuple[str, str], Any]) -> None:
    ends = {ref.GOAL: cx.CONVERSION, ref.EXIT: cx.DROPOFF}
    for (source, target), mean in means.items():
        found = graph.edges[source, ends.get(target, target)]["dwell_mean_s"]
        assert found == pytest.approx(float(mean) * 86_400, rel=1e-9, abs=1e-6)


def compare_funnels(
    log: cx.InteractionLog, rows: list[ref.Row], rng: np.random.Generator, until: int
) -> None:
    n = int(rng.integers(1, 4))
    order = str(rng.choice(["ordered", "strict", "unordered"]))
    steps = [
        str(step) for step in rng.choice(["a", "b", "c", "goal"], n, replace=order != "ordered")
    ]
    if order == "unordered":
        steps = list(dict.fromkeys(steps))
    within = int(rng.integers(1, 8)) if rng.random() < 0.7 else None
    entry = str(rng.choice(["any", "first"])) if order != "unordered" else "any"
    exclude = {"exit"} if len(steps) > 1 and rng.random() < 0.4 else set()
    censored = str(rng.choice(["exclude", "keep"]))
    try:
        found = cx.dropoff.funnel(
            log,
            steps,
            within=None if within is None else timedelta(days=within),
            order=order,
            entry=entry,
            exclude=sorted(exclude),
            censored=censored,
        )
    except cx.exceptions.UnknownName:
        return
    mature = until - within if within is not None and censored == "exclude" else None
    expected = ref.funnel_of(
        rows,
        steps,
        within=within,
        order=order,
        entry=entry,
        exclude=exclude,
        mature_until=mature,
    )
    told = (steps, within, order, entry, exclude, censored)
    assert list(found.counts) == expected, told


def compare_survival(rng: np.random.Generator) -> None:
    n = int(rng.integers(1, 25))
    rows = list(zip(rng.integers(0, 8, n).tolist(), (rng.random(n) < 0.6).tolist(), strict=True))
    curve = cx.metrics.kaplan_meier(
        [timedelta(days=duration) for duration, _ in rows], [event for _, event in rows]
    )
    expected = ref.survival_of(rows)
    assert curve.time_s.tolist() == [86_400 * time for time in expected]
    assert curve.survival == pytest.approx([float(s) for s in expected.values()], abs=1e-12)


def test_random_logs_are_cut_counted_and_estimated_alike():
    for seed in range(LOGS):
        rows, rules = draw(np.random.default_rng(seed))
        try:
            journeys = of_library(rows, rules)
            compare(journeys, rows, rules)
            rng = np.random.default_rng([seed, 1])
            compare_funnels(journeys.log, rows, rng, rules["until"])
            compare_survival(rng)
        except AssertionError as error:
            error.add_note(f"seed {seed}: {rows} {rules}")
            raise
