from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney import InteractionLog, from_sequences, from_wide, read_csv
from cxjourney.exceptions import InvalidData, InvalidValue, ReservedName, UnknownName
from cxjourney.io import StepColumn

DEALS = {
    "deal": ["a", "b", "c", "d"],
    "engage": ["2024-01-02", "2024-01-03", None, "2024-01-05"],
    "close": ["2024-02-01", None, None, "2024-01-05"],
    "stage": ["Won", "Engaging", "Prospecting", "Lost"],
    "price": [10.0, None, None, 0.0],
    "product": ["x", "y", "x", "y"],
}
STEPS = {
    "engage": StepColumn("engaged", channel="phone", stage="consideration"),
    "close": StepColumn(named_by="stage", value="price"),
}


def told(log) -> list[tuple[str, str, str]]:
    return [
        (i.customer.id, f"{i.timestamp:%Y-%m-%d}", i.touchpoint.name) for i in log.interactions()
    ]


@pytest.mark.parametrize("library", ["mapping", "pandas", "polars"])
def test_each_date_is_an_interaction_and_a_missing_one_is_none(library):
    frame = DEALS if library == "mapping" else pytest.importorskip(library).DataFrame(DEALS)
    log = from_wide(frame, customer="deal", steps=STEPS, attributes=["product"], currency="EUR")
    assert told(log) == [
        ("a", "2024-01-02", "engaged"),
        ("a", "2024-02-01", "Won"),
        ("b", "2024-01-03", "engaged"),
        ("d", "2024-01-05", "engaged"),  # one day: the order of the steps decides
        ("d", "2024-01-05", "Lost"),
    ]
    first, second, *_ = log.interactions()
    assert (first.channel.name, first.stage.name, first.value) == ("phone", "consideration", None)
    assert (second.channel, second.value, second.currency) == (None, 10.0, "EUR")
    assert dict(second.attributes) == {"product": "x"}
    assert dict(log.intake.dropped) == {"rows of the table with no dated step": 1}
    assert log.intake.naive == 5


def test_a_customer_of_several_rows_has_a_journey_a_row():
    orders = {"who": ["a", "a"], "order": [2, 1], "placed": ["2024-01-01", "2024-01-03"]}
    log = from_wide(orders, customer="who", journey="order", steps={"placed": "placed"})
    assert [i.journey for i in log.interactions()] == ["2", "1"]


def test_timestamps_of_steps_are_read_in_tz_and_by_format():
    table = {"who": ["a"], "placed": ["31.12.2024 23:30"]}
    log = from_wide(
        table,
        customer="who",
        steps={"placed": "placed"},
        tz="America/New_York",
        timestamp_format="%d.%m.%Y %H:%M",
    )
    (only,) = log.interactions()
    assert only.timestamp == datetime(2025, 1, 1, 4, 30, tzinfo=UTC)


def test_unreadable_dates_name_their_column_and_row():
    table = {"who": ["a", "b"], "placed": ["2024-01-01", "soon"]}
    with pytest.raises(InvalidData, match=r"placed such as 'soon'.*1 row: 1"):
        from_wide(table, customer="who", steps={"placed": "placed"})


def test_missing_ids_and_names_are_refused_with_rows_of_the_table_or_dropped():
    table = {
        "who": ["a", None, None, "d"],
        "placed": ["2024-01-01", "2024-01-01", None, "2024-01-02"],
        "what": ["order", "order", "order", None],
    }
    steps = {"placed": StepColumn(named_by="what")}
    with pytest.raises(InvalidData, match="who is missing in 1 row: 1"):
        from_wide(table, customer="who", steps=steps)
    table["who"][1] = "b"
    with pytest.raises(InvalidData, match="what is missing in 1 row: 3"):
        from_wide(table, customer="who", steps=steps)
    table["who"][1] = None
    log = from_wide(table, customer="who", steps=steps, missing="drop")
    assert told(log) == [("a", "2024-01-01", "order")]
    assert dict(log.intake.dropped) == {
        "customer is missing": 1,
        "touchpoint is missing": 1,
        "rows of the table with no dated step": 1,
    }


