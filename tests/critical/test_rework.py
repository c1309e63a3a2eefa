from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import t

import cxjourney as cx
from cxjourney.critical import rework
from cxjourney.exceptions import InvalidValue, UnknownName
from cxjourney.journeys import units_of

PATHS = [["web", "cart", "web", "cart"], ["web"], ["ad", "ad"]]


@pytest.fixture
def journeys():
    return cx.Journeys.from_paths(PATHS, converted=[10, 0, 0], dropped=[0, 10, 5])


def row(found, name):
    return next(row for row in found.table if row["touchpoint"] == name)


def test_repeats_count_visits_beyond_the_first_of_a_journey(journeys):
    found = rework(journeys)
    # web: 10 journeys see it twice, 10 once: 30 visits, 20 journeys
    web = row(found, "web")
    assert (web["visits"], web["journeys"], web["repeats"]) == (30, 20, 10)
    assert web["rework_rate"] == pytest.approx(1 / 3)
    assert web["low"] < 1 / 3 < web["high"]


def test_returning_is_the_chain_s_probability_to_come_back(journeys):
    # from web 2/3 go to cart, from cart half go back to web
    assert row(rework(journeys), "web")["returning"] == pytest.approx(1 / 3)


def test_loops_are_strongly_connected_and_self_loops_count(journeys):
    found = rework(journeys)
    assert found.loops == (("cart", "web"), ("ad",))
    assert row(found, "ad")["loop"] == 2


def test_bounces_go_there_and_straight_back(journeys):
    bounces = rework(journeys).bounces
    assert list(zip(bounces["node"], bounces["via"], bounces["count"], strict=True)) == [
        ("cart", "web", 10),
        ("web", "cart", 10),
    ]


def staged(*steps):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        cx.Interaction(
            customer=customer,
            touchpoint=f"at {stage}",
            stage=stage,
            timestamp=begin + timedelta(hours=i),
        )
        for i, (customer, stage) in enumerate(steps)
    ]
    log = cx.InteractionLog.from_interactions(rows)
    return log.journeys(all_closed=True)


def test_regress_counts_moves_to_an_earlier_stage():
    journeys = staged(
        ("a", "awareness"), ("a", "purchase"), ("a", "consideration"), ("a", "consideration")
    )
    found = rework(journeys)
    assert found.stages == cx.StageModel.FIVE.names
    assert found.regress.value == pytest.approx(1 / 3)
    backwards = rework(journeys, stages=["purchase", "consideration", "awareness"])
    assert backwards.regress.value == pytest.approx(1 / 3)
    assert repr(rework(journeys, stages=cx.StageModel.FIVE)) == repr(found)


def test_stages_of_no_standard_model_are_left_out_until_their_order_is_given():
    journeys = staged(("a", "lead"), ("a", "deal"), ("a", "lead"))
    assert rework(journeys).regress is None
    assert rework(journeys, stages=["lead", "deal"]).regress.value == pytest.approx(0.5)
    with pytest.raises(UnknownName, match="lead"):
        rework(journeys, stages=["leads", "deal"])


def test_stages_cannot_be_asked_of_a_log_without(journeys):
    assert rework(journeys).regress is None
    with pytest.raises(InvalidValue, match="stages"):
        rework(journeys, stages=cx.StageModel.FIVE)


def test_the_result_survives_the_dictionary(journeys):
    found = rework(journeys)
    assert cx.critical.Rework.from_dict(found.to_dict()) == found


def test_each_segment_has_a_row_of_its_own():
    journeys = cx.datasets.sample(seed=2, customers=300).journeys()
    for measure in (
        rework,
        cx.critical.bottlenecks,
        cx.critical.must_pass,
        cx.critical.centralities,
    ):
        by = measure(journeys, segment="segment")
        assert by.values == ("family", "standard", "student")
        coded = journeys.segment("segment")
        alone = measure(journeys.where(coded.codes == coded.names.index("student")))
        assert repr(by["student"]) == repr(alone)
    with pytest.raises(InvalidValue, match="not JourneyGraph"):
        cx.critical.must_pass(journeys.graph(), segment="segment")


def test_the_interval_leaves_out_one_bucket_after_the_other():
    journeys = cx.datasets.sample(seed=2, customers=800).journeys()
    found = rework(journeys)
    unit = units_of(journeys).of
    name = found.table["touchpoint"][0]
    whole = found.table.row(0)
    without, visits = [], []
    for bucket in range(64):
        left = row(rework(journeys.where(unit != bucket)), name)
        without.append(left["rework_rate"])
        visits.append(whole["visits"] - left["visits"])
    share, visits = whole["rework_rate"], np.array(visits, dtype=float)
    variance = 63 / 64 * ((np.array(without) - share) ** 2).sum()
    n = share * (1 - share) / variance
    q = t.ppf(0.975, visits.sum() ** 2 / (visits**2).sum() - 1)
    half = q * np.sqrt(share * (1 - share) / n + q * q / (4 * n * n)) / (1 + q * q / n)
    centre = (share + q * q / (2 * n)) / (1 + q * q / n)
    assert (whole["low"], whole["high"]) == pytest.approx((centre - half, centre + half))
