"""Critical points of real and of much-used logs: what is known of them comes out on top."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import cxjourney as cx
from cxjourney.exceptions import DataQualityWarning


def first_three(journeys):
    found = cx.critical.points(journeys)
    return found.ranking[:3], found


def test_the_web_shop_loses_at_cash_and_at_pickup(shared):
    log = cx.read_csv(
        shared / "data/retentioneering_simple_shop/simple-onlineshop.csv",
        customer="user_id",
        timestamp="timestamp",
        touchpoint="event",
    )
    journeys = log.journeys(
        goal="payment_done", exit_touchpoints=("lost",), inactivity=timedelta(days=1)
    )
    names, found = first_three(journeys)
    # two ways to pay and two ways of delivery: one of each loses several times the other
    assert names == ("payment_cash", "delivery_pickup", "catalog")
    rate = dict(zip(found.table["touchpoint"], found.table["exit_probability"], strict=True))
    assert rate["payment_cash"] > 4 * rate["payment_card"]
    assert rate["delivery_pickup"] > 2.5 * rate["delivery_courier"]
    assert cx.critical.must_pass(journeys).conversions == (
        "catalog",
        "cart",
        "delivery_choice",
        "payment_choice",
    )


def test_a_page_called_lost_does_not_hide_the_other_losses(shared):
    # taken for a touchpoint, not an exit: everybody leaves there
    log = cx.read_csv(
        shared / "data/retentioneering_simple_shop/simple-onlineshop.csv",
        customer="user_id",
        timestamp="timestamp",
        touchpoint="event",
    )
    names, found = first_three(log.journeys(goal="payment_done", inactivity=timedelta(days=1)))
    assert names[0] == "payment_cash"
    assert found.ranking[-1] == "lost"
    assert found.table["mark"][-1] == "everybody leaves"


def test_the_repair_shop_loses_cases_at_the_test_and_repeats_it(shared):
    path = shared / "data/repair_example/repairExample.xes.gz"
    with pytest.warns(DataQualityWarning, match="1970"):  # an honest log of that year
        log = cx.read_xes(path, lifecycle=("complete",))
    journeys = log.journeys(goal="Archive Repair", all_closed=True)
    names, _ = first_three(journeys)
    assert names[:2] == ("Test Repair", "Inform User")
    again = cx.critical.rework(journeys)
    assert again.table["touchpoint"][0] == "Test Repair"
    # 1,104 analyses, 406 restarts
    assert again.table["repeats"][0] == 406


def test_incidents_are_not_lost_but_wait_for_the_user_and_are_passed_on(shared):
    log = cx.read_xes(
        shared / "data/bpic2013_incidents/bpic2013_incidents.xes.gz",
        touchpoint="lifecycle:transition",
    )
    journeys = log.journeys(
        goal=("Resolved", "In Call", "Closed"), all_closed=True, after_goal="discard"
    )
    _, found = first_three(journeys)
    assert found.conversion_probability > 0.99
    slow, again = cx.critical.bottlenecks(journeys), cx.critical.rework(journeys)
    assert slow.table["touchpoint"][0] == "Wait - User"
    assert again.table["touchpoint"][:2] == ("In Progress", "Awaiting Assignment")
    assert {"Wait - User", "In Progress", "Awaiting Assignment"} == set(
        slow.table["touchpoint"][:3]
    )


def test_training_leads_to_joblessness_more_than_school_does(shared):
    frame = pytest.importorskip("pandas").read_csv(shared / "data/tramine_mvad/mvad.csv")
    months = [name for name in frame.columns if len(name) == 6 and name[3] == "."]
    frame["id"] = frame["id"].astype(str)
    begins = {m: datetime.strptime(m, "%b.%y").replace(tzinfo=UTC) for m in months}
    log = cx.from_sequences(frame, customer="id", states=begins).collapse_repeats()
    journeys = log.journeys(
        goal="employment", exit_touchpoints=("joblessness",), after_goal="discard"
    )
    names, found = first_three(journeys)
    assert names[:2] == ("training", "FE")
    # four touchpoints without stages: too few to say what stands apart
    assert found.table["confidence"][0] < 0.5
    assert found.ranking.index("school") > 1
