"""Does a comparison find what is planted, and stay silent where nothing is? Run by hand:

    python tests/calibration/compare.py [seeds] [first seed]

On the sample of the library, segments are compared at every touchpoint and move; with the planted
difference, and without it. Beside the ranking stands a naive one: by the raw difference.
"""

from __future__ import annotations

import sys

import numpy as np

import cxjourney as cx

SEGMENT = "segment"


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


def with_difference(seed: int, *, customers: int = 5_000, n_permutations: int = 99) -> dict:
    """Compare the segments of a sample with the planted difference."""
    sample = cx.datasets.sample(seed=seed, customers=customers)
    truth = sample.truths.segment
    found = cx.compare.segments(sample.journeys(), SEGMENT, n_permutations=n_permutations, rng=seed)
    planted = next(change for change in found.ranking if is_planted(change, truth))
    target = (truth.value, truth.touchpoint, cx.DROPOFF)
    whole = next(d for d in found.overall if d.group == truth.value)
    return {
        "ranked first": is_planted(found.ranking[0], truth),
        "discovered": planted.q_value <= found.fdr,
        "interval holds the truth": planted.difference.low
        <= truth.difference
        <= planted.difference.high,
        "overall test of the segment, p <= .05": whole.p_value <= 0.05,
        "naive: largest raw difference of all": largest(found.table, least=1) == target,
        "naive: of rows with 100 visits on both sides": largest(found.table, least=100) == target,
        "naive: of rows with 500 visits on both sides": largest(found.table, least=500) == target,
    }


def without(seed: int, *, customers: int = 5_000, n_permutations: int = 99) -> dict:
    """Compare segments that do not differ, and two random halves of all journeys."""
    sample = cx.datasets.sample(seed=seed, customers=customers, segment=False)
    journeys = sample.journeys()
    found = cx.compare.segments(journeys, SEGMENT, n_permutations=n_permutations, rng=seed)
    half = np.random.default_rng(seed).random(len(journeys)) < 0.5
    halves = cx.compare.between(
        journeys.where(half), journeys.where(~half), n_permutations=n_permutations, rng=seed
    )
    p = found.table["p_value"][: found.n_comparisons]
    return {
        "any discovery": found.n_discoveries > 0,
        "any p <= .05 (no correction)": bool((p <= 0.05).any()),
        "overall test of the first segment, p <= .05": found.overall[0].p_value <= 0.05,
        "two halves of the journeys: any discovery": halves.n_discoveries > 0,
        "two halves: overall test, p <= .05": halves.overall[0].p_value <= 0.05,
        "mean share of p <= .05": float((p <= 0.05).mean()),
    }


def main(seeds: int, first: int) -> None:
    for title, study in (("With the difference", with_difference), ("Without it", without)):
        rows = [study(seed) for seed in range(first, first + seeds)]
        print(f"\n## {title}: seeds {first} to {first + seeds - 1}\n\n| | of {seeds} |\n|---|---|")
        for name in rows[0]:
            values = np.array([row[name] for row in rows], dtype=float)
            shown = f"{values.mean():.4f}" if name.startswith("mean") else f"{values.sum():.0f}"
            print(f"| {name} | {shown} |", flush=True)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(200, 1000)[len(given) :])
