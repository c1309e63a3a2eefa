from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cxjourney.metrics import cohort_retention, lifecycle, retention_rate

START = np.datetime64("2026-03-20T00:00")
END = datetime(2026, 3, 20, tzinfo=UTC) + timedelta(days=20)
visits = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 24 * 20 - 1)), max_size=40)
windows = st.sampled_from(["calendar", "rolling"])
zones = st.sampled_from(["UTC", "Europe/Prague", "Pacific/Apia", "America/St_Johns"])


def columns(rows):
    who = np.array([r[0] for r in rows], dtype=np.int64)
    hours = np.array([r[1] for r in rows], dtype=np.int64)
    return who, START + hours * np.timedelta64(1, "h")


@given(visits, windows, zones)
def test_unbounded_retention_never_rises_from_all_of_the_eligible(rows, window, zone):
    who, when = columns(rows)
    result = cohort_retention(
        who,
        when,
        kind="unbounded",
        periods=8,
        window=window,
        time_zone=zone,
        observed_until=END,
    )
    assert np.all(np.diff(result.retained, axis=1) <= 0)
    assert np.all(np.diff(result.eligible, axis=1) <= 0)
    # all ages together stand on the same customers: those whose last age is over
    assert len({total.denominator for total in result.total}) == 1
    assert np.all(np.diff([total.numerator for total in result.total]) <= 0)
    assert np.array_equal(result.retained[:, 0], result.eligible[:, 0])


@given(visits, windows, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_customers_do_not_matter(rows, window, random):
    who, when = columns(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    who2, when2 = columns(shuffled)
    one = cohort_retention(who, when, window=window, periods=5, observed_until=END)
    two = cohort_retention(
        [f"c{9 - c}" for c in who2], when2, window=window, periods=5, observed_until=END
    )
    assert one.to_dict() == two.to_dict()


@given(visits)
def test_on_day_counts_add_up_over_customers(rows):
    who, when = columns(rows)
    whole = cohort_retention(who, when, periods=5, observed_until=END)
    half = [
        cohort_retention(who[who % 2 == k], when[who % 2 == k], periods=5, observed_until=END)
        for k in (0, 1)
    ]
    for k in range(6):
        assert whole.total[k].numerator == sum(h.total[k].numerator for h in half)
        assert whole.total[k].denominator == sum(h.total[k].denominator for h in half)


@given(visits, zones)
def test_lifecycle_loses_nobody(rows, zone):
    who, when = columns(rows)
    result = lifecycle(who, when, period="day", time_zone=zone, observed_until=END)
    assert result.new.sum() == len(set(who.tolist()))
    kept = (result.returning + result.dormant)[1:-1]
    assert np.array_equal(kept, result.active[:-2][: len(kept)])


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_retention_is_the_share_of_the_intersection(start, end):
    estimate = retention_rate(list(start), list(end))
    if start:
        assert estimate.value == len(start & end) / len(start)
        assert estimate.low <= estimate.value <= estimate.high
    else:
        assert np.isnan(estimate.value)
