"""How often the intervals of whole journeys' times and transitions hold the truth. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/chain_times.py [logs] [first seed]

Customers differ in how easily they leave (logit-normal, sd .7), most have one case and a few very
many (Pareto 1.2), and the window cuts what is in progress: 60, 25 or 12 days. The truth is what
the chain of the population says; where the limit is longer than the window, up to what each log
followed. It prints a table of docs/explanation/calibration-critical.md.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np

import cxjourney as cx

NAMES = np.array(["ad", "web", "shop", "buy"])
LEAVES = np.array([0.30, 0.20, 0.10])
GOES = np.array([[0.1, 0.7, 0.2, 0.0], [0.1, 0.2, 0.4, 0.3], [0.0, 0.2, 0.2, 0.6]])
MEAN_DAYS = np.array([0.5, 1.2, 2.5])
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FIGURES = ("seconds", "seconds_converted", "steps", "steps_converted")


@attrs.frozen(kw_only=True)
class World:
    """A world: customers, days seen, limit [days], how far customers differ in speed, tails."""

    customers: int
    window: float
    limit: float = 7.0
    speed: float = 0.0
    pareto: bool = True


WORLDS = [
    *(World(customers=n, window=w) for n in (50, 200, 1_000) for w in (60.0, 25.0, 12.0)),
    *(World(customers=n, window=12.0, limit=14.0) for n in (50, 200, 1_000)),
    World(customers=200, window=25.0, speed=0.5),
    World(customers=200, window=25.0, pareto=False),
]


def draw(
    rng: np.random.Generator, frail: np.ndarray, slow: np.ndarray, longest: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return case, place and day since its start of each contact."""
    alive, here, day = np.arange(len(frail)), np.zeros(len(frail), dtype=int), np.zeros(len(frail))
    rows = []
    logit = np.log(LEAVES / (1 - LEAVES))
    while len(alive):
        rows.append((alive, here, day))
        goes = rng.random(len(alive)) > 1 / (1 + np.exp(-logit[here] - frail[alive]))
        goes &= here < 3
        alive, here, day = alive[goes], here[goes], day[goes]
        wait = np.minimum(rng.exponential(MEAN_DAYS[here]) * slow[alive], longest)
        here = (rng.random(len(alive))[:, None] > GOES[here].cumsum(axis=1)).sum(axis=1)
        day = day + wait
        if (here == 3).any():
            bought = here == 3
            rows.append((alive[bought], here[bought], day[bought]))
            alive, here, day = alive[~bought], here[~bought], day[~bought]
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def population(world: World) -> np.ndarray:
    """Return the probabilities of going from each place to each, frail and steady together."""
    rng = np.random.default_rng(0)
    case, place, day = draw(
        rng, rng.normal(0, 0.7, 1_000_000), np.ones(1_000_000), world.limit - 0.01
    )
    order = np.lexsort((day, case))
    case, place = case[order], place[order]
    moved = case[1:] == case[:-1]
    count = np.zeros((3, 4))
    np.add.at(count, (place[:-1][moved], place[1:][moved]), 1)
    return count / np.bincount(place, minlength=4)[:3, None]


def truths(world: World, moves: np.ndarray, followed: np.ndarray) -> np.ndarray:
    """Return the four figures of the chain with waits followed up to some days at each place."""
    cut = np.minimum(followed, world.limit - 0.01)
    rate = 1 / MEAN_DAYS
    # the last of `draw`'s waits has a mass of its own at the limit, if that was followed
    seen = np.where(followed >= world.limit - 0.01, 1.0, 1 - np.exp(-rate * cut))
    spent = MEAN_DAYS * (1 - np.exp(-rate * cut)) - cut * np.exp(-rate * cut) * (seen < 1)
    moved = moves * seen[:, None]
    inverse = np.linalg.inv(np.eye(3) - moved[:, :3])
    visits, hit = inverse[0], inverse @ moved[:, 3]
    to = np.append(hit, 1.0)
    seconds = visits @ (moves.sum(axis=1) * spent)
    converted = visits @ ((moves * to).sum(axis=1) * spent) / hit[0]
    steps = 1 + visits.sum()
    return np.array([86_400 * seconds, 86_400 * converted, steps, 1 + visits @ hit / hit[0]])


def journeys_of(world: World, seed: int) -> cx.Journeys:
    """Return the journeys of one log."""
    rng = np.random.default_rng(seed)
    n = world.customers
    each = np.minimum(rng.pareto(1.2, n) + 1, 200).astype(int) if world.pareto else np.full(n, 3)
    who = np.repeat(np.arange(n), each)
    slow = np.exp(rng.normal(-0.5 * world.speed**2, world.speed, n))
    case, place, day = draw(rng, rng.normal(0, 0.7, n)[who], slow[who], world.limit - 0.01)
    day = day + (rng.random(len(who)) * world.window)[case]
    seen = day <= world.window
    log = cx.InteractionLog.from_frame(
        {
            "who": who[case][seen].astype(str),
            "case": case[seen].astype(str),
            "what": NAMES[place[seen]],
            "when": np.datetime64("2026-01-01", "us") + (day[seen] * 86_400e6).astype("m8[us]"),
        },
        customer="who",
        journey="case",
        touchpoint="what",
        timestamp="when",
        observed_until=BEGIN + timedelta(days=world.window),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=world.limit))


def study(world: World, logs: int, first: int = 0) -> dict[str, np.ndarray]:
    """Return by figure the mean over logs of estimate / truth, coverage, and share without one."""
    moves = population(world)
    found = []
    for seed in range(first, first + logs):
        result = cx.critical.bottlenecks(journeys_of(world, seed))
        table = result.table
        at = dict(
            zip(table["touchpoint"], np.nan_to_num(table["followed_s"], nan=np.inf), strict=True)
        )
        true = truths(world, moves, np.array([at.get(name, np.inf) for name in NAMES[:3]]) / 86_400)
        ends = np.array([[e.value, e.low, e.high] for e in (getattr(result, f) for f in FIGURES)])
        held = np.where(np.isnan(ends[:, 1]), np.nan, (ends[:, 1] <= true) & (true <= ends[:, 2]))
        found.append(np.stack([ends[:, 0] / true, held], axis=1))
    ratio, held = np.array(found).transpose(2, 1, 0)
    return {
        name: np.array([np.nanmean(ratio[i]), np.nanmean(held[i]), np.isnan(held[i]).mean()])
        for i, name in enumerate(FIGURES)
    }


def main() -> None:
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("| world | " + " | ".join(FIGURES) + " | no interval |")
    print("|---|---|---|---|---|---|")
    for world in WORLDS:
        found = study(world, logs, first)
        cells = " | ".join(f"{mean:.3f}, {held:.3f}" for mean, held, _ in found.values())
        print(f"| {world} | {cells} | {max(none for *_, none in found.values()):.3f} |", flush=True)


if __name__ == "__main__":
    main()
