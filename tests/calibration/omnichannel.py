"""Channel measures in worlds where channels mean nothing, and where what they mean is planted.

Run by hand: `python tests/calibration/omnichannel.py`. The tables go into
docs/explanation/calibration-omnichannel.md.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import numpy as np

import cxjourney as cx
from cxjourney import omnichannel

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNELS = np.array(["web", "app", "store", "phone"])
SHARES = np.array([0.4, 0.3, 0.2, 0.1])
LIMIT_DAYS = 7.0
LONGEST = 25
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class World:
    """What customers do; by default channels mean nothing.

    Attributes
    ----------
    customers, days
        Size of the log, and how long it is observed.
    journeys
        Journeys of a customer: "geometric" (1 to 6) or "pareto" (Pareto 1.2, at most 60).
    own_mix
        Whether customers keep to channels of their own.
    frail_switch
        Whether customers who leave easily also switch more.
    purchase
        Where nine purchases in ten take place: in a channel of its own, or one of the others.
    ends_by_channel
        Whether journeys end more often after some channels than after others.
    switch_loss
        What a switch adds to the chance that nothing follows.
    memory
        Chance that the next channel is the one that follows in the alphabet of channels.
    returns
        Chance that a customer comes again after a journey that was lost.
    """

    customers: int = 150
    days: float = 365.0
    journeys: str = "geometric"
    own_mix: bool = False
    frail_switch: bool = False
    purchase: str = "shop"
    ends_by_channel: bool = False
    switch_loss: float = 0.0
    memory: float = 0.0
    returns: float = 1.0

    def log(self, rng: np.random.Generator) -> cx.InteractionLog:
        """Draw a log: contacts in channels, a purchase mostly in one place, silences."""
        c = self.customers
        if self.journeys == "pareto":
            n = np.minimum(np.floor(rng.pareto(1.2, c) + 1), 60).astype(int)
        else:
            n = np.minimum(rng.geometric(0.4, c), 6)
        who = np.repeat(np.arange(c), n)
        frailty = rng.normal(0, 1.0 if self.frail_switch else 0.7, c)
        mix = rng.dirichlet(3 * SHARES, c) if self.own_mix else np.tile(SHARES, (c, 1))
        loss = 1 / (1 + np.exp(-(-1.6 + frailty)))[who]
        buys = (1 / (1 + np.exp(-(-1.6 + rng.normal(0, 0.7, c)))))[who]
        keep = 1 / (1 + np.exp(-(0.3 - 1.5 * frailty)))[who] if self.frail_switch else None
        speed = np.exp(rng.normal(0, 0.5, c))[who]
        j = len(who)
        channel = np.empty((j, LONGEST), dtype=np.int64)
        ended = np.full(j, LONGEST)
        bought = np.zeros(j, dtype=bool)
        going = np.ones(j, dtype=bool)
        for k in range(LONGEST):
            drawn = (rng.random(j)[:, None] > mix[who].cumsum(axis=1)).sum(axis=1).clip(max=3)
            if k and keep is not None:
                drawn = np.where(rng.random(j) < keep, channel[:, k - 1], drawn)
            if k and self.memory:
                again = rng.random(j) < self.memory
                drawn = np.where(again, (channel[:, k - 1] + 1) % 4, drawn)
            channel[:, k] = drawn
            switched = (drawn != channel[:, k - 1]) if k else np.zeros(j, dtype=bool)
            p_loss = np.minimum(loss + self.switch_loss * switched, 0.95)
            p_buy = buys
            if self.ends_by_channel:
                p_loss, p_buy = p_loss * (0.4 + 0.5 * drawn), p_buy * (1.6 - 0.5 * drawn)
            u = rng.random(j)
            lost = going & (u < p_loss)
            won = going & ~lost & (u < p_loss + (1 - p_loss) * p_buy)
            ended[lost | won] = k + 1
            bought |= won
            going &= ~(lost | won)
        came = np.ones(j, dtype=bool)
        if self.returns < 1:  # the series of a customer ends with a loss
            stops = ~bought & (rng.random(j) >= self.returns)
            first = np.searchsorted(who, who)
            before = np.append(0, np.cumsum(stops))
            came = before[:-1] == before[first]
        length = ended + bought
        step = rng.exponential(0.6, (j, LONGEST + 1)) * speed[:, None]
        step = np.minimum(step, LIMIT_DAYS * 0.9)
        at = step.cumsum(axis=1)
        # journeys of a customer are apart by more than the limit
        rest = LIMIT_DAYS + rng.exponential(self.days / 8, j)
        whole = at[np.arange(j), length - 1] + rest
        start = whole.cumsum() - whole
        start -= start[np.searchsorted(who, who)]
        start += rng.uniform(0, self.days * 0.8, c)[who]
        place = np.arange(LONGEST + 1)
        used = (place < length[:, None]) & came[:, None]
        goal = (place == ended[:, None]) & bought[:, None]
        closes = np.where(rng.random(j) < 0.9, self.purchase, "web")
        day = (start[:, None] + at)[used]
        seen = day <= self.days
        names = CHANNELS[np.pad(channel, ((0, 0), (0, 1)))]
        names = np.where(goal, closes[:, None], names)[used][seen]
        journey = np.broadcast_to(np.arange(j)[:, None], used.shape)[used][seen]
        mood = rng.normal(0, 1, c)
        columns = {
            "who": np.char.add("c", who[journey].astype(str)),
            "when": np.datetime64("2026-01-01") + (day[seen] * 86_400e6).astype("timedelta64[us]"),
            "what": np.where(goal[used][seen], "buy", "page"),
            "how": names,
            "score": 5 + mood[who[journey]] + rng.normal(0, 1, len(journey)),
            "money": np.where(goal[used][seen], rng.lognormal(3, 0.5, len(journey)), np.nan),
        }
        return cx.InteractionLog.from_frame(
            columns,
            customer="who",
            timestamp="when",
            touchpoint="what",
            channel="how",
            score="score",
            value="money",
            tz="UTC",
            observed_until=BEGIN + timedelta(days=self.days),
        )

    def draw(self, rng: np.random.Generator) -> cx.Journeys:
        """Draw journeys toward the purchase."""
        return self.log(rng).journeys(goal="buy", inactivity=timedelta(days=LIMIT_DAYS))


COSTS = ("conversion", "time", "interactions", "score", "value")


def alarms(journeys: cx.Journeys, rng: np.random.Generator) -> dict[str, float]:
    """Return which alarms are raised: 1 or 0, NaN where a measure has nothing to say."""
    cost = omnichannel.cross_channel_cost(journeys)
    found = {f"cross-channel cost: {name}": _excludes(getattr(cost, name), 0) for name in COSTS}
    found |= spreads(journeys, rng)
    found |= memories(journeys, rng)
    for within in (False, True):
        loss = omnichannel.handoff_loss(journeys, within_customers=within)
        how = "within customers" if within else "across customers"
        found[f"hand-off {how}: any pair"] = float(len(loss.alarms) > 0)
        found[f"hand-off {how}: pooled"] = _excludes(loss.pooled, 0)
    return found


def spreads(journeys: cx.Journeys, _rng: np.random.Generator) -> dict[str, float]:
    """Return whether channels are found inconsistent."""
    even = omnichannel.consistency(journeys)
    found = {}
    for name in ("spread", "omega2", "cramers_v"):
        estimate = getattr(even, name)
        found[f"consistency: {estimate.name}"] = (
            np.nan if np.isnan(estimate.low) else float(estimate.low > 0)
        )
    return found


def attractions(journeys: cx.Journeys, _rng: np.random.Generator) -> dict[str, float]:
    """Return whether a pair of channels attracts beyond chance; it takes as long as all others."""
    p = np.asarray(omnichannel.affinity(journeys).pairs["adjusted_p"], dtype=float)
    return {"affinity: any pair": float(np.any(p <= 0.05))}


def memories(journeys: cx.Journeys, rng: np.random.Generator) -> dict[str, float]:
    """Return whether a memory is found, with the goal among the interactions and without it."""
    found = {}
    for closing, how in ((True, "the goal counted"), (False, "before the goal")):
        memory = omnichannel.mutual_information(
            journeys, closing=closing, n_permutations=99, rng=rng
        )
        found[f"memory, {how}"] = float(memory.p <= 0.05)
    return found


def figures(journeys: cx.Journeys, rng: np.random.Generator) -> dict[str, tuple]:
    """Return every interval: (value, low, high) by name."""
    rates, seams = omnichannel.switching(journeys), omnichannel.continuity(journeys)
    bits = omnichannel.channel_entropy(journeys)
    memory = omnichannel.mutual_information(journeys, n_permutations=1, rng=rng)
    even, cost = omnichannel.consistency(journeys), omnichannel.cross_channel_cost(journeys)
    estimates = {
        "switches per transition": rates.per_transition,
        "switches per journey": rates.per_journey,
        "multichannel": rates.multichannel,
        "bounce-back": rates.bounce_back,
        "entropy of interactions": bits.interactions,
        "entropy of the next": bits.transitions,
        "entropy within journeys": bits.within_journeys,
        "mutual information": memory.information,
        "continuity: in time": seams.in_time,
        "continuity: not redone": seams.not_redone,
        "continuity: seamless": seams.seamless,
        "consistency: ICC(1)": even.icc,
        "hand-off": omnichannel.handoff_loss(journeys).pooled,
        **{f"cost: {name}": getattr(cost, name) for name in COSTS},
    }
    found = {name: (e.value, e.low, e.high) for name, e in estimates.items()}
    moves = omnichannel.transitions(journeys)
    tables = {
        "containment of the app": (rates.channels, "containment", ("app",)),
        "transition app to web": (moves.table, "probability", ("app", "web")),
        "first web, last store": (moves.ends, "share", ("web", "store")),
        "mean score of the app": (even.channels, "mean", ("app",)),
    }
    for name, (table, column, key) in tables.items():
        for row in table:
            if tuple(row.values())[: len(key)] == key:
                found[name] = (row[column], row["low"], row["high"])
    return found


def _excludes(estimate: cx.metrics.Estimate, truth: float) -> float:
    if np.isnan(estimate.low):
        return np.nan
    return float(not estimate.low <= truth <= estimate.high)


def rates(
    world: World,
    logs: int,
    measure: Callable[[cx.Journeys, np.random.Generator], dict[str, float]] = alarms,
    seed: int = 1,
) -> dict[str, tuple[float, int]]:
    """Return by measure the share of logs with an alarm, of those that say something, and these."""
    rng = np.random.default_rng(seed)
    seen = [measure(world.draw(rng), rng) for _ in range(logs)]
    return {name: _share(np.array([one[name] for one in seen])) for name in seen[0]}


def coverage(world: World, logs: int, seed: int = 1) -> dict[str, tuple[float, int]]:
    """Return by interval how often it holds the truth, which is that of a very large log."""
    rng = np.random.default_rng(seed)
    large = attrs.evolve(world, customers=40_000).draw(rng)
    truth = {name: value for name, (value, _, _) in figures(large, rng).items()}
    held: dict[str, list[float]] = {name: [] for name in truth}
    for _ in range(logs):
        for name, (_, low, high) in figures(world.draw(rng), rng).items():
            held[name].append(np.nan if np.isnan(low) else float(low <= truth[name] <= high))
    return {name: _share(np.array(values)) for name, values in held.items()}


def hand_offs(world: World, logs: int, seed: int = 1) -> dict[str, tuple[float, float, float]]:
    """Return of the pooled loss its mean, its coverage, and the mean width of its interval."""
    rng = np.random.default_rng(seed)
    drawn = [world.draw(rng) for _ in range(logs)]
    told = {}
    for within, how in ((False, "across"), (True, "within")):
        found = [omnichannel.handoff_loss(j, within_customers=within).pooled for j in drawn]
        ends = np.array([[e.value, e.low, e.high] for e in found])
        ends = ends[~np.isnan(ends).any(axis=1)]
        if not len(ends):
            told[how] = (np.nan, np.nan, np.nan)
            continue
        inside = (ends[:, 1] <= world.switch_loss) & (world.switch_loss <= ends[:, 2])
        told[how] = (ends[:, 0].mean(), inside.mean(), (ends[:, 2] - ends[:, 1]).mean())
    return told


def costs(world: World, logs: int, seed: int = 1) -> dict[str, tuple[float, float, float]]:
    """Return of each measure of the cross-channel cost its truth, its mean, and its coverage.

    The truth is that of a very large log that is observed until all journeys are over.
    """
    rng = np.random.default_rng(seed)
    whole = attrs.evolve(world, customers=40_000, days=2_000).draw(rng)
    truth = omnichannel.cross_channel_cost(whole)
    found = [omnichannel.cross_channel_cost(world.draw(rng)) for _ in range(logs)]
    told = {}
    for name in COSTS:
        true = getattr(truth, name).value
        estimates = [getattr(one, name) for one in found]
        held = [e.low <= true <= e.high for e in estimates if not np.isnan(e.low)]
        told[name] = (true, float(np.nanmean([e.value for e in estimates])), float(np.mean(held)))
    return told


def _share(values: np.ndarray) -> tuple[float, int]:
    known = values[~np.isnan(values)]
    return (float(known.mean()) if len(known) else np.nan, len(known))


HEAVY = World(customers=60, journeys="pareto")
CENSORED = World(customers=100, days=45)
OWN = World(customers=150, own_mix=True, purchase="phone")
FRAIL = World(customers=1_000, journeys="pareto", frail_switch=True)


def _table(title: str, columns: dict[str, dict[str, tuple[float, int]]]) -> None:
    print(f"\n| {title} |", " | ".join(columns), "|")
    print("|---" * (1 + len(columns)) + "|")
    for name in next(iter(columns.values())):
        cells = (f"{found[name][0]:.3f} ({found[name][1]:,})" for found in columns.values())
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", type=int, default=1_000)
    parser.add_argument("--part", default="alarms,memory,hand-offs,costs,coverage,affinity")
    options = parser.parse_args()
    n, parts = options.logs, options.part.split(",")
    if "hand-offs" in parts:
        for label, options_of in (
            ("no loss", {}),
            ("a loss of .1", {"switch_loss": 0.1}),
            ("no loss, half come again", {"returns": 0.6}),
            ("no loss, nobody comes again", {"returns": 0.0}),
        ):
            print(label, hand_offs(attrs.evolve(FRAIL, **options_of), n // 5), flush=True)
    if "costs" in parts:
        print(costs(attrs.evolve(CENSORED, switch_loss=0.1), n), flush=True)
    if "memory" in parts:
        worlds = {
            "own channels": OWN,
            "ends by channel": attrs.evolve(OWN, ends_by_channel=True),
            "a memory of .15": attrs.evolve(OWN, memory=0.15),
        }
        _table("memory", {name: rates(w, n, memories) for name, w in worlds.items()})
    if "alarms" in parts:
        _table("alarms", {"heavy tails": rates(HEAVY, n), "censored": rates(CENSORED, n)})
    if "affinity" in parts:
        worlds = {"heavy tails": HEAVY, "censored": CENSORED}
        _table("alarms", {name: rates(w, n, attractions) for name, w in worlds.items()})
    if "coverage" in parts:
        _table("coverage", {"heavy tails": coverage(HEAVY, n), "censored": coverage(CENSORED, n)})
