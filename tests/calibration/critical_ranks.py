"""What the ranks and the confidence of critical points say, and how often they are right. By hand:

    OPENBLAS_NUM_THREADS=1 python tests/calibration/critical_ranks.py [logs] [first seed] [world]

Twelve touchpoints, six early (exit .35) and six late (.15), traffic skewed 20 to 1 within each; one
of the twelve, drawn at random, loses more. Customers differ in how easily they leave (frailty,
logit-normal) and make several journeys. It prints the tables of
docs/explanation/calibration-critical.md.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import attrs
import numpy as np

import cxjourney as cx
from cxjourney.critical import _points

BEGIN = np.datetime64("2026-01-01", "us")
SIDE = 6
NAMES = [f"early {i}" for i in range(SIDE)] + [f"late {i}" for i in range(SIDE)]
SHARE = np.geomspace(20, 1, SIDE) / np.geomspace(20, 1, SIDE).sum()


@attrs.frozen(kw_only=True)
class World:
    """A world: how many customers, what is planted, and how customers and touchpoints differ."""

    customers: int
    points: float = 0.0
    frailty: float = 0.0
    spread: float = 0.0
    staged: bool = True
    pareto: bool = False


WORLDS = {
    "1,200, +8": World(customers=1_200, points=0.08),
    "1,200, +8, frailty": World(customers=1_200, points=0.08, frailty=0.7),
    "5,000, +8, frailty": World(customers=5_000, points=0.08, frailty=0.7),
    "1,200, +8, frailty, rates differ": World(
        customers=1_200, points=0.08, frailty=0.7, spread=0.2
    ),
    "800, +8, frailty, Pareto visits": World(customers=800, points=0.08, frailty=0.7, pareto=True),
    "1,200, nothing, frailty, rates differ": World(customers=1_200, frailty=0.7, spread=0.2),
    "1,200, nothing, frailty": World(customers=1_200, frailty=0.7),
    "5,000, nothing, frailty": World(customers=5_000, frailty=0.7),
    "800, nothing, frailty, Pareto visits": World(customers=800, frailty=0.7, pareto=True),
    "1,200, +8, frailty, no stages": World(customers=1_200, points=0.08, frailty=0.7, staged=False),
    "5,000, +8, frailty, no stages": World(customers=5_000, points=0.08, frailty=0.7, staged=False),
    "1,200, nothing, frailty, no stages": World(customers=1_200, frailty=0.7, staged=False),
    "5,000, nothing, frailty, no stages": World(customers=5_000, frailty=0.7, staged=False),
    "5,000, nothing, frailty, rates differ, no stages": World(
        customers=5_000, frailty=0.7, spread=0.2, staged=False
    ),
}


def simulate(world: World, seed: int) -> tuple[cx.Journeys, int, np.ndarray]:
    """Return journeys, which touchpoint was planted (-1 for none), and logits of all exits."""
    rng = np.random.default_rng(seed)
    base = np.repeat([0.35, 0.15], SIDE)
    planted = int(rng.integers(len(NAMES))) if world.points else -1
    logit = np.log(base / (1 - base)) + rng.normal(0, 1, len(NAMES)) * world.spread
    if planted >= 0:
        rate = 1 / (1 + np.exp(-logit[planted])) + world.points
        logit[planted] = np.log(rate / (1 - rate))
    if world.pareto:
        each = np.minimum(rng.pareto(1.2, world.customers) + 1, 200).astype(np.int64)
    else:
        each = np.minimum(rng.geometric(0.5, world.customers), 6)
    customer = np.repeat(np.arange(world.customers), each)
    frail = (rng.normal(0, 1, world.customers) * world.frailty)[customer]
    here = rng.choice(SIDE, len(customer), p=SHARE)
    alive = np.arange(len(customer))
    rows, places = [], []
    for _ in range(60):
        rows.append(alive)
        places.append(here)
        leaves = rng.random(len(alive)) < 1 / (1 + np.exp(-logit[here] - frail[alive]))
        alive, here = alive[~leaves], here[~leaves]
        u = rng.random(len(alive))
        late = here >= SIDE
        buys = late & (u < 0.4)
        rows.append(alive[buys])
        places.append(np.full(int(buys.sum()), len(NAMES)))
        to_late = late | (u < 0.5)
        alive, to_late = alive[~buys], to_late[~buys]
        here = rng.choice(SIDE, len(alive), p=SHARE) + SIDE * to_late
        if not len(alive):
            break
    step = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    row, place = np.concatenate(rows), np.concatenate(places)
    order = np.lexsort((step, row))
    row, place, step = row[order], place[order], step[order]
    names, stages = (
        np.array([*NAMES, "buy"]),
        np.array(["early"] * SIDE + ["late"] * SIDE + ["end"]),
    )
    frame = {
        "who": np.char.add("c", customer[row].astype(str)),
        "case": np.char.add("j", row.astype(str)),
        "what": names[place],
        "when": BEGIN + step.astype("timedelta64[m]"),
    }
    columns = {"customer": "who", "touchpoint": "what", "timestamp": "when", "journey": "case"}
    if world.staged:
        frame["stage"], columns["stage"] = stages[place], "stage"
    log = cx.InteractionLog.from_frame(
        frame, **columns, observed_until=datetime(2027, 1, 1, tzinfo=UTC)
    )
    return log.journeys(goal="buy", all_closed=True), planted, logit


def truths(logit: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return by how much the true rate of each is above the mean of the others of its side."""
    rate = 1 / (1 + np.exp(-logit))
    total = np.repeat(rate.reshape(2, SIDE).sum(axis=1), SIDE)
    excess = rate - (total - rate) / (SIDE - 1)
    return np.array([excess[NAMES.index(name)] for name in names])


