"""Exports of other tools, written as their documentation describes them, and counted by hand."""

# ruff: noqa: E501 - lines are those of the exports
from __future__ import annotations

import json
import pickle

import pytest

from cxjourney import io
from cxjourney.cli._input import _read
from cxjourney.cli._main import _parser
from cxjourney.exceptions import InvalidData
from cxjourney.privacy import PseudonymKey


def read(file, layout, **options):
    """Return the log of a file, which the command recognises and reads as the library does."""
    log = getattr(io, f"read_{io.format_of(str(file))}")(file, layout=layout, **options)
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    said: list[str] = []
    by_command, taken = _read(_parser().parse_args(["report", str(file), *words]), [], None, said)
    assert by_command == log
    assert taken is not None
    assert taken.name == layout
    assert said[0].startswith(f"layout: {layout}, ")
    found = io.inspect_file(str(file))
    assert layout in found.layouts
    if not options and found.layouts[0] == layout:
        names: dict[str, object] = {}
        exec(found.python[0], names)  # noqa: S102 - the lines that are printed must run
        assert names["log"] == log
    return log


def lines_of(*objects):
    return "\n".join(map(json.dumps, objects)) + "\n"


def param(key, **value):
    return {"key": key, "value": value}


def by_customer(log):
    return sorted(log.interactions(), key=lambda i: i.customer.id)


def touched(log):
    """Return who was where, by customer and time."""
    return [(i.customer.id, i.touchpoint.name) for i in by_customer(log)]


def channels(log):
    return {
        (i.customer.id, i.touchpoint.name): i.channel and i.channel.name for i in log.interactions()
    }


# Google Analytics 4: two devices. The first logs in at its purchase; its source stands with its
# second event only, and the user was first won by a newsletter. The second device has a session of
# the same number.
GA4 = lines_of(
    {
        "event_name": "session_start", "event_timestamp": "1767600000000000",
        "user_pseudo_id": "7.1", "user_id": None,
        "event_params": [param("ga_session_id", int_value="11")],
        "traffic_source": {"source": "newsletter", "medium": "email"},
    },
    {
        "event_name": "page_view", "event_timestamp": "1767600001000000",
        "user_pseudo_id": "7.1",
        "event_params": [
            param("ga_session_id", int_value="11"),
            param("source", string_value="google"),
            param("medium", string_value="cpc"),
        ],
        "traffic_source": {"source": "newsletter", "medium": "email"},
    },
    {
        "event_name": "purchase", "event_timestamp": "1767600060000000",
        "user_pseudo_id": "7.1", "user_id": "u-9",
        "event_params": [
            param("ga_session_id", int_value="11"), param("value", double_value=49.5),
        ],
        "ecommerce": {"purchase_revenue": 49.5},
        "traffic_source": {"source": "newsletter", "medium": "email"},
    },
    {
        "event_name": "page_view", "event_timestamp": "1767600000000000",
        "user_pseudo_id": "8.1",
        "event_params": [param("ga_session_id", int_value="11")],
    },
)  # fmt: skip


