"""Coarse grains whose touchpoints were followed for unequal times."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t

import cxjourney as cx
from cxjourney.compare._observations import observations_of
from cxjourney.dropoff._first_visits import first_visits_of
from cxjourney.journeys import units_of_customers

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = 120.0
LIMIT = 7.0
EXITS = {"old": 0.6, "new": 0.1, "rare": 0.5}


def rows_of(seed, customers, *, launched):
    """Return (customer, touchpoint, day) of visits of an app; what is new was launched late."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(customers):
        names = ["old", "new"] + (["rare"] if who % 40 == 0 else [])
        for name in names:
            first = END - launched if name == "new" else 0.0
            for _ in range(1 + (who % 3) + (name == "old")):
                day = rng.uniform(first, END)
                rows.append((who, name, day))
                if rng.random() > EXITS[name]:
                    rows.append((who, "buy", day + min(rng.exponential(1.5), LIMIT - 0.1)))
    return [row for row in rows if row[2] <= END]


def journeys_of(rows):
    """Return the journeys of visits that are cases of their own."""
    case, cases = {}, []
    for i, (_, name, _) in enumerate(rows):
        case[i] = i if name != "buy" else i - 1
        cases.append(f"j{case[i]}")
    log = cx.InteractionLog.from_frame(
        {
            "who": [f"c{who}" for who, *_ in rows],
            "case": cases,
            "what": [name for _, name, _ in rows],
            "how": ["app"] * len(rows),
            "when": [BEGIN + timedelta(days=day) for *_, day in rows],
        },
        customer="who",
        journey="case",
        touchpoint="what",
        channel="how",
        timestamp="when",
        observed_until=BEGIN + timedelta(days=END),
    )
    return log.journeys(goal="buy", inactivity=timedelta(days=LIMIT))


def survival(waits):
    """Return the Kaplan-Meier estimate at the limit, by its definition."""
    s = 1.0
    for time in sorted({wait for wait, moved in waits if moved}):
        s *= 1 - sum(w == time and m for w, m in waits) / sum(w >= time for w, _ in waits)
    return s


def waits_of(rows):
    """Return (wait, moved) of the visits of each touchpoint."""
    found = {}
    for i, (_, name, day) in enumerate(rows):
        if name != "buy":
            moved = i + 1 < len(rows) and rows[i + 1][1] == "buy"
            wait = rows[i + 1][2] - day if moved else min(END - day, LIMIT)
            found.setdefault(name, []).append((round(wait, 9), moved))
    return found


def exit_of_the_app(rows):
    """Return the mean of the touchpoints' exits; one that few were followed at joins the old."""
    waits = waits_of(rows)
    long = Counter(name for _, name, day in rows if name != "buy" and day <= END - LIMIT)
    for name in [name for name in waits if long[name] < 5]:
        waits["old"] += waits.pop(name)
    n = sum(map(len, waits.values()))
    return sum(len(some) / n * survival(some) for some in waits.values())


def test_a_channel_weighs_its_touchpoints_by_visits_not_by_how_long_they_were_followed():
    told, pooled, truth = [], [], []
    for seed in range(100, 118):
        rows = rows_of(seed, 150, launched=9.0)
        waits = waits_of(rows)
        told.append(cx.dropoff.exits(journeys_of(rows), by="channel").estimate("app").value)
        pooled.append(survival([one for some in waits.values() for one in some]))
        n = {name: len(some) for name, some in waits.items()}
        truth.append(sum(n[name] * EXITS[name] for name in n) / sum(n.values()))
    error = np.std(told) / np.sqrt(len(told))
    assert abs(np.mean(told) - np.mean(truth)) < 3 * error
    assert np.mean(pooled) - np.mean(truth) > 6 * error  # what came of pooling first


def test_the_estimate_and_its_interval_are_those_of_touchpoints_pooled_afterwards():
    rows = rows_of(4, 60, launched=30.0)
    assert 0 < sum(name == "rare" for _, name, _ in rows) < 5
    journeys = journeys_of(rows)
    whole = exit_of_the_app(rows)
    row = next(iter(cx.dropoff.exits(journeys, by="channel").table))
    assert row["exit_probability"] == pytest.approx(whole, abs=1e-9)
    without = []
    for i in range(60):
        kept = [one for one in rows if one[0] != i]
        without.append(exit_of_the_app(kept))
    variance = 59 / 60 * ((np.array(without) - whole) ** 2).sum()
    ended = np.zeros(60)
    for i, (who, name, day) in enumerate(rows):
        moved = i + 1 < len(rows) and rows[i + 1][1] == "buy"
        ended[who] += name != "buy" and (moved or END - day >= LIMIT)
    trials = whole * (1 - whole) / variance
    q = t.ppf(0.975, ended.sum() ** 2 / (ended**2).sum() - 1)
    half = q * np.sqrt(whole * (1 - whole) / trials + q**2 / (4 * trials**2))
    ends = (whole + q**2 / (2 * trials) + np.array([-half, half])) / (1 + q**2 / trials)
    assert (row["low"], row["high"]) == pytest.approx(ends, rel=1e-6)


