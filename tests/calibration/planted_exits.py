"""Whether exit probabilities of the sample lie in their 95 % intervals: a study over seeds.

Run by hand: `python tests/calibration/planted_exits.py [seeds]`. The customers of the sample differ
in how easily they leave, and some journeys are open when the year ends; the truths are computed
from the declared model. With 200 seeds a true coverage of 95 % gives at least 182 hits nearly
always.
"""

from __future__ import annotations

import sys

import numpy as np

from cxjourney.datasets import sample
from cxjourney.dropoff import exits
from cxjourney.metrics import wilson

PLANTED = ("store advice", "payment")


def hits(seed: int, *, customers: int = 5_000) -> dict[str, tuple[bool, bool, float]]:
    """Return for every touchpoint whether two intervals hold the truth, and the error.

    The intervals are the one over buckets of customers, and Wilson's of exits with every censored
    visit counted as lost.
    """
    made = sample(seed=seed, customers=customers)
    journeys = made.journeys()
    result = exits(journeys)
    found = {}
    for row in result.table:
        name = str(row["touchpoint"])
        truth = made.truths.exits[name]
        e = result.estimate(name)
        low, high = wilson(row["exits"] + row["censored"], row["visits"])
        found[name] = (
            e.low <= truth <= e.high,
            low <= truth <= high,
            e.value - truth,
        )
    return found


def main(seeds: int) -> None:
    rows: dict[str, list[tuple[bool, bool, float]]] = {}
    for seed in range(seeds):
        for name, row in hits(seed).items():
            rows.setdefault(name, []).append(row)
        print(f"seed {seed}", file=sys.stderr, flush=True)
    print("| touchpoint | samples | over buckets | censored as lost | mean error |")
    print("|---|---|---|---|---|")
    ordered = sorted(
        rows, key=lambda name: (name not in PLANTED, np.mean([r[0] for r in rows[name]]))
    )
    for name in ordered:
        table = np.array(rows[name], dtype=np.float64)
        counts = table[:, :2].sum(axis=0).astype(int)
        mark = " (planted)" if name in PLANTED else ""
        print(
            f"| {name}{mark} | {len(table)} | {counts[0]} | {counts[1]} "
            f"| {table[:, 2].mean():+.4f} |"
        )
    share = np.concatenate([np.array(r, dtype=np.float64) for r in rows.values()]).mean(axis=0)
    print(f"| all | | {share[0]:.3f} | {share[1]:.3f} | {share[2]:+.4f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
