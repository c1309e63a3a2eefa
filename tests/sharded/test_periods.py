"""Journeys of a period, counted in shards: those of a log that is cut at the end of the period."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import cxjourney as cx
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.log import in_order_of_names
from cxjourney.sharded import _duckdb

from .engines import KEYS, LIMIT, MADE, REAL, made_table, real_table

QUIET = pytest.mark.filterwarnings("ignore::cxjourney.exceptions.DataQualityWarning")
PERIODS: list[tuple[str | None, str | None]] = [
    (None, "2024-03-31T02:30"),
    ("2024-03-31T02:30", None),
    ("2024-03-30T12:00", "2024-10-26"),
    ("2025-06-01", None),
    (None, "2024-01-01"),
]


def in_memory(
    table: pa.Table,
    rules: dict[str, Any],
    since: str | None,
    until: str | None,
    analyses: Any = None,
    **reading: Any,
) -> cx.JourneyStatistics:
    log, _ = in_order_of_names(cx.InteractionLog.from_frame(table, **KEYS, **reading))
    if rules.get("all_closed"):
        journeys = log.journeys(**rules).where(since=since, until=until)
    else:
        journeys = log.between(None, until).journeys(**rules).where(since=since)
    return journeys.statistics(analyses=analyses)


def in_shards(
    table: pa.Table, most: int, *, own: bool = False, **plan: Any
) -> cx.JourneyStatistics:
    counting = _duckdb.Counting.of(KEYS, **plan)
    with duckdb.connect() as connection, _duckdb.private_folder() as folder:
        connection.register("given", table)
        relation = connection.table("given")
        return _duckdb._counted(counting, relation, folder, most=most, own=own)


@QUIET
@pytest.mark.parametrize(("rules", "reading"), MADE)
@pytest.mark.parametrize(("since", "until"), PERIODS)
def test_filters_and_copies_give_the_bytes_of_the_period(rules, reading, since, until):
    table, reading = made_table(None), {**reading, "missing": "drop"}
    whole = in_memory(table, rules, since, until, **reading)
    plan = {**rules, **reading, "since": since, "until": until}
    for most, own in ((10**6, False), (200, True), (200, False)):
        found = in_shards(table, most, own=own, **plan)
        assert found == whole
        assert found.to_bytes() == whole.to_bytes()


@QUIET
@pytest.mark.parametrize("name", REAL)
def test_real_logs(shared, name):
    table, rules = real_table(shared, name)
    times = sorted(table["at"].to_pylist())
    change = times[len(times) // 2].isoformat()
    pages = sorted(set(table["page"].to_pylist()))
    analyses = {"funnel": {"steps": pages[:2]}, "suggest_inactivity": {}}
    sides = []
    for since, until in ((None, change), (change, None)):
        whole = in_memory(table, rules, since, until, analyses)
        period = {**rules, "since": since, "until": until, "analyses": analyses}
        found = in_shards(table, len(table) // 3, own=True, **period)
        assert found.to_bytes() == whole.to_bytes()
        assert in_shards(table, len(table) // 6, **period).to_bytes() == whole.to_bytes()
        sides.append(found)
    counts = [sum(side.outcomes.values()) for side in sides]
    log = cx.InteractionLog.from_frame(table, **KEYS)
    assert counts[1] == len(log.journeys(**rules).where(since=change))
    assert counts[0] == len(log.between(None, change).journeys(**rules))
    with pytest.raises(InvalidValue, match=r"compare two periods by compare.between\(\)"):
        sides[0] + sides[1]


def events() -> pa.Table:
    """Return a journey before the first of February, one that runs across it, and one after."""
    rows = [
        ("a", "2026-01-10", "web"),
        ("b", "2026-01-30", "web"),
        ("b", "2026-02-02", "buy"),
        ("c", "2026-02-10", "web"),
        ("c", "2026-02-11", "buy"),
        ("d", "2026-03-01", "web"),
    ]
    who, at, page = zip(*rows, strict=True)
    moments = pa.array(map(datetime.fromisoformat, at), pa.timestamp("us"))
    return pa.table({"who": list(who), "at": moments, "page": list(page)})


def of_events(**plan: Any) -> tuple[int, int, int]:
    """Return how many converted, dropped off, and are in progress."""
    with duckdb.connect() as connection:
        connection.register("given", events())
        relation = connection.table("given")
        found = cx.sharded.relation(relation, **KEYS, goal="buy", inactivity=LIMIT * 2, **plan)
    outcomes = found.outcomes
    return tuple(outcomes[one] for one in cx.Outcome)  # type: ignore[return-value]


def test_a_journey_that_runs_across_is_in_progress_before_and_none_after():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert of_events() == (2, 1, 1)
        assert of_events(until="2026-02-01") == (0, 1, 1)
        assert of_events(since="2026-02-01") == (1, 0, 1)
        assert of_events(since="2026-01-20", until="2026-02-11") == (1, 0, 1)


def test_closed_cases_are_taken_whole():
    with duckdb.connect() as connection:
        connection.register("given", events())
        relation = connection.table("given")
        rules = {"goal": "buy", "all_closed": True}
        before = cx.sharded.relation(relation, **KEYS, **rules, until="2026-02-01")
        after = cx.sharded.relation(relation, **KEYS, **rules, since="2026-02-01")
    assert [before.outcomes[one] for one in cx.Outcome] == [1, 1, 0]
    assert [after.outcomes[one] for one in cx.Outcome] == [1, 1, 0]


def test_what_lies_outside_the_window_and_counts_is_told():
    with pytest.warns(DataQualityWarning, match="4 interactions lie after observed_until and"):
        of_events(observed_until="2026-02-01")
    with pytest.warns(DataQualityWarning, match="2 interactions lie before observed_from and"):
        of_events(observed_from="2026-02-01")
    with pytest.warns(DataQualityWarning, match="1 interaction lies before observed_from and"):
        of_events(observed_from="2026-02-01", since="2026-01-20")
    with pytest.warns(DataQualityWarning, match="2 interactions lie after observed_until and"):
        of_events(observed_until="2026-02-01", until="2026-02-11")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_events(observed_from="2026-02-01", since="2026-02-01")
        of_events(observed_until="2026-02-01", until="2026-02-01")


def test_what_is_wrong_is_said():
    with pytest.raises(InvalidValue, match=r"until must lie after since \(2026-02-01\)"):
        of_events(since="2026-02-01", until="2026-02-01")
    with pytest.raises(InvalidValue, match="since must be"):
        of_events(since="soon")
    with pytest.raises(InvalidValue, match="until must be"):
        of_events(until=timedelta(days=1))


def test_a_part_without_customers_adds_nothing():
    period = {"goal": "buy", "inactivity": LIMIT, "since": "2026-01-01", "until": "2026-02-01"}
    nothing: dict[str, list[str]] = {name: [] for name in KEYS.values()}
    found, told = _duckdb.Counting.of(KEYS, **period).count(nothing, (3, 16))
    assert (found.n_customers, sum(found.outcomes.values()), told["ties"]) == (0, 0, 0)
