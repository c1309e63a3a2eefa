"""How often the intervals of survival curves hold the truth, for rows and for whole customers.

Run by hand: `python tests/calibration/coverage_survival.py`. The tables go into
docs/explanation/calibration-survival.md. Samples are drawn from a fixed seed.
"""

from __future__ import annotations

import numpy as np

from cxjourney.metrics import cumulative_incidence, kaplan_meier

SEED = 20260102
SECOND = np.timedelta64(1, "s")
# Survival to 5 hours: S(t) = exp(-t / 6) on a grid of seconds
LIFE, AT = 6 * 3600.0, np.timedelta64(5, "h").item()
TRUTH = float(np.exp(-5 / 6))


def plain_coverage(n: int, follow_up: float, n_samples: int) -> float:
    """Return the coverage of S(5 h) where open rows were watched up to `follow_up` hours."""
    rng = np.random.default_rng(SEED)
    held = known = 0
    for _ in range(n_samples):
        life = rng.exponential(LIFE, n)
        watched = rng.uniform(0, follow_up * 3600, n)
        length = np.ceil(np.minimum(life, watched)).astype(np.int64) * SECOND
        estimate = kaplan_meier(length, life <= watched).at(AT)
        if not np.isnan(estimate.value):  # beyond the longest observation there is no estimate
            known += 1
            held += estimate.low <= TRUTH <= estimate.high
    return held / known


def clustered_coverage(
    n_customers: int, *, spread: float, clustered: bool, n_samples: int, heavy: bool = False
) -> tuple[float, float]:
    """Return the coverage of survival and of one cause's incidence at 5 hours.

    Customers have 1 to 9 rows, or where `heavy` a few have most of them (Pareto 1.2). Each leaves
    in silence with a probability of its own, Beta distributed with mean .4; `spread` is its
    intraclass correlation, 0 for equal customers.
    """
    rng = np.random.default_rng(SEED)
    held, known = np.zeros(2), np.zeros(2)
    # who moves does so evenly within 8 hours, so 5 hours see 5/8 of the moves
    stay = 0.4 + 0.6 * 3 / 8
    for _ in range(n_samples):
        rows = rng.integers(1, 10, n_customers)
        if heavy:
            rows = np.minimum(rng.pareto(1.2, n_customers) + 1, 1000).astype(int)
        customer = np.repeat(np.arange(n_customers), rows)
        if spread:
            size = (1 - spread) / spread
            leaves = rng.beta(0.4 * size, 0.6 * size, n_customers)[customer]
        else:
            leaves = np.full(len(customer), 0.4)
        silent = rng.random(len(customer)) < leaves
        move = np.where(silent, np.inf, rng.uniform(0, 8, len(customer)))
        watched = rng.uniform(0, 16, len(customer))
        length = (np.ceil(np.minimum(move, watched) * 3600)).astype(np.int64) * SECOND
        cause = np.where(move <= watched, "moved", None)
        who = customer if clustered else None
        survival = kaplan_meier(length, move <= watched, customer=who).at(AT)
        incidence = cumulative_incidence(length, cause, customer=who).at("moved", AT)
        known += [not np.isnan(survival.low), not np.isnan(incidence.low)]
        held += [
            survival.low <= stay <= survival.high,
            incidence.low <= 1 - stay <= incidence.high,
        ]
    return held[0] / known[0], held[1] / known[1]


def main() -> None:
    """Print the tables of the docs."""
    print("| rows | watched up to 10 h | up to 30 h |\n|---|---|---|")
    for n, samples in ((20, 4000), (100, 4000), (1000, 1000)):
        cells = [f"{plain_coverage(n, follow_up, samples):.3f}" for follow_up in (10, 30)]
        print(f"| {n:,} | {' | '.join(cells)} |")
    print("\n| rows of a customer | customers | correlation | interval | S | incidence |")
    print("|---|---|---|---|---|---|")
    worlds = [(heavy, n, r) for heavy in (False, True) for n in (50, 200) for r in (0.0, 0.3)]
    for heavy, n, spread in worlds:
        for clustered in (False, True):
            s, f = clustered_coverage(
                n, spread=spread, clustered=clustered, n_samples=1000, heavy=heavy
            )
            cells = ("Pareto 1.2" if heavy else "1 to 9", str(n), f"{spread:g}")
            kind = "by customer" if clustered else "rows"
            print(f"| {' | '.join(cells)} | {kind} | {s:.3f} | {f:.3f} |")


if __name__ == "__main__":
    main()
