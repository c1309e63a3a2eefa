"""Transactions that a page sent again, and what differs within a customer."""

from __future__ import annotations

import json

import pytest

from cxjourney import io
from cxjourney.exceptions import InvalidValue

WHY = "rows of the table with the touchpoint and transaction of one before"
MINUTE = 60_000_000


def ga4(user, event, minute, transaction, revenue=None):
    return {
        "event_name": event,
        "event_timestamp": str(1_767_258_000_000_000 + minute * MINUTE),
        "user_pseudo_id": user,
        "ecommerce": {"transaction_id": transaction, "purchase_revenue": revenue},
    }


def lines_of(rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


def test_a_transaction_of_ga4_counts_once_for_a_user(tmp_path):
    rows = [
        ga4("u1", "page_view", 0, None),
        ga4("u1", "purchase", 9, "T1", 10.0),  # the reload, which stands first in the file
        ga4("u1", "purchase", 5, "T1", 10.0),
        ga4("u1", "purchase", 12, "T2", 7.0),
        ga4("u1", "refund", 20, "T1"),  # another touchpoint
        ga4("u2", "purchase", 3, "T1", 5.0),  # another user
        ga4("u2", "purchase", 4, "(not set)", 1.0),  # no id: nothing tells them apart
        ga4("u2", "purchase", 6, "(not set)", 1.0),
        ga4("u2", "purchase", 7, None, 1.0),
        ga4("u2", "purchase", 8, None, 1.0),
    ]
    file = tmp_path / "ga4.jsonl"
    file.write_text(lines_of(rows))
    log = io.read_json(file, layout="ga4")
    assert len(log) == 9
    worth = [row.value for row in log.interactions() if row.value is not None]
    assert sum(worth) == 10 + 7 + 5 + 4
    of_u1 = [r.timestamp.minute for r in log.interactions() if r.customer.id == "u1"]
    assert sorted(of_u1) == [0, 5, 12, 20]
    assert log.intake.dropped == {WHY: 1}


def test_an_order_of_segment_counts_once(tmp_path):
    file = tmp_path / "segment.csv"
    file.write_text(
        "id,anonymous_id,user_id,received_at,timestamp,event_text,order_id,revenue\n"
        "m1,a,,2026-01-01 10:00,2026-01-01 10:00,Product Viewed,,\n"
        "m2,a,,2026-01-01 10:05,2026-01-01 10:05,Order Completed,O1,10\n"
        "m3,a,,2026-01-01 10:09,2026-01-01 10:09,Order Completed,O1,10\n"
        "m4,a,,2026-01-01 10:12,2026-01-01 10:12,Order Completed,O2,10\n"
        "m5,b,,2026-01-01 10:12,2026-01-01 10:12,Order Completed,O1,10\n"
    )
    log = io.read_csv(file, layout="segment")
    assert len(log) == 4
    assert log.intake.dropped == {WHY: 1}


@pytest.mark.parametrize("key", ["$insert_id", "uuid"])
def test_an_event_of_amplitude_counts_once_without_a_device(tmp_path, key):
    row = {"user_id": "u", "session_id": 1, "amplitude_id": 7, "event_type": "open"}
    rows = [
        row | {"event_time": f"2026-01-01 10:0{minute}:00", key: number}
        for minute, number in ((1, "e1"), (2, "e1"), (3, "e2"))
    ]
    file = tmp_path / "amplitude.jsonl"
    file.write_text(lines_of(rows))
    log = io.read_json(file, layout="amplitude")
    assert len(log) == 2
    assert [*log.intake.dropped.values()] == [1]


ZENDESK = """\
Id,Requester email,Organization,Status,Created at,Solved at
1,a@x.org,North,Solved,2026-01-01 10:00,2026-01-02 10:00
2,a@x.org,South,Open,2026-02-01 10:00,
"""
FRESHDESK = """\
Ticket ID,Contact ID,Company Name,Status,Created time,Resolved time
1,7,North,Resolved,2026-01-01 10:00,2026-01-02 10:00
2,7,South,Open,2026-02-01 10:00,
"""
TICKETS = {
    "zendesk-tickets": (ZENDESK, "organization"),
    "freshdesk-tickets": (FRESHDESK, "company"),
}


@pytest.mark.parametrize("layout", TICKETS)
def test_a_customer_may_write_for_two_organisations(tmp_path, layout):
    text, name = TICKETS[layout]
    file = tmp_path / "tickets.csv"
    file.write_text(text)
    log = io.read_csv(file, layout=layout)
    assert (len(log), log.n_customers) == (3, 1)
    said = {row.attributes[name] for row in log.interactions()}
    assert said == {"North", "South"}


def test_once_per_says_what_is_wrong(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(
        'name = "own"\ntitle = "own"\nform = "events"\n[recognised]\nall = ["a"]\n'
        '[columns]\ncustomer = "a"\ntimestamp = "b"\ntouchpoint = "c"\n[once_per]\norder = 3\n'
    )
    with pytest.raises(InvalidValue, match="once_per"):
        io.read_csv(file, layout=file)
