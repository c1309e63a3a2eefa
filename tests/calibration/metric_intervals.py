"""How often intervals of surveys, money and contacts hold where customers differ or are few.

Run by hand: `python tests/calibration/metric_intervals.py`. The tables go into
docs/explanation/calibration-metrics.md. A customer answers several times and has a level of its own
(frailty); in the heavy-tailed worlds a few customers give most of the answers (Pareto 1.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjourney.metrics import (
    Estimate,
    Scale,
    average_order_value,
    ces,
    contact_rate,
    csat,
    expectation_gap,
    mean_score,
    nps,
    nps_difference,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjourney._support.array_types import Floats, Ints

SEED = 20261130
FIGURES = ("nps", "csat", "ces", "ces, version 1 (2 %)", "mean_score", "expectation_gap")
ANSWERS = {"ten answers each": 10, "Pareto 1.2": None}
Table = list[Sequence[str]]
Column = Callable[[np.random.Generator, int], "Floats"]


def survey(rng: np.random.Generator, n: int, each: int | None) -> tuple[Ints, Floats, Floats]:
    """Return who answers, what (0 to 10), and what they expected."""
    times = np.full(n, each) if each else np.minimum(rng.pareto(1.2, n) + 1, 1000).astype(int)
    who = np.repeat(np.arange(n), times)
    level = rng.normal(7.5, 2.0, n)[who]
    answers = np.clip(np.rint(level + rng.normal(0, 1.2, len(who))), 0, 10)
    hoped = np.clip(np.rint(7.5 + 0.3 * (level - 7.5) + rng.normal(0, 1.2, len(who))), 0, 10)
    return who, answers, hoped


def ask(name: str, answers: Floats, hoped: Floats, who: NDArray[Any] | None) -> Estimate:
    """Return one of the figures of a survey."""
    five = np.ceil((answers + 1) / 11 * 5)
    found: dict[str, Callable[[], Estimate]] = {
        "nps": lambda: nps(answers, customer=who),
        "csat": lambda: csat(five, customer=who),
        "ces": lambda: ces(np.ceil((answers + 1) / 11 * 7), customer=who),
        "ces, version 1 (2 %)": lambda: ces(five, version=1, customer=who),
        "mean_score": lambda: mean_score(answers, scale=Scale.ZERO_TO_TEN, customer=who),
        "expectation_gap": lambda: expectation_gap(answers, hoped, customer=who),
    }
    return found[name]()


@cache
def survey_truth(name: str) -> float:
    """Return the figure of a large world; how often customers answer says nothing of what."""
    _, answers, hoped = survey(np.random.default_rng(SEED), 400_000, 1)
    return ask(name, answers, hoped, None).value


def survey_coverage(
    name: str, n: int, each: int | None, n_logs: int, *, clustered: bool
) -> tuple[float, float]:
    """Return how often the interval holds the truth where there is one, and how often there is."""
    rng, truth = np.random.default_rng(SEED), survey_truth(name)
    held = known = 0
    for _ in range(n_logs):
        who, answers, hoped = survey(rng, n, each)
        found = ask(name, answers, hoped, who if clustered else None)
        known += not math.isnan(found.low)
        held += found.low <= truth <= found.high
    return held / max(known, 1), known / n_logs


def wave_coverage(
    n1: int, n2: int, shares: Sequence[Sequence[float]], n_logs: int, *, paired: bool = False
) -> float:
    """Return how often the interval of a difference of two waves holds the truth."""
    rng = np.random.default_rng(SEED)
    truth = 100 * (shares[0][0] - shares[0][2] - shares[1][0] + shares[1][2])
    held = 0
    for _ in range(n_logs):
        first = rng.choice([10, 8, 0], n1, p=shares[0])
        second = rng.choice([10, 8, 0], n2, p=shares[1])
        found = nps_difference(first, second, paired=paired)
        held += found.low <= truth <= found.high
    return held / n_logs


def shared_wave_coverage(n: int, each: int | None, n_logs: int, *, clustered: bool) -> float:
    """Return the same where customers answer again and are in both waves; the truth is 0."""
    rng = np.random.default_rng(SEED)
    held = 0
    for _ in range(n_logs):
        who, answers, _ = survey(rng, n, each)
        wave = rng.random(len(who)) < 0.5
        owners = (who[wave], who[~wave]) if clustered else None
        found = nps_difference(answers[wave], answers[~wave], customer=owners)
        held += found.low <= 0 <= found.high or math.isnan(found.low)
    return held / n_logs


def mean_coverage(n: int, shares: Sequence[float], n_logs: int, *, scale: Scale | None) -> float:
    """Return how often the interval of a mean of five-point answers holds the truth."""
    rng = np.random.default_rng(SEED)
    truth = float(np.arange(1, 6) @ np.array(shares))
    held = 0
    for _ in range(n_logs):
        found = mean_score(rng.choice(np.arange(1.0, 6), n, p=shares), scale=scale)
        held += found.low - 1e-9 <= truth <= found.high + 1e-9
    return held / n_logs


def value_coverage(draw: Column, truth: float, n: int, n_logs: int) -> float:
    """Return how often the interval of the order value holds the truth."""
    rng = np.random.default_rng(SEED)
    found = (average_order_value(draw(rng, n)) for _ in range(n_logs))
    return sum(e.low <= truth <= e.high for e in found) / n_logs


def rate_coverage(draw: Column, truth: float, n: int, n_logs: int, interval: str) -> float:
    """Return how often the interval of the rate of contacts holds the truth."""
    rng = np.random.default_rng(SEED)
    found = (contact_rate(draw(rng, n), interval=interval) for _ in range(n_logs))  # type: ignore[arg-type]
    return sum(e.low <= truth <= e.high for e in found) / n_logs


SPLITS = {
    "60/20/20 twice": ((0.6, 0.2, 0.2), (0.6, 0.2, 0.2)),
    "60/20/20 and 90/8/2": ((0.6, 0.2, 0.2), (0.9, 0.08, 0.02)),
    "97/3/0 twice": ((0.97, 0.03, 0.0), (0.97, 0.03, 0.0)),
    "thirds and 10/85/5": ((1 / 3, 1 / 3, 1 / 3), (0.1, 0.85, 0.05)),
}
MEANS = {
    "even": (0.2,) * 5,
    "most the best": (0.01, 0.02, 0.05, 0.12, 0.8),
    "4 % the worst, else the best": (0.04, 0, 0, 0, 0.96),
    "both ends": (0.4, 0.05, 0.05, 0.1, 0.4),
}
VALUES: dict[str, tuple[Column, float]] = {
    "normal": (lambda rng, n: rng.normal(100, 20, n), 100.0),
    "gamma, shape 2": (lambda rng, n: rng.gamma(2, size=n), 2.0),
    "log-normal, sigma 0.5": (lambda rng, n: rng.lognormal(0, 0.5, n), math.exp(0.125)),
    "log-normal, sigma 1": (lambda rng, n: rng.lognormal(0, 1, n), math.exp(0.5)),
    "log-normal, sigma 1.5": (lambda rng, n: rng.lognormal(0, 1.5, n), math.exp(1.125)),
    "Pareto 2.5": (lambda rng, n: rng.pareto(2.5, n) + 1, 2.5 / 1.5),
}
COUNTS: dict[str, tuple[Column, float]] = {
    "Poisson, mean 2": (lambda rng, n: rng.poisson(2, n), 2.0),
    "Poisson, mean 0.3": (lambda rng, n: rng.poisson(0.3, n), 0.3),
    "negative binomial, r 1": (lambda rng, n: rng.poisson(rng.gamma(1, 1, n)), 1.0),
    "negative binomial, r 0.2": (lambda rng, n: rng.poisson(rng.gamma(0.2, 5, n)), 1.0),
    "Pareto 1.2, at most 1,000": (
        lambda rng, n: rng.poisson(0.2 * np.minimum(rng.pareto(1.2, n) + 1, 1000)),
        0.2 * (6 - 5 * 1000**-0.2),
    ),
}


def tables(n_logs: int) -> dict[str, Table]:
    """Return all tables, their rows as text."""
    out: dict[str, Table] = {"surveys": [], "waves": [], "shared": [], "means": []}
    for name in FIGURES:
        for world, each in ANSWERS.items():
            for n in (20, 40, 50, 200):
                plain, _ = survey_coverage(name, n, each, n_logs, clustered=False)
                own, known = survey_coverage(name, n, each, n_logs, clustered=True)
                out["surveys"].append((name, world, str(n), *three(plain, own), f"{known:.2f}"))
    for world, shares in SPLITS.items():
        found = [
            wave_coverage(*sizes, shares, n_logs)
            for sizes in ((5, 5), (10, 10), (10, 40), (20, 20), (50, 50), (200, 200))
        ]
        found += [wave_coverage(n, n, shares, n_logs, paired=True) for n in (10, 50)]
        out["waves"].append((world, *three(*found)))
    for world, each in ANSWERS.items():
        for n in (20, 50, 200):
            found = [shared_wave_coverage(n, each, n_logs, clustered=c) for c in (False, True)]
            out["shared"].append((world, str(n), *three(*found)))
    for world, answers in MEANS.items():
        for scale in (None, Scale(1, 5)):
            found = [
                mean_coverage(n, answers, n_logs, scale=scale) for n in (3, 5, 10, 20, 50, 200)
            ]
            out["means"].append((world, "yes" if scale else "no", *three(*found)))
    out["money"] = [
        (world, *three(*(value_coverage(*drawn, n, n_logs) for n in (10, 20, 50, 200, 1000))))
        for world, drawn in VALUES.items()
    ]
    out["contacts"] = [
        (world, how, *three(*(rate_coverage(*drawn, n, n_logs, how) for n in (10, 20, 50, 200))))
        for world, drawn in COUNTS.items()
        for how in ("garwood", "jackknife")
    ]
    return out


def three(*shares: float) -> tuple[str, ...]:
    return tuple(f"{share:.3f}" for share in shares)


if __name__ == "__main__":
    for title, rows in tables(1000).items():
        print(f"\n## {title}\n")
        for row in rows:
            print(f"| {' | '.join(row)} |")
