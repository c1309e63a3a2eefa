"""Study of times and of differences within strata where journeys are in progress. Run by hand:

    python tests/calibration/times.py [logs] [first seed]

Customers differ in how slow they are, and a few come very often (Pareto 1.2). A slow stop comes
second. Most customers who come once come near the end of the observation, so that a third of their
journeys is in progress. For strata, an app was launched late: its visits are the ones in progress.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

import cxjourney as cx

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
SLOT, SLOTS, LIMIT = 8.0, 40, 4.0
END = SLOT * SLOTS - 6.0
GOES, BUYS = 0.8, 0.7
MEANS = {"quick": 0.4, "slow": 1.2}


def waits(rng: np.random.Generator, mean: float, slowness: np.ndarray) -> np.ndarray:
    """Return times below the limit: exponential, slower for some customers."""
    drawn = rng.exponential(mean, len(slowness)) * slowness
    return np.minimum(drawn, LIMIT - 0.01)


def truths() -> dict[str, float]:
    """Return mean wait at the slow stop [days] and its share of all time, from many draws."""
    rng = np.random.default_rng(0)
    slowness = rng.gamma(2.0, 0.5, 4_000_000)
    quick, slow = (waits(rng, mean, slowness).mean() for mean in MEANS.values())
    time = GOES * BUYS * slow
    return {"wait": slow, "share": time / (GOES * quick + time), "converted": slow}


def log_of(rows: dict[str, np.ndarray], until: float, **more: list[str]) -> cx.InteractionLog:
    """Return the log of what was seen until then."""
    seen = rows["day"] <= until
    frame = {name: values[seen] for name, values in rows.items()}
    begin = np.datetime64(BEGIN.replace(tzinfo=None), "us")
    frame["when"] = begin + (frame.pop("day") * DAY_US).astype("m8[us]")
    return cx.InteractionLog.from_frame(
        frame,
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until=BEGIN + timedelta(days=until),
        **more,
    )


def journeys_in(seed: int, customers: int) -> cx.Journeys:
    """Return the journeys of one log of the world with slow and with frequent customers."""
    rng = np.random.default_rng(seed)
    often = np.minimum(np.ceil(rng.pareto(1.2, customers) + 1), SLOTS - 3).astype(int)
    who = np.repeat(np.arange(customers), often)
    back = np.arange(len(who)) - np.repeat(np.cumsum(often) - often, often)
    slot = SLOTS - 1 - rng.integers(0, 3, customers)[who] - back
    slowness = rng.gamma(2.0, 0.5, customers)[who]
    begin = slot * SLOT + rng.uniform(0, 0.5, len(who))
    quick, slow = (waits(rng, mean, slowness) for mean in MEANS.values())
    goes = rng.random(len(who)) < GOES
    buys = goes & (rng.random(len(who)) < BUYS)
    rows = {
        "who": np.concatenate([who, who[goes], who[buys]]).astype(str),
        "what": np.repeat(["quick", "slow", "buy"], [len(who), goes.sum(), buys.sum()]),
        "day": np.concatenate([begin, (begin + quick)[goes], (begin + quick + slow)[buys]]),
    }
    return log_of(rows, END).journeys(goal="buy", inactivity=timedelta(days=LIMIT))


def of_times(seed: int, customers: int) -> dict[str, tuple[float, float, float, float]]:
    """Return figure, both ends and the figure of finished moves alone, of one log."""
    journeys = journeys_in(seed, customers)
    table = cx.critical.bottlenecks(journeys).table
    row = table.row(list(table["touchpoint"]).index("slow"))
    edges = journeys.graph().edges
    sums = {u: sum(e.get("dwell_sum_us", 0) for _, _, e in edges(u, data=True)) for u in MEANS}
    edge = edges["slow", cx.CONVERSION]
    plain = edge["dwell_sum_us"] / edge["count"] / DAY_US
    day = 86_400
    return {
        "wait": (row["wait_s"] / day, row["low"] / day, row["high"] / day, plain),
        "share": (
            row["share"],
            row["share_low"],
            row["share_high"],
            sums["slow"] / sum(sums.values()),
        ),
    }


def of_strata(seed: int, customers: int, *, launched: float = 9.0) -> tuple[float, float, float]:
    """Return the adjusted difference of exits of two groups, and both ends; the truth is 0.

    The app keeps fewer than the web, was launched `launched` days before the end, and is what most
    of the one group use.
    """
    rng = np.random.default_rng(seed)
    app_user = rng.random(customers) < np.where(np.arange(customers) % 2, 0.8, 0.2)
    most = np.where(app_user, 2 if launched > LIMIT else 1, SLOTS - 1)
    often = np.minimum(np.ceil(rng.pareto(1.2, customers) + 1), most)
    often = often.astype(int)
    who = np.repeat(np.arange(customers), often)
    back = np.arange(len(who)) - np.repeat(np.cumsum(often) - often, often)
    app = app_user[who]
    stays = rng.beta(3, 2, customers)[who] * np.where(app, 0.6, 1.0)
    last = np.where(often[who] > 1, launched / 2, launched) * rng.random(len(who))
    in_app = np.where(back == 0, last, launched - 0.4 * rng.random(len(who)))
    in_web = SLOT * (back + 0.5 * rng.random(len(who)))
    begin = END - np.where(app, in_app, in_web)
    moves = rng.random(len(who)) < stays
    wait = waits(rng, 1.0, np.ones(len(who)))
    rows = {
        "who": np.concatenate([who, who[moves]]).astype(str),
        "what": np.repeat(["stop", "buy"], [len(who), moves.sum()]),
        "day": np.concatenate([begin, (begin + wait)[moves]]),
        "group": np.where(np.concatenate([who, who[moves]]) % 2, "odd", "even"),
        "device": np.where(np.concatenate([app, app[moves]]), "app", "web"),
    }
    journeys = log_of(rows, END, attributes=["group", "device"]).journeys(
        goal="buy", inactivity=timedelta(days=LIMIT)
    )
    found = cx.compare.segments(journeys, "group", strata="device")
    names_of = list(zip(found.table["touchpoint"], found.table["to"], strict=True))
    row = found.table.row(names_of.index(("stop", cx.DROPOFF)))
    return row["adjusted"], row["adjusted_low"], row["adjusted_high"]


def main() -> None:
    """Print the tables of the calibration page."""
    logs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    known = truths()
    for customers in (50, 200, 1_000):
        found = [of_times(seed, customers) for seed in range(first, first + logs)]
        for name in ("wait", "share"):
            mean, low, high, plain = np.array([one[name] for one in found]).T
            has = ~np.isnan(low)
            covers = (low[has] <= known[name]) & (known[name] <= high[has])
            print(
                f"| {name}, {customers:,} customers | {known[name]:.3f} | {np.nanmean(mean):.3f} | "
                f"{np.nanmean(plain):.3f} | {covers.mean():.3f} | {1 - has.mean():.3f} |",
                flush=True,
            )
    for customers in (50, 200, 1_000):
        value, low, high = np.array(
            [of_strata(seed, customers) for seed in range(first, first + logs)]
        ).T
        has = ~np.isnan(low)
        covers = (low[has] <= 0) & (high[has] >= 0)
        print(
            f"| adjusted, {customers:,} customers | 0 | {np.nanmean(value):+.4f} | | "
            f"{covers.mean():.3f} | {1 - has.mean():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
