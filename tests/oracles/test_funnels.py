"""Funnels of other tools, from their own tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney.dropoff import Exclusion, Semantics, funnel

NAMES = [
    "basic ordered",
    "messed-up order, two steps",
    "same event twice as two steps",
    "two steps at the SAME instant count as converted",
    "conversion window 7 days",
    "exclusion event between steps",
    "strict order",
    "unordered with times",
    "step times",
    "retentioneering basic",
    "retentioneering order matters",
]


@pytest.fixture(scope="module")
def cases(shared):
    text = (shared / "oracles" / "funnels.json").read_text(encoding="utf-8")
    return {case["name"]: case for case in json.loads(text)["cases"]}


def run(case, *, reverse=False, **options):
    events = case["events"][::-1] if reverse else case["events"]
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=user,
            touchpoint=event,
            timestamp=datetime.fromisoformat(timestamp).replace(tzinfo=UTC),
        )
        for user, event, timestamp in events
    )
    exclude = [
        Exclusion(x["event"], between=(x["from_step"] + 1, x["to_step"] + 1))
        for x in case["exclusions"] or ()
    ]
    within = case["window"] and timedelta(**case["window"])
    return funnel(
        log, case["steps"], within=within, order=case["order"], exclude=exclude, **options
    )


def preset_of(case):
    return "retentioneering" if "retentioneering" in case["name"] else "posthog"


def test_every_case_is_compared(cases):
    assert list(cases) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_preset_counts_as_its_tool_does(cases, name, reverse):
    case = cases[name]
    found = run(case, semantics=preset_of(case), reverse=reverse)
    assert list(found.counts) == case["expected_counts"]
    for step, users in (case["expected_users"] or {}).items():
        reached = [
            user
            for user in sorted({event[0] for event in case["events"]})
            if found.explain(user).depth[0] >= int(step)
        ]
        assert reached == users


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("semantics", [None, Semantics(entry="ended")])
def test_where_tools_agree_all_rules_agree(cases, name, semantics):
    case = cases[name]
    if case["consensus"] == "agree":
        found = run(case, semantics=semantics, censored="keep")
        assert list(found.counts) == case["expected_counts"]


def test_times_between_steps(cases):
    assert "[null,6000,5400]; median [null,7200,5400]" in cases["step times"]["note"]
    found = run(cases["step times"], semantics="posthog")
    assert found.table["step_mean_s"][1:].tolist() == [6000, 5400]
    assert found.table["step_median_s"][1:].tolist() == [7200, 5400]
    note = cases["unordered with times"]["note"]
    assert note.startswith("average seconds to step 2 = 5400, to step 3 = 7200")
    found = run(cases["unordered with times"], semantics="posthog")
    assert found.table["step_mean_s"][1:].tolist() == [5400, 7200]


def test_retentioneering_shares_are_of_all_paths(cases):
    assert ".75 .5 .25; step-to-step .75 2/3 .5" in cases["retentioneering basic"]["note"]
    found = run(cases["retentioneering basic"], semantics="retentioneering")
    assert found.rates == (0.75, 0.5, 0.25)
    assert found.table["step_rate"] == pytest.approx([0.75, 2 / 3, 0.5])
