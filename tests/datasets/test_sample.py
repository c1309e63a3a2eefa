from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.datasets import Truths, sample
from cxjourney.datasets import _retailer as retailer
from cxjourney.exceptions import InvalidValue

DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def default():
    return sample()


def test_the_default_sample_is_as_large_and_varied_as_promised(default):
    log = default.log
    assert log.n_customers == 5_000
    assert len(log) > 100_000
    assert len(log.channels) >= 8
    assert set(log.stages) == set(cx.StageModel.FIVE.names)
    assert len(log.touchpoints) >= 30
    assert set(log.touchpoints) == {*default.truths.exits, default.truths.goal}
    assert len(log.owners) >= 5
    assert log.currency == "EUR"
    assert set(log.customer_attributes) == {"age", "member", "region", "segment"}
    for name in ("score", "expectation", "emotion", "value", "duration_us"):
        assert np.isfinite(log.columns.numeric[name]).sum() > 1_000
    assert len(log.columns.coded["issue"].names) > 500


def test_some_journeys_are_open_some_converted_some_dropped(default):
    outcomes = default.journeys().outcomes
    assert all(outcomes[outcome] > 500 for outcome in cx.Outcome)


def test_there_are_ties_and_orders_come_before_their_confirmation(default):
    columns = default.log.columns
    same = np.diff(columns.customer) == 0
    tied = same & (np.diff(columns.time) == 0)
    assert tied.mean() > 0.02
    names = default.log.touchpoints
    place = columns.coded["touchpoint"].codes
    follows = same & (place[1:] == names.index("order confirmation"))
    follows &= place[:-1] == names.index("order")
    assert follows.any()
    assert tied[follows].all()


def test_an_answer_lies_on_its_scale_and_money_on_orders_alone(default):
    columns = default.log.columns
    numeric = columns.numeric
    for name in ("score", "expectation"):
        values = numeric[name][np.isfinite(numeric[name])]
        assert set(np.unique(values)) <= set(range(11))
    assert np.nanmax(np.abs(numeric["emotion"])) <= 1
    goal = default.log.touchpoints.index(default.truths.goal)
    assert (np.isfinite(numeric["value"]) == (columns.coded["touchpoint"].codes == goal)).all()
    assert (numeric["value"][np.isfinite(numeric["value"])] > 0).all()


def test_an_issue_belongs_to_one_customer_and_to_support_contacts(default):
    columns = default.log.columns
    about = columns.coded["issue"].codes >= 0
    pairs = {*zip(columns.coded["issue"].codes[about], columns.customer[about], strict=True)}
    assert len(pairs) == len(columns.coded["issue"].names)
    names = np.array(default.log.touchpoints)[columns.coded["touchpoint"].codes[about]]
    assert {str(name).split()[0] for name in names} == {"support"}


def test_no_contact_lasts_into_the_next_one(default):
    columns = default.log.columns
    ends = columns.time + np.nan_to_num(columns.numeric["duration_us"])
    same = np.diff(columns.customer) == 0
    assert (ends[:-1] <= columns.time[1:])[same].all()


def test_gaps_are_clearly_within_or_clearly_beyond_the_limit(default):
    columns = default.log.columns
    gaps = np.diff(columns.time)[np.diff(columns.customer) == 0]
    limit = default.truths.inactivity // timedelta(microseconds=1)
    assert gaps.min() >= 0
    assert gaps[gaps < limit].max() <= 8 * DAY_US
    assert gaps[gaps >= limit].min() >= 21 * DAY_US


def test_all_happens_while_it_is_observed(default):
    time = default.log.columns.time
    assert default.log.observed_until == retailer.OBSERVED_UNTIL
    assert time.min() >= retailer.OBSERVED_FROM.timestamp() * 1e6
    assert time.max() < retailer.OBSERVED_UNTIL.timestamp() * 1e6


def test_a_seed_repeats_exactly_and_another_one_differs():
    assert sample(seed=4, customers=50).log == sample(seed=4, customers=50).log
    assert sample(seed=4, customers=50).log != sample(seed=5, customers=50).log


def test_the_log_is_the_one_that_its_typed_interactions_make():
    log = sample(seed=2, customers=60).log
    again = cx.InteractionLog.from_interactions(
        log.interactions(), observed_until=log.observed_until
    )
    assert list(again.interactions()) == list(log.interactions())
    assert again.customer_ids == log.customer_ids
    assert (again.columns.offsets == log.columns.offsets).all()


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_the_frame_makes_the_same_journeys(backend):
    small = sample(seed=2, customers=60)
    frame = small.frame(backend)
    log = cx.InteractionLog.from_frame(
        frame,
        customer="customer",
        timestamp="timestamp",
        touchpoint="touchpoint",
        channel="channel",
        observed_until=small.log.observed_until,
    )
    journeys = log.journeys(goal=small.truths.goal, inactivity=small.truths.inactivity)
    assert journeys.outcomes == small.journeys().outcomes


def test_customers_come_through_the_app_more_and_more(default):
    columns = default.log.columns
    first = columns.offsets[:-1]
    year = (columns.time[first] - columns.time.min()) / (365 * DAY_US)
    app = columns.coded["touchpoint"].codes[first] == default.log.touchpoints.index("app home")
    assert app[year > 2 / 3].mean() > app[year < 1 / 3].mean() + 0.04


def test_satisfaction_with_the_parcel_falls_over_the_year(default):
    columns = default.log.columns
    score = columns.numeric["score"]
    place = columns.coded["touchpoint"].codes == default.log.touchpoints.index("parcel delivery")
    here = place & np.isfinite(score)
    year = (columns.time[here] - columns.time.min()) / (365 * DAY_US)
    slope = np.polyfit(year, score[here], 1)[0]
    assert -3 < slope < -1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be an int of at least 0; got -1"),
        ({"seed": 1.5}, "seed must be an int of at least 0; got 1.5"),
        ({"seed": True}, "seed must be an int of at least 0; got True"),
        ({"customers": 0}, "customers must be an int from 1 to 10,000,000; got 0"),
        ({"customers": "5"}, "customers must be an int from 1 to 10,000,000; got '5'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InvalidValue, match=message):
        sample(**arguments)


def test_it_prints_facts_and_no_ids():
    text = repr(sample(customers=20))
    assert "20 customers" in text
    assert "app to web" in text
    assert "C00001" not in text


def test_truths_survive_the_way_through_a_dictionary(default):
    assert Truths.from_dict(default.truths.to_dict()) == default.truths
