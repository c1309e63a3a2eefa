"""Conversion, abandonment and bounce: who counts, who is left out, and how sure the share is."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.exceptions import InvalidData, InvalidValue
from cxjourney.metrics import abandonment_rate, bounce_rate, conversion_rate, proportion, wilson


def test_conversion_is_converted_over_eligible_with_wilson():
    rate = conversion_rate([True] * 7 + [False] * 43)
    assert (rate.value, rate.numerator, rate.denominator) == (0.14, 7, 50)
    assert (rate.low, rate.high) == wilson(7, 50)
    assert rate.definition == "converted journeys / eligible journeys"


def test_units_left_out_are_counted_by_reason():
    rate = conversion_rate(
        pl.Series([1, 0, None, 1, 0, 0]),
        eligible=[True, True, True, False, True, True],
        in_progress=[True, True, False, False, False, False],
    )
    # unit 0 had converted before the end; unit 1 is still open, 2 missing, 3 not eligible
    assert (rate.numerator, rate.denominator) == (1, 3)
    assert (rate.n_missing, rate.n_censored) == (1, 1)
    assert dict(rate.exclusions) == {"not eligible": 1}
    assert rate.notes


def test_nothing_eligible_is_nan_not_zero():
    for rate in (conversion_rate([]), conversion_rate([None]), conversion_rate([1], eligible=[0])):
        assert math.isnan(rate.value)
        assert rate.notes[0] == "empty"


def test_all_alike_still_has_a_width():
    assert conversion_rate([1] * 10).low == pytest.approx(0.7225, abs=5e-5)
    assert conversion_rate([0] * 10).high == pytest.approx(0.2775, abs=5e-5)
    assert conversion_rate([1]).low == pytest.approx(0.2065, abs=5e-5)


def test_missing_flags_are_refused_or_propagated_on_request():
    with pytest.raises(InvalidData, match="missing") as caught:
        conversion_rate([1, None], nan_policy="raise")
    assert caught.value.rows == (1,)
    assert math.isnan(conversion_rate([1, None], nan_policy="propagate").value)


def test_options_are_checked():
    with pytest.raises(InvalidValue, match="unit"):
        conversion_rate([1], unit="visit")
    with pytest.raises(InvalidValue, match="interval"):
        conversion_rate([1], interval="wald")
    with pytest.raises(InvalidValue, match="must have one length"):
        conversion_rate([1], eligible=[1, 0])
    with pytest.raises(InvalidData, match="converted"):
        conversion_rate([0.2, 1])


def test_sessions_of_one_customer_do_not_count_as_independent():
    converted = [1] * 20 + [0] * 80
    customer = [i // 10 for i in range(100)]  # ten customers: each all or nothing
    clustered = conversion_rate(converted, customer=customer)
    plain = conversion_rate(converted)
    assert clustered.value == plain.value
    # two of ten customers convert: worth p (1 - p) / Var = .16 / (.2 · .8 / 9) = 9 trials, and the
    # ends are where (p - p₀)² = t² p₀ (1 - p₀) / 9, with Student's t of 9 degrees of freedom
    t = 2.262157163
    for end in (clustered.low, clustered.high):
        assert (0.2 - end) ** 2 == pytest.approx(t**2 * end * (1 - end) / 9)
    assert clustered.low < 0.2 < clustered.high
    assert clustered.n == 100


def test_one_unit_a_customer_is_almost_the_plain_interval():
    converted = np.random.default_rng(1).random(400) < 0.3
    clustered = conversion_rate(converted, customer=range(400))
    plain = conversion_rate(converted)
    assert (clustered.low, clustered.high) == pytest.approx((plain.low, plain.high), abs=1e-3)


def test_clusters_that_all_agree_count_once_each():
    rate = conversion_rate([1] * 100, customer=[i % 5 for i in range(100)])
    assert rate.low == pytest.approx(5 / (5 + 2.776445105**2))  # Wilson's, with t(.975, 4)


def test_a_proportion_of_counts_has_any_interval():
    for interval in ("wilson", "agresti_coull", "clopper_pearson", "jeffreys"):
        estimate = proportion(7, 50, interval=interval)
        assert estimate.low < 0.14 < estimate.high


def test_young_starts_may_still_be_completed():
    rate = abandonment_rate(
        [True, False, True, False, None],
        age=[timedelta(hours=h) for h in (30, 30, 1, 1, 30)],
        horizon=timedelta(hours=24),
    )
    # both young carts are left out, the completed one too: else the quick would be favoured
    assert (rate.numerator, rate.denominator, rate.n_censored, rate.n_missing) == (1, 2, 2, 1)


def test_short_calls_are_left_out_only_if_abandoned():
    rate = abandonment_rate(
        [True, False, False],
        waited=[timedelta(seconds=s) for s in (2, 4, 60)],
        short=timedelta(seconds=5),
    )
    assert rate.value == 0.5
    assert dict(rate.exclusions) == {"short": 1}


def test_a_horizon_needs_ages_and_units():
    with pytest.raises(InvalidValue, match="age must be given together with horizon"):
        abandonment_rate([1], horizon=timedelta(1))
    with pytest.raises(InvalidValue, match="timedelta"):
        abandonment_rate([1], age=[timedelta(1)], horizon=5)
    with pytest.raises(InvalidData, match="negative"):
        abandonment_rate([1], age=[-timedelta(1)], horizon=timedelta(1))


def test_a_classic_bounce_is_a_single_view():
    rate = bounce_rate([1, 1, 2, None, 5])
    assert (rate.value, rate.n_missing) == (0.5, 1)


def test_a_ga4_bounce_is_not_engaged():
    rate = bounce_rate(
        [1, 1, 1, 2],
        definition="ga4",
        engaged_time=[timedelta(seconds=s) for s in (10, 11, 0, 0)],
        key_event=[False, False, True, False],
    )
    # exactly 10 s is not more than 10 s
    assert (rate.numerator, rate.denominator) == (1, 4)


def test_a_ga4_bounce_of_unknown_time_is_missing_unless_something_else_engages():
    rate = bounce_rate(
        [1, 2, 1], definition="ga4", engaged_time=[None] * 3, key_event=[False, False, True]
    )
    assert (rate.denominator, rate.n_missing) == (2, 1)


def test_bounce_definitions_do_not_mix():
    with pytest.raises(InvalidValue, match="ga4"):
        bounce_rate([1], key_event=[True])
    with pytest.raises(InvalidValue, match="engaged_time"):
        bounce_rate([1], definition="ga4")
    with pytest.raises(InvalidData, match="whole and at least 1") as caught:
        bounce_rate([1, 0, 1.5])
    assert caught.value.rows == (1, 2)


@given(st.lists(st.booleans() | st.none(), max_size=40), st.lists(st.booleans(), max_size=40))
def test_adding_units_that_do_not_count_changes_nothing(converted, extra):
    whole = conversion_rate(
        [*converted, *extra], eligible=[True] * len(converted) + [False] * len(extra)
    )
    alone = conversion_rate(converted)
    assert (whole.numerator, whole.denominator) == (alone.numerator, alone.denominator)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=40), st.randoms())
def test_the_order_of_units_does_not_matter(units, rng):
    shuffled = units.copy()
    rng.shuffle(shuffled)
    a, b = (
        conversion_rate([hit for hit, _ in rows], customer=[who for _, who in rows])
        for rows in (units, shuffled)
    )
    assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), nan_ok=True)
