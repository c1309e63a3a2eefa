"""How often gaps with one hill seem to have a valley, and where the sample's is.

Worlds have 50 customers whose number of visits has a Pareto tail of 1.2; in those called frail each
customer has an own typical gap (log-normal, sd 1). Run as a script to print the table of
docs/explanation/calibration-dropoff.md.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

import cxjourney as cx
from cxjourney.journeys._inactivity_valleys import DAY_US, MINUTE_US, valleys_us

WORLDS = (
    "log-normal, sd 1.5",
    "log-normal, sd 0.4",
    "log-normal, frail",
    "exponential, frail",
    "Weibull, shape 0.5",
    "Pareto, 0.8",
    "uniform in logarithms",
    "every so many days at about the same hour",
    "weekly",
    "dates only",
    "whole minutes, frail",
)


def gaps_of(world: str, rng: np.random.Generator, customers: int = 50):
    """Return gaps [µs], the bucket of each, and the step of the timestamps [µs]."""
    often = np.minimum(np.ceil((1 - rng.random(customers)) ** (-1 / 1.2)), 500).astype(int)
    who = np.repeat(np.arange(customers), often)
    n, step = len(who), 1
    own = np.exp(rng.normal(0, 1, customers))[who] if "frail" in world else 1.0
    match world.split(",", maxsplit=1)[0]:
        case "log-normal":
            sd = {"1.5": 1.5, "0.4": 0.4}.get(world[-3:], 0.5)
            days = own * np.exp(rng.normal(0, sd, n))
        case "exponential":
            days = own * rng.exponential(5, n)
        case "Weibull":
            days = 3 * rng.weibull(0.5, n)
        case "Pareto":
            days = (1 - rng.random(n)) ** (-1 / 0.8) / 24
        case "uniform in logarithms":
            days = 10 ** rng.uniform(-5, 2, n)
        case "every so many days at about the same hour":
            days = rng.geometric(0.3, n) + rng.normal(0, 1 / 8, n)
        case "weekly":
            days = 7 + rng.normal(0, 1 / 8, n)
        case "dates only":
            days, step = np.floor(rng.exponential(6, n)), DAY_US
        case _:
            days, step = np.floor(own * rng.exponential(30, n)) / 1440, MINUTE_US
    return np.maximum(days * DAY_US, 0).astype(np.int64), who % 64, step


def false_valleys(world: str, logs: int) -> float:
    """Return the share of logs with a valley where there is none."""
    rng = np.random.default_rng(7)
    return sum(bool(valleys_us(*gaps_of(world, rng))) for _ in range(logs)) / logs


def of_sample(customers: int, seeds: int = 100) -> tuple[int, float, float]:
    """Return how many suggestions lie in 10 to 16 days, and the least and the most [d]."""
    found = []
    for seed in range(seeds):
        log = cx.datasets.sample(seed=seed, customers=customers).log
        suggested = log.suggest_inactivity(goal="order", limits=()).suggested
        assert suggested is not None
        found.append(suggested / timedelta(days=1))
    days = np.array(found)
    return int(np.count_nonzero((days >= 10) & (days <= 16))), float(days.min()), float(days.max())


if __name__ == "__main__":
    for world in WORLDS:
        print(f"| {world} | {false_valleys(world, 1_000):.3f} |", flush=True)
    for customers in (50, 100, 300, 1_000):
        print(customers, *of_sample(customers), flush=True)
