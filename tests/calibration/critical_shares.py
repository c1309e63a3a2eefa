"""Do the intervals of rework rates, of coming back and of removal effects hold? By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/critical_shares.py [logs]

The worlds of critical_ranks.py with frailty; the truth is that of one log of 150,000 customers. It
prints a table of docs/explanation/calibration-critical.md.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

import cxjourney as cx

RANKS = runpy.run_path(str(Path(__file__).with_name("critical_ranks.py")))
WORLDS = {
    f"{customers} customers{', Pareto visits' if pareto else ''}": (customers, pareto)
    for customers in (50, 200)
    for pareto in (False, True)
}


def figures(journeys: cx.Journeys) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return value, low and high of each figure by touchpoint."""
    again, passed = cx.critical.rework(journeys).table, cx.critical.must_pass(journeys).table
    columns = {
        "rework rate": (again, "rework_rate", "low", "high"),
        "returning": (again, "returning", "returning_low", "returning_high"),
        "removal effect": (passed, "removal_effect", "low", "high"),
    }
    return {
        kind: {row["touchpoint"]: tuple(row[name] for name in names) for row in table}
        for kind, (table, *names) in columns.items()
    }


def study(customers: int, logs: int, *, pareto: bool) -> dict[str, float]:
    """Return the share of intervals that hold the truth, over touchpoints that have one."""
    simulate, World = RANKS["simulate"], RANKS["World"]
    whole = World(customers=150_000 if not pareto else 60_000, frailty=0.7, pareto=pareto)
    truth = figures(simulate(whole, 1)[0])
    held: dict[str, list[bool]] = {kind: [] for kind in truth}
    for seed in range(100, 100 + logs):
        world = World(customers=customers, frailty=0.7, pareto=pareto)
        found = figures(simulate(world, seed)[0])
        for kind, rows in found.items():
            held[kind] += [
                bool(low <= truth[kind][name][0] <= high)
                for name, (_, low, high) in rows.items()
                if not np.isnan(low)
            ]
    return {kind: float(np.mean(values)) for kind, values in held.items()}


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"| world ({logs:,} logs) | rework rate | returning | removal effect |")
    print("|---|---|---|---|")
    for name, (customers, pareto) in WORLDS.items():
        found = study(customers, logs, pareto=pareto)
        print(f"| {name} |", " | ".join(f"{x:.3f}" for x in found.values()), "|", flush=True)


if __name__ == "__main__":
    main()
