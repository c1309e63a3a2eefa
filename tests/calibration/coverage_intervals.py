"""How often each interval holds the truth, for samples of 20, 100 and 1,000.

Run by hand: `python tests/calibration/coverage_intervals.py`. The tables go into
docs/explanation/calibration-intervals.md. Where the sample space is small the coverage is summed
exactly; elsewhere it is counted over samples drawn from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom, poisson

from cxjourney._stats.intervals import (
    agresti_coull,
    clopper_pearson,
    garwood,
    jeffreys,
    mean_t,
    newcombe,
    quantile_ranks,
    wilson,
)
from cxjourney.metrics import bootstrap, conversion_rate
from cxjourney.metrics._surveys.nps import score_of_groups

if TYPE_CHECKING:
    from cxjourney._support.array_types import Floats

SIZES = (20, 100, 1000)
GRID = np.arange(1, 1000) / 1000
WITHIN = (GRID >= 0.1) & (GRID <= 0.9)
SEED = 20260101
Table = list[Sequence[str]]


def proportion_coverage(interval: Callable[[int, int], tuple[float, float]], n: int) -> Floats:
    """Return the exact coverage of an interval at each proportion of the grid."""
    low, high = np.array([interval(k, n) for k in range(n + 1)]).T
    chance = binom.pmf(np.arange(n + 1), n, GRID[:, None])
    inside = (low <= GRID[:, None]) & (GRID[:, None] <= high)
    return np.asarray((chance * inside).sum(axis=1))


def score_coverage(interval: str, n: int, shares: Floats, n_samples: int) -> Floats:
    """Return the coverage of the score's interval for each (promoters, passives, detractors)."""
    rng = np.random.default_rng(SEED)
    found = []
    for p, q, d in shares:
        drawn, times = np.unique(
            rng.multinomial(n, [p, q, d], size=n_samples), axis=0, return_counts=True
        )
        held = 0
        for (a, b, c), count in zip(drawn.tolist(), times.tolist(), strict=True):
            score = score_of_groups(a, b, c, interval=interval)  # type: ignore[arg-type]
            held += count * (score.low <= 100 * (p - d) <= score.high)
        found.append(held / n_samples)
    return np.array(found)


def two_sample_coverage(
    interval: Callable[[int, int, int, int], tuple[float, float]],
    truth: Callable[[float, float], float],
    n: int,
    n_samples: int,
) -> Floats:
    """Return the coverage of a comparison of two samples of n, over pairs of proportions."""
    rng = np.random.default_rng(SEED)
    found = []
    for p1 in (0.1, 0.3, 0.5, 0.7, 0.9):
        for p2 in (0.1, 0.3, 0.5, 0.7, 0.9):
            pairs = np.column_stack(
                [rng.binomial(n, p1, n_samples), rng.binomial(n, p2, n_samples)]
            )
            drawn, times = np.unique(pairs, axis=0, return_counts=True)
            held = 0
            for (k1, k2), count in zip(drawn.tolist(), times.tolist(), strict=True):
                low, high = interval(k1, n, k2, n)
                held += count * (low <= truth(p1, p2) <= high)
            found.append(held / n_samples)
    return np.array(found)


def rate_coverage(events: float) -> float:
    """Return the exact coverage of Garwood's interval where so many events are expected."""
    counts = np.arange(int(events + 12 * events**0.5 + 20))
    low, high = np.array([garwood(int(k), 1.0) for k in counts]).T
    inside = (low <= events) & (events <= high)
    return float((poisson.pmf(counts, events) * inside).sum())


def quantile_coverage(n: int, q: float) -> float:
    """Return the exact coverage of the order-statistic interval of a continuous quantile."""
    low, high = quantile_ranks(n, q)
    return float(binom.cdf(high - 1, n, q) - (binom.cdf(low - 1, n, q) if low else 0))


def mean_coverage(kind: str, n: int, n_samples: int) -> float:
    """Return the coverage of an interval of the mean of exponential (skewed) values."""
    rng = np.random.default_rng(SEED)
    held = 0
    for _ in range(n_samples):
        values = rng.exponential(size=n)
        if kind == "t":
            low, high = mean_t(float(values.mean()), float(values.std(ddof=1)), n)
        else:
            low, high = bootstrap(values, method="percentile", n_resamples=999, rng=rng)
        held += low <= 1 <= high
    return held / n_samples


