"""Whether predictions come true in planted worlds. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/predict.py [seeds] [first seed]

Each seed draws 80,000 journeys to learn from and 20,000 others, of which each is asked for once: at
a number of visits and after a silence that do not depend on what comes, if it gets there. In world
"memory" the next touch depends on the last two, in "frailty" the chance to leave is also the
customer's, and in "censoring" both hold and half of the journeys that are learned from are in
progress. It prints a table of docs/explanation/prediction.md: in how many seeds the calibration
slope lies in [.9, 1.1], and the mean predicted is within .01 of what was observed. In world
"order 1" nothing but the last touch matters; the last lines say how much worse than the chain of
order 1 the predictor is on the fifth of 100,000 journeys that began last.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import cxjourney as cx

DAY = 86_400_000_000
LIMIT = 14.0
K = 6
NAMES = np.array([*(f"place {i}" for i in range(K)), "order"])
WORLDS = ("memory", "frailty", "censoring")
UNTIL = np.datetime64("2026-01-01", "us")


def world(seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return chances by the last two places: of the next place and the goal, of leaving; waits."""
    rng = np.random.default_rng(seed)
    step = rng.dirichlet(np.full(K, 0.5), (K + 1, K))
    goal = rng.beta(0.5, 3, (K + 1, K))
    leave = rng.beta(0.8, 4, (K + 1, K))
    chance = np.concatenate([step * (1 - goal)[..., None], goal[..., None]], axis=2)
    return chance, leave, rng.uniform(0.3, 2.0, (K, K + 1))


