"""Groups of one's own as segments, and journeys that begin after a goal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

import cxjourney as cx
from cxjourney._findings._trials import Trials
from cxjourney._trend import trend
from cxjourney.domain import MISSING
from cxjourney.dropoff import exits, funnel
from cxjourney.exceptions import (
    DataQualityWarning,
    InvalidData,
    InvalidValue,
    TimesRequired,
    UnknownName,
)
from cxjourney.sequences import paths


def log_of(ways: dict[str, list[tuple[str, float]]], **attributes: str) -> cx.InteractionLog:
    return cx.InteractionLog.from_interactions(
        [
            cx.Interaction(
                customer=who,
                touchpoint=what,
                timestamp=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day),
                attributes=attributes,
            )
            for who, steps in ways.items()
            for what, day in steps
        ],
        observed_until=datetime(2026, 3, 1, tzinfo=UTC),
    )


WAYS = {
    "a": [("ad", 0), ("buy", 1), ("thanks", 1), ("help", 3), ("ad", 20), ("buy", 21)],
    "b": [("ad", 0), ("web", 2), ("ad", 30), ("buy", 31), ("ad", 50)],
    "c": [("buy", 1), ("buy", 2), ("web", 3)],
}
WEEK = timedelta(days=7)


@pytest.fixture
def journeys() -> cx.Journeys:
    return log_of(WAYS).journeys(goal="buy", inactivity=WEEK)


@pytest.fixture(scope="module")
def sample() -> cx.Journeys:
    return cx.datasets.sample(seed=3, customers=400).journeys()


# ---------------------------------------------------------------- attributes of customers


def test_an_attribute_of_customers_is_a_segment_everywhere(sample):
    log = sample.log
    plan = {who: "gold" if k % 3 else "basic" for k, who in enumerate(log.customer_ids) if k % 5}
    after = log.with_attribute("plan", plan)
    journeys = after.journeys(goal="order", inactivity=timedelta(days=14))
    assert "plan" not in log.customer_attributes
    found = exits(journeys, segment="plan")
    assert found.values == ("basic", "gold", MISSING)
    by_hand = dict.fromkeys(found.values, 0)
    for one in journeys:
        by_hand[plan.get(one.customer.id, MISSING)] += 1
    assert {value: one.n_journeys for value, one in found} == by_hand
    assert funnel(after, ["cart", "payment"], segment="plan").values == found.values
    assert after.filter(where={"plan": "gold"}).n_customers == sum(
        value == "gold" for value in plan.values()
    )


@pytest.mark.parametrize("make", [pd.DataFrame, dict])
def test_a_frame_gives_the_same_as_a_mapping_whatever_its_order(make):
    log = log_of(WAYS)
    values = {"c": 2, "a": 1}
    frame = make({"customer": ["a", "c"], "rank": [1, 2]})
    given = log.with_attribute("rank", values)
    assert given == log.with_attribute("rank", frame)
    assert given.customer_attributes["rank"].values() == [1, None, 2]
    other = make({"score": [9, 9], "rank": [2, 1], "customer": ["c", "a"]})
    assert given == log.with_attribute("rank", other)


def test_customers_that_the_log_does_not_have_are_counted_and_not_named():
    log = log_of(WAYS)
    values = {"a": "gold", "secret-17": "gold", "secret-18": "basic"}
    with pytest.warns(DataQualityWarning, match=r"2 are not in the log.*2 of the 3") as told:
        after = log.with_attribute("plan", values)
    assert "secret" not in str(told[0].message)
    assert after.customer_attributes["plan"].values() == ["gold", None, None]


def test_names_that_are_taken_are_refused_unless_replaced():
    log = log_of(WAYS, device="phone").with_attribute("plan", dict.fromkeys("abc", "gold"))
    for name in ("plan", "device"):
        with pytest.raises(InvalidValue, match="replace=True"):
            log.with_attribute(name, {"a": "x"})
    new = log.with_attribute("plan", {"a": "x"}, replace=True)
    assert new.customer_attributes["plan"].values() == ["x", None, None]
    new = log.with_attribute("device", {"b": "tablet"}, replace=True)
    assert set(new.attribute("device").values()) == {None, "tablet"}
    for name in ("touchpoint", "customer", "timestamp"):
        with pytest.raises(InvalidValue, match="column of the log"):
            log.with_attribute(name, {"a": "x"}, replace=True)
    with pytest.raises(InvalidData, match="one row a customer"):
        log.with_attribute("new", pd.DataFrame({"customer": ["a", "a"], "new": [1, 1]}))
    with pytest.raises(InvalidValue, match="column 'customer' and one of values"):
        log.with_attribute("new", pd.DataFrame({"customer": ["a"], "x": [1], "y": [2]}))
    with pytest.raises(InvalidValue, match="column 'customer' and one of values"):
        log.with_attribute("new", pd.DataFrame({"who": ["a"], "new": [1]}))
    with pytest.raises(InvalidValue) as error:
        log.with_attribute("new", {"secret-17": ["x"]})
    assert "secret" not in str(error.value)


# ---------------------------------------------------------------- labels of journeys


def test_labels_are_segments_that_follow_their_journeys(sample):
    long = sample.lengths > np.median(sample.lengths)
    labelled = sample.label("long", long)
    assert "long" not in sample.columns.attributes
    found = paths(labelled, segment="long")
    assert found.values == ("no", "yes")
    assert found["yes"].n_journeys == np.count_nonzero(long)
    assert found.rule == "Each journey has the long with which it was labelled."
    half = np.arange(len(long)) % 2 == 0
    part = labelled.where(half)
    assert paths(part, segment="long")["yes"].n_journeys == np.count_nonzero(long & half)
    words = np.where(long, "long", np.where(half, "short", None)).tolist()
    assert paths(sample.label("kind", words), segment="kind").values == ("long", "short", MISSING)
    compared = cx.compare.segments(labelled, "long")
    assert set(compared.table["group"]) == {"yes"}
    assert trend(labelled, "conversion_rate", by="month", segment="long").values == found.values
    asked = cx.findings(labelled, segments=["long"])
    assert {one.who for one in (*asked, *asked.watching)} <= {"", "long: no", "long: yes"}


def test_a_label_marks_the_journeys_of_a_row(sample):
    left = exits(sample).journeys("cart")
    labelled = sample.label("left at cart", left)
    told = exits(labelled, segment="left at cart")
    assert told["yes"].n_journeys == len(left)
    row = dict(zip(told["no"].table["touchpoint"], told["no"].table["exits"], strict=True))
    assert row["cart"] == 0
    part = sample.where(sample.lengths > 2)  # numbers are those of the whole
    inside = exits(part).journeys("cart")
    again = sample.label("left at cart", inside)
    assert exits(again, segment="left at cart")["yes"].n_journeys == len(inside)


def test_labels_tell_apart_journeys_of_one_customer_that_begin_at_one_time():
    whole = log_of({"a": [("buy", 1), ("buy", 1), ("buy", 1)]}).journeys(
        goal="buy", inactivity=WEEK
    )
    for k in range(3):
        chosen = np.arange(3) == k
        labelled = whole.label("this", whole.where(chosen))
        assert labelled.segment("this").values() == chosen.tolist()


def test_labels_of_another_kind_are_refused(sample, journeys):
    with pytest.raises(InvalidValue, match="cut from the same log"):
        sample.label("x", journeys)
    part = sample.where(sample.lengths > 2)
    with pytest.raises(InvalidValue, match="cut from the same log"):
        part.label("x", sample)
    for wrong in ([True], np.ones(len(sample)), np.ones((len(sample), 2), dtype=bool)):
        with pytest.raises(InvalidValue, match="truth values or strings"):
            sample.label("x", wrong)
    with pytest.raises(InvalidValue, match="replace=True"):
        sample.label("segment", sample.converted)
    one = sample.label("segment", sample.converted, replace=True)
    assert paths(one, segment="segment").values == ("no", "yes")


def test_findings_take_no_label_that_nobody_asked_for(sample):
    labelled = sample.label("won", sample.converted)
    assert "won" not in {one.name for one in Trials.of(labelled, None).attributes}
    assert "won" in {one.name for one in Trials.of(labelled, ["won"]).attributes}


# ---------------------------------------------------------------- origin


def origins(journeys: cx.Journeys) -> list[tuple[str, list[str], str | None]]:
    found = journeys.segment("origin").values()
    return [
        (one.customer.id, [i.touchpoint for i in one.interactions], value)
        for one, value in zip(journeys, found, strict=True)
    ]


def test_journeys_after_a_goal_are_told_apart(journeys):
    told = [
        (who, [str(getattr(t, "name", t)) for t in way], o) for who, way, o in origins(journeys)
    ]
    assert told == [
        ("a", ["ad", "buy"], "new"),
        ("a", ["thanks", "help"], "after a goal"),
        ("a", ["ad", "buy"], "new"),  # a silence of 17 days after the help
        ("b", ["ad", "web"], "new"),
        ("b", ["ad", "buy"], "new"),  # the journey before dropped
        ("b", ["ad"], "new"),  # 19 days after the goal
        ("c", ["buy"], "new"),
        ("c", ["buy"], "after a goal"),
        ("c", ["web"], "after a goal"),
    ]


def test_origin_stays_with_journeys_whose_others_were_left_out(journeys):
    part = journeys.where(~journeys.converted)
    assert "right after a goal" in paths(part, segment="origin").rule
    assert part.segment("origin").values() == ["after a goal", "new", "new", "after a goal"]


def test_a_column_of_the_users_named_origin_goes_first():
    log = log_of(WAYS, origin="mars")
    journeys = log.journeys(goal="buy", inactivity=WEEK)
    assert paths(journeys, segment="origin").values == ("mars",)
    other = log_of(WAYS).with_attribute("origin", {"a": "venus"})
    journeys = other.journeys(goal="buy", inactivity=WEEK)
    assert paths(journeys, segment="origin").values == ("venus", MISSING)


def test_cases_begin_anew_and_what_follows_a_goal_in_a_case_does_not():
    log = cx.InteractionLog.from_frame(
        {
            "customer": ["a"] * 5,
            "when": [f"2026-01-0{d}" for d in range(1, 6)],
            "what": ["web", "buy", "help", "web", "buy"],
            "case": ["x", "x", "x", "y", "y"],
        },
        customer="customer",
        timestamp="when",
        touchpoint="what",
        journey="case",
    )
    journeys = log.journeys(goal="buy", all_closed=True)
    assert journeys.segment("origin").values() == ["new", "after a goal", "new"]
    kept = log.journeys(goal="buy", all_closed=True, after_goal="keep")
    assert kept.segment("origin").values() == ["new", "new"]
    left_out = log.journeys(goal="buy", all_closed=True, after_goal="discard")
    assert left_out.segment("origin").values() == ["new", "new"]


def test_where_the_observation_may_have_missed_the_goal_nobody_knows():
    interactions = list(log_of(WAYS).interactions())
    log = cx.InteractionLog.from_interactions(
        interactions,
        observed_from=datetime(2025, 12, 30, tzinfo=UTC),
        observed_until=datetime(2026, 3, 1, tzinfo=UTC),
    )
    journeys = log.journeys(goal="buy", inactivity=WEEK)
    found = journeys.segment("origin").values()
    assert [value is None for value in found] == journeys.left_truncated.tolist()
    assert found.count(None) == 3
    assert paths(journeys, segment="origin").values == ("after a goal", "new", MISSING)


def test_origin_of_the_sample_is_what_follows_an_order(sample):
    after = sample.where(np.array(sample.segment("origin").values()) == "after a goal")
    first = {str(getattr(j.interactions[0].touchpoint, "name", "")) for j in after}
    assert first <= {"order confirmation", "parcel delivery", "loyalty programme", "review"}


def test_names_that_are_not_there_are_told_with_origin(journeys):
    with pytest.raises(UnknownName, match="did you mean 'origin'"):
        journeys.segment("origins")


def test_journeys_are_chosen_by_when_they_begin(journeys):
    starts = [journey.start for journey in journeys]
    since, until = sorted(starts)[len(starts) // 3], sorted(starts)[len(starts) // 2]
    chosen = journeys.where(since=since, until=until)
    assert [j.start for j in chosen] == [start for start in starts if since <= start < until]
    assert list(chosen) == [j for j in journeys if since <= j.start < until]
    assert list(journeys.where(journeys.converted, until=until)) == [
        j for j in journeys if j.outcome is cx.Outcome.CONVERTED and j.start < until
    ]
    assert list(journeys.where()) == list(journeys.where(since="0001-01-01")) == list(journeys)
    assert not len(journeys.where(until="0001-01-01"))


def test_a_moment_without_a_zone_is_one_of_the_log():
    rows = {"c": ["a", "b"], "t": ["2026-01-05 00:30", "2026-01-04 23:30"], "x": ["ad", "ad"]}
    roles = {"customer": "c", "timestamp": "t", "touchpoint": "x", "tz": "Asia/Tokyo"}
    (later,) = cx.InteractionLog.from_frame(rows, **roles).journeys().where(since="2026-01-05")
    assert later.customer.id == "a"


def test_moments_that_choose_nothing_sensible_are_refused(journeys):
    with pytest.raises(InvalidValue, match="since must be a datetime or a string in ISO form"):
        journeys.where(since="last week")
    with pytest.raises(InvalidValue, match="until must lie after since"):
        journeys.where(since="2026-01-05", until="2026-01-05")
    with pytest.raises(TimesRequired):
        cx.Journeys.from_paths([["ad"]], converted=[1]).where(since="2026-01-05")
