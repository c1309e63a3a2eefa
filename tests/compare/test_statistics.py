"""Comparisons of statistics that add up: near to those of the journeys, and the same of a sum."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined
from cxjourney.journeys._adding._parts import part_of

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "mail", "buy", "bye")
DAYS = 30
LIMIT = timedelta(days=2)
RULES = {
    "silence and exits": {"inactivity": LIMIT, "exit_touchpoints": "bye"},
    "silence": {"inactivity": timedelta(hours=37)},
    "exits": {"exit_touchpoints": "bye"},
    "closed": {"inactivity": LIMIT, "all_closed": True},
    "no goal": {"inactivity": LIMIT, "goal": None},
}


def rows_of(seed, customers):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = START + timedelta(minutes=rng.randrange(DAYS * 1440))
        for _ in range(40 if number == 0 else rng.randrange(1, 12)):
            name = rng.choices(NAMES, (4, 4, 3, 3, 1, 1))[0]
            rows.append((f"c{number}", at, name, rng.choice(("online", "store"))))
            at += timedelta(minutes=rng.randrange(1, 4_000))
    return [row for row in rows if row[1] < START + timedelta(days=DAYS)]


def log_of(rows, first=0, last=DAYS):
    since, until = (START + timedelta(days=day) for day in (first, last))
    some = [row for row in rows if since <= row[1] < until]
    columns = ("who", "when", "what", "where")
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in some] for i, name in enumerate(columns)},
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
        observed_from=since if first else None,
        observed_until=until,
    )


def journeys_of(rows, *days, **rules):
    return log_of(rows, *days).journeys(touchpoints=NAMES, **{"goal": "buy", **rules})


def sides_of(seed, customers, apart, **rules):
    """Return journeys of two periods, or of two groups, some of whose customers are the same."""
    rows = rows_of(seed, customers)
    if apart == "periods":
        return journeys_of(rows, 0, 14, **rules), journeys_of(rows, 14, DAYS, **rules)
    chosen = (lambda i: i % 3 != 0), (lambda i: i % 3 != 1)
    groups = [[row for row in rows if mine(int(row[0][1:]))] for mine in chosen]
    return tuple(journeys_of(group, **rules) for group in groups)


def said(found):
    """Return how far exits, transitions and what comes later may lie from those of raw times."""
    text = " ".join(found.caveats)
    exits = [float(x) for x in re.findall(r"exit probabilities lie at most (\S+),", text)]
    moves = [float(x) for x in re.findall(r"transition probabilities at most (\S+), from", text)]
    later = [float(x) for x in re.findall(r"later lies at most (\S+) from", text)]
    return sum(exits), sum(moves), sum(later)


def by_place(table):
    return {(row["kind"], row["touchpoint"], row["to"]): row for row in table}


@given(seed=st.integers(0, 40), customers=st.sampled_from([4, 45, 80, 150]))
@settings(max_examples=2)
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("by", ["touchpoint", "channel"])
@pytest.mark.parametrize("apart", ["periods", "groups"])
def test_they_are_those_of_the_journeys_up_to_what_is_said(seed, customers, rules, by, apart):
    first, second = sides_of(seed, customers, apart, **RULES[rules])
    days = timedelta(days=5)
    raw = cx.compare.between(first, second, by=by, window=days, min_count=1)
    counts = [one.statistics(grains=[by]) for one in (first, second)]
    found = cx.compare.between(*counts, by=by, window=days, min_count=1)
    exits, moves, later = said(found)
    ours, theirs = by_place(found.table), by_place(raw.table)
    assert ours.keys() == theirs.keys()
    assert found.headline["figure"] == raw.headline["figure"][: len(found.headline)]
    pairs = [(ours[place], theirs[place]) for place in theirs]
    pairs += list(zip(found.headline, raw.headline, strict=False))
    distance = {"exit": exits + 1e-9, "transition": moves + 1e-9}
    near = []
    for row, other in pairs:
        most = distance.get(row.get("kind"), 1.05 * later + 1e-9)
        for name in {"probability", "probability_against", "value", "value_against"} & row.keys():
            assert row[name] == pytest.approx(other[name], abs=most, nan_ok=True)
        for name in {"visits", "visits_against", "n", "n_against"} & row.keys():
            assert row[name] == other[name]
        for name, times in (("low", 6), ("high", 6), ("p_value", 40)):
            near.append(row[name] == pytest.approx(other[name], abs=times * most, nan_ok=True))
    # where a share is nearly none or all, or hardly known, its interval can jump
    assert near.count(False) <= max(3, len(near) // 20)


@given(seed=st.integers(0, 40), customers=st.sampled_from([5, 64, 65, 130]), data=st.data())
@settings(max_examples=2)
def test_those_of_a_sum_are_those_of_the_whole(regrouped, seed, customers, data):
    rows = rows_of(seed, customers)
    rules = {"inactivity": LIMIT}
    ids = [f"c{i}" for i in range(customers)]
    number = dict(zip(ids, part_of(ids, 4).tolist(), strict=True))
    wholes, sums = [], []
    for days in ((0, 14), (14, DAYS)):
        wholes.append(journeys_of(rows, *days, **rules).statistics())
        parts = [
            journeys_of([row for row in rows if number[row[0]] == i], *days, **rules).statistics(
                part=(i, 16)
            )
            for i in range(16)
        ]
        sums.append(regrouped(parts, data, wholes[-1]))
    found, whole = cx.compare.between(*sums), cx.compare.between(*wholes)
    assert found.to_dict() == whole.to_dict()
    assert repr(found) == repr(whole)


def test_the_same_customers_on_both_sides_are_seen_to_be_the_same():
    """Nothing differs between a side and itself, which is surer than of strangers who do alike."""
    rows = rows_of(3, 60)
    one = journeys_of(rows, inactivity=LIMIT).statistics()
    others = journeys_of([(f"other {r[0]}", *r[1:]) for r in rows], inactivity=LIMIT).statistics()
    for table in ("headline", "table"):
        same = getattr(cx.compare.between(one, one), table)
        apart = getattr(cx.compare.between(one, others), table)
        width = [np.asarray(t["high"], float) - np.asarray(t["low"], float) for t in (same, apart)]
        known = np.isfinite(width[0]) & np.isfinite(width[1])
        assert known.any()
        assert (width[0][known] < width[1][known]).all()
        assert np.nanmax(np.abs(same["difference"])) == 0


def test_a_worked_example_by_hand():
    """Eight of ten leave the web at first, two of ten later; the others buy within the day."""
    rows = []
    for i in range(20):
        begin, buys = START + timedelta(days=20 * (i // 10)), i in {0, 1, *range(10, 18)}
        rows.append((f"c{i}", begin, "web", "online"))
        rows += [(f"c{i}", begin + timedelta(hours=5), "buy", "online")] * buys
    first, second = (journeys_of(rows, *days, inactivity=LIMIT) for days in ((0, 10), (10, DAYS)))
    found = cx.compare.between(first.statistics(), second.statistics(), names=("old", "new"))
    exit_ = found.estimate("web")
    assert exit_.value == pytest.approx(0.2 - 0.8)
    assert exit_.n == 20
    assert found.headline["figure"] == ("conversion", "drop-off")
    assert found.headline["value"].tolist() == pytest.approx([0.8, 0.2])
    assert found.headline["value_against"].tolist() == pytest.approx([0.2, 0.8])
    assert "Visits and value of whole journeys need the rows" in repr(found)


def test_what_cannot_be_compared_is_refused_and_says_what_would():
    rows = rows_of(1, 80)
    journeys = journeys_of(rows, inactivity=LIMIT)
    one = journeys.statistics()
    with pytest.raises(InvalidValue, match=r"both be journeys, both statistics"):
        cx.compare.between(journeys, one)
    with pytest.raises(InvalidValue, match=r"both be journeys, both statistics"):
        cx.compare.between(one.graph(), one)
    for name, value in (("strata", "channel"), ("reaching", "shop")):
        with pytest.raises(InvalidValue, match=f"{name} must be left out"):
            cx.compare.between(one, one, **{name: value})
    with pytest.raises(InvalidValue, match="window must be a whole number of days"):
        cx.compare.between(one, one, window=timedelta(hours=30))
    with pytest.raises(InvalidValue, match="by must be among the grains that were counted"):
        cx.compare.between(one, one, by="owner")
    longer = journeys_of(rows, inactivity=2 * LIMIT).statistics()
    with pytest.raises(InvalidValue, match="cut by different rules"):
        cx.compare.between(one, longer)
    keyed = attrs.evolve(one, plan=attrs.evolve(one.plan, key_id="k1"))
    with pytest.raises(InvalidValue, match="under one key"):
        cx.compare.between(one, keyed)
    open_ended = journeys_of(rows).statistics()
    with pytest.raises(OutcomeUndetermined):
        cx.compare.between(open_ended, open_ended)
    with pytest.raises(InvalidValue, match=r"count each segment.*compare\.between"):
        cx.compare.segments(one, "channel")
