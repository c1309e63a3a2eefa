"""Trends of statistics that add up: those of the journeys, and the same of a sum."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, OutcomeUndetermined, UnknownName

START = datetime(2026, 1, 20, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "rare", "buy", "bye")
RULES = {"goal": "buy", "exit_touchpoints": "bye", "inactivity": timedelta(hours=30)}
SHARES = ("conversion_rate", "conversion_after:web", "exit_rate", "exit_rate:shop")
NUMBERS = ("journeys", "conversions", "visits", "visits:web")
FIGURES = (*SHARES, *NUMBERS)
ZONES = ("UTC", "America/New_York", "Pacific/Apia")


def log_of(seed, customers, days=100):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = START + timedelta(minutes=rng.randrange(days * 1440))
        for _ in range(60 if number == 0 else rng.randrange(1, 9)):
            weights = (4, 4, 3, 0.01, 1 + at.month % 2, 1)
            rows.append((f"c{number}", at, rng.choices(NAMES, weights)[0]))
            at += timedelta(minutes=rng.randrange(1, 2_500))
    rows.append(("c0", START, "rare"))
    until = START + timedelta(days=days)
    kept = [row for row in rows if row[1] <= until]
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in kept] for i, name in enumerate(("who", "when", "what"))},
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until=until,
    )


def asked(*figures, tz="UTC"):
    return {"trend": [{"figure": figure, "tz": tz} for figure in figures]}


def differing(found, raw):
    """Return the columns and facts in which two trends differ by more than rounding."""
    assert found.periods["period"] == raw.periods["period"]
    names = [name for name in raw.periods.column_names if name != "period"]
    pairs = [(name, found.periods[name], raw.periods[name]) for name in names]
    facts = ("center", "spread", "before", "after", "p")
    pairs += [(name, getattr(found, name), getattr(raw, name)) for name in facts]
    for name in ("since", "since_low", "since_high", "within", "unit", "by", "figure"):
        assert getattr(found, name) == getattr(raw, name)
    return {
        name
        for name, one, other in pairs
        if not np.allclose(
            np.asarray(one, float), np.asarray(other, float), rtol=1e-9, atol=1e-12, equal_nan=True
        )
    }


@given(
    seed=st.integers(0, 30),
    customers=st.sampled_from([20, 64, 65, 200]),
    zone=st.sampled_from(ZONES),
)
@settings(max_examples=3)
@pytest.mark.parametrize("by", ["day", "week", "month", "quarter"])
def test_they_are_those_of_the_journeys(by, seed, customers, zone):
    journeys = log_of(seed, customers).journeys(**RULES)
    statistics = journeys.statistics(analyses=asked(*FIGURES, tz=zone))
    for figure in FIGURES:
        found = cx.trend(statistics, figure, by=by)
        raw = cx.trend(journeys, figure, by=by, tz=zone)
        if figure.startswith("conversion_") and found.within != raw.within:
            # nine of ten come within about a whole day, of which the grid knows the hour alone
            assert found.within - raw.within == timedelta(days=1)
            continue
        apart = differing(found, raw)
        assert apart <= ({"expected"} if figure.startswith("conversion_") else set())
        if "expected" in apart:
            (told,) = [note for note in found.notes if note not in raw.notes]
            most = float(told.partition("at most ")[2].split()[0])
            below = raw.periods["expected"] - found.periods["expected"]
            assert -1e-12 <= np.nanmin(below) <= np.nanmax(below) <= 1.05 * most


@given(seed=st.integers(0, 30), customers=st.sampled_from([3, 64, 65, 150]), data=st.data())
@settings(max_examples=2)
def test_those_of_a_sum_are_those_of_the_whole(summed, seed, customers, data):
    log, figures = log_of(seed, customers), (*FIGURES, "visits:rare", "conversion_after:rare")
    total, whole = summed(log, RULES, data, analyses=asked(*figures))
    read = cx.JourneyStatistics.from_bytes(total.to_bytes())
    assert read == whole
    for figure in figures[:-1]:
        found, once = (cx.trend(one, figure, by="week") for one in (read, whole))
        assert found.to_dict() == once.to_dict()
        assert repr(found) == repr(once)


def test_a_worked_example_by_hand():
    """Ten begin each week; five convert a day later, but two of ten from the sixth week on."""
    rows = []
    for week in range(12):
        for i in range(10):
            at = datetime(2026, 3, 2, 12, tzinfo=UTC) + timedelta(weeks=week)
            rows.append((f"c{week} {i}", at, "web"))
            rows += [(f"c{week} {i}", at + timedelta(days=1), "buy")] * (i < (5 if week < 6 else 2))
    log = cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(("who", "when", "what"))},
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until=datetime(2026, 5, 24, 12, tzinfo=UTC),
    )
    journeys = log.journeys(goal="buy", inactivity=timedelta(days=7))
    analyses = asked("conversion_rate", "journeys", "conversions")
    found = cx.trend(journeys.statistics(analyses=analyses), "conversion_rate")
    assert found.periods["value"].tolist() == [0.5] * 6 + [0.2] * 6
    assert found.periods["n"].tolist() == [10] * 12
    assert found.within == timedelta(days=1)
    assert not found.periods["censored"].any()
    numbers = cx.trend(journeys.statistics(analyses=analyses), "conversions")
    assert numbers.periods["value"].tolist() == pytest.approx([5 / 7] * 6 + [2 / 7] * 6)


def test_options_that_were_not_counted_are_named(divided):
    log = log_of(1, 80)
    journeys = log.journeys(**RULES)
    statistics = journeys.statistics(analyses=asked("journeys", "exit_rate", tz="America/New_York"))
    assert cx.trend(statistics, "journeys").figure == "journeys"
    with pytest.raises(InvalidValue, match=r"counted with figure \"journeys\", not \"visits\""):
        cx.trend(statistics, "visits")
    with pytest.raises(InvalidValue, match=r"with tz \"America/New_York\", not \"UTC\" in"):
        cx.trend(statistics, "journeys", tz="UTC")
    with pytest.raises(InvalidValue, match=r"journeys\.statistics\(analyses="):
        cx.trend(journeys.statistics(), "journeys")
    with pytest.raises(InvalidValue, match="segment must be left out"):
        cx.trend(statistics, "journeys", segment="what")
    for figure in ("score", "visits_per_journey", "value_per_conversion"):
        with pytest.raises(InvalidValue, match="figure must be a share or a number that can be"):
            journeys.statistics(analyses=asked(figure))
    with pytest.raises(UnknownName, match="did you mean 'web'"):
        journeys.statistics(analyses=asked("visits:wep"))
    with pytest.raises(UnknownName):
        journeys.statistics(analyses=asked("journies"))
    with pytest.raises(InvalidValue, match="name a touchpoint after a colon"):
        journeys.statistics(analyses=asked("conversion_after"))
    with pytest.raises(InvalidValue, match="options of trend"):
        journeys.statistics(analyses={"trend": {"figures": "visits"}})
    with pytest.raises(InvalidValue, match="needs a goal"):
        log.journeys(inactivity="2d").statistics(analyses=asked("conversion_rate"))
    with pytest.raises(OutcomeUndetermined):
        log.journeys(goal="buy").statistics(analyses=asked("exit_rate"))
    one, two = divided(log, 2, RULES, analyses=asked("journeys"))
    other = divided(log, 2, RULES, analyses=asked("visits"))[1]
    with pytest.raises(InvalidValue, match="analyses is"):
        one + other
    assert cx.trend(one + two, "journeys").periods["n"].sum() == len(journeys)


def test_where_there_is_next_to_nothing(divided):
    log = log_of(1, 3, days=2)
    journeys = log.journeys(touchpoints=NAMES, **RULES)
    statistics = journeys.statistics(analyses=asked("conversion_rate", "visits:rare"))
    with pytest.raises(InvalidValue, match="at least 4 days, not of 2"):
        cx.trend(statistics, "conversion_rate")
    empty = cx.InteractionLog.from_interactions([]).journeys(inactivity="2d")
    nothing = empty.statistics(analyses=asked("journeys", "exit_rate"))
    for figure in ("journeys", "exit_rate"):
        with pytest.raises(InvalidValue, match="nothing to chart"):
            cx.trend(nothing, figure)
    parts = divided(log, 4, {**RULES, "touchpoints": NAMES}, analyses=asked("visits:rare"))
    assert cx.trend(sum(parts), "visits:rare", by="day").periods["n"].sum() == 1


def test_tables_that_cannot_be_are_refused():
    statistics = log_of(1, 80).journeys(**RULES).statistics(analyses=asked(*FIGURES))
    for table in (name for name in statistics.tables if name.startswith("trend")):
        counts = statistics.tables[table]
        values = counts.values.copy()
        values[0, -1] += 7  # of rows of exits these are the exits
        tables = {**statistics.tables, table: type(counts).of(counts.key, values)}
        changed = cx.JourneyStatistics(
            plan=statistics.plan,
            parts=statistics.parts,
            n_customers=statistics.n_customers,
            digests=statistics.digests,
            names=statistics.names,
            tables=tables,
        )
        if table.split(" ", 2)[2] in {"log", "starts"}:  # of which there can be any number
            continue
        with pytest.raises(InvalidValue, match="damaged"):
            cx.JourneyStatistics.from_bytes(changed.to_bytes())
