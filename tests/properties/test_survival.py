from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from cxjourney.metrics import cumulative_incidence, kaplan_meier, logrank

HOUR = np.timedelta64(1, "h")
spells = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([None, "a", "b"]), st.integers(0, 5)),
    min_size=1,
    max_size=40,
)


def columns(rows):
    length, cause, customer = zip(*rows, strict=True)
    return np.array(length) * HOUR, list(cause), list(customer)


@given(spells)
def test_survival_never_rises_and_stays_inside_its_band(rows):
    length, cause, customer = columns(rows)
    for who in (None, customer):
        curve = kaplan_meier(length, [c is not None for c in cause], customer=who)
        assert np.all(np.diff(curve.survival) <= 0)
        known = ~np.isnan(curve.low)
        assert np.all(curve.low[known] <= curve.survival[known] + 1e-12)
        assert np.all(curve.survival[known] <= curve.high[known] + 1e-12)


@given(spells)
def test_incidences_and_survival_add_up_to_one(rows):
    length, cause, _ = columns(rows)
    curves = cumulative_incidence(length, cause)
    assert np.allclose(curves.incidence.sum(axis=0) + curves.survival, 1)
    assert np.all(np.diff(curves.incidence, axis=1) >= 0)


@example([(0, None, 0), (0, None, 1), (0, None, 2)], Random(0))  # noqa: S311 - an order, no secret
@given(spells, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_customers_do_not_matter(rows, random):
    length, cause, customer = columns(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    length2, cause2, customer2 = columns(shuffled)
    renamed = [f"customer {9 - c}" for c in customer2]
    one = cumulative_incidence(length, cause, customer=customer)
    two = cumulative_incidence(length2, cause2, customer=renamed)
    assert np.allclose(one.incidence, two.incidence)
    assert np.allclose(one.std_error**2, two.std_error**2, atol=1e-12, equal_nan=True)
    first = kaplan_meier(length, [c is not None for c in cause], customer=customer)
    second = kaplan_meier(length2, [c is not None for c in cause2], customer=renamed)
    assert np.allclose(first.low, second.low, atol=1e-6, equal_nan=True)
    assert np.allclose(
        [first.restricted_mean.value, first.restricted_mean.low],
        [second.restricted_mean.value, second.restricted_mean.low],
        equal_nan=True,
    )


@given(spells)
def test_a_change_of_unit_changes_times_only(rows):
    length, cause, _ = columns(rows)
    hours = kaplan_meier(length, [c is not None for c in cause])
    days = kaplan_meier(length * 24, [c is not None for c in cause])
    assert np.array_equal(hours.survival, days.survival)
    assert np.allclose(hours.time_s * 24, days.time_s)
    assert np.isclose(24 * hours.restricted_mean.value, days.restricted_mean.value)


@given(spells)
def test_without_open_rows_survival_is_the_share_that_lasts_longer(rows):
    length, _, _ = columns(rows)
    curve = kaplan_meier(length, [True] * len(rows))
    share = [(length / HOUR > t / 3600).mean() for t in curve.time_s]
    assert np.allclose(curve.survival, share)


@given(spells)
def test_observed_and_expected_events_have_one_sum(rows):
    length, cause, customer = columns(rows)
    group = ["x" if c % 2 else "y" for c in customer]
    if len(set(group)) == 2:
        test = logrank(length, [c is not None for c in cause], group)
        assert np.isclose(test.events.sum(), test.expected.sum())
        assert test.df in (0, 1)
        assert not test.statistic < 0
