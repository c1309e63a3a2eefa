"""How often charts of stable worlds alarm, and how well a planted change is dated.

`python tests/calibration/trend.py WORLD LOGS FIRST_SEED` prints a row. Customers have 1 to 6
journeys, or Pareto-distributed many, and a frailty; conversions lag by 10 days on average, and the
observation stops in the middle of them, so that the last periods are young.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from cxjourney import InteractionLog, Trend, trend
from cxjourney.metrics import Metric

if TYPE_CHECKING:
    from cxjourney.journeys import Journeys

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
BEGIN_US = np.datetime64("2026-01-05", "us")
DAYS = 182
CHANGE = 100  # day of the planted change
WORLDS = {
    # customers, Pareto exponent of their journeys, standard deviation of a week, of frailty, jump
    "600": (600, 0.0, 0.0, 0.7, 0.0),
    "600, Pareto": (600, 1.2, 0.0, 0.7, 0.0),
    "600, Pareto, change of 1": (600, 1.2, 0.0, 0.7, 1.0),
    "600, weeks differ by .3": (600, 0.0, 0.3, 0.7, 0.0),
    "3,000": (3_000, 0.0, 0.0, 0.7, 0.0),
    "3,000, no frailty": (3_000, 0.0, 0.0, 0.0, 0.0),
    "3,000, Pareto": (3_000, 1.2, 0.0, 0.7, 0.0),
    "3,000, weeks differ by .15": (3_000, 0.0, 0.15, 0.7, 0.0),
    "3,000, change of .3": (3_000, 0.0, 0.0, 0.7, 0.3),
    "3,000, change of -.5": (3_000, 0.0, 0.0, 0.7, -0.5),
    "3,000, Pareto, change of .5": (3_000, 1.2, 0.0, 0.7, 0.5),
    "600, change of 1": (600, 0.0, 0.0, 0.7, 1.0),
}
FIGURES = ("conversion_rate", "exit_rate:ad", "spend", "journeys")


def world(seed: int, name: str) -> Journeys:
    """Return the journeys of a world: ad, web and perhaps buy; the jump is on the logit scale."""
    size, pareto, week_sd, frailty_sd, jump = WORLDS[name]
    rng = np.random.default_rng(seed)
    often = np.minimum(rng.geometric(0.5, size), 6)
    if pareto:
        often = np.minimum(np.ceil(rng.pareto(pareto, size)).astype(int) + 1, 200)
    customer = np.repeat(np.arange(size), often)
    n = len(customer)
    # a journey a slot of 30 days would limit heavy customers: each journey has an id of its own
    day = rng.uniform(0, DAYS, n)
    week = rng.normal(0, week_sd, DAYS // 7 + 1)
    frailty = rng.normal(0, frailty_sd, size)[customer]
    logit = -0.4 + frailty + week[(day // 7).astype(int)] + jump * (day >= CHANGE)
    chance = 1 / (1 + np.exp(-logit))
    stays = rng.random(n) < (1 + chance) / 2
    buys = stays & (rng.random(n) < 2 * chance / (1 + chance))
    lag = rng.exponential(10, n)
    spend = np.round(np.exp(rng.normal(3, 1, n) + frailty / 2), 2)
    steps = [("ad", np.full(n, True), 0.0), ("web", stays, 0.2), ("buy", buys, 0.2 + lag)]
    columns = {name: [] for name in "cjtwv"}
    for touchpoint, there, delay in steps:
        moment = day + delay
        rows = np.flatnonzero(there & (moment < DAYS))
        columns["c"] += [f"c{i}" for i in customer[rows].tolist()]
        columns["j"] += [f"j{i}" for i in rows.tolist()]
        columns["t"] += [touchpoint] * len(rows)
        columns["w"].append(BEGIN_US + (moment[rows] * 86_400e6).astype("timedelta64[us]"))
        columns["v"].append(spend[rows] if touchpoint == "ad" else np.full(len(rows), np.nan))
    columns |= {name: np.concatenate(columns[name]) for name in "wv"}
    log = InteractionLog.from_frame(
        columns,
        customer="c",
        journey="j",
        touchpoint="t",
        timestamp="w",
        score="v",
        observed_from=BEGIN,
        observed_until=BEGIN + timedelta(days=DAYS),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=40))


def _spend(journeys: Journeys) -> np.ndarray:
    return journeys.columns.numeric["score"][journeys.offsets[:-1]]


SPEND = Metric(
    name="spend", unit="EUR", direction="higher", definition="mean spend", per_journey=_spend
)


def row(seed: int, name: str) -> dict[str, Trend]:
    """Return the trends of one world."""
    journeys = world(seed, name)
    return {name: trend(journeys, SPEND if name == "spend" else name) for name in FIGURES}


def judged(found: Trend) -> dict[str, float]:
    """Return what became of one chart."""
    periods = found.periods
    young = np.asarray(periods["censored"])
    outside = np.asarray(periods["outside"])
    planted = (BEGIN + timedelta(days=CHANGE)).date().isoformat()
    final = ~young
    mean = np.average(np.asarray(periods["value"])[final], weights=np.asarray(periods["n"])[final])
    with np.errstate(invalid="ignore"):
        error = np.sqrt(mean * (1 - mean) / np.asarray(periods["n"]))
        apart = np.abs(np.asarray(periods["value"]) - mean) > 3 * error
    return {
        "outside, final": outside[final].any(),
        "outside, young": outside[young].any(),
        "young, counted as final": apart[young].any() if found.unit == "fraction" else np.nan,
        "change called": found.p <= 0.05,
        "p <= .01": found.p <= 0.01,
        "date covered": found.since_low <= planted <= found.since_high,
        "days in the interval": (
            (
                datetime.fromisoformat(found.since_high) - datetime.fromisoformat(found.since_low)
            ).days
            if found.since
            else np.nan
        ),
    }


def table(name: str, logs: int, first: int) -> dict[str, dict[str, float]]:
    """Return the mean of what became of the charts, by figure; dates only where one is called."""
    seen: dict[str, list[dict[str, float]]] = {figure: [] for figure in FIGURES}
    for seed in range(first, first + logs):
        for figure, found in row(seed, name).items():
            seen[figure].append(judged(found))
    means = {}
    for figure, rows in seen.items():
        means[figure] = {key: float(np.mean([r[key] for r in rows])) for key in rows[0]}
        called = [r for r in rows if r["change called"]]
        for key in ("date covered", "days in the interval"):
            means[figure][key] = float(np.mean([r[key] for r in called])) if called else np.nan
    return means


if __name__ == "__main__":
    which, how_many, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for figure_, line in table(which, how_many, start).items():
        print(which, figure_, how_many, start, {key: round(x, 3) for key, x in line.items()})
