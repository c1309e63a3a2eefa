from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import DataQualityWarning, InvalidValue
from cxjourney.log import LogAudit

ROWS = {
    "who": ["b", "a", "a", "a", None, "a", "a"],
    "when": [
        "2024-03-31 02:30",  # skipped in Prague
        "2024-01-05",
        "2024-01-02",
        "2024-01-02",
        "2024-01-01",
        "2024-01-02",
        "2024-10-27 02:30",  # shown twice
    ],
    "what": ["web", "web", "web", "web", "web", "app", "web"],
    "stars": [1.0, None, None, None, None, 5.0, None],
    "note": ["x", "y", "z", "z", "", None, "w"],
}


def log_of(**options) -> cx.InteractionLog:
    return cx.InteractionLog.from_frame(
        ROWS,
        customer="who",
        timestamp="when",
        touchpoint="what",
        score="stars",
        attributes=["note"],
        tz="Europe/Prague",
        missing="drop",
        **options,
    )


def test_every_count_of_a_small_log_is_known_by_hand():
    late = "1 interaction lies after observed_until and still count"
    with pytest.warns(DataQualityWarning, match=late):
        log = log_of(observed_from="2024-01-01", observed_until="2024-10-01")
    audit = log.audit(now="2024-05-01", inactivity=timedelta(days=7))
    assert (audit.rows_received, audit.rows) == (7, 6)
    assert audit.dropped == {"customer is missing": 1}
    assert (audit.customers, audit.touchpoints, audit.channels) == (2, 2, 0)
    assert audit.first == datetime(2024, 1, 1, 23, tzinfo=UTC)
    assert audit.last == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert audit.duplicates == 1
    assert (audit.tied, audit.ties) == (2, 2 / 6)
    assert not audit.ordered
    assert audit.out_of_order == 1  # one row of "a" came before an earlier one
    assert audit.missing == {"score": 4, "note": 1}
    assert (audit.naive, audit.tz, audit.ambiguous, audit.nonexistent) == (
        7,
        "Europe/Prague",
        1,
        1,
    )
    assert (audit.future, audit.after_observed_until) == (1, 1)
    assert audit.one_interaction_customers == 1
    assert audit.left_truncated == 1


def test_left_truncation_is_unknown_without_a_window_and_a_limit():
    assert log_of().audit(inactivity=timedelta(days=7)).left_truncated is None
    assert log_of(observed_from="2024-01-01").audit().left_truncated is None
    with pytest.raises(InvalidValue, match="inactivity"):
        log_of().audit(inactivity=7)


def test_it_prints_and_survives_json():
    audit = log_of(observed_from="2024-01-01").audit(now="2025-01-01")
    text = repr(audit)
    for line in ("rows received", "left out: customer is missing", "ties", "missing: note"):
        assert line in text
    assert "33.3% of the interactions have the customer and the timestamp of an earlier one" in text
    assert "observed from 2023-12-31 23:00:00 UTC until" in text
    assert LogAudit.from_dict(audit.to_dict()) == audit


def test_names_of_columns_are_escaped_in_html():
    hostile = "<b>note</b>"
    log = cx.InteractionLog.from_frame(
        {"who": ["a", "a"], "when": ["2024-01-01"] * 2, "what": ["x", "y"], hostile: ["n", None]},
        customer="who",
        timestamp="when",
        touchpoint="what",
        attributes=[hostile],
    )
    assert "<b>" not in log.audit()._repr_html_()


def test_no_customer_id_is_shown():
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer="secret@example.com",
            touchpoint="web",
            timestamp=datetime(2024, 1, d, tzinfo=UTC),
        )
        for d in (1, 1, 2)
    )
    assert "secret" not in repr(log.audit()) + repr(log.suggest_inactivity())


def test_an_empty_log_is_audited():
    audit = cx.InteractionLog.from_interactions([]).audit(inactivity=timedelta(days=1))
    assert (audit.rows, audit.customers, audit.first) == (0, 0, None)
    assert "The log has no interactions." in repr(audit)


def test_what_came_in_stays_with_what_was_prepared():
    log = log_of()
    prepared = log.filter(customers="b").audit()
    assert (prepared.rows_received, prepared.rows, prepared.tied) == (7, 1, 0)


@pytest.mark.shared_data
def test_the_ties_of_the_sepsis_log_are_counted(shared):
    pytest.importorskip("duckdb")
    log = cx.read_csv(
        shared / "data" / "bupar_sepsis" / "sepsis.csv.gz",
        customer="case_id",
        timestamp="timestamp",
        touchpoint="activity",
    )
    audit = log.audit()
    assert (audit.rows, audit.tied, audit.naive) == (15_214, 4_447, 15_214)


def test_rows_of_a_wide_table_are_no_share_of_the_interactions():
    deals = {
        "deal": ["a", "b", None],
        "open": ["2024-01-02", None, "2024-01-03"],
        "won": [None] * 3,
    }
    log = cx.from_wide(deals, customer="deal", steps={"open": "open", "won": "won"}, missing="drop")
    table = log.audit(now="2024-02-01")._table()
    shares = dict(zip(table["what"], table["share"], strict=True))
    assert np.isnan(shares["  left out: rows of the table with no dated step"])
    assert shares["  left out: customer is missing"] == 1 / 2
    assert "  left out: rows of the table with no dated step  " in str(log.audit())