def test_steps_say_what_they_are():
    with pytest.raises(InvalidValue, match="either a touchpoint or named_by"):
        StepColumn()
    with pytest.raises(InvalidValue, match="either a touchpoint or named_by"):
        StepColumn("a", named_by="b")
    with pytest.raises(ReservedName):
        StepColumn("__start__")
    with pytest.raises(InvalidValue, match="at least one date column"):
        from_wide(DEALS, customer="deal", steps={})
    with pytest.raises(UnknownName, match=r"'engag'.*did you mean 'engage'"):
        from_wide(DEALS, customer="deal", steps={"engag": "engaged"})


def test_an_attribute_may_be_called_like_a_role():
    table = {"who": ["a"], "placed": ["2024-01-01"], "customer": ["vip"]}
    log = from_wide(table, customer="who", steps={"placed": "placed"}, attributes=["customer"])
    (only,) = log.interactions()
    assert (only.customer.id, dict(only.attributes)) == ("a", {"customer": "vip"})


MONTHS = {
    "id": [1, 2, 3],
    "jan": ["school", "school", None],
    "feb": ["school", None, None],
    "mar": ["job", "job", None],
    "sex": ["f", "m", "f"],
}


def test_each_state_is_an_interaction_at_the_beginning_of_its_period():
    starts = {"jan": "2024-01-01", "feb": datetime(2024, 2, 1, tzinfo=UTC), "mar": "2024-03-01"}
    log = from_sequences(MONTHS, customer="id", states=starts, attributes=["sex"])
    assert told(log) == [
        ("1", "2024-01-01", "school"),
        ("1", "2024-02-01", "school"),
        ("1", "2024-03-01", "job"),
        ("2", "2024-01-01", "school"),
        ("2", "2024-03-01", "job"),
    ]
    assert dict(log.intake.dropped) == {"rows of the table with no state": 1}
    assert dict(next(log.interactions()).attributes) == {"sex": "f"}


def test_periods_of_one_length_need_a_start_and_a_step():
    log = from_sequences(
        MONTHS,
        customer="id",
        states=["jan", "feb", "mar"],
        start="2024-01-01",
        step=timedelta(days=7),
        tz="Europe/Prague",
    )
    assert [row[1] for row in told(log)[:3]] == ["2023-12-31", "2024-01-07", "2024-01-14"]
    for wrong in ({}, {"start": "2024-01-01"}, {"step": timedelta(1)}):
        with pytest.raises(InvalidValue, match="start and step"):
            from_sequences(MONTHS, customer="id", states=["jan"], **wrong)
    with pytest.raises(InvalidValue, match="start and step"):
        from_sequences(MONTHS, customer="id", states={"jan": "2024-01-01"}, start="2024-01-01")


def test_the_last_period_was_observed_even_if_nobody_had_a_state():
    table = {"id": ["a"], "jan": ["x"], "feb": [None]}
    log = from_sequences(table, customer="id", states={"jan": "2024-01-01", "feb": "2024-02-01"})
    assert log.observed_until == datetime(2024, 2, 1, tzinfo=UTC)


def test_states_stand_in_the_order_of_time():
    with pytest.raises(InvalidValue, match="order of time; got 'feb'"):
        from_sequences(MONTHS, customer="id", states={"jan": "2024-01-02", "feb": "2024-01-01"})
    with pytest.raises(InvalidValue, match="name the state columns"):
        from_sequences(MONTHS, customer="id", states=[])


def test_each_customer_has_one_row_of_states():
    states = {"jan": "2024-01-01"}
    with pytest.raises(InvalidData, match="id repeats an earlier one in 1 row: 2"):
        from_sequences({"id": [1, 2, 1], "jan": ["a"] * 3}, customer="id", states=states)
    with pytest.raises(InvalidData, match="id is missing in 1 row: 1"):
        from_sequences({"id": ["a", None], "jan": ["a"] * 2}, customer="id", states=states)
    log = from_sequences(
        {"id": ["a", None], "jan": ["a"] * 2}, customer="id", states=states, missing="drop"
    )
    assert len(log) == 1


def test_empty_tables_are_empty_logs():
    table = {"id": np.array([], dtype=object), "jan": np.array([], dtype=object)}
    assert len(from_sequences(table, customer="id", states={"jan": "2024-01-01"})) == 0
    assert len(from_wide(table, customer="id", steps={"jan": "x"})) == 0


