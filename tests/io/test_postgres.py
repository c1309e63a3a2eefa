"""PostgreSQL for real, by Arrow and by rows: `.ci/run databases` runs these."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

import cxjourney as cx
from cxjourney.exceptions import InvalidData, InvalidValue, UnknownName

TABLE = """CREATE TEMP TABLE hits (
    who text, number bigint, at timestamptz, local timestamp, day date, what varchar(20),
    channel text, worth numeric(12, 2), score double precision, stars smallint, took interval,
    position integer, tags text[], facts jsonb, plan text, pro boolean, id uuid
)"""
ROWS = """INSERT INTO hits VALUES
    ('7', 7, '2026-01-05 09:00+01', '2026-01-05 08:00', '2026-01-05', 'view', NULL, NULL, 1.5, 3,
     '90 s', 1, '{a,b}', '{"a": 1}', 'basic', true, '00000000-0000-0000-0000-000000000001'),
    ('007', 8, '2026-01-05 10:00:00.25Z', '2026-01-05 10:00:00.25', '2026-01-05', 'büy 🛒', 'web',
     1234.50, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL),
    (NULL, NULL, '2026-01-06 00:00Z', '2026-01-06', '2026-01-06', 'view', 'web', 0.10, 2, 5, '1 h',
     3, '{}', '{}', 'pro', false, '00000000-0000-0000-0000-000000000002')"""
ROLES = {"customer": "who", "timestamp": "at", "touchpoint": "what", "missing": "drop"}
QUERY = "SELECT * FROM hits"
PLAIN = (
    "SELECT who, number, at, local, day, what, channel, worth, score, stars, plan, pro FROM hits"
)


@pytest.fixture(params=["adbc", "psycopg"])
def connection(request, postgres):
    if request.param == "adbc":
        from adbc_driver_postgresql import dbapi

        opened = dbapi.connect(postgres)
    else:
        import psycopg

        opened = psycopg.connect(postgres)
    with opened:
        with opened.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'Asia/Kolkata'")  # which must not matter
            cursor.execute(TABLE)
            cursor.execute(ROWS)
        yield opened


def test_what_the_columns_hold_is_read(connection):
    log = cx.read_sql(
        PLAIN, connection, **ROLES, channel="channel", value="worth", currency="EUR", score="score",
        attributes=["plan", "pro"],
    )  # fmt: skip
    told = [
        (i.customer.id, i.timestamp, i.touchpoint.name, i.value, i.score, dict(i.attributes))
        for i in log.interactions()
    ]
    assert sorted(told) == [
        ("007", datetime(2026, 1, 5, 10, 0, 0, 250_000, UTC), "büy 🛒", 1234.5, None, {}),
        (
            "7", datetime(2026, 1, 5, 8, tzinfo=UTC), "view", None, 1.5,
            {"plan": "basic", "pro": True},
        ),
    ]  # fmt: skip
    assert dict(log.intake.dropped) == {"customer is missing": 1}
    assert log.intake.naive == 0


def test_times_without_a_zone_are_read_in_that_of_the_caller(connection):
    roles = {**ROLES, "timestamp": "local"}
    log = cx.read_sql(PLAIN, connection, **roles, tz="Europe/Berlin")
    assert log.intake.naive == 3
    assert {i.customer.id: i.timestamp.hour for i in log.interactions()} == {"7": 7, "007": 9}
    days = cx.read_sql(PLAIN, connection, **{**ROLES, "timestamp": "day"})
    assert {i.timestamp for i in days.interactions()} == {datetime(2026, 1, 5, tzinfo=UTC)}


def test_whole_numbers_are_ids_durations_are_lengths_and_positions_order(connection):
    query = "SELECT number, what, at, took, position, stars FROM hits"
    log = cx.read_sql(
        query, connection, customer="number", timestamp="at", touchpoint="what", duration="took",
        seq="position", score="stars", missing="drop",
    )  # fmt: skip
    assert sorted(log.customer_ids) == ["7", "8"]
    lengths = {i.customer.id: i.duration for i in log.interactions()}
    assert lengths == {"7": timedelta(seconds=90), "8": None}
    assert {i.customer.id: i.score for i in log.interactions()} == {"7": 3.0, "8": None}


def test_parameters_are_those_of_the_driver(connection):
    adbc = type(connection).__module__.startswith("adbc")
    query = f"{PLAIN} WHERE worth > {'$1' if adbc else '%s'}"
    given = (1.0,) if adbc else (Decimal("1.0"),)
    log = cx.read_sql(query, connection, parameters=given, **ROLES)
    assert log.customer_ids == ("007",)
    with connection.cursor() as cursor:  # it stays open
        cursor.execute("SELECT count(*) FROM hits")
        assert cursor.fetchone()[0] == 3


def test_an_interval_of_months_has_no_length(postgres):
    from adbc_driver_postgresql import dbapi

    query = "SELECT 'a' AS who, now() AS at, 'b' AS what, '1 month'::interval AS took"
    with (
        dbapi.connect(postgres) as connection,
        pytest.raises(InvalidValue, match="have no months or years"),
    ):
        cx.read_sql(query, connection, **ROLES, duration="took")


def test_nothing_found_is_an_empty_log(connection):
    assert len(cx.read_sql(f"{PLAIN} WHERE false", connection, **ROLES)) == 0


def test_what_is_no_single_value_is_refused(connection):
    query = "SELECT who, at, what, tags FROM hits"
    with pytest.raises(InvalidData, match="no single value"):
        cx.read_sql(query, connection, **ROLES, channel="tags")
    with pytest.raises(UnknownName, match="did you mean 'what'"):
        cx.read_sql(query, connection, **{**ROLES, "touchpoint": "whta"})


def test_both_ways_give_one_log(postgres):
    import psycopg
    from adbc_driver_postgresql import dbapi

    logs = []
    for connect in (dbapi.connect, psycopg.connect):
        with connect(postgres) as connection, connection.cursor() as cursor:
            cursor.execute(TABLE)
            cursor.execute(ROWS)
            logs.append(
                cx.read_sql(
                    PLAIN, connection, **ROLES, channel="channel", value="worth", score="stars",
                    attributes=["plan", "pro", "score"],
                )
            )  # fmt: skip
    assert logs[0] == logs[1]