def cluster_coverage(n_customers: int, n_samples: int, *, clustered: bool) -> float:
    """Return the coverage for journeys of customers whose chances vary (Beta(2, 3))."""
    rng = np.random.default_rng(SEED)
    held = 0
    for _ in range(n_samples):
        journeys = 1 + rng.poisson(4, n_customers)
        customer = np.repeat(np.arange(n_customers), journeys)
        converted = rng.random(len(customer)) < rng.beta(2, 3, n_customers)[customer]
        rate = conversion_rate(converted, customer=customer if clustered else None)
        held += rate.low <= 0.4 <= rate.high
    return held / n_samples


def share_grid() -> Floats:
    """Return triples of shares on a grid of tenths, none of them 0."""
    tenths = [(a, 10 - a - c, c) for a in range(1, 9) for c in range(1, 10 - a)]
    return np.array(tenths, dtype=np.float64) / 10


def row(label: str, n: int | str, found: Floats) -> Sequence[str]:
    """Return a row of a table: mean and least coverage."""
    return (
        label,
        f"{n:,}" if isinstance(n, int) else n,
        f"{found.mean():.3f}",
        f"{found.min():.3f}",
    )


def show(title: str, header: Sequence[str], rows: Table) -> None:
    """Print a table in Markdown."""
    print(f"\n### {title}\n")
    for line in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(line) + " |")


def main() -> None:
    """Print all tables."""
    proportions = {
        "Wilson": wilson,
        "Agresti-Coull": agresti_coull,
        "Clopper-Pearson": clopper_pearson,
        "Jeffreys": jeffreys,
    }
    rows: Table = []
    for name, interval in proportions.items():
        for n in SIZES:
            found = proportion_coverage(interval, n)
            rows.append((*row(name, n, found), f"{found[WITHIN].min():.3f}"))
    header = ["interval", "n", "mean over p", "least", "least for p in [.1, .9]"]
    show("One proportion (exact, p = .001, .002 … .999)", header, rows)

    rows = []
    for kind, label in (("adjusted_wald", "adjusted Wald"), ("wald", "Wald")):
        for n in SIZES:
            rows.append(row(label, n, score_coverage(kind, n, share_grid(), 4000)))
    header = ["interval", "n", "mean over shares", "least"]
    show("Net Promoter Score (36 splits, 4,000 samples each)", header, rows)

    rows = [
        row(label, n, two_sample_coverage(interval, truth, n, 4000))
        for label, interval, truth in (("Newcombe, difference", newcombe, lambda a, b: a - b),)
        for n in SIZES
    ]
    header = ["interval", "n each", "mean over 25 pairs", "least"]
    show("Two proportions (p in .1, .3 … .9; 4,000 samples each)", header, rows)

    rows = [(f"{e:g}", f"{rate_coverage(e):.3f}") for e in (0.5, 1, 3, 10, 30, 100, 1000)]
    show("Garwood's rate (exact)", ["expected events", "coverage"], rows)

    rows = [(f"{n:,}", *(f"{quantile_coverage(n, q):.3f}" for q in (0.5, 0.9))) for n in SIZES]
    show("Order statistics (exact)", ["n", "median", "90th percentile"], rows)

    rows = [
        (f"{n:,}", *(f"{mean_coverage(kind, n, 2000):.3f}" for kind in ("t", "bootstrap")))
        for n in SIZES
    ]
    header = ["n", "Student's t", "bootstrap percentile"]
    show("Mean of skewed (exponential) values (2,000 samples)", header, rows)

    rows = [
        (f"{n:,}", *(f"{cluster_coverage(n, 2000, clustered=c):.3f}" for c in (True, False)))
        for n in SIZES
    ]
    header = ["customers", "clustered by customer", "Wilson, as if independent"]
    show("Conversion of several journeys a customer (2,000 samples)", header, rows)


if __name__ == "__main__":
    main()
