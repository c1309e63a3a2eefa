from __future__ import annotations

import gzip
import time
from datetime import timedelta

import pytest

from cxjourney import read_xes
from cxjourney.exceptions import (
    DataQualityWarning,
    InputFileError,
    InvalidData,
    InvalidValue,
    UnknownName,
)

EVENT = """<event>
  <string key="concept:name" value="{name}"/><date key="time:timestamp" value="{when}"/>{more}
</event>"""


def event(name: str, when: str, more: str = "") -> str:
    return EVENT.format(name=name, when=when, more=more)


def trace(case: str | None, *events: str, more: str = "") -> str:
    named = "" if case is None else f'<string key="concept:name" value="{case}"/>'
    return f"<trace>{named}{more}{''.join(events)}</trace>"


def log_of(*traces: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8" ?>
    <log xes.version="1.0" xmlns="http://www.xes-standard.org/">
      <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
      <global scope="trace"><string key="concept:name" value="__INVALID__"/></global>
      <global scope="event"><string key="concept:name" value="__INVALID__"/></global>
      <classifier name="Event Name" keys="concept:name"/>
      <string key="concept:name" value="the log itself"/>
      {"".join(traces)}
    </log>"""


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "log.xes"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def told(log) -> list[tuple[str, str, str]]:
    return [(i.customer.id, i.timestamp.isoformat(), i.touchpoint.name) for i in log.interactions()]


def test_traces_are_customers_and_events_their_interactions(write):
    content = log_of(
        trace(
            "NA", event("a", "2024-01-01T10:00:00.000+01:00"), event("b", "2024-01-02T10:00:00Z")
        ),
        trace("2 & 3".replace("&", "&amp;"), event("&#x1F6D2;", "2024-01-01T00:00:00")),
    )
    expected = [
        ("NA", "2024-01-01T09:00:00+00:00", "a"),
        ("NA", "2024-01-02T10:00:00+00:00", "b"),
        ("2 & 3", "2024-01-01T00:00:00+00:00", "🛒"),
    ]
    log = read_xes(write(content))
    assert told(log) == expected
    assert log.intake.naive == 1
    assert told(read_xes(write(gzip.compress(content.encode(), mtime=0), "log.xes.gz"))) == expected


def test_resources_are_owners_where_the_log_has_them(write):
    with_resource = event("a", "2024-01-01", '<string key="org:resource" value="Ann"/>')
    assert read_xes(write(log_of(trace("1", with_resource)))).owners == ("Ann",)
    assert read_xes(write(log_of(trace("1", with_resource))), owner=None).owners == ()
    assert read_xes(write(log_of(trace("1", event("a", "2024-01-01"))))).owners == ()


def test_attributes_keep_their_types_and_nested_ones_are_passed_over(write):
    more = """<int key="n" value="3"/><float key="cost" value="1.5"/>
      <boolean key="vip" value="true"/><string key="plan" value="pro">
        <string key="plan" value="nested"/></string>
      <list key="items"><values><string key="cost" value="9"/></values></list>"""
    content = log_of(
        trace("1", event("a", "2024-01-01", more), more='<string key="region" value="north"/>')
    )
    log = read_xes(write(content), value="cost", attributes=["n", "vip", "plan", "case:region"])
    (only,) = log.interactions()
    assert only.value == 1.5
    assert dict(only.attributes) == {"n": 3, "vip": True, "plan": "pro", "case:region": "north"}


def test_another_customer_makes_the_case_a_journey(write):
    who = '<string key="client" value="c"/>'
    content = log_of(
        trace("1", event("a", "2024-01-01"), more=who),
        trace("2", event("a", "2024-01-02"), more=who),
    )
    log = read_xes(write(content), customer="case:client")
    assert [(i.customer.id, i.journey) for i in log.interactions()] == [("c", "1"), ("c", "2")]


def test_attributes_of_a_trace_may_stand_after_its_events(write):
    content = log_of(
        f"<trace>{event('a', '2024-01-01')}<string key='concept:name' value='late'/></trace>"
    )
    assert read_xes(write(content)).customer_ids == ("late",)


def test_lifecycle_filters_and_silence_means_complete(write):
    def at(transition: str) -> str:
        return f'<string key="lifecycle:transition" value="{transition}"/>'

    content = log_of(
        trace(
            "1",
            event("a", "2024-01-01", at("start")),
            event("a", "2024-01-02", at("complete")),
            event("b", "2024-01-03"),
        )
    )
    with pytest.warns(DataQualityWarning, match="1 activity counts twice"):
        assert len(read_xes(write(content))) == 3
    kept = read_xes(write(content), lifecycle=("complete",))
    assert [row[2] for row in told(kept)] == ["a", "b"]
    assert len(read_xes(write(content), lifecycle=("start",))) == 1


def test_missing_ids_names_and_timestamps_are_refused_or_dropped(write):
    content = log_of(
        trace("1", event("a", "2024-01-01")),
        trace(None, event("a", "2024-01-01")),
        event("orphan", "2024-01-01"),
        trace("2", "<event/>"),
    )
    with pytest.raises(InvalidData, match="customer is missing in 2 rows: 1, 2"):
        read_xes(write(content))
    log = read_xes(write(content), missing="drop")
    assert len(log) == 1
    assert dict(log.intake.dropped) == {"customer is missing": 2, "timestamp is missing": 1}


def test_unreadable_values_are_refused_with_their_event(write):
    content = log_of(trace("1", event("a", "2024-01-01"), event("a", "soon")))
    with pytest.raises(InvalidData, match="'soon'") as caught:
        read_xes(write(content))
    assert caught.value.rows == (1,)
    content = log_of(trace("1", event("a", "2024-01-01", '<int key="n" value="x"/>')))
    with pytest.raises(InvalidData, match="n is no int in 1 row: 0"):
        read_xes(write(content), score="n")


def test_an_unknown_key_is_named_with_the_nearest(write):
    content = log_of(trace("1", event("a", "2024-01-01")))
    with pytest.raises(UnknownName, match=r"'concept:nam'.*did you mean 'concept:name'"):
        read_xes(write(content), touchpoint="concept:nam")


def test_a_log_without_events_is_empty(write):
    assert len(read_xes(write("<log/>"))) == 0
    assert len(read_xes(write(log_of(trace("1"))))) == 0


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>
<log><trace><string key="concept:name" value="&b;"/></trace></log>"""
LEAK = """<!DOCTYPE log [<!ENTITY x SYSTEM "file:///etc/passwd">]><log>&x;</log>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("case,activity\n1,a\n", "is no XES: .* at line 1"),
        ("<html></html>", "root element is 'html'"),
        (log_of(trace("1", event("a", "2024-01-01")))[:-30], "is no XES: .* at line"),
        (BOMB, "document type"),
        (LEAK, "document type"),
        ("<log>&unknown;</log>", "undefined entity"),
        (gzip.compress(b"<log></log>" * 50, mtime=0)[:-9], "truncated"),
        (b"\x28\xb5\x2f\xfd...", "Zstandard"),
        (b"\xff\xfe\x00", "is no XES"),
    ],
)
def test_what_is_no_xes_is_refused_in_one_line(write, content, message):
    with pytest.raises(InputFileError, match=message) as caught:
        read_xes(write(content))
    assert "\n" not in str(caught.value)


def test_missing_and_remote_files_are_refused(tmp_path):
    for path in (tmp_path / "none.xes", tmp_path, "http://host/log.xes"):
        with pytest.raises(InputFileError):
            read_xes(path)


def test_several_files_are_one_log(write, tmp_path):
    write(log_of(trace("1", event("a", "2024-01-01"))), "1.xes")
    write(
        log_of(trace("1", event("b", "2024-01-02")), trace("2", event("a", "2024-01-01"))), "2.xes"
    )
    log = read_xes(tmp_path / "*.xes")
    assert [row[::2] for row in told(log)] == [("1", "a"), ("1", "b"), ("2", "a")]


@pytest.mark.parametrize("encoding", ["UTF-9", "hex", "utf-16x", "x" * 5000, "shift_jis", "utf-7"])
def test_an_encoding_that_cannot_be_read_is_refused(write, encoding):
    path = write(f'<?xml version="1.0" encoding="{encoding}"?><log/>')
    with pytest.raises(InputFileError) as refused:
        read_xes(path)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "cp1252", "koi8-r"])
def test_encodings_of_one_byte_a_character_are_read(write, encoding):
    content = log_of(trace("k", event("a", "2024-01-01"))).replace("UTF-8", encoding)
    assert len(read_xes(write(content.encode(encoding)))) == 1


@pytest.mark.parametrize(
    "content",
    ['<log><string key="x" value="{}"/></log>', "<log><!--{}--></log>", "<log {}='1'/>", "<{}/>"],
)
def test_what_is_endless_is_refused_at_once(write, content):
    path = write(content.format("x" * 60_000_000))
    begin = time.monotonic()
    with pytest.raises(InputFileError, match=r"longer than|root element") as refused:
        read_xes(path)
    assert time.monotonic() - begin < 5
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_gzip_without_its_end_or_with_another_checksum_is_refused(write, cut):
    packed = gzip.compress(log_of(trace("k", event("a", "2024-01-01"))).encode(), mtime=0)
    with pytest.raises(InputFileError, match="truncated or damaged"):
        read_xes(write(packed[:-cut]))
    with pytest.raises(InputFileError, match="truncated or damaged"):
        read_xes(write(packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:]))


def half(name: str, when: str, transition: str | None, instance: str = "") -> str:
    more = f'<string key="lifecycle:transition" value="{transition}"/>' if transition else ""
    if instance:
        more += f'<string key="concept:instance" value="{instance}"/>'
    return event(name, when, more)


HALVES = log_of(
    trace(
        "1",
        half("call", "2024-01-01T10:00", "START"),
        half("mail", "2024-01-01T10:05", "start"),
        half("call", "2024-01-01T10:10", "suspend"),
        half("call", "2024-01-01T10:30", "COMPLETE"),
        half("mail", "2024-01-01T11:05", None),
        half("call", "2024-01-01T12:00", "start", "a"),
        half("call", "2024-01-01T13:00", "start", "b"),
        half("call", "2024-01-01T14:00", "complete", "b"),
        half("call", "2024-01-01T18:00", "complete", "a"),
        half("chat", "2024-01-01T19:00", "start"),
        half("shop", "2024-01-01T20:00", "complete"),
    ),
    trace("2", half("chat", "2024-01-02T00:00", "complete")),  # of another trace
)


def test_start_and_complete_make_one_contact_with_a_duration(write):
    log = read_xes(write(HALVES), lifecycle="pair")
    contacts = [
        (i.touchpoint.name, f"{i.timestamp:%H:%M}", i.duration) for i in log.interactions("1")
    ]
    assert contacts == [
        ("call", "10:00", timedelta(minutes=30)),
        ("mail", "10:05", timedelta(hours=1)),
        ("call", "12:00", timedelta(hours=6)),
        ("call", "13:00", timedelta(hours=1)),
        ("chat", "19:00", None),
        ("shop", "20:00", None),
    ]
    assert [i.duration for i in log.interactions("2")] == [None]
    assert dict(log.intake.dropped) == {
        "rows of the table with another lifecycle:transition": 1,
        "rows of the table with an end, now the duration of its start": 4,
    }
    assert len(log) + sum(log.intake.dropped.values()) == HALVES.count("<event>")


def test_what_counts_twice_is_said(write):
    with pytest.warns(DataQualityWarning, match="4 activities count twice"):
        assert len(read_xes(write(HALVES))) == 12
    ends = read_xes(write(HALVES), lifecycle=("complete",))
    assert len(ends) == 6
    with pytest.raises(InvalidValue, match="lifecycle must be one of 'pair', or names"):
        read_xes(write(HALVES), lifecycle="complete")  # one string is no set of names
    assert sum(ends.intake.dropped.values()) == 6
    with pytest.raises(InvalidValue, match="duration must be left out"):
        read_xes(write(HALVES), lifecycle="pair", duration="concept:name")


def test_an_end_before_its_start_is_refused(write):
    content = log_of(
        trace("1", half("a", "2024-01-02", "start"), half("a", "2024-01-01", "complete"))
    )
    with pytest.raises(InvalidData, match="duration is negative in 1 row: 0"):
        read_xes(write(content), lifecycle="pair")


def test_owners_that_are_all_blank_are_none(write):
    blank = event("a", "2024-01-01", '<string key="org:resource" value=" "/>')
    assert read_xes(write(log_of(trace("1", blank)))).columns.coded.keys() == {"touchpoint"}


def test_a_currency_is_no_attribute(write):
    priced = event("a", "2024-01-01", '<float key="EUR" value="1"/>')
    with pytest.raises(InvalidValue, match="currency must not be the name of a column"):
        read_xes(write(log_of(trace("1", priced))), value="EUR", currency="EUR")
