"""Links and resolved identities against answers that were written by others."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import cxjourney as cx

if TYPE_CHECKING:
    from pathlib import Path


def log_of(events: list[dict[str, Any]], customer: Any) -> cx.InteractionLog:
    return cx.InteractionLog.from_frame(
        {
            "who": [customer(event) for event in events],
            "t": [event["t"] for event in events],
            "id": [event["id"] for event in events],
        },
        customer="who",
        timestamp="t",
        touchpoint="id",
        timestamp_unit="s",
    )


def told(log: cx.InteractionLog) -> dict[str, list[str]]:
    return {c: [i.touchpoint.name for i in log.interactions(c)] for c in log.customer_ids}


@pytest.fixture
def cases(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "oracles" / "identity.json").read_text("utf-8"))["cases"]


@pytest.mark.filterwarnings("ignore:All timestamps")
def test_every_case_of_devices(cases):
    for case in cases["device_events"]:
        events = case["events"]
        rows = [(e["anonymous_id"], e["user_id"], e["t"], False) for e in events]
        rows += [(r["anonymous_id"], None, r["t"], True) for r in case["resets"]]
        for turned in (rows, rows[::-1]):
            columns = dict(zip(("d", "u", "t", "out"), zip(*turned, strict=True), strict=True))
            links = cx.identity.links(
                columns, anonymous="d", known="u", timestamp="t", logout="out", timestamp_unit="s"
            )
            log = log_of(events, lambda e: e["user_id"] or e["anonymous_id"])
            assert told(log.resolve_identities(links)) == case["recommended_journeys"], case["name"]


def always(pairs: list[tuple[str, str]]) -> cx.identity.IdentityLinks:
    """Return links that always hold, from the first of each pair to the second."""
    return cx.identity.links(
        {"a": [one for one, _ in pairs], "k": [other for _, other in pairs]},
        anonymous="a",
        known="k",
    )


@pytest.mark.filterwarnings("ignore:All timestamps")
def test_policies_of_other_tools_are_tables_of_links(cases):
    """Nobody stitched, the first or last user of a device, or all that were ever seen together."""
    for case in cases["device_events"]:
        events = sorted(case["events"], key=lambda e: e["t"])
        log = log_of(events, lambda e: e["user_id"] or e["anonymous_id"])
        policies = case["journeys_by_policy"]
        assert case["recommended"] == "effective_dated"
        assert policies["effective_dated"] == case["recommended_journeys"]
        assert told(log) == policies["no_stitching"]
        pairs = [(e["anonymous_id"], e["user_id"]) for e in events if e["user_id"]]
        for name, some in (("first", pairs[::-1]), ("last", pairs)):
            found = log
            if pairs:
                found = log.resolve_identities(always(list(dict(some).items())))
            assert told(found) == policies[f"{name}_user_of_device_retroactive"], case["name"]
        found = log
        if pairs:
            found = log.resolve_identities(always([*pairs, *((u, d) for d, u in pairs)]))
        members = {e["id"]: (e["anonymous_id"], e["user_id"]) for e in events}
        together = {
            "+".join(sorted({one for e in ids for one in members[e] if one})): ids
            for ids in told(found).values()
        }
        assert together == policies["connected_components"], case["name"]


def links_of(case: dict[str, Any]) -> cx.identity.IdentityLinks:
    def column(name: str) -> np.ndarray:
        return np.array([link.get(name) for link in case["links"]], dtype=float)

    return cx.identity.links(
        {
            "a": [link["from_id"] for link in case["links"]],
            "k": [link["to_id"] for link in case["links"]],
            "since": column("valid_from"),
            "until": column("valid_to"),
            "recorded": column("recorded_at"),
        },
        anonymous="a",
        known="k",
        since="since",
        until="until",
        recorded="recorded",
        timestamp_unit="s",
    )


@pytest.mark.filterwarnings("ignore:All timestamps")
def test_every_case_of_tables_of_links(cases):
    by_name = {case["name"].split()[0]: case for case in cases["link_tables"]}
    assert sorted(by_name) == ["L1", "L2", "L3", "L4", "L5", "L6", "L7"]
    for name, case in by_name.items():
        log, links = log_of(case["events"], lambda e: e["customer"]), links_of(case)
        if name == "L4":
            with pytest.warns(cx.exceptions.DataQualityWarning, match="1 interaction stays"):
                resolved = log.resolve_identities(links)
            assert told(resolved) == {"d": ["e1"]}
            assert resolved.audit().identities["interactions left where two known ids overlap"] == 1
            found = links.conflicts("pandas")
            assert found["known"].tolist() == ["A", "B"]
            assert {*found["anonymous"]} == {"d"}
            assert {
                (t.second, u.second) for t, u in zip(found.since, found.until, strict=True)
            } == {(8, 10)}
            continue
        resolved = log.resolve_identities(links)
        expected = case["journeys"]
        if name == "L2":
            expected = {"a": ["e1", "e2"]}
            assert resolved.audit().identities["ids in a circle of links"] == 2
        if name == "L5":
            expected = case["journeys"]["as known now"]
            for at in (10, 21):
                when = f"1970-01-01T00:00:{at}"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    then = log.between(None, f"1970-01-01T00:00:{at + 1}")
                seen = then.resolve_identities(links, known_at=when)
                assert told(seen) == case["journeys"][f"as known at t={at}"]
                assert seen.audit().identities_known_at.second == at
        assert told(resolved) == expected, name
