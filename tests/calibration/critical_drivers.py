"""How often a driver that has nothing to do with the outcome lies above its noise. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/critical_drivers.py [logs]

Three such drivers; customers have one row or many, and share part of their answers and outcome (the
intraclass correlations). It prints a table of docs/explanation/calibration-critical.md.
"""

from __future__ import annotations

import sys

import attrs
import numpy as np

from cxjourney.critical import drivers


@attrs.frozen(kw_only=True)
class World:
    """Customers, rows of each ("one", "ten", "uniform", "pareto"), and intraclass correlations."""

    customers: int
    rows: str
    of_answers: float
    of_outcome: float
    coarse: bool = False
    missing: float = 0.0


WORLDS = {
    "200 customers, one row each": World(customers=200, rows="one", of_answers=0, of_outcome=0),
    "60 customers, ten rows": World(customers=60, rows="ten", of_answers=0.5, of_outcome=0.5),
    "60 customers, ten rows, answers alike": World(
        customers=60, rows="ten", of_answers=1, of_outcome=0.5
    ),
    "80 customers, 1 to 19 rows": World(
        customers=80, rows="uniform", of_answers=0.8, of_outcome=0.8
    ),
    "100 customers, Pareto rows": World(
        customers=100, rows="pareto", of_answers=0.5, of_outcome=0.5
    ),
    "100 customers, Pareto rows, answers alike": World(
        customers=100, rows="pareto", of_answers=1, of_outcome=0.8
    ),
    "100 customers, Pareto rows, answers independent": World(
        customers=100, rows="pareto", of_answers=0, of_outcome=0.8
    ),
    "150 customers, Pareto rows, five marks and 0/1": World(
        customers=150, rows="pareto", of_answers=0.5, of_outcome=0.5, coarse=True
    ),
    "80 customers, ten rows, six in ten missing": World(
        customers=80, rows="ten", of_answers=0.5, of_outcome=0.5, missing=0.6
    ),
}


def simulate(world: World, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return three drivers without any effect, the outcome, and whose each row is."""
    rng = np.random.default_rng(seed)
    k = world.customers
    each = {
        "one": lambda: np.ones(k, dtype=int),
        "ten": lambda: np.full(k, 10),
        "uniform": lambda: rng.integers(1, 20, k),
        "pareto": lambda: np.minimum(rng.pareto(1.2, k) + 1, 200).astype(int),
    }[world.rows]()
    who = np.repeat(np.arange(k), each)

    def column(shared: float) -> np.ndarray:
        own = np.sqrt(shared) * rng.normal(size=k)[who]
        return own + np.sqrt(1 - shared) * rng.normal(size=len(who))

    scores = {name: column(world.of_answers) for name in "abc"}
    outcome = column(world.of_outcome)
    if world.coarse:
        scores = {name: np.round(np.clip(1.5 * x + 3, 1, 5)) for name, x in scores.items()}
        outcome = (outcome > 0.5) * 1.0
    for x in scores.values():
        x[rng.random(len(who)) < world.missing] = np.nan
    return scores, outcome, who


def study(world: World, logs: int, *, by_customer: bool = True) -> float:
    """Return the share of drivers above their noise."""
    above = []
    for seed in range(logs):
        scores, outcome, who = simulate(world, seed)
        found = drivers(scores, outcome, customer=who if by_customer else None, rng=seed)
        above += list(found.table["above_noise"])
    return float(np.mean(above))


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    few = logs // 10
    print(f"| rows | above the noise, of {3 * logs:,} | without `customer=`, of {3 * few:,} |")
    print("|---|---|---|")
    for name, world in WORLDS.items():
        rows = [f"{study(world, n, by_customer=by):.3f}" for n, by in ((logs, True), (few, False))]
        print(f"| {name} | {' | '.join(rows)} |", flush=True)


if __name__ == "__main__":
    main()
