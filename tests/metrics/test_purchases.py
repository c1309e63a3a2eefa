from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import PurchaseSummary, RfmScores, purchase_summary, rfm

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(values):
    return [START + timedelta(days=v) for v in values]


def test_summary_equals_lifetimes(shared):
    items = json.loads((shared / "oracles/clv_btyd.json").read_text())["items"]
    item = next(i for i in items if i.get("task", "").startswith("RFM summary"))
    who = [c for c, _ in item["input"]]
    when = [datetime.fromisoformat(d) for _, d in item["input"]]
    end = datetime.fromisoformat(item["observation_end"])
    summary = purchase_summary(who, when, observed_until=end)
    want = item["expected_frequency_recency_T_days"]
    for i, customer in enumerate(summary.customers):
        got = (summary.frequency[i], summary.recency_s[i] / 86400, summary.age_s[i] / 86400)
        assert got == tuple(want[customer])


def test_purchases_of_one_day_are_one_and_their_values_add_up():
    summary = purchase_summary(
        ["a"] * 4,
        days([0, 3.1, 3.9, 5]),
        [7.0, 10.0, 20.0, 50.0],
        observed_until=START + timedelta(days=9),
    )
    assert summary.frequency.tolist() == [2]
    assert summary.mean_value.tolist() == [40]  # (30 + 50) / 2: the first purchase is left out
    assert (summary.recency_s[0], summary.age_s[0]) == (5 * 86400, 9 * 86400)


def test_days_are_cut_in_the_zone():
    timestamps = [
        datetime(2026, 1, 1, 22, 30, tzinfo=UTC),
        datetime(2026, 1, 1, 23, 30, tzinfo=UTC),
    ]
    assert purchase_summary(["a", "a"], timestamps).frequency.tolist() == [0]
    prague = purchase_summary(["a", "a"], timestamps, time_zone="Europe/Prague")
    assert prague.frequency.tolist() == [1]


def test_without_a_repeat_there_is_no_mean():
    summary = purchase_summary(["a", "b", "b"], days([0, 0, 1]), [1.0, 2.0, 3.0])
    assert np.isnan(summary.mean_value[0])
    assert summary.mean_value[1] == 3


def test_missing_values_are_refused_with_their_rows():
    with pytest.raises(InvalidData, match="values are missing") as error:
        purchase_summary(["a", "b", "b"], days([0, 2, 1]), [1.0, None, 3.0])
    assert error.value.rows == (1,)


def test_empty_input_has_no_customers():
    assert purchase_summary([], []).customers == ()
    assert rfm([], [], []).customers == ()


def test_printing_names_no_customer_but_the_frame_does():
    summary = purchase_summary(["secret@example.org"], days([0]))
    scores = rfm(["secret@example.org"], days([0]), [1.0])
    for result in (summary, scores):
        assert "secret" not in repr(result)
        assert "secret" not in result._repr_html_()
        assert result.to_frame("polars")["customer"].to_list() == ["secret@example.org"]


def test_rfm_scores_rank_customers():
    who = ["a", "b", "b", "c", "c", "c", "d"]
    scores = rfm(who, days([0, 1, 5, 2, 3, 9, 9]), [1, 5, 5, 3, 3, 3, 100], bins=2)
    assert scores.recency_s.tolist() == [9 * 86400, 4 * 86400, 0, 0]
    assert scores.frequency.tolist() == [1, 2, 3, 1]
    assert scores.monetary.tolist() == [1, 10, 9, 100]
    assert scores.recency_score.tolist() == [1, 1, 2, 2]
    assert scores.frequency_score.tolist() == [1, 2, 2, 1]
    assert scores.monetary_score.tolist() == [1, 2, 1, 2]


def test_equal_customers_score_equally():
    scores = rfm(list("abcde"), days([0] * 5), [2.0] * 5)
    assert set(scores.monetary_score.tolist()) == {3}


def test_scores_span_all_bins():
    n = 100
    scores = rfm(np.arange(n), days(range(n)), np.arange(n) + 1.0)
    assert np.bincount(scores.recency_score).tolist() == [0, 20, 20, 20, 20, 20]


@pytest.mark.parametrize("bins", [1, 2.5, True])
def test_bins_are_whole_numbers_from_two(bins):
    with pytest.raises(InvalidValue, match="whole number from 2"):
        rfm(["a"], days([0]), [1.0], bins=bins)


def test_results_survive_json():
    summary = purchase_summary(["a", "b", "b"], days([0, 0, 1]), [1.0, 2.0, 3.0])
    card = summary.to_dict()
    assert PurchaseSummary.from_dict(json.loads(json.dumps(card))).to_dict() == card
    scores = rfm(["a", "b"], days([0, 1]), [1.0, 2.0])
    card = scores.to_dict()
    assert RfmScores.from_dict(json.loads(json.dumps(card))).to_dict() == card
