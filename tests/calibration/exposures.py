"""Exposures and histories in worlds whose truth is known: covered, found, and not invented?

Run by hand: `python tests/calibration/exposures.py`. The tables go into
docs/explanation/calibration-experience.md.
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import cxjourney as cx

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY = 86_400_000_000
BEGIN = pd.Timestamp("2026-01-01", tz="UTC")
DAYS = 100  # of observation
WITHIN, DUE = timedelta(days=5), timedelta(days=3)
COMPLIANCE = 0.8
WORLDS = {
    "offers at any time": {},
    "offers at visits": {"visited": True},
    "keen customers get more": {"keen": 1.0},
}
KINDS = ("north", "south", "east", "west")


def log_of(customer, touchpoint, day, attributes=None, **columns):
    """Return a log of rows whose times are days since the beginning."""
    frame = pd.DataFrame({
        "customer": [f"c{i}" for i in customer],
        "touchpoint": touchpoint,
        "timestamp": BEGIN + pd.to_timedelta(np.round(np.asarray(day) * 86_400), unit="s"),
        **columns,
    })  # fmt: skip
    log = cx.InteractionLog.from_frame(
        frame[frame["timestamp"] < BEGIN + pd.Timedelta(days=DAYS)],
        customer="customer",
        timestamp="timestamp",
        touchpoint="touchpoint",
        observed_until=BEGIN + pd.Timedelta(days=DAYS),
        **{name: name for name in columns},
    )
    for name, values in (attributes or {}).items():
        known = {f"c{i}": value for i, value in enumerate(values) if f"c{i}" in log.customer_ids}
        log = log.with_attribute(name, known)
    return log


def held_out(seed: int, n: int, effect: float, *, share: float = 0.5):
    """Return journeys of customers who were dealt into arms, and the truth of what is estimated.

    Who got an offer converts with a probability that is higher by `effect`; four in five of the
    treated get one, a day later on average and always in due time. Frail customers convert less.
    """
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, DAYS, n)
    treated = rng.random(n) < share
    gets = treated & (rng.random(n) < COMPLIANCE)
    offer = rng.uniform(0.1, 2.0, n)
    base = rng.choice([0.2, 0.5], n)
    converts = rng.random(n) < base + effect * gets
    when = rng.uniform(2.5, 7.9, n)
    again = rng.poisson(1.0, n)  # more visits, which neither arm changes
    later = np.repeat(np.arange(n), again)
    customer = np.concatenate([np.arange(n), np.flatnonzero(gets), np.flatnonzero(converts), later])
    names = ["web", "offer", "buy", "web"]
    counts = (n, int(gets.sum()), int(converts.sum()), len(later))
    day = np.concatenate([
        start,
        (start + offer)[gets],
        (start + when)[converts],
        start[later] + rng.uniform(0.1, 2.0, len(later)),
    ])  # fmt: skip
    arms = np.where(treated, "offer", "control")
    kinds = rng.choice(KINDS, n)
    log = log_of(customer, np.repeat(names, counts), day, {"arm": arms, "kind": kinds})
    return log.journeys(goal="buy", inactivity="20d"), effect * COMPLIANCE


def days_of_contact(seed: int, n: int, *, keen: float = 0.0, visited: bool = False):
    """Return journeys of customers who come every day until they buy or leave; offers do nothing.

    They come by chance for ten days or until the purchase, to those who have left too, unless
    `visited`: then only while a customer comes. With `keen` above 0 some customers both buy more
    and get more offers, which confounds.
    """
    rng = np.random.default_rng(seed)
    kind = rng.random(n) < 0.5
    buys = 0.01 + 0.05 * keen * kind
    offers = 0.15 + 0.25 * keen * kind
    start = rng.uniform(0, DAYS, n)
    rows: list[tuple[np.ndarray, str, np.ndarray]] = []
    alive, gone = np.arange(n), np.zeros(0, dtype=np.int64)
    for day in range(50):
        at = start[alive] + day
        rows.append((alive, "web", at))
        reached = alive if visited else np.concatenate([alive, gone])
        some = reached[rng.random(len(reached)) < offers[reached] * (visited or day < 10)]
        rows.append((some, "offer", start[some] + day + 0.1))
        fate = rng.random(len(alive))
        chance = buys[alive] + min(0.015 * day, 0.3)  # who stays longer is likelier to buy
        bought = fate < chance
        rows.append((alive[bought], "buy", at[bought] + 0.3))
        stays = fate > chance + 0.1
        gone = np.concatenate([gone, alive[~stays & ~bought]])
        alive = alive[stays]
    customer = np.concatenate([who for who, _, _ in rows])
    names = np.repeat([name for _, name, _ in rows], [len(who) for who, _, _ in rows])
    log = log_of(customer, names, np.concatenate([day for _, _, day in rows]))
    return log.journeys(goal="buy", inactivity="3d")


def naive_difference(journeys) -> float:
    """Return the conversion of the journeys that ever were exposed minus that of all others."""
    rows = np.asarray(cx.journeys.chosen_rows(journeys, "offer", "exposure"))
    of_row = np.repeat(np.arange(len(journeys)), np.diff(journeys.offsets))
    ever = np.bincount(of_row[rows], minlength=len(journeys)) > 0
    over = journeys.outcome != 2
    return float(journeys.converted[ever & over].mean() - journeys.converted[~ever & over].mean())


def of_all(table, group: str) -> dict:
    return next(row for row in table if row["segment"] == "all" and group in row.values())


def holds(row: dict, truth: float) -> bool:
    return bool(row["difference_low"] <= truth <= row["difference_high"])


def effects(seeds: Iterable[int], *, n: int, share: float = 0.5) -> Counter[str]:
    """Count over seeds whether effects are covered and found, and none is invented."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        for effect in (0.0, 0.25):
            journeys, truth = held_out(seed, n, effect, share=share)
            found = cx.experience.exposures(
                journeys, "offer", within=WITHIN, due=DUE, randomised="arm", segment="kind"
            )
            row = of_all(found.effect, "offer")
            name = "planted" if effect else "none"
            seen[f"{name}: interval holds the truth"] += holds(row, truth)
            seen[f"{name}: p up to .05"] += row["p_value"] <= 0.05
            sure = [r["q_value"] <= 0.05 for r in found.effect if r["segment"] != "all"]
            seen[f"{name}: a segment with q up to .05"] += any(sure)
            whole = found.coverage.row(0)
            truth = share * COMPLIANCE
            seen[f"{name}: coverage within its interval"] += whole["low"] <= truth <= whole["high"]
    return seen


