"""The audit of statistics that add up has the counts of the audit of the log."""

from __future__ import annotations

import contextlib
import random
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import InvalidValue

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = timedelta(hours=6)
pytestmark = pytest.mark.filterwarnings("ignore:.* lies? after observed_until")
RULES = {"goal": "buy", "inactivity": LIMIT}
PLAN = {"analyses": {"audit": {}}}
NEEDS_ROWS = {
    *("first", "last", "rows_received", "dropped", "out_of_order", "naive", "tz", "ambiguous"),
    *("nonexistent", "future", "odd"),
}


def log_of(seed, customers, **columns):
    """Return a log with ties, duplicates, missing names and rows behind its end."""
    rng = random.Random(seed)  # noqa: S311 - rows, no secrets
    names = ("who", "when", "what", "where", "seq", "note")
    rows = []
    for who in range(customers):
        at = START + timedelta(hours=rng.randrange(12))
        for i in range(rng.choice((1, 2, 3, 20))):
            what = rng.choice(("ad", "web", "buy")) if rows else "buy"
            where = rng.choice(("shop", "web", None))
            rows.append((f"客 {who}", at, what, where, i, rng.choice(("a", None))))
            if rng.random() < 0.1:
                rows.append((*rows[-1][:4], i + 100, rows[-1][5]))
            at += timedelta(hours=rng.randrange(4))
    return cx.InteractionLog.from_frame(
        {name: [row[i] for row in rows] for i, name in enumerate(names)},
        **{"customer": "who", "timestamp": "when", "touchpoint": "what", **columns},
        observed_from=START,
        observed_until=START + timedelta(hours=30),
    )


def assert_the_same(found, log, limit=LIMIT):
    there = attrs.asdict(log.audit(inactivity=limit), recurse=False)
    here = attrs.asdict(found, recurse=False)
    for name in there.keys() - NEEDS_ROWS:
        assert here[name] == there[name], name
    assert not any(here[name] for name in NEEDS_ROWS)
    assert found.ties == log.audit().ties


@given(
    given_log=st.tuples(
        st.integers(0, 99),
        st.sampled_from([2, 40, 64, 65, 150]),
        st.sampled_from(
            [{}, {"channel": "where"}, {"channel": "where", "seq": "seq", "attributes": ["note"]}]
        ),
    ),
    data=st.data(),
)
@settings(max_examples=4)
def test_any_grouping_of_parts_has_the_counts_of_the_log(summed, given_log, data):
    seed, customers, columns = given_log
    log = log_of(seed, customers, **columns)
    nested, whole = summed(log, RULES, data, **PLAN)
    found = cx.JourneyStatistics.from_bytes(nested.to_bytes()).audit()
    assert_the_same(found, log)
    assert found.to_dict() == whole.audit().to_dict()


def test_by_hand():
    log = cx.InteractionLog.from_frame(
        {
            "who": ["a", "a", "a", "b", "c"],
            "when": ["2026-01-01", "2026-01-01", "2026-01-04", "2026-01-02", "2026-01-03"],
            "what": ["web", "web", "app", "buy", "app"],
            "where": ["x", "x", None, "x", None],
        },
        customer="who",
        timestamp="when",
        touchpoint="what",
        channel="where",
        observed_from="2025-12-31T20:00",
        observed_until="2026-01-03T12:00",
    )
    found = log.journeys(**RULES).statistics(**PLAN).audit()
    assert (found.rows, found.customers, found.touchpoints, found.channels) == (5, 3, 3, 1)
    assert (found.tied, found.duplicates, found.ordered) == (1, 1, False)
    assert (found.after_observed_until, found.one_interaction_customers) == (1, 2)
    assert (found.left_truncated, found.missing) == (1, {"channel": 2})
    assert found.rows_received is None
    shown = str(found)
    assert "rows received" not in shown
    assert "in the future" not in shown
    assert "need the rows" in shown
    # without a limit, nobody knows who is left-truncated
    assert log.journeys(goal="buy").statistics(**PLAN).audit().left_truncated is None


def test_of_nobody_and_of_what_was_not_counted():
    log = log_of(0, 2)
    nobody = log.filter(customers=[]).journeys(**RULES, touchpoints=["buy"]).statistics(**PLAN)
    assert nobody.audit().rows == 0
    assert "The log has no interactions." in str(nobody.audit())
    with pytest.raises(InvalidValue, match=r'statistics\(analyses=\{"audit"'):
        log.journeys(**RULES).statistics().audit()
    with pytest.raises(InvalidValue, match="options"):
        log.journeys(**RULES).statistics(analyses={"audit": {"now": "2026-01-01"}})


@given(data=st.data())
@settings(max_examples=10)
def test_damage_is_refused_or_harmless(damaged, data):
    journeys = log_of(3, 70, channel="where").journeys(**RULES)
    written = journeys.statistics(grains="touchpoint", **PLAN).to_bytes()
    with contextlib.suppress(InvalidValue):
        found = cx.JourneyStatistics.from_bytes(damaged(written, data))
        with contextlib.suppress(InvalidValue):  # of another analysis
            audit = found.audit()
            assert audit.duplicates <= audit.tied <= audit.rows - audit.customers
            assert audit.one_interaction_customers <= audit.customers
            assert 0 <= audit.ties <= 1


@pytest.mark.parametrize("fact", range(8))
def test_counts_that_no_log_has_are_refused(fact):
    statistics = log_of(1, 80, channel="where").journeys(**RULES).statistics(**PLAN)
    counts = statistics.tables["audit 0 facts"]
    values = counts.values.copy()
    values[fact] += 1_000_000
    tables = {**statistics.tables, "audit 0 facts": type(counts).of(counts.key, values)}
    with pytest.raises(InvalidValue, match="audit 0"):
        cx.JourneyStatistics.from_bytes(attrs.evolve(statistics, tables=tables).to_bytes())


def test_parts_of_a_real_log(shop_log, divided):
    rules = {"inactivity": timedelta(days=3)}
    whole = shop_log.journeys(**rules).statistics(**PLAN)
    parts = divided(shop_log, 16, rules, **PLAN)
    assert sum(parts[::-1]) == whole == cx.JourneyStatistics.total(parts[::2] + parts[1::2])
    assert_the_same(sum(parts).audit(), shop_log, timedelta(days=3))
    assert whole.audit().rows == len(shop_log)