def test_ga4_carries_the_source_of_the_session_and_not_that_of_the_user(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text(GA4, encoding="utf-8")
    log = read(file, layout="ga4")
    assert touched(log) == [
        ("8.1", "page_view"),
        ("u-9", "session_start"),
        ("u-9", "page_view"),
        ("u-9", "purchase"),
    ]
    assert channels(log) == {
        ("u-9", "session_start"): "google / cpc",
        ("u-9", "page_view"): "google / cpc",
        ("u-9", "purchase"): "google / cpc",
        ("8.1", "page_view"): None,  # its session brought none, and the number is another's
    }
    assert [i.value for i in by_customer(log)] == [None, None, None, 49.5]
    assert f"{log.observed_until:%Y-%m-%d %H:%M}" == "2026-01-05 08:01"
    assert log.journeys(goal="purchase", all_closed=True).converted.sum() == 1


def test_ga4_is_the_same_in_json_parquet_and_flat(tmp_path):
    import duckdb

    nested = tmp_path / "events.jsonl"
    nested.write_text(GA4, encoding="utf-8")
    columns = "event_name, event_timestamp::BIGINT AS event_timestamp, user_pseudo_id, user_id"
    source = f"FROM read_json('{nested}')"
    parquet, flat = tmp_path / "events.parquet", tmp_path / "events.csv"
    duckdb.sql(f"COPY (SELECT {columns}, event_params, ecommerce {source}) TO '{parquet}'")
    flat.write_text(
        "event_timestamp,event_name,user_pseudo_id,user_id,ga_session_id,source,medium,value\n"
        "1767600000000000,session_start,7.1,,11,,,\n"
        "1767600001000000,page_view,7.1,,11,google,cpc,\n"
        "1767600060000000,purchase,7.1,u-9,11,,,49.5\n"
        "1767600000000000,page_view,8.1,,11,,,\n",
        encoding="utf-8",
    )
    log = read(nested, layout="ga4")
    assert read(parquet, layout="ga4") == log
    assert read(flat, layout="ga4") == log


def test_ga4_leaves_a_device_of_two_users_to_itself(tmp_path):
    file = tmp_path / "events.csv"
    file.write_text(
        "event_timestamp,event_name,user_pseudo_id,user_id\n"
        "1767600000000000,page_view,7.1,\n"
        "1767600001000000,login,7.1,ann\n"
        "1767600002000000,login,7.1,bob\n",
        encoding="utf-8",
    )
    log = read(file, layout="ga4")
    assert sorted(log.customer_ids) == ["7.1", "ann", "bob"]


# PostHog: properties are JSON in a cell, in CSV and Parquet alike; one event was exported twice.
POSTHOG = [
    ("e1", "$pageview", "d1", "p1", "2026-01-05 08:00:00.500000+00:00",
     {"$session_id": "s1", "utm_source": "bing", "utm_medium": "cpc",
      "$initial_utm_source": "newsletter"}),
    ("e2", "signed up", "ann@x", "p1", "2026-01-05 08:01:00.000000+00:00", {"$session_id": "s1"}),
    ("e2", "signed up", "ann@x", "p1", "2026-01-05 08:01:00.000000+00:00", {"$session_id": "s1"}),
    ("e3", "$pageview", "d2", None, "2026-01-05 09:00:00.000000+00:00", {}),
]  # fmt: skip


def test_posthog_reads_properties_in_cells_and_leaves_out_what_was_exported_twice(tmp_path):
    import pandas as pd

    names = ["uuid", "event", "distinct_id", "person_id", "timestamp", "properties"]
    rows = [(*row[:-1], json.dumps(row[-1])) for row in POSTHOG]
    frame = pd.DataFrame(rows, columns=names)
    frame.to_csv(tmp_path / "events.csv", index=False)
    frame.to_parquet(tmp_path / "events.parquet")
    objects = [dict(zip(names, row, strict=True)) for row in POSTHOG]
    (tmp_path / "events.jsonl").write_text(lines_of(*objects), encoding="utf-8")
    log = read(tmp_path / "events.csv", layout="posthog")
    assert touched(log) == [("d2", "$pageview"), ("p1", "$pageview"), ("p1", "signed up")]
    assert channels(log)["p1", "signed up"] == "bing / cpc"
    assert log.intake.dropped == {"rows of the table with the ids of a row before": 1}
    assert read(tmp_path / "events.parquet", layout="posthog") == log
    assert read(tmp_path / "events.jsonl", layout="posthog") == log


def test_mixpanel_counts_seconds_and_joins_a_device_with_its_user(tmp_path):
    def event(name, time, distinct, insert, **further):
        properties = {"time": time, "distinct_id": distinct, "$insert_id": insert, **further}
        return {"event": name, "properties": properties}

    file = tmp_path / "export.jsonl"
    file.write_text(
        lines_of(
            event("Opened", 1767600000, "$device:d1", "i1", **{"$device_id": "d1"}),
            event("Signed up", 1767600060, "ann", "i2", **{"$device_id": "d1", "$user_id": "ann"}),
            event("Signed up", 1767600060, "ann", "i2", **{"$device_id": "d1", "$user_id": "ann"}),
            event("Opened", 1767600060, "$device:d2", "i2", **{"$device_id": "d2"}),
        ),
        encoding="utf-8",
    )
    log = read(file, layout="mixpanel")
    assert touched(log) == [("$device:d2", "Opened"), ("ann", "Opened"), ("ann", "Signed up")]
    assert f"{log.observed_until:%Y-%m-%d %H:%M}" == "2026-01-05 08:01"


def test_amplitude_takes_the_user_where_known_and_one_of_what_was_sent_twice(tmp_path):
    file = tmp_path / "export.json"
    base = {"device_id": "d1", "amplitude_id": 501, "session_id": 1, "country": "Italy"}
    file.write_text(
        lines_of(
            base | {"event_type": "start", "event_time": "2026-01-05 08:00:00.120000",
                    "user_id": None, "$insert_id": "a"},
            base | {"event_type": "buy", "event_time": "2026-01-05 08:05:00.000000",
                    "user_id": "ann@example.org", "$insert_id": "b",
                    "event_properties": {"revenue": 12}},
            base | {"event_type": "buy", "event_time": "2026-01-05 08:05:00.000000",
                    "user_id": "ann@example.org", "$insert_id": "b",
                    "event_properties": {"revenue": 12}},
            {"event_type": "start", "event_time": "2026-01-05 08:00:00", "device_id": "d2",
             "amplitude_id": 502, "session_id": -1, "$insert_id": "a"},
        ),
        encoding="utf-8",
    )  # fmt: skip
    log = read(file, layout="amplitude")
    assert touched(log) == [
        ("502", "start"), ("ann@example.org", "start"), ("ann@example.org", "buy"),
    ]  # fmt: skip
    assert [i.value for i in by_customer(log)] == [None, None, 12.0]


def test_segment_takes_the_corrected_time_and_the_name_that_was_sent(tmp_path):
    tracks, pages = tmp_path / "tracks.csv", tmp_path / "pages.csv"
    tracks.write_text(
        "id,anonymous_id,user_id,event,event_text,original_timestamp,timestamp,received_at\n"
        # the clock of the device is a day ahead
        "m1,a1,ann,order_completed,Order Completed,2026-01-06 08:00:00 UTC,2026-01-05 08:00:00 UTC,"
        "2026-01-05 08:00:01 UTC\n",
        encoding="utf-8",
    )
    pages.write_text(
        "ID,ANONYMOUS_ID,USER_ID,NAME,PATH,TIMESTAMP,RECEIVED_AT,CONTEXT_CAMPAIGN_SOURCE\n"
        "m2,a2,,,/pricing,2026-01-05 07:00:00,2026-01-05 07:00:00,\n"
        "m3,a2,,Home,/,2026-01-05 06:00:00,2026-01-05 06:00:00,ads\n",
        encoding="utf-8",
    )
    log = read(tracks, layout="segment")
    assert touched(log) == [("ann", "Order Completed")]
    assert f"{log.observed_until:%d}" == "05"
    views = read(pages, layout="segment")  # Snowflake writes names in capitals
    assert touched(views) == [("a2", "Home"), ("a2", "/pricing")]
    assert channels(views) == {("a2", "Home"): "ads", ("a2", "/pricing"): None}


HUBSPOT = '''\
Record ID,Deal Name,Deal Stage,Amount,Create Date,Close Date,"Date entered ""Qualified (Sales Pipeline)"""\
,"Date entered ""Closed won (Sales Pipeline)""",Associated Company,Currency
901,Alpha,Closed Won (Sales Pipeline),"1,200.50",2026-01-02 10:00,2026-01-20 17:00,2026-01-05 09:00,2026-01-20 17:01,Acme,EUR
902,Beta,Qualified (Sales Pipeline),9000,2026-01-03 10:00,2026-06-30 23:59,2026-01-06 09:00,,Acme,EUR
903,Gamma,Closed lost,500,2026-01-04 10:00,2026-01-15 12:00,,,Beta Ltd,EUR
'''


def test_hubspot_leaves_deals_in_progress_whose_close_date_is_hoped_for(tmp_path):
    file = tmp_path / "deals.csv"
    file.write_text(HUBSPOT, encoding="utf-8")
    log = read(file, layout="hubspot-deals")
    assert touched(log) == [
        ("901", "deal created"),
        ("901", "Qualified (Sales Pipeline)"),
        ("901", "closed won"),
        ("902", "deal created"),
        ("902", "Qualified (Sales Pipeline)"),
        ("903", "deal created"),
        ("903", "closed lost"),
    ]
    assert log.currency == "EUR"
    assert [i.value for i in log.interactions() if i.value is not None] == [1200.5]
    journeys = log.journeys(goal="closed won", exit_touchpoints=["closed lost"])
    assert [*journeys.outcomes.values()] == [1, 1, 1]  # won, lost, in progress
    won = next(i for i in log.interactions() if i.touchpoint.name == "closed won")
    assert f"{won.timestamp:%H:%M}" == "17:01"  # of the stage, before the close date


def test_hubspot_contacts_have_a_step_for_each_lifecycle_stage(tmp_path):
    file = tmp_path / "contacts.csv"
    file.write_text(
        "Record ID,Email,Create Date,Became a Lead Date,Became an Opportunity Date,"
        "Became a Customer Date\n"
        "1,a@x.org,2026-01-01 08:00,2026-01-02 08:00,2026-01-03 08:00,2026-01-04 08:00\n"
        "2,b@x.org,2026-01-01 08:00,2026-01-02 08:00,,\n",
        encoding="utf-8",
    )
    log = read(file, layout="hubspot-contacts")
    assert touched(log) == [
        ("1", "contact created"),
        ("1", "became a Lead"),
        ("1", "became an Opportunity"),
        ("1", "became a Customer"),
        ("2", "contact created"),
        ("2", "became a Lead"),
    ]


def test_salesforce_opportunities_that_are_not_closed_have_no_end(tmp_path):
    file = tmp_path / "opportunities.csv"
    file.write_text(
        "Id,IsDeleted,AccountId,StageName,Amount,CloseDate,IsClosed,IsWon,CreatedDate,"
        "LastStageChangeDate\n"
        "O1,false,A1,Closed Won,500,2026-02-01,true,true,2026-01-01T08:00:00.000Z,"
        "2026-02-01T09:00:00.000Z\n"
        "O2,false,A1,Proposal,700,2026-12-31,false,false,2026-01-02T08:00:00.000Z,"
        "2026-01-20T08:00:00.000Z\n"
        "O3,false,A2,Closed Lost,,2026-01-31,true,false,2026-01-03T08:00:00.000Z,\n"
        "O4,true,A2,Prospecting,,2026-01-31,false,false,2026-01-03T08:00:00.000Z,\n",
        encoding="utf-8",
    )
    log = read(file, layout="salesforce-opportunities")
    assert touched(log) == [
        ("O1", "opportunity created"),
        ("O1", "Closed Won"),
        ("O2", "opportunity created"),
        ("O2", "Proposal"),
        ("O3", "opportunity created"),
        ("O3", "Closed Lost"),
    ]
    assert log.intake.dropped == {"rows of the table with an opportunity that was deleted": 1}
    journeys = log.journeys(goal="Closed Won", exit_touchpoints=["Closed Lost"])
    assert [*journeys.outcomes.values()] == [1, 1, 1]  # won, lost, in progress


def test_salesforce_history_takes_changes_of_the_stage_alone(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text(
        "OpportunityId,StageName,Amount,Probability,CreatedDate\n"
        "O1,Prospecting,100,10,2026-01-01T08:00:00.000Z\n"
        "O1,Prospecting,150,10,2026-01-02T08:00:00.000Z\n"  # another amount
        "O1,Closed Won,140,100,2026-01-09T08:00:00.000Z\n"
        "O2,Prospecting,,10,2026-01-03T08:00:00.000Z\n"
        "O2,Negotiation,,50,2026-01-04T08:00:00.000Z\n"
        "O2,Prospecting,,10,2026-01-05T08:00:00.000Z\n",  # back again
        encoding="utf-8",
    )
    log = read(file, layout="salesforce-history")
    assert touched(log) == [
        ("O1", "Prospecting"),
        ("O1", "Closed Won"),
        ("O2", "Prospecting"),
        ("O2", "Negotiation"),
        ("O2", "Prospecting"),
    ]
    assert [i.value for i in by_customer(log)] == [None, 140.0, None, None, None]


ZENDESK = """\
Id,Requester,Requester email,Submitter,Assignee,Status,Via,Created at,Solved at,\
First reply time in minutes,Satisfaction Score,Reopens
1,Ann,Ann@x.org,Agent Tom,Agent Tom,Closed,Mail,2026-01-05 08:00,2026-01-06 08:00,90,Good,0
2,Ann,ann@x.org,Ann,Agent Tom,Open,Web,2026-01-10 08:00,2026-01-11 08:00,30,Offered,1
3,Bob,bob@x.org,Bob,,New,Web,2026-01-12 08:00,,,,0
4,Bob,bob@x.org,Bob,Agent Eve,Solved,Web,2026-01-12 09:00,2026-01-12 10:00,,Bad,0
"""


def test_zendesk_has_the_requester_as_customer_and_no_end_where_a_ticket_was_opened_again(tmp_path):
    file = tmp_path / "tickets.csv"
    file.write_text(ZENDESK, encoding="utf-8")
    log = read(file, layout="zendesk-tickets")
    rows = [
        (i.customer.id, i.touchpoint.name, f"{i.timestamp:%d %H:%M}", i.score)
        for i in by_customer(log)
    ]
    assert rows == [
        ("ann@x.org", "ticket created", "05 08:00", None),
        ("ann@x.org", "first reply", "05 09:30", None),
        ("ann@x.org", "solved", "06 08:00", 1.0),
        ("ann@x.org", "ticket created", "10 08:00", None),
        ("ann@x.org", "first reply", "10 08:30", None),
        ("bob@x.org", "ticket created", "12 08:00", None),
        ("bob@x.org", "ticket created", "12 09:00", None),
        ("bob@x.org", "solved", "12 10:00", 0.0),
    ]
    assert log.journeys(goal="solved", all_closed=True).converted.sum() == 2


def test_zendesk_reads_the_objects_of_its_json_export(tmp_path):
    file = tmp_path / "tickets.json"
    file.write_text(
        lines_of(
            {
                "id": 1, "requester_id": 77, "submitter_id": 5, "status": "closed",
                "via": {"channel": "email"}, "created_at": "2026-01-05T08:00:00Z",
                "satisfaction_rating": {"score": "good"},
                "metric_set": {
                    "solved_at": "2026-01-06T08:00:00Z", "reopens": 0,
                    "reply_time_in_minutes": {"calendar": 90, "business": 30},
                },
            }
        ),
        encoding="utf-8",
    )  # fmt: skip
    log = read(file, layout="zendesk-tickets")
    assert [(i.touchpoint.name, f"{i.timestamp:%d %H:%M}", i.score) for i in by_customer(log)] == [
        ("ticket created", "05 08:00", None),
        ("first reply", "05 09:30", None),
        ("solved", "06 08:00", 1.0),
    ]
    assert log.customer_ids == ("77",)
    assert log.channels == ("email",)


def test_freshdesk_has_the_contact_as_customer_and_leaves_spam_out(tmp_path):
    file = tmp_path / "tickets.csv"
    file.write_text(
        "Ticket ID,Subject,Status,Priority,Source,Agent,Group,Created time,Resolved time,"
        "Closed time,Initial response time,First response time (in hrs),Full name,Email,Contact ID,"
        "Spam\n"
        "1,x,Closed,Low,Email,Tom,Support,2026-01-05 08:00:00,2026-01-05 12:00:00,"
        "2026-01-08 12:00:00,2026-01-05 09:00:00,0.5,Ann,ann@x.org,501,false\n"
        "2,x,Open,Low,Phone,Tom,Support,2026-01-06 08:00:00,2026-01-06 09:00:00,,,,Ann,ann@x.org,"
        "501,false\n"
        "3,x,Open,Low,Email,,,2026-01-07 08:00:00,,,,,Bot,bot@x.org,502,true\n",
        encoding="utf-8",
    )
    log = read(file, layout="freshdesk-tickets")
    assert touched(log) == [
        ("501", "ticket created"),
        ("501", "first reply"),
        ("501", "resolved"),
        ("501", "ticket created"),
    ]
    assert log.intake.dropped == {"rows of the table with spam": 1}


SHOPIFY = """\
Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Currency,Subtotal,Total,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Cancelled at,Refunded Amount,Source,Id,Phone
#1001,Ann@x.org,partially_refunded,2026-01-05 09:00:00 +0100,fulfilled,2026-01-07 10:00:00 +0100,EUR,30.00,35.00,\
2026-01-05 09:00:00 +0100,1,Mug,10.00,,5.00,web,70001,
#1001,Ann@x.org,,,,,,,,2026-01-05 09:00:00 +0100,2,Plate,10.00,,,,,
#1002,ann@x.org,paid,2026-01-20 09:00:00 +0100,,,EUR,10.00,12.00,2026-01-20 09:00:00 +0100,1,Mug,10.00,,0.00,web,70002,
#1003,,paid,2026-01-21 09:00:00 +0100,,,EUR,10.00,10.00,2026-01-21 09:00:00 +0100,1,Mug,10.00,,0.00,pos,70003,
#1004,bob@x.org,voided,,,,EUR,10.00,10.00,2026-01-22 09:00:00 +0100,1,Mug,10.00,2026-01-22 12:00:00 +0100,0.00,web,70004,
"""


def test_shopify_counts_the_lines_of_an_order_once(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(SHOPIFY, encoding="utf-8")
    log = read(file, layout="shopify-orders")
    assert touched(log) == [
        ("#1003", "order"),
        ("ann@x.org", "order"),
        ("ann@x.org", "fulfilled"),
        ("ann@x.org", "order"),
        ("bob@x.org", "order"),
        ("bob@x.org", "cancelled"),
    ]
    values = [i.value for i in log.interactions() if i.value is not None]
    assert sorted(values) == [10.0, 10.0, 12.0, 35.0]
    assert log.currency == "EUR"
    assert log.intake.dropped == {"rows of the table with a further line of a contact": 1}
    assert log.journeys(goal="order", all_closed=True).converted.sum() == 4


def test_money_of_two_currencies_is_not_summed_whatever_is_said(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(SHOPIFY.replace("EUR,10.00,12.00", "USD,10.00,12.00"), encoding="utf-8")
    for given in ({}, {"currency": "EUR"}):
        with pytest.raises(InvalidData, match="currency has 2 values"):
            io.read_csv(file, layout="shopify-orders", **given)
    converted = io.read_csv(file, layout="shopify-orders", value="Subtotal", currency="EUR")
    assert converted.currency == "EUR"  # who names the amounts knows what they are


def test_woocommerce_counts_the_total_that_each_line_repeats_once(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text(
        "order_id,order_date,status,customer_id,billing_email,order_total,order_currency,item_name\n"
        "11,2026-01-05 09:00:00,completed,0,ann@x.org,30.00,EUR,Mug\n"
        "11,2026-01-05 09:00:00,completed,0,ann@x.org,30.00,EUR,Plate\n"
        "12,2026-01-06 09:00:00,failed,0,bob@x.org,10.00,EUR,Mug\n"
        "13,2026-01-07 09:00:00,processing,0,cy@x.org,10.00,EUR,Mug\n"
        "14,2026-01-07 09:00:00,wc-cancelled,0,di@x.org,10.00,EUR,Mug\n"
        "15,2026-01-07 09:00:00,Pending payment,0,ed@x.org,10.00,EUR,Mug\n",
        encoding="utf-8",
    )
    log = read(file, layout="woocommerce-orders")
    assert touched(log) == [("ann@x.org", "order"), ("cy@x.org", "order")]
    assert log.intake.dropped == {
        "rows of the table with an order that was not paid or was cancelled": 3,
        "rows of the table with a further line of a contact": 1,
    }
    assert [i.value for i in by_customer(log)] == [30.0, 10.0]


QUALTRICS = """\
StartDate,EndDate,Status,IPAddress,Progress,Finished,RecordedDate,ResponseId,RecipientEmail,\
ExternalReference,DistributionChannel,UserLanguage,Q1,Q2,Q3_NPS_GROUP
Start Date,End Date,Response Type,IP Address,Progress,Finished,Recorded Date,Response ID,Recipient Email,\
External Data Reference,Distribution Channel,User Language,How likely are you to recommend us?,\
"What did you use?
Choose all",Group
"{""ImportId"":""startDate"",""timeZone"":""America/Denver""}","{""ImportId"":""endDate"",""timeZone"":""America/Denver""}",\
"{""ImportId"":""status""}","{""ImportId"":""ipAddress""}","{""ImportId"":""progress""}","{""ImportId"":""finished""}",\
"{""ImportId"":""recordedDate"",""timeZone"":""America/Denver""}","{""ImportId"":""_recordId""}",\
"{""ImportId"":""recipientEmail""}","{""ImportId"":""externalDataReference""}","{""ImportId"":""distributionChannel""}",\
"{""ImportId"":""userLanguage""}","{""ImportId"":""QID1""}","{""ImportId"":""QID2""}","{""ImportId"":""QID1_NPS""}"
2026-01-05 08:00:00,2026-01-05 08:04:00,IP Address,1.2.3.4,100,True,2026-01-05 08:04:01,R_1,,c7,email,EN,9,"Web,App",Promoter
2026-01-05 09:00:00,2026-01-05 09:01:00,IP Address,1.2.3.5,40,False,2026-01-12 09:01:00,R_2,,c8,email,EN,,,
2026-01-05 10:00:00,2026-01-05 10:01:00,Survey Preview,,100,True,2026-01-05 10:01:00,R_3,,,preview,EN,10,Web,Promoter
2026-01-05 11:00:00,2026-01-05 11:02:00,IP Address,,100,True,2026-01-05 11:02:00,R_4,,,anonymous,EN,3,App,Detractor
"""


def test_qualtrics_reads_below_three_rows_of_headers_in_the_zone_that_they_name(tmp_path):
    file = tmp_path / "survey.csv"
    file.write_text(QUALTRICS, encoding="utf-8")
    log = read(file, layout="qualtrics", score="Q1")
    rows = [
        (i.customer.id, i.touchpoint.name, f"{i.timestamp:%H:%M}", i.score)
        for i in by_customer(log)
    ]
    assert rows == [
        ("R_4", "survey started", "18:00", None),
        ("R_4", "survey answered", "18:02", 3.0),
        ("c7", "survey started", "15:00", None),
        ("c7", "survey answered", "15:04", 9.0),
        ("c8", "survey started", "16:00", None),
    ]
    assert log.intake.tz == "America/Denver"
    assert log.intake.dropped == {"rows of the table with a preview, a test or spam": 1}
    unscored = read(file, layout="qualtrics")
    assert all(i.score is None for i in unscored.interactions())  # no scale is guessed
    assert read(file, layout="qualtrics", tz="UTC").intake.tz == "UTC"


def test_surveymonkey_reads_below_two_rows_of_headers(tmp_path):
    file = tmp_path / "survey.csv"
    file.write_text(
        "Respondent ID,Collector ID,Start Date,End Date,IP Address,Email Address,First Name,"
        "Last Name,Custom Data 1,How likely are you to recommend us?,What did you use?,,\n"
        ",,,,,,,,,Response,Web,App,Store\n"
        "118001,41,01/05/2026 08:00:00 AM,01/05/2026 08:03:00 AM,1.2.3.4,C7@x.org,,,North,9,Web,App,\n"
        "118002,41,01/05/2026 01:00:00 PM,01/05/2026 01:03:00 PM,1.2.3.5,,,,North,4,,,Store\n",
        encoding="utf-8",
    )
    question = "How likely are you to recommend us?"
    log = read(file, layout="surveymonkey", score=question)
    plain = file.read_text(encoding="utf-8")
    for old, new in (
        ("08:00:00 AM", "08:00"),
        ("08:03:00 AM", "08:03"),
        ("01:00:00 PM", "13:00"),
        ("01:03:00 PM", "13:03"),
        ("01/05/2026", "2026-01-05"),
    ):
        plain = plain.replace(old, new)
    file.write_text(plain, encoding="utf-8")  # as a workbook has dates, and some exports
    assert read(file, layout="surveymonkey", score=question) == log
    rows = [(i.customer.id, f"{i.timestamp:%H:%M}", i.score) for i in by_customer(log)]
    assert rows == [
        ("118002", "13:00", None),
        ("118002", "13:03", 4.0),
        ("c7@x.org", "08:00", None),
        ("c7@x.org", "08:03", 9.0),
    ]
    named = io.read_csv(file, layout="surveymonkey", customer="Custom Data 1")
    assert named.customer_ids == ("North",)


@pytest.mark.parametrize(
    ("layout", "text"), [("shopify-orders", SHOPIFY), ("zendesk-tickets", ZENDESK)]
)
def test_no_mail_address_outlives_the_reading_with_a_key(tmp_path, layout, text):
    file = tmp_path / "export.csv"
    file.write_text(text, encoding="utf-8")
    key = PseudonymKey(bytes(range(32)))
    plain, log = (io.read_csv(file, layout=layout, pseudonyms=k) for k in (None, key))
    assert len(log.customer_ids) == len(plain.customer_ids)
    assert b"x.org" in pickle.dumps(plain)
    assert b"x.org" not in pickle.dumps(log)
    assert io.read_csv(file, layout=layout, pseudonyms=key) == log
