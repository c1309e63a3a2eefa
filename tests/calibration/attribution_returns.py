"""How often the intervals of credits, and so of returns on cost, hold the truth. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/attribution_returns.py [logs] [first seed]

The customers of chain_times.py, all of whose cases have ended; a purchase brings a log-normal
amount (sd 1) of which half of the variance is the customer's. A return on cost is the credit over
money that is known, in as many journeys as there are: the truth is the credit per journey of
100,000 customers. It prints a table of docs/explanation/calibration-metrics.md.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

import cxjourney as cx

CHAIN = runpy.run_path(str(Path(__file__).with_name("chain_times.py")))
NAMES = CHAIN["NAMES"]
COSTS = {"ad": 100.0, "web": 50.0, "shop": 200.0}
MODELS = {
    "last touch": cx.attribution.last_touch,
    "linear": cx.attribution.linear,
    "Markov": cx.attribution.markov,
    "Shapley": cx.attribution.shapley,
}


def journeys_of(customers: int, seed: int, *, pareto: bool) -> cx.Journeys:
    """Return the journeys of one log, their values among them."""
    rng = np.random.default_rng(seed)
    often = np.minimum(rng.pareto(1.2, customers) + 1, 200).astype(int)
    who = np.repeat(np.arange(customers), often if pareto else 3)
    frail, worth = rng.normal(0, 0.7, customers), rng.normal(0, 0.5**0.5, customers)
    case, place, day = CHAIN["draw"](rng, frail[who], np.ones(len(who)), 6.9)
    bought = place == 3
    money = np.exp(3 + worth[who[case]] + rng.normal(0, 0.5**0.5, len(case)))
    log = cx.InteractionLog.from_frame(
        {
            "who": who[case].astype(str),
            "case": case.astype(str),
            "what": NAMES[place],
            "when": np.datetime64("2026-01-01", "us") + (day * 86_400e6).astype("m8[us]"),
            "money": np.where(bought, money, np.nan),
        },
        customer="who",
        journey="case",
        touchpoint="what",
        timestamp="when",
        value="money",
    )
    return log.journeys(goal="buy", all_closed=True)


def returns_of(journeys: cx.Journeys, of: str) -> np.ndarray:
    """Return value, low and high of the return per journey, shape (models, names, 3)."""
    found = []
    for model in MODELS.values():
        table = model(journeys, by="touchpoint", of=of, costs=COSTS).table
        rows = {row["touchpoint"]: row for row in table}
        found.append(
            [
                [rows[name][f"return_{end}"] for end in ("on_cost", "low", "high")]
                if name in rows
                else [np.nan] * 3
                for name in NAMES[:3]
            ]
        )
    return np.array(found) / len(journeys)


def study(customers: int, logs: int, first: int, *, pareto: bool, of: str) -> np.ndarray:
    """Return the coverage of each model, over names and logs that have an interval."""
    truth = returns_of(journeys_of(100_000, 1_000_000, pareto=False), of)[:, :, 0]
    held = []
    for seed in range(first, first + logs):
        journeys = journeys_of(customers, seed, pareto=pareto)
        _, low, high = np.moveaxis(returns_of(journeys, of), 2, 0)
        held.append(np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high)))
    return np.nanmean(held, axis=(0, 2))


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("| customers | " + " | ".join(MODELS) + " |")
    print("|---" * (1 + len(MODELS)) + "|")
    for of in ("conversions", "value"):
        for customers in (50, 200, 1_000):
            for pareto in (False, True):
                found = study(customers, logs, first, pareto=pareto, of=of)
                name = f"{customers:,}, {of}{', Pareto cases' if pareto else ''}"
                print(f"| {name} |", " | ".join(f"{x:.3f}" for x in found), "|", flush=True)


if __name__ == "__main__":
    main()
