from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.metrics import (
    arpu,
    average_order_value,
    benchmark_test,
    clv_constant,
    cost_to_serve,
    nrr_grr,
    proportion,
    purchase_summary,
    retention_value,
    rfm,
)

START = np.datetime64("2026-01-01T00:00")
money = st.floats(0, 1e6).map(lambda v: round(v, 2))
orders = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 24 * 60), money), min_size=1, max_size=40
)


def columns(rows):
    who, hours, worth = (np.array(column) for column in zip(*rows, strict=True))
    return who, START + hours * np.timedelta64(1, "h"), worth


@given(orders, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_customers_do_not_matter(rows, random):
    who, when, worth = columns(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    who2, when2, worth2 = columns(shuffled)
    renamed = [f"c{c}" for c in who2]
    pairs = [
        (arpu(who, worth), arpu(renamed, worth2)),
        (
            average_order_value(worth, customers=who),
            average_order_value(worth2, customers=renamed),
        ),
    ]
    for one, two in pairs:
        assert np.allclose(
            [one.value, one.low, one.high], [two.value, two.low, two.high], equal_nan=True
        )
    first, second = purchase_summary(who, when, worth), purchase_summary(renamed, when2, worth2)
    place = [second.customers.index(f"c{c}") for c in first.customers]
    for name in ("frequency", "recency_s", "age_s", "mean_value"):
        ours, theirs = getattr(first, name), getattr(second, name)[place]
        assert np.allclose(ours, theirs, equal_nan=True)


@given(orders)
def test_a_summary_is_consistent(rows):
    who, when, worth = columns(rows)
    summary = purchase_summary(who, when, worth)
    assert np.all((summary.recency_s > 0) == (summary.frequency > 0))
    assert np.all(summary.recency_s <= summary.age_s)
    scores = rfm(who, when, worth)
    assert np.isclose(scores.monetary.sum(), worth.sum())
    assert scores.frequency.sum() == len(rows)
    for score in (scores.recency_score, scores.frequency_score, scores.monetary_score):
        assert np.all((score >= 1) & (score <= 5))
    # who bought later never has a lower recency score
    order = np.argsort(scores.recency_s, kind="stable")
    assert np.all(np.diff(scores.recency_score[order]) <= 0)


@given(st.lists(st.tuples(money, money), max_size=20))
def test_gross_retention_is_at_most_net_and_at_most_one(rows):
    start, end = [r[0] for r in rows], [r[1] for r in rows]
    result = nrr_grr(start, end)
    if sum(start) > 0:
        assert 0 <= result.grr.value <= min(1.0, result.nrr.value) + 1e-12
        parts = result.start + result.expansion - result.contraction - result.churned
        assert np.isclose(parts, result.nrr.numerator)
    else:
        assert np.isnan(result.nrr.value)


@given(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0.0, 0.5))
def test_value_rises_with_retention(one, other, discount):
    low, high = sorted((one, other))
    for first in ("now", "end"):
        values = [clv_constant(10, r, discount, first_margin=first).value for r in (low, high)]
        assert values[0] <= values[1]


@given(st.floats(0.05, 0.9), st.floats(0.0, 0.3), st.floats(0.01, 0.1))
def test_more_retention_is_worth_at_least_as_much_more_at_the_end(rate, discount, change):
    assert retention_value(rate, discount, change=change).gain.value >= change - 1e-12


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0, 1))
def test_p_values_are_probabilities_and_mirror(count, more, claimed):
    n = count + more
    test = benchmark_test(proportion(count, n), claimed)
    mirrored = benchmark_test(proportion(more, n), 1 - claimed)
    if n:
        assert 0 <= test.p_value <= 1
        assert np.isclose(test.p_value, mirrored.p_value, atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b"])), max_size=20))
def test_costs_add_up_over_channels(rows):
    who, channel = [r[0] for r in rows], [r[1] for r in rows]
    result = cost_to_serve(who, channel, {"a": 2.0, "b": 5.0}, fixed=7.0)
    want = 2 * channel.count("a") + 5 * channel.count("b")
    assert result.cost.sum() == want
    if rows:
        assert np.isclose(result.per_customer.value * len(set(who)), want + 7)
