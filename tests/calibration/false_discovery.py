"""How many of the discoveries are false, and how many true effects are found. By hand:

    python tests/calibration/false_discovery.py [logs]

A hundred touchpoints with the same visits in two groups of customers, exits .2; at ten of them one
group loses more. Customers lie in 64 buckets, and those of one bucket share a part of their exits.
"""

from __future__ import annotations

import sys

import numpy as np

from cxjourney._stats.buckets import BucketFigures, difference_of_shares
from cxjourney._stats.significance import false_discovery

TOUCHPOINTS, TRUE = 100, 10


def shares(rng: np.random.Generator, rate: np.ndarray, visits: int, alike: float) -> BucketFigures:
    """Return the exit rates of one group, and the same without each bucket."""
    n = rng.multinomial(visits, np.full(64, 1 / 64), size=TOUCHPOINTS).T.astype(float)
    own = rate if alike == 0 else rng.beta(rate / alike, (1 - rate) / alike, (64, TOUCHPOINTS))
    k = rng.binomial(n.astype(int), own).astype(float)
    whole, without = k.sum(axis=0) / n.sum(axis=0), (k.sum(axis=0) - k) / (n.sum(axis=0) - n)
    return BucketFigures(whole=whole, without=without, units=n)


def study(logs: int, *, visits: int, effect: float, alike: float = 0.0) -> tuple[float, float]:
    """Return the mean share of false discoveries, and the share of true effects found."""
    false, found = [], []
    for seed in range(logs):
        rng = np.random.default_rng(seed)
        rate = np.full(TOUCHPOINTS, 0.2)
        one = shares(rng, rate + effect * (np.arange(TOUCHPOINTS) < TRUE), visits, alike)
        other = shares(rng, rate, visits, alike)
        hit = false_discovery(difference_of_shares(one, other, level=0.95)[2]) <= 0.05
        false.append(hit[TRUE:].sum() / max(hit.sum(), 1))
        found.append(hit[:TRUE].mean())
    return float(np.mean(false)), float(np.mean(found))


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"| visits a touchpoint and group ({logs:,} logs) | effect | false | found |")
    print("|---|---|---|---|")
    for visits in (400, 1_600):
        for effect in (0.05, 0.10):
            for alike in (0.0, 0.01):
                false, found = study(logs, visits=visits, effect=effect, alike=alike)
                kind = ", alike within buckets" if alike else ""
                print(
                    f"| {visits:,}{kind} | +{effect:.2f} | {false:.3f} | {found:.2f} |", flush=True
                )


if __name__ == "__main__":
    main()
