"""Exit probabilities where journeys in progress are many: a study over seeds.

Run by hand: `python tests/calibration/exit_probability.py [seeds]`. A journey begins at A at a time
that is uniform on [0, 8], moves on to B, back to A or to the goal after exponential times of mean
1, or is lost; the snapshot is taken at 8, the limit is 5. Half of what will happen has not been
seen by then.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np

import cxjourney as cx
from cxjourney.dropoff import exits
from cxjourney.metrics import wilson

SNAPSHOT, LIMIT = 8.0, 5.0
EXIT = {"A": 0.4, "B": 0.538}
BACK = 0.3  # of those who go on from B, return to A
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


@attrs.frozen(kw_only=True)
class Truth:
    """What an estimator should find: no touch within the limit."""

    rate: dict[str, float]


def simulate(
    seed: int, *, customers: int, journeys_each: int = 1, concentration: float | None = None
) -> tuple[cx.Journeys, Truth]:
    """Return journeys at the snapshot, and the truth.

    With `concentration` each customer has exit probabilities of their own, drawn from a Beta of
    that concentration around the planted ones. Then waits are uniform on [0, 4] and nobody goes
    back to A: those who stay would come by more often, and the mean over visits would be another.
    """
    rng = np.random.default_rng(seed)
    n = customers * journeys_each
    customer = np.repeat(np.arange(customers), journeys_each)
    rate = {}
    for name, e in EXIT.items():
        own = np.full(customers, e)
        if concentration is not None:
            own = rng.beta(e * concentration, (1 - e) * concentration, customers)
        rate[name] = own[customer]
    back_share = BACK if concentration is None else 0.0
    alive, at_a, time = np.arange(n), np.ones(n, dtype=bool), rng.uniform(0, SNAPSHOT, n)
    rows, timestamps, names = [alive], [time], [np.full(n, "A")]
    while len(alive):
        e = np.where(at_a, rate["A"][alive], rate["B"][alive])
        stays = rng.random(len(alive)) >= e
        alive, at_a, time = alive[stays], at_a[stays], time[stays]
        gap = rng.exponential(1, len(alive)) if concentration is None else None
        time = time + (rng.uniform(0, 4, len(alive)) if gap is None else gap)
        back = rng.random(len(alive)) < back_share
        name = np.where(at_a, "B", np.where(back, "A", "goal"))
        seen = time <= SNAPSHOT
        rows.append(alive[seen])
        timestamps.append(time[seen])
        names.append(name[seen])
        goes_on = seen & (name != "goal")
        alive, at_a, time = alive[goes_on], name[goes_on] == "A", time[goes_on]
    row = np.concatenate(rows)
    start = np.datetime64(BEGIN.replace(tzinfo=None), "us")
    columns = {
        "customer": customer[row],
        "case": row,
        "time": start + (np.concatenate(timestamps) * DAY_US).astype("timedelta64[us]"),
        "touchpoint": np.concatenate(names),
    }
    log = cx.InteractionLog.from_frame(
        columns,
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        journey=None if journeys_each == 1 else "case",
        observed_until=BEGIN + timedelta(days=SNAPSHOT),
    )
    journeys = log.journeys(goal="goal", inactivity=timedelta(days=LIMIT))
    later = np.exp(-LIMIT) if concentration is None else 0.0
    return journeys, Truth(rate={name: e + (1 - e) * later for name, e in EXIT.items()})


def naive(journeys: cx.Journeys, name: str) -> tuple[float, float]:
    """Return the exit rate with open visits counted as lost, and with them left out."""
    node = journeys.graph().nodes[name]
    lost, open_, visits = node["exits"], node["censored"], node["visits"]
    return (lost + open_) / visits, lost / (visits - open_)


def bias(seeds: int, customers: int = 20_000) -> dict[str, np.ndarray]:
    """Return, for A and B, the errors of the estimator and of both shortcuts, one row a seed."""
    errors: dict[str, list[list[float]]] = {name: [] for name in EXIT}
    for seed in range(seeds):
        journeys, truth = simulate(seed, customers=customers)
        found = exits(journeys)
        for name, rows in errors.items():
            values = (found.estimate(name).value, *naive(journeys, name))
            rows.append([value - truth.rate[name] for value in values])
    return {name: np.array(rows) for name, rows in errors.items()}


def coverage(
    seeds: int, *, customers: int, journeys_each: int, concentration: float | None, level=0.95
) -> dict[str, np.ndarray]:
    """Return, for A and B, whether intervals over buckets and plain ones hold the truth.

    The plain interval is Wilson's of exits among the visits that came to an end, as if they were
    independent; the third column is whether the one over buckets is there at all.
    """
    hits: dict[str, list[list[bool]]] = {name: [] for name in EXIT}
    for seed in range(seeds):
        journeys, truth = simulate(
            10_000 + seed,
            customers=customers,
            journeys_each=journeys_each,
            concentration=concentration,
        )
        found = exits(journeys, level=level)
        for name, rows in hits.items():
            e, true = found.estimate(name), truth.rate[name]
            n_exits = round(e.value * e.n)
            low, high = wilson(n_exits, e.n, level=level)
            rows.append([e.low <= true <= e.high, low <= true <= high, e.low == e.low])
    return {name: np.array(rows) for name, rows in hits.items()}


def main(seeds: int) -> None:
    print("## Bias: 20,000 journeys, snapshot in the middle\n")
    print("| touchpoint | S(limit) | mean | worst | beyond .015 | open as lost | open left out |")
    print("|---|---|---|---|---|---|---|")
    _, truth = simulate(0, customers=10)
    for name, errors in bias(seeds).items():
        mean, size = errors.mean(axis=0), np.abs(errors[:, 0])
        print(
            f"| {name} | {truth.rate[name]:.3f} | {mean[0]:+.4f} | {size.max():.4f} "
            f"| {np.count_nonzero(size > 0.015)} of {len(size)} | {mean[1]:+.3f} | {mean[2]:+.3f} |"
        )
    print("\n## Coverage of the 95 % interval\n")
    print("| logs | customers | journeys each | differ | touchpoint | over buckets | plain |")
    print("|---|---|---|---|---|---|---|")
    for customers, each, concentration in (
        (2000, 1, None),
        (200, 10, None),
        (200, 10, 3.0),
        (60, 10, 3.0),
        (1000, 5, 3.0),
    ):
        covered = coverage(
            20 * seeds, customers=customers, journeys_each=each, concentration=concentration
        )
        for name, hits in covered.items():
            share, differ = hits.mean(axis=0), "yes" if concentration else "no"
            print(
                f"| {len(hits):,} | {customers:,} | {each} | {differ} | {name} "
                f"| {share[0]:.3f} | {share[1]:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
