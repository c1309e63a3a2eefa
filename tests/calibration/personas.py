"""Whether personas find planted groups, and none where there is none. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/personas.py [seeds] [first seed]

Each seed draws 5,000 journeys, one a customer, of three chains over eight places, of which a third
is still in progress, and as many of one chain. The true chains put so many customers right that the
adjusted Rand index of the truth lies between .6 and .8. It prints a table of docs/how-to/
find-personas.md: how often the number of groups is right, the index beside that of the true chains,
and how many groups are called stable, where they are planted and where three are asked for.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import numpy as np

import cxjourney as cx

N, K = 5_000, 8
SHARES = (0.5, 0.3, 0.2)
MIX = 0.78
BEGIN = np.datetime64("2026-01-01", "us")


def chains(groups: int) -> np.ndarray:
    """Return moves of each group: from a place, or the beginning (K), to a place, won or lost."""
    rng = np.random.default_rng(5)
    common = rng.dirichlet(np.full(K, 0.8), K + 1)
    own = rng.dirichlet(np.full(K, 0.5), (3, K + 1))
    moves = (1 - MIX) * common + MIX * own
    ends = rng.dirichlet(np.array([1.0, 2.0]), (3, K + 1)) * 0.12
    ends[:, K] = 0
    moves = moves * (1 - ends.sum(axis=2, keepdims=True))
    return np.concatenate([moves, ends], axis=2)[:groups]


def draw(seed: int, groups: int = 3, n: int = N) -> tuple[cx.Journeys, np.ndarray, np.ndarray]:
    """Return journeys, the group of each, and where the true chains would put it."""
    rng = np.random.default_rng(seed)
    chance = chains(groups)
    share = np.array(SHARES[:groups]) / sum(SHARES[:groups])
    group = rng.choice(groups, n, p=share)
    who, place, length = np.arange(n), np.full(n, K), rng.geometric(0.06, n)
    fit = np.log(share) * np.ones((n, 1))
    rows = []
    for step in range(200):
        who = who[step < length[who]]  # the others are still in progress
        if not len(who):
            break
        line = chance[group[who], place[who]]
        to = (line.cumsum(axis=1) < rng.random(len(who))[:, None]).sum(axis=1)
        to = np.minimum(to, K + 1)
        fit[who] += np.log(chance[:, place[who], to].T)
        rows.append((who, np.full(len(who), step), to))
        place[who] = to
        who = who[to < K]
    customer, step, to = (np.concatenate(one) for one in zip(*rows, strict=True))
    names = np.array([*(f"place {i}" for i in range(K)), "won", "lost"])
    log = cx.InteractionLog.from_frame(
        {
            "who": customer.astype(str),
            "when": BEGIN + step.astype("m8[D]").astype("m8[us]"),
            "what": names[to],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        tz="UTC",
    )
    journeys = log.journeys(goal="won", exit_touchpoints="lost", inactivity=timedelta(days=9_999))
    return journeys, group, fit.argmax(axis=1)


def rand_index(one: np.ndarray, other: np.ndarray) -> float:
    """Return the adjusted Rand index of two partitions (Hubert and Arabie 1985)."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)

    def pairs(x: np.ndarray) -> float:
        return float((x * (x - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    chance = rows * columns / pairs(np.array([table.sum()]))
    return (both - chance) / ((rows + columns) / 2 - chance)


def found_of(personas: cx.personas.Personas, n: int) -> np.ndarray:
    """Return the group in which each customer was put."""
    labels = personas.labels()
    names = {name: i for i, name in enumerate(personas.table["persona"])}
    return np.array([names[labels[str(i)]] if str(i) in labels else 0 for i in range(n)])


def one_seed(seed: int, n: int = N) -> dict[str, float]:
    """Return what is found in a world of three chains and in one of a single chain."""
    journeys, group, best = draw(seed, n=n)
    personas = cx.personas.discover(journeys, rng=seed)
    alone, _, _ = draw(seed, groups=1, n=n)
    single = cx.personas.discover(alone, rng=seed)
    forced = cx.personas.discover(alone, 3, rng=seed)
    truth = rand_index(best, group)
    return {
        "three": float(len(personas.table) == 3),
        "truth": truth,
        "share": rand_index(found_of(personas, n), group) / truth,
        "stable": float(np.mean(personas.table["stable"])),
        "one": float(len(single.table) == 1),
        "false": float(np.mean(forced.table["stable"])),
        "in progress": float(np.mean(journeys.outcome == 2)),
    }


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    found = [one_seed(seed) for seed in range(first, first + seeds)]
    for name in found[0]:
        values = np.array([one[name] for one in found])
        print(f"{name}: mean {values.mean():.3f}, from {values.min():.3f} to {values.max():.3f}")


if __name__ == "__main__":
    main()
