"""The real logs: counts from the notes that stand beside them, made with pandas and the stdlib."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from cxjourney import from_sequences, from_wide, read_csv, read_xes
from cxjourney.io import StepColumn

pytest.importorskip("duckdb")

XES_KEYS = {
    "customer": "case:concept:name",
    "timestamp": "time:timestamp",
    "touchpoint": "concept:name",
}


@pytest.fixture
def data(shared):
    return shared / "data"


def facts(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    return json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])


def agrees(log, told) -> None:
    assert len(log) == told["rows"]
    assert log.n_customers == told["cases"]
    assert len(log.touchpoints) == told["touchpoints"]
    time = log.columns.time.astype("M8[us]").astype("M8[s]")
    span = [str(t).replace("T", " ") for t in (time.min(), time.max())]
    assert span == told["span"]
    coded = log.columns.coded["touchpoint"]
    visits = Counter(coded.values())
    assert {name: visits[name] for name in told["top"]} == told["top"]


@pytest.mark.shared_data
def test_the_running_example_is_the_same_as_csv_and_as_xes(data):
    folder = data / "pm4py_running_example"
    by_csv = read_csv(folder / "running-example.csv", **XES_KEYS, owner="org:resource")
    assert by_csv == read_xes(folder / "running-example.xes")
    assert (len(by_csv), by_csv.n_customers) == (42, 6)
    # the timestamps carry +01:00 and +02:00 in the files; the first event of case 3 is known by
    # heart
    assert (
        by_csv.columns.time.min()
        == int(datetime(2010, 12, 30, 10, 2, tzinfo=UTC).timestamp()) * 10**6
    )
    assert by_csv.intake.naive == 0


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("folder", "file", "columns"),
    [
        ("bupar_sepsis", "sepsis.csv.gz", ("case_id", "timestamp", "activity")),
        (
            "pm4py_receipt",
            "receipt.csv",
            ("case:concept:name", "time:timestamp", "concept:name"),
        ),
        (
            "retentioneering_simple_shop",
            "simple-onlineshop.csv",
            ("user_id", "timestamp", "event"),
        ),
    ],
)
def test_csv_logs_agree_with_their_notes(data, folder, file, columns):
    customer, timestamp, touchpoint = columns
    log = read_csv(
        data / folder / file, customer=customer, timestamp=timestamp, touchpoint=touchpoint
    )
    agrees(log, facts(data / folder))


@pytest.mark.shared_data
def test_the_case_called_na_is_a_customer(data):
    path = data / "bupar_sepsis" / "sepsis.csv.gz"
    log = read_csv(path, customer="case_id", timestamp="timestamp", touchpoint="activity")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        expected = sum(row["case_id"] == "NA" for row in csv.DictReader(stream))
    assert len(list(log.interactions("NA"))) == expected > 0


@pytest.mark.shared_data
def test_the_incidents_agree_with_their_notes(data):
    folder = data / "bpic2013_incidents"
    log = read_xes(folder / "bpic2013_incidents.xes.gz", attributes=["lifecycle:transition"])
    told = facts(folder)
    agrees(log, told)
    assert Counter(log.attribute("lifecycle:transition").values()) == told["lifecycle"]


@pytest.mark.shared_data
def test_the_sales_pipeline_is_read_as_a_wide_table(data):
    folder = data / "maven_crm_pipeline"
    with (folder / "sales_pipeline.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    table = {name: [row[name] or None for row in rows] for name in rows[0]}
    log = from_wide(
        table,
        customer="opportunity_id",
        steps={"engage_date": "engaged", "close_date": StepColumn(named_by="deal_stage")},
        timestamp_format="%m/%d/%Y",
    )
    told = facts(folder)["stage"]
    visits = Counter(log.columns.coded["touchpoint"].values())
    assert visits == {
        "Won": told["Won"],
        "Lost": told["Lost"],
        "engaged": told["Won"] + told["Lost"] + told["Engaging"],
    }
    assert log.intake.dropped == {"rows of the table with no dated step": told["Prospecting"]}


@pytest.mark.shared_data
def test_monthly_states_are_read_as_sequences(data):
    folder = data / "tramine_mvad"
    with (folder / "mvad.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    months = [name for name in facts(folder)["cols"] if re.fullmatch(r"[A-Z][a-z]{2}\.9\d", name)]
    starts = {m: datetime.strptime(m, "%b.%y").replace(tzinfo=UTC) for m in months}
    table = {name: [row[name] for row in rows] for name in ("id", *months)}
    log = from_sequences(table, customer="id", states=starts)
    assert (len(months), log.n_customers, len(log)) == (72, 712, 712 * 72)
    first = [i.touchpoint.name for i in log.interactions(rows[0]["id"])]
    assert first == [rows[0][m] for m in months]
