"""Hand-off losses of statistics that add up: those of the journeys, whatever the parts."""

from __future__ import annotations

import functools
import json
import random
import re
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys._adding._tables import Counts
from cxjourney.omnichannel import handoff_loss

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = {"goal": "buy", "exit_touchpoints": "bye", "inactivity": timedelta(days=2)}
OPTIONS = (
    {},
    {"reference": "stayed_or_started"},
    {"strata": None},
    {"strata": "channel", "reference": "stayed_or_started"},
    {"by": "touchpoint", "strata": "channel"},
    {"by": "kind"},
)


@functools.cache
def log_of(seed, customers, *, whole_hours=True, days=20):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = START + timedelta(hours=rng.randrange(days * 24))
        for _ in range(rng.randrange(1, 9)):
            name = rng.choices(("ad", "web", "shop", "buy", "bye"), (4, 4, 3, 1, 1))[0]
            rows.append((f"c{number}", at, name, rng.choice(("web", "phone", "store", None))))
            at += timedelta(hours=rng.randrange(1, 60))
            if not whole_hours:
                at += timedelta(seconds=rng.randrange(3_600))
    until = START + timedelta(days=days)
    rows = [row for row in rows if row[1] < until]
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(("who", "when", "what", "where"))},
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
        observed_until=until,
    )


def journeys_of(seed, customers, *, whole_hours=True, days=20, **rules):
    log = log_of(seed, customers, whole_hours=whole_hours, days=days)
    return log.journeys(**{**RULES, **rules}, touchpoints=("buy", "bye"))


def told(options):
    """Return what is to be counted for some options."""
    return {"handoff_loss": options}


def text(found):
    return json.dumps(found.to_dict(), sort_keys=True)


def rows_of(table, ends):
    return {tuple(list(row.values())[:ends]): list(row.values())[ends:] for row in table}


@pytest.mark.parametrize("options", OPTIONS)
@given(seed=st.integers(0, 30), customers=st.sampled_from([20, 64, 150]))
@settings(max_examples=4)
def test_they_are_those_of_the_journeys_where_the_grid_parts_all_times(options, seed, customers):
    journeys = journeys_of(seed, customers)
    raw = handoff_loss(journeys, **options)
    found = handoff_loss(journeys.statistics(analyses=told(options)), **options)
    assert raw.notes == tuple(one for one in found.notes if "on a grid" not in one)
    assert found.spread == pytest.approx(raw.spread, abs=1e-9, nan_ok=True)
    for one, other, ends in (
        (raw.pairs, found.pairs, 2),
        (raw.destinations, found.destinations, 1),
    ):
        assert one.column_names == other.column_names
        mine, theirs = rows_of(one, ends), rows_of(other, ends)
        assert mine.keys() == theirs.keys()
        for key, values in mine.items():
            assert np.allclose(values, theirs[key], atol=1e-9, equal_nan=True), key
    for name in ("value", "low", "high", "n", "n_censored"):
        values = [getattr(one.pooled, name) for one in (raw, found)]
        assert np.allclose(*values, atol=1e-9, equal_nan=True)


@given(seed=st.integers(0, 60))
@settings(max_examples=6)
def test_the_distance_from_raw_times_is_within_what_is_said(seed):
    journeys = journeys_of(seed, 120, whole_hours=False, days=6, inactivity=timedelta(days=4))
    raw, found = (handoff_loss(one) for one in (journeys, journeys.statistics(analyses=told({}))))
    said = next((one for one in found.notes if "on a grid" in one), "at most 0, at most 0.")
    most, together = (
        1.05 * float(x.rstrip(".")) for x in re.findall(r"at most ([0-9][0-9.e-]*)", said)
    )
    mine, theirs = rows_of(raw.pairs, 2), rows_of(found.pairs, 2)
    apart = [abs(mine[key][1] - theirs[key][1]) for key in mine]
    assert np.nan_to_num(apart).max() <= most + 1e-9
    assert np.nan_to_num(abs(raw.pooled.value - found.pooled.value)) <= together + 1e-9


@given(seed=st.integers(0, 2), customers=st.sampled_from([64, 65, 150]), data=st.data())
@settings(max_examples=2)
def test_the_sum_of_parts_is_the_whole(summed, seed, customers, data):
    log, plan = log_of(seed, customers), {"analyses": told(list(OPTIONS))}
    total, whole = summed(log, RULES, data, **plan)
    read = cx.JourneyStatistics.from_bytes(total.to_bytes())
    for options in OPTIONS:
        assert text(handoff_loss(read, **options)) == text(handoff_loss(whole, **options))


def test_parts_finer_than_buckets_add_up(divided):
    log, plan = log_of(5, 300), {"analyses": told({})}
    parts = divided(log, 128, RULES, **plan)
    random.Random(1).shuffle(parts)  # noqa: S311
    total = cx.JourneyStatistics.total(parts)
    assert total.to_bytes() == log.journeys(**RULES).statistics(**plan).to_bytes()
    assert handoff_loss(total).pooled.n > 0


@pytest.mark.shared_data
def test_parts_of_a_real_log_add_up(shared, divided):
    log = cx.read_csv(
        shared / "data" / "bpi2016_uwv_complaints" / "BPI2016_Complaints.csv",
        customer="CustomerID",
        timestamp="ContactDate",
        touchpoint="ComplaintTheme_EN",
        channel="ContactChannelID",
        encoding="latin-1",
    )
    rules, plan = {"inactivity": timedelta(days=60)}, {"analyses": told([{}, {"strata": None}])}
    journeys = log.journeys(**rules)
    total = cx.JourneyStatistics.total(divided(log, 32, rules, **plan))
    assert total == journeys.statistics(**plan)
    raw, found = (handoff_loss(one, strata=None) for one in (journeys, total))
    assert [row["arrivals"] for row in raw.pairs] == [row["arrivals"] for row in found.pairs]
    assert raw.notes == tuple(one for one in found.notes if "on a grid" not in one)


def test_what_was_not_counted_is_refused_with_what_was():
    journeys = journeys_of(1, 80)
    for statistics in (journeys.statistics(), journeys.statistics(analyses=told({}))):
        with pytest.raises(InvalidValue, match=r"handoff_loss.*statistics\(analyses="):
            handoff_loss(statistics, by="touchpoint")
    with pytest.raises(InvalidValue, match="within_customers must be left out"):
        handoff_loss(statistics, within_customers=True)
    with pytest.raises(InvalidValue):
        handoff_loss(statistics, segment="channel")
    with pytest.raises(InvalidValue, match="strata"):
        journeys.statistics(analyses=told({"strata": "colour"}))
    with pytest.raises(InvalidValue, match="reference"):
        journeys.statistics(analyses=told({"reference": "left"}))
    with pytest.raises(UnknownName, match="owner"):
        journeys.statistics(analyses=told({"by": "owner"}))
    # only the finishing reads it
    assert journeys.statistics(analyses=told({"reference": "stayed_or_started"})) == statistics


@pytest.mark.parametrize("column", range(4))
def test_numbers_that_no_journeys_have_are_refused(column):
    statistics = journeys_of(1, 80).statistics(analyses=told({}))
    name = "handoff_loss 0 arrivals"
    values = statistics.tables[name].values.copy()
    values[-1, column] += 10_000
    tables = {**statistics.tables, name: Counts.of(statistics.tables[name].key, values)}
    with pytest.raises(InvalidValue, match="do not agree"):
        cx.JourneyStatistics.from_bytes(attrs.evolve(statistics, tables=tables).to_bytes())