def study(world: World, logs: int, first: int = 20_000) -> dict[str, np.ndarray]:
    """Return, log by log, what is said of the first and whether it is right, and the alarms.

    Right is the touchpoint whose true gain is the largest. An alarm is a confidence of .95 or more
    at a touchpoint that loses no more than the others of its side or, where there are no stages,
    at any that was not planted.
    """
    found = {name: [] for name in ("says", "right", "sure", "wrong", "alarm", "power", "each")}
    for seed in range(first, first + logs):
        journeys, planted, logit = simulate(world, seed)
        result = cx.critical.points(journeys)
        table, ranks = result.table, result.rank_probability
        names = table["touchpoint"]
        excess = truths(logit, names)
        with np.errstate(invalid="ignore"):
            slope = np.asarray(table["lost_conversions"]) / np.asarray(table["exit_probability"])
        right = np.zeros(len(names), dtype=bool)
        if excess.max() > 1e-9:
            right[np.argmax(np.nan_to_num(slope) * excess)] = True
        is_planted = np.array([planted >= 0 and name == NAMES[planted] for name in names])
        alarm = np.asarray(table["confidence"]) >= 0.95
        true = excess > 1e-9 if world.staged else is_planted
        found["says"].append(ranks["rank_1"][0])
        found["right"].append(right[0])
        found["sure"].append(result.surely_first and right[0])
        found["wrong"].append(result.surely_first and not right[0])
        found["alarm"].append((alarm & ~true).any())
        found["power"].append((alarm & is_planted).any())
        found["each"].append(np.stack([ranks["rank_1"], right], axis=1))
    return {name: np.array(values) for name, values in found.items() if name != "each"} | {
        "brier": np.array([np.nansum((each[:, 0] - each[:, 1]) ** 2) for each in found["each"]])
    }


def line(name: str, found: dict[str, np.ndarray]) -> str:
    """Return a row of the table."""
    says, right = (float(np.nanmean(found[key])) for key in ("says", "right"))
    rest = [f"{found[key].mean():.3f}" for key in ("brier", "sure", "wrong", "alarm", "power")]
    return f"| {name} ({len(found['says']):,}) | {says:.2f} / {right:.2f} | {' | '.join(rest)} |"


def by_class(found: dict[str, np.ndarray]) -> str:
    """Return what is said and what is, by what is said of the first."""
    says, right = found["says"], found["right"]
    parts = []
    for low, high in ((0, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
        inside = (says >= low) & (says < high)
        if inside.any():
            parts.append(f"[{low}, {high}): {says[inside].mean():.2f} / {right[inside].mean():.2f}")
    return "; ".join(parts)


def main() -> None:
    for name in ("visit_columns", "delay_columns", "feeling_columns", "driver_columns"):
        setattr(_points, name, lambda *_: {})  # nothing is read of them here
    _points.must_pass_column = lambda _, names: ("",) * len(names)
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    chosen = [name for name in WORLDS if len(sys.argv) < 4 or name in sys.argv[3:]]
    print("| world (logs) | says / is | Brier | sure, right | sure, wrong | false alarm | power |")
    print("|---|---|---|---|---|---|---|")
    for name in chosen:
        found = study(WORLDS[name], logs, first)
        print(line(name, found), flush=True)
        if found["right"].any():
            print("   ", by_class(found), flush=True)


if __name__ == "__main__":
    main()
