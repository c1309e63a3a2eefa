from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import UnknownName
from cxjourney.experience import scores


def journeys_of(rows):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    log = cx.InteractionLog.from_interactions(
        cx.Interaction(
            customer=customer,
            touchpoint=touchpoint,
            timestamp=begin + timedelta(hours=i),
            score=score,
        )
        for i, (customer, touchpoint, score) in enumerate(rows)
    )
    return log.journeys(all_closed=True)


def test_a_mean_of_one_answer_a_customer_has_student_s_interval():
    found = scores(
        journeys_of([("a", "web", 2), ("b", "web", 4), ("c", "web", 9)]), measure="score"
    )
    row = found.table.row(0)
    assert (row["n"], row["customers"], row["mean"]) == (3, 3, 5.0)
    # sd = sqrt(13), t(2, .975) = 4.302653
    half = 4.302653 * np.sqrt(13 / 3)
    assert (row["low"], row["high"]) == pytest.approx((5 - half, 5 + half), abs=1e-5)


def test_a_touchpoint_without_answers_stays_and_is_nan():
    found = scores(journeys_of([("a", "web", 2), ("b", "shop", None)]), measure="score")
    row = next(row for row in found.table if row["touchpoint"] == "shop")
    assert row["n"] == 0
    assert np.isnan(row["mean"])
    assert not row["valley"]


def test_a_log_without_emotions_says_what_it_has():
    with pytest.raises(UnknownName, match="score"):
        scores(journeys_of([("a", "web", 2)]), measure="emotion")


def test_one_bad_answer_does_not_top_the_list():
    rows = [(f"c{i}", "hall", s) for i, s in enumerate([4, 5, 4, 5, 4, 5, 4, 5])]
    rows += [(f"d{i}", "desk", s) for i, s in enumerate([2, 3, 2, 3, 2, 3, 2, 3])]
    rows += [("x", "rare", 0)]
    found = scores(journeys_of(rows), measure="score")
    assert found.table["touchpoint"][0] == "desk"
    assert found.table.row(0)["valley"]


def test_a_valley_is_compared_with_all_others_and_not_with_itself():
    rows = [(f"c{i}", "hall", 3.5 + i % 2) for i in range(40)]
    rows += [(f"d{i}", "desk", 5) for i in range(4)]
    row = scores(journeys_of(rows), measure="score").table.row(0)
    assert row["touchpoint"] == "hall"
    # the mean of all, 4.09, lies within the interval, and that of the others does not
    assert row["mean"] < 4.09 < row["high"] < 5
    assert row["valley"]


def test_planted_worse_touchpoints_are_valleys():
    example = cx.datasets.sample(seed=4, customers=2_000)
    found = scores(example.journeys())
    valley = dict(zip(found.table["touchpoint"], found.table["valley"], strict=True))
    assert valley["payment"]
    assert valley["store advice"]
    assert not valley["review"]
