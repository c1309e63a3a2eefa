"""Worlds with and without planted faults, and what findings say of them.

Run `python tests/calibration/findings.py WORLD LOGS [FIRST_SEED]`; worlds are the keys of `WORLDS`,
"sample", "even sample", "baselines", and "levels" for how often p-values are small by chance.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cxjourney import InteractionLog
from cxjourney._findings import findings
from cxjourney._findings._claims import (
    changes,
    downstream,
    excesses,
    handoffs,
    incidents,
    segment_cells,
)
from cxjourney._findings._trials import Trials
from cxjourney._stats.significance import false_discovery
from cxjourney.datasets import sample

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cxjourney._findings import Findings
    from cxjourney.journeys import Journeys

INACTIVITY = 14
GAP = 2.0  # mean days between two visits of a journey


@attrs.frozen(kw_only=True)
class World:
    """A shop with frail customers, attributes and channels, and the faults planted in it."""

    customers: int = 800
    touchpoints: int = 12
    frailty: float = 0.7
    pareto: bool = False
    vary: float = 0.0
    correlated: bool = False
    stages: bool = True
    touchpoint: float = 0.0  # logit at one touchpoint
    handoff: float = 0.0  # logit after one switch
    segment: float = 0.0  # logit of one level at another touchpoint
    change: float = 0.0  # logit at a third, in a part of the year
    during: tuple[float, float] = (0.75, 1.0)  # that part
    drift: float = 0.0  # logit at t00 at the end of the year, from its middle on
    level: float = 0.0  # logit of one level everywhere
    mix: float = 0.0  # share of journeys that begin late, which falls to none
    incident: float = 0.0  # logit two steps after one level was at t00, on 14 days
    days: int = 365
    attributes: int = 5

    def touchpoints_of(self) -> dict[str, str]:
        """Return where each fault is planted: the four busiest of each stage take turns."""
        half = self.touchpoints // 2
        return {"touchpoint": "t01", "segment": f"t{half + 1:02}", "change": f"t{half + 2:02}"}


def simulate(world: World, seed: int) -> Journeys:
    """Return the journeys of a world."""
    rng = np.random.default_rng(seed)
    k, half, n = world.touchpoints, world.touchpoints // 2, world.customers
    base = np.log(np.where(np.arange(k) < half, 0.35 / 0.65, 0.15 / 0.85))
    base += rng.normal(0, world.vary, k) if world.vary else 0.0
    traffic = np.geomspace(20, 1, half)
    traffic /= traffic.sum()
    frail = rng.normal(0, world.frailty, n)
    visits = np.minimum(rng.pareto(1.2, n) + 1, 200) if world.pareto else rng.geometric(0.45, n)
    levels = rng.integers(0, 4, (world.attributes, n))
    if world.correlated:
        copied = rng.random((world.attributes, n)) < 0.6
        levels = np.where(copied, levels[0], levels)
    customer = np.repeat(np.arange(n), np.minimum(visits, 200).astype(int))
    m = len(customer)
    start = rng.uniform(0, world.days, m)
    order = np.lexsort((start, customer))
    customer, start = customer[order], start[order]
    # journeys of a customer do not overlap: each starts well after the one before
    rank = np.arange(m) - np.searchsorted(customer, customer)
    time = start + rank * 40.0
    alive = np.flatnonzero(time < world.days)
    late = time / world.days
    place = rng.choice(half, m, p=traffic)
    place += half * (rng.random(m) < world.mix * (1 - late))
    channel = rng.integers(0, 3, m)
    before = np.full(m, -1)
    fuse = np.full(m, -1)  # steps until the incident shows
    where = world.touchpoints_of()
    rows: list[tuple[Any, ...]] = []
    for _ in range(60):
        i = alive
        if not len(i):
            break
        rows.append((customer[i], place[i], channel[i], time[i]))
        who = customer[i]
        logit = base[place[i]] + frail[who]
        logit += world.touchpoint * (place[i] == int(where["touchpoint"][1:]))
        logit += world.segment * ((place[i] == int(where["segment"][1:])) & (levels[0, who] == 0))
        first, last = (share * world.days for share in world.during)
        there = place[i] == int(where["change"][1:])
        logit += world.change * (there & (time[i] > first) & (time[i] <= last))
        logit += world.drift * (place[i] == 0) * np.maximum(2 * time[i] / world.days - 1, 0.0)
        logit += world.handoff * ((before[i] == 0) & (channel[i] == 1))
        logit += world.level * (levels[1, who] == 1)
        if world.incident:
            fuse[i] -= 1
            logit += world.incident * (fuse[i] == 0)
            first, last = INCIDENT_DAYS
            hit = (place[i] == 0) & (levels[0, who] == 1)
            fuse[i[hit & (time[i] >= first) & (time[i] < last + 1)]] = 2
        i = i[rng.random(len(i)) > 1 / (1 + np.exp(-logit))]
        time[i] += rng.exponential(GAP, len(i)).clip(0.01, INACTIVITY - 1)
        late_stage = place[i] >= half
        won = late_stage & (rng.random(len(i)) < 0.35)
        rows.append((customer[i][won], np.full(won.sum(), k), channel[i][won], time[i][won]))
        i = i[~won]
        onward = rng.random(len(i)) < np.where(place[i] >= half, 0.85, 0.5)
        place[i] = rng.choice(half, len(i), p=traffic) + half * onward
        before[i] = channel[i]
        switch = rng.random(len(i)) < 0.4
        channel[i] = np.where(switch, rng.integers(0, 3, len(i)), channel[i])
        alive = i[time[i] < world.days]
    who, at, by, when = (np.concatenate(part) for part in zip(*rows, strict=True))
    seen = when < world.days
    who, at, by, when = who[seen], at[seen], by[seen], when[seen]
    names = np.array([*(f"t{x:02}" for x in range(k)), "goal"])
    stage = np.array([*(["early"] * half), *(["late"] * (k - half)), "late"])
    begin = np.datetime64("2025-01-01", "us")
    frame: dict[str, Any] = {
        "customer": [f"c{x}" for x in who.tolist()],
        "touchpoint": names[at].tolist(),
        "channel": np.array(["app", "web", "shop"])[by].tolist(),
        "time": begin + (when * 86_400e6).astype("timedelta64[us]"),
    }
    columns: dict[str, Any] = {"stage": "stage"} if world.stages else {}
    if world.stages:
        frame["stage"] = stage[at].tolist()
    for a in range(world.attributes):
        frame[f"a{a}"] = [f"v{x}" for x in levels[a, who].tolist()]
    log = InteractionLog.from_frame(
        frame,
        customer="customer",
        touchpoint="touchpoint",
        timestamp="time",
        channel="channel",
        tz="UTC",
        attributes=[f"a{a}" for a in range(world.attributes)],
        observed_until=datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=world.days),
        **columns,
    )
    return log.journeys(goal="goal", inactivity=timedelta(days=INACTIVITY))


def planted(world: World) -> dict[str, tuple[str, str, str]]:
    """Return kind, place and segment of each planted fault."""
    where = world.touchpoints_of()
    every = {
        "touchpoint": (
            "more exits than at peers" if world.stages else "more exits than expected",
            where["touchpoint"],
            "",
        ),
        "handoff": ("hand-off that loses", "app → web", ""),
        "segment": ("segment that fares worse", where["segment"], "a0: v0"),
        "change": ("change since a date", where["change"], ""),
        "level": ("segment that fares worse", "everywhere", "a1: v1"),
        "drift": ("slow change", "t00", ""),
    }
    # what becomes better, or was worse when the record began, is no fault
    lasting = world.during[1] == 1
    return {k: v for k, v in every.items() if getattr(world, k) > 0 and (lasting or k != "change")}


def judged(world: World, found: Findings) -> dict[str, float]:
    """Return what was found of what was planted, and what else."""
    wanted = planted(world)
    # an incident at the place of a planted change, or conversions lost there, tell the same fault
    places = {place: name for name, (_, place, _) in wanted.items()}
    row: dict[str, float] = dict.fromkeys(wanted, 0.0)
    false = 0
    for one in found:
        hit = [n for n, key in wanted.items() if key == (one.kind, one.where, one.who)]
        if hit:
            row[hit[0]] = 1.0
        elif not (one.where in places and not one.who) and not (
            world.drift < 0 and one.kind.startswith("more exits")  # than where it is better: true
        ):
            false += 1
    row |= {"sure": len(found), "false": false, "any_false": float(false > 0)}
    row["fdr"] = false / max(len(found), 1)
    watched = {(f.kind, f.where, f.who) for f in found.watching}
    for name, key in wanted.items():
        row[f"{name} sure or watched"] = float(row[name] or key in watched)
    return row


def incident_row(seed: int, name: str) -> dict[str, float]:
    """Return whether the scan finds a delayed incident at its place and dates, beside one step."""
    trials = Trials.of(simulate(WORLDS[name], seed), [f"a{a}" for a in range(5)])
    every = list(incidents(trials))
    row = {}
    for outcome in ("conversion", "exit"):
        one = next(claim for claim in every if claim.outcome == outcome)
        found = one.p <= 0.05
        place = trials.names[one.touchpoint] == "t00" and (one.attribute, one.level) == (0, 1)
        dates = all(
            abs(day - true) <= 3
            for day, true in zip((one.since, one.until), INCIDENT_DAYS, strict=True)
        )
        row |= {
            f"{outcome} found": float(found),
            f"{outcome} place": float(found and place),
            f"{outcome} dates": float(found and place and dates),
        }
        if outcome == "conversion":
            first, last = INCIDENT_DAYS
            code = trials.attributes[0].code[trials.journey]
            here = trials.is_first & (trials.touchpoint == 0) & (code == 1)
            during = here & (trials.day >= first) & (trials.day <= last)
            won = trials.until_goal <= trials.window
            p, q = won[here & ~during].mean(), won[during].mean()
            n = float(during.sum())
            row |= {"n": n, "drop": p - q, "n Δ² / p(1-p)": n * (p - q) ** 2 / (p * (1 - p))}
    return row


INCIDENT_DAYS = (100, 113)
FAULTS = {"touchpoint": 0.45, "handoff": 0.45, "segment": 0.9, "change": 0.7}
WORLDS = {
    "null 800": World(),
    "null 100": World(customers=100),
    "null 800 pareto": World(pareto=True),
    "null 800 no stages": World(stages=False),
    "null 800, 48 touchpoints, correlated": World(touchpoints=48, correlated=True),
    "null 3000": World(customers=3_000),
    "null 5000 pareto": World(customers=5_000, pareto=True),
    "null 3000, 48 touchpoints, correlated": World(
        customers=3_000, touchpoints=48, correlated=True
    ),
    "faults 800": World(**FAULTS),
    "faults 5000": World(customers=5_000, **FAULTS),
    "faults x2 800": World(**{name: 2 * size for name, size in FAULTS.items()}),
    "faults 5000, correlated": World(customers=5_000, correlated=True, **FAULTS),
    "level 3000": World(customers=3_000, level=0.5),
    "mix 3000": World(customers=3_000, mix=0.3),
    "gain, touchpoint": World(customers=3_000, attributes=2, touchpoint=0.2),
    "gain, hand-off": World(customers=3_000, attributes=2, handoff=0.45),
    "gain, segment": World(customers=3_000, attributes=2, segment=0.6),
    "gain, change": World(customers=3_000, attributes=2, change=0.9),
    "gain, touchpoint, no frailty": World(
        customers=3_000, attributes=2, touchpoint=0.2, frailty=0.0
    ),
    "gain, segment, no frailty": World(customers=3_000, attributes=2, segment=0.6, frailty=0.0),
    "better since a date": World(customers=5_000, change=-1.5),
    "better since a date, 20,000": World(customers=20_000, change=-1.0),
    "better for a while": World(customers=5_000, change=-1.5, during=(0.4, 0.6)),
    "drift for the better": World(customers=5_000, drift=-1.5),
    "worse at the beginning": World(customers=5_000, change=1.5, during=(0.0, 0.08)),
    "worse since a date": World(customers=5_000, change=0.7),
    "drift for the worse": World(customers=5_000, drift=1.0),
    "incident": World(customers=12_000, days=180, incident=6.0),
    "incident, twice": World(customers=24_000, days=180, incident=6.0),
    "touchpoint 5000 no stages": World(customers=5_000, stages=False, touchpoint=0.45),
}


def sample_row(seed: int, *, even: bool) -> dict[str, float]:
    """Return what is found in the sample, as it is or made truly null."""
    if even:
        made = sample(seed=seed, handoff=False, critical=False, segment=False, even=True)
    else:
        made = sample(seed=seed)
    journeys = made.journeys()
    found = findings(journeys, n=50)
    wanted = {} if even else SAMPLE
    keys = [(one.kind, one.where, one.who) for one in found]
    watched = {(one.kind, one.where, one.who) for one in found.watching}
    true = _true_excess(Trials.of(journeys, ()), made.truths.exits)
    row = {name: float(key in keys) for name, key in wanted.items()}
    row |= {f"{name} or watched": float(key in {*keys, *watched}) for name, key in wanted.items()}
    others = [key for key in keys if key not in wanted.values()]
    # peers of one stage differ by up to a point in the declared model: that is no false claim
    false = [
        key
        for key in others
        if even or key[0] != SAMPLE["payment"][0] or true[key[1]] < SMALLEST_TRUE
    ]
    last = max((keys.index(key) for key in wanted.values() if key in keys), default=-1)
    row |= {
        "sure": len(keys),
        "any_false": float(bool(false)),
        "fdr": len(false) / max(len(keys), 1),
        "other excess": len(others) - len(false),
        "false before a planted one": float(any(keys.index(key) < last for key in false)),
    }
    if others:
        print(
            " ",
            seed,
            [(*k, round(f.adjusted_p, 4)) for k, f in zip(keys, found, strict=True) if k in others],
            flush=True,
        )
    return row


def _true_excess(trials: Trials, exits: Mapping[str, float]) -> dict[str, float]:
    """Return the true excess of each touchpoint over the others of its stage."""
    rate = np.array([exits[name] for name in trials.names])
    alike = (trials.stage[:, None] == trials.stage) & ~np.eye(trials.size, dtype=np.bool_)
    weight = alike * trials.sums.trials
    peers = weight @ rate / np.maximum(weight.sum(axis=1), 1)
    return dict(zip(trials.names, (rate - peers).tolist(), strict=True))


def baselines(seed: int) -> dict[str, float]:
    """Return how many of the two planted touchpoints stand first by naive measures of the sample.

    Of segments: whether students at cart have the largest raw difference of all.
    """
    trials = Trials.of(sample(seed=seed).journeys(), None)
    sums, planted_ = trials.sums, {"payment", "store advice"}
    measures = {
        "exit rate": sums.rate,
        "visits": sums.trials,
        "exits": sums.events,
        "lost conversions": sums.events * trials.onward,
    }
    row = {
        name: len(planted_ & {trials.names[x] for x in np.argsort(-measure)[:2].tolist()}) / 2
        for name, measure in measures.items()
    }
    cells = list(segment_cells(trials))
    for fewest in (0, 100, 500):
        large = [one for one in cells if one.n >= fewest]
        worst = max(large, key=lambda one: one.effect)
        attribute = trials.attributes[worst.attribute]
        right = (trials.names[worst.touchpoint], attribute.values[worst.level]) == (
            "cart",
            "student",
        )
        row[f"largest difference, at least {fewest} visits"] = float(right)
    stars = [
        false_discovery(np.array([one.p for one in part]))
        for part in (cells, list(handoffs(trials)), list(changes(trials)), list(downstream(trials)))
    ]
    row["tests below .05 without correction"] = float(sum(one.p <= 0.05 for one in cells))
    row["sure, table by table"] = float(sum((part <= 0.05).sum() for part in stars))
    return row


SMALLEST_TRUE = 0.003
SAMPLE = {
    "payment": ("more exits than at peers", "payment", ""),
    "store advice": ("more exits than at peers", "store advice", ""),
    "handoff": ("hand-off that loses", "app → web", ""),
    "segment": ("segment that fares worse", "cart", "segment: student"),
}


def world_row(seed: int, name: str) -> dict[str, float]:
    """Return what is found in a log of a world."""
    world = WORLDS[name]
    segments = [f"a{a}" for a in range(world.attributes)]
    found = findings(simulate(world, seed), segments=segments, n=50)
    row = judged(world, found)
    if row["any_false"]:
        wrong = [(f.kind, f.where, f.who, f.since, round(f.adjusted_p, 4)) for f in found]
        print(" ", seed, wrong, flush=True)
    return row


def gain_row(seed: int, name: str) -> dict[str, float]:
    """Return whether the one planted fault is sure, and whether its gain holds the true one."""
    world = WORLDS[name]
    journeys = simulate(world, seed)
    found = findings(journeys, segments=["a0", "a1"], n=50)
    ((fault, key),) = planted(world).items()
    listed = [one for one in found if (one.kind, one.where, one.who) == key]
    row = dict.fromkeys(("sure", "covered", "too high", "too low", "ratio", "width"), np.nan)
    row["sure"] = float(bool(listed))
    if listed:
        gain, true = listed[0].gain, true_gain(world, seed, journeys, fault, listed[0].since)
        row |= {
            "covered": float(gain.low <= true <= gain.high),
            "too high": float(gain.low > true),
            "too low": float(gain.high < true),
            "ratio": gain.value / true,
            "width": (gain.high - gain.low) / true,
        }
    return row


def true_gain(world: World, seed: int, journeys: Journeys, fault: str, since: str) -> float:
    """Return the conversions that the fault of a world with one costs, by the declared model.

    Σ (p - p₀) g over the visits that it hits: by how much more likely each is the last, times the
    probability of a conversion once one has gone on, had there been no fault. Both are those of the
    customer, whose frailty is drawn first. It is the difference of the two worlds, not an estimate.
    """
    trials = Trials.of(journeys, ["a0"])
    k, half = world.touchpoints, world.touchpoints // 2
    ids = [int(name[1:]) for name in journeys.log.customer_ids]
    frail = np.random.default_rng(seed).normal(0, world.frailty, world.customers)[ids]
    frail = frail[trials.customer]
    place = np.array([int(name[1:]) for name in trials.names])[trials.touchpoint]
    where = world.touchpoints_of()
    hit = place == int(where.get(fault, "t-1")[1:])
    if fault == "segment":
        hit &= trials.attributes[0].code[trials.journey] == trials.attributes[0].values.index("v0")
    elif fault == "change":
        day = (np.datetime64(since) - np.datetime64("2025-01-01")).astype(int)
        hit &= trials.known & (trials.day >= max(day, world.during[0] * world.days))
    elif fault == "handoff":
        assert trials.channels is not None
        names, here, before = trials.channels
        hit = (before == names.index("app")) & (here == names.index("web"))
    base = np.where(np.arange(k) < half, np.log(0.35 / 0.65), np.log(0.15 / 0.85))
    traffic = np.geomspace(20, 1, half)
    traffic /= traffic.sum()
    won = np.where(np.arange(k) >= half, 0.35, 0.0)
    late = np.where(np.arange(k) >= half, 0.85, 0.5)[:, None]
    onward = np.hstack([(1 - late) * traffic, late * traffic]) * (1 - won)[:, None]
    grid = np.linspace(-4, 4, 81)
    stays = 1 / (1 + np.exp(base + grid[:, None]))  # shape (grid, places)
    reached = np.array(
        [np.linalg.solve(np.eye(k) - one[:, None] * onward, one * won) for one in stays]
    )
    going = won + reached @ onward.T  # conversions of who has gone on
    total = 0.0
    for x in np.unique(place[hit]).tolist():
        f = frail[hit & (place == x)]
        logit = base[x] + f
        more = 1 / (1 + np.exp(-logit - getattr(world, fault))) - 1 / (1 + np.exp(-logit))
        total += float((more * np.interp(f, grid, going[:, x])).sum())
    return total


def levels(logs: int, first: int = 0) -> dict[str, list[float]]:
    """Return how often each kind of test is below .001, .01, .05, .1 and .5 where nothing is."""
    found: dict[str, list[float]] = {}
    for seed in range(first, first + logs):
        trials = Trials.of(simulate(World(customers=1_500), seed), ["a0", "a1", "a2"])
        whole = np.ones(len(trials.touchpoint), dtype=np.bool_)
        ends = np.zeros(trials.size, dtype=np.bool_)
        tests = [
            *segment_cells(trials),
            *handoffs(trials),
            *changes(trials),
            *downstream(trials),
            *incidents(trials),
            *excesses(trials, whole, ends=ends, with_stages=True),
        ]
        for one in tests:
            found.setdefault(one.kind, []).append(one.p)
            if one.kind == "excess":
                found.setdefault("unusual", []).append(one.unusual_p)
    return {
        kind: [len(p), *(float(np.mean(np.array(p) <= at)) for at in (0.001, 0.01, 0.05, 0.1, 0.5))]
        for kind, p in found.items()
    }


def study(name: str, logs: int, first: int = 0) -> dict[str, float]:
    """Return the mean of what was found in some logs of a world."""
    rows = [
        baselines(seed)
        if name == "baselines"
        else sample_row(seed, even=name == "even sample")
        if name.endswith("sample")
        else incident_row(seed, name)
        if name.startswith("incident")
        else gain_row(seed, name)
        if name.startswith("gain")
        else world_row(seed, name)
        for seed in range(first, first + logs)
    ]
    return {key: float(np.nanmean([row[key] for row in rows])) for key in rows[0]}


if __name__ == "__main__" and sys.argv[1] == "levels":
    for kind, row in levels(*map(int, sys.argv[2:])).items():
        print(kind, [round(value, 4) for value in row])
elif __name__ == "__main__":
    result = study(sys.argv[1], int(sys.argv[2]), *map(int, sys.argv[3:]))
    print(sys.argv[1], sys.argv[2], {key: round(value, 3) for key, value in result.items()})
