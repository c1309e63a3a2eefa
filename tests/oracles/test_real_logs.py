"""Edge counts, starts and ends of real logs equal an independent recount."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import cxjourney as cx

if TYPE_CHECKING:
    from pathlib import Path

LOGS = {
    "simple-onlineshop": (
        "retentioneering_simple_shop/simple-onlineshop.csv",
        ("user_id", "timestamp", "event"),
    ),
    "receipt": (
        "pm4py_receipt/receipt.csv",
        ("case:concept:name", "time:timestamp", "concept:name"),
    ),
    "sepsis": ("bupar_sepsis/sepsis.csv.gz", ("case_id", "timestamp", "activity")),
}


def rows_of(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def recount(rows: list[tuple[str, datetime, str]]) -> Counter:
    """Count directly-follows pairs with dictionaries, in a stable order of time."""
    touches: dict[str, list[tuple[datetime, str]]] = {}
    for case, when, what in rows:
        touches.setdefault(case, []).append((when, what))
    counts: Counter = Counter()
    for events in touches.values():
        names = [what for _, what in sorted(events, key=lambda e: e[0])]
        counts.update(pairwise([cx.START, *names, cx.DROPOFF]))
    return counts


def counts_of(graph: cx.JourneyGraph) -> dict:
    return {(u, v): c for u, v, c in graph.edges(data="count")}


@pytest.mark.parametrize("name", LOGS)
def test_edges_starts_and_ends_of_a_csv_equal_a_recount(shared, name):
    path, (case, when, what) = LOGS[name]
    file = shared / "data" / path
    rows = [(r[case], datetime.fromisoformat(r[when]), r[what]) for r in rows_of(file)]
    log = cx.read_csv(file, customer=case, timestamp=when, touchpoint=what)
    assert counts_of(log.journeys(all_closed=True).graph()) == recount(rows)


def test_a_case_called_na_is_a_customer(shared):
    log = cx.read_csv(
        shared / "data" / LOGS["sepsis"][0],
        customer="case_id",
        timestamp="timestamp",
        touchpoint="activity",
    )
    assert (len(log), log.n_customers) == (15214, 1050)
    assert log.customer("NA").id == "NA"


def test_edges_of_the_running_example_are_the_published_ones(shared):
    data = json.loads((shared / "oracles" / "dfg_variants.json").read_text())[0]
    log = cx.read_xes(shared / "data" / "pm4py_running_example" / "running-example.xes")
    counts = counts_of(log.journeys(all_closed=True).graph())
    published = {(u, v): c for u, v, c in data["dfg"]}
    published |= {(cx.START, name): c for name, c in data["start"].items()}
    published |= {(name, cx.DROPOFF): c for name, c in data["end"].items()}
    assert len(data["dfg"]) == 16
    assert counts == published


@pytest.mark.oracles("pm4py")
@pytest.mark.parametrize("name", ["simple-onlineshop", "receipt", "sepsis", "bpic2013_incidents"])
def test_edges_equal_those_of_pm4py(shared, name):
    import pandas as pd
    import pm4py

    if name == "bpic2013_incidents":
        file = shared / "data" / "bpic2013_incidents" / "bpic2013_incidents.xes.gz"
        log = cx.read_xes(file)
        frame = pm4py.read_xes(str(file), return_legacy_log_object=False)
    else:
        path, (case, when, what) = LOGS[name]
        file = shared / "data" / path
        log = cx.read_csv(file, customer=case, timestamp=when, touchpoint=what)
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        frame[when] = pd.to_datetime(frame[when], utc=True, format="ISO8601")
        frame = pm4py.format_dataframe(frame, case_id=case, activity_key=what, timestamp_key=when)
    dfg, starts, ends = pm4py.discover_dfg(frame)
    expected = {edge: int(c) for edge, c in dict(dfg).items()}
    expected |= {(cx.START, node): int(c) for node, c in starts.items()}
    expected |= {(node, cx.DROPOFF): int(c) for node, c in ends.items()}
    assert counts_of(log.journeys(all_closed=True).graph()) == expected
