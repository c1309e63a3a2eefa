"""Several answers of one customer: each customer left out in turn, by a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import (
    Scale,
    bootstrap,
    ces,
    csat,
    expectation_gap,
    mean_score,
    nps,
    nps_difference,
    peak_end_rule,
    pool,
)

CUSTOMERS = np.array([f"c{i}" for i in (0, 0, 0, 1, 1, 2, 3, 3, 4, 4, 4, 4, 5, 6, 6, 7)])
SCORES = np.array([10, 9, 10, 3, 5, 8, 9, 10, 0, 7, 6, 6, 10, 9, 9, 7])


def left_out(statistic, customers, *columns):
    """Return the statistic, its variance and its degrees of freedom."""
    names = np.unique(customers)
    whole = statistic(*columns)
    without = [statistic(*(c[customers != name] for c in columns)) for name in names]
    n = np.array([(customers == name).sum() for name in names])
    variance = (len(names) - 1) / len(names) * sum((x - whole) ** 2 for x in without)
    return whole, variance, n.sum() ** 2 / (n**2).sum() - 1


def wilson_t(share, variance, freedom):
    t, n = stats.t.ppf(0.975, freedom), share * (1 - share) / variance
    centre, half = share + t**2 / (2 * n), t * math.sqrt(share * (1 - share) / n + (t / n / 2) ** 2)
    return (centre - half) / (1 + t**2 / n), (centre + half) / (1 + t**2 / n)


def net(scores):
    return (scores >= 9).mean() - (scores <= 6).mean()


def test_the_score_of_customers_who_answer_again():
    score = nps(SCORES, customer=CUSTOMERS)
    whole, variance, freedom = left_out(net, CUSTOMERS, SCORES)
    p, d = (SCORES >= 9).mean(), (SCORES <= 6).mean()
    size = (p + d - (p - d) ** 2) / variance
    p, d = ((x * size + 0.75) / (size + 3) for x in (p, d))
    half = stats.t.ppf(0.975, freedom) * math.sqrt((p + d - (p - d) ** 2) / (size + 3))
    assert score.value == pytest.approx(100 * whole)
    want = 100 * (p - d - half), min(100, 100 * (p - d + half))
    assert (score.low, score.high) == pytest.approx(want)
    share = wilson_t(*left_out(lambda s: (s >= 9).mean(), CUSTOMERS, SCORES))
    assert (score.promoters.low, score.promoters.high) == pytest.approx(share)
    assert "clustered by customer" in score.method
    assert nps(SCORES).high - nps(SCORES).low < score.high - score.low


def test_the_bootstrap_of_the_score_draws_customers():
    score = nps(np.tile(SCORES, 2), customer=[*CUSTOMERS, *("d" + CUSTOMERS)], interval="bootstrap",
                rng=1)  # fmt: skip
    values = 100.0 * ((np.tile(SCORES, 2) >= 9) * 1.0 - (np.tile(SCORES, 2) <= 6))
    owner = [*CUSTOMERS, *("d" + CUSTOMERS)]
    low, high = bootstrap(values, customer=owner, method="percentile", rng=2)
    assert (score.low, score.high) == pytest.approx((low, high), abs=4)
    assert score.high - score.low > 1.2 * (
        nps(np.tile(SCORES, 2), interval="bootstrap", rng=1).high
        - nps(np.tile(SCORES, 2), interval="bootstrap", rng=1).low
    )


@pytest.mark.parametrize("weights", [None, np.arange(1.0, 17)])
def test_shares_and_means_of_customers_who_answer_again(weights):
    scores = np.array([5, 4, 5, 1, 2, 3, 4, 5, 1, 3, 2, 2, 5, 4, 4, 3])
    w = np.ones(16) if weights is None else weights

    def mean(values, weights):
        return (values * weights).sum() / weights.sum()

    def units(w):  # what the figure stands on is weights, where there are any
        names = np.unique(CUSTOMERS)
        sums = np.array([w[name == CUSTOMERS].sum() for name in names])
        return sums.sum() ** 2 / (sums**2).sum() - 1

    found = csat(scores, customer=CUSTOMERS, weights=weights)
    share, variance, _ = left_out(mean, CUSTOMERS, (scores >= 4) * 1.0, w)
    assert found.value == pytest.approx(share)
    assert (found.low, found.high) == pytest.approx(wilson_t(share, variance, units(w)))
    value, variance, _ = left_out(mean, CUSTOMERS, (scores - 1) / 4, w)
    ends = [1 + 4 * end for end in wilson_t(value, variance, units(w))]
    assert (found.mean.low, found.mean.high) == pytest.approx(ends)
    same = mean_score(scores, customer=CUSTOMERS, weights=weights, scale=Scale(1, 5))
    assert (same.low, same.high) == pytest.approx(ends)
    half = 4 * stats.t.ppf(0.975, units(w)) * math.sqrt(variance)
    free = mean_score(scores, customer=CUSTOMERS, weights=weights)
    assert (free.low, free.high) == pytest.approx((free.value - half, free.value + half))
    easy = ces(scores, customer=CUSTOMERS, version=1)
    assert easy.low < ces(scores, version=1).low


def test_gaps_of_customers_who_answer_again():
    before = np.full(16, 5.0)
    found = expectation_gap(SCORES, before, customer=CUSTOMERS, scale=Scale.ZERO_TO_TEN)
    value, variance, freedom = left_out(lambda s: ((s - 5) + 10).mean() / 20, CUSTOMERS, SCORES)
    ends = [20 * end - 10 for end in wilson_t(value, variance, freedom)]
    assert (found.low, found.high) == pytest.approx(ends)
    above = wilson_t(*left_out(lambda s: (s > 5).mean(), CUSTOMERS, SCORES))
    assert (found.exceeded.low, found.exceeded.high) == pytest.approx(above)
    means = [(SCORES - 5)[name == CUSTOMERS].mean() for name in np.unique(CUSTOMERS)]
    alone = expectation_gap(means, np.zeros(8))
    assert found.p_value == pytest.approx(alone.p_value)


def test_two_waves_of_the_same_customers():
    later = np.array([9, 7, 10, 3, 7, 8, 6, 10, 2, 7, 9, 6, 10, 7, 9, 7])
    both = nps_difference(SCORES, later, customer=(CUSTOMERS, CUSTOMERS))
    others = nps_difference(SCORES, later, customer=(CUSTOMERS, "x" + CUSTOMERS))
    assert both.value == others.value == pytest.approx(100 * (net(SCORES) - net(later)))
    assert both.high - both.low < others.high - others.low  # who is in both waves cancels
    _, v1, _ = left_out(net, CUSTOMERS, SCORES)
    _, v2, _ = left_out(net, CUSTOMERS, later)
    _, v12, freedom = left_out(lambda a, b: net(a) - net(b), CUSTOMERS, SCORES, later)
    r = (v1 + v2 - v12) / 2 / math.sqrt(v1 * v2)
    parts = []
    for wave, v in ((SCORES, v1), (later, v2)):
        p, d = (wave >= 9).mean(), (wave <= 6).mean()
        size = (p + d - (p - d) ** 2) / v
        p, d = ((x * size + 0.375) / (size + 1.5) for x in (p, d))
        parts.append((p - d, (p + d - (p - d) ** 2) / (size + 1.5)))
    (m1, a1), (m2, a2) = parts
    error = math.sqrt(a1 + a2 - 2 * r * math.sqrt(a1 * a2))
    assert both.z == pytest.approx((m1 - m2) / error)
    half = stats.t.ppf(0.975, freedom) * error
    assert (both.low, both.high) == pytest.approx((100 * (m1 - m2 - half), 100 * (m1 - m2 + half)))
    paired = nps_difference(SCORES, later, paired=True, customer=CUSTOMERS)
    assert "clustered by customer" in paired.method
    assert paired.low < paired.value < paired.high


def test_customers_must_be_known_and_fit():
    for metric in (nps, csat, ces, mean_score):
        with pytest.raises(InvalidValue, match="customer"):
            metric([5, 4], customer=["a", None])
        with pytest.raises(InvalidValue, match="one length"):
            metric([5, 4], customer=["a"])
        assert metric([5, None, 4, 4], customer=["a", None, "b", "c"]).n == 3
    for metric in (nps, csat, ces):
        with pytest.raises(InvalidValue, match="customer must be left out where counts"):
            metric([5], counts=[2], customer=["a"])
    with pytest.raises(InvalidValue, match="two columns, one for each of both"):
        nps_difference([9, 9, 9], [9, 9, 9], customer=["a", "b", "c"])
    with pytest.raises(InvalidValue, match="functions of counts"):
        pool([nps(SCORES, customer=CUSTOMERS)] * 2)


def test_two_customers_are_too_few():
    score = nps([10, 3, 9, 9], customer=["a", "a", "b", "b"])
    assert math.isnan(score.low)
    assert any("no interval" in note for note in score.notes)
    assert math.isnan(nps([10, 3], customer=["a", "b"], interval="wald").low)
    change = nps_difference([10, 3], [9, 9], customer=(["a", "b"], ["a", "b"]))
    assert math.isnan(change.low)
    assert any("no interval" in note for note in change.notes)
    assert math.isnan(csat([5, 1], customer=["a", "b"], interval="jeffreys").low)


@pytest.mark.parametrize("interval", ["agresti_coull", "clopper_pearson", "jeffreys"])
def test_other_intervals_count_the_customers_too(interval):
    scores = np.array([5, 4, 5, 1, 2, 3, 4, 5, 1, 3, 2, 2, 5, 4, 4, 3])
    alone = csat(scores, interval=interval)
    together = csat(scores, customer=CUSTOMERS, interval=interval)
    assert together.low < alone.low < alone.high < together.high
    wilson = csat(scores, customer=CUSTOMERS)
    assert together.high - together.low == pytest.approx(wilson.high - wilson.low, rel=0.2)


def test_journeys_of_one_customer_are_not_independent():
    rng = np.random.default_rng(6)
    level = rng.normal(0, 0.4, 20)
    journey = np.repeat(np.arange(100), 3)
    customer = journey // 5
    valence = np.clip(level[customer] + rng.normal(0, 0.2, 300), -1, 1)
    alone = peak_end_rule(valence, journey=journey)
    together = peak_end_rule(valence, journey=journey, customer=customer)
    assert together.value == alone.value
    scores = np.array(together.scores)
    value, variance, freedom = left_out(np.mean, np.arange(100) // 5, scores)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (together.low, together.high) == pytest.approx((value - half, value + half))
    assert together.mean.high - together.mean.low > 1.5 * (alone.mean.high - alone.mean.low)
    with pytest.raises(InvalidData, match="the same for all visits"):
        peak_end_rule([0.1, 0.2], journey=[1, 1], customer=["a", "b"])
