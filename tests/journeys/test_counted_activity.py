"""Retention and lifecycle of statistics that add up are those of the rows, to the last digit."""

from __future__ import annotations

import contextlib
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = {"goal": "buy", "inactivity": timedelta(days=9), "touchpoints": ["buy"]}
RETENTIONS = [
    {"unit": "week", "periods": 6},
    {"unit": "day", "cohort": "month", "kind": "bracket", "brackets": [(1, 7), (8, 30)]},
    {"unit": "week", "kind": "unbounded", "periods": 4, "window": "rolling"},
    {"unit": "month", "membership": "recurring", "time_zone": "Asia/Kolkata"},
]
LIFECYCLES = [{"period": "week"}, {"period": "month", "time_zone": "America/New_York"}]
PLAN = {"analyses": {"cohort_retention": RETENTIONS, "lifecycle": LIFECYCLES}}


def log_of(seed, customers, days=100):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = [
        (f"客 {who}", START + timedelta(minutes=rng.randrange(days * 1_440)), name)
        for who in range(customers)
        for name in rng.choices(("ad", "web", "buy"), k=rng.randrange(1, 7))
    ]
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(("who", "when", "what"))},
        customer="who",
        timestamp="when",
        touchpoint="what",
        observed_until=START + timedelta(days=days + 3),
    )


def results_of(log):
    """Return the figures of the rows of a log."""
    columns = log.columns
    who = np.repeat(np.arange(log.n_customers), np.diff(columns.offsets))
    when = columns.time.astype("datetime64[us]")
    until = log.observed_until
    return [
        *(cx.metrics.cohort_retention(who, when, observed_until=until, **x) for x in RETENTIONS),
        *(cx.metrics.lifecycle(who, when, observed_until=until, **x) for x in LIFECYCLES),
    ]


def counted_results(statistics):
    return [
        *(statistics.cohort_retention(**options) for options in RETENTIONS),
        *(statistics.lifecycle(**options) for options in LIFECYCLES),
    ]


@given(
    seed=st.integers(0, 99),
    customers=st.sampled_from([1, 3, 64, 65, 200]),
    days=st.sampled_from([3, 100]),
)
@settings(max_examples=6)
def test_they_are_those_of_the_rows(seed, customers, days):
    log = log_of(seed, customers, days)
    statistics = log.journeys(**RULES).statistics(**PLAN)
    read = cx.JourneyStatistics.from_bytes(statistics.to_bytes())
    for raw, *found in zip(
        results_of(log), counted_results(statistics), counted_results(read), strict=True
    ):
        assert [one.to_dict() for one in found] == [raw.to_dict()] * 2
        assert [str(one) for one in found] == [str(raw)] * 2


@given(seed=st.integers(0, 9), customers=st.sampled_from([2, 64, 65, 150]), data=st.data())
@settings(max_examples=3)
def test_the_sum_of_parts_is_the_whole(summed, seed, customers, data):
    log = log_of(seed, customers)
    summed(log, RULES, data, **PLAN)


def test_parts_of_a_real_log_that_are_finer_than_buckets_add_up(shop_log, divided):
    rules = {"goal": "payment_done", "inactivity": timedelta(days=14)}
    parts = divided(shop_log, 128, rules, **PLAN)
    total = cx.JourneyStatistics.total(parts)
    assert total == shop_log.journeys(**rules).statistics(**PLAN)
    for raw, found in zip(results_of(shop_log), counted_results(total), strict=True):
        assert found.to_dict() == raw.to_dict()


def test_what_was_not_counted_or_cannot_be_is_refused():
    journeys = log_of(1, 20).journeys(**RULES)
    statistics = journeys.statistics(**PLAN)
    with pytest.raises(InvalidValue, match=r"cohort_retention was counted with .*, not "):
        statistics.cohort_retention(unit="day")
    with pytest.raises(InvalidValue, match=r"lifecycle was not counted"):
        journeys.statistics().lifecycle()
    for options, error, words in (
        ({"unit": None}, InvalidValue, "unit must be named"),
        ({}, InvalidValue, "missing a required argument: 'unit'"),
        ({"unit": "week", "starts": [True]}, InvalidValue, "unexpected keyword"),
        ({"unit": "month", "window": "rolling"}, InvalidValue, "rolling windows"),
        ({"unit": "week", "time_zone": "Mars"}, UnknownName, "Mars"),
    ):
        with pytest.raises(error, match=words):
            journeys.statistics(analyses={"cohort_retention": options})


def test_of_nobody_there_is_nothing():
    journeys = log_of(1, 5).filter(customers=[]).journeys(**RULES)
    statistics = journeys.statistics(**PLAN)
    assert statistics.cohort_retention(**RETENTIONS[0]).cohorts == ()
    assert statistics.lifecycle().periods == ()


@given(st.data())
def test_damage_is_refused_or_harmless(damaged, data):
    written = log_of(4, 30).journeys(**RULES).statistics(grains="touchpoint", **PLAN).to_bytes()
    try:
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
    except InvalidValue:
        return
    with contextlib.suppress(InvalidValue):  # options that are other options
        counted_results(found)