def test_the_currency_of_a_wide_table_is_a_code():
    table = {"id": [1], "won": ["2024-01-01"]}
    with pytest.raises(InvalidValue, match=r"^currency must be a code such as \"EUR\"; got 'euro'"):
        from_wide(table, customer="id", steps={"won": "won"}, currency="euro")


WIDE = {
    "who": ["a", "b"],
    "web": ["31.01.2024", "01.02.2024"],
    "call": [1_706_745_600, 1_706_832_000],  # 2024-02-01 and 2024-02-02, midnight UTC
    "buy": ["2024-03-01", None],
    "channel": ["phone", "store"],
}
DATES = {"web": "web", "call": "call", "buy": "buy"}


def test_each_date_column_has_a_form_of_its_own():
    log = from_wide(
        WIDE,
        customer="who",
        steps=DATES,
        timestamp_format={"web": "%d.%m.%Y"},
        timestamp_unit={"call": "s"},
    )
    assert told(log) == [
        ("a", "2024-01-31", "web"),
        ("a", "2024-02-01", "call"),
        ("a", "2024-03-01", "buy"),
        ("b", "2024-02-01", "web"),
        ("b", "2024-02-02", "call"),
    ]
    with pytest.raises(InvalidData, match=r"web such as '31\.01\.2024' cannot be read"):
        from_wide(WIDE, customer="who", steps=DATES, timestamp_unit={"call": "s"})
    with pytest.raises(InvalidValue, match="call must be a column of dates"):
        from_wide(WIDE, customer="who", steps=DATES, timestamp_format={"web": "%d.%m.%Y"})
    for options in ({"timestamp_format": {"wep": "%Y"}}, {"timestamp_unit": {"wep": "s"}}):
        with pytest.raises(UnknownName, match="did you mean 'web'"):
            from_wide(WIDE, customer="who", steps=DATES, **options)
    with pytest.raises(InvalidValue, match="timestamp_unit must be one of"):
        from_wide(WIDE, customer="who", steps=DATES, timestamp_unit={"call": "d"})
    both = {"timestamp_format": "%d.%m.%Y", "timestamp_unit": {"call": "s"}}
    with pytest.raises(InvalidValue, match="beside timestamp_format="):
        from_wide(WIDE, customer="who", steps=DATES, **both)


def test_what_holds_for_every_row_is_not_the_name_of_a_column():
    day = {"buy": "buy"}
    for kind in ("channel", "stage"):
        step = StepColumn("buy", **{kind: "channel"})
        with pytest.raises(InvalidValue, match=f"{kind} of the step 'buy' must not be the name of"):
            from_wide(WIDE, customer="who", steps={"buy": step})
    with pytest.raises(InvalidValue, match="touchpoint of the step 'buy' must not be the name of"):
        from_wide(WIDE, customer="who", steps={"buy": StepColumn("channel")})
    named = from_wide(WIDE, customer="who", steps={"buy": StepColumn(named_by="channel")})
    assert told(named) == [("a", "2024-03-01", "phone")]
    # a date column may be called like the channel of its step
    log = from_wide(
        {**WIDE, "web": WIDE["buy"]},
        customer="who",
        steps={"web": StepColumn("web", channel="web")},
    )
    assert log.channels == ("web",)
    with pytest.raises(InvalidValue, match="currency must not be the name of a column"):
        from_wide({**WIDE, "EUR": [1, 2]}, customer="who", steps=day, currency="EUR")


def test_a_currency_is_a_code_or_a_column_and_never_both(tmp_path):
    table = {"who": ["a"], "when": ["2024-01-01"], "what": ["x"], "EUR": [1.5], "money": ["EUR"]}
    names = {"customer": "who", "timestamp": "when", "touchpoint": "what", "value": "EUR"}
    path = tmp_path / "log.csv"
    path.write_text("who,when,what,EUR,money\na,2024-01-01,x,1.5,EUR\n")
    for read in (InteractionLog.from_frame, lambda _, **options: read_csv(path, **options)):
        assert read(table, **names, currency="USD").currency == "USD"
        assert read(table, **names, currency="money").currency == "EUR"
        with pytest.raises(InvalidValue, match="currency must not be the name of a column"):
            read(table, **names, currency="EUR")
