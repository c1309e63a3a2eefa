"""How long after a row the next goal came, against a walk over the rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.journeys import Journeys, until_goal_us, until_next_us

DAY_US = 86_400_000_000


@pytest.mark.parametrize("after_goal", ["new_journey", "discard", "keep"])
@pytest.mark.parametrize("seed", range(5))
def test_next_goal_is_that_of_a_walk(after_goal: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    n = 300
    log = cx.InteractionLog.from_frame(
        {
            "customer": [f"c{i}" for i in draw.integers(0, 25, n)],
            "touchpoint": draw.choice(["web", "app", "buy", "rent"], n).tolist(),
            "time": [
                datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=int(d))
                for d in draw.integers(0, 90, n)
            ],
        },
        customer="customer",
        touchpoint="touchpoint",
        timestamp="time",
    )
    journeys = log.journeys(
        goal=("buy", "rent"), inactivity=timedelta(days=9), after_goal=after_goal
    )
    time, names = journeys.columns.time, list(journeys.columns.coded["touchpoint"].values())
    apps = np.array([i for i, name in enumerate(names) if name == "app"])
    rows, owners, goals, next_apps = [], [], [], []
    for j, (start, stop) in enumerate(zip(journeys.offsets, journeys.offsets[1:], strict=False)):
        for row in range(start - 1, stop):
            if row >= start and names[row] in {"buy", "rent"}:
                continue
            here = time[max(row, start)]
            later = range(row + 1, stop)
            rows.append(row)
            owners.append(j)
            for found, wanted in ((goals, {"buy", "rent"}), (next_apps, {"app"})):
                took = [time[i] - here for i in later if names[i] in wanted]
                found.append(took[0] if took else np.inf)
    row, owner = np.array(rows), np.array(owners)
    assert until_goal_us(journeys, row, owner).tolist() == goals
    assert until_next_us(journeys, apps, row, owner).tolist() == next_apps
    assert any(np.isfinite(goals))


def test_paths_without_times_convert_at_once() -> None:
    journeys = Journeys.from_paths([["a", "b"], ["a"]], converted=[1, 0], dropped=[0, 1])
    took = until_goal_us(journeys, journeys.offsets[:-1] - 1, np.arange(2))
    assert sorted(took.tolist()) == [0.0, np.inf]
