"""The suggestion of an inactivity limit from statistics that add up is that of the rows."""

from __future__ import annotations

import contextlib
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue

START = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = {"goal": "buy", "exit_touchpoints": "bye"}
RULES = {**ENDS, "inactivity": timedelta(days=1), "touchpoints": ["buy", "bye"]}
PLAN = {"analyses": {"suggest_inactivity": {}}}


def log_of(seed, customers, step, days=12, case=None):
    """Return a log of sessions: gaps of a few steps, and now and then of many."""
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for who in range(customers):
        at = START + step * rng.randrange(5)
        for i in range(rng.randrange(1, 30)):
            rows.append(
                (
                    f"客 {who}",
                    at,
                    rng.choices(("ad", "web", "buy", "bye"), (9, 9, 1, 1))[0],
                    f"{who} {i // 6}",
                )
            )
            at += step * (rng.randrange(3) if rng.random() < 0.8 else rng.randrange(40, 90))
    until = START + timedelta(days=days)
    rows = [row for row in rows if row[1] < until]
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(("who", "when", "what", "case"))},
        customer="who",
        timestamp="when",
        touchpoint="what",
        journey=case,
        observed_until=until,
    )


@given(
    seed=st.integers(0, 99),
    customers=st.sampled_from([3, 9, 64, 90]),
    step=st.sampled_from([timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1)]),
    case=st.sampled_from([None, None, "case"]),
    options=st.fixed_dictionaries(
        {
            "quantile": st.sampled_from([None, 0.5, 0.9, 1.0]),
            "limits": st.sampled_from([None, ["1h", "30min", "3d", "100d"]]),
        }
    ),
)
@settings(max_examples=10)
def test_it_is_that_of_the_rows(seed, customers, step, case, options):
    # whole hours of two weeks, and minutes of two days, are bounds of the grid
    log = log_of(seed, customers, step, 2 if step < timedelta(hours=1) else 12, case)
    # of a handful of times statistics do not know how many there are, and whether they are dates
    assume(len(np.unique(log.columns.time)) >= 20)
    raw = log.suggest_inactivity(**ENDS, touchpoints=["buy", "bye"], **options)
    statistics = log.journeys(**RULES).statistics(**PLAN)
    read = cx.JourneyStatistics.from_bytes(statistics.to_bytes())
    assert read.suggest_inactivity(**options).to_dict() == raw.to_dict()


@pytest.mark.parametrize("seed", range(4))
def test_what_the_grid_loses_are_quantiles_of_gaps(seed):
    log = cx.datasets.sample(seed=seed, customers=400).log
    raw = log.suggest_inactivity(goal="order")
    journeys = log.journeys(goal="order", inactivity=timedelta(days=3))
    found = journeys.statistics(**PLAN).suggest_inactivity()
    for name in ("suggested", "quantile", "n_gaps", "resolution", "plausible", "limits"):
        assert getattr(raw, name) == getattr(found, name), name
    for table, column in (("valleys", "typical_longer_s"), ("gaps", "gap_s")):
        one, other = getattr(raw, table)[column], getattr(found, table)[column]
        assert np.allclose(one, other, rtol=0.02)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague", "Asia/Kolkata"])
def test_dates_are_seen_to_be_dates(zone):
    days = [datetime(2026, 1, 1) + timedelta(days=7 * i + i % 3) for i in range(40)]  # noqa: DTZ001
    log = cx.InteractionLog.from_frame(
        {
            "who": [str(i % 3) for i in range(40)],
            "when": [day.replace(tzinfo=ZoneInfo(zone)) for day in days],
            "what": ["web"] * 40,
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
    )
    raw = log.suggest_inactivity()
    found = log.journeys(inactivity="9d").statistics(**PLAN).suggest_inactivity()
    assert raw.resolution == found.resolution == timedelta(days=1)
    assert raw.limits == found.limits


@given(seed=st.integers(0, 9), customers=st.sampled_from([2, 64, 65, 100]), data=st.data())
@settings(max_examples=3)
def test_the_sum_of_parts_is_the_whole(summed, seed, customers, data):
    log = log_of(seed, customers, timedelta(minutes=7))
    summed(log, RULES, data, **PLAN)


def test_parts_of_a_real_log_add_up(shop_log, divided):
    rules = {"goal": "payment_done", "inactivity": timedelta(days=14)}
    total = cx.JourneyStatistics.total(divided(shop_log, 128, rules, **PLAN))
    assert total == shop_log.journeys(**rules).statistics(**PLAN)
    raw, found = shop_log.suggest_inactivity(goal="payment_done"), total.suggest_inactivity()
    assert raw.suggested == found.suggested
    assert raw.plausible == found.plausible
    assert raw.limits == found.limits


def test_what_was_not_counted_or_cannot_be_is_refused():
    journeys = log_of(1, 20, timedelta(minutes=7)).journeys(**RULES)
    with pytest.raises(InvalidValue, match=r"suggest_inactivity was not counted in these"):
        journeys.statistics().suggest_inactivity()
    with pytest.raises(InvalidValue, match="unexpected keyword"):
        journeys.statistics(analyses={"suggest_inactivity": {"quantile": 0.5}})
    statistics = journeys.statistics(**PLAN)
    for options, words in (({"quantile": 2}, "quantile"), ({"limits": 3}, "limits must be")):
        with pytest.raises(InvalidValue, match=words):
            statistics.suggest_inactivity(**options)


def test_of_nobody_nothing_is_suggested():
    journeys = log_of(1, 5, timedelta(hours=1)).filter(customers=[]).journeys(**RULES)
    assert journeys.statistics(**PLAN).suggest_inactivity().suggested is None


@given(st.data())
def test_damage_is_refused_or_harmless(damaged, data):
    journeys = log_of(4, 10, timedelta(minutes=7)).journeys(**RULES)
    written = journeys.statistics(grains="touchpoint", **PLAN).to_bytes()
    try:
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
    except InvalidValue:
        return
    with contextlib.suppress(InvalidValue):
        found.suggest_inactivity()
