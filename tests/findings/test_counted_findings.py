"""Findings of statistics that add up: those of the journeys where customers are buckets."""

from __future__ import annotations

import contextlib
import functools
import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney._findings._claims import excesses, handoffs
from cxjourney._findings._counted import CountedTrials
from cxjourney._findings._trials import Trials
from cxjourney.exceptions import InvalidValue

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("ad", "web", "shop", "mail", "call", "buy", "bye")
PLAN = {"analyses": {"findings": {}}}
RULES = {
    "goal": "buy",
    "exit_touchpoints": "bye",
    "inactivity": timedelta(days=2),
    "touchpoints": NAMES,
}


@functools.cache
def log_of(seed, customers, visits=30, *, channels=True):
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    rows = []
    for number in range(customers):
        at = START + timedelta(seconds=rng.randrange(5 * 86_400))
        for _ in range(rng.randrange(1, 2 * visits)):
            name = rng.choices(NAMES, (4, 4, 3, 3, 3, 1, 1))[0]
            # whoever comes to the shop by phone is lost more often
            channel = rng.choice(("online", "phone", None))
            rows.append((f"käufer {number}", at, name, channel))
            lost = rng.random() < (0.3 if name == "shop" else 0.05)
            at += timedelta(seconds=rng.randrange(400_000 if lost else 40_000))
    until = START + timedelta(days=30)
    rows = [row for row in rows if row[1] < until]
    names = ("who", "when", "what", "where")
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(names)},
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where" if channels else None,
        observed_until=until,
    )


def told(statistics):
    return json.dumps(cx.findings(statistics).to_dict())


@given(seed=st.integers(0, 20))
@settings(max_examples=6)
def test_of_64_customers_every_claim_is_that_of_the_journeys(seed):
    journeys = log_of(seed, 64).journeys(**RULES)
    raw, counted = Trials.of(journeys, []), CountedTrials.of(journeys.statistics(**PLAN))
    assert raw.begin_us == raw.first_us  # statistics take the record to be complete
    order = [raw.names.index(name) for name in counted.names]
    for field in ("trials", "events", "units", "largest_share", "variance"):
        mine, theirs = getattr(raw.sums, field)[order], getattr(counted.sums, field)
        assert np.allclose(mine, theirs, rtol=1e-12), field
    claims = []
    for trials in (raw, counted):
        channels, ends = trials.channels[0], np.zeros(trials.size, dtype=np.bool_)
        keep = np.ones(len(trials.touchpoint), dtype=np.bool_)
        found = {
            tuple(channels[i] for i in one.pair): (one.effect, one.error, one.units, one.p, one.n)
            for one in handoffs(trials)
        }
        found |= {
            trials.names[one.touchpoint]: (one.effect, one.error, one.units, one.p, one.n)
            for one in excesses(trials, keep, ends=ends, with_stages=False)
        }
        claims.append(found)
    assert claims[0].keys() == claims[1].keys()
    assert {("online", "phone"), "shop"} <= claims[0].keys()
    for key, numbers in claims[0].items():
        assert numbers == pytest.approx(claims[1][key], rel=1e-2, abs=1e-3), key  # on a grid
        if isinstance(key, tuple):
            assert numbers == pytest.approx(claims[1][key], rel=1e-9), key


def test_findings_that_are_sure_are_found_in_statistics_and_say_what_was_not_tested():
    journeys = cx.datasets.sample(seed=2, customers=3_000).journeys()
    statistics = journeys.statistics(**PLAN)
    raw, found = cx.findings(journeys), cx.findings(statistics)
    kinds = {"more exits than at peers", "hand-off that loses"}
    sure = {one.where: one for one in raw if one.kind in kinds}
    assert {one.where for one in found} == set(sure) == {"payment", "store advice", "app → web"}
    for one in found:
        other = sure[one.where]
        assert (one.n_journeys, one.n_customers) == (other.n_journeys, other.n_customers)
        assert one.effect.value == pytest.approx(other.effect.value, abs=0.01)
        assert one.gain.value == pytest.approx(other.gain.value, rel=0.1)
        with pytest.raises(InvalidValue, match="holds no journeys"):
            one.journeys()
        assert "finding.journeys()" not in " ".join(one.next_steps)
    assert "need the rows of journeys" in found.untested["reason"][-1]
    assert not found.tests["tests"][2:].any()
    assert any("64 buckets" in note for note in found.notes)


@given(seed=st.integers(0, 2), customers=st.sampled_from([2, 64, 65, 130]), data=st.data())
@settings(max_examples=4)
def test_the_sum_of_parts_is_the_whole(summed, seed, customers, data):
    log = log_of(seed, customers, 8)
    nested, whole = summed(log, RULES, data, **PLAN)
    assert told(nested) == told(whole)


def test_parts_finer_than_buckets_add_up(divided):
    log = log_of(4, 150, 8)
    parts = divided(log, 128, RULES, **PLAN)
    assert cx.JourneyStatistics.total(parts) == log.journeys(**RULES).statistics(**PLAN)


def test_parts_of_a_real_log_add_up(shop_log, divided):
    rules = {"goal": "payment_done", "inactivity": timedelta(days=14)}
    parts = divided(shop_log, 32, rules, **PLAN)
    total = cx.JourneyStatistics.total(parts[::2]) + cx.JourneyStatistics.total(parts[1::2])
    whole = shop_log.journeys(**rules).statistics(**PLAN)
    assert total == whole
    assert told(total) == told(whole)


def test_a_log_without_channels_has_no_handoffs(divided):
    log = log_of(1, 90, channels=False)
    statistics = sum(divided(log, 4, RULES, **PLAN))
    found = cx.findings(statistics)
    assert found.tests["tests"].tolist()[1:] == [0] * 5
    assert found.tests["tests"][0] > 0
    assert told(statistics) == told(log.journeys(**RULES).statistics(**PLAN))


def test_what_cannot_be_made_says_so():
    journeys = log_of(1, 90, 8).journeys(**RULES)
    statistics = journeys.statistics(**PLAN)
    with pytest.raises(InvalidValue, match=r"was not counted in .*analyses="):
        cx.findings(journeys.statistics())
    with pytest.raises(InvalidValue, match="segments must be left out"):
        cx.findings(statistics, segments=["channel"])
    with pytest.raises(InvalidValue, match="can be counted"):
        journeys.statistics(analyses={"findings": {"level": 0.9}})
    endless = log_of(1, 90, 8).journeys(goal="buy", exit_touchpoints="bye")
    with pytest.raises(InvalidValue, match="a silence ends"):
        endless.statistics(**PLAN)


def test_nothing_is_found_in_nothing():
    statistics = log_of(1, 90, 8).filter(customers=[]).journeys(**RULES).statistics(**PLAN)
    assert len(cx.findings(statistics)) == 0


@pytest.fixture(scope="module")
def written():
    return log_of(4, 30, 8).journeys(**RULES).statistics(**PLAN).to_bytes()


@given(st.data())
def test_damage_is_refused_or_harmless(written, damaged, data):
    try:
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
    except InvalidValue:
        return
    with contextlib.suppress(InvalidValue):  # another plan
        cx.findings(found)
