"""Two ways to one log: a layout, and the columns named; whatever the cells hold."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cxjourney as cx
from cxjourney.exceptions import CxJourneyError

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = """
name = "plain"
title = "Plain"
form = "events"
[recognised]
all = ["who"]
[columns]
customer = "who"
timestamp = "at"
touchpoint = "what"
channel = "how"
value = "worth"
journey = "case"
issue = "ticket"
[attributes]
plan = "plan"
"""
CASES = """
name = "cases"
title = "Cases"
form = "cases"
[recognised]
all = ["who"]
[columns]
customer = "who"
journey = "case"
[attributes]
plan = "plan"
[[steps]]
timestamp = "begun"
name = "begun"
[[steps]]
timestamp = "ended"
touchpoint = "what"
value = "worth"
"""
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
ids = st.sampled_from(["a", "7", "7.0", "007", "NA", " b ", "ä,;", 'q"', "", "  "])
names = st.sampled_from(["web", "Web", " web", "null", "1", "", " "])
numbers = st.sampled_from(["", " ", "1", "2.50", "-3", "1e2", " 7 ", "1,234.50", "1 234"])
moments = st.one_of(
    st.just(""),
    st.integers(0, 3_000).map(lambda m: (FIRST + timedelta(minutes=m)).strftime("%Y-%m-%d %H:%M")),
    st.integers(0, 3_000).map(lambda m: (FIRST + timedelta(minutes=m)).isoformat()),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("layouts")
    (path / "events.toml").write_text(EVENTS, encoding="utf-8")
    (path / "cases.toml").write_text(CASES, encoding="utf-8")
    return path


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def outcome(read):
    """Return a log, or what is said against it."""
    try:
        return read()
    except CxJourneyError as error:
        return type(error), str(error).partition(";")[0]


@settings(max_examples=10)  # each writes and reads files
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "who": ids, "at": moments, "what": names, "how": names, "worth": numbers,
                "case": ids, "ticket": ids, "plan": st.sampled_from(["x", "y"]),
            }
        ),
        min_size=1,
        max_size=12,
    ),
    missing=st.sampled_from(["drop", "refuse"]),
    tz=st.sampled_from(["UTC", "Europe/Prague"]),
)  # fmt: skip
def test_events_are_those_of_named_columns(folder, rows, missing, tz):
    file = write(folder / "events.csv", rows)
    columns = {"channel": "how", "value": "worth", "journey": "case", "issue": "ticket"}
    named = outcome(
        lambda: cx.read_csv(
            file, customer="who", timestamp="at", touchpoint="what", **columns,
            attributes=["plan"], missing=missing, tz=tz,
        )
    )  # fmt: skip
    layout = folder / "events.toml"
    found = outcome(lambda: cx.read_csv(file, layout=layout, missing=missing, tz=tz))
    assert found == named


@settings(max_examples=10)  # each writes and reads files
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"who": ids, "case": ids, "begun": moments, "ended": moments, "what": names,
             "worth": st.sampled_from(["", "1", "2.5"]), "plan": st.sampled_from(["x", "y"])}
        ),
        min_size=1,
        max_size=12,
    ),
    missing=st.sampled_from(["drop", "refuse"]),
)  # fmt: skip
def test_cases_are_those_of_a_wide_table(folder, rows, missing):
    file = write(folder / "cases.csv", rows)
    table = {name: [row[name] if row[name].strip() else None for row in rows] for name in rows[0]}
    table["worth"] = [None if w is None else float(w) for w in table["worth"]]
    wide = outcome(
        lambda: cx.from_wide(
            table, customer="who", journey="case", attributes=["plan"], missing=missing,
            steps={"begun": "begun", "ended": cx.io.StepColumn(named_by="what", value="worth")},
        )
    )  # fmt: skip
    found = outcome(lambda: cx.read_csv(file, layout=folder / "cases.toml", missing=missing))
    if isinstance(wide, tuple):
        assert isinstance(found, tuple)
        assert found[0] == wide[0]
    else:
        assert found == wide
