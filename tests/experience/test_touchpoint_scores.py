from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import cxjourney as cx
from cxjourney.exceptions import UnknownName
from cxjourney.experience import scores
from cxjourney.metrics._grouped import grouped_ratios, grouped_shares


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
    return log.journeys(unfinished="dropped")


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


def test_planted_worse_touchpoints_are_valleys():
    example = cx.datasets.sample(seed=4, customers=2_000)
    found = scores(example.journeys())
    valley = dict(zip(found.table["touchpoint"], found.table["valley"], strict=True))
    assert valley["payment"]
    assert valley["store advice"]
    assert not valley["review"]


def test_clustering_widens_the_interval_of_customers_who_always_agree():
    rng = np.random.default_rng(2)
    customer = np.repeat(np.arange(200), 5)
    values = rng.normal(size=200)[customer]
    group = np.zeros(1000, dtype=np.int64)
    found = grouped_ratios(values, np.ones(1000), group=group, n_groups=1, customer=customer)
    # five copies of each customer say no more than one
    alone = values[::5]
    assert found.variance[0] == pytest.approx(alone.var(ddof=1) / 200)


def test_weights_stand_for_so_many_customers():
    rng = np.random.default_rng(3)
    y, x = rng.random(30), rng.random(30) + 1
    group, times = rng.integers(0, 3, 30), rng.integers(1, 5, 30)
    whole = np.repeat(np.arange(30), times)
    kept = grouped_ratios(y, x, group=group, n_groups=3, customer=np.arange(30), weight=times)
    spread = grouped_ratios(
        y[whole], x[whole], group=group[whole], n_groups=3, customer=np.arange(len(whole))
    )
    assert kept.value == pytest.approx(spread.value)
    assert kept.variance == pytest.approx(spread.variance)
    shares = grouped_shares(y, group=group, n_groups=3, customer=np.arange(30), weight=times)
    apart = grouped_shares(y[whole], group=group[whole], n_groups=3, customer=np.arange(len(whole)))
    assert shares.value == pytest.approx(apart.value)
    assert shares.variance == pytest.approx(apart.variance)


def test_the_variance_of_a_share_is_that_of_its_ratio():
    rng = np.random.default_rng(4)
    y, group, customer = rng.random(60), rng.integers(0, 3, 60), rng.integers(0, 20, 60)
    shares = grouped_shares(y, group=group, n_groups=3, customer=customer)
    for g in range(3):
        ratio = grouped_ratios(
            np.where(group == g, y, 0),
            y,
            group=np.zeros(60, dtype=np.int64),
            n_groups=1,
            customer=customer,
        )
        assert shares.value[g] == pytest.approx(ratio.value[0])
        assert shares.variance[g] == pytest.approx(ratio.variance[0])