def landmarks(seeds: Iterable[int], *, n: int) -> Counter[str]:
    """Count over seeds what landmarks say where offers do nothing."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        for name, options in WORLDS.items():
            journeys = days_of_contact(seed, n, **options)
            found = cx.experience.exposures(
                journeys, "offer", within=timedelta(days=10), landmark=timedelta(days=3)
            )
            row = of_all(found.association, "exposed")
            seen[f"{name}: interval of the landmark holds 0"] += holds(row, 0.0)
            apart = abs(naive_difference(journeys)) > 0.05
            seen[f"{name}: ever exposed convert 5 points more or less"] += apart
            seen[f"{name}: called an effect"] += found.kind == "effect" or len(found.effect) > 0
    return seen


def remembered(seed: int, n: int, rule: str | None, *, noise: float = 1.0):
    """Return journeys with an overall rating that follows a rule, or nothing."""
    rng = np.random.default_rng(seed)
    trips = 1 + rng.poisson(0.7, n)
    journey = np.arange(trips.sum())
    whose = np.repeat(np.arange(n), trips)
    size = 2 + rng.poisson(3, len(journey))
    item = np.repeat(journey, size)
    own = rng.normal(0, 0.2, n)[whose]
    value = np.clip(own[item] + rng.normal(0, 0.45, len(item)), -1, 1)
    first = np.cumsum(size) - size
    summary = {
        None: np.zeros(len(journey)),
        "mean": np.add.reduceat(value, first) / size,
        "worst": np.minimum.reduceat(value, first),
        "last": value[first + size - 1],
    }
    peak = np.array(
        [part[np.argmax(np.abs(part) - 1e-9 * part)] for part in np.split(value, first[1:])]
    )
    summary["peak-end"] = (peak + summary["last"]) / 2
    mood = rng.normal(0, 0.1, n)[whose]
    rating = summary[rule] + mood + noise * rng.normal(0, 0.2, len(journey))
    before = np.concatenate([np.arange(t) for t in trips]) * 8.0
    day = before[item] + (np.arange(len(item)) - first[item]) * 0.1
    customer = np.concatenate([whose[item], whose])
    names = np.repeat(["web", "survey"], [len(item), len(journey)])
    emotion = np.concatenate([value, np.full(len(journey), np.nan)])
    score = np.concatenate([np.full(len(item), np.nan), rating])
    log = log_of(customer, names, np.concatenate([day, before + 4.0]), emotion=emotion, score=score)
    return log.journeys(inactivity="5d", all_closed=False)


def memories(seeds: Iterable[int], *, n: int) -> Counter[str]:
    """Count over seeds which rule is claimed to be better than the mean."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        for rule in (None, "mean", "peak-end", "worst", "last"):
            found = cx.experience.history(remembered(seed, n, rule), overall="score", rng=seed)
            if rule in {None, "mean"}:
                seen[f"{rule}: a rule is claimed"] += found.best is not None
            else:
                seen[f"{rule}: claimed"] += found.best == rule
                seen[f"{rule}: another one claimed"] += found.best not in {rule, None}
    return seen


def differences(seeds: Iterable[int], *, n: int) -> Counter[str]:
    """Count over seeds how often the interval of a difference to the mean holds the truth.

    The truth is that of 20,000 other customers.
    """
    seen: Counter[str] = Counter()
    for rule in (None, "mean", "peak-end", "last"):
        large = cx.experience.history(remembered(10_000, 20_000, rule), overall="score").rules
        for seed in seeds:
            rules = cx.experience.history(remembered(seed, n, rule), overall="score").rules
            for i, name in enumerate(rules["rule"]):
                if i:
                    low, high = rules["difference_low"][i], rules["difference_high"][i]
                    seen[f"{rule}: interval of {name}"] += low <= large["difference"][i] <= high
    return seen


def printed(title: str, counts: dict[int, Counter[str]], seeds: int) -> None:
    sizes = list(counts)
    print(f"\n{title}\n")
    print("|", " | ".join([f"of {seeds}", *(f"{n:,} customers" for n in sizes)]), "|")
    print("|---" * (1 + len(sizes)) + "|")
    for name in counts[sizes[0]]:
        cells = (f"{counts[n][name] / seeds:.3f}".removeprefix("0") for n in sizes)
        print("|", " | ".join([name, *cells]), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=400)
    options = parser.parse_args()
    every = range(options.seeds)
    printed("Arms of equal size", {n: effects(every, n=n) for n in (300, 1_500)}, options.seeds)
    printed(
        "One in ten held out",
        {n: effects(every, n=n, share=0.9) for n in (300, 1_500)},
        options.seeds,
    )
    printed("Landmarks", {n: landmarks(every, n=n) for n in (300, 1_500)}, options.seeds)
    printed("Rules of memory", {n: memories(every, n=n) for n in (100, 400)}, options.seeds)
    printed("Differences", {n: differences(every, n=n) for n in (100, 400)}, options.seeds)
