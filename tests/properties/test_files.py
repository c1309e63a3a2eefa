from __future__ import annotations

import csv
import io
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney import InteractionLog, read_csv, read_xes
from cxjourney.domain._terminals import TERMINALS

pytest.importorskip("duckdb")
pytestmark = pytest.mark.filterwarnings("ignore:.*(timestamp|interaction)s? .*(span|future|1970)")

# whatever a cell may hold, but lone surrogates, which no file holds, and the null character
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
nasty = st.text(st.sampled_from("\",;|\t\n\r'\\ #aé🛒\u202e") | characters, max_size=12)
names = nasty.filter(lambda text: text not in TERMINALS)  # blank ones are missing
rows = st.lists(
    st.tuples(nasty, st.datetimes(allow_imaginary=False), names, st.none() | st.floats(-1e9, 1e9)),
    max_size=20,
)


def as_csv(table, delimiter: str, line_end: str) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "when", "where", "score"])
    for customer, when, touchpoint, score in table:
        writer.writerow([customer, when.isoformat(), touchpoint, "" if score is None else score])
    return stream.getvalue()


@given(rows, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_to_csv_is_read_back(tmp_path_factory, table, delimiter, line_end):
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    path.write_text(as_csv(table, delimiter, line_end), encoding="utf-8", newline="")
    columns = {"customer": "id", "timestamp": "when", "touchpoint": "where", "score": "score"}
    columns["missing"] = "drop"
    frame = {
        "id": [row[0] for row in table],
        "when": [row[1].isoformat() for row in table],
        "where": [row[2] for row in table],
        "score": [row[3] for row in table],
    }
    log, expected = read_csv(path, **columns), InteractionLog.from_frame(frame, **columns)
    assert log == expected
    assert log.intake == expected.intake
    assert log.intake.rows == len(table) == len(log) + sum(log.intake.dropped.values())


def as_xes(table) -> str:
    events = "".join(
        f"<trace><string key='concept:name' value={quoteattr(customer)}/><event>"
        f"<string key='concept:name' value={quoteattr(touchpoint)}/>"
        f"<date key='time:timestamp' value='{when.isoformat()}'/>"
        + ("" if score is None else f"<float key='score' value='{score!r}'/>")
        + "</event></trace>"
        for customer, when, touchpoint, score in table
    )
    # the last event is there so that the key of the scores always is
    return f"""<?xml version="1.0" encoding="UTF-8"?><log>{events}<trace>
      <string key="concept:name" value="z"/><event><string key="concept:name" value="z"/>
      <date key="time:timestamp" value="2026-01-01"/><float key="score" value="1"/></event>
      </trace></log>"""


def is_xml(text: str) -> bool:
    return all(c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") for c in text)


@given(rows)
def test_what_is_written_to_xes_is_read_back(tmp_path_factory, table):
    table = [row for row in table if is_xml(row[0]) and is_xml(row[2])]
    path = tmp_path_factory.mktemp("xes") / "log.xes"
    path.write_text(as_xes(table), encoding="utf-8", newline="")
    frame = {
        "case": [*(row[0] for row in table), "z"],
        "when": [*(row[1].isoformat() for row in table), "2026-01-01"],
        "what": [*(row[2] for row in table), "z"],
        "score": [*(row[3] for row in table), 1.0],
    }
    columns = {"customer": "case", "timestamp": "when", "touchpoint": "what", "score": "score"}
    log = read_xes(path, score="score", missing="drop")
    expected = InteractionLog.from_frame(frame, **columns, missing="drop")
    assert log == expected
    assert log.intake == expected.intake