def draw(
    rng: np.random.Generator, n: int, name: str, drift: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return journey, place (K is the goal) and day since its beginning of all interactions."""
    chance, leave, wait = world()
    if name == "order 1":
        chance, leave = (np.broadcast_to(one[:1], one.shape) for one in (chance, leave))
    frail = rng.gamma(2, 0.5, n) if name in {"frailty", "censoring"} else np.ones(n)
    leave = np.minimum(leave + drift, 0.95)
    who, before = np.arange(n), np.full(n, K)
    place, day = rng.integers(0, 3, n), np.zeros(n)
    rows = [(who, place, day)]
    while len(who):
        stays = rng.random(len(who)) >= np.minimum(leave[before, place] * frail[who], 0.98)
        who, before, place, day = (one[stays] for one in (who, before, place, day))
        until = chance[before, place].cumsum(axis=1)
        to = np.minimum((until < rng.random(len(who))[:, None]).sum(axis=1), K)
        day = day + np.minimum(rng.exponential(wait[place, to]), LIMIT - 0.01)
        rows.append((who, to, day))
        on = to < K
        who, before, place, day = who[on], place[on], to[on], day[on]
    journey, what, when = (np.concatenate(one) for one in zip(*rows, strict=True))
    order = np.lexsort((when, journey))
    return journey[order], what[order], when[order]


def log_of(journey: np.ndarray, what: np.ndarray, time: np.ndarray) -> cx.InteractionLog:
    """Return the log of interactions that came before the end of the observation."""
    seen = time < UNTIL
    return cx.InteractionLog.from_frame(
        {"who": journey[seen], "what": NAMES[what[seen]], "when": time[seen]},
        customer="who",
        touchpoint="what",
        timestamp="when",
        observed_until="2026-01-01",
    )


def journeys_of(rng: np.random.Generator, n: int, name: str) -> cx.Journeys:
    """Return journeys to learn from."""
    journey, what, day = draw(rng, n, name)
    window = 25.0 if name == "censoring" else 300.0
    begin = UNTIL - (rng.uniform(0, window, n) * DAY).astype("m8[us]")
    time = begin[journey] + (day * DAY).astype("m8[us]")
    return log_of(journey, what, time).journeys(goal="order", inactivity=f"{LIMIT:g}d")


def asked(rng: np.random.Generator, n: int, name: str) -> tuple[cx.InteractionLog, np.ndarray]:
    """Return prefixes of other journeys, now at the end of the log, and whether each converted."""
    journey, what, day = draw(rng, n, name)
    first = np.flatnonzero(np.append(True, journey[1:] != journey[:-1]))
    length = np.diff(np.append(first, len(journey)))
    won = what[first + length - 1] == K
    visits = length - won
    k = rng.geometric(0.45, n)
    silence = rng.exponential(0.7, n)
    last = first + np.minimum(k, visits) - 1
    after = np.where(last + 1 < first + length, day[np.minimum(last + 1, len(day) - 1)], np.inf)
    there = (k <= visits) & (after - day[last] > silence) & (silence < LIMIT)
    now = day[last] + silence
    inside = np.arange(len(journey)) - first[journey] < k[journey]
    rows = np.flatnonzero(inside & there[journey])
    ago = (now[journey[rows]] - day[rows]) * DAY + 1
    time = UNTIL - ago.astype("m8[us]")
    log = log_of(journey[rows], what[rows], time)
    number = np.array([int(one) for one in log.customer_ids])
    return log, won[number]


def slope(p: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of a logistic regression of y on the log-odds of p."""
    x = np.log(p / (1 - p))
    a, b = 0.0, 1.0
    for _ in range(25):
        m = 1 / (1 + np.exp(-(a + b * x)))
        w = m * (1 - m)
        design = np.stack([np.ones_like(x), x])
        step = np.linalg.solve((design * w) @ design.T, design @ (y - m))
        a, b = a + step[0], b + step[1]
    return float(b)


def one_seed(seed: int, name: str, size: int = 80_000) -> dict[str, Any]:
    """Return slope and mean of the predictor and of the chain of order 1, for one seed."""
    rng = np.random.default_rng(seed)
    journeys = journeys_of(rng, size, name)
    log, won = asked(rng, 3 * size // 4, name)
    predictor = cx.predict.fit(journeys)
    table = predictor.predict(log)
    p, y = np.asarray(table["conversion"]), won.astype(float)
    open_share = float(np.mean(journeys.outcome == 2))
    return {
        "n": len(y),
        "in progress": open_share,
        "slope": slope(p, y),
        "gap": float(p.mean() - y.mean()),
        "loss": float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()),
        "next": float(np.asarray(table["next_probability"]).mean()),
    }


def beyond_order_1(seed: int, size: int = 100_000) -> dict[str, tuple[float, float]]:
    """Return by how much the log loss is above that of order 1, and the lower end [nats]."""
    journeys = journeys_of(np.random.default_rng(seed), size, "order 1")
    scores = cx.predict.evaluate(journeys, at="2025-11-02").scores
    lines = zip(*(scores[name] for name in ("question", "measure", "model")), strict=True)
    return {
        question: (float(scores["difference"][i]), float(scores["difference_low"][i]))
        for i, (question, *which) in enumerate(lines)
        if which == ["log loss", "order 1"]
    }


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print("| world | seeds | in progress | asked | slope | mean gap | both hold |")
    print("|---|---|---|---|---|---|---|")
    for name in WORLDS:
        found = [one_seed(seed, name) for seed in range(first, first + seeds)]
        slopes, gaps = (np.array([one[key] for one in found]) for key in ("slope", "gap"))
        held = (slopes >= 0.9) & (slopes <= 1.1) & (np.abs(gaps) <= 0.01)
        print(
            f"| {name} | {seeds} | {found[0]['in progress']:.0%} | {found[0]['n']:,} | "
            f"{slopes.min():.3f} to {slopes.max():.3f} | {gaps.min():+.4f} to {gaps.max():+.4f} | "
            f"{held.mean():.0%} |",
            flush=True,
        )
    beyond = [beyond_order_1(seed) for seed in range(first, first + seeds)]
    for question in beyond[0]:
        more, low = np.array([one[question] for one in beyond]).T
        print(
            f"order 1, {question}: {more.mean():+.6f} nats on average, at most {more.max():+.6f}, "
            f"{np.mean(low > 0):.0%} of {seeds} significantly above 0"
        )


if __name__ == "__main__":
    main()
