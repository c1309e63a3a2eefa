"""How often intervals over buckets of customers hold the truth: a study over simulated logs.

Run by hand: `python tests/calibration/buckets.py [logs]`. Worlds: H, every customer has the same
rate and Poisson many visits; F, customers have rates of their own (beta, intra-class correlation
0.2); P, the same with visits from a Pareto distribution of exponent 1.2. Beside the coverage stands
the mean width of the interval over that of leaving one customer out, and what the linearised
interval with the normal quantile covers.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs
import numpy as np

from cxjourney._stats.aalen_johansen import MOVED, OPEN, STAYED, left_out_probabilities, move_mass
from cxjourney._stats.buckets import BucketFigures, difference_of_shares
from cxjourney._stats.intervals import wilson
from cxjourney._stats.ratios import mean_figures
from cxjourney._stats.units import Units
from cxjourney._support.array_types import Bools, Ints

if TYPE_CHECKING:
    from collections.abc import Iterator

N_BUCKETS = 64
RATE, SPREAD, PARETO = 0.3, 0.2, 1.2
LIMIT = 4.0  # of a silence, where going on takes exponential times of mean 1


@attrs.frozen
class Log:
    """Visits of customers: whose, and whether each was the last."""

    customer: Ints
    exits: Bools


def draw(rng: np.random.Generator, world: str, customers: int, rate: float = RATE) -> Log:
    """Return a log of one touchpoint."""
    if world == "P":
        visits = np.minimum(np.ceil((1 - rng.random(customers)) ** (-1 / PARETO)), 1000)
    else:
        visits = 1 + rng.poisson(3, customers)
    own = np.full(customers, rate)
    if world != "H":
        size = 1 / SPREAD - 1
        own = rng.beta(rate * size, (1 - rate) * size, customers)
    customer = np.repeat(np.arange(customers), visits.astype(np.int64))
    return Log(customer=customer, exits=rng.random(len(customer)) < own[customer])


def bucket(rng: np.random.Generator, customers: int) -> Ints:
    """Return the bucket of each customer, as chance deals them; few customers have one each."""
    if customers <= N_BUCKETS:
        return np.arange(customers)
    return rng.integers(0, N_BUCKETS, customers)


def exit_figures(rng: np.random.Generator, log: Log, unit: Ints, n_units: int) -> BucketFigures:
    """Return the exit probability at the limit where a quarter of the visits are censored."""
    n = len(log.customer)
    goes_on = np.minimum(rng.exponential(1, n), 0.99 * LIMIT)
    seen = np.where(rng.random(n) < 0.25, rng.uniform(0, LIMIT, n), np.inf)
    wait = np.where(log.exits, np.inf, goes_on)
    state = np.where(seen < LIMIT, OPEN, STAYED)
    state = np.where(wait <= np.minimum(seen, LIMIT), MOVED, state).astype(np.int8)
    time = (np.minimum(np.minimum(wait, seen), 10 * LIMIT) * 1e6).astype(np.int64)
    node = np.zeros(n, dtype=np.int64)
    without = left_out_probabilities(
        node,
        time,
        state,
        np.where(state == MOVED, 0, -1),
        unit,
        source=np.zeros(1, dtype=np.int64),
        n_nodes=1,
        n_units=n_units,
    )
    units = np.bincount(unit, minlength=n_units)[:, None].astype(np.float64)
    stays = np.array([1 - move_mass(node, time, state, 1).sum()])
    return BucketFigures(whole=stays, without=1 - without, units=units)


def linearised(log: Log) -> tuple[float, float]:
    """Return Wilson's interval on the effective sample of the customers' residuals."""
    n = np.bincount(log.customer).astype(float)
    y = np.bincount(log.customer, log.exits)
    share, g = float(y.sum() / n.sum()), len(n)
    variance = g / (g - 1) * float(((y - share * n) ** 2).sum()) / float(n.sum()) ** 2
    if variance <= 0 or not 0 < share < 1:
        return wilson(share * g, g)
    trials = min(share * (1 - share) / variance, float(n.sum()))
    return wilson(share * trials, trials)


@attrs.define
class Cell:
    """What was seen of one figure in one world."""

    covered: int = 0
    beside: int = 0
    logs: int = 0
    none: int = 0
    width: float = 0.0
    reference: float = 0.0

    def add(self, low: float, high: float, truth: float) -> bool:
        """Count an interval; return whether there is one."""
        self.logs += 1
        if not np.isfinite(low + high):
            self.none += 1
            return False
        self.covered += low <= truth <= high
        return True

    @property
    def coverage(self) -> float:
        """Share of the intervals that hold the truth."""
        return self.covered / max(self.logs - self.none, 1)


def study(
    logs: int, customers: tuple[int, ...] = (20, 50, 200, 1000), seed: int = 1
) -> Iterator[tuple[str, str, int, Cell]]:
    """Yield figure, world, number of customers, and what was seen."""
    for world in "HFP":
        for n in customers:
            rng = np.random.default_rng([seed, "HFP".index(world), n])
            cells = {name: Cell() for name in ("share", "exit probability", "difference, null")}
            for _ in range(logs):
                log = draw(rng, world, n)
                dealt = bucket(rng, n)
                n_units = max(n, 1) if n <= N_BUCKETS else N_BUCKETS
                unit = dealt[log.customer]
                found = mean_figures(log.exits.astype(float), Units(n=n_units, of=unit))
                (low,), (high,) = found.wilson(0.95)
                if cells["share"].add(low, high, RATE):
                    each = mean_figures(log.exits.astype(float), Units.of_customers(log.customer))
                    (a,), (b,) = each.wilson(0.95)
                    cells["share"].width += high - low
                    cells["share"].reference += b - a
                    old = linearised(log)
                    cells["share"].beside += old[0] <= RATE <= old[1]
                stay = exit_figures(rng, log, unit, n_units)
                (low,), (high,) = stay.wilson(0.95)
                cells["exit probability"].add(low, high, RATE)
                half = log.customer % 2 == 0
                sides = [
                    mean_figures(log.exits[side].astype(float), Units(n=n_units, of=unit[side]))
                    for side in (half, ~half)
                ]
                (low,), (high,), _ = difference_of_shares(*sides, level=0.95)
                cells["difference, null"].add(low, high, 0.0)
            for name, cell in cells.items():
                yield name, world, n, cell


def main() -> None:
    """Print the table as Markdown."""
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("| figure | world | customers | coverage | linearised | width | no interval |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, world, n, cell in study(logs):
        some = max(cell.logs - cell.none, 1)
        beside = f"{cell.beside / some:.3f}" if cell.reference else ""
        width = f"{cell.width / cell.reference:.2f}" if cell.reference else ""
        print(
            f"| {name} | {world} | {n:,} | {cell.coverage:.3f} | {beside} | {width} "
            f"| {cell.none / cell.logs:.2f} |"
        )


if __name__ == "__main__":
    main()
