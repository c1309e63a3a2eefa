"""Study of comparisons: what is planted is found, and nothing where nothing is. Run by hand:

    python tests/calibration/compare.py [seeds] [first seed]

On the sample of the library, segments are compared at every touchpoint and transition; with the
planted difference, and without it. Beside the ranking stands a naive one: by the raw difference.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

import cxjourney as cx

SEGMENT = "segment"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def is_planted(change: cx.compare.Change, truth) -> bool:
    """Tell whether a row is the planted one: value, place, exit."""
    return (change.group, change.touchpoint, change.to) == (
        truth.value,
        truth.touchpoint,
        cx.DROPOFF,
    )


def largest(table, *, least: int) -> tuple[str, str, str]:
    """Return the row with the largest raw difference among those with enough visits."""
    enough = (table["visits"] >= least) & (table["visits_against"] >= least)
    size = np.where(enough, np.abs(np.nan_to_num(table["difference"])), -1.0)
    i = int(np.argmax(size))
    return table["group"][i], table["touchpoint"][i], table["to"][i]


def with_difference(seed: int, *, customers: int = 5_000) -> dict:
    """Compare the segments of a sample with the planted difference."""
    sample = cx.datasets.sample(seed=seed, customers=customers)
    truth = sample.truths.segment
    found = cx.compare.segments(sample.journeys(), SEGMENT)
    planted = next(change for change in found.ranking if is_planted(change, truth))
    target = (truth.value, truth.touchpoint, cx.DROPOFF)
    return {
        "ranked first": is_planted(found.ranking[0], truth),
        "discovered": planted.q_value <= found.fdr,
        "interval holds the truth": planted.difference.low
        <= truth.difference
        <= planted.difference.high,
        "naive: largest raw difference of all": largest(found.table, least=1) == target,
        "naive: of rows with 100 visits on both sides": largest(found.table, least=100) == target,
        "naive: of rows with 500 visits on both sides": largest(found.table, least=500) == target,
    }


def without(seed: int, *, customers: int = 5_000) -> dict:
    """Compare segments that do not differ, and two random halves of all journeys."""
    sample = cx.datasets.sample(seed=seed, customers=customers, segment=False)
    journeys = sample.journeys()
    found = cx.compare.segments(journeys, SEGMENT)
    half = np.random.default_rng(seed).random(len(journeys)) < 0.5
    halves = cx.compare.between(
        journeys.where(half),
        journeys.where(~half),
    )
    p = found.table["p_value"][: found.n_comparisons]
    low, high = (found.table[name][: found.n_comparisons] for name in ("low", "high"))
    missing = float(np.isnan(found.table["low"]).mean())
    return {
        "any discovery": found.n_discoveries > 0,
        "any p <= .05 (no correction)": bool((p <= 0.05).any()),
        "two halves of the journeys: any discovery": halves.n_discoveries > 0,
        **{
            f"mean share of p <= {alpha}": float((p <= alpha).mean())
            for alpha in (0.05, 0.01, 0.001)
        },
        "mean share of intervals that hold 0": float(((low <= 0) & (high >= 0)).mean()),
        "mean share of rows without an interval": missing,
    }


def halves_of_the_year(seed: int) -> dict:
    """Compare periods between which customers begin elsewhere, and exits are the same."""
    sample = cx.datasets.sample(seed=seed)
    first, second = (
        log.journeys(goal=sample.truths.goal, inactivity=sample.truths.inactivity)
        for log in (sample.log.between(None, "2025-07-01"), sample.log.between("2025-07-01"))
    )
    found = cx.compare.between(first, second)
    starts = [change.touchpoint == cx.START for change in found.discoveries]
    change = found.ranking[0]
    return {
        "first: more begin at the home page of the app": change.to == "app home" and starts[0],
        "mean number of discoveries": len(starts),
        "mean number of them that are not of how journeys begin": starts.count(False),
    }


def follow_up(seed: int, *, until: float, customers: int = 3_000) -> cx.Journeys:
    """Return journeys that begin in eight days and are followed until a day; the limit is 5."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 8, customers)
    buys = rng.random(customers) < 0.6
    day = np.concatenate([start, start[buys] + rng.uniform(0, 4, buys.sum())])
    name = np.repeat(["web", "buy"], [customers, buys.sum()])
    who = np.concatenate([np.arange(customers), np.flatnonzero(buys)])
    seen = day <= until
    timestamps = np.datetime64(BEGIN.replace(tzinfo=None), "us")
    log = cx.InteractionLog.from_frame(
        {
            "customer": np.char.add(f"{seed} ", who[seen].astype(str)),
            "time": timestamps + (day[seen] * 86_400e6).astype("timedelta64[us]"),
            "touchpoint": name[seen],
        },
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        observed_until=BEGIN + timedelta(days=until),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=5))


def unequal_follow_up(seed: int) -> dict:
    """Compare groups of which one was followed to its end and the other half way."""
    short, long = follow_up(2 * seed, until=8), follow_up(2 * seed + 1, until=40)
    found = cx.compare.between(long, short)
    nodes = [journeys.graph().nodes["web"] for journeys in (short, long)]
    raw = [node["exits"] / (node["visits"] - node["censored"]) for node in nodes]
    estimate = found.estimate("web")
    exits = next(change for change in found.ranking if change.kind == "exit")
    return {
        "p <= .05": exits.p_value <= 0.05,
        "interval of the difference holds 0": estimate.low <= 0 <= estimate.high,
        "mean difference of exit probabilities": estimate.value,
        "mean difference of rates of ended visits": raw[0] - raw[1],
    }


def main(seeds: int, first: int) -> None:
    studies = {
        "With the difference": with_difference,
        "Without it": without,
        "Halves of the year": halves_of_the_year,
        "Unequal follow-up": unequal_follow_up,
    }
    for title, study in studies.items():
        rows = [study(seed) for seed in range(first, first + seeds)]
        print(f"\n## {title}: seeds {first} to {first + seeds - 1}\n\n| | of {seeds} |\n|---|---|")
        for name in rows[0]:
            values = np.array([row[name] for row in rows], dtype=float)
            shown = f"{values.mean():.4f}" if name.startswith("mean") else f"{values.sum():.0f}"
            print(f"| {name} | {shown} |", flush=True)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(200, 1000)[len(given) :])
