"""Study of false alarms of comparisons where nothing differs. Run by hand:

    python tests/calibration/compare_nulls.py WORLD [logs] [first seed] [customers]

WORLD is "plain" (customers are alike), "frail" (they leave more or less easily, logit sd .7) or
"pareto" (frail, and some come very often: Pareto 1.2, at most 200 journeys). Each log is compared
by a random half of the customers, by halves of the time (customers on both sides), with one half of
the customers followed for a third of the time only, and searched for what tells those who leave at
a step, or convert, from the others.

"planted" is the frail world, where those who pass the app in the second half of the time leave more
often (logit + 2) two steps later: what do exits say, and what the conversions later on?
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

import cxjourney as cx

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 120.0
LIMIT = timedelta(days=8)
NAMES = np.array(["ad", "web", "app", "shop", "cart", "desk", "pay", "buy"])
RULES = {"goal": "buy", "inactivity": LIMIT}
# where one goes from each touchpoint, if one goes on
ON = np.array(
    [
        [0.0, 0.5, 0.3, 0.1, 0.1, 0.0, 0.0, 0.0],
        [0.1, 0.1, 0.2, 0.2, 0.4, 0.0, 0.0, 0.0],
        [0.0, 0.3, 0.0, 0.2, 0.4, 0.1, 0.0, 0.0],
        [0.0, 0.2, 0.1, 0.0, 0.4, 0.1, 0.2, 0.0],
        [0.0, 0.2, 0.1, 0.0, 0.0, 0.2, 0.5, 0.0],
        [0.0, 0.2, 0.0, 0.0, 0.3, 0.1, 0.4, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.0, 0.8],
    ]
)
EXIT = np.array([0.4, 0.3, 0.25, 0.3, 0.2, 0.15, 0.1])


def log_of(seed: int, world: str, customers: int = 300) -> cx.InteractionLog:
    """Return a log in which nothing differs, but in the world "planted"."""
    rng = np.random.default_rng(seed)
    n = customers
    visits = np.minimum(rng.geometric(0.4, n), 6)
    if world == "pareto":
        visits = np.minimum(np.ceil(rng.pareto(1.2, n)), 200).astype(int)
    frail = np.zeros(n) if world == "plain" else rng.normal(0, 0.7, n)
    who = np.repeat(np.arange(n), np.maximum(visits, 1))
    at = rng.choice(4, len(who), p=[0.4, 0.3, 0.2, 0.1])
    day = rng.uniform(0, DAYS, len(who))
    case = np.arange(len(who))
    since = np.full(len(who), -1)  # steps since the first visit of the app
    rows = []
    while len(who):
        rows.append((who, case, at, day))
        since = np.where(since >= 0, since + 1, np.where(at == 2, 0, -1))
        logit = np.log(EXIT / (1 - EXIT))[np.minimum(at, 6)] + frail[who]
        logit += 2.0 * ((world == "planted") & (since == 2) & (day > DAYS / 2))
        goes = (at < 7) & (rng.random(len(who)) >= 1 / (1 + np.exp(-logit)))
        who, case, at, day = who[goes], case[goes], at[goes], day[goes]
        since = since[goes]
        steps = ON[at].cumsum(axis=1)
        at = (rng.random(len(at))[:, None] > steps).sum(axis=1)
        day = day + rng.exponential(1.5, len(at)).clip(max=7.5)
    who, case, at, day = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    seen = day <= DAYS
    who, case, at, day = who[seen], case[seen], at[seen], day[seen]
    values = {name: rng.integers(0, k, n) for name, k in (("half", 2), ("plan", 3), ("city", 5))}
    columns = {name: np.char.add("v", value[who].astype(str)) for name, value in values.items()}
    start = np.datetime64(BEGIN.replace(tzinfo=None), "us")
    return cx.InteractionLog.from_frame(
        {
            "customer": np.char.add(f"{seed} ", who.astype(str)),
            "case": case.astype(str),
            "time": start + (day * 86_400e6).astype("timedelta64[us]"),
            "touchpoint": NAMES[at],
            **columns,
        },
        customer="customer",
        timestamp="time",
        touchpoint="touchpoint",
        journey="case",
        attributes=list(columns),
        observed_until=BEGIN + timedelta(days=DAYS),
    )


def of_half(log: cx.InteractionLog, half: str, until: float | None = None) -> cx.Journeys:
    """Return the journeys of a half of the customers, followed until a day."""
    if until is not None:
        log = log.between(None, BEGIN + timedelta(days=until))
    journeys = log.journeys(**RULES)
    coded = journeys.segment("half")
    return journeys.where(coded.codes == coded.names.index(half))


def told(found: cx.compare.Differences) -> dict[str, float]:
    """Return what a comparison says where nothing is."""
    table = found.table
    kind, p = np.array(table["kind"]), table["p_value"]
    tested = ~np.isnan(p)
    figures = {"any discovery": float(found.n_discoveries > 0)}
    for name in ("exit", "transition", "downstream"):
        mine = p[tested & (kind == name)]
        figures |= {
            f"{name}: tests": len(mine),
            f"{name}: p <= .05": float((mine <= 0.05).sum()),
            f"{name}: p <= .01": float((mine <= 0.01).sum()),
        }
        alone = (kind == name) & tested
        from scipy.stats import false_discovery_control

        q = false_discovery_control(p[alone]) if alone.any() else np.ones(1)
        figures[f"{name}: alone"] = float((q <= 0.05).any())
    if len(found.headline):
        head = found.headline
        figures["headline: any"] = float((head["q_value"] <= 0.05).any())
        for row in head:
            figures[f"headline: {row['figure']}"] = float(row["p_value"] <= 0.05)
    low, high = table["low"][tested], table["high"][tested]
    figures["intervals"] = len(low)
    figures["hold 0"] = float(((low <= 0) & (high >= 0)).sum())
    return figures


def compared(seed: int, world: str, customers: int = 300) -> dict[str, dict[str, float]]:
    """Return what each comparison of a log says."""
    log = log_of(seed, world, customers)
    journeys = log.journeys(**RULES)
    before, after = halves_of(log)
    searched = None if world == "plain" else ["half", "plan", "city"]
    return {
        "halves of the customers": told(cx.compare.segments(journeys, "half", reaching="pay")),
        "halves of the time": told(cx.compare.between(before, after, reaching="pay")),
        "unequal follow-up": told(
            cx.compare.between(of_half(log, "v0", DAYS / 3), of_half(log, "v1"))
        ),
        "who leaves at cart": told(cx.compare.segments(journeys, searched, of="cart")),
        "who converts": told(
            cx.compare.segments(journeys, ["half", "plan", "city"], of=cx.CONVERSION)
        ),
    }


def halves_of(log: cx.InteractionLog) -> tuple[cx.Journeys, cx.Journeys]:
    """Return the journeys of both halves of the time."""
    middle = BEGIN + timedelta(days=DAYS / 2)
    first, second = (log.between(None, middle), log.between(middle, None))
    return first.journeys(**RULES), second.journeys(**RULES)


def planted(seed: int, customers: int) -> dict[str, float]:
    """Return where a fault is found whose victims leave two steps later."""
    found = cx.compare.between(*halves_of(log_of(seed, "planted", customers)))
    figures = {}
    for kind in ("exit", "downstream"):
        mine = [change for change in found.ranking if change.kind == kind]
        sure = [change.touchpoint for change in mine if change.q_value <= found.fdr]
        figures |= {
            f"{kind}: any discovery": float(bool(sure)),
            f"{kind}: the surest is the app": float(bool(sure) and sure[0] == "app"),
            f"{kind}: the app is a discovery": float("app" in sure),
            f"{kind}: another is": float(bool(set(sure) - {"app"})),
        }
    return figures


def main(world: str, logs: int, first: int, customers: int) -> None:
    sums: dict[str, dict[str, float]] = {}
    for seed in range(first, first + logs):
        told_of = {"two steps later": planted(seed, customers)} if world == "planted" else None
        for name, figures in (told_of or compared(seed, world, customers)).items():
            into = sums.setdefault(name, {})
            for key, value in figures.items():
                into[key] = into.get(key, 0.0) + value
    print(f"\n## {world}, {customers} customers, {logs} logs from seed {first}\n")
    for name, figures in sums.items():
        shown = {}
        for key, value in figures.items():
            if ": p " in key:
                value /= max(figures[f"{key.split(':')[0]}: tests"], 1)
            elif key == "hold 0":
                value /= figures["intervals"]
            else:
                value /= logs
            shown[key] = round(value, 4)
        print(name, shown, flush=True)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[2:]]
    main(sys.argv[1], *given, *(1_000, 1, 300)[len(given) :])
