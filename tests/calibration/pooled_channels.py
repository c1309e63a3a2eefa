"""Exits of a channel whose touchpoints are followed for unequal times. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/pooled_channels.py [logs] [first seed]

A channel has an old screen that six in ten leave and a new one that one in ten leaves (or none
that differs), launched some days before the end of 120, with a limit of seven. Customers differ in
how easily they leave (logit-normal, sd .7), and a few come very often (Pareto 1.2). It prints a
table of docs/explanation/calibration-dropoff.md.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

import cxjourney as cx
from cxjourney._stats.aalen_johansen import move_mass
from cxjourney.journeys import visits_of

END, LIMIT = 120.0, 7.0
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SD = 0.7


def leaves(rate: float, frailty: np.ndarray) -> np.ndarray:
    """Return the probability to leave of customers of some frailty."""
    return 1 / (1 + np.exp(-np.log(rate / (1 - rate)) - frailty))


def mean_rate(rate: float) -> float:
    """Return the mean probability to leave over all customers."""
    at = np.linspace(-8, 8, 4001)
    weight = np.exp(-(at**2) / 2)
    return float((leaves(rate, SD * at) * weight).sum() / weight.sum())


def journeys_of(seed: int, customers: int, launched: float, new: float) -> cx.Journeys:
    """Return the journeys of one log, each a visit of a screen and perhaps a purchase."""
    rng = np.random.default_rng(seed)
    often = np.minimum(rng.pareto(1.2, customers) + 1, 200).astype(int)
    who = np.repeat(np.arange(customers), often)
    n = len(who)
    is_new = rng.random(n) < 0.5
    day = np.where(is_new, END - launched * rng.random(n), END * rng.random(n))
    frail = rng.normal(0, SD, customers)[who]
    stays = rng.random(n) > np.where(is_new, leaves(new, frail), leaves(0.6, frail))
    buys = day + np.minimum(rng.exponential(1.5, n), LIMIT - 0.1)
    seen = stays & (buys <= END)
    case = np.concatenate([np.arange(n), np.flatnonzero(seen)])
    when = np.concatenate([day, buys[seen]])
    log = cx.InteractionLog.from_frame(
        {
            "who": who[case].astype(str),
            "case": case.astype(str),
            "what": np.concatenate([np.where(is_new, "new", "old"), np.full(seen.sum(), "buy")]),
            "how": np.full(len(case), "app"),
            "when": np.datetime64("2026-01-01", "us") + (when * 86_400e6).astype("m8[us]"),
        },
        customer="who",
        journey="case",
        touchpoint="what",
        channel="how",
        timestamp="when",
        observed_until=BEGIN + timedelta(days=END),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=LIMIT))


def study(customers: int, launched: float, new: float, logs: int, first: int) -> list[float]:
    """Return the truth, the mean estimate, that of pooling first, coverage, and share without."""
    truth = (mean_rate(0.6) + mean_rate(new)) / 2
    found = []
    for seed in range(first, first + logs):
        journeys = journeys_of(seed, customers, launched, new)
        visits = visits_of(journeys, "channel")
        pooled = 1 - move_mass(visits.node, visits.wait_us, visits.state, 1).sum()
        told = cx.dropoff.exits(journeys, by="channel").estimate("app")
        held = np.nan if np.isnan(told.low) else told.low <= truth <= told.high
        found.append((told.value, pooled, held))
    value, pooled, held = np.array(found, dtype=float).T
    return [truth, value.mean(), pooled.mean(), np.nanmean(held), np.isnan(held).mean()]


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("| customers, new screen | truth | mean | pooled first | covers | no interval |")
    print("|---|---|---|---|---|---|")
    for launched, new in ((9.0, 0.1), (30.0, 0.1), (9.0, 0.6)):
        for customers in (50, 200, 1_000):
            found = study(customers, launched, new, logs, first)
            name = f"{customers:,}, {launched:g} days old, leaves {new:g}"
            print(f"| {name} |", " | ".join(f"{x:.3f}" for x in found), "|", flush=True)


if __name__ == "__main__":
    main()
