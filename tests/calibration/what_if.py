"""How often the interval of what a change gains holds the truth.

Run by hand: `python tests/calibration/what_if.py`. The table goes into
docs/explanation/calibration-metrics.md. Four touchpoints; customers leave more or less easily
(`frailty`), and where `heavy` a few have most of the journeys (Pareto 1.2).
"""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

import cxjourney as cx

if TYPE_CHECKING:
    from cxjourney.metrics import Estimate
    from cxjourney.whatif import Scenario

SEED = 20261130
NAMES = ("web", "search", "cart", "pay", "buy")
# to each touchpoint, to the purchase, and away
MOVES = np.array(
    [
        [0.10, 0.30, 0.25, 0.00, 0.00, 0.35],
        [0.20, 0.10, 0.30, 0.00, 0.00, 0.40],
        [0.10, 0.10, 0.00, 0.50, 0.00, 0.30],
        [0.05, 0.00, 0.10, 0.00, 0.60, 0.25],
    ]
)
BEGIN = np.array([0.5, 0.4, 0.1, 0.0])
DAY_0 = np.datetime64("2026-01-01")


def shop(rng: np.random.Generator, n: int, *, frailty: float, heavy: bool) -> cx.Journeys:
    """Return the journeys of n customers."""
    times = rng.integers(1, 6, n)
    if heavy:
        times = np.minimum(rng.pareto(1.2, n) + 1, 200).astype(int)
    rows = []
    for customer, journeys in enumerate(times.tolist()):
        leaves = np.exp(frailty * rng.normal())
        moves = MOVES.copy()
        moves[:, 5] = np.minimum(moves[:, 5] * leaves, 0.9)
        moves[:, :5] *= ((1 - moves[:, 5]) / (1 - MOVES[:, 5]))[:, None]
        day = int(rng.integers(0, 50))
        for _ in range(journeys):
            at = int(rng.choice(4, p=BEGIN))
            while at < 5:
                rows.append((f"c{customer}", NAMES[at], DAY_0 + day))
                day += 1
                at = 5 if at == 4 else int(rng.choice(6, p=moves[at] / moves[at].sum()))
            day += 20
    who, what, when = zip(*rows, strict=True)
    log = cx.InteractionLog.from_frame(
        {"who": who, "what": what, "when": np.array(when)},
        customer="who",
        touchpoint="what",
        timestamp="when",
        observed_until=str(max(when) + 30),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=10))


def changes(journeys: cx.Journeys) -> dict[str, Estimate]:
    """Return what some changes gain in conversion, or in contacts a journey."""
    now = cx.whatif.baseline(journeys)
    made: dict[str, tuple[Scenario, str]] = {
        "half of the exits at web": (now.reduce_exit("web", 0.5), "conversions"),
        "a third of the exits at pay": (now.reduce_exit("pay", 1 / 3), "conversions"),
        "a tenth of the exits at cart": (now.reduce_exit("cart", 0.1), "conversions"),
        "search skipped, contacts": (now.bypass("search"), "contacts"),
        "search closed": (now.remove("search"), "conversions"),
    }
    return {name: getattr(scenario, figure) for name, (scenario, figure) in made.items()}


@cache
def truth(frailty: float) -> dict[str, float]:
    """Return the changes a journey in a large world."""
    world = shop(np.random.default_rng(SEED), 8_000, frailty=frailty, heavy=False)
    return {name: found.value / len(world) for name, found in changes(world).items()}


def coverage(n: int, *, frailty: float, heavy: bool, n_logs: int) -> dict[str, float]:
    """Return how often each interval, where there is one, holds the truth."""
    true, known, held = (
        truth(frailty),
        dict.fromkeys(truth(frailty), 0),
        dict.fromkeys(truth(frailty), 0),
    )
    for seed in range(n_logs):
        world = shop(np.random.default_rng([SEED, seed]), n, frailty=frailty, heavy=heavy)
        for name, found in changes(world).items():
            known[name] += not np.isnan(found.low)
            held[name] += found.low <= len(world) * true[name] <= found.high
    return {name: held[name] / known[name] for name in held}


if __name__ == "__main__":
    for frailty, heavy in ((0.0, False), (0.6, False), (0.6, True)):
        for n in (30, 80):
            cells = coverage(
                n, frailty=frailty, heavy=heavy, n_logs=int(sys.argv[1]) if sys.argv[1:] else 1000
            ).values()
            world = f"{frailty:g} | {'yes' if heavy else 'no'} | {n}"
            print(f"| {world} | {' | '.join(f'{cell:.3f}' for cell in cells)} |", flush=True)