def test_times_of_a_channel_are_those_of_its_touchpoints_by_visits():
    rows = rows_of(5, 200, launched=12.0)
    dropped = {i for i, row in enumerate(rows) if row[1] == "rare"}
    dropped |= {i + 1 for i in dropped if i + 1 < len(rows) and rows[i + 1][1] == "buy"}
    journeys = journeys_of([row for i, row in enumerate(rows) if i not in dropped])
    fine = {row["touchpoint"]: row for row in cx.critical.bottlenecks(journeys).table}
    coarse = next(iter(cx.critical.bottlenecks(journeys, by="channel").table))
    rates = cx.dropoff.exits(journeys)
    visits = np.array([fine[name]["visits"] for name in ("old", "new")])
    goes = visits * [1 - rates.estimate(name).value for name in ("old", "new")]
    wait = (goes * [fine[name]["wait_s"] for name in ("old", "new")]).sum() / goes.sum()
    assert coarse["wait_s"] == pytest.approx(wait)
    assert coarse["low"] < wait < coarse["high"]
    chain = cx.AbsorbingChain.from_graph(journeys.graph(by="channel"))
    assert chain.conversion_probability == pytest.approx(goes.sum() / visits.sum())


def test_grains_whose_nodes_are_touchpoints_do_not_change():
    journeys = journeys_of(rows_of(6, 80, launched=9.0))
    by_pair = cx.dropoff.exits(journeys, by=("touchpoint", "channel")).table
    alone = cx.dropoff.exits(journeys).table
    assert by_pair["exit_probability"].tolist() == alone["exit_probability"].tolist()
    np.testing.assert_array_equal(by_pair["low"], alone["low"])


def test_comparisons_pool_the_touchpoints_of_a_channel_afterwards_too():
    rows = rows_of(4, 60, launched=30.0)
    journeys = journeys_of(rows)
    entries = observations_of(journeys, "channel")
    keys = np.unique(entries.key[entries.weight > 0])
    cell, source = entries.cells(keys), keys // (len(entries.names) + 3)
    lost = int(np.flatnonzero(keys % (len(entries.names) + 3) == len(entries.names) + 2)[0])
    weight = entries.weight
    share = weight[cell == lost].sum() / weight[entries.source == source[lost]].sum()
    assert share == pytest.approx(exit_of_the_app(rows), abs=1e-9)
    without = entries.without_buckets(cell, source)
    assert np.allclose(without[:, source == source[lost]].sum(axis=1), 1.0)
    unit = dict(zip(journeys.log.customer_ids, units_of_customers(journeys.log).of, strict=True))
    assert len(set(unit.values())) == 60
    for who in range(60):
        kept = exit_of_the_app([row for row in rows if row[0] != who])
        assert without[unit[f"c{who}"], lost] == pytest.approx(kept, abs=1e-9)


def test_a_channel_with_a_new_touchpoint_compares_by_its_rates():
    told = []
    for seed in range(20):
        rows = rows_of(seed, 120, launched=9.0)
        first, second = (journeys_of([r for r in rows if r[0] % 2 == k]) for k in (0, 1))
        found = cx.compare.between(first, second, by="channel")
        row = next(r for r in found.table if r["kind"] == "exit" and r["touchpoint"] == "app")
        sides = [
            cx.dropoff.exits(one, by="channel").estimate("app").value for one in (first, second)
        ]
        told.append((row["difference"], sides[1] - sides[0]))
    assert np.allclose(*np.transpose(told), atol=1e-9)


def later_of_the_app(rows, window):
    """Return the mean of the touchpoints' conversions within a window, by their visits."""
    found, known = {}, Counter()
    for i, (_, name, day) in enumerate(rows):
        if name != "buy":
            bought = i + 1 < len(rows) and rows[i + 1][1] == "buy"
            wait, end = rows[i + 1][2] - day if bought else np.inf, min(END - day, window)
            found.setdefault(name, []).append((round(min(wait, end), 9), wait <= end))
            known[name] += END - day >= window
    for name in [name for name in found if known[name] < 5]:
        found["old"] += found.pop(name)
    n = sum(map(len, found.values()))
    return sum(len(some) / n * (1 - survival(some)) for some in found.values())


def test_what_comes_later_is_pooled_afterwards_too():
    rows = rows_of(4, 60, launched=30.0)
    journeys = journeys_of(rows)
    whole = later_of_the_app(rows, 3.0)
    (row,) = cx.dropoff.exits(journeys, by="channel", window=timedelta(days=3)).table
    assert row["conversion_after"] == pytest.approx(whole, abs=1e-9)
    pooled = first_visits_of(journeys, "channel")
    cell = np.where(pooled.node == 0, 0, -1)
    figures = pooled.figures("conversion", cell, 1, 3.0)
    unit = dict(zip(journeys.log.customer_ids, units_of_customers(journeys.log).of, strict=True))
    for who in range(60):
        kept = later_of_the_app([one for one in rows if one[0] != who], 3.0)
        assert figures.without[unit[f"c{who}"], 0] == pytest.approx(kept, abs=1e-9)


def test_what_comes_later_in_a_channel_is_that_of_its_visits_however_long_they_were_followed():
    told, truth = [], []
    for seed in range(18):
        rows = rows_of(seed, 120, launched=4.0)
        exits = cx.dropoff.exits(journeys_of(rows), by="channel", window=timedelta(days=3))
        told.append(next(iter(exits.table))["conversion_after"])
        n = Counter(name for _, name, _ in rows if name != "buy")
        soon = 1 - np.exp(-3.0 / 1.5)
        truth.append(soon * sum(n[name] * (1 - EXITS[name]) for name in n) / n.total())
    assert abs(np.mean(told) - np.mean(truth)) < 3 * np.std(told) / np.sqrt(len(told))
